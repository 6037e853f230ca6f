"""What a tensor says of its memory, views that take its place, and views as copies."""

from __future__ import annotations

from typing import Any

from ..core.autograd import before_write, is_recorded, written
from ..core.factory import empty
from ..core.tensor import Tensor, bool_, ints_of, numel_of, row_major
from ..ops import elementwise, inplace, movement, strided
from . import types
from .keywords import function, unsupported
from .shape import (
    as_strided,
    diagonal,
    expand,
    permute,
    split_with_sizes,
    squeeze,
    t,
    transpose,
    unbind,
    unfold,
    unsqueeze,
    view,
)

FORMATS = ("torch.contiguous_format", "torch.preserve_format")


def check_format(name: str, memory_format: Any) -> None:
    """NotImplementedError for a memory format beside the dense one."""
    if memory_format is not None and str(memory_format) not in FORMATS:
        unsupported(name, "memory_format", str(memory_format), "leave it out: tensors are dense and row-major here")


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


def squeeze_(input: Tensor, *dim: Any, **named: Any) -> Tensor:
    """squeeze in place. Returns input."""
    return _becomes(input, "squeeze_", lambda x: squeeze(x, *([dim] if len(dim) > 1 else dim), **named))


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


def get_device(input: Tensor) -> int:
    """The index of a GPU: -1, a CPU's."""
    return -1


def itself(input: Tensor) -> Tensor:
    """Tensor.pin_memory and share_memory_: input, whose memory is a process's own here."""
    return input


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """The sum over what broadcasting from `size` would repeat."""
    shape = ints_of(size)
    if elementwise.broadcast_shapes(input._shape, shape) != input._shape:
        raise RuntimeError("size {%s} is not expandable to size {%s}." % (list(shape), list(input._shape)))
    return elementwise.reduce_to(input, shape)


# What no tensor here is.
KINDS = (
    "is_cuda is_sparse is_sparse_csr is_quantized is_meta is_mps is_mkldnn is_xpu is_xla is_ipu is_vulkan is_mtia "
    "is_nested"
).split()

# ---- views as copies -----------------------------------------------------------------------------


def _copied(name: str, view: Any) -> Any:
    def copied(input: Tensor, *args: Any, **keywords: Any) -> Any:
        seen = view(input, *args, **keywords)
        return tuple([movement.clone(x) for x in seen]) if isinstance(seen, tuple) else movement.clone(seen)

    copied.__name__, copied.__doc__ = name, "%s as a copy." % name[:-5]
    return copied


@function
def as_strided_scatter(input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """A copy of input with src in the place of as_strided."""
    return strided.replaced(
        input, src, lambda x: strided.as_strided(x, size, stride, storage_offset), "as_strided_scatter"
    )


_VIEWS = dict(
    as_strided=as_strided, diagonal=diagonal, expand=expand, narrow=movement.narrow, permute=permute,
    select=movement.select, split=movement.split, squeeze=squeeze, t=t, transpose=transpose, unbind=unbind,
    unfold=unfold, unsqueeze=unsqueeze, view=view,
)  # fmt: skip
globals().update({name + "_copy": _copied(name + "_copy", view) for name, view in _VIEWS.items()})


__all__ = [
    "as_strided_scatter", "clone", "numel",
    *[name + "_copy" for name in _VIEWS],  # pyright: ignore[reportUnsupportedDunderAll]
]  # fmt: skip
METHODS = {
    **{kind: property(lambda x: False) for kind in KINDS},
    "is_cpu": property(lambda x: x.device.type == "cpu"), "layout": property(lambda x: types.strided),
    "get_device": get_device, "is_pinned": lambda x: False, "is_shared": lambda x: False, "pin_memory": itself,
    "share_memory_": itself, "sum_to_size": sum_to_size, "unsafe_split_with_sizes": split_with_sizes,
    "itemsize": property(element_size), "nbytes": property(nbytes), "as_strided_": as_strided_, "clone": clone,
    "contiguous": contiguous, "data_ptr": data_ptr, "element_size": element_size, "fill_diagonal_": set_diagonal_,
    "is_contiguous": is_contiguous, "is_set_to": is_set_to, "ndimension": ndimension, "nelement": numel,
    "numel": numel, "resize_": resize_, "resize_as_": resize_as_, "squeeze_": squeeze_,
    "storage_offset": storage_offset, "stride": stride, "swapaxes_": transpose_, "swapdims_": transpose_, "t_": t_,
    "transpose_": transpose_, "unsqueeze_": unsqueeze_, "untyped_storage": untyped_storage,
    "as_strided_scatter": as_strided_scatter, "narrow_copy": _copied("narrow_copy", movement.narrow),
}  # fmt: skip
LIMITED = {
    "clone": "a copy is dense and row-major; PyTorch's keeps the order of a transposed tensor's memory",
    "contiguous": "memory_format: the dense one alone",
}
