"""Launches that are one dispatch on the GPU alone: when they are merged, and when somebody else's read forbids it."""

import pytest

from tinygpt import kernels
from tinygpt.devices.webgpu import fuse

pytestmark = pytest.mark.fast
G, P, M, V, HYPER, TOTAL = [(handle, 0) for handle in range(1, 7)]
NORM = ("arena", 256)


def names(launches):
    return [launch.kernel.name for launch in fuse.run(launches)]


def step(norm):
    """Clip, then AdamW; with a norm of the clipped gradient in between where the device skips steps."""
    clip = [(kernels.global_norm, (TOTAL, G), (64,)), (kernels.clip_scale, (G, TOTAL), (64, 1.0))]
    again = [(kernels.global_norm, (norm, G), (64,))] if norm else []
    return [*clip, *again, (kernels.adamw, (P, M, V, G, HYPER, norm), (64, 1))]


def test_clipping_joins_adamw():
    merged = fuse.run(step(None))
    assert [launch.kernel.name for launch in merged] == ["global_norm", "adamw"]
    assert merged[1].extra == {"clip_norm": (TOTAL, 1, "f"), "max_norm": 1.0}
    assert merged[1].buffers[-1] is None


def test_clipping_joins_an_adamw_that_may_skip():
    merged = fuse.run(step(NORM))
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
