"""Copies of tensors: copy.deepcopy, copy.copy and pickle, with PyTorch's rules.

A deep copy has memory of its own; tensors that share memory share it in the copy too. The gradient
of a plain tensor is copied and that of a Parameter is not. A shallow copy is another leaf over the
same memory. A pickle holds the bytes, and opens on the device that it came from where that runs.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ..graph import program
from .current_device import get_device
from .tensor import DTYPES, BorrowedStorage, Storage, Tensor, int32, row_major

if TYPE_CHECKING:
    from .tensor import Shape
    from .tensor import dtype as DType

# Attributes that stay behind: a place in an optimizer's arena (optim.Flat), hooks of the gradient.
_OWNED = ("owner", "_hooks", "_accumulated_hooks")


def _leaf(x: Tensor, storage: BorrowedStorage, offset: int, strides: Shape) -> Any:
    """A leaf of x's class over `storage`."""
    out = Tensor.__new__(type(x))
    Tensor.__init__(out, storage, x._shape, x._dtype, offset, strides, x.requires_grad)
    return out


def _copied(storage: BorrowedStorage) -> Storage:
    """A Storage with the same contents on the same device."""
    device, nbytes, kind = storage.device, storage.nbytes, storage.kind
    out = Storage(device, nbytes, kind)
    if kind == "int8":
        device.upload(out.handle, device.download(storage.handle, nbytes), 0)
    else:
        dtype = DTYPES[kind] if kind in ("float32", device.halved) else int32
        program.copy(*(Tensor(place, (nbytes // dtype.itemsize,), dtype) for place in (out, storage)))
    out.int8 = storage.int8
    return out


def _dense(x: Tensor) -> Any:
    """A dense copy of x alone."""
    strides = row_major(x._shape)
    source = x.detach()
    if x.is_contiguous() and x._storage.nbytes == max(x.numel() * x._dtype.itemsize, 4):
        return _leaf(x, _copied(x._storage), 0, strides)
    return _leaf(x, source.clone()._storage, 0, strides)


def deepcopy(self: Tensor, memo: dict[Any, Any]) -> Tensor:
    """copy.deepcopy. RuntimeError for the result of a recorded op, which is no leaf."""
    if id(self) in memo:
        return memo[id(self)]
    if self._node is not None:
        raise RuntimeError(
            "only leaf tensors can be deep-copied, and this one, of shape %s, was made by a recorded op; "
            "use .detach()" % list(self._shape)
        )
    if type(self) is not Tensor:  # a Parameter may be in an optimizer's arena, which is not copied
        out = _dense(self)
    else:
        key = "storage", self._storage.uid, self._storage.base, self._storage.nbytes
        if key not in memo:
            memo[key] = _copied(self._storage)
        out = _leaf(self, memo[key], self._offset, self._strides)
        if self._grad is not None:
            out._grad = _dense(self._grad)
    memo[id(self)] = out
    if type(self) is Tensor:  # a Parameter's own attributes stay behind, as in PyTorch
        out.__dict__.update({n: copy.deepcopy(v, memo) for n, v in self.__dict__.items() if n not in _OWNED})
    return out


def shallow(self: Tensor) -> Tensor:
    """copy.copy: another leaf over the same memory, without the gradient."""
    out = _leaf(self, self._storage, self._offset, self._strides)
    out.__dict__.update({n: v for n, v in self.__dict__.items() if n not in _OWNED})
    return out


def reduce_ex(self: Tensor, protocol: Any) -> tuple[Any, ...]:
    """pickle: the contents, and all that makes the tensor but for its gradient."""
    attributes = {n: v for n, v in self.__dict__.items() if n not in _OWNED}
    facts = type(self), self._shape, self._dtype, self.requires_grad, self.device.name, attributes
    return _opened, (*facts, self.tobytes())


def _opened(
    kind: type[Tensor],
    shape: Shape,
    dtype: DType,
    requires_grad: bool,
    device: str,
    attributes: dict[str, Any],
    data: bytes,
) -> Tensor:
    try:
        place = get_device(device)
    except (ValueError, RuntimeError, ImportError):  # it does not run here
        place = get_device()
    storage = Storage(place, max(len(data), 4), dtype.kind)
    out = Tensor.__new__(kind)
    Tensor.__init__(out, storage, shape, dtype, 0, None, requires_grad)
    Tensor(storage, shape, dtype).copy_bytes_(data)
    out.__dict__.update(attributes)
    return out


Tensor.__deepcopy__ = deepcopy
Tensor.__copy__ = shallow
Tensor.__reduce_ex__ = reduce_ex
