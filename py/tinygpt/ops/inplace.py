"""Updates in place: add_ sub_ mul_ div_, copy_, fill_, and assignment to a slice.

A write that needs a gradient is the op without the underscore, recorded, whose result is then
copied into the tensor (`_assign`); core/autograd.py gives the tensor that result's Node. Every
write counts in the Storage's version. As in PyTorch, an output that overlaps itself or a part of
an input is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import (
    attach,
    before_write,
    has_edge,
    is_recorded,
    keep,
    refuse_repeated,
    repeated_dims,
    written,
)
from ..core.eager import in_c
from ..core.factory import full
from ..core.quoting import quoted
from ..core.state import state
from ..core.tensor import DTYPES, Tensor, bool_, fitted, float32, in_64_bits, int64, is_number, uint8
from ..graph.program import launch
from ..kernels import RankError, merged_dims
from . import elementwise, movement

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..core.attached_methods import Operand


def check_overlap(x: Tensor, source: Tensor | None = None) -> bool:
    """Whether `source`, which is written into x, must be copied first, because it may read what is
    written before.

    RuntimeError where PyTorch has one: an element of x is in memory shared with another of its own,
    or x and the source overlap in part.
    """
    if 0 in x._strides:
        refuse_repeated(x)
    if source is None or source._storage.uid != x._storage.uid or not x.numel() or not source.numel():
        return False
    if _same_view(x, source):
        return False
    first, last = _extent(x)
    start, stop = _extent(source)
    if last <= start or stop <= first:
        return False
    # PyTorch's get_overlap_status: it does not look at tensors with gaps, and of one piece of
    # memory it compares the strides, even those of dimensions of size 1.
    if _is_dense(x) and _is_dense(source):
        if first == start and last == stop and source._strides == x._strides:
            return False
        raise RuntimeError(
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single "
            "memory location (shapes %s and %s of one memory). Please clone() the tensor before performing the "
            "operation." % (list(source._shape), list(x._shape))
        )
    return True


def _same_view(x: Tensor, y: Tensor) -> bool:
    """Whether both are the same elements of one memory, seen alike."""
    same = x._storage.uid == y._storage.uid and x._shape == y._shape and x._strides == y._strides
    return same and x._dtype is y._dtype and _extent(x) == _extent(y)


def _is_dense(x: Tensor) -> bool:
    """Whether x sees each element of a gapless piece of memory once, in any order of dimensions."""
    size = 1
    for step, n in sorted([(step, n) for n, step in zip(x._shape, x._strides) if n > 1]):
        if step != size:
            return False
        size *= n
    return True


def _extent(x: Tensor) -> tuple[int, int]:
    """(the first, one behind the last) element of the memory that x sees, counted from the start of
    the memory: an optimizer's arena holds several Storages.
    """
    first = x._storage.base // x._dtype.itemsize + x._offset
    return first, first + 1 + sum([(n - 1) * step for n, step in zip(x._shape, x._strides)])


def _assign(x: Tensor, result: Tensor) -> Tensor:
    """Writes a recorded result into x, which takes over its Node. Returns x."""
    if not x._dtype.is_floating_point:
        raise RuntimeError("result type float32 can't be cast to the desired output type %s" % x._dtype.name)
    if result._shape != x._shape:
        raise RuntimeError(
            "output with shape %s doesn't match the broadcast shape %s" % (list(x._shape), list(result._shape))
        )
    elementwise.copy_into(x, result)
    return written(x, result)


@in_c
def in_place(name: str, a: Tensor, b: Operand) -> Tensor:
    """a op= b for `name` add, sub, mul or div. Returns a.

    b: a number, or a tensor that broadcasts to a's shape. RuntimeError where it does not, where a
    is a leaf that requires grad, or where the result would be float32 and a is not.
    """
    if (
        b.__class__ in (float, int)
        and a._dtype is float32
        and a._base is None
        and not a._requires_grad
        and a.is_contiguous()
    ):  # the usual number: nothing to check or to record
        if b.__class__ is int:
            in_64_bits(b, float32)
        if a.numel():
            launch(kernels.binary_scalar, (a, a), (kernels.BINARY[name], float32.code, a.numel(), float(b), 0))
        return written(a)
    b = elementwise.operand(b, a)
    source = b
    if check_overlap(a, b if isinstance(b, Tensor) else None):
        b = b.clone()
    if is_recorded(a, name + "_", b):
        old = before_write(a)
        if name in ("mul", "div") and isinstance(b, Tensor) and b._requires_grad:
            old = old.clone()  # b's gradient reads it, and a is written
        fitting = isinstance(b, Tensor) and b._dtype.is_floating_point
        result = getattr(elementwise, name)(old, elementwise.promoted(b, a._dtype) if fitting else b)
        if b is not source and (name == "div" or (name == "mul" and has_edge(a))):
            keep(result, source)  # PyTorch keeps what the write changes, so that its backward raises
        return _assign(a, result)
    if isinstance(b, Tensor):
        elementwise.same_device(a, b)
        if elementwise.broadcast_shapes(a._shape, b._shape) != a._shape:
            raise RuntimeError(
                "output with shape %s doesn't match the broadcast shape %s"
                % (list(a._shape), list(elementwise.broadcast_shapes(a._shape, b._shape)))
            )
        b = b.detach()
    kind = elementwise.result_type(a, b)
    if name == "div" and not kind.is_floating_point:
        kind = DTYPES[state.real]
    if elementwise.category(kind) > elementwise.category(a._dtype):
        raise RuntimeError("result type %s can't be cast to the desired output type %s" % (kind.name, a._dtype.name))
    if name == "sub" and (isinstance(b, bool) or (isinstance(b, Tensor) and b._dtype is bool_)):
        elementwise.sub(a.detach(), b)  # refuses it
    if a._dtype is bool_:
        elementwise.copy_into(a, getattr(elementwise, name)(a.detach(), b))
        return written(a)
    if isinstance(b, Tensor):
        b = elementwise.promoted(b, a._dtype)
    elif not a._dtype.is_floating_point:
        b = elementwise.integer(b, a._dtype)
    if not a.is_contiguous() or a._dtype.computed is not a._dtype or a._dtype is int64:
        elementwise.copy_into(
            a,
            elementwise.binary(name, a.detach(), b)
            if isinstance(b, Tensor)
            else elementwise.binary_scalar(name, a.detach(), b),
        )
    elif a.numel():
        if isinstance(b, Tensor):
            try:
                dims = merged_dims(a._shape, a._strides, elementwise.expand_strides(b, a._shape))
                launch(kernels.binary, (a, a, b), (kernels.BINARY[name], a._dtype.code, *dims))
            except RankError:
                elementwise.in_steps(kernels.binary, (kernels.BINARY[name], a._dtype.code), a._shape, a, a, b)
        else:
            launch(kernels.binary_scalar, (a, a), (kernels.BINARY[name], a._dtype.code, a.numel(), float(b), 0))
    return written(a)


def assigned(op: Callable[..., Tensor], a: Tensor, *args: Any, **named: Any) -> Tensor:
    """a = op(a, ...) in place, for an operator that has no kernel of its own in place. Returns a.

    RuntimeError where the result is not of a's shape or its dtype is above a's.
    """
    others = [b for b in (*args, *named.values()) if isinstance(b, Tensor)]
    check_overlap(a)
    for b in others:
        check_overlap(a, b)
    recorded = [is_recorded(a, op.__name__, b) for b in others or [None]]
    if any(recorded):
        old = before_write(a)
        out = op(old.clone(), *args, **named)
    else:
        out = op(a.detach(), *args, **named)
    if elementwise.category(out._dtype) > elementwise.category(a._dtype):
        raise RuntimeError(
            "result type %s can't be cast to the desired output type %s" % (out._dtype.name, a._dtype.name)
        )
    if out._shape != a._shape:
        raise RuntimeError(
            "output with shape %s doesn't match the broadcast shape %s" % (list(a._shape), list(out._shape))
        )
    if not any(recorded):
        return copy_(a, out)
    if out._requires_grad:
        return _assign(a, out._cast(a._dtype))
    elementwise.copy_into(a, out)
    return overwritten(a, op.__name__) if a._requires_grad else written(a)


def copy_(x: Tensor, source: Operand) -> Tensor:
    """x = source, broadcast and cast to x, from any device. Returns x.

    RuntimeError where source does not broadcast to x, or x is a leaf that requires grad. TypeError
    for a list or an array.
    """
    source = _written_value(source, x)
    if not isinstance(source, Tensor):
        return fill_(x, source)
    if source.device is not x.device:
        source = source.to(x.device)
    if x._dtype is bool_:
        source = elementwise.as_bool(source)
    if elementwise.broadcast_shapes(x._shape, source._shape) != x._shape:
        raise RuntimeError(
            "a tensor of shape %s cannot be copied into one of shape %s" % (list(source._shape), list(x._shape))
        )
    recorded = is_recorded(x, "copy_", source)
    if source is not x and not _same_view(x, source):
        view = source.clone() if check_overlap(x, source) else source
        strides = elementwise.expand_strides(view, x._shape)
        elementwise.copy_into(x, Tensor(view._storage, x._shape, view._dtype, view._offset, strides))
    if not recorded:
        return written(x)
    shape, kind = source._shape, source._dtype

    def backward(dy):
        return elementwise.zeros_of(dy), elementwise.reduce_to(dy, shape)._cast(kind)

    out = x.detach()
    attach("copy_", (out,), (before_write(x), source), backward, ())
    return written(x, out)


def fill_(x: Tensor, value: float) -> Tensor:
    """x[...] = value (a number or a 0-d tensor), cast to x's dtype. Returns x.

    RuntimeError where x's dtype does not hold the value, or x is a leaf that requires grad.
    """
    if isinstance(value, Tensor):
        if value._shape:
            raise RuntimeError("fill_ needs a number or a 0-d tensor, not a value of shape %s" % list(value._shape))
        return copy_(x, value)
    value = fitted(value, x._dtype)
    recorded = is_recorded(x, "fill_")
    if not x.numel():
        pass
    elif x.is_contiguous():
        launch(kernels.fill, (x,), (x._dtype.code, x.numel(), float(value)))
    else:
        one = full((), value, x._dtype, device=x.device)
        elementwise.copy_into(x, Tensor(one._storage, x._shape, x._dtype, 0, (0,) * x.ndim))
    return overwritten(x, "fill_") if recorded else written(x)


def overwritten(x: Tensor, name: str) -> Tensor:
    """Records that x was filled with values that have no gradient: what it held gets zeros, as in
    PyTorch. Returns x.
    """
    out = x.detach()
    attach(name, (out,), (before_write(x),), lambda dy: (elementwise.zeros_of(dy),), ())
    return written(x, out)


def _written_value(value: Any, x: Tensor) -> Any:
    """A value that is written into x: a Tensor or a number as is, a bool beside a bool tensor as a
    Tensor. TypeError for anything else, as in PyTorch.
    """
    if not isinstance(value, Tensor) and not is_number(value):
        raise TypeError(
            "can't assign a %s to a tensor of %s: %s; use tensor(...)"
            % (type(value).__name__, x._dtype.name, quoted(value))
        )
    return elementwise.operand(value, x)


def set_index(x: Tensor, key: Any, value: Operand) -> Tensor:
    """x[key] = value. Returns x.

    key: ints, slices, None and Ellipsis, or one bool mask. value: a number or what broadcasts to
    the part. IndexError for an index tensor, RuntimeError where x is a leaf that requires grad,
    TypeError for a list or an array as value.
    """
    value = _written_value(value, x)
    if isinstance(key, Tensor) and key._dtype is bool_ and _one_for_each(x, key, value):
        return write_masked(x, _mask_over(x, key, value), value)
    keys = movement.keys_of(key)
    if any(movement.is_advanced(k) or movement._is_mask(k) for k in keys):
        return _put(x, keys, value)
    part = movement.basic_index(x, keys)
    if not isinstance(value, Tensor):
        refuse_repeated(part)  # a number is a 0-d tensor here, and no fill_
    else:
        # As in PyTorch, for its errors: a 0-d value may be a part of x, and what overlaps is judged
        # of the expanded value.
        if not value._shape:
            if value._storage.uid == part._storage.uid:
                value = value.clone()
        elif value._shape != part._shape:
            while value._shape and value._shape[0] == 1:
                value = movement.squeeze(value, 0)
            value = movement.expand(value, part._shape)
    copy_(part, value)
    return x


def _one_for_each(x: Tensor, mask: Tensor, value: Any) -> bool:
    """Whether a value is one for each place of a mask, whatever their number."""
    return not isinstance(value, Tensor) or len([n for n in value._shape if n != 1]) <= x.ndim - mask.ndim


def _is_fill(keys: list[Any], value: Tensor) -> bool:
    """Whether keys have one mask alone, and a value is one number: PyTorch's masked_fill_."""
    advanced = [k for k in keys if movement.is_advanced(k) or movement._is_mask(k)]
    return len(advanced) == 1 and movement._is_mask(advanced[0]) and value.numel() == 1


