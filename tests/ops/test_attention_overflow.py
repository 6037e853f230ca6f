"""Attention where the scores of some queries overflow to -inf: such a query attends to nothing, its
output and gradients are 0, and the other queries are as without it. PyTorch's plain attention is
the oracle: the gradient of its fused one counts such a query's keys.
"""

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import tinygpt
from tinygpt import functional as F
from tinygpt.ops.attention import attention_decode

pytestmark = pytest.mark.fast


def operands(T, S, D, G):
    rng = np.random.default_rng(T * 100 + D)
    q, k, v = (rng.standard_normal((2, heads, n, D)).astype(np.float32) for heads, n in ((4, T), (G, S), (G, S)))
    q *= 1e-10
    k = np.abs(k) * np.float32(1e10)
    q[:, :, ::3] = -1e30 * (0.5 + np.abs(v[:, :1, :T:3]))
    return q, k, v


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("sizes", [(5, 5, 4, 4), (40, 40, 16, 2), (70, 70, 24, 4)], ids=str)
def test_rows_that_overflow(device, sizes, causal):
    T, S, D, G = sizes
    q, k, v = operands(T, S, D, G)
    got, want = [], []
    for m, out in ((tinygpt, got), (torch, want)):
        x, y, z = (m.tensor(a).requires_grad_() for a in (q, k, v))
        if m is tinygpt:
            o = F.scaled_dot_product_attention(x, y, z, is_causal=causal)
        else:
            with sdpa_kernel(SDPBackend.MATH):
                o = torch.nn.functional.scaled_dot_product_attention(x, y, z, is_causal=causal, enable_gqa=True)
        (o * m.tensor(np.cos(np.arange(q.size, dtype=np.float32)).reshape(q.shape))).sum().backward()
        out += [np.array(a.tolist()) for a in (o.detach(), x.grad, y.grad, z.grad)]
    assert not want[0][:, :, ::3].any() and want[0][:, :, 1::3].any()
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-4 * np.abs(b).max())


def test_a_decoding_step_whose_scores_overflow(device):
    q, k = tinygpt.full((1, 2, 1, 4), 1e30), tinygpt.full((1, 2, 6, 4), -1e30)
    out = attention_decode(q, k, tinygpt.ones(1, 2, 6, 4), tinygpt.tensor([4], dtype=tinygpt.int32), 0.5)
    assert out.tolist() == tinygpt.zeros(1, 2, 1, 4).tolist()
    one = attention_decode(q, -k, tinygpt.ones(1, 2, 6, 4), tinygpt.tensor([4], dtype=tinygpt.int32), 0.5)
    assert all(x != x for head in one.tolist()[0] for row in head for x in row)


@pytest.mark.parametrize("keys", [1, 3, 8, 17, 40])
def test_a_query_of_infinities_is_nan_whatever_the_number_of_keys(device, keys):
    """Its scores are NaN where keys have both signs. PyTorch's fused attention on a processor gives
    0 for fewer keys than its vectors have lanes (16 with AVX-512, 8 else) and NaN for more; the
    gradients are NaN for both.
    """
    rng = np.random.default_rng(keys)
    q, k, v = (rng.standard_normal((1, 2, n, 4)).astype(np.float32) for n in (5, keys, keys))
    q[0, 1, 2] = np.inf
    k[0, 1, :, 0], k[0, 1, :, 1] = 1, -1
    got, want = [], []
    for m, out in ((tinygpt, got), (torch, want)):
        x, y, z = (m.tensor(a).requires_grad_() for a in (q, k, v))
        if m is tinygpt:
            o = F.scaled_dot_product_attention(x, y, z)
        else:
            with sdpa_kernel(SDPBackend.MATH):
                o = torch.nn.functional.scaled_dot_product_attention(x, y, z)
        o.sum().backward()
        out += [np.array(a.tolist()) for a in (o.detach(), x.grad, y.grad, z.grad)]
    assert np.isnan(want[0][0, 1, 2]).all() and np.isfinite(want[0][0, 0]).all()
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)
