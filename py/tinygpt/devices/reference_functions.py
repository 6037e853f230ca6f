"""The oracle's functions of MATH_OF_ONE and MATH_OF_TWO: NumPy's where it has them, else the C
library's or the defining series, element by element in Python's float64.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = Any

INFINITY = math.inf


def each(function: Callable[..., float]) -> Callable[..., Array]:
    """A function of Python floats as one of arrays; NaN where it has no value."""

    def of(*numbers: float) -> float:
        if any(map(math.isnan, numbers)):
            return math.nan
        try:
            return function(*numbers)
        except (ValueError, ZeroDivisionError):
            return math.nan
        except OverflowError:
            return INFINITY

    return np.frompyfunc(of, function.__code__.co_argcount if hasattr(function, "__code__") else 1, 1)


def _erfcx(x: float) -> float:
    if x < 4:
        return math.exp(x * x) * math.erfc(x)
    rest = x
    for k in range(200, 0, -1):
        rest = x + 0.5 * k / rest
    return 1 / (math.sqrt(math.pi) * rest)


def _ndtri(p: float) -> float:
    return {0.0: -INFINITY, 1.0: INFINITY}.get(p) or NormalDist().inv_cdf(p)


def _erfinv(y: float) -> float:
    if abs(y) == 1:
        return math.copysign(INFINITY, y)
    x = _ndtri((y + 1) / 2) / math.sqrt(2)
    return x - (math.erf(x) - y) * math.sqrt(math.pi) / 2 * math.exp(x * x)


def _lgamma(x: float) -> float:
    return INFINITY if x <= 0 and x == math.floor(x) else math.lgamma(x)


def _digamma(x: float) -> float:
    if x == 0:
        return math.copysign(INFINITY, -x)
    if x < 0:
        return math.nan if x == math.floor(x) else _digamma(1 - x) - math.pi / math.tan(math.pi * math.fmod(x, 1))
    if math.isinf(x):
        return x
    below = 0.0
    while x < 40:
        below, x = below - 1 / x, x + 1
    return below + math.log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4) - 1 / (252 * x**6)


def _bessel_i(order: int, scaled: bool) -> Callable[..., Array]:
    """I of order 0 or 1 as its integral over half a turn, by the trapezoid rule."""
    angles = np.arange(1, 4000) * (math.pi / 4000)

    def value(x: float) -> float:
        if abs(x) > 1e4:
            raise ValueError
        size = abs(x)
        ends = 0.5 * (1 + (-1) ** order * math.exp(-2 * size))
        sum = (ends + float(np.sum(np.exp(size * (np.cos(angles) - 1)) * np.cos(order * angles)))) / 4000
        return math.copysign(1, x) ** order * sum * (1 if scaled else math.exp(size))

    return each(value)


def _zeta(x: float, q: float) -> float:
    if x == 1 or x > 1 and q <= 0 and q == math.floor(q):
        return INFINITY
    if x < 1 or q <= 0 and x != math.floor(x):
        return math.nan
    sum, n = 0.0, max(300, math.ceil(300 - q))
    for k in range(n):
        sum += (k + q) ** -x
    a = q + n
    return (
        sum
        + a ** (1 - x) / (x - 1)
        + 0.5 * a**-x
        + x * a ** (-x - 1) / 12
        - x * (x + 1) * (x + 2) * a ** (-x - 3) / 720
    )


MATH_OF_ONE_VALUE: dict[str, Callable[[Any], Any]] = {
    "floor": np.floor, "ceil": np.ceil, "round": np.rint, "trunc": np.trunc, "sign": np.sign, "exp2": np.exp2,
    "expm1": np.expm1, "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "tan": np.tan, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "erf": each(math.erf), "erfc": each(math.erfc), "erfcx": each(_erfcx),
    "erfinv": each(_erfinv), "ndtri": each(_ndtri), "lgamma": each(_lgamma), "digamma": each(_digamma),
    "i0": _bessel_i(0, False), "i0e": _bessel_i(0, True), "i1": _bessel_i(1, False), "i1e": _bessel_i(1, True),
}  # fmt: skip
MATH_OF_TWO_VALUE: dict[str, Callable[[Any, Any], Any]] = {
    "fmod": np.fmod, "gcd": np.gcd, "atan2": np.arctan2, "hypot": np.hypot, "copysign": np.copysign,
    "nextafter": np.nextafter, "zeta": each(_zeta),
}  # fmt: skip
