"""Elements read and written by index: take, gather, put, scatter (shaders/indexing.wgsl).

What is written is the same on every run. A sum of float32 is made by embedding's gradient, in the
order of the occurrences, and added to what is there.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ....kernels import DTYPES, SCATTER
from ..dispatch_plan import kernel
from .elementwise_plan import TYPE, W, flat
from .embedding_plan import embedding_backward

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


OP_NAME = {code: name for name, code in SCATTER.items()}
FEW = 8  # elements of a column that an invocation writes one after the other


def _read(d: Planner, b: Any, sizes: tuple[int, int, int, int], rows: bool) -> None:
    outer, n, inner, k = sizes
    for start, count in d.ranges(outer * k * inner):
        groups, shape = flat(count, False)
        buffers = dict(out=b.out.part(start, count), x=b.x, index=b.index, flag=d.flag)
        params = dict(n=count, first=start, k=k, inner=inner, size=n)
        d.run("indexing.read", groups, buffers, params, rows=rows, **shape)


def _write(d: Planner, p: Any, b: Any, op: str, sizes: tuple[int, int, int, int], rows: bool) -> None:
    """out [outer, n, inner] = op(itself, x [outer, k, inner]) at index; rows: it has an entry a
    row.
    """
    outer, n, inner, k = sizes
    if not outer * inner * k:
        return
    E = TYPE[p.dtype]
    defines: dict[str, Any] = dict(op=op, E=E, W=W, flagged=p.dtype == DTYPES["int64"])
    buffers = dict(out=b.out, x=b.x, index=b.index, flag=d.flag)
    if k <= FEW or op == "mul":
        params = dict(columns=outer * inner, k=k, inner=inner, size=n)
        d.run("indexing.in_order", -(-outer * inner // W), buffers, params, rows=rows, **defines)
        return
    if not rows:  # as rows of one element
        count = outer * k * inner
        places = d.scratch(count, "i")
        groups, shape = flat(count, False)
        params = dict(n=count, k=k, inner=inner, size=n)
        d.run("indexing.places", groups, dict(out=places, index=b.index, flag=d.flag), params, **shape)
        n, inner, k = outer * n * inner, 1, count
        buffers["index"] = places
    groups, params = -(-k * inner // W), dict(n=k * inner, inner=inner, size=n)
    if op == "put":
        owner = d.scratch(n, "i")
        cleared, shape = flat(n, d.vec4(owner))
        d.run("movement.fill", cleared, dict(out=owner), dict(n=n, value=0), **shape)
        claimed = dict(owner=owner, index=buffers["index"], flag=d.flag)
        d.run("indexing.claim", -(-k // W), claimed, dict(n=k, size=n), W=W)
        d.run("indexing.settle", groups, dict(buffers, owner=owner), params, W=W)
    elif op == "add" and E == "f32":
        sums = d.partials(n * inner)
        given = SimpleNamespace(dtable=sums, dout=b.x, index=buffers["index"])
        embedding_backward(d, SimpleNamespace(n=k, C=inner, V=n), given)
        d.defer(b.out, sums, 1, n * inner, accumulate=True)
    else:
        d.run("indexing.combine", groups, buffers, params, **defines)


@kernel("take", "float32 int32 int64")
def take(d: Planner, p: Any, b: Any) -> None:
    _read(d, b, (1, p.V, p.C, p.n), True)


@kernel("gather", "float32 int32 int64")
def gather(d: Planner, p: Any, b: Any) -> None:
    _read(d, b, (p.outer, p.n, p.inner, p.k), False)


@kernel("put", "float32 int32 int64")
def put(d: Planner, p: Any, b: Any) -> None:
    _write(d, p, b, "add" if p.accumulate else "put", (1, p.V, p.C, p.n), True)


@kernel("scatter", "float32 int32 int64")
def scatter(d: Planner, p: Any, b: Any) -> None:
    _write(d, p, b, OP_NAME[p.op], (p.outer, p.n, p.inner, p.k), False)
