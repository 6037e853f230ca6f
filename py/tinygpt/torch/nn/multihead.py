"""Scaled dot-product attention and MultiheadAttention.

Tensors of heads are [B, H, T, D]. The fused kernel (ops/attention.py) serves float32 without a mask
and dropout; the rest is composed, with a T x S matrix in memory.
"""

# pyright: basic
from __future__ import annotations

import math
import warnings
from typing import Any

from ...core.factory import full, like
from ...core.state import state
from ...core.tensor import Tensor, bool_, float32, row_major
from ...nn import Linear, Module, Parameter
from ...ops import attention, elementwise, matmul, movement, random, softmax_xent
from . import init, parameter

__all__ = ["MultiheadAttention"]
FUNCTIONS = ["multi_head_attention_forward", "scaled_dot_product_attention"]
LIMITED = {
    "scaled_dot_product_attention": "is_causal with a scale that is not above 0 is refused, where PyTorch gives NaN",
}


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(scale * query key^T + mask) value (Vaswani et al. 2017).

    query: [..., H, T, D]. key: [..., G, S, D]. value: [..., G, S, E]. attn_mask: bool (True: may
    attend) or float (added), broadcast to [..., H, T, S]. A query that may attend to nothing gives
    0. is_causal: query t attends to the keys 0..t. scale: 1 / sqrt(D) unless given. enable_gqa: H /
    G query heads share a key head. Returns [..., H, T, E].
    """
    _check(query, key, value, attn_mask, dropout_p)
    D = query._shape[-1]
    scale = (1.0 / math.sqrt(D) if D else 1.0) if scale is None else float(scale)
    # What PyTorch computes with its fused kernel keeps the order of the query's dimensions.
    flash = (
        query.ndim == key.ndim == value.ndim == 4
        and not dropout_p
        and D == value._shape[-1]
        and not (attn_mask is not None and attn_mask.requires_grad)
        and query._shape[0] == key._shape[0] == value._shape[0]
        and (query._shape[1] == key._shape[1] == value._shape[1] or enable_gqa)
    )
    if attn_mask is not None and is_causal and not flash:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    if enable_gqa:
        if min(query.ndim, key.ndim, value.ndim) < 3:
            raise IndexError("Dimension out of range: enable_gqa needs heads, in the third dimension from the end")
        H, G, V = query._shape[-3], key._shape[-3], value._shape[-3]
        if not G or not V or H % G or H % V:
            raise RuntimeError(
                "Number of heads in key and value must divide the number of heads in query, unlike %d, %d and %d"
                % (G, V, H)
            )
    if flash and is_causal and scale <= 0.0:  # PyTorch scales the -inf of what it has masked
        raise RuntimeError("scaled_dot_product_attention: is_causal with scale=%g gives NaN; give attn_mask" % scale)
    time_first = flash and query._strides[1] < query._strides[2]
    plain = attn_mask is None and query._dtype is float32 and key._shape == value._shape
    if flash and plain and query.numel() and key.numel():
        return attention.attention(query, key, value, is_causal, scale, None if time_first else like(query))
    out = _composed(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa, True)[0]
    return out.transpose(1, 2).contiguous().transpose(1, 2) if time_first else out


def _check(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float) -> None:
    for x in (k, v):
        elementwise.same_device(q, x)
    if not q._dtype is k._dtype is v._dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: %s key.dtype: %s and "
            "value.dtype: %s instead." % (q._dtype.name, k._dtype.name, v._dtype.name)
        )
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: %d key.dim: %d and "
            "value.dim: %d instead." % (q.ndim, k.ndim, v.ndim)
        )
    if not q._dtype.is_floating_point:
        raise RuntimeError("expected scalar type Float but found %s" % q._dtype.name)
    if q._shape[-1] != k._shape[-1] or k._shape[-2] != v._shape[-2]:
        raise RuntimeError(
            "scaled_dot_product_attention: shapes do not fit: query %s, key %s, value %s"
            % (list(q._shape), list(k._shape), list(v._shape))
        )
    if not 0.0 <= dropout_p <= 1.0:
        raise RuntimeError("dropout probability has to be between 0 and 1, but got %s" % dropout_p)
    if mask is None:
        return
    elementwise.same_device(q, mask)
    if mask._dtype not in (bool_, float32, q._dtype):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: %s and  "
            "query.dtype: %s instead." % (mask._dtype.name, q._dtype.name)
        )
    if mask.ndim < 2 and q.ndim == 4 and not dropout_p:
        raise IndexError("Dimension out of range: attn_mask needs at least 2 dimensions, not %d" % mask.ndim)


def _composed(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    dropout_p: float,
    causal: bool,
    scale: float,
    grouped: bool,
    safe: bool,
) -> tuple[Tensor, Tensor]:
    """(the result, its weights [..., T, S]).

    safe: 0 where a query may attend to nothing, else NaN.
    """
    dtype = q._dtype
    if dtype.computed is not dtype:
        q, k, v = (x._cast(dtype.computed) for x in (q, k, v))
        if mask is not None and mask._dtype is not bool_:
            mask = mask._cast(dtype.computed)
        made = _composed(q, k, v, mask, dropout_p, causal, scale, grouped, safe)
        return made[0]._cast(dtype), made[1]._cast(dtype)
    if grouped:
        k, v = (_repeated(x, q._shape[-3] // x._shape[-3]) for x in (k, v))
    root = math.sqrt(scale) if scale >= 0 else 0.0
    if root:  # as PyTorch: both factors are scaled, which keeps their product in range
        scores = (q * root) @ (k * root).transpose(-2, -1)
    else:
        scores = (q @ k.transpose(-2, -1)) * scale
    if causal:
        allowed = movement.tril(full((q._shape[-2], k._shape[-2]), True, device=q.device))
        scores = scores + elementwise.where(allowed, 0.0, -math.inf)._cast(dtype)
    if mask is not None:
        mask = elementwise.where(mask, 0.0, -math.inf) if mask._dtype is bool_ else mask
        if elementwise.broadcast_shapes(scores._shape, mask._shape) != scores._shape:
            raise RuntimeError(
                "output with shape %s doesn't match the broadcast shape of attn_mask's %s"
                % (list(scores._shape), list(mask._shape))
            )
        scores = scores + mask._cast(dtype)
    weights = softmax_xent.safe_softmax(scores) if safe else softmax_xent.softmax(scores)
    weights = random.dropout(weights, dropout_p)
    return weights @ v, weights


def _repeated(x: Tensor, times: int) -> Tensor:
    """[..., G, S, D] -> [..., G * times, S, D], each head behind itself."""
    if times == 1:
        return x
    lead, (G, S, D) = x._shape[:-3], x._shape[-3:]
    return x.unsqueeze(-3).expand(*lead, G, times, S, D).reshape(*lead, G * times, S, D)


def canonical_mask(
    mask: Tensor | None, name: str, other: Tensor | None, other_name: str, dtype: Any, check_other: bool = True
) -> Tensor | None:
    """A mask as a float tensor to add; bool: -inf where it is True."""
    if mask is None:
        return None
    if mask._dtype is not bool_ and not mask._dtype.is_floating_point:
        raise AssertionError("only bool and floating types of %s are supported" % name)
    if check_other and other is not None and mask._dtype is not other._dtype:
        warnings.warn(
            "Support for mismatched %s and %s is deprecated. Use same type for both instead." % (name, other_name),
            stacklevel=3,
        )
    return elementwise.where(mask, -math.inf, 0.0)._cast(dtype) if mask._dtype is bool_ else mask


def _check_ranks(query: Tensor, key: Tensor, value: Tensor, padding: Any, mask: Any, heads: int) -> bool:
    """Whether there is a batch. AssertionError where the ranks do not fit, as PyTorch's."""
    if query.ndim not in (2, 3):
        raise AssertionError(
            "query should be unbatched 2D or batched 3D tensor but received %d-D query tensor" % query.ndim
        )
    batched = query.ndim == 3
    rank, kind = (3, "batched (3-D)") if batched else (2, "unbatched (2-D)")
    if key.ndim != rank or value.ndim != rank:
        raise AssertionError(
            "For %s `query`, expected `key` and `value` to be %d-D but found %d-D and %d-D tensors respectively"
            % (kind, rank, key.ndim, value.ndim)
        )
    if padding is not None and padding.ndim != rank - 1:
        raise AssertionError(
            "For %s `query`, expected `key_padding_mask` to be `None` or %d-D but found %d-D tensor instead"
            % (kind, rank - 1, padding.ndim)
        )
    if mask is not None and mask.ndim not in (2, 3):
        raise AssertionError(
            "For %s `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found %d-D tensor instead"
            % (kind, mask.ndim)
        )
    if not batched and mask is not None and mask.ndim == 3:
        expected = (heads, query._shape[0], key._shape[0])
        if tuple(mask._shape) != expected:
            raise AssertionError("Expected `attn_mask` shape to be %s but got %s" % (expected, tuple(mask._shape)))
    return batched


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """(the output [T, B, E], the weights [B, T, S] or None) of MultiheadAttention.

    query: [T, B, E]. key, value: [S, B, ...]. Without B there is no batch. Masks as in
    MultiheadAttention.forward. average_attn_weights False: the weights are [B, H, T, S].
    """
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    return attend(
        query,
        key,
        value,
        embed_dim_to_check,
        num_heads,
        separate if use_separate_proj_weight else in_proj_weight,
        in_proj_bias,
        (bias_k, bias_v),
        add_zero_attn,
        dropout_p if training else 0.0,
        (out_proj_weight, out_proj_bias),
        key_padding_mask,
        need_weights,
        attn_mask,
        (static_k, static_v),
        average_attn_weights,
        is_causal,
    )


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    E: int,
    H: int,
    weight: Any,
    bias: Tensor | None,
    more: tuple[Tensor | None, Tensor | None],
    add_zero: bool,
    dropout_p: float,
    project: tuple[Tensor, Tensor | None],
    padding: Tensor | None,
    need_weights: bool,
    mask: Tensor | None,
    static: tuple[Tensor | None, Tensor | None] = (None, None),
    average: bool = True,
    causal: bool = False,
    batch_first: bool = False,
    safe: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """multi_head_attention_forward of inputs [T, B, E], or [B, T, E] when batch_first.

    weight: one of all three projections, or three of them. more: the bias of keys and values. safe:
    a query that may attend to nothing gives 0 where no weights are requested, else NaN.
    """
    batched = _check_ranks(query, key, value, padding, mask, H)
    padding = canonical_mask(padding, "key_padding_mask", mask, "attn_mask", query._dtype)
    if causal and mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if causal and padding is None and not need_weights:
        mask = None
    else:
        mask = canonical_mask(mask, "attn_mask", None, "", query._dtype, False)
        causal = causal and padding is None and not need_weights
    if query._shape[-1] != E:
        raise AssertionError("was expecting embedding dimension of %d, but got %d" % (E, query._shape[-1]))
    D = E // H
    if D * H != E:
        raise AssertionError("embed_dim %d not divisible by num_heads %d" % (E, H))
    separate = isinstance(weight, tuple)
    if separate and key._shape[:2] != value._shape[:2]:
        raise AssertionError(
            "key's sequence and batch dims %s do not match value's %s" % (key._shape[:2], value._shape[:2])
        )
    if not separate and key._shape != value._shape:
        raise AssertionError("key shape %s does not match value shape %s" % (key._shape, value._shape))
    q, k, v = _projected(query, key, value, weight, bias, E)
    if not batched:
        q, k, v = (x.unsqueeze(0 if batch_first else 1) for x in (q, k, v))
        padding = padding if padding is None else padding.unsqueeze(0)
    if not batch_first:
        q, k, v = (x.transpose(0, 1) for x in (q, k, v))
    B, T = q._shape[:2]
    S = k._shape[1]
    if mask is not None:
        expected = (T, S) if mask.ndim == 2 else (B * H, T, S)
        if tuple(mask._shape) != expected:
            raise RuntimeError(
                "The shape of the %dD attn_mask is %s, but should be %s." % (mask.ndim, mask._shape, expected)
            )
        mask = mask if mask.ndim == 2 else mask.reshape(B, H, T, S)
    if (more[0] is None) != (more[1] is None):
        raise AssertionError(
            "bias_k is set but bias_v is None" if more[1] is None else "bias_v is set but bias_k is None"
        )
    added = 0
    if more[0] is not None and more[1] is not None:
        if static[0] is not None or static[1] is not None:
            raise AssertionError("bias cannot be added to static %s." % ("key" if static[0] is not None else "value"))
        k, v = (movement.cat([x, b.expand(B, 1, E)], 1) for x, b in ((k, more[0]), (v, more[1])))
        added += 1
    q, k, v = (x.reshape(*x._shape[:2], H, D).transpose(1, 2) for x in (q, k, v))
    k, v = (_static(x, given, B, H, D) for x, given in ((k, static[0]), (v, static[1])))
    if add_zero:
        zero = full((B, H, 1, D), 0.0, k._dtype, k.device)
        k, v = movement.cat([k, zero], 2), movement.cat([v, zero], 2)
        added += 1
    S = k._shape[2]
    if mask is not None and added:
        mask = movement.cat([mask, full((*mask._shape[:-1], added), 0.0, mask._dtype, mask.device)], -1)
    if padding is not None:
        if added:
            padding = movement.cat([padding, full((B, added), 0.0, padding._dtype, padding.device)], -1)
        if tuple(padding._shape) != (B, S):
            raise AssertionError(
                "Expected key_padded_mask.shape to be %s, but got %s" % ((B, S), tuple(padding._shape))
            )
        padding = padding.reshape(B, 1, 1, S)
        mask = padding if mask is None else mask + padding
    weights = None
    if need_weights or not safe:
        causal = causal and mask is None
        out, weights = _composed(q, k, v, mask, dropout_p, causal, 1.0 / math.sqrt(D), False, False)
        weights = (weights.mean(1) if average else weights) if need_weights else None
        if weights is not None and not batched:
            weights = weights.squeeze(0)
        rows = out.permute(2, 0, 1, 3).reshape(T * B, E)
    elif mask is None and not dropout_p and q._dtype is float32 and q.numel() and S:
        dense = like(q, (T, B, H, D))
        place = Tensor(
            dense._storage, (B, H, T, D), float32, 0, tuple(row_major((T, B, H, D))[i] for i in (1, 2, 0, 3))
        )
        out = attention.attention(q, k, v, causal, 1.0 / math.sqrt(D), place)
        rows = out.permute(2, 0, 1, 3).reshape(T * B, E)
    else:
        out = scaled_dot_product_attention(q, k, v, mask, dropout_p, causal)
        rows = out.permute(2, 0, 1, 3).reshape(T * B, E)
    out = matmul.linear(rows, *project)
    out = out.reshape(T, B, out._shape[-1])
    if not batched:
        return out.squeeze(1), weights
    return (out.transpose(0, 1) if batch_first else out), weights


