// Notifies of the end of a run while the page is not in front, where the user has asked for it and
// the browser allows it.
//
//   new EndNotice({controls, training})    choice(): the label with its checkbox

import { element } from "../ui/dom.js";
import { lossText } from "../ui/format.js";
import { keep, kept } from "../ui/kept.js";

const KEPT = "notify"; // kept: "yes" where the user has asked for it
const SAID = { done: "Finished", error: "Failed", diverged: "Diverged" }; // a Stop is the user's own

export class EndNotice {
  constructor({ controls, training }) {
    this.training = training;
    this.wanted = kept(KEPT) === "yes";
    let active = false;
    controls.addEventListener("phase", () => {
      if (active && !controls.active) this.tell();
      active = controls.active;
    });
  }

  get possible() {
    return typeof Notification === "function";
  }

  tell() {
    const { run } = this.training;
    if (!this.wanted || !this.possible || Notification.permission !== "granted" || !document.hidden) return;
    if (!run || !SAID[run.reason]) return;
    const loss = run.loss === null ? "" : `, loss ${lossText(run.loss, 2)}`;
    const total = run.steps ? ` of ${run.steps.toLocaleString("en")}` : "";
    const body = `${run.preset}: step ${run.done.toLocaleString("en")}${total}${loss}`;
    try {
      const shown = new Notification(`TinyGPT: ${SAID[run.reason]}`, { body, tag: "tinygpt-run" });
      shown.onclick = () => window.focus();
    } catch {
      // a browser that lets only service workers notify: the tab's title says it
    }
  }

  choice() {
    const box = element("input", { id: "notify", type: "checkbox", checked: this.wanted, disabled: !this.possible });
    const said = element("span", { class: "notify-said", role: "status" });
    box.addEventListener("change", async () => {
      const asked = box.checked ? await Notification.requestPermission() : "";
      this.wanted = box.checked = asked === "granted";
      said.textContent = asked && !this.wanted ? "This browser does not allow it. The tab's title says it." : "";
      keep(KEPT, this.wanted ? "yes" : null);
    });
    if (!this.possible) said.textContent = "This browser cannot. The tab's title says it.";
    return element(
      "label",
      { class: "notify" },
      box,
      " Notify me when a run ends and this page is not in front. ",
      said,
    );
  }
}
