"""Elementwise functions of one tensor, and arithmetic of two, under PyTorch's names: functions,
methods, and in place.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

from ..core.factory import full
from ..core.state import no_grad
from ..core.tensor import LARGEST, Tensor, bool_, float64, int32
from ..ops import elementwise, inplace
from ..ops import functions as f
from ..ops.elementwise import add as plus
from ..ops.elementwise import as_float, category, compare, result_type, where
from ..ops.elementwise import mul as times
from ..ops.elementwise import neg as minus
from ..ops.elementwise import sub as less
from . import calling, return_types
from .shown import by_other, shown


def numbers(name: str, *operands: Any, dtype: Any = None) -> tuple[Tensor, ...]:
    """Tensors and numbers as tensors of their `result_type`, or of `dtype`."""
    first = next(x for x in operands if isinstance(x, Tensor))
    found = [elementwise.operand(x, first) for x in operands]
    for x in found:
        if isinstance(x, Tensor):
            elementwise.same_device(first, x)
    kind = dtype or result_type(*found)
    return tuple(
        elementwise.promoted(x, kind)
        if isinstance(x, Tensor)
        else full(
            (), x if kind.is_floating_point or kind is bool_ else elementwise.integer(x, kind), kind, first.device
        )
        for x in found
    )


def floats(name: str, *operands: Any) -> tuple[Tensor, ...]:
    """As numbers, in a float dtype."""
    first = next(x for x in operands if isinstance(x, Tensor))
    kind = result_type(*[elementwise.operand(x, first) for x in operands])
    return numbers(name, *operands, dtype=kind if kind.is_floating_point else default_float())


def default_float() -> Any:
    """The dtype of a Python float."""
    return result_type(0.0)


def refuse_bool(name: str, x: Tensor) -> None:
    """NotImplementedError for bool."""
    if x._dtype is bool_:
        raise NotImplementedError("%s is not implemented for bool; convert with .int() or .float()" % name)


def refuse_float(name: str, *operands: Tensor) -> None:
    """NotImplementedError for floats."""
    for x in operands:
        if x._dtype.is_floating_point:
            raise NotImplementedError("%s is not implemented for %s; convert with .long()" % (name, x._dtype.name))


# ---- functions of one number ---------------------------------------------------------------------


def _of_unary(name: str) -> Any:
    def function(input: Tensor) -> Tensor:
        return elementwise.unary(name, input)

    function.__name__, function.__doc__ = name, "%s(input), elementwise; integers become floats." % name
    return function


def _of_math(name: str, kernel: str) -> Any:
    def function(input: Tensor) -> Tensor:
        return f.function(kernel, input)

    function.__name__, function.__doc__ = name, "%s(input), elementwise; integers become floats." % name
    return function


def _rounding(name: str) -> Any:
    def function(input: Tensor) -> Tensor:
        refuse_bool(name, input)
        return f.function(name, input) if input._dtype.is_floating_point else input.clone()

    function.__name__, function.__doc__ = name, "%s(input), elementwise; integers as they are." % name
    return function


_UNARY = {name: _of_unary(name) for name in "reciprocal exp log sqrt rsqrt tanh sigmoid sin cos".split()}
_MATH = {
    name: _of_math(name, kernel)
    for name, kernel in (
        *((n, n) for n in "exp2 expm1 log2 log10 log1p tan asin acos atan sinh cosh asinh acosh atanh".split()),
        *((n, n) for n in "erf erfc erfinv lgamma digamma i0".split()),
        *(("arc" + n[1:], n) for n in "asin acos atan asinh acosh atanh".split()),
    )
}
_ROUNDING = {name: _rounding(name) for name in ("floor", "ceil", "trunc")}


def relu(input: Tensor) -> Tensor:
    """The larger of input and 0."""
    refuse_bool("relu", input)
    return elementwise.unary("relu", input)


def positive(input: Tensor) -> Tensor:
    """input itself. RuntimeError for bool."""
    if input._dtype is bool_:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported; use .int()")
    return input


def neg(input: Tensor) -> Tensor:
    """-input. RuntimeError for bool."""
    if input._dtype is bool_:
        raise RuntimeError("Negation, the `-` operator, on a bool tensor is not supported; use ~ or logical_not()")
    return minus(input)


@shown("SignBackward0")
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1, in input's dtype."""
    if input._dtype.is_floating_point:
        out = f.function("sign", input)
        return where(compare("eq", input.detach(), input.detach()), out, 0.0)  # of NaN 0, as in PyTorch
    if input._dtype is bool_:
        return input.clone()
    return less(compare("gt", input, 0)._cast(input._dtype), compare("lt", input, 0)._cast(input._dtype))


