"""Checkpoints: a loaded state is bit-identical to the saved one, the safetensors library reads it,
and no damaged, foreign or hostile file does more than raise one CheckpointError: nothing crashes,
hangs or changes the model.
"""

import io
import json
import math
import pickle
import random
import struct
import time
import zipfile
from array import array

import numpy
import pytest
import safetensors
import safetensors.numpy

from tinygpt import checkpoint
from tinygpt.checkpoint import CheckpointError
from tinygpt.config import PRESETS, ModelConfig, TrainConfig
from tinygpt.storage import safetensors_file
from tinygpt.tokenizer import ByteTokenizer, CharTokenizer

pytestmark = pytest.mark.fast

CONFIG = ModelConfig(vocab_size=6, context=4, layers=1, d_model=4, heads=2)
TRAIN = TrainConfig(steps=7, lr=1e-3, schedule="cosine")
STATE = dict(
    train=TRAIN,
    tokenizer=CharTokenizer("abcdef"),
    step=5,
    random={"seed": 42, "offset": 17},
    data={"train": {"seed": 42, "offset": 3}, "validation": {"seed": 42 + 2**32, "offset": 8}, "corpus": "stdlib"},
    history=[{"step": 1, "train": 5.5}, {"step": 5, "train": 5.25, "validation": float("nan")}],
)


class Values:
    """Stands in for a Tensor, so that the format is tested without a device: shape, tobytes,
    copy_bytes_.
    """

    def __init__(self, shape, seed):
        self.shape, rng = shape, random.Random(seed)
        self.values = array("f", [rng.gauss(0, 1) for _ in range(math.prod(shape))])
        self.data = self

    def tobytes(self):
        return self.values.tobytes()

    def copy_bytes_(self, data):
        assert memoryview(data).nbytes == len(self.values) * 4
        self.values = array("f", bytes(data))


class Model:
    def __init__(self, config, seed=0):
        self.config = config
        self.tensors = {
            name: Values(shape, (seed, name).__repr__()) for name, shape in checkpoint.parameter_shapes(config).items()
        }

    def named_parameters(self):
        return iter(self.tensors.items())


class AdamW:
    def __init__(self, model, seed=0):
        parameters = list(model.tensors.values())
        self.param_groups = [
            {
                "params": [p for p in parameters if len(p.shape) >= keep[0] and len(p.shape) < keep[1]],
                "lr": 0.1,
                "betas": (0.9, 0.95),
                "weight_decay": keep[0],
            }
            for keep in ((2, 9), (0, 2))
        ]
        self.steps = {id(p): 0 for p in parameters}
        self.moments = {
            (letter, id(p)): Values(p.shape, (seed, letter, i).__repr__())
            for letter in "mv"
            for i, p in enumerate(parameters)
        }

    def state_arrays(self, named):
        return {"%s.%s" % (letter, name): self.moments[letter, id(p)] for letter in "mv" for name, p in named}


def contents(model, optimizer):
    groups = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    moments = [t.tobytes() for t in optimizer.moments.values()]
    return [t.tobytes() for t in model.tensors.values()], moments, list(optimizer.steps.values()), groups


def saved(config=CONFIG, **state):
    model = Model(config)
    optimizer = AdamW(model)
    optimizer.steps = dict.fromkeys(optimizer.steps, 5)
    optimizer.param_groups[0]["lr"] = 0.025
    return model, optimizer, checkpoint.dumps(model, optimizer, **{**STATE, **state})