def _put(x: Tensor, keys: list[Any], value: Any, accumulate: bool = False) -> Tensor:
    """x[keys] = value, or += value, where some key is an index tensor or a mask. Returns x."""
    if isinstance(value, Tensor):
        if value._dtype is not x._dtype and (value._shape or state.front == "torch") and not _is_fill(keys, value):
            movement.Place(x.detach(), keys)  # whose errors come first
            raise RuntimeError(
                "Index put requires the source and destination dtypes match, got %s for the destination and %s "
                "for the source." % (x._dtype.name, value._dtype.name)
            )
        value = value._cast(x._dtype)
    else:
        if state.front == "torch" and x._dtype is uint8 and value.__class__ is int and -255 <= value < 0:
            value &= 255  # its low bits, as in PyTorch
        value = full((), fitted(value, x._dtype), x._dtype, x.device)
    elementwise.same_device(x, value)
    if is_recorded(x, "index_put_", value):
        old = before_write(x)
        out = old.detach().clone()
        movement.Place(out, keys).write(value.detach(), accumulate)
        shape = value._shape

        def backward(dy):
            rest = dy
            if not accumulate:
                rest = dy.clone()
                movement.Place(rest, keys).write(full((), 0.0, dy._dtype, dy.device))
            return rest, elementwise.reduce_to(movement.index(dy, tuple(keys)), shape)

        attach("index_put", (out,), (old, value), backward, ())
        return _assign(x, out)
    refuse_repeated(x)
    movement.Place(x.detach(), keys).write(value.detach(), accumulate)
    return written(x)


