// Saves the run that trains, so that a closed or crashed tab costs at most one interval: every few seconds, when the tab is hidden, and at the
// end of the run. Python gives the bytes between two steps (app/session/models.py, "export" unsealed), the store's worker hashes and writes
// them into the older of the run's two slots.
//
// A save may cost at most SHARE of the time; where it takes longer, the interval is stretched, and the line of facts says so.
// Events: "saved", "problem" (`problem` is {text, quota} or null).

import { lowerBound, range, thinned } from "../columns.js";
import * as files from "./files.js";
import { FOLDER } from "./saved.js";

export const INTERVALS = { 0: "off", 10: "10 s", 30: "30 s", 120: "2 min", 600: "10 min" }; // seconds
export const SHARE = 0.02;
const COSTS = 5; // saves whose mean cost counts, and whose longest is planned for
const HICCUP = 300; // ms that a machine may have no time for us
const POINTS = 4000; // of the curve, at most
const SAMPLES = 4000; // characters

export class Autosave extends EventTarget {
  // settings(): the Settings, once there are any. seconds: what the address asks for instead of the user's choice.
  constructor({ session, controls, training, editor, settings, choice, saved, seconds = null }) {
    super();
    Object.assign(this, { session, controls, training, editor, settings, choice, saved });
    const stored = localStorage.getItem("autosave");
    this.seconds = seconds ?? (stored in INTERVALS ? Number(stored) : 30);
    this.forget();
    session.addEventListener("training", ({ detail }) => {
      for (const message of detail) if (message.type === "start" && controls.active) this.began(message);
      this.look();
    });
    controls.addEventListener("replaced", () => this.forget());
    controls.addEventListener("phase", ({ detail: { phase } }) => {
      if (phase === "idle" || phase === "stopped") this.saveNow();
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.saveNow());
    addEventListener("pagehide", () => this.saveNow());
    setInterval(() => this.look(), 1000); // a paused run, and steps that take longer than that
  }

  choose(seconds) {
    this.seconds = seconds;
    localStorage.setItem("autosave", seconds);
    this.dispatchEvent(new Event("saved"));
    this.look();
  }

  // What trains from now on is another run, or none.
  forget() {
    if (this.id) this.saved.release(this.id);
    Object.assign(this, { id: null, sequence: 0, step: -1, savedAt: null, capturedAt: performance.now(), costs: [], took: [], saves: 0, problem: null });
    this.dispatchEvent(new Event("saved"));
    this.dispatchEvent(new Event("problem"));
  }

  // A saved run goes on: it is written where it was. False where another tab does that; then it gets a place of its own.
  async adopt({ id, sequence, step }) {
    const free = await this.saved.claim(id);
    if (free) Object.assign(this, { id, sequence, step, capturedAt: performance.now() });
    return free;
  }

  began() {
    this.capturedAt = performance.now();
    if (this.id) return;
    this.id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    this.saved.claim(this.id);
  }

  // ---- when ----

  // Seconds of training that a save costs, on average of the last ones: what Python takes, and the store's share of the cores. `interval`:
  // seconds between two saves.
  get cost() {
    return this.costs.reduce((sum, cost) => sum + cost, 0) / (this.costs.length || 1);
  }

  get interval() {
    return Math.max(this.seconds, this.cost / SHARE);
  }

  get stretched() {
    return this.cost / SHARE > this.seconds;
  }

  // Something has been trained that is not saved.
  get wanting() {
    return this.seconds > 0 && this.id !== null && (this.training.run?.done ?? 0) > Math.max(this.step, 0);
  }

  look() {
    if (!this.wanting || !this.controls.active) return;
    // Begun so much earlier that it is written when the interval is over, even on a machine that is busy at times.
    const lead = Math.min(1.5 * Math.max(0, ...this.took) + HICCUP, (this.interval * 1000) / 2);
    if (performance.now() >= this.capturedAt + this.interval * 1000 - lead) this.save();
  }

  saveNow() {
    if (this.wanting) return this.save();
  }

  // ---- a save ----

  save() {
    return (this.saving ??= this.write().finally(() => {
      this.saving = null;
      if (!this.controls.active && !this.problem) this.saveNow(); // the run ended while an earlier step was being written
    }));
  }

  async write() {
    const { id } = this, begun = performance.now();
    try {
      const usable = await files.available();
      if (usable !== true) throw new Error(usable);
      const { bytes, step, ms } = await this.session.request("export", { optimizer: true, unsealed: true });
      if (id !== this.id) return;
      const at = performance.now(), sequence = this.sequence + 1;
      const done = await files.ask("save", {
        folder: FOLDER, name: `${id}.${sequence % 2 ? "a" : "b"}`, sequence, about: this.about(step), bytes: bytes.buffer,
      }, [bytes.buffer]);
      if (id !== this.id) return;
      Object.assign(this, { sequence, step, savedAt: Date.now(), capturedAt: at - ms, bytes: done.bytes });
      this.took = [...this.took, performance.now() - begun].slice(-COSTS);
      this.costs = [...this.costs, (ms + done.ms / (navigator.hardwareConcurrency || 1)) / 1000].slice(-COSTS);
      this.parts = { python_ms: ms, store_ms: done.ms };
      this.saves++;
      this.tell(null);
      this.dispatchEvent(new Event("saved"));
    } catch (error) {
      if (id !== this.id || this.session.state === "booting" || this.session.state === "failed") return; // Python was restarted
      this.capturedAt = performance.now(); // again in an interval: there may be room then
      this.tell({ text: error.message, quota: Boolean(error.quota) });
    }
  }

  tell(problem) {
    if (!problem && !this.problem) return;
    this.problem = problem;
    this.dispatchEvent(new Event("problem"));
  }

  // What is said of the run besides the .tinygpt file.
  about(step) {
    const { training, editor, controls, choice } = this, { run, runs: { current } } = training;
    const running = controls.inUse ?? editor.files, edited = editor.files;
    const to = lowerBound(current.steps, step);
    const kept = to <= POINTS ? range(0, to) : thinned(current.steps.slice(0, to), current.losses, POINTS / 2);
    const evaluations = lowerBound(current.evalSteps, step + 1);
    const curve = Object.fromEntries(["steps", "losses", "lrs", "norms", "ms"].map((name) => [name, kept.map((i) => current[name][i])]));
    curve.evalSteps = current.evalSteps.slice(0, evaluations);
    curve.evalLosses = current.evalLosses.slice(0, evaluations);
    const { times, ...facts } = run;
    return {
      name: current.name, saved: Date.now(), step, steps: run.steps, loss: curve.losses.at(-1) ?? null, val: run.val, preset: run.preset,
      parameters: run.parameters, corpus: run.corpus, device: run.device, precision: run.precision ?? "f32", chosen: choice.touched,
      finished: step >= run.steps, settings: this.settings()?.values() ?? {}, files: running,
      edited: Object.keys(edited).some((name) => edited[name] !== running[name]) ? edited : null,
      run: { ...facts, done: step, reason: null, paused: false }, facts: current.facts, marks: current.marks.filter((mark) => mark.step <= step),
      curve, elapsed: training.elapsed(), samples: document.getElementById("sample-text").textContent.slice(-SAMPLES),
    };
  }

  state() {
    return {
      id: this.id, step: this.step, saves: this.saves, saving: Boolean(this.saving), interval_s: this.interval, cost_s: this.cost, ...this.parts,
      bytes: this.bytes ?? 0, problem: this.problem?.text ?? null, age_s: this.savedAt ? (performance.now() - this.capturedAt) / 1000 : null,
    };
  }
}
