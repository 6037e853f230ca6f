"""Tensor: shape, dtype, device and gradient of a piece of memory. No kernel code.

A Tensor is a view (offset, shape, strides; all counted in elements) of a Storage, a piece of one
device's memory. An op makes new Tensors and, where one needs a gradient, records itself on the tape
(tinygpt.core.autograd). The layers above attach the other methods: `to` (factory.py), `backward`
(autograd.py), the printed form (printing.py), and those that compute (`tinygpt.ops`).
"""

from __future__ import annotations

import array
import itertools
import operator
import struct
from typing import TYPE_CHECKING, cast

from ..graph import program
from .eager import in_c, know
from .quoting import quoted
from .state import state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, TypeAlias

    from ..devices.base import Device
    from .attached_methods import AttachedMethods

    Shape: TypeAlias = tuple[int, ...]
else:
    AttachedMethods = object  # what the layers above attach has no base class at run time


class dtype:
    """An element type. `name` as in kernels.DTYPES; bool is stored as int32 0 or 1.

    computed: the type in which the kernels compute with it; float16 and bfloat16 as float32, the
    short integers as int32, each rounded (or cut to its low bits) when it is stored. kind: of a
    device's memory. limits: the least and the largest whole number; None of floats.
    """

    __slots__ = ("name", "code", "kind", "typecode", "is_floating_point", "itemsize", "unpack", "computed", "limits")

    unpack: Callable[[bytes], tuple[Any, ...]]

    def __init__(
        self, name: str, code: int, typecode: str, is_floating_point: bool, computed: dtype | None = None
    ) -> None:
        self.name, self.code, self.typecode, self.is_floating_point = name, code, typecode, is_floating_point
        self.kind = "int32" if name == "bool" else name
        packed = struct.Struct("<" + typecode)
        self.itemsize, self.unpack = packed.size, packed.unpack
        if name == "bfloat16":
            self.unpack = _bfloat16
        self.computed = computed or self
        bits = 8 * self.itemsize
        whole = (0, (1 << bits) - 1) if name == "uint8" else (-1 << bits - 1, (1 << bits - 1) - 1)
        self.limits = None if is_floating_point else whole

    def __repr__(self) -> str:
        return state.front + "." + self.name

    def __reduce__(self) -> str:
        """A copy or a pickle of an element type is the one object that this module has."""
        return "bool_" if self.name == "bool" else self.name


def _bfloat16(data: bytes) -> tuple[float]:
    """The number of two bytes: the upper half of a float32."""
    (value,) = struct.unpack("<f", b"\0\0" + data)
    return (value,)


DType = dtype  # where `dtype` is the name of a tensor's own

float32 = dtype("float32", 0, "f", True)
int32 = dtype("int32", 1, "i", False)
bool_ = dtype("bool", 1, "i", False)
int8 = dtype("int8", 2, "b", False, int32)  # of quantized layers' weights too
float64 = dtype("float64", 3, "d", True)
int64 = dtype("int64", 4, "q", False)
int16 = dtype("int16", 5, "h", False, int32)
uint8 = dtype("uint8", 6, "B", False, int32)
float16 = dtype("float16", 7, "e", True, float32)
bfloat16 = dtype("bfloat16", 8, "H", True, float32)
DTYPES = {d.name: d for d in (float32, int32, bool_, int8, float64, int64, int16, uint8, float16, bfloat16)}

_uids = itertools.count(1)


