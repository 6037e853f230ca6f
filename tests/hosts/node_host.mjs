// The Node host: Pyodide from npm with the extension beside it, as in the page's worker, answering
// one JSON request a line.
//
//   node tests/hosts/node_host.mjs [variant]
//
// variant: relaxed-mt, simd-mt, simd-st or relaxed64-mt, a build of the extension; without it the
// bridge picks by feature test, as on the page. Or a GPU adapter (tests/hosts/adapters.py sets the
// environment that chooses its driver): the webgpu device is then there as well, through Dawn, the
// WebGPU of Chromium. The checkout is mounted at /repo, so Python imports `tinygpt` from py/ and
// `tests` from tests/. Needs the npm packages `node` (26), `pyodide` and, for a GPU, `webgpu`.

import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { loadPyodide } from "pyodide";
import { loadExtension } from "../../app/bridges/wasm.js";

const ADAPTERS = [
  ...["swiftshader", "lavapipe", "lavapipe-wide", "lavapipe-least", "lavapipe-integrated"],
  ...["hardware", "hardware-least", "hardware-integrated"],
];
const INTEGRATED_BYTES = 1 << 30; // of memory
// Dawn keeps what is experimental, and f16 on NVIDIA's Vulkan driver, behind these.
const DAWN = ["enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia"];

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const named = process.argv[2] || undefined;
const adapter = ADAPTERS.includes(named) ? named : undefined;
const variant = adapter ? undefined : named;

const toStandardError = { batched: (text) => process.stderr.write(text + "\n") };
// Room for four threads on any machine: the tests compare the bits of 1, 2 and 4. Until told
// otherwise, one a core.
const cores = availableParallelism();
const extension = await loadExtension({ ...(variant && { variant }), threads: Math.max(4, cores) });
extension.setThreads(cores);
const pyodide = await loadPyodide({
  env: { HOME: "/home/pyodide", PYTHONPATH: "/repo/py:/repo", PYTHONDONTWRITEBYTECODE: "1" },
});
pyodide.setStdout(toStandardError);
pyodide.setStderr(toStandardError);
extension.attach(pyodide);
pyodide.registerJsModule("tinygpt_extension", extension);
if (adapter) await attachGpu();
pyodide.FS.mkdirTree("/repo");
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root }, "/repo");
// sys.path keeps what PYTHONPATH named before the mount; its finders may remember an empty
// directory.
pyodide.runPython("import importlib; importlib.invalidate_caches()");
const execute = pyodide.runPython("from tests.hosts.snippet import execute; execute");

process.stdout.write("ready\n");
process.stdin.on("end", () => process.exit(0)); // whoever asked is gone, perhaps in the middle of an answer
for await (const line of createInterface({ input: process.stdin })) {
  // On a GPU Python may wait for the device in the middle of any call: its stack is then set aside
  // (JSPI).
  process.stdout.write((adapter ? await execute.callPromising(line) : execute(line)) + "\n");
}
process.exit(0);

async function attachGpu() {
  const { create, globals } = await import("webgpu");
  const { openGpu } = await import("../../app/bridges/webgpu.js");
  Object.assign(globalThis, globals); // GPUBufferUsage and its like, as in a browser
  const dawn = create(DAWN);
  const signal = new Int32Array(4); // the page's interrupt buffer; a test writes a Stop there
  globalThis.stopSignal = signal;
  const open = async () => {
    const shown = adapter.endsWith("-least") ? least(dawn) : adapter.endsWith("-integrated") ? integrated(dawn) : dawn;
    const gpu = await openGpu({ gpu: shown, signal });
    gpu.attach(pyodide);
    return gpu;
  };
  pyodide.registerJsModule("tinygpt_gpu", { gpu: await open(), missing: null, open });
}

// The least that WebGPU promises of this adapter: no optional feature (subgroups, shader-f16,
// timestamp-query), and the specification's default limits.
function least(gpu) {
  return {
    async requestAdapter(options) {
      const real = await gpu.requestAdapter(options);
      const { vendor, architecture, description } = real.info;
      return {
        features: new Set(),
        limits: {},
        info: { vendor, architecture, description },
        requestDevice: () => real.requestDevice(),
      };
    },
  };
}

// This adapter as an integrated GPU would show itself: its name, no shader-f16, the default limits,
// and 1 GiB of memory. A buffer beyond that is an error of its error scope; outside of one the
// device is lost.
function integrated(gpu) {
  return {
    async requestAdapter(options) {
      const real = await gpu.requestAdapter(options);
      const { subgroupMinSize, subgroupMaxSize } = real.info;
      return {
        features: new Set(["subgroups", "timestamp-query"].filter((name) => real.features.has(name))),
        limits: {},
        info: { vendor: "intel", architecture: "gen-12lp", description: "", subgroupMinSize, subgroupMaxSize },
        requestDevice: async ({ requiredFeatures }) => small(await real.requestDevice({ requiredFeatures })),
      };
    },
  };
}

function small(device) {
  const [create, push, pop] = ["createBuffer", "pushErrorScope", "popErrorScope"].map((name) =>
    device[name].bind(device),
  );
  const scopes = [];
  let used = 0;
  device.pushErrorScope = (filter) => {
    scopes.push({ filter, error: null });
    push(filter);
  };
  device.popErrorScope = async () => {
    const { error } = scopes.pop();
    return (await pop()) ?? error;
  };
  device.createBuffer = (descriptor) => {
    const { size } = descriptor;
    if (used + size > INTEGRATED_BYTES) {
      const scope = scopes.findLast(({ filter }) => filter === "out-of-memory");
      if (scope) scope.error = { message: "out of memory" };
      else device.destroy();
      return create({ ...descriptor, size: 16 });
    }
    const buffer = create(descriptor),
      destroy = buffer.destroy.bind(buffer);
    let there = true;
    used += size;
    buffer.destroy = () => {
      if (there) used -= size;
      there = false;
      destroy();
    };
    return buffer;
  };
  return device;
}
