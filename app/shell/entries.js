// Console entries on their way to Python, one after another: as a run where nothing runs, else as a
// request, which a training loop answers between two steps, and while it is paused.
//
// While an entry is executed at a step boundary the run waits for it: after MOMENT the status line
// says so, and a Stop ends the entry alone. Where Python hears the page only when a run has ended,
// an entry waits on the page.

import { DEAF } from "../run/controls.js";

const WAIT = 1000, // ms after which the console says what an entry waits for
  MOMENT = 5000; // ms after which the status line says that the run waits for an entry

const WAITS = "Answered before the next step, or when what runs ends.",
  WAITS_FOR_END = `Answered when what runs ends. ${DEAF}`;

export class Entries {
  // passing(): a way to speak on the status line for a while (status.js).
  constructor({ session, passing }) {
    this.session = session;
    this.line = passing();
    this.last = Promise.resolve();
    this.begun = null; // {number, at, stopped} of the entry that is executed at a step boundary
  }

  // True while a run waits for an entry.
  get executing() {
    return this.begun !== null;
  }

  // The outcome of an entry: {status, shown, error}. waits(sentence): what it waits for, null when
  // it no longer does.
  enter(source, waits) {
    const outcome = this.last.then(() => this.execute(source, waits));
    this.last = outcome.catch(() => {});
    return outcome;
  }

  async execute(source, waits) {
    const { session } = this;
    const timer = setTimeout(() => waits(session.hears ? WAITS : WAITS_FOR_END), WAIT);
    const begun = () => {
      clearTimeout(timer);
      waits(null);
    };
    try {
      while (session.current) {
        if (!session.hears) await this.ended();
        else {
          const answer = await this.request(source, begun);
          if (answer.status !== "idle") return answer;
        }
      }
    } finally {
      begun();
    }
    return session.run(source, { mode: "console" });
  }

  // Until what runs has ended.
  ended() {
    return new Promise((resolve) => {
      this.session.addEventListener("state", () => resolve(), { once: true });
    });
  }

  async request(source, begun) {
    const answer = this.session.request("enter", { source }, () => {
      begun();
      this.begun = { number: answer.number, at: performance.now(), stopped: false };
      this.timer = setInterval(() => this.tell(), 1000);
    });
    try {
      return await answer;
    } catch (error) {
      return { status: "error", shown: null, error: error.traceback || error.message };
    } finally {
      clearInterval(this.timer);
      this.begun = null;
      this.line.end();
    }
  }

  tell() {
    const ms = performance.now() - this.begun.at;
    if (ms < MOMENT) return;
    const stop = this.session.signal ? " Stop ends the entry, not the run." : "";
    this.line.say(`The run waits for a console entry (${Math.round(ms / 1000)} s).${stop}`);
  }

  // A Stop: of the entry that the run waits for; where there is none, or it did not end at the
  // first one, of what runs.
  stop() {
    const { begun, session } = this;
    if (begun && !begun.stopped && session.interruptEntry(begun.number)) begun.stopped = true;
    else session.interrupt();
  }
}
