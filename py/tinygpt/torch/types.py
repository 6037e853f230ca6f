"""Element types, sizes and devices under PyTorch's names."""

from __future__ import annotations

import builtins
import math
import sys
from typing import Any

from .. import devices
from ..core import current_device
from ..core.state import state
from ..core.tensor import (
    DTYPES,
    Tensor,
    bfloat16,
    bool_,
    dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    numel_of,
    uint8,
    whole_number,
)
from ..devices.base import Device
from . import front

bool = bool_  # noqa: A001
float, double, half = float32, float64, float16  # noqa: A001
long, int, short = int64, int32, int16  # noqa: A001


# ---- element types ------------------------------------------------------------------------------


def _is_signed(self: dtype) -> builtins.bool:
    return self.is_floating_point or self.name not in ("uint8", "bool")


front.extend(
    dtype,
    {
        "is_signed": property(_is_signed),
        "is_complex": property(lambda self: False),
        "to_complex": lambda self: _no_complex(),
        "to_real": lambda self: self,
    },
)


def _no_complex() -> Any:
    raise NotImplementedError("complex numbers are not in TinyGPT's subset; keep the real and the imaginary part apart")


_FLOATS = {  # bits, significand, largest exponent, decimal digits that survive
    "float64": (64, 52, 1023, 15),
    "float32": (32, 23, 127, 6),
    "float16": (16, 10, 15, 3),
    "bfloat16": (16, 7, 127, 2),
}


class finfo:
    """The limits of a float dtype: bits, eps, max, min, tiny, smallest_normal, resolution."""

    def __init__(self, type: dtype | None = None) -> None:
        kind = DTYPES[state.real] if type is None else type
        if kind.name not in _FLOATS:
            raise TypeError("torch.finfo() requires a floating point input type. Use torch.iinfo to handle %r" % kind)
        self.bits, significand, exponent, digits = _FLOATS[kind.name]
        self.dtype, self.eps = kind.name, 2.0**-significand
        self.max = (2 - self.eps) * 2.0**exponent
        self.min, self.tiny = -self.max, 2.0 ** (1 - exponent)
        self.smallest_normal, self.resolution = self.tiny, builtins.float("1e-%d" % digits)

    def __repr__(self) -> str:
        values = ["%s=%s" % (name, _short(getattr(self, name))) for name in ("resolution", "min", "max", "eps")]
        values += ["%s=%s" % (name, _short(getattr(self, name))) for name in ("smallest_normal", "tiny")]
        return "finfo(%s, dtype=%s)" % (", ".join(values), self.dtype)


def _short(value: builtins.float) -> str:
    return "%g" % value


class iinfo:
    """The limits of an integer dtype: bits, max, min."""

    def __init__(self, type: dtype) -> None:
        if type.is_floating_point or type is bool_ or type.limits is None:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle %r" % type)
        self.bits, self.dtype = 8 * type.itemsize, type.name
        self.min, self.max = type.limits

    def __repr__(self) -> str:
        return "iinfo(min=%d, max=%d, dtype=%s)" % (self.min, self.max, self.dtype)


def get_default_dtype() -> dtype:
    """The dtype of a Python float: float32 at first."""
    return DTYPES[state.real]


def set_default_dtype(d: dtype) -> None:
    """Makes `d`, a float dtype, that of Python floats."""
    if not isinstance(d, dtype):
        raise TypeError("invalid dtype object: only floating-point types are supported as the default type")
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    state.real = d.name


def set_default_tensor_type(t: Any) -> None:
    """As set_default_dtype, of a tensor type or its name: "torch.DoubleTensor"."""
    name = (t if isinstance(t, str) else getattr(t, "__name__", str(t))).rpartition(".")[2]
    kinds = {"FloatTensor": float32, "DoubleTensor": float64, "HalfTensor": float16, "BFloat16Tensor": bfloat16}
    if name not in kinds:
        raise TypeError("invalid type object: only floating-point types are supported as the default type")
    set_default_dtype(kinds[name])


