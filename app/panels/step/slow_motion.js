// Slow motion: one step after another, about one a second, and after each the lines of code that it
// executed are marked in the editor one by one.
//
//   new SlowMotion({controls, editor, made, say})
//   made()            resolves to the answer to "step_made" for the step that was requested last;
//                     null: there is none
//   say(line, text)   the line that is marked; null: none
//   toggle(), on      Event "change": on has changed
//
// It ends when it is toggled, when the run goes on by itself, and when it stops.

import { clearMarks, markLines } from "../../editor/marked_lines.js";

const STEP = 1000; // ms, about
const LEAST = 70; // ms for a line
const SETTLED = ["stopped", "idle"];

export class SlowMotion extends EventTarget {
  constructor({ controls, editor, made, say }) {
    super();
    Object.assign(this, { controls, editor, made, say, on: false });
    controls.addEventListener("phase", () => {
      const { phase } = controls;
      if (this.stepping && (phase === "running" || phase === "stopping" || SETTLED.includes(phase))) this.end();
    });
  }

  toggle() {
    if (this.on) return this.end();
    this.on = true;
    this.dispatchEvent(new Event("change"));
    return this.play();
  }

  end() {
    this.on = this.stepping = false;
    this.woken?.();
    clearMarks(this.editor);
    this.say(null);
    this.dispatchEvent(new Event("change"));
  }

  async play() {
    const { controls } = this;
    if (controls.phase !== "paused") {
      controls.step(); // pauses a run, or begins one that is paused
      await this.untilPaused();
    }
    this.stepping = controls.phase === "paused";
    while (this.on && this.stepping) {
      const begun = performance.now();
      if (controls.wrongInput()) break;
      controls.oneStep();
      const answer = await this.made();
      if (!this.on) return;
      if (!answer) break;
      const { lines } = answer;
      const each = Math.max(LEAST, (STEP - (performance.now() - begun)) / Math.max(1, lines.length));
      for (const line of lines) {
        this.mark(line);
        await this.wait(each);
        if (!this.on) return;
      }
      if (!lines.length) await this.wait(STEP);
    }
    if (this.on) this.end();
  }

  mark({ file, line, replayed }) {
    const text = this.controls.inUse?.[file];
    markLines(this.editor, file, line, line, text);
    const code = text?.split("\n")[line - 1]?.trim() ?? "";
    this.say(line, `Line ${line}: ${code}${replayed ? " (replayed from the recording)" : ""}`);
  }

  // A wait that `end` ends.
  wait(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.woken = () => (clearTimeout(timer), resolve());
    });
  }

  // The run waits, or there is none, or slow motion has ended.
  async untilPaused() {
    const { controls } = this;
    while (this.on && controls.phase !== "paused" && (controls.active || !SETTLED.includes(controls.phase)))
      await this.wait(50);
  }
}
