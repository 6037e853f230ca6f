// @ts-check
// The bridge to the GPU: opens it, holds its buffers and pipelines by number, submits what Python
// planned, reads back.
//
// Python writes one record for each dispatch: [pipeline, x, y, z workgroups, microseconds it is
// expected to take, number of uniform words, the words, number of bindings, then buffer, byte
// offset, byte size for each]. An eager launch is queued (launch). A Program is a list of records
// made once (program), and submitted as one command buffer (run), or as several where it takes long
// (submit_pacing.js). At most IN_FLIGHT replays are under way; `blocked` says that one has to wait,
// `unblocked` is the promise to wait for. Pipelines compile asynchronously, all at once. Runs in
// the worker where Pyodide runs, and in Node.

import { cut, Pacing, ProgramPacing, SUBMIT_MS } from "./submit_pacing.js";

const IN_FLIGHT = 2; // steps that the GPU may be behind
const MAX_QUEUED = 2000; // eager launches before they are submitted on their own
const UNIFORM_ALIGN = 256;
const RING_BYTES = 2 << 20; // uniforms of queued eager launches
const RECORD_BYTES = 65536;
const ADAPTER_TRIES = 5; // a fresh browser's first answer can be null
const PROBE_BYTES = 256 << 20; // of one buffer of a probe
const PROBE_FINEST = 16 << 20; // bytes: how exact its answer is where memory ends
const POLL = 20; // ms between two looks at the interrupt flag while Python waits

const NUDGE = 4; // ms of a wait in which the browser is made to look for finished work

const OPTIONAL_FEATURES = ["subgroups", "shader-f16", "timestamp-query", "chromium-experimental-subgroup-matrix"];

/**
 * Called while pipelines compile.
 *
 * @typedef {(progress: { compiled: number, total: number }) => void} Progress
 */

/** @typedef {import("./wasm.js").PythonBuffer} PythonBuffer */
/** @typedef {import("./wasm.js").PythonModule} PythonModule */
/**
 * @typedef {{ vendor: string, architecture: string, description: string, features: string[],
 *   limits: Record<string, number>, subgroupMin: number, subgroupMax: number }} AdapterFacts
 */

/**
 * A pipeline, which is being compiled until it has one of the two.
 *
 * @typedef {object} PipelineEntry
 * @property {{ group: GPUBindGroupLayout, pipeline: GPUPipelineLayout }} layout
 * @property {string} label
 * @property {GPUComputePipeline | null} pipeline
 * @property {string} error
 * @property {boolean} beside  no replay waits for it
 * @property {boolean} used  some drivers compile at the first dispatch: that takes longer
 */

/** @typedef {{ entry: PipelineEntry, group: GPUBindGroup, groups: number[], ms: number }} Launch */
/** @typedef {{ from: GPUBuffer, to: GPUBuffer, size: number }} Copy */

/**
 * A read whose copy goes with the next submit.
 *
 * @typedef {object} Read
 * @property {GPUBuffer} source
 * @property {number} offset
 * @property {number} size
 * @property {GPUBuffer} staging
 * @property {Promise<Uint8Array | null>} promise  null: the device is lost
 * @property {() => void} fail
 * @property {() => Promise<void>} map
 * @property {boolean} sent
 */

/** @typedef {Partial<Launch> & Partial<Copy> & { read?: Read }} Queued  one of the three */

/**
 * Opens the GPU. gpu: navigator.gpu, or Dawn's in Node. signal: Pyodide's interrupt buffer as
 * Int32Array. without: features not to request (tests). progress({compiled, total}): while
 * pipelines compile. Throws an Error whose message is a sentence for the user.
 *
 * @param {object} options
 * @param {GPU} [options.gpu]
 * @param {Int32Array | null} [options.signal]
 * @param {GPURequestAdapterOptions} [options.adapterOptions]
 * @param {string[]} [options.without]
 * @param {Progress | null} [options.progress]
 */
export async function openGpu({
  gpu = globalThis.navigator?.gpu,
  signal = null,
  adapterOptions = {},
  without = [],
  progress = null,
} = {}) {
  if (!gpu) {
    throw new Error(
      globalThis.isSecureContext === false
        ? "WebGPU needs https or localhost, and this page was loaded over neither"
        : "this browser has no WebGPU",
    );
  }
  let adapter = null;
  for (let i = 0; !adapter && i < ADAPTER_TRIES; i++) {
    if (i) await new Promise((resume) => setTimeout(resume, 100 * i));
    adapter = await gpu.requestAdapter({ powerPreference: "high-performance", ...adapterOptions });
  }
  if (!adapter) throw new Error("this browser supports WebGPU but has no usable GPU");
  const features = OPTIONAL_FEATURES.filter((name) => adapter.features.has(name) && !without.includes(name));
  const limits = numbersOf(adapter.limits);
  const device = await requestDevice(adapter, features, limits);
  const opened = new Gpu(device, adapter, features, signal, progress);
  opened.tuning = await storedTuning(opened.info);
  return opened;
}

