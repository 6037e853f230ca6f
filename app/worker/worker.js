// @ts-check
// The one worker in which Python lives. It starts Pyodide, loads the C++ extension (this worker is
// thread 0 of its pool), installs the package, and then runs what the page sends, one source at a
// time. The page's end is session.js.
//
// In: PageMessage. Out: WorkerMessage (protocol.js).
//
// `signal` is shared memory of seven words: Pyodide's interrupt buffer (the page writes a signal's
// number there: 2 stops Python, 10 pauses code without step boundaries, 12 stops the console entry
// that a training loop answers); the device that the user has chosen (a place in CHOICES: a
// training loop looks there between two steps, and whoever reads it clears it); 1 while there are
// requests in the inbox; the number of a cancelled request; a count that rises while the worker's
// event loop turns and where Python looks for requests (a beat); a count of the Stops that were
// seen; the number of the run that the last Stop is for. Without shared memory a beat is a message.
//
// The end of this worker is noticed by the lock `life`, which the browser takes back with the
// worker, and by the beats. What the page needs of the scope is bound here, before any code of the
// user runs: replacing `self.postMessage` or `self.onmessage` changes nothing. Each message carries
// the key that came with the boot message. Code of the user cannot read it, so the page ignores
// what such code posts. This worker ignores events that code dispatches (`isTrusted`).
//
// Messages of a running program (text, training numbers) go through channel.js.

import { BatchWriter, ChannelReader, ChannelWriter } from "./channel.js";
import { CHOICES, preferred } from "./devices.js";
import { decode, encode } from "./json_text.js";
import { startPython } from "./python_start.js";

/** @typedef {import("./protocol.js").PageMessage} PageMessage */
/** @typedef {import("./protocol.js").WorkerMessage} WorkerMessage */
/** @typedef {import("./python_start.js").Host} Host */
/** @typedef {import("./python_start.js").PythonBuffer} PythonBuffer */
/** @typedef {import("./python_start.js").Started} Started */

/** @type {Started | null} */
let started = null; // Python, the GPU and the extension with 64-bit addresses, once booted
/** @type {ChannelWriter | BatchWriter} */
let output;
/** @type {Int32Array | null} */
let signal = null;
/** @type {string | null} */
let chosen = null; // the device that the user has chosen, where there is no shared memory
/** @type {string | null} */
let preference = null; // the page's own choice, when it came while something ran
let running = 0; // runs that Python has begun and not ended
let newest = 0; // the number of the last run that was begun
/** @type {ChannelReader | null} */
let inbox = null; // of requests
/** @type {import("./protocol.js").Request[]} */
const requested = []; // where there is no shared memory
const cancelled = new Set(); // numbers of requests, where there is no shared memory
/** @type {Promise<unknown> | null} */
let serving = null; // a promise while Python answers requests or changes its device, and nothing runs

const REST_PATIENCE = 60; // ms for the next piece of a request
const STOP = 2, // what the first word of `signal` is then: SIGINT
  ENTRY_STOP = 12; // SIGUSR2
const CHOSEN = 1, // words of `signal`
  REQUESTED = 2,
  CANCELLED = 3,
  BEAT = 4,
  HEARD = 5,
  STOPPED = 6;
const BEATS = 250; // ms between two of the event loop's
const postMessage = self.postMessage.bind(self);
let key = ""; // of every message from here; never part of what code of the user can reach
/**
 * @param {WorkerMessage} message
 * @param {Transferable[]} transfer
 */
const post = (message, transfer = []) => postMessage({ ...message, key }, transfer);

let beaten = 0; // when, without shared memory
const heard = () => void (signal && Atomics.add(signal, HEARD, 1));

function beat() {
  if (signal) return void Atomics.add(signal, BEAT, 1);
  const now = performance.now();
  if (now - beaten < BEATS) return;
  beaten = now;
  post({ type: "beat" });
}

/**
 * Holds the lock for as long as this worker lives.
 * @param {string} life
 */
