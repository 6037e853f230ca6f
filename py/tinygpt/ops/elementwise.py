"""Elementwise ops with PyTorch's broadcasting: unary functions, arithmetic, comparison, where,
casts. Value and gradient side by side.

Shapes broadcast from the right; a gradient is summed back over the dimensions that were repeated
(`reduce_to`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import attach, has_edge, needs_grad
from ..core.eager import in_c
from ..core.factory import EXACT, dtype_of_number, full, like, tensor
from ..core.quoting import quoted
from ..core.state import state
from ..core.tensor import (
    DTYPES,
    LONGEST,
    RangeError,
    Tensor,
    bool_,
    fitted,
    float32,
    float64,
    in_64_bits,
    int8,
    int16,
    int32,
    int64,
    row_major,
    uint8,
)
from ..graph.program import launch
from ..kernels import RankError, broadcast_dims, strided_copy_params

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from ..core.attached_methods import Operand
    from ..core.tensor import Shape
    from ..core.tensor import dtype as DType
    from ..kernels import Kernel

# Unary functions whose gradient needs the output y rather than the input x
# (kernels.unary_backward).
_FROM_OUTPUT = ("reciprocal", "exp", "sqrt", "rsqrt", "tanh", "sigmoid", "relu")


def unary(name: str, x: Tensor) -> Tensor:
    """y = name(x) for a function of kernels.UNARY.

    float32, x's shape; integers become float32, as in PyTorch, but relu of integers stays int32.
    """
    if name == "relu" and not x._dtype.is_floating_point:
        return maximum(arithmetic(x, name), 0)
    source = as_float(x)
    x = source.contiguous()
    out = _unary(name, x)
    if needs_grad(x):
        saved = out.detach() if name in _FROM_OUTPUT else source  # and not its dense copy: it may be written

        def backward(dy):
            if name == "neg":
                return (unary("neg", dy),)
            return (_unary_backward(name, dy.contiguous(), saved.detach().contiguous()),)

        attach(name, (out,), (x,), backward, () if name == "neg" else (saved,))
    return out


@in_c
def _unary(name: str, x: Tensor) -> Tensor:
    """name(x) of a dense float tensor; no gradient here."""
    dtype = x._dtype
    if dtype.computed is not dtype:
        return _cast(_unary(name, _cast(x, dtype.computed)), dtype)
    out = like(x)
    kernel = kernels.unary if dtype is float32 else kernels.wide_unary
    launch(kernel, (out, x), (kernels.UNARY[name], x.numel()))
    return out


@in_c
def _unary_backward(name: str, dy: Tensor, saved: Tensor) -> Tensor:
    """The gradient of x where y = name(x); saved: see kernels.unary_backward."""
    dtype = dy._dtype
    if dtype.computed is not dtype:
        wide = _unary_backward(name, _cast(dy, dtype.computed), _cast(saved, dtype.computed))
        return _cast(wide, dtype)
    dx = like(dy)
    kernel = kernels.unary_backward if dtype is float32 else kernels.wide_unary_backward
    launch(kernel, (dx, dy, saved), (kernels.UNARY[name], dx.numel()))
    return dx


def arithmetic(x: Tensor, name: str) -> Tensor:
    """x itself, RuntimeError for bool: `name` is not defined for it, as in PyTorch."""
    if x._dtype is bool_:
        raise NotImplementedError("%s is not implemented for bool; convert with .int() or use logical_not" % name)
    return x


def neg(x: Tensor) -> Tensor:
    """-x. RuntimeError for bool."""
    return unary("neg", x) if x._dtype.is_floating_point else mul(arithmetic(x, "negation"), -1)


def abs_(x: Tensor) -> Tensor:
    """|x|; the gradient at 0 is 0. RuntimeError for bool."""
    if x._dtype is uint8:
        return x.clone()
    return unary("abs", x) if x._dtype.is_floating_point else maximum(arithmetic(x, "abs"), neg(x))


def square(x: Tensor) -> Tensor:
    """x * x; an int for bool."""
    if x._dtype.is_floating_point:
        return unary("square", x)
    return mul(promoted(x, DTYPES[state.whole]) if x._dtype is bool_ else x, x)


def as_float(x: Tensor) -> Tensor:
    """x itself where it is of a float dtype, else x cast to the default one (float32)."""
    return x if x._dtype.is_floating_point else x._cast(DTYPES[state.real])


def cast(x: Tensor, dtype: DType) -> Tensor:
    """x as another dtype; float to int truncates. The gradient flows between float dtypes only."""
    if dtype is x._dtype:
        return x
    if dtype is bool_:
        return compare("ne", x, 0)
    out = _cast(x.detach(), dtype)
    if dtype.is_floating_point and x._dtype.is_floating_point and needs_grad(x):
        before = x._dtype
        attach("to_copy", (out,), (x,), lambda dy: (cast(dy, before),), ())
    return out


def _cast(x: Tensor, dtype: DType) -> Tensor:
    """x as another dtype than bool; no gradient here."""
    if dtype is x._dtype:
        return x
    if dtype is int8 and x._dtype.is_floating_point and state.whole == "int64":
        return _cast(_cast(x, int64), int8)  # PyTorch keeps the low bits, the kernel saturates
    out = like(x, dtype=dtype)
    copy_into(out, x)
    return out


def copy_into(out: Tensor, x: Tensor) -> None:
    """out = x elementwise, both of one shape with any strides."""
    if out.numel():
        try:
            params = strided_copy_params(out._dtype.code, x._dtype.code, x._shape, out._strides, x._strides)
        except RankError:
            for parts in slices(x._shape, out, x):
                copy_into(*parts)
            return
        launch(kernels.copy, (out, x), params)


def slices(shape: Shape, *tensors: Tensor) -> Iterator[list[Tensor]]:
    """The tensors, seen as `shape`, at each index of its first dimension: for more dimensions than
    the kernels take.
    """
    strides = [expand_strides(x, shape) for x in tensors]
    for i in range(shape[0]):
        yield [Tensor(x._storage, shape[1:], x._dtype, x._offset + i * s[0], s[1:]) for x, s in zip(tensors, strides)]


def in_steps(kernel: Kernel, head: tuple[int, ...], shape: Shape, *tensors: Tensor) -> None:
    """A strided kernel whose first tensor is dense over `shape`, a slice after the other."""
    for parts in slices(shape, *tensors):
        inner = shape[1:]
        try:
            dims = broadcast_dims(inner, *[expand_strides(x, inner) for x in parts])
        except RankError:
            in_steps(kernel, head, inner, *parts)
            continue
        launch(kernel, parts, (*head, *dims))


def broadcast_shapes(a: Shape, b: Shape) -> Shape:
    """The shape that shapes a and b broadcast to. RuntimeError with both where they do not."""
    if a == b:
        return a
    n = max(len(a), len(b))
    out = []
    for i in range(-n, 0):
        x = a[i] if -i <= len(a) else 1
        y = b[i] if -i <= len(b) else 1
        if x != y and x != 1 and y != 1:
            raise RuntimeError(
                "The size of tensor a (%d) must match the size of tensor b (%d) at non-singleton dimension %d: "
                "shapes %s and %s do not broadcast" % (x, y, n + i, list(a), list(b))
            )
        out.append(y if x == 1 else x)
    return tuple(out)


def expand_strides(x: Tensor, shape: Shape) -> Shape:
    """x's strides seen as `shape`: 0 where x repeats."""
    pad = len(shape) - len(x._shape)
    return (0,) * pad + tuple(0 if n == 1 else s for n, s in zip(x._shape, x._strides))


