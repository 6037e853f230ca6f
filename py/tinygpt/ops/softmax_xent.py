"""Softmax, log-softmax and the fused cross-entropy, which computes its gradient in the same pass as its value."""

from .. import kernels
from ..autograd import attach, wanted
from ..creation import like
from ..program import launch
from ..tensor import float32, int32
from . import elementwise, movement


def softmax(x, dim=-1, log=False):
    """exp(x - max) / sum along dim; its logarithm with log=True."""
    x = elementwise.as_float(x)
    if not x.ndim:
        return softmax(x.reshape(1), 0, log).reshape(())
    d = movement.dim_of(x, dim)
    if d != x.ndim - 1:
        return softmax(x.transpose(d, -1), -1, log).transpose(d, -1)
    x = x.contiguous()
    n = x.shape[-1]
    rows = x.numel() // n if n else 0
    out = like(x)
    launch(kernels.softmax, (out, x), (rows, n, int(log)))
    if wanted(x):
        y = out.detach()

        def backward(dy):
            dy = dy.contiguous()
            dx = like(dy)
            launch(kernels.softmax_backward, (dx, dy, y), (rows, n, int(log)))
            return (dx,)

        attach("log_softmax" if log else "softmax", (out,), (x,), backward)
    return out


def log_softmax(x, dim=-1):
    return softmax(x, dim, log=True)


def cross_entropy(logits, targets, ignore_index=-100, reduction="mean"):
    """-log softmax(logits)[target], logits [N, V] float32 (or [..., V] with targets [...]), targets int32.

    reduction: mean (over targets that are not ignore_index), sum or none. Raises RuntimeError with both shapes where they do not fit.
    """
    if reduction not in kernels.REDUCTION:
        raise ValueError("%s is not a valid value for reduction; choose none, mean or sum" % reduction)
    if logits.ndim < 1 or logits.shape[:-1] != targets.shape:
        raise RuntimeError(
            "cross_entropy: logits of shape %s need targets of shape %s, not %s"
            % (list(logits.shape), list(logits.shape[:-1]), list(targets.shape))
        )
    if targets.dtype is not int32:
        raise RuntimeError("cross_entropy: targets must be int32 class numbers, not %s" % targets.dtype.name)
    if logits.dtype is not float32:
        raise RuntimeError("cross_entropy: logits must be float32, not %s" % logits.dtype.name)
    elementwise.same_device(logits, targets)
    logits, targets = logits.contiguous(), targets.contiguous()
    v = logits.shape[-1]
    rows = targets.numel()
    losses, total = like(logits, targets.shape), like(logits, ())
    dlogits = like(logits) if wanted(logits) else None
    launch(kernels.cross_entropy, (losses, total, dlogits, logits, targets), (rows, v, ignore_index, kernels.REDUCTION[reduction]))
    out = losses if reduction == "none" else total
    if dlogits is not None:

        def backward(dy):
            if dy._unit:
                return (dlogits,)
            return (elementwise.binary("mul", dlogits, dy if reduction != "none" else dy.unsqueeze(-1)),)

        attach("cross_entropy", (out,), (logits,), backward)
    return out
