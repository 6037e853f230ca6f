// Watches that a run makes steps. After PATIENCE without one the status line says so and offers
// Stop; the speed and the time left are not known then. It ends with the next step.
//
// A step, an evaluation or a sample may take three times as long as the longest lately. The first
// step records and warms up, so it has longer. What shows that the run is alive begins the time
// anew: shaders that compile, a file that loads, an answer to a request.

import { NOTICE } from "../worker/channel.js";

const PATIENCE = 10_000, // ms
  FIRST = 30_000; // for the first step
const USUAL = 3; // times the longest step lately
const FADE = 0.9; // of the longest, by step
const TICK = 1000,
  ASLEEP = 5 * TICK; // a tick that comes later than this: the machine slept, or the page was held
const SAID = 5; // s between two changes of the sentence, which a screen reader reads out

export class StepWatch {
  // line: a way to speak on the status line for a while. button: Stop beside it. held(): something
  // else says why there is no step.
  constructor({ session, controls, training, line, button, held }) {
    Object.assign(this, { session, controls, training, line, button, held });
    this.trains = false;
    this.begin();
    button.addEventListener("click", () => controls.stop());
    session.addEventListener("training", ({ detail }) => detail.forEach((message) => this.hear(message)));
    session.addEventListener("compiling", () => this.alive());
    session.addEventListener("output", ({ detail }) => detail.kind === NOTICE && this.alive());
    controls.addEventListener("phase", ({ detail: { phase } }) => this.follow(phase));
  }

  begin() {
    this.longest = 0; // ms
    this.stepped = false;
    this.alive();
  }

  alive() {
    this.at = performance.now();
    if (this.line.text !== null) this.show(null);
  }

  // goes_on: the run continues, with edited code for instance.
  hear({ type, ms = 0, goes_on = false }) {
    if ((type === "start" && !goes_on) || type === "device") this.begin();
    if (type === "start") this.trains = true;
    if (type === "finish") this.trains = false;
    if (type === "step") this.stepped = true;
    if (["step", "eval", "sample_end"].includes(type)) this.longest = Math.max(ms, FADE * this.longest);
    this.alive();
  }

  follow(phase) {
    clearInterval(this.timer);
    this.alive();
    if (phase !== "running") return;
    this.looked = performance.now();
    this.timer = setInterval(() => this.look(), TICK);
  }

  look() {
    const now = performance.now();
    const late = now - this.looked > ASLEEP;
    this.looked = now;
    this.at = Math.max(this.at, this.session.answered);
    if (late || !this.trains || this.held()) return this.alive();
    const ms = now - this.at;
    const patience = this.stepped ? Math.max(PATIENCE, USUAL * this.longest) : FIRST;
    if (ms < patience) return this.line.text !== null && this.show(null);
    this.show(Math.floor(ms / 1000 / SAID) * SAID);
  }

  // seconds: without a step; null: there are steps.
  show(seconds) {
    if (seconds === null) this.line.end();
    else this.line.say(`No step for ${seconds} s. Stop?`, "bad");
    this.button.hidden = seconds === null;
    this.training.stall(seconds !== null);
  }
}
