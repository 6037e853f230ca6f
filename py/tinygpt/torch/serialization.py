"""torch.save and torch.load: PyTorch's files, both ways, without executing a pickle.

What is saved and read: tensors of all dtypes (views share their storage as in PyTorch), Parameters,
numbers, text, bytes, None, lists, tuples, sets, dicts, OrderedDicts, Counters, sizes, dtypes and
devices; so the state_dicts of modules, optimizers and schedules. Anything else is refused by the
name of its class.
"""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from pickle import UnpicklingError
from typing import Any

from ..core.current_device import get_device
from ..core.tensor import DTYPES, Storage, Tensor, bool_
from ..devices.base import Device
from ..nn import Parameter
from ..storage import torch_file
from ..storage.safetensors_file import CheckpointError
from ..storage.torch_file import Sizes, StoredName, StoredTensor
from . import types
from .keywords import refuse

NAMES = {
    "float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
KINDS = {stored: DTYPES[name] for name, stored in NAMES.items()}


class LoadError(CheckpointError, UnpicklingError):
    """A file that is damaged, or that holds what cannot be read without running code."""


# ---- saving -------------------------------------------------------------------------------------


def save(
    obj: Any, f: Any, pickle_module: Any = None, pickle_protocol: int = 2, _use_new_zipfile_serialization: bool = True
) -> None:
    """Writes obj to a file that PyTorch's torch.load reads.

    f: a path, or a file object with write(). TypeError for what is neither a tensor nor plain.
    """
    if pickle_module is not None and getattr(pickle_module, "__name__", "") != "pickle":
        refuse("save", pickle_module=pickle_module)
    refuse("save", _use_new_zipfile_serialization=not _use_new_zipfile_serialization)
    if not isinstance(f, (str, os.PathLike)) and not hasattr(f, "write"):
        raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")
    data = torch_file.write(obj, _Stored())
    if isinstance(f, (str, os.PathLike)):
        with open(f, "wb") as file:
            file.write(data)
    else:
        f.write(data)


class _Stored:
    """Tensors and PyTorch's names as the file has them; the bytes of a storage are read once."""

    def __init__(self) -> None:
        self.bytes: dict[Any, Any] = {}

    def __call__(self, value: Any) -> StoredTensor | StoredName | None:
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, types.dtype):
            return StoredName("dtype", value.name)
        if isinstance(value, types.Size):
            return StoredName("Size", tuple(value))
        if isinstance(value, types.Elsewhere):
            return StoredName("device", (value.type,) if value.index is None else (value.type, value.index))
        if isinstance(value, Device):
            return StoredName("device", ("webgpu" if value.volatile else "cpu",))
        return None

    def _tensor(self, x: Tensor) -> StoredTensor:
        kind, storage = x._dtype, x._storage
        key = (storage.uid, storage.base, storage.nbytes, kind.name) if x.numel() else kind.name
        if key not in self.bytes:
            nbytes = storage.nbytes // kind.itemsize * kind.itemsize if x.numel() else 0
            data = storage.device.download(storage.handle, nbytes, storage.base) if nbytes else b""
            self.bytes[key] = data[::4] if kind is bool_ else data
        place = tuple(x._shape), tuple(x._strides), x._offset if x.numel() else 0, key, self.bytes[key]
        return StoredTensor(NAMES[kind.name], *place, bool(x.requires_grad), isinstance(x, Parameter))


# ---- loading ------------------------------------------------------------------------------------


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """What torch.save, PyTorch's or this one, wrote.

    f: a path, or a file object with read() and seek(). map_location: a device for all tensors, a
    dict by the device they were on, or a function of (storage, place). weights_only=False reads no
    more: no code of a file is run. UnpicklingError for what is no such file or holds other objects.
    """
    if pickle_module is not None and getattr(pickle_module, "__name__", "") != "pickle":
        refuse("load", pickle_module=pickle_module)
    pickle_load_args.pop("encoding", None)
    refuse("load", **pickle_load_args)
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            data = file.read()
    else:
        for name in ("seek", "read"):
            if not hasattr(f, name):
                raise AttributeError(
                    "'%s' object has no attribute '%s'. You can only torch.load from a file that is seekable. Please "
                    "pre-load the data into a buffer like io.BytesIO and try to load from it instead."
                    % (type(f).__name__, name)
                )
        if mmap:
            raise RuntimeError("f must be a string filename in order to use mmap argument")
        data = f.read()
    if not data:
        raise EOFError("Ran out of input")
    try:
        return Loaded(map_location).value(torch_file.read(data))
    except LoadError:
        raise
    except CheckpointError as error:
        raise LoadError("Weights only load failed. %s" % error) from None


