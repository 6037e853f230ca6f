"""New tensors: from data, filled, counted, and windows of signal processing. Random ones are in
random.py.
"""

from __future__ import annotations

import array
import builtins
import itertools
import math
from typing import Any

from ..core import current_device, factory
from ..core.autograd import needs_grad
from ..core.factory import empty as _empty
from ..core.factory import full as _full
from ..core.factory import shape_of
from ..core.quoting import quoted
from ..core.state import state
from ..core.tensor import (
    DTYPES,
    RangeError,
    Tensor,
    bfloat16,
    bool_,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    ints_of,
    uint8,
    whole_number,
)
from ..core.tensor import dtype as DType
from ..ops import elementwise, inplace, movement, strided
from . import arrays, front
from .keywords import function, unsupported

HARMLESS = ("pin_memory",)  # cannot change a value
FORMATS = ("torch.contiguous_format", "torch.preserve_format")


def _real() -> DType:
    return DTYPES[state.real]


def _settings(name: str, keywords: dict[str, Any]) -> tuple[DType | None, Any, bool]:
    """dtype, device and requires_grad of PyTorch's keywords; Unsupported for others that matter."""
    dtype, device = keywords.pop("dtype", None), keywords.pop("device", None)
    requires_grad = keywords.pop("requires_grad", False)
    for harmless in HARMLESS:
        keywords.pop(harmless, None)
    for key, known in (("layout", ("torch.strided",)), ("memory_format", FORMATS)):
        value = keywords.pop(key, None)
        if value is not None and str(value) not in known:
            unsupported(name, key, str(value), "leave it out: tensors are dense here")
    if keywords.get("names", 0) is None:
        del keywords["names"]
    if keywords.get("out") is not None:
        unsupported(name, "out", keywords["out"], "assign the result, or copy it with copy_()")
    keywords.pop("out", None)
    if keywords:
        raise TypeError("%s() got an unexpected keyword argument %r" % (name, next(iter(keywords))))
    if dtype is float and not isinstance(dtype, DType):
        dtype = float64
    elif dtype is int or dtype is bool:
        dtype = int64 if dtype is int else bool_
    if dtype is not None and not isinstance(dtype, DType):
        raise TypeError("%s(): argument 'dtype' must be torch.dtype, not %s" % (name, type(dtype).__name__))
    return dtype, device, bool(requires_grad)


def _finished(x: Tensor, requires_grad: bool) -> Tensor:
    x._storage.version = 0
    return x.requires_grad_() if requires_grad else x


def _filled(name: str, sizes: Any, keywords: dict[str, Any], value: Any, default: Any = None) -> Tensor:
    if "size" in keywords:
        sizes = (*sizes, keywords.pop("size"))
    dtype, device, requires_grad = _settings(name, keywords)
    return _finished(_full(shape_of(sizes), value, dtype or default or _real(), device), requires_grad)


# ---- filled --------------------------------------------------------------------------------------


def zeros(*size: Any, **keywords: Any) -> Tensor:
    """Zeros; size: ints or one sequence of them."""
    return _filled("zeros", size, keywords, 0)


def ones(*size: Any, **keywords: Any) -> Tensor:
    """Ones; size: ints or one sequence of them."""
    return _filled("ones", size, keywords, 1)


def empty(*size: Any, **keywords: Any) -> Tensor:
    """Uninitialised; size: ints or one sequence of them."""
    if "size" in keywords:
        size = (*size, keywords.pop("size"))
    dtype, device, requires_grad = _settings("empty", keywords)
    return _finished(_empty(*shape_of(size), dtype=dtype or _real(), device=device), requires_grad)


def full(size: Any, fill_value: Any, **keywords: Any) -> Tensor:
    """Filled with one number, whose dtype it has unless given."""
    if isinstance(fill_value, Tensor):
        if fill_value._shape:
            raise TypeError("full(): argument 'fill_value' must be Number, not Tensor")
        default: Any = fill_value._dtype
    else:
        default = _kind_of(fill_value)
    if not isinstance(size, (tuple, list)):
        raise TypeError("full(): argument 'size' (position 1) must be tuple of ints, not %s" % type(size).__name__)
    if keywords.get("dtype") is uint8 and type(fill_value) is int and -255 <= fill_value < 0:
        fill_value &= 255  # its low bits, as in PyTorch
    return _filled("full", (size,), keywords, fill_value, default)


