"""The contenders of a speed comparison: an implementation on a device and a host with a number of
threads, in a process kept warm.

Each has `cold(preset)` (a model from nothing: time to the first step, first losses, peak memory),
`times(preset, steps)`, `generation(preset)` and `forget()`. Contender is TinyGPT; PyTorch and Peer
are the others.
"""

import os
import statistics
import sys
import time

from tests import hosts
from tests.bench import memory
from tinygpt.config import PRESETS
from tinygpt.tools.benchmark import COMPARED, ROLL_SECONDS, WARM_UP_SECONDS

ROOT = hosts.ROOT
PATIENCE = 5  # times a library's seconds for a preset, until its first step has to be there
TURNS = (
    5  # of each contender at a preset, one after the other, so that a slow moment of the machine falls on all of them
)


class Contender:
    """TinyGPT on (device, host, threads). variant: a build of the extension, or a GPU's adapter.
    configure: of a webgpu device, {"precision", "subgroups"}. plain: the build is that without
    relaxed SIMD.
    """

    implementation = "TinyGPT"
    over = False  # whether its time for the preset is used up

    def __init__(self, device, host, threads, variant=None, configure=None, plain=False):
        self.device, self.host, self.variant, self.configure = device, host, variant, configure or {}
        self.threads = None if device == "webgpu" else threads
        # The hosts start V8 so (tests/hosts).
        self.flags = "future" if variant == "paired-mt" else "plain" if plain or variant == "simd-mt" else None

    @property
    def name(self):
        options = [self.variant or "", *("%s %s" % item for item in sorted(self.configure.items()))]
        threads = "%d thread%s" % (self.threads, "" if self.threads == 1 else "s") if self.threads else ""
        said = ", ".join(filter(None, [self.device, self.host, threads, *options]))
        return "%s (%s)" % (self.implementation, said)

    def _value(self, source):
        options = {"device": self.device, "threads": self.threads, "variant": self.variant, "configure": self.configure}
        return hosts.value("from tinygpt.tools import benchmark\n" + source, self.host, **options)

    def process(self):
        """The process id of the host."""
        return hosts.start(self.host, self.variant).process.pid

    def cold(self, preset):
        """{"first_step_s", "losses", "peak_bytes"}."""
        memory.reset(self.process())
        out = self._value("benchmark.cold(%r)" % preset)
        return out | {"peak_bytes": memory.peak(self.process())}

    def times(self, preset, steps):
        """Times `steps` steps; the first call for a preset warms up."""
        return self._value("benchmark.step_times(%r, %d, keep=True)" % (preset, steps))

    def forget(self):
        """Frees the model that was kept warm."""
        self._value("benchmark.forget()")

    def generation(self, preset):
        """Decoding with a key/value cache: {"tokens_per_s", "first_token_ms"}."""
        return self._value("benchmark.generation(%r)" % preset)


class Lines:
    """A contender in a process of its own that answers lines of JSON (tests.hosts.Process)."""

    variant, configure, over, flags = None, {}, False, None

    def __init__(self, module, *arguments):
        self.command, self._process = [sys.executable, "-m", module, *arguments], None

    def process(self):
        if self._process is None:
            environment = {**os.environ, "PYTHONPATH": "%s%s%s" % (ROOT / "py", os.pathsep, ROOT)}
            self._process = hosts.Process(self.command, environment)
        return self._process.process.pid

    def ask(self, timeout=None, **request):
        """The answer. timeout: seconds after which the process is ended; without one the
        contender's own time budget ends a measurement.
        """
        self.process()
        try:
            answer = self._process.request(request, {}, timeout)
        except hosts.HostError:
            self._process = None  # it has ended
            raise
        if not answer["ok"]:
            raise hosts.HostError("%s: %s" % (self.name, answer["error"]))
        return answer["result"]

    def close(self):
        if self._process is not None:
            self._process.close()
            self._process = None


