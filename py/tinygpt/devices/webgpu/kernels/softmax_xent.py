"""Softmax, log-softmax and their backward, and cross-entropy with its gradient: two dispatches, three where rows are many."""

from ....kernels import REDUCTION
from ..plan import kernel
from .norm import WIDTH, items, shape_of_group

COUNT_BYTES = 16 << 20  # of targets that the workgroups may read in all to count the valid rows, before a dispatch of its own is cheaper


def row_groups(F, n):
    """(T, K, W): invocations that share a row, items of each, invocations in a workgroup."""
    T, K = shape_of_group(F, n, 4)
    return T, K, max(WIDTH, T)


@kernel("softmax")
def softmax(d, p, b):
    F, n = items(d, p.n, b.out, b.x)
    T, K, W = row_groups(F, n)
    d.run("softmax.forward", -(-p.rows * T // W), dict(out=b.out, x=b.x), dict(rows=p.rows, n=n), F=F, T=T, K=K, W=W, log=bool(p.log))


@kernel("softmax_backward")
def softmax_backward(d, p, b):
    F, n = items(d, p.n, b.dx, b.dy, b.y)
    T, K, W = row_groups(F, n)
    buffers = dict(dx=b.dx, dy=b.dy, y=b.y)
    d.run("softmax.backward", -(-p.rows * T // W), buffers, dict(rows=p.rows, n=n), F=F, T=T, K=K, W=W, log=bool(p.log))


@kernel("cross_entropy")
def cross_entropy(d, p, b):
    F, n = items(d, p.V, b.logits, b.dlogits)
    T, K, W = row_groups(F, n)
    ignores = -(1 << 31) <= p.ignore < 1 << 31  # else no target is ignored
    params = dict(rows=p.rows, n=n, V=p.V, ignore=p.ignore if ignores else 0)
    groups = -(-p.rows * T // W)
    mean = p.reduction == REDUCTION["mean"]
    scaled = mean and b.dlogits is not None
    count_here = scaled and groups * p.rows * 4 <= COUNT_BYTES
    count = d.scratch(1, "i") if scaled and not count_here else None
    whole = dict(F="f32", T=256, K=0, W=256, ignores=ignores)
    if count is not None:
        d.run("cross_entropy.count", 1, dict(count=count, targets=b.targets), params, **whole)
    buffers = dict(losses=b.losses, dlogits=b.dlogits, logits=b.logits, targets=b.targets, count=count, flag=d.flag)
    d.run("cross_entropy.rows", groups, buffers, params, F=F, T=T, K=K, W=W, ignores=ignores, count_here=count_here)
    given = dict(losses=b.losses, targets=b.targets if mean else None) if p.rows else {}
    d.run("cross_entropy.total", 1, dict(total=b.total, **given), params, **whole, mean=mean)
