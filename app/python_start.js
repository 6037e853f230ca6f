// Starts Python inside the worker: Pyodide with the precompiled standard library, the C++ extension beside it, then the package.
//
// startPython({host, signal, extension, stage, compiling}) -> {session, device, graphics, times}
//   session   {run(source, mode, options) -> promise of JSON, interrupt(), use_device(choice) -> JSON, serve_idle()}: app/session's functions
//   device    {python, device, build, threads, precision, maxThreads, isolated, jspi, missing: sentence or null, reason: what the browser said of it,
//             wide: sentence or null}
//   wide      the extension with 64-bit addresses: {extension, missing, open()}; it is loaded when it is first wanted
//   graphics  the GPU: {gpu, missing, opened: promise, facts()}; Python does not wait for it to be opened
//   times     milliseconds of each part, for the page's device line and the tests

import { loadPyodide } from "../public/vendor/pyodide/pyodide.mjs";

const here = (path) => new URL("../" + path, import.meta.url).href;
const RUNTIME = here("public/vendor/pyodide/");

export async function startPython({ host, signal, extension: options, stage, compiling }) {
  const times = {};
  const begun = performance.now();
  const mark = (name) => (times[name] = Math.round(performance.now() - begun));
  const count = countDownloads(stage);

  const extension = loadExtension(options).then((loaded) => (mark("extension"), loaded));
  const graphics = openGraphics(signal, compiling);
  graphics.opened.then(() => mark("gpu"));
  const archive = fetched("py/tinygpt.zip").then((answer) => answer.arrayBuffer());
  const lists = Promise.all([listed("public/wheels/wheels.json"), listed("public/corpora/corpora.json")]);
  for (const promise of [extension, archive, lists]) promise.catch(() => {}); // each is awaited below, where its failure is told

  const pyodide = await orFail(loadPyodide({
    indexURL: RUNTIME,
    env: { HOME: "/home/pyodide", TINYGPT_CORPORA: "/corpora" },
    stdout: (text) => host.write(1, text + "\n"),
    stderr: (text) => host.write(2, text + "\n"),
    stdin: () => null,
  }));
  mark("python");
  count.end();
  if (signal) pyodide.setInterruptBuffer(signal);

  stage("TinyGPT", 0, 0);
  pyodide.unpackArchive(await archive, "zip", { extractDir: "/lib/python3.14/site-packages" });
  const [wheels, corpora] = await lists;
  mountCorpora(pyodide, corpora);
  mark("package");

  stage("C++ extension", 0, 0);
  const device = await extension;
  if (device.module) {
    device.module.attach(pyodide);
    pyodide.registerJsModule("tinygpt_extension", device.module);
  }
  const wide = device.module ? await openWide(options, pyodide) : { extension: null, missing: device.missing, open: async () => {} };
  pyodide.registerJsModule("tinygpt_extension64", wide);
  graphics.attach(pyodide);
  pyodide.registerJsModule("tinygpt_gpu", graphics);
  pyodide.registerJsModule("tinygpt_host", host);
  const session = pyodide.pyimport("tinygpt_session");
  const started = JSON.parse(session.start(JSON.stringify({ wheels, base: here(""), extension: Boolean(device.module), missing: device.missing })));
  mark("ready");
  return {
    session: { run: session.run, interrupt: session.interrupt, use_device: session.use_device, serve_idle: session.serve_idle },
    device: {
      ...started, maxThreads: device.module?.maxThreads ?? 1, isolated: self.crossOriginIsolated, jspi: typeof WebAssembly.Suspending === "function",
      wide: wide.missing, reason: device.reason ?? null,
    },
    wide,
    graphics,
    times,
  };
}

// A function that returns i8x16.splat(0): valid only where WebAssembly has SIMD.
const SIMD = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11]);

async function loadExtension(options) {
  if (!WebAssembly.validate(SIMD)) {
    return { missing: "this browser has no WebAssembly SIMD, which the C++ extension needs: use a current Chrome, Edge, Firefox or Safari" };
  }
  try {
    const { loadExtension: load } = await import("./bridges/wasm.js");
    return { module: await load(options) };
  } catch (error) {
    return { missing: 'the C++ extension could not be loaded: reload the page, or, in a checkout, run "make ext"', reason: String(error?.message ?? error) };
  }
}

