// The chart of training runs by step (uPlot): training loss as a line and validation as dots, each
// run in its colour; learning rate and gradient norm of the current run on scales of their own
// at the right; dashed lines at ln V, the loss of a blind guess, and at a loss to compare with;
// pins under the axis where edits took hold. A metric that the code logs takes the place of the
// loss where it is chosen.
//
// Runs hold the points (runs.js). This file has the state of the view and when it is drawn; what is
// drawn is in layers.js and references.js, axes in axes.js and plot.js, the pointer and the keys in
// zoom.js and readout.js.

import { element } from "../ui/dom.js";
import { atNextFrame } from "../ui/frame_scheduler.js";
import { LINEAR, LOG_STEPS, LOG_VALUES, roundEnd } from "./axes.js";
import { exportMenu } from "./export_menu.js";
import { FullView } from "./full_view.js";
import { KeyLine } from "./key_line.js";
import { columns } from "./layers.js";
import { Pins } from "./pins.js";
import { makePlot } from "./plot.js";
import { Readout, swatch } from "./readout.js";
import { drawOver, references } from "./references.js";
import { paint, Runs } from "./runs.js";
import { SecondPlot } from "./second_plot.js";
import { storedView, ViewMenu } from "./view_menu.js";
import { Zoom } from "./zoom.js";

const SHARE = 40; // times what the last drawing took: the least between two, at most 2.5 % of the page's thread;
const LONGEST_REST = 1000; // ms, but never longer
const MOST = 1.5; // times ln V: higher losses are of a run that diverged, and leave the chart at its top
const SERIES = { loss: "Training", validation: "Validation", lr: "Learning rate", norm: "Gradient norm" };

