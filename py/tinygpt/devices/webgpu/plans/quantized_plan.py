"""int8 weights (shaders/quantized.wgsl): a few rows of x against them directly, many through
float32 and the ordinary product.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .... import kernels
from ..dispatch_plan import OPTIONS, PLANS, kernel

if TYPE_CHECKING:
    from ..dispatch_plan import Planner


FEW = 16  # rows of x up to which w is read once for every four of them


@kernel("int8_matmul")
def int8_matmul(d: Planner, p: Any, b: Any) -> None:
    if p.M * p.N and p.M > FEW:
        _through_float(d, p, b)
    elif p.M * p.N:
        _directly(d, p, b)


def _directly(d: Planner, p: Any, b: Any) -> None:
    """A team of invocations for each row of w."""
    packed = p.K % 4 == 0 and (b.w.residue + b.w.offset) % 4 == 0 and d.vec4(b.x)
    R = min(p.M, 4)
    T = 32 if p.K > 16 else 8
    across = -(-p.N // (256 // T))
    buffers = dict(out=b.out, x=b.x, w=b.w, scale=b.scale, bias=b.bias)
    params = dict(M=p.M, N=p.N, K=p.K, across=across)
    d.run("quantized.int8_matmul", across * -(-p.M // R), buffers, params, packed=packed, R=R, T=T, reads=True)


def _through_float(d: Planner, p: Any, b: Any) -> None:
    """w in float32, scaled, in scratch memory, then the product x w^T."""
    n = p.N * p.K
    w = d.scratch(n)
    _dequantize(d, n, p.K, dict(out=w, w=b.w, scale=b.scale))
    sizes = dict(batch=1, M=p.M, N=p.N, K=p.K, ta=0, tb=1, lda=p.K, ldb=p.K, ldc=p.N, sa=0, sb=0, sc=0)
    params = kernels.matmul.Params(**sizes, alpha=1.0, beta=0.0, epilogue=0 if b.bias is None else kernels.BIAS)
    options = dict.fromkeys(OPTIONS["matmul"])
    PLANS["matmul"](d, params, SimpleNamespace(out=b.out, a=b.x, b=w, bias=b.bias, residual=None, pre=None, **options))


def _dequantize(d: Planner, n: int, K: int, buffers: Any) -> None:
    d.run("quantized.dequantize", -(-n // 256), buffers, dict(n=n, K=K), reads=True)


@kernel("dequantize_int8")
def dequantize_int8(d: Planner, p: Any, b: Any) -> None:
    if p.N * p.K:
        _dequantize(d, p.N * p.K, p.K, dict(out=b.out, w=b.w, scale=b.scale))


@kernel("quantize_int8")
def quantize_int8(d: Planner, p: Any, b: Any) -> None:
    n = p.N * p.K
    d.run("quantized.scales", p.N, dict(scale=b.scale, x=b.x), dict(N=p.N, K=p.K), W=64 if p.K <= 256 else 256)
    if n:
        in_front = (b.w.residue + b.w.offset) % 4  # bytes of the first word that are not w's
        d.run("quantized.quantize", (in_front + n + 1023) // 1024, dict(w=b.w, scale=b.scale, x=b.x), dict(n=n, K=p.K))
