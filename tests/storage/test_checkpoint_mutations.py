"""Ten thousand files that began as a good checkpoint: cut off, flipped, spliced, with hostile
headers and huge lengths. Each is refused with one sentence, or holds exactly the good one's
contents; none crashes, hangs or takes memory.

`mutants` gives them by seed; the browser tests give a part of them to the page.
"""

import json
import random
import struct
import time
import tracemalloc

import pytest

from tests.storage.test_checkpoint import saved
from tinygpt import checkpoint
from tinygpt.checkpoint import CheckpointError
from tinygpt.storage import safetensors_file

pytestmark = pytest.mark.fast
GOOD = saved()[2]
HEAD = 8 + int.from_bytes(GOOD[:8], "little")
HUGE = (0, 1, 7, 8, 2**16, 2**31 - 1, 2**31, 2**32, 2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
VALUES = (
    None,
    True,
    -1,
    0,
    1,
    1.5,
    1e308,
    2**31,
    2**63,
    2**64,
    10**40,
    "",
    "x",
    "F32",
    "null",
    [],
    [0],
    [[]],
    {},
    {"a": 1},
    "\ud800",
)


def mutants(count, seed=1):
    """`count` mutated files, every kind in turn."""
    rng = random.Random(seed)
    for i in range(count):
        yield KINDS[i % len(KINDS)](rng)


def truncated(rng):
    return GOOD[: rng.choice((rng.randrange(len(GOOD)), rng.randrange(HEAD), rng.randrange(64)))]


def flipped(rng):
    data = bytearray(GOOD)
    for _ in range(rng.choice((1, 1, 1, 2, 16))):
        data[rng.randrange(rng.choice((HEAD, len(data))))] ^= 1 << rng.randrange(8)
    return bytes(data)


def spliced(rng):
    data = bytearray(GOOD)
    limit = rng.choice((HEAD, len(data)))
    at, source = rng.randrange(limit), rng.randrange(len(data))
    data[at : at + rng.randrange(40)] = data[source : source + rng.randrange(40)]
    return bytes(data)


def typed_over(rng):
    data = bytearray(GOOD)
    for _ in range(rng.randrange(1, 4)):
        data[rng.randrange(8, HEAD)] = rng.choice(b'{}[]",:-0123456789eE\\ nulltrue')
    return bytes(data)


def huge_length(rng):
    length = rng.choice((*HUGE, rng.randrange(2**64), HEAD - 8 + rng.randrange(-9, 10)))
    return struct.pack("<Q", length & (2**64 - 1)) + GOOD[8:]


def longer(rng):
    return GOOD + rng.randbytes(rng.randrange(1, 200))


def noise(rng):
    return rng.choice((b"", GOOD[:8], struct.pack("<Q", 50) + b"{")) + rng.randbytes(rng.randrange(2000))


def resealed(metadata, header, seal=True):
    """A file with this header and, where possible, a valid checksum: a hostile one."""
    if seal:
        try:
            shapes = {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
            metadata["header_sha256"] = safetensors_file.header_digest(metadata, shapes)
        except Exception:
            pass
    text = json.dumps({"__metadata__": metadata, **header}).encode()
    return struct.pack("<Q", len(text)) + text + GOOD[HEAD:]


def parts():
    header = json.loads(GOOD[8:HEAD])
    return header.pop("__metadata__"), header


def hostile_entry(rng):
    metadata, header = parts()
    name = rng.choice(sorted(header))
    for _ in range(rng.randrange(1, 3)):
        kind = rng.randrange(7)
        entry = header.get(name) if isinstance(header.get(name), dict) else None
        if kind == 0 and entry:
            entry["data_offsets"] = [rng.choice((*HUGE, -1, 1.5)), rng.choice((*HUGE, -1))]
        elif kind == 1 and entry:
            entry["shape"] = [rng.choice((*HUGE, -1)) for _ in range(rng.randrange(12))]
        elif kind == 2 and entry:
            entry["dtype"] = rng.choice((*safetensors_file.ITEM_BYTES, "F128", 7, None))
        elif kind == 3 and entry:
            entry[rng.choice(("dtype", "shape", "data_offsets", "more"))] = rng.choice(VALUES)
        elif kind == 4:
            header[rng.choice(("x", "model.", "optimizer", "optimizer.m.", name + "/../x", "a" * 3000))] = header.pop(
                name, {}
            )
        elif kind == 5:
            header.pop(name, None)
        else:
            header[name] = rng.choice(VALUES)
    return resealed(metadata, header)


def hostile_metadata(rng):
    metadata, header = parts()
    name = rng.choice(sorted(metadata))
    kind = rng.randrange(5)
    if kind == 0:
        metadata[name] = rng.choice(VALUES)
    elif kind == 1:
        metadata[name] = rng.choice(
            ("[" * 50_000, "{" * 9, '{"a":' * 5000, "9" * 6000, "1e999", "NaN", "Infinity", '"', "", '{"a":1,"a":2}')
        )
    elif kind == 2:
        metadata.pop(name)
    else:
        try:
            value = json.loads(metadata[name])
            key = rng.choice(sorted(value))
            value[key] = rng.choice((*VALUES, *HUGE))
            metadata[name] = json.dumps(value)
        except (ValueError, TypeError, IndexError):
            metadata[name] = json.dumps(rng.choice(VALUES))
    return resealed(metadata, header, seal=name != "header_sha256")


def white_space(rng):
    """Differs from the good one in white space only: it may be read."""
    metadata, header = parts()
    text = json.dumps({"__metadata__": metadata, **header}, indent=rng.randrange(5)).encode() + b" " * rng.randrange(20)
    return struct.pack("<Q", len(text)) + text + GOOD[HEAD:]


KINDS = (truncated, flipped, hostile_entry, hostile_metadata, spliced, typed_over, huge_length, longer, noise, flipped,
         hostile_entry, hostile_metadata, white_space)  # fmt: skip


def content(file):
    tensors = {name: view.tobytes() for name, view in file.model.items()}
    moments = {(letter, name): view.tobytes() for letter, views in file.moments.items() for name, view in views.items()}
    metadata = [
        file.model_config,
        file.train_config,
        file.tokenizer,
        file.step,
        file.random,
        file.data,
        file.history,
        file.optimizer,
    ]
    return tensors, moments, metadata


@pytest.mark.alone
@pytest.mark.parametrize("own", [False, True])
def test_ten_thousand_mutants_are_refused_with_a_sentence_or_hold_the_same(own):
    good = content(checkpoint.loads(GOOD))
    refused, same, slowest, begun = 0, 0, 0.0, time.monotonic()
    kinds = {}
    for i, data in enumerate(mutants(10_000 if not own else 2_000, seed=1 + own)):
        started = time.monotonic()
        try:
            file = checkpoint.loads(data, own=own)
        except CheckpointError as error:
            text = str(error)
            assert 20 < len(text) < 600 and "\n" not in text, (i, text)
            refused += 1
            kinds[KINDS[i % len(KINDS)].__name__] = kinds.get(KINDS[i % len(KINDS)].__name__, 0) + 1
        else:
            changed_only_metadata = (
                KINDS[i % len(KINDS)] is hostile_metadata
            )  # a sealed file may say another step, and be good
            assert changed_only_metadata or content(file) == good, (i, KINDS[i % len(KINDS)].__name__)
            same += 1
        slowest = max(slowest, time.monotonic() - started)
    assert refused > 0.8 * (refused + same) and set(kinds) == {kind.__name__ for kind in KINDS} - {"white_space"}, kinds
    assert slowest < 2 and time.monotonic() - begun < 60, (slowest, time.monotonic() - begun)


def test_no_mutant_takes_memory_beyond_its_own_size():
    tracemalloc.start()
    for data in mutants(500, seed=5):
        try:
            checkpoint.loads(data)
        except CheckpointError:
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6, peak