export class LossChart {
  // parent: a section's part; the colour of the current run is --run on the section. beside: the
  // chart whose second plot this is: it has no tools, and its steps are the other's.
  constructor(parent, runs = new Runs(), beside = null) {
    Object.assign(this, { parent, runs, beside, plot: null, zoom: null, reference: null, cost: 0, drawnAt: -Infinity });
    Object.assign(this, { quantity: "loss", view: beside?.view ?? storedView(), earlier: [], edges: [0, 10] });
    this.visible = { loss: true, validation: true, lr: !beside, norm: false };
    parent.setAttribute("role", "group");
    this.key = new KeyLine(parent, (name) => this.setQuantity(name));
    this.field = element("div", { class: "plot" });
    this.row = parent.appendChild(element("div", { class: "plots" }, this.field));
    this.pins = new Pins(this.field);
    this.readout = new Readout(this);
    this.zooming = new Zoom(this);
    this.legend = element("div", { class: "legend" });
    this.second = null;
    if (!beside) {
      parent.append(this.legend);
      for (const [name, label] of Object.entries(SERIES)) this.toggle(name, label);
      this.menu = new ViewMenu(this.key.tools, this.view, () => this.zoomTo(this.zoom));
      exportMenu(this.key.tools, this);
      new FullView(this.key.tools, this);
      this.second = new SecondPlot(this.row, (place) => new LossChart(place, runs, this));
    }
    this.wholeButton = element("button", { type: "button", class: "whole", hidden: true }, "Whole run");
    this.wholeButton.title = "Double-clicking the chart does the same";
    this.wholeButton.addEventListener("click", () => this.zoomTo(null));
    this.field.append(this.wholeButton);
    runs.addEventListener("change", () => (this.plot && this.shape() !== this.form ? this.draw() : this.drawSoon()));
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.field);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    new MutationObserver(() => this.restyle()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  // ---- what is drawn ----

  // Begins a run; facts as runs.js has them.
  reset(vocabulary = 0, facts = {}) {
    for (const chart of [this, this.second?.chart].filter(Boolean)) {
      chart.zoom = null;
      chart.wholeButton.hidden = true;
    }
    this.runs.begin({ ...facts, vocab_size: vocabulary });
  }

  add(step, loss, more) {
    (this.runs.current ?? this.runs.begin()).add(step, loss, more);
    this.drawSoon();
  }

  // metrics: {name: value or null} of a step that was made.
  addMetrics(step, metrics) {
    const run = this.runs.current ?? this.runs.begin();
    for (const [name, value] of Object.entries(metrics)) run.addMetric(name, step, value);
    this.drawSoon();
  }

  addValidation(step, loss) {
    (this.runs.current ?? this.runs.begin()).addValidation(step, loss);
    this.drawSoon();
  }

  // A pin at `step`, which stays with the run. bad: an edit that was rolled back.
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

  // name: "loss", or a metric's.
  setQuantity(name) {
    this.quantity = name;
    this.draw();
  }

  // [first step, last step], or null: the whole run.
  zoomTo(steps) {
    if (this.beside && this.beside.zoom !== steps) return this.beside.zoomTo(steps);
    this.zoom = steps;
    this.second?.zoomTo(steps);
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
    if (this.parent.hidden) return this.clear(); // a second plot that was closed
    const run = this.runs.current;
    this.earlier = this.runs.earlier();
    const shown = [run, ...this.earlier].filter(Boolean);
    const any = shown.some((one) => one.steps.length || one.evalSteps.length);
    this.parent.classList.toggle("drawn", any);
    const metrics = [...new Set(shown.flatMap((one) => [...one.metrics.keys()]))];
    if (!metrics.includes(this.quantity)) this.quantity = "loss";
    this.key.offer(metrics, this.quantity);
    this.second?.offer(metrics);
    if (run) paint(this.parent.parentElement, run);
    if (!any) return this.clear();
    const form = this.shape();
    const focused = this.plot && document.activeElement === this.plot.over;
    if (form !== this.form) this.clear();
    this.form = form;
    this.edges = this.zoom ? this.zoom.map(this.x.place) : [0, this.end()];
    const data = columns(this);
    this.costs = Boolean(this.plot); // making a plot takes longer, and is no measure
    if (this.plot) this.plot.setData(data);
    else this.create(data);
    if (focused) this.plot.over.focus();
  }

  // What a plot is made for: with another one it is made again.
  shape() {
    const runs = [...this.runs.earlier(), this.runs.current];
    const seen = runs.map((run) => run && [run.colour, run === this.runs.pointed]);
    const { logSteps, logValues, smoothing } = this.view;
    return JSON.stringify([seen, this.visible, logSteps, logValues, smoothing > 0, this.quantity]);
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

  create(data) {
    this.plot = makePlot(this, data);
    // the slider and the numbers say it in words
    this.plot.root.querySelector("canvas").setAttribute("aria-hidden", "true");
    this.zooming.listen(this.plot.over);
    this.readout.makeReadable(this.plot.over);
  }

  size() {
    return { width: Math.max(200, this.field.clientWidth), height: Math.max(120, this.field.clientHeight) };
  }

  // After uPlot has drawn, which is a little after it was told to: then its scales are those of the
  // new points.
  drawn(plot) {
    const { current, pointed } = this.runs,
      shown = [...this.earlier, current].filter(Boolean);
    const marked = shown.filter((run) => run === current || run === pointed);
    drawOver(
      plot,
      this,
      marked.flatMap((run) => run.marks),
    );
    this.pins.show(plot.over, shown, current, (step) => this.pixels(step));
    this.key.show(this);
    if (this.plot) this.readout.read(this.readout.step);
    if (this.costs) this.cost = performance.now() - this.drawnAt;
    this.costs = false;
  }

  // ---- axes ----

  get x() {
    return this.view.logSteps ? LOG_STEPS : LINEAR;
  }

  get y() {
    return this.view.logValues ? LOG_VALUES : LINEAR;
  }

  // Pixels of a step from the left edge of the plot, and the step at such a place.
  pixels(step) {
    const [low, high] = this.edges;
    return ((this.x.place(step) - low) / (high - low)) * this.plot.over.clientWidth;
  }

  stepAt(left) {
    const [low, high] = this.edges;
    return this.x.unplace(low + (left / this.plot.over.clientWidth) * (high - low));
  }

  // The line under the pointer stands on a step.
  snapped(left) {
    const step = Math.max(0, Math.round(this.stepAt(left)));
    return Math.min(Math.max(0, this.pixels(step)), this.plot.over.clientWidth);
  }

  // The place where the axis of the whole run ends.
  end() {
    const shown = [this.runs.current, ...this.earlier].filter(Boolean);
    const last = Math.max(10, ...shown.flatMap((run) => [run.steps.at(-1) ?? 0, run.evalSteps.at(-1) ?? 0]));
    return this.x.place(roundEnd(last, this.runs.current?.facts.steps ?? 0));
  }

  // The values in view, losses of a run that diverged cut off; in the whole run the references too,
  // ln V only where the losses come near it. From places of the axis to places of it.
  heights(low, high) {
    if (low === null) return [0, 1];
    const { place, unplace } = this.y,
      guesses = [this.runs.current, ...this.earlier].map((run) => run?.guess ?? 0);
    [low, high] = [unplace(low), unplace(high)];
    const most = (this.quantity === "loss" && MOST * Math.max(0, ...guesses)) || Infinity;
    this.cutOff = high > most && (low < most || !this.zoom) ? high : null;
    if (this.cutOff) [low, high] = [Math.min(low, most), most];
    const wanted = this.zoom
      ? []
      : this.references()
          .filter(({ near, value }) => (!near || high > 0.7 * near) && place(value) !== null)
          .map(({ value }) => value);
    [low, high] = [place(Math.min(low, ...wanted)), place(Math.max(high, ...wanted))];
    const pad = (high - low) * 0.06 || 0.1;
    return [low - pad, high + pad];
  }

  references() {
    return references(this);
  }
}
