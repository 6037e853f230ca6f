"""NumPy beside tensors: arrays and tensors over the same memory where the device's memory is the
process's own (natively), and the result of NumPy's functions as a tensor.
"""

from __future__ import annotations

from typing import Any

from ..core import factory
from ..core import tensor as core
from ..core.current_device import get_device
from ..core.tensor import BorrowedStorage, Storage, Tensor, bfloat16, bool_, numel_of

__all__ = []


class ArrayStorage(BorrowedStorage):
    """The memory of a NumPy array, which it keeps alive."""

    __slots__ = ("array",)

    def __init__(self, device: Any, array: Any, nbytes: int, kind: str) -> None:
        self.device, self.array, self.handle, self.nbytes, self.kind = device, array, array.ctypes.data, nbytes, kind
        self.base = self.pins = self.version = 0
        self.owner, self.int8, self.uid = None, None, next(core._uids)


def shared(array: Any, device: Any) -> Tensor | None:
    """A tensor over an array's memory; None where the device has memory of its own, and of bools,
    which have another form there, of what cannot be written, and of strides between elements.

    ValueError for a negative stride.
    """
    if any(step < 0 for step in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently supported. (You can probably work around this by making a copy of your array with array.copy().)"
        )
    dtype, size = core.DTYPES.get(array.dtype.name), array.dtype.itemsize
    if dtype is None or dtype is bool_ or device.name != "native" or not array.size:
        return None
    if not array.flags.writeable or not array.dtype.isnative or any(step % size for step in array.strides):
        return None
    strides = tuple([step // size for step in array.strides])
    nbytes = size * (1 + sum([(n - 1) * step for n, step in zip(array.shape, strides)]))
    storage = ArrayStorage(device, array, nbytes, dtype.kind)
    return Tensor(storage.piece(0, nbytes), tuple(array.shape), dtype, 0, strides)


def numpy(self: Tensor, *, force: bool = False) -> Any:
    """An array over the tensor's memory; a read-only copy of bools, and where the device's memory
    is not the process's own. RuntimeError where a gradient is recorded, unless force.
    """
    import ctypes  # of no use in the tab

    import numpy as np  # optional: code without it does not load it

    if force:
        self = self.detach()
    elif self.requires_grad:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    dtype, storage = self._dtype, self._storage
    if dtype is bfloat16:
        raise TypeError("Got unsupported ScalarType BFloat16")
    kind = np.dtype(dtype.name)
    if dtype is bool_ or storage.device.name != "native" or not numel_of(self._shape):
        copy = np.frombuffer(self.tobytes(), dtype="i4" if dtype is bool_ else kind).reshape(self._shape).astype(kind)
        copy.flags.writeable = False  # a write would not be seen in the tensor
        return copy
    memory: Any = (ctypes.c_char * storage.nbytes).from_address(storage.handle + storage.base)
    memory.storage = _owned(storage)  # the array keeps it
    strides = tuple([step * dtype.itemsize for step in self._strides])
    return np.ndarray(self._shape, kind, memory, self._offset * dtype.itemsize, strides)


def _owned(storage: BorrowedStorage) -> BorrowedStorage:
    """What keeps the memory of `storage`, also where its tensors move to other (`settle`)."""
    while storage.owner is not None:
        storage = storage.owner
    return storage.hand_over() if isinstance(storage, Storage) else storage


def _array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Any:
    out = numpy(self)
    if dtype is not None:
        out = out.astype(dtype, copy=False)
    return out.copy() if copy else out


def _array_wrap(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
    """The result of a function of NumPy, whose input was this tensor, as a tensor."""
    if array.dtype.kind == "b":
        array = array.astype("uint8")
    made = shared(array, get_device())
    return factory.tensor(array) if made is None else made


METHODS = {"numpy": numpy, "__array__": _array, "__array_wrap__": _array_wrap, "__array_priority__": 1000}
LIMITED = {
    "numpy": "a copy that cannot be written (.copy() of it can) of bools, and in the tab, where tensors have memory "
    "of their own",
}
