"""The oracle's kernels except the random ones: one function per kernel of `tinygpt.kernels`, in the contract's order.

Each takes the named parameters p and one flat float64, int32 or int8 array per buffer (None where absent), and writes its
outputs in place. A right-hand side is complete before it is assigned, so the aliases the contract permits need no care.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..kernels import BIAS, BINARY, DTYPES, GELU, GELU_BACKWARD, MAX_RANK, REDUCE, REDUCTION, RESIDUAL, UNARY
from .base import status_error

UNARY_NAME = {code: name for name, code in UNARY.items()}
BINARY_NAME = {code: name for name, code in BINARY.items()}
REDUCE_NAME = {code: name for name, code in REDUCE.items()}


def strided(flat, sizes, strides):
    """View of a flat array with `sizes` and `strides` in elements."""
    return as_strided(flat, tuple(sizes), tuple(s * flat.itemsize for s in strides))


def _nd(flat, p, prefix):
    """The view that the parameters n0..n5 and <prefix>0..<prefix>5 describe."""
    return strided(flat, _sizes(p), [getattr(p, "%s%d" % (prefix, d)) for d in range(MAX_RANK)])


def _sizes(p):
    return [getattr(p, "n%d" % d) for d in range(MAX_RANK)]


def erf(x):
    """NumPy has no erf; the C library's, element by element."""
    return np.fromiter(map(math.erf, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


def _normal_cdf(x):
    return 0.5 * (1 + erf(x / math.sqrt(2)))


def _gelu(x):
    return x * _normal_cdf(x)


def _gelu_slope(x):
    return _normal_cdf(x) + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _sigmoid(x):
    small = np.exp(-np.abs(x))  # at most 1: no overflow on either side
    return np.where(x < 0, small, 1.0) / (1 + small)


GELU_TANH_SCALE = math.sqrt(2 / math.pi)


def _gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(GELU_TANH_SCALE * (x + 0.044715 * x**3)))


def _gelu_tanh_slope(x):
    t = np.tanh(GELU_TANH_SCALE * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * GELU_TANH_SCALE * (1 + 3 * 0.044715 * x * x)


# ---- elementwise -----------------------------------------------------------------------------------


def _cast(x, dtype):
    """From float towards zero; to float32 the value is rounded to what a float32 holds."""
    if dtype.kind == "f":
        return np.asarray(x, np.float64).astype(np.float32).astype(np.float64)
    return np.trunc(x).astype(np.int32).astype(dtype)


def fill(p, out):
    out[:] = _cast(p.value, out.dtype)


def arange(p, out):
    out[:] = _cast(p.start + np.arange(p.n, dtype=np.float64) * p.step, out.dtype)


def copy(p, out, x):
    source = _nd(x, p, "x")
    _nd(out, p, "o")[...] = source if p.dtype_out == p.dtype_x == DTYPES["float32"] else _cast(source, out.dtype)


UNARY_VALUE = {
    "neg": np.negative, "abs": np.abs, "square": np.square, "reciprocal": lambda x: 1 / x, "exp": np.exp, "log": np.log,
    "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "tanh": np.tanh, "sigmoid": _sigmoid,
    "relu": lambda x: np.maximum(x, 0), "gelu": _gelu, "gelu_tanh": _gelu_tanh, "silu": lambda x: x * _sigmoid(x),
    "sin": np.sin, "cos": np.cos,
}  # fmt: skip
# The slope as a function of what was saved: the input x, or the output y.
UNARY_SLOPE = {
    "abs": np.sign, "square": lambda x: 2 * x, "log": lambda x: 1 / x, "relu": lambda x: np.where(x > 0, 1.0, 0.0),
    "gelu": _gelu_slope, "gelu_tanh": _gelu_tanh_slope, "sin": np.cos, "cos": lambda x: -np.sin(x),
    "silu": lambda x: _sigmoid(x) * (1 + x * (1 - _sigmoid(x))),
    "reciprocal": lambda y: -y * y, "exp": lambda y: y, "sqrt": lambda y: 0.5 / y, "rsqrt": lambda y: -0.5 * y**3,
    "tanh": lambda y: 1 - y * y, "sigmoid": lambda y: y * (1 - y),
}  # fmt: skip
BINARY_VALUE = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power,
    "maximum": np.maximum, "minimum": np.minimum, "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal, "floordiv": np.floor_divide, "remainder": np.remainder,
}  # fmt: skip


def unary(p, out, x):
    out[:] = UNARY_VALUE[UNARY_NAME[p.op]](x)


def unary_backward(p, dx, dy, saved):
    dx[:] = dy * UNARY_SLOPE[UNARY_NAME[p.op]](saved)


def binary(p, out, a, b):
    out[:] = BINARY_VALUE[BINARY_NAME[p.op]](_nd(a, p, "a"), _nd(b, p, "b")).ravel()


def binary_scalar(p, out, a):
    scalar = _cast(p.scalar, a.dtype)
    out[:] = BINARY_VALUE[BINARY_NAME[p.op]](*((scalar, a) if p.reverse else (a, scalar)))


def where(p, out, cond, a, b):
    out[:] = np.where(_nd(cond, p, "c") != 0, _nd(a, p, "a"), _nd(b, p, "b")).ravel()


def tril(p, out, x):
    across = np.arange(p.N)[None, :] - np.arange(p.M)[:, None]
    keep = across >= p.diagonal if p.upper else across <= p.diagonal
    out[:] = np.where(keep, x.reshape(p.batch, p.M, p.N), np.zeros((), x.dtype)).ravel()


# ---- reductions ------------------------------------------------------------------------------------


def reduce(p, out, x):
    out[:] = getattr(np, REDUCE_NAME[p.op])(x.reshape(p.outer, p.n, p.inner), axis=1).ravel()


def global_norm(p, out, g):
    out[0] = math.sqrt(np.sum(g * g))


def clip_scale(p, g, norm):
    g *= min(1.0, p.max_norm / (norm[0] + 1e-6)) if not math.isnan(norm[0]) else math.nan


# ---- matmul ----------------------------------------------------------------------------------------


def matmul(p, out, a, b, bias, residual, pre):
    A = strided(a, (p.batch, p.M, p.K), (p.sa, 1, p.lda) if p.ta else (p.sa, p.lda, 1))
    B = strided(b, (p.batch, p.K, p.N), (p.sb, 1, p.ldb) if p.tb else (p.sb, p.ldb, 1))

    def like_out(flat):
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


def int8_matmul(p, out, x, w, scale, bias):
    v = scale * (x.reshape(p.M, p.K) @ w.reshape(p.N, p.K).astype(np.float64).T)
    out[:] = (v if bias is None else v + bias).ravel()


def quantize_int8(p, w, scale, x):
    rows = x.reshape(p.N, p.K)
    largest = np.max(np.abs(rows), axis=1, initial=0.0)
    scale[:] = np.where(largest == 0, 1.0, _cast(largest / 127, scale.dtype))
    w[:] = np.clip(np.rint(rows / scale[:, None]), -127, 127).astype(np.int8).ravel()


def dequantize_int8(p, out, w, scale):
    out[:] = (scale[:, None] * w.reshape(p.N, p.K)).ravel()


# ---- normalisation ---------------------------------------------------------------------------------


def _or_one(weight):
    return 1.0 if weight is None else weight


def layer_norm(p, out, mean, rstd, x, weight, bias):
    rows = x.reshape(p.rows, p.C)
    m = rows.mean(axis=1)
    r = 1 / np.sqrt(((rows - m[:, None]) ** 2).mean(axis=1) + p.eps)
    v = (rows - m[:, None]) * r[:, None] * _or_one(weight)
    out[:] = (v if bias is None else v + bias).ravel()
    mean[:], rstd[:] = m, r


def add_layer_norm(p, sum, out, mean, rstd, x, residual, weight, bias):
    sum[:] = x + residual
    layer_norm(p, out, mean, rstd, sum, weight, bias)


def layer_norm_backward(p, dx, dweight, dbias, dy, x, weight, mean, rstd, add):
    dy = dy.reshape(p.rows, p.C).copy()
    xhat = (x.reshape(p.rows, p.C) - mean[:, None]) * rstd[:, None]
    g = dy * _or_one(weight)
    v = rstd[:, None] * (g - g.mean(axis=1, keepdims=True) - xhat * (g * xhat).mean(axis=1, keepdims=True))
    dx[:] = v.ravel() if add is None else v.ravel() + add
    if dweight is not None:
        dweight[:] = (dy * xhat).sum(axis=0)
    if dbias is not None:
        dbias[:] = dy.sum(axis=0)


def rms_norm(p, out, rstd, x, weight):
    rows = x.reshape(p.rows, p.C)
    r = 1 / np.sqrt((rows * rows).mean(axis=1) + p.eps)
    out[:] = (rows * r[:, None] * _or_one(weight)).ravel()
    rstd[:] = r


def rms_norm_backward(p, dx, dweight, dy, x, weight, rstd, add):
    dy = dy.reshape(p.rows, p.C).copy()
    rows, r = x.reshape(p.rows, p.C), rstd[:, None]
    g = dy * _or_one(weight)
    v = r * (g - rows * r * r * (g * rows).mean(axis=1, keepdims=True))
    dx[:] = v.ravel() if add is None else v.ravel() + add
    if dweight is not None:
        dweight[:] = (dy * rows * r).sum(axis=0)


# ---- softmax and cross-entropy ---------------------------------------------------------------------


def _log_softmax(rows):
    shifted = rows - rows.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def softmax(p, out, x):
    if out.size:
        v = _log_softmax(x.reshape(p.rows, p.n))
        out[:] = (v if p.log else np.exp(v)).ravel()


def softmax_backward(p, dx, dy, y):
    dy, y = dy.reshape(p.rows, p.n), y.reshape(p.rows, p.n)
    v = dy - np.exp(y) * dy.sum(axis=1, keepdims=True) if p.log else y * (dy - (dy * y).sum(axis=1, keepdims=True))
    dx[:] = v.ravel()


def cross_entropy(p, losses, total, dlogits, logits, targets):
    valid = targets != p.ignore
    if np.any(valid & ((targets < 0) | (targets >= p.V))):
        raise status_error(2, "cross_entropy")
    rows = np.arange(p.rows)
    chosen = np.where(valid, targets, 0)
    log_p = _log_softmax(logits.reshape(p.rows, p.V))
    losses[:] = np.where(valid, -log_p[rows, chosen], 0.0)
    count = valid.sum() if p.reduction == REDUCTION["mean"] else 1
    total[0] = losses.sum() / count if count else math.nan
    if dlogits is not None:
        d = np.exp(log_p)
        d[rows, chosen] -= 1
        dlogits[:] = np.where(valid[:, None], d / max(count, 1), 0.0).ravel()


# ---- attention -------------------------------------------------------------------------------------


def _heads(flat, p, prefix, time, heads):
    """View [B, heads, time, D] of a buffer whose strides are <prefix>_b, <prefix>_t, <prefix>_h."""
    return strided(flat, (p.B, heads, time, p.D), [getattr(p, prefix + s) for s in ("_b", "_h", "_t")] + [1])


def _key_head(p):
    """The key/value head that each query head reads."""
    return np.arange(p.H) * p.G // p.H


def _scores(p, q, k):
    scores = p.scale * (_heads(q, p, "q", p.T, p.H) @ _heads(k, p, "k", p.S, p.G)[:, _key_head(p)].swapaxes(2, 3))
    return np.where(np.arange(p.S)[None, :] <= np.arange(p.T)[:, None], scores, -np.inf) if p.causal else scores


def attention(p, out, lse, q, k, v):
    scores = _scores(p, q, k)
    largest = scores.max(axis=3)
    log_sum = largest + np.log(np.exp(scores - largest[..., None]).sum(axis=3))
    _heads(out, p, "o", p.T, p.H)[...] = np.exp(scores - log_sum[..., None]) @ _heads(v, p, "v", p.S, p.G)[:, _key_head(p)]
    lse[:] = log_sum.ravel()


def attention_backward(p, dq, dk, dv, dout, q, k, v, out, lse):
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


def attention_decode(p, out, q, k_cache, v_cache, position):
    last = int(position[0])
    if not 0 <= last < p.S:
        raise status_error(2, "attention_decode")
    queries = strided(q, (p.B, p.H, 1, p.D), (p.q_b, p.D, p.D, 1))
    keys, values = (cache.reshape(p.B, p.G, p.S, p.D)[:, _key_head(p), : last + 1] for cache in (k_cache, v_cache))
    scores = p.scale * (queries @ keys.swapaxes(2, 3))
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    out[:] = (weights / weights.sum(axis=3, keepdims=True) @ values).ravel()


def kv_append(p, k_cache, v_cache, k, v, position):
    first = int(position[0])
    if first < 0 or first + p.T > p.S:
        raise status_error(2, "kv_append")
    for cache, new, s_b, s_t in ((k_cache, k, p.k_b, p.k_t), (v_cache, v, p.v_b, p.v_t)):
        cache.reshape(p.B, p.G, p.S, p.D)[:, :, first : first + p.T] = strided(new, (p.B, p.G, p.T, p.D), (s_b, p.D, s_t, 1))


def rotary(p, out, x, position):
    first, half = 0 if position is None else int(position[0]), p.D // 2
    angle = (np.arange(p.T)[:, None] + first) * p.base ** (-2.0 * np.arange(half)[None, :] / p.D)
    cos, sin = np.cos(angle), np.sin(angle) * (-1 if p.inverse else 1)
    source = _heads(x, p, "x", p.T, p.H).copy()
    left, right = source[..., :half], source[..., half:]
    _heads(out, p, "o", p.T, p.H)[...] = np.concatenate([left * cos - right * sin, left * sin + right * cos], axis=3)


# ---- embedding -------------------------------------------------------------------------------------


def embedding(p, out, table, index):
    if np.any((index < 0) | (index >= p.V)):
        raise status_error(2, "embedding")
    out[:] = table.reshape(p.V, p.C)[index].ravel()


def embedding_backward(p, dtable, dout, index):
    table = np.zeros((p.V, p.C))
    np.add.at(table, index, dout.reshape(p.n, p.C))
    dtable[:] = table.ravel()


# ---- optimizers ------------------------------------------------------------------------------------


def _groups(p, hyper):
    """(begin, end, the other seven settings) of each parameter group; the end is an int32 in a float's place."""
    begin = 0
    for row in hyper.reshape(p.groups, 8):
        end = int(row[:1].astype(np.float32).view(np.int32)[0])
        yield slice(begin, end), row[1:]
        begin = end


def _skipped(norm):
    """Whether the step is left out: the gradient's norm is known and not finite."""
    return norm is not None and not math.isfinite(norm[0])


def adamw(p, p_, m, v, g, hyper, norm):
    if _skipped(norm):
        return
    for s, (lr, beta1, beta2, eps, weight_decay, correction1, sqrt_correction2) in _groups(p, hyper):
        m[s] += (1 - beta1) * (g[s] - m[s])
        v[s] = beta2 * v[s] + (1 - beta2) * g[s] ** 2
        p_[s] *= 1 - lr * weight_decay
        p_[s] -= lr / correction1 * m[s] / (np.sqrt(v[s]) / sqrt_correction2 + eps)


def sgd(p, p_, buf, g, hyper, norm):
    if _skipped(norm):
        return
    for s, (lr, momentum, dampening, weight_decay, nesterov, first, _) in _groups(p, hyper):
        d = g[s] + weight_decay * p_[s]
        if buf is not None:
            buf[s] = d if first else momentum * buf[s] + (1 - dampening) * d
            d = d + momentum * buf[s] if nesterov else buf[s]
        p_[s] -= lr * d
