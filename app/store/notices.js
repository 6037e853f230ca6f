// What the page says about saving outside of the Runs panel: "saved 12 s ago" in the line of facts, a row below the status when a save failed,
// with the download beside it, and after a refresh the button that brings the last run back.

import { bytes, duration, sentence } from "../words.js";
import { download } from "./download.js";

const PATIENCE = 5000; // ms for Python to hand over the model, before the sentence says that it waits

export class Notices {
  constructor({ session, controls, training, saved, autosave, resume, status }) {
    Object.assign(this, { session, controls, training, saved, autosave, resume, status });
    const facts = document.getElementById("facts");
    this.fact = facts.appendChild(element("span", "fact", { id: "saved", hidden: true }));
    this.row = element("div", "save-problem", { id: "save-problem", hidden: true });
    this.row.setAttribute("role", "alert");
    document.getElementById("saying").after(this.row);
    this.text = this.row.appendChild(element("span"));
    this.row.append(this.button("Download this run", () => this.download()), (this.oldest = this.button("", () => this.removeOldest())));
    this.oldest.hidden = true;
    this.offer = document.getElementById("resume-offer");
    autosave.addEventListener("saved", () => this.show());
    autosave.addEventListener("problem", () => this.showProblem());
    setInterval(() => document.hidden || this.show(), 1000);
    controls.addEventListener("phase", () => this.showOffer());
    session.addEventListener("state", () => this.showOffer());
  }

  button(text, does) {
    const button = element("button", "", { type: "button", textContent: text });
    button.addEventListener("click", async () => {
      try {
        await does();
      } catch (error) {
        this.status(error.message, "bad");
      }
    });
    return button;
  }

  // ---- saved 12 s ago ----

  show() {
    const text = this.said();
    this.fact.hidden = !text;
    if (this.fact.textContent !== text) this.fact.textContent = this.fact.title = text;
  }

  said() {
    const { autosave, controls } = this;
    if (!autosave.seconds) return controls.active ? "autosave is off" : "";
    if (autosave.problem) return "not saved";
    if (!autosave.savedAt) return "";
    const ago = `saved ${duration((Date.now() - autosave.savedAt) / 1000)} ago`;
    return autosave.stretched ? `${ago}; every ${duration(autosave.interval)}, because a save takes ${autosave.cost.toFixed(autosave.cost < 0.1 ? 2 : 1)} s` : ago;
  }

  // ---- not saved ----

  async showProblem() {
    const { problem } = this.autosave;
    this.show();
    this.row.hidden = !problem;
    if (!problem) return;
    this.text.textContent = `The run goes on, but it is not saved. ${sentence(problem.text)}`;
    this.oldest.hidden = true;
    if (!problem.quota) return;
    await this.saved.look().catch(() => {});
    this.victim = this.saved.entries.filter((entry) => !entry.gone && !entry.elsewhere && entry.id !== this.autosave.id).at(-1);
    this.oldest.hidden = !this.victim;
    if (this.victim) this.oldest.textContent = `Delete ${this.victim.name}, the oldest (${bytes(this.victim.bytes)})`;
  }

  async download() {
    const waits = setTimeout(() => this.status("Waiting for the end of the step, to download the run"), PATIENCE);
    const { session, saved, training } = this;
    try {
      const name = await download({ session, saved, kind: "whole", name: training.runs.current?.name ?? "run", step: training.run?.done ?? 0 });
      this.status(`${name} is in your downloads`, "good");
    } finally {
      clearTimeout(waits);
    }
  }

  // There is room at once, not after the time for an undo.
  async removeOldest() {
    await this.saved.remove(this.victim);
    this.oldest.hidden = true;
    this.status(`${this.victim.name} is deleted in 10 s; under Runs that can be undone. The run is saved when its room is free`);
  }

  // ---- after a refresh ----

  // The newest saved run, once, for those who have not begun anything else.
  async offerLast() {
    const entries = await this.saved.look().catch(() => []);
    const numbers = entries.map(({ name }) => Number(/^run (\d+)/.exec(name)?.[1] ?? 0));
    this.training.runs.begun = Math.max(this.training.runs.begun, ...numbers); // the next "run 3" is not the one that is saved
    this.last = entries.find((entry) => entry.about && !entry.gone && !entry.elsewhere) ?? null;
    if (!this.last) return;
    const { name, about } = this.last;
    const text = about.finished ? `Load ${name}, finished at step ${about.step.toLocaleString("en")}` : `Resume ${name} from step ${about.step.toLocaleString("en")}`;
    const take = this.button(text, async () => {
      const { last } = this;
      this.dismiss();
      await this.resume.run(last);
    });
    take.id = "resume-last";
    take.title = text;
    const close = this.button("×", () => this.dismiss());
    close.ariaLabel = close.title = "Not now: it stays under Runs";
    close.className = "quiet";
    this.offer.replaceChildren(take, close);
    this.showOffer();
  }

  dismiss() {
    this.last = null;
    this.showOffer();
  }

  showOffer() {
    if (this.controls.active || this.controls.goesOn) this.last = null;
    this.offer.hidden = !this.last;
    const button = this.offer.querySelector("button");
    if (button) button.disabled = this.session.state !== "ready";
  }
}

function element(tag, className = "", values = {}) {
  return Object.assign(document.createElement(tag), { className, ...values });
}