def masked_fill_(x: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """Writes `value` in place where mask (bool, broadcastable to x) is true. Returns x."""
    return _write_where(x, mask, value, lambda old: elementwise.masked_fill(old, mask, value))


def write_masked(x: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """Writes `value`, in x's dtype, where mask (bool, broadcastable to x) is true. Returns x."""
    return _write_where(x, mask, value, lambda old: elementwise.where(mask, _value_for(x, value), old))


def _write_where(x: Tensor, mask: Tensor, value: Operand, filled: Callable[[Tensor], Tensor]) -> Tensor:
    """Writes filled(x), which is `value` where the mask is true. Returns x.

    PyTorch writes into expanded tensors here: an element is filled where the mask is true at one of
    its places.
    """
    recorded = is_recorded(x, "masked_fill_", value)
    result = filled(before_write(x) if recorded else x.detach())
    repeated = repeated_dims(x._shape, x._strides)
    if not repeated or not x.numel():
        return _assign(x, result) if recorded else copy_(x, result)
    shape = tuple([1 if d in repeated else n for d, n in enumerate(x._shape)])
    once = Tensor(x._storage, shape, x._dtype, x._offset, x._strides)
    hits = elementwise.where(movement.expand(mask, x._shape), 1.0, 0.0).sum(repeated, keepdim=True)
    value = _value_for(x, value)
    if isinstance(value, Tensor):
        value = value.detach()
    elements = elementwise.where(elementwise.compare("gt", hits, 0), value, once)
    if elements._shape != shape:
        refuse_repeated(x)
    elementwise.copy_into(once, elements)
    return written(x, result if recorded else None)


def _value_for(x: Tensor, value: Operand) -> Any:
    """What x takes of a value that is written into it: in x's dtype."""
    value = elementwise.operand(value, x)
    return value._cast(x._dtype) if isinstance(value, Tensor) else fitted(value, x._dtype)


def _mask_over(x: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """The mask of x[mask] = value as one that broadcasts to x: it names the leading dimensions.

    IndexError where its shape is not x's there. RuntimeError for a value that depends on how many
    elements the mask selects: that number is on the device.
    """
    if mask._shape != x._shape[: mask.ndim]:
        raise IndexError(
            "the shape of the mask %s does not match the shape of the indexed tensor %s"
            % (list(mask._shape), list(x._shape))
        )
    rest = x._shape[mask.ndim :]
    if isinstance(value, Tensor):
        if value._shape and value._dtype is not x._dtype:
            raise RuntimeError(
                "index put requires the source and destination dtypes match, got %s for the destination and %s "
                "for the source" % (x._dtype.name, value._dtype.name)
            )
        shape = value._shape
        while shape and shape[0] == 1 and len(shape) > len(rest):
            shape = shape[1:]
        if len(shape) > len(rest) or elementwise.broadcast_shapes(shape, rest) != rest:
            raise RuntimeError(
                "assignment through a mask takes a number or a value of shape %s for each place, not shape %s, which "
                "depends on how many places the mask selects; use where or masked_fill"
                % (list(rest), list(value._shape))
            )
    return mask.reshape(mask._shape + (1,) * len(rest))