def reduce_to(gradient: Tensor, shape: Shape) -> Tensor:
    """The gradient of an operand of `shape` that was broadcast: its sum over what was repeated."""
    if gradient._shape == shape:
        return gradient
    pad = len(gradient._shape) - len(shape)
    dims = tuple(range(pad)) + tuple(i + pad for i, n in enumerate(shape) if n == 1 and gradient._shape[i + pad] != 1)
    if dims:
        gradient = gradient.sum(dims, keepdim=True)
    return gradient.reshape(shape)


def operand(value: Any, other: Tensor) -> Any:
    """A Tensor or a number as is; a NumPy array as a Tensor on other's device, and so is a bool
    beside a bool tensor.

    TypeError for anything else, a list too.
    """
    if isinstance(value, (Tensor, int, float)):
        if other._dtype is bool_ and isinstance(value, bool):
            return full((), value, device=other.device)
        return value
    if hasattr(value, "__array__"):
        return tensor(value, device=other.device)
    advice = "; use tensor(...)" if isinstance(value, (list, tuple)) else ""
    raise TypeError("unsupported operand: a Tensor and %s %s%s" % (type(value).__name__, quoted(value), advice))


def same_device(a: Tensor, b: Tensor) -> None:
    """RuntimeError with both devices and shapes unless a and b are on one device."""
    if a.device is not b.device:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two: %s (shape %s) and %s (shape %s); "
            "move one with .to(...)" % (a.device.name, list(a._shape), b.device.name, list(b._shape))
        )


def category(dtype: DType) -> int:
    """0 bool, 1 integers, 2 floats."""
    return 2 if dtype.is_floating_point else 0 if dtype is bool_ else 1


# The signed integers and the floats, each with those that hold all of its numbers behind it.
_INTEGERS, _FLOATS = (int8, int16, int32, int64), (float32, float64)


def promote_types(a: DType, b: DType) -> DType:
    """The dtype that PyTorch's promotion table has for two dtypes."""
    if a is b or category(a) > category(b):
        return a
    if category(b) > category(a):
        return b
    if a.is_floating_point:
        narrow = [d for d in (a, b) if d not in _FLOATS]
        return float32 if len(narrow) == 2 else max((d for d in (a, b) if d in _FLOATS), key=_FLOATS.index)
    if uint8 in (a, b):
        other = b if a is uint8 else a
        return int16 if other is int8 else other
    return max(a, b, key=_INTEGERS.index)


