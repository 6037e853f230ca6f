"""The optimizers' kernels: norm, clipping, AdamW, SGD, Adam (shaders/optimizer.wgsl); one dispatch
for each range that fits a binding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..dispatch_plan import kernel

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


MOST_PARTS = 1024  # workgroups of the norm, and what one workgroup adds up afterwards
PART = 1024  # elements that a workgroup of the norm takes at least
MANY = 1 << 20  # elements from which an invocation takes several vectors, so that more loads are in flight


def _ranges(d: Planner, n: int, *arenas: Any) -> Any:
    """[(start, count, V, the arenas' operands)]: V is 4 where all begin on 16 bytes."""
    V = 4 if d.vec4(*arenas) else 1
    return [
        (start, count, V, [None if a is None else a.part(start, count) for a in arenas]) for start, count in d.ranges(n)
    ]


@kernel("global_norm")
def global_norm(d: Planner, p: Any, b: Any) -> None:
    ranges, done = _ranges(d, p.n, b.g), 0
    most = max(1, MOST_PARTS // max(len(ranges), 1))
    groups = [min(most, -(-count // PART)) for _, count, _, _ in ranges]
    total = sum(groups)
    part = d.scratch(2 * max(total, 1))
    for (_, count, V, (g,)), G in zip(ranges, groups):
        params = dict(n=count, count=-(-count // 4), groups=G, first=done, total=total)
        d.run("optimizer.global_norm", G, dict(part=part, g=g), params, V=V, W=256, arenas=("g",))
        done += G
    d.run("optimizer.norm_of_parts", 1, dict(out=b.out, part=part), dict(total=total), W=256)


@kernel("clip_scale")
def clip_scale(d: Planner, p: Any, b: Any) -> None:
    for _, count, V, (g,) in _ranges(d, p.n, b.g):
        U = 2 if count >= MANY else 1
        params = dict(n=count, max_norm=p.max_norm)
        d.run(
            "optimizer.clip_scale",
            -(-count // (1024 * U)),
            dict(g=g, norm=b.norm),
            params,
            V=V,
            U=U,
            arenas=("g",),
            written=("g",),
        )


@kernel("adamw")
def adamw(d: Planner, p: Any, b: Any) -> None:
    written = ("p", "m", "v") if b.clip_norm is None else ("p", "m", "v", "g")
    for start, count, V, (p_, m, v, g) in _ranges(d, p.n, b.p, b.m, b.v, b.g):
        U = 2 if count >= MANY else 1
        buffers = dict(p=p_, m=m, v=v, g=g, hyper=b.hyper, norm=b.norm, clip_norm=b.clip_norm)
        params = dict(n=count, first=start, groups=p.groups, max_norm=b.max_norm or 0.0)
        d.run(
            "optimizer.adamw",
            -(-count // (1024 * U)),
            buffers,
            params,
            V=V,
            U=U,
            arenas=("p", "m", "v", "g"),
            written=written,
        )
    _loss_scale(d, b.norm)


@kernel("sgd")
def sgd(d: Planner, p: Any, b: Any) -> None:
    names = ("p", "g") if b.buf is None else ("p", "buf", "g")
    for start, count, V, (p_, buf, g) in _ranges(d, p.n, b.p, b.buf, b.g):
        buffers = dict(p=p_, buf=buf, g=g, hyper=b.hyper, norm=b.norm)
        params = dict(n=count, first=start, groups=p.groups)
        d.run("optimizer.sgd", -(-count // 1024), buffers, params, V=V, arenas=names, written=names[:-1])
    _loss_scale(d, b.norm)


@kernel("adam")
def adam(d: Planner, p: Any, b: Any) -> None:
    names = ("p", "m", "v", "g") if b.largest is None else ("p", "m", "v", "largest", "g")
    for _, count, V, (p_, m, v, largest, g) in _ranges(d, p.n, b.p, b.m, b.v, b.largest, b.g):
        buffers = dict(p=p_, m=m, v=v, largest=largest, g=g, hyper=b.hyper)
        params = dict(n=count)
        d.run("optimizer.adam", -(-count // 1024), buffers, params, V=V, arenas=names, written=names[:-1])


def _loss_scale(d: Planner, norm: Any) -> None:
    """Keeps the loss scale of narrow operands, after the update: no workgroup reads what another
    writes.
    """
    if norm is not None and d.precision != "f32":
        d.run("optimizer.loss_scale", 1, dict(scale=d.loss_scale, norm=norm))
