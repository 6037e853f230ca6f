"""Convolution over one to three spatial dimensions and its transpose, values and gradients.

The three kernels are each other's gradients: so every op here is differentiable any number of
times. float16 and bfloat16 are computed in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .. import kernels
from ..core.autograd import TWICE, attach, has_edge, needs_grad
from ..core.factory import like
from ..core.tensor import Tensor, float32, numel_of
from ..graph.program import launch
from . import movement, reduce

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.tensor import Shape
    from ..kernels import Kernel


TWICE.update(dict.fromkeys(("convolution", "convolution_backward")))  # composed of each other


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


def _launch(kernel: Kernel, out_shape: Shape, inputs: Sequence[Tensor | None], g: Geometry) -> Tensor:
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
    """y [N, O, *out] of x [N, C, *in] and weight; bias: [O] or None."""
    return _recorded(x, weight, bias, g, kernels.conv, g.y, conv_transposed, lambda v, dy: conv_weight(dy, v, g))


def conv_transposed(y: Tensor, weight: Tensor, bias: Tensor | None, g: Geometry) -> Tensor:
    """The transpose of conv in x: [N, C, *in] of y [N, O, *out]; bias: [C] or None."""
    return _recorded(y, weight, bias, g, kernels.conv_backward_x, g.x, conv, lambda v, dx: conv_weight(v, dx, g))


def _recorded(
    v: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    g: Geometry,
    kernel: Kernel,
    shape: Shape,
    transpose: Callable[..., Tensor],
    of_weight: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Either of the two above: the kernel's result, and its gradients by the other two ops."""
    dtype = v._dtype
    if dtype.computed is not dtype:
        wide = [t if t is None else t._cast(float32) for t in (v, weight, bias)]
        v, weight, bias = wide  # pyright: ignore[reportAssignmentType]: two of them are Tensors
        return _recorded(v, weight, bias, g, kernel, shape, transpose, of_weight)._cast(dtype)
    out = _launch(kernel, shape, (v, weight, bias), g)
    if needs_grad(v, weight, bias):
        to_v, to_weight, to_bias = has_edge(v), has_edge(weight), bias is not None and has_edge(bias)
        kept_v, kept_weight = v if to_weight else None, weight if to_v else None

        def backward(d):
            return (
                transpose(d, kept_weight, None, g) if to_v else None,
                of_weight(kept_v, d) if kept_v is not None else None,
                channel_sums(d) if to_bias else None,
            )

        inputs = (v, weight) if bias is None else (v, weight, bias)
        attach("convolution", (out,), inputs, backward, [t for t in (kept_v, kept_weight) if t is not None])
    return out


def conv_weight(y: Tensor, x: Tensor, g: Geometry) -> Tensor:
    """The transpose of conv in the weight: [O, C / groups, *kernel] of y and x."""
    out = _launch(kernels.conv_backward_weight, g.weight, (y, x), g)
    if needs_grad(y, x):
        to_y, to_x = has_edge(y), has_edge(x)
        kept_y, kept_x = y if to_x else None, x if to_y else None

        def backward(dw):
            dy = conv(kept_x, dw, None, g) if to_y else None  # pyright: ignore[reportArgumentType]
            dx = conv_transposed(kept_y, dw, None, g) if to_x else None  # pyright: ignore[reportArgumentType]
            return dy, dx

        attach("convolution_backward", (out,), (y, x), backward, [t for t in (kept_y, kept_x) if t is not None])
    return out