def result_type(*operands: Any) -> DType:
    """The one promotion rule, PyTorch's: tensors with dimensions decide, then 0-d tensors, then
    Python numbers; those behind count only where their category (bool, integer, float) is higher.
    """
    levels: list[DType | None] = [None, None, None]
    for v in operands:
        if isinstance(v, Tensor):
            level, kind = (0 if v._shape else 1), v._dtype
        else:
            level, kind = 2, dtype_of_number(v)
        before = levels[level]
        levels[level] = kind if before is None or before is kind else promote_types(before, kind)
    found = levels[0]
    for kind in levels[1:]:
        if kind is not None and (found is None or category(kind) > category(found)):
            found = kind
    return found or bool_


def promoted(x: Tensor, dtype: DType) -> Tensor:
    """x as an operand of `dtype`, which is not below its own: bool as int32 is the same memory."""
    if x._dtype is bool_ and dtype is int32:
        return Tensor(x._storage, x._shape, int32, x._offset, x._strides)
    return x._cast(dtype)


@in_c
def _promote(a: Tensor, b: Tensor, division: bool = False) -> tuple[Tensor, Tensor]:
    """Both operands in their `result_type`, float32 for a division."""
    same_device(a, b)
    if a._dtype is b._dtype and (not division or a._dtype.is_floating_point):
        return a, b
    kind = result_type(a, b)
    if division and not kind.is_floating_point:
        kind = DTYPES[state.real]
    return promoted(a, kind), promoted(b, kind)


def integer(number: Any, dtype: DType = int32) -> int:
    """An int beside a tensor of `dtype`. RangeError where that does not hold it; its low bits where
    a Python int is an int64, as in PyTorch.
    """
    assert dtype.limits is not None
    low, high = dtype.limits
    if not low <= number <= high:
        if state.whole == "int64":
            return (number - low) % (high - low + 1) + low
        raise RangeError(
            "value cannot be converted to type %s without overflow: %s; %s holds %d to %d, use a float32 tensor"
            % (dtype.name, quoted(number), dtype.name, low, high)
        )
    return number


@in_c
def binary(name: str, a: Tensor, b: Tensor, dtype: DType | None = None) -> Tensor:
    """name(a, b) with broadcasting, for a function of kernels.BINARY; no gradient here.

    a, b: of one dtype. The result has a's dtype (int32 for bool) unless given.
    """
    computed = a._dtype.computed
    if computed is not a._dtype:
        out = binary(name, _cast(a.detach(), computed), _cast(b.detach(), computed), dtype if dtype is bool_ else None)
        return out if dtype is bool_ else _cast(out, a._dtype)
    shape = broadcast_shapes(a._shape, b._shape)
    out = like(a, shape, dtype or (int32 if a._dtype is bool_ else a._dtype))
    if out.numel():
        try:
            dims = broadcast_dims(shape, row_major(shape), expand_strides(a, shape), expand_strides(b, shape))
        except RankError:
            in_steps(kernels.binary, (kernels.BINARY[name], a._dtype.code), shape, out, a, b)
            return out
        launch(kernels.binary, (out, a, b), (kernels.BINARY[name], a._dtype.code, *dims))
    return out


@in_c
def binary_scalar(name: str, a: Tensor, scalar: float, reverse: bool = False, dtype: DType | None = None) -> Tensor:
    """name(a, scalar), or name(scalar, a) when reverse; no gradient here.

    The dtype follows PyTorch: an int tensor with a float scalar becomes float32.
    """
    if scalar.__class__ is int and not -LONGEST <= scalar <= LONGEST:  # the limits before a call
        in_64_bits(int(scalar), a._dtype)
    if not a._dtype.is_floating_point:
        if isinstance(scalar, float) or name in ("div", "pow"):
            a = as_float(a)
        else:
            if a._dtype is bool_ and state.whole != "int32":
                a = _cast(a, DTYPES[state.whole]) if not isinstance(scalar, bool) else a
            scalar = integer(scalar, a._dtype if a._dtype is not bool_ else int32)
            dtype = dtype or (int32 if a._dtype is bool_ else a._dtype)
    if a._dtype.computed is not a._dtype or a._dtype is int64 and not -EXACT <= scalar <= EXACT:
        number = full((), scalar, a._dtype.computed if a._dtype.is_floating_point else a._dtype, a.device)
        if number._dtype is not a._dtype:  # a 16-bit float: the number itself is not rounded first
            wide = _cast(a.detach(), number._dtype)
            made = binary_scalar(name, wide, scalar, reverse, dtype if dtype is bool_ else None)
            return made if dtype is bool_ else _cast(made, a._dtype)
        return binary(name, number, a, dtype) if reverse else binary(name, a, number, dtype)
    a = a.contiguous()
    out = like(a, dtype=dtype or a._dtype)
    if out.numel():
        launch(
            kernels.binary_scalar,
            (out, a),
            (kernels.BINARY[name], a._dtype.code, a.numel(), float(scalar), int(reverse)),
        )
    return out


