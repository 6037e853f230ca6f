// Run control: start, pause, one step, resume, stop, reset, and Apply, which lets the edited code
// take over from the code that runs. The buttons and `window.tinygpt` call the same functions.
//
// A run is the editor's files with the page's settings, or a program of the visitor's files
// (`files`, app/files/files_room.js). `phase` is what the buttons follow: idle
// (nothing to go on with), stopped (a run that could go on), running, paused, stopping. Emits
// "phase" as a CustomEvent, "stepping" before the request for one step, and "replaced" {byFile,
// about} when another run than the one before is to go on; about: what the import of a file
// answered.

import { duration, lossText } from "../ui/format.js";
import { readable } from "./model_file.js";
import { modelSnapshot } from "./model_snapshot.js";
import { presetOf } from "./settings.js";

const MAIN = "train.py";
const GRAPHICS_PATIENCE = 1500; // ms

export const DEAF = "This browser cannot reach Python during a run (it has no shared memory and no JSPI).";

export class Controls extends EventTarget {
  // texts: OwnTexts, which a run may name. estimate: the MemoryEstimate, which may refuse a run.
  // status(text, kind), error(traceback), notice(lines): where sentences, tracebacks and lists go.
  // stop(): of the button.
  constructor({ session, editor, settings, choice, training, texts, estimate, status, error, notice, stop }) {
    super();
    Object.assign(this, { session, editor, settings, choice, training, texts, estimate, status, error, notice, stop });
    this.phase = "idle";
    this.active = false; // the editor's code is in the worker
    this.prepared = null; // a promise: what the last run waited for before its code went to the worker
    this.begun = null; // of a run that begins: its loop has, or has come to an end
    this.deciding = null; // a promise: whether the run that was asked for is refused
    this.resumable = false; // there is a run that could be resumed
    this.plain = false; // the run is a program of plain PyTorch code, which begins anew at each Run
    this.bounded = false; // the code that runs has step boundaries
    this.loaded = null; // {name, step} of a model from a file that has not been trained since
    this.used = null; // the settings of the run, as they are in use: settings.values()
    settings.addEventListener("change", ({ detail: { name } }) => this.adjust(name));
    this.importing = null; // a promise: the model of a file is on its way into Python
    this.files = null; // the visitor's, where the page has them: {program(), sources(), place()}
    this.program = null; // of the last run, among the visitor's files: null where it was train.py
    this.held = null; // why code in the editor that came from elsewhere may only be run by Run or Apply
    session.addEventListener("state", ({ detail: { state } }) => {
      if (state === "stopping" && this.active) this.enter("stopping");
      else if (state === "booting") this.lose();
    });
    session.addEventListener("training", ({ detail }) =>
      detail.forEach((message) => this["on_" + message.type]?.(message)),
    );
  }

  hold(sentence) {
    this.held = sentence;
    this.editor.hold(sentence !== null);
  }

  // The user has said that the code in the editor is to run.
  take() {
    if (!this.held) return;
    this.hold(null);
    this.dispatchEvent(new Event("taken"));
  }

  // Another Python takes the place of this one: a run that was stopped is in its save alone.
  lose() {
    this.resumable = this.plain = false;
    this.loaded = null;
    if (this.phase !== "stopped") return;
    this.phase = "idle";
    this.dispatchEvent(new CustomEvent("phase", { detail: { phase: "lost" } })); // there is nothing to save
  }

  enter(phase) {
    this.phase = phase;
    this.dispatchEvent(new CustomEvent("phase", { detail: { phase } }));
  }

  // ---- a whole run ----

  // What a new run would drop, in words, or null: a loaded model is in no save of this page.
  get drops() {
    if (!this.loaded) return null;
    const { name, step } = this.loaded;
    return `the loaded ${name && `${name.replace(/ after .*/, "")} `}model (step ${step.toLocaleString("en")})`;
  }

  // own: the page's train.py, whatever program is chosen.
  start({ paused = false, own = false } = {}) {
    return this.execute({ paused, own });
  }

