// @ts-check
// The bridge to the CPU extension: loads the right build and moves bytes between Pyodide's memory
// and the extension's.
//
// The extension is a separate WebAssembly module with its own memory; Python holds addresses in it
// as plain integers. A launch is written by Python into its command buffer and copied from there,
// so that a call carries one small number. Small writes and copies wait in a queue behind it, and
// one value comes back with each replay: after a step of training no cache holds what a call needs,
// and the call alone takes 25 us. Runs in the worker where Pyodide runs (that worker is thread 0 of
// the pool and may block), and in Node. Addresses and sizes are Numbers on both sides, also in the
// build with 64-bit addresses: they are below 2^53.

import { measureEngine } from "./probe.js";
import { noSharedMemory } from "./shared_memory.js";

const COMMAND_BYTES = 65536; // of launches, at the head of Python's command buffer; behind them, in words of 32 bits:
const WATCHED = COMMAND_BYTES >>> 2; // the address (two words) of a float32, or 0: see replay
const QUEUE = WATCHED + 2; // see settle
const BUFFER_BYTES = COMMAND_BYTES + 4096;
const MAX_THREADS = 16;
const PIECE = 2 ** 30; // bytes copied out at a time: engines refuse single copies of more than 2 GiB

// What starts threads where this realm has been confined (confine.js), after code of the user has
// run: nothing but threads of the 64-bit build, whatever it is called with. Not exported: code of
// the user can import this module.
const { Worker: Native } = globalThis;
const THREAD64 = new URL("./thread64.js", import.meta.url).href;
function Thread64() {
  const options = { __proto__: null, type: "module", name: "em-pthread" };
  return new Native(THREAD64, /** @type {any} */ (options));
}
/** @type {Record<string, number>} */
const MAX_BYTES = { wasm32: 2 ** 32, wasm64: 2 ** 34 }; // of memory, by the first word of the build

/**
 * The builds' functions (wasm_ext/bridge.cpp) and what else Emscripten gives.
 *
 * @typedef {object} BuildModule
 * @property {{ buffer: ArrayBuffer }} wasmMemory
 * @property {(address: number) => string} UTF8ToString
 * @property {{ terminateAllThreads(): void }} [PThread]
 * @property {() => number | bigint} _tg_build
 * @property {(threads: number) => number} _tg_start
 * @property {() => number} _tg_alive
 * @property {(nbytes: number) => number} _tg_alloc_js
 * @property {(address: number) => void} _tg_free_js
 * @property {() => number} _tg_in_use_js
 * @property {(nbytes: number) => number} _tg_reserve_js
 * @property {(address: number, slots: number) => number} _tg_run_js
 * @property {() => number} _tg_failed_at_js
 */

/**
 * Pyodide's Emscripten module.
 *
 * @typedef {{ HEAPU8: Uint8Array, HEAP32: Int32Array, HEAPU32: Uint32Array }} PythonModule
 */

/** @typedef {{ data: Uint8Array, nbytes: number, release(): void }} BufferView */

/**
 * An object of Python with the buffer protocol.
 *
 * @typedef {{ getBuffer(type: "u8"): BufferView }} PythonBuffer
 */

// A function that returns i8x16.relaxed_swizzle(i8x16.splat(1), i8x16.splat(2)): valid only where
// relaxed SIMD exists.
const RELAXED_SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
]);

// A module whose memory has 64-bit addresses.
const MEMORY64 = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 4, 1]);

/**
 * The build with 64-bit addresses (up to 16 GiB of memory), or null where this engine cannot run
 * it.
 */
export function wideVariant() {
  return chooseVariant() === "relaxed-mt" && WebAssembly.validate(MEMORY64) ? "relaxed64-mt" : null;
}

/**
 * What is fastest here. Of an engine with relaxed SIMD it is measured: `paired-mt` where it makes
 * one vector of 256 bits of two, `simd-mt` where it is slower with relaxed SIMD.
 */
export async function bestVariant() {
  const offered = chooseVariant();
  if (offered !== "relaxed-mt") return offered;
  const { pairs, plain } = await measureEngine();
  return plain ? "simd-mt" : pairs ? "paired-mt" : offered;
}

/**
 * What this engine offers: `relaxed-mt`, `simd-mt` or `simd-st` (threads need shared memory).
 */
export function chooseVariant() {
  if (noSharedMemory()) return "simd-st";
  return WebAssembly.validate(RELAXED_SIMD) ? "relaxed-mt" : "simd-mt";
}

async function cores() {
  const n = globalThis.navigator?.hardwareConcurrency ?? (await import("node:os")).availableParallelism();
  return Math.max(1, Math.min(n, MAX_THREADS));
}

