"""Files of torch.save: written here and read by PyTorch, and the other way round."""

import io
import pickle
from collections import Counter, OrderedDict

import pytest
import torch

import tinygpt.torch as tt
from tinygpt import nn, tensor
from tinygpt.torch import optim, serialization

pytestmark = pytest.mark.fast
DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
PLAIN = [
    None, True, 3, -(2**40), 2.5, "naïve", b"\x00\xff", [1, [2]], (1, ("a",)), {1, 2}, {"a": {"b": [None]}},
    OrderedDict(b=1, a=2), Counter("abca"), [],
]  # fmt: skip


def of_theirs(value):
    """What the front reads of PyTorch's file."""
    out = io.BytesIO()
    torch.save(value, out)
    out.seek(0)
    return serialization.load(out)


def of_mine(value):
    """What PyTorch reads of the front's file."""
    out = io.BytesIO()
    serialization.save(value, out)
    out.seek(0)
    return torch.load(out)


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values(value):
    for read in (of_theirs(value), of_mine(value)):
        assert read == value and type(read) is type(value)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (5, 1, 2)])
def test_tensors_of_every_dtype(name, shape):
    count = torch.Size(shape).numel()
    value = (torch.arange(count) % 2 if name == "bool" else torch.arange(count)).to(getattr(torch, name)).reshape(shape)
    mine = of_theirs(value)
    assert str(mine.dtype) == str(value.dtype) and tuple(mine.shape) == shape and mine.tolist() == value.tolist()
    theirs = of_mine(mine)
    assert theirs.dtype is value.dtype and theirs.shape == value.shape and theirs.tolist() == value.tolist()


def test_sizes_dtypes_and_devices():
    read = of_theirs([torch.Size([2, 3]), torch.float16, torch.bool, torch.device("cpu"), torch.device("cuda", 1)])
    assert repr(read[0]) == "torch.Size([2, 3])" and read[1] is tt.float16 and read[2] is tt.bool
    assert read[3].type == "cpu" and str(read[4]) == "cuda:1"
    assert of_mine(read) == [
        torch.Size([2, 3]),
        torch.float16,
        torch.bool,
        torch.device("cpu"),
        torch.device("cuda", 1),
    ]


def test_views_share_their_storage():
    x = torch.arange(12.0).reshape(3, 4)
    a, b, again = of_theirs([x, x.t()[1:], x])
    assert b.tolist() == x.t()[1:].tolist() and a is again
    a.zero_()
    assert b.sum().item() == 0
    y = tensor([[1.0, 2.0], [3.0, 4.0]])
    c, d = of_mine([y, y[1]])
    c.zero_()
    assert d.tolist() == [0.0, 0.0]


def test_parameters_and_gradients():
    parameter, leaf, frozen = of_theirs(
        [torch.nn.Parameter(torch.ones(2)), torch.ones(2, requires_grad=True), torch.nn.Parameter(torch.ones(1), False)]
    )
    assert type(parameter) is nn.Parameter and parameter.requires_grad and not frozen.requires_grad
    assert not isinstance(leaf, nn.Parameter) and leaf.requires_grad
    theirs = of_mine([parameter, leaf, frozen])
    assert [type(x) for x in theirs] == [torch.nn.Parameter, torch.Tensor, torch.nn.Parameter]
    assert [x.requires_grad for x in theirs] == [True, True, False]


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_a_training_state_goes_both_ways(kind):
    settings = dict(lr=0.1, momentum=0.9) if kind == "SGD" else dict(lr=0.1)
    torch.manual_seed(0)
    theirs = torch.nn.Linear(3, 2)
    their_optimizer = getattr(torch.optim, kind)(theirs.parameters(), **settings)

    def step(model, optimizer, x):
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    rows = [[0.1, 0.2, 0.3], [1.0, -1.0, 0.5]]
    step(theirs, their_optimizer, torch.tensor(rows))
    read = of_theirs({"model": theirs.state_dict(), "optimizer": their_optimizer.state_dict(), "epoch": 3})
    mine = nn.Linear(3, 2)
    mine.load_state_dict(read["model"])
    my_optimizer = getattr(optim, kind)(mine.parameters(), **settings)
    my_optimizer.load_state_dict(read["optimizer"])
    want = [step(theirs, their_optimizer, torch.tensor(rows)) for _ in range(4)]
    assert [step(mine, my_optimizer, tensor(rows)) for _ in range(4)] == pytest.approx(want, rel=1e-5)
    back = of_mine({"model": dict(mine.state_dict()), "optimizer": my_optimizer.state_dict()})
    theirs.load_state_dict(back["model"])
    their_optimizer.load_state_dict(back["optimizer"])
    assert step(theirs, their_optimizer, torch.tensor(rows)) == pytest.approx(
        step(mine, my_optimizer, tensor(rows)), rel=1e-5
    )