def resealed(data, change):
    """The file with `change(metadata, header)` applied and valid checksums: a hostile writer can do
    this.
    """
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    change(metadata, header)
    try:
        shapes = {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
        metadata["header_sha256"] = safetensors_file.header_digest(metadata, shapes)
    except (TypeError, KeyError):
        pass
    text = json.dumps({"__metadata__": metadata, **header}).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def refused(data, sentence):
    model, optimizer = Model(CONFIG, 1), None
    optimizer = AdamW(model, 1)
    before = contents(model, optimizer)
    with pytest.raises(CheckpointError, match=sentence) as caught:
        checkpoint.loads(data).load_into(model, optimizer)
    assert contents(model, optimizer) == before
    assert "\n" not in str(caught.value)


# ---- what was saved comes back -----------------------------------------------------------------


def test_everything_comes_back_to_the_bit(tmp_path):
    model, optimizer, data = saved()
    path = tmp_path / "run.tinygpt"
    checkpoint.save(path, model, optimizer, **STATE)
    assert path.read_bytes() == data and [p.name for p in tmp_path.iterdir()] == ["run.tinygpt"]
    loaded = checkpoint.load(path)
    assert (loaded.model_config, loaded.train_config, loaded.tokenizer) == (CONFIG, TRAIN, STATE["tokenizer"])
    assert (loaded.step, loaded.random, loaded.data) == (5, STATE["random"], STATE["data"])
    assert loaded.history[1] == {"step": 5, "train": 5.25, "validation": None}
    other = Model(CONFIG, 1)
    fresh = AdamW(other, 1)
    loaded.load_into(other, fresh)
    assert contents(other, fresh) == contents(model, optimizer)


@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(positions="rotary", norm="rms", mlp="swiglu", heads=4, kv_heads=2, d_model=16),
        dict(tie_embeddings=False, bias=False),
    ],
)
def test_a_model_alone_is_a_checkpoint_too(options):
    config = ModelConfig(**options)
    model = Model(config)
    loaded = checkpoint.loads(checkpoint.dumps(model))
    assert loaded.optimizer is None and loaded.tokenizer is None and loaded.step == 0 and loaded.model_config == config
    other = Model(config, 1)
    loaded.load_into(other)
    assert [t.tobytes() for t in other.tensors.values()] == [t.tobytes() for t in model.tensors.values()]


def test_presets_have_the_parameters_they_name():
    counts = {
        name: sum(math.prod(s) for s in checkpoint.parameter_shapes(p.model).values()) for name, p in PRESETS.items()
    }
    assert counts["tiny"] == 256 * 48 + 32 * 48 + 2 * (12 * 48 * 48 + 13 * 48) + 2 * 48
    assert round(counts["behemoth"] / 1e6) == 473


def test_a_failed_write_leaves_the_old_file(tmp_path):
    model, optimizer, data = saved()
    path = tmp_path / "run.tinygpt"
    path.write_bytes(b"the last good one")
    list(model.tensors.values())[-1].shape = (999,)
    with pytest.raises(CheckpointError, match="needs 3996"):
        checkpoint.save(path, model, optimizer, **STATE)
    assert path.read_bytes() == b"the last good one" and len(list(tmp_path.iterdir())) == 1


# ---- the safetensors library -------------------------------------------------------------------


def test_the_safetensors_library_reads_ours_and_we_read_its(tmp_path):
    model, optimizer, data = saved()
    path = tmp_path / "run.tinygpt"
    path.write_bytes(data)
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    assert json.loads(metadata["model"]) == CONFIG.to_dict()
    weight = tensors["model.blocks.0.attn.qkv.weight"]
    assert weight.shape == (12, 4) and weight.dtype == numpy.float32
    assert weight.tobytes() == model.tensors["blocks.0.attn.qkv.weight"].tobytes()
    again = tmp_path / "again.tinygpt"
    safetensors.numpy.save_file(tensors, again, metadata=metadata)  # the library's order of tensors and of metadata
    other = Model(CONFIG, 1)
    fresh = AdamW(other, 1)
    checkpoint.load(again).load_into(other, fresh)
    assert contents(other, fresh) == contents(model, optimizer)


# ---- damage, strangers and malice --------------------------------------------------------------


def test_foreign_files_are_named():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("model/data.pkl", b"x" * 99)
    for data, sentence in (
        (b"", "empty"),
        (b"abc", "this is not a .tinygpt file$"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "a PNG image"),
        (archive.getvalue(), "ZIP archive"),
        (pickle.dumps({"weights": [1.0] * 99}), "Python pickle"),
        (b"<!DOCTYPE html><html>404", "a web page"),
        (b'{"model": 1}' * 9, "JSON text"),
        (b"\xff" * 64, "this is not a .tinygpt file$"),
    ):
        refused(data, sentence)
    refused(safetensors.numpy.save({"x": numpy.zeros(3)}), "not a TinyGPT checkpoint")


