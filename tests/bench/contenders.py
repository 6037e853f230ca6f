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
    """TinyGPT on (device, host, threads), or PyTorch (device "torch")."""

    def __init__(self, device, host, threads, variant=None):
        self.device, self.host, self.threads, self.variant = device, host, threads, variant
        self._torch = None

    @property
    def name(self):
        return (
            "PyTorch" if self.device == "torch" else "%s, %s" % (self.device, self.host) + (" (%s)" % self.variant if self.variant else "")
        )

    def times(self, preset, steps):
        """Times `steps` steps; the first call for a preset warms up."""
        if self.device == "torch":
            return self._torch_times(preset, steps)
        source = "from tests.bench import host_bench\nhost_bench.step_times(%r, %d, keep=True)" % (preset, steps)
        return hosts.value(source, self.host, device=self.device, threads=self.threads, variant=self.variant)

    def forget(self):
        """Frees the model that was kept warm."""
        if self.device != "torch":
            hosts.value(
                "from tests.bench import host_bench\nhost_bench._kept.clear()",
                self.host,
                device=self.device,
                threads=self.threads,
                variant=self.variant,
            )

    def generation(self, preset):
        """KV-cache decoding rate of a preset."""
        source = "from tests.bench import host_bench\nhost_bench.generation(%r)" % preset
        return hosts.value(source, self.host, device=self.device, threads=self.threads, variant=self.variant)

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
        "build": results[-1]["build"],
        "median_ms": median, "min_ms": min(ms), "max_ms": max(ms),
        "tokens_per_s": chosen.train.batch_size * chosen.model.context / median * 1e3,
        "first_loss": results[0]["losses"][0], "last_loss": results[-1]["losses"][-1], "python_ms": statistics.median(python),
        "planned_bytes": results[-1].get("planned_bytes"), "steps": len(ms),
    }  # fmt: skip
