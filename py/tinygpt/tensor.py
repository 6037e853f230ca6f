"""Tensor: shape, dtype, device and gradient of a piece of memory. No kernel code.

A Tensor is a view (offset, shape, strides; all counted in elements) of a Storage, a piece of one device's memory. An op makes new Tensors
and, where a gradient is wanted, records itself on the tape (tinygpt.autograd). The methods that compute are attached in `tinygpt.ops`.
"""

import array
import itertools
import struct

from . import autograd, program
from .state import get_device, no_grad, state


class dtype:
    """An element type. `name` as in kernels.DTYPES; bool is stored as int32 0 or 1."""

    __slots__ = ("name", "code", "typecode", "is_floating_point", "itemsize", "unpack")

    def __init__(self, name, code, typecode, is_floating_point):
        self.name, self.code, self.typecode, self.is_floating_point = name, code, typecode, is_floating_point
        packed = struct.Struct("<" + typecode)
        self.itemsize, self.unpack = packed.size, packed.unpack

    def __repr__(self):
        return "tinygpt." + self.name


float32 = dtype("float32", 0, "f", True)
int32 = dtype("int32", 1, "i", False)
bool_ = dtype("bool", 1, "i", False)
int8 = dtype("int8", 2, "b", False)  # weights of quantized layers only
DTYPES = {d.name: d for d in (float32, int32, bool_, int8)}

_uids = itertools.count(1)


class Storage:
    """A piece of a device's memory, freed when nobody holds it."""

    __slots__ = ("device", "handle", "nbytes", "kind", "uid", "pins", "int8", "__weakref__")

    def __init__(self, device, nbytes, kind="float32"):
        self.handle = None
        self.device, self.nbytes, self.kind = device, nbytes, kind
        self.pins = 0  # Programs that have its place built in
        self.int8 = None  # (int8 [N, K], scales [N]) of a weight that came so from a file and was not written since (ops/quantized.py)
        self.handle = device.alloc(nbytes, kind)
        self.uid = next(_uids)

    def __del__(self):
        if self.handle is not None:
            self.device.free(self.handle)


