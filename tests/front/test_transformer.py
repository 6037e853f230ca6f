"""Attention, transformer layers, layer norm and RMS norm equal PyTorch's: parameters from a seed,
values, gradients, random masks of dropout, errors, printed text.
"""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

import tinygpt
import tinygpt.torch.nn as layers
import tinygpt.torch.nn.functional as f

pytestmark = [pytest.mark.fast, pytest.mark.filterwarnings("ignore")]


def ours(x):
    x = x.float() if x.dtype is torch.bfloat16 else x
    return tinygpt.tensor(x.detach().numpy()).requires_grad_(x.requires_grad)


def same(got, want, atol=2e-5):
    if want is None or got is None:
        assert want is got is None
        return
    got, want = got.detach().numpy(), want.detach().numpy()
    assert got.shape == want.shape and got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=3e-5, atol=atol if want.dtype == np.float32 else 1e-12)


def pair(front, name, *args, dtype="float32", seed=5, **kwargs):
    """(PyTorch's module, ours) of one seed."""
    torch.manual_seed(seed)
    front.manual_seed(seed)
    a = getattr(torch.nn, name)(*args, dtype=getattr(torch, dtype), **kwargs)
    b = getattr(layers, name)(*args, dtype=getattr(front, dtype), **kwargs)
    assert repr(a) == repr(b)
    for (left, p), (right, q) in zip(a.named_parameters(), b.named_parameters(), strict=True):
        assert left == right
        same(q, p, 1e-6)
    torch.manual_seed(seed + 1)
    front.manual_seed(seed + 1)
    return a, b


def agree(front, call, both, inputs):
    """call(one of both, *inputs): PyTorch's result and ours, the gradients of the inputs and of the
    parameters of modules.
    """
    leaves = [[*inputs], [x if x is None else ours(x) for x in inputs]]
    results = []
    for one, given, random in zip(both, leaves, (torch, front), strict=True):
        modules = isinstance(one, (torch.nn.Module, layers.Module))
        watched = [*given, *(one.parameters() if modules else ())]
        for x in watched:
            if x is not None:
                x.grad = None
        random.manual_seed(11)
        made = call(one, *given)
        made = list(made) if isinstance(made, tuple) else [made]
        if any(r is not None and r.requires_grad for r in made):
            sum((r * r * r.detach().sin()).sum() for r in made if r is not None).backward()
        results.append((made, [x if x is None else x.grad for x in watched]))
    for want, got, atol in zip(*results, (2e-5, 5e-5), strict=True):
        for a, b in zip(want, got, strict=True):
            same(b, a, atol)


def heads(*shape, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=generator).requires_grad_()


SDPA = F.scaled_dot_product_attention, f.scaled_dot_product_attention
ROW = torch.tensor([[True, False, True], [False, False, False], [True, True, False], [True, True, True]])
ATTENTION = {
    "plain": ((2, 3, 4, 5), (2, 3, 6, 5), {}),
    "causal": ((2, 3, 4, 5), (2, 3, 4, 5), {"is_causal": True}),
    "causal, more keys": ((2, 3, 4, 5), (2, 3, 7, 5), {"is_causal": True}),
    "causal, fewer keys": ((2, 3, 4, 5), (2, 3, 2, 5), {"is_causal": True}),
    "scale": ((2, 3, 4, 5), (2, 3, 4, 5), {"scale": 0.3}),
    "bool mask": ((2, 3, 4, 5), (2, 3, 3, 5), {"attn_mask": ROW}),
    "float mask": ((2, 3, 4, 5), (2, 3, 3, 5), {"attn_mask": torch.randn(2, 1, 4, 3)}),
    "mask and causal": ((2, 3, 4, 5), (2, 3, 3, 5), {"attn_mask": ROW, "is_causal": True}),
    "grouped": ((2, 6, 4, 5), (2, 3, 4, 5), {"enable_gqa": True}),
    "grouped, masked": ((2, 6, 4, 5), (2, 2, 3, 5), {"enable_gqa": True, "attn_mask": ROW}),
    "one key head": ((2, 3, 4, 5), (2, 1, 4, 5), {}),
    "one batch": ((2, 3, 4, 5), (1, 3, 4, 5), {}),
    "dropout": ((2, 3, 4, 5), (2, 3, 4, 5), {"dropout_p": 0.4}),
    "dropout, causal": ((2, 3, 4, 5), (2, 3, 4, 5), {"dropout_p": 0.4, "is_causal": True}),
    "three dimensions": ((3, 4, 5), (3, 3, 5), {"attn_mask": ROW}),
    "two dimensions": ((4, 5), (6, 5), {"is_causal": True}),
    "a wide head": ((1, 2, 4, 160), (1, 2, 4, 160), {"is_causal": True}),
    "one query": ((2, 3, 1, 8), (2, 3, 9, 8), {}),
}


