"""Convolution over one to three spatial dimensions and its transpose, values and gradients.

The three kernels are each other's gradients: so every op here is differentiable any number of
times. float16 and bfloat16 are computed in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.factory import like
from ..core.tensor import Tensor, float32, numel_of
from ..graph.program import launch
from . import elementwise, movement, reduce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.tensor import Shape


class Geometry(NamedTuple):
    """Sizes of one convolution, in the words of its forward. x: [N, C, *in]. y: [N, O, *out].
    weight: [O, C / groups, *kernel]. params: of the kernels, behind dtype.
    """

    x: Shape
    y: Shape
    weight: Shape
    params: tuple[int, ...]


def _three(sizes: Sequence[int], fill: int) -> tuple[int, ...]:
    return (fill,) * (3 - len(sizes)) + tuple(sizes)


def geometry(
    x: Shape,
    weight: Shape,
    out: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Geometry:
    """x, weight: shapes. out: spatial sizes of the output. padding: in front."""
    N, C, O = x[0], x[1], weight[0]
    params = (
        N, C, O, groups, *_three(x[2:], 1), *_three(weight[2:], 1), *_three(out, 1), *_three(stride, 1),
        *_three(padding, 0), *_three(dilation, 1),
    )  # fmt: skip
    return Geometry(x, (N, O, *out), weight, params)


def _dense(x: Tensor) -> Tensor:
    """The values of x as the kernels take them."""
    return x if x.is_contiguous() else movement.contiguous(x.detach())


def _computed(*tensors: Tensor | None) -> list[Tensor | None] | None:
    """16-bit floats as float32, or None where they are computed as they are."""
    first = tensors[0]
    assert first is not None
    if first._dtype.computed is first._dtype:
        return None
    return [t if t is None else t._cast(float32) for t in tensors]


def _launch(kernel, out_shape: Shape, inputs: Sequence[Tensor | None], g: Geometry) -> Tensor:
    first = inputs[0]
    assert first is not None
    out = like(first, out_shape)
    if numel_of(out_shape):
        given = [t if t is None else _dense(t) for t in inputs]
        launch(kernel, (out, *given), (first._dtype.code, *g.params))
    return out


def channel_sums(y: Tensor) -> Tensor:
    """The sum over all but dimension 1: rows first, without a transposed copy."""
    N, O = y._shape[:2]
    return reduce.sum_(reduce.sum_(movement.reshape(y, (N, O, numel_of(y._shape[2:]))), 2), 0)


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, g: Geometry) -> Tensor:
    """y [N, O, *out] of x [N, C, *in] and weight; bias: [O] or None. float32 or float64, or 16 bits."""
    wide = _computed(x, weight, bias)
    if wide is not None:
        return conv(wide[0], wide[1], wide[2], g)._cast(x._dtype)  # pyright: ignore[reportArgumentType]
    out = _launch(kernels.conv, g.y, (x, weight, bias), g)
    if needs_grad(x, weight, bias):

        def backward(dy):
            dx = conv_transposed(dy, weight, None, g) if elementwise.has_edge(x) else None
            dw = conv_weight(dy, x, g) if elementwise.has_edge(weight) else None
            db = channel_sums(dy) if bias is not None and elementwise.has_edge(bias) else None
            return dx, dw, db

        _attach("convolution", out, x, weight, bias, backward)
    return out


def conv_transposed(y: Tensor, weight: Tensor, bias: Tensor | None, g: Geometry) -> Tensor:
    """The transpose of conv in x: [N, C, *in] of y [N, O, *out]; bias: [C] or None."""
    wide = _computed(y, weight, bias)
    if wide is not None:
        return conv_transposed(wide[0], wide[1], wide[2], g)._cast(y._dtype)  # pyright: ignore[reportArgumentType]
    out = _launch(kernels.conv_backward_x, g.x, (y, weight, bias), g)
    if needs_grad(y, weight, bias):

        def backward(dx):
            dy = conv(dx, weight, None, g) if elementwise.has_edge(y) else None
            dw = conv_weight(y, dx, g) if elementwise.has_edge(weight) else None
            db = channel_sums(dx) if bias is not None and elementwise.has_edge(bias) else None
            return dy, dw, db

        _attach("convolution", out, y, weight, bias, backward)
    return out


def conv_weight(y: Tensor, x: Tensor, g: Geometry) -> Tensor:
    """The transpose of conv in the weight: [O, C / groups, *kernel] of y and x."""
    wide = _computed(y, x)
    if wide is not None:
        return conv_weight(wide[0], wide[1], g)._cast(y._dtype)  # pyright: ignore[reportArgumentType]
    out = _launch(kernels.conv_backward_weight, g.weight, (y, x), g)
    if needs_grad(y, x):

        def backward(dw):
            dy = conv(x, dw, None, g) if elementwise.has_edge(y) else None
            dx = conv_transposed(y, dw, None, g) if elementwise.has_edge(x) else None
            return dy, dx

        attach("convolution_backward", (out,), (y, x), backward, (y, x))
    return out


def _attach(name: str, out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, backward) -> None:
    inputs = (x, weight) if bias is None else (x, weight, bias)
    attach(name, (out,), inputs, backward, elementwise.partners(x, weight))
