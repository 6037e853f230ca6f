// The training runs of this page: what was logged, step by step, and the list in which they are shown, renamed and removed.
//
// A Run holds columns of equal length (steps, losses, lrs, norms, ms), evaluations (evalSteps, evalLosses) and marks ({step, text, bad}).
// The current one is exact up to EXACT steps; beyond that its older half, and of a run that is over everything, is thinned so that the
// lowest and highest losses stay. Nothing here leaves the page or outlives it.

import { lowerBound, range, thinned } from "./columns.js";

const EXACT = 50_000; // logged steps: 2 MB
const OF_AN_EARLIER_RUN = 4_000; // logged steps that stay of a run when the next one begins
const SHOWN = 5; // earlier runs behind the current one at once; the list brings older ones back
export const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]]; // tell grey lines apart

export class Run {
  // facts: what the start message says, and what else is known of the run ({settings, corpus}).
  constructor(name, facts) {
    Object.assign(this, { name, facts, shown: true, marks: [], steps: [], losses: [], lrs: [], norms: [], ms: [], evalSteps: [], evalLosses: [] });
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
    return this.steps.map((step, i) => ({ step, loss: this.losses[i], lr: this.lrs[i], grad_norm: this.norms[i], ms: this.ms[i] }));
  }

  evaluations() {
    return this.evalSteps.map((step, i) => ({ step, val_loss: this.evalLosses[i] }));
  }
}

// Event "change": a run began, or one was shown, hidden, renamed, removed or pointed at (`pointed`: the run whose row the pointer is on).
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
    const asked = facts.run && facts.run !== "run" ? facts.run : `run ${this.begun}`; // "run": what loop.run calls one that nobody named
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

// The list: a row a run, newest first. It fills its parent and may be on the page more than once.
export class RunsPanel {
  constructor(parent, { runs }) {
    Object.assign(this, { runs, rows: new Map() });
    this.list = parent.appendChild(document.createElement("ul"));
    this.list.className = "runs";
    this.none = parent.appendChild(document.createElement("p"));
    this.none.className = "runs-none";
    this.none.textContent = "No runs yet. Each run is kept here until the page is closed, and drawn behind the next one.";
    runs.addEventListener("change", () => this.show());
    this.show();
  }

  show() {
    const { runs, rows, list } = this;
    this.none.hidden = runs.all.length > 0;
    for (const [run, row] of rows) {
      if (runs.all.includes(run)) continue;
      const focused = row.contains(document.activeElement);
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      rows.delete(run);
      if (focused) next?.querySelector("input").focus();
    }
    for (const run of runs.all) {
      if (!rows.has(run)) {
        rows.set(run, this.row(run));
        list.prepend(rows.get(run));
      }
      this.fill(run, rows.get(run));
    }
  }

  row(run) {
    const row = document.createElement("li");
    const shown = row.appendChild(document.createElement("input"));
    shown.type = "checkbox";
    shown.addEventListener("change", () => this.runs.show(run, shown.checked));
    row.append(line());
    const name = row.appendChild(document.createElement("input"));
    name.className = "run-name";
    name.maxLength = 60;
    name.addEventListener("change", () => this.runs.rename(run, name.value));
    name.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") name.blur();
    });
    row.appendChild(document.createElement("span")).className = "run-facts";
    const remove = row.appendChild(document.createElement("button"));
    remove.type = "button";
    remove.textContent = "Remove";
    remove.addEventListener("click", () => this.runs.remove(run));
    row.addEventListener("pointerenter", () => this.runs.point(run));
    row.addEventListener("pointerleave", () => this.runs.point(null));
    return row;
  }

  fill(run, row) {
    const [shown, name] = row.querySelectorAll("input");
    const current = run === this.runs.current;
    shown.checked = current || run.shown;
    shown.disabled = current;
    shown.ariaLabel = `Show ${run.name} in the chart`;
    if (document.activeElement !== name) name.value = run.name;
    name.ariaLabel = `Name of ${run.name}`;
    row.classList.toggle("current", current);
    row.querySelector("line").setAttribute("stroke-dasharray", current ? "" : dashes(this.runs, run).join(" "));
    const text = described(run);
    const facts = row.querySelector(".run-facts");
    facts.title = facts.textContent = text;
    const remove = row.querySelector("button");
    remove.hidden = current;
    remove.ariaLabel = `Remove ${run.name}`;
  }
}

export const dashes = (runs, run) => DASHES[runs.all.indexOf(run) % DASHES.length];

function line() {
  const name = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(name, "svg");
  const stroke = picture.appendChild(document.createElementNS(name, "line"));
  for (const [key, value] of Object.entries({ x1: 0, y1: 5, x2: 24, y2: 5, stroke: "currentColor", "stroke-width": 2 })) stroke.setAttribute(key, value);
  picture.setAttribute("viewBox", "0 0 24 10");
  picture.setAttribute("aria-hidden", "true");
  return picture;
}

// "small · webgpu f16 · lr 0.001 · 1,240 steps · loss 1.842 · validation 1.970 · 2 edits"
function described({ facts, steps, losses, evalLosses, marks }) {
  const number = (value) => value.toFixed(3), done = (steps.at(-1) ?? -1) + 1;
  const settings = Object.entries(facts.settings ?? {}).filter(([name, value]) => name !== "preset" && !(name === "steps" && value === done));
  return [
    facts.preset,
    facts.device && [facts.device, facts.precision].filter(Boolean).join(" "),
    ...settings.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`),
    `${done.toLocaleString("en")} steps`,
    steps.length && `loss ${number(losses.at(-1))}`,
    evalLosses.length && `validation ${number(evalLosses.at(-1))}`,
    marks.length && (marks.length === 1 ? "1 edit" : `${marks.length} edits`),
  ].filter(Boolean).join(" · ");
}