def _like(name: str, input: Tensor, keywords: dict[str, Any], value: Any) -> Tensor:
    dtype, device, requires_grad = _settings(name, keywords)
    place = input.device if device is None else device
    return _finished(_full(input._shape, value, dtype or input._dtype, place), requires_grad)


@function
def zeros_like(input: Tensor, **keywords: Any) -> Tensor:
    """Zeros of input's shape, dtype and device."""
    return _like("zeros_like", input, keywords, 0)


@function
def ones_like(input: Tensor, **keywords: Any) -> Tensor:
    """Ones of input's shape, dtype and device."""
    return _like("ones_like", input, keywords, 1)


@function
def full_like(input: Tensor, fill_value: Any, **keywords: Any) -> Tensor:
    """One number, in input's shape, dtype and device."""
    return _like("full_like", input, keywords, fill_value)


@function
def empty_like(input: Tensor, **keywords: Any) -> Tensor:
    """Uninitialised, of input's shape, dtype and device."""
    dtype, device, requires_grad = _settings("empty_like", keywords)
    place = input.device if device is None else device
    return _finished(_empty(*input._shape, dtype=dtype or input._dtype, device=place), requires_grad)


def empty_strided(size: Any, stride: Any, **keywords: Any) -> Tensor:
    """Uninitialised, with any strides."""
    dtype, device, requires_grad = _settings("empty_strided", keywords)
    shape, strides = shape_of((size,)), ints_of((stride,))
    if len(shape) != len(strides):
        raise RuntimeError(
            "dimensionality of sizes (%d) must match dimensionality of strides (%d)" % (len(shape), len(strides))
        )
    count = 0 if 0 in shape else 1 + sum([(n - 1) * s for n, s in zip(shape, strides)])
    memory = _empty(count, dtype=dtype or _real(), device=device)
    return _finished(Tensor(memory._storage, shape, memory._dtype, 0, strides), requires_grad)


def empty_permuted(size: Any, physical_layout: Any, **keywords: Any) -> Tensor:
    """Uninitialised, with the dimensions in memory in the order `physical_layout`."""
    order, shape = ints_of((physical_layout,)), shape_of((size,))
    if sorted(order) != list(builtins.range(len(shape))):
        raise RuntimeError("empty_permuted: physical_layout %s names each dimension once" % list(order))
    strides, step = [0] * len(shape), 1
    for d in reversed(order):
        strides[d] = step
        step *= shape[d]
    return empty_strided(shape, strides, **keywords)


def eye(n: int, m: int | None = None, **keywords: Any) -> Tensor:
    """[n, m]: ones on the diagonal, zeros elsewhere."""
    rows = whole_number(n, "n")
    columns = rows if m is None else whole_number(m, "m")
    if rows < 0 or columns < 0:
        raise RuntimeError("n must be greater or equal to 0, got %d" % min(rows, columns))
    dtype, device, requires_grad = _settings("eye", keywords)
    out = _full((rows, columns), 0, dtype or _real(), device)
    if out.numel():
        inplace.fill_(strided.diagonal(out), 1)
    return _finished(out.detach(), requires_grad)


# ---- counted -------------------------------------------------------------------------------------


def _number(v: Any) -> Any:
    return v.item() if isinstance(v, Tensor) or hasattr(v, "dtype") else v


def arange(*bounds: Any, **keywords: Any) -> Tensor:
    """Numbers from start to end, exclusive, by step: arange(end), arange(start, end, step)."""
    given: dict[str, Any] = dict(zip(("start", "end", "step") if len(bounds) > 1 else ("end",), bounds))
    for name in ("start", "end", "step"):
        if name in keywords:
            given[name] = keywords.pop(name)
    start, end, step = [_number(given.get(name, value)) for name, value in (("start", 0), ("end", None), ("step", 1))]
    if end is None:
        raise TypeError("arange() missing 1 required positional argument: 'end'")
    dtype, device, requires_grad = _settings("arange", keywords)
    for v in (start, end, step):
        if not isinstance(v, (int, float)):
            raise TypeError("arange(): argument 'end' must be Number, not %s" % type(v).__name__)
    if dtype is None:
        dtype = _real() if any(isinstance(v, float) for v in (start, end, step)) else int64
    if not dtype.is_floating_point and dtype is not bool_:
        start, end, step = [v if v != v or v in (math.inf, -math.inf) else int(v) for v in (start, end, step)]
    elif dtype is bool_:
        raise NotImplementedError("arange is not implemented for bool")
    if dtype.computed is not dtype and dtype.is_floating_point:
        return _finished(movement.arange(start, end, step, float32, device)._cast(dtype), requires_grad)
    return _finished(movement.arange(start, end, step, dtype, device), requires_grad)


