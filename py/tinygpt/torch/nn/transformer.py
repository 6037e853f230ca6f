"""Transformer layers (Vaswani et al. 2017), with the norm in front of each block or behind it."""

# pyright: basic
from __future__ import annotations

import copy
import math
import warnings
from typing import Any

from ...core.factory import full
from ...core.state import state
from ...core.tensor import DTYPES, Tensor
from ...nn import GELU, Dropout, LayerNorm, Linear, Module, ModuleList, ReLU
from ...ops import elementwise, movement
from . import activation as activations
from . import init
from .multihead import MultiheadAttention, canonical_mask

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]
FUNCTIONS: list[str] = []


def _causal_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
    return movement.triu(full((sz, sz), -math.inf, dtype or DTYPES[state.real], device), 1)


def _get_activation_fn(activation: str) -> Any:
    if activation not in ("relu", "gelu"):
        raise RuntimeError("activation should be relu/gelu, not %s" % activation)
    return activations.relu if activation == "relu" else activations.gelu


def _activation(given: Any) -> Any:
    if isinstance(given, str):
        return _get_activation_fn(given)
    return activations.relu if given is None else given


def _is_causal(mask: Tensor | None, given: bool | None, size: int) -> bool:
    """Whether a mask is the causal one: as given, or by its values where None was given."""
    if given is not None or mask is None:
        return given is True
    causal = _causal_mask(size, mask.device, mask._dtype)
    return mask._shape == causal._shape and bool((mask == causal).all())


def _steps(x: Tensor, batch_first: bool) -> int:
    return x._shape[0] if x.ndim == 2 else x._shape[1 if batch_first else 0]