class BorrowedStorage:
    """A piece of a device's memory that belongs to `owner`, another Storage, and keeps that alive.

    It begins `base` bytes behind the handle. It may move (`settle`): all tensors over it follow.
    version: writes so far, those of the owner not counted. pins: Programs that have its place built
    in. int8: (int8 [N, K], scales [N]) of a weight that came so from a file and was not written
    since (ops/quantized.py).
    """

    __slots__ = ("device", "handle", "base", "nbytes", "kind", "uid", "pins", "int8", "owner", "version", "__weakref__")

    device: Device
    handle: Any
    base: int
    nbytes: int
    kind: str
    uid: int
    pins: int
    int8: tuple[Tensor, Tensor] | None
    owner: BorrowedStorage | None
    version: int

    def writes(self) -> int:
        """The writes into this memory so far: its own and those of its owners."""
        count, owner = self.version, self.owner
        while owner is not None:
            count += owner.version
            owner = owner.owner
        return count

    def lend(self) -> BorrowedStorage:
        """Another Storage over the same memory. It has the same uid: a recorded call takes both for
        one.
        """
        return self.piece(0, self.nbytes)

    def piece(self, base: int, nbytes: int, kind: type[BorrowedStorage] | None = None) -> BorrowedStorage:
        """As lend, for `nbytes` bytes from byte `base`; kind: the class of the result."""
        other: BorrowedStorage = _new(kind or BorrowedStorage)
        other.owner, other.handle, other.base = self, self.handle, self.base + base
        other.device, other.nbytes, other.kind = self.device, nbytes, self.kind
        other.pins, other.int8, other.uid, other.version = 0, None, self.uid, 0
        return other

    def counted(self) -> BorrowedStorage:
        """The Storage whose writes are counted: itself, but for that of `.data`."""
        return self

    def settle(self, owner: BorrowedStorage, base: int) -> None:
        """From here on it is the piece of `owner` from byte `base`, where its contents are already;
        its own memory is freed.
        """
        writes, device, handle = self.writes(), self.device, self.handle if self.owner is None else None
        self.owner, self.handle, self.base, self.uid = owner, owner.handle, owner.base + base, owner.uid
        self.device, self.int8, self.version = owner.device, None, writes - owner.writes()
        if self.pins:
            state.layout += 1  # a Program has the old place built in
        if handle is not None:
            device.free(handle)


class Storage(BorrowedStorage):
    """A piece of a device's memory, freed when nobody holds it."""

    __slots__ = ()

    def __init__(self, device: Device, nbytes: int, kind: str = "float32") -> None:
        self.handle = self.owner = None
        self.device, self.nbytes, self.kind = device, nbytes, kind
        self.pins, self.int8, self.version, self.base = 0, None, 0, 0
        self.handle = device.alloc(nbytes, kind)
        self.uid = next(_uids)

    @in_c
    def __del__(self) -> None:
        if self.owner is None and self.handle is not None:
            self.device.free(self.handle)

    def hand_over(self) -> Storage:
        """A Storage that owns the memory from here on; this one borrows it."""
        other = _new(Storage)
        other.owner, other.handle, other.base = None, self.handle, 0
        other.device, other.nbytes, other.kind = self.device, self.nbytes, self.kind
        other.pins, other.int8, other.uid, other.version = self.pins, self.int8, self.uid, 0
        self.owner, self.pins, self.int8 = other, 0, None
        return other


class UncountedStorage(BorrowedStorage):
    """`.data`: another Storage in all but the count of its writes, wherever that one moves."""

    __slots__ = ("_seen_through",)

    def __init__(self, storage: BorrowedStorage) -> None:
        self._seen_through = storage
        self.version = 0

    def counted(self) -> BorrowedStorage:
        return self._seen_through

    device, handle, base, nbytes, kind, uid, pins, int8 = (  # pyright: ignore[reportAssignmentType]
        property(
            lambda self, name=name: getattr(self._seen_through, name),
            lambda self, value, name=name: setattr(self._seen_through, name, value),
        )
        for name in ("device", "handle", "base", "nbytes", "kind", "uid", "pins", "int8")
    )
    owner = None  # its own writes alone count


_new = object.__new__


class RangeError(OverflowError, RuntimeError, ValueError):
    """A number that the dtype, or 64 bits, does not hold: PyTorch's RuntimeError or ValueError,
    Python's OverflowError.
    """


LARGEST = {
    "float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308, "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
}  # fmt: skip


def fitted(value: Any, dtype: DType) -> Any:
    """A Python number as an element of `dtype`; RangeError where the dtype does not hold it,
    TypeError for what is no number.

    A float for an integer dtype is truncated towards 0, as in PyTorch.
    """
    if value.__class__ is int:
        in_64_bits(value, dtype)
    elif value.__class__ is not float and not is_number(value):
        raise TypeError("a value must be a number, not %s %s" % (type(value).__name__, quoted(value)))
    if dtype.is_floating_point:
        number = float(value)
        most = LARGEST[dtype.name]
        if not -most <= number <= most and number - number == 0.0:
            raise RangeError("value cannot be converted to type %s without overflow: %s" % (dtype.name, quoted(value)))
        return number
    if dtype is bool_:
        return bool(value)
    assert dtype.limits is not None
    low, high = dtype.limits
    if value != value or not low - 1 < value < high + 1 or dtype is uint8 and value < 0:
        raise RangeError(
            "value cannot be converted to type %s without overflow: %s; it holds %d to %d"
            % (dtype.name, quoted(value), low, high)
        )
    return int(value)