function live(life) {
  const held = navigator.locks?.request(life, () => {
    post({ type: "held" });
    return new Promise(() => {});
  });
  held?.catch(() => {}); // the browser gives the page no storage and no locks: watch() tells of an end
  setInterval(beat, BEATS);
  // A closed worker could go on computing and never be heard.
  const close = () => void ended({ pyodide_fatal_error: true, message: "its code closed Python's worker" });
  for (const scope of [self, Object.getPrototypeOf(self)])
    Object.defineProperty(scope, "close", { value: close, configurable: true, writable: true });
}

/** @param {import("./protocol.js").BootMessage} message */
async function boot({ channel, inbox: requests, signal: buffer, extension, choice, life, key: given }) {
  if (key) return;
  key = given;
  signal = buffer && new Int32Array(buffer);
  live(life);
  inbox = requests && new ChannelReader(requests);
  output = channel ? new ChannelWriter(channel, post, () => signal?.[0] === STOP) : new BatchWriter(post);
  /** @type {Host} */
  const host = {
    write: (kind, text) => (beat(), output.write(kind, text)),
    flush: () => output.flush(),
    // Waits without burning a core; a Stop ends the wait. True where waiting is possible at all.
    sleep: (ms) => {
      beat();
      output.flush();
      if (signal) Atomics.wait(signal, 0, 0, ms);
      return signal !== null;
    },
    takeChoice,
    interrupt: (number) => void (signal && Atomics.store(signal, 0, number)),
    heard,
    isolated: signal !== null,
    hasRequests: () => (beat(), waits()),
    // JSON list of the requests that have come completely. The rest of a long one is waited for as
    // long as it keeps coming.
    takeRequests: () => {
      if (!signal || !inbox) return JSON.stringify(requested.splice(0));
      const texts = [];
      do {
        Atomics.store(signal, REQUESTED, 0);
        for (const [, text] of inbox.read()) texts.push(text);
        if (inbox.incomplete && !Atomics.load(signal, REQUESTED)) Atomics.wait(signal, 0, 0, REST_PATIENCE);
      } while (inbox.incomplete && Atomics.load(signal, REQUESTED));
      return `[${texts.join(",")}]`;
    },
    cancelled: (id) => (signal ? Atomics.load(signal, CANCELLED) === id : cancelled.has(id)),
    // Waits for a request or a Stop; true where that is possible.
    waitForRequest: (ms) => {
      beat();
      output.flush();
      if (signal && !Atomics.load(signal, REQUESTED)) Atomics.wait(signal, 0, 0, ms);
      return signal !== null;
    },
    // Bytes (a Python buffer, or what `newBuffer` gave) as the answer to a request, with JSON about
    // them or alone.
    answerBytes: (id, data, about) => {
      const bytes = data instanceof Uint8Array ? data : read(data, (view) => view.slice());
      post({ type: "bytes", id, bytes, about }, [bytes.buffer]);
    },
    newBuffer: (length) => new Uint8Array(length),
    copyInto: (buffer, at, data) => read(data, (view) => buffer.set(view, at)),
    yieldToEvents: (ms) => (output.flush(), new Promise((resume) => setTimeout(resume, ms))),
  };
  /**
   * @template T
   * @param {PythonBuffer} data
   * @param {(view: Uint8Array) => T} use
   * @returns {T}
   */
  const read = (data, use) => {
    const view = data.getBuffer("u8");
    try {
      return use(view.data);
    } finally {
      view.release();
    }
  };
  const compiling = progressNow((progress) => post({ type: "compiling", ...progress }));
  /** @type {import("./python_start.js").StageReport} */
  const stage = (name, loaded, total) => post({ type: "stage", name, loaded, total });
  try {
    started = await startPython({ host, signal, extension, stage, compiling, ended });
    post({ type: "ready", device: started.device, boot: started.times });
    chooseDevice(started, choice);
  } catch (error) {
    post({ type: "failed", message: messageOf(error) });
  }
}

/** @param {any} error */
const messageOf = (error) => String(error?.message ?? error);

/**
 * Whether the error is a Stop that came before or after the user's code, or of one that is on its
 * way. Its text may be missing: Pyodide makes it in Python, which the Stop ended too. A Stop while
 * Pyodide converts an argument or the answer, which are text, is a ConversionError.
 * @param {any} error
 */