@pytest.mark.parametrize("q, k, options", ATTENTION.values(), ids=ATTENTION)
def test_scaled_dot_product_attention(front, q, k, options):
    rest = {name: value for name, value in options.items() if name != "attn_mask"}
    for dtype, time_first in itertools.product((torch.float32, torch.float64), (False, len(q) == 4)):
        strides = []

        def call(function, q, k, v, mask, time_first=time_first, strides=strides):
            q, k, v = (x.transpose(1, 2) for x in (q, k, v)) if time_first else (q, k, v)
            out = function(q, k, v, mask, **rest)
            strides.append([step for step, n in zip(out.stride(), out.shape, strict=True) if n > 1])
            return out

        given = [heads(*shape, dtype=dtype, seed=i) for i, shape in enumerate((q, k, k))]
        if time_first:  # the memory of heads that a projection has given
            given = [x.detach().transpose(1, 2).contiguous().requires_grad_() for x in given]
        mask = options.get("attn_mask")
        mask = mask if mask is None or mask.dtype is torch.bool else mask.to(dtype)
        agree(front, call, SDPA, [*given, mask])
        assert strides[0] == strides[1]


def test_a_masks_gradient_and_other_widths(front):
    given = [heads(2, 3, 4, 5), heads(2, 3, 6, 5), heads(2, 3, 6, 7)]
    agree(front, lambda function, *x: function(*x), SDPA, given)
    agree(front, lambda function, *x: function(*x), SDPA, [*given, torch.randn(3, 4, 6, requires_grad=True)])
    half = [x.detach().bfloat16() for x in given]
    got = f.scaled_dot_product_attention(*(ours(x).to(front.bfloat16) for x in half))
    assert got.dtype is front.bfloat16
    want = F.scaled_dot_product_attention(*half).float()
    np.testing.assert_allclose(got.float().numpy(), want.numpy(), rtol=0.02, atol=0.01)


B, T, S, E, H = 2, 4, 3, 8, 2
MASKS = {
    "bool": torch.arange(T * S).reshape(T, S) % 4 == 1,
    "float": torch.linspace(-1, 1, T * S).reshape(T, S),
    "heads": torch.arange(B * H * T * S).reshape(B * H, T, S) % 5 == 0,
    "bool padding": torch.tensor([[False, False, True], [False, True, False]]),
    "float padding": torch.tensor([[0.0, 0.5, -1], [0, -float("inf"), 1]]),
}
MULTIHEAD = [  # options, mask, padding, of the call
    ({}, None, None, {}),
    ({"bias": False}, None, None, {"need_weights": False}),
    ({"kdim": 5, "vdim": 7}, None, None, {}),
    ({"add_bias_kv": True, "add_zero_attn": True}, "bool", "bool padding", {}),
    ({}, None, "bool padding", {"need_weights": False}),
    ({}, "float", "float padding", {}),
    ({}, "heads", None, {"average_attn_weights": False}),
    ({}, "heads", "bool padding", {"need_weights": False}),
    ({"dropout": 0.3}, None, None, {}),
    ({"dropout": 0.3}, "float", None, {"need_weights": False}),
]


@pytest.mark.parametrize("options, mask, padding, rest", MULTIHEAD)
def test_multihead_attention(front, options, mask, padding, rest):
    def call(module, q, k, v, mask, padding):
        return module(q, k, v, padding, attn_mask=mask, **rest)

    for first, dtype in ((False, torch.float32), (True, torch.float64)):
        both = pair(front, "MultiheadAttention", E, H, batch_first=first, dtype=str(dtype)[6:], **options)
        sizes = ((T, E), (S, options.get("kdim", E)), (S, options.get("vdim", E)))
        x = [heads(*((B, t) if first else (t, B)), c, dtype=dtype, seed=c) for t, c in sizes]
        masks = [m if m is None or m.dtype is torch.bool else m.to(dtype) for m in map(MASKS.get, (mask, padding))]
        agree(front, call, both, [*x, *masks])