  // saying: what the status line says instead of "Resumed".
  async execute({ paused = false, resume = false, own = false, saying = "Resumed" }) {
    if (this.active || this.session.state !== "ready") return { ok: false, error: "something else is running" };
    if (this.held && (paused || resume)) return this.notStarted(this.held);
    const program = resume ? this.program : own ? null : this.chosen;
    const wrong = program ? null : this.wrongInput({ begins: true });
    if (wrong) return wrong;
    const { editor } = this;
    const main = program?.path ?? MAIN;
    this.active = true;
    this.bounded = resume;
    this.status("Starting");
    const texts = program ? null : editor.files; // as they are at the press
    // A run that resumes takes the inputs as they are now: what was typed comes back next.
    const now = resume && !program;
    const placing = this.prepare(program, resume, texts);
    const { refused, files } = now ? { refused: null, files: texts } : await (this.deciding = placing);
    if (refused) {
      // nothing has changed: what was trained before could still go on
      this.active = false;
      return this.notStarted(refused);
    }
    this.take();
    editor.clearError();
    this.resumable = this.plain = false;
    this.loaded = null;
    this.program = program;
    if (!resume) this.dispatchEvent(new CustomEvent("replaced", { detail: { byFile: false } }));
    editor.runsOthers = program !== null;
    editor.setRunning(files);
    this.training.expectEdit(resume && this.inUse ? changed(this.inUse, files) : null);
    this.inUse = files;
    this.used = this.settings.values();
    this.settings.settle();
    this.begun = untilCalled();
    this.enter("running");
    const ready = [placing, this.graphicsSoon(), this.texts.provided.catch(() => {})];
    const [{ refused: notPlaced }] = await (this.prepared = Promise.all(ready));
    if (notPlaced) this.status(notPlaced, "bad");
    else this.status(resume ? saying : `Running ${main}`);
    const begun = performance.now();
    const outcome = await this.session.run(files[main], {
      mode: "script",
      options: { settings: { ...this.used }, files, paused, resume, program },
    });
    // a run that resumed took what it took before too
    const took = duration((this.resumable ? this.training.elapsed() : performance.now() - begun) / 1000);
    this.active = false;
    editor.setRunning(null);
    this.begun?.end();
    this.begun = null;
    this.settings.settle();
    if (outcome.error && outcome.status !== "stopped") this.error(outcome.error);
    if (outcome.status === "finished")
      this.status(`Finished in ${took}${this.resumable ? reached(this.training.run) : ""}`, "good");
    else if (outcome.restarted && outcome.status === "stopped")
      this.status("Stopped. Python was restarted, and its variables are lost.");
    else if (outcome.status === "stopped")
      this.status(this.resumable ? "Stopped. Press Resume to continue." : "Stopped. Variables are kept.");
    else this.showError(outcome);
    this.enter(this.resumable ? "stopped" : "idle");
    return { ok: outcome.ok, error: outcome.error };
  }

  // Whether a run is refused (a sentence), and the texts that run: its files are where Python finds
  // them then.
  async prepare(program, resume, texts) {
    try {
      const refused = resume || program ? null : await this.estimate.refused();
      if (refused) return { refused };
      await this.files?.place();
      return { refused: null, files: texts ?? (await this.files.sources()) };
    } catch (error) {
      return { refused: error.message };
    }
  }

  // What Run would run, among the visitor's files; null: train.py.
  get chosen() {
    return this.files?.program() ?? null;
  }

  notStarted(sentence) {
    this.status(sentence, "bad");
    return { ok: false, error: sentence };
  }

  // Once Python runs, the worker cannot take a GPU that is still being opened: a run pressed in the
  // first moments waits a little for it.
  async graphicsSoon() {
    const status = setTimeout(() => this.status("Opening the GPU"), 100);
    await Promise.race([this.session.graphics, new Promise((resume) => setTimeout(resume, GRAPHICS_PATIENCE))]);
    clearTimeout(status);
  }

  showError({ error, file, line }, introduction = "") {
    const last = error.trim().split("\n").at(-1);
    const where = line ? `${file && file !== MAIN ? file + ", line" : "Line"} ${line}: ` : "";
    this.status(introduction + where + last, "bad");
    if (line) this.editor.markError(line, last, file ?? MAIN);
  }

  // Forgets what was trained; a run that is under way is stopped first.
  async reset() {
    if (this.active) {
      this.session.interrupt();
      while (this.active) await new Promise((resume) => setTimeout(resume, 20));
    }
    await this.session.request("reset");
    this.resumable = this.plain = false;
    this.loaded = null;
    this.dispatchEvent(new CustomEvent("replaced", { detail: { byFile: false } }));
    this.training.forget();
    this.status("Reset. The next run starts from new weights.");
    this.enter("idle");
  }