def is_number(value: Any) -> bool:
    """Whether PyTorch takes the value for a number: Python's and NumPy's, and a 0-d tensor."""
    if isinstance(value, (int, float)):
        return True
    if isinstance(value, Tensor):
        return not value.shape
    return getattr(value, "shape", None) == () and hasattr(value, "__array__") and not hasattr(value, "__setitem__")


LONGEST = (1 << 63) - 1


def in_64_bits(number: int, dtype: DType) -> None:
    """RangeError for a Python int that PyTorch takes as no operand of `dtype`: it passes 64 bits.

    Beside float32 an unsigned one is taken too.
    """
    if not -LONGEST - 1 <= number <= (2 * LONGEST + 1 if dtype.is_floating_point else LONGEST):
        raise RangeError("a number is %s, which passes 64 bits; give a float" % quoted(number))


def whole_number(value: Any, name: str) -> int:
    """`value` as an int, where it stands for one: an int, a NumPy integer, or a 0-d int tensor.

    TypeError for anything else, a bool too; RangeError for one that passes 64 bits. name: of the
    argument, for the message.
    """
    if type(value) is int:
        if -LONGEST - 1 <= value <= LONGEST:
            return value
        raise RangeError("%s is %s, which passes 64 bits" % (name, quoted(value)))
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is bool or not hasattr(kind, "__index__"):
        raise TypeError("%s must be an int, not %s %s" % (name, kind.__name__, quoted(value)))
    if isinstance(value, Tensor) and (value._shape or value._dtype is bool_ or value._dtype.is_floating_point):
        raise TypeError(
            "%s must be an int or a 0-d int tensor, not a tensor of shape %s and dtype %s"
            % (name, list(value._shape), value._dtype.name)
        )
    return operator.index(value)


def ints_of(given: Sequence[Any], name: str = "a size") -> Shape:
    """(2, 3), ([2, 3],) or ((2, 3),) as a tuple of ints; TypeError for another size."""
    sizes: Any = given
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        sizes = given[0]  # pyright: ignore[reportUnknownVariableType]
    for n in sizes:
        if type(n) is not int or not -LONGEST - 1 <= n <= LONGEST:
            return tuple([whole_number(n, name) for n in sizes])
    return tuple(sizes)


def row_major(shape: Sequence[int]) -> Shape:
    """Strides of a dense tensor."""
    strides: list[int] = []
    step = 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def numel_of(shape: Sequence[int]) -> int:
    """The number of elements of a shape."""
    n = 1
    for size in shape:
        n *= size
    return n


