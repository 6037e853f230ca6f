"""The GPT: a decoder-only transformer, pre-norm (Radford et al. 2019), readable from top to bottom.

    ids [B, T] -> token (+ position) embeddings [B, T, C] -> blocks -> norm -> logits [B, T, V]

Options (ModelConfig): rotary positions, RMSNorm, SwiGLU, grouped-query heads, untied LM head, no
biases, dropout, recomputation. Parameter names and layouts are PyTorch's; docs/architecture.md
lists them, and reference/model.py is the same model in PyTorch.
"""

from __future__ import annotations

import math

from . import functional as F
from . import nn
from .config import ModelConfig
from .core.factory import full
from .core.recompute import checkpoint
from .core.state import no_grad
from .core.tensor import Tensor, int32
from .ops import attention as attention_ops
from .ops.random import normal_


def norm(config: ModelConfig) -> nn.Module:
    """The norm that a ModelConfig names: LayerNorm or RMSNorm over C."""
    if config.norm == "rms":
        return nn.RMSNorm(config.d_model, eps=1e-5)
    return nn.LayerNorm(config.d_model, bias=config.bias)


class Attention(nn.Module):
    """Causal self-attention, H query heads over G key/value heads.

    Vaswani et al. 2017; Ainslie et al. 2023 for G < H.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.H, self.G, self.D = config.heads, config.kv_heads, config.head_size
        self.rotary = config.positions == "rotary"
        self.qkv = nn.Linear(config.d_model, (self.H + 2 * self.G) * self.D, bias=config.bias)
        self.proj = nn.Linear(self.H * self.D, config.d_model, bias=config.bias)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """x [B, T, C] -> [B, T, C]; with a Cache, T new tokens after those in it."""
        B, T, C = x.shape
        H, G, D = self.H, self.G, self.D
        q, k, v = self.qkv(x).split([H * D, G * D, G * D], dim=-1)
        q = q.view(B, T, H, D).transpose(1, 2)  # [B, H, T, D]
        k = k.view(B, T, G, D).transpose(1, 2)  # [B, G, T, D]
        v = v.view(B, T, G, D).transpose(1, 2)
        if self.rotary:
            position = None if cache is None else cache.position
            q, k = F.rotary(q, position=position), F.rotary(k, position=position)
        if cache is None:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            y = cache.attend(self, q, k, v)
        return self.proj(y.transpose(1, 2).reshape(B, T, H * D))


class MLP(nn.Module):
    """Two linear layers with GELU between them, or SwiGLU (Shazeer 2020).

    SwiGLU is proj(silu(gate(x)) * fc(x)).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        hidden = config.mlp_ratio * config.d_model
        self.fc = nn.Linear(config.d_model, hidden, bias=config.bias)
        self.gate = nn.Linear(config.d_model, hidden, bias=config.bias) if config.mlp == "swiglu" else None
        self.proj = nn.Linear(hidden, config.d_model, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """x [..., C] -> [..., C]."""
        if self.gate is not None:
            return self.proj(F.silu(self.gate(x)) * self.fc(x))
        return self.proj(F.gelu(self.fc(x)))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); dropout on what is added."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm1, self.attn = norm(config), Attention(config)
        self.norm2, self.mlp = norm(config), MLP(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """x [B, T, C] -> [B, T, C]."""
        x = x + self.drop(self.attn(self.norm1(x), cache))
        return x + self.drop(self.mlp(self.norm2(x)))


class GPT(nn.Module):
    """The model of a ModelConfig.

    `model(ids)` gives logits, `model(ids, targets)` (logits, loss).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.tok_emb = nn.Embedding(config.vocab_size, config.d_model)
        self.pos_emb = nn.Embedding(config.context, config.d_model) if config.positions == "learned" else None
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm_f = norm(config)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.lm_head.weight = self.tok_emb.weight
        self.init_weights()

    def init_weights(self) -> None:
        """Normal 0.02; biases 0.

        Projections onto the residual stream scaled by 1/sqrt(2 x layers) (Radford et al. 2019).
        """
        residual_std = 0.02 / math.sqrt(2 * self.config.layers)
        with no_grad():
            for name, p in self.named_parameters():
                if p.ndim >= 2:
                    normal_(p, std=residual_std if name.endswith("proj.weight") else 0.02)
                elif name.endswith("bias"):
                    p.zero_()

    def forward(
        self, ids: Tensor, targets: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """ids int32 [B, T] -> logits [B, T, V]; with targets, (logits, mean cross-entropy).

        targets: int32 [B, T]. RuntimeError where T is more than the model's context.
        """
        B, T = ids.shape
        if T > self.config.context:
            raise RuntimeError(
                "cannot run %d tokens through a model with a context of %d; give at most %d"
                % (T, self.config.context, self.config.context)
            )
        x = self.tok_emb(ids)  # [B, T, C]
        if self.pos_emb is not None:
            x = x + (self.pos_emb.weight[:T] if cache is None else cache.positions(self.pos_emb, T))
        x = self.drop(x)
        for block in self.blocks:
            x = checkpoint(block, x) if self.config.recompute and cache is None else block(x, cache)
        logits = self.lm_head(self.norm_f(x))
        if targets is None:
            return logits
        return logits, F.cross_entropy(logits.view(B * T, -1), targets.view(B * T))

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """The mean cross-entropy in nats per token."""
        return self(ids, targets)[1]

    def parameter_groups(self, weight_decay: float) -> list[dict]:
        """Decay on matrices only: norms and biases are left alone."""
        parameters = list(self.parameters())
        return [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]

    def num_parameters(self) -> int:
        """The number of trained numbers; a shared parameter counts once."""
        return sum(p.numel() for p in self.parameters())


class Cache:
    """Keys and values of the tokens seen so far, and the position of the next token.

    Each attention layer has two, [B, G, S, D]; `position`, int32 [1], is on the device.
    """

    def __init__(self, model: GPT, batch: int = 1) -> None:
        config, device = model.config, model.tok_emb.weight.device
        shape = (batch, config.kv_heads, config.context, config.head_size)
        self.layers = {
            id(b.attn): (full(shape, 0.0, device=device), full(shape, 0.0, device=device)) for b in model.blocks
        }
        self.position = full((1,), 0, int32, device=device)

    def attend(self, layer: Attention, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Appends k and v at `position`, then attends: [B, H, T, D].

        One query attends over the cache; T > 1 is a complete prompt into an empty cache.
        """
        k_cache, v_cache = self.layers[id(layer)]
        attention_ops.kv_append(k_cache, v_cache, k, v, self.position)
        scale = 1.0 / math.sqrt(q.shape[-1])
        if q.shape[2] == 1:
            return attention_ops.attention_decode(q, k_cache, v_cache, self.position, scale)
        return attention_ops.attention(q, k, v, True, scale)

    def positions(self, pos_emb: nn.Embedding, T: int) -> Tensor:
        """Position embeddings of T tokens [T, C]: from 0 for a prompt, at `position` for one."""
        return pos_emb.weight[:T] if T > 1 else pos_emb(self.position)
