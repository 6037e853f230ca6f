"""Tensor: shape, dtype, device, gradient, and the tape that records how to go backward. No kernel code.

A Tensor is a view (offset, shape, strides; all counted in elements) of a Storage, a piece of one device's memory. An op makes new Tensors
and, where a gradient is wanted, attaches a Node: its inputs and a function from output gradients to input gradients.
`backward` walks the Nodes from the newest to the oldest. The methods that compute are attached in `tinygpt.ops`.
"""

import array
import itertools
import struct
import sys

from . import devices, program


class dtype:
    """An element type. `name` as in kernels.DTYPES; bool is stored as int32 0 or 1."""

    __slots__ = ("name", "code", "typecode", "is_floating_point")

    def __init__(self, name, code, typecode, is_floating_point):
        self.name, self.code, self.typecode, self.is_floating_point = name, code, typecode, is_floating_point

    @property
    def itemsize(self):
        return 1 if self.typecode == "b" else 4

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

    __slots__ = ("device", "handle", "nbytes", "uid", "__weakref__")

    def __init__(self, device, nbytes, kind="float32"):
        self.handle = None
        self.device, self.nbytes = device, nbytes
        self.handle = device.alloc(nbytes, kind)
        self.uid = next(_uids)

    def __del__(self):
        if self.handle is not None:
            self.device.free(self.handle)


class Node:
    """One recorded op. `backward(*output gradients)` returns a gradient or None for each input, in order."""

    __slots__ = ("seq", "inputs", "backward", "outputs", "name")
    _seq = itertools.count(1)

    def __init__(self, name, inputs, backward, outputs):
        self.seq, self.name, self.inputs, self.backward, self.outputs = next(Node._seq), name, inputs, backward, outputs


class _State:
    grad_enabled = True
    device = None  # a Device, made at the first use
    layout = 0  # changes when a parameter moves or its requires_grad changes: captured Programs look at it


state = _State()


class no_grad:
    """Context manager and decorator: nothing inside is recorded for backward."""

    _value = False

    def __enter__(self):
        self._before = state.grad_enabled
        state.grad_enabled = self._value
        return self

    def __exit__(self, *exc):
        state.grad_enabled = self._before

    def __call__(self, function):
        def wrapped(*args, **kwargs):
            with type(self)():
                return function(*args, **kwargs)

        wrapped.__name__, wrapped.__doc__ = getattr(function, "__name__", "wrapped"), function.__doc__
        return wrapped


class enable_grad(no_grad):
    """The reverse of no_grad."""

    _value = True


def is_grad_enabled():
    return state.grad_enabled


def set_device(name):
    """Makes `name` (see tinygpt.devices.NAMES) the device of new tensors. Existing tensors stay where they are."""
    state.device = devices.get(name)
    return state.device


def get_device(name=None):
    """The Device called `name`, or the current one: the first that runs here of wasm, native, reference."""
    if name is not None:
        return name if isinstance(name, devices.base.Device) else devices.get(name)
    if state.device is None:
        errors = []
        # A tab never trains on the oracle unasked.
        for candidate in ("wasm",) if sys.platform == "emscripten" else ("wasm", "native", "reference"):
            try:
                state.device = devices.get(candidate)
                break
            except (RuntimeError, ImportError) as error:
                errors.append("%s: %s" % (candidate, error))
        else:
            raise RuntimeError("no device can run here. " + " ".join(errors))
    return state.device


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

    __slots__ = ("_storage", "_offset", "shape", "_strides", "dtype", "requires_grad", "_grad", "_slot", "_node", "_index", "_unit", "__weakref__", "__dict__")

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
        program.note_leaf(self)
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
            raise ValueError("%d bytes do not fill a tensor of shape %s (%d bytes)" % (nbytes, self.shape, self.numel() * self.dtype.itemsize))
        if not self.is_contiguous():
            raise RuntimeError("copy_bytes_ needs a contiguous tensor; call .contiguous() first")
        program.note_write("a tensor was filled from Python data")
        if nbytes:
            self.device.upload(self._storage.handle, data, self._offset * self.dtype.itemsize)
        return self

    def item(self):
        """The single element as a Python number."""
        if self.numel() != 1:
            raise RuntimeError("a Tensor with %d elements cannot be converted to a Python number" % self.numel())
        program.note_read(".item() was called")
        size = self.dtype.itemsize
        raw = self.device.download(self._storage.handle, size, self._offset * size)
        value = struct.unpack("<" + self.dtype.typecode, raw)[0]
        return bool(value) if self.dtype is bool_ else value

    def tolist(self):
        """Nested lists of Python numbers (a number for a 0-d tensor)."""
        flat = array.array(self.dtype.typecode)
        flat.frombytes(self.tobytes())
        values = [bool(v) for v in flat] if self.dtype is bool_ else flat.tolist()
        for n in reversed(self.shape[1:]):
            values = [values[i : i + n] for i in range(0, len(values), n)] if n else [[] for _ in range(numel_of(self.shape[: self.shape.index(0)]))]
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
                raise RuntimeError("grad can be implicitly created only for scalar outputs, not for shape %s; pass gradient=" % (self.shape,))
            gradient = full(self.shape, 1.0, device=self.device)
            gradient._unit = True
        elif gradient.shape != self.shape:
            raise RuntimeError("gradient has shape %s but the tensor has shape %s" % (gradient.shape, self.shape))
        with no_grad():
            _backward(self, gradient, retain_graph)

    def __repr__(self):
        from . import printing

        return printing.tensor_repr(self)


