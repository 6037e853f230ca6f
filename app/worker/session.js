// @ts-check
// The page's end of the worker: starts it, sends one source at a time, stops it, hands on what it
// says.
//
// Events (CustomEvent, data in `detail`): the messages stage, ready, failed, graphics, device and
// compiling of protocol.js; training {message objects}; output {kind, text}; display {record}, a
// DisplayRecord as Python wrote it, unchecked; state {state}, where
// state is booting, ready, running, stopping, failed, ended; stuck: a Stop does not take hold;
// silent {seconds, held}: Python has not looked for requests for that long, held where it runs no
// code of its own either (one long call, or nothing), null where that cannot be seen; answers: it
// does again; died {message}: Python came to an end; restarted: another Python starts, after an end
// or a Stop.
//
// `run(source, {mode, options})` resolves to the outcome that py/tinygpt_session/execute.py
// describes, with `stdout`, the end of what it printed (printed.js); runs wait for one another.
// `chooseDevice(choice)` takes one of CHOICES, at once or at the next step of what runs. `graphics`
// resolves when the GPU has been opened, or could not be. `request(name, args, onPart)` sends
// Python one of the Requests of protocol.js, which it answers between two steps of a training loop
// or at once; it resolves to the answer, or rejects with an Error of one sentence ({traceback,
// file, line} beside it).

import { noSharedMemory } from "../bridges/shared_memory.js";
import {
  ANSWER,
  ChannelReader,
  ChannelWriter,
  DISPLAY,
  NOTICE,
  newChannel,
  REQUEST,
  STDOUT,
  TRAINING,
} from "./channel.js";
import { CHOICES } from "./devices.js";
import { decode, encode } from "./json_text.js";
import { Printed } from "./printed.js";

const FRAME = 16,
  CALM = 100; // ms from the first unread text to the reading of all
const STREAM = 48; // ms between two readings of pieces of an answer: drawing text takes the processor that decodes it
const STOP = 2,
  PAUSE = 10, // SIGINT and SIGUSR1, as in worker.js
  ENTRY_STOP = 12, // SIGUSR2
  PROBE = 28; // SIGWINCH, which Python ignores: it takes it out of the buffer where its code runs
const BEAT = 4, // words of `signal`: beats, Stops that Python has seen, and the run a Stop is for
  HEARD = 5,
  STOPPED = 6;
const AGAIN = 100; // ms until a Stop that nobody has seen is sent again
const WATCH = 500, // ms between two looks at the beats
  SILENCE = 2000; // ms without one, after which the user is told
const STOP_PATIENCE = 3000; // ms after which the user is told of a Stop that did not take hold

/** @typedef {import("./protocol.js").AnswerRecord} AnswerRecord */
/** @typedef {import("./protocol.js").GraphicsFacts} GraphicsFacts */
/** @typedef {import("./protocol.js").PageMessage} PageMessage */
/** @typedef {import("./protocol.js").ReadyMessage} ReadyMessage */
/** @typedef {import("./protocol.js").Request} Request */
/** @typedef {import("./protocol.js").Requests} Requests */
/** @typedef {import("./protocol.js").RunOptions} RunOptions */
/** @typedef {import("./protocol.js").TrainingMessage} TrainingMessage */
/** @typedef {import("./protocol.js").WorkerMessage} WorkerMessage */
/** @typedef {import("./channel.js").TextRecord} TextRecord */

/**
 * `restarted`: another Python took its place, so its variables are gone.
 *
 * @typedef {import("./protocol.js").Outcome & {
 *   stdout: string,
 *   omitted?: number,
 *   restarted?: boolean,
 * }} RunResult
 */

/**
 * A run that is queued, or runs.
 *
 * @typedef {object} QueuedRun
 * @property {number} id
 * @property {string} source
 * @property {string} mode
 * @property {RunOptions | null} options
 * @property {(result: RunResult) => void} resolve
 * @property {Printed} printed
 */