def range(start: Any = 0, end: Any = None, step: Any = 1, **keywords: Any) -> Tensor:
    """Numbers from start to end, inclusive, by step."""
    if end is None:
        start, end = 0, start
    start, end, step = _number(start), _number(end), _number(step)
    dtype, device, requires_grad = _settings("range", keywords)
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    count = int((end - start) / step) + 1
    counted = movement.arange(0, count, 1, float64, device)
    return _finished((counted * float(step) + float(start))._cast(dtype or _real()), requires_grad)


def _steps(name: str, steps: Any) -> int:
    if steps is None:
        raise TypeError("%s() missing 1 required positional arguments: 'steps'" % name)
    count = whole_number(steps, "steps")
    if count < 0:
        raise RuntimeError("number of steps must be non-negative")
    return count


def _line(start: Any, end: Any, count: int, dtype: DType, device: Any) -> Tensor:
    """`count` numbers from start to end, counted from both ends in the type that PyTorch's kernel
    computes in.
    """
    first, last = _number(start), _number(end)
    if not dtype.is_floating_point:
        first, last = int(first), int(last)
    wide = dtype if dtype.is_floating_point else float64
    if count == 1:
        return _full((1,), first, wide, device)
    half = count // 2
    one = _full((), first, wide, device)
    other = _full((), last, wide, device)
    step = elementwise.div(elementwise.sub(other, one), float(count - 1))
    up = elementwise.add(elementwise.mul(movement.arange(0, half, 1, wide, device), step), one)
    down = elementwise.sub(other, elementwise.mul(movement.arange(count - half - 1, -1, -1, wide, device), step))
    return movement.cat([up, down])


def linspace(start: Any, end: Any, steps: Any = None, **keywords: Any) -> Tensor:
    """`steps` numbers at equal distance, from start to end, both inclusive."""
    count = _steps("linspace", steps)
    dtype, device, requires_grad = _settings("linspace", keywords)
    dtype = dtype or _real()
    if not count:
        return _finished(_empty(0, dtype=dtype, device=device), requires_grad)
    return _finished(_line(start, end, count, dtype, device)._cast(dtype), requires_grad)


def logspace(start: Any, end: Any, steps: Any = None, base: float = 10.0, **keywords: Any) -> Tensor:
    """base to the powers of linspace."""
    count = _steps("logspace", steps)
    dtype, device, requires_grad = _settings("logspace", keywords)
    dtype = dtype or _real()
    if not count:
        return _finished(_empty(0, dtype=dtype, device=device), requires_grad)
    powers = _line(start, end, count, dtype, device)._cast(float64)
    return _finished(elementwise.rpow(powers, float(base))._cast(dtype), requires_grad)


# ---- from data -----------------------------------------------------------------------------------


def _kind_of(value: Any, top: bool = False) -> DType:
    """The dtype of a tensor that is made of one number: Python's, NumPy's or a tensor."""
    kind = type(value)
    if kind is bool:
        return bool_
    if kind is int:
        return int64
    if kind is float:
        return _real()
    if isinstance(value, Tensor):
        return value._dtype
    if hasattr(value, "dtype") and hasattr(value, "__array__"):
        name = str(value.dtype)
        if name not in DTYPES:
            raise TypeError("can't convert np.ndarray of type numpy.%s_" % name)
        return DTYPES[name]
    if isinstance(value, (bool, int, float)):
        return bool_ if isinstance(value, bool) else int64 if isinstance(value, int) else _real()
    if isinstance(value, complex):
        raise NotImplementedError("complex numbers are not in TinyGPT's subset; keep the two parts apart")
    if isinstance(value, (str, bytes)):
        raise (TypeError if top else ValueError)("new(): invalid data type '%s'" % kind.__name__)
    raise RuntimeError("Could not infer dtype of %s" % kind.__name__)


def _is_row(v: Any) -> bool:
    if isinstance(v, (int, float, Tensor, str, bytes, dict)):
        return False
    if isinstance(v, (list, tuple, builtins.range)):
        return True
    ndim = getattr(v, "ndim", None)
    return ndim > 0 if isinstance(ndim, int) else hasattr(v, "__getitem__") and hasattr(v, "__len__")  # a deque


