"""The plan of math_of_one (shaders/functions.wgsl): the functions of everyday, of float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....kernels import DTYPES, MATH_OF_ONE
from ..dispatch_plan import kernel
from .elementwise_plan import flat

if TYPE_CHECKING:
    from ..dispatch_plan import Planner

NAME = {code: name for name, code in MATH_OF_ONE.items()}
ABSENT = frozenset("erfcx erfinv ndtri lgamma digamma i0 i0e i1 i1e".split())


@kernel("math_of_one")
def math_of_one(d: Planner, p: Any, b: Any) -> None:
    name = NAME[p.op]
    if name in ABSENT:
        raise RuntimeError("%s is not on WebGPU; move the tensor to the CPU's device" % name)
    if p.dtype != DTYPES["float32"]:
        raise RuntimeError("%s of float64 is not on WebGPU; use float32, or the CPU's device" % name)
    for start, n in d.ranges(p.n):
        out, x = b.out.part(start, n), b.x.part(start, n)
        groups, shape = flat(n, d.vec4(out, x), "f32")
        d.run("functions.math_of_one", groups, dict(out=out, x=x), dict(n=n), op=name, **shape)
