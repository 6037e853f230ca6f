"""Elementwise ops with PyTorch's broadcasting: unary functions, arithmetic, comparison, where, casts. Value and gradient side by side.

Shapes broadcast from the right; a gradient is summed back over the dimensions that were repeated (`reduce_to`).
"""

from .. import kernels
from ..autograd import attach, wanted
from ..creation import like
from ..program import launch, merged_dims
from ..tensor import Tensor, bool_, float32, int32, row_major

# Unary functions whose gradient needs the output y rather than the input x (kernels.unary_backward).
_FROM_OUTPUT = ("reciprocal", "exp", "sqrt", "rsqrt", "tanh", "sigmoid")


def unary(name, x):
    """y = name(x) for a function of kernels.UNARY; integers are promoted to float32, as in PyTorch."""
    x = as_float(x).contiguous()
    out = like(x)
    launch(kernels.unary, (out, x), (kernels.UNARY[name], x.numel()))
    if wanted(x):
        saved = out.detach() if name in _FROM_OUTPUT else x

        def backward(dy):
            if name == "neg":
                return (unary("neg", dy),)
            dy = dy.contiguous()
            dx = like(dy)
            launch(kernels.unary_backward, (dx, dy, saved), (kernels.UNARY[name], dx.numel()))
            return (dx,)

        attach(name, (out,), (x,), backward)
    return out


def neg(x):
    return unary("neg", x) if x.dtype is float32 else mul(x, -1)


def abs_(x):
    return unary("abs", x) if x.dtype is float32 else maximum(x, neg(x))


def square(x):
    return unary("square", x) if x.dtype is float32 else mul(x, x)


def as_float(x):
    return x if x.dtype is float32 else x._cast(float32)


def cast(x, dtype):
    """x as another dtype; float to int truncates. The gradient flows between float dtypes only."""
    if dtype is x.dtype:
        return x
    if dtype is bool_:
        return compare("ne", x, 0)
    out = like(x, dtype=dtype)
    copy_into(out, x)
    return out


def copy_into(out, x):
    """out = x elementwise, both of one shape with any strides."""
    from ..program import strided_copy_params

    if out.numel():
        launch(kernels.copy, (out, x), strided_copy_params(out.dtype.code, x.dtype.code, x.shape, out._strides, x._strides))


def broadcast_shapes(a, b):
    """The shape that shapes a and b broadcast to. RuntimeError with both shapes where they do not."""
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
                "shapes %s and %s do not broadcast"
                % (x, y, n + i, list(a), list(b))
            )
        out.append(y if x == 1 else x)
    return tuple(out)


def expand_strides(x, shape):
    """x's strides seen as `shape`: 0 where x repeats."""
    pad = len(shape) - len(x.shape)
    return (0,) * pad + tuple(0 if n == 1 else s for n, s in zip(x.shape, x._strides))


def reduce_to(gradient, shape):
    """The gradient of an operand of `shape` that was broadcast: summed over the repeated dimensions."""
    if gradient.shape == shape:
        return gradient
    pad = len(gradient.shape) - len(shape)
    dims = tuple(range(pad)) + tuple(i + pad for i, n in enumerate(shape) if n == 1 and gradient.shape[i + pad] != 1)
    if dims:
        gradient = gradient.sum(dims, keepdim=True)
    return gradient.reshape(shape)


def operand(value, other):
    """A Python number as is, anything else as a Tensor on other's device."""
    if isinstance(value, (Tensor, int, float)):
        return value
    if hasattr(value, "__array__") or isinstance(value, (list, tuple)):
        from ..creation import tensor

        return tensor(value, device=other.device)
    raise TypeError("unsupported operand: a Tensor and %s" % type(value).__name__)


def same_device(a, b):
    if a.device is not b.device:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two: %s (shape %s) and %s (shape %s); move one with .to(...)"
            % (a.device.name, list(a.shape), b.device.name, list(b.shape))
        )


def _promote(a, b, division=False):
    """Both operands in the common dtype: float32 if either is (or for division), else int32."""
    same_device(a, b)
    if a.dtype is float32 or b.dtype is float32 or division:
        return as_float(a), as_float(b)
    return a, b


def binary(name, a, b, dtype=None):
    """Launches kernels.binary on tensors of one dtype family; no gradient here."""
    shape = broadcast_shapes(a.shape, b.shape)
    out = like(a, shape, dtype or (int32 if a.dtype is bool_ else a.dtype))
    if out.numel():
        dims = merged_dims(shape, row_major(shape), expand_strides(a, shape), expand_strides(b, shape))
        n = kernels.MAX_RANK
        launch(kernels.binary, (out, a, b), (kernels.BINARY[name], a.dtype.code, *dims[:n], *dims[2 * n :]))
    return out