def _flattened(data: Any) -> tuple[tuple[int, ...], list[Any]]:
    """(shape, elements) of nested sequences. ValueError where they are ragged."""
    shape: list[int] = []
    level = [data]
    while level and _is_row(level[0]):
        n = len(level[0])
        for row in level:
            if not _is_row(row):
                raise TypeError("not a sequence: %s at dim %d" % (quoted(row), len(shape)))
            if len(row) != n:
                raise ValueError("expected sequence of length %d at dim %d (got %d)" % (n, len(shape), len(row)))
        shape.append(n)
        level = list(itertools.chain.from_iterable(level))
    for v in level:
        if _is_row(v):
            raise TypeError("a sequence stands beside numbers at dim %d: %s" % (len(shape), quoted(v)))
    return tuple(shape), level


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A tensor of numbers, nested sequences, arrays or tensors (a copy).

    dtype: from the data unless given, as PyTorch infers it.
    """
    dtype, device, requires_grad = _settings("tensor", dict(dtype=dtype, device=device, requires_grad=requires_grad))
    return _of(data, dtype, device, requires_grad)


def _of(data: Any, dtype: DType | None, device: Any, requires_grad: bool) -> Tensor:
    if isinstance(data, Tensor):
        out = movement.clone(data.detach())
        out = out if dtype is None else elementwise.cast(out, dtype)
        return _finished(out if device is None else out.to(device), requires_grad)
    if hasattr(data, "__array__") and hasattr(data, "dtype"):
        return _finished(_of_array(data, dtype, device), requires_grad)
    if isinstance(data, (bytearray, array.array)):
        data = list(data)
    shape, flat = _flattened(data)
    kinds = set(map(type, flat))
    if dtype is None:
        dtype = _real() if not flat else bool_
        if flat:
            for kind in kinds if kinds <= {int, float, bool} else flat:
                found = _kind_of(kind()) if isinstance(kind, type) else _kind_of(kind, not shape)
                dtype = found if dtype is bool_ else elementwise.promote_types(dtype, found)
    if not kinds <= {int, float, bool}:
        for v in flat:
            _kind_of(v, not shape)
        flat = [v if type(v) in (int, float, bool) else _single(v) for v in flat]
    if dtype.limits is not None and flat and dtype is not bool_:
        flat = _in_range(flat, dtype)
    out = factory.tensor(flat, dtype, device)
    return _finished(out if len(shape) == 1 else Tensor(out._storage, shape, dtype), requires_grad)


def _in_range(flat: list[Any], dtype: DType) -> list[Any]:
    """The numbers as elements of an integer dtype; a negative int of uint8 by its low bits, as in
    PyTorch. RangeError for what it does not hold.
    """
    low, high = dtype.limits or (0, 0)
    least, most = min(flat), max(flat)
    wraps = dtype is uint8 and -high <= least < 0 and all(v >= 0 or type(v) is int for v in flat)
    if any(v != v for v in flat) or not (low - 1 < least or wraps) or not most < high + 1:
        text = "Overflow when unpacking long long" if dtype is int64 else ""
        raise RangeError(text or "value cannot be converted to type %s without overflow" % dtype.name)
    return [v & 255 if type(v) is int else int(v) for v in flat] if wraps else flat


def _single(v: Any) -> Any:
    """The Python number of one element. TypeError or ValueError, as PyTorch's, for several."""
    if isinstance(v, Tensor) and v.numel() != 1:
        if v._dtype.is_floating_point:
            raise ValueError("only one element tensors can be converted to Python scalars")
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return v.item() if hasattr(v, "item") else v


def _of_array(data: Any, dtype: DType | None, device: Any) -> Tensor:
    """A tensor of a NumPy array's values."""
    kind = data.dtype.kind
    if kind == "c":
        raise NotImplementedError("complex numbers are not in TinyGPT's subset; keep the two parts apart")
    if kind not in "fiub" or kind == "u" and data.dtype.itemsize > 1:
        raise TypeError(
            "can't convert np.ndarray of type numpy.%s. The only supported types are: float64, float32, float16, "
            "int64, int32, int16, int8, uint8, and bool." % (data.dtype.name + ("_" if kind == "O" else ""))
        )
    out = factory.tensor(data, None, device)
    return out if dtype is None else elementwise.cast(out, dtype)


