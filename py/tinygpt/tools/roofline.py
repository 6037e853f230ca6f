"""How fast each kernel is at the shapes of a training step: every distinct launch of a captured
Program, timed by itself on a CPU device.

A launch is loaded many times over as one Program, so a sample holds milliseconds of its work and
one call of the device. Its operands lie in the caches where they fit, as they would not all in a
step. Operations and bytes come from the contract (profile.py). With the peaks that were measured on
the same machine (app/bridges/peak.js, tests/bench/probe.c) each rate gets its roofline: the time
that the launch would take if either the arithmetic or the memory ran at its peak, whichever is
longer (Williams et al. 2009).
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from .. import kernels
from .benchmark import StepBench
from .profile import flops, moved_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..graph.program import Program
    from ..kernels import Kernel


SAMPLE_SECONDS, SAMPLES = 0.003, 7
# untimed before them: after a pause, as Python makes between two launches, the threads share a core
# for a moment
ROLL_SECONDS = 0.06
ENOUGH_SECONDS = 0.3  # of one launch's samples: no further one begins then
MOST_LAUNCHES = 2000  # in one sample
GROWTH = 8  # of the launches in a sample, from one trial to the next
UPDATES = 8  # in one sample of a launch that updates in place: its numbers must not run away


def step_rates(preset: str) -> dict[str, Any]:
    """The rows of a training step of `preset` on the current CPU device, the longest first.

    {"rows": [{"kernel", "shape", "launches", "ms" (of one launch), "min_ms", "max_ms", "flops",
    "bytes"}], "step_ms" (the step's own time), "threads", "build"}
    """
    bench = StepBench(preset, warm_up_seconds=1.0)
    step_ms = statistics.median(bench.time(5)["ms"])
    program = bench.step.program
    assert program is not None  # it has run
    rows, counts = [], Counter(map(_key, program.launches))
    for launch in program.launches:  # in order, so that every launch finds the inputs that the step gives it
        count = counts.pop(_key(launch), None)
        if count:
            rows.append(_row(program, launch, count))
        program.device.launch(launch[0], [_bound(program.device, b) for b in launch[1]], launch[2])
    rows.sort(key=lambda row: -row["ms"] * row["launches"])
    return {
        "preset": preset,
        "rows": rows,
        "step_ms": step_ms,
        "threads": program.device.threads,
        "build": program.device.build,
    }


def _key(launch: Any) -> tuple[Any, ...]:
    """Equal for launches that are the same work.

    They have one kernel, the same parameters and the same buffers present.
    """
    kernel, buffers, params = launch
    return kernel.name, tuple(params), tuple(b is None for b in buffers)


def _bound(device: Any, buffer: Any) -> Any:
    """A buffer of a Program as one of a single launch."""
    return None if buffer is None else (device.arena if buffer[0] == "arena" else buffer[0], buffer[1])


def _row(program: Program, launch: Any, count: int) -> dict[str, Any]:
    kernel, buffers, params = launch
    ms = [seconds * 1e3 for seconds in _samples(program, launch)]
    return {
        "kernel": kernel.name, "shape": shape(kernel, params), "launches": count,
        "ms": statistics.median(ms), "min_ms": min(ms), "max_ms": max(ms),
        "flops": flops(kernel, params), "bytes": moved_bytes(kernel, buffers, params),
    }  # fmt: skip


def _samples(program: Program, launch: Any) -> list[float]:
    """Seconds of one launch, SAMPLES times, or fewer times where it takes long.

    What it writes is put back.
    """
    device, arena = program.device, program.planned_bytes
    kernel, buffers, params = launch
    extent = kernel.extent(params)
    written, updated = [], False
    for i, (buffer, spec) in enumerate(zip(buffers, kernel.buffers)):
        if buffer is not None and spec.access != "r" and extent[spec.name]:
            updated |= (
                buffer in buffers[i + 1 :]
                or spec.access == "u"
                and (kernel.name != "matmul" or _reads_out(kernel, params))
            )
            handle, offset = _bound(device, buffer)
            nbytes = extent[spec.name] * (1 if spec.dtype == "b" else 4)
            written.append((handle, offset, device.download(handle, nbytes, offset)))

    def restore() -> None:
        for handle, offset, data in written:
            device.upload(handle, data, offset)

    tick = _clock_tick()

    def sample(loaded: Any, n: int) -> float:
        """Seconds of a launch out of n in a row; at least a tick of the clock for all."""
        begun = time.perf_counter()
        loaded.run()
        return max(time.perf_counter() - begun, tick) / n

    def trial(n: int) -> float:
        loaded = device.load([launch] * n, arena)
        try:
            return sample(loaded, n)
        finally:
            loaded.release()
            if updated:
                restore()

    trial(1)
    limit = UPDATES if updated else MOST_LAUNCHES
    n, took = 1, min(trial(1) for _ in range(3))
    # A busy machine makes any count of launches slow now and then, threads that wait for each other
    # most of all, so the count grows by steps, by the faster of two.
    while n < limit and n * took < SAMPLE_SECONDS:
        n = min(limit, GROWTH * n, math.ceil(SAMPLE_SECONDS / took))
        took = min(trial(n), trial(n))
    many = device.load([launch] * n, arena)
    out = []
    try:
        rolling = time.perf_counter()
        while time.perf_counter() - rolling < ROLL_SECONDS:
            many.run()
            if updated:
                restore()
        while len(out) <= SAMPLES and (len(out) < 2 or n * sum(out) < ENOUGH_SECONDS):
            out.append(sample(many, n))
            if updated:
                restore()
    finally:
        many.release()
        restore()
    return out[1:]


def _clock_tick() -> float:
    """Seconds of the clock's smallest step: 5 us in an isolated page, 100 us in another."""
    begun = last = time.perf_counter()
    while last == begun:
        last = time.perf_counter()
    return last - begun


def _reads_out(kernel: Kernel, params: Sequence[float]) -> bool:
    return kernel.Params(*params).beta != 0


_STRIDES = tuple("%s_%s" % (x, y) for x in ("q", "k", "v", "o", "x", "do", "dq", "dk", "dv") for y in "bth")
_UNSAID = {
    *_STRIDES,
    "lda",
    "ldb",
    "ldc",
    "sa",
    "sb",
    "sc",
    "dtype",
    "dtype_out",
    "dtype_x",
    "offset",
    "inverse",
    "ignore",
    "reduction",
}
_NAMES = {
    "unary": kernels.UNARY,
    "unary_backward": kernels.UNARY,
    "binary": kernels.BINARY,
    "binary_scalar": kernels.BINARY,
    "reduce": kernels.REDUCE,
}
_EPILOGUES = {kernels.BIAS: "bias", kernels.GELU: "gelu", kernels.GELU_BACKWARD: "gelu'", kernels.RESIDUAL: "residual"}


def shape(kernel: Kernel, params: Sequence[float]) -> str:
    """What decides a launch's work, in a few words.

    For example `NT 1024x256x1024 bias gelu`, or `rows 1024 C 256`.
    """
    p = kernel.Params(*params)
    if kernel.name == "matmul":
        words = [
            "%s%s %s%dx%dx%d"
            % ("T" if p.ta else "N", "T" if p.tb else "N", "%d of " % p.batch if p.batch > 1 else "", p.M, p.N, p.K)
        ]
        words += [name for bit, name in _EPILOGUES.items() if p.epilogue & bit]
        return " ".join(words + (["+="] if p.beta else []))
    words = []
    if kernel.name in _NAMES:
        words.append(next(name for name, code in _NAMES[kernel.name].items() if code == p.op))
    if "n0" in p._fields:
        words.append("x".join(str(n) for n in params[p._fields.index("n0") :][: kernels.MAX_RANK] if n != 1) or "1")
    for spec, value in zip(kernel.params, params):
        strided = spec.name[-1].isdigit()
        if spec.kind == "i" and not strided and spec.name not in _UNSAID and not (spec.name == "op" and words):
            words.append("%s %d" % (spec.name, value))
    return " ".join(words)


def ceiling(peaks: dict[str, Any], nbytes: int) -> float:
    """GB/s of the memory that holds a working set of `nbytes`, shared by the threads.

    The smallest measured one that is as large.
    """
    levels = sorted(peaks["bandwidth"], key=lambda level: level["bytes"])
    return next((level["gb_s"] for level in levels if level["bytes"] * peaks["threads"] >= nbytes), levels[-1]["gb_s"])


def roofline(row: dict[str, Any], peaks: dict[str, Any]) -> dict[str, Any]:
    """A row of `step_rates` against the peak that bounds it.

    {"gflop_s", "gb_s", "bound": "compute" or "memory", "percent": of that peak}. peaks: {"threads",
    "gflop_s", "bandwidth": [{"bytes" (working set of one thread), "gb_s" (of all threads)}]}.
    """
    seconds = row["ms"] / 1e3
    compute = row["flops"] / peaks["gflop_s"] / 1e9
    memory = row["bytes"] / ceiling(peaks, row["bytes"]) / 1e9
    return {
        "gflop_s": row["flops"] / seconds / 1e9, "gb_s": row["bytes"] / seconds / 1e9,
        "bound": "compute" if compute >= memory else "memory", "percent": 100 * max(compute, memory) / seconds,
    }  # fmt: skip
