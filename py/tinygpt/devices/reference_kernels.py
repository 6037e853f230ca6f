"""The oracle's kernels except the random ones: one function per kernel of `tinygpt.kernels`, in the
contract's order.

Each takes the named parameters p and one flat float64, int32 or int8 array per buffer (None where
absent), and writes its outputs in place. A right-hand side is complete before it is assigned, so
the aliases the contract permits need no care.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..kernels import (
    BIAS,
    BINARY,
    DTYPES,
    GELU,
    GELU_BACKWARD,
    MATH_OF_ONE,
    MATH_OF_TWO,
    MAX_RANK,
    REDUCE,
    REDUCTION,
    RESIDUAL,
    SCAN,
    SCATTER,
    UNARY,
)
from .base import status_error
from .reference_functions import MATH_OF_ONE_VALUE, MATH_OF_TWO_VALUE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Array = Any  # a NumPy array: NumPy's own stubs know little more of these


NAME_OF = {code: name for name, code in DTYPES.items()}
UNARY_NAME = {code: name for name, code in UNARY.items()}
BINARY_NAME = {code: name for name, code in BINARY.items()}
MATH_OF_ONE_NAME = {code: name for name, code in MATH_OF_ONE.items()}
MATH_OF_TWO_NAME = {code: name for name, code in MATH_OF_TWO.items()}
REDUCE_NAME = {code: name for name, code in REDUCE.items()}


def strided(flat: Array, sizes: Sequence[int], strides: Sequence[int]) -> Array:
    """View of a flat array with `sizes` and `strides` in elements."""
    return as_strided(flat, tuple(sizes), tuple(s * flat.itemsize for s in strides))


def _nd(flat: Array, p: Any, prefix: str) -> Array:
    """The view that the parameters n0..n5 and <prefix>0..<prefix>5 describe."""
    return strided(flat, _sizes(p), [getattr(p, "%s%d" % (prefix, d)) for d in range(MAX_RANK)])


def _range(n: int) -> Array:
    return np.arange(n)


def _sizes(p: Any) -> list[int]:
    return [getattr(p, "n%d" % d) for d in range(MAX_RANK)]


def erf(x: Array) -> Array:
    """NumPy has no erf; the C library's, element by element."""
    return np.fromiter(map(math.erf, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


def _normal_cdf(x: Array) -> Array:
    return 0.5 * (1 + erf(x / math.sqrt(2)))


def _gelu(x: Array) -> Array:
    return x * _normal_cdf(x)


def _gelu_slope(x: Array) -> Array:
    return _normal_cdf(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))  # at most 1: no overflow on either side
    return np.where(x < 0, small, 1.0) / (1 + small)


GELU_TANH_SCALE = math.sqrt(2 / math.pi)


def _gelu_tanh(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(GELU_TANH_SCALE * (x + 0.044715 * x**3)))


def _gelu_tanh_slope(x: Array) -> Array:
    t = np.tanh(GELU_TANH_SCALE * (x + 0.044715 * x**3))
    slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_TANH_SCALE * (1 + 3 * 0.044715 * x * x)
    return np.where(np.abs(x) < 2.0**64, slope, np.nan)  # from there on x * x overflows in float32


# ---- elementwise -------------------------------------------------------------------------------


def _read_half(x: Array, code: int) -> Array:
    """The values of float16 or bfloat16 bits; other arrays as they are."""
    if code == DTYPES["float16"]:
        return x.view(np.float16).astype(np.float64)
    if code == DTYPES["bfloat16"]:
        return (x.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return x


def _half_bits(x: Array, code: int) -> Array:
    """Numbers rounded to float16 or bfloat16, as their bits."""
    single = np.asarray(x, np.float32)
    if code == DTYPES["float16"]:
        bits = single.astype(np.float16).view(np.uint16)
        return np.where(np.isnan(single), np.uint16(0x7E00) | (single.view(np.uint32) >> 16 & 0x8000), bits)
    bits = single.view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return np.where(np.isnan(single), bits >> 16 | 0x40, rounded).astype(np.uint16)


def _cast(x: Array, code: int) -> Array:
    """Numbers as those of a type of DTYPES. From float to integer towards zero: int32 and int8
    saturate, the others keep the low bits of an int64. To float32 the value is rounded to what a
    float32 holds.
    """
    x = np.asarray(x)
    name = NAME_OF[code]
    if name in ("float16", "bfloat16"):
        return _half_bits(x, code)
    if name == "float32":
        return x.astype(np.float32).astype(np.float64)
    if name == "float64":
        return x.astype(np.float64)
    if x.dtype.kind == "f":
        low, high = (-(2**7), 2**7 - 1) if name == "int8" else (-(2**31), 2**31 - 1)
        if name in ("int32", "int8"):
            return np.trunc(np.clip(np.nan_to_num(x, posinf=high, neginf=low), low, high)).astype(name)
        whole = np.clip(np.nan_to_num(x), -(2.0**63), 2.0**63 - 1024)
        x = np.where(x >= 2.0**63, np.int64(2**63 - 1), np.trunc(whole).astype(np.int64))
    return x.astype(name)


def fill(p: Any, out: Array) -> None:
    out[:] = _cast(p.value, p.dtype)


def arange(p: Any, out: Array) -> None:
    out[:] = _cast(p.start + np.arange(p.n, dtype=np.float64) * p.step, p.dtype)


def copy(p: Any, out: Array, x: Array) -> None:
    source = _nd(x, p, "x")
    if p.dtype_out != p.dtype_x:
        source = _cast(_read_half(np.ascontiguousarray(source), p.dtype_x), p.dtype_out)
    _nd(out, p, "o")[...] = source


UNARY_VALUE: dict[str, Callable[[Any], Any]] = {
    "neg": np.negative, "abs": np.abs, "square": np.square, "reciprocal": lambda x: 1 / x, "exp": np.exp, "log": np.log,
    "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "tanh": np.tanh, "sigmoid": _sigmoid,
    "relu": lambda x: np.maximum(x, 0), "gelu": _gelu, "gelu_tanh": _gelu_tanh, "silu": lambda x: x * _sigmoid(x),
    "sin": np.sin, "cos": np.cos,
}  # fmt: skip
# The slope as a function of what was saved: the input x, or the output y.
UNARY_SLOPE: dict[str, Callable[[Any], Any]] = {
    "abs": lambda x: np.where(x > 0, 1.0, np.where(x < 0, -1.0, 0.0)), "square": lambda x: 2 * x,
    "log": lambda x: 1 / x, "relu": lambda x: np.where(x <= 0, 0.0, 1.0),
    "gelu": _gelu_slope, "gelu_tanh": _gelu_tanh_slope, "sin": np.cos, "cos": lambda x: -np.sin(x),
    "silu": lambda x: _sigmoid(x) * (1 + x * (1 - _sigmoid(x))),
    "reciprocal": lambda y: -y * y, "exp": lambda y: y, "sqrt": lambda y: 0.5 / y, "rsqrt": lambda y: -0.5 * y**3,
    "tanh": lambda y: 1 - y * y, "sigmoid": lambda y: y * (1 - y),
}  # fmt: skip
BINARY_VALUE: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power,
    "maximum": np.maximum, "minimum": np.minimum, "eq": np.equal, "ne": np.not_equal, "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal, "floordiv": np.floor_divide, "remainder": np.remainder,
    "bitand": np.bitwise_and, "bitor": np.bitwise_or, "bitxor": np.bitwise_xor, "lshift": np.left_shift,
    "rshift": np.right_shift,
}  # fmt: skip


def unary(p: Any, out: Array, x: Array) -> None:
    out[:] = UNARY_VALUE[UNARY_NAME[p.op]](x)


def unary_backward(p: Any, dx: Array, dy: Array, saved: Array) -> None:
    dx[:] = dy * UNARY_SLOPE[UNARY_NAME[p.op]](saved)


def binary(p: Any, out: Array, a: Array, b: Array) -> None:
    out[:] = BINARY_VALUE[BINARY_NAME[p.op]](_nd(a, p, "a"), _nd(b, p, "b")).ravel()


def binary_scalar(p: Any, out: Array, a: Array) -> None:
    scalar = _cast(p.scalar, p.dtype)
    out[:] = BINARY_VALUE[BINARY_NAME[p.op]](*((scalar, a) if p.reverse else (a, scalar)))


def where(p: Any, out: Array, cond: Array, a: Array, b: Array) -> None:
    chosen = np.where(_nd(cond, p, "c") != 0, _nd(a, p, "a"), _nd(b, p, "b"))  # pyright: ignore[reportUnknownVariableType]
    out[:] = chosen.ravel()  # pyright: ignore[reportUnknownMemberType]


def tril(p: Any, out: Array, x: Array) -> None:
    across = _range(p.N)[None, :] - _range(p.M)[:, None]
    keep = across >= p.diagonal if p.upper else across <= p.diagonal
    out[:] = np.where(keep, x.reshape(p.batch, p.M, p.N), np.zeros((), x.dtype)).ravel()


# ---- reductions --------------------------------------------------------------------------------


def reduce(p: Any, out: Array, x: Array) -> None:
    out[:] = getattr(np, REDUCE_NAME[p.op])(x.reshape(p.outer, p.n, p.inner), axis=1).ravel()


def wide_unary(p: Any, out: Array, x: Array) -> None:
    unary(p, out, x)


def wide_unary_backward(p: Any, dx: Array, dy: Array, saved: Array) -> None:
    unary_backward(p, dx, dy, saved)


def math_of_one(p: Any, out: Array, x: Array) -> None:
    out[:] = MATH_OF_ONE_VALUE[MATH_OF_ONE_NAME[p.op]](x)


def math_of_two(p: Any, out: Array, a: Array, b: Array) -> None:
    x, y = _nd(a, p, "a"), _nd(b, p, "b")
    name = MATH_OF_TWO_NAME[p.op]
    if name == "nextafter" and p.dtype == DTYPES["float32"]:
        x, y = x.astype(np.float32), y.astype(np.float32)
    out[:] = MATH_OF_TWO_VALUE[name](x, y).astype(out.dtype).ravel()


def variance(p: Any, out: Array, x: Array) -> None:
    rows = x.reshape(p.outer, p.n, p.inner)
    centred = rows - rows.mean(axis=1, keepdims=True)
    made = (centred * centred).sum(axis=1).ravel() / np.float64(max(p.n - p.correction, 0))
    out[:] = np.sqrt(made) if p.root else made


def wide_matmul(p: Any, out: Array, a: Array, b: Array) -> None:
    A = strided(a, (p.batch, p.M, p.K), (p.sa, 1, p.lda) if p.ta else (p.sa, p.lda, 1))
    B = strided(b, (p.batch, p.K, p.N), (p.sb, 1, p.ldb) if p.tb else (p.sb, p.ldb, 1))
    strided(out, (p.batch, p.M, p.N), (p.sc, p.ldc, 1))[...] = A @ B


def _checked(index: Array, V: int, name: str) -> Array:
    if index.size and (index.min() < 0 or index.max() >= V):
        raise status_error(2, name)
    return index


def take(p: Any, out: Array, x: Array, index: Array) -> None:
    out[:] = x.reshape(p.V, p.C)[_checked(index, p.V, "take")].ravel()


def put(p: Any, out: Array, x: Array, index: Array) -> None:
    rows, values = out.reshape(p.V, p.C), x.reshape(p.n, p.C)
    halves = p.dtype in (DTYPES["float16"], DTYPES["bfloat16"])
    for i, at in enumerate(_checked(index, p.V, "put")):  # in order: the last of equal indices wins
        if p.accumulate and halves:
            rows[at] = _half_bits(_read_half(rows[at].copy(), p.dtype) + _read_half(values[i].copy(), p.dtype), p.dtype)
        else:
            rows[at] = rows[at] + values[i] if p.accumulate else values[i]


def to_index(p: Any, out: Array, x: Array) -> None:
    out[:] = np.clip(x, -(2**31), 2**31 - 1)


def topk(p: Any, out: Array, order: Array, x: Array) -> None:
    rows = x.reshape(p.rows, p.n)
    keys = np.argsort(rows[:, ::-1] if p.largest else rows, axis=1, kind="stable")
    found = (p.n - 1 - keys[:, ::-1] if p.largest else keys)[:, : p.k]
    order[:] = found.astype(np.int32).ravel()
    out[:] = np.take_along_axis(rows, found, axis=1).ravel()


def gather(p: Any, out: Array, x: Array, index: Array) -> None:
    at = _checked(index, p.n, "gather").reshape(p.outer, p.k, p.inner)
    out[:] = np.take_along_axis(x.reshape(p.outer, p.n, p.inner), at, axis=1).ravel()


def scatter(p: Any, out: Array, x: Array, index: Array) -> None:
    at = _checked(index, p.n, "scatter").reshape(p.outer, p.k, p.inner)
    whole, values = out.reshape(p.outer, p.n, p.inner), x.reshape(p.outer, p.k, p.inner)
    halves = p.dtype in (DTYPES["float16"], DTYPES["bfloat16"]) and p.op != SCATTER["put"]
    combine = {SCATTER[k]: v for k, v in dict(add=np.add, mul=np.multiply, max=np.maximum, min=np.minimum).items()}
    for o, c in np.ndindex(p.outer, p.inner):
        for i in range(p.k):
            place, v = (o, at[o, i, c], c), values[o, i, c]
            if halves:
                a, b = (_read_half(np.array([bits]), p.dtype) for bits in (whole[place], v))
                whole[place] = _half_bits(combine[p.op](a, b), p.dtype)[0]
            else:
                whole[place] = combine[p.op](whole[place], v) if p.op in combine else v


def scan(p: Any, out: Array, x: Array) -> None:
    across = x.reshape(p.outer, p.n, p.inner)
    across = across[:, ::-1] if p.reverse else across
    along: Any = np.cumsum if p.op == SCAN["sum"] else np.cumprod
    made = along(across, axis=1)
    out[:] = (made[:, ::-1] if p.reverse else made).astype(out.dtype).ravel()


def sort(p: Any, out: Array, order: Array, x: Array) -> None:
    rows = x.reshape(p.rows, p.n)
    if p.descending:  # stable from the other end; a NaN is the largest
        found = p.n - 1 - np.argsort(rows[:, ::-1], axis=1, kind="stable")[:, ::-1]
    else:
        found = np.argsort(rows, axis=1, kind="stable")
    order[:] = found.astype(np.int32).ravel()
    out[:] = np.take_along_axis(rows, found, axis=1).ravel()


def global_norm(p: Any, out: Array, g: Array) -> None:
    out[0] = math.sqrt(np.sum(g * g))


def clip_scale(p: Any, g: Array, norm: Array) -> None:
    g *= np.minimum(1.0, p.max_norm / (norm[0] + 1e-6))  # NaN stays: of the norm, and inf / inf


# ---- matmul ------------------------------------------------------------------------------------


def matmul(
    p: Any, out: Array, a: Array, b: Array, bias: Array | None, residual: Array | None, pre: Array | None
) -> None:
    A = strided(a, (p.batch, p.M, p.K), (p.sa, 1, p.lda) if p.ta else (p.sa, p.lda, 1))
    B = strided(b, (p.batch, p.K, p.N), (p.sb, 1, p.ldb) if p.tb else (p.sb, p.ldb, 1))

    def like_out(flat: Array) -> Array:
        return strided(flat, (p.batch, p.M, p.N), (p.sc, p.ldc, 1))

    v = p.alpha * (A @ B)
    if p.beta != 0:
        v = v + p.beta * like_out(out)
    if p.epilogue & BIAS:
        v = v + bias
    if p.epilogue & GELU:
        if pre is not None:
            like_out(pre)[...] = v
        v = _gelu(v)
    if p.epilogue & GELU_BACKWARD:
        v = v * _gelu_slope(like_out(pre))
    if p.epilogue & RESIDUAL:
        v = v + like_out(residual)
    like_out(out)[...] = v


def int8_matmul(p: Any, out: Array, x: Array, w: Array, scale: Array, bias: Array | None) -> None:
    v = scale * (x.reshape(p.M, p.K) @ w.reshape(p.N, p.K).astype(np.float64).T)
    out[:] = (v if bias is None else v + bias).ravel()


def quantize_int8(p: Any, w: Array, scale: Array, x: Array) -> None:
    rows = x.reshape(p.N, p.K)
    largest = np.max(np.abs(rows), axis=1, initial=0.0)
    scale[:] = np.where(largest == 0, 1.0, _cast(largest / 127, DTYPES["float32"]))
    w[:] = np.clip(np.rint(rows / scale[:, None]), -127, 127).astype(np.int8).ravel()


def dequantize_int8(p: Any, out: Array, w: Array, scale: Array) -> None:
    out[:] = (scale[:, None] * w.reshape(p.N, p.K)).ravel()


# ---- normalisation -----------------------------------------------------------------------------


def _or_one(weight: Array | None) -> Any:
    return 1.0 if weight is None else weight


def layer_norm(
    p: Any, out: Array, mean: Array, rstd: Array, x: Array, weight: Array | None, bias: Array | None
) -> None:
    rows = x.reshape(p.rows, p.C)
    m = rows.mean(axis=1)
    r = 1 / np.sqrt(((rows - m[:, None]) ** 2).mean(axis=1) + p.eps)
    v = (rows - m[:, None]) * r[:, None] * _or_one(weight)
    out[:] = (v if bias is None else v + bias).ravel()
    mean[:], rstd[:] = m, r


def add_layer_norm(
    p: Any,
    sum: Array,
    out: Array,
    mean: Array,
    rstd: Array,
    x: Array,
    residual: Array | None,
    weight: Array | None,
    bias: Array | None,
) -> None:
    sum[:] = x + residual
    layer_norm(p, out, mean, rstd, sum, weight, bias)


def layer_norm_backward(
    p: Any,
    dx: Array,
    dweight: Array | None,
    dbias: Array | None,
    dy: Array,
    x: Array,
    weight: Array | None,
    mean: Array,
    rstd: Array,
    add: Array | None,
) -> None:
    dy = dy.reshape(p.rows, p.C).copy()
    xhat = (x.reshape(p.rows, p.C) - mean[:, None]) * rstd[:, None]
    g = dy * _or_one(weight)
    v = rstd[:, None] * (g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True))
    dx[:] = v.ravel() if add is None else v.ravel() + add
    if dweight is not None:
        dweight[:] = (dy * xhat).sum(axis=0)
    if dbias is not None:
        dbias[:] = dy.sum(axis=0)


