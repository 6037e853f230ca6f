"""Launches that are one dispatch on the GPU alone: when they are merged, and when another launch's
read forbids it.
"""

import pytest

from tinygpt import kernels
from tinygpt.devices.webgpu import dispatch_fusion

pytestmark = pytest.mark.fast
G, P, M, V, HYPER, TOTAL = [(handle, 0) for handle in range(1, 7)]
NORM = ("arena", 256)


def names(launches):
    return [launch.kernel.name for launch in dispatch_fusion.run(launches)]


def step(norm):
    """Clip, then AdamW; with a norm of the clipped gradient in between where the device skips
    steps.
    """
    clip = [(kernels.global_norm, (TOTAL, G), (64,)), (kernels.clip_scale, (G, TOTAL), (64, 1.0))]
    again = [(kernels.global_norm, (norm, G), (64,))] if norm else []
    return [*clip, *again, (kernels.adamw, (P, M, V, G, HYPER, norm), (64, 1))]


def test_clipping_joins_adamw():
    merged = dispatch_fusion.run(step(None))
    assert [launch.kernel.name for launch in merged] == ["global_norm", "adamw"]
    assert merged[1].extra == {"clip_norm": (TOTAL, 1, "f"), "max_norm": 1.0}
    assert merged[1].buffers[-1] is None


def test_clipping_joins_an_adamw_that_may_skip():
    merged = dispatch_fusion.run(step(NORM))
    assert [launch.kernel.name for launch in merged] == ["global_norm", "adamw"]
    assert merged[1].buffers[-1] == TOTAL


def test_a_norm_that_somebody_reads_stays():
    read = (kernels.unary, ((7, 0), NORM), (kernels.UNARY["sqrt"], 1))
    apart = ["global_norm", "clip_scale", "global_norm", "adamw"]
    assert names([*step(NORM), read]) == [*apart, "unary"]
    assert names(step((8, 0))) == apart  # not an intermediate: it outlives the step
    overwrite = (kernels.fill, (("arena", 0),), (0, 100, 0.0))
    assert names([*step(NORM), overwrite, read]) == ["global_norm", "adamw", "fill", "unary"]


def test_another_gradient_is_not_clipped():
    other = step(None)
    other[-1] = (kernels.adamw, (P, M, V, (9, 0), HYPER, None), (64, 1))
    assert names(other) == ["global_norm", "clip_scale", "adamw"]


X, W, B, OUT, MATRIX = [(handle, 0) for handle in range(11, 16)]
NORMED, MEAN, RSTD = ("arena", 0), ("arena", 1024), ("arena", 1280)


def normed_product(rows=1, N=96, out=OUT, residual=None):
    """A layer norm of rows of 64, then its product with the rows of a matrix."""
    product = (rows, N, 64, 0, 1, 64, 64, N, 0, 0, 0, 1.0, 0.0, kernels.RESIDUAL if residual else 0)
    return [
        (kernels.layer_norm, (NORMED, MEAN, RSTD, X, W, B), (rows, 64, 1e-5)),
        (kernels.matmul, (out, NORMED, MATRIX, None, residual, None), (1, *product)),
    ]


def test_the_norm_of_one_row_joins_its_product():
    (merged,) = dispatch_fusion.run(normed_product())
    assert merged.kernel is kernels.matmul
    assert merged.extra == {
        "norm_x": (X, 64, "f"), "norm_weight": (W, 64, "f"), "norm_bias": (B, 64, "f"), "norm_eps": 1e-5,
        "norm_kind": "layer_norm"
    }  # fmt: skip


def test_a_norm_stays_where_its_result_is_used_again():
    apart = ["layer_norm", "matmul"]
    for place in (NORMED, MEAN, RSTD):
        read = (kernels.unary, (OUT, place), (kernels.UNARY["sqrt"], 1))
        assert names([*normed_product(), read]) == [*apart, "unary"]
        overwrite = (kernels.fill, (place,), (0, 64, 0.0))
        assert names([*normed_product(), overwrite, read]) == ["matmul", "fill", "unary"]
    assert names(normed_product(residual=NORMED)) == apart
    assert names(normed_product(out=X)) == apart, "the product's workgroups would read what others have overwritten"
    assert names(normed_product(rows=2)) == apart
    assert names(normed_product(N=dispatch_fusion.MAX_NORMED_ROWS + 1)) == apart
    assert names(normed_product(out=MEAN)) == ["matmul"], "nobody writes the mean now"


def decoding(T=1, out=OUT, position=(22, 0)):
    """A token's key and value (4 heads of 16) go into the cache of 32, then 4 queries look at
    it."""
    k_cache, v_cache, q, k, v = (20, 0), (21, 0), ("arena", 0), ("arena", 256), ("arena", 512)
    return [
        (kernels.kv_append, (k_cache, v_cache, k, v, (22, 0)), (1, 4, T, 16, 32, 64, 64, 64, 64)),
        (kernels.attention_decode, (out, q, k_cache, v_cache, position), (1, 4, 4, 16, 32, 64, 0.25)),
    ]


def test_the_append_of_one_token_joins_the_decoding():
    (merged,) = dispatch_fusion.run(decoding())
    assert merged.kernel is kernels.attention_decode
    assert merged.extra == {
        "k_new": (("arena", 256), 64, "f"),
        "v_new": (("arena", 512), 64, "f"),
        "k_b": 64,
        "v_b": 64,
    }
    apart = ["kv_append", "attention_decode"]
    assert names(decoding(T=2)) == apart
    assert names(decoding(position=(23, 0))) == apart
    assert names(decoding(out=("arena", 512))) == apart, "the result would overwrite the value that others still read"