/**
 * Loads the extension. `variant` forces a build; `threads` (default: all cores, maximum 16) counts
 * the caller; `base` is the URL of the folder of builds; `wasmBinary` is the .wasm's bytes where
 * they are at hand already. Resolves when all threads are ready.
 *
 * @param {object} options
 * @param {string} [options.variant]
 * @param {number} [options.threads]
 * @param {string} [options.base]
 * @param {ArrayBuffer | Uint8Array} [options.wasmBinary]
 */
export async function loadExtension({ variant, threads, base, wasmBinary } = {}) {
  variant ??= await bestVariant();
  const folder = base
    ? new URL(base, globalThis.location?.href ?? import.meta.url)
    : new URL("../../public/ext/", import.meta.url);
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  const { default: create } = await import(new URL(`tinygpt-${variant}.mjs`, folder).href);
  const threaded = variant.endsWith("-mt");
  const maxThreads = threaded ? Math.max(await cores(), Math.min(threads ?? 1, MAX_THREADS)) : 1;
  const module = await withThreads(() => create({ poolSize: maxThreads - 1, ...(wasmBinary && { wasmBinary }) }));
  // Threads start on their own event loops: all are started now, so that setThreads can be
  // synchronous later.
  module._tg_start(maxThreads);
  while (threaded && module._tg_alive() < maxThreads) await new Promise((resume) => setTimeout(resume, 1));
  return new Extension(module, variant, threads, maxThreads);
}

/**
 * The build makes its threads by the global Worker, before its first wait.
 *
 * @template T
 * @param {() => Promise<T>} create
 */
function withThreads(create) {
  if (!Native || "Worker" in globalThis) return create();
  Object.defineProperty(globalThis, "Worker", { value: Thread64, configurable: true });
  try {
    return create();
  } finally {
    Reflect.deleteProperty(globalThis, "Worker");
  }
}

/**
 * An address of 64 bits, which Python wrote at word `i`, in words.
 *
 * @param {Int32Array} python
 * @param {number} i
 */
const placeAt = (python, i) => (python[i + 1] * 2 ** 32 + (python[i] >>> 0)) / 4;

class Extension {
  #module;
  #memory;
  #words = new Int32Array(0); // the memory, 32 bits each; renewed when it has grown
  #floats = new Float32Array(0);
  /** @type {ArrayBuffer | null} */
  #buffer = null; // the memory's buffer that they show
  // Its HEAPU8 and HEAP32 change when its memory grows, so they are read at each use.
  #python = /** @type {PythonModule} */ (/** @type {unknown} */ (null)); // set by attach
  #commandInPython = 0;
  status = 0; // of the last replay, a Status of runtime.h
  namedThreads = 0; // what loadExtension was told; 0: Python measures (devices/thread_choice.py)

  /**
   * @param {BuildModule} module
   * @param {string} variant
   * @param {number | undefined} threads
   * @param {number} maxThreads
   */
  constructor(module, variant, threads, maxThreads) {
    this.#module = module;
    this.#memory = module.wasmMemory;
    this.variant = variant;
    this.maxThreads = maxThreads;
    this.build = module.UTF8ToString(Number(module._tg_build()));
    this.maxBytes = MAX_BYTES[this.build.split(" ")[0]];
    this.commands = module._tg_alloc_js(COMMAND_BYTES);
    this.namedThreads = threads ?? 0;
    this.setThreads(threads ?? maxThreads);
    this.#refresh();
    // Bound once: Python keeps the functions without their object.
    for (const name of [
      "alloc",
      "free",
      "inUse",
      "memoryBytes",
      "reserve",
      "bindCommand",
      "run",
      "settle",
      "replay",
      "poke",
      "peek",
      "upload",
      "download",
      "failedAt",
      "setThreads",
      "close",
    ])
      Object.assign(this, { [name]: /** @type {any} */ (this)[name].bind(this) });
  }

  #refresh() {
    if (this.#buffer === this.#memory.buffer) return;
    this.#buffer = this.#memory.buffer;
    this.#words = new Int32Array(this.#buffer);
    this.#floats = new Float32Array(this.#buffer);
  }

  /**
   * @param {number} address
   * @param {number} nbytes
   */
  #view(address, nbytes) {
    return new Uint8Array(this.#memory.buffer, address, nbytes);
  }

