"""Gradients limited by their norm or by value, in place."""

from __future__ import annotations

import math
import types
import warnings
from typing import Any

from .... import optim
from ....core.factory import full
from ....core.state import no_grad
from ....core.tensor import Tensor, float32
from ....ops import elementwise, movement

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _listed(tensors: Any) -> list[Tensor]:
    if isinstance(tensors, Tensor):
        return [tensors]
    listed = list(tensors)
    if isinstance(tensors, types.GeneratorType) and not listed:
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3)
    return listed


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    return [p.grad for p in parameters if p.grad is not None]


def _norm(x: Tensor, p: float) -> Tensor:
    x = x.reshape(-1)
    if p == 2:
        return x.square().sum().sqrt()
    if math.isinf(p):
        return x.abs().max() if p > 0 else x.abs().min()
    if p == 0:
        return elementwise.compare("ne", x, 0)._cast(x._dtype).sum()
    return (x.abs() ** p).sum() ** (1.0 / p)


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all numbers of the tensors, 0-d. RuntimeError where it is not finite and
    error_if_nonfinite.
    """
    listed, norm_type = _listed(tensors), float(norm_type)
    if not listed:
        return full((), 0.0)
    with no_grad():
        norms = [_norm(x.detach(), norm_type) for x in listed]
        total = _norm(movement.stack([norm._cast(norms[0]._dtype) for norm in norms]), norm_type)
        if error_if_nonfinite and not math.isfinite(total.item()):
            raise RuntimeError(
                "The total norm of order %s for gradients from `parameters` is non-finite, so it cannot be clipped. "
                "To disable this error and scale the gradients by the non-finite norm anyway, set "
                "`error_if_nonfinite=False`" % norm_type
            )
    return total


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Multiplies the gradients by max_norm / total_norm where that is below 1, in place."""
    with no_grad():
        gradients = _gradients(_listed(parameters))
        factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(factor)


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales the gradients in place so that their norm is at most max_norm. Returns the norm
    before.

    RuntimeError where that is not finite and error_if_nonfinite.
    """
    listed = _listed(parameters)
    gradients = _gradients(listed)
    if norm_type == 2 and not error_if_nonfinite and all(g._dtype is float32 for g in gradients):
        return optim.clip_grad_norm_(listed, max_norm)  # two launches a gradient
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    clip_grads_with_norm_(listed, max_norm, total)
    return total


def clip_grad_norm(parameters: Any, max_norm: float, norm_type: float = 2.0, *rest: Any, **named: Any) -> Tensor:
    """clip_grad_norm_'s former name."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, *rest, **named)


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Limits each number of the gradients to [-clip_value, clip_value], in place."""
    limit = float(clip_value)
    with no_grad():
        for gradient in _gradients(_listed(parameters)):
            gradient.copy_(gradient.detach().clamp(-limit, limit))
