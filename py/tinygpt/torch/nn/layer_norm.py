"""Layer norm and RMS norm over the last dimensions: functions and modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.quoting import quoted
from ...core.tensor import Tensor, float32, float64, ints_of, numel_of
from ...nn import LayerNorm, Module, RMSNorm
from ...ops import norm
from ..front import extends
from . import init, parameter

__all__ = ["LayerNorm", "RMSNorm"]
FUNCTIONS = ["layer_norm", "rms_norm"]


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions (Ba et al. 2016).

    input: [..., *normalized_shape]. weight, bias: of normalized_shape, or None.
    """
    shape = _checked("layer_norm", "[*, %s]", input, normalized_shape, {"weight": weight, "bias": bias})
    if any(p is not None and p._dtype not in (input._dtype, float32) for p in (weight, bias)):
        raise RuntimeError("mixed dtype (CPU): expect parameter to have scalar type of Float")
    return _flat(lambda x, w, b: norm.layer_norm(x, w, b, eps), input, shape, weight, bias)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions (Zhang and Sennrich 2019).

    input: [..., *normalized_shape]. weight: of normalized_shape, or None. eps: without one it is
    the spacing at 1 of the numbers that are computed with, 2^-23 or 2^-52 (float64).
    """
    shape = _checked("rms_norm", "[*%s]", input, normalized_shape, {"weight": weight})
    eps = (2.0**-52 if input._dtype is float64 else 2.0**-23) if eps is None else eps
    return _flat(lambda x, w, _: norm.rms_norm(x, w, eps), input, shape, weight, None)


def _checked(name: str, form: str, x: Tensor, given: Any, parameters: dict[str, Tensor | None]) -> tuple[int, ...]:
    """normalized_shape as ints. RuntimeError where it, or a parameter, does not fit."""
    if not isinstance(given, (list, tuple)):
        raise TypeError(
            "%s(): argument 'normalized_shape' (position 2) must be tuple of ints, not %s" % (name, quoted(given))
        )
    shape = ints_of((given,), "a size of normalized_shape")
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, "
            "but got normalized_shape = []"
        )
    for part, p in parameters.items():
        if p is not None and tuple(p._shape) != shape:
            raise RuntimeError(
                "Expected %s to be of same shape as normalized_shape, but got %s of shape %s and normalized_shape = %s"
                % (part, part, list(p._shape), list(shape))
            )
    if tuple(x._shape[-len(shape) :]) != shape:
        raise RuntimeError(
            "Given normalized_shape=%s, expected input with shape %s, but got input of size%s"
            % (list(shape), form % ", ".join(map(str, shape)), list(x._shape))
        )
    if not x._dtype.is_floating_point:
        raise NotImplementedError('"%s" not implemented for %s' % (name, x._dtype.name))
    return shape


def _flat(f: Any, x: Tensor, shape: tuple[int, ...], weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """f of x with the normalized dimensions as one, and the parameters in x's dtype."""
    dtype, whole = x._dtype, x._shape
    if weight is not None and weight._dtype is not dtype or bias is not None and bias._dtype is not dtype:
        kind = dtype.computed
        x = x._cast(kind)
        weight, bias = (v if v is None else v._cast(kind) for v in (weight, bias))
    if len(shape) > 1:
        x = x.reshape(*whole[: -len(shape)], numel_of(shape))
        weight, bias = (v if v is None else v.reshape(numel_of(shape)) for v in (weight, bias))
    out = f(x, weight, bias)
    return (out.reshape(*whole) if len(shape) > 1 else out)._cast(dtype)


@extends(LayerNorm)
class _LayerNorm:
    __constants__ = ["normalized_shape", "eps", "elementwise_affine"]

    def __init__(
        self: Any,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        Module.__init__(self)
        self.normalized_shape = ints_of((normalized_shape,), "a size of normalized_shape")
        self.eps, self.elementwise_affine = eps, elementwise_affine
        for name, given in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            made = parameter.new(*self.normalized_shape, device=device, dtype=dtype) if given else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self: Any) -> None:
        """weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self: Any, input: Tensor) -> Tensor:
        """[..., *normalized_shape] -> the same shape."""
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self: Any) -> str:
        return "%s, eps=%s, elementwise_affine=%s, bias=%s" % (
            self.normalized_shape,
            self.eps,
            self.elementwise_affine,
            self.bias is not None,
        )


@extends(RMSNorm)
class _RMSNorm:
    __constants__ = ["normalized_shape", "eps", "elementwise_affine"]

    def __init__(
        self: Any,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        Module.__init__(self)
        self.normalized_shape = ints_of((normalized_shape,), "a size of normalized_shape")
        self.eps, self.elementwise_affine = eps, elementwise_affine
        made = parameter.new(*self.normalized_shape, device=device, dtype=dtype) if elementwise_affine else None
        self.register_parameter("weight", made)
        self.reset_parameters()

    def reset_parameters(self: Any) -> None:
        """weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self: Any, x: Tensor) -> Tensor:
        """[..., *normalized_shape] -> the same shape."""
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self: Any) -> str:
        return "%s, eps=%s, elementwise_affine=%s" % (self.normalized_shape, self.eps, self.elementwise_affine)
