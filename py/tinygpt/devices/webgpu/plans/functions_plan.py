"""The plans of math_of_one, math_of_two (shaders/functions.wgsl) and variance: functions of
everyday, of float32 and, of two numbers, of integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....kernels import MATH_OF_ONE, MATH_OF_TWO
from ..dispatch_plan import elsewhere, kernel
from .elementwise_plan import TYPE, count, dimensions, flat, run_strided

if TYPE_CHECKING:
    from ..dispatch_plan import Planner

OF_ONE = {code: name for name, code in MATH_OF_ONE.items()}
OF_TWO = {code: name for name, code in MATH_OF_TWO.items()}
ABSENT = frozenset("erfcx erfinv ndtri lgamma digamma i0 i0e i1 i1e zeta".split())
LANES = 64  # invocations that share a variance


def _named(name: str) -> str:
    """The function's name. RuntimeError for one without a shader."""
    if name in ABSENT:
        raise RuntimeError(elsewhere(name))
    return name


@kernel("math_of_one", "float32")
def math_of_one(d: Planner, p: Any, b: Any) -> None:
    name = _named(OF_ONE[p.op])
    for start, n in d.ranges(p.n):
        out, x = b.out.part(start, n), b.x.part(start, n)
        groups, shape = flat(n, d.vec4(out, x), "f32")
        d.run("functions.math_of_one", groups, dict(out=out, x=x), dict(n=n), op=name, **shape)


@kernel("math_of_two", "float32 int32 int64")
def math_of_two(d: Planner, p: Any, b: Any) -> None:
    defines = dict(op=_named(OF_TWO[p.op]), E=TYPE[p.dtype])
    sizes, strides = dimensions(p, "a", "b")
    if n := count(sizes):
        operands = dict(a=b.a, b=b.b)
        run_strided(d, "functions.math_of_two", n, b.out, operands, sizes, strides, "ab", defines)


@kernel("variance", "float32")
def variance(d: Planner, p: Any, b: Any) -> None:
    results = p.outer * p.inner
    params = dict(results=results, n=p.n, inner=p.inner, divisor=max(p.n - p.correction, 0.0))
    d.run("variance.variance", results, dict(out=b.out, x=b.x), params, W=LANES, root=bool(p.root))