def _static(x: Tensor, given: Tensor | None, B: int, H: int, D: int) -> Tensor:
    """Keys or values that were given as they are, [B * H, S, D], in the place of x."""
    if given is None:
        return x
    if given._shape[0] != B * H or given._shape[2] != D:
        raise AssertionError(
            "expecting static keys and values of shape [%d, S, %d], but got %s" % (B * H, D, given._shape)
        )
    return given.reshape(B, H, given._shape[1], D)


def _projected(query: Tensor, key: Tensor, value: Tensor, weight: Any, bias: Any, E: int) -> tuple[Tensor, ...]:
    if isinstance(weight, tuple):
        biases = (None, None, None) if bias is None else movement.chunk(bias, 3)
        for name, x, w in zip(("query", "key", "value"), (query, key, value), weight):
            if w is None:
                raise AssertionError("use_separate_proj_weight is True but %s_proj_weight is None" % name[0])
            if tuple(w._shape) != (E, x._shape[-1]):
                raise AssertionError(
                    "expecting %s weights shape of %s, but got %s" % (name, (E, x._shape[-1]), w._shape)
                )
        return tuple(matmul.linear(x, w, b) for x, w, b in zip((query, key, value), weight, biases))
    if weight is None:
        raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
    if query is key and key is value:
        return movement.chunk(matmul.linear(query, weight, bias), 3, -1)
    if key is value:
        w_q, w_kv = movement.split(weight, [E, 2 * E])
        b_q, b_kv = (None, None) if bias is None else movement.split(bias, [E, 2 * E])
        return (matmul.linear(query, w_q, b_q), *movement.chunk(matmul.linear(key, w_kv, b_kv), 2, -1))
    biases = (None, None, None) if bias is None else movement.chunk(bias, 3)
    parts = zip((query, key, value), movement.chunk(weight, 3), biases)
    return tuple(matmul.linear(x, w, b) for x, w, b in parts)


