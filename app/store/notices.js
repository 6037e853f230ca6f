// @ts-check
// What the page says about saving outside of the Runs panel: "saved 12 s ago" in the line of facts,
// a row below the status when a save failed, with the download beside it, and after a refresh the
// button that brings the last run back.

import { element } from "../ui/dom.js";
import { bytes, duration, sentence } from "../ui/format.js";
import { download } from "./download.js";

const PATIENCE = 5000; // ms for Python to hand over the model, before the sentence says that it waits

/** @typedef {import("./persist.js").PageParts} PageParts */
/** @typedef {import("./saved_runs.js").Entry} Entry */

/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

export class Notices {
  /**
   * @param {PageParts & {
   *   saved: import("./saved_runs.js").SavedRuns,
   *   autosave: import("./autosave.js").Autosave,
   *   resume: import("./resume.js").Resume,
   * }} parts
   */
  constructor({ session, controls, training, saved, autosave, resume, status }) {
    this.session = session;
    this.controls = controls;
    this.training = training;
    this.saved = saved;
    this.autosave = autosave;
    this.resume = resume;
    this.status = status;
    /** @type {Entry | null} */
    this.victim = null; // the oldest run, which may make space
    /** @type {Entry | null} */
    this.last = null; // the run that is offered
    const facts = part("facts");
    this.fact = facts.appendChild(element("span", { class: "fact", id: "saved", hidden: true }));
    this.row = element("div", { class: "save-problem", id: "save-problem", hidden: true, role: "alert" });
    part("saying").after(this.row);
    this.text = this.row.appendChild(element("span"));
    this.row.append(
      this.button("Download this run", () => this.download()),
      (this.oldest = this.button("", () => this.removeOldest())),
    );
    this.oldest.hidden = true;
    this.offer = part("resume-offer");
    autosave.addEventListener("saved", () => this.show());
    autosave.addEventListener("problem", () => this.showProblem());
    setInterval(() => document.hidden || this.show(), 1000);
    controls.addEventListener("phase", () => this.showOffer());
    session.addEventListener("state", () => this.showOffer());
    saved.addEventListener("change", () => this.count());
    // Another Python takes the place of the one that was: the run is in its newest save.
    let again = false;
    session.addEventListener("restarted", () => (again = true));
    session.addEventListener("ready", () => {
      if (again) this.offerLast();
      again = false;
    });
  }

  /**
   * @param {string} text
   * @param {() => unknown} does
   */
  button(text, does) {
    const button = element("button", { type: "button", textContent: text });
    button.addEventListener("click", async () => {
      try {
        await does();
      } catch (error) {
        this.status(/** @type {Error} */ (error).message, "bad");
      }
    });
    return button;
  }

  // ---- saved 12 s ago ----

  show() {
    const text = this.savedText();
    this.fact.hidden = !text;
    if (this.fact.textContent !== text) this.fact.textContent = this.fact.title = text;
  }

  savedText() {
    const { autosave, controls } = this;
    if (!autosave.seconds) return controls.active ? "autosave is off" : "";
    if (autosave.problem) return "not saved";
    if (!autosave.savedAt) return "";
    const ago = `saved ${duration((Date.now() - autosave.savedAt) / 1000)} ago`;
    return autosave.stretched
      ? `${ago}; every ${duration(autosave.interval)}, because a save takes ${autosave.cost.toFixed(autosave.cost < 0.1 ? 2 : 1)} s`
      : ago;
  }

  // ---- not saved ----

  async showProblem() {
    const { problem } = this.autosave;
    this.show();
    this.row.hidden = !problem;
    if (!problem) return;
    this.text.textContent = `Training continues, but the run is not saved. ${sentence(problem.text)}`;
    this.oldest.hidden = true;
    if (!problem.quota) return;
    await this.saved.look().catch(() => {});
    this.victim =
      this.saved.entries.filter((entry) => !entry.gone && !entry.elsewhere && entry.id !== this.autosave.id).at(-1) ??
      null;
    this.oldest.hidden = !this.victim;
    if (this.victim) this.oldest.textContent = `Delete ${this.victim.name}, the oldest (${bytes(this.victim.bytes)})`;
  }

  async download() {
    const waits = setTimeout(() => this.status("The download starts after the current step"), PATIENCE);
    const { session, saved, training } = this;
    try {
      const name = await download({
        session,
        saved,
        kind: this.controls.plain ? "program" : "whole",
        name: training.state().run ?? "run",
        step: training.state().step,
      });
      this.status(`${name} downloaded`, "good");
    } finally {
      clearTimeout(waits);
    }
  }

  async removeOldest() {
    const { victim } = this;
    if (!victim) return;
    await this.saved.remove(victim);
    this.oldest.hidden = true;
    this.status(
      `${victim.name} will be deleted in 10 s. To keep it, press Undo under Runs. The run is saved once there is space.`,
    );
  }

  // ---- after a refresh, and after the end of a Python ----

  // The newest saved run, once, for those who have not begun anything else.
  async offerLast() {
    const entries = await this.saved.look().catch(() => []);
    this.last = entries.find((entry) => entry.about && !entry.gone && !entry.elsewhere) ?? null;
    if (!this.last) return;
    const { name, about } = this.last;
    if (!about) return;
    const text = about.plain
      ? `Load ${name}, saved at step ${about.step.toLocaleString("en")}`
      : about.finished
        ? `Load ${name}, finished at step ${about.step.toLocaleString("en")}`
        : `Resume ${name} from step ${about.step.toLocaleString("en")}`;
    const take = this.button(text, async () => {
      const { last } = this;
      this.dismiss();
      if (last) await this.resume.run(last);
    });
    take.id = "resume-last";
    take.title = text;
    const close = this.button("×", () => this.dismiss());
    close.ariaLabel = close.title = "Not now. The run stays under Runs.";
    close.className = "quiet";
    this.offer.replaceChildren(take, close);
    this.showOffer();
  }

  // The next "run 3" is not one that is saved, here or by another tab.
  count() {
    const numbers = this.saved.entries.map(({ name }) => Number(/^run (\d+)/.exec(name)?.[1] ?? 0));
    this.training.countFrom(Math.max(0, ...numbers));
  }

  dismiss() {
    this.last = null;
    this.showOffer();
  }

  showOffer() {
    if (this.controls.active || this.controls.resumable) this.last = null;
    this.offer.hidden = !this.last;
    const button = this.offer.querySelector("button");
    if (button) button.disabled = this.session.state !== "ready";
  }
}
