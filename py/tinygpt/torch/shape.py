"""Tensors seen in another shape: views.

Views in place and the memory below are in layout.py, copies in another order in arrange.py.
"""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor, ints_of, numel_of, whole_number
from ..core.tensor import dtype as DType
from ..ops import elementwise, movement, strided
from . import types
from .keywords import function
from .shown import shown


def size_of(shape: Any) -> Any:
    """A shape as torch.Size."""
    return getattr(types, "Size", tuple)(shape)


# ---- one shape for another -----------------------------------------------------------------------


@function
def reshape(input: Tensor, shape: Any) -> Tensor:
    """input in another shape, one size may be -1: a view where possible, else a copy."""
    return movement.reshape(input, shape)


def _reshape(input: Tensor, *shape: Any, **keywords: Any) -> Tensor:
    return movement.reshape(input, *(shape or (keywords["shape"],)))


def view(input: Tensor, *shape: Any, **keywords: Any) -> Tensor:
    """input seen in another shape, or its memory as another dtype. RuntimeError where that needs a
    copy.
    """
    if not shape:
        shape = tuple(keywords.values())[:1]
        if not shape:
            raise TypeError("view() received an invalid combination of arguments - got (); it takes sizes, or a dtype")
    if len(shape) == 1 and isinstance(shape[0], DType):
        return strided.seen_as_dtype(input if shape[0].is_floating_point else input.detach(), shape[0])
    return movement.view(input, *shape)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """input seen in other's shape."""
    return movement.view(input, other._shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """input in other's shape."""
    return movement.reshape(input, other._shape)


@function
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions start_dim to end_dim (inclusive) as one."""
    return movement.flatten(input, start_dim, end_dim)


@function
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """The dimension dim as several of `sizes`, one of which may be -1."""
    d = movement.dim_of(input, dim)
    if not input._shape:
        raise RuntimeError("unflatten: a 0-d tensor has no dimension to unfold")
    sizes = ints_of((sizes,))
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    n = input._shape[d]
    if sizes.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    known = numel_of([s for s in sizes if s != -1])
    if -1 in sizes and (known == 0 or n % known) or -1 not in sizes and known != n:
        raise RuntimeError(
            "unflatten: Provided sizes %s don't multiply up to the size of dim %d (%d) in the input tensor"
            % (list(sizes), d, n)
        )
    sizes = tuple([n // known if s == -1 else s for s in sizes])
    return movement.view(input, (*input._shape[:d], *sizes, *input._shape[d + 1 :]))


@function
def ravel(input: Tensor) -> Tensor:
    """input as a vector: a view where possible."""
    return movement.reshape(input, (-1,)) if input.numel() or not input._shape else movement.reshape(input, (0,))


# ---- sizes of 1 ----------------------------------------------------------------------------------


@function
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """input without `dim` (one or several) where its size is 1, or without all such; a view."""
    if isinstance(dim, (tuple, list)):
        _once(input, dim)
        if not dim:
            return movement.alias(input)
    return movement.squeeze(input, dim)


def _once(x: Tensor, dims: Any) -> None:
    named = [movement.dim_of(x, d) for d in dims]
    for d in named:
        if named.count(d) > 1:
            raise RuntimeError("dim %d appears multiple times in the list of dims" % d)


@function
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """input with a new dimension of size 1 at `dim`, a view."""
    return movement.unsqueeze(input, dim)


@function
def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with at least one dimension."""
    return _each(tensors, lambda x: x.reshape(1) if not x._shape else x)


@function
def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with at least two dimensions; new ones come first."""
    return _each(tensors, lambda x: x.reshape(1, 1) if not x._shape else x.unsqueeze(0) if x.ndim == 1 else x)


@function
def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with at least three dimensions; of a matrix the new one is the last."""

    def seen(x: Tensor) -> Tensor:
        if x.ndim == 1:
            return x.unsqueeze(0).unsqueeze(-1)
        return x.reshape(1, 1, 1) if not x._shape else x.unsqueeze(-1) if x.ndim == 2 else x

    return _each(tensors, seen)


def _each(tensors: Any, f: Any) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return f(tensors[0])
    return tuple([f(x) for x in (tensors[0] if len(tensors) == 1 else tensors)])


# ---- order of dimensions -------------------------------------------------------------------------


@shown("PermuteBackward0")
@function
def permute(input: Tensor, dims: Any) -> Tensor:
    """input with its dimensions in the order `dims`, a view."""
    return _permute(input, dims)


def _permute(input: Tensor, *dims: Any, **keywords: Any) -> Tensor:
    order = ints_of(dims or (keywords["dims"],), "a dimension")
    if len(order) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            "ordering of dimensions i.e. input.dim() = %d is not equal to len(dims) = %d" % (input.ndim, len(order))
        )
    named = [movement.dim_of(input, d) for d in order]
    if len(set(named)) != len(named):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return movement.permute(input, named)


