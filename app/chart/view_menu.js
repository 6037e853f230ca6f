// How the chart is drawn, in a panel behind a button: logarithmic axes and smoothing. The choice is
// kept in the browser.

import { element } from "../ui/dom.js";
import { keep, kept } from "../ui/kept.js";
import { popover } from "../ui/popover.js";
import { parse } from "../worker/bounded_json.js";

const KEY = "chart view";
const MOST = 0.99; // of smoothing
const PLAIN = { logSteps: false, logValues: false, smoothing: 0 };

// What was chosen last, checked: anything may be in the storage.
export function storedView() {
  try {
    const { logSteps, logValues, smoothing } = parse(kept(KEY) ?? "null") ?? {};
    const weight = smoothing >= 0 && smoothing <= MOST ? smoothing : 0;
    return { logSteps: logSteps === true, logValues: logValues === true, smoothing: weight };
  } catch {
    return { ...PLAIN };
  }
}

export class ViewMenu {
  // changed(view): the user has chosen.
  constructor(parent, view, changed) {
    Object.assign(this, { view, changed });
    const button = element("button", { type: "button", title: "Logarithmic axes, smoothing" }, "View");
    const panel = Object.assign(popover(button, "div", "chart-popover"), { role: "group", ariaLabel: "View" });
    parent.append(button, panel);
    panel.append(
      this.check("logSteps", "Log steps", "Shows the first steps larger"),
      this.check("logValues", "Log values", "Equal factors are equally high"),
      this.slider(),
      element(
        "p",
        { class: "chart-keys" },
        "Drag to zoom. Shift and drag to move. Double-click for the whole run. Keys: + − 0, arrows read the values.",
      ),
    );
  }

  change(change) {
    Object.assign(this.view, change);
    keep(KEY, JSON.stringify(this.view));
    this.changed(this.view);
  }

  check(name, label, title) {
    const box = element("input", { type: "checkbox", checked: this.view[name] });
    box.addEventListener("change", () => this.change({ [name]: box.checked }));
    return element("label", { title }, box, label);
  }

  slider() {
    const shown = element("output", {}),
      range = element("input", { type: "range", min: 0, max: MOST, step: 0.01, value: this.view.smoothing });
    const say = () => {
      shown.textContent = Number(range.value) ? Number(range.value).toFixed(2) : "off";
      range.setAttribute("aria-valuetext", shown.textContent);
    };
    range.addEventListener("input", () => {
      say();
      this.change({ smoothing: Number(range.value) });
    });
    say();
    const title = "Exponential moving average, corrected for its bias: the weight of the values before";
    return element("label", { title }, "Smoothing", range, shown);
  }
}
