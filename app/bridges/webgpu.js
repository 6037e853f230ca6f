// The bridge to the GPU: opens it, holds its buffers and pipelines by number, submits what Python planned, reads back.
//
// Python writes one record for each dispatch: [pipeline, x, y, z workgroups, number of uniform words, the words, number of bindings, then
// buffer, byte offset, byte size for each]. An eager launch is queued (launch); a Program is a list of records made once (program) and
// submitted as one command buffer (run). At most IN_FLIGHT submits are under way; `blocked` says that one has to wait, `unblocked` is the
// promise to wait for. Pipelines compile asynchronously, all at once. Runs in the worker where Pyodide runs, and in Node.

const IN_FLIGHT = 2; // steps that the GPU may be behind
const MOST_QUEUED = 2000; // eager launches before they are submitted on their own
const UNIFORM_ALIGN = 256;
const RING_BYTES = 2 << 20; // uniforms of queued eager launches
const RECORD_BYTES = 65536;
const ADAPTER_TRIES = 5; // a fresh browser's first answer can be null
const POLL = 20; // ms between two looks at the interrupt flag while Python waits

const NUDGE = 4; // ms of a wait in which the browser is made to look for finished work

const OPTIONAL_FEATURES = ["subgroups", "shader-f16", "timestamp-query", "chromium-experimental-subgroup-matrix"];

/**
 * Opens the GPU. gpu: navigator.gpu, or Dawn's in Node. signal: Pyodide's interrupt buffer as Int32Array. without: features not to ask
 * for (tests). progress({compiled, total}): while pipelines compile. Throws an Error whose message is a sentence for the user.
 */
export async function openGpu({ gpu = globalThis.navigator?.gpu, signal = null, adapterOptions = {}, without = [], progress = null } = {}) {
  if (!gpu) {
    throw new Error(globalThis.isSecureContext === false
      ? "this page was not loaded over https or from this machine, and browsers offer WebGPU only there"
      : "this browser has no WebGPU");
  }
  let adapter = null;
  for (let i = 0; !adapter && i < ADAPTER_TRIES; i++) {
    if (i) await new Promise((resume) => setTimeout(resume, 100 * i));
    adapter = await gpu.requestAdapter({ powerPreference: "high-performance", ...adapterOptions });
  }
  if (!adapter) throw new Error("this browser has WebGPU but found no graphics adapter that it allows");
  const features = OPTIONAL_FEATURES.filter((name) => adapter.features.has(name) && !without.includes(name));
  const limits = {};
  for (const name in adapter.limits) if (typeof adapter.limits[name] === "number") limits[name] = adapter.limits[name];
  const device = await requestDevice(adapter, features, limits);
  const opened = new Gpu(device, adapter, features, signal, progress);
  opened.tuning = await storedTuning(opened.info);
  return opened;
}

// Where a browser keeps what was measured; a host without the Cache API (Node) measures anew.
const tuningCache = () => globalThis.caches?.open?.("tinygpt-tuning");
const tuningKey = ({ vendor, architecture, description }) => `/tuning/${encodeURIComponent([vendor, architecture, description].join(" "))}`;

async function storedTuning(info) {
  try {
    const cache = await tuningCache();
    return (await (await cache?.match(tuningKey(info)))?.text()) ?? "";
  } catch {
    return "";
  }
}

async function requestDevice(adapter, requiredFeatures, requiredLimits) {
  for (;;) {
    try {
      return await adapter.requestDevice({ requiredFeatures, requiredLimits });
    } catch (error) {
      // An adapter may list a limit that its devices do not take (an experimental one): that one is left at its default.
      const name = Object.keys(requiredLimits).find((limit) => String(error?.message).includes(limit));
      if (!name) throw new Error(`the GPU gave no device: ${error?.message ?? error}`);
      delete requiredLimits[name];
    }
  }
}

// Numbers never come again, also when a GPU that was lost is opened anew: what Python lets go of then is not the new one's.
let buffersEver = 0, programsEver = 0;
let stopSeen = false;

