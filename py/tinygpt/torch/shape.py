"""Tensors seen in another shape: views, their forms in place, and what a tensor says of its memory.

Copies that change a shape are in arrange.py.
"""

from __future__ import annotations

from typing import Any

from ..core.autograd import before_write, is_recorded, written
from ..core.factory import empty
from ..core.tensor import Tensor, bool_, ints_of, numel_of, row_major, whole_number
from ..core.tensor import dtype as DType
from ..ops import elementwise, inplace, movement, strided
from . import types
from .keywords import function, unsupported

FORMATS = ("torch.contiguous_format", "torch.preserve_format")


def check_format(name: str, memory_format: Any) -> None:
    """NotImplementedError for a memory format beside the dense one."""
    if memory_format is not None and str(memory_format) not in FORMATS:
        unsupported(name, "memory_format", str(memory_format), "leave it out: tensors are dense and row-major here")


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
    if len(shape) == 1 and isinstance(shape[0], DType):
        return strided.seen_as_dtype(input, shape[0])
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
    sizes = ints_of((sizes,))
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    n = input._shape[d] if input._shape else 1
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


@function
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix, a view."""
    return movement.t(input)


@function
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """input with the dimensions `source` at `destination`, the others in their order; a view."""
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
    return movement.transpose(x, -2, -1) if x._shape else movement.alias(x)


def _reversed(x: Tensor) -> Tensor:
    return movement.permute(x, list(range(x.ndim))[::-1])


def _H(x: Tensor) -> Tensor:
    if x.ndim not in (0, 2):
        raise RuntimeError("tensor.H is only supported on matrices (2-D tensors). Got %d-D tensor." % x.ndim)
    return _reversed(x)


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
    return movement.split(tensor, split_size_or_sections, dim)


def _split(input: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
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


# ---- in place ------------------------------------------------------------------------------------


def _becomes(x: Tensor, name: str, seen: Any) -> Tensor:
    """x itself as the view `seen` of it. Returns x."""
    recorded = is_recorded(x, name)
    view = seen(before_write(x) if recorded else x.detach())
    x._shape, x._strides, x._offset = view._shape, view._strides, view._offset
    if recorded:
        x._node, x._index = view._node, view._index
    x._storage.version += 1
    if x._base is not None:
        x._seen = x._storage.writes()
    return x


def squeeze_(input: Tensor, dim: Any = None) -> Tensor:
    """squeeze in place. Returns input."""
    return _becomes(input, "squeeze_", lambda x: squeeze(x, dim))


def unsqueeze_(input: Tensor, dim: int) -> Tensor:
    """unsqueeze in place. Returns input."""
    return _becomes(input, "unsqueeze_", lambda x: movement.unsqueeze(x, dim))


def transpose_(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """transpose in place. Returns input."""
    return _becomes(input, "transpose_", lambda x: movement.transpose(x, dim0, dim1))


def t_(input: Tensor) -> Tensor:
    """t in place. Returns input."""
    return _becomes(input, "t_", movement.t)


def as_strided_(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """as_strided in place. Returns input."""
    return _becomes(input, "as_strided_", lambda x: strided.as_strided(x, size, stride, storage_offset))


def resize_(input: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """input with other sizes, its memory in order; elements beyond that memory are not initialised.
    Returns input. RuntimeError for a tensor that requires grad.
    """
    check_format("resize_", memory_format)
    if input.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    shape = ints_of(sizes)
    end = (input._offset + numel_of(shape)) * input._dtype.itemsize
    if end > input._storage.nbytes:
        if input._base is not None:
            raise NotImplementedError(
                "resize_ of a view beyond its memory is not in TinyGPT's subset; make a new tensor"
            )
        memory = empty(input._offset + numel_of(shape), dtype=input._dtype, device=input.device)
        held = Tensor(input._storage, (input._storage.nbytes // input._dtype.itemsize,), input._dtype)
        elementwise.copy_into(movement.sliced(memory, 0, 0, held.numel()), held)
        input._storage = memory._storage
    input._shape, input._strides = shape, row_major(shape)
    return written(input)


def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """resize_ to another tensor's shape. Returns input."""
    return resize_(input, the_template._shape, memory_format=memory_format)


