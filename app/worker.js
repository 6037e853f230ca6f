// The one worker in which Python lives. It starts Pyodide, loads the C++ extension (this worker is thread 0 of its pool), installs
// the package, and then runs what the page sends, one source at a time. The page's end is session.js.
//
// In:   boot {channel, inbox, signal, extension, choice}   run {id, mode, source, options}   device {choice}   interrupt
//       request {id, name, args} (without shared memory)   cancel {id} (so too)   wake: there are requests
// Out:  stage {name, loaded, total}   ready {device, boot}   failed {message}   drain | output {records}   done {id, ...outcome}
//       bytes {id, bytes}: an answer   graphics {facts}   device {device, build, threads, precision, problem?}   compiling {compiled, total}
//
// `signal` is shared memory of four words: Pyodide's interrupt buffer (the page writes a signal's number there: 2 stops
// Python, 10 pauses code without step boundaries); the device that the user wants
// (a place in CHOICES: a training loop looks there between two steps, and whoever reads it clears it); 1 while there are requests in the inbox;
// the number of a request whose answer nobody wants any more.
// Messages of a running program (text, training numbers) go through channel.js.

import { BatchWriter, ChannelReader, ChannelWriter } from "./channel.js";
import { CHOICES, preferred } from "./device_choice.js";
import { startPython } from "./python_start.js";

let python; // {run, interrupt, use_device, serve_idle} of app/session, once booted
let graphics; // the GPU, or why there is none
let wide; // the extension with 64-bit addresses, once it is loaded
let output; // ChannelWriter or BatchWriter
let signal = null;
let wish = null; // the wanted device where there is no shared memory
let preference = null; // the page's own choice, when it came while something ran
let running = 0; // runs that Python has begun and not ended
let inbox = null; // ChannelReader of requests
const asked = [], cancelled = new Set(); // requests, and the numbers of those taken back, without shared memory
let serving = null; // a promise while Python answers requests and nothing runs

const STOP = 2; // what the first word of `signal` is then: SIGINT
const ASKED = 2, CANCELLED = 3; // words of `signal`
const post = (message) => self.postMessage(message);

async function boot({ channel, inbox: requests, signal: buffer, extension, choice }) {
  signal = buffer && new Int32Array(buffer);
  inbox = requests && new ChannelReader(requests);
  output = channel ? new ChannelWriter(channel, post, () => signal[0] === STOP) : new BatchWriter(post);
  const host = {
    write: (kind, text) => output.write(kind, text),
    flush: () => output.flush(),
    // Waits without burning a core; a Stop ends the wait. True where waiting is possible at all.
    sleep: (ms) => {
      output.flush();
      if (signal) Atomics.wait(signal, 0, 0, ms);
      return signal !== null;
    },
    wanted: takeWish,
    interrupt: () => void (signal && Atomics.store(signal, 0, STOP)),
    isolated: signal !== null,
    asked: () => (signal ? Atomics.load(signal, ASKED) !== 0 : asked.length > 0),
    // JSON list of the requests that have come.
    requests: () => {
      if (!signal) return JSON.stringify(asked.splice(0));
      Atomics.store(signal, ASKED, 0);
      return "[" + inbox.read().map(([, text]) => text).join(",") + "]";
    },
    cancelled: (id) => (signal ? Atomics.load(signal, CANCELLED) === id : cancelled.has(id)),
    // Waits for a request or a Stop; true where that is possible.
    rest: (ms) => {
      output.flush();
      if (signal && !Atomics.load(signal, ASKED)) Atomics.wait(signal, 0, 0, ms);
      return signal !== null;
    },
    // Bytes (a Python buffer, or what `room` gave) as the answer to a request, with JSON about them or alone.
    hand: (id, data, about) => {
      const bytes = data instanceof Uint8Array ? data : read(data, (view) => view.slice());
      self.postMessage({ type: "bytes", id, bytes, about }, [bytes.buffer]);
    },
    room: (length) => new Uint8Array(length),
    put: (room, at, data) => read(data, (view) => room.set(view, at)),
    turn: (ms) => (output.flush(), new Promise((resume) => setTimeout(resume, ms))),
  };
  const read = (data, use) => {
    const view = data.getBuffer("u8");
    try {
      return use(view.data);
    } finally {
      view.release();
    }
  };
  const compiling = progressNow((progress) => post({ type: "compiling", ...progress }));
  const stage = (name, loaded, total) => post({ type: "stage", name, loaded, total });
  try {
    const started = await startPython({ host, signal, extension, stage, compiling });
    python = started.session;
    graphics = started.graphics;
    wide = started.wide;
    post({ type: "ready", device: started.device, boot: started.times });
    chooseDevice(choice);
  } catch (error) {
    post({ type: "failed", message: String(error?.message ?? error) });
  }
}