def test_every_truncation_and_every_kind_of_flip_is_caught():
    _, _, data = saved()
    for length in [*range(64), *range(64, len(data), 97), len(data) - 1]:
        refused(data[:length], ".")
    refused(data + b"\0", "1 bytes follow the last tensor")
    refused(data[:-1] + bytes([data[-1] ^ 1]), "do not match their checksum")
    refused(data.replace(b'\\"lr\\":0.025', b'\\"lr\\":0.035'), "header does not match its checksum")


@pytest.mark.alone
def test_mutations_never_crash_hang_or_pass_unseen():
    _, _, data = saved()
    rng = random.Random(7)
    header = int.from_bytes(data[:8], "little")
    good = contents(*saved()[:2])
    start = time.monotonic()
    for i in range(4000):
        mutant = bytearray(data)
        limit = header + 8 if i % 2 else len(data)
        for _ in range(rng.choice((1, 1, 1, 2, 8))):
            at, kind = rng.randrange(limit), rng.randrange(4)
            if kind == 0:
                mutant[at % len(mutant)] ^= 1 << rng.randrange(8)
            elif kind == 1:
                mutant[at : at + rng.randrange(1, 9)] = rng.randbytes(rng.randrange(9))
            elif kind == 2:
                mutant[at % len(mutant)] = rng.choice(b'{}[]",:-0123456789eE\\ ')
            else:
                source = rng.randrange(len(mutant))
                mutant[at:at] = mutant[source : source + rng.randrange(32)]
        try:
            loaded = checkpoint.loads(bytes(mutant))
        except CheckpointError:
            continue
        model = Model(CONFIG, 1)  # only white space in the header, or nothing, was changed
        optimizer = AdamW(model, 1)
        loaded.load_into(model, optimizer)
        assert contents(model, optimizer) == good, i
    assert time.monotonic() - start < 20


