"""Recurrent layers: a dispatch for each time step forward, three backward
(shaders/recurrent.wgsl).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .... import kernels
from ..dispatch_plan import kernel

if TYPE_CHECKING:
    from ..dispatch_plan import Planner

CELLS = {code: name for name, code in kernels.CELL.items()}


@kernel("recurrent", "float32")
def recurrent(d: Planner, p: Any, b: Any) -> None:
    G, n = kernels.GATES[p.cell], p.B * p.H
    state, turned = d.scratch(3 * n), d.scratch(G * p.H * p.H)
    shape = dict(B=p.B, T=p.T, H=p.H, rows=p.rows)
    groups = -(-n // 64)
    h, c = state.part(0, n), state.part(2 * n, n) if b.c0 is not None else None
    d.run("recurrent.begin", groups, dict(h=h, c=c, h0=b.h0, c0=b.c0, sizes=b.sizes, flag=d.flag), shape)
    d.run("recurrent.transpose", -(-G * p.H * p.H // 64), dict(out=turned, w=b.w), dict(M=G * p.H, N=p.H))
    buffers = dict(y=b.y, gates=b.gates, kept=b.kept, state=state, w=turned, bias=b.bias, sizes=b.sizes)
    for step in range(p.T):
        t = p.T - 1 - step if p.reverse else step
        places = dict(before=step % 2 * n, behind=(step + 1) % 2 * n, cells=2 * n)
        d.run("recurrent.step", groups, buffers, dict(**shape, ldy=p.ldy, t=t, **places), G=G, cell=CELLS[p.cell])
    d.run("recurrent.end", groups, dict(hn=b.hn, cn=b.cn, state=state), dict(n=n, behind=p.T % 2 * n, cells=2 * n))


@kernel("recurrent_backward", "float32")
def recurrent_backward(d: Planner, p: Any, b: Any) -> None:
    G, cell, groups = kernels.GATES[p.cell], CELLS[p.cell], -(-p.B * p.H // 64)
    shape = dict(B=p.B, T=p.T, H=p.H, rows=p.rows)
    start = dict(h=b.dh0, c=b.dc0, h0=b.dhn, c0=b.dcn if b.dc0 is not None else None, sizes=b.sizes, flag=d.flag)
    d.run("recurrent.begin", groups, start, shape)
    cells = d.scratch(p.rows * p.H) if cell == "lstm" else None
    for t in range(p.T):
        for out, x, x0, ldx in ((b.hprev, b.y, b.h0, p.ldy), (cells, b.kept, b.c0, p.H)):
            if out is not None:
                d.run("recurrent.before", groups, dict(out=out, x=x, x0=x0, sizes=b.sizes),
                      dict(**shape, ldx=ldx, t=t), reverse=bool(p.reverse))  # fmt: skip
    buffers = dict(dgates=b.dgates, dh=b.dh0, dy=b.dy, gates=b.gates, sizes=b.sizes)
    if cell == "lstm":
        buffers.update(dc=b.dc0, kept=b.kept, before=cells)
    if cell == "gru":
        buffers.update(dhidden=b.dhidden, kept=b.kept, before=b.hprev)
    hidden = b.dhidden if cell == "gru" else b.dgates
    for t in range(p.T) if p.reverse else range(p.T)[::-1]:
        d.run("recurrent.gates", groups, buffers, dict(**shape, lddy=p.lddy, t=t), G=G, cell=cell)
        d.run("recurrent.product", groups, dict(dh=b.dh0, d=hidden, w=b.w, sizes=b.sizes), dict(**shape, t=t), G=G)
