"""Runs kernel cases on a device, on whichever host it is: standard library only, inputs computed
where they are used.

A case is [name, kernel, buffers, params]. A buffer is None (absent) or a dict: `dtype`, `n`
elements of which the first lies `offset` elements into the allocation, `fill` (how it is filled,
see `contents`), and `alias`: the index of an earlier buffer whose memory it is. Every buffer starts
filled, outputs with a sentinel, and has guard elements on both sides; whole allocations come back,
so a kernel that writes outside its extent, or not all of it, is seen.
"""

import array
import hashlib
import random
import struct

from tinygpt import get_device, kernels, set_device

GUARD = 16  # elements after each buffer
PERIOD = 65521  # random contents repeat after so many elements: a prime, so that no two rows of a tensor are alike
SENTINEL = {
    "float32": struct.pack("<I", 0x7FC0BEEF), "int32": struct.pack("<i", -7070707), "int8": b"\xb3",
    "float64": struct.pack("<Q", 0x7FF80000BEEF0000), "int64": struct.pack("<q", -7070707),
    "int16": b"\xfe\xca", "uint8": b"\xb3", "float16": b"\xfe\x7e", "bfloat16": b"\xfe\x7f",
}  # fmt: skip
# The 16-bit floats are filled by their bits.
TYPECODE = {
    "float32": "f", "int32": "i", "int8": "b", "float64": "d", "int64": "q", "int16": "h", "uint8": "B",
    "float16": "H", "bfloat16": "H",
}  # fmt: skip
SIZE = {name: len(sentinel) for name, sentinel in SENTINEL.items()}


