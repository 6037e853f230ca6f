// What this machine can do at most in WebAssembly, measured by all threads together: multiply-adds
// a second in vector registers, and bytes a second from memory at several working sets (the caches,
// then the memory itself). The denominators of the roofline on the Speed page and in
// tests/bench/kernels. Every thread runs an instance of the probe (probe.js); rates are added up.
// Runs in a page, a worker, and Node.

import { WORKING_SETS } from "./probe.js";
import { chooseVariant } from "./wasm.js";

class Threads {
  constructor(workers, relaxed) {
    this.workers = workers;
    this.relaxed = relaxed;
  }

  static async start(count, relaxed) {
    const url = new URL("./peak_worker.js", import.meta.url);
    const Kind = globalThis.Worker ?? (await import("node:worker_threads")).Worker;
    return new Threads(
      Array.from({ length: count }, () => new Kind(url, { type: "module" })),
      relaxed,
    );
  }

  // The sum over the threads, all at work at the same time.
  async measure(kind, bytes = 0) {
    const rates = await Promise.all(
      this.workers.map(
        (worker) =>
          new Promise((resolve, reject) => {
            const heard = (data) => ("rate" in data ? resolve(data.rate) : reject(new Error(data.error)));
            if (worker.on) worker.once("message", heard).once("error", reject);
            else
              [worker.onmessage, worker.onerror] = [
                ({ data }) => heard(data),
                ({ message }) => reject(new Error(message || "a probe's worker could not be started")),
              ];
            worker.postMessage({ kind, bytes, relaxed: this.relaxed });
          }),
      ),
    );
    return rates.reduce((sum, rate) => sum + rate, 0);
  }

  end() {
    for (const worker of this.workers) worker.terminate();
  }
}

/**
 * {threads, simd, gflop_s, bandwidth: [{bytes, gb_s}]}: what `threads` threads reach together;
 * bytes: the working set of one thread.
 * Takes about three seconds, in which nothing else should run.
 */
export async function measurePeaks({ threads = 1, relaxed = chooseVariant() === "relaxed-mt" } = {}) {
  const pool = await Threads.start(threads, relaxed);
  try {
    const plain = (await pool.measure("fma")) / 1e9,
      paired = (await pool.measure("paired")) / 1e9;
    const bandwidth = [];
    for (const bytes of WORKING_SETS)
      bandwidth.push({
        bytes,
        gb_s: Math.max(await pool.measure("read", bytes), await pool.measure("add", bytes)) / 1e9,
      });
    return { threads, simd: relaxed ? "relaxed" : "strict", gflop_s: Math.max(plain, paired), bandwidth };
  } finally {
    pool.end();
  }
}