/** Takes a Stop off the flag and remembers it, at the end of a wait of Python's. */
export function noteStop(signal) {
  if (signal && Atomics.compareExchange(signal, 0, 2, 0) === 2) stopSeen = true; // SIGINT
}

export class Gpu {
  lost = ""; // why the device is gone, once it is
  tuning = ""; // JSON: what was measured on this adapter
  problem = ""; // the first error that WebGPU reported on its own
  waiting = false; // true while Python waits for a promise of this bridge
  canWait = false; // true where Python can wait (JSPI); the host sets it in attach
  counters = { submits: 0, dispatches: 0, mostInFlight: 0, pipelines: 0, reads: 0 };

  #device;
  #signal;
  #progress;
  #python = null;
  #command = 0;
  #buffers = new Array(buffersEver + 1).fill(null);
  #retired = []; // buffers to destroy after the next submit: queued launches may still use them
  #layouts = new Map();
  #pipelines = [];
  #pipelineNumbers = new Map();
  #compiling = 0;
  #programs = new Array(programsEver + 1).fill(null);
  #queue = []; // eager launches, copies and reads, in their order
  #ring;
  #ringBytes = new Uint8Array(RING_BYTES);
  #ringWords = new Uint32Array(this.#ringBytes.buffer);
  #ringUsed = 0;
  #flagBuffer = 0;
  #inFlight = 0;
  #wakers = [];
  #staging = new Map(); // size -> free staging buffers
  #later = new Map(); // number -> {words or promise}
  #lastLater = 0;

