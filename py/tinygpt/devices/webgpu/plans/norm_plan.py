"""Layer norm and RMS norm, and how the rows' share of the parameter gradients is cut up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..dispatch_plan import kernel
from .row_groups import RowGroups

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


def forward(
    d: Planner,
    p: Any,
    out: Any,
    mean: Any,
    rstd: Any,
    x: Any,
    weight: Any,
    bias: Any = None,
    residual: Any = None,
    sum: Any = None,
) -> None:
    groups = RowGroups.of(d, p.C, out, x, weight, bias, residual, sum)
    buffers = dict(out=out, mean=mean, rstd=rstd, x=x, residual=residual, sum=sum, weight=weight, bias=bias)
    params = dict(rows=p.rows, n=groups.n, C=p.C, eps=p.eps)
    d.run("norm.forward", groups.workgroups(p.rows), buffers, params, **groups.defines)


@kernel("layer_norm")
def layer_norm(d: Planner, p: Any, b: Any) -> None:
    forward(d, p, b.out, b.mean, b.rstd, b.x, b.weight, b.bias)


@kernel("add_layer_norm")
def add_layer_norm(d: Planner, p: Any, b: Any) -> None:
    forward(d, p, b.out, b.mean, b.rstd, b.x, b.weight, b.bias, b.residual, b.sum)


@kernel("rms_norm")
def rms_norm(d: Planner, p: Any, b: Any) -> None:
    forward(d, p, b.out, None, b.rstd, b.x, b.weight)


def backward(
    d: Planner, p: Any, dx: Any, dy: Any, x: Any, weight: Any, mean: Any, rstd: Any, add: Any, gradients: Any
) -> None:
    """gradients: the parameter gradients requested, {"dweight": Operand or None, "dbias": ...}.

    A workgroup takes a block of rows and writes one partial row of each gradient. Up to 4096 rows
    there are about 128 workgroups, as many as a large GPU has multiprocessors, beyond it 256: the
    sum that `defer` requests reads the partial rows back, so more would cost there.
    """
    requested = {name: operand for name, operand in gradients.items() if operand is not None}
    kinds, C = len(requested), p.C
    groups = RowGroups.of(d, C, dx, dy, x, weight, add, width=256)
    n, in_registers = groups.n, groups.K > 0
    if not (requested and in_registers):
        block, splits = groups.rows, groups.workgroups(p.rows)
    else:
        block = -(-p.rows // ((128 if p.rows <= 4096 else 256) * groups.rows)) * groups.rows
        splits = max(1, -(-p.rows // max(block, 1)))
    columns_block = max(8, -(-p.rows // 128))
    columns_splits = max(1, -(-p.rows // columns_block))
    partials = None
    if requested:
        count = splits if in_registers else columns_splits
        partials = d.partials(kinds * count * C)
        for i, operand in enumerate(requested.values()):
            d.defer(operand, partials.part(i * count * C, count * C), count, C)
    defines = dict(groups.defines, kinds=kinds, dweight="dweight" in requested, dbias="dbias" in requested)
    d.run("norm.backward", splits,
          dict(dx=dx, dy=dy, x=x, weight=weight, mean=mean, rstd=rstd, add=add,
               partials=partials if in_registers else None),
          dict(rows=p.rows, n=n, C=C, block=block, splits=splits), **defines)  # fmt: skip
    if requested and not in_registers:
        d.run("norm.columns", (-(-n // 256), columns_splits, 1),
              dict(dy=dy, x=x, mean=mean, rstd=rstd, partials=partials),
              dict(rows=p.rows, n=n, block=columns_block, splits=columns_splits), **defines)  # fmt: skip


@kernel("layer_norm_backward")
def layer_norm_backward(d: Planner, p: Any, b: Any) -> None:
    backward(d, p, b.dx, b.dy, b.x, b.weight, b.mean, b.rstd, b.add, dict(dweight=b.dweight, dbias=b.dbias))


@kernel("rms_norm_backward")
def rms_norm_backward(d: Planner, p: Any, b: Any) -> None:
    backward(d, p, b.dx, b.dy, b.x, b.weight, None, b.rstd, b.add, dict(dweight=b.dweight))