class Tensor(AttachedMethods):
    """A multi-dimensional array on a device, with PyTorch's names and semantics.

    shape: tuple of ints. dtype: float32, int32 or bool. grad: the accumulated gradient of a leaf
    that requires one.
    """

    __slots__ = (
        "_storage",
        "_offset",
        "_shape",
        "_strides",
        "_dtype",
        "_requires_grad",
        "_grad",
        "_slot",
        "_node",
        "_index",
        "_unit",
        "_base",
        "_seen",
        "_made",
        "__weakref__",
        "__dict__",
    )

    _storage: BorrowedStorage
    _offset: int
    _shape: Shape
    _strides: Shape
    _dtype: DType
    _requires_grad: bool
    _grad: Tensor | None
    _slot: Any  # its place in an optimizer's flat gradient: a Tensor with an owner (optim.Flat)
    _node: Any  # the Node of the op that made it (autograd.py), or None
    _index: int  # which of the op's outputs it is
    _unit: bool  # a gradient of all ones
    _base: Tensor | None  # of a view: the tensor that is no view (autograd.py)
    _seen: int  # of a view: the writes that its _node knows of
    _made: int  # of a view: autograd.PLAIN, UNRECORDED or ONE_OF_MANY

    @in_c
    def __init__(
        self,
        storage: BorrowedStorage = None,  # type: ignore[assignment]
        shape: Shape = None,  # type: ignore[assignment]
        dtype: DType = float32,
        offset: int = 0,
        strides: Shape | None = None,
        requires_grad: bool = False,
    ) -> None:
        try:
            self._storage, self._shape, self._dtype, self._offset = storage, shape, dtype, offset
            # The one place where a view is checked. Ops check their arguments too, for PyTorch's
            # kind of error, but a view that leaves its Storage is not made even where an op forgets
            # to.
            if strides is None:
                steps: list[int] = []
                end = 1
                for n in reversed(shape):
                    if n < 0:
                        break
                    steps.append(end)
                    end *= n
                self._strides = tuple(steps[::-1])
                if offset < 0 or len(steps) != len(shape) or (offset + end) * dtype.itemsize > storage.nbytes:
                    self._refuse_unless_empty()
            else:
                self._strides = strides
                end = offset + 1
                for n, step in zip(shape, strides):
                    if n < 1 or step < 0:
                        self._refuse_unless_empty()
                        break
                    end += (n - 1) * step
                else:
                    if offset < 0 or end * dtype.itemsize > storage.nbytes or end.__class__ is not int:
                        self._refuse()
        except (TypeError, AttributeError):
            if state.construct is None or isinstance(cast(object, storage), BorrowedStorage):
                raise
            made = state.construct(storage, shape, dtype, offset, strides)  # PyTorch's torch.Tensor(2, 3)
            self._storage, self._shape, self._dtype = made._storage, made._shape, made._dtype
            self._offset, self._strides = made._offset, made._strides
        self._requires_grad = requires_grad
        self._grad = self._slot = self._node = self._base = None
        self._index = 0
        self._unit = False

    def _refuse_unless_empty(self) -> None:
        """RuntimeError unless a size is 0, so that nothing is read, and none is negative."""
        sizes, strides = self._shape, self._strides
        if 0 not in sizes or len(sizes) != len(strides):
            self._refuse()
        for n in (*sizes, *strides):
            if n.__class__ is not int or n < 0:
                self._refuse()
        self._offset = 0  # a slice behind the last element may begin outside the Storage

    def _refuse(self) -> None:
        raise RuntimeError(
            "a view of shape %s, strides %s and offset %s leaves its storage of %d elements"
            % (list(self._shape), list(self._strides), self._offset, self._storage.nbytes // self._dtype.itemsize)
        )

    # ---- facts ----------------------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """The sizes. They cannot be set: others could leave the memory."""
        return self._shape

    @shape.setter
    def shape(self, value: object) -> None:
        raise AttributeError("a tensor's shape cannot be set, here to %s; use view() or reshape()" % quoted(value))

    @property
    def dtype(self) -> DType:
        """The element type. It cannot be set."""
        return self._dtype

    @dtype.setter
    def dtype(self, value: object) -> None:
        raise AttributeError("a tensor's dtype cannot be set, here to %s; use to(dtype)" % quoted(value))

    @property
    def device(self) -> Device:
        """The Device that holds the memory."""
        return self._storage.device

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._shape)

    @property
    def _version(self) -> int:
        """The writes into its memory so far, as in PyTorch; a saved value must not have more."""
        return self._storage.writes()

    def dim(self) -> int:
        """The number of dimensions."""
        return len(self._shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        return self._shape if dim is None else self._shape[self._dim(dim)]

    def stride(self, dim: int | None = None) -> Any:
        """The strides in elements, or that of one dimension."""
        return self._strides if dim is None else self._strides[self._dim(dim)]

    def _dim(self, dim: Any) -> int:
        d = whole_number(dim, "a dimension")
        if not -len(self._shape) <= d < len(self._shape):
            raise IndexError("dimension %d is out of range for a tensor of shape %s" % (d, list(self._shape)))
        return d

    def numel(self) -> int:
        """The number of elements."""
        return numel_of(self._shape)

    def element_size(self) -> int:
        """Bytes of one element."""
        return self._dtype.itemsize

    @in_c
    def is_contiguous(self) -> bool:
        """Whether the elements are dense and row-major in memory."""
        step = 1
        for n, s in zip(reversed(self._shape), reversed(self._strides)):
            if n != 1 and s != step:
                return n == 0 or 0 in self._shape
            step *= n
        return True

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made this tensor."""
        if self._base is not None:
            state.renew(self)
        return self._node is None

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient of a leaf, a Tensor of the same shape, or None."""
        program.note_leaf(self)
        gradient = self._grad
        return gradient if gradient is None or gradient is not self._slot else state.show(self)

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("a grad must be a Tensor or None, not %s" % type(value).__name__)
        if value is not None and value._shape != self._shape:
            raise RuntimeError("assigned grad has shape %s but the tensor has shape %s" % (value._shape, self._shape))
        if value is not None and (value._dtype is not self._dtype or value.device is not self.device):
            raise RuntimeError(
                "assigned grad is %s on %s but the tensor is %s on %s; convert it with .to(...)"
                % (value._dtype.name, value.device.name, self._dtype.name, self.device.name)
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad; assign a clone")
        program.note_leaf(self, overwritten=True)
        state.touch()
        slot = self._slot
        if value is not None and slot is not None:
            if value._storage.owner is slot._storage and value._strides == slot._strides:
                value = slot  # what `grad` has lent
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    @property
    def data(self) -> Tensor:
        """The same memory without the tape. Writes through it are not counted as versions, as in
        PyTorch: the backward does not see them.
        """
        storage = UncountedStorage(self._storage.counted())
        return Tensor(storage, self._shape, self._dtype, self._offset, self._strides)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("data must be a Tensor, not %s" % type(value).__name__)
        if value._dtype is not self._dtype or value.device is not self.device:
            raise RuntimeError(
                "data of %s on %s cannot be given %s on %s; make a new tensor"
                % (self._dtype.name, self.device.name, value._dtype.name, value.device.name)
            )
        program.note_read("`.data` was assigned")
        if self._storage.owner is not None:
            state.keep_apart(self)
        self._storage, self._shape = value._storage.counted(), value._shape
        self._offset, self._strides = value._offset, value._strides
        state.layout += 1

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Starts (or ends) the recording of gradients of a leaf. Raises RuntimeError for integers
        and for results of recorded ops.
        """
        if not isinstance(requires_grad, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("requires_grad_() takes True or False, not %r" % (requires_grad,))
        self.requires_grad = requires_grad
        return self

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are recorded; a leaf's may be set. (The ops read the slot below it.)"""
        if self._base is not None:
            state.renew(self)
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, requires_grad: bool) -> None:
        if not isinstance(requires_grad, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise RuntimeError("requires_grad must be a bool, True or False, not %r" % (requires_grad,))
        if requires_grad and not self._dtype.is_floating_point:
            raise RuntimeError("only Tensors of floating point dtype can require gradients, not of %r" % (self._dtype,))
        if self._node is not None and not requires_grad:
            raise RuntimeError("you can only change requires_grad of leaf tensors; use .detach()")
        if requires_grad is not self._requires_grad:
            if requires_grad and self._node is None:
                self._base = None  # a view that becomes a leaf: its base says no more whether it requires grad
            self._requires_grad = requires_grad
            program.note_requires_grad(self)

    @in_c
    def detach(self) -> Tensor:
        """The same data without the tape."""
        out: Tensor = _new(Tensor)  # the same view: nothing to check again
        out._storage, out._shape, out._dtype = self._storage, self._shape, self._dtype
        out._offset, out._strides = self._offset, self._strides
        out._requires_grad = out._unit = False
        out._grad = out._slot = out._node = out._base = None
        out._index = 0
        return out

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of a 0-d tensor")
        return self._shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self._shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self._shape[0]))

    def __hash__(self) -> int:
        return id(self)

    # ---- host and device ------------------------------------------------------------------------

    def tobytes(self) -> bytes:
        """The contents, row-major, little-endian, as the dtype is stored (bool: int32 0 or 1)."""
        program.note_read("its contents were read")
        x = self.detach().contiguous()
        size = x._dtype.itemsize
        return x.device.download(x._storage.handle, x.numel() * size, x._storage.base + x._offset * size)

    def copy_bytes_(self, data: Any) -> Tensor:
        """Overwrites a contiguous tensor with `data` (bytes of exactly its size). Returns self."""
        nbytes = memoryview(data).nbytes
        if nbytes != self.numel() * self._dtype.itemsize:
            raise ValueError(
                "%d bytes do not fill a tensor of shape %s (%d bytes)"
                % (nbytes, self._shape, self.numel() * self._dtype.itemsize)
            )
        if not self.is_contiguous():
            raise RuntimeError("copy_bytes_ needs a contiguous tensor; call .contiguous() first")
        program.note_write("a tensor was filled from Python data")
        self._storage.version += 1
        if self._storage.int8 is not None:
            program.forget_int8(self._storage)
        if nbytes:
            self.device.upload(self._storage.handle, data, self._storage.base + self._offset * self._dtype.itemsize)
        return self

    def item(self) -> float:
        """The single element as a Python number."""
        if self._shape and self.numel() != 1:
            raise RuntimeError("a Tensor with %d elements cannot be converted to a Python number" % self.numel())
        if program._capture is not None:  # here and not in note_read: that call costs a tenth of the read
            program.note_read(".item() was called")
        storage = self._storage
        kind: Any = self._dtype
        value = storage.device.scalar(kind, storage.handle, storage.base + self._offset * kind.itemsize)
        return bool(value) if kind is bool_ else value

    async def item_async(self) -> float:
        """As item, awaited: for browsers in which Python cannot wait for a GPU in the middle of a
        call.
        """
        if self.numel() != 1:
            raise RuntimeError("a Tensor with %d elements cannot be converted to a Python number" % self.numel())
        program.note_read(".item_async() was called")
        storage, kind = self._storage, self._dtype
        (value,) = kind.unpack(
            await storage.device.download_async(
                storage.handle, kind.itemsize, storage.base + self._offset * kind.itemsize
            )
        )
        return bool(value) if kind is bool_ else value

    def tolist(self) -> Any:
        """Nested lists of Python numbers (a number for a 0-d tensor)."""
        if self._dtype.computed is float32 is not self._dtype:
            return self.detach()._cast(float32).tolist()  # every value of a 16-bit float is one of float32
        flat: array.array[Any] = array.array(self._dtype.typecode)
        flat.frombytes(self.tobytes())
        values: list[Any] = [bool(v) for v in flat] if self._dtype is bool_ else flat.tolist()
        if not values and 0 in self._shape:  # what is in front of the first size 0 nests
            lead = self._shape[: self._shape.index(0)]
            values = [[] for _ in range(numel_of(lead))]
            for n in reversed(lead):
                values = [values[i : i + n] for i in range(0, len(values), n)]
            return values[0]
        for n in reversed(self._shape[1:]):
            values = [values[i : i + n] for i in range(0, len(values), n)]
        return values if self._shape else values[0]

    def numpy(self) -> Any:
        """A NumPy copy. Raises ImportError where NumPy is not installed, RuntimeError if a gradient
        is recorded.
        """
        if self.requires_grad:
            raise RuntimeError("can't call numpy() on a Tensor that requires grad; use tensor.detach().numpy()")
        import numpy  # optional: a tab trains without it

        if self._dtype is bfloat16:
            raise TypeError("Got unsupported ScalarType BFloat16: NumPy has no such type; use .float().numpy()")
        out = numpy.frombuffer(self.tobytes(), dtype="<" + self._dtype.typecode).reshape(self._shape)
        return out.astype(bool) if self._dtype is bool_ else out.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        out = self.detach().numpy()
        return out if dtype is None else out.astype(dtype)

    def __float__(self) -> float:
        return float(self._number())

    def __int__(self) -> int:
        return int(self._number())

    def _number(self) -> float:
        if self._shape and self.numel() != 1:
            raise ValueError("only one element tensors can be converted to Python numbers, not %s" % list(self._shape))
        return self.item()

    def __format__(self, form: str) -> str:
        """f"{loss:.3f}": a 0-d tensor formats as its number, any other as it prints."""
        return format(self.item(), form) if not self._shape else object.__format__(self, form)

    def __index__(self) -> int:
        if self._dtype.is_floating_point or self.numel() != 1:
            raise TypeError(
                "only integer tensors of a single element can be converted to an index, not %s of shape %s"
                % (self._dtype.name, list(self._shape))
            )
        return int(self.item())

    def __bool__(self) -> bool:
        if self.numel() != 1:
            raise RuntimeError(
                "the truth value of a Tensor with %d elements is ambiguous; use .any() or .all()" % self.numel()
            )
        return bool(self.item())


know(
    tensor=Tensor,
    storage=Storage,
    borrowed=BorrowedStorage,
    uids=_uids,
    state=state,
    dtypes=[
        (d, d.kind, d.code, d.itemsize, d.computed is d and d is not bool_, d.is_floating_point)
        for d in DTYPES.values()
    ],
)
