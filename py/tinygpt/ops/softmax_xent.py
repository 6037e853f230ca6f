"""Softmax, log-softmax and the fused cross-entropy, which computes its gradient in the same pass as
its value.
"""

from __future__ import annotations

import math

from .. import kernels
from ..core.autograd import attach, keep, needs_grad
from ..core.factory import full, like
from ..core.tensor import RangeError, Tensor, float32, int32
from ..graph.program import launch
from . import elementwise, embedding, movement, reduce


def softmax(x: Tensor, dim: int = -1, log: bool = False) -> Tensor:
    """exp(x - max) / sum(exp(x - max)) along dim, float32; its logarithm with log=True."""
    return _softmax(x, dim, log)


def safe_softmax(x: Tensor) -> Tensor:
    """softmax over the last dimension, and 0 where a row is -inf alone: attention's, whose queries
    may be left without a key (torch._safe_softmax).
    """
    return _softmax(x, -1, False, safe=True)


def _softmax(x: Tensor, dim: int, log: bool, safe: bool = False) -> Tensor:
    x = elementwise.as_float(x)
    if x._dtype is not float32:
        return _other_softmax(x, dim, log, safe)
    if not x.ndim:
        return movement.no_view(_softmax(x.reshape(1), 0, log).reshape(()))
    d = movement.dim_of(x, dim)
    if d != x.ndim - 1:
        return _softmax_across(x, d, log, safe)
    x = x.contiguous()
    n = x._shape[-1]
    rows = x.numel() // n if n else 0
    out = like(x)
    launch(kernels.softmax, (out, x), (rows, n, int(log)))
    if safe and n:
        nowhere = elementwise.compare("eq", reduce.largest(x, -1), -math.inf)
        out = elementwise.where(nowhere, 0.0, out)
    if needs_grad(x):
        y = out.detach()

        def backward(dy):
            dy = dy.contiguous()
            dx = like(dy)
            launch(kernels.softmax_backward, (dx, dy, y), (rows, n, int(log)))
            return (dx,)

        attach("log_softmax" if log else "softmax", (out,), (x,), backward, (y,))
    return out


def _other_softmax(x: Tensor, dim: int, log: bool, safe: bool) -> Tensor:
    """The softmax of a 16-bit float, computed as float32, or of float64, made of plain ops."""
    if x._dtype.computed is not x._dtype:
        return _softmax(x._cast(x._dtype.computed), dim, log, safe)._cast(x._dtype)
    if not x.ndim:
        return movement.no_view(_other_softmax(x.reshape(1), 0, log, safe).reshape(()))
    d = movement.dim_of(x, dim)
    if not x._shape[d]:
        return elementwise.mul(x, 1.0)
    largest = reduce.max_(x.detach(), d, keepdim=True)[0]
    nowhere = elementwise.compare("eq", largest, -math.inf) if safe else None
    if nowhere is not None:
        largest = elementwise.where(nowhere, 0.0, largest)
    shifted = elementwise.sub(x, largest)
    powers = elementwise.unary("exp", shifted)
    total = reduce.sum_(powers, d, keepdim=True)
    if nowhere is not None:
        total = elementwise.where(nowhere, 1.0, total)
    out = elementwise.sub(shifted, elementwise.unary("log", total)) if log else elementwise.div(powers, total)
    if out._node is not None:
        keep(out, out)  # as in PyTorch a write into the result is an error
    return out


