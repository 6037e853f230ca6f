// What this machine can do at most in WebAssembly, measured: multiply-adds a second in vector registers, and bytes a second from memory at
// several working sets (the caches, then the memory itself). The denominators of the roofline on the Speed page and in tests/bench/kernels.
//
// The probe is a WebAssembly module of three loops, put together here byte by byte: no compiler is needed, and what the engine makes of it is
// what it makes of the extension's kernels. Every thread runs an instance of its own; rates are added up. Runs in a page, a worker, and Node.

import { chooseVariant } from "./wasm.js";

const ACCUMULATORS = 12, UNROLLED = 4; // V8 has 15 vector registers; an FMA takes four cycles and two begin in each
const STRIDE = 128; // bytes of one operand in one turn of a memory loop
const MB = 2 ** 20;
export const WORKING_SETS = [MB / 64, MB / 4, 4 * MB, 64 * MB]; // bytes that one thread goes through again and again
const PAGES = (64 * MB) / 65536;
const SECONDS = 0.12, ROUNDS = 3; // of each measurement; the best round counts: it is a peak

// ---- the module ----

const unsigned = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...unsigned(n >>> 7)]);
const signed = (n) => (n >= -64 && n < 64 ? [n & 127] : [(n & 127) | 128, ...signed(n >> 7)]);
const section = (id, content) => [id, ...unsigned(content.length), ...content];
const list = (items) => [...unsigned(items.length), ...items.flat()];
const text = (word) => list([...word].map((letter) => [letter.charCodeAt(0)]));
const get = (local) => [0x20, local], set = (local) => [0x21, local];
const vector = (code, ...immediate) => [0xfd, ...unsigned(code), ...immediate];
const [I32, F32, V128] = [0x7f, 0x7d, 0x7b], END = 0x0b, I32_ADD = 0x6a, I32_SUB = 0x6b, I32_BELOW = 0x49;
const load = (offset) => vector(0, 4, ...unsigned(offset)), store = (offset) => vector(11, 4, ...unsigned(offset));
const SPLAT = vector(0x13), LANE = vector(0x1f, 0), ADD = vector(0xe4), MUL = vector(0xe6), MADD = vector(0x105);
const float = (value) => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
const number = (value) => [0x41, ...signed(value)];
// A body that runs until `again` leaves 0.
const loop = (body, again) => [0x03, 0x40, ...body, ...again, 0x0d, 0, END];
const sumOf = (first, count) => [...get(first), ...Array.from({ length: count - 1 }, (_, i) => [...get(first + 1 + i), ...ADD]).flat(), ...LANE];
const body = (locals, code) => {
  const content = [...list(locals.map(([count, type]) => [...unsigned(count), type])), ...code, END];
  return [...unsigned(content.length), ...content];
};

// fma(turns): ACCUMULATORS chains. The addend is the chain where the engine fuses, as in a matrix product; where it does not, the factor is,
// so that no product can be computed once for all.
function fma(relaxed) {
  const x = 1, y = 2, first = 3;
  const chains = Array.from({ length: ACCUMULATORS }, (_, i) => first + i);
  const one = (a) => (relaxed ? [...get(x), ...get(y), ...get(a), ...MADD] : [...get(a), ...get(x), ...MUL, ...get(y), ...ADD]);
  const turn = Array.from({ length: UNROLLED }, () => chains.flatMap((a) => [...one(a), ...set(a)])).flat();
  return body([[2 + ACCUMULATORS, V128]], [
    ...float(relaxed ? 1e-9 : 0.5), ...SPLAT, ...set(x), ...float(0.5), ...SPLAT, ...set(y),
    ...chains.flatMap((a) => [...float(1), ...SPLAT, ...set(a)]),
    ...loop(turn, [...get(0), ...number(1), I32_SUB, 0x22, 0]),
    ...sumOf(first, ACCUMULATORS),
  ]);
}

