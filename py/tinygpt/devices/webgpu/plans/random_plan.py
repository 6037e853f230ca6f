"""Random numbers: one invocation for each Philox block of four elements (shaders/random.wgsl)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...base import status_error
from ..dispatch_plan import kernel

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


def words(offset: int) -> Any:
    """The parameters that hold a 64-bit offset into the stream."""
    return dict(offset_low=offset & 0xFFFFFFFF, offset_high=offset >> 32 & 0xFFFFFFFF)


def _blocks(d: Planner, p: Any, name: str, element: str, buffers: Any, **params: Any) -> None:
    V = 4 if d.vec4(buffers["out"], buffers.get("x")) else 1
    d.run("random." + name, -(-p.n // 1024), buffers, dict(n=p.n, **words(p.offset), **params), E=element, V=V)


@kernel("random_uniform")
def random_uniform(d: Planner, p: Any, b: Any) -> None:
    _blocks(d, p, "random_uniform", "f32", dict(out=b.out, rng=b.rng), low=p.low, width=p.high - p.low)


@kernel("random_normal")
def random_normal(d: Planner, p: Any, b: Any) -> None:
    _blocks(d, p, "random_normal", "f32", dict(out=b.out, rng=b.rng), mean=p.mean, deviation=p.std)


@kernel("random_int")
def random_int(d: Planner, p: Any, b: Any) -> None:
    limit = p.high - p.low
    _blocks(
        d,
        p,
        "random_int",
        "i32",
        dict(out=b.out, rng=b.rng),
        low=p.low,
        limit=limit & 0xFFFFFFFF,
        whole=int(limit == 2**32),
    )


@kernel("dropout")
def dropout(d: Planner, p: Any, b: Any) -> None:
    scale = 1 / (1 - p.p) if p.p < 1 else 0.0
    _blocks(d, p, "dropout", "f32", dict(out=b.out, x=b.x, rng=b.rng), dropped=math.ceil(p.p * 2**24), scale=scale)


@kernel("batch_windows")
def batch_windows(d: Planner, p: Any, b: Any) -> None:
    places = p.high - p.low - p.T
    if places <= 0:
        raise status_error(2, "batch_windows")
    W = 64 if p.T <= 64 else 256
    parts = -(-p.T // W)
    params = dict(B=p.B, T=p.T, low=p.low, places=places, parts=parts, **words(p.offset))
    d.run(
        "random.batch_windows",
        p.B * parts,
        dict(x=b.x, y=b.y, starts=b.starts, tokens=b.tokens, rng=b.rng),
        params,
        W=W,
    )