def set_diagonal_(input: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Tensor.fill_diagonal_: a number on the main diagonal, in place. Returns input."""
    if input.ndim < 2:
        raise RuntimeError("dimensions must larger than 1")
    if input.ndim > 2 and len(set(input._shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    length = min(input._shape)
    step = sum(input._strides)
    part = strided.as_strided(input, (length,), (step,))
    inplace.fill_(part, fill_value)
    rows, columns = input._shape[:2]
    if wrap and input.ndim == 2 and rows > columns + 1:
        start = input._offset + (columns + 1) * input._strides[0]
        count = (numel_of(input._shape) - (columns + 1) * columns + columns) // (columns + 1)
        if input.is_contiguous() and count:
            inplace.fill_(strided.as_strided(input, (count,), (step,), start), fill_value)
    return input


# ---- what a tensor says of its memory ------------------------------------------------------------


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """input itself where it is dense, else a dense copy."""
    check_format("contiguous", memory_format)
    return movement.contiguous(input)


def is_contiguous(input: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements are dense and row-major in memory."""
    check_format("is_contiguous", memory_format)
    return _dense(input)


_dense = Tensor.is_contiguous


@function
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A dense copy."""
    check_format("clone", memory_format)
    return movement.clone(input)


def stride(input: Tensor, dim: int | None = None) -> Any:
    """The strides in elements, or that of one dimension."""
    strides = input._strides if 0 not in input._shape or any(input._strides) else strided.dense_strides(input._shape)
    return strides if dim is None else strides[movement.dim_of(input, dim)]


def storage_offset(input: Tensor) -> int:
    """Where the first element is in the memory, in elements."""
    return input._offset


@function
def numel(input: Tensor) -> int:
    """The number of elements."""
    return numel_of(input._shape)


def ndimension(input: Tensor) -> int:
    """The number of dimensions."""
    return len(input._shape)


def element_size(input: Tensor) -> int:
    """Bytes of one element, as PyTorch stores it."""
    return 1 if input._dtype is bool_ else input._dtype.itemsize


def data_ptr(input: Tensor) -> int:
    """A number that two tensors share exactly when their first elements do."""
    storage = input._storage
    first = storage.base + input._offset * input._dtype.itemsize
    handle = storage.handle
    return (handle if isinstance(handle, int) else storage.uid << 32) + first if input.numel() else 0


class UntypedStorage:
    """The memory below tensors, as far as programs look at it: where it is and how large."""

    def __init__(self, x: Tensor) -> None:
        self._tensor = x

    def data_ptr(self) -> int:
        """A number of its own for each memory."""
        return data_ptr(Tensor(self._tensor._storage, (1,), self._tensor._dtype))

    def nbytes(self) -> int:
        """Its size in bytes."""
        return self._tensor._storage.nbytes

    size = __len__ = nbytes


def untyped_storage(input: Tensor) -> UntypedStorage:
    """The memory below input."""
    return UntypedStorage(input)


def is_set_to(input: Tensor, tensor: Tensor) -> bool:
    """Whether both are the same elements of one memory, seen alike."""
    return inplace._same_view(input, tensor)


def nbytes(input: Tensor) -> int:
    """Bytes of all elements, as PyTorch stores them."""
    return numel_of(input._shape) * element_size(input)


__all__ = [
    "adjoint", "as_strided", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_shapes", "broadcast_tensors",
    "broadcast_to", "chunk", "clone", "diagonal", "dsplit", "flatten", "hsplit", "moveaxis", "movedim", "numel",
    "permute", "ravel", "reshape", "split", "split_with_sizes", "squeeze", "swapaxes", "swapdims", "t",
    "tensor_split", "transpose", "unbind", "unflatten", "unsafe_chunk", "unsafe_split", "unsqueeze", "vsplit",
]  # fmt: skip
METHODS = {
    "adjoint": adjoint, "as_strided": as_strided, "as_strided_": as_strided_, "broadcast_to": broadcast_to,
    "chunk": chunk, "clone": clone, "contiguous": contiguous, "data_ptr": data_ptr, "diagonal": diagonal,
    "dsplit": dsplit, "element_size": element_size, "expand": expand, "expand_as": expand_as,
    "fill_diagonal_": set_diagonal_, "flatten": flatten, "hsplit": hsplit, "is_contiguous": is_contiguous,
    "is_set_to": is_set_to, "moveaxis": moveaxis, "movedim": movedim, "ndimension": ndimension, "nelement": numel,
    "numel": numel, "permute": _permute, "ravel": ravel, "reshape": _reshape, "reshape_as": reshape_as,
    "resize_": resize_, "resize_as_": resize_as_, "split": _split,
    "split_with_sizes": split_with_sizes, "squeeze": squeeze, "squeeze_": squeeze_,
    "storage_offset": storage_offset, "stride": stride, "swapaxes": swapaxes, "swapaxes_": transpose_,
    "swapdims": swapdims, "swapdims_": transpose_, "t": t, "t_": t_, "tensor_split": tensor_split,
    "transpose": transpose, "transpose_": transpose_, "unbind": unbind, "unflatten": unflatten, "unfold": unfold,
    "unsafe_chunk": unsafe_chunk, "unsafe_split": unsafe_split, "unsqueeze": unsqueeze, "unsqueeze_": unsqueeze_,
    "untyped_storage": untyped_storage, "view": view, "view_as": view_as, "vsplit": vsplit,
    "H": property(_H), "T": property(_reversed), "itemsize": property(element_size),
    "mH": property(lambda x: _matrices_transposed(x, "mH")), "mT": property(lambda x: _matrices_transposed(x, "mT")),
    "nbytes": property(nbytes),
}  # fmt: skip
LIMITED = {
    "clone": "a copy is dense and row-major; PyTorch's keeps the order of a transposed tensor's memory",
    "contiguous": "memory_format: the dense one alone",
    "view": "view(dtype): not of bool, which takes four bytes here, and without a gradient",
}