  constructor(device, adapter, features, signal, progress) {
    this.#device = device;
    this.#signal = signal;
    this.#progress = progress;
    const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
    const limits = {};
    for (const name in device.limits) if (typeof device.limits[name] === "number") limits[name] = device.limits[name];
    // The shaders take subgroups of 32 and units of 16 x 16 x 16.
    const matrix = features.includes("chromium-experimental-subgroup-matrix") && features.includes("shader-f16")
      && adapter.info.subgroupMinSize === 32 && adapter.info.subgroupMaxSize === 32
      && [...(adapter.info.subgroupMatrixConfigs ?? [])].some((c) => c.componentType === "f16" && c.resultComponentType === "f32" && c.M === 16 && c.N === 16 && c.K === 16);
    const rungs = ["f32", ...(features.includes("subgroups") ? ["subgroups"] : []), ...(features.includes("shader-f16") ? ["f16"] : []), ...(matrix ? ["matrix"] : [])];
    this.info = {
      vendor, architecture, description,
      fallback: Boolean(isFallbackAdapter ?? adapter.isFallbackAdapter) || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${description} ${architecture}`),
      features: [...features], limits, rungs,
      subgroupMin: adapter.info.subgroupMinSize ?? 0, subgroupMax: adapter.info.subgroupMaxSize ?? 0,
    };
    device.lost.then((info) => {
      this.lost = info.message || info.reason || "no reason was given";
      this.#wake();
    });
    device.addEventListener?.("uncapturederror", ({ error }) => {
      if (!this.problem) this.problem = `${error.constructor.name}: ${error.message}`;
    });
    this.#ring = device.createBuffer({ size: RING_BYTES, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    for (const name of ["launch", "blocked", "run", "upload", "createBuffer", "destroyBuffer", "later", "laterReady", "laterTake", "copy"]) this[name] = this[name].bind(this);
  }

  attach(pyodide, canWait = typeof WebAssembly.Suspending === "function") {
    this.#python = pyodide._module;
    this.canWait = canWait;
    return this;
  }

  /** Keeps the place of Python's record buffer (a bytearray that must not be resized) for good. */
  bindCommand(bytearray) {
    const view = bytearray.getBuffer("u8"); // never released: the pin keeps the bytearray where it is
    if (view.nbytes < RECORD_BYTES || view.data.byteOffset % 4)
      throw new RangeError(`the record buffer has ${view.nbytes} bytes at ${view.data.byteOffset}; it needs ${RECORD_BYTES}, on a multiple of 4`);
    this.#command = view.data.byteOffset >>> 2;
  }

  /** The buffer whose first word kernels set when an input is out of range; it comes with every read. */
  bindFlag(handle) {
    this.#flagBuffer = handle;
  }

  // ---- buffers ----

  createBuffer(size) {
    const watch = size >= 1 << 24;
    if (watch) this.#device.pushErrorScope("out-of-memory");
    const buffer = this.#device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    if (watch) this.#memory = this.#device.popErrorScope().then((error) => error?.message ?? "", () => "");
    this.#buffers.push(buffer);
    return (buffersEver = this.#buffers.length - 1);
  }

  #memory = Promise.resolve("");

  /** Whether the last large createBuffer found memory: "" or what WebGPU says. */
  memoryProblem() {
    return this.#race(this.#memory);
  }

  destroyBuffer(handle) {
    const buffer = this.#buffers[handle];
    this.#buffers[handle] = null;
    if (this.#queue.length) this.#retired.push(buffer);
    else buffer.destroy();
  }

  upload(handle, offset, data) {
    // What is queued comes first, except reads of other memory: a step's uploads do not cost its reads a submit.
    const buffer = this.#buffers[handle];
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

  #layout(letters) {
    let layout = this.#layouts.get(letters);
    if (!layout) {
      const entries = [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform" } }];
      [...letters].forEach((access, i) =>
        entries.push({ binding: i + 1, visibility: GPUShaderStage.COMPUTE, buffer: { type: access === "w" ? "storage" : "read-only-storage" } }));
      const group = this.#device.createBindGroupLayout({ entries });
      layout = { group, pipeline: this.#device.createPipelineLayout({ bindGroupLayouts: [group] }) };
      this.#layouts.set(letters, layout);
    }
    return layout;
  }

  /** The number of the pipeline of this source; it is being compiled. letters: "r" or "w" for each storage binding. */
  pipeline(source, letters, label) {
    const known = this.#pipelineNumbers.get(source);
    if (known !== undefined) return known;
    const number = this.#pipelines.length;
    const layout = this.#layout(letters);
    const module = this.#device.createShaderModule({ code: source, label });
    const entry = { layout, label, pipeline: null, error: "" };
    this.#pipelines.push(entry);
    this.#pipelineNumbers.set(source, number);
    this.counters.pipelines++;
    const descriptor = { layout: layout.pipeline, compute: { module, entryPoint: "main" }, label };
    if (!this.canWait) {
      entry.pipeline = this.#device.createComputePipeline(descriptor);
      return number;
    }
    this.#compiling++;
    this.#device.createComputePipelineAsync(descriptor).then(
      (pipeline) => (entry.pipeline = pipeline),
      async (error) => {
        const messages = (await module.getCompilationInfo()).messages.map((m) => `${m.lineNum}:${m.linePos} ${m.message}`).slice(0, 5);
        const lines = source.split("\n");
        const at = Number(messages[0]?.split(":")[0]);
        entry.error = `the shader ${label} was refused: ${messages.join("; ") || error.message}${at ? `\n${at}: ${lines[at - 1]}` : ""}`;
        this.problem ||= entry.error;
      },
    ).finally(() => {
      this.#compiling--;
      this.#progress?.({ compiled: this.#pipelines.length - this.#compiling, total: this.#pipelines.length });
      if (!this.#compiling) this.#wake();
    });
    return number;
  }

  // ---- launches ----

  #decode(words, at) {
    const entry = this.#pipelines[words[at]];
    const groups = [words[at + 1], words[at + 2], words[at + 3]];
    const uniforms = words[at + 4];
    const uniformsAt = at + 5;
    at = uniformsAt + uniforms;
    const bindings = [];
    const count = words[at++];
    for (let i = 0; i < count; i++, at += 3)
      bindings.push({ binding: i + 1, resource: { buffer: this.#buffers[words[at]], offset: words[at + 1], size: words[at + 2] } });
    return { entry, groups, uniformsAt, uniforms, bindings, next: at };
  }

  #bindGroup(entry, bindings, buffer, offset, uniforms) {
    const size = Math.max(16, (uniforms * 4 + 15) & ~15);
    return this.#device.createBindGroup({ layout: entry.layout.group, entries: [{ binding: 0, resource: { buffer, offset, size } }, ...bindings] });
  }

  /** Queues the launch whose record of `count` words is at the head of Python's record buffer. True: many are waiting now. */
  launch(count) {
    const words = this.#python.HEAPU32.subarray(this.#command, this.#command + count);
    const { entry, groups, uniformsAt, uniforms, bindings } = this.#decode(words, 0);
    if (this.#ringUsed + UNIFORM_ALIGN + uniforms * 4 > RING_BYTES) this.#submitQueue();
    const offset = this.#ringUsed;
    this.#ringWords.set(words.subarray(uniformsAt, uniformsAt + uniforms), offset >>> 2);
    this.#ringUsed += Math.ceil(Math.max(16, uniforms * 4) / UNIFORM_ALIGN) * UNIFORM_ALIGN;
    this.#queue.push({ entry, group: this.#bindGroup(entry, bindings, this.#ring, offset, uniforms), groups });
    return this.#queue.length > MOST_QUEUED;
  }

  /** Queues a copy of `size` bytes (a multiple of 4) between two buffers, in the order of launches. */
  copy(to, from, size) {
    this.#queue.push({ to: this.#buffers[to], from: this.#buffers[from], size });
  }

  /** A Program from `count` records; returns its number. */
  program(data, count) {
    const view = data.getBuffer("u8");
    const words = new Uint32Array(view.data.slice().buffer);
    view.release();
    const decoded = [];
    let at = 0, bytes = 0;
    for (let i = 0; i < count; i++) {
      const record = this.#decode(words, at);
      record.offset = bytes;
      bytes += Math.ceil(Math.max(16, record.uniforms * 4) / UNIFORM_ALIGN) * UNIFORM_ALIGN;
      decoded.push(record);
      at = record.next;
    }
    const block = new Uint32Array(Math.max(bytes, UNIFORM_ALIGN) / 4);
    for (const { offset, uniformsAt, uniforms } of decoded) block.set(words.subarray(uniformsAt, uniformsAt + uniforms), offset / 4);
    const uniform = this.#device.createBuffer({ size: block.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    this.#device.queue.writeBuffer(uniform, 0, block);
    const launches = decoded.map(({ entry, groups, bindings, offset, uniforms }) =>
      ({ entry, groups, group: this.#bindGroup(entry, bindings, uniform, offset, uniforms) }));
    this.#programs.push({ uniform, launches });
    return (programsEver = this.#programs.length - 1);
  }

  freeProgram(number) {
    this.#programs[number]?.uniform.destroy(); // none: it was of a GPU that was lost
    this.#programs[number] = null;
  }

  // The queue in its order: runs of launches as compute passes, copies and reads between them. Returns the reads.
  #encodeQueue(encoder) {
    const reads = [];
    if (this.#ringUsed) this.#device.queue.writeBuffer(this.#ring, 0, this.#ringBytes, 0, this.#ringUsed);
    for (let i = 0; i < this.#queue.length;) {
      const { from, to, size, read } = this.#queue[i];
      if (from) encoder.copyBufferToBuffer(from, 0, to, 0, size);
      if (read) {
        if (this.#flagBuffer) encoder.copyBufferToBuffer(this.#buffers[this.#flagBuffer], 0, read.staging, 0, 4);
        encoder.copyBufferToBuffer(read.source, read.offset, read.staging, 4, read.size);
        reads.push(read);
        read.sent = true;
      }
      if (from || read) {
        i++;
        continue;
      }
      let end = i;
      while (end < this.#queue.length && this.#queue[end].entry) end++;
      const pass = encoder.beginComputePass();
      this.#dispatch(pass, this.#queue.slice(i, end));
      pass.end();
      i = end;
    }
    this.#queue = [];
    this.#ringUsed = 0;
    return reads;
  }

  #dispatch(pass, launches) {
    let current = null;
    for (const { entry, group, groups } of launches) {
      if (entry.error) throw new Error(entry.error);
      if (entry.pipeline !== current) pass.setPipeline((current = entry.pipeline));
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
    }
    this.counters.dispatches += launches.length;
  }

  // Everything queued, then the launches of a Program: one command buffer.
  #submit(launches) {
    if (this.lost) return this.#drop();
    const encoder = this.#device.createCommandEncoder();
    const reads = this.#encodeQueue(encoder);
    if (launches?.length) {
      const pass = encoder.beginComputePass();
      this.#dispatch(pass, launches);
      pass.end();
    }
    this.#device.queue.submit([encoder.finish()]);
    this.counters.submits++;
    for (const buffer of this.#retired.splice(0)) buffer.destroy();
    for (const read of reads) read.map();
  }

  #drop() {
    const dropped = this.#queue;
    this.#queue = [];
    this.#ringUsed = 0;
    for (const { read } of dropped) read?.fail();
  }

  // Submits what is queued although a pipeline may still be compiling: then it waits for that by being compiled at once.
  #submitQueue() {
    if (this.#compiling) this.#compileNow();
    this.#submit(null);
  }

  // A pipeline that is needed at once is made synchronously: the asynchronous one of the same source comes too late for this submit.
  #compileNow() {
    for (const { entry } of this.#queue) {
      if (!entry || entry.pipeline || entry.error) continue;
      const source = [...this.#pipelineNumbers].find(([, number]) => this.#pipelines[number] === entry)[0];
      const module = this.#device.createShaderModule({ code: source, label: entry.label });
      entry.pipeline = this.#device.createComputePipeline({ layout: entry.layout.pipeline, compute: { module, entryPoint: "main" }, label: entry.label });
    }
  }

  /** Submits everything that is queued; false: pipelines are being compiled, wait for `unblocked` and try again. */
  flush() {
    if (this.#compiling && this.#queue.length) return false;
    if (this.#queue.length) this.#submit(null);
    return true;
  }

  /** True when a replay has to wait: pipelines are being compiled, or enough steps are under way. */
  blocked() {
    return !this.lost && this.canWait && (this.#compiling > 0 || this.#inFlight >= IN_FLIGHT);
  }

  /** Replays a Program. */
  run(number) {
    this.#submit(this.#programs[number].launches);
    this.#inFlight++;
    this.counters.mostInFlight = Math.max(this.counters.mostInFlight, this.#inFlight);
    const done = () => {
      this.#inFlight--;
      this.#wake();
    };
    this.#device.queue.onSubmittedWorkDone().then(done, done);
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

  // A promise that Python waits for: a Stop ends the wait, and so does the loss of the device. Python is suspended inside a call then and
  // would lose a signal that it finds when it goes on, so the flag is taken before; `takeStop` tells of it.
  async #race(promise) {
    this.waiting = !stopSeen;
    if (stopSeen) return null;
    let timer, settled = false;
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

  // A browser's GPU process looks for finished work when commands come, and else only every millisecond or two, which is longer than a
  // small model's step. So a wait sends it something to answer, one question at a time, for as long as a look could matter.
  async #nudge(settled) {
    const end = performance.now() + NUDGE;
    while (!settled() && !this.lost && performance.now() < end) {
      this.#device.pushErrorScope("validation");
      await this.#device.popErrorScope().catch(() => {});
    }
  }

  // ---- reads ----

  #read(handle, offset, size) {
    const staging = this.#stagingBuffer(size + 4);
    let settle;
    const promise = new Promise((resolve) => (settle = resolve));
    this.counters.reads++;
    const read = {
      source: this.#buffers[handle], offset, size, staging,
      fail: () => settle(null),
      map: () => staging.mapAsync(GPUMapMode.READ, 0, size + 4).then(() => {
        const words = new Uint8Array(staging.getMappedRange(0, size + 4)).slice();
        staging.unmap();
        this.#giveBack(staging);
        settle(words);
      }, async () => {
        // Reads fail a moment before the device says that it is lost.
        await Promise.race([this.#device.lost, new Promise((resume) => setTimeout(resume, 200))]);
        settle(null);
      }),
    };
    this.#queue.push({ read });
    read.promise = promise;
    return read;
  }

  #stagingBuffer(size) {
    const rounded = size <= 256 ? 256 : Math.ceil(size / 65536) * 65536;
    const free = this.#staging.get(rounded);
    if (free?.length) return free.pop();
    return this.#device.createBuffer({ size: rounded, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  #giveBack(staging) {
    if (staging.size > 1 << 20) return staging.destroy();
    const free = this.#staging.get(staging.size) ?? [];
    this.#staging.set(staging.size, free);
    free.push(staging);
  }

  /** Uint8Array of [error word, the bytes], or null when the device is lost. offset and size: multiples of 4. */
  async download(handle, offset, size) {
    const words = this.#read(handle, offset, size).promise;
    this.waiting = true;
    while (!this.flush() && !this.lost && !stopSeen) await this.unblocked();
    return this.#race(words);
  }

  /** As download, but nothing is submitted for it: the copy goes with the next submit. Returns a number for the three calls below. */
  later(handle, offset, size) {
    const entry = { words: undefined, read: this.#read(handle, offset, size) };
    entry.read.promise.then((words) => (entry.words = words));
    this.#later.set(++this.#lastLater, entry);
    return this.#lastLater;
  }

  laterReady(number) {
    return this.#later.get(number).words !== undefined;
  }

  laterTake(number) {
    const { words } = this.#later.get(number);
    this.#later.delete(number);
    return words;
  }

  async laterWait(number) {
    this.waiting = true;
    const { read } = this.#later.get(number);
    while (!read.sent && !this.flush() && !this.lost && !stopSeen) await this.unblocked(); // its copy may be on its way with a step already
    const words = await this.#race(read.promise);
    if (words) this.#later.delete(number); // after a Stop it can be asked for again
    return words;
  }

  // ---- profiling ----

  /**
   * Nanoseconds of each dispatch of a Program, in a pass of its own; [] without timestamps. repeats: how often each is run between its two
   * timestamps (a browser may round them to 0.1 ms).
   */
  profile(number, repeats = null) {
    return this.#race(this.#profile(number, repeats));
  }

  async #profile(number, repeats) {
    if (!this.info.features.includes("timestamp-query")) return [];
    const counts = repeats?.toJs ? repeats.toJs() : repeats;
    const { launches } = this.#programs[number];
    const times = [];
    const BATCH = repeats ? 64 : 2000; // at most 4096 timestamps in a query set; a submit must not run into a driver's time limit
    for (let from = 0; from < launches.length && !this.lost; from += BATCH) {
      const part = launches.slice(from, from + BATCH);
      const queries = this.#device.createQuerySet({ type: "timestamp", count: 2 * part.length });
      const size = 16 * part.length;
      const resolved = this.#device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
      const staging = this.#device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      const encoder = this.#device.createCommandEncoder();
      part.forEach((launch, i) => {
        const count = counts ? counts[from + i] : 1;
        const pass = encoder.beginComputePass({ timestampWrites: { querySet: queries, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 } });
        for (let k = 0; k < count; k++) this.#dispatch(pass, [launch]);
        pass.end();
      });
      encoder.resolveQuerySet(queries, 0, 2 * part.length, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
      this.#device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
      for (let i = 0; i < part.length; i++) times.push(Number(stamps[2 * i + 1] - stamps[2 * i]));
      for (const thing of [queries, resolved, staging]) thing.destroy();
    }
    return times;
  }

  // ---- what was measured, kept for the adapter ----

  /** Keeps what tuner.py measured (JSON) for the next time this adapter is opened. */
  saveTuning(text) {
    this.tuning = text;
    tuningCache()?.then((cache) => cache.put(tuningKey(this.info), new Response(text))).catch(() => {});
  }

  /** Ends the device on purpose (tests of its loss, and when the page lets go of it). */
  destroy() {
    this.#device.destroy();
  }
}