// Where a browser keeps what was measured; a host without the Cache API (Node) measures anew.
const { caches: stores } = globalThis; // Python's worker is confined later (confine.js); not exported
const tuningCache = () => stores?.open?.("tinygpt-tuning");

/**
 * The name under which what was measured on an adapter is kept: what the browser says of it, its
 * features and its limits. "": the browser gives it no name (Firefox), so that nothing tells two
 * GPUs of the same limits apart, and nothing is kept.
 *
 * @param {AdapterFacts} facts
 */
export function tuningKey({ vendor, architecture, description, features, limits, subgroupMin, subgroupMax }) {
  if (![vendor, architecture, description].some((text) => text?.trim())) return "";
  const sizes = Object.keys(limits)
    .sort()
    .map((name) => limits[name]);
  const parts = [vendor, architecture, description, [...features].sort(), subgroupMin, subgroupMax, sizes];
  return `/tuning/${encodeURIComponent(parts.join(" "))}`;
}

/** @param {AdapterFacts} info */
async function storedTuning(info) {
  const key = tuningKey(info);
  try {
    const cache = key && (await tuningCache());
    return (cache && (await (await cache.match(key))?.text())) || "";
  } catch {
    return "";
  }
}

/**
 * The limits that are numbers.
 *
 * @param {GPUSupportedLimits} limits
 */
function numbersOf(limits) {
  /** @type {Record<string, number>} */
  const numbers = {};
  for (const name in limits) {
    const value = /** @type {Record<string, any>} */ (/** @type {unknown} */ (limits))[name];
    if (typeof value === "number") numbers[name] = value;
  }
  return numbers;
}

/**
 * @param {GPUAdapter} adapter
 * @param {string[]} requiredFeatures
 * @param {Record<string, number>} requiredLimits
 */
async function requestDevice(adapter, requiredFeatures, requiredLimits) {
  for (;;) {
    try {
      return await adapter.requestDevice({
        requiredFeatures: /** @type {GPUFeatureName[]} */ (requiredFeatures),
        requiredLimits,
      });
    } catch (thrown) {
      const error = /** @type {any} */ (thrown);
      // An adapter may list a limit that its devices do not take (an experimental one): that one is
      // left at its default.
      const name = Object.keys(requiredLimits).find((limit) => String(error?.message).includes(limit));
      if (!name) throw new Error(`the browser could not open the GPU: ${error?.message ?? error}`);
      delete requiredLimits[name];
    }
  }
}

// Numbers never come again, also when a GPU that was lost is opened anew: what Python lets go of
// then is not the new one's.
let buffersEver = 0,
  programsEver = 0;
let stopSeen = false;
const HEARD = 5; // the word of the page's `signal` that counts Stops that were seen

/**
 * Takes a Stop off the flag and remembers it, at the end of a wait of Python's.
 *
 * @param {Int32Array | null} signal
 */
export function noteStop(signal) {
  if (!signal || Atomics.compareExchange(signal, 0, 2, 0) !== 2) return; // SIGINT
  stopSeen = true;
  if (signal.length > HEARD) Atomics.add(signal, HEARD, 1);
}

export class Gpu {
  lost = ""; // why the device is gone, once it is
  tuning = ""; // JSON: what was measured on this adapter
  problem = ""; // the first error that WebGPU reported on its own
  waiting = false; // true while Python waits for a promise of this bridge
  paces = true; // long submits are cut; not on a software adapter: its threads keep nobody from the desktop
  canWait = false; // true where Python can wait (JSPI); the host sets it in attach
  counters = { submits: 0, dispatches: 0, mostInFlight: 0, pipelines: 0, reads: 0 };

  #device;
  #signal;
  #progress;
  #python = /** @type {PythonModule} */ (/** @type {unknown} */ (null)); // set by attach
  #command = 0;
  /** @type {(GPUBuffer | null)[]} */
  #buffers = new Array(buffersEver + 1).fill(null);
  /** @type {GPUBuffer[]} */
  #retired = []; // buffers to destroy after the next submit: queued launches may still use them
  /** @type {Map<string, PipelineEntry["layout"]>} */
  #layouts = new Map();
  /** @type {PipelineEntry[]} */
  #pipelines = [];
  /** @type {Map<string, number>} */
  #pipelineNumbers = new Map();
  #compiling = 0;
  /** @type {({ uniform: GPUBuffer, launches: Launch[], pacing: ProgramPacing } | null)[]} */
  #programs = new Array(programsEver + 1).fill(null);
  /** @type {Queued[]} */
  #queue = []; // eager launches, copies and reads, in their order
  #ring;
  #ringBytes = new Uint8Array(RING_BYTES);
  #ringWords = new Uint32Array(this.#ringBytes.buffer);
  #ringUsed = 0;
  #flagBuffer = 0;
  #inFlight = 0;
  #pacing = new Pacing();
  #firstUse = false; // of a pipeline, in what is being submitted: its time tells nothing
  /** @type {((value?: any) => void)[]} */
  #wakers = [];
  /** @type {Map<number, GPUBuffer[]>} */
  #staging = new Map(); // free staging buffers by size
  /** @type {Map<number, { words: Uint8Array | null | undefined, read: Read }>} */
  #later = new Map(); // by number
  #lastLater = 0;

