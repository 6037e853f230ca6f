// The Node host: Pyodide from npm with the extension beside it, as in the page's worker, answering one JSON request a line.
//
//   node tests/hosts/node_host.mjs [variant]
//
// variant: relaxed-mt, simd-mt, simd-st or relaxed64-mt, a build of the extension; without it the bridge picks by feature test, as on the page.
// Or a GPU adapter (tests/hosts/adapters.py sets the environment that chooses its driver): the webgpu device is then there as well,
// through Dawn, the WebGPU of Chromium. The checkout is mounted at /repo, so Python imports `tinygpt` from py/ and `tests` from
// tests/. Needs the npm packages `node` (26), `pyodide` and, for a GPU, `webgpu`.
import { createInterface } from "node:readline";
import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPyodide } from "pyodide";
import { loadExtension } from "../../app/bridges/wasm.js";

const ADAPTERS = ["swiftshader", "lavapipe", "lavapipe-wide", "hardware"];
// Dawn keeps what is experimental, and f16 on NVIDIA's Vulkan driver, behind these.
const DAWN = ["enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia"];

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const named = process.argv[2] || undefined;
const adapter = ADAPTERS.includes(named) ? named : undefined;
const variant = adapter ? undefined : named;

const toStandardError = { batched: (text) => process.stderr.write(text + "\n") };
// Room for four threads on any machine: the tests compare the bits of 1, 2 and 4. Until told otherwise, one a core.
const cores = availableParallelism();
const extension = await loadExtension({ ...(variant && { variant }), threads: Math.max(4, cores) });
extension.setThreads(cores);
const pyodide = await loadPyodide({ env: { HOME: "/home/pyodide", PYTHONPATH: "/repo/py:/repo", PYTHONDONTWRITEBYTECODE: "1" } });
pyodide.setStdout(toStandardError);
pyodide.setStderr(toStandardError);
extension.attach(pyodide);
pyodide.registerJsModule("tinygpt_extension", extension);
if (adapter) await attachGpu();
pyodide.FS.mkdirTree("/repo");
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root }, "/repo");
// sys.path keeps what PYTHONPATH named before the mount; its finders may remember an empty directory.
pyodide.runPython("import importlib; importlib.invalidate_caches()");
const execute = pyodide.runPython("from tests.hosts.snippet import execute; execute");

process.stdout.write("ready\n");
process.stdin.on("end", () => process.exit(0)); // whoever asked is gone, perhaps in the middle of an answer
for await (const line of createInterface({ input: process.stdin })) {
  // On a GPU Python may wait for the device in the middle of any call: its stack is then set aside (JSPI).
  process.stdout.write((adapter ? await execute.callPromising(line) : execute(line)) + "\n");
}
process.exit(0);

async function attachGpu() {
  const { create, globals } = await import("webgpu");
  const { openGpu } = await import("../../app/bridges/webgpu.js");
  Object.assign(globalThis, globals); // GPUBufferUsage and its like, as in a browser
  const dawn = create(DAWN);
  const open = async () => {
    const gpu = await openGpu({ gpu: dawn });
    gpu.attach(pyodide);
    return gpu;
  };
  pyodide.registerJsModule("tinygpt_gpu", { gpu: await open(), missing: null, open });
}
