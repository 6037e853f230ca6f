"""Each op's value and gradient equal PyTorch's, on the oracle and on every device and host."""

import functools
import json

import numpy as np
import pytest

from tests.ops import execute
from tests.ops.table import TABLE, TOLERANCE
from tests.targets import on

SOURCE = """
import json
from tests.ops.execute import Tinygpt, evaluate
[evaluate(entry, Tinygpt()) for entry in json.loads((files / "entries.json").read_text())]
"""
DTYPES = {
    "float64": "float32",
    "float32": "float32",
    "int64": "int32",
    "int32": "int32",
    "bool": "bool",
}  # PyTorch's to ours
DEFAULT = 2e-6  # of the largest magnitude in the tensor; float32 carries 6e-8


@functools.cache
def torch_answers(name):
    return [execute.evaluate(entry, execute.PyTorch()) for entry in TABLE[name]]


def check(what, got, want, floating, tolerance):
    """got: bytes of float32 or int32; want: bytes of float64 or int64."""
    if got is None or want is None:
        assert got is None and want is None, "%s: %s, in PyTorch %s" % (
            what,
            *("present" if x else "none" for x in (got, want)),
        )
        return
    a = np.frombuffer(got, np.float32 if floating else np.int32).astype(np.float64)
    b = np.frombuffer(want, np.float64 if floating else np.int64).astype(np.float64)
    assert a.shape == b.shape, "%s: %d elements, in PyTorch %d" % (what, a.size, b.size)
    assert np.array_equal(np.isfinite(a), np.isfinite(b)), "%s: NaN or infinity in other places" % what
    a, b = a[np.isfinite(b)], b[np.isfinite(b)]
    scale = np.abs(b).max(initial=0)
    error = np.abs(a - b).max(initial=0)
    assert error <= (tolerance * max(scale, 1e-6) if floating else 0), "%s: off by %.3g of a scale of %.3g" % (
        what,
        error,
        scale,
    )


@pytest.mark.parametrize("name", TABLE)
@on("oracle", "native", "node", "chromium", "gpu-lavapipe", "gpu-chromium")
def test_op_equals_pytorch(value, target, name):
    entries = TABLE[name]
    answers = value(target, SOURCE, files={"entries.json": json.dumps(entries).encode()})
    tolerance = TOLERANCE.get(name, DEFAULT)
    for entry, got, want in zip(entries, answers, torch_answers(name), strict=True):
        (dtype, shape, data), (torch_dtype, torch_shape, torch_data) = got["value"], want["value"]
        assert shape == torch_shape, "%s: shape %s, in PyTorch %s" % (entry["name"], shape, torch_shape)
        assert dtype == DTYPES[torch_dtype], "%s: dtype %s, in PyTorch %s" % (entry["name"], dtype, torch_dtype)
        check(entry["name"], data, torch_data, dtype == "float32", tolerance)
        for letter, mine, theirs in zip(execute.NAMES, got["grads"], want["grads"]):
            check("%s: gradient of %s" % (entry["name"], letter), mine, theirs, True, tolerance)