def test_hostile_headers_get_a_sentence():
    _, _, data = saved()
    first = "model.blocks.0.attn.proj.bias"

    def entry(**values):
        return lambda metadata, header: header[first].update(values)

    def part(name, value):
        return lambda metadata, header: metadata.update({name: value if isinstance(value, str) else json.dumps(value)})

    def model(**values):
        return part("model", {**CONFIG.to_dict(), **values})

    optimizer = json.loads(safetensors_file.read(data)[0]["optimizer"])
    stream = {"seed": 1, "offset": 1}
    for change, sentence in (
        (entry(dtype="F16"), "does not take"),
        (entry(dtype="Q4"), "not known"),
        (entry(dtype=["F32"]), "not known"),
        (entry(shape=[2, 2]), r"where F32 \[4\] is needed"),
        (entry(shape=[-4]), "not a list"),
        (entry(shape=[True, 4]), "not a list"),
        (entry(shape=[2**62, 2**62]), "does not take"),
        (entry(shape=[1] * 9), "at most 8"),
        (entry(data_offsets=[0, 2**70]), "cut off or damaged"),
        (entry(data_offsets=[16, 0]), "data_offsets"),
        (entry(data_offsets=[4, 20]), "after a gap|overlaps"),
        (entry(data_offsets=[16, 32]), "after a gap|overlaps"),
        (entry(more=1), "dtype, shape and data_offsets"),
        (lambda metadata, header: header.update(x=3), "dtype, shape and data_offsets"),
        (lambda metadata, header: header.update({"lora.a": header.pop(first)}), "does not know"),
        (lambda metadata, header: header.update({"model.bias": header.pop(first)}), "lacks 1 tensor that"),
        (lambda metadata, header: metadata.update(format="pt"), "not a TinyGPT checkpoint"),
        (lambda metadata, header: metadata.update(step=5), "object of strings"),
        (lambda metadata, header: metadata.pop("history"), "has no 'history'"),
        (part("format_version", "2"), "update TinyGPT"),
        (part("model", "[" * 100000), "nested too deeply|not valid JSON"),
        (part("model", '{"layers":1,"layers":2}'), "twice"),
        (part("model", [1]), "must be a JSON object"),
        (model(vocab_size=10**4000), "vocab_size is an integer of about 4000 digits"),
        (model(layers=10**12), "layers"),
        (model(layers=2), "layers|lacks"),
        (model(context=2**40), "context"),
        (model(positions="rotary", context=2**40), "context"),
        (model(heads=3), "not a multiple"),
        (model(heads=1), "heads"),
        (model(d_model=True), "must be int"),
        (model(extra=1), "no setting"),
        (part("model", json.dumps(CONFIG.to_dict()).replace('"dropout": 0.0', '"dropout": NaN')), "not valid JSON"),
        (part("train", {"lr": "fast"}), "must be float"),
        (part("train", '{"lr": 1e999}'), "too large"),
        (part("tokenizer", {"kind": "bytes"}), "256 tokens, its model 6"),
        (part("tokenizer", {"kind": "chars", "characters": "fedcba"}), "sorted"),
        (part("step", -1), "step"),
        (part("step", 1.5), "step"),
        (part("step", "9" * 5000), "not valid JSON"),
        (part("history", {}), "must be a list"),
        (part("random", {"seed": 1}), "seed, offset"),
        (part("random", {"seed": 1, "offset": -1}), "seed, offset"),
        (part("random", {**stream, "seed": 2**64}), "seed, offset"),
        (part("data", []), "must be an object"),
        (part("data", {"train": 3}), "train stream"),
        (part("optimizer", None), "does not know"),
        (part("optimizer", {**optimizer, "kind": ["AdamW"]}), "must have a kind"),
        (part("optimizer", {**optimizer, "kind": "SGD"}), "does not know"),
        (part("optimizer", {**optimizer, "steps": {}}), "same parameters"),
        (part("optimizer", {**optimizer, "groups": 1}), "list of params"),
        (part("optimizer", {**optimizer, "groups": optimizer["groups"] * 2}), "same parameters"),
        (part("optimizer", {**optimizer, "groups": optimizer["groups"][::-1]}), "make the groups in the same way"),
        (part("optimizer", {**optimizer, "groups": [{**g, "lr": "x"} for g in optimizer["groups"]]}), "setting 'lr'"),
        (part("optimizer", {**optimizer, "groups": [{**g, "__class__": 1} for g in optimizer["groups"]]}), "not known"),
    ):
        refused(resealed(data, change), sentence)
    text = data[8 : 8 + int.from_bytes(data[:8], "little")]
    again = (
        text[:-1].rstrip().rstrip(b"}") + b'},"%s":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' % first.encode()
    )
    refused(struct.pack("<Q", len(again)) + again + data[8 + len(text) :], "twice")
    for length in (0, 1, 2**31, 2**63, 2**64 - 1):
        refused(struct.pack("<Q", length) + data[8:], ".")


def test_a_checkpoint_of_another_model_or_optimizer_changes_nothing():
    model, optimizer, data = saved()
    other = Model(ModelConfig(vocab_size=6, context=4, layers=1, d_model=4, heads=1), 1)
    with pytest.raises(CheckpointError, match="heads = 2 and this one 1"):
        checkpoint.loads(data).load_into(other)
    own = Model(CONFIG, 1)
    before = contents(own, AdamW(own, 1))
    with pytest.raises(CheckpointError, match="no optimizer state"):
        checkpoint.loads(checkpoint.dumps(model)).load_into(own, AdamW(own, 1))
    wrong = AdamW(own, 1)
    wrong.param_groups = [{"params": [p for g in wrong.param_groups for p in g["params"]]}]
    with pytest.raises(CheckpointError, match="groups"):
        checkpoint.loads(data).load_into(own, wrong)
    assert contents(own, AdamW(own, 1)) == before


def test_what_cannot_be_read_back_is_not_written():
    for state, sentence in (
        (dict(step=-1), "step"),
        (dict(history=[object()]), "history"),
        (dict(random={"seed": 1}), "seed, offset"),
    ):
        with pytest.raises(CheckpointError, match=sentence):
            checkpoint.dumps(Model(CONFIG), **state)
    with pytest.raises(CheckpointError, match="256 tokens"):
        checkpoint.dumps(Model(CONFIG), tokenizer=ByteTokenizer())
