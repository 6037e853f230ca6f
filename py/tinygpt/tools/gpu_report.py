"""A report of the GPU, to be pasted into a bug: what the browser says of it, its limits, the tiles
chosen, the times of a step, and whether its losses are those of the CPU.

    write() -> str

Nothing of the user's is touched: the models go, the current device, its precision and the random
stream are put back. It takes a few seconds, most of them for compiling shaders.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from .. import devices
from ..core import generator
from ..core.current_device import get_device, set_device
from ..devices.base import size_text
from . import wgsl
from .benchmark import StepBench
from .profile import profile

if TYPE_CHECKING:
    from collections.abc import Callable

PRESET, LOSSES = "tiny", 5
STEPS, STEPS_SECONDS = (3, 20), 2.0  # at least and at most, in about so many seconds
TRIED_BYTES = 1 << 30
# Of a loss: f32 in another order of sums; operands of 16 bits.
AGREES = {"f32": 5e-4, "f16": 1e-2, "f16_matrix": 1e-2}
# The limits that decide what runs, with WebGPU's defaults.
LIMITS = {**wgsl.LIMITS, "maxComputeWorkgroupsPerDimension": 65535, "minStorageBufferOffsetAlignment": 256}
FEATURES = ("subgroups", "shader-f16", "timestamp-query", "chromium-experimental-subgroup-matrix")


class Cancelled(ValueError):
    """The user does not want the report any more."""


def write(progress: Callable[[str], object] = lambda stage: None, cancelled: Callable[[], bool] = lambda: False) -> str:
    """The report. progress(stage) is called before each stage; Cancelled where cancelled() says so
    then. RuntimeError where there is no GPU.
    """

    def stage(text: str) -> None:
        if cancelled():
            raise Cancelled("the report was cancelled")
        progress(text)

    before, random = get_device(), generator.default_generator.get_state()
    gpu: Any = devices.get("webgpu")
    precision = gpu.precision
    if gpu.lost:
        raise RuntimeError("the GPU was lost (%s): reload the page, then report it" % gpu.lost)
    try:
        stage("the adapter")
        lines = adapter(gpu)
        stage("the losses of the CPU")
        set_device("wasm")
        generator.default_generator.set_state(random)
        want = losses_of(_bench())
        set_device("webgpu")
        for chosen in [name for name in AGREES if name == "f32" or name in gpu.capabilities]:
            stage("a step in %s" % chosen)
            if chosen != gpu.precision:
                gpu.configure(precision=chosen)
            lines += ["", *_step(gpu, want)]
        stage("memory")
        found = gpu.available(TRIED_BYTES)
        lines += ["", "Memory: %s of %s requested were given" % (size_text(found), size_text(TRIED_BYTES))]
        if gpu.gpu.problem:
            lines.append("WebGPU reported: %s" % gpu.gpu.problem)
        return "\n".join(lines) + "\n"
    finally:
        if gpu.precision != precision:
            gpu.configure(precision=precision)
        set_device(before.name)
        generator.default_generator.set_state(random)


def adapter(gpu: Any) -> list[str]:
    """The lines on the adapter and its limits."""
    info, kind = gpu.info, gpu.adapter
    said = [info.get(name) or "-" for name in ("vendor", "architecture", "description")]
    features = ["%s %s" % ("+" if name in info["features"] else "-", name) for name in FEATURES]
    limits = ["%s %s%s" % (name, gpu.limits.get(name), "" if gpu.limits.get(name) != most else " (the default)")
              for name, most in LIMITS.items()]  # fmt: skip
    matrices = info.get("matrices") or []
    return [
        "TinyGPT GPU report",
        "Adapter: vendor %s, architecture %s, description %s%s" % (*said, ", software" if gpu.fallback else ""),
        "Class: %s (%d cores, %d sums an invocation assumed)" % (kind.name, kind.cores, kind.sums),
        "Features: %s" % ", ".join(features),
        "Subgroups: %s to %s; matrix units: %s"
        % (info.get("subgroupMin") or "?", info.get("subgroupMax") or "?", ", ".join(matrices) or "none said"),
        "Offered: %s" % ", ".join(gpu.capabilities),
        "Limits: %s" % ", ".join(limits),
        "Tuner: %s" % ("measures" if gpu.tunes else "estimates only"),
    ]


def _bench() -> StepBench:
    return StepBench(PRESET, warm_up=LOSSES, warm_up_seconds=0.0)


def losses_of(bench: StepBench) -> list[float]:
    """Its first losses."""
    bench.losses += [loss for _, loss in bench.reads.drain()]
    return bench.losses[:LOSSES]


def _step(gpu: Any, want: list[float]) -> list[str]:
    """The lines on a step at the GPU's precision. want: the losses of the CPU."""
    bench = _bench()
    got = losses_of(bench)
    began, submits, steps = time.perf_counter(), _submits(gpu), len(bench.losses)
    bench.advance()
    bench.loss.item()
    least, most = STEPS
    ms = bench.time(max(least, min(most, int(STEPS_SECONDS / (time.perf_counter() - began)))))["ms"]
    submits, steps = _submits(gpu) - submits, len(bench.losses) - steps
    off = max(abs(a - b) / abs(b) for a, b in zip(got, want))
    program: Any = bench.step.program
    lines = [
        "%s, preset %s: first step %.2f s, then %.2f ms (median of %d, %.2f to %.2f)"
        % (gpu.precision, PRESET, bench.first_step_s, statistics.median(ms), len(ms), min(ms), max(ms)),
        "  submits: %d in %d steps; dispatches a step: %d" % (submits, steps, program._loaded.dispatches),
        "  parity: %s: losses %s, on the CPU %s, largest relative difference %.2g (at most %g)"
        % (
            "agrees" if off <= AGREES[gpu.precision] else "DIFFERS",
            _numbers(got),
            _numbers(want),
            off,
            AGREES[gpu.precision],
        ),
    ]
    lines += ["  tile %s" % line for line in tiles(program._loaded)]
    if "timestamp-query" in gpu.info["features"]:
        rows = profile(bench.step, repeats=3).rows
        lines += ["  time %.3f ms in %d of %s" % (row.seconds * 1e3, row.launches, row.kernel) for row in rows[:8]]
    return lines


def _submits(gpu: Any) -> int:
    return gpu.gpu.counters.to_py()["submits"]


def _numbers(values: list[float]) -> str:
    return " ".join("%.6f" % value for value in values)


def tiles(loaded: Any) -> list[str]:
    """The tile of each product of a GpuProgram that has one, with how many launches it has."""
    found: Counter[str] = Counter()
    for launch, plan in zip(loaded.launches, loaded.plans):
        for dispatch in plan.dispatches:
            if dispatch.label in ("matmul.tile", "matmul.matrix"):
                p, d = launch.kernel.Params(*launch.params), dict(dispatch.defines)
                each = "%dx%d" % ((d["TM"], d["TN"]) if "TM" in d else (d["SM"], d["SN"]))
                splits = max((deferred.splits for deferred in plan.deferred), default=1)
                found[
                    "%dx%dx%dx%d %s%s: %dx%d, %s each, %d slices, %d splits"
                    % (p.batch, p.M, p.N, p.K, "NT"[p.ta], "NT"[p.tb], d["BM"], d["BN"], each, d.get("KS", 1), splits)
                ] += 1
    return ["%s (%d launches)" % (line, count) for line, count in found.items()]