@function
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """input with dim0 and dim1 exchanged, a view."""
    return movement.transpose(input, dim0, dim1)


@function
def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """transpose."""
    return movement.transpose(input, axis0, axis1)


@function
def swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """transpose."""
    return movement.transpose(input, dim0, dim1)


@shown("TBackward0")
@function
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix, a view."""
    return movement.t(input)


@function
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """input with the dimensions `source` at `destination`, the others in their order; a view."""
    if isinstance(source, int) != isinstance(destination, int):
        raise TypeError("movedim() takes two ints or two tuples of ints, not %r and %r" % (source, destination))
    sources, places = ints_of((source,), "a dimension"), ints_of((destination,), "a dimension")
    if len(sources) != len(places):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source (%s dims) should contain the same number of dims as "
            "destination (%s dims)" % (list(sources), list(places))
        )
    sources, places = [[movement.dim_of(input, d) for d in dims] for dims in (sources, places)]
    for name, dims in (("source", sources), ("destination", places)):
        if len(set(dims)) != len(dims):
            raise RuntimeError("movedim: repeated dim in `%s` (%s)" % (name, dims))
    if not input._shape:
        return movement.alias(input)
    order: list[Any] = [None] * input.ndim
    for s, d in zip(sources, places):
        order[d] = s
    rest = iter([d for d in range(input.ndim) if d not in sources])
    return movement.permute(input, [next(rest) if d is None else d for d in order])


@function
def moveaxis(input: Tensor, source: Any, destination: Any) -> Tensor:
    """movedim."""
    return movedim(input, source, destination)


@function
def adjoint(input: Tensor) -> Tensor:
    """The matrices of the last two dimensions transposed, a view."""
    return _matrices_transposed(input, "adjoint()")


def _matrices_transposed(x: Tensor, name: str) -> Tensor:
    if x.ndim == 1:
        raise RuntimeError(
            "tensor.%s is only supported on matrices or batches of matrices. Got 1-D tensor." % name.strip("()")
        )
    return movement.transpose(x, -2, -1) if x._shape else x


def _reversed(x: Tensor) -> Tensor:
    order = tuple(range(len(x._shape)))[::-1]
    return movement.permuted(x, order, order)


def _H(x: Tensor) -> Tensor:
    if x.ndim not in (0, 2):
        raise RuntimeError("tensor.H is only supported on matrices (2-D tensors). Got %d-D tensor." % x.ndim)
    return _reversed(x) if x._shape else x


# ---- broadcasting --------------------------------------------------------------------------------


@function
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """input repeated to the shape `size`, a view."""
    return movement.expand(input, size)


def expand(input: Tensor, *sizes: Any, implicit: bool = False, **keywords: Any) -> Tensor:
    """input repeated along dimensions of size 1, a view; -1 keeps a size."""
    return movement.expand(input, *(sizes or (keywords["size"],)))


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """input repeated to other's shape, a view."""
    return movement.expand(input, other._shape)


@function
def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that all shapes broadcast to."""
    out: tuple[int, ...] = ()
    for shape in shapes:
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        if any(n < 0 for n in sizes):
            raise RuntimeError("Trying to create tensor with negative dimension (%d)" % min(sizes))
        out = elementwise.broadcast_shapes(out, sizes)
    return size_of(out)


@function
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors repeated to one shape, views."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    shape = broadcast_shapes(*[x._shape for x in tensors])
    return tuple([movement.expand(x, tuple(shape)) for x in tensors])


# ---- parts ---------------------------------------------------------------------------------------


@function
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views along dim: of a size each (the last may be smaller), or of the sizes in a list."""
    return _split(tensor, split_size_or_sections, dim)


