"""Batch norm over [N, C, ...]: each channel less its mean, divided by its deviation (Ioffe and
Szegedy 2015); one launch forward and one backward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import TWICE, attach, needs_grad, written
from ..core.factory import like
from ..core.tensor import Tensor, float32, numel_of
from ..graph.program import launch
from . import elementwise, movement, reduce

if TYPE_CHECKING:
    from typing import Any


TWICE["batch_norm"] = None  # `_composed` where it is recorded


def batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias of each channel of x [N, C, ...].

    training: mean and variance are x's, and the running ones, where given, move to them by momentum
    in place. Else they are the running ones. All are [C], float32 or float64 as x; 16-bit floats
    are computed in float32.
    """
    dtype = x._dtype
    if dtype.computed is not dtype:
        return _in_float32(x, weight, bias, running_mean, running_var, training, momentum, eps)._cast(dtype)
    source = x if x.is_contiguous() else movement.contiguous(x.detach())
    N, C = x._shape[:2]
    sizes = (dtype.code, N, C, numel_of(x._shape[2:]))
    out, mean, rstd = like(x), like(x, (C,)), like(x, (C,))
    given = [t if t is None or t.is_contiguous() else t.contiguous() for t in (weight, bias)]
    if x.numel():
        buffers = (out, mean, rstd, source, *given, running_mean, running_var)
        launch(kernels.batch_norm, buffers, (*sizes, int(training), momentum, eps))
        if training:
            for running in (running_mean, running_var):
                if running is not None:
                    written(running)
    if needs_grad(x, weight, bias):
        inputs = [t for t in (x, weight, bias) if t is not None]

        def backward(dy):
            if needs_grad(dy, x, weight):
                grads = _composed(dy, x, weight, None if training else (mean, rstd), eps)
            else:
                grads = like(x), like(x, (C,)), like(x, (C,))
                if x.numel():
                    buffers = (*grads, movement.contiguous(dy), source, given[0], mean, rstd)
                    launch(kernels.batch_norm_backward, buffers, (*sizes, int(training)))
            return [g for g, t in zip(grads, (x, weight, bias)) if t is not None]

        attach("batch_norm", (out,), inputs, backward, [t for t in (x, weight) if t is not None])
    return out


def _in_float32(x: Tensor, *rest: Any) -> Tensor:
    """batch_norm of a 16-bit float: all of it as float32, the running ones rounded back."""
    weight, bias, running_mean, running_var, training, momentum, eps = rest
    wide = [t if t is None else t._cast(float32) for t in (x, weight, bias, running_mean, running_var)]
    out = batch_norm(wide[0], wide[1], wide[2], wide[3], wide[4], training, momentum, eps)  # pyright: ignore[reportArgumentType]: x is a Tensor
    if training:
        for running, now in zip((running_mean, running_var), wide[3:]):
            if running is not None and running._dtype is not float32:
                running.copy_(now)
    return out


def _composed(
    dy: Tensor, x: Tensor, weight: Tensor | None, fixed: tuple[Tensor, Tensor] | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, weight and bias as ops, which have gradients themselves."""
    dims = (0, *range(2, x.ndim))
    each = (1, -1, *(1,) * (x.ndim - 2))
    if fixed is None:
        centred = x - reduce.mean(x, dims, keepdim=True)
        rstd = (reduce.mean(centred * centred, dims, keepdim=True) + eps).rsqrt()
    else:
        centred, rstd = x - fixed[0].reshape(each), fixed[1].reshape(each)
    xhat = elementwise.mul(centred, rstd)
    dbias, dweight = reduce.sum_(dy, dims), reduce.sum_(dy * xhat, dims)
    g = dy
    if fixed is None:
        g = dy - reduce.mean(dy, dims, keepdim=True) - xhat * reduce.mean(dy * xhat, dims, keepdim=True)
    dx = g * rstd if weight is None else g * rstd * weight.reshape(each)
    return dx, dweight, dbias
