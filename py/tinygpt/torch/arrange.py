"""Copies that arrange elements anew: joining, repeating, turning, triangles, diagonals, grids."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from ..core.factory import full, tensor
from ..core.tensor import DTYPES, Tensor, int32, int64, ints_of, whole_number
from ..ops import elementwise, movement, reduce, strided
from ..ops import gather as along
from .indexing import _in_place
from .keywords import function
from .shape import atleast_1d, atleast_2d, atleast_3d
from .shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable

# ---- joining -------------------------------------------------------------------------------------


def _tensors(name: str, tensors: Any) -> list[Tensor]:
    if isinstance(tensors, Tensor) or not isinstance(tensors, (tuple, list)):
        raise TypeError(
            "%s(): argument 'tensors' (position 1) must be tuple of Tensors, not %s" % (name, type(tensors).__name__)
        )
    for i, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise TypeError("expected Tensor as element %d in argument 0, but got %s" % (i, type(x).__name__))
    return list(tensors)


@function
def cat(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors of equal shape but for `dim`, one after the other along it."""
    return movement.cat(_tensors("cat", tensors), dim)


@function
def concat(tensors: Any, dim: int = 0) -> Tensor:
    """cat."""
    return cat(tensors, dim)


@function
def concatenate(tensors: Any, dim: int = 0) -> Tensor:
    """cat."""
    return cat(tensors, dim)


