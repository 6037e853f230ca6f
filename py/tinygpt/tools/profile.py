"""Where a step's time goes: `tinygpt.profile(step)` times every launch of a captured step and adds
them up by kernel.

A GPU with timestamps times its own dispatches; on a CPU device the launches run one by one under a
clock. Operations and bytes follow from the kernel contract (what a kernel must compute, read and
write; caches may save some of it), so GFLOP/s and GB/s can be held against the machine's. Profiling
leaves everything as it was: what the step writes is put back.
"""

from __future__ import annotations

import time
from collections import namedtuple
from typing import TYPE_CHECKING, Any

from .. import kernels
from ..core.compile import Compiled, compile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..devices.base import Device
    from ..graph.program import Program, StorageLike
    from ..kernels import Kernel


Row = namedtuple("Row", "kernel launches seconds share flops bytes")  # share: of the sum of all launches
Timed = namedtuple(
    "Timed", "kernel label seconds flops bytes"
)  # one launch (a GPU may need several dispatches for one)

# functions that return the compiled step that `profile()` means, or None; tinygpt.loop adds the
# current run's
step_sources = []


class Profile:
    """rows: one a kernel, most time first. launches: one a launch, in order. Prints as a table."""

    def __init__(self, device: Device, launches: list[Timed], repeats: int) -> None:
        self.device, self.repeats, self.launches = device, repeats, launches
        self.seconds = sum(x.seconds for x in launches)
        groups = {}
        for x in launches:
            groups.setdefault(x.kernel, []).append(x)
        self.rows = [self._row(name, group) for name, group in groups.items()]
        self.rows.sort(key=lambda row: -row.seconds)

    def _row(self, name: str, group: list[Timed]) -> Row:
        seconds = sum(x.seconds for x in group)
        share = seconds / self.seconds if self.seconds else 0.0
        return Row(name, len(group), seconds, share, sum(x.flops for x in group), sum(x.bytes for x in group))

    def __repr__(self) -> str:
        lines = [("kernel", "launches", "ms", "share", "GFLOP/s", "GB/s")]
        for row in (*self.rows, self._row("all", self.launches)):
            lines.append((
                row.kernel, str(row.launches), "%.3f" % (row.seconds * 1e3), "%.1f %%" % (row.share * 100),
                _rate(row.flops, row.seconds), _rate(row.bytes, row.seconds),
            ))  # fmt: skip
        widths = [max(map(len, column)) for column in zip(*lines)]
        out = [
            "%-*s  " % (widths[0], line[0]) + "  ".join("%*s" % pair for pair in zip(widths[1:], line[1:]))
            for line in lines
        ]
        threads = (
            ""
            if self.device.volatile
            else ", 1 thread"
            if self.device.threads == 1
            else ", %d threads" % self.device.threads
        )
        out.append(
            "%s (%s%s); medians of %d runs, each launch timed by itself"
            % (self.device.name, self.device.build, threads, self.repeats)
        )
        return "\n".join(out)


def _rate(amount: float, seconds: float) -> str:
    return "%.3g" % (amount / seconds / 1e9) if amount and seconds else "-"


def profile(step: Compiled | Callable[..., Any] | None = None, *args: Any, repeats: int = 5) -> Profile:
    """The Profile of a compiled function, or of the current training run's step (None).

    Any other function is compiled first. A function that was not recorded yet, or that is given
    arguments, is called three times first: a training step then trains. ValueError where there is
    nothing to replay.
    """
    chosen: Any = step
    if chosen is None:
        chosen = next(filter(None, (source() for source in step_sources)), None)
        if chosen is None:
            raise ValueError(
                "there is no training run whose step could be profiled; run one, or name a compiled function"
            )
    compiled: Compiled = chosen if isinstance(chosen, Compiled) else compile(chosen)
    if compiled.program is None or args:
        for _ in range(3):  # a step that does not begin with zero_grad records twice: without gradients, and with them
            compiled(*args)
    program = compiled.program
    if program is None:
        raise ValueError(
            "%s cannot be profiled, because %s" % (compiled.__name__, compiled.refused or "it launches nothing")
        )
    saved = [(s, s.device.download(s.handle, s.nbytes)) for s in _written(program)]
    try:
        timed = _on_device(program, repeats) if hasattr(program.device, "profile") else _one_by_one(program, repeats)
    finally:
        for storage, data in saved:
            storage.device.upload(storage.handle, data)
    return Profile(program.device, timed, repeats)


