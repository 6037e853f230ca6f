"""Compares a device's outputs with the oracle's, with the tolerance stated for each kernel.

Errors are relative to the scale of the output (its largest finite magnitude). Integers, NaN,
infinities, guards and gaps must be exactly equal. A tolerance belongs to a kernel and to the
precision that the device works in.
"""

import numpy as np

from tinygpt import kernels

from .execute import BLOCK, TYPECODE, written

# float32 carries 6e-8. The default leaves room for a few roundings, the entries below for sums over
# many terms.
DEFAULT = 1e-6
TOLERANCE = {
    "matmul": 2e-6, "int8_matmul": 2e-6, "softmax_backward": 2e-6, "attention": 2e-6, "attention_backward": 5e-6,
    "attention_decode": 2e-6, "layer_norm": 5e-6, "add_layer_norm": 5e-6, "layer_norm_backward": 5e-6,
    "rms_norm_backward": 5e-6,
    "conv": 2e-6, "conv_backward_x": 2e-6, "conv_backward_weight": 2e-6, "batch_norm": 2e-6,
    "cross_entropy": 2e-6, "embedding_backward": 2e-6, "reduce": 2e-6,
    "recurrent": 2e-6, "recurrent_backward": 5e-6,
}  # fmt: skip
# Operands rounded to 11 bits (5e-4 of each), products added in 32: what the device's precision
# "f16" states. The other kernels keep theirs, since nothing else is rounded.
HALF = {"matmul": 2e-3}
# One row against int8 weights: a device may round it to 16 bits (kernels.int8_matmul), 1.5e-5 of
# its largest element each, so a product of unlike terms may be off by a few times that.
ROUNDED_ROW = 6e-5
# A product of 1,000 factors is off by up to 1,000 roundings of its own size (6e-8 each), where a
# sum is off by roundings of its terms. Equal factors round alike, so the errors add up.
PRODUCT = 1e-5
NUMPY = {name: np.dtype(code) for name, code in TYPECODE.items()}
WIDE = 1e-13  # float64
OP = [param.name for param in kernels.reduce.params].index("op")


def tolerance_of(kernel_name, precision="f32"):
    """The largest error, of the output's scale, that a kernel may have."""
    exact = TOLERANCE.get(kernel_name, DEFAULT)
    return exact if precision == "f32" else HALF.get(kernel_name, exact)


def complaint(case, got, want, precision="f32"):
    """None where a device's answer for a case is right, else a sentence. got, want: entries of
    `run_cases`.
    """
    name, kernel_name, buffers, params = case
    if "error" in want or "error" in got:
        same = got.get("error") == want.get("error")
        return (
            None
            if same
            else "%s: got %s, want %s" % (name, got.get("error", "no error"), want.get("error", "no error"))
        )
    if got["differ"]:
        return "%s: other bits with %s threads" % (name, " and ".join(map(str, got["differ"])))
    declared, tolerance = kernels.BY_NAME[kernel_name].buffers, tolerance_of(kernel_name, precision)
    if kernel_name == "int8_matmul" and params[0] == 1:
        tolerance = ROUNDED_ROW
    if kernel_name == "reduce" and params[OP] == kernels.REDUCE["prod"]:
        tolerance = PRODUCT
    for (spec, i), a, b in zip(written(case), got["outputs"], want["outputs"], strict=True):
        where = "%s: %s" % (name, declared[i].name)
        dtype = NUMPY[spec["dtype"]]
        problem = (
            large(a, b, dtype, tolerance) if isinstance(b, dict) else whole(a, b, dtype, spec, kernel_name, tolerance)
        )
        if problem:
            return where + " " + problem
    return None


def whole(a, b, dtype, spec, kernel_name, tolerance):
    a, b = np.frombuffer(a, dtype), np.frombuffer(b, dtype)
    begin, end = spec["offset"], spec["offset"] + spec["n"]
    for part in (slice(0, begin), slice(end, None)):
        if not np.array_equal(a[part].view(np.int8), b[part].view(np.int8)):
            return "was written outside its extent"
    if kernel_name == "quantize_int8" and dtype == np.int8:
        return quantized(a, b)
    return difference(a[begin:end], b[begin:end], tolerance)


def large(a, b, dtype, tolerance):
    """Condensed outputs: the sampled blocks as any output, and the sum of every block
    (`execute.condense`).
    """
    blocks = np.frombuffer(b["blocks"], dtype)
    problem = difference(np.frombuffer(a["blocks"], dtype), blocks, tolerance)
    if problem:
        return "of sampled blocks " + problem
    sums, wanted = np.frombuffer(a["sums"]).reshape(-1, 2), np.frombuffer(b["sums"]).reshape(-1, 2)
    if not np.array_equal(sums[:, 1], wanted[:, 1]):
        return "has NaN in other places"
    # Rounding errors have either sign, so a block's sum is closer than the sum of its tolerances;
    # one wrong element is seen.
    allowed = tolerance * np.abs(np.nan_to_num(blocks.astype(np.float64))).max() * BLOCK / 8
    error = np.abs(sums[:, 0] - wanted[:, 0])
    if dtype.kind != "f":
        allowed = 0
    return (
        None
        if error.max() <= allowed
        else "block %d sums to something else: off by %.3g" % (error.argmax(), error.max())
    )


def difference(a, b, tolerance):
    """None, or how the array a of a device differs from the oracle's b."""
    if a.dtype.kind != "f":
        wrong = np.flatnonzero(a != b)
        return (
            None
            if not len(wrong)
            else "[%d] is %d, want %d (%d of %d differ)" % (wrong[0], a[wrong[0]], b[wrong[0]], len(wrong), len(a))
        )
    finite = np.isfinite(b)
    wrong = np.flatnonzero(~finite & ~((a == b) | (np.isnan(a) & np.isnan(b))) | finite & ~np.isfinite(a))
    if len(wrong):
        return "[%d] is %r, want %r (%d of %d differ)" % (
            wrong[0],
            float(a[wrong[0]]),
            float(b[wrong[0]]),
            len(wrong),
            len(a),
        )
    if not finite.any():
        return None
    tolerance = WIDE if a.dtype == np.float64 else tolerance
    scale = float(np.abs(b[finite]).max())
    error = np.abs(np.where(finite, a, 0).astype(np.float64) - np.where(finite, b, 0))
    worst = int(error.argmax())
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
    """x / scale is rounded in float32 on a device: beside a tie the neighbour is right as well, but
    rarely met.
    """
    off = np.abs(a.astype(int) - b)
    return (
        None
        if off.max(initial=0) <= 1 and (off > 0).sum() <= len(a) // 2000
        else "differs from the oracle in %d of %d" % ((off > 0).sum(), len(a))
    )