// What Python imports as tinygpt_extension64: {extension: null until it is loaded, missing: why it cannot be, open(): loads it, close()}.
async function openWide(options, pyodide) {
  const { loadExtension: load, wideVariant } = await import("./bridges/wasm.js");
  const variant = wideVariant();
  const missing = variant ? null : "it needs a browser with memory64, relaxed SIMD and threads, and a page that is cross-origin isolated";
  let opening = null;
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
      wide.extension = await load({ ...options, variant });
      wide.extension.attach(pyodide);
    } catch (error) {
      wide.missing = `the browser did not give it (${error?.message ?? error})`;
    }
  };
  return wide;
}

// What Python imports as tinygpt_gpu: {gpu: the opened GPU or null, missing: the sentence that says why there is none}. It is being opened
// when this returns; `opened` resolves when that has an end, and never rejects. open(): after a loss, asks for the GPU anew, while Python waits.
function openGraphics(signal, progress) {
  let pyodide = null;
  const bridge = import("./bridges/webgpu.js");
  const ask = async () => {
    try {
      const { openGpu } = await bridge;
      graphics.gpu = await openGpu({ signal, progress });
      graphics.missing = null;
      if (pyodide) graphics.gpu.attach(pyodide);
    } catch (error) {
      graphics.missing = String(error?.message ?? error);
    }
  };
  const graphics = {
    gpu: null,
    missing: "it is still being opened",
    reopening: false,
    async open() {
      graphics.gpu = null;
      graphics.reopening = true;
      await ask();
      graphics.reopening = false;
      (await bridge).noteStop(signal);
      return graphics.gpu;
    },
    attach(python) {
      pyodide = python;
      graphics.gpu?.attach(pyodide);
    },
    // For the page: {missing, name, fallback, rungs, canWait}.
    facts() {
      const { vendor, architecture, description, fallback, rungs } = graphics.gpu?.info ?? {};
      const name = description || [vendor, architecture].filter(Boolean).join(" ") || "a GPU without a name";
      return { missing: graphics.missing, name, fallback, rungs, canWait: graphics.gpu?.canWait ?? false };
    },
  };
  graphics.opened = ask();
  return graphics;
}

// Pyodide only writes to the browser's console when its WebAssembly does not come or does not compile, and then waits without end: what goes
// wrong there is this promise's error. The extension's own module has other imports.
function orFail(loading) {
  const streaming = WebAssembly.instantiateStreaming;
  const failing = new Promise((_, reject) => {
    WebAssembly.instantiateStreaming = (source, imports) => {
      const made = streaming.call(WebAssembly, source, imports);
      if (imports?.env?.Jsv_GetError_import) made.catch((error) => reject(new Error(`Python's WebAssembly could not be loaded: ${error?.message ?? error}`)));
      return made;
    };
  });
  return Promise.race([loading, failing]).finally(() => (WebAssembly.instantiateStreaming = streaming));
}

async function fetched(path) {
  const answer = await fetch(here(path));
  if (!answer.ok) throw new Error(`${path} could not be fetched (${answer.status}): ${(await answer.text()).slice(0, 300)}`);
  return answer;
}

const listed = async (path) => (await fetched(path)).json();

// The texts appear as files; each is fetched when it is first read (in pieces, synchronously: a worker may).
function mountCorpora(pyodide, corpora) {
  pyodide.FS.mkdirTree("/corpora");
  for (const { file } of corpora) pyodide.FS.createLazyFile("/corpora", file, here("public/corpora/" + file), true, false);
}

// Tells how many bytes of the runtime have come. It only watches: the answers go to Pyodide as they came, since a Response that was
// read and made anew would lose the browser's cache of compiled WebAssembly.
function countDownloads(stage) {
  let loaded = 0;
  const seen = new Set();
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
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