def rms_norm(p: Any, out: Array, rstd: Array, x: Array, weight: Array | None) -> None:
    rows = x.reshape(p.rows, p.C)
    r = 1 / np.sqrt((rows * rows).mean(axis=1) + p.eps)
    out[:] = (rows * r[:, None] * _or_one(weight)).ravel()
    rstd[:] = r


def rms_norm_backward(
    p: Any,
    dx: Array,
    dweight: Array | None,
    dy: Array,
    x: Array,
    weight: Array | None,
    rstd: Array,
    add: Array | None,
) -> None:
    dy = dy.reshape(p.rows, p.C).copy()
    rows, r = x.reshape(p.rows, p.C), rstd[:, None]
    g = dy * _or_one(weight)
    v = r * (g - rows * r * r * (g * rows).mean(axis=1, keepdims=True))
    dx[:] = v.ravel() if add is None else v.ravel() + add
    if dweight is not None:
        dweight[:] = (dy * rows * r).sum(axis=0)


# ---- softmax and cross-entropy -----------------------------------------------------------------


def _log_softmax(rows: Array) -> Array:
    shifted = rows - rows.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def softmax(p: Any, out: Array, x: Array) -> None:
    if out.size:
        v = _log_softmax(x.reshape(p.rows, p.n))
        out[:] = (v if p.log else np.exp(v)).ravel()


