"""New tensors: uninitialised, filled, or from Python data and NumPy arrays."""

import array

from .state import get_device
from .tensor import Storage, Tensor, bool_, float32, int8, int32, numel_of


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
    return Tensor(
        Storage(
            x._storage.device,
            max(numel_of(shape) * dtype.itemsize, 4),
            "float32" if dtype is float32 else "int8" if dtype is int8 else "int32",
        ),
        shape,
        dtype,
    )


def full(shape, value, dtype=None, device=None, requires_grad=False):
    """A tensor filled with one number; the dtype follows the number unless given."""
    from .ops import inplace

    dtype = dtype or (bool_ if isinstance(value, bool) else int32 if isinstance(value, int) else float32)
    out = empty(shape, dtype=dtype, device=device)
    inplace.fill_(out, value)
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
    kind = (
        bool_ if flat and all(isinstance(v, bool) for v in flat) else int32 if flat and all(isinstance(v, int) for v in flat) else float32
    )
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
        raise ValueError(
            "expected a list of length %d at dimension %d, got %r"
            % (shape[depth], depth, data if not isinstance(data, (list, tuple)) else len(data))
        )
    for item in data:
        _walk(item, shape, depth + 1, flat)