def signbit(input: Tensor) -> Tensor:
    """bool: whether the sign bit is set, of -0.0 too."""
    x = input.detach()
    if x._dtype.is_floating_point:
        x = f.pair_values("copysign", f.ones(x), x)
    return compare("lt", x, 0)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """To the nearest whole number, ties to the even one, or to `decimals` digits."""
    refuse_bool("round", input)
    if not input._dtype.is_floating_point:
        if decimals:
            raise NotImplementedError("round of integers takes no decimals, here %r; use .float()" % (decimals,))
        return input.clone()
    if not decimals:
        return f.function("round", input)
    ten = 10.0 ** builtins.abs(decimals)
    scaled, back = (times, elementwise.div) if decimals > 0 else (elementwise.div, times)
    return f.recorded(
        "round", (input,), lambda x: back(f.function("round", scaled(x, ten)), ten), (elementwise.zeros_of,), ()
    )


@shown("FracBackward0")
def frac(input: Tensor) -> Tensor:
    """input - trunc(input). NotImplementedError for integers."""
    if not input._dtype.is_floating_point:
        raise NotImplementedError("frac is not implemented for %s; convert with .float()" % input._dtype.name)
    return less(input, f.function("trunc", input.detach()))


def square(input: Tensor) -> Tensor:
    """input * input."""
    return elementwise.square(input)


def abs(input: Tensor) -> Tensor:
    """The magnitude. NotImplementedError for bool."""
    refuse_bool("abs", input)
    return elementwise.abs_(input)


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)); x is first clamped to [eps, 1 - eps] where eps is given."""
    x = as_float(input)

    def value(x: Tensor) -> Tensor:
        x = x if eps is None else elementwise.clamp(x, eps, 1 - eps)
        return elementwise.unary("log", elementwise.div(x, elementwise.rsub(x, 1)))

    def slope(dy: Tensor) -> Tensor:
        low, high, outside = (0.0, 1.0, math.nan) if eps is None else (eps, 1 - eps, 0.0)
        inside = elementwise.logical_and(compare("ge", x, low), compare("le", x, high))
        return where(inside, elementwise.div(dy, times(x, elementwise.rsub(x, 1))), outside)

    return f.recorded("logit", (x,), value, (slope,))


def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), 1 at 0."""
    x = as_float(input)

    def value(x: Tensor) -> Tensor:
        angle = times(x, math.pi)
        return where(compare("eq", x, 0), 1.0, elementwise.div(elementwise.unary("sin", angle), angle))

    def slope(dy: Tensor) -> Tensor:
        angle = times(x, math.pi)
        top = less(times(angle, elementwise.unary("cos", angle)), elementwise.unary("sin", angle))
        still = compare("eq", x, 0)
        return where(still, 0.0, times(dy, elementwise.div(top, times(angle, where(still, 1.0, x)))))

    return f.recorded("sinc", (x,), value, (slope,))


def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians."""
    return times(as_float(input), math.pi / 180)


def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees."""
    return times(as_float(input), 180 / math.pi)