/**
 * A request that Python has not answered.
 *
 * @typedef {object} PendingRequest
 * @property {(answer: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {((part: any) => void) | null} onPart
 */

/**
 * A promise with the functions that settle it.
 *
 * @template T
 * @typedef {object} Deferred
 * @property {Promise<T>} promise
 * @property {(value: T) => void} resolve
 * @property {(error: Error) => void} reject
 */

/**
 * @template T
 * @returns {Deferred<T>}
 */
function deferred() {
  const settle = /** @type {Omit<Deferred<T>, "promise">} */ ({});
  const promise = new Promise((resolve, reject) => Object.assign(settle, { resolve, reject }));
  return Object.assign(settle, { promise });
}

/** @param {unknown} error */
const messageOf = (error) => String(/** @type {any} */ (error)?.message ?? error);

/**
 * What fails for one record is reported, and the others go on.
 * @param {() => unknown} act
 */
function guarded(act) {
  try {
    act();
  } catch (error) {
    reportError(error);
  }
}

/** @typedef {"booting" | "ready" | "running" | "stopping" | "failed" | "ended"} State */

export class Session extends EventTarget {
  /** @type {State} */
  state = "booting";
  /** @type {Deferred<ReadyMessage>} */
  started = deferred();
  /** @type {Deferred<GraphicsFacts>} */
  opened = deferred();
  /** @type {QueuedRun[]} */
  waiting = []; // runs that are not yet in the worker
  /** @type {QueuedRun | null} */
  current = null; // the run in the worker
  lastId = 0;
  /** @type {Map<number, PendingRequest>} */
  pending = new Map(); // by number
  /** @type {Request[]} */
  unsent = [];
  problem = ""; // why there is no Python
  /** @type {ReturnType<typeof setTimeout> | 0} */
  drainTimer = 0;
  drained = 0; // when, by performance.now
  answered = 0; // when the last answer, or part of one, came
  streaming = false; // the last records were pieces of an answer alone
  calm = false; // the last records were steps alone
  held = true; // runs wait
  began = false; // a run was begun in this Python
  deaths = 0; // in a row of Pythons in which no run was begun
  silent = false;
  /** @type {WorkerMessage[] | null} */
  unheard = null; // what the worker said before `attend`
  hears = true; // Python takes requests while its code runs
  life = ""; // the lock that the worker holds for as long as it lives
  key = ""; // which every message of the worker's program carries, and none of the user's code
  messages = 0; // of the worker
  /** @type {ReturnType<typeof setInterval> | undefined} */
  watchTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  stopTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  sendTimer;

  /**
   * variant, threads: what loadExtension should take instead of its own choice. choice: the device,
   * one of CHOICES; null: by preference. after: runs wait until it is settled. attended: false
   * where the listeners come later: the worker's messages are kept until `attend` is called.
   *
   * @param {import("./protocol.js").ExtensionOptions & {
   *   choice?: string | null,
   *   after?: Promise<unknown>,
   *   attended?: boolean,
   * }} options
   */
  constructor({ variant, threads, choice = null, after = Promise.resolve(), attended = true } = {}) {
    super();
    const release = () => {
      this.held = false;
      this.next();
    };
    after.then(release, release);
    this.extension = { ...(variant && { variant }), ...(threads && { threads }) };
    this.choice = choice;
    this.unheard = attended ? null : [];
    this.unshared = noSharedMemory();
    this.worker = this.start();
  }

  // Resolves when Python has started; rejects where it could not.
  get ready() {
    return this.started.promise;
  }

  get graphics() {
    return this.opened.promise;
  }

