"""Activation functions with settings and their backward (shaders/activation.wgsl)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....kernels import ACTIVATION
from ..dispatch_plan import kernel
from .elementwise_plan import flat

if TYPE_CHECKING:
    from ..dispatch_plan import Planner

NAME = {code: name for name, code in ACTIVATION.items()}


@kernel("activation")
def activation(d: Planner, p: Any, b: Any) -> None:
    for start, n in d.ranges(p.n):
        out, x = b.out.part(start, n), b.x.part(start, n)
        groups, shape = flat(n, d.vec4(out, x), "f32")
        settings = dict(n=n, a=p.a, b=p.b, c=p.c)
        d.run("activation.activation", groups, dict(out=out, x=x), settings, op=NAME[p.op], **shape)


@kernel("activation_backward")
def activation_backward(d: Planner, p: Any, b: Any) -> None:
    for start, n in d.ranges(p.n):
        out, dy, x = (o.part(start, n) for o in (b.dx, b.dy, b.x))
        groups, shape = flat(n, d.vec4(out, dy, x), "f32")
        settings = dict(n=n, a=p.a, b=p.b, c=p.c)
        d.run("activation.activation_backward", groups, dict(out=out, dy=dy, x=x), settings, op=NAME[p.op], **shape)
