// The page's end of the worker: starts it, sends one source at a time, stops it, hands on what it says.
//
// Events (CustomEvent, data in `detail`): stage {name, loaded, total}, ready {device, boot}, failed {message}, output {kind, text},
// training {message objects}, state {state}, where state is booting, ready, running, stopping, failed; graphics {facts}, device {device,
// build, threads, precision, problem?}, compiling {compiled, total}.
//
// `run(source, {mode, options})` resolves to the outcome that app/session/running.py describes, with `stdout`; runs wait for one another.
// `chooseDevice(choice)` takes one of CHOICES, at once or at the next step of what runs. `graphics` resolves when the GPU has been opened,
// or could not be. `request(name, args, onPart)` asks Python something (app/session/requests.py), between two steps of a training loop or at
// once; it resolves to the answer, or rejects with an Error of one sentence ({traceback, file, line} beside it).

import { ANSWER, ChannelReader, ChannelWriter, newChannel, NOTICE, REQUEST, STDOUT, TRAINING } from "./channel.js";
import { CHOICES } from "./device_choice.js";

const FRAME = 16, CALM = 100; // ms from the first unread text to the reading of all
const STREAM = 48; // ms between two readings of pieces of an answer: drawing text takes the processor that decodes it
const STOP = 2, PAUSE = 10; // SIGINT and SIGUSR1, as in worker.js
const STOP_PATIENCE = 3000; // ms after which a Stop that did not take hold is told to the user

export class Session extends EventTarget {
  // variant, threads: what loadExtension should take instead of its own choice. choice: the device, one of CHOICES; null: by preference.
  constructor({ variant, threads, choice = null } = {}) {
    super();
    this.extension = { ...(variant && { variant }), ...(threads && { threads }) };
    this.choice = choice;
    this.isolated = self.crossOriginIsolated && typeof SharedArrayBuffer === "function";
    this.waiting = []; // runs not yet sent
    this.current = null; // the run in the worker
    this.lastId = 0;
    this.asked = new Map(); // number -> {resolve, reject, onPart} of requests not answered
    this.start();
  }

