"""The contenders of a speed comparison: a device on a host with a number of threads, each in a process of its own, kept warm."""

import json
import os
import statistics
import subprocess
import sys

from tests import hosts
from tinygpt.config import PRESETS

ROOT = hosts.ROOT


class Contender:
    """TinyGPT on (device, host, threads), or PyTorch (device "torch").

    variant: a build of the extension, or a GPU's adapter. configure: of a webgpu device, {"precision", "subgroups"}.
    """

    def __init__(self, device, host, threads, variant=None, configure=None):
        self.device, self.host, self.variant, self.configure = device, host, variant, configure or {}
        self.threads = None if device == "webgpu" else threads
        self._torch = None

    @property
    def name(self):
        if self.device == "torch":
            return "PyTorch"
        options = [self.variant or "", *("%s %s" % item for item in sorted(self.configure.items()))]
        said = ", ".join(filter(None, options))
        return "%s, %s" % (self.device, self.host) + (" (%s)" % said if said else "")

    def _value(self, source):
        options = {"device": self.device, "threads": self.threads, "variant": self.variant, "configure": self.configure}
        return hosts.value(source, self.host, **options)

    def times(self, preset, steps):
        """Times `steps` steps; the first call for a preset warms up."""
        if self.device == "torch":
            return self._torch_times(preset, steps)
        return self._value("from tests.bench import host_bench\nhost_bench.step_times(%r, %d, keep=True)" % (preset, steps))

    def forget(self):
        """Frees the model that was kept warm."""
        if self.device != "torch":
            self._value("from tests.bench import host_bench\nhost_bench._kept.clear()")

    def generation(self, preset):
        """KV-cache decoding rate of a preset."""
        return self._value("from tests.bench import host_bench\nhost_bench.generation(%r)" % preset)

    def _torch_times(self, preset, steps):
        if self._torch is None:
            environment = {**os.environ, "PYTHONPATH": "%s%s%s" % (ROOT / "py", os.pathsep, ROOT)}
            self._torch = subprocess.Popen([sys.executable, "-m", "tests.bench.torch_bench"], cwd=ROOT, env=environment, text=True,
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        self._torch.stdin.write(json.dumps({"preset": preset, "threads": self.threads, "steps": steps}) + "\n")
        self._torch.stdin.flush()
        line = self._torch.stdout.readline()
        if not line:
            raise RuntimeError("the PyTorch process ended; its message is above")
        return json.loads(line)


def summary(preset, contender, results):
    """The JSON object of one measurement. results: what `times` returned, one or several rounds."""
    ms = [t for r in results for t in r["ms"]]
    python = [a - b for r in results for a, b in zip(r["ms"], r["replay_ms"])]
    chosen = PRESETS[preset]
    median = statistics.median(ms)
    return {
        "preset": preset, "device": contender.device, "host": contender.host, "threads": results[-1]["threads"],
        "build": results[-1]["build"], "variant": contender.variant, "precision": contender.configure.get("precision", "f32"),
        "median_ms": median, "min_ms": min(ms), "max_ms": max(ms),
        "tokens_per_s": chosen.train.batch_size * chosen.model.context / median * 1e3,
        "first_loss": results[0]["losses"][0], "last_loss": results[-1]["losses"][-1], "python_ms": statistics.median(python),
        "planned_bytes": results[-1].get("planned_bytes"), "dispatches": results[-1].get("dispatches"), "steps": len(ms),
    }  # fmt: skip
