// @ts-check
// Saves the run that trains, so that a closed or crashed tab costs at most one interval: every few
// seconds, when the tab is hidden, and at the end of the run. Python gives the bytes between two
// steps (py/tinygpt_session/features/checkpoints.py, "export" unsealed), the store's worker hashes
// and writes them into the older of the run's two slots.
//
// A save may cost at most SHARE of the time; where it takes longer, the interval is stretched, and
// the line of facts says so. Events: "saved", "problem" (`problem` is {text, quota} or null).

import { keep, kept } from "../ui/kept.js";
import * as files from "./files.js";
import { FOLDER } from "./saved_runs.js";

export const INTERVALS = { 0: "off", 10: "10 s", 30: "30 s", 120: "2 min", 600: "10 min" }; // seconds
export const SHARE = 0.02;
const COSTS = 5; // saves whose mean cost counts, and whose longest is planned for
const HICCUP = 300; // ms that a machine may have no time for us
const POINTS = 4000; // of the curve, at most
const SAMPLES = 4000; // characters

/** @typedef {import("../worker/protocol.js").UnsealedAnswer} UnsealedAnswer */
/** @typedef {import("../worker/protocol.js").TrainingMessage} TrainingMessage */
/** @typedef {import("./slots.js").SavedRun} SavedRun */

export class Autosave extends EventTarget {
  /** @type {string | null} */
  id = null; // of the run
  sequence = 0; // of its last save
  step = -1; // of its last save
  /** @type {number | null} */
  savedAt = null; // ms since 1970
  capturedAt = 0; // when Python gave the last save's bytes, by performance.now
  /** @type {number[]} */
  costs = []; // seconds of the last saves
  /** @type {number[]} */
  took = []; // ms from the beginning of the last saves to their end
  saves = 0;
  /** @type {{ text: string, quota: boolean } | null} */
  problem = null;
  /** @type {Promise<void> | null} */
  saving = null;
  bytes = 0; // of the last save
  parts = {}; // ms of the last save's parts

  /**
   * seconds: the interval that the address requests instead of the user's choice.
   *
   * @param {import("./persist.js").PageParts & {
   *   saved: import("./saved_runs.js").SavedRuns,
   *   seconds?: number | null,
   * }} parts
   */
  constructor({ session, controls, training, editor, settings, choice, saved, seconds = null }) {
    super();
    this.session = session;
    this.controls = controls;
    this.training = training;
    this.editor = editor;
    this.settings = settings;
    this.choice = choice;
    this.saved = saved;
    const stored = kept("autosave") ?? "";
    this.seconds = seconds ?? (stored in INTERVALS ? Number(stored) : 10);
    this.forget();
    session.addEventListener("training", (/** @type {any} */ event) => {
      /** @type {TrainingMessage[]} */
      const detail = event.detail;
      for (const message of detail) if (message.type === "start" && controls.active) this.began();
      this.look();
    });
    controls.addEventListener("replaced", () => this.forget());
    controls.addEventListener("phase", (/** @type {any} */ { detail: { phase } }) => {
      if (phase === "idle" || phase === "stopped") this.saveNow();
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.saveNow());
    addEventListener("pagehide", () => this.saveNow());
    setInterval(() => this.look(), 1000); // a paused run, and steps that take longer than that
  }

  /** @param {number} seconds */
  choose(seconds) {
    this.seconds = seconds;
    keep("autosave", String(seconds));
    this.dispatchEvent(new Event("saved"));
    this.look();
  }

  // What trains from now on is another run, or none.
  forget() {
    if (this.id) this.saved.release(this.id);
    this.id = this.savedAt = this.problem = null;
    this.sequence = this.saves = 0;
    this.step = -1;
    this.capturedAt = performance.now();
    this.costs = [];
    this.took = [];
    this.dispatchEvent(new Event("saved"));
    this.dispatchEvent(new Event("problem"));
  }

  /**
   * A saved run is resumed: it is written where it was. False where another tab does that; then it
   * gets a place of its own.
   *
   * @param {{ id: string, sequence: number, step: number }} run
   */
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

  // Seconds of training that a save costs, on average of the last ones: what Python takes, and the
  // store's share of the cores. `interval`: seconds between two saves.
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
    return this.seconds > 0 && this.id !== null && this.training.state().step > Math.max(this.step, 0);
  }

