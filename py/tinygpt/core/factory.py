"""New tensors: uninitialised, filled, from Python data and NumPy arrays, or a copy on another
device (`Tensor.to`).
"""

# Values of any type are taken apart here, which strict mode calls unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import array
from typing import TYPE_CHECKING, Any

from .. import kernels
from ..graph.program import launch
from .current_device import get_device
from .eager import in_c
from .quoting import quoted
from .state import state
from .tensor import (
    DTYPES,
    RangeError,
    Storage,
    Tensor,
    bool_,
    fitted,
    float16,
    float32,
    int32,
    int64,
    ints_of,
    numel_of,
)
from .tensor import dtype as DType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..devices.base import Device
    from .tensor import Shape


def shape_of(args: Sequence[Any]) -> Shape:
    """(2, 3), ([2, 3],) or ((2, 3),) as a tuple of ints; sentences for anything else."""
    shape = ints_of(args)
    for n in shape:
        if n < 0:
            raise RuntimeError("trying to create a tensor with negative dimension %d: %s" % (n, quoted(list(shape))))
    return shape


def empty(
    *shape: int | Sequence[int],
    dtype: DType = float32,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """An uninitialised tensor."""
    sizes = shape_of(shape)
    place = get_device(device)
    storage = Storage(place, max(numel_of(sizes) * dtype.itemsize, 4), dtype.kind)
    return Tensor(storage, sizes, dtype, requires_grad=requires_grad)


@in_c
def like(x: Tensor, shape: Shape | None = None, dtype: DType | None = None) -> Tensor:
    """An uninitialised dense tensor on x's device; x's shape and dtype unless given."""
    shape = x._shape if shape is None else shape
    dtype = x._dtype if dtype is None else dtype
    return Tensor(
        Storage(
            x._storage.device,
            max(numel_of(shape) * dtype.itemsize, 4),
            dtype.kind,
        ),
        shape,
        dtype,
    )


def dtype_of_number(value: float) -> DType:
    """The dtype of a tensor that is made of a Python number."""
    return bool_ if isinstance(value, bool) else DTYPES[state.whole if isinstance(value, int) else state.real]


EXACT = 1 << 53  # the whole numbers up to here are float64 numbers: they travel as a kernel's parameter


def full(
    shape: Sequence[int],
    value: float,
    dtype: DType | None = None,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor filled with one number; the dtype follows the number unless given.

    RangeError (an OverflowError and a RuntimeError) for a number that int32 does not hold.
    """
    if isinstance(value, Tensor):  # of one element: PyTorch's Scalar
        value = value.item()
    dtype = dtype or dtype_of_number(value)
    value = fitted(value, dtype)
    out = empty(shape, dtype=dtype, device=device)
    if dtype is int64 and not -EXACT <= value <= EXACT:
        one = empty((), dtype=dtype, device=device).copy_bytes_(array.array("q", [value]))
        return one.expand(out._shape).contiguous()
    if out.numel():
        launch(kernels.fill, (out,), (dtype.code, out.numel(), float(value)))
    out._requires_grad = requires_grad
    return out


def tensor(
    data: Any, dtype: DType | None = None, device: Device | str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor from a number, nested lists, a bytes-like array or a NumPy array (a copy).

    dtype: from the data unless given (float: float32, int: int32, bool: bool). Ragged lists raise
    ValueError.
    """
    if isinstance(data, Tensor):
        out = data.detach().clone()
        out = out if dtype is None else out.to(dtype)
        return out.requires_grad_(requires_grad) if requires_grad else out
    shape, flat, kind = _flatten(data)
    dtype = dtype or kind
    out = empty(shape, dtype=dtype, device=device)
    if dtype.is_floating_point and dtype.computed is not dtype:  # a 16-bit float: rounded on the device
        out = tensor(flat, float32, device).reshape(shape)._cast(dtype)
        return out.requires_grad_() if requires_grad else out
    if not isinstance(flat, array.array) or flat.typecode != dtype.typecode:
        try:
            values = (
                (1 if v else 0 for v in flat)
                if dtype is bool_
                else (int(v) for v in flat)
                if not dtype.is_floating_point
                else flat
            )
            flat = array.array(dtype.typecode, values)
        except OverflowError:
            low, high = dtype.limits or (0, 0)
            raise RangeError("a value does not fit %r, which holds %d to %d" % (dtype, low, high)) from None
    out.copy_bytes_(flat)
    out._storage.version = 0
    return out.requires_grad_() if requires_grad else out


def _flatten(data: Any) -> tuple[Shape, Any, DType]:
    """(shape, flat values, dtype) of numbers, nested sequences or an array."""
    if hasattr(data, "__array__") and hasattr(data, "dtype"):
        import numpy  # optional: an array can only come from it

        kind = data.dtype.kind
        if kind not in "fiub":
            raise TypeError("cannot make a tensor of NumPy dtype %s; use floats, ints or bools" % data.dtype)
        found = _of_numpy(data.dtype.name) if kind != "b" else bool_
        if found is int32 and kind in "iu" and data.size and (data.max() > 2147483647 or data.min() < -2147483648):
            raise RangeError("a value of the array does not fit int32; convert it to float32 first")
        flat: Any = array.array("f" if found is float16 else found.typecode)
        flat.frombytes(numpy.ascontiguousarray(data, dtype="<" + flat.typecode).tobytes())
        return tuple(data.shape), flat, found
    if isinstance(data, array.array):
        return (len(data),), data, DTYPES[state.real if data.typecode in "fd" else state.whole]
    if isinstance(data, (bytes, bytearray, range)):
        return (len(data),), list(data), DTYPES[state.whole]
    shape: list[int] = []
    level = data
    while isinstance(level, (list, tuple)):
        shape.append(len(level))
        if not level:
            break
        level = level[0]
    flat = []
    _walk(data, shape, 0, flat)
    kind = (
        bool_
        if flat and all(isinstance(v, bool) for v in flat)
        else DTYPES[state.whole]
        if flat and all(isinstance(v, int) for v in flat)
        else DTYPES[state.real]
    )
    return tuple(shape), flat, kind


def _of_numpy(name: str) -> DType:
    """The dtype of a NumPy array: its own, where Python's int is int64; else float32, int32."""
    if state.whole == "int32":
        return float32 if name.startswith("float") else int32
    return DTYPES.get(name) or DTYPES["float64" if name.startswith("float") else "int64"]


def _walk(data: Any, shape: Sequence[int], depth: int, flat: list[Any]) -> None:
    if depth == len(shape):
        if isinstance(data, Tensor) or getattr(data, "shape", None) == ():  # a NumPy number
            data = data.item()
        if not isinstance(data, (int, float)):
            raise TypeError("cannot make a tensor of %r; use numbers or lists of numbers of equal length" % (data,))
        flat.append(data)
        return
    if not isinstance(data, (list, tuple)) or len(data) != shape[depth]:
        raise ValueError(
            "expected a list of length %d at dimension %d, got %r"
            % (shape[depth], depth, data if not isinstance(data, (list, tuple)) else len(data))
        )
    for item in data:
        _walk(item, shape, depth + 1, flat)


def to(self: Tensor, target: DType | Device | str) -> Tensor:
    """A copy as another dtype, or on another device (by name or Device); itself where nothing
    changes. On a device: not recorded.
    """
    if isinstance(target, DType):
        return self._cast(target)
    device = get_device(target)
    if device is self.device:
        return self
    out = empty(*self._shape, dtype=self._dtype, device=device)
    out.copy_bytes_(self.tobytes())
    out._storage.version = 0
    out._requires_grad = self._requires_grad
    return out


Tensor.to = to
