// The training runs of this page: what was logged, step by step. runs_list.js shows them.
//
// A Run holds columns of equal length (steps, losses, lrs, norms, ms), evaluations (evalSteps,
// evalLosses) and marks ({step, text, bad}). The current one is exact up to EXACT steps; beyond
// that its older half, and of a run that is over everything, is thinned so that the lowest and
// highest losses stay. Nothing here leaves the page or outlives it.

import { lowerBound, range, thinned } from "./downsample.js";

const EXACT = 50_000; // logged steps: 2 MB
const OF_AN_EARLIER_RUN = 4_000; // logged steps that stay of a run when the next one begins
const SHOWN = 5; // earlier runs behind the current one at once; the list brings older ones back
const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]]; // tell grey lines apart

export class Run {
  // facts: what the start message says, and what else is known of the run ({settings, corpus}).
  constructor(name, facts) {
    Object.assign(this, {
      name,
      facts,
      shown: true,
      marks: [],
      steps: [],
      losses: [],
      lrs: [],
      norms: [],
      ms: [],
      evalSteps: [],
      evalLosses: [],
    });
    this.guess = facts.vocab_size > 1 ? Math.log(facts.vocab_size) : null; // the loss of a blind guess
  }

  // A run that goes on from an earlier step replaces what it had logged from there on.
  add(step, loss, { lr = null, grad_norm = null, ms = null } = {}) {
    if (this.steps.at(-1) >= step) this.keep(range(0, lowerBound(this.steps, step)));
    if (this.steps.length >= EXACT) {
      const half = this.steps.length >> 1;
      this.keep([...thinned(this.steps.slice(0, half), this.losses, half >> 2), ...range(half, this.steps.length)]);
    }
    this.steps.push(step);
    this.losses.push(loss);
    this.lrs.push(lr);
    this.norms.push(grad_norm);
    this.ms.push(ms);
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
    this.current = new Run(this.free(asked), facts);
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

export const dashes = (runs, run) => DASHES[runs.all.indexOf(run) % DASHES.length];
