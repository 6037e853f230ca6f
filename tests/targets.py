"""The targets that tests run on: a host, a device on it, a build of the extension.

Marks follow from the target: native is fast, chromium needs the browser.
"""

from collections import namedtuple

import pytest

Target = namedtuple("Target", "name host device variant threads")  # threads: the counts whose results must have the same bits

TARGETS = {
    target.name: target
    for target in (
        Target("oracle", "native", "reference", None, (1,)),
        Target("native", "native", "native", None, (1, 2, 4)),
        Target("node", "node", "wasm", None, (1, 2, 4)),
        Target("node-simd", "node", "wasm", "simd-mt", (1, 2)),
        Target("node-single", "node", "wasm", "simd-st", (1,)),
        Target("chromium", "chromium", "wasm", None, (1, 2)),
    )
}
MARKS = {"oracle": pytest.mark.fast, "native": pytest.mark.fast, "chromium": pytest.mark.browser}


def on(*names):
    """Parametrizes a test over targets by name."""
    return pytest.mark.parametrize("target", [pytest.param(TARGETS[n], id=n, marks=MARKS.get(n, ())) for n in names])