def _over_array(data: Any, dtype: DType | None, device: Any) -> Tensor:
    """A tensor over a NumPy array's memory where it can be, else of its values."""
    out = arrays.shared(data, device or current_device.get_device())
    if out is None:
        return _of_array(data, dtype, device)
    return out if dtype is None else out._cast(dtype)


@function
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """data itself where it is a tensor of that dtype and device, else a tensor of its values."""
    dtype, device, _ = _settings("as_tensor", dict(dtype=dtype, device=device))
    if isinstance(data, Tensor):
        out = data if dtype is None else data._cast(dtype)
        return out if device is None else out.to(device)
    if hasattr(data, "__array__") and hasattr(data, "strides") and hasattr(data, "flags"):
        return _over_array(data, dtype, device)
    return _of(data, dtype, device, False)


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """as_tensor; copy=True: always a copy. copy=False is for tensors alone."""
    if copy is False and not isinstance(obj, Tensor):
        raise ValueError("cannot alias arbitrary sequence with copy=False here; a tensor has memory of its own")
    out = as_tensor(obj, dtype, device)
    if isinstance(obj, Tensor):
        if copy is False and out is not obj:
            raise ValueError("cannot alias tensor with another dtype or device")
        if copy and out is obj:
            out = movement.clone(out.detach() if not requires_grad else out)
    return out.requires_grad_() if requires_grad and not needs_grad(out) else out


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor over an array's memory (arrays.shared: natively), else of its values."""
    if not (hasattr(ndarray, "__array__") and hasattr(ndarray, "strides")) or isinstance(ndarray, Tensor):
        raise TypeError("expected np.ndarray (got %s)" % type(ndarray).__name__)
    return _finished(_over_array(ndarray, None, None), False)


