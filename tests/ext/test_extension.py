"""The extension as built: the C++ checks, the committed WebAssembly against its sources, and the
bridge in Node and Chromium.
"""

import functools
import http.server
import json
import pathlib
import shutil
import subprocess
import threading

import pytest

from tests.targets import needs_avx2

ROOT = pathlib.Path(__file__).resolve().parents[2]
NODE = ROOT / "node_modules" / "node" / "bin" / "node"
PAGE = """<!doctype html><script type="module">
  const worker = new Worker("worker.mjs", { type: "module" });
  window.result = new Promise((resolve) => {
    worker.onmessage = (e) => resolve(e.data);
    worker.onerror = (e) => resolve({ error: e.message });
  });
  window.start = (options) => { worker.postMessage(options); return window.result; };
</script>"""
WORKER = """
  import { loadExtension, chooseVariant } from "./app/bridges/wasm.js";
  import { check } from "./tests/ext/bridge.mjs";
  onmessage = async ({ data: { kernels, options } }) => {
    try { postMessage({ chosen: chooseVariant(), lines: await check(loadExtension, kernels, options) }); }
    catch (error) { postMessage({ error: String(error.stack) }); }
  };
"""


def kernel_ids():
    from tinygpt import kernels

    return {name: kernels.BY_NAME[name].id for name in ("fill", "matmul")}


class Handler(http.server.SimpleHTTPRequestHandler):
    """The repository under /a/deep/base/, cross-origin isolated unless told otherwise."""

    base = "/a/deep/base/"
    isolated = True
    extensions_map = {
        ".mjs": "text/javascript",
        ".js": "text/javascript",
        ".wasm": "application/wasm",
        "": "text/plain",
    }

    def do_GET(self):
        name = self.path.removeprefix(self.base)
        body = {"": PAGE, "worker.mjs": WORKER}.get(name)
        if body is None:
            self.path = "/" + name
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if name else "text/html")
        self.end_headers()
        self.wfile.write(body.encode())
        return None

    def end_headers(self):
        if self.isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture(params=[True, False], ids=["isolated", "not isolated"])
def page(request):
    from playwright.sync_api import sync_playwright

    handler = functools.partial(type("H", (Handler,), {"isolated": request.param}), directory=str(ROOT))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto("http://127.0.0.1:%d%s" % (server.server_address[1], Handler.base))
        page.isolated = request.param
        yield page
        browser.close()
    server.shutdown()


CHECKS = {
    "test_ext": "ok decode",
    "test_kernels": " 0 failed",
    "test_math": "passed",
}  # what each prints when all is well
BUILDS = {"native": [], "asan": ["-DSANITIZE=address"], "tsan": ["-DSANITIZE=thread"]}


RUNS = [("native", check) for check in CHECKS] + [("asan", "test_ext"), ("asan", "test_kernels"), ("tsan", "test_ext")]


@pytest.mark.parametrize("build, check", RUNS)
def test_cpp_checks_pass(build, check):
    folder = ROOT / "wasm_ext" / "build" / build
    subprocess.run(["cmake", "-S", ROOT / "wasm_ext", "-B", folder, *BUILDS[build]], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", folder, "--target", check, "-j2"], check=True, capture_output=True)
    done = subprocess.run([folder / check], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert CHECKS[check] in done.stdout


def test_the_committed_build_belongs_to_the_sources():
    done = subprocess.run([ROOT / "wasm_ext" / "build.sh", "--check"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_source_is_noticed(tmp_path):
    shutil.copytree(ROOT / "wasm_ext", tmp_path / "wasm_ext", ignore=shutil.ignore_patterns("build"))
    shutil.copytree(ROOT / "public" / "ext", tmp_path / "public" / "ext")
    with open(tmp_path / "wasm_ext" / "matmul.cpp", "a") as file:
        file.write("\n")
    done = subprocess.run([tmp_path / "wasm_ext" / "build.sh", "--check"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "matmul.cpp" in done.stderr


def test_the_bridge_in_node():
    done = subprocess.run(
        [NODE, ROOT / "tests" / "ext" / "bridge_node.mjs"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "relaxed-mt: wasm32 relaxed-simd threads" in done.stdout
    assert "simd-st: wasm32 simd, 1 of 1 threads" in done.stdout
    assert "paired-mt: wasm32 relaxed-simd 256-bit threads" in done.stdout
    assert "relaxed64-mt: wasm64 relaxed-simd threads" in done.stdout and "a block of 4.5 GiB" in done.stdout


def test_the_bridge_in_chromium(page):
    message = json.dumps({"kernels": kernel_ids(), "options": {"shapes": [[256, 256, 256]]}})
    result = page.evaluate("start(%s)" % message)
    assert "error" not in result, result["error"]
    assert result["chosen"] == ("relaxed-mt" if page.isolated else "simd-st")
    assert result["lines"][0].startswith(result["chosen"])
    print("\n".join(result["lines"]))


PAIRS = "import { measureEngine } from './app/bridges/probe.js'; console.log((await measureEngine()).pairs);"
# The engine's relaxed loop is run `times` times over where it is asked for once.
SLOWED = """
const Real = WebAssembly.Instance;
let made = 0;
WebAssembly.Instance = function (module) {
  const { fma } = new Real(module).exports;
  const times = made++ === 0 ? %d : 1;
  return { exports: { fma: (...a) => { for (let i = 0; i < times; i++) fma(...a); } } };
};
const { bestVariant } = await import('./app/bridges/wasm.js');
console.log(await bestVariant());
"""


@needs_avx2
@pytest.mark.parametrize(
    "flags, answer", [((), "false"), (("--experimental-wasm-revectorize",), "true")], ids=["plain", "pairing"]
)
def test_the_probe_tells_an_engine_that_pairs_vectors_from_one_that_does_not(flags, answer):
    command = [NODE, *flags, "--input-type=module", "-e", PAIRS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == answer, done.stdout + done.stderr


@needs_avx2
@pytest.mark.parametrize("times, variant", [(1, "relaxed-mt"), (6, "simd-mt")])
def test_an_engine_that_is_slower_with_relaxed_simd_gets_the_plain_build(times, variant):
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", SLOWED % times], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == variant, done.stdout + done.stderr


@pytest.mark.parametrize("page", [True], ids=["isolated"], indirect=True)
def test_the_bridge_with_64_bit_addresses_in_chromium(page):
    options = {"variant": "relaxed64-mt", "shapes": [[256, 256, 256]]}
    result = page.evaluate("start(%s)" % json.dumps({"kernels": kernel_ids(), "options": options}))
    assert "error" not in result, result["error"]
    assert (
        result["lines"][0].startswith("relaxed64-mt: wasm64 relaxed-simd threads")
        and "a block of 4.5 GiB" in result["lines"][1]
    )
