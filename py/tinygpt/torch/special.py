"""torch.special: the special functions."""

from __future__ import annotations

import math
from typing import Any

from ..core.tensor import Tensor
from ..ops import elementwise
from ..ops import functions as f
from ..ops.elementwise import as_float, compare, mul, unary, where
from . import calling, reduction, table
from . import pointwise as p


def _of_math(name: str, kernel: str) -> Any:
    def function(input: Tensor) -> Tensor:
        return f.function(kernel, input)

    function.__name__, function.__doc__ = name, "%s(input), elementwise; integers become floats." % name
    return function


def entr(input: Tensor) -> Tensor:
    """-x ln x; 0 at 0, -inf below."""
    x = as_float(input)

    def value(x: Tensor) -> Tensor:
        made = where(compare("eq", x, 0), 0.0, elementwise.neg(mul(x, unary("log", x))))
        return where(compare("lt", x, 0), -math.inf, made)

    def slope(dy: Tensor) -> Tensor:
        return where(compare("lt", x, 0), math.nan, mul(dy, elementwise.sub(elementwise.neg(unary("log", x)), 1)))

    return f.recorded("special_entr", (x,), value, (slope,))


def ndtr(input: Tensor) -> Tensor:
    """The distribution function of the normal distribution."""
    x = as_float(input)
    return f.recorded(
        "special_ndtr",
        (x,),
        lambda x: mul(f.function("erfc", mul(x, -math.sqrt(0.5))), 0.5),
        (lambda dy: mul(dy, mul(unary("exp", mul(elementwise.square(x), -0.5)), 1 / math.sqrt(2 * math.pi))),),
    )


def log_ndtr(input: Tensor) -> Tensor:
    """log(ndtr(input)), exact far below 0 too."""
    x = as_float(input)

    def scaled(x: Tensor) -> Tensor:
        """exp(x^2 / 2) ndtr(x)."""
        return mul(f.function("erfcx", mul(x, -math.sqrt(0.5))), 0.5)

    def value(x: Tensor) -> Tensor:
        tail = elementwise.minimum(x, -1.0)
        low = elementwise.sub(unary("log", scaled(tail)), mul(elementwise.square(tail), 0.5))
        high = f.function("log1p", mul(f.function("erfc", mul(x, math.sqrt(0.5))), -0.5))
        return where(compare("lt", x, -1), low, high)

    def slope(dy: Tensor) -> Tensor:
        return elementwise.div(mul(dy, 1 / math.sqrt(2 * math.pi)), scaled(x))

    return f.recorded("special_log_ndtr", (x,), value, (slope,))


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """torch.round of floats. NotImplementedError for integers."""
    if not input._dtype.is_floating_point:
        raise NotImplementedError("special.round is not implemented for %s; use torch.round" % input._dtype.name)
    return p.FUNCTIONS["round"](input, decimals=decimals)


def xlog1py(input: Any, other: Any) -> Tensor:
    """input * log1p(other), 0 where input is 0; one of them may be a number."""
    return p._x_log("special_xlog1py", input, other, lambda y: f.function("log1p", y), -1)


def zeta(input: Any, other: Any) -> Tensor:
    """Hurwitz' zeta function sum_k (k + other)^-input; one of them may be a number."""
    return f.pair("zeta", *p.floats("special_zeta", input, other))


def softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """torch.softmax."""
    return reduction.softmax(input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """torch.log_softmax."""
    return reduction.log_softmax(input, dim, dtype=dtype)


def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """torch.logsumexp."""
    return reduction.logsumexp(input, dim, keepdim)


FUNCTIONS: dict[str, Any] = {
    **{name: _of_math(name, name) for name in "erfcx ndtri i0 i0e i1 i1e exp2 expm1 log1p".split()},
    **{name: _of_math(name, name) for name in "erf erfc erfinv digamma".split()},
    "psi": _of_math("psi", "digamma"), "gammaln": _of_math("gammaln", "lgamma"), "entr": entr, "ndtr": ndtr,
    "log_ndtr": log_ndtr, "xlog1py": xlog1py, "zeta": zeta, "xlogy": p.FUNCTIONS["xlogy"],
    "logit": p.FUNCTIONS["logit"], "expit": p.FUNCTIONS["sigmoid"], "sinc": p.FUNCTIONS["sinc"],
    "round": round, "polygamma": p.FUNCTIONS["polygamma"], "multigammaln": p.FUNCTIONS["mvlgamma"],
    "softmax": softmax, "log_softmax": log_softmax, "logsumexp": logsumexp,
}  # fmt: skip
ABSENT = {
    **dict.fromkeys(
        "gammainc gammaincc airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_k0 modified_bessel_k1 "
        "scaled_modified_bessel_k0 scaled_modified_bessel_k1 spherical_bessel_j0 modified_bessel_i0 "
        "modified_bessel_i1".split(),
        "compute it with SciPy and tensor() its values",
    ),
    **dict.fromkeys(
        [
            kind + "_polynomial_" + letter
            for kind, letters in (
                ("chebyshev", "tuvw"), ("shifted_chebyshev", "tuvw"), ("laguerre", "l"), ("legendre", "p"),
            )
            for letter in letters
        ] + ["hermite_polynomial_h", "hermite_polynomial_he"],
        "evaluate the polynomial's recurrence in a loop",
    ),
}  # fmt: skip
calling.functions(globals(), FUNCTIONS, free="xlogy xlog1py zeta polygamma")


def __getattr__(name: str):
    """The sentence on a name that is not here."""
    return table.missing(__name__, name)
