// The chart of a training run by step (uPlot): training loss as a line, validation as dots,
// learning rate and gradient norm on scales of their own at the right; earlier runs in grey behind;
// dashed lines at ln V, the loss of a blind guess, and at a loss to compare with; a flag where an
// edit took hold. Runs hold the points (runs.js); what is drawn is at most two for each column of
// pixels.
//
// A drag zooms, a double click or "Whole run" goes back; the arrow keys read the values where the
// pointer would.

import uPlot from "../../public/vendor/uplot/uPlot.esm.js";
import { element } from "../ui/dom.js";
import { lossText, shortNumber } from "../ui/format.js";
import { atNextFrame } from "../ui/frame_scheduler.js";
import { lowerBound, merged, thinned } from "./downsample.js";
import { Flags } from "./flags.js";
import { Readout, swatch } from "./readout.js";
import { dashes, Runs } from "./runs.js";

const SHARE = 40; // times what the last drawing took: the least between two, at most 2.5 % of the page's thread;
const LONGEST_REST = 1000; // ms, but never longer
const MOST = 1.5; // times ln V: higher losses are of a run that diverged, and leave the chart at its top
const SERIES = { loss: "Training", validation: "Validation", lr: "Learning rate", norm: "Gradient norm" };
const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]; // ends of the axis: it rests between them

