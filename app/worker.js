// The one worker in which Python lives. It starts Pyodide, loads the C++ extension (this worker is thread 0 of its pool), installs
// the package, and then runs what the page sends, one source at a time. The page's end is session.js.
//
// In:   boot {channel, signal, extension}   run {id, mode, source, settings}   interrupt
// Out:  stage {name, loaded, total}   ready {device, boot}   failed {message}   drain | output {records}   done {id, ...outcome}
//
// `signal` is Pyodide's interrupt buffer: the page writes 2 there to stop Python. Messages of a running program (text, training
// numbers) go through channel.js.

import { BatchWriter, ChannelWriter } from "./channel.js";
import { startPython } from "./python_start.js";

let python; // {run, interrupt} of app/session, once booted
let output; // ChannelWriter or BatchWriter
let signal = null;

const post = (message) => self.postMessage(message);

async function boot({ channel, signal: buffer, extension }) {
  signal = buffer && new Int32Array(buffer);
  output = channel ? new ChannelWriter(channel, post, () => signal[0] !== 0) : new BatchWriter(post);
  const host = {
    write: (kind, text) => output.write(kind, text),
    flush: () => output.flush(),
    // Waits without burning a core; a Stop ends the wait. True where waiting is possible at all.
    sleep: (ms) => {
      output.flush();
      if (signal) Atomics.wait(signal, 0, 0, ms);
      return signal !== null;
    },
  };
  const stage = (name, loaded, total) => post({ type: "stage", name, loaded, total });
  try {
    const started = await startPython({ host, signal, extension, stage });
    python = started.session;
    post({ type: "ready", device: started.device, boot: started.times });
  } catch (error) {
    post({ type: "failed", message: String(error?.message ?? error) });
  }
}

async function run({ id, mode, source, settings }) {
  let outcome;
  try {
    outcome = JSON.parse(await python.run(source, mode, JSON.stringify(settings ?? null)));
  } catch (error) {
    // Only an interrupt that arrived in the last instant, after the user's code, or the end of the interpreter itself comes here.
    const stopped = String(error).includes("KeyboardInterrupt");
    outcome = { ok: false, status: stopped ? "stopped" : "error", error: String(error?.message ?? error), result: null };
  }
  output.flush();
  post({ type: "done", id, ...outcome });
}

self.onmessage = ({ data }) => {
  if (data.type === "boot") boot(data);
  else if (data.type === "run") run(data);
  else if (data.type === "interrupt") {
    // This is read only while Python waits (top-level await) or idles: the flag was not for running code, so the wait is ended instead.
    if (signal) signal[0] = 0;
    python?.interrupt();
  }
};