  start() {
    this.setState("booting");
    this.started = deferred();
    this.ready.catch(() => {}); // reported through `failed` too
    this.opened = deferred();
    this.signal = !this.unshared ? new Int32Array(new SharedArrayBuffer(28)) : null; // worker.js names its words
    const channel = this.signal && newChannel();
    this.reader = channel && new ChannelReader(channel);
    const inbox = this.signal && newChannel();
    this.inbox =
      inbox &&
      new ChannelWriter(
        inbox,
        () => {},
        () => false,
      );
    this.unsent = [];
    this.life = `tinygpt worker ${Date.now()} ${Math.random()}`;
    this.key = crypto.getRandomValues(new Uint32Array(4)).join(" ");
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: "python" });
    worker.onmessage = ({ data }) => {
      if (worker === this.worker && data?.key === this.key) this.hear(data); // else of code of the user
    };
    worker.onerror = (event) => {
      if (this.state === "booting")
        this.hear({ type: "failed", message: event.message || "the worker's program could not be loaded" });
    }; // later it is of a callback of the user's code, and the browser's console has it

    /** @type {import("./protocol.js").BootMessage} */
    const boot = {
      type: "boot",
      channel,
      inbox,
      signal: /** @type {SharedArrayBuffer | undefined} */ (this.signal?.buffer) ?? null,
      extension: this.extension,
      choice: this.choice,
      life: this.life,
      key: this.key,
    };
    worker.postMessage(boot);
    this.watch();
    return worker;
  }

  // The worker holds the lock of its life: whoever gets it next knows that the worker is gone.
  outlive() {
    const { worker } = this;
    const gone = navigator.locks.request(this.life, () => {
      if (this.worker === worker && this.state !== "ended" && this.state !== "failed")
        this.fail("Python's worker was ended");
    });
    gone.catch(() => {}); // the browser gives the page no locks: watch() tells of an end
  }

  // Looks for beats. Where there is none, a signal that Python ignores tells whether it runs code.
  // Without shared memory every message is a beat, and no signal reaches Python.
  watch() {
    clearInterval(this.watchTimer);
    const { signal } = this;
    let looked = performance.now(),
      heard = looked, // when there was a beat
      taken = looked, // when the word of signals was found free
      beats = 0;
    this.watchTimer = setInterval(() => {
      const now = performance.now(),
        count = signal ? Atomics.load(signal, BEAT) : this.messages,
        late = now - looked > 3 * WATCH; // this page itself was held, or slept
      looked = now;
      if (count !== beats || late || this.state === "booting" || this.state === "failed") {
        beats = count;
        heard = taken = now;
        if (this.silent) this.emit("answers", {});
        this.silent = false;
        return;
      }
      if (signal && Atomics.load(signal, 0) === 0) taken = now;
      if (signal) Atomics.compareExchange(signal, 0, 0, PROBE);
      if (now - heard < SILENCE) return;
      this.silent = true;
      const held = signal ? now - taken >= 2 * WATCH : null;
      this.emit("silent", { seconds: Math.round((now - heard) / 1000), held });
    }, WATCH);
  }

  /** @param {PageMessage} message */
  post(message) {
    this.worker.postMessage(message);
  }

  /** @param {WorkerMessage} data */
  hear(data) {
    if (this.unheard) this.unheard.push(data);
    else this.receive(data);
  }

  // The listeners are there.
  attend() {
    const { unheard } = this;
    this.unheard = null;
    for (const data of unheard ?? []) this.receive(data);
  }

  /** @param {WorkerMessage} data */
  receive(data) {
    this.messages++;
    if (data.type === "drain") this.drainSoon();
    else if (data.type === "output") this.deliver(data.records);
    else if (data.type === "stage") this.emit("stage", data);
    else if (data.type === "held") this.outlive();
    else if (data.type === "beat") return;
    else if (data.type === "bytes") {
      this.drain(); // the steps before come first
      this.answer({
        id: data.id,
        ok: true,
        result: data.about ? { ...decode(data.about), bytes: data.bytes } : data.bytes,
      });
    } else if (data.type === "failed") this.fail(String(data.message));
    else if (data.type === "ready") {
      this.hears = Boolean(this.signal) || data.device.jspi;
      this.setState("ready");
      this.emit("ready", data);
      this.started.resolve(data);
      this.send();
      this.next();
    } else if (data.type === "done") this.finish(data);
    else if (data.type === "device" || data.type === "compiling") this.emit(data.type, data);
    else if (data.type === "graphics") {
      this.emit("graphics", data);
      this.opened.resolve(data.facts);
    }
  }

  /**
   * Python did not start, or, after its start, came to an end (a fatal error, os._exit): then
   * another one takes its place.
   *
   * @param {string} message
   */
  fail(message) {
    this.drain(); // what was printed before
    const again = !this.began && this.deaths > 0; // nobody ran anything: the next one would end the same way
    if (this.state !== "booting" && this.state !== "failed" && !again) {
      this.deaths = this.began ? 0 : this.deaths + 1;
      this.emit("died", { message });
      return this.restart(`${message}. Python was restarted, and its variables are lost.`, "error");
    }
    this.worker.terminate();
    this.problem = message;
    this.setState("failed");
    this.emit("failed", { message });
    this.started.reject(new Error(message));
    this.settle({ ok: false, status: "error", error: message, result: null, stdout: "" });
  }

  // ---- text from the worker ----

  drainSoon() {
    if (this.drainTimer) return;
    // Once a frame is often enough, and steps of a training run are drawn more seldom than that;
    // timers of a hidden page are slowed down, so there the ring is read at once.
    if (document.hidden) this.drain();
    else {
      const pause =
        this.calm && !this.pending.size ? CALM : this.streaming ? STREAM - (performance.now() - this.drained) : 0;
      this.drainTimer = setTimeout(() => this.drain(), Math.max(FRAME, pause));
    }
  }

  drain() {
    clearTimeout(this.drainTimer);
    this.drainTimer = 0;
    this.drained = performance.now();
    if (this.reader) this.deliver(this.reader.read());
  }

  /** @param {TextRecord[]} records */
  deliver(records) {
    /** @type {TrainingMessage[]} */
    const messages = [];
    /** @type {AnswerRecord[]} */
    const answers = [];
    this.streaming = records.length > 0 && records.every(([recordKind]) => recordKind === ANSWER);
    this.calm =
      records.length > 0 &&
      records.every(([recordKind, text]) => recordKind === TRAINING && text.startsWith('{"type": "step"'));
    let kind = 0,
      text = "";
    const flush = () => {
      if (!text) return;
      if (kind === STDOUT) this.current?.printed.push(text);
      this.emit("output", { kind, text });
    };
    for (const [recordKind, recordText] of records) {
      if (recordKind === TRAINING) guarded(() => messages.push(decode(recordText)));
      else if (recordKind === ANSWER) guarded(() => answers.push(decode(recordText)));
      else if (recordKind === DISPLAY) {
        flush();
        text = "";
        guarded(() => this.emit("display", { record: decode(recordText) }));
      } else if (recordKind === kind && kind !== NOTICE) text += recordText;
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

  /**
   * @param {string} source
   * @param {{ mode?: string, options?: RunOptions | null }} options
   * @returns {Promise<RunResult>}
   */
  run(source, { mode = "call", options = null } = {}) {
    return new Promise((resolve) => {
      this.waiting.push({ id: ++this.lastId, source: String(source), mode, options, resolve, printed: new Printed() });
      if (this.state === "failed" || this.state === "ended") this.settle(this.without());
      this.next();
    });
  }

  // The outcome of what comes where there is no Python.
  without() {
    return { ok: false, status: /** @type {const} */ ("error"), error: this.problem, result: null, stdout: "" };
  }

  next() {
    if (this.held || this.current || !this.waiting.length || this.state !== "ready") return;
    this.drain(); // what a task in the background printed is not this run's
    const run = /** @type {QueuedRun} */ (this.waiting.shift());
    this.current = run;
    this.began = true;
    const { id, source, mode, options } = run;
    // a Stop that came too late for the run before is not for this one
    if (this.signal) Atomics.store(this.signal, 0, 0);
    this.setState("running");
    this.post({ type: "run", id, source, mode, options });
  }

  // ---- requests ----

  /**
   * The promise has the request's number, for `cancel`.
   *
   * @template {keyof Requests} Name
   * @param {Name} name
   * @param {Requests[Name]["args"]} args
   * @param {((part: Requests[Name]["part"]) => void) | null} onPart
   * @returns {Promise<Requests[Name]["answer"]> & { number: number }}
   */
  request(name, args = /** @type {any} */ ({}), onPart = null) {
    const id = ++this.lastId;
    const answer = new Promise((resolve, reject) => this.pending.set(id, { resolve, reject, onPart }));
    const promise = Object.assign(answer, { number: id });
    try {
      this.unsent.push({ id, name, args: encode(args) });
    } catch (error) {
      this.answer({ id, ok: false, error: `The request ${name} cannot be sent: ${messageOf(error)}` });
    }
    if (this.state === "failed" || this.state === "ended") this.settle(this.without());
    this.send();
    if (this.drainTimer) {
      clearTimeout(this.drainTimer); // somebody waits for an answer now
      this.drainTimer = setTimeout(() => this.drain(), FRAME);
    }
    return promise;
  }

  /**
   * The answer is no longer needed: a long one ends early.
   * @param {{ number: number }} promise
   */
  cancel(promise) {
    if (!this.pending.has(promise.number)) return;
    if (this.signal) Atomics.store(this.signal, 3, promise.number);
    else this.post({ type: "cancel", id: promise.number });
  }

  send() {
    // `ready` calls again
    if (this.state === "booting" || this.state === "failed" || this.state === "ended") return;
    const { signal, inbox } = this;
    if (!signal || !inbox) {
      for (const request of this.unsent.splice(0)) this.post({ type: "request", ...request });
      return;
    }
    const before = inbox.position;
    while (this.unsent.length && inbox.offer(REQUEST, JSON.stringify(this.unsent[0]))) this.unsent.shift();
    if (inbox.position !== before) {
      Atomics.store(signal, 2, 1);
      Atomics.notify(signal, 0); // for Python that waits there
      this.post({ type: "wake" });
    }
    clearTimeout(this.sendTimer);
    if (this.unsent.length) this.sendTimer = setTimeout(() => this.send(), inbox.rest ? 4 : 20);
  }

  /** @param {AnswerRecord} record */
  answer(record) {
    this.answered = performance.now();
    const request = this.pending.get(record.id);
    if (!request) return;
    if ("part" in record) return guarded(() => request.onPart?.(record.part));
    this.pending.delete(record.id);
    if (record.ok) return request.resolve(record.result);
    const { traceback, file, line } = record;
    request.reject(Object.assign(new Error(record.error), { traceback, file, line }));
  }

  /** @param {import("./protocol.js").DoneMessage} outcome */
  finish(outcome) {
    this.drain(); // all that was printed comes before the end
    const { current } = this;
    if (!current || outcome.id !== current.id) return;
    clearTimeout(this.stopTimer);
    const { resolve, printed } = current;
    this.current = null;
    if (outcome.device) this.emit("device", outcome.device);
    this.setState("ready");
    resolve({ ...outcome, ...printed.outcome() });
    this.next();
  }

  /**
   * Ends every run and every request with this outcome.
   * @param {RunResult} outcome
   */
  settle(outcome) {
    clearTimeout(this.stopTimer);
    const runs = [...(this.current ? [this.current] : []), ...this.waiting];
    this.current = null;
    this.waiting = [];
    for (const run of runs) run.resolve({ ...outcome, ...run.printed.outcome() });
    for (const { reject } of this.pending.values()) reject(new Error(outcome.error ?? ""));
    this.pending.clear();
  }

  /** @param {string} choice */
  chooseDevice(choice) {
    this.choice = choice;
    if (this.signal) Atomics.store(this.signal, 1, CHOICES.indexOf(choice) + 1);
    this.post({ type: "device", choice });
  }

  // Stops what runs and forgets what waits. Without shared memory Python cannot be reached while it
  // runs: the worker is replaced.
  interrupt() {
    const dropped = this.waiting.splice(0);
    for (const run of dropped)
      run.resolve({ ok: false, status: "stopped", error: "KeyboardInterrupt", result: null, stdout: "" });
    if (!this.current) return;
    if (!this.signal) return this.restart(`Stop restarts Python and clears its variables here: ${this.unshared}.`);
    this.setState("stopping");
    const heard = Atomics.load(this.signal, HEARD);
    Atomics.store(this.signal, STOPPED, this.current.id);
    Atomics.store(this.signal, 0, STOP);
    Atomics.notify(this.signal, 0);
    this.post({ type: "interrupt", id: this.current.id, entry: false }); // for Python that waits in JavaScript
    clearTimeout(this.stopTimer);
    this.stopTimer = setTimeout(() => this.emit("stuck", {}), STOP_PATIENCE);
    this.insist(this.signal, heard, STOP, () => this.state === "stopping");
  }

  /**
   * Stops the console entry that Python answers at a step boundary, and not what runs. False where
   * that cannot be done.
   *
   * @param {number} number  of its request
   */
  interruptEntry(number) {
    if (!this.signal || !this.current || !this.pending.has(number)) return false;
    const heard = Atomics.load(this.signal, HEARD);
    Atomics.store(this.signal, 0, ENTRY_STOP);
    Atomics.notify(this.signal, 0);
    this.post({ type: "interrupt", id: this.current.id, entry: true });
    this.insist(this.signal, heard, ENTRY_STOP, () => this.pending.has(number));
    return true;
  }

  // Python reads the flag and clears it in two steps, and a Stop between the two is lost: what was
  // not seen is sent again.
  /**
   * @param {Int32Array} signal
   * @param {number} heard  the Stops that had been seen before this one
   * @param {number} number  of the signal
   * @param {() => boolean} wanted  whether there still is something to stop
   */
  insist(signal, heard, number, wanted) {
    const timer = setInterval(() => {
      if (!wanted() || this.signal !== signal || Atomics.load(signal, HEARD) !== heard) clearInterval(timer);
      else if (Atomics.compareExchange(signal, 0, 0, number) === 0) Atomics.notify(signal, 0);
    }, AGAIN);
  }

  // Pauses code that has no step boundary, wherever it is; false where that cannot be done.
  pauseAnywhere() {
    if (!this.signal || !this.current) return false;
    Atomics.compareExchange(this.signal, 0, PROBE, 0);
    Atomics.compareExchange(this.signal, 0, 0, PAUSE);
    Atomics.notify(this.signal, 0);
    return true;
  }

  /**
   * A new worker and a new Python. What ran ends with `reason`.
   * @param {string} reason
   * @param {"stopped" | "error"} status
   */
  restart(reason, status = "stopped") {
    this.drain();
    this.worker.terminate();
    const error = status === "stopped" ? "KeyboardInterrupt: " + reason : reason;
    this.state = "booting"; // nobody runs anything in the one that is gone
    this.began = false;
    this.emit("restarted", {});
    this.settle({ ok: false, status, error, result: null, stdout: "", restarted: true });
    this.worker = this.start();
  }

  /**
   * Python goes for good, and what waits for it ends with `reason`.
   * @param {string} reason
   */
  end(reason) {
    clearInterval(this.watchTimer);
    this.worker.terminate();
    this.state = "ended";
    this.problem = reason;
    this.settle({ ok: false, status: "stopped", error: reason, result: null, stdout: "" });
    this.started.reject(new Error(reason));
    this.opened.resolve({ missing: reason, name: "", canWait: false });
  }

  /** @param {State} state */
  setState(state) {
    this.state = state;
    this.emit("state", { state });
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