@shown("StackBackward0")
@function
def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Tensors of one shape along a new dimension `dim`."""
    return movement.stack(_tensors("stack", tensors), dim)


def _joined(name: str, tensors: Any, seen: Any, dim: int | Callable[[Tensor], int]) -> Tensor:
    given = _tensors(name, tensors)
    if not given:
        raise RuntimeError("%s expects a non-empty TensorList" % name)
    given = [seen(x) for x in given]
    return movement.cat(given, dim(given[0]) if callable(dim) else dim)


@function
def hstack(tensors: Any) -> Tensor:
    """Joined along the second dimension, vectors along their only one."""
    return _joined("hstack", tensors, atleast_1d, lambda x: 0 if x.ndim == 1 else 1)


@function
def vstack(tensors: Any) -> Tensor:
    """Joined along the first dimension, vectors as rows."""
    return _joined("vstack", tensors, atleast_2d, 0)


@function
def row_stack(tensors: Any) -> Tensor:
    """vstack."""
    return vstack(tensors)


@function
def dstack(tensors: Any) -> Tensor:
    """Joined along the third dimension."""
    return _joined("dstack", tensors, atleast_3d, 2)


@function
def column_stack(tensors: Any) -> Tensor:
    """Joined along the second dimension, vectors as columns."""
    return _joined("column_stack", tensors, lambda x: x.reshape(-1, 1) if x.ndim <= 1 else x, 1)


@function
def block_diag(*tensors: Any) -> Tensor:
    """Matrices on the diagonal of one, zeros elsewhere; vectors are rows."""
    given = [atleast_2d(x if isinstance(x, Tensor) else tensor(x)) for x in tensors]
    if not given:
        return full((1, 0), 0.0)
    if any(x.ndim > 2 for x in given):
        raise RuntimeError("torch.block_diag: Input tensors must have 2 or fewer dimensions.")
    kind = elementwise.result_type(*given)
    width = sum(x._shape[1] for x in given)
    rows, at = [], 0
    for x in given:
        n, m = x._shape
        left, right = [full((n, k), 0, kind, x.device) for k in (at, width - at - m)]
        rows.append(movement.cat([left, elementwise.promoted(x, kind), right], 1))
        at += m
    return movement.cat(rows, 0)


# ---- repeating -----------------------------------------------------------------------------------


@shown("RepeatBackward0")
def repeat(input: Tensor, *repeats: Any, **keywords: Any) -> Tensor:
    """input repeated so often along each dimension; more numbers than dimensions make new ones."""
    if not repeats and "repeats" not in keywords:
        raise TypeError('repeat() missing 1 required positional arguments: "repeats"')
    counts = ints_of(repeats or (keywords["repeats"],), "a number of repeats")
    if len(counts) < input.ndim:
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    if any(n < 0 for n in counts):
        raise RuntimeError("Trying to create tensor with negative dimension %d: %s" % (min(counts), list(counts)))
    shape = (1,) * (len(counts) - input.ndim) + input._shape
    x = movement.reshape(input, shape)
    final = tuple([n * k for n, k in zip(shape, counts)])
    apart: list[int] = []
    wide: list[int] = []
    for n, k in zip(shape, counts):
        apart += [1, n] if k != 1 else [n]
        wide += [k, n] if k != 1 else [n]
    out = movement.expand(movement.reshape(x, apart), wide)
    return movement.no_view(movement.reshape(movement.clone(out), final))


@shown("RepeatBackward0")
@function
def tile(input: Tensor, dims: Any) -> Tensor:
    """repeat, of the last dimensions where fewer are named."""
    return _tile(input, dims)


def _tile(input: Tensor, *dims: Any, **keywords: Any) -> Tensor:
    counts = ints_of(dims or (keywords["dims"],), "a number of repeats")
    return repeat(input, (1,) * (input.ndim - len(counts)) + counts)


@function
def repeat_interleave(input: Any, repeats: Any = None, dim: int | None = None, *, output_size: Any = None) -> Tensor:
    """Each element, or slice along dim, repeated: so often, or as a tensor says of each."""
    if repeats is None:
        counts = input
        if counts.ndim != 1 or counts._dtype not in (int64, int32):
            raise RuntimeError("repeat_interleave only accept 1D vector of int32 or int64 as repeat")
        return _interleaved_index(counts, output_size)._cast(counts._dtype)
    if dim is None:
        input, dim = movement.reshape(input, (input.numel(),)), 0
    d = movement.dim_of(input, dim)
    if isinstance(repeats, int) and repeats < 0:
        raise RuntimeError("Repeats must be non-negative")
    if not input._shape:
        raise IndexError("Dimension out of range (expected to be in range of [-1, 0], but got 1)")
    x, n = input, input._shape[d]
    if isinstance(repeats, Tensor):
        if repeats._dtype not in (int64, int32):
            raise RuntimeError("repeats has to be Long or Int tensor")
        if repeats.ndim > 1:
            raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
        if repeats.numel() != 1 and repeats.numel() != n:
            raise RuntimeError(
                "repeats must have the same size as input along dim, but got repeats.size(0) = %d and "
                "input.size(%d) = %d" % (repeats.numel(), d, n)
            )
        if repeats.numel() != 1 or not repeats._shape or n == 1:
            counts = repeats.reshape(-1).expand(n)
            return along.index_select(x, d, _interleaved_index(counts, output_size), trusted=True)
        repeats = int(repeats.item())
    k = whole_number(repeats, "repeats")
    wide = movement.expand(movement.unsqueeze(x, d + 1), (*x._shape[: d + 1], k, *x._shape[d + 1 :]))
    return movement.no_view(movement.reshape(movement.clone(wide), (*x._shape[:d], n * k, *x._shape[d + 1 :])))


def _interleaved_index(counts: Tensor, output_size: Any) -> Tensor:
    """int32: each index as often as `counts` says."""
    times = counts.tolist()
    if any(k < 0 for k in times):
        raise RuntimeError("repeats can not be negative")
    if output_size is not None and output_size != sum(times):
        raise RuntimeError("allocated size does not match required size")
    index = [i for i, k in enumerate(times) for _ in range(k)]
    return tensor(index, dtype=int32, device=counts.device)


# ---- turning -------------------------------------------------------------------------------------


def _named(x: Tensor, dims: Any) -> list[int]:
    named = [movement.dim_of(x, d) for d in dims]
    for d in named:
        if named.count(d) > 1:
            raise RuntimeError("dim %d appears multiple times in the list of dims" % d)
    return named


@function
def flip(input: Tensor, dims: Any) -> Tensor:
    """A copy with the order of the elements reversed along dims."""
    return _flip(input, dims)


def _flip(input: Tensor, *dims: Any, **keywords: Any) -> Tensor:
    named = _named(input, ints_of(dims or (keywords["dims"],), "a dimension"))
    return strided.flipped(input, named if input._shape else ())


@function
def fliplr(input: Tensor) -> Tensor:
    """flip along the second dimension."""
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return strided.flipped(input, (1,))


@function
def flipud(input: Tensor) -> Tensor:
    """flip along the first dimension."""
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return strided.flipped(input, (0,))


@function
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """A copy turned k times by 90 degrees in the plane of two dimensions, from the first to the
    second.
    """
    dims = ints_of((dims,), "a dimension")
    if len(dims) != 2:
        raise RuntimeError("expected total rotation dims == 2, but got dims = %d" % len(dims))
    if input.ndim < 2:
        raise RuntimeError("expected total dims >= 2, but got total dims = %d" % input.ndim)
    a, b = [movement.dim_of(input, d) for d in dims]
    if a == b:
        raise RuntimeError("expected rotation dims to be different, but got dim0 = %d and dim1 = %d" % dims)
    k %= 4
    if k == 1:
        return movement.clone(movement.transpose(strided.flipped(input, (b,)), a, b))
    if k == 2:
        return strided.flipped(input, (a, b))
    return strided.flipped(movement.transpose(input, a, b), (b,)) if k == 3 else movement.clone(input)


@shown("RollBackward0")
@function
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """A copy whose elements moved by `shifts` along dims, those behind the end to the start; of the
    flattened tensor without dims.
    """
    steps = ints_of((shifts,), "a shift")
    named = () if dims is None else ints_of((dims,), "a dimension")
    if not steps:
        raise RuntimeError("`shifts` required")
    if named and not input._shape:
        raise IndexError("Dimension specified as %d but tensor has no dimensions" % named[0])
    if not input.numel():
        return input.clone()
    if not named:
        if len(steps) != 1:
            raise RuntimeError("shifts and dimensions must align. shifts: %d, dims:0" % len(steps))
        flat = movement.reshape(input, (input.numel(),))
        return movement.no_view(movement.reshape(_rolled(flat, steps[0], 0), input._shape))
    if len(steps) != len(named):
        raise RuntimeError("shifts and dimensions must align. shifts: %d, dims:%d" % (len(steps), len(named)))
    if not input._shape:
        raise IndexError("Dimension specified as %d but tensor has no dimensions" % named[0])
    out = input
    for k, d in zip(steps, named):
        out = _rolled(out, k, movement.dim_of(input, d))
    return out


def _rolled(x: Tensor, shift: int, d: int) -> Tensor:
    n = x._shape[d]
    k = shift % n if n else 0
    if not k:
        return movement.clone(x)
    return movement.cat([movement.sliced(x, d, n - k, k), movement.sliced(x, d, 0, n - k)], d)


# ---- triangles and diagonals ---------------------------------------------------------------------


@function
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of the last two dimensions, zeros elsewhere."""
    return movement.tril(input, diagonal)


