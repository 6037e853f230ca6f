// The buttons that control a run: which of them can be pressed, and what each does. They are
// disabled in index.html, and live from when this is made.

const part = (id) => document.getElementById(id);
const PHASES = {
  idle: { pause: "Pause", title: "" },
  running: { pause: "Pause", title: "Pauses before the next step" },
  paused: { pause: "Resume", title: "Resumes before the next step" },
  stopped: { pause: "Resume", title: "Resumes from the last step, with the code in the editor" },
  stopping: { pause: "Pause", title: "" },
};

const ACTIONS = ["run", "pause", "apply", "train-own"]; // of which one at most is the primary one
const LONG_STEP = 10; // seconds

export class Buttons {
  // status(text, kind): the status line, which also says why a press did nothing. passing(): a way
  // to speak there for a while. question: the Question that is asked before a press drops a model.
  // welcome: the Welcome, whose Train one is the primary action of a fresh page.
  constructor({ session, editor, controls, training, entryPoints, question, entries, welcome, status, passing }) {
    Object.assign(this, { session, editor, controls, training, entryPoints, question, entries, welcome, status });
    this.silence = passing();
    for (const [id, press] of Object.entries({
      run: () => this.run(),
      "load-model": () => entryPoints.load(),
      "train-own": () => entryPoints.train(),
      pause: () => (controls.phase === "running" ? controls.pause() : controls.resume()),
      step: () => controls.step(),
      stop: () => controls.stop(),
      reset: () => controls.reset(),
      apply: () => controls.apply(),
      diff: () => this.diff(),
      revert: () => editor.revert(),
      restart: () => {
        training.ended();
        session.restart("Python was restarted.");
      },
    }))
      part(id).addEventListener("click", () => this.press(press));
    editor.addEventListener("run", () => this.runOrApply());
    editor.addEventListener("change", () => this.draw());
    entryPoints.settings.addEventListener("change", () => this.draw());
    entryPoints.settings.addEventListener("adopted", () => this.draw());
    editor.addEventListener("diff", () => this.showDiff());
    controls.addEventListener("phase", () => {
      if (controls.active) question.withdraw();
      this.draw();
    });
    session.addEventListener("state", () => this.showState());
    session.addEventListener("stuck", () => this.showStuck());
    session.addEventListener("silent", ({ detail }) => this.showSilence(detail));
    session.addEventListener("answers", () => this.takeBack());
    this.showState();
  }

  async press(does) {
    try {
      await does();
    } catch (error) {
      this.status(error.message, "bad");
    }
  }

  // A loaded model is dropped by a new run: not without a word.
  async run() {
    const { controls, question } = this;
    await controls.importing; // pressed while a model was being loaded
    const { drops } = controls;
    const sentence = `Run trains a new model and drops ${drops}. Resume continues its training; Generate writes with it.`;
    if (!drops || (await question.ask(sentence, "Run anyway", "Keep the model"))) await controls.start();
  }

  // Ctrl or Cmd+Enter in the editor.
  runOrApply() {
    if (this.controls.active) this.controls.apply();
    else if (this.session.state === "ready") this.press(() => this.run());
  }

  showState() {
    const { state } = this.session;
    this.draw();
    if (state !== "stopping") part("restart").hidden = state !== "failed";
    if (state !== "running") this.takeBack(); // what was said of the run before
    if (state === "stopping") this.say("Stopping");
    else if (this.stopping && part("status").textContent === this.stopping) this.say(null);
  }

  // On a Stop, until it has taken hold; null: it has. A run of the editor then says more.
  say(text, kind = "") {
    this.stopping = text;
    const { state } = this.session;
    if (text) this.status(text, kind);
    else this.status(state === "ready" || state === "running" ? "Stopped. Variables are kept." : "Restarting Python");
  }

  showStuck() {
    part("restart").hidden = false;
    this.say(
      "This code has not stopped yet: it is in one long call, or it catches KeyboardInterrupt. Wait, or restart Python: that clears its variables.",
      "bad",
    );
  }

  // Where a loop trains, its steps are watched (step_watch.js): what is said here is that Python is
  // in one long call.
  showSilence({ seconds, held }) {
    const { session, controls, entries } = this;
    const trains = controls.resumable && controls.active;
    if (entries.executing || session.state === "stopping" || (trains && (!held || seconds < LONG_STEP))) return;
    const why =
      held === null
        ? `it computes, or it is gone. The page cannot tell which: ${session.unshared}. Restart Python clears its variables.`
        : held
          ? "it is in one long call, or it is gone. Stop ends it where it can. Restart Python clears its variables."
          : "its code has no step boundary (run.steps) there. Stop ends it.";
    this.silence.say(`Python has not answered for ${seconds} s: ${why}`, held ? "bad" : "");
    if (held !== false) part("restart").hidden = false;
  }

  takeBack() {
    if (this.silence.text === null) return;
    this.silence.end();
    if (this.session.state !== "stopping") part("restart").hidden = this.session.state !== "failed";
  }

  draw() {
    const { session, editor } = this,
      { phase, active } = this.controls,
      ready = session.state === "ready";
    part("run").disabled = part("train-own").disabled = !ready;
    part("load-model").disabled = !ready;
    const first = this.primary();
    for (const id of ACTIONS) part(id).classList.toggle("primary", id === first);
    part("stop").disabled = session.state !== "running" && session.state !== "stopping";
    part("pause").disabled = !(phase === "running" || phase === "paused" || (phase === "stopped" && ready));
    part("pause").textContent = PHASES[phase].pause;
    part("pause").title = PHASES[phase].title;
    part("step").disabled = !(phase === "running" || phase === "paused" || ready);
    part("reset").disabled = phase === "idle" || phase === "stopping";
    part("apply").disabled = !active || !editor.changed;
    part("diff").disabled = part("revert").disabled = !editor.changed;
    part("run-key").textContent =
      `${navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl+"}Enter ${active ? "applies" : "runs"}`;
    document.body.dataset.phase = phase;
    if (!editor.changed && editor.diffing) editor.showDiff(false);
  }

  // The one action of the state, or null: with a loaded model it is the Generate panel's own.
  primary() {
    const { controls, editor, entryPoints, training, welcome } = this,
      { phase, active, loaded } = controls;
    if (active && editor.changed) return "apply";
    if (active) return phase === "stopping" ? null : "pause";
    if (loaded) return null;
    if (phase === "stopped" && training.run?.reason === "stopped") return "pause"; // its name is Resume
    return welcome.fresh && entryPoints.untouched() ? "train-own" : "run";
  }

  // On a phone the editor may be out of sight.
  diff() {
    const { editor } = this;
    editor.showDiff(!editor.diffing);
    if (!editor.diffing) return;
    const { top, bottom } = part("editor").getBoundingClientRect();
    if (bottom < 0 || top > innerHeight - part("dock").offsetHeight) part("editor").scrollIntoView({ block: "start" });
  }

  showDiff() {
    part("diff").setAttribute("aria-pressed", String(this.editor.diffing));
  }
}
