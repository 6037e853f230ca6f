// One thread of the peak measurement (peak.js). In: {kind, bytes, relaxed}. Out: {rate}, or
// {error}.
import { makeProbe } from "./probe.js";

const port = globalThis.postMessage ? globalThis : (await import("node:worker_threads")).parentPort;
let probe;

const answer = ({ kind, bytes, relaxed }) => {
  try {
    probe ??= makeProbe(relaxed);
    port.postMessage({ rate: probe(kind, bytes) });
  } catch (error) {
    port.postMessage({ error: String(error.message ?? error) });
  }
};
if (port.on) port.on("message", answer);
else port.onmessage = ({ data }) => answer(data);
