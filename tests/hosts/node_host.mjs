// The Node host: Pyodide from npm with the extension beside it, as in the page's worker, answering one JSON request a line.
//
//   node tests/hosts/node_host.mjs [variant]
//
// variant: relaxed-mt, simd-mt or simd-st; without it the bridge picks by feature test, as on the page. The checkout is mounted
// at /repo, so Python imports `tinygpt` from py/ and `tests` from tests/. Needs the npm packages `node` (26) and `pyodide`.
import { createInterface } from "node:readline";
import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPyodide } from "pyodide";
import { loadExtension } from "../../app/bridges/wasm.js";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const variant = process.argv[2] || undefined;

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
pyodide.FS.mkdirTree("/repo");
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root }, "/repo");
// sys.path keeps what PYTHONPATH named before the mount; its finders may remember an empty directory.
pyodide.runPython("import importlib; importlib.invalidate_caches()");
const execute = pyodide.runPython("from tests.hosts.snippet import execute; execute");

process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(execute(line) + "\n");
}
process.exit(0);
