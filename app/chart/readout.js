// The values of the chart at one step, in a box beside the pointer and, for the keyboard and a
// screen reader, as a slider over the plot.

import { element } from "../ui/dom.js";
import { lossText, shortNumber } from "../ui/format.js";
import { nearest } from "./downsample.js";
import { dashes } from "./runs.js";

export class Readout {
  constructor(chart) {
    Object.assign(this, { chart, step: null });
    this.list = element("dl", { class: "readout", hidden: true });
    chart.field.append(this.list);
  }

  // Over the plot lies a slider: the step whose values are read.
  makeReadable(over) {
    over.tabIndex = 0;
    const about = { role: "slider", "aria-label": "Step whose values are read", "aria-valuemin": 0 };
    for (const [name, value] of Object.entries(about)) over.setAttribute(name, value);
    this.say(null);
    over.addEventListener("keydown", (event) => {
      const [low, high] = this.chart.edges.map((edge) => Math.round(this.chart.unplace(edge)));
      const far = Math.max(1, Math.round((high - low) / (event.shiftKey ? 10 : 100)));
      const step = this.step ?? high;
      const to = {
        ArrowLeft: step - far,
        ArrowDown: step - far,
        ArrowRight: step + far,
        ArrowUp: step + far,
        Home: low,
        End: high,
      }[event.key];
      if (event.key === "Escape") this.chart.plot.setCursor({ left: -10, top: -10 });
      else if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      else {
        const last = this.chart.runs.current?.steps.at(-1) ?? high;
        const inside = Math.min(Math.max(to, low), high, Math.max(low, last));
        this.chart.plot.setCursor({ left: this.chart.plot.valToPos(this.chart.place(inside), "x"), top: 10 });
      }
      event.preventDefault();
    });
    over.addEventListener(
      "blur",
      () => this.chart.plot?.over === over && this.chart.plot.setCursor({ left: -10, top: -10 }),
    );
  }

  // Shows all values at the step nearest to `step`; null: none.
  read(step) {
    this.step = step;
    this.list.hidden = step === null;
    if (step === null) return this.say(null);
    const run = this.chart.runs.current,
      i = run ? nearest(run.steps, step) : -1;
    const rows = [];
    const at = i >= 0 ? run.steps[i] : step;
    if (i >= 0) {
      rows.push(["loss", "Training", lossText(run.losses[i])]);
      const e = nearest(run.evalSteps, at);
      const where = run.evalSteps[e] === at ? "" : ` at ${run.evalSteps[e]?.toLocaleString("en")}`;
      if (e >= 0) rows.push(["validation", "Validation", lossText(run.evalLosses[e]) + where]);
      if (run.lrs[i] !== null) rows.push(["lr", "Learning rate", shortNumber(run.lrs[i])]);
      if (run.norms[i] !== null) rows.push(["norm", "Gradient norm", run.norms[i].toPrecision(3)]);
    }
    for (const one of this.chart.earlier) {
      const j = nearest(one.steps, at);
      if (j >= 0 && at <= one.steps.at(-1))
        rows.push([dashes(this.chart.runs, one), one.name, lossText(one.losses[j])]);
    }
    this.list.replaceChildren(
      element("dt", { class: "step" }, `Step ${at.toLocaleString("en")}`),
      element("dd", { class: "step" }),
    );
    for (const [name, label, value] of rows)
      this.list.append(element("dt", {}, swatch(name), label), element("dd", {}, value));
    const { over } = this.chart.plot,
      x = this.chart.plot.valToPos(this.chart.place(at), "x");
    const right = x < over.clientWidth / 2;
    this.list.style.left = `${over.offsetLeft + (right ? Math.max(0, x) + 12 : 6)}px`;
    this.list.style.maxWidth = `${Math.max(120, (right ? over.clientWidth - x : x) - 18)}px`;
    if (!right) this.list.style.left = `${over.offsetLeft + Math.max(0, x - 12 - this.list.offsetWidth)}px`;
    this.list.style.top = `${over.offsetTop + Math.max(4, over.clientHeight - this.list.offsetHeight - 6)}px`;
    this.say(at, [`step ${at}`, ...rows.map(([, label, value]) => `${label} ${value}`)].join(", "));
  }

  say(step, text = "no step chosen; choose one with the arrow keys") {
    const over = this.chart.plot?.over;
    if (!over) return;
    over.setAttribute("aria-valuemax", Math.round(this.chart.unplace(this.chart.edges[1])));
    over.setAttribute("aria-valuenow", step ?? 0);
    over.setAttribute("aria-valuetext", text);
  }
}

// name: a series, or the dashes of an earlier run.
export function swatch(name) {
  return element("i", { class: "line " + (typeof name === "string" ? name : "earlier") });
}
