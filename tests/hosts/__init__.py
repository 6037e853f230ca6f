"""Runs Python on each host: native (CPython), node (Pyodide in Node), and chromium, firefox, webkit
(Pyodide in the page).

    run("import tinygpt as tg\\ntg.ones(3).sum().item()", host="node")
    ->  {"ok": True, "stdout": "", "result": 3.0, "error": None}

A host is started on first use and kept, one for each (host, variant), until the process ends.
`value` is `run` that raises what went wrong and returns the result alone. `bytes` in a result, and
the `files` that a source reads, travel as base64.

Node and Chromium reach a GPU when the variant names an adapter (tests/hosts/adapters.py): device
"webgpu" is then the default.
"""

import atexit
import base64
import json
import os
import pathlib
import queue
import signal
import subprocess
import sys
import threading

from . import adapters, snippet

ROOT = pathlib.Path(__file__).resolve().parents[2]
NODE = ROOT / "node_modules" / "node" / "bin" / "node"
# The build whose vectors V8 pairs, with V8's flag for that, and the flag to optimize at once: the
# kernels' few runs in a test would not be optimized otherwise.
NODE_FLAGS = {"paired-mt": ("--experimental-wasm-revectorize", "--no-liftoff")}
ENGINES = ("firefox", "webkit", "webkit-as-shipped")  # hosts that `make engines` installs
BROWSERS = ("chromium", *ENGINES)
# What a host runs on when no device is named.
DEVICES = {"native": "native", **dict.fromkeys(("node", *BROWSERS), "wasm")}
TIMEOUT = 600

_running = {}


class HostError(RuntimeError):
    """A source failed on a host, or the host itself did; the message is the traceback."""


def run(source, host="native", device=None, threads=None, variant=None, configure=None, files=None, timeout=TIMEOUT):
    """Executes `source` on a host and returns {"ok", "stdout", "result", "error"}.

    device: default native's or wasm's; webgpu's where the variant is an adapter. threads: set on
    the device first. variant: a build of the extension (native: asan, tsan), or the GPU's adapter.
    configure: {"precision", "subgroups"} of the webgpu device; an absent one is as the device
    began. files: {name: bytes}, found by the source in the directory `files`.
    """
    if device == "webgpu" and variant not in adapters.NAMES:
        raise ValueError(
            "the webgpu device needs an adapter as the variant, one of %s; got %r"
            % (", ".join(adapters.NAMES), variant)
        )
    worker = start(host, variant)
    device = device or ("webgpu" if variant in adapters.NAMES else DEVICES[host])
    request = {"source": source, "device": device, "threads": threads, "configure": configure}
    answer = worker.request(request, files or {}, timeout)
    answer["result"] = snippet.decode(answer["result"])
    return answer


def value(source, host="native", **options):
    """The value of the source's last expression. HostError when it raised."""
    answer = run(source, host, **options)
    if not answer["ok"]:
        raise HostError("on %s:\n%s" % (host, answer["error"]))
    return answer["result"]


def script(source, argument=None, variant=None, timeout=TIMEOUT, host="chromium"):
    """What a JavaScript function gives for an argument in the page of a browser's host (JSON, or a
    promise of it).
    """
    answer = start(host, variant).request({"script": source, "argument": argument}, {}, timeout)
    if not answer["ok"]:
        raise HostError("in the page of %s:\n%s" % (host, answer["error"]))
    return answer["result"]


def start(host, variant=None):
    """The worker of a host, started when it is not running, or not any more."""
    worker = _running.get((host, variant))
    if worker is None or worker.process.poll() is not None:
        if host == "native":
            worker = Process([sys.executable, "-m", "tests.hosts.native_host"], _native_environment(variant))
        elif host == "node":
            if not NODE.exists():
                raise HostError("%s is missing; run `npm ci` first" % NODE.relative_to(ROOT))
            environment = {**os.environ, **(adapters.environment(variant) if variant in adapters.NAMES else {})}
            worker = Process(
                [str(NODE), *NODE_FLAGS.get(variant, ()), "tests/hosts/node_host.mjs", variant or ""], environment
            )
        elif host == "chromium":
            # A variant that is no build and no software adapter ("hardware") is the browser's own
            # GPU.
            module = "tests.hosts.driven" if os.environ.get("TINYGPT_BROWSER") else "tests.hosts.chromium"
            worker = Process([sys.executable, "-m", module, variant or ""], _native_environment(None))
        elif host in ENGINES:
            worker = Process(
                [sys.executable, "-m", "tests.hosts.engine", host, variant or ""], _native_environment(None)
            )
        else:
            raise ValueError("there is no host %r; choose one of %s" % (host, ", ".join(DEVICES)))
        _running[host, variant] = worker
    return worker


def stop(host=None, variant=None):
    """Ends one host, or all of them."""
    for key in list(_running) if host is None else [(host, variant)]:
        if key in _running:
            _running.pop(key).close()


atexit.register(stop)


def _native_environment(variant):
    environment = {**os.environ, "PYTHONPATH": "%s%s%s" % (ROOT / "py", os.pathsep, ROOT)}
    if variant:
        build = ROOT / "wasm_ext" / "build" / variant
        environment["TINYGPT_NATIVE"] = str(build / "libtinygpt.so")
        preload = {"asan": ("libasan.so", "libubsan.so"), "tsan": ("libtsan.so",)}[variant]
        found = [
            subprocess.run(["gcc", "-print-file-name=" + name], capture_output=True, text=True).stdout.strip()
            for name in preload
        ]
        environment["LD_PRELOAD"] = " ".join(found)
        # CPython itself leaks at exit by design; memory errors and undefined behaviour end the
        # process.
        environment["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=1"
        environment["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"
        environment["TSAN_OPTIONS"] = "halt_on_error=1"
    return environment


class Process:
    """A host in a process of its own, spoken to in lines of JSON."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.errors = []
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.error_reader = threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True)
        self.error_reader.start()
        ready = self._line(600)  # the page's set-up may come first
        if ready != "ready\n":
            raise HostError("the host did not start: %r" % ready)

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _line(self, timeout):
        try:
            line = self.lines.get(timeout=timeout)
        except queue.Empty:
            self.close()
            raise HostError("no answer in %d seconds; the host was ended" % timeout) from None
        if line is None:
            self.process.wait()
            self.error_reader.join(5)
            raise HostError(
                "the host ended with status %s:\n%s" % (self.process.returncode, "".join(self.errors[-60:]))
            )
        return line

    def request(self, request, files, timeout):
        request["files"] = {name: base64.b64encode(data).decode() for name, data in files.items()}
        if self.process.poll() is not None:
            raise HostError(
                "the host has ended with status %s:\n%s" % (self.process.returncode, "".join(self.errors[-60:]))
            )
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self._line(timeout))

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)  # with what it started: the browser, serve.py
                self.process.wait()
