"""Pooling over one to three spatial dimensions: the largest element of each window with its place,
and the mean, values and gradients. The gradients are ops with gradients of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .. import kernels
from ..core.autograd import TWICE, attach, needs_grad
from ..core.factory import full, like
from ..core.tensor import Tensor, int32, numel_of
from ..graph.program import launch
from . import elementwise, embedding, movement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.tensor import Shape


TWICE.update(dict.fromkeys(("max_pool", "max_pool_backward", "max_unpool", "avg_pool", "avg_pool_backward")))


class Windows(NamedTuple):
    """The windows of one pooling. x: [..., *in] and out: [..., *out], shapes; params: of the
    kernels, planes and sizes; adaptive: the windows divide the input.
    """

    x: Shape
    out: Shape
    planes: int
    adaptive: int
    sizes: tuple[int, ...]


def windows(
    x: Shape,
    out: Sequence[int],
    kernel: Sequence[int] | None = None,
    stride: Sequence[int] = (),
    padding: Sequence[int] = (),
    dilation: Sequence[int] = (),
) -> Windows:
    """Windows of `kernel` over the last dimensions of x, one for each output; None: adaptive."""
    n = len(out)
    lead, spatial = x[:-n], x[-n:]
    one = (1,) * n
    parts = spatial, kernel or one, out, stride or one, padding or (0,) * n, dilation or one
    sizes: list[int] = []
    for part, fill in zip(parts, (1, 1, 1, 1, 0, 1)):
        sizes += [fill] * (3 - n) + list(part)
    return Windows(x, (*lead, *out), numel_of(lead), int(kernel is None), tuple(sizes))


def _dense(x: Tensor) -> Tensor:
    return x if x.is_contiguous() else movement.contiguous(x.detach())


def max_pool(x: Tensor, w: Windows) -> tuple[Tensor, Tensor]:
    """(the largest element of each window, its place in its plane, int32). x: a number type."""
    dtype = x._dtype
    if dtype.computed is not dtype:
        out, index = max_pool(x._cast(dtype.computed), w)
        return out._cast(dtype), index
    out, index = like(x, w.out), like(x, w.out, int32)
    if out.numel():
        launch(kernels.max_pool, (out, index, _dense(x)), (dtype.code, w.planes, w.adaptive, *w.sizes))
    if needs_grad(x):
        attach("max_pool", (out,), (x,), lambda dy: (scatter(dy, index, w.x, w.planes),), (index,))
    return out, index


def scatter(y: Tensor, index: Tensor, shape: Shape, planes: int) -> Tensor:
    """Zeros of `shape`, seen as [planes, n], to which y's elements are added at `index` (int32, of
    y's shape).
    """
    dtype = y._dtype
    if dtype.computed is not dtype:
        return scatter(y._cast(dtype.computed), index, shape, planes)._cast(dtype)
    out = like(y, shape)
    if out.numel():
        sizes = (planes, out.numel() // planes, y.numel() // planes)
        launch(kernels.max_pool_backward, (out, _dense(y), _dense(index)), (dtype.code, *sizes))
    if needs_grad(y):
        attach("max_pool_backward", (out,), (y,), lambda dx: (gather(dx, index, planes),), (index,))
    return out


def _flat(index: Tensor, planes: int, n: int) -> Tensor:
    """Places in planes of n elements as places in all of them."""
    first = elementwise.binary_scalar("mul", _range(planes, index), n)
    return elementwise.binary("add", movement.reshape(index, (planes, -1)), movement.reshape(first, (planes, 1)))


def _range(n: int, x: Tensor) -> Tensor:
    out = like(x, (n,), int32)
    launch(kernels.arange, (out,), (int32.code, n, 0.0, 1.0))
    return out


def gather(x: Tensor, index: Tensor, planes: int) -> Tensor:
    """The elements of x, seen as [planes, n], at `index`."""
    if not index.numel():
        return like(x, index._shape)
    rows = embedding.rows(_flat(index, planes, x.numel() // planes), movement.reshape(x, (x.numel(), 1)))
    return movement.no_view(movement.reshape(rows, index._shape))


def unpool(y: Tensor, index: Tensor, shape: Shape, planes: int) -> Tensor:
    """Zeros of `shape` with y's elements at `index` (int32): of equal places the last one.

    IndexError for a place outside its plane.
    """
    out = full(shape, 0, y._dtype, y.device)
    if y.numel():
        n = out.numel() // planes
        outside = elementwise.logical_or(elementwise.compare("lt", index, 0), elementwise.compare("ge", index, n))
        flat = elementwise.where(outside, -1, movement.reshape(_flat(index, planes, n), index._shape))._cast(int32)
        embedding.put(movement.reshape(out, (out.numel(), 1)).detach(), flat, movement.reshape(y.detach(), (-1, 1)))
        out._storage.version = 0
    if needs_grad(y):
        attach("max_unpool", (out,), (y,), lambda dx: (gather(dx, index, planes),), (index,))
    return out


def avg_pool(x: Tensor, w: Windows, count_pad: bool = False, divisor: int = 0) -> Tensor:
    """The mean of each window: its sum divided by `divisor`, where that is 0 by the number of
    elements, with count_pad those in the padding too. x: a float type.
    """
    return _averaged(x, w, (int(count_pad), divisor), False)


def _averaged(x: Tensor, w: Windows, count: tuple[int, int], backward: bool) -> Tensor:
    """avg_pool, or its transpose: each is the other's gradient."""
    dtype = x._dtype
    if dtype.computed is not dtype:
        return _averaged(x._cast(dtype.computed), w, count, backward)._cast(dtype)
    kernel, shape = (kernels.avg_pool_backward, w.x) if backward else (kernels.avg_pool, w.out)
    out = like(x, shape)
    if out.numel():
        launch(kernel, (out, _dense(x)), (dtype.code, w.planes, w.adaptive, *count, *w.sizes))
    if needs_grad(x):
        attach(kernel.name, (out,), (x,), lambda d: (_averaged(d, w, count, not backward),), ())
    return out
