"""Embedding: rows gathered by index, and their gradient, which sorts occurrences instead of adding
to the table atomically.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..dispatch_plan import kernel
from .row_groups import items

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


SCAN_BYTES = (
    12 << 20
)  # of indices that the workgroups of a gradient read in all, before wider ones (of more columns) are better
MOST_SCAN_BYTES = 64 << 20  # before sorting the indices into buckets first is better
BUCKET = 128  # rows of the table in a bucket
WIDTH = 128


@kernel("embedding")
def embedding(d: Planner, p: Any, b: Any) -> None:
    F, n = items(d, p.C, b.out, b.table)
    T = next((T for T in (8, 16, 32) if n <= T), 64)
    d.run("embedding.gather", -(-p.n * T // 64), dict(out=b.out, table=b.table, index=b.index, flag=d.flag),
          dict(rows=p.n, n=n, V=p.V), F=F, T=T, W=64)  # fmt: skip


@kernel("embedding_backward")
def embedding_backward(d: Planner, p: Any, b: Any) -> None:
    """One dispatch where the table has few rows: a row's workgroups look through all indices. Else
    those go into buckets first.
    """
    F, n = items(d, p.C, b.dtable, b.dout)

    def scanned(block: int) -> Any:
        return p.V * -(-n // block) * p.n * 4

    block = next((block for block in (8, 16) if scanned(block) <= SCAN_BYTES), 32)
    blocks = -(-n // block)
    params = dict(count=p.n, n=n, V=p.V, blocks=blocks)
    per = next((per for per in (4, 8) if p.n <= per * WIDTH), 16)  # indices that an invocation looks through at a time
    defines: dict[str, Any] = dict(F=F, W=WIDTH, per=per, side=4 if per == 4 else 8, block=block)
    if scanned(block) <= MOST_SCAN_BYTES or p.V <= 8 * BUCKET:
        d.run(
            "embedding.scatter",
            p.V * blocks,
            dict(dtable=b.dtable, dout=b.dout, index=b.index, flag=d.flag),
            params,
            **defines,
        )
        return
    buckets = -(-p.V // BUCKET)
    keys, order, bounds = d.scratch(p.n, "i"), d.scratch(p.n, "i"), d.scratch(2 * buckets, "i")
    by_occurrence = p.n < p.V
    d.run("embedding.buckets", buckets,
          dict(keys=keys, order=order, bounds=bounds, index=b.index, dtable=b.dtable if by_occurrence else None,
               flag=d.flag),
          dict(count=p.n, n=n, V=p.V, buckets=buckets), bucket=BUCKET, **defines)  # fmt: skip
    d.run("embedding.scatter", (p.n if by_occurrence else p.V) * blocks,
          dict(dtable=b.dtable, dout=b.dout, index=keys, flag=d.flag, order=order, bounds=bounds), params,
          bucket=BUCKET, by_occurrence=by_occurrence, **defines)  # fmt: skip