  look() {
    if (!this.wanting || !this.controls.active) return;
    // Begun so much earlier that it is written when the interval is over, even on a machine that is
    // busy at times.
    const lead = Math.min(1.5 * Math.max(0, ...this.took) + HICCUP, (this.interval * 1000) / 2);
    if (performance.now() >= this.capturedAt + this.interval * 1000 - lead) this.save();
  }

  saveNow() {
    if (this.wanting) return this.save();
  }

  // ---- a save ----

  save() {
    return (this.saving ??= this.write().then((again) => {
      this.saving = null;
      // the run ended while an earlier step was being written
      if (again && !this.controls.active) this.saveNow();
    }));
  }

  /**
   * Whether another save may follow at once: not where this one failed. It would fail as it did,
   * and the page would do nothing else.
   *
   * @returns {Promise<boolean>}
   */
  async write() {
    const { id } = this,
      begun = performance.now();
    try {
      const usable = await files.available();
      if (usable !== true) throw new Error(usable);
      const { bytes, step, ms } = /** @type {UnsealedAnswer} */ (
        await this.session.request("export", { optimizer: true, unsealed: true })
      );
      if (id !== this.id) return true;
      const at = performance.now(),
        sequence = this.sequence + 1,
        content = /** @type {ArrayBuffer} */ (bytes.buffer);
      const done = await files.request(
        "save",
        {
          folder: FOLDER,
          name: `${id}.${sequence % 2 ? "a" : "b"}`,
          sequence,
          about: this.about(step),
          bytes: content,
        },
        [content],
      );
      if (id !== this.id) return true;
      Object.assign(this, { sequence, step, savedAt: Date.now(), capturedAt: at - ms, bytes: done.bytes });
      this.took = [...this.took, performance.now() - begun].slice(-COSTS);
      this.costs = [...this.costs, (ms + done.ms / (navigator.hardwareConcurrency || 1)) / 1000].slice(-COSTS);
      this.parts = { python_ms: ms, store_ms: done.ms };
      if (++this.saves === 1 || !this.controls.active) this.saved.tell();
      this.report(null);
      this.dispatchEvent(new Event("saved"));
      return true;
    } catch (thrown) {
      const error = /** @type {Error & { quota?: boolean }} */ (thrown);
      if (id !== this.id) return true;
      if (this.session.state === "booting" || this.session.state === "failed") return false; // Python was restarted
      this.capturedAt = performance.now(); // again in an interval: there may be space then
      this.report({ text: error.message, quota: Boolean(error.quota) });
      return false;
    }
  }

  /** @param {{ text: string, quota: boolean } | null} problem */
  report(problem) {
    if (!problem && !this.problem) return;
    this.problem = problem;
    this.dispatchEvent(new Event("problem"));
  }

  /**
   * What is said of the run besides the .tinygpt file.
   *
   * @param {number} step
   * @returns {SavedRun}
   */
  about(step) {
    const { training, editor, controls, choice } = this;
    const running = (controls.program ? null : controls.inUse) ?? editor.files, // the page's own
      edited = editor.files;
    const shown = training.snapshot(step, { points: POINTS, characters: SAMPLES });
    const { run, curve } = shown;
    return {
      ...shown,
      saved: Date.now(),
      step,
      steps: run.steps,
      loss: curve.losses.at(-1) ?? null,
      val: run.val,
      preset: run.preset,
      parameters: run.parameters,
      corpus: run.corpus,
      device: run.device,
      precision: run.precision ?? "f32",
      chosen: choice.touched,
      finished: controls.plain || step >= run.steps,
      ...(controls.plain && { plain: true }),
      settings: controls.used ?? this.settings.values(),
      files: running,
      edited: Object.keys(edited).some((name) => edited[name] !== running[name]) ? edited : null,
    };
  }

  state() {
    return {
      id: this.id,
      step: this.step,
      saves: this.saves,
      saving: Boolean(this.saving),
      interval_s: this.interval,
      cost_s: this.cost,
      ...this.parts,
      bytes: this.bytes,
      problem: this.problem?.text ?? null,
      age_s: this.savedAt ? (performance.now() - this.capturedAt) / 1000 : null,
    };
  }
}