def nan_to_num(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """NaN as `nan` (0), the infinities as posinf and neginf (the dtype's limits)."""
    if not input._dtype.is_floating_point:
        return input.clone()
    most = LARGEST[input._dtype.name]

    def value(x: Tensor) -> Tensor:
        out = where(compare("ne", x, x), 0.0 if nan is None else float(nan), x)
        out = where(compare("eq", x, math.inf), most if posinf is None else float(posinf), out)
        return where(compare("eq", x, -math.inf), -most if neginf is None else float(neginf), out)

    def slope(dy: Tensor) -> Tensor:
        finite = compare("lt", elementwise.abs_(input.detach()), math.inf)
        return where(finite, dy, 0.0)

    return f.recorded("nan_to_num", (input,), value, (slope,))


def angle(input: Tensor) -> Tensor:
    """pi for negative numbers, else 0; NaN for NaN."""
    x = as_float(input)

    def value(x: Tensor) -> Tensor:
        half_turn = full((), math.pi, x._dtype, x.device)
        return where(compare("ne", x, x), x, where(compare("lt", x, 0), half_turn, 0.0))

    return f.recorded("angle", (x,), value, (elementwise.zeros_of,), ())


def frexp(input: Tensor) -> Any:
    """(mantissa, exponent as int32): input = mantissa * 2^exponent, 0.5 <= |mantissa| < 1."""
    if not input._dtype.is_floating_point:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes, not %s" % input._dtype.name)
    with no_grad():
        x = input.detach()._cast(float64)
        size = elementwise.abs_(x)
        still = elementwise.logical_or(compare("eq", size, 0), elementwise.logical_not(compare("lt", size, math.inf)))
        size = where(still, 0.5, size)
        exponent = plus(f.function("floor", f.function("log2", size)), 1)
        mantissa = _scaled(size, minus(exponent))
        large, small = compare("ge", mantissa, 1), compare("lt", mantissa, 0.5)
        exponent = plus(less(exponent, small._cast(float64)), large._cast(float64))
        exponent = exponent.detach()
    scale = where(still, 0.0, exponent)
    mantissa = f.recorded(
        "frexp",
        (input,),
        lambda x: _scaled(x._cast(float64), minus(scale))._cast(x._dtype),
        (lambda dy: _scaled(dy._cast(float64), minus(scale))._cast(dy._dtype),),
        (),
    )
    return return_types.frexp((mantissa, where(still, 0.0, exponent)._cast(int32)))


def _scaled(x: Tensor, exponent: Tensor) -> Tensor:
    """x * 2^exponent in float64, in two steps: 2^exponent alone may pass float64."""
    half = f.function("trunc", times(exponent, 0.5))
    return times(times(x, f.function("exp2", half)), f.function("exp2", less(exponent, half)))


def real(input: Tensor) -> Tensor:
    """input itself: numbers are real here."""
    return input


def imag(input: Tensor) -> Tensor:
    """RuntimeError: numbers are real here."""
    raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")


def conj_physical(input: Tensor) -> Tensor:
    """A copy: numbers are real here."""
    return input.clone()


def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma."""
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n, here %r" % (n,))
    return f.polygamma(n, input)


def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p. RuntimeError for p < 1."""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1, not %r" % (p,))
    refuse_bool("mvlgamma", input)
    out: Any = p * (p - 1) / 4 * math.log(math.pi)
    for j in range(p):
        out = plus(f.function("lgamma", less(as_float(input), j / 2)), out)
    return out


# ---- arithmetic ----------------------------------------------------------------------------------


def _first(input: Any, other: Any) -> Tensor:
    """The first operand, which may be a number, as a tensor."""
    if isinstance(input, Tensor):
        return input
    kind = result_type(input, other)
    if not kind.is_floating_point and kind is not bool_:
        input = elementwise.integer(input, kind)
    return full((), input, kind, other.device if isinstance(other, Tensor) else None)


def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input + alpha * other with broadcasting."""
    input = _first(input, other)
    if alpha.__class__ is bool and alpha is not True:
        _check_alpha(alpha, input, other)
    return elementwise.add(input, other, alpha)


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input - alpha * other with broadcasting. RuntimeError for bool."""
    return elementwise.sub(_first(input, other), other, alpha)


def _check_alpha(alpha: Any, *operands: Any) -> None:
    if alpha.__class__ is bool and result_type(*operands) is not bool_:
        raise RuntimeError("Boolean alpha only supported for Boolean results, not alpha=%r" % alpha)


def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """other - alpha * input."""
    if input._dtype is bool_ or isinstance(other, bool) or isinstance(other, Tensor) and other._dtype is bool_:
        raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not supported; use ~ or logical_not()")
    a, b = numbers("rsub", other, input)
    return elementwise.sub(a, b, alpha)


def mul(input: Any, other: Any) -> Tensor:
    """input * other with broadcasting."""
    return elementwise.mul(_first(input, other), other)


def _div_name(input: Any, other: Any, *, rounding_mode: Any = None) -> str:
    return "" if rounding_mode is None else "DivBackward%d" % (2 if isinstance(other, Tensor) else 3)


@shown(_div_name)
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other with broadcasting, in a float dtype.

    rounding_mode: None; "floor" or "trunc", in the operands' dtype.
    """
    input = _first(input, other)
    if rounding_mode is None:
        return elementwise.div(input, other)
    if rounding_mode not in ("floor", "trunc"):
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found %r" % (rounding_mode,)
        )
    a, b = numbers("div", input, other)
    refuse_bool("div with a rounding_mode", a)

    def value(a: Tensor, b: Tensor) -> Tensor:
        if rounding_mode == "floor":
            return elementwise.floor_divide(a, b)
        if a._dtype.is_floating_point:
            return f.function("trunc", elementwise.div(a, b))
        return elementwise.floor_divide(less(a, f.pair_values("fmod", a, b)), b)

    if a._dtype.is_floating_point:
        return f.recorded("div", (a, b), value, (elementwise.zeros_of, elementwise.zeros_of), ())
    return value(a, b)


def true_divide(input: Any, other: Any) -> Tensor:
    """input / other with broadcasting, in a float dtype."""
    return elementwise.div(_first(input, other), other)


def floor_divide(input: Any, other: Any) -> Tensor:
    """input // other rounded down, with broadcasting."""
    return elementwise.floor_divide(_first(input, other), other)


@shown(by_other("Remainder", 0, 1))
def remainder(input: Any, other: Any) -> Tensor:
    """input % other with the sign of other, with broadcasting; one of them may be a number."""
    if isinstance(input, Tensor):
        return elementwise.remainder(input, other)
    return elementwise.remainder(*numbers("remainder", input, other))


@shown(by_other("Fmod", 0, 1))
def fmod(input: Tensor, other: Any) -> Tensor:
    """input % other with the sign of input, with broadcasting. RuntimeError for an integer by 0."""
    a, b = numbers("fmod", input, other)
    refuse_bool("fmod", a)
    out = f.pair("fmod", a, b)
    if a._dtype.is_floating_point:
        return out
    return elementwise.checked(out, compare("eq", b, 0), "ZeroDivisionError: fmod of an integer tensor by 0")


def pow(input: Any, exponent: Any) -> Tensor:
    """input ** exponent with broadcasting; one of them may be a number."""
    if isinstance(input, Tensor):
        return elementwise.pow_(input, exponent)
    return elementwise.rpow(exponent, input)


def float_power(input: Any, exponent: Any) -> Tensor:
    """input ** exponent in float64."""
    a, b = (x._cast(float64) if isinstance(x, Tensor) else float(x) for x in (input, exponent))
    return pow(a, b)


def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor of integers, not negative."""
    a, b = numbers("gcd", input, _operand("gcd", other))
    refuse_float("gcd", a)
    refuse_bool("gcd", a)
    return f.pair_values("gcd", a, b)


def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple of integers, not negative."""
    a, b = numbers("lcm", input, _operand("lcm", other))
    divisor = gcd(a, b)
    none = compare("eq", divisor, 0)
    share = elementwise.floor_divide(a, where(none, 1, divisor)._cast(a._dtype))
    return where(none, 0, elementwise.abs_(times(share, b)))._cast(a._dtype)


def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle of the point (other, input), in (-pi, pi]."""
    return f.pair("atan2", *floats("atan2", input, _operand("atan2", other)))


def _operand(name: str, x: Any) -> Any:
    if not isinstance(x, Tensor):
        raise TypeError("%s(): argument 'other' (position 2) must be Tensor, not %s" % (name, type(x).__name__))
    return x


def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(input^2 + other^2)."""
    a, b = numbers("hypot", input, _operand("hypot", other))
    if not a._dtype.is_floating_point:
        raise NotImplementedError("hypot is not implemented for %s; convert with .float()" % a._dtype.name)
    return f.pair("hypot", a, b)


def copysign(input: Tensor, other: Any) -> Tensor:
    """The magnitude of input with the sign of other."""
    return f.pair("copysign", *floats("copysign", input, other))


def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next float of input's dtype towards other."""
    a, b = numbers("nextafter", input, _operand("nextafter", other))
    if not a._dtype.is_floating_point:
        raise NotImplementedError("nextafter is not implemented for %s" % a._dtype.name)
    if a._dtype.computed is not a._dtype:
        raise NotImplementedError("nextafter is not here for %s; use float32" % a._dtype.name)
    return f.recorded(
        "nextafter", (a, b), lambda a, b: f.pair_values("nextafter", a, b), (lambda dy: dy, elementwise.zeros_of), ()
    )


def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2^other."""
    refuse_bool("ldexp", _operand("ldexp", other))
    a, b = floats("ldexp", input, other)
    return times(a, elementwise.rpow(b, 2.0))


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below 0, `values` at 0, 1 above. RuntimeError for two dtypes."""
    if input._dtype is not _operand("heaviside", values)._dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    above = compare("gt", input.detach(), 0)._cast(input._dtype)
    return f.recorded("heaviside", (input, values), lambda x, v: where(compare("eq", x, 0), v, above), (None, None), ())


def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other)) without overflow."""
    return _log_add("logaddexp", input, other, "exp", 1.0)


def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2^input + 2^other) without overflow."""
    return _log_add("logaddexp2", input, other, "exp2", math.log(2))


