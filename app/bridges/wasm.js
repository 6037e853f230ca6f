// The bridge to the CPU extension: loads the right build and moves bytes between Pyodide's memory and the extension's.
//
// The extension is a separate WebAssembly module with its own memory; Python holds addresses in it as plain integers. A launch is
// written by Python into its command buffer and copied from there, so that a call carries one small number. Runs in the worker
// where Pyodide runs (that worker is thread 0 of the pool and may block), and in Node.

const COMMAND_BYTES = 65536;
const MAX_THREADS = 16;

// A function that returns i8x16.relaxed_swizzle(i8x16.splat(1), i8x16.splat(2)): valid only where relaxed SIMD exists.
const RELAXED_SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11,
]);

/** What this engine offers: `relaxed-mt`, `simd-mt` or `simd-st` (threads need a cross-origin isolated page). */
export function chooseVariant() {
  const threads = typeof SharedArrayBuffer !== "undefined" && globalThis.crossOriginIsolated !== false;
  if (!threads) return "simd-st";
  return WebAssembly.validate(RELAXED_SIMD) ? "relaxed-mt" : "simd-mt";
}

async function cores() {
  const n = globalThis.navigator?.hardwareConcurrency ?? (await import("node:os")).availableParallelism();
  return Math.max(1, Math.min(n, MAX_THREADS));
}

/**
 * Loads the extension. `variant` forces a build; `threads` (default: all cores, at most 16) counts the caller; `base` is the URL of
 * the folder of builds; `wasmBinary` is the .wasm's bytes where they are at hand already. Resolves when all threads stand ready.
 */
export async function loadExtension({ variant = chooseVariant(), threads, base, wasmBinary } = {}) {
  const folder = base ? new URL(base, globalThis.location?.href ?? import.meta.url) : new URL("../../public/ext/", import.meta.url);
  if (!folder.pathname.endsWith("/")) folder.pathname += "/";
  const { default: create } = await import(new URL(`tinygpt-${variant}.mjs`, folder).href);
  const threaded = variant.endsWith("-mt");
  const maxThreads = threaded ? Math.max(await cores(), Math.min(threads ?? 1, MAX_THREADS)) : 1;
  const module = await create({ poolSize: maxThreads - 1, ...(wasmBinary && { wasmBinary }) });
  // Threads start on their own event loops: all are started now, so that setThreads can be synchronous later.
  module._tg_start(maxThreads);
  while (threaded && module._tg_alive() < maxThreads) await new Promise((resume) => setTimeout(resume, 1));
  return new Extension(module, variant, threads ?? maxThreads, maxThreads);
}

class Extension {
  #module;
  #memory;
  #bytes; // views of the extension's memory, renewed when it has grown
  #words;
  #python = null; // Pyodide's Emscripten module: its HEAPU8 and HEAP32 change when its memory grows, so they are read at each use
  #commandInPython = 0;

  constructor(module, variant, threads, maxThreads) {
    this.#module = module;
    this.#memory = module.wasmMemory;
    this.variant = variant;
    this.maxThreads = maxThreads;
    this.maxBytes = 2 ** 32;
    this.build = module.UTF8ToString(module._tg_build());
    this.commands = module._tg_alloc(COMMAND_BYTES) >>> 0;
    this.setThreads(threads);
    this.#refresh();
    // Bound once: Python keeps the functions without their object.
    for (const name of ["alloc", "free", "inUse", "memoryBytes", "bindCommand", "run", "replay", "poke", "peek", "upload", "download", "failedAt", "setThreads"])
      this[name] = this[name].bind(this);
  }

  #refresh() {
    if (this.#bytes?.buffer === this.#memory.buffer) return;
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#words = new Int32Array(this.#memory.buffer);
  }

  /** Uses up to `n` threads, the caller included, of those that stand ready; returns how many. */
  setThreads(n) {
    return (this.threads = this.#module._tg_start(Math.max(1, Math.min(n, this.maxThreads))));
  }

  attach(pyodide) {
    this.#python = pyodide._module;
  }

  /** Keeps the place of Python's command buffer (a bytearray that must not be resized) for good. */
  bindCommand(bytearray) {
    const view = bytearray.getBuffer("u8"); // never released: the pin keeps the bytearray where it is
    if (view.nbytes < COMMAND_BYTES || view.data.byteOffset % 4)
      throw new RangeError(`the command buffer has ${view.nbytes} bytes at ${view.data.byteOffset}; it needs ${COMMAND_BYTES}, on a multiple of 4`);
    this.#commandInPython = view.data.byteOffset;
  }

  alloc(nbytes) {
    if (nbytes > this.maxBytes) return 0;
    return this.#module._tg_alloc(nbytes) >>> 0;
  }

  free(address) {
    this.#module._tg_free(address);
  }

  inUse() {
    return this.#module._tg_in_use_js();
  }

  memoryBytes() {
    return this.#memory.buffer.byteLength;
  }

  /** Runs the `nbytes` of launches at the head of Python's command buffer. */
  run(nbytes) {
    this.#refresh();
    const from = this.#python.HEAP32, to = this.#words;
    let source = this.#commandInPython >>> 2, target = this.commands >>> 2;
    for (const end = source + (nbytes >>> 2); source < end; ) to[target++] = from[source++];
    return this.#module._tg_run_js(this.commands, nbytes >>> 3);
  }

  replay(address, slots) {
    return this.#module._tg_run_js(address, slots);
  }

  /** Copies the first `nbytes` of Python's command buffer to `address`. */
  poke(address, nbytes) {
    this.#refresh();
    this.#bytes.set(this.#python.HEAPU8.subarray(this.#commandInPython, this.#commandInPython + nbytes), address);
  }

  /** Copies `nbytes` at `address` to the head of Python's command buffer. */
  peek(address, nbytes) {
    this.#refresh();
    this.#python.HEAPU8.set(this.#bytes.subarray(address, address + nbytes), this.#commandInPython);
  }

  /** Copies a Python buffer (or a typed array) to `address`. */
  upload(address, data) {
    this.#refresh();
    if (ArrayBuffer.isView(data)) return this.#bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), address);
    const view = data.getBuffer("u8");
    try {
      this.#bytes.set(view.data, address);
    } finally {
      view.release();
    }
  }

  /** A copy of `nbytes` at `address`. */
  download(address, nbytes) {
    this.#refresh();
    return this.#bytes.slice(address, address + nbytes);
  }

  failedAt() {
    return this.#module._tg_failed_at_js();
  }
}
