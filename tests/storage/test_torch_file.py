"""Files of torch.save: read as PyTorch reads them, written so that PyTorch reads them, and nothing
of a pickle executed.
"""

import io
import pickle
import random
import zipfile
from collections import OrderedDict

import pytest
import torch

from tinygpt.storage import torch_file
from tinygpt.storage.safetensors_file import CheckpointError
from tinygpt.storage.torch_file import StoredTensor

pytestmark = pytest.mark.fast
DTYPES = {
    torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def saved(value):
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


def raw(tensor):
    return bytes(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()) if tensor.numel() else b""


def equal(stored, value):
    """Whether what was read is the value, tensors by their bytes."""
    if isinstance(value, torch.Tensor):
        return (
            stored.dtype == DTYPES[value.dtype]
            and stored.shape == tuple(value.shape)
            and stored.tobytes() == raw(value)
            and stored.requires_grad == value.requires_grad
            and stored.is_parameter == isinstance(value, torch.nn.Parameter)
        )
    if isinstance(value, dict):
        return list(stored) == list(value) and all(equal(stored[key], value[key]) for key in value)
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return len(stored) == len(value) and all(map(equal, stored, value))
    return stored == value


def stored_of(x):
    if not isinstance(x, torch.Tensor):
        return None
    storage = x.untyped_storage()
    data = bytes(storage) if storage.nbytes() else b""
    place = (tuple(x.shape), tuple(x.stride()), x.storage_offset(), storage.data_ptr(), data)
    return StoredTensor(DTYPES[x.dtype], *place, x.requires_grad, isinstance(x, torch.nn.Parameter))


def values():
    torch.manual_seed(0)
    base = torch.randn(6, 8)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(torch.randn(5, 4)).sum().backward()
    optimizer.step()
    return {
        "each dtype": [torch.arange(5).to(dtype) for dtype in DTYPES],
        "views": [
            base.t(),
            base[::2, 1:5],
            base[3],
            base,
            torch.tensor(2.5),
            torch.empty(0, 3),
            base[0:1].expand(4, 8),
        ],
        "a state_dict": model.state_dict(),
        "an optimizer": optimizer.state_dict(),
        "a checkpoint": {"model": model.state_dict(), "step": 7, "best": 1.25, "config": {"n": None, "on": True}},
        "plain": [1, -1, 2**40, -(2**62), 0.5, float("inf"), "å ☃ 🐍", (), (1,), (1, 2, 3, 4), {}, [], None, False],
        "a parameter": torch.nn.Parameter(torch.ones(2, 2)),
        "shared": (lambda x: {"a": x, "b": x[1:]})(torch.arange(4.0)),
        "a size": torch.Size([2, 3]),
    }


VALUES = values()


@pytest.mark.parametrize("name", VALUES)
def test_what_pytorch_saves_is_read(name):
    read = torch_file.read(saved(VALUES[name]))
    assert equal(read, VALUES[name])
    if name == "shared":
        assert read["a"].key == read["b"].key and read["b"].offset == 1


@pytest.mark.parametrize("name", [name for name in VALUES if name != "a size"])
def test_what_is_written_pytorch_loads(name):
    value = VALUES[name]
    content = torch_file.write(value, stored_of)
    loaded = torch.load(io.BytesIO(content), weights_only=True)
    assert equal(torch_file.read(saved(loaded)), value) and equal(torch_file.read(content), value)
    assert content == torch_file.write(value, stored_of), "the same value, the same bytes"
    if name == "shared":
        loaded["a"][1] = 9
        assert loaded["b"][0] == 9


class Harm:
    def __reduce__(self):
        return (print, ("harm",))


@pytest.mark.parametrize(
    "value, said",
    [
        (Harm(), "__builtin__.print"),
        ({"a": [Harm()]}, "__builtin__.print"),
        (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        (torch.complex64, "torch.complex64"),
        (1 << 70, "more than 64 bits"),
    ],
)
def test_what_is_not_plain_is_refused_and_not_executed(value, said, capsys):
    with pytest.raises(CheckpointError, match=said):
        torch_file.read(saved(value))
    assert capsys.readouterr().out == ""


def test_containers_in_a_circle_or_too_deep_are_refused():
    circle = []
    circle.append(circle)
    deep = []
    for _ in range(200):
        deep = [deep]
    for value in (circle, deep):
        with pytest.raises(CheckpointError, match="in a circle"):
            torch_file.read(saved(value))
        with pytest.raises(TypeError, match="in a circle"):
            torch_file.write(value, stored_of)


def test_what_cannot_be_saved_says_so():
    with pytest.raises(TypeError, match="a object cannot be saved"):
        torch_file.write([object()], stored_of)


def archive(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in members.items():
            file.writestr("archive/" + name.replace("__", "/").replace("data_pkl", "data.pkl"), data)
    return out.getvalue()


def test_other_archives_and_old_files_are_refused():
    old = io.BytesIO()
    torch.save(torch.ones(2), old, _use_new_zipfile_serialization=False)
    for content in (b"", b"PK", old.getvalue(), archive(a="b"), archive(data_pkl=pickle.dumps(Harm(), 2))):
        with pytest.raises(CheckpointError):
            torch_file.read(content)
    assert not torch_file.is_torch_file(old.getvalue()) and torch_file.is_torch_file(saved([1]))


def test_mutated_files_are_read_or_refused():
    rng = random.Random(4)
    original = saved(VALUES["a checkpoint"])
    pickled = zipfile.ZipFile(io.BytesIO(original)).read("archive/data.pkl")
    refused = 0
    for _ in range(3000):
        content, mutated = bytearray(original), bytearray(pickled)
        if rng.random() < 0.5:  # in the archive, which the checksums find
            for _ in range(rng.randint(1, 4)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        else:  # in the pickle, under a checksum that holds
            for _ in range(rng.randint(1, 4)):
                mutated[rng.randrange(len(mutated))] = rng.randrange(256)
            parts = {"data__%d" % i: b"\0" * 48 for i in range(8)}
            content = archive(data_pkl=bytes(mutated), **parts)
        try:
            torch_file.read(bytes(content))
        except CheckpointError:
            refused += 1
    assert refused > 1000


def test_an_ordered_dict_stays_one():
    assert type(torch_file.read(saved(OrderedDict(a=1)))) is OrderedDict