class NonDynamicallyQuantizableLinear(Linear):
    """Linear: the name that PyTorch gives the output projection."""


class MultiheadAttention(Module):
    """Attention over H heads of projections of query, key and value (Vaswani et al. 2017).

    in_proj_weight [3 E, E] (or q_proj_weight, k_proj_weight and v_proj_weight with kdim or vdim),
    in_proj_bias [3 E], out_proj, and with add_bias_kv bias_k and bias_v [1, 1, E].
    """

    __constants__ = ["batch_first"]
    in_proj_bias: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got embed_dim=%s and num_heads=%s instead"
                % (embed_dim, num_heads)
            )
        super().__init__()
        place = {"device": device, "dtype": dtype}
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        if self._qkv_same_embed_dim:
            self.in_proj_weight = parameter.new(3 * embed_dim, embed_dim, **place)
            for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
                self.register_parameter(name, None)
        else:
            self.q_proj_weight = parameter.new(embed_dim, embed_dim, **place)
            self.k_proj_weight = parameter.new(embed_dim, self.kdim, **place)
            self.v_proj_weight = parameter.new(embed_dim, self.vdim, **place)
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", parameter.new(3 * embed_dim, **place) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **place)
        self.bias_k: Any = None
        self.bias_v: Any = None
        if add_bias_kv:
            self.bias_k = parameter.new(1, 1, embed_dim, **place)
            self.bias_v = parameter.new(1, 1, embed_dim, **place)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        weights = (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        for weight in weights:
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            assert self.out_proj.bias is not None  # there where in_proj_bias is
            init.constant_(self.out_proj.bias, 0.0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def unrecorded(self, *given: Any) -> bool:
        """Whether PyTorch computes this with its kernel for inference, where a query that may
        attend to nothing gives NaN. given: all that could require a gradient.
        """
        return (
            not self.training
            and self.batch_first
            and self._qkv_same_embed_dim
            and self.in_proj_bias is not None
            and not self.num_heads % 2
            and not (state.grad_enabled and any(x is not None and x.requires_grad for x in given))
        )

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(the output [T, B, E], the weights [B, T, S] or None where they are not needed).

        query: [T, B, E]. key: [S, B, kdim]. value: [S, B, vdim]; B in front with batch_first, or
        no B. key_padding_mask: [B, S]. attn_mask: [T, S] or [B * H, T, S]. Masks are bool (True:
        may not attend) or float (added). is_causal: attn_mask is the causal one.
        """
        own = (self.in_proj_weight, self.in_proj_bias, self.out_proj.weight, self.out_proj.bias)
        fast = (
            query.ndim == 3
            and query is key
            and key is value
            and self.bias_k is None
            and not self.add_zero_attn
            and self.in_proj_weight is not None
            and query._dtype is self.in_proj_weight._dtype
            and not any(m is not None and m._dtype.is_floating_point for m in (attn_mask, key_padding_mask))
            and self.unrecorded(query, *own)
        )
        return self.attend(
            query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal, fast
        )

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None,
        need_weights: bool,
        attn_mask: Tensor | None,
        average: bool,
        is_causal: bool,
        fast: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """forward; fast: as PyTorch's kernel for inference."""
        separate = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        masked = attn_mask is not None or key_padding_mask is not None
        out, weights = attend(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight if self._qkv_same_embed_dim else separate,
            self.in_proj_bias,
            (self.bias_k, self.bias_v),
            self.add_zero_attn,
            self.dropout if self.training else 0.0,
            (self.out_proj.weight, self.out_proj.bias),
            key_padding_mask,
            need_weights,
            attn_mask,
            average=average,
            causal=is_causal and not fast,
            batch_first=self.batch_first and query.ndim == 3,
            safe=not (fast and masked),
        )
        return (out.contiguous() if fast else out), weights
