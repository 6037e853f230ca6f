"""Modules: registration, state_dict, modes, and each layer against PyTorch's."""

import numpy as np
import pytest
import torch

import tinygpt
from tinygpt import nn

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("device")]


def small():
    return nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 2, bias=False))


def test_names_are_pytorchs():
    theirs = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 2, bias=False)
    )
    assert {n: p.shape for n, p in small().named_parameters()} == {
        n: tuple(p.shape) for n, p in theirs.named_parameters()
    }
    assert list(small().state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("make", [
    lambda lib: lib.Linear(5, 3), lambda lib: lib.Linear(5, 3, bias=False), lambda lib: lib.LayerNorm(5),
    lambda lib: lib.RMSNorm(5, eps=1e-5),
    lambda lib: lib.GELU(), lambda lib: lib.GELU("tanh"), lambda lib: lib.ReLU(), lambda lib: lib.SiLU(),
    lambda lib: lib.Tanh(),
    lambda lib: lib.Sequential(lib.Linear(5, 4), lib.GELU(), lib.LayerNorm(4)),
])  # fmt: skip
def test_layers_equal_pytorchs(make):
    torch.manual_seed(0)
    theirs, ours = make(torch.nn), make(nn)
    with torch.no_grad():
        for p in theirs.parameters():
            p.copy_(torch.randn(p.shape))
    ours.load_state_dict({n: tinygpt.tensor(p.detach().numpy()) for n, p in theirs.named_parameters()})
    x = torch.randn(2, 3, 5, requires_grad=True)
    mine = tinygpt.tensor(x.detach().numpy(), requires_grad=True)
    a, b = theirs(x), ours(mine)
    a.square().sum().backward()
    b.square().sum().backward()
    np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(mine.grad.numpy(), x.grad.numpy(), rtol=1e-4, atol=1e-4)
    for (_, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters()):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=1e-4)


def test_embedding_equals_pytorchs():
    theirs, ours = torch.nn.Embedding(7, 3), nn.Embedding(7, 3)
    ours.load_state_dict({"weight": tinygpt.tensor(theirs.weight.detach().numpy())})
    index = [[0, 6, 6], [2, 0, 6]]
    theirs(torch.tensor(index)).square().sum().backward()
    ours(tinygpt.tensor(index)).square().sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_an_index_outside_the_table_is_refused():
    with pytest.raises(IndexError, match="out of range"):
        nn.Embedding(7, 3)(tinygpt.tensor([7])).sum().item()


def test_state_dict_round_trip_and_its_errors():
    a, b = small(), small()
    b.load_state_dict(a.state_dict())
    assert all(p.tolist() == q.tolist() for p, q in zip(a.parameters(), b.parameters()))
    before = [p.tolist() for p in b.parameters()]
    with pytest.raises(RuntimeError, match="Missing key.*0.weight"):
        b.load_state_dict({"0.bias": tinygpt.zeros(8)})
    with pytest.raises(RuntimeError, match="Unexpected key.*extra"):
        b.load_state_dict({**a.state_dict(), "extra": tinygpt.zeros(1)})
    with pytest.raises(RuntimeError, match=r"0.weight.*\[3, 3\].*\[8, 4\]"):
        b.load_state_dict({**a.state_dict(), "0.weight": tinygpt.zeros(3, 3)})
    assert [p.tolist() for p in b.parameters()] == before, "a refused state changes nothing"


def test_shared_parameters_are_listed_once():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    assert [n for n, _ in model.named_parameters()] == ["0.weight"]
    assert list(model.state_dict()) == ["0.weight", "1.weight"]


def test_modes_apply_and_repr():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2))
    seen = []
    model.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Dropout", "Linear", "Sequential"]
    assert model.training and model[0].training
    model.eval()
    assert not model[0].training
    assert model(tinygpt.ones(1, 2)).shape == (1, 2)
    assert "(1): Linear(in_features=2, out_features=2, bias=True)" in repr(model)


def test_assigning_before_init_is_explained():
    class Broken(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="super"):
        Broken()


def test_module_list():
    layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 3)])
    layers.append(nn.Linear(3, 1))
    assert len(layers) == 3 and [n for n, _ in layers.named_parameters()][-1] == "2.bias"
    assert [layer.out_features for layer in layers] == [2, 3, 1] and layers[-1].out_features == 1