def test_self_attention_and_attention_to_memory(front):
    both = pair(front, "MultiheadAttention", 8, 4, batch_first=True)
    x, memory = heads(2, 5, 8), heads(2, 3, 8, seed=1)
    causal = torch.nn.Transformer.generate_square_subsequent_mask(5)
    same(layers.Transformer.generate_square_subsequent_mask(5), causal)
    agree(front, lambda m, x: m(x, x, x), both, [x])
    agree(front, lambda m, x: m(x, x, x, need_weights=False), both, [x])
    agree(front, lambda m, x, y: m(x, y, y), both, [x, memory])
    agree(front, lambda m, x: m(x, x, x), both, [heads(5, 8)])  # without a batch
    options = {"is_causal": True, "need_weights": False}
    agree(front, lambda m, x, mask: m(x, x, x, attn_mask=mask, **options), both, [x, causal])


LAYER = {
    "plain": {},
    "norm first, gelu": {"norm_first": True, "activation": "gelu"},
    "batch first, no bias": {"batch_first": True, "bias": False},
    "batch first, norm first": {"batch_first": True, "norm_first": True, "layer_norm_eps": 1e-3},
}


@pytest.mark.parametrize("options", LAYER.values(), ids=LAYER)
def test_transformer_layers(front, options):
    def shape(t):
        return (2, t, 8) if options.get("batch_first") else (t, 2, 8)

    def decode(module, x, memory, mask, padding):
        return module(x, memory, mask, memory_key_padding_mask=padding, tgt_is_causal=True)

    x, memory = heads(*shape(5)), heads(*shape(4), seed=1)
    causal = torch.nn.Transformer.generate_square_subsequent_mask(5)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    for train, dropout in ((True, 0.2), (False, 0.1)):
        both = [m.train(train) for m in pair(front, "TransformerEncoderLayer", 8, 2, 16, dropout, **options)]
        agree(front, lambda m, *x: m(*x), both, [x, causal != 0.0, padding])
        both = [m.train(train) for m in pair(front, "TransformerDecoderLayer", 8, 2, 16, dropout, **options)]
        agree(front, decode, both, [x, memory, causal, padding[:, 1:]])


def test_transformer(front):
    mask = torch.nn.Transformer.generate_square_subsequent_mask(5)
    for first in (False, True):
        both = pair(front, "Transformer", 8, 2, 2, 2, 16, 0.1, batch_first=first)
        src, tgt = (heads(*((2, t, 8) if first else (t, 2, 8)), seed=t) for t in (4, 5))
        agree(front, lambda m, s, t, mask: m(s, t, tgt_mask=mask), both, [src, tgt, mask])


def test_padding_in_inference(front):
    """PyTorch's kernels for inference: NaN where there is padding alone, and rows of padding that
    TransformerEncoder leaves out.
    """
    x = heads(2, 4, 8).detach()
    padding = torch.tensor([[False, False, True, True], [False] * 4])
    gap, whole = padding[:, [0, 2, 1, 3]], torch.tensor([[True] * 4, [False] * 4])
    for norm_first in (False, True):
        layer = pair(front, "TransformerEncoderLayer", 8, 2, 16, batch_first=True, norm_first=norm_first)
        encoders = torch.nn.TransformerEncoder(layer[0], 2).eval(), layers.TransformerEncoder(layer[1], 2).eval()
        attentions = [m.eval().self_attn for m in layer]
        agree(front, lambda m, x, p: m(x, src_key_padding_mask=p), encoders, [x, padding])
        with torch.no_grad(), tinygpt.no_grad():
            for mask in (padding, gap, whole):
                agree(front, lambda m, x, p: m(x, x, x, p), attentions, [x, mask])
                agree(front, lambda m, x, p: m(x, x, x, p, False), attentions, [x, mask])
                agree(front, lambda m, x, p: m(x, src_key_padding_mask=p), layer, [x, mask])
                if mask is not whole:
                    agree(front, lambda m, x, p: m(x, src_key_padding_mask=p), encoders, [x, mask])


def test_norms(front):
    affine, biased, spaced = {"elementwise_affine": False}, {"bias": False}, {"eps": 0.1}
    for dtype in ("float32", "float64"):
        x = heads(4, 2, 3, dtype=getattr(torch, dtype))
        small = (x.detach() * 1e-4).requires_grad_()
        for shape, options in ((3, {}), ((2, 3), biased), ((3,), affine), ([2, 3], spaced)):
            agree(front, lambda m, x: m(x), pair(front, "LayerNorm", shape, dtype=dtype, **options), [x])
            options = {} if options is biased else options
            agree(front, lambda m, x: m(x), pair(front, "RMSNorm", shape, dtype=dtype, **options), [small])
    for name in ("bfloat16", "float16"):
        small = torch.full((2, 4), 1e-3)
        want = F.rms_norm(small.to(getattr(torch, name)), (4,))
        assert f.rms_norm(ours(small).to(getattr(front, name)), (4,)).tolist() == want.tolist()


