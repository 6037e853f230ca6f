"""Mutated files, links and answers for every reader of what comes from outside.

A case begins as something valid and is changed where its structure is: lengths, offsets, dtypes,
names, nesting, names that come twice, numbers, texts; then perhaps cut off, flipped, sealed anew
with right checksums, or packed with gzip once or twice, with a wrong checksum or a bomb behind it.
Each must be accepted and valid, or be refused with the reader's one class of error and a sentence,
within SLOWEST seconds and MOST_MEMORY bytes.

    python3 -m tests.fuzz.readers --reader checkpoint --count 100000 --seed 1

READERS has the readers of Python: checkpoint, safetensors, tokenizer, gzip, json. Those of the page
are PAGE: link, dataset, results, model, text, messages; Node runs them (tests/fuzz/readers.mjs).
`--reader all` runs every one.
"""

import argparse
import gzip
import io
import json
import random
import re
import resource
import struct
import subprocess
import time
import zlib
from hashlib import sha256

from tests.hosts import NODE, ROOT
from tests.storage.test_checkpoint import Model, saved
from tinygpt import checkpoint, tokenizer
from tinygpt.config import ModelConfig
from tinygpt.storage import bounded_json, gzip_file, safetensors_file
from tinygpt.storage.checkpoint_file import parameter_shapes, parse_json

SLOWEST = 2.0  # seconds for one case
MOST_MEMORY = 500e6  # bytes that the process grows by in a run; V8 keeps some 200 MB of garbage
NUMBERS = (0, 1, -1, 7, 8, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64)
NUMBERS += (10**40, 1.5, -0.0, 1e308, 5e-324)
TEXTS = (
    "",
    "x",
    "F32",
    "I8",
    "F128",
    "null",
    "tinygpt",
    "\ud800",
    "\0",
    "__proto__",
    "../x",
    "a" * 3000,
    "[[[[{",
    '"\\',
)
VALUES = (None, True, False, *NUMBERS, *TEXTS, [], [0], {}, {"a": 1})
RAW = ("NaN", "-Infinity", "1e999", "9" * 5000, "[" * 99 + "]" * 99, "[" * 101 + "]" * 101, "[" * 8000, '{"a":' * 8000)
RAW += ('{"a":1,"a":2}', "[,]", '"\\ud800"', '"\\', "01", "{", "}", '"')


# ---- a value with its structure changed ----


def raw(text):
    """A text that `written` puts into the JSON as it is."""
    return "raw:" + text


def any_value(rng):
    value = rng.choice(VALUES)
    return type(value)(value) if isinstance(value, (list, dict)) else value


def places(value, out):
    """Every (container, key) of a JSON value."""
    for key in value if isinstance(value, dict) else range(len(value)):
        out.append((value, key))
        if isinstance(value[key], (dict, list)):
            places(value[key], out)
    return out


def change(rng, value):
    """Changes one to three places of a JSON object, in place."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = places(value, [])
        if not found:
            value["x"] = any_value(rng)
            continue
        container, key = rng.choice(found)
        kind = rng.randrange(9)
        if kind <= 2:
            container[key] = any_value(rng)
        elif kind == 3:
            container[key] = rng.choice(NUMBERS)
        elif kind == 4:
            container[key] = raw(rng.choice(RAW))
        elif kind == 5:
            del container[key]
        elif kind == 6 and isinstance(container, dict):
            container[rng.choice((*TEXTS, key + "x"))] = container.pop(key)
        elif kind == 7 and isinstance(container, dict):  # the same name twice
            container[key] = raw("%s,%s:%s" % (written(container[key]), json.dumps(key), written(any_value(rng))))
        else:
            other, where = rng.choice(found)
            if not isinstance(other[where], (dict, list)):
                container[key] = other[where]
    return value


RAW_TEXT = re.compile(r'"raw:((?:[^"\\]|\\.)*)"')


def written(value):
    """JSON text, with every `raw` as it is."""
    text = json.dumps(value)
    return RAW_TEXT.sub(lambda found: json.loads('"%s"' % found[1]), text) if '"raw:' in text else text


def damaged(rng, data):
    """Bytes with a few of them wrong."""
    kind = rng.randrange(5)
    if kind == 0:
        return data[: rng.randrange(len(data) + 1)]
    if kind == 1:
        return data + rng.randbytes(rng.randrange(1, 40))
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if out and kind == 2:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
        elif out and kind == 3:
            out[rng.randrange(len(out))] = rng.choice(b'{}[]",:-0123456789eE\\ nulltrue')
        else:
            at, source = rng.randrange(len(out) + 1), rng.randrange(len(out) + 1)
            out[at : at + rng.randrange(30)] = out[source : source + rng.randrange(30)]
    return bytes(out)


# ---- safetensors and checkpoints ----


def parts(data):
    """(metadata, header, tensor bytes) of a good file."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    return header.pop("__metadata__", {}), header, data[end:]