class PyTorch(Lines):
    """PyTorch natively on the job's weights and batches."""

    implementation, device, host = "PyTorch", "cpu", "native"

    def __init__(self, threads, folder):
        super().__init__("tests.bench.torch_bench")
        self.threads, self.folder = threads, folder
        self.name = "PyTorch (%d threads)" % threads

    def cold(self, preset):
        memory.reset(self.process())
        out = self.ask(do="cold", preset=preset, threads=self.threads, folder=str(self.folder))
        return out | {"peak_bytes": memory.peak(self.process())}

    def times(self, preset, steps):
        return self.ask(do="times", preset=preset, threads=self.threads, folder=str(self.folder), steps=steps)

    def generation(self, preset):
        return self.ask(do="generation", preset=preset, threads=self.threads, folder=str(self.folder))

    def forget(self):
        self.ask(do="forget")


class Peer(Lines):
    """A library of npm in Chromium (tests/bench/peers). seconds: what its measurement of one preset
    may take. flags: "future" for a Chromium with "Future V8 VM features".
    """

    host = "chromium"
    TITLES = {"jax": "jax-js", "tfjs": "TensorFlow.js"}

    def __init__(self, library, backend, threads, folder, adapter=None, seconds=120, flags=None):
        super().__init__("tests.bench.peers.host", str(folder), adapter or "", flags or "")
        self.flags = flags
        self.library, self.device, self.seconds = library, backend, seconds
        self.implementation, self.threads = self.TITLES[library], threads if backend == "wasm" else None
        more = ["%d threads" % threads] if self.threads else []
        self.name = "%s (%s)" % (self.implementation, ", ".join([backend, "chromium", *more, *filter(None, [flags])]))
        self.cores, self.spent = threads, 0.0

    def cold(self, preset):
        self.ask(close=True)
        memory.reset(self.process())
        options = {"library": self.library, "backend": self.device, "threads": self.cores, "compared": COMPARED}
        begun = time.monotonic()
        try:
            self.about = self.ask(timeout=PATIENCE * self.seconds, open=options | {"seconds": self.seconds})
        except hosts.HostError as error:
            if "no answer" in str(error):
                raise hosts.HostError("no step of %s was made in %d s" % (preset, PATIENCE * self.seconds)) from None
            raise
        self.spent, self.warm = time.monotonic() - begun, False
        return self.about | {"peak_bytes": memory.peak(self.process())}

    def times(self, preset, steps):
        """Fewer steps than `steps`, at least one, where they take longer than a turn's share of the
        time; the first call warms up.
        """
        begun = time.monotonic()
        out = self.ask(steps=steps, warm=ROLL_SECONDS if self.warm else WARM_UP_SECONDS, seconds=self.seconds / TURNS)
        self.warm = True
        self.spent += time.monotonic() - begun
        return out | {"replay_ms": out["ms"], "threads": self.about["threads"], "build": self.about["build"]}

    @property
    def over(self):
        return self.spent >= self.seconds

    def generation(self, preset):
        return None  # neither library decodes with a key/value cache

    def forget(self):
        self.ask(close=True)


def summary(preset, contender, results):
    """The JSON object of one measurement. results: what `times` returned, one or several rounds."""
    ms = [t for r in results for t in r["ms"]]
    python = [a - b for r in results for a, b in zip(r["ms"], r["replay_ms"])]
    chosen = PRESETS[preset]
    median = statistics.median(ms)
    return {
        "preset": preset, "implementation": contender.implementation, "device": contender.device,
        "host": contender.host,
        "threads": results[-1]["threads"], "precision": contender.configure.get("precision", "f32"),
        "build": results[-1]["build"], "variant": contender.variant, "flags": contender.flags, "steps": len(ms),
        "median_ms": median, "min_ms": min(ms), "max_ms": max(ms),
        "tokens_per_s": chosen.train.batch_size * chosen.model.context / median * 1e3,
        "first_loss": results[0]["losses"][0], "last_loss": results[-1]["losses"][-1],
        "python_ms": statistics.median(python) if contender.implementation == "TinyGPT" else None,
        "planned_bytes": results[-1].get("planned_bytes"), "dispatches": results[-1].get("dispatches"),
        "matmul_flops": results[-1].get("matmul_flops"),
    }  # fmt: skip
