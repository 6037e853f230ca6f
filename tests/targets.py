"""The targets that tests run on: a host, a device on it, a build of the extension or a GPU's
adapter, and its configuration.

Marks follow from the target: native is fast, chromium needs the browser, gpu the software adapters
(tests/hosts/adapters.py).
"""

import pathlib
from collections import namedtuple

import pytest

# threads: the counts whose results must have the same bits; on a GPU, which has none to count,
# runs. configure: of a webgpu device.
Target = namedtuple("Target", "name host device variant threads configure", defaults=(None,))


def has_avx2():
    """Whether this machine's processor has vectors of 256 bits; where Linux does not say, it counts
    as one without.
    """
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    return cpuinfo.exists() and " avx2 " in cpuinfo.read_text()


needs_avx2 = pytest.mark.skipif(not has_avx2(), reason="this machine's processor has no vectors of 256 bits (AVX2)")
TARGETS = {
    target.name: target
    for target in (
        Target("oracle", "native", "reference", None, (1,)),
        Target("native", "native", "native", None, (1, 2, 4)),
        Target("node", "node", "wasm", None, (1, 2, 4)),
        Target("node-simd", "node", "wasm", "simd-mt", (1, 2)),
        Target("node-single", "node", "wasm", "simd-st", (1,)),
        Target("node-wide", "node", "wasm", "relaxed64-mt", (1, 2, 4)),
        Target("node-paired", "node", "wasm", "paired-mt", (1, 2, 4)),
        Target("chromium", "chromium", "wasm", None, (1, 2)),
        Target("chromium-paired", "chromium", "wasm", "paired-mt", (1, 2)),
        Target("chromium-wide", "chromium", "wasm", "relaxed64-mt", (1, 2)),
        Target("gpu-node", "node", "webgpu", "swiftshader", (1, 1)),
        Target("gpu-least", "node", "webgpu", "lavapipe-least", (1,)),
        Target("gpu-integrated", "node", "webgpu", "lavapipe-integrated", (1,)),
        Target("gpu-lavapipe", "node", "webgpu", "lavapipe", (1,)),
        Target("gpu-wide", "node", "webgpu", "lavapipe-wide", (1,)),
        Target("gpu-f16", "node", "webgpu", "lavapipe", (1,), {"precision": "f16"}),
        Target("gpu-chromium", "chromium", "webgpu", "lavapipe", (1,)),
    )
}
MARKS = {
    "oracle": pytest.mark.fast,
    "native": pytest.mark.fast,
    "chromium": pytest.mark.browser,
    "chromium-paired": pytest.mark.browser,
    "chromium-wide": pytest.mark.browser,
    **{name: pytest.mark.gpu for name in TARGETS if name.startswith("gpu-")},
    "gpu-chromium": (pytest.mark.gpu, pytest.mark.browser),
}


def marks(name):
    """The marks of a target's tests, as a tuple."""
    found = MARKS.get(name, ())
    return found if isinstance(found, tuple) else (found,)


def on(*names):
    """Parametrizes a test over targets by name."""
    return pytest.mark.parametrize("target", [pytest.param(TARGETS[n], id=n, marks=marks(n)) for n in names])