export class LossChart {
  constructor(parent, runs = new Runs()) {
    Object.assign(this, {
      parent,
      runs,
      plot: null,
      zoom: null,
      log: false,
      reference: null,
      cost: 0,
      drawnAt: -Infinity,
    });
    this.visible = { loss: true, validation: true, lr: true, norm: false };
    parent.setAttribute("role", "group");
    this.field = parent.appendChild(element("div", { class: "plot" }));
    this.flags = new Flags(this.field);
    this.readout = new Readout(this);
    this.legend = parent.appendChild(element("div", { class: "legend" }));
    for (const [name, label] of Object.entries(SERIES)) this.toggle(name, label);
    this.logButton = this.button(
      "Log steps",
      () => this.setLog(!this.log),
      "Logarithmic step axis: shows the first steps larger",
    );
    this.wholeButton = this.button("Whole run", () => this.zoomTo(null), "Double-clicking the chart does the same");
    this.wholeButton.hidden = true;
    this.logButton.ariaPressed = "false";
    runs.addEventListener("change", () => (this.plot && this.shape() !== this.form ? this.draw() : this.drawSoon()));
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.field);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    new MutationObserver(() => this.restyle()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  // ---- what is drawn ----

  // Begins a run; facts as runs.js has them.
  reset(vocabulary = 0, facts = {}) {
    this.zoom = null;
    this.runs.begin({ ...facts, vocab_size: vocabulary });
  }

  add(step, loss, more) {
    (this.runs.current ?? this.runs.begin()).add(step, loss, more);
    this.drawSoon();
  }

  addValidation(step, loss) {
    (this.runs.current ?? this.runs.begin()).addValidation(step, loss);
    this.drawSoon();
  }

  // A flag at `step` with the text beside it; it stays with the run. bad: an edit that was taken
  // back.
  mark(step, text, { bad = false } = {}) {
    (this.runs.current ?? this.runs.begin()).marks.push({ step, text: String(text), bad });
    this.cost = 0; // seen at once: it answers a key press
    this.drawSoon();
  }

  // A dashed line to compare with, the shipped model's validation loss for instance; null takes it
  // away. corpus: the text that it was measured on, where runs on others are not compared with it.
  setReference(value, name = "", corpus = null) {
    this.reference = value === null ? null : { value, name, corpus };
    this.drawSoon();
  }

  setLog(on) {
    this.log = on;
    this.logButton.ariaPressed = String(on);
    this.zoomTo(null);
  }

  // [first step, last step], or null: the whole run.
  zoomTo(steps) {
    this.zoom = steps;
    if (!steps && document.activeElement === this.wholeButton) this.plot?.over.focus();
    this.wholeButton.hidden = !steps;
    this.draw();
  }

  toggle(name, label) {
    const button = this.button(label, () => {
      this.visible[name] = !this.visible[name];
      button.ariaPressed = String(this.visible[name]);
      this.draw();
    });
    button.ariaPressed = String(this.visible[name]);
    button.prepend(swatch(name));
  }

  button(label, onClick, title = "") {
    const button = element("button", { type: "button", title }, label);
    button.addEventListener("click", onClick);
    return this.legend.appendChild(button);
  }

  // ---- drawing ----

  drawSoon() {
    if (this.timer) return;
    this.timer = atNextFrame(() => this.draw(), this.drawnAt + Math.min(SHARE * this.cost, LONGEST_REST));
  }

  draw() {
    this.drawnAt = performance.now();
    this.timer?.cancel();
    this.timer = null;
    const run = this.runs.current,
      earlier = this.runs.earlier();
    const any = [run, ...earlier].some((one) => one && (one.steps.length || one.evalSteps.length));
    this.parent.classList.toggle("drawn", any);
    if (!any) return this.clear();
    const form = this.shape();
    const focused = this.plot && document.activeElement === this.plot.over;
    if (form !== this.form) this.clear();
    this.form = form;
    this.earlier = earlier;
    this.edges = this.zoom ? this.zoom.map(this.place) : [0, this.end()];
    const data = this.data();
    this.costs = Boolean(this.plot); // making a plot takes longer, and is no measure
    if (this.plot) this.plot.setData(data);
    else this.create(data);
    if (focused) this.plot.over.focus();
  }

  // What a plot is made for: with another one it is made again.
  shape() {
    return JSON.stringify([
      this.runs.earlier().map((run) => [dashes(this.runs, run), run === this.runs.pointed]),
      this.visible,
      this.log,
    ]);
  }

  clear() {
    const { plot } = this;
    this.plot = this.form = null;
    this.readout.list.hidden = true;
    plot?.destroy();
  }

  // Colours are fixed when a plot is made.
  restyle() {
    this.clear();
    this.draw();
  }

  // Where a step lies on the axis, and back. In the logarithmic view step 0 has a place too.
  place = (step) => (this.log ? Math.log10(step + 1) : step);
  unplace = (x) => (this.log ? 10 ** x - 1 : x);

  stepAt = (x) => stepNumber(this.unplace(x));

  end() {
    const shown = [this.runs.current, ...this.earlier].filter(Boolean);
    const last = Math.max(10, ...shown.flatMap((run) => [run.steps.at(-1) ?? 0, run.evalSteps.at(-1) ?? 0]));
    const size = 10 ** Math.floor(Math.log10(last));
    const round = ROUND.find((factor) => factor * size >= last) * size;
    const planned = this.runs.current?.facts.steps ?? 0;
    return this.place(planned >= last ? Math.min(planned, round) : round);
  }

  // uPlot wants one x for all series: the places of all points that are kept, and null where a
  // series has none.
  data() {
    const [low, high] = this.edges,
      run = this.runs.current,
      columns = Math.max(100, this.field.clientWidth);
    const edge = (share) => this.unplace(low + share * (high - low));
    const kept = (one, values, parts) => {
      const indices = thinned(one.steps, values, parts, edge);
      return (column) => [indices.map((i) => this.place(one.steps[i])), indices.map((i) => drawn(column[i]))];
    };
    const dots = (one) => [one.evalSteps.map(this.place), one.evalLosses.map(drawn)];
    const tables = this.earlier.flatMap((one) => [kept(one, one.losses, columns >> 1)(one.losses), dots(one)]);
    if (run) {
      const byLoss = kept(run, run.losses, columns);
      tables.push(
        byLoss(run.lrs),
        this.visible.norm ? kept(run, run.norms, columns)(run.norms) : [[], []],
        byLoss(run.losses),
        dots(run),
      );
    } else tables.push(...Array(4).fill([[], []]));
    return merged(tables);
  }

  create(data) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const font = "12px " + getComputedStyle(document.body).fontFamily;
    const axis = {
      stroke: colour("--muted"),
      font,
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    const right = {
      ...axis,
      side: 1,
      size: 52,
      space: 40,
      grid: { show: false },
      values: (_, marks) => marks.map(shortNumber),
    };
    const wide = this.field.clientWidth >= 480;
    const line = { spanGaps: true, points: { show: false } };
    const grey = this.earlier.flatMap((run) => {
      const [alpha, width] = this.runs.pointed === run ? [1, 2] : [0.55, 1.25],
        stroke = colour("--muted");
      const dots = { show: true, size: 7, width: 1.5, stroke, fill: colour("--panel") };
      return [
        { ...line, stroke, alpha, width, dash: dashes(this.runs, run), show: this.visible.loss },
        { stroke, alpha, paths: () => null, points: dots, show: this.visible.validation },
      ];
    });
    const [train, orange, purple] = ["--train", "--validation", "--keyword"].map(colour);
    this.colours = { muted: colour("--muted"), panel: colour("--panel"), font };
    this.plot = new uPlot(
      {
        ...this.size(),
        scales: {
          x: { time: false, range: () => this.edges },
          y: { range: (_, low, high) => this.heights(low, high) },
          lr: { range: (_, low, high) => [0, (high || 1) * 1.3] },
          norm: { range: (_, low, high) => [0, (high || 1) * 1.1] },
        },
        axes: [
          {
            ...axis,
            size: 28,
            splits: this.log ? () => this.decades() : undefined,
            values: (_, marks) => marks.map(this.stepAt),
          },
          { ...axis, size: 40, space: 28, values: (_, marks) => marks.map(lossMark) },
          { ...right, scale: "lr", show: this.visible.lr && wide },
          { ...right, scale: "norm", show: this.visible.norm && wide, stroke: purple },
        ],
        legend: { show: false },
        padding: [8, wide && (this.visible.lr || this.visible.norm) ? 8 : 24, 0, 0],
        cursor: {
          drag: { x: true, y: false, setScale: false },
          points: { show: false },
          bind: { dblclick: () => () => this.zoomTo(null) },
          move: (plot, left, top) => [left < 0 ? left : this.snapped(left), top],
        },
        hooks: {
          setSelect: [(plot) => this.selected(plot)],
          setCursor: [
            (plot) =>
              this.readout.read(
                plot.cursor.left < 0 ? null : Math.round(this.unplace(plot.posToVal(plot.cursor.left, "x"))),
              ),
          ],
          draw: [(plot) => this.drawOver(plot)],
          setSize: [() => this.plot && this.drawSoon()],
        },
        series: [
          {},
          ...grey,
          {
            ...line,
            scale: "lr",
            stroke: colour("--muted"),
            alpha: 0.7,
            width: 1.25,
            dash: [1, 3],
            show: this.visible.lr,
          },
          { ...line, scale: "norm", stroke: purple, alpha: 0.45, width: 1, show: this.visible.norm },
          { ...line, stroke: train, width: 1.5, show: this.visible.loss },
          {
            stroke: orange,
            paths: () => null,
            points: { show: true, size: 7, fill: orange },
            show: this.visible.validation,
          },
        ],
      },
      data,
      this.field,
    );
    // the slider and the numbers say it in words
    this.plot.root.querySelector("canvas").setAttribute("aria-hidden", "true");
    this.readout.makeReadable(this.plot.over);
  }

  size() {
    return { width: Math.max(200, this.field.clientWidth), height: Math.max(120, this.field.clientHeight) };
  }

  // The losses in view, those of a run that diverged cut off; in the whole run the references too,
  // ln V only where the losses come near it.
  heights(low, high) {
    if (low === null) [low, high] = [0, 1];
    const most = MOST * Math.max(0, ...[this.runs.current, ...this.earlier].map((run) => run?.guess ?? 0)) || Infinity;
    this.cutOff = high > most && (low < most || !this.zoom) ? high : null;
    if (this.cutOff) [low, high] = [Math.min(low, most), most];
    const wanted = this.zoom
      ? []
      : this.references()
          .filter(({ near }) => !near || high > 0.7 * near)
          .map(({ value }) => value);
    [low, high] = [Math.min(low, ...wanted), Math.max(high, ...wanted)];
    const pad = (high - low) * 0.06 || 0.1,
      named = (edge) => !this.zoom && this.references().some(({ value }) => Math.abs(value - edge) < pad * 1.5);
    return [low - (named(low) ? 2.5 : 1) * pad, high + (named(high) ? 2.5 : 1) * pad]; // room for the name of a line
  }

  references() {
    const { guess, facts } = this.runs.current ?? {},
      { corpus } = this.reference ?? {};
    const compared = this.reference && (corpus === null || corpus === facts?.corpus);
    return [
      ...(guess ? [{ value: guess, near: guess, text: `random guessing (${guess.toFixed(2)})` }] : []),
      ...(compared
        ? [{ value: this.reference.value, text: `${this.reference.name}: ${this.reference.value.toFixed(3)}` }]
        : []),
    ];
  }

  // After uPlot has drawn, which is a little after it was told to: then its scales are those of the
  // new points.
  drawOver(plot) {
    this.drawReferences(plot);
    const { current } = this.runs;
    this.flags.show(plot.over, [...this.earlier, current].filter(Boolean), current, (step) =>
      plot.valToPos(this.place(step), "x"),
    );
    if (this.plot) this.readout.read(this.readout.step);
    if (this.costs) this.cost = performance.now() - this.drawnAt;
    this.costs = false;
  }

  drawReferences({ ctx, bbox, valToPos, scales }) {
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.fillStyle = this.colours.muted;
    ctx.font = this.colours.font.replace("12px", `${12 * ratio}px`);
    for (const { value, text } of this.references()) {
      if (!(value >= scales.y.min && value <= scales.y.max)) continue;
      const y = Math.round(valToPos(value, "y", true)),
        right = bbox.left + bbox.width,
        atLeft = this.freeAtLeft(value),
        middle = bbox.top + bbox.height / 2;
      const below = y > middle ? y + 18 * ratio < bbox.top + bbox.height : y - bbox.top < 18 * ratio;
      ctx.strokeStyle = this.colours.muted;
      ctx.lineWidth = ratio;
      ctx.setLineDash([4 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(right, y);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.textAlign = atLeft ? "left" : "right";
      ctx.textBaseline = below ? "top" : "bottom";
      ctx.fillText(text, atLeft ? bbox.left + 4 * ratio : right - 4 * ratio, y + (below ? 4 : -3) * ratio);
    }
    if (this.cutOff) {
      [ctx.strokeStyle, ctx.lineWidth] = [this.colours.panel, 4 * ratio];
      ctx.textAlign = "left";
      ctx.textBaseline = "top";
      for (const write of ["strokeText", "fillText"])
        ctx[write](`↑ up to ${lossText(this.cutOff)}`, bbox.left + 4 * ratio, bbox.top + 2 * ratio);
    }
    ctx.restore();
  }

  // Whether the current run's curve is further from this loss where the view begins than where it
  // ends: the name of a line stands where no curve is.
  freeAtLeft(value) {
    const { steps = [], losses = [] } = this.runs.current ?? {},
      [from, to] = this.edges.map(this.unplace);
    const first = losses[lowerBound(steps, from)],
      last = losses[lowerBound(steps, to + 1) - 1];
    return Math.abs(first - value) > Math.abs(last - value);
  }

  // Places of the steps 0, 1, 2, 5, 10, ... of the logarithmic view.
  decades() {
    const [low, high] = this.edges,
      narrow = this.field.clientWidth < 480;
    if (this.unplace(high) < 11 * this.unplace(low))
      return [0.1, 0.3, 0.5, 0.7, 0.9].map((share) => low + share * (high - low)); // zoomed in
    const digits = narrow ? [1] : [1, 2, 5];
    const steps = [
      0,
      ...[1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7].flatMap((decade) => digits.map((digit) => digit * decade)),
    ];
    return steps.map(this.place).filter((x) => x >= low && x <= high);
  }

  // ---- zoom ----

  selected(plot) {
    const { left, width } = plot.select;
    if (!width) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    const steps = [left, left + width].map((x) => Math.max(0, this.unplace(plot.posToVal(x, "x"))));
    if (width >= 4 && steps[1] - steps[0] >= 2) this.zoomTo(steps);
  }

  // Pixels of the step nearest to `left`: the line under the pointer stands on a step.
  snapped(left) {
    const { plot } = this;
    const step = Math.round(this.unplace(plot.posToVal(left, "x")));
    return Math.min(Math.max(0, plot.valToPos(this.place(Math.max(0, step)), "x")), plot.over.clientWidth);
  }
}

// A number that is not finite has no place; the readout names it.
const drawn = (value) => (Number.isFinite(value) ? value : null);

const lossMark = (loss) => (loss < 1e4 ? String(+loss.toFixed(3)) : lossText(loss));

const stepNumber = (step) => {
  const whole = Math.round(step * 100) / 100;
  return whole >= 1e4
    ? +(whole / 1000).toFixed(1) + "k"
    : whole.toLocaleString("en", { maximumFractionDigits: whole < 10 ? 1 : 0 });
};
