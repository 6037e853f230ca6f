"""Losses between an input and its target: regression, classes, probabilities."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ...core.autograd import attach, needs_grad
from ...core.factory import full as filled
from ...core.tensor import Tensor, int64, numel_of, uint8
from ...ops import elementwise, movement, softmax_xent
from ...ops.activation import activation
from ...ops.elementwise import compare, where
from ...ops.functions import function as of_math
from ...ops.functions import recorded
from .activation import floats
from .in_place import named

FUNCTIONS = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "gaussian_nll_loss", "huber_loss",
    "kl_div", "l1_loss", "mse_loss", "nll_loss", "poisson_nll_loss", "smooth_l1_loss",
]  # fmt: skip


def reduction_of(size_average: Any, reduce: Any, reduction: str) -> str:
    """ "none", "mean" or "sum". size_average and reduce: PyTorch's former names for it, with its
    warning. ValueError for another word.
    """
    if size_average is not None or reduce is not None:
        average, reduces = size_average is None or size_average, reduce is None or reduce
        reduction = "none" if not reduces else "mean" if average else "sum"
        warnings.warn(
            "size_average and reduce args will be deprecated, please use reduction='%s' instead." % reduction,
            stacklevel=4,
        )
    if reduction not in ("none", "mean", "sum"):
        raise ValueError("%s is not a valid value for reduction" % (reduction,))
    return reduction


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of the losses, or all of them."""
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def _same_sizes(input: Tensor, target: Tensor) -> None:
    """A warning where the sizes differ."""
    if input._shape != target._shape:
        warnings.warn(
            "Using a target size (torch.Size(%s)) that is different to the input size (torch.Size(%s)). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size."
            % (list(target._shape), list(input._shape)),
            stacklevel=4,
        )


def _of_difference(
    name: str, kernel: str, input: Tensor, target: Tensor, reduction: str, value: Any, slope: Any
) -> Tensor:
    """A loss of d = input - target, as one op: value(d), reduced; slope(d) is its derivative."""
    _same_sizes(input, target)
    kind = elementwise.result_type(input, target)
    floats(input if kind is input._dtype else target, kernel)
    count = numel_of(elementwise.broadcast_shapes(input._shape, target._shape)) if reduction == "mean" else 1

    def gradient(dy: Tensor) -> Tensor:
        made = slope(input - target)
        return (made if count == 1 else made * (1.0 / count if count else 0.0)) * dy

    return recorded(
        name,
        (input, target),
        lambda x, y: reduced(value(x - y), reduction),
        (gradient, lambda dy: elementwise.neg(gradient(dy))),
    )


def _weighted(losses: Tensor, weight: Tensor, reduction: str, mean_of_weight: bool) -> Tensor:
    if weight._shape != losses._shape:
        raise ValueError("Weights and input must have the same size.")
    losses = losses * weight
    return losses.sum() / weight.sum() if reduction == "mean" and mean_of_weight else reduced(losses, reduction)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target)^2. weight: of input's shape; the mean is then divided by its sum."""
    reduction = reduction_of(size_average, reduce, reduction)
    if weight is not None:
        _same_sizes(input, target)
        return _weighted((input - target).square(), weight, reduction, True)
    return _of_difference("mse_loss", "mse_cpu", input, target, reduction, lambda d: d.square(), lambda d: d * 2.0)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|input - target|. weight: of input's shape; the mean is then divided by its sum."""
    reduction = reduction_of(size_average, reduce, reduction)
    _same_sizes(input, target)
    losses = (input - target).abs()
    return reduced(losses, reduction) if weight is None else _weighted(losses, weight, reduction, True)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d^2 / (2 beta) where d = |input - target| is below beta, else d - beta / 2 (Girshick
    2015).
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)

    def value(d: Tensor) -> Tensor:
        d = d.abs()
        return where(compare("lt", d, beta), d * d * 0.5 / beta, d - 0.5 * beta)

    def slope(d: Tensor) -> Tensor:
        return (d / beta).clamp(-1.0, 1.0)

    return _of_difference("smooth_l1_loss", "smooth_l1_cpu", input, target, reduction, value, slope)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """d^2 / 2 where d = |input - target| is at most delta, else delta (d - delta / 2) (Huber
    1964).
    """
    reduction = reduction_of(None, None, reduction)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")

    def value(d: Tensor) -> Tensor:
        d = d.abs()
        return where(compare("le", d, delta), d * d * 0.5, (d - 0.5 * delta) * delta)

    def slope(d: Tensor) -> Tensor:
        return d.clamp(-delta, delta)

    way = reduction if weight is None else "none"
    losses = _of_difference("huber_loss", "huber_cpu", input, target, way, value, slope)
    return losses if weight is None else _weighted(losses, weight, reduction, False)


# ---- classes ------------------------------------------------------------------------------------