@shown("TriuBackward0")
@function
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two dimensions, zeros elsewhere."""
    return movement.triu(input, diagonal)


def tril_(input: Tensor, diagonal: int = 0) -> Tensor:
    """tril in place. Returns input."""
    return _in_place(input, "tril_", (), lambda x: movement.tril(x, diagonal))


def triu_(input: Tensor, diagonal: int = 0) -> Tensor:
    """triu in place. Returns input."""
    return _in_place(input, "triu_", (), lambda x: movement.triu(x, diagonal))


def _triangle(name: str, row: int, col: int, offset: int, dtype: Any, device: Any, layout: Any, upper: bool) -> Tensor:
    row, col, offset = [whole_number(v, "a size of " + name) for v in (row, col, offset)]
    if row < 0 or col < 0:
        raise RuntimeError("row and col must be non-negative, got row: %d col: %d" % (row, col))
    dtype = DTYPES["int64"] if dtype is None else dtype
    rows = movement.arange(row, device=device).reshape(row, 1)
    steps = movement.arange(col, device=device).reshape(1, col) - rows
    mask = elementwise.compare("ge" if upper else "le", steps, offset)
    return movement.stack([k._cast(dtype) for k in movement.true_places(mask)], 0)


@function
def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None
) -> Tensor:
    """int64 [2, n]: rows and columns of the lower triangle of a matrix."""
    return _triangle("tril_indices", row, col, offset, dtype, device, layout, False)


@function
def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None, layout: Any = None
) -> Tensor:
    """int64 [2, n]: rows and columns of the upper triangle of a matrix."""
    return _triangle("triu_indices", row, col, offset, dtype, device, layout, True)


@function
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last dimension on the diagonal of two new ones, zeros elsewhere."""
    rank = input.ndim + 1
    offset = whole_number(offset, "offset")
    first, second = [_in_rank(d, rank) for d in (dim1, dim2)]
    if first == second:
        raise RuntimeError("diagonal dimensions cannot be identical %d, %d" % (dim1, dim2))
    n = input._shape[-1] + abs(offset)
    shape = list(input._shape[:-1])
    for d in sorted((first, second)):
        shape.insert(d, n)
    return strided.placed(input, tuple(shape), lambda x: strided.diagonal(x, offset, first, second))