  start() {
    this.setState("booting");
    this.ready = new Promise((resolve, reject) => ([this.resolveReady, this.rejectReady] = [resolve, reject]));
    this.ready.catch(() => {}); // told through `failed` too
    this.graphics = new Promise((resolve) => (this.resolveGraphics = resolve));
    this.signal = this.isolated ? new Int32Array(new SharedArrayBuffer(16)) : null; // worker.js names its words
    const channel = this.isolated ? newChannel() : null;
    this.reader = channel && new ChannelReader(channel);
    const inbox = this.isolated ? newChannel() : null;
    this.inbox = inbox && new ChannelWriter(inbox, () => {}, () => false);
    this.unsent = [];
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: "python" });
    this.worker.onmessage = ({ data }) => this.receive(data);
    this.worker.onerror = (event) => this.fail(event.message || "the worker's program could not be loaded");
    this.worker.postMessage({ type: "boot", channel, inbox, signal: this.signal?.buffer ?? null, extension: this.extension, choice: this.choice });
  }

  receive(data) {
    if (data.type === "drain") this.drainSoon();
    else if (data.type === "output") this.deliver(data.records);
    else if (data.type === "stage") this.emit("stage", data);
    else if (data.type === "bytes") {
      this.drain(); // the steps before come first
      this.answer({ id: data.id, ok: true, result: data.about ? { ...JSON.parse(data.about), bytes: data.bytes } : data.bytes });
    }
    else if (data.type === "failed") this.fail(data.message);
    else if (data.type === "ready") {
      this.setState("ready");
      this.emit("ready", data);
      this.resolveReady(data);
      this.send();
      this.next();
    } else if (data.type === "done") this.finish(data);
    else if (data.type === "device" || data.type === "compiling") this.emit(data.type, data);
    else if (data.type === "graphics") {
      this.emit("graphics", data);
      this.resolveGraphics(data.facts);
    }
  }

  fail(message) {
    this.setState("failed");
    this.emit("failed", { message });
    this.rejectReady(new Error(message));
    this.settle({ ok: false, status: "error", error: message, result: null, stdout: "" });
  }

  // ---- text from the worker ----

  drainSoon() {
    if (this.drainTimer) return;
    // Once a frame is often enough, and steps of a training run are drawn more seldom than that; timers of a hidden page are slowed down, so there
    // the ring is read at once.
    if (document.hidden) this.drain();
    else {
      const pause = this.calm && !this.asked.size ? CALM : this.streaming ? STREAM - (performance.now() - this.drained) : 0;
      this.drainTimer = setTimeout(() => this.drain(), Math.max(FRAME, pause));
    }
  }

  drain() {
    clearTimeout(this.drainTimer);
    this.drainTimer = 0;
    this.drained = performance.now();
    if (this.reader) this.deliver(this.reader.read());
  }

  deliver(records) {
    const messages = [], answers = [];
    this.streaming = records.length > 0 && records.every(([recordKind]) => recordKind === ANSWER);
    this.calm = records.length > 0 && records.every(([recordKind, text]) => recordKind === TRAINING && text.startsWith('{"type": "step"'));
    let kind = 0, text = "";
    const flush = () => {
      if (!text) return;
      if (kind === STDOUT) this.current?.printed.push(text);
      this.emit("output", { kind, text });
    };
    for (const [recordKind, recordText] of records) {
      if (recordKind === TRAINING) messages.push(JSON.parse(recordText));
      else if (recordKind === ANSWER) answers.push(JSON.parse(recordText));
      else if (recordKind === kind && kind !== NOTICE) text += recordText;
      else {
        flush();
        [kind, text] = [recordKind, recordText];
      }
    }
    flush();
    if (messages.length) this.emit("training", messages);
    for (const answer of answers) this.answer(answer);
  }

  // ---- runs ----

  run(source, { mode = "call", options = null } = {}) {
    return new Promise((resolve) => {
      this.waiting.push({ id: ++this.lastId, source: String(source), mode, options, resolve });
      this.next();
    });
  }

  next() {
    if (this.current || !this.waiting.length || this.state !== "ready") return;
    this.drain(); // what a task in the background printed is not this run's
    this.current = this.waiting.shift();
    this.current.printed = [];
    const { id, source, mode, options } = this.current;
    if (this.signal) Atomics.store(this.signal, 0, 0); // a Stop that came too late for the run before is not for this one
    this.setState("running");
    this.worker.postMessage({ type: "run", id, source, mode, options });
  }

  // ---- requests ----

  request(name, args = {}, onPart = null) {
    const id = ++this.lastId;
    const promise = new Promise((resolve, reject) => this.asked.set(id, { resolve, reject, onPart }));
    promise.number = id; // for `cancel`
    this.unsent.push({ id, name, args });
    this.send();
    if (this.drainTimer) {
      clearTimeout(this.drainTimer); // somebody waits for an answer now
      this.drainTimer = setTimeout(() => this.drain(), FRAME);
    }
    return promise;
  }

  // Nobody wants the answer any more: a long one ends early.
  cancel(promise) {
    if (!this.asked.has(promise.number)) return;
    if (this.signal) Atomics.store(this.signal, 3, promise.number);
    else this.worker.postMessage({ type: "cancel", id: promise.number });
  }

  send() {
    if (this.state === "booting") return; // `ready` calls again
    if (!this.signal) {
      for (const request of this.unsent.splice(0)) this.worker.postMessage({ type: "request", ...request });
      return;
    }
    let sent = 0;
    while (this.unsent.length && this.inbox.offer(REQUEST, JSON.stringify(this.unsent[0]))) sent += Boolean(this.unsent.shift());
    if (sent) {
      Atomics.store(this.signal, 2, 1);
      Atomics.notify(this.signal, 0); // for Python that waits there
      this.worker.postMessage({ type: "wake" });
    }
    if (this.unsent.length) setTimeout(() => this.send(), 20);
  }

  answer({ id, part, ok, result, error, ...about }) {
    const asked = this.asked.get(id);
    if (!asked) return;
    if (ok === undefined) return asked.onPart?.(part);
    this.asked.delete(id);
    if (ok) asked.resolve(result);
    else asked.reject(Object.assign(new Error(error), about));
  }

  finish(outcome) {
    this.drain(); // all that was printed comes before the end
    if (outcome.id !== this.current?.id) return;
    clearTimeout(this.stopTimer);
    const { resolve, printed } = this.current;
    this.current = null;
    if (outcome.device) this.emit("device", outcome.device);
    this.setState("ready");
    resolve({ ...outcome, stdout: printed.join("") });
    this.next();
  }

  // Ends every run that has been asked for with this outcome.
  settle(outcome) {
    clearTimeout(this.stopTimer);
    const runs = [...(this.current ? [this.current] : []), ...this.waiting];
    this.current = null;
    this.waiting = [];
    for (const run of runs) run.resolve(outcome);
    for (const { reject } of this.asked.values()) reject(new Error(outcome.error));
    this.asked.clear();
  }

  chooseDevice(choice) {
    this.choice = choice;
    if (this.signal) Atomics.store(this.signal, 1, CHOICES.indexOf(choice) + 1);
    this.worker.postMessage({ type: "device", choice });
  }

  // Stops what runs and forgets what waits. Without shared memory Python cannot be reached while it runs: the worker is replaced.
  interrupt() {
    const dropped = this.waiting.splice(0);
    for (const run of dropped) run.resolve({ ok: false, status: "stopped", error: "KeyboardInterrupt", result: null, stdout: "" });
    if (!this.current) return;
    if (!this.signal) return this.restart("This page is not cross-origin isolated, so Stop restarts Python: its variables are gone.");
    this.setState("stopping");
    Atomics.store(this.signal, 0, STOP);
    Atomics.notify(this.signal, 0);
    this.worker.postMessage({ type: "interrupt" }); // for Python that waits in JavaScript
    clearTimeout(this.stopTimer);
    this.stopTimer = setTimeout(() => this.emit("stuck", {}), STOP_PATIENCE);
  }

  // Pauses code that has no step boundary, wherever it is; false where that cannot be done.
  pauseAnywhere() {
    if (!this.signal || !this.current) return false;
    Atomics.compareExchange(this.signal, 0, 0, PAUSE);
    Atomics.notify(this.signal, 0);
    return true;
  }

  // A new worker and a new Python. What ran is told `reason`.
  restart(reason) {
    this.worker.terminate();
    this.settle({ ok: false, status: "stopped", error: "KeyboardInterrupt: " + reason, result: null, stdout: "" });
    this.start();
  }

  // Python goes for good, and what waits for it is told `reason`.
  end(reason) {
    this.worker.terminate();
    this.state = "ended";
    this.settle({ ok: false, status: "stopped", error: reason, result: null, stdout: "" });
    this.rejectReady(new Error(reason));
    this.resolveGraphics({ missing: reason });
  }

  setState(state) {
    this.state = state;
    this.emit("state", { state });
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