def frombuffer(buffer: Any, *, dtype: DType, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A vector of a buffer's bytes from byte `offset`: a copy, where PyTorch shares the memory."""
    data = memoryview(buffer).cast("B")
    if dtype is bool_:
        return frombuffer(buffer, dtype=uint8, count=count, offset=offset)._cast(bool_)
    if not len(data):
        raise ValueError("both buffer length (0) and count (%d) must not be 0" % count)
    if not 0 <= offset < len(data):
        raise ValueError("offset (%d bytes) must be non-negative and no greater than buffer length" % offset)
    size = dtype.itemsize
    if count < 0:
        if (len(data) - offset) % size:
            raise ValueError("buffer length (%d bytes) after offset must be a multiple of element size" % len(data))
        count = (len(data) - offset) // size
    if not count:
        raise ValueError("both buffer length (%d) and count (%d) must not be 0" % (len(data), count))
    if offset + count * size > len(data):
        raise ValueError("requested buffer length (%d bytes) must not be greater than the buffer's" % (count * size))
    out = _empty(count, dtype=dtype).copy_bytes_(bytes(data[offset : offset + count * size]))
    return _finished(out, requires_grad)


def scalar_tensor(s: Any, **keywords: Any) -> Tensor:
    """A 0-d tensor of a number, of the default dtype unless given."""
    return _filled("scalar_tensor", ((),), keywords, s)


def is_tensor(obj: Any) -> bool:
    """Whether obj is a Tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj: Any) -> bool:
    """False: memory is no object of its own here."""
    return False


@function
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of a vector's elements, one row for each."""
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = x.numel() if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    kind = x._dtype if x._dtype.is_floating_point else int64
    x = x._cast(kind)
    columns = [_full(x._shape, 1, kind, x.device)] if count else []
    while len(columns) < count:
        columns.append(elementwise.mul(columns[-1], x))
    if not columns:
        return _full((x.numel(), 0), 0, kind, x.device)
    return movement.stack(columns if increasing else columns[::-1], 1)


# ---- new_* ---------------------------------------------------------------------------------------


def _beside(self: Tensor, keywords: dict[str, Any]) -> dict[str, Any]:
    if keywords.get("dtype") is None:
        keywords["dtype"] = self._dtype
    if keywords.get("device") is None:
        keywords["device"] = self.device
    return keywords


def new_zeros(self: Tensor, *size: Any, **keywords: Any) -> Tensor:
    """Zeros of self's dtype and device."""
    return zeros(*size, **_beside(self, keywords))


def new_ones(self: Tensor, *size: Any, **keywords: Any) -> Tensor:
    """Ones of self's dtype and device."""
    return ones(*size, **_beside(self, keywords))


def new_empty(self: Tensor, *size: Any, **keywords: Any) -> Tensor:
    """Uninitialised, of self's dtype and device."""
    return empty(*size, **_beside(self, keywords))


def new_full(self: Tensor, size: Any, fill_value: Any, **keywords: Any) -> Tensor:
    """One number, of self's dtype and device."""
    return full(size, fill_value, **_beside(self, keywords))


def new_tensor(self: Tensor, data: Any, **keywords: Any) -> Tensor:
    """A tensor of data, of self's dtype and device."""
    return tensor(data, **_beside(self, keywords))


def new_empty_strided(self: Tensor, size: Any, stride: Any, **keywords: Any) -> Tensor:
    """Uninitialised, with any strides, of self's dtype and device."""
    return empty_strided(size, stride, **_beside(self, keywords))


def new(self: Tensor, *data: Any) -> Tensor:
    """The legacy constructor of self's dtype: data, or sizes."""
    return _legacy("new", self._dtype, self.device, data)


# ---- legacy constructors -------------------------------------------------------------------------


def _legacy(name: str, dtype: DType, device: Any, given: tuple[Any, ...]) -> Tensor:
    """Tensor(2, 3): uninitialised, of sizes; Tensor([2, 3]): of data; Tensor(): empty."""
    if not given:
        return _empty(0, dtype=dtype, device=device)
    if len(given) == 1 and not isinstance(given[0], (int, Tensor)) or len(given) == 1 and isinstance(given[0], bool):
        if isinstance(given[0], tuple) and type(given[0]).__name__ == "Size":
            return _empty(*given[0], dtype=dtype, device=device)
        if isinstance(given[0], float):
            raise TypeError("new(): data must be a sequence (got float)")
        return _of(given[0], dtype, device, False)
    if len(given) == 1 and isinstance(given[0], Tensor):
        if given[0]._dtype is not dtype:
            raise TypeError("expected %s (got %s)" % (dtype.name, given[0]._dtype.name))
        return movement.alias(given[0])
    return _empty(*shape_of(given), dtype=dtype, device=device)


class _TypeMeta(type):
    """isinstance(x, torch.FloatTensor): a tensor of that dtype."""

    dtype: DType

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance._dtype is cls.dtype

    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        return _legacy(cls.__name__, cls.dtype, device, data)

    def __repr__(cls) -> str:
        return "<class 'torch.%s'>" % cls.__name__


def _type_of(name: str, dtype: DType) -> Any:
    return _TypeMeta(name, (), {"dtype": dtype, "__module__": "torch", "__doc__": "Tensors of %s." % dtype.name})


FloatTensor, DoubleTensor = _type_of("FloatTensor", float32), _type_of("DoubleTensor", float64)
HalfTensor, BFloat16Tensor = _type_of("HalfTensor", float16), _type_of("BFloat16Tensor", bfloat16)
LongTensor, IntTensor = _type_of("LongTensor", int64), _type_of("IntTensor", int32)
ShortTensor, CharTensor = _type_of("ShortTensor", int16), _type_of("CharTensor", int8)
ByteTensor, BoolTensor = _type_of("ByteTensor", uint8), _type_of("BoolTensor", bool_)
TYPES = {
    t.dtype: t
    for t in (FloatTensor, DoubleTensor, HalfTensor, BFloat16Tensor, LongTensor, IntTensor, ShortTensor, CharTensor,
              ByteTensor, BoolTensor)
}  # fmt: skip


def _construct(first: Any, second: Any, third: Any, fourth: int, fifth: Any) -> Tensor:
    """torch.Tensor(...), the legacy constructor of the default dtype, from the arguments of
    Tensor.__init__: the first of them are sizes or data, the others its defaults.
    """
    given = [v for v in (first, second) if v is not None]
    if third is not float32:
        given += [third] + [fourth] * (fourth != 0) + [fifth] * (fifth is not None)
    return _legacy("Tensor", _real(), None, tuple(given))


def _begin() -> None:
    state.construct = _construct


def _end() -> None:
    state.construct = None


front.on_switch(_begin, _end)

# ---- windows -------------------------------------------------------------------------------------


def _window(name: str, length: int, periodic: bool, keywords: dict[str, Any], weights: Any) -> Tensor:
    """A window of signal processing: `weights` of the numbers 0, 1, ... and of their last one."""
    dtype, device, requires_grad = _settings(name, keywords)
    dtype = dtype or _real()
    if not dtype.is_floating_point:
        raise RuntimeError("%s expects floating point dtypes, got: %r" % (name, dtype))
    count = whole_number(length, "window_length")
    if count < 0:
        raise RuntimeError("%s requires non-negative window_length, got window_length=%d" % (name, count))
    if count <= 1:
        return _finished(_full((count,), 1.0, dtype, device), requires_grad)
    places = count + 1 if periodic else count
    values = [weights(i, places - 1) for i in builtins.range(places)][:count]
    return _finished(factory.tensor(values, float64, device)._cast(dtype), requires_grad)


def hann_window(window_length: int, periodic: bool = True, **keywords: Any) -> Tensor:
    """0.5 - 0.5 cos(2 pi n / N)."""
    return hamming_window(window_length, periodic, 0.5, 0.5, _name="hann_window", **keywords)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    _name: str = "hamming_window",
    **keywords: Any,
) -> Tensor:
    """alpha - beta cos(2 pi n / N)."""
    turn = 2 * math.pi
    return _window(_name, window_length, periodic, keywords, lambda n, last: alpha - beta * math.cos(turn * n / last))