def _with_number(
    name: str,
    a: Tensor,
    number: float,
    gradient: Callable[[Tensor], Tensor],
    reverse: bool = False,
    saved: Sequence[Tensor] | None = None,
) -> Tensor:
    """a op number (number op a when reverse), with the gradient of a."""
    out = binary_scalar(name, a, number, reverse)
    if needs_grad(a):
        attach(name, (out,), (a,), lambda dy: (gradient(dy),), saved)
    return out


def zeros_of(x: Tensor) -> Tensor:
    """Zeros of x's shape, dtype and device."""
    return full(x._shape, 0.0, x._dtype, x.device)


def partners(a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    """What a product keeps: each factor for the gradient of the other."""
    if has_edge(a):
        return (b, a) if has_edge(b) else (b,)
    return (a,) if has_edge(b) else ()


def needed(saved: Sequence[Tensor], for_inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Those of `saved` that the gradient of the input beside each reads."""
    return tuple([x for x, y in zip(saved, for_inputs) if has_edge(y)])


def add(a: Tensor, b: Operand, alpha: float = 1) -> Tensor:
    """a + alpha * b with broadcasting. a: Tensor, b: Tensor or number; float32 where either is."""
    b = operand(b, a)
    if alpha != 1:
        b = _scaled(a, b, alpha)
    if not isinstance(b, Tensor):
        if a._dtype is bool_ and isinstance(b, int):
            integer(b + 1)  # PyTorch's int64 holds what True makes of it
        return _with_number("add", a, b, lambda dy: dy, saved=())
    a, b = _promote(a, b)
    if a._dtype is bool_:
        return logical_or(a, b)
    out = binary("add", a, b)
    if needs_grad(a, b):
        sa, sb = a._shape, b._shape
        attach("add", (out,), (a, b), lambda dy: (reduce_to(dy, sa), reduce_to(dy, sb)), ())
    return out


def sub(a: Tensor, b: Operand, alpha: float = 1) -> Tensor:
    """a - alpha * b with broadcasting. a: Tensor, b: Tensor or number; float32 where either is."""
    if a._dtype is bool_ or isinstance(b, bool) or (isinstance(b, Tensor) and b._dtype is bool_):
        _refuse_bool_sub()
    b = operand(b, a)
    if alpha != 1:
        b = _scaled(a, b, alpha)
    if not isinstance(b, Tensor):
        return _with_number("sub", a, b, lambda dy: dy, saved=())
    a, b = _promote(a, b)
    out = binary("sub", a, b)
    if needs_grad(a, b):
        sa, sb, needs_b = a._shape, b._shape, b._requires_grad
        attach("sub", (out,), (a, b), lambda dy: (reduce_to(dy, sa), reduce_to(neg(dy), sb) if needs_b else None), ())
    return out


def _scaled(a: Tensor, b: Any, alpha: float) -> Any:
    """alpha * b, to be added to a. RuntimeError for a float alpha where a and b are integers."""
    kind = result_type(a, b)
    if not kind.is_floating_point and isinstance(alpha, float):
        raise RuntimeError("for integral input tensors, argument alpha must not be a floating point number: %r" % alpha)
    if isinstance(b, Tensor):
        b = promoted(b, kind)
        if kind.is_floating_point:  # as in PyTorch, the sum keeps nothing
            return _with_number("mul", b, alpha, lambda dy: binary_scalar("mul", dy, alpha), saved=())
    return b * (bool(alpha) if kind is bool_ else alpha)


def _refuse_bool_sub() -> None:
    raise RuntimeError("subtraction, the `-` operator, with a bool tensor is not supported; use ^ or logical_not")


def rsub(a: Tensor, b: float) -> Tensor:
    """b - a for a number b."""
    if a._dtype is bool_ or isinstance(b, bool):
        _refuse_bool_sub()
    return _with_number("sub", a, b, neg, reverse=True, saved=())


def mul(a: Tensor, b: Operand) -> Tensor:
    """a * b with broadcasting. a: Tensor, b: Tensor or number; float32 where either is."""
    b = operand(b, a)
    if not isinstance(b, Tensor):
        out = binary_scalar("mul", a, b)
        if needs_grad(a):  # PyTorch keeps the number, as a 0-d tensor, for the gradient of a
            kept = None if has_edge(a) else ()
            attach("mul", (out,), (a,), lambda dy: (binary_scalar("mul", dy, b),), kept)
        return out
    a, b = _promote(a, b)
    if a._dtype is bool_:
        return logical_and(a, b)
    out = binary("mul", a, b)
    if needs_grad(a, b):

        def backward(dy):
            da = reduce_to(binary("mul", dy, b), a._shape) if a._requires_grad else None
            return da, reduce_to(binary("mul", dy, a), b._shape) if b._requires_grad else None

        attach("mul", (out,), (a, b), backward, partners(a, b))
    return out


def div(a: Tensor, b: Operand) -> Tensor:
    """a / b with broadcasting, in float32. a: Tensor, b: Tensor or number."""
    b = operand(b, a)
    if not isinstance(b, Tensor):
        return _with_number("div", a, b, lambda dy: binary_scalar("div", dy, b))
    a, b = _promote(a, b, division=True)
    out = binary("div", a, b)
    if needs_grad(a, b):

        def backward(dy):
            da = binary("div", dy, b)
            # As in PyTorch a is kept and not the result, which the caller may write.
            db = reduce_to(neg(binary("mul", da, binary("div", a, b))), b._shape) if b._requires_grad else None
            return reduce_to(da, a._shape) if a._requires_grad else None, db

        attach("div", (out,), (a, b), backward, (b, *needed((a,), (b,))))
    return out


def rdiv(a: Tensor, b: float) -> Tensor:
    """b / a for a number b."""
    y = unary("reciprocal", a)  # and not one division: PyTorch's roundings, and a may be written
    # y itself is kept for the backward, and the result may be written.
    return y if b == 1 and y._node is None else mul(y, b)


def pow_(a: Tensor, b: Operand) -> Tensor:
    """a ** b with broadcasting. a: Tensor, b: Tensor or number.

    float32; int32 for integers, exact but for the bits above the 32nd, as in PyTorch. RuntimeError
    for an int32 tensor with a negative int b.
    """
    if a._dtype is bool_ and isinstance(b, bool):
        return logical_or(a, full((), not b, device=a.device))
    b = operand(b, a)
    if not a._dtype.is_floating_point and not result_type(a, b).is_floating_point:
        return _integer_power(a, b)
    if not isinstance(b, Tensor):
        if b == 2 and a._dtype.is_floating_point:
            return square(a)
        x = as_float(a)
        out = _power(x, b)
        if needs_grad(a):

            def backward_number(dy):
                # At exponent 0 the gradient is 0 wherever x is, where 0 * x ** -1 would be NaN.
                return (binary_scalar("mul", dy, 0) if b == 0 else mul(mul(_power(x, b - 1), b), dy),)

            attach("pow", (out,), (a,), backward_number, (x,))
        return out
    a, b = _promote(a, b, division=True)
    out = binary("pow", a, b)
    if needs_grad(a, b):
        y = out.detach()

        def backward(dy):
            da = db = None
            if a._requires_grad:
                da = binary("mul", dy, binary("mul", b, binary("pow", a, binary_scalar("sub", b, 1))))
                da = reduce_to(where(compare("eq", b, 0), 0.0, da), a._shape)
            if b._requires_grad:
                # 0 ** b does not change with b >= 0; the formula would say 0 * log(0).
                flat = logical_and(compare("eq", a, 0), compare("ge", b, 0))
                db = binary("mul", dy, binary("mul", y, unary("log", a.detach())))
                db = reduce_to(where(flat, 0.0, db), b._shape)
            return da, db

        attach("pow", (out,), (a, b), backward, (a, b, y))
    return out


def _power(x: Tensor, number: float) -> Tensor:
    """x ** number with PyTorch's special cases: the roots, which have other values at -0 and -inf.

    No gradient here.
    """
    root = {0.5: "sqrt", -0.5: "rsqrt"}.get(number)
    return binary_scalar("pow", x, number) if root is None else unary(root, x.detach())


def _integer_power(a: Tensor, b: Any) -> Tensor:
    """a ** b by squaring, for an int32 or bool tensor and an int or such a tensor: no digit of an
    int32 passes through float32.
    """
    one = full((), 1, device=a.device)
    if not isinstance(b, Tensor):
        if b < 0 or integer(b, result_type(a, b)) < 0:
            raise RuntimeError("integers to negative integer powers are not allowed; use a float32 tensor")
        a = promoted(a, DTYPES[state.whole]) if a._dtype is bool_ else a
        one = one._cast(a._dtype)
        out = None
        for bit in range(b.bit_length()):
            if bit:
                a = binary("mul", a, a)
            if b >> bit & 1:
                out = a if out is None else binary("mul", out, a)
        return one.expand(a._shape).contiguous() if out is None else out if b > 1 else out.clone()
    a, b = _promote(a, b)
    arithmetic(a, "pow")
    one = one._cast(a._dtype)
    base, rest, out = a, b, one
    for _ in range(
        63 if a._dtype is int64 else 31
    ):  # |b| has 31 bits; a negative power is 0 but for the bases 1 and -1, whose powers repeat
        odd = binary_scalar("remainder", rest, 2)
        out = binary("mul", out, where(compare("eq", odd, 1), base, one))
        base, rest = binary("mul", base, base), binary_scalar("floordiv", rest, 2)
    large = logical_not(logical_or(compare("eq", a, 1), compare("eq", a, -1)))
    return where(logical_and(compare("lt", b, 0), large), 0, out)


def rpow(a: Tensor, b: float) -> Tensor:
    """b ** a for a number b."""
    return pow_(_number_beside(b, a), a)


def _number_beside(number: float, a: Tensor) -> Tensor:
    """A number as a 0-d tensor of the dtype that a result with a has."""
    kind = result_type(a, number)
    if not kind.is_floating_point and kind is not bool_:
        number = integer(number, kind)
    return full((), number, kind, device=a.device)


def _extremum(name: str, a: Tensor, b: Operand) -> Tensor:
    """maximum or minimum; where the two are equal each gets half of the gradient, and where one is
    NaN both get all of it, as in PyTorch.
    """
    b = operand(b, a)
    if not isinstance(b, Tensor):
        b = full((), b, result_type(a, b), device=a.device)
    a, b = _promote(a, b)
    out = binary(name, a, b, a._dtype)
    if needs_grad(a, b):

        def backward(dy):
            dy = where(compare("eq", a, b), binary_scalar("mul", dy, 0.5), dy)
            loses_a, loses_b = ("lt", "gt") if name == "maximum" else ("gt", "lt")
            da = reduce_to(where(compare(loses_a, a, b), 0.0, dy), a._shape) if a._requires_grad else None
            return da, reduce_to(where(compare(loses_b, a, b), 0.0, dy), b._shape) if b._requires_grad else None

        attach(name, (out,), (a, b), backward, (a, b))
    return out


def maximum(a: Tensor, b: Operand) -> Tensor:
    """The larger of a and b, elementwise with broadcasting; equal values share the gradient."""
    return _extremum("maximum", a, b)


def minimum(a: Tensor, b: Operand) -> Tensor:
    """The smaller of a and b, elementwise with broadcasting; equal values share the gradient."""
    return _extremum("minimum", a, b)


def clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """x limited to [min, max]; the gradient is 1 inside and at the limits, 0 outside.

    min, max: numbers, or tensors that need no gradient; one of them may be None. The dtype is
    `result_type` of all. RuntimeError where both are None, or int32 does not hold a number;
    TypeError for a number beside a tensor that is not 0-d.
    """
    if min is None and max is None:
        raise RuntimeError("clamp needs min, max or both")
    bounds = [None if v is None else operand(v, x) for v in (min, max)]
    kind = result_type(x, *(v for v in bounds if v is not None))
    shapes = [v._shape if isinstance(v, Tensor) else None for v in (min, max) if v is not None]
    if kind is bool_ and None in shapes:
        arithmetic(x, "clamp")
    if shapes != [None] * len(shapes):
        if None in shapes and any(shapes):
            raise TypeError(
                "clamp takes two numbers or two tensors, not a number and shape %s" % list(shapes[0] or shapes[1] or ())
            )
        return _clamp_between(x, kind, *bounds)
    if kind is not x._dtype:
        x = promoted(x, kind)
    out = x
    if min is not None:
        out = _binary_with_number("maximum", out, min)
    if max is not None:
        out = _binary_with_number("minimum", out, max)
    if needs_grad(x):
        source = x.detach()
        attach("clamp", (out,), (x,), lambda dy: (where(_inside(source, min, max), dy, 0.0),), (x,))
    return out


def _inside(x: Tensor, low: Any, high: Any) -> Tensor:
    """Where low <= x <= high; None is no bound."""
    if high is None:
        return compare("ge", x, low)
    below = compare("le", x, high)
    return below if low is None else logical_and(compare("ge", x, low), below)


def _clamp_between(x: Tensor, kind: DType, low: Any, high: Any) -> Tensor:
    """clamp where the bounds are Tensors, as `kind`."""
    source = x.detach()
    out, kept = promoted(source, kind), [x]
    for name, bound in (("maximum", low), ("minimum", high)):
        if bound is None:
            continue
        if not isinstance(bound, Tensor):
            bound = full((), bound, kind, device=x.device)
        if needs_grad(bound):
            raise RuntimeError("clamp has no gradient for its bounds; use .detach(), or maximum and minimum")
        out = binary(name, *_promote(out, promoted(bound, kind)), kind)
        kept.append(bound)
    if needs_grad(x):

        def backward(dy):
            return (reduce_to(where(_inside(source, low, high), dy, 0.0), source._shape),)

        attach("clamp", (out,), (x,), backward, kept)
    return out


def _binary_with_number(name: str, x: Tensor, number: float) -> Tensor:
    return binary_scalar(name, x.detach(), number)


def floor_divide(a: Tensor, b: Operand) -> Tensor:
    """a // b rounded down, with broadcasting; an integer for integers, else a float.

    It has no gradient: the backward raises RuntimeError, as PyTorch's does.
    """
    return _integer_like("floordiv", a, b)


def remainder(a: Tensor, b: Operand) -> Tensor:
    """a % b with Python's sign and broadcasting; an integer for integers, else a float."""
    return _integer_like("remainder", a, b)


def _integer_like(name: str, a: Tensor, b: Operand) -> Tensor:
    b = operand(b, a)
    if not isinstance(b, Tensor):
        kind = result_type(a, b)
        zero = kind.limits and kind is not bool_ and integer(b, kind) == 0 or b == 0 and kind is bool_
        if zero and a.numel():
            raise RuntimeError("ZeroDivisionError: %s of an integer tensor by 0" % name)
        out = binary_scalar(name, a.detach(), b)
        if needs_grad(a):
            attach(name, (out,), (a,), _no_slope if name == "floordiv" else lambda dy: (dy,), ())
        return out
    a, b = _promote(a, b)
    if not a._dtype.is_floating_point:
        zero = compare("eq", arithmetic(b, name), 0)
        return checked(binary(name, a, b), zero, "ZeroDivisionError: %s of an integer tensor by 0" % name)
    out = binary(name, a, b)
    if needs_grad(a, b):

        def backward(dy):
            da = reduce_to(dy, a._shape) if a._requires_grad else None
            return da, reduce_to(neg(mul(dy, binary("floordiv", a, b))), b._shape) if b._requires_grad else None

        saved = () if not b._requires_grad else (a, b)
        attach(name, (out,), (a, b), _no_slope if name == "floordiv" else backward, saved)
    return out


def _no_slope(dy: Tensor) -> tuple[Tensor]:
    raise RuntimeError("derivative for floor_divide is not implemented; use .detach() on its operands")


def rfloor_divide(a: Tensor, b: float) -> Tensor:
    """b // a for a number b."""
    return _integer_like("floordiv", _number_beside(b, a), a)


def rremainder(a: Tensor, b: float) -> Tensor:
    """b % a for a number b."""
    return _integer_like("remainder", _number_beside(b, a), a)


def checked(result: Tensor, wrong: Tensor, message: str, kind: type[Exception] = RuntimeError) -> Tensor:
    """`result` (int32), or `kind` with `message` where an element of `wrong` (bool) is true.

    Nothing is read for it: the embedding kernel looks the flag up in a table of one row, 0, which
    is added. So a recorded call stays one, and a GPU does not wait. A replay and a GPU raise that
    kernel's IndexError, a GPU with its next read.
    """
    if not result.numel():
        return result
    flag = wrong.any()
    zero = like(flag, dtype=float32)
    try:
        launch(kernels.embedding, (zero, full((1,), 0.0, device=flag.device), flag), (1, 1, 1))
    except IndexError:
        raise kind(message) from None
    return binary("add", result, zero._cast(result._dtype))


def compare(name: str, a: Tensor, b: Operand) -> Tensor:
    """bool: a `name` b with broadcasting; name: eq ne lt le gt ge. No gradient."""
    b = operand(b, a)
    if not isinstance(b, Tensor):
        limits = a._dtype.limits
        if limits and isinstance(b, int) and state.whole == "int32" and not limits[0] <= b <= limits[1]:
            in_64_bits(b, a._dtype)
            truth = name == "ne" or name in (("lt", "le") if b > 0 else ("gt", "ge"))
            return full(a._shape, truth, device=a.device)
        return binary_scalar(name, a.detach(), b, dtype=bool_)
    a, b = _promote(a.detach(), b.detach())
    return binary(name, a, b, dtype=bool_)


# ---- bits ----------------------------------------------------------------------------------------


def _bit_operands(name: str, a: Tensor, b: Operand) -> tuple[Tensor, Any]:
    """Both in their `result_type`, an int as it is. RuntimeError for floats."""
    b = operand(b, a)
    kind = result_type(a, b)
    if kind.is_floating_point:
        raise NotImplementedError("bitwise_%s is not implemented for float32; convert with .int() or .bool()" % name)
    if isinstance(b, Tensor):
        return _promote(a, b)
    return promoted(a, kind), full((), bool(b) if kind is bool_ else integer(b, kind), kind, a.device)


def bitwise_and(a: Tensor, b: Operand) -> Tensor:
    """a & b with broadcasting: bool for bools, else int32. RuntimeError for floats."""
    a, b = _bit_operands("and", a, b)
    return logical_and(a, b) if a._dtype is bool_ else binary("bitand", a, b)


def bitwise_or(a: Tensor, b: Operand) -> Tensor:
    """a | b with broadcasting: bool for bools, else int32. RuntimeError for floats."""
    a, b = _bit_operands("or", a, b)
    return logical_or(a, b) if a._dtype is bool_ else binary("bitor", a, b)


def bitwise_xor(a: Tensor, b: Operand) -> Tensor:
    """a ^ b with broadcasting: bool for bools, else int32. RuntimeError for floats."""
    a, b = _bit_operands("xor", a, b)
    return compare("ne", a, b) if a._dtype is bool_ else binary("bitxor", a, b)


def bitwise_not(a: Tensor) -> Tensor:
    """~a: the logical not of bools, -a - 1 of int32. TypeError for floats."""
    if a._dtype.is_floating_point:
        raise TypeError("~ (bitwise_not) is for int32 and bool tensors; use logical_not for float32")
    return logical_not(a) if a._dtype is bool_ else rsub(a, -1)


def left_shift(a: Tensor, b: Operand) -> Tensor:
    """a << b with broadcasting, an integer; 0 for b outside of its bits.

    RuntimeError for floats and bools.
    """
    if a._dtype is bool_ and isinstance(b, int) and 30 < b < 64 and state.whole == "int32":
        raise RangeError("a bool shifted by %d does not fit int32; PyTorch's int64 holds it" % b)
    a, b, fits = _shift_operands("left_shift", a, b)
    return where(fits, binary("lshift", a, b), 0)


def rleft_shift(a: Tensor, b: int) -> Tensor:
    """b << a for a number b."""
    if a._dtype is bool_:
        integer(2 * b)
    return left_shift(full((), b, result_type(a, b), device=a.device), a)


def right_shift(a: Tensor, b: Operand) -> Tensor:
    """a >> b with broadcasting, an integer, the sign shifted in; also for b outside of its bits.

    RuntimeError for floats and bools.
    """
    a, b, fits = _shift_operands("right_shift", a, b)
    return where(fits, binary("rshift", a, b), where(compare("lt", a, 0), -1, 0)._cast(a._dtype))


def _shift_operands(name: str, a: Tensor, b: Operand) -> tuple[Tensor, Tensor, Tensor]:
    """Both in their `result_type`, and where b is one of its bits."""
    a, b = _bit_operands(name, a, b)
    arithmetic(a, "a shift")
    return a, b, logical_and(compare("ge", b, 0), compare("lt", b, 8 * a._dtype.itemsize))


# ---- logic ---------------------------------------------------------------------------------------


def logical_not(x: Tensor) -> Tensor:
    """bool: whether x is 0."""
    return compare("eq", x, 0)


def logical_and(a: Tensor, b: Tensor) -> Tensor:
    """bool: whether both are not 0, with broadcasting."""
    return binary("mul", as_bool(a), as_bool(b), dtype=bool_)


def logical_or(a: Tensor, b: Tensor) -> Tensor:
    """bool: whether one of both is not 0, with broadcasting."""
    return binary("maximum", as_bool(a), as_bool(b), dtype=bool_)


def as_bool(x: Tensor) -> Tensor:
    """x as bool: whether it is not 0."""
    return x if x._dtype is bool_ else compare("ne", x, 0)


def where(condition: Tensor, a: Any, b: Any) -> Tensor:
    """a where `condition` is true, else b, with broadcasting.

    condition: bool. a, b: Tensors or numbers; float32 where either is. RuntimeError for another
    condition, or where devices or shapes do not fit.
    """
    if condition._dtype is not bool_:
        raise RuntimeError("where expected condition to be a boolean tensor, but got %r" % (condition._dtype,))
    kind = result_type(a, b)
    a, b = [v if isinstance(v, Tensor) else full((), v, kind, device=condition.device) for v in (a, b)]
    same_device(condition, a)
    a, b = _promote(a, b)
    shape = broadcast_shapes(condition._shape, broadcast_shapes(a._shape, b._shape))
    out = like(a, shape)
    if out.numel():
        try:
            dims = broadcast_dims(shape, row_major(shape), *(expand_strides(t, shape) for t in (condition, a, b)))
            launch(kernels.where, (out, condition, a, b), (a._dtype.code, *dims))
        except RankError:
            in_steps(kernels.where, (a._dtype.code,), shape, out, condition, a, b)
    if needs_grad(a, b):

        def backward(dy):
            da = reduce_to(where(condition, dy, 0.0), a._shape) if a._requires_grad else None
            return da, reduce_to(where(condition, 0.0, dy), b._shape) if b._requires_grad else None

        attach("where", (out,), (a, b), backward, (condition,))
    return out


def masked_fill(x: Tensor, mask: Tensor, value: float) -> Tensor:
    """x with `value` where mask (bool, broadcastable to x) is true.

    value: a number or a 0-d tensor, in x's dtype. Returns x's shape and dtype. RuntimeError where
    the mask does not broadcast to x, or x's dtype does not hold the value.
    """
    if broadcast_shapes(x._shape, mask._shape) != x._shape:
        raise RuntimeError(
            "masked_fill: mask of shape %s does not broadcast to %s" % (list(mask._shape), list(x._shape))
        )
    if isinstance(value, Tensor):
        if value._shape:
            raise RuntimeError(
                "masked_fill needs a number or a 0-d tensor, not a value of shape %s" % list(value._shape)
            )
        out = where(mask, value._cast(x._dtype), x)
        if x._dtype is not int32 or value._dtype is not float32:
            return out
        fits = logical_and(compare("ge", value, -(2.0**31)), compare("lt", value, 2.0**31))
        return checked(out, logical_not(fits), "value cannot be converted to type int32 without overflow", RangeError)
    return where(mask, fitted(value, x._dtype), x)
