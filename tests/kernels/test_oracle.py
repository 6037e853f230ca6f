"""The oracle itself: equal to PyTorch in float64 where PyTorch has the operation, to published
answers for Philox.
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tinygpt import kernels as k
from tinygpt.devices import reference_random

pytestmark = pytest.mark.fast
EXACT = 1e-12


class Buffers:
    """Launches on the oracle with torch tensors in and out, float64 all the way: its memory is read
    directly.
    """

    def __init__(self, device):
        self.device = device

    def give(self, x):
        x = np.asarray(x)
        dtype = {"f": "float32", "i": "int32"}[x.dtype.kind] if x.dtype != np.int8 else "int8"
        handle = self.device.alloc(x.size * (1 if dtype == "int8" else 4), dtype)
        next(iter(handle.arrays.values()))[: x.size] = x.ravel()
        return handle

    def launch(self, kernel, params, **given):
        """Outputs, cut to their extents, as flat arrays by name; inputs by name, a missing optional
        buffer is absent.
        """
        extents = kernel.extent(params)
        handles = {
            name: self.give(x.detach().numpy() if torch.is_tensor(x) else x)
            for name, x in given.items()
            if x is not None
        }
        for b in kernel.buffers:
            if b.name not in handles and not b.optional:
                handles[b.name] = self.device.alloc(4 * extents[b.name], "int32" if b.dtype == "i" else "float32")
            elif b.name not in handles and b.access == "w":
                handles[b.name] = self.device.alloc(4 * extents[b.name])
        self.device.launch(
            kernel, [(handles[b.name], 0) if b.name in handles else None for b in kernel.buffers], params
        )
        return {
            b.name: next(iter(handles[b.name].arrays.values()))[: extents[b.name]]
            for b in kernel.buffers
            if b.access in "wu" and b.name in handles
        }


@pytest.fixture
def run(oracle):
    return Buffers(oracle).launch


def draw(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape))).requires_grad_()


def equal(got, want):
    want = want.detach().numpy().ravel() if torch.is_tensor(want) else np.asarray(want).ravel()
    assert np.abs(got - want).max() <= EXACT * max(1.0, np.abs(want).max())


def test_unary_functions_and_their_slopes(run):
    functions = {
        "neg": torch.neg, "abs": torch.abs, "square": torch.square, "reciprocal": torch.reciprocal, "exp": torch.exp,
        "log": torch.log,
        "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": F.relu,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "sin": torch.sin, "cos": torch.cos,
    }  # fmt: skip
    assert functions.keys() == k.UNARY.keys()
    for name, function in functions.items():
        x, dy = draw(65), draw(67)[:65]
        if name in ("log", "sqrt", "rsqrt"):
            x = x.detach().abs().requires_grad_()
        y = function(x)
        equal(run(k.unary, (k.UNARY[name], 65), x=x)["out"], y)
        if name == "neg":
            continue
        y.backward(dy)
        saved = y if name in ("reciprocal", "exp", "sqrt", "rsqrt", "tanh", "sigmoid") else x
        equal(run(k.unary_backward, (k.UNARY[name], 65), dy=dy, saved=saved)["dx"], x.grad)


def test_matmul_with_every_transpose_and_epilogue(run):
    batch, M, N, K = 2, 5, 7, 9
    for ta in (0, 1):
        for tb in (0, 1):
            a, b, out, bias = (
                draw(batch, K, M) if ta else draw(batch, M, K),
                draw(batch, N, K) if tb else draw(batch, K, N),
                draw(batch, M, N),
                draw(N),
            )
            sizes = (batch, M, N, K, ta, tb, M if ta else K, K if tb else N, N, M * K, K * N, M * N)
            product = (a.mT if ta else a) @ (b.mT if tb else b)
            equal(run(k.matmul, (*sizes, 0.5, 2.0, 0), a=a, b=b, out=out)["out"], 0.5 * product + 2 * out)
            residual = draw(batch, M, N + 0)
            got = run(
                k.matmul,
                (*sizes, 1.0, 0.0, k.BIAS | k.GELU | k.RESIDUAL),
                a=a,
                b=b,
                bias=bias,
                residual=residual,
                pre=np.zeros(batch * M * N),
            )
            equal(got["pre"], product + bias)
            equal(got["out"], F.gelu(product + bias) + residual)
            before = draw(batch, M, N)
            F.gelu(before).backward(product.detach())
            equal(run(k.matmul, (*sizes, 1.0, 0.0, k.GELU_BACKWARD), a=a, b=b, pre=before)["out"], before.grad)


def test_norms(run):
    rows, C = 5, 7
    x, w, b, dy, add = (
        draw(rows, C),
        draw(C),
        draw(C + 1)[:C].detach().requires_grad_(),
        draw(rows, C + 2)[:, :C].detach(),
        draw(C, rows).T.detach(),
    )
    F.layer_norm(x, (C,), w, b).backward(dy)
    got = run(k.layer_norm, (rows, C, 1e-5), x=x, weight=w, bias=b)
    equal(got["out"], F.layer_norm(x, (C,), w, b))
    back = run(k.layer_norm_backward, (rows, C), dy=dy, x=x, weight=w, mean=got["mean"], rstd=got["rstd"], add=add)
    equal(back["dx"], x.grad + add)
    equal(back["dweight"], w.grad)
    equal(back["dbias"], b.grad)
    equal(
        run(k.add_layer_norm, (rows, C, 1e-5), x=x, residual=add, weight=w, bias=b)["out"],
        F.layer_norm(x + add, (C,), w, b),
    )
    x.grad = w.grad = None
    F.rms_norm(x, (C,), w, eps=1e-5).backward(dy)
    got = run(k.rms_norm, (rows, C, 1e-5), x=x, weight=w)
    equal(got["out"], F.rms_norm(x, (C,), w, eps=1e-5))
    back = run(k.rms_norm_backward, (rows, C), dy=dy, x=x, weight=w, rstd=got["rstd"])
    equal(back["dx"], x.grad)
    equal(back["dweight"], w.grad)


def test_softmax_and_cross_entropy(run):
    x, dy = draw(5, 9), draw(9, 5).T.detach()
    for log, function in enumerate((torch.softmax, torch.log_softmax)):
        x.grad = None
        y = function(x, -1)
        y.backward(dy)
        equal(run(k.softmax, (5, 9, log), x=x)["out"], y)
        equal(run(k.softmax_backward, (5, 9, log), dy=dy, y=y)["dx"], x.grad)
    targets = torch.tensor([1, 8, -100, 0, -100])
    for reduction, code in k.REDUCTION.items():
        x.grad = None
        loss = F.cross_entropy(x, targets, reduction=reduction)
        loss.sum().backward()
        got = run(k.cross_entropy, (5, 9, -100, code), logits=x, targets=targets)
        equal(got["total"], loss.sum())
        equal(got["losses"], F.cross_entropy(x, targets, reduction="none"))
        equal(got["dlogits"], x.grad)


@pytest.mark.parametrize("causal", (0, 1))
@pytest.mark.parametrize("H, G", ((3, 3), (4, 2), (6, 1)))
def test_attention(run, causal, H, G):
    B, T, D = 2, 9, 4
    q, key, v, dout = (
        draw(B, T, H, D),
        draw(B, T, G, D),
        draw(B + 1, T, G, D)[:B].detach().requires_grad_(),
        draw(B, T, D, H).mT.detach(),
    )

    def spread(x):
        return x.repeat_interleave(H // G, 2).transpose(1, 2)

    want = F.scaled_dot_product_attention(q.transpose(1, 2), spread(key), spread(v), is_causal=bool(causal)).transpose(
        1, 2
    )
    want.backward(dout)
    strides_q, strides_k = (T * H * D, H * D, D), (T * G * D, G * D, D)
    common = (B, H, G, T, T, D, causal, *strides_q, *strides_k, *strides_k, *strides_q)
    got = run(k.attention, (*common, D**-0.5), q=q, k=key, v=v)
    equal(got["out"], want)
    back = run(k.attention_backward, (*common, *strides_q, *strides_q, *strides_k, *strides_k, D**-0.5),
               dout=dout, q=q, k=key, v=v, out=got["out"], lse=got["lse"])  # fmt: skip
    equal(back["dq"], q.grad)
    equal(back["dk"], key.grad)
    equal(back["dv"], v.grad)
    # Decoding the last position over a cache that kv_append filled is the last row of the causal
    # attention.
    if causal:
        empty = np.zeros(B * G * T * D)
        params = (B, G, T, D, T, *strides_k[:2], *strides_k[:2])
        cache = run(k.kv_append, params, k_cache=empty, v_cache=empty, k=key, v=v, position=np.array([0], np.int32))
        last = run(
            k.attention_decode,
            (B, H, G, D, T, H * D, D**-0.5),
            q=q[:, -1],
            position=np.array([T - 1], np.int32),
            **cache,
        )
        equal(last["out"], want[:, -1])


def test_optimizers(run):
    for make, kernel, row in (
        (lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1), k.adamw,
         lambda t: [0, 0.01, 0.9, 0.95, 1e-8, 0.1, 1 - 0.9**t, math.sqrt(1 - 0.95**t)]),
        (lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, dampening=0.1, weight_decay=0.1), k.sgd,
         lambda t: [0, 0.01, 0.9, 0.1, 0.1, 0, t == 1, 0]),
        (lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1, nesterov=True), k.sgd,
         lambda t: [0, 0.01, 0.9, 0, 0.1, 1, t == 1, 0]),
    ):  # fmt: skip
        n = 17
        p = draw(n)
        state = {
            "p": p.detach().clone(),
            **({"m": torch.zeros(n), "v": torch.zeros(n)} if kernel is k.adamw else {"buf": torch.zeros(n)}),
        }
        optimizer = make([p])
        for t in (1, 2, 3):
            hyper = np.array(row(t), np.float64)
            hyper[0] = np.array([n], np.int32).view(np.float32)[0]
            p.grad = draw(n + t)[:n].detach()
            optimizer.step()
            state = run(kernel, (n, 1), **state, g=p.grad, hyper=hyper)
            equal(state["p"], p)


def test_philox_gives_the_published_words():
    """The known-answer vectors of Random123 that fit a 64-bit counter and a zero upper half."""
    words = reference_random.philox(np.array([0], np.uint64), 0, 0)[0]
    assert [int(w) for w in words] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


def test_random_kernels_have_the_right_distribution(run):
    rng, n = np.array([1, 2, 3, 0], np.int32), 200_000
    u = run(k.random_uniform, (n, 0.0, 1.0, 0), rng=rng)["out"]
    assert 0 <= u.min() and u.max() < 1 and abs(u.mean() - 0.5) < 0.003 and abs(u.var() - 1 / 12) < 0.001
    x = run(k.random_normal, (n, 2.0, 3.0, 0), rng=rng)["out"]
    assert abs(x.mean() - 2) < 0.03 and abs(x.std() - 3) < 0.03 and abs(((x - 2) ** 4).mean() / 81 - 3) < 0.1
    i = run(k.random_int, (n, -2, 5, 0), rng=rng)["out"]
    assert set(np.unique(i)) == set(range(-2, 5)) and np.abs(np.bincount(i + 2) / n - 1 / 7).max() < 0.005
    kept = run(k.dropout, (n, 0.3, 0), x=np.ones(n), rng=rng)["out"]
    assert abs((kept == 0).mean() - 0.3) < 0.005 and abs(kept.mean() - 1) < 0.01


def test_sampling_draws_what_was_asked(run):
    V, B = 6, 60_000
    logits = np.tile(np.log([0.05, 0.3, 0.1, 0.3, 0.2, 0.05]), (B, 1))

    def shares(temperature, top_k, top_p):
        settings = np.array([temperature, top_k, top_p, 0.0])
        drawn = run(k.sample, (B, V, 0), logits=logits, rng=np.array([5, 0, 0, 0], np.int32), settings=settings)["out"]
        return np.bincount(drawn, minlength=V) / B

    near = dict(atol=0.01)
    assert np.allclose(shares(1, 0, 1), [0.05, 0.3, 0.1, 0.3, 0.2, 0.05], **near)
    assert np.allclose(shares(0, 0, 1), [0, 1, 0, 0, 0, 0])
    assert np.allclose(shares(1, 3, 1), [0, 0.375, 0, 0.375, 0.25, 0], **near)
    assert np.allclose(shares(1, 0, 0.5), [0, 0.5, 0, 0.5, 0, 0], **near)
    assert np.allclose(shares(0.5, 0, 1), np.square([0.05, 0.3, 0.1, 0.3, 0.2, 0.05]) / 0.235, **near)


def test_reading_memory_as_another_type_goes_through_the_bits(oracle):
    memory = oracle.alloc(16)
    oracle.upload(memory, np.array([1.0, -2.5, 0.0, 3.0], np.float32).tobytes())
    assert memory.view(1, 4, 1)[0] == np.array([-2.5], np.float32).view(np.int32)[0]
    assert np.frombuffer(oracle.download(memory, 16), np.float32).tolist() == [1.0, -2.5, 0.0, 3.0]
    with pytest.raises(ValueError, match="do not fit in a buffer of 16 bytes"):
        memory.view(0, 8, 3)