def _written(program: Program) -> list[StorageLike]:
    """The storages that a replay writes, intermediates aside."""
    handles = {
        buffer[0]
        for kernel, buffers, _ in program.launches
        for buffer, spec in zip(buffers, kernel.buffers)
        if buffer is not None and buffer[0] != "arena" and spec.access != "r"
    }
    return [storage for storage in program.storages.values() if storage.handle in handles]


def _on_device(program: Program, repeats: int) -> list[Timed]:
    """device.profile's dispatches, added up by launch.

    Sums that serve several launches count for themselves.
    """
    loaded: Any = program._loaded
    launches = loaded.launches
    out, at = [], {}
    device: Any = program.device
    for index, label, seconds in device.profile(program, repeats):
        if index is None:
            out.append(Timed("partial sums", label, seconds, 0, 0))
        elif index in at:
            before = out[at[index]]
            out[at[index]] = before._replace(label=before.label + " + " + label, seconds=before.seconds + seconds)
        else:
            launch = launches[index]
            at[index] = len(out)
            out.append(Timed(launch.kernel.name, label, seconds, flops(launch.kernel, launch.params), _bytes(launch)))
    return out


def _one_by_one(program: Program, repeats: int) -> list[Timed]:
    device: Any = program.device
    import statistics  # here: with decimal and fractions it takes 45 ms of the page's start

    program.run()  # once without a clock: the arena has its place afterwards
    bound = [
        (kernel, [None if b is None else (device.arena if b[0] == "arena" else b[0], b[1]) for b in buffers], params)
        for kernel, buffers, params in program.launches
    ]
    times = [[] for _ in bound]
    for _ in range(repeats):
        for seconds, launch in zip(times, bound):
            started = time.perf_counter()
            device.launch(*launch)
            seconds.append(time.perf_counter() - started)
    return [
        Timed(k.name, k.name, statistics.median(seconds), flops(k, params), moved_bytes(k, buffers, params))
        for (k, buffers, params), seconds in zip(program.launches, times)
    ]


def _bytes(launch: Any) -> int:
    return moved_bytes(launch.kernel, launch.buffers, launch.params)


# ---- what a launch must do, by the contract ----------------------------------------------------


def _pairs(p: Any) -> int:
    """Query and key pairs that attention looks at, for each head of each sequence."""
    if not p.causal:
        return p.T * p.S
    full = min(p.T, p.S)
    return full * (full + 1) // 2 + (p.T - full) * p.S


def _strided_count(p: Any) -> int:
    n = 1
    for d in range(kernels.MAX_RANK):
        n *= getattr(p, "n%d" % d)
    return n


# Floating-point operations by kernel; an exponential or a division counts as one. What is not here
# only moves data or integers.
FLOPS = {
    "unary": lambda p: p.n,
    "unary_backward": lambda p: 2 * p.n,
    "binary": _strided_count,
    "binary_scalar": lambda p: p.n,
    "reduce": lambda p: p.outer * p.n * p.inner,
    "global_norm": lambda p: 2 * p.n,
    "clip_scale": lambda p: p.n,
    "matmul": lambda p: 2 * p.batch * p.M * p.N * p.K,
    "int8_matmul": lambda p: 2 * p.M * p.N * p.K,
    "quantize_int8": lambda p: 2 * p.N * p.K,
    "dequantize_int8": lambda p: p.N * p.K,
    "layer_norm": lambda p: 8 * p.rows * p.C,
    "add_layer_norm": lambda p: 9 * p.rows * p.C,
    "layer_norm_backward": lambda p: 14 * p.rows * p.C,
    "rms_norm": lambda p: 4 * p.rows * p.C,
    "rms_norm_backward": lambda p: 10 * p.rows * p.C,
    "softmax": lambda p: 5 * p.rows * p.n,
    "softmax_backward": lambda p: 4 * p.rows * p.n,
    "cross_entropy": lambda p: 5 * p.rows * p.V,
    "attention": lambda p: 4 * p.B * p.H * p.D * _pairs(p),
    "attention_backward": lambda p: 10 * p.B * p.H * p.D * _pairs(p),  # five products: the scores are computed again
    "attention_decode": lambda p: 4 * p.B * p.H * p.D * p.S,  # at most: the position is on the device
    "rotary": lambda p: 3 * p.B * p.T * p.H * p.D,
    "embedding_backward": lambda p: p.n * p.C,
    "dropout": lambda p: p.n,
    "adamw": lambda p: 13 * p.n,
    "adam": lambda p: 13 * p.n,
    "sgd": lambda p: 6 * p.n,
    "sample": lambda p: 5 * p.B * p.V,
}