const isStop = (error) =>
  error?.type === "KeyboardInterrupt" ||
  error?.type === "ConversionError" ||
  String(error).includes("KeyboardInterrupt") ||
  signal?.[0] === STOP;

/**
 * The user's choice or, where there is none, what the page prefers, once the GPU is open; not under
 * the feet of a running program.
 *
 * @param {Started} started
 * @param {string | null} choice
 */
async function chooseDevice({ graphics, ...python }, choice) {
  await graphics.opened;
  const facts = graphics.facts();
  choice ??= preferred(facts).choice;
  try {
    if (choice !== "wasm") {
      if (running) preference = choice;
      else await useDevice(python, choice);
    }
  } finally {
    post({ type: "graphics", facts });
  }
}

// The device that the user has chosen since the last call, or undefined, which is None in Python.
function takeChoice() {
  const number = signal ? Atomics.exchange(signal, CHOSEN, 0) : 0;
  const choice = number ? CHOICES[number - 1] : chosen;
  chosen = null;
  return choice ?? undefined;
}

/**
 * Opening a device may wait, which needs JSPI where there is any. What is run or requested
 * meanwhile waits too, so that it finds the device that was chosen before it.
 *
 * @param {Pick<Started, "session" | "wide">} started
 * @param {string} choice
 */
async function useDevice(started, choice) {
  preference = null;
  while (serving) await serving.catch(() => {});
  serving = moveTo(started, choice);
  try {
    await serving;
  } catch (error) {
    if (!running || !isStop(error)) throw error;
    preference = choice; // the Stop was for the run that waits, and after it the choice takes hold
  } finally {
    serving = null;
    serve();
  }
}

/**
 * @param {Pick<Started, "session" | "wide">} started
 * @param {string} choice
 */
async function moveTo({ session, wide }, choice) {
  const { use_device } = session;
  if (choice === "wasm64") await wide.open(); // here, since Python can only wait for it where there is JSPI
  const facts = await waitingCall(use_device, choice);
  post({ type: "device", ...fields(facts) });
}

/**
 * What Python answered, as fields of a message: it makes no other message of it.
 * @param {string} json
 */
function fields(json) {
  const { type, id, key, ...rest } = decode(json);
  return rest;
}

/**
 * Calls a Python function that may wait (for a GPU). Every function has callPromising, which throws
 * where there is no JSPI.
 *
 * @param {import("./python_start.js").PythonFunction} python
 * @param {any[]} args
 */
async function waitingCall(python, ...args) {
  return typeof WebAssembly.Suspending === "function" ? python.callPromising(...args) : python(...args);
}

/**
 * Calls `report` at most every 50 ms, and with what completes a series at once.
 *
 * @param {import("../bridges/webgpu.js").Progress} report
 * @returns {import("../bridges/webgpu.js").Progress}
 */
function progressNow(report) {
  let last = 0;
  return (progress) => {
    const now = performance.now();
    if (progress.compiled < progress.total && now - last < 50) return;
    last = now;
    report(progress);
  };
}

/**
 * @param {Started} started
 * @param {import("./protocol.js").RunMessage} message
 */
async function run({ session, wide }, { id, mode, source, options }) {
  /** @type {import("./protocol.js").Outcome} */
  let outcome;
  running++;
  newest = id;
  while (serving) await serving.catch(() => {}); // how that ended is told where it began
  if (signal && Atomics.load(signal, STOPPED) === id) signal[0] = STOP; // its Stop ended what came before it
  try {
    outcome = fields(await session.run(source, mode, encode(options ?? null)));
  } catch (error) {
    // Only an interrupt that arrived in the last instant, after the user's code, or the end of the
    // interpreter itself comes here.
    if (ended(error)) return;
    if (!isStop(error)) return broken(error);
    outcome = { ok: false, status: "stopped", error: messageOf(error) || "KeyboardInterrupt", result: null };
  }
  running--;
  const choice = takeChoice() ?? preference; // of a program that had no step boundary
  if (choice && !running) {
    await useDevice({ session, wide }, choice).catch((error) => console.error(error));
    outcome.device = null;
  }
  output.flush();
  if (signal) Atomics.compareExchange(signal, 0, STOP, 0); // it came too late for this run
  post({ type: "done", id, ...outcome });
  serve(); // what was requested of a program that had no step boundary
}