def _log_add(name: str, input: Tensor, other: Tensor, exp: str, scale: float) -> Tensor:
    a, b = numbers(name, input, _operand(name, other))
    if not a._dtype.is_floating_point:
        raise NotImplementedError("%s is not implemented for %s; convert with .float()" % (name, a._dtype.name))

    def power(x: Tensor) -> Tensor:
        return elementwise.unary("exp", x) if exp == "exp" else f.function("exp2", x)

    def value(a: Tensor, b: Tensor) -> Tensor:
        most = elementwise.maximum(a, b)
        rest = f.function("log1p", power(minus(elementwise.abs_(less(a, b)))))
        endless = elementwise.logical_and(compare("eq", a, b), compare("eq", elementwise.abs_(a), math.inf))
        return where(endless, a, plus(most, rest if scale == 1 else elementwise.div(rest, scale)))

    return f.recorded(
        name,
        (a, b),
        value,
        (
            lambda dy: elementwise.div(dy, plus(power(less(b, a)), 1)),
            lambda dy: elementwise.div(dy, plus(power(less(a, b)), 1)),
        ),
    )


def xlogy(input: Any, other: Any) -> Tensor:
    """input * log(other), 0 where input is 0; one of them may be a number."""
    return _x_log("xlogy", input, other, lambda y: elementwise.unary("log", y), 0)