def softmax_backward(p: Any, dx: Array, dy: Array, y: Array) -> None:
    dy, y = dy.reshape(p.rows, p.n), y.reshape(p.rows, p.n)
    v = dy - np.exp(y) * dy.sum(axis=1, keepdims=True) if p.log else y * (dy - (dy * y).sum(axis=1, keepdims=True))
    dx[:] = v.ravel()


def cross_entropy(p: Any, losses: Array, total: Array, dlogits: Array, logits: Array, targets: Array) -> None:
    valid = targets != p.ignore
    if np.any(valid & ((targets < 0) | (targets >= p.V))):
        raise status_error(2, "cross_entropy")
    rows = _range(p.rows)
    chosen = np.where(valid, targets, 0)
    log_p = _log_softmax(logits.reshape(p.rows, p.V))
    losses[:] = np.where(valid, -log_p[rows, chosen], 0.0)
    count = valid.sum() if p.reduction == REDUCTION["mean"] else 1
    total[0] = losses.sum() / count if count else math.nan
    if dlogits is not None:
        d = np.exp(log_p)
        d[rows, chosen] -= 1
        # NaN where d is, also in an ignored row: PyTorch's.
        dlogits[:] = (d * np.where(valid[:, None], 1.0 / max(count, 1), 0.0)).ravel()