def row_major(shape):
    """Strides of a dense tensor."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def numel_of(shape):
    n = 1
    for size in shape:
        n *= size
    return n


class Tensor:
    """A multi-dimensional array on a device, with PyTorch's names and semantics.

    shape: tuple of ints. dtype: float32, int32 or bool. grad: the accumulated gradient of a leaf that requires one.
    """

    __slots__ = (
        "_storage",
        "_offset",
        "shape",
        "_strides",
        "dtype",
        "requires_grad",
        "_grad",
        "_slot",
        "_node",
        "_index",
        "_unit",
        "__weakref__",
        "__dict__",
    )

    def __init__(self, storage, shape, dtype=float32, offset=0, strides=None, requires_grad=False):
        self._storage, self.shape, self.dtype, self._offset = storage, shape, dtype, offset
        self._strides = row_major(shape) if strides is None else strides
        self.requires_grad = requires_grad
        self._grad = self._slot = self._node = None
        self._index = 0
        self._unit = False

    # ---- facts -------------------------------------------------------------------------------------

    @property
    def device(self):
        return self._storage.device

    @property
    def ndim(self):
        return len(self.shape)

    def dim(self):
        return len(self.shape)

    def size(self, dim=None):
        return self.shape if dim is None else self.shape[dim]

    def stride(self, dim=None):
        return self._strides if dim is None else self._strides[dim]

    def numel(self):
        return numel_of(self.shape)

    def element_size(self):
        return self.dtype.itemsize

    def is_contiguous(self):
        step = 1
        for n, s in zip(reversed(self.shape), reversed(self._strides)):
            if n != 1 and s != step:
                return n == 0 or 0 in self.shape
            step *= n
        return True

    @property
    def is_leaf(self):
        return self._node is None

    @property
    def grad(self):
        program.note_leaf(self)
        return self._grad

    @grad.setter
    def grad(self, value):
        if value is not None and (not isinstance(value, Tensor) or value.shape != self.shape):
            raise RuntimeError("assigned grad has shape %s but the tensor has shape %s" % (getattr(value, "shape", value), self.shape))
        program.note_leaf(self, overwritten=True)
        state.touch()
        self._grad = value

    @property
    def data(self):
        return self.detach()

    def requires_grad_(self, requires_grad=True):
        """Asks for (or ends) gradients of a leaf. Raises RuntimeError for integers and for results of recorded ops."""
        if requires_grad and not self.dtype.is_floating_point:
            raise RuntimeError("only float32 tensors can require gradients, not %r" % (self.dtype,))
        if self._node is not None and not requires_grad:
            raise RuntimeError("you can only change requires_grad of leaf tensors; use .detach()")
        self.requires_grad = requires_grad
        state.layout += 1
        return self

    def detach(self):
        """The same data without the tape."""
        return Tensor(self._storage, self.shape, self.dtype, self._offset, self._strides)

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self):
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def __hash__(self):
        return id(self)

    # ---- host and device ---------------------------------------------------------------------------

    def tobytes(self):
        """The contents, row-major and little-endian: float32 or int32 (bool: int32 0 or 1)."""
        program.note_read("its contents were read")
        x = self.detach().contiguous()
        size = x.dtype.itemsize
        return x.device.download(x._storage.handle, x.numel() * size, x._offset * size)

    def copy_bytes_(self, data):
        """Overwrites a contiguous tensor with `data` (bytes of exactly its size). Returns self."""
        nbytes = memoryview(data).nbytes
        if nbytes != self.numel() * self.dtype.itemsize:
            raise ValueError(
                "%d bytes do not fill a tensor of shape %s (%d bytes)" % (nbytes, self.shape, self.numel() * self.dtype.itemsize)
            )
        if not self.is_contiguous():
            raise RuntimeError("copy_bytes_ needs a contiguous tensor; call .contiguous() first")
        program.note_write("a tensor was filled from Python data")
        if self._storage.int8 is not None:
            program.forget_int8(self._storage)
        if nbytes:
            self.device.upload(self._storage.handle, data, self._offset * self.dtype.itemsize)
        return self

    def item(self):
        """The single element as a Python number."""
        if self.shape and self.numel() != 1:
            raise RuntimeError("a Tensor with %d elements cannot be converted to a Python number" % self.numel())
        program.note_read(".item() was called")
        storage, kind = self._storage, self.dtype
        value = storage.device.scalar(kind, storage.handle, self._offset * kind.itemsize)
        return bool(value) if kind is bool_ else value

    async def item_async(self):
        """As item, awaited: for browsers in which Python cannot wait for a GPU in the middle of a call."""
        if self.numel() != 1:
            raise RuntimeError("a Tensor with %d elements cannot be converted to a Python number" % self.numel())
        program.note_read(".item_async() was called")
        storage, kind = self._storage, self.dtype
        (value,) = kind.unpack(await storage.device.download_async(storage.handle, kind.itemsize, self._offset * kind.itemsize))
        return bool(value) if kind is bool_ else value

    def tolist(self):
        """Nested lists of Python numbers (a number for a 0-d tensor)."""
        flat = array.array(self.dtype.typecode)
        flat.frombytes(self.tobytes())
        values = [bool(v) for v in flat] if self.dtype is bool_ else flat.tolist()
        for n in reversed(self.shape[1:]):
            values = (
                [values[i : i + n] for i in range(0, len(values), n)]
                if n
                else [[] for _ in range(numel_of(self.shape[: self.shape.index(0)]))]
            )
        return values if self.shape else values[0]

    def numpy(self):
        """A NumPy copy. Raises ImportError where NumPy is not installed, RuntimeError if a gradient is recorded."""
        if self.requires_grad:
            raise RuntimeError("can't call numpy() on a Tensor that requires grad; use tensor.detach().numpy()")
        import numpy

        out = numpy.frombuffer(self.tobytes(), dtype={"f": "<f4", "i": "<i4", "b": "i1"}[self.dtype.typecode]).reshape(self.shape)
        return out.astype(bool) if self.dtype is bool_ else out.copy()

    def __array__(self, dtype=None, copy=None):
        out = self.detach().numpy()
        return out if dtype is None else out.astype(dtype)

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    __index__ = __int__

    def __bool__(self):
        if self.numel() != 1:
            raise RuntimeError("the truth value of a Tensor with %d elements is ambiguous; use .any() or .all()" % self.numel())
        return bool(self.item())

    def to(self, target):
        """A copy as another dtype, or on another device (by name or Device); itself where nothing changes. On a device: not recorded."""
        if isinstance(target, dtype):
            return self._cast(target)
        device = get_device(target)
        if device is self.device:
            return self
        from .creation import empty

        out = empty(*self.shape, dtype=self.dtype, device=device)
        out.copy_bytes_(self.tobytes())
        out.requires_grad = self.requires_grad
        return out

    # ---- backward ----------------------------------------------------------------------------------

    def backward(self, gradient=None, retain_graph=False):
        """Accumulates d self / d leaf into `.grad` of every leaf that requires it (reverse-mode differentiation).

        gradient: of this tensor's shape; needed unless the tensor has one element. The tape is freed unless retain_graph.
        """
        if not self.requires_grad:
            raise RuntimeError("this tensor does not require grad and has no grad_fn, so there is nothing to differentiate")
        if gradient is None:
            if self.numel() != 1:
                raise RuntimeError(
                    "grad can be implicitly created only for scalar outputs, not for shape %s; pass gradient=" % (self.shape,)
                )
            from .creation import full

            gradient = full(self.shape, 1.0, device=self.device)
            gradient._unit = True
        elif gradient.shape != self.shape:
            raise RuntimeError("gradient has shape %s but the tensor has shape %s" % (gradient.shape, self.shape))
        with no_grad():
            autograd.backward(self, gradient, retain_graph)

    def __repr__(self):
        from . import printing

        return printing.tensor_repr(self)
