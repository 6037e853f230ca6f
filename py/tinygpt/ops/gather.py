"""Elements along one dimension by an index: gather and scatter (an index for each element),
index_select (one index for all rows). Each is the other's gradient.

Indices are int32 here (embedding.as_index); one outside of the dimension is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.factory import full, like
from ..core.tensor import Tensor, int32, numel_of
from ..graph.program import launch
from . import elementwise, embedding, movement

if TYPE_CHECKING:
    from ..core.tensor import Shape

OUTSIDE = -(1 << 30)  # a row that no table has


class BoundsError(IndexError, RuntimeError):
    """An index outside: PyTorch's IndexError or RuntimeError, as the memory's layout has it."""


def _narrowed(x: Tensor, shape: Shape, d: int) -> Tensor:
    """x without what passes `shape` in the dimensions beside d."""
    for e, n in enumerate(shape):
        if e != d and x._shape[e] != n:
            x = movement.sliced(x, e, 0, n)
    return x


def _sizes(x: Tensor, index: Tensor, d: int) -> tuple[int, int, int, int]:
    """outer, n, inner, k of the kernels."""
    shape = index._shape
    if not shape:
        return 1, 1, 1, 1
    return numel_of(shape[:d]), x._shape[d], numel_of(shape[d + 1 :]), shape[d]


def gather(x: Tensor, d: int, index: Tensor) -> Tensor:
    """x[..., index[..., i, ...], ...] along dimension d, of index's shape.

    index: int32, of as many dimensions as x, none but d larger than x's. RuntimeError for an index
    outside of x's dimension.
    """
    index, kept = index.contiguous(), index
    source = _narrowed(x.detach(), index._shape, d).contiguous()
    out = like(source, index._shape)
    if out.numel():
        _launch(kernels.gather, out, source, index, (x._dtype.code, *_sizes(x, index, d)), x, d)
    if needs_grad(x):
        shape = x._shape

        def backward(dy):
            return (scatter("add", full(shape, 0, dy._dtype, dy.device), d, index, dy),)

        attach("gather", (out,), (x,), backward, (kept,))
    return out


def _launch(kernel: kernels.Kernel, out: Tensor, x: Tensor, index: Tensor, params: object, whole: Tensor, d: int):
    try:
        launch(kernel, (out, x, index), params)  # pyright: ignore[reportArgumentType]
    except IndexError:
        n = whole._shape[d] if whole._shape else 1
        wrong = [i for i in index.reshape(-1).tolist() if not 0 <= i < n]
        raise RuntimeError("index %d is out of bounds for dimension %d with size %d" % (wrong[0], d, n)) from None


def scatter_into(op: str, out: Tensor, d: int, index: Tensor, src: Tensor) -> None:
    """out[..., index[..., i, ...], ...] = op(itself, src[..., i, ...]) in place; no gradient.

    op: of kernels.SCATTER. src: of out's dtype, no dimension smaller than index's.
    """
    if not index.numel():
        return
    index = index.contiguous()
    source = _narrowed(src.detach(), index._shape, -1)
    if source._shape and source._shape[d] != index._shape[d]:
        source = movement.sliced(source, d, 0, index._shape[d])
    part = _narrowed(out.detach(), index._shape, d)
    dense = part.contiguous()
    params = (out._dtype.code, kernels.SCATTER[op], *_sizes(out, index, d))
    _launch(kernels.scatter, dense, source.contiguous(), index, params, out, d)
    if dense._storage is not part._storage:
        elementwise.copy_into(part, dense)


def scatter(op: str, x: Tensor, d: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of x with src written at index (op "put") or added ("add"); other ops of
    kernels.SCATTER have no gradient.
    """
    out = movement.clone(x.detach())
    scatter_into(op, out, d, index, src)
    if needs_grad(x, src):
        src_shape, given = src._shape, (x._requires_grad, src._requires_grad)

        def backward(dy):
            rest = values = None
            if given[0]:
                zero = full((), 0, dy._dtype, dy.device).expand(index._shape)
                rest = dy if op == "add" else scatter("put", dy, d, index, zero)
            if given[1]:
                values = padded(gather(dy, d, index), src_shape)
            return rest, values

        attach("scatter_add" if op == "add" else "scatter", (out,), (x, src), backward, (index,))
    return out


def padded(x: Tensor, shape: Shape) -> Tensor:
    """x with zeros behind it up to `shape`."""
    if x._shape == shape:
        return x
    out = full(shape, 0, x._dtype, x.device)
    elementwise.copy_into(_narrowed(out, x._shape, -1), x)
    if needs_grad(x):
        inner = x._shape
        attach("pad", (out,), (x,), lambda dy: (_narrowed(dy, inner, -1),), ())
    return out


def index_select(x: Tensor, d: int, index: Tensor, trusted: bool = False) -> Tensor:
    """The slices of x along dimension d that a one-dimensional index names, in its order.

    trusted: the index is known to be inside. IndexError otherwise for one that is not.
    """
    k, kept = index._shape[0], index
    out_shape = (*x._shape[:d], k, *x._shape[d + 1 :])
    n, outer, inner = x._shape[d], numel_of(x._shape[:d]), numel_of(x._shape[d + 1 :])
    if outer > 1 and inner:
        if not trusted:
            wrong = elementwise.logical_or(elementwise.compare("lt", index, 0), elementwise.compare("ge", index, n))
            index = elementwise.where(wrong, full((), OUTSIDE, int32, x.device), index)
        index = elementwise.binary("add", _counted(outer, n, x).reshape(outer, 1), index)
    if not outer * inner * k:
        trusted, outer = True, 0
    table = x.detach().contiguous().reshape(outer * n, inner) if outer else x.detach().reshape(-1)
    if not n and k:
        raise BoundsError("index out of range in self")
    try:
        out = embedding.rows(index, table).reshape(out_shape) if outer else full(out_shape, 0, x._dtype, x.device)
    except IndexError:
        raise BoundsError("index out of range in self") from None
    out = out.detach()
    if needs_grad(x):
        shape = x._shape

        def backward(dy):
            return (index_add(full(shape, 0, dy._dtype, dy.device), d, kept, dy),)

        attach("index_select", (out,), (x,), backward, (kept,))
    return out


def _counted(count: int, step: int, x: Tensor) -> Tensor:
    """int32: 0, step, 2 step, ... on x's device."""
    out = full((count,), 0, int32, x.device)
    if count:
        launch(kernels.arange, (out,), (int32.code, count, 0.0, float(step)))
    return out


def spread_index(index: Tensor, shape: Shape, d: int) -> Tensor:
    """A one-dimensional index as that of each element of `shape`, which it names along d."""
    if not shape:
        return index.reshape(())
    sizes = (*shape[:d], index.numel(), *shape[d + 1 :])
    return index.reshape((1,) * d + (-1,) + (1,) * (len(shape) - d - 1)).expand(sizes)


def index_add(x: Tensor, d: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of x with the slices of source added to those that a one-dimensional index names."""
    return scatter("add", x, d, spread_index(index, source._shape, d), source)
