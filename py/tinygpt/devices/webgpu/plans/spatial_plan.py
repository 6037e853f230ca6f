"""Convolution, pooling and batch norm: plain shaders, one sum an invocation or a workgroup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..dispatch_plan import kernel
from .elementwise_plan import TYPE, W, flat

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


LANES = 64  # invocations that add up one element of dweight
CHANNEL = 256  # invocations that have a channel of batch norm


def _sizes(p: Any) -> dict[str, int]:
    """The sizes of a launch, as the shaders have them: i0 to d2."""
    return {name: getattr(p, name) for name in ("%s%d" % (letter, d) for letter in "ikospd" for d in range(3))}


def _each(d: Planner, shader: str, out: Any, buffers: dict[str, Any], params: dict[str, Any], **defines: Any) -> None:
    """A flat shader over the elements of out."""
    for start, n in d.ranges(out.n):
        groups, shape = flat(n, False)
        d.run(
            shader, groups, dict(out=out.part(start, n), **buffers), dict(params, n=n, first=start), **shape, **defines
        )


def _channels(p: Any) -> dict[str, int]:
    return dict(_sizes(p), M=p.O // p.groups, S=p.C // p.groups, groups=p.groups)


@kernel("conv", "float32")
def conv(d: Planner, p: Any, b: Any) -> None:
    _each(d, "conv.forward", b.out, dict(x=b.x, weight=b.weight, bias=b.bias), _channels(p))


@kernel("conv_backward_x", "float32")
def conv_backward_x(d: Planner, p: Any, b: Any) -> None:
    _each(d, "conv.backward_x", b.dx, dict(dy=b.dy, weight=b.weight, bias=b.bias), _channels(p))


@kernel("conv_backward_weight", "float32")
def conv_backward_weight(d: Planner, p: Any, b: Any) -> None:
    buffers = dict(dweight=b.dweight, dy=b.dy, x=b.x)
    d.run("conv.weight", b.dweight.n, buffers, dict(_channels(p), N=p.N, count=b.dweight.n), W=LANES)


@kernel("max_pool", "float32 int32 int64")
def max_pool(d: Planner, p: Any, b: Any) -> None:
    buffers = dict(out=b.out, index=b.index, x=b.x)
    params = dict(_sizes(p), n=b.out.n)
    d.run("pooling.largest", -(-b.out.n // W), buffers, params, W=W, T=TYPE[p.dtype], adaptive=bool(p.adaptive))


@kernel("max_pool_backward", "float32")
def max_pool_backward(d: Planner, p: Any, b: Any) -> None:
    if p.n:
        buffers = dict(dx=b.dx, dy=b.dy, index=b.index, flag=d.flag)
        d.run("pooling.backward_max", -(-p.planes // 64), buffers, dict(planes=p.planes, n=p.n, m=p.m), W=64)


def _mean(d: Planner, p: Any, shader: str, out: Any, buffers: dict[str, Any]) -> None:
    params = dict(_sizes(p), count_pad=p.count_pad, divisor=p.divisor)
    _each(d, shader, out, buffers, params, adaptive=bool(p.adaptive))


@kernel("avg_pool", "float32")
def avg_pool(d: Planner, p: Any, b: Any) -> None:
    _mean(d, p, "pooling.mean", b.out, dict(x=b.x))


@kernel("avg_pool_backward", "float32")
def avg_pool_backward(d: Planner, p: Any, b: Any) -> None:
    _mean(d, p, "pooling.backward_mean", b.dx, dict(dy=b.dy))


@kernel("batch_norm", "float32")
def batch_norm(d: Planner, p: Any, b: Any) -> None:
    buffers = dict(
        out=b.out, mean=b.mean, rstd=b.rstd, x=b.x, weight=b.weight, bias=b.bias, running_mean=b.running_mean,
        running_var=b.running_var,
    )  # fmt: skip
    params = dict(N=p.N, C=p.C, S=p.S, momentum=p.momentum, eps=p.eps)
    d.run("batch_norm.forward", p.C, buffers, params, W=CHANNEL, training=bool(p.training))


@kernel("batch_norm_backward", "float32")
def batch_norm_backward(d: Planner, p: Any, b: Any) -> None:
    buffers = dict(dx=b.dx, dweight=b.dweight, dbias=b.dbias, dy=b.dy, x=b.x, weight=b.weight, mean=b.mean, rstd=b.rstd)
    d.run("batch_norm.backward", p.C, buffers, dict(N=p.N, C=p.C, S=p.S), W=CHANNEL, training=bool(p.training))
