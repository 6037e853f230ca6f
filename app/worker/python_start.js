// @ts-check
// Starts Python inside the worker: Pyodide with the precompiled standard library, the C++ extension
// beside it, then the package.
//
// In: the worker's functions for Python, and where its reports go. Out: Python's functions, the
// devices and the time of each part.

import { loadPyodide } from "../../public/vendor/pyodide/pyodide.mjs";
import { confine } from "../bridges/confine.js";
import { noSharedMemory } from "../bridges/shared_memory.js";
import { answered, parse } from "./bounded_json.js";
import { mountTexts } from "./corpus_files.js";

/** @typedef {import("../bridges/webgpu.js").Gpu} Gpu */
/** @typedef {import("./protocol.js").GraphicsFacts} GraphicsFacts */
/** @typedef {Awaited<ReturnType<typeof import("../bridges/wasm.js").loadExtension>>} Extension */

/** @typedef {any} Pyodide  its types do not tell of `_module` and of a worker's FS */
/** @typedef {(name: string, loaded: number, total: number) => void} StageReport */
/** @typedef {(...args: any[]) => any} AnyFunction */
/** @typedef {AnyFunction & { callPromising(...args: any[]): Promise<any> }} PythonFunction */

/** @typedef {import("../bridges/wasm.js").PythonBuffer} PythonBuffer */

/**
 * The worker's functions for Python, which imports them as tinygpt_host (typings/tinygpt_host.pyi).
 *
 * @typedef {object} Host
 * @property {(kind: number, text: string) => void} write
 * @property {() => void} flush
 * @property {(ms: number) => boolean} sleep
 * @property {() => string | undefined} takeChoice
 * @property {(signal: number) => void} interrupt  a Stop, as if the page had sent it
 * @property {() => void} heard  a Stop was seen
 * @property {boolean} isolated
 * @property {() => boolean} hasRequests
 * @property {() => string} takeRequests
 * @property {(id: number) => boolean} cancelled
 * @property {(ms: number) => boolean} waitForRequest
 * @property {(id: number, data: Uint8Array | PythonBuffer, about?: string) => void} answerBytes
 * @property {(length: number) => Uint8Array} newBuffer
 * @property {(buffer: Uint8Array, at: number, data: PythonBuffer) => void} copyInto
 * @property {(ms: number) => Promise<void>} yieldToEvents
 */

/**
 * The extension, or why there is none.
 *
 * @typedef {{ module: Extension, missing?: undefined, reason?: undefined }
 *   | { module?: undefined, missing: string, reason?: string }} Loaded
 */

/**
 * The extension with 64-bit addresses, which Python imports as tinygpt_extension64.
 *
 * @typedef {object} Wide
 * @property {Extension | null} extension  null until it is loaded
 * @property {string | null} missing  why it cannot be loaded
 * @property {() => Promise<void>} open
 * @property {() => void} [close]
 */

/**
 * The GPU, which Python imports as tinygpt_gpu; Python does not wait for it to be opened.
 *
 * @typedef {object} Graphics
 * @property {Gpu | null} gpu  null until it is opened
 * @property {string | null} missing  the sentence why there is none
 * @property {boolean} reopening
 * @property {Promise<void>} opened  resolves when opening has come to an end, and never rejects
 * @property {() => Promise<Gpu | null>} open  after a loss, opens the GPU again, while Python waits
 * @property {(pyodide: Pyodide) => void} attach
 * @property {() => GraphicsFacts} facts
 */

/** @typedef {"run" | "interrupt" | "use_device" | "serve_idle"} SessionFunction */
/** @typedef {Record<SessionFunction, PythonFunction>} PythonSession */

/**
 * Python with what it computes on.
 *
 * @typedef {object} Started
 * @property {PythonSession} session  py/tinygpt_session's functions
 * @property {import("./protocol.js").WorkerFacts} device
 * @property {Wide} wide
 * @property {Graphics} graphics
 * @property {() => boolean} over  whether the interpreter came to an end
 * @property {Record<string, number>} times  ms of each part, for the device line and the tests
 */

/** @param {string} path */
const here = (path) => new URL("../../" + path, import.meta.url).href;
const RUNTIME = here("public/vendor/pyodide/");

/**
 * @param {object} parts
 * @param {Host} parts.host
 * @param {Int32Array | null} parts.signal
 * @param {import("./protocol.js").ExtensionOptions} parts.extension
 * @param {StageReport} parts.stage
 * @param {import("../bridges/webgpu.js").Progress} parts.compiling
 * @param {(error: unknown) => void} parts.ended  the interpreter came to an end
 * @returns {Promise<Started>}
 */