def _get_clones(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


def _norms_and_feedforward(
    self: Any, d_model: int, hidden: int, dropout: float, eps: float, bias: bool, place: Any, count: int
) -> None:
    """The parts of a layer behind its attention, in PyTorch's order."""
    self.linear1 = Linear(d_model, hidden, bias=bias, **place)
    self.dropout = Dropout(dropout)
    self.linear2 = Linear(hidden, d_model, bias=bias, **place)
    for i in range(1, count + 1):
        setattr(self, "norm%d" % i, LayerNorm(d_model, eps=eps, bias=bias, **place))
    for i in range(1, count + 1):
        setattr(self, "dropout%d" % i, Dropout(dropout))


class TransformerEncoderLayer(Module):
    """Self-attention and two linear layers, each added to its input."""

    __constants__ = ["norm_first"]
    linear1: Linear
    dropout: Dropout
    linear2: Linear
    norm1: LayerNorm
    norm2: LayerNorm
    dropout1: Dropout
    dropout2: Dropout

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        place = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **place)
        _norms_and_feedforward(self, d_model, dim_feedforward, dropout, layer_norm_eps, bias, place, 2)
        self.norm_first = norm_first
        self.activation = _activation(activation)
        relu = self.activation is activations.relu or isinstance(self.activation, ReLU)
        gelu = self.activation is activations.gelu or isinstance(self.activation, GELU)
        self.activation_relu_or_gelu = 1 if relu else 2 if gelu else 0

    def _unrecorded(self, src: Tensor) -> bool:
        """Whether PyTorch computes this with its kernel for inference."""
        return (
            src.ndim == 3
            and not self.training
            and bool(self.activation_relu_or_gelu)
            and self.norm1.eps == self.norm2.eps
            and self.self_attn.unrecorded(src, *self.parameters())
        )

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """src [T, B, E] ([B, T, E] with batch_first, [T, E] without a batch) -> the same shape.

        Masks as MultiheadAttention's. is_causal: src_mask is the causal one.
        """
        padding = canonical_mask(src_key_padding_mask, "src_key_padding_mask", src_mask, "src_mask", src._dtype)
        mask = canonical_mask(src_mask, "src_mask", None, "", src._dtype, False)
        fast, x = self._unrecorded(src), src
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), mask, padding, is_causal, fast)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + self._sa_block(x, mask, padding, is_causal, fast))
        return self.norm2(x + self._ff_block(x))

    def _sa_block(
        self,
        x: Tensor,
        attn_mask: Tensor | None,
        key_padding_mask: Tensor | None,
        is_causal: bool = False,
        fast: bool = False,
    ) -> Tensor:
        if fast:
            x = self.self_attn.attend(x, x, x, key_padding_mask, False, attn_mask, True, False, True)[0]
        else:
            x = self.self_attn(
                x,
                x,
                x,
                attn_mask=attn_mask,
                key_padding_mask=key_padding_mask,
                need_weights=False,
                is_causal=is_causal,
            )[0]
        return self.dropout1(x)

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(Module):
    """Self-attention, attention to the encoder's output (memory) and two linear layers."""

    __constants__ = ["norm_first"]
    linear1: Linear
    dropout: Dropout
    linear2: Linear
    norm1: LayerNorm
    norm2: LayerNorm
    norm3: LayerNorm
    dropout1: Dropout
    dropout2: Dropout
    dropout3: Dropout

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        place = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **place)
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **place)
        _norms_and_feedforward(self, d_model, dim_feedforward, dropout, layer_norm_eps, bias, place, 3)
        self.norm_first = norm_first
        self.activation = _activation(activation)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """tgt [T, B, E], memory [S, B, E] -> [T, B, E]; B in front with batch_first."""
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = (memory_mask, memory_key_padding_mask, memory_is_causal)
        x = tgt
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *own)
            x = x + self._mha_block(self.norm2(x), memory, *other)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, memory, *other))
        return self.norm3(x + self._ff_block(x))

    def _sa_block(self, x: Tensor, attn_mask: Any, key_padding_mask: Any, is_causal: bool = False) -> Tensor:
        options = {"attn_mask": attn_mask, "key_padding_mask": key_padding_mask, "is_causal": is_causal}
        return self.dropout1(self.self_attn(x, x, x, need_weights=False, **options)[0])

    def _mha_block(
        self, x: Tensor, mem: Tensor, attn_mask: Any, key_padding_mask: Any, is_causal: bool = False
    ) -> Tensor:
        options = {"attn_mask": attn_mask, "key_padding_mask": key_padding_mask, "is_causal": is_causal}
        return self.dropout2(self.multihead_attn(x, mem, mem, need_weights=False, **options)[0])

    def _ff_block(self, x: Tensor) -> Tensor:
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoder(Module):
    """Copies of an encoder layer, one behind the other, and a norm."""

    __constants__ = ["norm"]

    def __init__(
        self,
        encoder_layer: Any,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _get_clones(encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check
        why_not = _why_not_nested(encoder_layer)
        self.use_nested_tensor = enable_nested_tensor and not why_not
        if enable_nested_tensor and why_not:
            warnings.warn(
                "enable_nested_tensor is True, but self.use_nested_tensor is False because encoder_layer%s" % why_not,
                stacklevel=2,
            )

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """src [T, B, E] ([B, T, E] with batch_first) -> the same shape.

        Without gradients and in eval mode the rows of padding are 0 in front of the norm, as in
        PyTorch, which leaves them out.
        """
        padding = canonical_mask(src_key_padding_mask, "src_key_padding_mask", mask, "mask", src._dtype)
        mask = canonical_mask(mask, "mask", None, "", src._dtype, False)
        first = self.layers[0]
        kept = None
        if self.use_nested_tensor and mask is None and padding is not None and first._unrecorded(src):
            kept = padding == 0.0
            before = movement.cat([kept[:, :1] | True, kept[:, :-1]], 1)
            if self.mask_check and not bool((before | ~kept).all()):  # a gap in the middle
                kept = None
        causal = _is_causal(mask, is_causal, _steps(src, first.self_attn.batch_first))
        x = src
        for layer in self.layers:
            x = layer(x, src_mask=mask, is_causal=causal, src_key_padding_mask=padding)
        if kept is not None:
            x = elementwise.where(kept.unsqueeze(-1), x, 0.0)
        return x if self.norm is None else self.norm(x)


def _why_not_nested(layer: Any) -> str:
    """Why PyTorch keeps the rows of padding in the layers; "" where it leaves them out."""
    if not isinstance(layer, TransformerEncoderLayer):
        return " was not TransformerEncoderLayer"
    for wrong, text in (
        (layer.norm_first, "norm_first was True"),
        (
            not layer.self_attn.batch_first,
            "self_attn.batch_first was not True(use batch_first for better inference performance)",
        ),
        (layer.self_attn.in_proj_bias is None, "self_attn was passed bias=False"),
        (not layer.activation_relu_or_gelu, "activation_relu_or_gelu was not True"),
        (layer.norm1.eps != layer.norm2.eps, "norm1.eps was not equal to encoder_layer.norm2.eps"),
        (layer.self_attn.num_heads % 2 == 1, "self_attn.num_heads is odd"),
    ):
        if wrong:
            return "." + text
    return ""


class TransformerDecoder(Module):
    """Copies of a decoder layer, one behind the other, and a norm."""

    __constants__ = ["norm"]

    def __init__(self, decoder_layer: Any, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _get_clones(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """tgt [T, B, E], memory [S, B, E] -> [T, B, E]; B in front with batch_first."""
        causal = _is_causal(tgt_mask, tgt_is_causal, _steps(tgt, self.layers[0].self_attn.batch_first))
        x = tgt
        for layer in self.layers:
            x = layer(
                x,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """An encoder and a decoder that attends to its output."""

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = None,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        place = {"device": device, "dtype": dtype}
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        if custom_encoder is not None:
            self.encoder = custom_encoder
        else:
            layer = TransformerEncoderLayer(*options, **place)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
            self.encoder = TransformerEncoder(layer, num_encoder_layers, norm)
        if custom_decoder is not None:
            self.decoder = custom_decoder
        else:
            layer = TransformerDecoderLayer(*options, **place)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
            self.decoder = TransformerDecoder(layer, num_decoder_layers, norm)
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def _reset_parameters(self) -> None:
        for p in self.parameters():
            if p.dim() > 1:
                init.xavier_uniform_(p)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """src [S, B, E], tgt [T, B, E] -> [T, B, E]; B in front with batch_first."""
        if src.dim() == 3 and src.size(0 if self.batch_first else 1) != tgt.size(0 if self.batch_first else 1):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The causal mask [sz, sz]: -inf above the diagonal, 0 elsewhere."""
        return _causal_mask(sz, device, dtype)