// Answers requests where nothing runs. Python may wait for the GPU meanwhile, so one at a time.
async function serve() {
  if (running || serving || !started) return;
  const { serve_idle } = started.session;
  let stopped = false; // in the last instant: what waits behind that is not
  serving = waitingCall(serve_idle);
  try {
    await serving;
  } catch (error) {
    if (ended(error)) return;
    stopped = isStop(error);
    if (!stopped) return broken(error);
  }
  serving = null;
  if (stopped) serve();
}

// Whether there are requests that Python has not taken.
const waits = () => (signal ? Atomics.load(signal, REQUESTED) !== 0 : requested.length > 0);

/**
 * True where the error is the end of the interpreter: the page is told, and starts another one.
 * @param {any} error
 */
function ended(error) {
  const message = messageOf(error);
  if (
    !error?.pyodide_fatal_error &&
    !/^Pyodide already (exited|fatally failed)/.test(message) &&
    error?.name !== "ExitStatus"
  )
    return false;
  if (!started) return true; // it has been told
  started = null;
  output.flush();
  post({ type: "failed", message: `Python ended unexpectedly (${message.split("\n")[0].slice(0, 200)})` });
  return true;
}

/**
 * Python's side of the page, or this worker, failed in its own code: user code has replaced what
 * they need (builtins, modules), and nothing that the page requests would be answered.
 * @param {any} error
 */
function broken(error) {
  if (!started) return;
  started = null;
  output.flush();
  const last = messageOf(error).trim().split("\n").at(-1)?.slice(0, 200);
  post({
    type: "failed",
    message: `Python cannot continue: code replaced something that Python needs${last ? ` (${last})` : ""}`,
  });
}

// A task of Python's event loop ends in no call of ours. Where not even its error can be printed,
// the loop has lost what it needs, and the run's end would never be told.
// An error that only looks like the interpreter's end is one of the user's.
/** @param {any} error */
function escaped(error) {
  if (started?.over()) ended(error);
  else if (messageOf(error).startsWith("Error in sys.excepthook") && !isStop(error)) broken(error);
}
self.addEventListener("error", ({ isTrusted, error }) => isTrusted && escaped(error));
self.addEventListener("unhandledrejection", ({ isTrusted, reason }) => isTrusted && escaped(reason));

/** @param {PageMessage} data */
function hear(data) {
  if (data.type === "boot") boot(data);
  else if (data.type === "run") started && run(started, data);
  else if (data.type === "wake") serve();
  else if (data.type === "request") {
    requested.push(data);
    serve();
  } else if (data.type === "cancel") cancelled.add(data.id);
  else if (data.type === "device") {
    if (running) chosen = signal ? null : data.choice;
    else if (started) {
      takeChoice();
      useDevice(started, data.choice);
    }
  } else if (data.type === "interrupt") {
    // This is read only while Python waits or idles. Where it waits for the GPU inside its code,
    // the bridge sees the flag and the code gets the KeyboardInterrupt. Elsewhere (top-level await)
    // the flag was not for running code, so the wait is ended instead. A run that has not come to
    // its code yet finds the flag there. Where the run has ended, the flag may be the next one's.
    if (!running || data.id !== newest) return;
    if (started?.graphics.reopening || started?.graphics.gpu?.waiting) return;
    const number = data.entry ? ENTRY_STOP : STOP;
    // a Stop of an entry that its code has taken is not for what it awaits next
    if (data.entry && signal && Atomics.load(signal, 0) !== ENTRY_STOP) return;
    if (signal) signal[0] = 0;
    heard();
    if (started && !started.session.interrupt(data.entry) && signal) signal[0] = number;
  }
}

self.addEventListener("message", ({ isTrusted, data }) => {
  if (!isTrusted) return;
  try {
    hear(data);
  } catch (error) {
    if (isStop(error)) return void (running && signal && Atomics.store(signal, 0, STOP)); // in none of its code
    if (!ended(error)) broken(error);
  }
});