export async function startPython({ host, signal, extension: options, stage, compiling, ended }) {
  /** @type {Record<string, number>} */
  const times = {};
  const begun = performance.now();
  const mark = (/** @type {string} */ name) => (times[name] = Math.round(performance.now() - begun));
  const count = countDownloads(stage);

  const extension = loadExtension(options).then((loaded) => (mark("extension"), loaded));
  const graphics = openGraphics(signal, compiling);
  graphics.opened.then(() => mark("gpu"));
  const archive = fetched("py/tinygpt.zip").then((answer) => answer.arrayBuffer());
  const lists = Promise.all([listed("public/wheels/wheels.json"), listed("public/corpora/corpora.json")]);
  // each is awaited below, where its failure is reported
  for (const promise of [extension, archive, lists]) promise.catch(() => {});

  /** @type {Pyodide} */
  const pyodide = await orFail(
    loadPyodide({
      indexURL: RUNTIME,
      env: { HOME: "/home/pyodide", TINYGPT_CORPORA: "/corpora" },
      stdout: (/** @type {string} */ text) => host.write(1, text + "\n"),
      stderr: (/** @type {string} */ text) => host.write(2, text + "\n"),
      stdin: () => null,
    }),
  );
  mark("python");
  count.end();
  // Without shared memory nothing is ever written there. But a loop of Python that reads it calls
  // JavaScript, and JavaScriptCore ends a worker only there: an endless one would go on for ever.
  pyodide.setInterruptBuffer(signal ?? new Int32Array(1));
  const over = () => isOver(pyodide);
  pyodide._api.on_fatal = (/** @type {unknown} */ error) => over() && ended(error);

  stage("TinyGPT", 0, 0);
  pyodide.unpackArchive(await archive, "zip", { extractDir: "/lib/python3.14/site-packages" });
  const [wheels, corpora] = await lists;
  const texts = corpora.map((/** @type {{ file: string }} */ { file }) => file);
  mountTexts(pyodide.FS, "/corpora", texts, (name) => here("public/corpora/" + name));
  mark("package");

  stage("C++ extension", 0, 0);
  const device = await extension;
  if (device.module) {
    device.module.attach(pyodide);
    pyodide.registerJsModule("tinygpt_extension", device.module);
  }
  /** @type {Wide} */
  const wide = device.module
    ? await openWide(options, pyodide)
    : { extension: null, missing: device.missing, open: async () => {} };
  pyodide.registerJsModule("tinygpt_extension64", wide);
  graphics.attach(pyodide);
  pyodide.registerJsModule("tinygpt_gpu", graphics);
  pyodide.registerJsModule("tinygpt_host", host);
  const session = pyodide.pyimport("tinygpt_session");
  /** @type {import("./protocol.js").StartSettings} */
  const settings = {
    wheels,
    base: here(""),
    extension: Boolean(device.module),
    missing: device.missing ?? null,
  };
  /** @type {import("./protocol.js").StartFacts} */
  const facts = parse(session.start(JSON.stringify(settings)));
  await import("../bridges/webgpu.js").catch(() => {}); // what a module keeps for itself it has now
  confine(); // code of the user comes after this
  mark("ready");
  return {
    session: {
      run: session.run,
      interrupt: session.interrupt,
      use_device: session.use_device,
      serve_idle: session.serve_idle,
    },
    device: {
      ...facts,
      maxThreads: device.module?.maxThreads ?? 1,
      unshared: noSharedMemory(),
      jspi: typeof WebAssembly.Suspending === "function",
      wide: wide.missing,
      reason: device.reason ?? null,
    },
    wide,
    graphics,
    over,
    times,
  };
}

// Pyodide at its end takes its functions away: each name of them throws.
/** @param {Pyodide} pyodide */
function isOver(pyodide) {
  try {
    return !pyodide.runPython;
  } catch {
    return true;
  }
}

// A function that returns i8x16.splat(0): valid only where WebAssembly has SIMD.
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
]);

/**
 * @param {import("./protocol.js").ExtensionOptions} options
 * @returns {Promise<Loaded>}
 */
async function loadExtension(options) {
  if (!WebAssembly.validate(SIMD)) {
    return {
      missing:
        "this browser has no WebAssembly SIMD, which the C++ extension needs: use a current Chrome, Edge, Firefox or Safari",
    };
  }
  try {
    const { loadExtension: load } = await import("../bridges/wasm.js");
    return { module: await load(options) };
  } catch (error) {
    return {
      missing: 'the C++ extension could not be loaded: reload the page, or, in a checkout, run "make ext"',
      reason: messageOf(error),
    };
  }
}