def flops(kernel: Kernel, params: Sequence[float]) -> int:
    """Floating-point operations of a launch."""
    count = FLOPS.get(kernel.name)
    return count(kernel.Params(*params)) if count else 0


def _matmul_elements(p: Any) -> dict[str, int]:
    out = p.batch * p.M * p.N
    return dict(
        out=out * (2 if p.beta else 1),
        a=(p.batch if p.sa else 1) * p.M * p.K,
        b=(p.batch if p.sb else 1) * p.K * p.N,
        residual=out if p.epilogue & kernels.RESIDUAL else 0,
        pre=out if p.epilogue & (kernels.GELU | kernels.GELU_BACKWARD) else 0,
    )


def _broadcast_elements(*prefixes: tuple[str, str]) -> Callable[[Any], dict[str, int]]:
    """Elements that a broadcast operand really has: dimensions with stride 0 count once."""

    def elements(p: Any) -> dict[str, int]:
        out = {}
        for name, prefix in prefixes:
            n = 1
            for d in range(kernels.MAX_RANK):
                n *= getattr(p, "n%d" % d) if getattr(p, "%s%d" % (prefix, d)) else 1
            out[name] = n
        return out

    return elements


def _attention_elements(p: Any) -> dict[Any, Any]:
    queries, keys = p.B * p.T * p.H * p.D, p.B * p.S * p.G * p.D
    return dict.fromkeys(("q", "out", "dq", "dout"), queries) | dict.fromkeys(("k", "v", "dk", "dv"), keys)


# Elements that a launch reads or writes of a buffer, where that is not all that it reaches
# (Kernel.extent), once for each `u`.
ELEMENTS = {
    "matmul": _matmul_elements,
    "copy": lambda p: dict(out=_strided_count(p), x=_broadcast_elements(("x", "x"))(p)["x"]),
    "binary": _broadcast_elements(("a", "a"), ("b", "b")),
    "where": _broadcast_elements(("cond", "c"), ("a", "a"), ("b", "b")),
    "attention": _attention_elements,
    "attention_backward": _attention_elements,
    "attention_decode": lambda p: dict(q=p.B * p.H * p.D),
    "kv_append": lambda p: dict.fromkeys(("k_cache", "v_cache", "k", "v"), p.B * p.G * p.T * p.D),
    "rotary": lambda p: dict.fromkeys(("out", "x"), p.B * p.T * p.H * p.D),
    "embedding": lambda p: dict(table=p.n * p.C),
    "batch_windows": lambda p: dict(tokens=p.B * (p.T + 1)),
}


def moved_bytes(kernel: Kernel, buffers: Sequence[Any], params: Sequence[float]) -> int:
    """Bytes that a launch must read and write."""
    extent = kernel.extent(params)
    exact = ELEMENTS[kernel.name](kernel.Params(*params)) if kernel.name in ELEMENTS else {}
    total = 0
    for spec, buffer in zip(kernel.buffers, buffers):
        if buffer is not None:
            n = exact.get(spec.name)
            n = extent[spec.name] * (2 if spec.access == "u" else 1) if n is None else n
            total += n * (1 if spec.dtype == "b" else 4)
    return total