// sweep(bytes): every 16 bytes below `bytes` are read; or, with `adds`, those of the upper half are added to those of the lower.
function sweep(adds) {
  const at = 1, other = 2, first = 3, lanes = STRIDE / 16;
  const piece = (i) => adds
    ? [...get(at), ...get(at), ...load(16 * i), ...get(other), ...load(16 * i), ...ADD, ...store(16 * i)]
    : [...get(at), ...load(16 * i), ...get(first + i), ...ADD, ...set(first + i)];
  return body([[2, I32], [lanes, V128]], [
    ...get(0), ...set(other),
    ...loop([
      ...Array.from({ length: lanes }, (_, i) => piece(i)).flat(),
      ...get(other), ...number(STRIDE), I32_ADD, ...set(other),
    ], [...get(at), ...number(STRIDE), I32_ADD, 0x22, at, ...get(0), I32_BELOW]),
    ...sumOf(first, lanes),
  ]);
}

/** The probe's bytes. relaxed: with relaxed_madd, else multiplication and addition. */
export function probeModule(relaxed) {
  const code = [["fma", fma(relaxed)], ["read", sweep(false)], ["add", sweep(true)]];
  return Uint8Array.from([
    0, 97, 115, 109, 1, 0, 0, 0,
    ...section(1, list([[0x60, ...list([[I32]]), ...list([[F32]])]])),
    ...section(3, list(code.map(() => [0]))),
    ...section(5, list([[0, ...unsigned(PAGES)]])),
    ...section(7, list(code.map(([name], index) => [...text(name), 0, index]))),
    ...section(10, list(code.map(([, content]) => content))),
  ]);
}

/** One thread's probe: (kind, bytes) -> operations (fma) or bytes moved (read, add) a second. */
export function makeProbe(relaxed) {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(probeModule(relaxed)));
  return (kind, bytes) => {
    // read goes through `bytes`; add through two halves of it, of which it reads both and writes one.
    const [call, amount] = {
      fma: [() => exports.fma(20_000), 20_000 * UNROLLED * ACCUMULATORS * 4 * 2],
      read: [() => exports.read(bytes), bytes],
      add: [() => exports.add(bytes / 2), 1.5 * bytes],
    }[kind];
    call();
    let best = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const begun = performance.now(), end = begun + SECONDS * 1000;
      let calls = 0, now = begun;
      for (let several = 1; now < end; now = performance.now()) {
        for (let i = 0; i < several; i++) call();
        calls += several;
        if (now - begun < SECONDS * 100) several *= 2; // the clock is read seldom against what it times
      }
      best = Math.max(best, (calls * amount) / (now - begun) * 1000);
    }
    return best;
  };
}

// ---- threads ----

class Threads {
  constructor(workers, relaxed) {
    this.workers = workers;
    this.relaxed = relaxed;
  }

  static async start(count, relaxed) {
    const url = new URL("./peak_worker.js", import.meta.url);
    const Kind = globalThis.Worker ?? (await import("node:worker_threads")).Worker;
    return new Threads(Array.from({ length: count }, () => new Kind(url, { type: "module" })), relaxed);
  }

  // The sum over the threads, all at work at the same time.
  async measure(kind, bytes = 0) {
    const rates = await Promise.all(this.workers.map((worker) => new Promise((resolve, reject) => {
      const heard = (data) => ("rate" in data ? resolve(data.rate) : reject(new Error(data.error)));
      if (worker.on) worker.once("message", heard).once("error", reject);
      else [worker.onmessage, worker.onerror] = [({ data }) => heard(data), ({ message }) => reject(new Error(message || "a probe's worker could not be started"))];
      worker.postMessage({ kind, bytes, relaxed: this.relaxed });
    })));
    return rates.reduce((sum, rate) => sum + rate, 0);
  }

  end() {
    for (const worker of this.workers) worker.terminate();
  }
}

/**
 * {threads, simd, gflop_s, bandwidth: [{bytes, gb_s}]}: what `threads` threads reach together; bytes: the working set of one thread.
 * Takes about three seconds, in which nothing else should run.
 */
export async function measurePeaks({ threads = 1, relaxed = chooseVariant() === "relaxed-mt" } = {}) {
  const pool = await Threads.start(threads, relaxed);
  try {
    const gflops = (await pool.measure("fma")) / 1e9;
    const bandwidth = [];
    for (const bytes of WORKING_SETS)
      bandwidth.push({ bytes, gb_s: Math.max(await pool.measure("read", bytes), await pool.measure("add", bytes)) / 1e9 });
    return { threads, simd: relaxed ? "relaxed" : "strict", gflop_s: gflops, bandwidth };
  } finally {
    pool.end();
  }
}