def _split(input: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    if isinstance(split_size, int) and split_size < 0:
        raise RuntimeError("split expects split_size be non-negative, but got split_size=%d" % split_size)
    return movement.split(input, split_size, dim)


@function
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of the sizes in a list along dim."""
    return movement.split(input, list(split_sizes), dim)


@function
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of equal size along dim; the last may be smaller."""
    return movement.chunk(input, chunks, dim)


@function
def unsafe_split(input: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """split."""
    return movement.split(input, split_size, dim)


@function
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """chunk."""
    return movement.chunk(input, chunks, dim)


@function
def tensor_split(
    input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None, sections: Any = None
) -> tuple[Tensor, ...]:
    """Views along dim: a number of sections of nearly one size, or cut at the indices of a list."""
    given = next((v for v in (indices_or_sections, indices, sections) if v is not None), None)
    if not input._shape:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    d = movement.dim_of(input, dim)
    if isinstance(given, Tensor):
        if given._dtype.name != "int64" or given.ndim > 1:
            raise RuntimeError("tensor_split expected tensor_indices_or_sections to be int64 of 0 or 1 dimensions")
        given = given.tolist()
    n = input._shape[d]
    if isinstance(given, (tuple, list)):
        cuts = [slice(None, None, None).indices(n)[0]] + [slice(k, None).indices(n)[0] for k in given] + [n]
        spans = [(a, max(b - a, 0)) for a, b in zip(cuts, cuts[1:])]
    else:
        count = whole_number(given, "sections")
        if count <= 0:
            raise RuntimeError("number of sections must be larger than 0, got %d" % count)
        sizes = [n // count + (i < n % count) for i in range(count)]
        spans = [(sum(sizes[:i]), size) for i, size in enumerate(sizes)]
    return tuple([movement.sliced(input, d, start, length) for start, length in spans])


def _split_along(name: str, input: Tensor, given: Any, dim: int, least: int) -> tuple[Tensor, ...]:
    if input.ndim < least:
        raise RuntimeError(
            "torch.%s requires a tensor with at least %d dimension(s), but got a tensor with %d dimensions!"
            % (name, least, input.ndim)
        )
    if isinstance(given, int) and (given <= 0 or input._shape[dim] % given):
        raise RuntimeError(
            "torch.%s attempted to split along dimension %d, but the size of the dimension %d is not divisible by the "
            "split_size %d!" % (name, dim, input._shape[dim], given)
        )
    return tensor_split(input, given, dim)


@function
def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """tensor_split along the second dimension, along the only one of a vector."""
    return _split_along("hsplit", input, indices_or_sections, 0 if input.ndim == 1 else 1, 1)


@function
def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """tensor_split along the first of at least two dimensions."""
    return _split_along("vsplit", input, indices_or_sections, 0, 2)


@function
def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """tensor_split along the third of at least three dimensions."""
    return _split_along("dsplit", input, indices_or_sections, 2, 3)


@function
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The views input[..., i, ...] along dim."""
    return strided.unbind(input, dim)


# ---- diagonals, windows, strides -----------------------------------------------------------------


@function
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dimensions, as the last dimension of a view."""
    return strided.diagonal(input, offset, dim1, dim2)


@function
def as_strided(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """input's memory seen with any sizes and strides, a view."""
    return strided.as_strided(input, size, stride, storage_offset)


@function
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All slices of `size` along a dimension, `step` apart, as the last dimension of a view."""
    return strided.windows(input, dimension, size, step)


__all__ = [
    "adjoint", "as_strided", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_shapes", "broadcast_tensors",
    "broadcast_to", "chunk", "diagonal", "dsplit", "flatten", "hsplit", "moveaxis", "movedim", "permute", "ravel",
    "reshape", "split", "split_with_sizes", "squeeze", "swapaxes", "swapdims", "t", "tensor_split", "transpose",
    "unbind", "unflatten", "unsafe_chunk", "unsafe_split", "unsqueeze", "vsplit",
]  # fmt: skip
METHODS = {
    "adjoint": adjoint, "as_strided": as_strided, "broadcast_to": broadcast_to, "chunk": chunk, "diagonal": diagonal,
    "dsplit": dsplit, "expand": expand, "expand_as": expand_as, "flatten": flatten, "hsplit": hsplit,
    "moveaxis": moveaxis, "movedim": movedim, "permute": _permute, "ravel": ravel, "reshape": _reshape,
    "reshape_as": reshape_as, "split": _split, "split_with_sizes": split_with_sizes, "squeeze": squeeze,
    "swapaxes": swapaxes, "swapdims": swapdims, "t": t, "tensor_split": tensor_split, "transpose": transpose,
    "unbind": unbind, "unflatten": unflatten, "unfold": unfold, "unsafe_chunk": unsafe_chunk,
    "unsafe_split": unsafe_split, "unsqueeze": unsqueeze, "view": view, "view_as": view_as, "vsplit": vsplit,
    "H": property(_H), "T": property(_reversed), "mH": property(lambda x: _matrices_transposed(x, "mH")),
    "mT": property(lambda x: _matrices_transposed(x, "mT")),
}  # fmt: skip
LIMITED = {
    "view": "view(dtype): not of bool, which takes four bytes here, and without a gradient",
}
