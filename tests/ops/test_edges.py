"""At 0/0, infinities and NaN, value and gradient are PyTorch's on every device."""

import array
import functools
import json
import warnings

import numpy as np
import pytest

from tests.ops import execute
from tests.ops.edges import EDGES
from tests.targets import on

SOURCE = """
import json
from tests.ops.execute import Tinygpt, evaluate
[evaluate(entry, Tinygpt()) for entry in json.loads((files / "entries.json").read_text())]
"""
# WGSL leaves open what exp2 of NaN is, and SwiftShader's is a number: the fused attention's
# probabilities of a NaN score are not NaN there.
OPEN_ON_SWIFTSHADER = (
    "attention without a mask, NaN",
    "attention causal, a later key is NaN",
    "attention, every score overflows to inf",
)
TOLERANCE = 1e-5  # of each number: relative, and absolute below 1


class PyTorch32(execute.PyTorch):
    """PyTorch in float32: what overflows there has to overflow here."""

    def tensor(self, data, shape, floating):
        values = array.array("f" if floating else "i", data)
        kind = self.m.float32 if floating else self.m.int64
        return (self.m.tensor(values, dtype=kind) if len(values) else self.m.zeros(0, dtype=kind)).reshape(shape)


@functools.cache
def torch_answers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch says that a variance of one value is NaN
        return [execute.evaluate(entry, PyTorch32()) for entry in EDGES.values()]


def same(got, want, floating):
    """got: bytes of float32 or int32; want: bytes of float64 or int64; None: no gradient."""
    if got is None or want is None:
        return got is want
    a = np.frombuffer(got, np.float32 if floating else np.int32)
    b = np.frombuffer(want, np.float64 if floating else np.int64).astype(a.dtype)
    return a.shape == b.shape and np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)


@pytest.mark.parametrize("part", range(2))
@on("oracle", "native", "node", "node-simd", "chromium", "gpu-node", "gpu-lavapipe", "gpu-chromium")
def test_edges_are_pytorchs(value, target, part):
    half = len(EDGES) // 2
    mine = slice(half * part, half * (part + 1) if not part else None)
    entries = list(EDGES.values())[mine]
    answers = value(target, SOURCE, files={"entries.json": json.dumps(entries).encode()})
    differ = []
    for entry, got, want in zip(entries, answers, torch_answers()[mine], strict=True):
        floating = "float" in want["value"][0]
        pairs = [("value", got["value"][2], want["value"][2], floating)]
        pairs += [(name, a, b, True) for name, a, b in zip(execute.NAMES, got["grads"], want["grads"], strict=False)]
        if target.variant == "swiftshader" and entry["name"] in OPEN_ON_SWIFTSHADER:
            continue
        differ += ["%s: %s" % (entry["name"], what) for what, a, b, kind in pairs if not same(a, b, kind)]
        assert got["value"][1] == want["value"][1], entry["name"]
    assert differ == []