/** @param {any} error */
const messageOf = (error) => String(error?.message ?? error);

/**
 * @param {import("./protocol.js").ExtensionOptions} options
 * @param {Pyodide} pyodide
 */
async function openWide(options, pyodide) {
  const { loadExtension: load, wideVariant } = await import("../bridges/wasm.js");
  const variant = wideVariant();
  const missing = variant
    ? null
    : "it needs a browser with memory64, relaxed SIMD and threads, and a page that is cross-origin isolated";
  /** @type {Promise<void> | null} */
  let opening = null;
  /** @type {Wide} */
  const wide = {
    extension: null,
    missing,
    open: () => (opening ??= open()),
    close() {
      wide.extension?.close();
      wide.extension = opening = null;
    },
  };
  const open = async () => {
    try {
      wide.extension = await load({ ...options, variant: variant ?? undefined });
      wide.extension.attach(pyodide);
    } catch (error) {
      wide.missing = `the browser did not grant it (${messageOf(error)})`;
    }
  };
  return wide;
}

/**
 * The GPU is being opened when this returns.
 *
 * @param {Int32Array | null} signal
 * @param {import("../bridges/webgpu.js").Progress} progress
 */
function openGraphics(signal, progress) {
  /** @type {Pyodide} */
  let pyodide = null;
  const bridge = import("../bridges/webgpu.js");
  const request = async () => {
    try {
      const { openGpu } = await bridge;
      graphics.gpu = await openGpu({ signal, progress });
      graphics.missing = null;
      if (pyodide) graphics.gpu.attach(pyodide);
    } catch (error) {
      graphics.missing = messageOf(error);
    }
  };
  /** @type {Graphics} */
  const graphics = {
    opened: Promise.resolve(),
    gpu: null,
    missing: "it is still opening",
    reopening: false,
    async open() {
      graphics.gpu = null;
      graphics.reopening = true;
      await request();
      graphics.reopening = false;
      (await bridge).noteStop(signal);
      return graphics.gpu;
    },
    attach(python) {
      pyodide = python;
      graphics.gpu?.attach(pyodide);
    },
    // For the page.
    facts() {
      /** @type {Partial<Gpu["info"]>} */
      const info = graphics.gpu?.info ?? {};
      const { vendor, architecture, description, fallback, capabilities } = info;
      const name = description || [vendor, architecture].filter(Boolean).join(" ") || "a GPU without a name";
      return { missing: graphics.missing, name, fallback, capabilities, canWait: graphics.gpu?.canWait ?? false };
    },
  };
  graphics.opened = request();
  return graphics;
}

// Pyodide only writes to the browser's console when its WebAssembly does not come or does not
// compile, and then waits without end: what goes wrong there is this promise's error. The
// extension's own module has other imports.
/** @param {Promise<any>} loading */
function orFail(loading) {
  const streaming = WebAssembly.instantiateStreaming;
  const failing = new Promise((_, reject) => {
    /** @type {typeof WebAssembly.instantiateStreaming} */
    WebAssembly.instantiateStreaming = (source, imports) => {
      const made = streaming.call(WebAssembly, source, imports);
      if (imports?.env?.Jsv_GetError_import)
        made.catch((error) => reject(new Error(`Python's WebAssembly could not be loaded: ${messageOf(error)}`)));
      return made;
    };
  });
  return Promise.race([loading, failing]).finally(() => (WebAssembly.instantiateStreaming = streaming));
}

/** @param {string} path */
async function fetched(path) {
  const answer = await fetch(here(path));
  if (!answer.ok)
    throw new Error(`${path} could not be fetched (${answer.status}): ${(await answer.text()).slice(0, 300)}`);
  return answer;
}

/** @param {string} path */
const listed = async (path) => answered(await fetched(path));

// Reports how many bytes of the runtime have come. It only watches: the answers go to Pyodide as
// they came, since a Response that was read and made anew would lose the browser's cache of
// compiled WebAssembly.
/** @param {StageReport} stage */
function countDownloads(stage) {
  let loaded = 0;
  const seen = new Set();
  const observer = new PerformanceObserver((list) => {
    for (const entry of /** @type {PerformanceResourceTiming[]} */ (list.getEntries())) {
      if (seen.has(entry.name) || !entry.name.startsWith(RUNTIME)) continue;
      seen.add(entry.name);
      loaded += entry.decodedBodySize;
      stage("Python", loaded, 0);
    }
  });
  observer.observe({ type: "resource", buffered: true });
  stage("Python", 0, 0);
  return { end: () => observer.disconnect() };
}
