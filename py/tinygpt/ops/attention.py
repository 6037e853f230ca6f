"""Scaled dot-product attention: the fused causal kernel, a composition for masks and dropout, and
decoding over a key/value cache.

Tensors are [B, H, T, D] views in PyTorch's layout; the kernel takes their strides, so heads need
not be made contiguous.
"""

from __future__ import annotations

import math

from .. import kernels
from ..core.autograd import attach, needs_grad, written
from ..core.factory import full, like
from ..core.tensor import Tensor, bool_, float32, int32, row_major
from ..graph.program import launch
from . import elementwise, movement, random, softmax_xent


def _bth(x: Tensor) -> tuple[int, int, int]:
    """Strides of a [B, H, T, D] tensor in the kernel's order: batch, time, head."""
    return x._strides[0], x._strides[2], x._strides[1]


def _dense_last(x: Tensor) -> Tensor:
    return x if x._strides[-1] == 1 or x._shape[-1] == 1 else x.contiguous()


def _check(q: Tensor, k: Tensor, v: Tensor) -> None:
    shapes = "query %s, key %s, value %s" % (list(q._shape), list(k._shape), list(v._shape))
    if not q.ndim == k.ndim == v.ndim == 4:
        raise RuntimeError("scaled_dot_product_attention expects [B, H, T, D] tensors, not %s" % shapes)
    if (
        k._shape != v._shape
        or q._shape[0] != k._shape[0]
        or q._shape[3] != k._shape[3]
        or not k._shape[1]
        or q._shape[1] % k._shape[1]
    ):
        raise RuntimeError("scaled_dot_product_attention: shapes do not fit: %s" % shapes)
    for x in (q, k, v):
        if x._dtype is not float32:
            raise RuntimeError("scaled_dot_product_attention: expected float32, not %s" % x._dtype.name)
    elementwise.same_device(q, k)
    elementwise.same_device(q, v)


def time_major(B: int, H: int, T: int, D: int, device_of: Tensor) -> Tensor:
    """An uninitialised float32 [B, H, T, D] view of a dense [B, T, H, D] tensor.

    Transposed back it is dense, as the next projection wants. device_of: a tensor on its device.
    """
    x = like(device_of, (B, T, H, D))
    return Tensor(x._storage, (B, H, T, D), float32, 0, tuple(row_major((B, T, H, D))[i] for i in (0, 2, 1, 3)))


def attention(q: Tensor, k: Tensor, v: Tensor, causal: bool, scale: float, out: Tensor | None = None) -> Tensor:
    """Attention as one fused launch; for its gradient it keeps only the log-sum-exp [B, H, T].

    q: float32 [B, H, T, D]. k, v: float32 [B, G, S, D], each shared by H / G query heads.
    causal: query t attends to the keys 0..t. out: where the result is written, of any strides but
    the last one's 1; time-major unless given. Returns [B, H, T, D]. Nothing is checked here.
    """
    q, k, v = _dense_last(q), _dense_last(k), _dense_last(v)
    B, H, T, D = q._shape
    G, S = k._shape[1:3]
    out = time_major(B, H, T, D, q) if out is None else out
    lse = like(q, (B, H, T))
    sizes = (B, H, G, T, S, D, int(causal))
    strides = (*_bth(q), *_bth(k), *_bth(v), *_bth(out))
    launch(kernels.attention, (out, lse, q, k, v), (*sizes, *strides, scale))
    if needs_grad(q, k, v):
        y = out.detach()

        def backward(dy):
            dy = _dense_last(dy)
            dq, dk, dv = time_major(B, H, T, D, q), time_major(B, G, S, D, q), time_major(B, G, S, D, q)
            launch(
                kernels.attention_backward,
                (dq, dk, dv, dy, q, k, v, y, lse),
                (*sizes, *strides, *_bth(dy), *_bth(dq), *_bth(dk), *_bth(dv), scale),
            )
            return dq, dk, dv

        attach("attention", (out,), (q, k, v), backward, (q, k, v, y))
    return out


def scaled_dot_product_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """softmax(scale * q k^T + mask) v (Vaswani et al. 2017), as torch.nn.functional's.

    q: float32 [B, H, T, D]. k, v: float32 [B, G, S, D]; fewer key than query heads are shared among
    them (enable_gqa in PyTorch). Returns [B, H, T, D]. attn_mask: bool (True: may attend) or
    additive float32, broadcastable to [B, H, T, S]; a query that may attend to nothing gives 0.
    scale is 1 / sqrt(D) unless given. A mask or dropout takes a plain composition with a T x S
    matrix in memory; otherwise the fused kernel runs. RuntimeError where shapes, dtypes or devices
    do not fit, or for a mask with is_causal.
    """
    _check(q, k, v)
    scale = 1.0 / math.sqrt(q._shape[-1]) if scale is None else scale
    if attn_mask is None and dropout_p == 0.0:
        return attention(q, k, v, is_causal, scale)
    if attn_mask is not None and is_causal:
        raise RuntimeError("scaled_dot_product_attention: give attn_mask or is_causal, not both")
    T, S = q._shape[2], k._shape[2]
    groups = q._shape[1] // k._shape[1]
    if groups > 1:
        k, v = (
            x.unsqueeze(2).expand(x._shape[0], x._shape[1], groups, *x._shape[2:]).reshape(q._shape[:2] + x._shape[2:])
            for x in (k, v)
        )
    scores = (q @ k.transpose(-2, -1)) * scale
    if is_causal:
        attn_mask = movement.tril(full((T, S), True, device=q.device))
    if attn_mask is not None:
        if elementwise.broadcast_shapes(scores._shape, attn_mask._shape) != scores._shape:
            raise RuntimeError(
                "scaled_dot_product_attention: attn_mask of shape %s does not broadcast to %s"
                % (list(attn_mask._shape), list(scores._shape))
            )
        if attn_mask._dtype is bool_:
            attn_mask = elementwise.where(attn_mask, 0.0, -math.inf)
        elif attn_mask._dtype is not float32:
            raise RuntimeError(
                "scaled_dot_product_attention: attn_mask must be bool (True: may attend) or float32, not %s"
                % attn_mask._dtype.name
            )
        scores = scores + attn_mask
    # A causal query has its own key at least: only a given mask can leave a row without one.
    weights = softmax_xent.softmax(scores) if is_causal or attn_mask is None else softmax_xent.safe_softmax(scores)
    return random.dropout(weights, dropout_p) @ v


