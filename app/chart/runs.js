// The training runs of this page: what was logged, step by step. runs_list.js shows them.
//
// A Run holds columns of equal length (steps, losses, lrs, norms, ms), evaluations (evalSteps,
// evalLosses), metrics (what run.log was given besides, by name), marks ({step, text, bad}) and a
// colour, one of COLOURS (run_colours.css), which is the same wherever the run is shown. The
// current one is exact up to EXACT steps; beyond that its older half, and of a run that is over
// everything, is thinned so that the lowest and highest losses stay. Nothing here leaves the page;
// what outlives it is what a save has (savedMetrics, ../run/saved_curves.js).

import { lowerBound, range, thinned } from "./downsample.js";

const EXACT = 50_000; // logged steps: 2 MB
const OF_AN_EARLIER_RUN = 4_000; // logged steps that stay of a run when the next one begins
const SHOWN = 5; // earlier runs behind the current one at once; the list brings older ones back
const METRICS = 16; // names a run, as py/tinygpt/training/metrics.py has it
const NOTHING = { steps: [], values: [] };
export const COLOURS = 8; // --run-1 to --run-8

export class Run {
  // facts: what the start message says, and what else is known of the run ({settings, corpus}).
  constructor(name, facts, colour = 1) {
    Object.assign(this, {
      name,
      facts,
      colour,
      shown: true,
      saved: null, // the id that it is saved under in this browser
      files: null, // {name: text}, what it ran
      marks: [],
      steps: [],
      losses: [],
      lrs: [],
      norms: [],
      ms: [],
      evalSteps: [],
      evalLosses: [],
      metrics: new Map(), // name -> {steps, values}: what run.log was given besides
    });
    this.guess = facts.vocab_size > 1 ? Math.log(facts.vocab_size) : null; // the loss of a blind guess
  }

  // A run that goes on from an earlier step replaces what it had logged from there on.
  add(step, loss, { lr = null, grad_norm = null, ms = null, metrics = {} } = {}) {
    if (this.steps.at(-1) >= step) {
      this.keep(range(0, lowerBound(this.steps, step)));
      for (const { steps, values } of this.metrics.values()) steps.length = values.length = lowerBound(steps, step);
    }
    if (this.steps.length >= EXACT) {
      const half = this.steps.length >> 1;
      this.keep([...thinned(this.steps.slice(0, half), this.losses, half >> 2), ...range(half, this.steps.length)]);
    }
    this.steps.push(step);
    this.losses.push(loss);
    this.lrs.push(lr);
    this.norms.push(grad_norm);
    this.ms.push(ms);
    for (const [name, value] of Object.entries(metrics)) this.addMetric(name, step, value);
  }

  // value: a number, or null where it is not finite.
  addMetric(name, step, value) {
    let column = this.metrics.get(name);
    if (!column) {
      if (this.metrics.size >= METRICS) return;
      this.metrics.set(name, (column = { steps: [], values: [] }));
    }
    if (column.steps.length >= EXACT) thin(column, EXACT >> 2);
    column.steps.push(step);
    column.values.push(value);
  }

  // Of a save: [[name, steps, values]] before `step`, at most `points` of each.
  savedMetrics(step, points) {
    return [...this.metrics].map(([name, column]) => {
      const to = lowerBound(column.steps, step);
      const saved = { steps: column.steps.slice(0, to), values: column.values.slice(0, to) };
      thin(saved, points);
      return [name, saved.steps, saved.values];
    });
  }

  // curve: as a save has it (app/store/slots.js).
  restore({ metrics = [], ...columns }, marks) {
    Object.assign(this, columns, { marks });
    this.metrics = new Map(metrics.slice(0, METRICS).map(([name, steps, values]) => [name, { steps, values }]));
  }

  // What the chart draws over the steps: the training loss, or a metric.
  column(name) {
    return name === "loss" ? { steps: this.steps, values: this.losses } : (this.metrics.get(name) ?? NOTHING);
  }

  addValidation(step, loss) {
    this.evalSteps.length = this.evalLosses.length = lowerBound(this.evalSteps, step);
    this.evalSteps.push(step);
    this.evalLosses.push(loss);
  }

