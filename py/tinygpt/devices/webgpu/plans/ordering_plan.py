"""Order along a dimension: scan, sort, topk (shaders/ordering.wgsl)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....kernels import SCAN
from ..dispatch_plan import kernel
from .elementwise_plan import TYPE, W

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


OP_NAME = {code: name for name, code in SCAN.items()}
SHORT = 64  # elements of a column that an invocation takes alone
PER = 4  # elements of a long column that an invocation has of a tile
MOST = 1024  # elements of a row that is sorted in workgroup memory


@kernel("scan", "float32 int32 int64")
def scan(d: Planner, p: Any, b: Any) -> None:
    columns = p.outer * p.inner
    if not columns * p.n:
        return
    buffers = dict(out=b.out, x=b.x, **d.checked(p.dtype))
    params = dict(columns=columns, n=p.n, inner=p.inner, reverse=p.reverse)
    defines: dict[str, Any] = dict(op=OP_NAME[p.op], E=TYPE[p.dtype], W=W)
    if p.n <= SHORT:
        d.run("ordering.scan_columns", -(-columns // W), buffers, params, **defines)
    else:
        d.run("ordering.scan_rows", columns, buffers, params, PER=PER, **defines)


def _sorted(d: Planner, p: Any, b: Any, k: int, descending: bool) -> None:
    """The first k elements of each row."""
    if not p.rows * k:
        return
    size = max(2, 1 << (p.n - 1).bit_length())
    defines: dict[str, Any] = dict(E=TYPE[p.dtype], W=W, descending=descending)
    buffers = dict(out=b.out, order=b.order, x=b.x)
    if size <= MOST:
        d.run("ordering.sort_row", p.rows, buffers, dict(rows=p.rows, n=p.n, k=k), SIZE=size, **defines)
        return
    count = p.rows * size
    pairs = d.scratch(2 * count, "i")
    d.run("ordering.pairs", -(-count // W), dict(pairs=pairs, x=b.x), dict(count=count, n=p.n, size=size), **defines)
    part = 2
    while part <= size:
        step = part // 2
        while step:
            values = dict(count=count, row=size, size=part, step=step)
            d.run("ordering.exchange", -(-count // 2 // W), dict(pairs=pairs), values, **defines)
            step //= 2
        part *= 2
    values = dict(count=p.rows * k, n=p.n, k=k, size=size)
    d.run("ordering.ordered", -(-p.rows * k // W), dict(buffers, pairs=pairs), values, **defines)


@kernel("sort", "float32 int32 int64")
def sort(d: Planner, p: Any, b: Any) -> None:
    _sorted(d, p, b, p.n, bool(p.descending))


@kernel("topk", "float32 int32 int64")
def topk(d: Planner, p: Any, b: Any) -> None:
    _sorted(d, p, b, p.k, bool(p.largest))