def rotary(x: Tensor, base: float = 10000.0, position: Tensor | None = None, inverse: bool = False) -> Tensor:
    """Rotary position embedding (Su et al. 2021), half-split layout.

    x: float32 [B, H, T, D]; returns the same shape. position: int32 [1], added to the time index.
    inverse: rotates back. RuntimeError for an odd D, ValueError for a base that is not positive.
    """
    if not 0.0 < base < math.inf:
        raise ValueError("rotary: base is %r; give a positive number" % (base,))
    if x.ndim != 4 or x._dtype is not float32:
        raise RuntimeError("rotary needs float32 [B, H, T, D], not %s %s" % (x._dtype.name, list(x._shape)))
    if x._shape[-1] % 2:
        raise RuntimeError("rotary needs an even head size, not %d" % x._shape[-1])
    if position is not None:
        _check_position(position)
    x = _dense_last(x)
    B, H, T, D = x._shape
    out = time_major(B, H, T, D, x)
    launch(kernels.rotary, (out, x, position), (B, T, H, D, *_bth(x), *_bth(out), base, int(inverse)))
    if needs_grad(x):
        attach("rotary", (out,), (x,), lambda dy: (rotary(dy, base, position, not inverse),))
    return out


def _check_position(position: Tensor) -> None:
    if position._shape != (1,) or position._dtype is not int32:
        raise RuntimeError("a position is int32 [1], not %s %s" % (position._dtype.name, list(position._shape)))


def _check_cache(x: Tensor, k_cache: Tensor, v_cache: Tensor, position: Tensor) -> None:
    """RuntimeError unless caches [B, G, S, D] are dense, of one shape, and fit x [B, ..., D]."""
    _check_position(position)
    fits = k_cache.ndim == x.ndim == 4 and k_cache._shape == v_cache._shape
    if not fits or k_cache._shape[0] != x._shape[0] or k_cache._shape[3] != x._shape[3]:
        shapes = (list(k_cache._shape), list(v_cache._shape), list(x._shape))
        raise RuntimeError("the caches %s and %s do not fit %s" % shapes)
    if not (
        k_cache._dtype is v_cache._dtype is x._dtype is float32 and k_cache.is_contiguous() and v_cache.is_contiguous()
    ):
        raise RuntimeError("a key/value cache is float32 and contiguous")


def kv_append(k_cache: Tensor, v_cache: Tensor, k: Tensor, v: Tensor, position: Tensor) -> None:
    """Writes k, v [B, G, T, D] into the caches [B, G, S, D] at time position[0]. No gradient.

    All are float32, the caches dense; position: int32 [1].
    """
    _check_cache(k, k_cache, v_cache, position)
    B, G, T, D = k._shape
    if v._shape != k._shape or v._dtype is not float32 or k_cache._shape[1] != G:
        raise RuntimeError("keys %s, values %s and cache %s do not fit" % (k._shape, v._shape, k_cache._shape))
    k, v = (
        x if x._strides[3] == 1 and (x._strides[1] == D or G == 1) else x.transpose(1, 2).contiguous().transpose(1, 2)
        for x in (k, v)
    )
    S = k_cache._shape[2]
    k_b, _, k_t, _ = k._strides
    v_b, _, v_t, _ = v._strides
    launch(
        kernels.kv_append,
        (k_cache, v_cache, k, v, position),
        (B, G, T, D, S, k_b, k_t, v_b, v_t),
    )
    written(k_cache)
    written(v_cache)


def attention_decode(q: Tensor, k_cache: Tensor, v_cache: Tensor, position: Tensor, scale: float) -> Tensor:
    """Attention of one query per sequence over the keys 0..position[0] of a cache. No gradient.

    q: float32 [B, H, 1, D]. k_cache, v_cache: float32 [B, G, S, D]. position: int32 [1]. Returns
    [B, H, 1, D].
    """
    _check_cache(q, k_cache, v_cache, position)
    B, H, T, D = q._shape
    if T != 1 or not k_cache._shape[1] or H % k_cache._shape[1]:
        raise RuntimeError("attention_decode: query %s and cache %s do not fit" % (q._shape, k_cache._shape))
    q = q if q._strides[3] == 1 and (q._strides[1] == D or H == 1) else q.contiguous()
    out = like(q, (B, H, 1, D))
    G, S, q_b = k_cache._shape[1], k_cache._shape[2], q._strides[0]
    launch(
        kernels.attention_decode,
        (out, q, k_cache, v_cache, position),
        (B, H, G, D, S, q_b, scale),
    )
    return out
