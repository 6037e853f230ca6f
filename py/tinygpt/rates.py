"""How fast each kernel is at the shapes of a training step: every distinct launch of a captured Program, timed by itself on a CPU device.

A launch is loaded many times over as one Program, so a sample holds milliseconds of its work and one call of the device. Its operands
lie in the caches where they fit, as they would not all in a step. Operations and bytes come from the contract (profile.py). With the peaks
that were measured on the same machine (app/bridges/peak.js, tests/bench/probe.c) each rate gets its roofline: the time that the launch
would take if either the arithmetic or the memory ran at its peak, whichever is longer (Williams et al. 2009).
"""

import math
import statistics
import time
from collections import Counter

from . import kernels
from .measure import StepBench
from .profile import flops, moved_bytes

SAMPLE_SECONDS, SAMPLES = 0.003, 7
ROLL_SECONDS = 0.06  # untimed before them: after a pause, as Python makes between two launches, the threads share a core for a moment
ENOUGH_SECONDS = 0.3  # of one launch's samples: no further one begins then
MOST_LAUNCHES = 2000  # in one sample
UPDATES = 8  # in one sample of a launch that updates in place: its numbers must not run away


def step_rates(preset):
    """The rows of a training step of `preset` on the current CPU device, the longest first, and the step's own time.

    {"rows": [{"kernel", "shape", "launches", "ms" (of one launch), "min_ms", "max_ms", "flops", "bytes"}], "step_ms", "threads", "build"}
    """
    bench = StepBench(preset, warm_up_seconds=1.0)
    step_ms = statistics.median(bench.time(5)["ms"])
    program = bench.step.program
    rows, counts = [], Counter(map(_key, program.launches))
    for launch in program.launches:  # in order, so that every launch finds the inputs that the step gives it
        count = counts.pop(_key(launch), None)
        if count:
            rows.append(_row(program, launch, count))
        program.device.launch(launch[0], [_bound(program.device, b) for b in launch[1]], launch[2])
    rows.sort(key=lambda row: -row["ms"] * row["launches"])
    return {"preset": preset, "rows": rows, "step_ms": step_ms, "threads": program.device.threads, "build": program.device.build}


def _key(launch):
    """Launches of one kernel with the same parameters and the same buffers present are the same work."""
    kernel, buffers, params = launch
    return kernel.name, tuple(params), tuple(b is None for b in buffers)


def _bound(device, buffer):
    """A buffer of a Program as one of a single launch."""
    return None if buffer is None else (device.arena if buffer[0] == "arena" else buffer[0], buffer[1])


def _row(program, launch, count):
    kernel, buffers, params = launch
    ms = [seconds * 1e3 for seconds in _samples(program, launch)]
    return {
        "kernel": kernel.name, "shape": shape(kernel, params), "launches": count,
        "ms": statistics.median(ms), "min_ms": min(ms), "max_ms": max(ms),
        "flops": flops(kernel, params), "bytes": moved_bytes(kernel, buffers, params),
    }  # fmt: skip


def _samples(program, launch):
    """Seconds of one launch, SAMPLES times, or fewer times where it takes long. What it writes is put back."""
    device, arena = program.device, program.planned_bytes
    kernel, buffers, params = launch
    extent = kernel.extent(params)
    written, updated = [], False
    for i, (buffer, spec) in enumerate(zip(buffers, kernel.buffers)):
        if buffer is not None and spec.access != "r" and extent[spec.name]:
            updated |= buffer in buffers[i + 1 :] or spec.access == "u" and (kernel.name != "matmul" or _reads_out(kernel, params))
            handle, offset = _bound(device, buffer)
            nbytes = extent[spec.name] * (1 if spec.dtype == "b" else 4)
            written.append((handle, offset, device.download(handle, nbytes, offset)))

    def restore():
        for handle, offset, data in written:
            device.upload(handle, data, offset)

    def sample(loaded, n):
        begun = time.perf_counter()
        loaded.run()
        return (time.perf_counter() - begun) / n

    once = device.load([launch], arena)
    try:
        sample(once, 1)
        seconds = min(sample(once, 1) for _ in range(3))
    finally:
        once.release()
        restore()
    n = max(1, min(math.ceil(SAMPLE_SECONDS / max(seconds, 1e-7)), UPDATES if updated else MOST_LAUNCHES))
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


def _reads_out(kernel, params):
    return kernel.Params(*params).beta != 0


_STRIDES = tuple("%s_%s" % (x, y) for x in ("q", "k", "v", "o", "x", "do", "dq", "dk", "dv") for y in "bth")
_UNSAID = {*_STRIDES, "lda", "ldb", "ldc", "sa", "sb", "sc", "dtype", "dtype_out", "dtype_x", "offset", "inverse", "ignore", "reduction"}
_NAMES = {"unary": kernels.UNARY, "unary_backward": kernels.UNARY, "binary": kernels.BINARY, "binary_scalar": kernels.BINARY,
          "reduce": kernels.REDUCE}  # fmt: skip
_EPILOGUES = {kernels.BIAS: "bias", kernels.GELU: "gelu", kernels.GELU_BACKWARD: "gelu'", kernels.RESIDUAL: "residual"}


def shape(kernel, params):
    """What decides a launch's work, in a few words: `NT 1024x256x1024 bias gelu`, `rows 1024 C 256`."""
    p = kernel.Params(*params)
    if kernel.name == "matmul":
        words = ["%s%s %s%dx%dx%d" % ("T" if p.ta else "N", "T" if p.tb else "N", "%d of " % p.batch if p.batch > 1 else "", p.M, p.N, p.K)]
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


def ceiling(peaks, nbytes):
    """GB/s of the memory that holds a working set of `nbytes`: the smallest measured one that is as large, shared by the threads."""
    levels = sorted(peaks["bandwidth"], key=lambda level: level["bytes"])
    return next((level["gb_s"] for level in levels if level["bytes"] * peaks["threads"] >= nbytes), levels[-1]["gb_s"])


def roofline(row, peaks):
    """{"gflop_s", "gb_s", "bound": "compute" or "memory", "percent": of the peak that bounds it} of a row of `step_rates`.

    peaks: {"threads", "gflop_s", "bandwidth": [{"bytes" (working set of one thread), "gb_s" (of all threads)}]}.
    """
    seconds = row["ms"] / 1e3
    compute = row["flops"] / peaks["gflop_s"] / 1e9
    memory = row["bytes"] / ceiling(peaks, row["bytes"]) / 1e9
    return {
        "gflop_s": row["flops"] / seconds / 1e9, "gb_s": row["bytes"] / seconds / 1e9,
        "bound": "compute" if compute >= memory else "memory", "percent": 100 * max(compute, memory) / seconds,
    }  # fmt: skip