class Loaded:
    """The values of a file: its containers with tensors on their devices. What was one object in
    the file is one.
    """

    def __init__(self, map_location: Any) -> None:
        self.map_location = map_location
        self.storages: dict[Any, Storage] = {}
        self.made: dict[int, tuple[Any, Any]] = {}  # by id: what was read, and its value

    def value(self, read: Any) -> Any:
        found = self.made.get(id(read))
        if found is not None:
            return found[1]
        value = self._made(read)
        self.made[id(read)] = read, value
        return value

    def _made(self, read: Any) -> Any:
        if read is None or type(read) in (int, float, bool, str, bytes):
            return read
        if isinstance(read, StoredTensor):
            return self._tensor(read)
        if isinstance(read, StoredName):
            return types.device(*read.value) if read.kind == "device" else DTYPES[read.value]
        if isinstance(read, Sizes):
            return types.Size(read)
        if type(read) in (dict, OrderedDict, Counter):
            return type(read)({self.value(key): self.value(item) for key, item in read.items()})
        if type(read) in (list, tuple, set):
            return type(read)(self.value(item) for item in read)
        raise LoadError("Weights only load failed. The file holds a %s; %s" % (type(read).__name__, torch_file.ADVICE))

    def _tensor(self, read: StoredTensor) -> Tensor:
        kind = KINDS[read.dtype]
        place = self._place(read.location)
        key = read.key, place.name
        if key not in self.storages:
            data: Any = read.data
            if kind is bool_:
                data = bytearray(4 * len(read.data))
                data[::4] = bytes(read.data)
            storage = Storage(place, max(-(-len(data) // 4) * 4, 4), kind.kind)
            if len(data):
                place.upload(storage.handle, bytes(data) + bytes(-len(data) % 4), 0)
            self.storages[key] = storage
        cls = Parameter if read.is_parameter else Tensor
        out = Tensor.__new__(cls)
        Tensor.__init__(out, self.storages[key], read.shape, kind, read.offset, read.stride, read.requires_grad)
        return out

    def _place(self, location: str) -> Device:
        """The device of a tensor that was on `location`."""
        wanted = self.map_location
        if isinstance(wanted, dict):
            wanted = wanted.get(location, location)
        elif callable(wanted) and not isinstance(wanted, (str, types.device)):
            stand_in = _Place(location)
            wanted = wanted(stand_in, location)
            wanted = location if wanted is None else wanted.location if isinstance(wanted, _Place) else wanted
        elif wanted is None:
            wanted = location
        if self.map_location is None and location.startswith("cuda"):
            raise RuntimeError(
                "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are "
                "running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map "
                "your storages to the CPU."
            )
        return get_device() if wanted == "cpu" and not get_device().volatile else types.resolve(wanted)


class _Place:
    """What a function given as map_location gets for a storage."""

    def __init__(self, location: str) -> None:
        self.location = "cpu"  # a storage is read on the CPU

    def cpu(self) -> _Place:
        """The storage itself: it is on the CPU."""
        return self

    def cuda(self, device: Any = None) -> _Place:
        """RuntimeError: there is no CUDA."""
        raise RuntimeError(types.unavailable("cuda"))


def add_safe_globals(safe_globals: list[Any]) -> None:
    """RuntimeError: no class is read."""
    names = ", ".join(getattr(g, "__name__", str(g)) for g in safe_globals)
    raise RuntimeError(
        "add_safe_globals(%s) is not in TinyGPT's subset: torch.load reads tensors, numbers, text and plain "
        "containers; save the object's fields as a dict" % names
    )


__all__ = ["load", "save"]
LIMITED = {
    "load": "tensors, numbers, text and plain containers; no code of a file is run, with weights_only=False too",
    "save": "tensors, numbers, text and plain containers: of a module its state_dict(), not the module",
}
