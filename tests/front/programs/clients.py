"""Packages from PyPI that nobody here wrote (.ci/clients.txt): `clients.py NAME`. What they import
beside torch and do not need here is an empty module.
"""

import sys
from types import ModuleType

for name in ("tiktoken", "tiktoken.load", "torchvision"):
    sys.modules[name] = ModuleType(name)
sys.modules["tiktoken.load"].load_tiktoken_bpe = None
sys.modules["torchvision"].transforms = None

import torch
import torch.nn as nn

torch.manual_seed(0)


def train(model, x, steps=8):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(steps):
        out = model(x)
        loss = (out.float() ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, "%.5f" % loss.item(), tuple(out.shape))


def gpt():
    from llms_from_scratch.ch04 import GPTModel, GPTModelFast, generate_text_simple
    from llms_from_scratch.kv_cache.gpt2 import GPTModel as Cached

    config = dict(
        vocab_size=50, context_length=16, emb_dim=24, n_heads=3, n_layers=2, drop_rate=0.1, qkv_bias=False
    )  # fmt: skip
    x = torch.randint(0, 50, (2, 16))
    train(GPTModel(config), x)
    train(GPTModelFast(config), x)
    print(generate_text_simple(GPTModel(config).eval(), x[:1, :4], 6, 16))
    print(Cached(config).eval()(x)[0, 0, :6])


def llama():
    from llms_from_scratch.llama3 import Llama3Model

    config = dict(
        vocab_size=50, context_length=32, emb_dim=32, n_heads=4, n_layers=2, hidden_dim=64, n_kv_groups=2,
        rope_base=500000.0, dtype=torch.float32, rope_freq=None,
    )  # fmt: skip
    train(Llama3Model(config), torch.randint(0, 50, (2, 16)))


def qwen():
    from llms_from_scratch.qwen3 import Qwen3Model

    config = dict(
        vocab_size=50, context_length=32, emb_dim=32, n_heads=4, n_layers=2, hidden_dim=48, head_dim=8, qk_norm=True,
        n_kv_groups=2, rope_base=1000000.0, dtype=torch.float32, num_experts=0,
    )  # fmt: skip
    train(Qwen3Model(config), torch.randint(0, 50, (2, 16)))


def lora():
    import loralib

    model = nn.Sequential(
        loralib.Linear(8, 16, r=4), nn.ReLU(), loralib.MergedLinear(16, 12, r=2, enable_lora=[True, False, True]),
        loralib.Linear(12, 3, r=2),
    )  # fmt: skip
    loralib.mark_only_lora_as_trainable(model)
    print([name for name, p in model.named_parameters() if p.requires_grad])
    train(nn.Sequential(loralib.Embedding(20, 8, r=2), model), torch.randint(0, 20, (4, 5)))
    print(model.eval()(torch.ones(1, 8)), model.train()(torch.ones(1, 8)))
    print(list(loralib.lora_state_dict(model)))
    train(loralib.Conv2d(2, 4, 3, r=2), torch.randn(1, 2, 6, 6))


def lion():
    from lion_pytorch import Lion

    model, x = nn.Linear(4, 2), torch.randn(8, 4)
    optimizer = Lion(model.parameters(), lr=1e-2, weight_decay=1e-2)
    for step in range(12):
        loss = (model(x) - 1).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, "%.5f" % loss.item())
    print(model.weight)


def einops():
    from einops import einsum, pack, parse_shape, rearrange, reduce, repeat, unpack
    from einops.layers.torch import Rearrange, Reduce

    x = torch.arange(24.0).reshape(2, 3, 4).requires_grad_()
    print(rearrange(x, "b t (h d) -> b h t d", h=2).detach(), reduce(x, "b t d -> b d", "mean"))
    print(repeat(x[0], "t d -> t r d", r=2).shape, einsum(x, x, "b i d, b j d -> b i j").detach())
    packed, shapes = pack([x, x[:, 0]], "b * d")
    print(packed.shape, shapes, [part.shape for part in unpack(packed, shapes, "b * d")], parse_shape(x, "b _ d"))
    model = nn.Sequential(Rearrange("b t d -> b (t d)"), nn.Linear(12, 2), Reduce("b c -> b", "max"))
    print(model, model(x))
    model(x).sum().backward()
    print(x.grad[0])


def rotary():
    from rotary_embedding_torch import RotaryEmbedding

    q, k = torch.randn(1, 2, 6, 16, requires_grad=True), torch.randn(1, 2, 6, 16)
    out = RotaryEmbedding(dim=8).rotate_queries_or_keys(q)
    out.pow(2).sum().backward()
    print(out[0, 0, 1].detach(), q.grad[0, 0, 0])
    a, b = RotaryEmbedding(dim=8, use_xpos=True).rotate_queries_and_keys(q, k)
    print(a[0, 0, 2].detach(), b[0, 1, 3])
    axial = RotaryEmbedding(dim=8, freqs_for="pixel", max_freq=10).get_axial_freqs(3, 4)
    print(axial.shape, axial[1, 2].detach())


def vit():
    from vit_pytorch.simple_vit import SimpleViT

    model = SimpleViT(
        image_size=16, patch_size=4, num_classes=5, dim=24, depth=2, heads=2, mlp_dim=32, dim_head=12
    )  # fmt: skip
    train(model, torch.randn(2, 3, 16, 16))
    print(model)


def torchinfo():
    from torchinfo import summary

    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    print(summary(model, input_size=(2, 1, 6, 6), verbose=0))
    print(summary(nn.LSTM(3, 4), input_size=(2, 5, 3), verbose=0))


globals()[sys.argv[1]]()