def _check_classes(input: Tensor, target: Tensor, soft: bool) -> None:
    """PyTorch's kind of error where shapes and dtypes do not fit."""
    if not isinstance(input, Tensor) or not isinstance(target, Tensor):  # pyright: ignore
        raise TypeError("a loss is of two Tensors, not of %s and %s" % (type(input).__name__, type(target).__name__))
    if soft:
        return
    if input._shape == target._shape:
        raise RuntimeError(
            "Expected floating point type for target with class probabilities, got %s" % target._dtype.name
        )
    if target._dtype is not int64 and target._dtype is not uint8:
        name = {"int32": "Int", "int16": "Short", "int8": "Char", "bool": "Bool"}.get(target._dtype.name, "Float")
        raise RuntimeError("expected scalar type Long but found %s" % name)
    if input.ndim > 1 and (not target.ndim or input._shape[0] != target._shape[0]):
        raise ValueError(
            "Expected input batch_size (%d) to match target batch_size (%d)."
            % (input._shape[0], target._shape[0] if target.ndim else 0)
        )


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input)[target] over dimension 1 of [N, C, ...], or over [C].

    target: int64 class numbers of input's shape without C, or probabilities of input's shape.
    weight: [C], a factor for each class. reduction: "mean" over targets that are not ignore_index,
    by their weights.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check_classes(input, target, target._dtype.is_floating_point)
    return softmax_xent.cross_entropy(input, target, weight, None, ignore_index, None, reduction, label_smoothing)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """-input[target] over dimension 1 of log-probabilities [N, C, ...]; arguments as
    cross_entropy's.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check_classes(input, target, False)
    return named("nll_loss", softmax_xent.nll_loss(input, target, weight, None, ignore_index, None, reduction))


# ---- probabilities ------------------------------------------------------------------------------


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """-(t log x + (1 - t) log(1 - x)), each logarithm at least -100.

    ValueError where shapes differ, RuntimeError for an x outside of [0, 1].
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if target._shape != input._shape:
        raise ValueError(
            "Using a target size (torch.Size(%s)) that is different to the input size (torch.Size(%s)) is deprecated. "
            "Please ensure they have the same size." % (list(target._shape), list(input._shape))
        )
    floats(input, "binary_cross_entropy")
    if target._dtype is not input._dtype:
        raise RuntimeError("Found dtype %s but expected %s" % (target._dtype.name, input._dtype.name))
    x = input.detach()
    inside = elementwise.logical_and(compare("ge", x, 0), compare("le", x, 1))
    elementwise.checked(
        filled((), 0.0, device=x.device),
        elementwise.logical_not(inside),
        "all elements of input should be between 0 and 1",
    )
    factor = _factor(input, weight, reduction)

    def value(x: Tensor, t: Tensor) -> Tensor:
        losses = (t - 1) * of_math("log1p", x.neg()).clamp(min=-100) - t * x.log().clamp(min=-100)
        return reduced(losses if weight is None else losses * weight, reduction)

    def slope(dy: Tensor) -> Tensor:
        return (input - target) / (input * (1 - input)).clamp(min=1e-12) * factor * dy

    def slope_of_target(dy: Tensor) -> Tensor:
        return ((1 - input).log() - input.log()) * factor * dy

    return recorded("binary_cross_entropy", (input, target), value, (slope, slope_of_target))


def _factor(input: Tensor, weight: Tensor | None, reduction: str) -> Any:
    """By what the reduced loss multiplies each element's."""
    share = 1.0 / max(input.numel(), 1) if reduction == "mean" else 1.0
    return share if weight is None else weight * share


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy of sigmoid(input). pos_weight: a factor for the terms of target 1.

    ValueError where shapes differ.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if target._shape != input._shape:
        raise ValueError(
            "Target size (torch.Size(%s)) must be the same as input size (torch.Size(%s))"
            % (list(target._shape), list(input._shape))
        )
    factor = _factor(input, weight, reduction)

    def value(x: Tensor, t: Tensor) -> Tensor:
        logs = activation("logsigmoid", x)
        losses = (1 - t) * x - (logs if pos_weight is None else logs * ((pos_weight - 1) * t + 1))
        return reduced(losses if weight is None else losses * weight, reduction)

    def slope(dy: Tensor) -> Tensor:
        if pos_weight is None:
            return (input.sigmoid() - target) * factor * dy
        positive = pos_weight * target
        return ((positive + 1 - target) * input.sigmoid() - positive) * factor * dy

    def slope_of_target(dy: Tensor) -> Tensor:
        if pos_weight is None:
            return elementwise.neg(input) * factor * dy
        return ((1 - pos_weight) * activation("logsigmoid", input) - input) * factor * dy

    return recorded("binary_cross_entropy_with_logits", (input, target), value, (slope, slope_of_target))


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """target (log target - input), input being log-probabilities; reduction also "batchmean", the
    sum divided by the batch. log_target: target is log-probabilities too.
    """
    batch = size_average is None and reduce is None and reduction == "batchmean"
    if size_average is None and reduce is None and reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    reduction = "sum" if batch else reduction_of(size_average, reduce, reduction)
    if log_target:
        losses = target.exp() * (target - input)
    else:
        losses = target * where(compare("eq", target, 0), 1.0, target).log() - target * input
    out = reduced(losses, reduction)
    return out / input._shape[0] if batch and input.ndim else out


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """exp(x) - t x; of rates themselves (log_input=False) x - t log(x + eps). full: Stirling's
    approximation of log(t!) is added where t is above 1.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        small = compare("le", target, 1)
        t = where(small, 1.0, target)
        losses = losses + where(small, 0.0, t * t.log() - t + 0.5 * (t * (2 * math.pi)).log())
    return reduced(losses, reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """(log var + (input - target)^2 / var) / 2, var being at least eps.

    var: a number, or of input's shape, or with one size less. full: log(2 pi) / 2 is added.
    ValueError for another shape and for a negative variance.
    """
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = filled(input._shape, float(var), input._dtype, input.device)
    elif bool(compare("lt", var.detach(), 0).any()):
        raise ValueError("var has negative entry/entries")
    if var._shape != input._shape:
        if var._shape == input._shape[:-1]:
            var = movement.unsqueeze(var, -1)
        elif var.ndim != input.ndim or sum(m for n, m in zip(input._shape, var._shape, strict=True) if n != m) != 1:
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError("%s is not valid" % (reduction,))
    kept = var.detach().clamp(min=eps)
    if needs_grad(var):  # the limit has no part in the gradient
        attach("clone", (kept,), (var,), lambda dy: (dy,), ())
    losses = 0.5 * (kept.log() + (input - target).square() / kept)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(losses, reduction)