// The user's choice or, where there is none, what the page prefers, once the GPU is open; not under the feet of a running program.
async function chooseDevice(choice) {
  await graphics.opened;
  const facts = graphics.facts();
  choice ??= preferred(facts).choice;
  try {
    if (choice !== "wasm") {
      if (running) preference = choice;
      else await useDevice(choice);
    }
  } finally {
    post({ type: "graphics", facts });
  }
}

// The device that the user wants since somebody asked last, or null. What a JavaScript function returns to Python for null is None.
function takeWish() {
  const number = signal ? Atomics.exchange(signal, 1, 0) : 0;
  const choice = number ? CHOICES[number - 1] : wish;
  wish = null;
  return choice ?? undefined;
}

// Opening a device may wait, which needs JSPI where there is any.
async function useDevice(choice) {
  preference = null;
  const { use_device } = python;
  if (choice === "wasm64") await wide.open(); // here, since Python can only wait for it where there is JSPI
  const facts = await waitingCall(use_device, choice);
  post({ type: "device", ...JSON.parse(facts) });
}

// Calls a Python function that may wait (for a GPU). Every function has callPromising, which throws where there is no JSPI.
function waitingCall(python, ...args) {
  return typeof WebAssembly.Suspending === "function" ? python.callPromising(...args) : python(...args);
}

// Calls `tell` at most every 50 ms, and with what completes a series at once.
function progressNow(tell) {
  let last = 0;
  return (progress) => {
    const now = performance.now();
    if (progress.compiled < progress.total && now - last < 50) return;
    last = now;
    tell(progress);
  };
}

async function run({ id, mode, source, options }) {
  let outcome;
  running++;
  while (serving) await serving;
  try {
    outcome = JSON.parse(await python.run(source, mode, JSON.stringify(options ?? null)));
  } catch (error) {
    // Only an interrupt that arrived in the last instant, after the user's code, or the end of the interpreter itself comes here.
    const stopped = String(error).includes("KeyboardInterrupt");
    outcome = { ok: false, status: stopped ? "stopped" : "error", error: String(error?.message ?? error), result: null };
  }
  running--;
  const choice = takeWish() ?? preference; // of a program that had no step boundary
  if (choice && !running) {
    await useDevice(choice);
    outcome.device = null;
  }
  output.flush();
  post({ type: "done", id, ...outcome });
  serve(); // what was asked of a program that had no step boundary
}

// Answers requests where nothing runs. Python may wait for the GPU meanwhile, so one at a time.
async function serve() {
  if (running || serving || !python) return;
  const { serve_idle } = python;
  serving = Promise.resolve(waitingCall(serve_idle));
  try {
    await serving;
  } catch (error) {
    console.error(error);
  }
  serving = null;
}

self.onmessage = ({ data }) => {
  if (data.type === "boot") boot(data);
  else if (data.type === "run") run(data);
  else if (data.type === "wake") serve();
  else if (data.type === "request") {
    asked.push(data);
    serve();
  } else if (data.type === "cancel") cancelled.add(data.id);
  else if (data.type === "device") {
    if (running) wish = signal ? null : data.choice;
    else if (python) {
      takeWish();
      useDevice(data.choice);
    }
  } else if (data.type === "interrupt") {
    // This is read only while Python waits or idles. Where it waits for the GPU inside its code, the bridge sees the flag and the code gets
    // the KeyboardInterrupt. Elsewhere (top-level await) the flag was not for running code, so the wait is ended instead.
    if (graphics?.reopening || graphics?.gpu?.waiting) return;
    if (signal) signal[0] = 0;
    python?.interrupt();
  }
};