def test_paths_and_file_objects(tmp_path):
    for place in (tmp_path / "a.pt", str(tmp_path / "b.pt")):
        tt.save({"a": tensor([1, 2])}, place)
        assert tt.load(place, weights_only=False, mmap=True)["a"].tolist() == torch.load(place)["a"].tolist() == [1, 2]
    with pytest.raises(FileNotFoundError):
        tt.load(tmp_path / "missing.pt")


def test_map_location():
    out = io.BytesIO()
    torch.save(torch.ones(2), out)
    for place in (None, "cpu", tt.device("cpu"), {"cuda:0": "cpu"}, lambda storage, place: storage):
        out.seek(0)
        assert tt.load(out, map_location=place).tolist() == [1, 1]
    for place in ("cuda", tt.device("cuda:0"), lambda storage, place: storage.cuda()):
        out.seek(0)
        with pytest.raises((RuntimeError, AssertionError), match="webgpu"):
            tt.load(out, map_location=place)
    with pytest.raises(RuntimeError, match="CUDA device"):
        serialization.Loaded(None)._place("cuda:0")


class Config:
    width = 3


@pytest.mark.parametrize(
    "value, error",
    [(Config(), TypeError), (lambda: 1, TypeError), (nn.Linear(2, 2), TypeError), (torch.ones(1).numpy(), TypeError)],
    ids=["object", "function", "module", "array"],
)
def test_other_objects_are_refused_by_name(value, error):
    with pytest.raises(error, match="a %s cannot be saved" % type(value).__name__):
        tt.save({"value": value}, io.BytesIO())


def test_files_that_hold_code_are_refused_by_name():
    out = io.BytesIO()
    torch.save({"config": Config()}, out)
    for weights_only in (True, False):
        out.seek(0)
        with pytest.raises(pickle.UnpicklingError, match="Config; only tensors, numbers, text and plain containers"):
            tt.load(out, weights_only=weights_only)


@pytest.mark.parametrize("f", [io.BytesIO(b""), io.BytesIO(b"garbage" * 10), 3])
def test_other_files(f):
    errors = []
    for module in (torch, tt):
        with pytest.raises(Exception) as caught:
            module.load(f)
        errors.append(caught.type)
        if f != 3:
            f.seek(0)
    assert issubclass(errors[1], errors[0])


def test_keywords():
    with pytest.raises(NotImplementedError, match="pickle_module"):
        tt.load(io.BytesIO(), pickle_module=io)
    with pytest.raises(AttributeError, match="'write' attribute"):
        tt.save(1, 2)


@pytest.mark.parametrize("name", DTYPES)
def test_safetensors_both_ways(name, tmp_path):
    import safetensors.torch as theirs

    from tinygpt.torch._safetensors import safe_open
    from tinygpt.torch._safetensors import torch as ours

    value = torch.tensor([[0, 1, 1], [1, 0, 1]]).to(getattr(torch, name))
    theirs.save_file({"a": value, "b": value[0].clone(), "c": value[:0]}, tmp_path / "a", {"format": "pt"})
    mine = ours.load_file(tmp_path / "a")
    assert {k: (str(v.dtype), v.tolist()) for k, v in mine.items()} == {
        k: (str(v.dtype), v.tolist()) for k, v in theirs.load_file(tmp_path / "a").items()
    }
    ours.save_file(mine, str(tmp_path / "b"), {"format": "pt"})
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes() or theirs.load_file(tmp_path / "b")
    back = theirs.load_file(tmp_path / "b")
    assert back["a"].dtype is value.dtype and back["a"].tolist() == value.tolist()
    with safe_open(tmp_path / "b", framework="pt") as file:
        assert list(file.keys()) == ["a", "b", "c"] and file.metadata() == {"format": "pt"}
        assert file.get_slice("a")[:, 1].tolist() == value[:, 1].tolist()


def test_safetensors_of_a_model(tmp_path):
    from tinygpt.torch._safetensors import torch as ours

    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    ours.save_model(model, tmp_path / "m")
    other = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    other[1].weight = other[0].weight
    assert ours.load_model(other, tmp_path / "m") == ([], [])
    assert [p.tolist() for p in other.parameters()] == [p.tolist() for p in model.parameters()]
    with pytest.raises(RuntimeError, match="share memory"):
        ours.save_file(dict(model.state_dict()), tmp_path / "n")
    with pytest.raises(ValueError, match="non contiguous"):
        ours.save({"a": tensor([[1, 2], [3, 4]]).t()})