def binary_scalar(name, a, scalar, reverse=False, dtype=None):
    """Launches kernels.binary_scalar; the tensor's dtype follows PyTorch: an int tensor with a float scalar becomes float32."""
    if a.dtype is not float32 and (isinstance(scalar, float) or name in ("div", "pow")):
        a = as_float(a)
    a = a.contiguous()
    out = like(a, dtype=dtype or (int32 if a.dtype is bool_ else a.dtype))
    if out.numel():
        launch(kernels.binary_scalar, (out, a), (kernels.BINARY[name], a.dtype.code, a.numel(), float(scalar), int(reverse)))
    return out


def _with_number(name, a, number, gradient, reverse=False):
    """a op number (number op a when reverse), with the gradient of a."""
    out = binary_scalar(name, a, number, reverse)
    if wanted(a):
        attach(name, (out,), (a,), lambda dy: (gradient(dy),))
    return out


def add(a, b, alpha=1):
    b = operand(b, a)
    if alpha != 1:
        b = b * alpha
    if not isinstance(b, Tensor):
        return _with_number("add", a, b, lambda dy: dy)
    a, b = _promote(a, b)
    out = binary("add", a, b)
    if wanted(a, b):
        sa, sb = a.shape, b.shape
        attach("add", (out,), (a, b), lambda dy: (reduce_to(dy, sa), reduce_to(dy, sb)))
    return out


def sub(a, b, alpha=1):
    b = operand(b, a)
    if alpha != 1:
        b = b * alpha
    if not isinstance(b, Tensor):
        return _with_number("sub", a, b, lambda dy: dy)
    a, b = _promote(a, b)
    out = binary("sub", a, b)
    if wanted(a, b):
        sa, sb, needs_b = a.shape, b.shape, b.requires_grad
        attach("sub", (out,), (a, b), lambda dy: (reduce_to(dy, sa), reduce_to(neg(dy), sb) if needs_b else None))
    return out


def rsub(a, b):
    """b - a for a number b."""
    return _with_number("sub", a, b, neg, reverse=True)


def mul(a, b):
    b = operand(b, a)
    if not isinstance(b, Tensor):
        return _with_number("mul", a, b, lambda dy: binary_scalar("mul", dy, b))
    a, b = _promote(a, b)
    out = binary("mul", a, b)
    if wanted(a, b):

        def backward(dy):
            da = reduce_to(binary("mul", dy, b), a.shape) if a.requires_grad else None
            return da, reduce_to(binary("mul", dy, a), b.shape) if b.requires_grad else None

        attach("mul", (out,), (a, b), backward)
    return out


def div(a, b):
    b = operand(b, a)
    if not isinstance(b, Tensor):
        return _with_number("div", a, b, lambda dy: binary_scalar("div", dy, b))
    a, b = _promote(a, b, division=True)
    out = binary("div", a, b)
    if wanted(a, b):
        y = out.detach()

        def backward(dy):
            da = binary("div", dy, b)
            db = reduce_to(neg(binary("mul", da, y)), b.shape) if b.requires_grad else None
            return reduce_to(da, a.shape) if a.requires_grad else None, db

        attach("div", (out,), (a, b), backward)
    return out


def rdiv(a, b):
    """b / a for a number b."""
    out = binary_scalar("div", a, b, reverse=True)
    if wanted(a):
        y = out.detach()
        x = as_float(a)
        attach("rdiv", (out,), (a,), lambda dy: (neg(binary("div", binary("mul", dy, y), x)),))
    return out


def pow_(a, b):
    b = operand(b, a)
    if not isinstance(b, Tensor):
        if b == 2:
            return square(a)
        if a.dtype is not float32 and isinstance(b, int) and b >= 0:
            return binary_scalar("pow", a, b)._cast(int32)
        x = as_float(a)
        out = binary_scalar("pow", x, b)
        if wanted(a):
            attach("pow", (out,), (a,), lambda dy: (binary("mul", dy, binary_scalar("mul", binary_scalar("pow", x, b - 1), b)),))
        return out
    a, b = _promote(a, b, division=True)
    out = binary("pow", a, b)
    if wanted(a, b):
        y = out.detach()

        def backward(dy):
            da = db = None
            if a.requires_grad:
                da = reduce_to(binary("mul", dy, binary("mul", b, binary("pow", a, binary_scalar("sub", b, 1)))), a.shape)
            if b.requires_grad:
                db = reduce_to(binary("mul", dy, binary("mul", y, unary("log", a))), b.shape)
            return da, db

        attach("pow", (out,), (a, b), backward)
    return out


def rpow(a, b):
    """b ** a for a number b."""
    from ..creation import full

    return pow_(full((), float(b), device=a.device), a)