  /**
   * @param {GPUDevice} device
   * @param {GPUAdapter} adapter
   * @param {string[]} features
   * @param {Int32Array | null} signal
   * @param {Progress | null} progress
   */
  constructor(device, adapter, features, signal, progress) {
    this.#device = device;
    this.#signal = signal;
    this.#progress = progress;
    // Fields that only some browsers have: of matrix units, and the adapter's own.
    const info = /** @type {GPUAdapterInfo & { subgroupMatrixConfigs?: Iterable<any> }} */ (adapter.info);
    const { vendor, architecture, description, isFallbackAdapter } = info;
    const limits = numbersOf(device.limits);
    // The shaders take subgroups of 32 and units of 16 x 16 x 16.
    const matrix =
      features.includes("chromium-experimental-subgroup-matrix") &&
      features.includes("shader-f16") &&
      adapter.info.subgroupMinSize === 32 &&
      adapter.info.subgroupMaxSize === 32 &&
      [...(info.subgroupMatrixConfigs ?? [])].some(
        (c) => c.componentType === "f16" && c.resultComponentType === "f32" && c.M === 16 && c.N === 16 && c.K === 16,
      );
    const capabilities = [
      "f32",
      ...(features.includes("subgroups") ? ["subgroups"] : []),
      ...(features.includes("shader-f16") ? ["f16"] : []),
      ...(matrix ? ["f16_matrix"] : []),
    ];
    this.info = {
      vendor,
      architecture,
      description,
      fallback:
        Boolean(isFallbackAdapter ?? /** @type {any} */ (adapter).isFallbackAdapter) ||
        /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${description} ${architecture}`),
      features: [...features],
      limits,
      capabilities,
      matrices: [...(info.subgroupMatrixConfigs ?? [])].map(
        (c) => `${c.M}x${c.N}x${c.K} ${c.componentType} to ${c.resultComponentType}`,
      ),
      subgroupMin: adapter.info.subgroupMinSize ?? 0,
      subgroupMax: adapter.info.subgroupMaxSize ?? 0,
    };
    this.paces = !this.info.fallback;
    device.lost.then((info) => {
      this.lost = info.message || info.reason || "no reason was given";
      this.#wake();
    });
    device.addEventListener?.("uncapturederror", ({ error }) => {
      if (!this.problem) this.problem = `${error.constructor.name}: ${error.message}`;
    });
    this.#ring = device.createBuffer({ size: RING_BYTES, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    for (const name of [
      "launch",
      "blocked",
      "run",
      "upload",
      "createBuffer",
      "destroyBuffer",
      "later",
      "laterReady",
      "laterTake",
      "copy",
    ])
      Object.assign(this, { [name]: /** @type {any} */ (this)[name].bind(this) });
  }

  /**
   * @param {{ _module: PythonModule }} pyodide
   * @param {boolean} canWait
   */
  attach(pyodide, canWait = typeof WebAssembly.Suspending === "function") {
    this.#python = pyodide._module;
    this.canWait = canWait;
    return this;
  }

  /**
   * Keeps the place of Python's record buffer (a bytearray that must not be resized) for good.
   *
   * @param {PythonBuffer} bytearray
   */
  bindCommand(bytearray) {
    const view = bytearray.getBuffer("u8"); // never released: the pin keeps the bytearray where it is
    if (view.nbytes < RECORD_BYTES || view.data.byteOffset % 4)
      throw new RangeError(
        `the record buffer has ${view.nbytes} bytes at ${view.data.byteOffset}; it needs ${RECORD_BYTES}, on a multiple of 4`,
      );
    this.#command = view.data.byteOffset >>> 2;
  }

  /**
   * The buffer whose first word kernels set when an input is out of range; it comes with every
   * read.
   *
   * @param {number} handle
   */
  bindFlag(handle) {
    this.#flagBuffer = handle;
  }

  // ---- buffers ----

  /**
   * The new buffer's number.
   *
   * @param {number} size
   */
  createBuffer(size) {
    const watch = size >= 1 << 24;
    if (watch) this.#device.pushErrorScope("out-of-memory");
    const buffer = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    if (watch)
      this.#memory = this.#device.popErrorScope().then(
        (error) => error?.message ?? "",
        () => "",
      );
    this.#buffers.push(buffer);
    return (buffersEver = this.#buffers.length - 1);
  }

  /** @type {Promise<string>} */
  #memory = Promise.resolve("");

  /** Whether the last large createBuffer found memory: "" or what WebGPU says. */
  memoryProblem() {
    return this.#race(this.#memory);
  }

  /**
   * How many of `size` bytes find memory beside what is in use. No browser says how much memory a
   * GPU has, and a GPU that runs out in the middle of a run may be lost: so buffers are made within
   * error scopes, and destroyed at once.
   *
   * @param {number} size
   */
  probe(size) {
    return this.#race(this.#probe(size));
  }

  /** @param {number} size */
  async #probe(size) {
    /** @type {GPUBuffer[]} */
    const made = [];
    let found = 0,
      most = Math.min(PROBE_BYTES, this.info.limits.maxBufferSize);
    try {
      while (found < size && !this.lost && !stopSeen) {
        const bytes = Math.min(most, Math.ceil((size - found) / 4) * 4);
        this.#device.pushErrorScope("out-of-memory");
        made.push(this.#device.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST }));
        if ((await this.#device.popErrorScope().catch((error) => error)) === null) found += bytes;
        else if (most > PROBE_FINEST) most = Math.max(PROBE_FINEST, most / 4);
        else break;
      }
    } finally {
      for (const buffer of made) buffer.destroy();
    }
    return Math.min(found, size);
  }

  /**
   * The buffer of a number that Python holds.
   *
   * @param {number} handle
   */
  #buffer(handle) {
    return /** @type {GPUBuffer} */ (this.#buffers[handle]);
  }

  /** @param {number} handle */
  destroyBuffer(handle) {
    const buffer = this.#buffer(handle);
    this.#buffers[handle] = null;
    if (this.#queue.length) this.#retired.push(buffer);
    else buffer.destroy();
  }

  /**
   * @param {number} handle
   * @param {number} offset
   * @param {PythonBuffer | ArrayBufferView<ArrayBuffer>} data
   */
  upload(handle, offset, data) {
    // What is queued comes first, except reads of other memory: a step's uploads do not cost its
    // reads a submit.
    const buffer = this.#buffer(handle);
    if (this.#queue.some(({ read }) => !read || read.source === buffer)) this.#submitQueue();
    if (ArrayBuffer.isView(data)) return this.#device.queue.writeBuffer(buffer, offset, data);
    const view = data.getBuffer("u8");
    try {
      const { data: bytes } = view;
      // Shared or growing memory is not taken by every implementation: a copy is.
      this.#device.queue.writeBuffer(buffer, offset, bytes.slice());
    } finally {
      view.release();
    }
  }

  // ---- pipelines ----

  /** @param {string} letters */
  #layout(letters) {
    let layout = this.#layouts.get(letters);
    if (!layout) {
      /** @type {GPUBindGroupLayoutEntry[]} */
      const entries = [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform" } }];
      [...letters].forEach((access, i) =>
        entries.push({
          binding: i + 1,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: access === "w" ? "storage" : "read-only-storage" },
        }),
      );
      const group = this.#device.createBindGroupLayout({ entries });
      layout = { group, pipeline: this.#device.createPipelineLayout({ bindGroupLayouts: [group] }) };
      this.#layouts.set(letters, layout);
    }
    return layout;
  }

  /**
   * The number of the pipeline of this source; it is being compiled. letters: "r" or "w" for each
   * storage binding. beside: no replay waits for it (see `compiled`) unless it is requested again.
   *
   * @param {string} source
   * @param {string} letters
   * @param {string} label
   * @param {boolean} [beside]
   */
  pipeline(source, letters, label, beside = false) {
    const known = this.#pipelineNumbers.get(source);
    if (known !== undefined) {
      const entry = this.#pipelines[known];
      if (entry.beside && !beside) {
        entry.beside = false;
        this.#compiling++;
      }
      return known;
    }
    const number = this.#pipelines.length;
    const layout = this.#layout(letters);
    const module = this.#device.createShaderModule({ code: source, label });
    /** @type {PipelineEntry} */
    const entry = { layout, label, pipeline: null, error: "", beside: beside && this.canWait, used: false };
    this.#pipelines.push(entry);
    this.#pipelineNumbers.set(source, number);
    this.counters.pipelines++;
    const descriptor = { layout: layout.pipeline, compute: { module, entryPoint: "main" }, label };
    if (!this.canWait) {
      entry.pipeline = this.#device.createComputePipeline(descriptor);
      return number;
    }
    if (!entry.beside) this.#compiling++;
    this.#device
      .createComputePipelineAsync(descriptor)
      .then(
        (pipeline) => {
          entry.pipeline = pipeline;
        },
        async (error) => {
          const messages = (await module.getCompilationInfo()).messages
            .map((m) => `${m.lineNum}:${m.linePos} ${m.message}`)
            .slice(0, 5);
          const lines = source.split("\n");
          const at = Number(messages[0]?.split(":")[0]);
          entry.error = `the shader ${label} does not compile: ${messages.join("; ") || error.message}${at ? `\n${at}: ${lines[at - 1]}` : ""}`;
          if (!entry.beside) this.problem ||= entry.error;
        },
      )
      .finally(() => {
        if (entry.beside) {
          entry.beside = false;
          return;
        }
        this.#compiling--;
        this.#progress?.({ compiled: this.#pipelines.length - this.#compiling, total: this.#pipelines.length });
        if (!this.#compiling) this.#wake();
      });
    return number;
  }

  /**
   * Whether none of these pipelines is being compiled any more.
   *
   * @param {any} numbers  a list of Python
   */
  compiled(numbers) {
    return [...numbers.toJs()].every((/** @type {number} */ number) => {
      const { pipeline, error } = this.#pipelines[number];
      return pipeline !== null || error !== "";
    });
  }

  /**
   * What the compiler says against a pipeline, "" where it was made.
   *
   * @param {number} number
   */
  refused(number) {
    return this.#pipelines[number].error;
  }

  /**
   * Resolves after so many milliseconds.
   *
   * @param {number} ms
   */
  pause(ms) {
    return this.#race(new Promise((resume) => setTimeout(resume, ms)));
  }

  // ---- launches ----

  /**
   * The record at word `at`.
   *
   * @param {Uint32Array} words
   * @param {number} at
   */
  #decode(words, at) {
    const entry = this.#pipelines[words[at]];
    const groups = [words[at + 1], words[at + 2], words[at + 3]];
    const ms = words[at + 4] / 1000;
    const uniforms = words[at + 5];
    const uniformsAt = at + 6;
    at = uniformsAt + uniforms;
    /** @type {GPUBindGroupEntry[]} */
    const bindings = [];
    const count = words[at++];
    for (let i = 0; i < count; i++, at += 3)
      bindings.push({
        binding: i + 1,
        resource: { buffer: this.#buffer(words[at]), offset: words[at + 1], size: words[at + 2] },
      });
    return { entry, groups, ms, uniformsAt, uniforms, bindings, next: at };
  }

  /**
   * @param {PipelineEntry} entry
   * @param {GPUBindGroupEntry[]} bindings
   * @param {GPUBuffer} buffer
   * @param {number} offset
   * @param {number} uniforms
   */
  #bindGroup(entry, bindings, buffer, offset, uniforms) {
    const size = Math.max(16, (uniforms * 4 + 15) & ~15);
    return this.#device.createBindGroup({
      layout: entry.layout.group,
      entries: [{ binding: 0, resource: { buffer, offset, size } }, ...bindings],
    });
  }

  /**
   * Queues the launch whose record of `count` words is at the head of Python's record buffer. True:
   * many are waiting now.
   *
   * @param {number} count
   */
  launch(count) {
    const words = this.#python.HEAPU32.subarray(this.#command, this.#command + count);
    const { entry, groups, ms, uniformsAt, uniforms, bindings } = this.#decode(words, 0);
    if (this.#ringUsed + UNIFORM_ALIGN + uniforms * 4 > RING_BYTES) this.#submitQueue();
    const offset = this.#ringUsed;
    this.#ringWords.set(words.subarray(uniformsAt, uniformsAt + uniforms), offset >>> 2);
    this.#ringUsed += Math.ceil(Math.max(16, uniforms * 4) / UNIFORM_ALIGN) * UNIFORM_ALIGN;
    this.#queue.push({ entry, group: this.#bindGroup(entry, bindings, this.#ring, offset, uniforms), groups, ms });
    return this.#queue.length > MAX_QUEUED;
  }

  /**
   * Queues a copy of `size` bytes (a multiple of 4) between two buffers, in the order of launches.
   *
   * @param {number} to
   * @param {number} from
   * @param {number} size
   */
  copy(to, from, size) {
    this.#queue.push({ to: this.#buffer(to), from: this.#buffer(from), size });
  }

  /**
   * A Program from `count` records; returns its number.
   *
   * @param {PythonBuffer} data
   * @param {number} count
   */
  program(data, count) {
    const view = data.getBuffer("u8");
    const words = new Uint32Array(view.data.slice().buffer);
    view.release();
    const decoded = [];
    let at = 0,
      bytes = 0;
    for (let i = 0; i < count; i++) {
      const record = { ...this.#decode(words, at), offset: bytes };
      bytes += Math.ceil(Math.max(16, record.uniforms * 4) / UNIFORM_ALIGN) * UNIFORM_ALIGN;
      decoded.push(record);
      at = record.next;
    }
    const block = new Uint32Array(Math.max(bytes, UNIFORM_ALIGN) / 4);
    for (const { offset, uniformsAt, uniforms } of decoded)
      block.set(words.subarray(uniformsAt, uniformsAt + uniforms), offset / 4);
    const uniform = this.#device.createBuffer({
      size: block.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    this.#device.queue.writeBuffer(uniform, 0, block);
    const launches = decoded.map(({ entry, groups, ms, bindings, offset, uniforms }) => ({
      entry,
      groups,
      ms,
      group: this.#bindGroup(entry, bindings, uniform, offset, uniforms),
    }));
    const pacing = new ProgramPacing(
      launches.map(({ ms }) => ms),
      this.#pacing,
    );
    this.#programs.push({ uniform, launches, pacing });
    return (programsEver = this.#programs.length - 1);
  }

  /** @param {number} number */
  freeProgram(number) {
    this.#programs[number]?.uniform.destroy(); // none: it was of a GPU that was lost
    this.#programs[number] = null;
  }

  // A part of the queue in its order: runs of launches as compute passes, copies and reads between
  // them. Adds to the reads.
  /**
   * @param {GPUCommandEncoder} encoder
   * @param {Queued[]} queue
   * @param {Read[]} reads
   */
  #encodeQueue(encoder, queue, reads) {
    for (let i = 0; i < queue.length; ) {
      const { from, to, size, read } = queue[i];
      if (from && to) encoder.copyBufferToBuffer(from, 0, to, 0, size);
      if (read) {
        if (this.#flagBuffer) encoder.copyBufferToBuffer(this.#buffer(this.#flagBuffer), 0, read.staging, 0, 4);
        encoder.copyBufferToBuffer(read.source, read.offset, read.staging, 4, read.size);
        reads.push(read);
        read.sent = true;
      }
      if (from || read) {
        i++;
        continue;
      }
      let end = i;
      while (end < queue.length && queue[end].entry) end++;
      const pass = encoder.beginComputePass();
      this.#dispatch(pass, /** @type {Launch[]} */ (queue.slice(i, end)));
      pass.end();
      i = end;
    }
  }

  /**
   * @param {GPUComputePassEncoder} pass
   * @param {Launch[]} launches
   */
  #dispatch(pass, launches) {
    /** @type {GPUComputePipeline | null} */
    let current = null;
    for (const { entry, group, groups } of launches) {
      if (entry.error) throw new Error(entry.error);
      if (entry.pipeline !== current) {
        pass.setPipeline((current = /** @type {GPUComputePipeline} */ (entry.pipeline)));
        if (!entry.used) this.#firstUse = entry.used = true;
      }
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
    }
    this.counters.dispatches += launches.length;
  }

  // Everything queued, then the launches of a Program: one command buffer, or one for each piece
  // where that is long. each(): called when a piece of the Program has been submitted.
  /**
   * @param {Launch[] | null} launches
   * @param {number[]} ends
   * @param {() => void} each
   */
  #submit(launches, ends = [], each = () => {}) {
    if (this.lost) return this.#drop();
    /** @type {Read[]} */
    const reads = [];
    this.#firstUse = false;
    let encoder = this.#device.createCommandEncoder();
    const send = () => {
      this.#device.queue.submit([encoder.finish()]);
      this.counters.submits++;
    };
    if (this.#ringUsed) this.#device.queue.writeBuffer(this.#ring, 0, this.#ringBytes, 0, this.#ringUsed);
    const times = this.#queue.map(({ ms }) => ms ?? 0),
      parts = this.paces ? cut(times, this.#pacing.factor) : [times.length];
    for (let k = 0, from = 0; k < parts.length; from = parts[k++]) {
      if (k) encoder = this.#device.createCommandEncoder();
      this.#encodeQueue(encoder, this.#queue.slice(from, parts[k]), reads);
      if (k === parts.length - 1 && launches) break; // they come behind it
      const begun = performance.now();
      send();
      this.#learn(times.slice(from, parts[k]), begun);
    }
    this.#queue = [];
    this.#ringUsed = 0;
    if (launches)
      for (let k = 0, from = 0; k < ends.length; from = ends[k++]) {
        if (k) encoder = this.#device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        this.#dispatch(pass, ends.length === 1 ? launches : launches.slice(from, ends[k]));
        pass.end();
        send();
        each();
      }
    for (const buffer of this.#retired.splice(0)) buffer.destroy();
    for (const read of reads) read.map();
  }

  /**
   * Measures a submit of eager launches, where it is expected to be long enough to tell something.
   *
   * @param {number[]} times
   * @param {number} begun
   */
  #learn(times, begun) {
    const expected = times.reduce((sum, ms) => sum + ms, 0),
      pacing = this.#pacing;
    if (!this.paces || this.#firstUse || !pacing.telling(expected)) return;
    const done = () => pacing.learn(expected, pacing.took(begun));
    this.#device.queue.onSubmittedWorkDone().then(done, () => {});
  }

  #drop() {
    const dropped = this.#queue;
    this.#queue = [];
    this.#ringUsed = 0;
    for (const { read } of dropped) read?.fail();
  }

  // Submits what is queued although a pipeline may still be compiling: then it waits for that by
  // being compiled at once.
  #submitQueue() {
    if (this.#compiling) this.#compileNow();
    this.#submit(null);
  }

  // A pipeline that is needed at once is made synchronously: the asynchronous one of the same
  // source comes too late for this submit.
  #compileNow() {
    for (const { entry } of this.#queue) {
      if (!entry || entry.pipeline || entry.error) continue;
      const source = [...this.#pipelineNumbers].find(([, number]) => this.#pipelines[number] === entry)?.[0] ?? "";
      const module = this.#device.createShaderModule({ code: source, label: entry.label });
      entry.pipeline = this.#device.createComputePipeline({
        layout: entry.layout.pipeline,
        compute: { module, entryPoint: "main" },
        label: entry.label,
      });
    }
  }

  /**
   * Submits everything that is queued; false: pipelines are being compiled, wait for `unblocked`
   * and try again.
   */
  flush() {
    if (this.#compiling && this.#queue.length) return false;
    if (this.#queue.length) this.#submit(null);
    return true;
  }

  /**
   * True when a replay has to wait: pipelines are being compiled, or enough steps are under way.
   */
  blocked() {
    return !this.lost && this.canWait && (this.#compiling > 0 || this.#inFlight >= IN_FLIGHT);
  }

  /**
   * The Program of a number that Python holds.
   *
   * @param {number} number
   */
  #program(number) {
    return /** @type {{ uniform: GPUBuffer, launches: Launch[], pacing: ProgramPacing }} */ (this.#programs[number]);
  }

  /**
   * Replays a Program.
   *
   * @param {number} number
   */
  run(number) {
    if (this.lost) return this.#drop();
    const { launches, pacing } = this.#program(number);
    const ends = this.paces ? pacing.pieces() : [launches.length],
      begun = performance.now();
    /** @type {number[]} */
    const took = [];
    let firstUse = false;
    const done = () => {
      took.push(this.#pacing.took(begun));
      if (took.length < ends.length) return;
      this.#inFlight--;
      if (!this.lost && !firstUse) pacing.replayed(ends, took);
      this.#wake();
    };
    this.#submit(launches, ends, () => this.#device.queue.onSubmittedWorkDone().then(done, done));
    firstUse = this.#firstUse;
    this.#inFlight++;
    this.counters.mostInFlight = Math.max(this.counters.mostInFlight, this.#inFlight);
  }

  #wake() {
    for (const resume of this.#wakers.splice(0)) resume();
  }

  /** Resolves when something has changed that `blocked` looks at. */
  unblocked() {
    return this.#race(new Promise((resume) => this.#wakers.push(resume)));
  }

  /** Resolves when the GPU has done all that was submitted. */
  idle() {
    return this.#race(this.#device.queue.onSubmittedWorkDone());
  }

  // A promise that Python waits for: a Stop ends the wait, and so does the loss of the device.
  // Python is suspended inside a call then and would lose a signal that it finds when it resumes,
  // so the flag is taken before; `takeStop` reports it.
  /**
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T | null>}
   */
  async #race(promise) {
    this.waiting = !stopSeen;
    if (stopSeen) return null;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    let timer;
    let settled = false;
    /** @type {Promise<null>} */
    const stopped = new Promise((resume) => {
      timer = setInterval(() => {
        if (this.lost || (this.#signal && this.#signal[0] === 2)) resume(null);
      }, POLL);
    });
    if (!this.info.fallback) this.#nudge(() => settled);
    try {
      return await Promise.race([promise, stopped]);
    } finally {
      settled = true;
      clearInterval(timer);
      this.waiting = false;
      noteStop(this.#signal);
    }
  }

  /** Whether a Stop came while Python waited; asking forgets it. */
  takeStop() {
    const seen = stopSeen;
    stopSeen = false;
    return seen;
  }

  // A browser's GPU process looks for finished work when commands come, and else only every
  // millisecond or two, which is longer than a small model's step. So a wait sends it something to
  // answer, one request at a time, for as long as a look could matter.
  /** @param {() => boolean} settled */
  async #nudge(settled) {
    const end = performance.now() + NUDGE;
    while (!settled() && !this.lost && performance.now() < end) {
      this.#device.pushErrorScope("validation");
      await this.#device.popErrorScope().catch(() => {});
    }
  }

  // ---- reads ----

  /**
   * @param {number} handle
   * @param {number} offset
   * @param {number} size
   */
  #read(handle, offset, size) {
    const staging = this.#stagingBuffer(size + 4);
    let settle = (/** @type {Uint8Array | null} */ _words) => {};
    /** @type {Promise<Uint8Array | null>} */
    const promise = new Promise((resolve) => {
      settle = resolve;
    });
    this.counters.reads++;
    /** @type {Read} */
    const read = {
      source: this.#buffer(handle),
      offset,
      size,
      staging,
      promise,
      sent: false,
      fail: () => settle(null),
      map: () =>
        staging.mapAsync(GPUMapMode.READ, 0, size + 4).then(
          () => {
            const words = new Uint8Array(staging.getMappedRange(0, size + 4)).slice();
            staging.unmap();
            this.#giveBack(staging);
            settle(words);
          },
          async () => {
            await this.#lossSoon();
            settle(null);
          },
        ),
    };
    this.#queue.push({ read });
    return read;
  }

  // Reads fail a moment before the device says that it is lost.
  #lossSoon() {
    return Promise.race([this.#device.lost, new Promise((resume) => setTimeout(resume, 200))]);
  }

  /** @param {number} size */
  #stagingBuffer(size) {
    const rounded = size <= 256 ? 256 : Math.ceil(size / 65536) * 65536;
    const free = this.#staging.get(rounded);
    const reused = free?.pop();
    if (reused) return reused;
    return this.#device.createBuffer({ size: rounded, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** @param {GPUBuffer} staging */
  #giveBack(staging) {
    if (staging.size > 1 << 20) return staging.destroy();
    const free = this.#staging.get(staging.size) ?? [];
    this.#staging.set(staging.size, free);
    free.push(staging);
  }

  /**
   * Uint8Array of [error word, the bytes], or null when the device is lost. offset and size:
   * multiples of 4.
   *
   * @param {number} handle
   * @param {number} offset
   * @param {number} size
   */
  async download(handle, offset, size) {
    const words = this.#read(handle, offset, size).promise;
    this.waiting = true;
    while (!this.flush() && !this.lost && !stopSeen) await this.unblocked();
    return this.#race(words);
  }

  /**
   * As download, but nothing is submitted for it: the copy goes with the next submit. Returns a
   * number for the three calls below.
   *
   * @param {number} handle
   * @param {number} offset
   * @param {number} size
   */
  later(handle, offset, size) {
    /** @type {{ words: Uint8Array | null | undefined, read: Read }} */
    const entry = { words: undefined, read: this.#read(handle, offset, size) };
    entry.read.promise.then((words) => {
      entry.words = words;
    });
    this.#later.set(++this.#lastLater, entry);
    return this.#lastLater;
  }

  /**
   * The read of a number that Python holds.
   *
   * @param {number} number
   */
  #laterEntry(number) {
    return /** @type {{ words: Uint8Array | null | undefined, read: Read }} */ (this.#later.get(number));
  }

  /** @param {number} number */
  laterReady(number) {
    return this.#laterEntry(number).words !== undefined;
  }

  /** @param {number} number */
  laterTake(number) {
    const { words } = this.#laterEntry(number);
    this.#later.delete(number);
    return words;
  }

  /** @param {number} number */
  async laterWait(number) {
    this.waiting = true;
    const { read } = this.#laterEntry(number);
    // its copy may be on its way with a step already
    while (!read.sent && !this.flush() && !this.lost && !stopSeen) await this.unblocked();
    const words = await this.#race(read.promise);
    // After a Stop it can be requested again: Python did not take the words.
    if (words && !stopSeen) this.#later.delete(number);
    return words;
  }

  // ---- profiling ----

  /**
   * Nanoseconds of each dispatch of a Program, in a pass of its own; [] without timestamps.
   * repeats: how often each is run between its two timestamps (a browser may round them to 0.1 ms).
   *
   * @param {number} number
   * @param {any} repeats  numbers: a list of Python, or an array
   */
  profile(number, repeats = null) {
    return this.#race(this.#profile(number, repeats));
  }

  /**
   * @param {number} number
   * @param {any} repeats
   */
  async #profile(number, repeats) {
    if (!this.info.features.includes("timestamp-query")) return [];
    const counts = repeats?.toJs ? repeats.toJs() : repeats;
    const { launches } = this.#program(number);
    const times = [];
    // at most 4096 timestamps in a query set; a submit must not run into a driver's time limit
    const BATCH = repeats ? 64 : 2000;
    const expected = launches.map(({ ms }, i) => ms * this.#pacing.factor * (counts?.[i] ?? 1));
    for (let from = 0, to; from < launches.length && !this.lost; from = to) {
      let held = expected[from];
      for (to = from + 1; to < Math.min(from + BATCH, launches.length) && held + expected[to] <= SUBMIT_MS; to++)
        held += expected[to];
      const part = launches.slice(from, to);
      const queries = this.#device.createQuerySet({ type: "timestamp", count: 2 * part.length });
      const size = 16 * part.length;
      const resolved = this.#device.createBuffer({
        size,
        usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
      });
      const staging = this.#device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      const encoder = this.#device.createCommandEncoder();
      part.forEach((launch, i) => {
        const count = counts?.[from + i] ?? 1;
        const pass = encoder.beginComputePass({
          timestampWrites: { querySet: queries, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
        });
        for (let k = 0; k < count; k++) this.#dispatch(pass, [launch]);
        pass.end();
      });
      encoder.resolveQuerySet(queries, 0, 2 * part.length, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
      this.#device.queue.submit([encoder.finish()]);
      try {
        await staging.mapAsync(GPUMapMode.READ);
      } catch (error) {
        await this.#lossSoon();
        if (this.lost) return [];
        throw error;
      }
      const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
      for (let i = 0; i < part.length; i++) times.push(Number(stamps[2 * i + 1] - stamps[2 * i]));
      for (const thing of [queries, resolved, staging]) thing.destroy();
    }
    return times;
  }

  // ---- what was measured, kept for the adapter ----

  /**
   * Keeps what tuner.py measured (JSON) for the next time this adapter is opened.
   *
   * @param {string} text
   */
  saveTuning(text) {
    this.tuning = text;
    const key = tuningKey(this.info);
    if (!key) return;
    tuningCache()
      ?.then((cache) => cache.put(key, new Response(text)))
      .catch(() => {});
  }

  /** Ends the device on purpose (tests of its loss, and when the page lets go of it). */
  destroy() {
    this.#device.destroy();
  }
}
