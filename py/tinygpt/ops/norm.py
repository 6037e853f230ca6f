"""Layer norm and RMS norm over the last dimension, each one launch forward and one backward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import attach, keep, needs_grad
from ..core.factory import like
from ..core.tensor import float32
from ..graph.program import launch
from . import elementwise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..core.tensor import Tensor


def _check(x: Tensor, weight: Tensor | None, bias: Tensor | None, name: str) -> None:
    for part, p in (("weight", weight), ("bias", bias)):
        if p is not None:
            elementwise.same_device(x, p)
            if p._dtype is not (x._dtype if x._dtype.is_floating_point else float32):
                raise RuntimeError("%s: %s must be %s, not %s" % (name, part, x._dtype.name, p._dtype.name))
            if p._shape != x._shape[-1:]:
                raise RuntimeError(
                    "%s: %s of shape %s does not fit input of shape %s" % (name, part, list(p._shape), list(x._shape))
                )


def _given(grads: Sequence[Any], inputs: Sequence[Tensor | None]) -> tuple[Any, ...]:
    return tuple(g for g, x in zip(grads, inputs) if x is not None)


def layer_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimension (Ba et al. 2016).

    x: [..., C]. weight, bias: [C] or None. Returns float32 [..., C]; the variance is the biased
    one. RuntimeError where shapes or devices do not fit.
    """
    _check(x, weight, bias, "layer_norm")
    source = elementwise.as_float(x)
    if source._dtype is not float32:
        return _other(source, weight, bias, eps, True)
    x = source.contiguous()
    C = x._shape[-1]
    rows = x.numel() // C if C else 0
    out, mean, rstd = like(x), like(x, (rows,)), like(x, (rows,))
    launch(kernels.layer_norm, (out, mean, rstd, x, weight, bias), (rows, C, eps))
    if needs_grad(x, weight, bias):

        def backward(dy):
            nonlocal eps  # kept for the gradient's own gradient (TWICE in core/autograd.py)
            dy = dy.contiguous()
            dx = like(x)
            dw = like(x, (C,)) if weight is not None else None
            db = like(x, (C,)) if bias is not None else None
            launch(kernels.layer_norm_backward, (dx, dw, db, dy, x, weight, mean, rstd, None), (rows, C))
            return _given((dx, dw, db), (x, weight, bias))

        inputs = _given((x, weight, bias), (x, weight, bias))
        attach("layer_norm", (out,), inputs, backward, _given((source, weight, bias), (x, weight, bias)))
    return out


def _other(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, centred: bool) -> Tensor:
    """Either norm of a 16-bit float, computed as float32, or of float64, made of plain ops."""
    dtype = x._dtype
    if dtype.computed is not dtype:
        wide = [v if v is None else v._cast(float32) for v in (x, weight, bias)]
        x, weight, bias = wide  # pyright: ignore[reportAssignmentType]: x is a Tensor
        made = layer_norm(x, weight, bias, eps) if centred else rms_norm(x, weight, eps)
        return made._cast(dtype)
    source = x
    if centred:
        x = x - x.mean(-1, keepdim=True)
    out = x * ((x * x).mean(-1, keepdim=True) + eps).rsqrt()
    out = out if weight is None else out * weight
    out = out if bias is None else out + bias
    if centred and out._node is not None:
        keep(out, source)  # as in PyTorch a write into the input is an error
    return out


def rms_norm(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimension (Zhang and Sennrich 2019).

    x: [..., C]. weight: [C] or None. Returns float32 [..., C]. RuntimeError where shapes or devices
    do not fit.
    """
    _check(x, weight, None, "rms_norm")
    source = elementwise.as_float(x)
    if source._dtype is not float32:
        return _other(source, weight, None, eps, False)
    x = source.contiguous()
    C = x._shape[-1]
    rows = x.numel() // C if C else 0
    out, rstd = like(x), like(x, (rows,))
    launch(kernels.rms_norm, (out, rstd, x, weight), (rows, C, eps))
    if needs_grad(x, weight):

        def backward(dy):
            nonlocal eps  # kept for the gradient's own gradient (TWICE in core/autograd.py)
            dy = dy.contiguous()
            dx = like(x)
            dw = like(x, (C,)) if weight is not None else None
            launch(kernels.rms_norm_backward, (dx, dw, dy, x, weight, rstd, None), (rows, C))
            return _given((dx, dw), (x, weight))

        inputs = _given((x, weight), (x, weight))
        attach("rms_norm", (out,), inputs, backward, _given((source, weight), (x, weight)))
    return out