def _softmax_across(x: Tensor, d: int, log: bool, safe: bool) -> Tensor:
    """The softmax along a dimension d that is not the last, dense as PyTorch's."""
    out = movement.clone(_softmax(x.detach().transpose(d, -1), -1, log, safe).transpose(d, -1))
    if needs_grad(x):
        y = out.detach()

        def backward(dy):
            dy, rows = [t.transpose(d, -1).contiguous() for t in (dy, y)]
            dx, n = like(dy), dy._shape[-1]
            launch(kernels.softmax_backward, (dx, dy, rows), (dy.numel() // n if n else 0, n, int(log)))
            return (dx.transpose(d, -1),)

        attach("log_softmax" if log else "softmax", (out,), (x,), backward, (y,))
    return out


def log_softmax(x: Tensor, dim: int = -1) -> Tensor:
    """x - max - log(sum(exp(x - max))) along dim, float32."""
    return softmax(x, dim, log=True)


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(logits)[target], with its gradient in the same pass where targets are class
    numbers without weight and smoothing.

    logits: float32 [V], [N, V], or [N, V, ...] as in PyTorch. targets: int32 class numbers of
    logits' shape without V, or float32 probabilities of logits' shape. weight: float32 [V], a
    factor for each class. reduction: mean (over targets that are not ignore_index, by their
    weights), sum, or none: a scalar, or targets' shape. ValueError for another reduction or a
    label_smoothing outside [0, 1], IndexError for a class outside, RuntimeError with both shapes
    where they do not fit.
    """
    logits, targets = _classes_last("cross_entropy", logits, targets, size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RangeError("cross_entropy: label_smoothing must be between 0 and 1, not %r" % (label_smoothing,))
    if logits._dtype.computed is not logits._dtype:  # a 16-bit float
        dtype = logits._dtype
        logits, weight = logits._cast(float32), weight if weight is None else weight._cast(float32)
        targets = targets._cast(float32) if targets._dtype is dtype else targets
        return cross_entropy(logits, targets, weight, None, ignore_index, None, reduction, label_smoothing)._cast(dtype)
    if targets._dtype.is_floating_point:
        return _soft_cross_entropy(logits, targets, weight, ignore_index, reduction, label_smoothing)
    targets = embedding.as_index(targets)
    if weight is not None or label_smoothing or logits._dtype is not float32:
        logp = log_softmax(logits)
        nll = _nll(logp, targets, weight, ignore_index, reduction)
        return _smoothed(nll, logp, targets, weight, ignore_index, reduction, label_smoothing)
    logits, targets = logits.contiguous(), targets.contiguous()
    V = logits._shape[-1]
    rows = targets.numel()
    losses, total = like(logits, targets._shape), like(logits, ())
    dlogits = like(logits) if needs_grad(logits) else None
    launch(
        kernels.cross_entropy,
        (losses, total, dlogits, logits, targets),
        (rows, V, ignore_index, kernels.REDUCTION[reduction]),
    )
    out = losses if reduction == "none" else total
    if dlogits is not None:

        def backward(dy):
            nonlocal targets, ignore_index  # kept for the gradient's own gradient (TWICE in core/autograd.py)
            if dy._unit:
                return (dlogits,)
            return (elementwise.binary("mul", dlogits, dy if reduction != "none" else dy.unsqueeze(-1)),)

        attach("cross_entropy", (out,), (logits,), backward, (targets,))
    return out


def check_reduction(name: str, size_average: None, reduce: None, reduction: str) -> None:
    """ValueError for a reduction that is none of PyTorch's, or for its former options."""
    if size_average is not None or reduce is not None:
        raise ValueError("%s: size_average and reduce are former names; use reduction='mean', 'sum' or 'none'" % name)
    if reduction not in kernels.REDUCTION:
        raise ValueError("%s is not a valid value for reduction; choose none, mean or sum" % (reduction,))


def _classes_last(
    name: str, x: Tensor, targets: Tensor, size_average: None, reduce: None, reduction: str
) -> tuple[Tensor, Tensor]:
    """x and targets with the classes in the last dimension, checked: what cross_entropy and
    nll_loss share.
    """
    check_reduction(name, size_average, reduce, reduction)
    if not x._dtype.is_floating_point:
        raise RuntimeError("%s: logits must be of a float dtype, not %s" % (name, x._dtype.name))
    elementwise.same_device(x, targets)
    soft = name == "cross_entropy" and targets._dtype.is_floating_point
    if not soft and targets._dtype not in embedding.INDEX:
        raise RuntimeError("%s: targets must be integer class numbers, not %s" % (name, targets._dtype.name))
    if x.ndim > 2:  # PyTorch's layout: the classes are dimension 1
        x = movement.permute(x, (0, *range(2, x.ndim), 1))
        targets = movement.permute(targets, (0, *range(2, x.ndim), 1)) if soft and targets.ndim == x.ndim else targets
    expected = x._shape if soft else x._shape[:-1]
    if x.ndim < 1 or expected != targets._shape:
        raise RuntimeError(
            "%s: logits of shape %s, classes last, need targets of shape %s, not %s; "
            "flatten [..., V] to [N, V] with logits.view(-1, V)"
            % (name, list(x._shape), list(expected), list(targets._shape))
        )
    return x, targets


def _class_weight(x: Tensor, weight: Tensor | None) -> Tensor | None:
    """`weight`, checked to have one number for each class of x [..., V]."""
    if weight is None:
        return None
    if not isinstance(weight, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            "weight must be a Tensor of one number for each class, not %r; "
            "ignore_index and reduction are given by name" % (weight,)
        )
    if weight._shape != x._shape[-1:] or weight._dtype is not x._dtype:
        raise RuntimeError(
            "weight must be of the logits' dtype and of shape %s, one number for each class, not %s of shape %s"
            % (list(x._shape[-1:]), weight._dtype.name, list(weight._shape))
        )
    elementwise.same_device(x, weight)
    if needs_grad(weight):
        raise RuntimeError("the gradient of a loss's weight is not defined here; use weight.detach()")
    return weight


def _row_weights(x: Tensor, targets: Tensor, weight: Tensor | None, ignore_index: int) -> tuple[Tensor, Tensor, Tensor]:
    """(targets with 0 for the ignored, which are kept, their weights); IndexError for a class
    outside.
    """
    weight = _class_weight(x, weight)
    kept = elementwise.compare("ne", targets, ignore_index)
    chosen = elementwise.where(kept, targets, 0)
    V = x._shape[-1]
    table = full((V, 1), 1.0, x._dtype, x.device) if weight is None else weight.reshape(V, 1)
    factors = embedding.embedding(chosen, table).reshape(targets._shape)
    return chosen, kept, elementwise.where(kept, factors, 0.0)


def _nll(logp: Tensor, targets: Tensor, weight: Tensor | None, ignore_index: int, reduction: str) -> Tensor:
    """-weight[target] * logp[target] over the last dimension, reduced."""
    chosen, kept, factors = _row_weights(logp, targets, weight, ignore_index)
    V, rows = logp._shape[-1], targets.numel()
    place = chosen.reshape(rows) + movement.arange(rows, dtype=int32, device=logp.device) * V
    picked = embedding.embedding(place, logp.reshape(rows * V, 1)).reshape(targets._shape)
    losses = elementwise.where(kept, elementwise.neg(elementwise.mul(picked, factors)), 0.0)
    if reduction == "none":
        return losses
    total = reduce.sum_(losses)
    return total if reduction == "sum" else elementwise.div(total, reduce.sum_(factors))


def _smoothed(
    nll: Tensor,
    logp: Tensor,
    targets: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """(1 - smoothing) nll + smoothing times the mean over all classes (Szegedy et al. 2016)."""
    if not smoothing:
        return nll
    _, kept, factors = _row_weights(logp, targets, weight, ignore_index)
    spread = elementwise.neg(reduce.sum_(logp if weight is None else elementwise.mul(logp, weight), -1))
    spread = elementwise.where(kept, spread, 0.0)
    if reduction != "none":
        spread = reduce.sum_(spread)
    if reduction == "mean":
        spread = elementwise.div(spread, reduce.sum_(factors))
    return elementwise.add(elementwise.mul(nll, 1.0 - smoothing), elementwise.mul(spread, smoothing / logp._shape[-1]))


def _soft_cross_entropy(
    logits: Tensor, targets: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    """-sum(targets * log softmax(logits)) over the classes, targets being probabilities."""
    if ignore_index >= 0:
        raise RuntimeError("cross_entropy: ignore_index %d needs class numbers as targets" % ignore_index)
    V = logits._shape[-1]
    weight = _class_weight(logits, weight)
    if smoothing:
        targets = elementwise.add(elementwise.mul(targets, 1.0 - smoothing), smoothing / V)
    terms = elementwise.mul(log_softmax(logits), targets)
    losses = elementwise.neg(reduce.sum_(terms if weight is None else elementwise.mul(terms, weight), -1))
    if reduction == "none":
        return losses
    total = reduce.sum_(losses)
    return total if reduction == "sum" else elementwise.div(total, float(losses.numel()))


def nll_loss(
    log_probabilities: Tensor,
    targets: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """-log_probabilities[target]; shapes, options and errors as cross_entropy's.

    log_probabilities: float32 [V], [N, V] or [N, V, ...]. targets: int32, without V.
    """
    logp, targets = _classes_last("nll_loss", log_probabilities, targets, size_average, reduce, reduction)
    targets = embedding.as_index(targets)
    return _nll(logp, targets, weight, ignore_index, reduction)