def _backward(root, gradient, retain_graph):
    if root._node is None:
        accumulate(root, gradient)
        return
    nodes, stack = {}, [root._node]
    while stack:
        node = stack.pop()
        if node.seq in nodes:
            continue
        if node.backward is None:
            raise RuntimeError("trying to go backward through the graph a second time; pass retain_graph=True the first time")
        nodes[node.seq] = node
        stack.extend(x._node for x in node.inputs if x._node is not None)
    grads = {root._node.seq: [None] * root._node.outputs}  # by node: one gradient for each output
    grads[root._node.seq][root._index] = gradient
    del gradient
    for seq in sorted(nodes, reverse=True):
        node = nodes.pop(seq)
        incoming = grads.pop(seq, None)
        if incoming is not None:
            outgoing = node.backward(*incoming)
            for x, g in zip(node.inputs, outgoing):
                if g is None or not x.requires_grad:
                    continue
                if x._node is None:
                    accumulate(x, g)
                    continue
                slots = grads.setdefault(x._node.seq, [None] * x._node.outputs)
                slots[x._index] = g if slots[x._index] is None else slots[x._index] + g
            del incoming, outgoing
        if not retain_graph:
            node.backward, node.inputs = None, ()


def accumulate(leaf, gradient):
    """leaf.grad += gradient. A leaf with a slot (its place in an optimizer's flat gradient) keeps its gradient there."""
    program.note_leaf(leaf)
    slot = leaf._slot
    if leaf._grad is None:
        if slot is None:
            # A gradient that is still shared (a view, or another leaf's) must not be changed by a later accumulation.
            leaf._grad = gradient.clone()
        else:
            slot.copy_(gradient)
            leaf._grad = slot
    else:
        leaf._grad.add_(gradient)


def attach(name, outputs, inputs, backward):
    """Records an op: marks `outputs` (a tuple of fresh Tensors) as computed from `inputs` by it. Call only when `wanted(*inputs)`."""
    node = Node(name, inputs, backward, len(outputs))
    for i, out in enumerate(outputs):
        out.requires_grad, out._node, out._index = True, node, i


def wanted(*inputs):
    """True when the op on these inputs must be recorded."""
    if state.grad_enabled:
        for x in inputs:
            if x is not None and x.requires_grad:
                return True
    return False


# ---- creation ----------------------------------------------------------------------------------------


def shape_of(args):
    """(2, 3), ([2, 3],) or ((2, 3),) as a tuple of ints; sentences for anything else."""
    shape = tuple(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list)) else tuple(args)
    for n in shape:
        if not isinstance(n, int) or isinstance(n, bool):
            raise TypeError("sizes must be ints, not %r" % (n,))
        if n < 0:
            raise RuntimeError("trying to create a tensor with negative dimension %d: %s" % (n, list(shape)))
    return shape