def square(t, *shape, **options):
    return [t.ones(*shape, **options)] * 3


WRONG = {
    "a dtype": lambda t, F: F.scaled_dot_product_attention(*square(t, 2, 3)[:2], t.ones(2, 3, dtype=t.float64)),
    "a rank": lambda t, F: F.scaled_dot_product_attention(t.ones(3), t.ones(2, 3), t.ones(2, 3)),
    "a mask's dtype": lambda t, F: F.scaled_dot_product_attention(*square(t, 2, 3), t.ones(2, 2, dtype=t.int64)),
    "a mask's shape": lambda t, F: F.scaled_dot_product_attention(*square(t, 1, 1, 2, 3), t.ones(5, 2)),
    "a mask's rank": lambda t, F: F.scaled_dot_product_attention(*square(t, 1, 1, 2, 3), t.ones(2)),
    "a mask and causal": lambda t, F: F.scaled_dot_product_attention(*square(t, 1, 2, 3), t.ones(2, 2), 0.0, True),
    "heads": lambda t, F: F.scaled_dot_product_attention(
        t.ones(1, 3, 2, 3), t.ones(1, 2, 2, 3), t.ones(1, 2, 2, 3), enable_gqa=True
    ),
    "heads of matrices": lambda t, F: F.scaled_dot_product_attention(*square(t, 2, 3), enable_gqa=True),
    "integers": lambda t, F: F.scaled_dot_product_attention(*square(t, 2, 3, dtype=t.int64)),
    "a probability": lambda t, F: F.scaled_dot_product_attention(*square(t, 2, 3), dropout_p=1.5),
    "a positional scale": lambda t, F: F.scaled_dot_product_attention(*square(t, 2, 3), None, 0.0, False, 0.3),
    "no heads": lambda t, F: t.nn.MultiheadAttention(8, 0),
    "heads that do not divide": lambda t, F: t.nn.MultiheadAttention(8, 3),
    "an embedding": lambda t, F: t.nn.MultiheadAttention(8, 2)(*square(t, 2, 3, 4)),
    "a query's rank": lambda t, F: t.nn.MultiheadAttention(8, 2)(*square(t, 8)),
    "a key's rank": lambda t, F: t.nn.MultiheadAttention(8, 2)(t.ones(2, 3, 8), t.ones(2, 8), t.ones(2, 8)),
    "a head mask's shape": lambda t, F: t.nn.MultiheadAttention(8, 2)(*square(t, 2, 3, 8), attn_mask=t.ones(3, 3)),
    "a mask of integers": lambda t, F: t.nn.MultiheadAttention(8, 2)(
        *square(t, 2, 3, 8), attn_mask=t.ones(2, 2, dtype=t.int64)
    ),
    "causal without a mask": lambda t, F: t.nn.MultiheadAttention(8, 2)(*square(t, 2, 3, 8), is_causal=True),
    "an activation": lambda t, F: t.nn.TransformerEncoderLayer(8, 2, activation="tanh"),
    "widths": lambda t, F: t.nn.Transformer(8, 2, 1, 1, 8)(t.ones(2, 3, 4), t.ones(2, 3, 4)),
    "batches": lambda t, F: t.nn.Transformer(8, 2, 1, 1, 8)(t.ones(2, 3, 8), t.ones(2, 4, 8)),
    "no normalized shape": lambda t, F: F.layer_norm(t.ones(2, 3), ()),
    "a normalized shape": lambda t, F: F.rms_norm(t.ones(2, 3), (2,)),
    "a norm's weight": lambda t, F: F.layer_norm(t.ones(2, 3), (3,), t.ones(2)),
    "a norm of integers": lambda t, F: F.layer_norm(t.ones(2, 3, dtype=t.int64), (3,)),
    "an int as a shape": lambda t, F: F.layer_norm(t.ones(2, 3), 3),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_error(front, call):
    with pytest.raises(Exception) as want:
        call(torch, F)
    with pytest.raises(want.type):
        call(front, f)


def test_a_choice_of_kernels_changes_nothing(front):
    from tinygpt.torch.nn.attention import SDPBackend, sdpa_kernel

    x = ours(heads(1, 2, 3, 4))
    with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION], set_priority=True):
        same(f.scaled_dot_product_attention(x, x, x), F.scaled_dot_product_attention(*[heads(1, 2, 3, 4)] * 3))
