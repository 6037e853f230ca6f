// The loss by step (uPlot): training as a line, validation as dots, and a dashed line at ln V, the loss of a blind guess.
//
// Points are kept exactly; what is drawn is at most two points (lowest and highest) for each column of pixels, once per frame.

import uPlot from "../public/vendor/uplot/uPlot.esm.js";

export class LossChart {
  constructor(parent) {
    this.parent = parent;
    this.reset();
    new ResizeObserver(() => this.resize()).observe(parent);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
  }

  reset(vocabulary = 0) {
    this.steps = [];
    this.losses = [];
    this.evalSteps = [];
    this.evalLosses = [];
    this.guess = vocabulary > 1 ? Math.log(vocabulary) : null;
    this.draw();
  }

  add(step, loss) {
    put(this.steps, this.losses, step, loss);
    this.drawSoon();
  }

  addValidation(step, loss) {
    put(this.evalSteps, this.evalLosses, step, loss);
    this.drawSoon();
  }

  drawSoon() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.steps.length && !this.evalSteps.length) {
      this.plot?.destroy();
      this.plot = null;
      this.parent.classList.remove("drawn");
      return;
    }
    this.plot ??= this.create();
    this.plot.setData(this.data());
  }

  // uPlot wants one x for all series: the thinned training steps and the evaluations' steps, merged.
  data() {
    const [steps, losses] = thinned(this.steps, this.losses, Math.max(100, this.parent.clientWidth));
    const xs = [], train = [], validation = [];
    let e = 0;
    for (let i = 0; i <= steps.length; i++) {
      const step = i < steps.length ? steps[i] : Infinity;
      for (; e < this.evalSteps.length && this.evalSteps[e] < step; e++) {
        xs.push(this.evalSteps[e]);
        train.push(null);
        validation.push(this.evalLosses[e]);
      }
      if (i === steps.length) break;
      const both = e < this.evalSteps.length && this.evalSteps[e] === step;
      xs.push(step);
      train.push(losses[i]);
      validation.push(both ? this.evalLosses[e++] : null);
    }
    const guess = xs.map((_, i) => (this.guess !== null && (i === 0 || i === xs.length - 1) ? this.guess : null));
    return [xs, train, validation, guess];
  }

  create() {
    this.parent.classList.add("drawn");
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const font = "12px " + getComputedStyle(document.body).fontFamily;
    const axis = { stroke: colour("--muted"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const value = (_, number) => (number === null || number === undefined ? "–" : number.toFixed(3));
    return new uPlot({
      ...this.size(),
      scales: { x: { time: false, range: (_, low, high) => [Math.min(0, low), Math.max(high, 10)] } },
      axes: [{ ...axis, size: 28 }, { ...axis, size: 44, values: (_, marks) => marks.map((mark) => String(+mark.toFixed(3))) }],
      legend: { show: true, live: true },
      cursor: { drag: { x: true, y: false }, points: { size: 6 } },
      series: [
        { label: "Step" },
        { label: "Training", stroke: colour("--train"), width: 1.5, spanGaps: true, points: { show: false }, value },
        { label: "Validation", stroke: colour("--validation"), fill: colour("--validation"), paths: () => null,
          points: { show: true, size: 7, fill: colour("--validation") }, value },
        { label: "Blind guess (ln V)", stroke: colour("--muted"), width: 1, dash: [4, 4], spanGaps: true, points: { show: false }, value },
      ],
    }, this.data(), this.parent);
  }

  size() {
    return { width: Math.max(200, this.parent.clientWidth), height: Math.max(120, this.parent.clientHeight - 26) }; // the legend below
  }

  resize() {
    this.plot?.setSize(this.size());
  }

  // Colours are fixed when a plot is made.
  restyle() {
    this.plot?.destroy();
    this.plot = null;
    this.draw();
  }
}

// Appends a point. A run that goes on from an earlier step replaces what it had drawn from there on.
function put(steps, values, step, value) {
  while (steps.length && steps.at(-1) >= step) {
    steps.pop();
    values.pop();
  }
  steps.push(step);
  values.push(value);
}

// The lowest and highest value of each of `columns` equal runs of points, in the order in which they come.
export function thinned(xs, ys, columns) {
  if (xs.length <= 2 * columns) return [xs, ys];
  const outX = [], outY = [];
  for (let c = 0; c < columns; c++) {
    const from = Math.floor((c * xs.length) / columns), to = Math.floor(((c + 1) * xs.length) / columns);
    let low = from, high = from;
    for (let i = from + 1; i < to; i++) {
      if (ys[i] < ys[low]) low = i;
      if (ys[i] > ys[high]) high = i;
    }
    for (const i of low === high ? [low] : [Math.min(low, high), Math.max(low, high)]) {
      outX.push(xs[i]);
      outY.push(ys[i]);
    }
  }
  if (outX.at(-1) !== xs.at(-1)) {
    outX.push(xs.at(-1));
    outY.push(ys.at(-1));
  }
  return [outX, outY];
}