def _x_log(name: str, input: Any, other: Any, log: Any, least: float) -> Tensor:
    a, b = floats(name, input, other)

    def value(x: Tensor, y: Tensor) -> Tensor:
        product = where(compare("eq", x, 0), 0.0, times(x, log(y)))
        return where(compare("ne", y, y), y, product)

    def slope(dy: Tensor) -> Tensor:
        flat = elementwise.logical_and(compare("eq", a, 0), compare("le", b, least))
        return where(flat, 0.0, _x_log(name, dy, b, log, least))

    return f.recorded(
        name, (a, b), value, (slope, lambda dy: elementwise.div(times(dy, a), less(b, least) if least else b))
    )


def _selected(name: str, input: Tensor, other: Tensor, wins: str) -> Tensor:
    a, b = numbers(name, input, _operand(name, other))

    def chosen(a: Tensor, b: Tensor) -> Tensor:
        return elementwise.logical_or(compare(wins, a, b), compare("ne", b, b))

    slopes = (
        lambda dy: where(chosen(a.detach(), b.detach()), dy, 0.0),
        lambda dy: where(chosen(a.detach(), b.detach()), 0.0, dy),
    )
    return f.recorded(name, (a, b), lambda a, b: where(chosen(a, b), a, b), slopes)


def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of both; of a number and NaN the number."""
    return _selected("fmax", input, other, "ge")


def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of both; of a number and NaN the number."""
    return _selected("fmin", input, other, "le")


