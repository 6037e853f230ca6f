"""Scaled dot-product attention: the fused causal kernel, a composition for masks and dropout, and decoding over a key/value cache.

Tensors are [B, H, T, D] views in PyTorch's layout; the kernel takes their strides, so heads need not be made contiguous.
"""

import math

from .. import kernels
from ..autograd import attach, wanted
from ..creation import full, like
from ..program import launch
from ..tensor import Tensor, bool_, float32, row_major
from . import elementwise, movement, random, softmax_xent


def _bth(x):
    """Strides of a [B, H, T, D] tensor in the kernel's order: batch, time, head."""
    return x._strides[0], x._strides[2], x._strides[1]


def _dense_last(x):
    return x if x._strides[-1] == 1 or x.shape[-1] == 1 else x.contiguous()


def _check(q, k, v):
    shapes = "query %s, key %s, value %s" % (list(q.shape), list(k.shape), list(v.shape))
    if not q.ndim == k.ndim == v.ndim == 4:
        raise RuntimeError("scaled_dot_product_attention expects [B, H, T, D] tensors, not %s" % shapes)
    if k.shape != v.shape or q.shape[0] != k.shape[0] or q.shape[3] != k.shape[3] or not k.shape[1] or q.shape[1] % k.shape[1]:
        raise RuntimeError("scaled_dot_product_attention: shapes do not fit: %s" % shapes)
    for x in (q, k, v):
        if x.dtype is not float32:
            raise RuntimeError("scaled_dot_product_attention: expected float32, not %s" % x.dtype.name)
    elementwise.same_device(q, k)
    elementwise.same_device(q, v)


def time_major(b, h, t, d, device_of):
    """An uninitialised [B, H, T, D] view of a dense [B, T, H, D] tensor: transposed back it is dense, as the next projection wants."""
    x = like(device_of, (b, t, h, d))
    return Tensor(x._storage, (b, h, t, d), float32, 0, tuple(row_major((b, t, h, d))[i] for i in (0, 2, 1, 3)))


def attention(q, k, v, causal, scale):
    """The fused kernel: q [B, H, T, D], k and v [B, G, S, D] -> [B, H, T, D]; keeps only the log-sum-exp."""
    q, k, v = _dense_last(q), _dense_last(k), _dense_last(v)
    b, h, t, d = q.shape
    g, s = k.shape[1:3]
    out = time_major(b, h, t, d, q)
    lse = like(q, (b, h, t))
    sizes = (b, h, g, t, s, d, int(causal))
    strides = (*_bth(q), *_bth(k), *_bth(v), *_bth(out))
    launch(kernels.attention, (out, lse, q, k, v), (*sizes, *strides, scale))
    if wanted(q, k, v):
        y = out.detach()

        def backward(dy):
            dy = _dense_last(dy)
            dq, dk, dv = time_major(b, h, t, d, q), time_major(b, g, s, d, q), time_major(b, g, s, d, q)
            launch(
                kernels.attention_backward,
                (dq, dk, dv, dy, q, k, v, y, lse),
                (*sizes, *strides, *_bth(dy), *_bth(dq), *_bth(dk), *_bth(dv), scale),
            )
            return dq, dk, dv

        attach("attention", (out,), (q, k, v), backward)
    return out


def scaled_dot_product_attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """softmax(scale * q k^T + mask) v, as torch.nn.functional's; scale is 1 / sqrt(D) unless given.

    Fewer key than query heads are shared among them (enable_gqa in PyTorch). attn_mask: bool (True: may attend) or additive float32.
    A mask or dropout takes a plain composition with a T x S matrix in memory; otherwise the fused kernel runs.
    """
    _check(q, k, v)
    scale = 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale
    if attn_mask is None and dropout_p == 0.0:
        return attention(q, k, v, is_causal, scale)
    if attn_mask is not None and is_causal:
        raise RuntimeError("scaled_dot_product_attention: give attn_mask or is_causal, not both")
    t, s = q.shape[2], k.shape[2]
    groups = q.shape[1] // k.shape[1]
    if groups > 1:
        k, v = (x.unsqueeze(2).expand(x.shape[0], x.shape[1], groups, *x.shape[2:]).reshape(q.shape[:2] + x.shape[2:]) for x in (k, v))
    scores = (q @ k.transpose(-2, -1)) * scale
    if is_causal:
        attn_mask = movement.tril(full((t, s), True, device=q.device))
    if attn_mask is not None:
        scores = scores.masked_fill(elementwise.logical_not(attn_mask), -math.inf) if attn_mask.dtype is bool_ else scores + attn_mask
    return random.dropout(softmax_xent.softmax(scores), dropout_p) @ v


def rotary(x, base=10000.0, position=None, inverse=False):
    """Rotary position embedding of [B, H, T, D] (Su et al. 2021, half-split layout), position (int32 [1]) added to the time index."""
    if x.shape[-1] % 2:
        raise RuntimeError("rotary needs an even head size, not %d" % x.shape[-1])
    x = _dense_last(x)
    b, h, t, d = x.shape
    out = time_major(b, h, t, d, x)
    launch(kernels.rotary, (out, x, position), (b, t, h, d, *_bth(x), *_bth(out), base, int(inverse)))
    if wanted(x):
        attach("rotary", (out,), (x,), lambda dy: (rotary(dy, base, position, not inverse),))
    return out


def kv_append(k_cache, v_cache, k, v, position):
    """Writes k, v [B, G, T, D] into the caches [B, G, S, D] at time position[0]. No gradient."""
    b, g, t, d = k.shape
    k, v = (x if x._strides[3] == 1 and (x._strides[1] == d or g == 1) else x.transpose(1, 2).contiguous().transpose(1, 2) for x in (k, v))
    launch(
        kernels.kv_append,
        (k_cache, v_cache, k, v, position),
        (b, g, t, d, k_cache.shape[2], k._strides[0], k._strides[2], v._strides[0], v._strides[2]),
    )


def attention_decode(q, k_cache, v_cache, position, scale):
    """One query per sequence, q [B, H, 1, D], over keys 0..position[0] of the caches [B, G, S, D] -> [B, H, 1, D]. No gradient."""
    b, h, _, d = q.shape
    q = q if q._strides[3] == 1 and (q._strides[1] == d or h == 1) else q.contiguous()
    out = like(q, (b, h, 1, d))
    launch(
        kernels.attention_decode, (out, q, k_cache, v_cache, position), (b, h, k_cache.shape[1], d, k_cache.shape[2], q._strides[0], scale)
    )
    return out