def blackman_window(window_length: int, periodic: bool = True, **keywords: Any) -> Tensor:
    """0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)."""

    def weights(n: int, last: int) -> float:
        angle = 2 * math.pi * n / last
        return 0.42 - 0.5 * math.cos(angle) + 0.08 * math.cos(2 * angle)

    return _window("blackman_window", window_length, periodic, keywords, weights)


def bartlett_window(window_length: int, periodic: bool = True, **keywords: Any) -> Tensor:
    """1 - |2 n / N - 1|."""
    return _window("bartlett_window", window_length, periodic, keywords, lambda n, last: 1 - abs(2 * n / last - 1))


def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, **keywords: Any) -> Tensor:
    """I0(beta sqrt(1 - (2 n / N - 1)^2)) / I0(beta)."""
    whole = _bessel(beta)

    def weights(n: int, last: int) -> float:
        return _bessel(beta * math.sqrt(max(0.0, 1 - (2 * n / last - 1) ** 2))) / whole

    return _window("kaiser_window", window_length, periodic, keywords, weights)


def _bessel(x: float) -> float:
    """The modified Bessel function I0, by its power series."""
    total = term = 1.0
    k = 1
    while term > total * 1e-17:
        term *= (x / 2 / k) ** 2
        total += term
        k += 1
    return total


__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor",
    "IntTensor", "LongTensor", "ShortTensor", "arange", "as_tensor", "asarray", "bartlett_window", "blackman_window",
    "empty", "empty_like", "empty_permuted", "empty_strided", "eye", "from_numpy", "frombuffer", "full", "full_like",
    "hamming_window", "hann_window", "is_storage", "is_tensor", "kaiser_window", "linspace", "logspace", "ones",
    "ones_like", "range", "scalar_tensor", "tensor", "vander", "zeros", "zeros_like",
]  # fmt: skip
METHODS = {
    "new": new, "new_empty": new_empty, "new_empty_strided": new_empty_strided, "new_full": new_full,
    "new_ones": new_ones, "new_tensor": new_tensor, "new_zeros": new_zeros,
}  # fmt: skip
LIMITED = {
    "Tensor": "as a constructor of sizes: at most five, and of more than three the fourth is not 0",
    "as_tensor": "a NumPy array of bools, and any in the tab, is copied; PyTorch shares its memory",
    "from_numpy": "a copy of bools, and in the tab, where tensors have memory of their own",
    "frombuffer": "a copy; PyTorch shares the buffer's memory",
}
_ROTARY = "complex numbers are two tensors; rotary positions turn x[..., 0::2] and x[..., 1::2] by cos and sin"
ABSENT = {
    "complex": "keep the real and the imaginary part apart",
    "polar": "keep the real and the imaginary part apart, as abs * cos(angle) and abs * sin(angle)",
    "sparse_coo_tensor": "use a dense tensor",
    "sparse_csr_tensor": "use a dense tensor",
    **dict.fromkeys(("view_as_complex", "view_as_real"), _ROTARY),
}
