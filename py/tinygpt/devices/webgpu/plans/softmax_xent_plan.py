"""Softmax, log-softmax and their backward, and cross-entropy with its gradient: two dispatches,
three where rows are many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....kernels import REDUCTION
from ..dispatch_plan import kernel
from .row_groups import RowGroups

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


COUNT_BYTES = (
    16 << 20
)  # of targets that the workgroups may read in all to count the valid rows, before a dispatch of its own is cheaper


@kernel("softmax")
def softmax(d: Planner, p: Any, b: Any) -> None:
    groups = RowGroups.of(d, p.n, b.out, b.x)
    params = dict(rows=p.rows, n=groups.n)
    defines = dict(groups.defines, log=bool(p.log))
    d.run("softmax.forward", groups.workgroups(p.rows), dict(out=b.out, x=b.x), params, **defines)


@kernel("softmax_backward")
def softmax_backward(d: Planner, p: Any, b: Any) -> None:
    groups = RowGroups.of(d, p.n, b.dx, b.dy, b.y)
    params = dict(rows=p.rows, n=groups.n)
    defines = dict(groups.defines, log=bool(p.log))
    d.run("softmax.backward", groups.workgroups(p.rows), dict(dx=b.dx, dy=b.dy, y=b.y), params, **defines)


@kernel("cross_entropy")
def cross_entropy(d: Planner, p: Any, b: Any) -> None:
    groups = RowGroups.of(d, p.V, b.logits, b.dlogits)
    ignores = -(1 << 31) <= p.ignore < 1 << 31  # else no target is ignored
    params = dict(rows=p.rows, n=groups.n, V=p.V, ignore=p.ignore if ignores else 0)
    workgroups = groups.workgroups(p.rows)
    mean = p.reduction == REDUCTION["mean"]
    scaled = mean and b.dlogits is not None
    count_here = scaled and workgroups * p.rows * 4 <= COUNT_BYTES
    count = d.scratch(1, "i") if scaled and not count_here else None
    defines = dict(groups.defines, ignores=ignores)
    one_group = dict(defines, F="f32", T=256, K=0, W=256)
    if count is not None:
        d.run("cross_entropy.count", 1, dict(count=count, targets=b.targets), params, **one_group)
    buffers = dict(losses=b.losses, dlogits=b.dlogits, logits=b.logits, targets=b.targets, count=count, flag=d.flag)
    d.run("cross_entropy.rows", workgroups, buffers, params, **defines, count_here=count_here)
    given = dict(losses=b.losses, targets=b.targets if mean else None) if p.rows else {}
    d.run("cross_entropy.total", 1, dict(total=b.total, **given), params, **one_group, mean=mean)
