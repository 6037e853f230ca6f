"""A tensor as another element type or on another device, and what the types say."""

from __future__ import annotations

from typing import Any

from ..core.factory import to as moved
from ..core.tensor import DTYPES, Tensor, bool_
from ..core.tensor import dtype as DType
from ..ops import elementwise
from . import types
from .keywords import Unsupported, function, unsupported

NAMES = {
    "float": "float32", "double": "float64", "half": "float16", "bfloat16": "bfloat16", "long": "int64",
    "int": "int32", "short": "int16", "char": "int8", "byte": "uint8", "bool": "bool",
}  # fmt: skip
CLASSES = {
    "FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "BFloat16Tensor": "bfloat16",
    "LongTensor": "int64", "IntTensor": "int32", "ShortTensor": "int16", "CharTensor": "int8", "ByteTensor": "uint8",
    "BoolTensor": "bool",
}  # fmt: skip


def _as(name: str) -> Any:
    dtype = DTYPES[NAMES[name]]

    def method(self: Tensor, memory_format: Any = None) -> Tensor:
        return self._cast(dtype)

    method.__name__, method.__doc__ = name, "self as %s." % dtype.name
    return method


def to(self: Tensor, *args: Any, **named: Any) -> Tensor:
    """self as another dtype, on another device, or both; or as `other`, a tensor, is.

    to(dtype), to(device, dtype=None), to(other), each with non_blocking, copy and memory_format.
    Itself where nothing changes, unless copy is true.
    """
    given = dict(named)
    positional = list(args)
    device, dtype = given.pop("device", None), given.pop("dtype", None)
    other = given.pop("other", None)
    if positional:
        first = positional.pop(0)
        if isinstance(first, Tensor):
            other = first
        elif isinstance(first, DType):
            dtype = first
        else:
            device = first
            if positional and (positional[0] is None or isinstance(positional[0], DType)):
                dtype = positional.pop(0)
    for name, value in zip(("non_blocking", "copy", "memory_format"), positional):
        given.setdefault(name, value)
    copy = given.pop("copy", False)
    given.pop("non_blocking", None)
    given.pop("memory_format", None)  # the values are the same
    if given:
        raise TypeError("to() got an unexpected keyword argument %r" % next(iter(given)))
    if other is not None:
        device, dtype = other.device, other._dtype
    if dtype is not None and not isinstance(dtype, DType):
        raise TypeError("to(): dtype must be a torch.dtype, not %s" % type(dtype).__name__)
    out = self
    if dtype is not None:
        out = out._cast(dtype)
    if device is not None:
        place = types.resolve(device)
        if place is not out.device:
            out = moved(out, place)
    return out.clone() if copy and out is self else out


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False, **named: Any) -> Any:
    """The name of self's type ("torch.FloatTensor"), or self as a dtype, a type or its name."""
    if dtype is None:
        name = next(name for name, kind in CLASSES.items() if kind == self._dtype.name)
        return "torch.%s%s" % ("" if self.device.type == "cpu" else self.device.type + ".", name)  # pyright: ignore
    if isinstance(dtype, DType):
        return self._cast(dtype)
    name = dtype if isinstance(dtype, str) else "torch." + getattr(dtype, "__name__", "?")
    if name.startswith("torch.cuda."):
        raise ValueError("type %r is not available: there is no CUDA here; use %r" % (name, "torch." + name[11:]))
    kind = CLASSES.get(name[6:]) if name.startswith("torch.") else None
    if kind is None:
        raise ValueError("invalid type: %r" % (name,))
    return self._cast(DTYPES[kind])


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """self in the dtype of `other`, on its device."""
    if not isinstance(other, Tensor):
        raise TypeError("type_as(): argument 'other' (position 1) must be Tensor, not %s" % type(other).__name__)
    return to(self, other)


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """self on the CPU."""
    return to(self, types.cpu())


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """AssertionError: there is no CUDA here."""
    return to(self, types.found("cuda") if device is None else device)


@function
def is_floating_point(input: Tensor) -> bool:
    """Whether input is of a float dtype."""
    return input._dtype.is_floating_point


@function
def is_complex(input: Tensor) -> bool:
    """False: numbers are real here."""
    return False


def is_signed(input: Tensor) -> bool:
    """Whether input's dtype has negative numbers."""
    return input._dtype.name != "uint8" and input._dtype is not bool_


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether both have one shape."""
    return input._shape == other._shape


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype of an arithmetic result of two tensors or numbers."""
    return elementwise.result_type(tensor1, tensor2)


def promote_types(type1: DType, type2: DType) -> DType:
    """The smallest dtype that holds the numbers of both."""
    for kind in (type1, type2):
        if not isinstance(kind, DType):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("promote_types(): arguments must be torch.dtype, not %s" % type(kind).__name__)
    return elementwise.promote_types(type1, type2)


def can_cast(from_: DType, to: DType) -> bool:
    """Whether PyTorch's promotion lets a result of dtype `from_` be stored as `to`."""
    for place, x in enumerate((from_, to), 1):
        if not isinstance(x, DType):
            names = "from_", "to"
            raise TypeError(
                "can_cast(): argument '%s' (position %d) must be torch.dtype, not %s"
                % (names[place - 1], place, type(x).__name__)
            )
    if from_.is_floating_point and not to.is_floating_point:
        return False
    return to is not bool_ or from_ is bool_


def complex(real: Any, imag: Any) -> Tensor:
    """Unsupported: there are no complex numbers here."""
    raise Unsupported(
        "torch.complex is not in TinyGPT's subset: there are no complex numbers; keep the real and the imaginary "
        "part as two tensors"
    )


def _complex(name: str) -> Any:
    def method(self: Tensor, memory_format: Any = None) -> Tensor:
        unsupported(name, "dtype", "complex", "there are no complex numbers; keep two tensors")

    method.__doc__ = "Unsupported: there are no complex numbers here."
    return method


__all__ = [
    "can_cast", "complex", "is_complex", "is_floating_point", "is_same_size", "is_signed", "promote_types",
    "result_type",
]  # fmt: skip
METHODS: dict[str, Any] = {
    **{name: _as(name) for name in NAMES},
    **{name: _complex(name) for name in ("cfloat", "cdouble", "chalf")},
    "to": to, "type": type_, "type_as": type_as, "cpu": cpu, "cuda": cuda, "is_floating_point": is_floating_point,
    "is_complex": is_complex, "is_signed": is_signed, "is_same_size": is_same_size,
}  # fmt: skip
LIMITED = {
    "to": "NaN is 0 as an integer (PyTorch's is the processor's); memory_format changes no strides; a move to another "
    "device has no gradient",
    "complex": "refused: there are no complex numbers; keep the real and the imaginary part as two tensors",
}