def _in_rank(d: int, rank: int) -> int:
    if not -rank <= d < rank:
        raise IndexError(
            "Dimension out of range (expected to be in range of [%d, %d], but got %d)" % (-rank, rank - 1, d)
        )
    return d % rank


@function
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix as a copy, or a matrix with a vector as its diagonal."""
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise RuntimeError("diag(): Supports 1D or 2D tensors. Got %dD" % input.ndim)
    return movement.clone(strided.diagonal(input, diagonal))


@function
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with the flattened input as its diagonal."""
    return diag_embed(movement.reshape(input, (input.numel(),)), offset)


@shown("TraceBackward0")
@function
def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    elementwise.arithmetic(input, "trace")
    if input.ndim != 2:
        raise RuntimeError("trace: expected a matrix, but got tensor with dim %d" % input.ndim)
    return reduce.sum_(strided.diagonal(input))


# ---- grids ---------------------------------------------------------------------------------------


@function
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """The coordinates of a grid: each vector along a dimension of its own, views.

    indexing: "ij", or "xy" with the first two dimensions exchanged.
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError('torch.meshgrid: indexing must be one of "xy" or "ij", but received: %s' % indexing)
    if any(x.ndim > 1 for x in tensors):
        raise RuntimeError("torch.meshgrid: Expected 0D or 1D tensor in the tensor list")
    if any(x._dtype is not tensors[0]._dtype for x in tensors):
        raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    given = list(tensors)
    swap = indexing == "xy" and len(given) >= 2
    if swap:
        given[:2] = given[1::-1]
    shape = [x.numel() for x in given]
    grids = [
        movement.expand(
            movement.reshape(x, [-1 if i == d and n else n if i == d else 1 for i, n in enumerate(shape)]), shape
        )
        for d, x in enumerate(given)
    ]
    if swap:
        grids[:2] = grids[1::-1]
    return tuple(grids)


@function
def cartesian_prod(*tensors: Any) -> Tensor:
    """[n, tensors]: all tuples of one element of each vector."""
    for x in tensors:
        if x.ndim != 1:
            raise RuntimeError("Expect a 1D vector, but got shape %s" % list(x._shape))
    if len(tensors) == 1:
        return tensors[0]
    return movement.stack([movement.reshape(g, (g.numel(),)) for g in meshgrid(*tensors)], 1)


@function
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """[n, r]: all choices of r elements of a vector, in order."""
    if input.ndim != 1:
        raise RuntimeError("Expect a 1D vector, but got shape %s" % list(input._shape))
    if r < 0:
        raise RuntimeError("Expect a non-negative number, but got %d" % r)
    if not r:
        return full((0,), 0, input._dtype, input.device)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    index = [i for chosen in choose(range(input.numel()), r) for i in chosen]
    at = tensor(index, dtype=int32, device=input.device)
    return along.index_select(input, 0, at, trusted=True).reshape(len(index) // r, r)


__all__ = [
    "block_diag", "cartesian_prod", "cat", "column_stack", "combinations", "concat", "concatenate", "diag",
    "diag_embed", "diagflat", "dstack", "flip", "fliplr", "flipud", "hstack", "meshgrid", "repeat_interleave", "roll",
    "rot90", "row_stack", "stack", "tile", "trace", "tril", "tril_indices", "triu", "triu_indices", "vstack",
]  # fmt: skip
METHODS = {
    "diag": diag, "diag_embed": diag_embed, "diagflat": diagflat, "flip": _flip, "fliplr": fliplr, "flipud": flipud,
    "repeat": repeat, "repeat_interleave": repeat_interleave, "roll": roll, "rot90": rot90, "tile": _tile,
    "trace": trace, "tril": tril, "tril_": tril_, "triu": triu, "triu_": triu_,
}  # fmt: skip