  // Keeps the logged steps at these indices.
  keep(indices) {
    for (const name of ["steps", "losses", "lrs", "norms", "ms"]) this[name] = indices.map((i) => this[name][i]);
  }

  close() {
    for (const column of this.metrics.values()) thin(column, OF_AN_EARLIER_RUN);
    if (this.steps.length > OF_AN_EARLIER_RUN) this.keep(thinned(this.steps, this.losses, OF_AN_EARLIER_RUN >> 1));
  }

  history() {
    return this.steps.map((step, i) => ({
      step,
      loss: this.losses[i],
      lr: this.lrs[i],
      grad_norm: this.norms[i],
      ms: this.ms[i],
    }));
  }

  evaluations() {
    return this.evalSteps.map((step, i) => ({ step, val_loss: this.evalLosses[i] }));
  }
}

// Event "change": a run began, or one was shown, hidden, renamed, removed or pointed at (`pointed`:
// the run whose row the pointer is on).
export class Runs extends EventTarget {
  constructor() {
    super();
    this.all = [];
    this.current = this.pointed = null;
    this.begun = 0;
  }

  begin(facts = {}) {
    this.current?.close();
    this.begun++;
    // "run": what loop.run calls one that nobody named
    const asked = facts.run && facts.run !== "run" ? facts.run : `run ${this.begun}`;
    this.current = new Run(this.free(asked), facts, this.freeColour());
    this.all.push(this.current);
    const shown = this.earlier();
    for (const run of shown.slice(0, Math.max(0, shown.length - SHOWN))) run.shown = false;
    this.changed();
    return this.current;
  }

  // The shown ones, oldest first, without the current one.
  earlier() {
    return this.all.filter((run) => run !== this.current && run.shown);
  }

  // A run of an earlier visit: behind those of this page. saved: its id.
  addEarlier(name, { facts, curve, marks, files, colour = 1 }, saved) {
    const run = new Run(this.free(name), facts, colour);
    run.restore(curve, marks);
    Object.assign(run, { saved, files, colour: this.freeColour(colour), shown: this.earlier().length < SHOWN });
    this.all.unshift(run);
    this.changed();
  }

  // Takes a saved run off the chart, the current one too, since it is shown anew; returns it.
  takeSaved(id) {
    const run = this.all.find(({ saved }) => saved === id);
    if (!run) return null;
    if (run === this.current) this.current = null;
    this.remove(run);
    return run;
  }

  // wanted, where no run on the chart has it; else the first colour that the fewest runs have: of
  // those on the chart, then of all.
  freeColour(wanted = null) {
    if (range(1, COLOURS + 1).includes(wanted) && !this.all.some((run) => run.shown && run.colour === wanted))
      return wanted;
    const uses = (colour) =>
      this.all.reduce((sum, run) => sum + (run.colour === colour ? (run.shown ? 1000 : 1) : 0), 0);
    return range(1, COLOURS + 1).reduce((best, colour) => (uses(colour) < uses(best) ? colour : best));
  }

  free(name, own = null) {
    const taken = (wanted) => this.all.some((run) => run !== own && run.name === wanted);
    let wanted = name;
    for (let i = 2; taken(wanted); i++) wanted = `${name} (${i})`;
    return wanted;
  }

  rename(run, name) {
    run.name = this.free(name.trim() || run.name, run);
    this.changed();
  }

  remove(run) {
    if (run === this.current) return; // it is still being written
    this.all = this.all.filter((one) => one !== run);
    if (this.pointed === run) this.pointed = null;
    this.changed();
  }

  show(run, shown) {
    run.shown = shown;
    this.changed();
  }

  point(run) {
    this.pointed = run;
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}

// At most `most` points stay, the lowest and highest among them.
function thin(column, most) {
  if (column.steps.length <= most) return;
  const kept = thinned(column.steps, column.values, most >> 1);
  for (const name of ["steps", "values"]) column[name] = kept.map((i) => column[name][i]);
}

// Gives a node the run's colour as --run.
export function paint(node, run) {
  node.style.setProperty("--run", `var(--run-${run.colour})`);
  return node;
}
