"""Reading and writing by masks: masked_*, nonzero; and copies with one part replaced."""

from __future__ import annotations

from typing import Any

from ..core.factory import full
from ..core.tensor import Tensor, bool_, int32, int64, whole_number
from ..ops import elementwise, inplace, movement, reduce, strided
from ..ops import gather as along
from .indexing import _in_place
from .keywords import function
from .shown import by_other, shown

# ---- masks ---------------------------------------------------------------------------------------


@shown("MaskedSelectBackward0")
@function
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements of input where mask is true, with broadcasting, as a vector."""
    if mask._dtype is not bool_:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    shape = elementwise.broadcast_shapes(input._shape, mask._shape)
    flat = input.expand(shape).reshape(-1)
    (places,) = movement.true_places(mask.expand(shape).reshape(-1))
    return along.index_select(flat, 0, places, trusted=True)


@function
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of input with the elements of source, in their order, where mask is true."""
    if mask._dtype is not bool_:
        raise RuntimeError("masked_scatter_ only supports boolean masks, but got mask with dtype %s" % mask._dtype.name)
    if source._dtype is not input._dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got %s and %s"
            % (input._dtype.name, source._dtype.name)
        )
    shape = elementwise.broadcast_shapes(input._shape, mask._shape)
    mask = mask.expand(shape)
    flat = mask.reshape(-1)
    before = reduce.scan("sum", elementwise.promoted(flat, int32), 0)
    count = int(before[-1].item()) if flat.numel() else 0
    if source.numel() < count:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    if not count:
        return input.expand(shape).clone()
    at = elementwise.maximum(elementwise.binary_scalar("sub", before, 1), 0)
    values = along.index_select(source.reshape(-1), 0, at, trusted=True).reshape(shape)
    return elementwise.where(mask, values, input)


@function
def masked_scatter_(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """masked_scatter in place. Returns input."""
    return _in_place(input, "masked_scatter_", (source,), lambda x: masked_scatter(x, mask.expand(x._shape), source))


@shown(by_other("MaskedFill", 0, 1, 2))
@function
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy of input with `value`, a number or a 0-d tensor, where mask is true."""
    _check_mask(mask, value)
    shape = elementwise.broadcast_shapes(input._shape, mask._shape)
    return elementwise.masked_fill(input if shape == input._shape else input.expand(shape), mask, value)


@function
def masked_fill_(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """masked_fill in place. Returns input."""
    _check_mask(mask, value)
    return inplace.masked_fill_(input, mask, value)


def _check_mask(mask: Tensor, value: Any) -> None:
    if mask._dtype is not bool_:
        raise RuntimeError("masked_fill_ only supports boolean masks, but got mask with dtype %s" % mask._dtype.name)
    if isinstance(value, Tensor) and value._shape:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with %d dimension(s)." % value.ndim
        )


@function
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """int64 [n, dims]: where input is not 0; as_tuple: one vector for each dimension."""
    mask = elementwise.as_bool(input.detach())
    if as_tuple:
        return tuple([k._cast(int64) for k in movement.true_places(mask if mask._shape else mask.reshape(1))])
    if not mask._shape:
        return full((int(bool(mask.item())), 0), 0, int64, input.device)
    return movement.stack([k._cast(int64) for k in movement.true_places(mask)], 1)


@function
def argwhere(input: Tensor) -> Tensor:
    """nonzero(input)."""
    return nonzero(input)


@function
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The coordinates in `shape` of each index into the flattened tensor."""
    if indices._dtype.is_floating_point or indices._dtype is bool_:
        raise TypeError("expected 'indices' to be integer dtype, but got %r" % indices._dtype)
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (whole_number(shape, "shape"),)
    if any(n < 0 for n in sizes):
        raise ValueError("'shape' cannot have negative values, but got %s" % (tuple(sizes),))
    out: list[Tensor] = []
    for n in reversed(sizes):
        out.insert(0, elementwise.remainder(indices, n))
        indices = elementwise.floor_divide(indices, n)
    return tuple(out)


# ---- one part replaced ---------------------------------------------------------------------------


@function
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of input with src in the place of input.select(dim, index)."""
    return strided.replaced(input, src, lambda x: movement.select(x, dim, index), "select_scatter")


@function
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy of input with src in the place of the slice start:end:step along dim."""
    d = movement.dim_of(input, dim)
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    key = (slice(None),) * d + (slice(start, end, step),)
    return strided.replaced(input, src, lambda x: movement.basic_index(x, list(key)), "slice_scatter")


@function
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of input with src on the diagonal."""
    return strided.replaced(input, src, lambda x: strided.diagonal(x, offset, dim1, dim2), "diagonal_scatter")


@function
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """input[..., start : start + length, ...] along dim, a view."""
    if isinstance(start, Tensor):
        if start._shape or start._dtype is bool_ or start._dtype.is_floating_point:
            raise RuntimeError("start must be an 0-dim integral Tensor, not of shape %s" % list(start._shape))
        start = whole_number(start, "the start")
    return movement.narrow(input, dim, start, length)


@function
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """input[..., index, ...] along dim, a view."""
    return movement.select(input, dim, index)


__all__ = [
    "argwhere", "diagonal_scatter", "masked_fill", "masked_scatter", "masked_select", "narrow", "nonzero", "select",
    "select_scatter", "slice_scatter", "unravel_index",
]  # fmt: skip
METHODS = {
    "argwhere": argwhere, "diagonal_scatter": diagonal_scatter, "masked_fill": masked_fill,
    "masked_fill_": masked_fill_, "masked_scatter": masked_scatter, "masked_scatter_": masked_scatter_,
    "masked_select": masked_select, "narrow": narrow, "nonzero": nonzero, "select": select,
    "select_scatter": select_scatter, "slice_scatter": slice_scatter,
}  # fmt: skip
