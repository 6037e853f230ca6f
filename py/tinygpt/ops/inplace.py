"""Updates in place: add_ sub_ mul_ div_, copy_, fill_, and assignment to a slice. None of them is recorded for backward."""

from .. import kernels
from ..creation import full
from ..program import launch, merged_dims
from ..state import state
from ..tensor import Tensor, bool_, float32
from . import elementwise, movement


def writable(x, name):
    if state.grad_enabled and x.requires_grad:
        kind = "a leaf Variable that requires grad" if x.is_leaf else "a tensor that is part of a recorded computation"
        raise RuntimeError(
            "%s is being used in an in-place operation (%s); use the op without the underscore, or with no_grad()" % (kind, name)
        )


def in_place(name, a, b):
    """a op= b (add_ sub_ mul_ div_): b a number or a tensor that broadcasts to a's shape."""
    writable(a, name + "_")
    b = elementwise.operand(b, a)
    if isinstance(b, Tensor):
        elementwise.same_device(a, b)
        if elementwise.broadcast_shapes(a.shape, b.shape) != a.shape:
            raise RuntimeError(
                "output with shape %s doesn't match the broadcast shape %s"
                % (list(a.shape), list(elementwise.broadcast_shapes(a.shape, b.shape)))
            )
        if a.dtype is not float32 and b.dtype is float32:
            raise RuntimeError("result type float32 can't be cast to the desired output type %s" % a.dtype.name)
        b = elementwise.as_float(b.detach()) if a.dtype is float32 else b
    elif a.dtype is not float32 and (isinstance(b, float) or name == "div"):
        raise RuntimeError("result type float32 can't be cast to the desired output type %s" % a.dtype.name)
    if not a.is_contiguous():
        elementwise.copy_into(
            a, elementwise.binary(name, a.detach(), b) if isinstance(b, Tensor) else elementwise.binary_scalar(name, a.detach(), b)
        )
    elif a.numel():
        if isinstance(b, Tensor):
            n = kernels.MAX_RANK
            dims = merged_dims(a.shape, a._strides, elementwise.expand_strides(b, a.shape))
            launch(kernels.binary, (a, a, b), (kernels.BINARY[name], a.dtype.code, *dims[: 2 * n], *dims[2 * n :]))
        else:
            launch(kernels.binary_scalar, (a, a), (kernels.BINARY[name], a.dtype.code, a.numel(), float(b), 0))
    return a


def copy_(x, source):
    """x = source, broadcast and cast to x. Returns x."""
    writable(x, "copy_")
    source = elementwise.operand(source, x)
    if not isinstance(source, Tensor):
        return fill_(x, source)
    if source.device is not x.device:
        source = source.to(x.device)
    if elementwise.broadcast_shapes(x.shape, source.shape) != x.shape:
        raise RuntimeError("a tensor of shape %s cannot be copied into one of shape %s" % (list(source.shape), list(x.shape)))
    view = Tensor(source._storage, x.shape, source.dtype, source._offset, elementwise.expand_strides(source, x.shape))
    elementwise.copy_into(x, view)
    return x


def fill_(x, value):
    """x[...] = value (a number). Returns x."""
    writable(x, "fill_")
    if not x.numel():
        return x
    if x.is_contiguous():
        launch(kernels.fill, (x,), (x.dtype.code, x.numel(), float(value)))
    else:
        one = full((), value, x.dtype, device=x.device)
        elementwise.copy_into(x, Tensor(one._storage, x.shape, x.dtype, 0, (0,) * x.ndim))
    return x


def set_index(x, key, value):
    """x[key] = value for ints, slices, None and Ellipsis, or where(mask) for a bool mask and a number."""
    writable(x, "index assignment")
    if isinstance(key, Tensor) and key.dtype is bool_:
        return copy_(x, masked(x, key, value))
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(movement.is_advanced(k) for k in keys):
        raise IndexError("assignment through an index tensor is not supported; use where, or a loop of slices")
    with_no_tape = x.detach()
    return copy_(movement.basic_index(with_no_tape, keys), value.detach() if isinstance(value, Tensor) else value)


def masked(x, mask, value):
    return elementwise.where(mask, value, x.detach())