  // The model of a .tinygpt file (a Blob): it is what a resumed run continues. Resolves to what the
  // file holds. options: see py/tinygpt_session/features/checkpoints.py. shown: what is known of
  // the model besides (model_snapshot.js). A saved run of this browser (`own`) has its own numbers.
  importModel(blob, options = {}, shown = {}) {
    const imported = this.import(blob, options, shown);
    const importing = imported.catch(() => {}).finally(() => this.importing === importing && (this.importing = null));
    this.importing = importing;
    return imported;
  }

  async import(blob, options, shown) {
    const url = URL.createObjectURL(await readable(blob));
    try {
      const about = await this.session.request("import", { ...options, url });
      this.resumable = true;
      this.plain = false;
      this.used = null;
      this.program = null;
      if (!options.own) this.loaded = { name: options.name ?? "", step: about.step };
      this.dispatchEvent(new CustomEvent("replaced", { detail: { byFile: true, about } }));
      this.inUse = null; // no code of this page's life has trained it
      if (!options.own) this.showModel(about, { name: options.name ?? "imported", ...shown });
      this.enter("stopped");
      return about;
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  // A saved program of plain PyTorch code (a Blob of torch.save): its state_dicts become a file for
  // torch.load. Resolves to {path, names}.
  async placeProgram(blob, name) {
    const url = URL.createObjectURL(await readable(blob));
    try {
      const placed = await this.session.request("place program", { url, name });
      this.resumable = this.plain = false;
      this.used = this.loaded = this.inUse = null;
      this.dispatchEvent(new CustomEvent("replaced", { detail: { byFile: false } }));
      this.enter("idle");
      return placed;
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  showModel(about, { preset = presetOf(this.settings.defaults, about.config), name, ...more }) {
    this.training.restore(modelSnapshot(about, { ...more, name, preset, choice: this.choice.current }), name);
  }

  // ---- between two steps ----

  async pause() {
    if (this.phase !== "running") return;
    if (!this.bounded) await this.prepared; // pressed before the code was in the worker
    if (this.phase !== "running") return;
    if (!this.session.hears) this.status(`${DEAF} Press Stop to end it.`, "bad");
    else if (this.bounded) await this.session.request("pause");
    else if (!this.session.pauseAnywhere())
      this.status("This code has no step boundary (run.steps), so it cannot be paused. Press Stop to end it.", "bad");
  }

  // Goes on: a paused loop from where it waits, a stopped run from its last step, with the editor's
  // code.
  async resume(options = {}) {
    if (this.phase === "paused") return this.wrongInput() ?? this.session.request("resume");
    if (this.phase === "stopped") return this.execute({ ...options, resume: true });
  }

  // Why no run begins or goes on: an input is wrong. null: none is.
  wrongInput(options) {
    const wrong = this.settings.refuse(options);
    return wrong && this.notStarted(wrong);
  }

  async step() {
    if (this.phase === "paused") this.wrongInput() ?? (await this.oneStep());
    else if (this.phase === "running") await this.pause();
    else if (this.phase === "stopped") this.execute({ resume: true, paused: true });
    else if (this.phase === "idle") this.start({ paused: true });
  }

  // Of a loop that is paused. Who watches the step requests it first.
  oneStep() {
    this.dispatchEvent(new Event("stepping"));
    return this.session.request("step");
  }

  // The edited code takes over at the next step boundary. Resolves to {ok, error}.
  async apply() {
    await this.deciding; // Run was pressed just now
    const { editor } = this;
    const program = this.active ? this.program : this.chosen;
    const files = program ? await this.files.sources() : editor.files;
    if (!this.active) {
      try {
        await this.session.request("apply", { files });
        return { ok: true, error: null };
      } catch (error) {
        this.showError({ error: error.message, file: error.file, line: error.line });
        return { ok: false, error: error.traceback ?? error.message };
      }
    }
    const wrong = this.wrongInput();
    if (wrong) return wrong;
    this.take();
    if (!this.session.hears) return this.refuse(`Not applied. ${DEAF} Stop the run, or wait for its end.`);
    const before = this.inUse;
    this.status("Applying at the next step");
    editor.clearError();
    this.training.expectEdit(changed(before, files) ?? "no change");
    this.inUse = files;
    this.before = before;
    const attempt = (this.attempt = { error: null });
    let noted = false; // the loop has something to say on this code
    const hear = ({ detail }) => (noted ||= detail.some(({ type }) => type === "note"));
    this.session.addEventListener("training", hear);
    try {
      await this.begun?.promise; // before the loop runs there is no step to apply it at
      if (!this.active) return this.refuse("Not applied: the run ended before its next step.", before);
      const { step, notes } = await this.session.request("apply", { files });
      if (step === null)
        return this.refuse(`Not applied: ${this.program?.path ?? MAIN} has no training loop running.`, before);
      if (attempt.error) return { ok: false, error: attempt.error }; // it failed right after its first boundary
      editor.setRunning(files);
      if (notes.length > 1) this.notice(`Not carried over whole at step ${step}:\n${notes.join("\n")}`);
      const more = notes.length > 1 ? `, and ${notes.length - 1} more, listed in the console` : "";
      const changes = notes.length ? `: ${notes[0]}${more}` : "";
      if (!noted || changes) this.status(`Applied at step ${step.toLocaleString("en")}${changes}`, "good");
      return { ok: true, error: null };
    } catch (error) {
      this.inUse = before;
      this.error(error.traceback ?? error.message);
      this.showError(
        { error: error.message, file: error.file, line: error.line },
        "Not applied. Training continues with the previous code. ",
      );
      return { ok: false, error: error.traceback ?? error.message };
    } finally {
      this.session.removeEventListener("training", hear);
    }
  }

  // An input has changed while a run trains: it applies at the next step, where that is possible.
  async adjust(name) {
    if (!this.active || !this.used) return;
    const used = this.settings.live(name, this.used);
    if (!used) return;
    this.used = used;
    if (!this.session.hears) return this.status(`${DEAF} The input applies at the next run.`);
    try {
      await this.session.request("adjust", { settings: { ...used } });
    } catch (error) {
      if (this.active) this.status(`Not applied: ${error.message}`, "bad");
    }
  }

  // An edit that was not applied, and why; before: the files that run, where they were replaced.
  refuse(sentence, before = this.inUse) {
    this.inUse = before;
    this.status(sentence, "bad");
    return { ok: false, error: sentence };
  }

  // ---- what the loop says ----

  on_start({ resumable = true }) {
    this.begun?.end();
    this.bounded = true;
    this.resumable = resumable;
    this.plain = !resumable;
  }

  on_adjusted({ step, changes }) {
    if (this.phase !== "paused" && this.phase !== "running") return;
    this.status(`From step ${step.toLocaleString("en")}: ${this.settings.said(changes)}`, "good");
  }

  on_paused({ step }) {
    this.status(step === null ? "Paused" : `Paused before step ${step.toLocaleString("en")}`);
    this.enter("paused");
  }

  on_resumed() {
    this.status(`Running ${this.program?.path ?? MAIN}`);
    this.enter("running");
  }

  // A version that had been running failed: the one before goes on.
  on_reverted({ arrived, error, traceback, file, line, step }) {
    if (!arrived) return; // the answer to `apply` says it
    if (this.attempt) this.attempt.error = traceback;
    this.inUse = this.before;
    this.editor.setRunning(this.before);
    this.error(traceback);
    this.showError(
      { error, file, line },
      `Your edit failed, so the previous code continues from step ${step.toLocaleString("en")}. `,
    );
  }
}

// A promise and the function that resolves it.
function untilCalled() {
  let end;
  const promise = new Promise((resolve) => (end = resolve));
  return { promise, end };
}

// The first line that an edit brings (or takes away), for the mark on the chart; null where the
// files are the same.
export function changed(before, after) {
  for (const [name, text] of Object.entries(after)) {
    if (text === before[name]) continue;
    const lines = text.split("\n"),
      old = (before[name] ?? "").split("\n");
    let first = 0;
    while (lines[first] === old[first]) first++;
    // A line that was taken out: the new text goes on with what came after it.
    const gone = old.length > lines.length && lines[first] === old[first + old.length - lines.length];
    const line = (gone ? "− " + old[first] : (lines[first] ?? "")).trim() || "an empty line";
    return name === MAIN ? line : `${name}: ${line}`;
  }
  return null;
}

// What a finished run has reached, and what to try next.
function reached({ val, loss }) {
  const at = val ?? loss;
  const text = at === null ? "" : ` at a ${val === null ? "" : "validation "}loss of ${lossText(at, 2)}`;
  return `${text}. Next: Generate, or edit and Run, or raise Steps and Resume`;
}
