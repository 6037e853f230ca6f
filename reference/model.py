"""The GPT of py/tinygpt/model.py in PyTorch: the same names, layouts, options and initial
distribution.

    ids [B, T] -> token (+ position) embeddings [B, T, C] -> blocks -> norm -> logits [B, T, V]

It is the yardstick that the kernels are measured against, so it uses PyTorch's own operations and
nothing else.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

EPS = 1e-5  # of both norms
ROTARY_BASE = 10000.0


def norm(config):
    return (
        nn.RMSNorm(config.d_model, eps=EPS)
        if config.norm == "rms"
        else nn.LayerNorm(config.d_model, eps=EPS, bias=config.bias)
    )


def rotary(x, position=0):
    """Rotates pairs (d, d + D/2) of x [B, H, T, D] by (t + position) * base^(-2d/D) (Su et al.
    2021); angles in float64.
    """
    T, half = x.shape[-2], x.shape[-1] // 2
    frequency = ROTARY_BASE ** (-2.0 * torch.arange(half, dtype=torch.float64, device=x.device) / x.shape[-1])
    angle = (torch.arange(T, dtype=torch.float64, device=x.device) + position)[:, None] * frequency
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Attention(nn.Module):
    """Causal self-attention with H query heads over G key/value heads."""

    def __init__(self, config):
        super().__init__()
        self.H, self.G, self.D = config.heads, config.kv_heads, config.head_size
        self.rotary = config.positions == "rotary"
        self.qkv = nn.Linear(config.d_model, (self.H + 2 * self.G) * self.D, bias=config.bias)
        self.proj = nn.Linear(self.H * self.D, config.d_model, bias=config.bias)

    def forward(self, x):
        B, T, _ = x.shape
        H, G, D = self.H, self.G, self.D
        q, k, v = self.qkv(x).split([H * D, G * D, G * D], dim=-1)
        q = q.view(B, T, H, D).transpose(1, 2)  # [B, H, T, D]
        k = k.view(B, T, G, D).transpose(1, 2)  # [B, G, T, D]
        v = v.view(B, T, G, D).transpose(1, 2)
        if self.rotary:
            q, k = rotary(q), rotary(k)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=G != H)
        return self.proj(y.transpose(1, 2).reshape(B, T, H * D))


class MLP(nn.Module):
    """Two linear layers with GELU (erf) between them, or SwiGLU: proj(silu(gate(x)) * fc(x))."""

    def __init__(self, config):
        super().__init__()
        hidden = config.mlp_ratio * config.d_model
        self.fc = nn.Linear(config.d_model, hidden, bias=config.bias)
        self.gate = nn.Linear(config.d_model, hidden, bias=config.bias) if config.mlp == "swiglu" else None
        self.proj = nn.Linear(hidden, config.d_model, bias=config.bias)

    def forward(self, x):
        if self.gate is not None:
            return self.proj(F.silu(self.gate(x)) * self.fc(x))
        return self.proj(F.gelu(self.fc(x)))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm1, self.attn = norm(config), Attention(config)
        self.norm2, self.mlp = norm(config), MLP(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x):
        x = x + self.drop(self.attn(self.norm1(x)))
        return x + self.drop(self.mlp(self.norm2(x)))


class GPT(nn.Module):
    """The model of a ModelConfig. `model(ids)` gives logits, `model(ids, targets)` (logits,
    loss)."""

    def __init__(self, config):
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

    @torch.no_grad()
    def init_weights(self):
        """Normal 0.02; projections onto the residual stream scaled by 1/sqrt(2 x layers); biases
        0."""
        residual_std = 0.02 / math.sqrt(2 * self.config.layers)
        for name, p in self.named_parameters():
            if p.ndim >= 2:
                p.normal_(std=residual_std if name.endswith("proj.weight") else 0.02)
            elif name.endswith("bias"):
                p.zero_()

    def forward(self, ids, targets=None):
        """ids int64 [B, T] -> logits [B, T, V]; with targets [B, T] -> (logits, mean cross-entropy
        in nats).
        """
        T = ids.shape[1]
        if self.config.context < T:
            raise ValueError("cannot run %d tokens through a model with a context of %d" % (T, self.config.context))
        x = self.tok_emb(ids)  # [B, T, C]
        if self.pos_emb is not None:
            x = x + self.pos_emb.weight[:T]
        x = self.drop(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.config.recompute else block(x)
        logits = self.lm_head(self.norm_f(x))
        if targets is None:
            return logits
        return logits, F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def parameter_groups(self, weight_decay):
        """Decay on matrices only: norms and biases are left alone."""
        parameters = list(self.parameters())
        return [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]

    def num_parameters(self):
        return sum(p.numel() for p in self.parameters())