def assembled(metadata, header, tensors, length=None):
    text = written({"__metadata__": metadata, **header}).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text) if length is None else length & (2**64 - 1)) + text + tensors


def sealed(metadata, header, tensors):
    """With the checksums that belong to it, as far as they can be computed."""
    try:
        shapes = {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
        metadata["header_sha256"] = safetensors_file.header_digest(metadata, shapes)
        spans = [header[name]["data_offsets"] for name in sorted(header)]
        metadata["data_sha256"] = sha256(b"".join(tensors[a:b] for a, b in spans)).hexdigest()
    except Exception:  # what is hostile need not have any
        pass
    return assembled(metadata, header, tensors)


SMALL = {
    "__metadata__": {"a": "b"},
    "x": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
    "y": {"dtype": "I8", "shape": [3], "data_offsets": [8, 11]},
    "z": {"dtype": "F64", "shape": [], "data_offsets": [11, 19]},
}


def safetensors_case(rng):
    header, tensors = json.loads(json.dumps(SMALL)), bytes(19)
    if rng.randrange(8):
        change(rng, header)
    length = None if rng.randrange(10) else rng.choice((*(n for n in NUMBERS if type(n) is int), rng.randrange(400)))
    data = assembled(header.pop("__metadata__", {}), header, tensors, length)
    return damaged(rng, data) if rng.randrange(4) == 0 else data


def safetensors_read(data):
    metadata, views = safetensors_file.read(data)
    assert all(type(key) is type(value) is str for key, value in metadata.items())
    assert sum(len(view.data) for view in views.values()) <= len(data)
    for view in views.values():
        size = safetensors_file.ITEM_BYTES[view.dtype]
        for n in view.shape:
            size *= n
        assert size == len(view.data)


PLAIN = checkpoint.dumps(Model(ModelConfig(vocab_size=3, context=2, layers=1, d_model=2, heads=1, bias=False)))
WITH_OPTIMIZER = saved()[2]
JSON_FIELDS = ("model", "train", "tokenizer", "step", "random", "data", "history", "optimizer")


def checkpoint_case(rng):
    good = PLAIN if rng.randrange(8) else WITH_OPTIMIZER
    kind = rng.randrange(8)
    if kind == 0:
        return damaged(rng, good)
    metadata, header, tensors = parts(good)
    if kind <= 4:  # a text of JSON in the metadata
        name = rng.choice(JSON_FIELDS)
        value = change(rng, {"value": json.loads(metadata[name])})
        metadata[name] = written(value.get("value"))
        if rng.randrange(12) == 0:
            metadata[name] = rng.choice(RAW)
    elif kind == 5:
        change(rng, metadata)
    else:
        change(rng, header)
    return sealed(metadata, header, tensors) if rng.randrange(6) else assembled(metadata, header, tensors)


def checkpoint_read(data):
    file = checkpoint.loads(data)
    assert {name: view.shape for name, view in file.model.items()} == parameter_shapes(file.model_config)
    assert type(file.step) is int and type(file.history) is list
    assert file.tokenizer is None or file.tokenizer.vocab_size == file.model_config.vocab_size
    assert (file.optimizer is None) == (not file.moments)
    repr((file.random, file.data, file.history))  # no deeper than Python can follow


# ---- a tokenizer's JSON, any JSON ----


def tokenizer_case(rng):
    value = {"kind": "chars", "characters": "".join(sorted(set(rng.choices("abcdeüß漢\n\0", k=4))))}
    if rng.randrange(4) == 0:
        value = {"kind": "bytes"}
    if rng.randrange(6):
        change(rng, value)
    text = written(value)
    return text[: rng.randrange(len(text) + 1)] if rng.randrange(8) == 0 else text


def tokenizer_read(text):
    made = tokenizer.from_dict(parse_json(text, "tokenizer"))
    assert tokenizer.from_dict(made.to_dict()) == made and made.vocab_size > 0
    ids = made.encode(made.characters if made.kind == "chars" else "aü")
    assert made.encode(made.decode(ids)) == ids


def json_case(rng):
    value = {"a": [1, {"b": "x[{"}, []], "c": {"d": None, "e": [[[2.5]]]}, 'q"\\': "\\"}
    change(rng, value)
    text = written(value)
    if rng.randrange(3):
        return text
    return damaged(rng, text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogateescape")


def depth(value):
    """How deep lists and objects are in each other; level by level, without recursion."""
    level, count = [value], 0
    while True:
        level = [
            one
            for container in level
            if isinstance(container, (dict, list))
            for one in [*(container.values() if isinstance(container, dict) else container), None]
        ]
        if not level:
            return count
        count += 1


def every_value(pairs):
    """An object whose names may come twice."""
    return {i: value for i, (_, value) in enumerate(pairs)}


def json_read(text):
    """The scan is right: it accepts all that nests no deeper than it says, and nothing else."""
    try:
        value = bounded_json.parse(text)
    except bounded_json.LimitError:
        try:
            assert depth(json.loads(text, object_pairs_hook=every_value)) > bounded_json.MAX_DEPTH
        except RecursionError:
            pass
        raise
    assert depth(value) <= bounded_json.MAX_DEPTH


# ---- gzip ----

ZEROS = gzip.compress(bytes(64 << 20), 9, mtime=0)  # 64 kB
WHOLE = [PLAIN, assembled({}, {}, b"")]


def bomb():
    """A good header, and behind it 64 MB that it does not declare."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(PLAIN) + packer.compress(bytes(64 << 20)) + packer.flush()


BOMB = bomb()


def gzip_case(rng):
    kind = rng.randrange(40)
    if kind == 0:
        return BOMB if rng.randrange(8) == 0 else ZEROS
    data = safetensors_case(rng) if kind < 20 else rng.choice(WHOLE)
    for _ in range(rng.choice((1, 1, 1, 1, 2))):
        data = gzip.compress(data, rng.choice((0, 1, 9)), mtime=0)
    if kind % 4 == 1:
        data = damaged(rng, data)
    elif kind % 4 == 2:  # checksum and size at the end
        data = data[: -rng.choice((1, 4, 8))] + rng.randbytes(rng.choice((0, 1, 8)))
    elif kind % 4 == 3:
        data += rng.choice((b"\0" * 9, b"x", data, BOMB))
    return b"\x1f\x8b" + data[2:]


def gzip_read(data):
    out = gzip_file.unpacked(io.BytesIO(data))
    metadata, views = safetensors_file.read(out)
    assert len(out) >= sum(len(view.data) for view in views.values())


READERS = {
    "checkpoint": (checkpoint_case, checkpoint_read, checkpoint.CheckpointError),
    "safetensors": (safetensors_case, safetensors_read, checkpoint.CheckpointError),
    "tokenizer": (tokenizer_case, tokenizer_read, ValueError),
    "gzip": (gzip_case, gzip_read, checkpoint.CheckpointError),
    "json": (json_case, json_read, ValueError),
}
PAGE = ("link", "dataset", "results", "model", "text", "messages")


def run(reader, count, seed=1):
    """{tried, accepted, wrong: [(case number, what happened)], slowest: seconds, memory: bytes}."""
    if reader in PAGE:
        command = [str(NODE), "--max-old-space-size=256", "tests/fuzz/readers.mjs", reader, str(count), str(seed)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return {"tried": 0, "accepted": 0, "wrong": [[0, done.stderr[-500:]]], "slowest": 0, "memory": 0}
        return json.loads(done.stdout)
    make, read, refusal = READERS[reader]
    rng, wrong, accepted, slowest = random.Random(seed), [], 0, 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for i in range(count):
        case = make(rng)
        began = time.perf_counter()
        try:
            read(case)
            accepted += 1
        except refusal as error:
            sentence = str(error)
            if not 10 < len(sentence) < 700:
                wrong.append((i, "%s: %.300s" % (type(error).__name__, sentence)))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            wrong.append((i, "%s: %.300s" % (type(error).__name__, error)))
        slowest = max(slowest, time.perf_counter() - began)
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return {"tried": count, "accepted": accepted, "wrong": wrong, "slowest": slowest, "memory": memory}


def failures(result):
    """What is not as it must be, in sentences."""
    found = ["case %d: %s" % (i, what) for i, what in result["wrong"]]
    if result["slowest"] > SLOWEST:
        found.append("the slowest case took %.1f s" % result["slowest"])
    if result["memory"] > MOST_MEMORY:
        found.append("the run took %.0f MB" % (result["memory"] / 1e6))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--reader", choices=[*READERS, *PAGE, "all"], default="all")
    parser.add_argument("--count", type=int, default=20_000, help="cases for each reader")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    bad = 0
    for reader in [*READERS, *PAGE] if options.reader == "all" else [options.reader]:
        began = time.perf_counter()
        result = run(reader, options.count, options.seed)
        found = failures(result)
        bad += bool(found)
        for sentence in found[:8]:
            print("  " + sentence)
        print(
            "%s: %d cases, seed %d: %d accepted, %d wrong, slowest %.3f s, %+.0f MB, %.0f s"
            % (
                reader,
                result["tried"],
                options.seed,
                result["accepted"],
                len(result["wrong"]),
                result["slowest"],
                result["memory"] / 1e6,
                time.perf_counter() - began,
            ),
            flush=True,
        )
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