def contents(fill, n, dtype, seed):
    """Bytes of n elements. fill: [kind, *arguments].

    sentinel; signed | positive [shift]: magnitudes from 2^shift / 8 to 2^shift * 2, log-uniform,
    random sign or none; ints low high; values [...]: repeated as often as it takes; groups [[end,
    seven settings], ...]: an optimizer's hyper.
    """
    kind = fill[0]
    rng = random.Random("%s/%d" % (seed, n))
    if kind == "sentinel":
        return SENTINEL[dtype] * n
    if kind in ("signed", "positive") and dtype == "float64":
        singles = array.array("f", contents(fill, n, "float32", seed))
        return array.array("d", singles).tobytes()
    if kind in ("signed", "positive"):
        # Straight to the bits of float32: sign and 23 bits of mantissa random, exponent one of
        # four. All in long integers, because element by element would take seconds at a preset's
        # shapes.
        exponent = (124 + (fill[1] if len(fill) > 1 else 0)) << 23
        keep = 0x81FFFFFF if kind == "signed" else 0x01FFFFFF
        assert exponent & 0x01800000 == 0, "shift must be a multiple of 4"
        m = min(n, PERIOD)
        words = int.from_bytes(rng.randbytes(4 * m), "little")
        words = words & int.from_bytes(struct.pack("<I", keep) * m, "little") | int.from_bytes(
            struct.pack("<I", exponent) * m, "little"
        )
        return (words.to_bytes(4 * m, "little") * (-(-n // m) if m else 0))[: 4 * n]
    if kind == "ints":
        low, high = fill[1:]
        return _pack([low + int(rng.random() * (high - low)) for _ in range(n)], dtype)
    if kind == "values":
        return _pack((list(fill[1]) * (n // len(fill[1]) + 1))[:n], dtype)
    if kind == "groups":
        return b"".join(struct.pack("<i7f", *row) for row in fill[1])
    raise ValueError("there is no fill %r" % kind)


def _pack(values, dtype):
    if SIZE[dtype] == 1 or dtype == "int16":
        values = [v if TYPECODE[dtype] != "B" else v & 255 for v in values]
    return array.array(TYPECODE[dtype], values).tobytes()


def written(case):
    """[(buffer, its index)] of a case's outputs."""
    declared = kernels.BY_NAME[case[1]].buffers
    return [
        (spec, i) for i, spec in enumerate(case[2]) if spec and declared[i].access in "wu" and spec.get("alias") is None
    ]


def run_case(device, case):
    """The bytes of every written buffer's whole allocation, in order."""
    name, kernel, buffers, params = case
    kernel = kernels.BY_NAME[kernel]
    handles, places, allocated = [], [], []
    try:
        for i, spec in enumerate(buffers):
            if spec is None:
                handles.append(None)
                places.append(None)
            elif spec.get("alias") is not None:
                handles.append(handles[spec["alias"]])
                places.append(places[spec["alias"]])
            else:
                dtype, before = spec["dtype"], spec["offset"]
                words = max(1, 4 // SIZE[dtype])
                after = GUARD + -(before + spec["n"]) % words  # whole words
                data = (
                    SENTINEL[dtype] * before
                    + contents(spec["fill"], spec["n"], dtype, "%s/%d" % (name, i))
                    + SENTINEL[dtype] * after
                )
                handle = device.alloc(len(data), dtype)
                allocated.append(handle)
                device.upload(handle, data)
                handles.append((handle, len(data)))
                places.append((handle, before * SIZE[dtype]))
        device.launch(kernel, places, tuple(params))
        return [device.download(*handles[i]) for _, i in written(case)]
    finally:
        for handle in allocated:
            device.free(handle)


LARGE = 2**19  # bytes; outputs above it are condensed
BLOCK = 1024  # elements
SAMPLED = 64  # blocks returned whole


def condense(data, dtype):
    """A large output as {"blocks": bytes of SAMPLED blocks spread from the first to the last,
    "sums": for every block its sum without NaN and its number of NaN, as float64}: moving all of a
    preset's gradients through a browser would take minutes.
    """
    values = memoryview(data).cast(TYPECODE[dtype])
    count = -(-len(values) // BLOCK)
    chosen = sorted({i * (count - 1) // (SAMPLED - 1) for i in range(SAMPLED)})
    sums = array.array("d")
    for i in range(count):
        block = values[i * BLOCK : (i + 1) * BLOCK].tolist()
        total = sum(block)
        if total != total:
            block = [v for v in block if v == v]
            total = sum(block)
        sums.append(total)
        sums.append(min(BLOCK, len(values) - i * BLOCK) - len(block))
    blocks = b"".join(bytes(values[i * BLOCK : (i + 1) * BLOCK]) for i in chosen)
    return {"blocks": blocks, "sums": sums.tobytes()}


def reference_answers(cases):
    """run_cases on the oracle; the current device stays what it is."""
    before = get_device()
    set_device("reference")
    try:
        return run_cases(cases)
    finally:
        set_device(before.name)


def run_cases(cases, threads=(1,)):
    """{name: {"outputs": [bytes], "differ": thread counts whose outputs have other bits} or
    {"error": sentence}}.

    An output above LARGE is given by `condense`; thread counts are compared on all of it.
    """
    device = get_device()
    answers = {}
    for count in threads:
        reached = device.set_threads(count)
        if reached != count:
            raise RuntimeError("asked for %d threads, the device has %d" % (count, reached))
        for case in cases:
            try:
                outputs = run_case(device, case)
            except (IndexError, ValueError, RuntimeError, MemoryError) as error:
                answers[case[0]] = {"error": "%s: %s" % (type(error).__name__, error)}
                continue
            digest = hashlib.blake2b(b"".join(outputs)).digest()
            if case[0] not in answers:
                dtypes = [spec["dtype"] for spec, _ in written(case)]
                small = [condense(data, dtype) if len(data) > LARGE else data for data, dtype in zip(outputs, dtypes)]
                answers[case[0]] = {"outputs": small, "digest": digest, "differ": []}
            elif answers[case[0]].get("digest") != digest:
                answers[case[0]].setdefault("differ", []).append(count)
    return answers