def _extremum(name, a, b):
    """maximum or minimum; where the two are equal each gets half of the gradient, as in PyTorch."""
    b = operand(b, a)
    if not isinstance(b, Tensor):
        from ..creation import full

        b = full((), b, device=a.device)
    a, b = _promote(a, b)
    out = binary(name, a, b)
    if wanted(a, b):

        def backward(dy):
            ties = binary_scalar("mul", binary("eq", a, b, int32)._cast(float32), 0.5)
            wins_a = binary("add", binary("gt" if name == "maximum" else "lt", a, b, int32)._cast(float32), ties)
            da = binary("mul", dy, wins_a)
            db = binary("sub", dy, da)
            return reduce_to(da, a.shape) if a.requires_grad else None, reduce_to(db, b.shape) if b.requires_grad else None

        attach(name, (out,), (a, b), backward)
    return out


def maximum(a, b):
    return _extremum("maximum", a, b)


def minimum(a, b):
    return _extremum("minimum", a, b)


def clamp(x, min=None, max=None):
    """x limited to [min, max]; the gradient is 1 inside and at the limits, 0 outside."""
    if min is None and max is None:
        raise RuntimeError("clamp needs min, max or both")
    inside = None
    out = x
    if min is not None:
        inside = compare("ge", x, min)
        out = _binary_with_number("maximum", out, min)
    if max is not None:
        below = compare("le", x, max)
        inside = below if inside is None else logical_and(inside, below)
        out = _binary_with_number("minimum", out, max)
    if wanted(x):
        attach("clamp", (out,), (x,), lambda dy: (binary("mul", dy, inside._cast(float32)),))
    return out


def _binary_with_number(name, x, number):
    return binary_scalar(name, x.detach(), number)


def floor_divide(a, b):
    """a // b rounded down; no gradient."""
    return _integer_like("floordiv", a, b)


def remainder(a, b):
    """a % b with Python's sign; the gradient is not defined here."""
    return _integer_like("remainder", a, b)


def _integer_like(name, a, b):
    b = operand(b, a)
    if wanted(a) or (isinstance(b, Tensor) and wanted(b)):
        raise RuntimeError("%s has no gradient here; use .detach() on its operands" % name)
    if not isinstance(b, Tensor):
        return binary_scalar(name, a, b)
    return binary(name, *_promote(a, b))


def compare(name, a, b):
    """eq ne lt le gt ge -> bool."""
    b = operand(b, a)
    if not isinstance(b, Tensor):
        return binary_scalar(name, a.detach(), b, dtype=bool_)
    a, b = _promote(a.detach(), b.detach())
    return binary(name, a, b, dtype=bool_)


def logical_not(x):
    return compare("eq", x, 0)


def logical_and(a, b):
    return binary("mul", as_bool(a), as_bool(b), dtype=bool_)


def logical_or(a, b):
    return binary("maximum", as_bool(a), as_bool(b), dtype=bool_)


def as_bool(x):
    return x if x.dtype is bool_ else compare("ne", x, 0)


def where(condition, a, b):
    """condition ? a : b with broadcasting; a and b may be numbers. condition is bool."""
    if condition.dtype is not bool_:
        raise RuntimeError("where expected condition to be a boolean tensor, but got %r" % (condition.dtype,))
    from ..creation import full

    float_wanted = any(isinstance(v, float) or (isinstance(v, Tensor) and v.dtype is float32) for v in (a, b))
    a, b = [v if isinstance(v, Tensor) else full((), float(v) if float_wanted else v, device=condition.device) for v in (a, b)]
    same_device(condition, a)
    a, b = _promote(a, b)
    shape = broadcast_shapes(condition.shape, broadcast_shapes(a.shape, b.shape))
    out = like(a, shape)
    if out.numel():
        n = kernels.MAX_RANK
        dims = merged_dims(shape, row_major(shape), *(expand_strides(t, shape) for t in (condition, a, b)))
        launch(kernels.where, (out, condition, a, b), (a.dtype.code, *dims[:n], *dims[2 * n :]))
    if wanted(a, b):

        def backward(dy):
            da = reduce_to(where(condition, dy, 0.0), a.shape) if a.requires_grad else None
            return da, reduce_to(where(condition, 0.0, dy), b.shape) if b.requires_grad else None

        attach("where", (out,), (a, b), backward)
    return out


def masked_fill(x, mask, value):
    """x with `value` where mask (bool, broadcastable to x) is true."""
    if broadcast_shapes(x.shape, mask.shape) != x.shape:
        raise RuntimeError("masked_fill: mask of shape %s does not broadcast to %s" % (list(mask.shape), list(x.shape)))
    return where(mask, float(value) if x.dtype is float32 else value, x)
