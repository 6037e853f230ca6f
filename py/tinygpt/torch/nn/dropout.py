"""Dropout: elements or channels zeroed at random while training. On a CPU each draws the same
random numbers as PyTorch's.
"""

from __future__ import annotations

import warnings
from typing import Any

from ...core.factory import like
from ...core.tensor import Tensor
from ...nn import Dropout, Module
from ...ops import random
from ..front import extends
from .in_place import applied

FUNCTIONS = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]
__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]

ALPHA = 1.7580993408473766  # -alpha' of self-normalizing networks (Klambauer et al. 2017)


def _check(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError("dropout probability has to be between 0 and 1, but got %s" % p)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeroes elements with probability p and scales the rest by 1 / (1 - p), when training."""
    _check(p)
    if not training:
        return input
    return applied(lambda x: random.dropout(x, p), input, inplace)


def _noise(x: Any, p: float, features: bool) -> Any:
    """1 with probability 1 - p, else 0: for each element, or for each channel of a batch."""
    shape = (*x._shape[:2], *(1 for _ in x._shape[2:])) if features else x._shape
    drawn: Any = like(x.detach(), shape)
    return drawn.bernoulli_(1 - p)


def _channels(input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    if input.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    if not training or p == 0 or not input.numel():
        return input
    if p == 1:
        return applied(lambda x: x * 0.0, input, inplace)
    noise = _noise(input, p, True).div_(1 - p)
    return applied(lambda x: x * noise, input, inplace)


def _batched(name: str, input: Tensor, p: float, training: bool, inplace: bool, unbatched: int) -> Tensor:
    """Dropout of channels; an input of `unbatched` dimensions is one sample."""
    _check(p)
    if input.ndim != unbatched:
        return _channels(input, p, training, inplace)
    if inplace:
        _channels(input.unsqueeze(0), p, training, True)
        return input
    return _channels(input.unsqueeze(0), p, training, False).squeeze(0)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeroes channels of [N, C, L] or [C, L] with probability p, when training."""
    if input.ndim not in (2, 3):
        raise RuntimeError("dropout1d: Expected 2D or 3D input, but received a %dD input." % input.ndim)
    return _batched("dropout1d", input, p, training, inplace, 2)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeroes channels of [N, C, H, W] with probability p, when training; of [N, C, L] with a
    warning, as in PyTorch.
    """
    if input.ndim not in (3, 4):
        warnings.warn("dropout2d: Received a %d-D input to dropout2d, which is deprecated" % input.ndim, stacklevel=2)
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is "
            "desired - input is interpreted as shape (N, C, L)",
            stacklevel=2,
        )
    return _batched("dropout2d", input, p, training, inplace, -1)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeroes channels of [N, C, D, H, W] or [C, D, H, W] with probability p, when training."""
    if input.ndim not in (4, 5):
        warnings.warn("dropout3d: Received a %d-D input to dropout3d, which is deprecated" % input.ndim, stacklevel=2)
    return _batched("dropout3d", input, p, training, inplace, 4)


def _alpha(input: Tensor, p: float, training: bool, inplace: bool, features: bool) -> Tensor:
    _check(p)
    if not training or p == 0 or not input.numel():
        return input
    if p == 1:
        return applied(lambda x: x * 0.0, input, inplace)
    noise = _noise(input, p, features)
    a = 1.0 / ((ALPHA * ALPHA * p + 1) * (1 - p)) ** 0.5
    offset = noise.add(-1).mul_(ALPHA * a).add_(ALPHA * a * p)
    factor = noise.mul_(a)
    return applied(lambda x: x * factor + offset, input, inplace)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean and variance of a SELU's outputs (Klambauer et al. 2017)."""
    return _alpha(input, p, training, inplace, False)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels."""
    return _alpha(input, p, training, inplace, True)


class _DropoutNd(Module):
    """What the kinds share: p, the probability of a zero, and inplace."""

    __constants__ = ["p", "inplace"]
    _function: Any

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        Module.__init__(self)
        _check(p)
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        """The functional of the same name, while training."""
        return type(self)._function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return "p=%s, inplace=%s" % (self.p, self.inplace)


@extends(Dropout)
class _Dropout:
    __constants__ = ["p", "inplace"]
    __init__, forward, extra_repr = _DropoutNd.__init__, _DropoutNd.forward, _DropoutNd.extra_repr
    _function = staticmethod(dropout)


class Dropout1d(_DropoutNd):
    """Zeroes channels of [N, C, L] while training."""

    _function = staticmethod(dropout1d)


class Dropout2d(_DropoutNd):
    """Zeroes channels of [N, C, H, W] while training."""

    _function = staticmethod(dropout2d)


class Dropout3d(_DropoutNd):
    """Zeroes channels of [N, C, D, H, W] while training."""

    _function = staticmethod(dropout3d)


class AlphaDropout(_DropoutNd):
    """functional.alpha_dropout as a module."""

    _function = staticmethod(alpha_dropout)


class FeatureAlphaDropout(_DropoutNd):
    """functional.feature_alpha_dropout as a module."""

    _function = staticmethod(feature_alpha_dropout)
