"""Plans of the kernel reduce: rows (inner = 1) or columns, in one dispatch or cut into splits whose
results are reduced again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....kernels import REDUCE
from ..dispatch_plan import kernel
from .elementwise_plan import TYPE, W

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


REDUCE_NAME = {code: name for name, code in REDUCE.items()}
LANES = (1, 8, 32, 256)  # invocations that share a row
LOADS = 4  # loads in flight of an invocation, and the fewest that are worth its start
MOST_LOADS = 16  # of an invocation, before a sum of columns is cut
GROUPS = 128  # workgroups that keep a large GPU busy
LONG_ROW, ROW_SPLIT = 16384, 8192  # a row is cut from the first number on, into pieces of about the second
MOST_DEFERRED = 32  # partial sums that `defer` adds up one after the other
MOST_SPLITS = 1024


def ceil_div(a: Any, b: Any) -> Any:
    return -(-a // b)


def power_of_two(n: int) -> Any:
    """The least power of two that is not below n."""
    return 1 << (n - 1).bit_length()


@kernel("reduce")
def reduce(d: Planner, p: Any, b: Any) -> None:
    if p.outer * p.inner == 0:
        return
    name = REDUCE_NAME[p.op]
    kind = {"sum": "sum", "mean": "sum", "prod": "prod", "argmax": "index", "argmin": "index"}.get(name, "extreme")
    defines = dict(kind=kind, E=TYPE[p.dtype], largest=name.endswith("max"), W=W)
    scale = 1.0 / p.n if name == "mean" else 1.0
    flag = d.checked(p.dtype) if kind in ("sum", "prod") else {}
    (rows if p.inner == 1 else columns)(d, defines, flag, b.out, b.x, p.outer, p.n, p.inner, scale)


def partial(d: Planner, defines: Any, n: int) -> Any:
    return d.scratch(n, "f" if defines["E"] == "f32" and defines["kind"] != "index" else "i")


def rows(
    d: Planner,
    defines: Any,
    flag: Any,
    out: Any,
    x: Any,
    outer: int,
    n: int,
    inner: int,
    scale: Any,
    candidates: Any = None,
) -> None:
    """out[outer] from x[outer, n]; with candidates[outer, n], from those places of x[outer,
    inner]. flag: the error word of a checked sum."""
    V = 4 if defines["kind"] != "index" and n % 4 == 0 and d.vec4(x) else 1
    splits = 1
    if n >= LONG_ROW and outer < GROUPS // 2:
        splits = min(ceil_div(n, ROW_SPLIT), MOST_SPLITS)
    chunk = ceil_div(n // V, splits)
    splits = ceil_div(n // V, chunk)
    L = next((lanes for lanes in LANES if lanes * LOADS >= chunk), W)
    to = out if splits == 1 else partial(d, defines, outer * splits)
    values = dict(
        units=outer * splits, n=n // V, splits=splits, chunk=chunk, stride=n // V, scale=scale if splits == 1 else 1.0
    )
    if candidates is not None:
        values["stride"] = inner
    d.run(
        "reduce.rows",
        ceil_div(outer * splits, W // L),
        dict(out=to, x=x, candidates=candidates, **flag),
        values,
        V=V,
        L=L,
        **defines,
    )
    if splits > 1 and defines["kind"] == "index":
        rows(d, defines, flag, out, x, outer, splits, n, 1.0, to)
    elif splits > 1:
        rows(d, defines, flag, out, to, outer, splits, 1, scale)


def columns(
    d: Planner,
    defines: Any,
    flag: Any,
    out: Any,
    x: Any,
    outer: int,
    n: int,
    inner: int,
    scale: Any,
    candidates: Any = None,
    stride: int | None = None,
) -> None:
    """out[outer, inner] from x[outer, n, inner]; with candidates[n, outer, inner], from those rows
    of x[outer, stride, inner].
    """
    kind = defines["kind"]
    V = 4 if kind != "index" and inner % 4 == 0 and d.vec4(out, x) else 1
    # C columns beside each other for whole cache lines, but no more rows at a time than there are.
    at_once = min(W // min(power_of_two(inner // V), 64 // V), power_of_two(n))
    C = W // at_once
    blocks = ceil_div(inner // V, C)
    splits = 1
    if candidates is None:
        busy = min(ceil_div(GROUPS, blocks * outer), ceil_div(n, LOADS * at_once))
        splits = min(max(ceil_div(n, MOST_LOADS * at_once), busy), MOST_SPLITS)
        splits = min(splits, max(1, 16 * GROUPS // (blocks * outer)))
    chunk = ceil_div(n, splits)
    splits = ceil_div(n, chunk)
    total = outer * inner
    deferred = splits > 1 and kind == "sum" and defines["E"] == "f32" and splits <= MOST_DEFERRED
    to = out if splits == 1 else d.partials(splits * total) if deferred else partial(d, defines, splits * total)
    groups = blocks * outer * splits
    values = dict(
        groups=groups,
        outer=outer,
        n=n,
        inner=inner // V,
        splits=splits,
        chunk=chunk,
        stride=n if stride is None else stride,
    )
    values["scale"] = scale if splits == 1 or deferred else 1.0
    d.run("reduce.columns", groups, dict(out=to, x=x, candidates=candidates, **flag), values, V=V, C=C, **defines)
    if deferred:
        d.defer(out, to, splits, total)
    elif splits > 1 and kind == "index":
        columns(d, defines, flag, out, x, outer, splits, inner, 1.0, to, n)
    elif splits > 1:
        columns(d, defines, flag, out, to, 1, splits, total, scale)