def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The larger of both; NaN where one is. Equal values share the gradient."""
    return elementwise.maximum(input, _operand("maximum", other))


def minimum(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of both; NaN where one is. Equal values share the gradient."""
    return elementwise.minimum(input, _operand("minimum", other))


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """input limited to [min, max]: numbers, or tensors; one of them may be None."""
    if not isinstance(min, Tensor) and not isinstance(max, Tensor):
        if min is None and max is None:
            raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
        if min is not None and min != min or max is not None and max != max:
            nan = full((), math.nan, result_type(input, math.nan), input.device)
            return f.recorded("clamp", (input,), lambda x: where(compare("ne", x, x), x, nan), (elementwise.zeros_of,))
        return elementwise.clamp(input, min, max)
    for bound in (min, max):
        if bound is not None and not isinstance(bound, Tensor):
            raise TypeError("clamp(): min and max must be two numbers or two tensors, not %r" % (bound,))
    given = [x for x in (input, min, max) if x is not None]
    made = list(numbers("clamp", *given))
    if min is not None and max is not None:
        refuse_bool("clamp", made[0])
    x = made.pop(0)
    low = made.pop(0) if min is not None else None
    high = made.pop(0) if max is not None else None

    def value(x: Tensor, *bounds: Tensor) -> Tensor:
        bounds_left = list(bounds)
        if low is not None:
            x = elementwise.maximum(x, bounds_left.pop(0))
        if high is not None:
            x = elementwise.minimum(x, bounds_left.pop(0))
        return x

    def inside(dy: Tensor) -> Tensor:
        hit = None
        for bound, outside in ((low, "lt"), (high, "gt")):
            if bound is not None:
                over = compare(outside, x, bound)
                hit = over if hit is None else elementwise.logical_or(hit, over)
        assert hit is not None
        return where(hit, 0.0, dy)

    def at_low(dy: Tensor) -> Tensor:
        assert low is not None
        hit = compare("lt", x, low)
        if high is not None:
            hit = elementwise.logical_and(hit, compare("lt", low, high))
        return where(hit, dy, 0.0)

    def at_high(dy: Tensor) -> Tensor:
        assert high is not None
        hit = compare("gt", x, high)
        if low is not None:
            hit = elementwise.logical_or(hit, compare("gt", low, high))
        return where(hit, dy, 0.0)

    inputs = [(x, inside), (low, at_low), (high, at_high)]
    there = [(v, slope) for v, slope in inputs if v is not None]
    return f.recorded("clamp", [v for v, _ in there], value, [slope for _, slope in there])


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """input, at least min."""
    return clamp(input, min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """input, at most max."""
    return clamp(input, None, max)


@shown("AddcmulBackward0")
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""
    kind = result_type(input, tensor1, tensor2)
    _whole_value("addcmul", kind, value)
    product = times(*numbers("addcmul", tensor1, tensor2, dtype=kind))
    return plus(elementwise.promoted(input, kind), product if value == 1 else times(product, value))


def _whole_value(name: str, kind: Any, value: float) -> None:
    if category(kind) < 2 and isinstance(value, float):
        raise RuntimeError("%s: value cannot be converted to type %s without overflow: %r" % (name, kind.name, value))
    if kind is bool_:
        raise NotImplementedError("%s is not implemented for bool; convert with .int()" % name)


@shown("AddcdivBackward0")
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 / tensor2. RuntimeError for integers."""
    if category(tensor1._dtype) < 2 and category(tensor2._dtype) < 2:
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported; convert to a float dtype, or use "
            "div(rounding_mode=...)"
        )
    kind = result_type(input, tensor1, tensor2)
    a, b = numbers("addcdiv", tensor1, tensor2, dtype=kind)
    return plus(elementwise.promoted(input, kind), elementwise.div(a if value == 1 else times(a, value), b))


@shown(by_other("Lerp", 0, 1, 2))
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight * (end - input); all of one float dtype."""
    if not input._dtype.is_floating_point:
        raise NotImplementedError("lerp is not implemented for %s; convert with .float()" % input._dtype.name)
    for name, x in (("end", end), ("weight", weight)):
        if isinstance(x, Tensor) and x._dtype is not input._dtype and (name == "end" or x._shape):
            raise RuntimeError("expected dtype %s for `%s` but got dtype %s" % (input._dtype.name, name, x._dtype.name))
    w = weight if isinstance(weight, Tensor) else full((), float(weight), input._dtype, input.device)
    w = w._cast(input._dtype)

    def value(a: Tensor, b: Tensor, w: Tensor) -> Tensor:
        way = less(b, a)
        near = compare("lt", elementwise.abs_(w), 0.5)
        return where(near, plus(a, times(w, way)), less(b, times(way, elementwise.rsub(w, 1))))

    slopes = (
        lambda dy: times(dy, elementwise.rsub(w, 1)),
        lambda dy: times(dy, w),
        lambda dy: times(dy, less(end, input)),
    )
    needs_way = isinstance(weight, Tensor) and weight._requires_grad
    saved = [w, *((input, end) if needs_way else ())] if isinstance(weight, Tensor) else ()
    return f.recorded("lerp", (input, end, w), value, slopes, saved)


FUNCTIONS: dict[str, Any] = {
    **_UNARY, **_MATH, **_ROUNDING, "fix": _ROUNDING["trunc"], "relu": relu, "positive": positive, "neg": neg,
    "negative": neg, "sign": sign, "sgn": sign, "signbit": signbit, "round": round, "frac": frac, "square": square,
    "abs": abs, "absolute": abs, "logit": logit, "sinc": sinc, "deg2rad": deg2rad, "rad2deg": rad2deg,
    "nan_to_num": nan_to_num, "angle": angle, "frexp": frexp, "real": real, "imag": imag, "conj": real,
    "conj_physical": conj_physical, "resolve_conj": real, "resolve_neg": real, "mvlgamma": mvlgamma, "add": add,
    "sub": sub, "subtract": sub, "rsub": rsub, "mul": mul, "multiply": mul, "div": div, "divide": div,
    "true_divide": true_divide, "floor_divide": floor_divide,
    "remainder": remainder, "fmod": fmod, "pow": pow, "float_power": float_power, "gcd": gcd, "lcm": lcm,
    "atan2": atan2, "arctan2": atan2, "hypot": hypot, "copysign": copysign, "nextafter": nextafter, "ldexp": ldexp,
    "heaviside": heaviside, "logaddexp": logaddexp, "logaddexp2": logaddexp2, "xlogy": xlogy, "fmax": fmax,
    "fmin": fmin, "maximum": maximum, "minimum": minimum, "clamp": clamp, "clip": clamp, "clamp_min": clamp_min,
    "clamp_max": clamp_max, "addcmul": addcmul, "addcdiv": addcdiv, "lerp": lerp, "polygamma": polygamma,
}  # fmt: skip
_IN_PLACE = """
    abs absolute neg negative sign sgn ceil floor round trunc fix frac exp exp2 expm1 log log2 log10 log1p logit sqrt
    rsqrt reciprocal square sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh arcsin arccos arctan arcsinh
    arccosh arctanh sigmoid erf erfc erfinv lgamma digamma i0 sinc relu deg2rad rad2deg nan_to_num conj_physical
    mvlgamma subtract multiply divide true_divide floor_divide remainder fmod pow gcd lcm atan2
    arctan2 hypot copysign nextafter ldexp heaviside xlogy clamp clip clamp_min clamp_max addcmul addcdiv lerp
"""


def _add_(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """self += alpha * other."""
    return inplace_of("add", self, other) if alpha == 1 else calling.writing("add_", add)(self, other, alpha=alpha)


def _sub_(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """self -= alpha * other."""
    return inplace_of("sub", self, other) if alpha == 1 else calling.writing("sub_", sub)(self, other, alpha=alpha)


def _div_(self: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """self /= other."""
    if rounding_mode is None:
        return inplace_of("div", self, other)
    return calling.writing("div_", div)(self, other, rounding_mode=rounding_mode)


def inplace_of(name: str, self: Tensor, other: Any) -> Tensor:
    """self op= other for add, sub, mul, div."""
    return inplace.in_place(name, self, other)


def _float_power_(self: Tensor, exponent: Any) -> Tensor:
    """self **= exponent. RuntimeError unless self is float64, the dtype of the result."""
    if self._dtype is not float64:
        raise RuntimeError(
            "the base given to float_power_ has dtype %s but the operation's result requires dtype Double; "
            "use pow_" % self._dtype.name
        )
    return calling.writing("float_power_", float_power)(self, exponent)


_METHODS = {name: function for name, function in FUNCTIONS.items() if name not in ("rsub", "polygamma", "real", "imag")}
METHODS: dict[str, Any] = {
    **calling.methods(_METHODS, _IN_PLACE),
    "add_": _add_, "sub_": _sub_, "subtract_": _sub_, "div_": _div_, "divide_": _div_,
    "float_power_": _float_power_, "__rmod__": lambda self, other: remainder(other, self),
    "__rpow__": lambda self, other: pow(other, self),
    "polygamma": lambda self, n: polygamma(n, self),
    "polygamma_": calling.writing("polygamma_", lambda self, n: polygamma(n, self)),
    "real": property(real), "imag": property(imag), "__pos__": positive, "is_conj": lambda self: False,
    "is_neg": lambda self: False, "conj": real,
}  # fmt: skip
_NUMBERS_TOO = "add sub mul div subtract multiply divide true_divide floor_divide remainder pow float_power xlogy"
calling.functions(globals(), FUNCTIONS, free=_NUMBERS_TOO + " polygamma")