# ---- attention ---------------------------------------------------------------------------------


def _heads(flat: Array, p: Any, prefix: str, time: int, heads: int) -> Array:
    """View [B, heads, time, D] of a buffer whose strides are <prefix>_b, <prefix>_t, <prefix>_h."""
    return strided(flat, (p.B, heads, time, p.D), [getattr(p, prefix + s) for s in ("_b", "_h", "_t")] + [1])


def _key_head(p: Any) -> Any:
    """The key/value head that each query head reads."""
    return _range(p.H) * p.G // p.H


def _key_heads(p: Any, k: Array) -> Any:
    return _heads(k, p, "k", p.S, p.G)[:, _key_head(p)]


def _in_float32(scores: Array) -> Array:
    """What overflows in float32 is infinite here too."""
    return scores * np.where(np.abs(scores) > np.finfo(np.float32).max, np.inf, 1.0)


def _probabilities(scores: Array) -> tuple[Array, Array]:
    """(softmax over the keys, log-sum-exp): a query whose scores are all -inf attends to none."""
    largest = np.maximum(scores.max(axis=3), np.finfo(np.float32).min)
    total = np.exp(scores - largest[..., None]).sum(axis=3)
    log_sum = np.where(total == 0, np.inf, largest + np.log(total))
    return np.exp(scores - log_sum[..., None]), log_sum