def empty(*shape, dtype=float32, device=None, requires_grad=False):
    """An uninitialised tensor."""
    shape = shape_of(shape)
    device = get_device(device)
    storage = Storage(device, max(numel_of(shape) * dtype.itemsize, 4), {"f": "float32", "i": "int32", "b": "int8"}[dtype.typecode])
    return Tensor(storage, shape, dtype, requires_grad=requires_grad)


def like(x, shape=None, dtype=None):
    """An uninitialised dense tensor on x's device; x's shape and dtype unless given."""
    shape = x.shape if shape is None else shape
    dtype = x.dtype if dtype is None else dtype
    return Tensor(Storage(x._storage.device, max(numel_of(shape) * dtype.itemsize, 4), "float32" if dtype is float32 else "int8" if dtype is int8 else "int32"), shape, dtype)


def full(shape, value, dtype=None, device=None, requires_grad=False):
    """A tensor filled with one number; the dtype follows the number unless given."""
    from .ops import movement

    dtype = dtype or (bool_ if isinstance(value, bool) else int32 if isinstance(value, int) else float32)
    out = empty(shape, dtype=dtype, device=device)
    movement.fill_(out, value)
    out.requires_grad = requires_grad
    return out


def tensor(data, dtype=None, device=None, requires_grad=False):
    """A tensor from a number, nested lists, a bytes-like array or a NumPy array (a copy).

    dtype: from the data unless given (float: float32, int: int32, bool: bool). Ragged lists raise ValueError.
    """
    if isinstance(data, Tensor):
        out = data.detach().clone()
        out = out if dtype is None else out.to(dtype)
        return out.requires_grad_(requires_grad) if requires_grad else out
    shape, flat, kind = _flatten(data)
    dtype = dtype or kind
    out = empty(shape, dtype=dtype, device=device)
    if not isinstance(flat, array.array) or flat.typecode != dtype.typecode:
        try:
            values = (1 if v else 0 for v in flat) if dtype is bool_ else (int(v) for v in flat) if dtype is not float32 else flat
            flat = array.array(dtype.typecode, values)
        except OverflowError:
            raise OverflowError("a value does not fit %r; int32 holds -2147483648 to 2147483647" % (dtype,)) from None
    out.copy_bytes_(flat)
    return out.requires_grad_() if requires_grad else out


def _flatten(data):
    """(shape, flat values, dtype) of numbers, nested sequences or an array."""
    if hasattr(data, "__array__") and hasattr(data, "dtype"):
        import numpy

        kind = data.dtype.kind
        if kind not in "fiub":
            raise TypeError("cannot make a tensor of NumPy dtype %s; use floats, ints or bools" % data.dtype)
        if kind in "iu" and data.size and (data.max() > 2147483647 or data.min() < -2147483648):
            raise OverflowError("a value of the array does not fit int32; convert it to float32 first")
        flat = array.array("f" if kind == "f" else "i")
        flat.frombytes(numpy.ascontiguousarray(data, dtype="<f4" if kind == "f" else "<i4").tobytes())
        return tuple(data.shape), flat, float32 if kind == "f" else bool_ if kind == "b" else int32
    if isinstance(data, array.array):
        return (len(data),), data, float32 if data.typecode in "fd" else int32
    if isinstance(data, (bytes, bytearray, range)):
        return (len(data),), list(data), int32
    shape, level = [], data
    while isinstance(level, (list, tuple)):
        shape.append(len(level))
        if not level:
            break
        level = level[0]
    flat = []
    _walk(data, shape, 0, flat)
    kind = bool_ if flat and all(isinstance(v, bool) for v in flat) else int32 if flat and all(isinstance(v, int) for v in flat) else float32
    return tuple(shape), flat, kind


def _walk(data, shape, depth, flat):
    if depth == len(shape):
        if isinstance(data, Tensor):
            data = data.item()
        if not isinstance(data, (int, float)):
            raise TypeError("cannot make a tensor of %r; use numbers or lists of numbers of equal length" % (data,))
        flat.append(data)
        return
    if not isinstance(data, (list, tuple)) or len(data) != shape[depth]:
        raise ValueError("expected a list of length %d at dimension %d, got %r" % (shape[depth], depth, data if not isinstance(data, (list, tuple)) else len(data)))
    for item in data:
        _walk(item, shape, depth + 1, flat)
