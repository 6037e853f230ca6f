// The values of all runs at one step, in a box beside the pointer and, for the keyboard and a
// screen reader, as a slider over the plot.

import { element } from "../ui/dom.js";
import { lossText, shortNumber } from "../ui/format.js";
import { valueText } from "./axes.js";
import { nearest } from "./downsample.js";
import { paint } from "./runs.js";

const AWAY = { left: -10, top: -10 };

export class Readout {
  constructor(chart) {
    Object.assign(this, { chart, step: null });
    this.list = element("dl", { class: "readout", hidden: true });
    chart.field.append(this.list);
  }

  // Over the plot lies a slider: the step whose values are read.
  makeReadable(over) {
    const { chart } = this;
    over.tabIndex = 0;
    const about = { role: "slider", "aria-label": "Step whose values are read", "aria-valuemin": 0 };
    for (const [name, value] of Object.entries(about)) over.setAttribute(name, value);
    over.setAttribute("aria-description", "Plus and minus zoom, 0 shows the whole run");
    this.say(null);
    over.addEventListener("keydown", (event) => {
      if (event.defaultPrevented && event.key !== "Escape") return; // zoom.js
      const [low, high] = chart.edges.map((edge) => Math.round(chart.x.unplace(edge)));
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
      if (event.key === "Escape") {
        if (this.step === null) return;
        chart.plot.setCursor(AWAY);
      } else if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      else {
        const last = chart.runs.current?.steps.at(-1) ?? high;
        const inside = Math.min(Math.max(to, 0), Math.max(low, last));
        chart.zooming.reach(inside);
        chart.plot.setCursor({ left: chart.pixels(inside), top: 10 });
      }
      event.preventDefault();
      event.stopPropagation();
    });
    over.addEventListener("blur", () => chart.plot?.over === over && chart.plot.setCursor(AWAY));
  }

  // Shows all values at the step nearest to `step`; null: none.
  read(step) {
    this.step = step;
    this.list.hidden = step === null;
    if (step === null) return this.say(null);
    const { at, rows } = this.values(step);
    this.list.replaceChildren(
      element("dt", { class: "step" }, `Step ${at.toLocaleString("en")}`),
      element("dd", { class: "step" }),
    );
    for (const [kind, run, label, value] of rows)
      this.list.append(
        element("dt", {}, run ? paint(swatch(kind), run) : swatch(kind), label),
        element("dd", {}, value),
      );
    const { over } = this.chart.plot,
      x = this.chart.pixels(at);
    const right = x < over.clientWidth / 2;
    this.list.style.left = `${over.offsetLeft + (right ? Math.max(0, x) + 12 : 6)}px`;
    this.list.style.maxWidth = `${Math.max(120, (right ? over.clientWidth - x : x) - 18)}px`;
    if (!right) this.list.style.left = `${over.offsetLeft + Math.max(0, x - 12 - this.list.offsetWidth)}px`;
    this.list.style.top = `${over.offsetTop + Math.max(4, over.clientHeight - this.list.offsetHeight - 6)}px`;
    this.say(at, [`step ${at}`, ...rows.map(([, , label, value]) => `${label} ${value}`)].join(", "));
  }

  // The logged step of the current run that is nearest, and [[kind, run or null, label, value]].
  values(step) {
    const { runs, earlier, quantity } = this.chart,
      run = runs.current,
      i = run ? nearest(run.steps, step) : -1;
    const at = i >= 0 ? run.steps[i] : step,
      text = quantity === "loss" ? lossText : valueText;
    const rows = [];
    const add = (one) => {
      const { steps, values } = one.column(quantity),
        j = nearest(steps, at);
      if (j < 0 || (one !== run && at > steps.at(-1))) return;
      const where = one === run && steps[j] !== at ? ` at ${steps[j].toLocaleString("en")}` : "";
      rows.push(["loss", one, one.name, text(values[j] ?? Number.NaN) + where]);
    };
    if (run) add(run);
    if (i >= 0 && quantity === "loss") {
      const e = nearest(run.evalSteps, at);
      const where = run.evalSteps[e] === at ? "" : ` at ${run.evalSteps[e]?.toLocaleString("en")}`;
      if (e >= 0) rows.push(["validation", run, "Validation", lossText(run.evalLosses[e]) + where]);
      if (run.lrs[i] !== null) rows.push(["lr", null, "Learning rate", shortNumber(run.lrs[i])]);
      if (run.norms[i] !== null) rows.push(["norm", null, "Gradient norm", run.norms[i].toPrecision(3)]);
    }
    for (const one of earlier.toReversed()) add(one);
    return { at, rows };
  }

  say(step, text = "no step chosen; choose one with the arrow keys") {
    const over = this.chart.plot?.over;
    if (!over) return;
    over.setAttribute("aria-valuemax", Math.round(this.chart.x.unplace(this.chart.edges[1])));
    over.setAttribute("aria-valuenow", step ?? 0);
    over.setAttribute("aria-valuetext", text);
  }
}

// kind: a series.
export function swatch(kind) {
  return element("i", { class: `line ${kind}` });
}
