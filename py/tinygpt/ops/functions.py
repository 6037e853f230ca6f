"""Functions of kernels.MATH_OF_ONE and MATH_OF_TWO: rounding, logarithms, inverse trigonometry,
special functions. Value and gradient side by side.

The gradients are composed of recorded ops over the inputs, so that they have gradients themselves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.factory import like
from ..core.state import no_grad, state
from ..core.tensor import row_major
from ..graph.program import launch
from ..kernels import RankError, broadcast_dims
from . import elementwise
from .elementwise import add, as_float, compare, div, mul, neg, reduce_to, square, sub, unary, where

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.tensor import Tensor

ROOT_PI = math.sqrt(math.pi)


def recorded(
    name: str,
    inputs: Sequence[Tensor],
    value: Callable[..., Tensor],
    slopes: Sequence[Callable[[Tensor], Tensor] | None],
    saved: Sequence[Tensor] | None = None,
) -> Tensor:
    """value(*inputs), an op whose gradients are given: from that of the result to that of each
    input, before it is summed over what was repeated. None: RuntimeError, there is none.

    saved: see core.autograd.attach; the inputs unless given.
    """
    with no_grad():
        out = value(*[x.detach() for x in inputs])
    if needs_grad(*inputs):
        shapes = [x._shape for x in inputs]

        def backward(dy: Tensor) -> list[Tensor | None]:
            gradients: list[Tensor | None] = []
            for x, slope, shape in zip(inputs, slopes, shapes):
                if slope is None and x._requires_grad:
                    raise RuntimeError("the derivative for %r is not implemented, as in PyTorch" % name)
                made = slope(dy) if slope is not None and x._requires_grad else None
                gradients.append(None if made is None else reduce_to(made, shape)._cast(x._dtype))
            return gradients

        attach(name, (out,), inputs, backward, inputs if saved is None else saved)
    return out


# ---- of one number -------------------------------------------------------------------------------


def function(name: str, x: Tensor) -> Tensor:
    """name(x) for a function of kernels.MATH_OF_ONE; integers become the default float dtype."""
    x = as_float(x)
    out = _values(name, x.detach())
    if needs_grad(x):
        slope, slope_of_output = SLOPES.get(name), FROM_OUTPUT.get(name)
        if slope_of_output is not None:
            y = out.detach()

            def backward(dy: Tensor) -> tuple[Tensor]:  # x may be written; a graph needs it
                return (mul(dy, slope_of_output(function(name, x) if state.grad_enabled else y)),)

            attach(name, (out,), (x,), backward, (out,))
        elif slope is None:  # of a step function
            attach(name, (out,), (x,), lambda dy: (elementwise.zeros_of(dy),), ())
        else:
            attach(name, (out,), (x,), lambda dy: (mul(dy, slope(x)),), (x,))
    return out


def _values(name: str, x: Tensor) -> Tensor:
    """name(x) of floats; no gradient here."""
    dtype = x._dtype
    if dtype.computed is not dtype:
        return _values(name, x._cast(dtype.computed))._cast(dtype)
    x = x.contiguous()
    out = like(x)
    if out.numel():
        launch(kernels.math_of_one, (out, x), (kernels.MATH_OF_ONE[name], dtype.code, x.numel()))
    return out


def _reciprocal(x: Tensor) -> Tensor:
    return unary("reciprocal", x)


def _rsqrt(x: Tensor) -> Tensor:
    return unary("rsqrt", x)


def _gauss(x: Tensor) -> Tensor:
    """2 / sqrt(pi) exp(-x^2), the slope of erf."""
    return mul(unary("exp", neg(square(x))), 2 / ROOT_PI)


def _i1_slope(x: Tensor) -> Tensor:
    still = compare("eq", x, 0)
    some = where(still, 1.0, x)
    return where(still, 0.5, sub(function("i0", some), div(function("i1", some), some)))


def _i1e_slope(x: Tensor) -> Tensor:
    still = compare("eq", x, 0)
    some = where(still, 1.0, x)
    change = mul(function("i1e", some), add(function("sign", some), _reciprocal(some)))
    return where(still, 0.5, sub(function("i0e", some), change))


# The slope from the output y, which PyTorch keeps for the gradient.
FROM_OUTPUT: dict[str, Callable[[Tensor], Tensor]] = {
    "exp2": lambda y: mul(y, math.log(2)),
    "expm1": lambda y: add(y, 1),
    "tan": lambda y: add(square(y), 1),
}
# The slope at x, of recorded ops. A function that is in neither table is a step function.
SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "log2": lambda x: _reciprocal(mul(x, math.log(2))),
    "log10": lambda x: _reciprocal(mul(x, math.log(10))),
    "log1p": lambda x: _reciprocal(add(x, 1)),
    "asin": lambda x: _rsqrt(add(neg(square(x)), 1)),
    "acos": lambda x: neg(_rsqrt(add(neg(square(x)), 1))),
    "atan": lambda x: _reciprocal(add(square(x), 1)),
    "sinh": lambda x: function("cosh", x),
    "cosh": lambda x: function("sinh", x),
    "asinh": lambda x: _rsqrt(add(square(x), 1)),
    "acosh": lambda x: _rsqrt(sub(square(x), 1)),
    "atanh": lambda x: _reciprocal(add(neg(square(x)), 1)),
    "erf": _gauss,
    "erfc": lambda x: neg(_gauss(x)),
    "erfcx": lambda x: sub(mul(mul(x, function("erfcx", x)), 2), 2 / ROOT_PI),
    "erfinv": lambda x: mul(unary("exp", square(function("erfinv", x))), ROOT_PI / 2),
    "ndtri": lambda x: mul(unary("exp", mul(square(function("ndtri", x)), 0.5)), math.sqrt(2 * math.pi)),
    "lgamma": lambda x: function("digamma", x),
    "digamma": lambda x: polygamma(1, x),
    "i0": lambda x: function("i1", x),
    "i0e": lambda x: sub(function("i1e", x), mul(function("sign", x), function("i0e", x))),
    "i1": _i1_slope,
    "i1e": _i1e_slope,
}


def polygamma(n: int, x: Tensor) -> Tensor:
    """The n-th derivative of digamma: (-1)^(n+1) n! zeta(n + 1, x). n >= 0."""
    if n == 0:
        return function("digamma", x)
    x = as_float(x)

    def value(x: Tensor) -> Tensor:
        order = elementwise.full((), float(n + 1), x._dtype, x.device)
        return mul(pair_values("zeta", order, x), (-1.0) ** (n + 1) * math.factorial(n))

    return recorded("polygamma", (x,), value, (lambda dy: mul(dy, polygamma(n + 1, x)),))


# ---- of two numbers ------------------------------------------------------------------------------


def pair_values(name: str, a: Tensor, b: Tensor) -> Tensor:
    """name(a, b) with broadcasting, for a function of kernels.MATH_OF_TWO; a, b: of one dtype. No
    gradient here.
    """
    dtype = a._dtype
    if dtype.computed is not dtype:
        return pair_values(name, a._cast(dtype.computed), b._cast(dtype.computed))._cast(dtype)
    shape = elementwise.broadcast_shapes(a._shape, b._shape)
    out = like(a, shape)
    if out.numel():
        head = kernels.MATH_OF_TWO[name], dtype.code
        try:
            dims = broadcast_dims(
                shape, row_major(shape), elementwise.expand_strides(a, shape), elementwise.expand_strides(b, shape)
            )
            launch(kernels.math_of_two, (out, a, b), (*head, *dims))
        except RankError:
            elementwise.in_steps(kernels.math_of_two, head, shape, out, a, b)
    return out


def pair(name: str, a: Tensor, b: Tensor) -> Tensor:
    """name(a, b) with broadcasting and gradients; a, b: of one dtype that `name` is defined for."""
    if name == "copysign":
        saved: Sequence[Tensor] | None = None
        slopes: Sequence[Callable[[Tensor], Tensor] | None] = (
            lambda dy: where(
                compare("eq", a, 0), 0.0, mul(dy, mul(function("sign", a), pair_values(name, ones(a), b)))
            ),
            lambda dy: elementwise.zeros_of(dy),
        )
    elif name == "fmod":
        saved = (b, a) if b._requires_grad else ()
        slopes = (lambda dy: dy, lambda dy: neg(mul(dy, function("trunc", div(a, b)))))
    elif name == "atan2":
        saved = None
        slopes = (
            lambda dy: mul(dy, mul(b, _reciprocal(add(square(a), square(b))))),
            lambda dy: mul(dy, mul(neg(a), _reciprocal(add(square(a), square(b))))),
        )
    elif name == "hypot":
        saved = None
        slopes = (lambda dy: mul(dy, div(a, pair(name, a, b))), lambda dy: mul(dy, div(b, pair(name, a, b))))
    elif name == "zeta":
        saved = None
        slopes = (None, lambda dy: mul(dy, mul(neg(a), pair(name, add(a, 1), b))))
    else:
        saved, slopes = None, (None, None)
    return recorded(name, (a, b), lambda a, b: pair_values(name, a, b), slopes, saved)


def ones(x: Tensor) -> Tensor:
    """Ones of x's shape, dtype and device."""
    return elementwise.full(x._shape, 1.0, x._dtype, x.device)