def _scores(p: Any, q: Array, k: Array) -> Any:
    scores = _in_float32(p.scale * (_heads(q, p, "q", p.T, p.H) @ _key_heads(p, k).swapaxes(2, 3)))
    return np.where(_range(p.S)[None, :] <= _range(p.T)[:, None], scores, -np.inf) if p.causal else scores


def attention(p: Any, out: Array, lse: Array, q: Array, k: Array, v: Array) -> None:
    probability, log_sum = _probabilities(_scores(p, q, k))
    _heads(out, p, "o", p.T, p.H)[...] = probability @ _heads(v, p, "v", p.S, p.G)[:, _key_head(p)]
    lse[:] = log_sum.ravel()


def attention_backward(
    p: Any, dq: Array, dk: Array, dv: Array, dout: Array, q: Array, k: Array, v: Array, out: Array, lse: Array
) -> None:
    keys, values = (_heads(x, p, name, p.S, p.G)[:, _key_head(p)] for x, name in ((k, "k"), (v, "v")))
    do = _heads(dout, p, "do", p.T, p.H)
    probability = np.exp(_scores(p, q, k) - lse.reshape(p.B, p.H, p.T, 1))
    delta = (do * _heads(out, p, "o", p.T, p.H)).sum(axis=3, keepdims=True)
    ds = probability * (do @ values.swapaxes(2, 3) - delta)
    per_head_dk = p.scale * (ds.swapaxes(2, 3) @ _heads(q, p, "q", p.T, p.H))
    per_head_dv = probability.swapaxes(2, 3) @ do
    _heads(dq, p, "dq", p.T, p.H)[...] = p.scale * (ds @ keys)
    for flat, name, per_head in ((dk, "dk", per_head_dk), (dv, "dv", per_head_dv)):
        _heads(flat, p, name, p.S, p.G)[...] = per_head.reshape(p.B, p.G, p.H // p.G, p.S, p.D).sum(axis=2)


def attention_decode(p: Any, out: Array, q: Array, k_cache: Array, v_cache: Array, position: Array) -> None:
    last = int(position[0])
    if not 0 <= last < p.S:
        raise status_error(2, "attention_decode")
    queries = strided(q, (p.B, p.H, 1, p.D), (p.q_b, p.D, p.D, 1))
    keys, values = (cache.reshape(p.B, p.G, p.S, p.D)[:, _key_head(p), : last + 1] for cache in (k_cache, v_cache))
    out[:] = (_probabilities(_in_float32(p.scale * (queries @ keys.swapaxes(2, 3))))[0] @ values).ravel()


def kv_append(p: Any, k_cache: Array, v_cache: Array, k: Array, v: Array, position: Array) -> None:
    first = int(position[0])
    if first < 0 or first + p.T > p.S:
        raise status_error(2, "kv_append")
    for cache, new, s_b, s_t in ((k_cache, k, p.k_b, p.k_t), (v_cache, v, p.v_b, p.v_t)):
        cache.reshape(p.B, p.G, p.S, p.D)[:, :, first : first + p.T] = strided(
            new, (p.B, p.G, p.T, p.D), (s_b, p.D, s_t, 1)
        )


def rotary(p: Any, out: Array, x: Array, position: Array) -> None:
    first, half = 0 if position is None else int(position[0]), p.D // 2
    angle = (_range(p.T)[:, None] + first) * p.base ** (-2.0 * _range(half)[None, :] / p.D)
    cos, sin = np.cos(angle), np.sin(angle) * (-1 if p.inverse else 1)
    source = _heads(x, p, "x", p.T, p.H).copy()
    left, right = source[..., :half], source[..., half:]
    _heads(out, p, "o", p.T, p.H)[...] = np.concatenate([left * cos - right * sin, left * sin + right * cos], axis=3)


# ---- embedding ---------------------------------------------------------------------------------


def embedding(p: Any, out: Array, table: Array, index: Array) -> None:
    if np.any((index < 0) | (index >= p.V)):
        raise status_error(2, "embedding")
    out[:] = table.reshape(p.V, p.C)[index].ravel()


def embedding_backward(p: Any, dtable: Array, dout: Array, index: Array) -> None:
    table = np.zeros((p.V, p.C))
    np.add.at(table, index, dout.reshape(p.n, p.C))
    dtable[:] = table.ravel()


# ---- optimizers --------------------------------------------------------------------------------


def _groups(p: Any, hyper: Array) -> Any:
    """(begin, end, the other seven settings) of each parameter group; the end is an int32 in a
    float's place.
    """
    begin = 0
    for row in hyper.reshape(p.groups, 8):
        end = int(row[:1].astype(np.float32).view(np.int32)[0])
        yield slice(begin, end), row[1:]
        begin = end


def _skipped(norm: Array | None) -> bool:
    """Whether the step is skipped: the gradient's norm is known and not finite."""
    return norm is not None and not math.isfinite(norm[0])


def adamw(p: Any, p_: Array, m: Array, v: Array, g: Array, hyper: Array, norm: Array | None) -> None:
    if _skipped(norm):
        return
    for s, (lr, beta1, beta2, eps, weight_decay, correction1, sqrt_correction2) in _groups(p, hyper):
        m[s] += (1 - beta1) * (g[s] - m[s])
        v[s] = beta2 * v[s] + (1 - beta2) * g[s] ** 2
        p_[s] *= 1 - lr * weight_decay
        p_[s] -= lr / correction1 * m[s] / (np.sqrt(v[s]) / sqrt_correction2 + eps)


def sgd(p: Any, p_: Array, buf: Array | None, g: Array, hyper: Array, norm: Array | None) -> None:
    if _skipped(norm):
        return
    for s, (lr, momentum, dampening, weight_decay, nesterov, first, _) in _groups(p, hyper):
        d = g[s] + weight_decay * p_[s]
        if buf is not None:
            buf[s] = d if first else momentum * buf[s] + (1 - dampening) * d
            d = d + momentum * buf[s] if nesterov else buf[s]
        p_[s] -= lr * d


def adam(p: Any, p_: Array, m: Array, v: Array, largest: Array | None, g: Array, hyper: Array) -> None:
    decay, weight_decay, take1, keep2, take2, eps, step, scale = hyper.tolist()
    p_ *= decay
    d = g + weight_decay * p_ if weight_decay else g
    m += take1 * (d - m)
    v[:] = keep2 * v + take2 * d**2
    if largest is not None:
        largest[:] = np.maximum(largest, v)
    p_ += step * m / (np.sqrt(v if largest is None else largest) * scale + eps)