# ---- sizes --------------------------------------------------------------------------------------


class Size(tuple):  # type: ignore[type-arg]
    """The sizes of a tensor: a tuple of ints."""

    __slots__ = ()

    def __new__(cls, sizes: Any = ()) -> Size:
        return tuple.__new__(cls, [n if type(n) is builtins.int else whole_number(n, "a size") for n in sizes])

    def numel(self) -> builtins.int:
        """The number of elements of a tensor of this size."""
        return numel_of(self)

    def __repr__(self) -> str:
        return "torch.Size([%s])" % ", ".join([str(n) for n in self])

    __str__ = __repr__

    def __getitem__(self, key: Any) -> Any:
        found = tuple.__getitem__(self, key)
        return _size(found) if type(key) is slice else found

    def __add__(self, other: Any) -> Any:
        return _size(tuple.__add__(self, other)) if isinstance(other, tuple) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return _size(tuple.__add__(other, self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, other: Any) -> Any:
        return _size(tuple.__mul__(self, other))

    __rmul__ = __mul__

    def __reduce__(self) -> Any:
        return Size, (tuple(self),)


def _size(sizes: tuple[builtins.int, ...]) -> Size:
    return tuple.__new__(Size, sizes)


def _shape(self: Tensor) -> Size:
    return _size(self._shape)


def size(self: Tensor, dim: Any = None) -> Any:
    """The sizes, or that of dimension dim."""
    if dim is None:
        return _size(self._shape)
    if not -len(self._shape) <= dim < len(self._shape):
        raise IndexError(
            "Dimension out of range (expected to be in range of [%d, %d], but got %d)"
            % (-max(1, len(self._shape)), max(1, len(self._shape)) - 1, dim)
        )
    return self._shape[dim]


def _set_shape(self: Tensor, value: object) -> None:
    raise AttributeError("attribute 'shape' of 'torch._C.TensorBase' objects is not writable")


# ---- devices ------------------------------------------------------------------------------------
#
# A tensor's device is the package's Device. torch.device("cpu") is the current one of the CPU.


class Elsewhere:
    """A device that is not here, such as "cuda": it may be named, and compared, and nothing can be
    made on it.
    """

    def __init__(self, type: str, index: builtins.int | None = None) -> None:
        self.type, self.index = type, index

    def __repr__(self) -> str:
        return "device(type=%r%s)" % (self.type, "" if self.index is None else ", index=%d" % self.index)

    def __str__(self) -> str:
        return self.type if self.index is None else "%s:%d" % (self.type, self.index)

    def __eq__(self, other: object) -> builtins.bool:
        return isinstance(other, Elsewhere) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> builtins.int:
        return hash((self.type, self.index))

    def __enter__(self) -> Elsewhere:
        raise RuntimeError(unavailable(self.type))

    def __exit__(self, *exc: object) -> None:
        pass


KNOWN = "cpu cuda ipu xpu mkldnn opengl opencl ideep hip ve fpga maia xla lazy vulkan mps meta hpu mtia webgpu".split()


def unavailable(type: str) -> str:
    """The sentence on a device that is not here."""
    return (
        'Torch not compiled with %s enabled: TinyGPT runs in a browser, whose GPU is the device "webgpu"; use '
        'torch.device("webgpu") or "cpu"' % type.upper()
    )


class _DeviceMeta(type):
    def __instancecheck__(cls, instance: object) -> builtins.bool:
        return isinstance(instance, (Device, Elsewhere))

    def __call__(cls, type: Any, index: builtins.int | None = None) -> Any:
        return found(type, index)


class device(metaclass=_DeviceMeta):
    """torch.device("cpu"), ("webgpu"), or the name of one that is not here."""


def found(name: Any, index: builtins.int | None = None) -> Any:
    """The device that a name, an index or a device stands for."""
    if isinstance(name, (Device, Elsewhere)):
        return name
    if isinstance(name, builtins.int) and not isinstance(name, builtins.bool):
        return Elsewhere("cuda", name)
    if not isinstance(name, str):
        raise TypeError("device(): argument 'type' must be str, not %s" % type(name).__name__)
    kind, colon, number = name.partition(":")
    if colon and index is not None:
        raise RuntimeError("type (string) must not include an index because index was passed explicitly: %s" % name)
    if colon:
        if not number.isdigit():
            raise RuntimeError("Invalid device string: %r" % name)
        index = builtins.int(number)
    if kind in devices.NAMES and kind not in KNOWN:
        return current_device.get_device(kind)
    if kind not in KNOWN:
        raise RuntimeError("Expected one of %s device type at start of device string: %s" % (", ".join(KNOWN), name))
    if kind == "cpu":
        return cpu()
    if kind == "webgpu":
        return devices.get("webgpu")
    return Elsewhere(kind, index)


def cpu() -> Device:
    """The Device of the CPU: the current one, or the first that runs here."""
    current = current_device.get_device()
    if not current.volatile:
        return current
    return devices.get("wasm" if sys.platform == "emscripten" else "native")


def resolve(name: Any) -> Any:
    """What `device=` stands for where something is made on it. RuntimeError (or AssertionError for
    CUDA, as PyTorch's) where it is not here.
    """
    place = found(name)
    if isinstance(place, Elsewhere):
        raise (AssertionError if place.type == "cuda" else RuntimeError)(unavailable(place.type))
    return place


def _type(self: Device) -> str:
    return "webgpu" if self.volatile else "cpu"


front.extend(
    Device,
    {
        "type": property(_type),
        "index": None,
        "__repr__": lambda self: "device(type=%r)" % self.type,
        "__str__": lambda self: self.type,
        "__enter__": lambda self: _entered(self),
        "__exit__": lambda self, *exc: _left(self),
    },
)
_outer: list[Any] = []


def _entered(self: Device) -> Device:
    """`with torch.device(...)`: new tensors are made on it."""
    _outer.append(state.device)
    state.device = self
    return self


def _left(self: Device) -> None:
    state.device = _outer.pop()


def set_default_device(device: Any) -> None:
    """Makes `device` that of new tensors; None: the CPU."""
    state.device = cpu() if device is None else resolve(device)


def get_default_device() -> Device:
    """The device of new tensors."""
    return current_device.get_device()


def _enter() -> None:
    state.resolve = resolve


def _leave() -> None:
    state.resolve = None


front.on_switch(_enter, _leave)
front.extend(Tensor, {"shape": property(_shape, _set_shape), "size": size})


class strided_layout:
    """torch.strided: the one layout."""

    def __repr__(self) -> str:
        return "torch.strided"


class memory_format:
    """torch.contiguous_format and the like: where the elements of a tensor stand."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return "torch." + self.name


strided = strided_layout()
contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last, channels_last_3d = memory_format("channels_last"), memory_format("channels_last_3d")
inf, nan, pi, e = math.inf, math.nan, math.pi, math.e
newaxis = None

__all__ = [
    "Size", "Tensor", "bfloat16", "bool", "channels_last", "channels_last_3d", "contiguous_format", "device", "double",
    "dtype", "e", "finfo", "float", "float16", "float32", "float64", "get_default_device", "get_default_dtype", "half",
    "iinfo", "inf", "int", "int16", "int32", "int64", "int8", "long", "memory_format", "nan", "newaxis", "pi",
    "preserve_format", "set_default_device", "set_default_dtype", "set_default_tensor_type", "short", "strided",
    "uint8",
]  # fmt: skip
LIMITED = {
    "channels_last": "a tensor keeps its dense layout: the values are the same, the strides are not",
    "device": 'the CPU\'s device has no index; "cuda" may be named and compared, and nothing is made on it',
    **dict.fromkeys(
        ("int64", "long"), "on webgpu it is held in 32 bits: a number or a result that leaves them raises, none wraps"
    ),
    **dict.fromkeys(("float64", "double"), "refused on webgpu, as are the types of 8 and 16 bits"),
}