  /**
   * Uses up to `n` threads, the caller included, of those that are ready; returns how many.
   *
   * @param {number} n
   */
  setThreads(n) {
    return (this.threads = this.#module._tg_start(Math.max(1, Math.min(n, this.maxThreads))));
  }

  /**
   * Ends the pool's threads; the memory goes with the last reference to this. What is still called
   * runs on one thread.
   */
  close() {
    this.setThreads(1);
    this.maxThreads = 1;
    this.#module.PThread?.terminateAllThreads();
  }

  /** @param {{ _module: PythonModule }} pyodide */
  attach(pyodide) {
    this.#python = pyodide._module;
  }

  /**
   * Keeps the place of Python's command buffer (a bytearray that must not be resized) for good.
   *
   * @param {PythonBuffer} bytearray
   */
  bindCommand(bytearray) {
    const view = bytearray.getBuffer("u8"); // never released: the pin keeps the bytearray where it is
    if (view.nbytes < BUFFER_BYTES || view.data.byteOffset % 4)
      throw new RangeError(
        `the command buffer has ${view.nbytes} bytes at ${view.data.byteOffset}; it needs ${BUFFER_BYTES}, on a multiple of 4`,
      );
    this.#commandInPython = view.data.byteOffset;
  }

  /**
   * Does what is queued: entries of {to, from, words}, with the words behind it where from is 0,
   * until one goes to 0.
   */
  settle() {
    this.#refresh();
    const python = this.#python.HEAP32,
      words = this.#words,
      start = (this.#commandInPython >>> 2) + QUEUE;
    let at = start;
    for (let to; (to = placeAt(python, at)); ) {
      const from = placeAt(python, at + 2),
        n = python[at + 4];
      at += 5;
      for (let i = 0; i < n; i++) words[to + i] = from ? words[from + i] : python[at++];
    }
    python[start] = python[start + 1] = 0;
  }

  /** @param {number} nbytes */
  alloc(nbytes) {
    if (nbytes > this.maxBytes) return 0;
    return this.#module._tg_alloc_js(nbytes);
  }

  /** @param {number} address */
  free(address) {
    this.#module._tg_free_js(address);
  }

  inUse() {
    return this.#module._tg_in_use_js();
  }

  memoryBytes() {
    return this.#memory.buffer.byteLength;
  }

  /**
   * Makes the memory at least `nbytes` large, at once; false where there is not so much.
   *
   * @param {number} nbytes
   */
  reserve(nbytes) {
    return nbytes <= this.maxBytes && Boolean(this.#module._tg_reserve_js(nbytes));
  }

  /**
   * Runs the `nbytes` of launches at the head of Python's command buffer.
   *
   * @param {number} nbytes
   */
  run(nbytes) {
    this.#refresh();
    const from = this.#python.HEAP32,
      to = this.#words;
    let source = this.#commandInPython >>> 2,
      target = this.commands / 4;
    for (const end = target + nbytes / 4; target < end; ) to[target++] = from[source++];
    return this.#module._tg_run_js(this.commands, nbytes >>> 3);
  }

  /**
   * Does what is queued and runs the launches at `address`. Returns the number at the watched
   * address; undefined where a launch failed.
   *
   * @param {number} address
   * @param {number} slots
   */
  replay(address, slots) {
    this.settle();
    if ((this.status = this.#module._tg_run_js(address, slots))) return;
    this.#refresh(); // the launches may have made the memory grow
    return this.#floats[placeAt(this.#python.HEAP32, (this.#commandInPython >>> 2) + WATCHED)];
  }

  /**
   * Copies the first `nbytes` of Python's command buffer to `address`.
   *
   * @param {number} address
   * @param {number} nbytes
   */
  poke(address, nbytes) {
    this.#view(address, nbytes).set(
      this.#python.HEAPU8.subarray(this.#commandInPython, this.#commandInPython + nbytes),
    );
  }

  /**
   * Copies `nbytes` at `address` to the head of Python's command buffer.
   *
   * @param {number} address
   * @param {number} nbytes
   */
  peek(address, nbytes) {
    this.#python.HEAPU8.set(this.#view(address, nbytes), this.#commandInPython);
  }

  /**
   * Copies a Python buffer (or a typed array) to `address`.
   *
   * @param {number} address
   * @param {PythonBuffer | ArrayBufferView} data
   */
  upload(address, data) {
    if (ArrayBuffer.isView(data))
      return this.#view(address, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const view = data.getBuffer("u8");
    try {
      this.#view(address, view.data.length).set(view.data);
    } finally {
      view.release();
    }
  }

  /**
   * A copy of `nbytes` at `address`.
   *
   * @param {number} address
   * @param {number} nbytes
   */
  download(address, nbytes) {
    const copy = new Uint8Array(nbytes);
    for (let at = 0; at < nbytes; at += PIECE) copy.set(this.#view(address + at, Math.min(PIECE, nbytes - at)), at);
    return copy;
  }

  failedAt() {
    return this.#module._tg_failed_at_js();
  }
}
