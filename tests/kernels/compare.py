"""Compares a device's outputs with the oracle's, with the tolerance stated for each kernel.

Errors are relative to the scale of the output (its largest finite magnitude). Integers, NaN, infinities, guards and gaps must be
exactly equal.
"""

import numpy as np

from tinygpt import kernels

from .cases import dtype_of

# float32 carries 6e-8. The default leaves room for a few roundings, the entries below for sums over many terms.
DEFAULT = 1e-6
TOLERANCE = {
    "matmul": 2e-6, "int8_matmul": 2e-6, "softmax_backward": 2e-6, "attention": 2e-6, "attention_backward": 5e-6,
    "attention_decode": 2e-6, "layer_norm": 5e-6, "add_layer_norm": 5e-6, "layer_norm_backward": 5e-6, "rms_norm_backward": 5e-6,
    "cross_entropy": 2e-6, "embedding_backward": 2e-6, "reduce": 2e-6,
}  # fmt: skip
NUMPY = {"float32": np.float32, "int32": np.int32, "int8": np.int8}


def complaint(case, got, want):
    """None where a device's answer for a case is right, else a sentence. got, want: entries of `run_cases`."""
    name, kernel_name, buffers, params = case
    if "error" in want or "error" in got:
        same = got.get("error") == want.get("error")
        return None if same else "%s: got %s, want %s" % (name, got.get("error", "no error"), want.get("error", "no error"))
    if got["differ"]:
        return "%s: other bits with %s threads" % (name, " and ".join(map(str, got["differ"])))
    kernel = kernels.BY_NAME[kernel_name]
    p = kernel.Params(*params)
    written = [
        (declared, spec)
        for declared, spec in zip(kernel.buffers, buffers)
        if spec is not None and declared.access in "wu" and spec.get("alias") is None
    ]
    for (declared, spec), a, b in zip(written, got["outputs"], want["outputs"], strict=True):
        dtype = NUMPY[dtype_of(kernel, declared, p)]
        a, b = np.frombuffer(a, dtype), np.frombuffer(b, dtype)
        begin, end = spec["offset"], spec["offset"] + spec["n"]
        where = "%s: %s" % (name, declared.name)
        if not np.array_equal(a[:begin].view(np.int8), b[:begin].view(np.int8)) or not np.array_equal(
            a[end:].view(np.int8), b[end:].view(np.int8)
        ):
            return where + " was written outside its extent"
        problem = (
            quantized(a, b) if kernel_name == "quantize_int8" and dtype is np.int8 else difference(a[begin:end], b[begin:end], kernel_name)
        )
        if problem:
            return "%s %s" % (where, problem)
    return None


def difference(a, b, kernel_name):
    """None, or how the array a of a device differs from the oracle's b."""
    if a.dtype != np.float32:
        wrong = np.flatnonzero(a != b)
        return (
            None if not len(wrong) else "[%d] is %d, want %d (%d of %d differ)" % (wrong[0], a[wrong[0]], b[wrong[0]], len(wrong), len(a))
        )
    finite = np.isfinite(b)
    wrong = np.flatnonzero(~finite & ~((a == b) | (np.isnan(a) & np.isnan(b))) | finite & ~np.isfinite(a))
    if len(wrong):
        return "[%d] is %r, want %r (%d of %d differ)" % (wrong[0], float(a[wrong[0]]), float(b[wrong[0]]), len(wrong), len(a))
    if not finite.any():
        return None
    scale = float(np.abs(b[finite]).max())
    error = np.abs(np.where(finite, a, 0).astype(np.float64) - np.where(finite, b, 0))
    worst = int(error.argmax())
    tolerance = TOLERANCE.get(kernel_name, DEFAULT)
    if error[worst] <= tolerance * scale:
        return None
    return "[%d] is %r, want %r: %.2g of the scale, at most %.2g" % (
        worst,
        float(a[worst]),
        float(b[worst]),
        error[worst] / max(scale, 1e-300),
        tolerance,
    )


def quantized(a, b):
    """x / scale is rounded in float32 on a device: beside a tie the neighbour is right as well, but rarely met."""
    off = np.abs(a.astype(int) - b)
    return (
        None
        if off.max(initial=0) <= 1 and (off > 0).sum() <= len(a) // 2000
        else "differs from the oracle in %d of %d" % ((off > 0).sum(), len(a))
    )
