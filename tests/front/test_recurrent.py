"""RNN, LSTM, GRU, their cells and packed sequences equal PyTorch's: parameters from a seed, values,
states, gradients, errors, printed text.
"""

import copy
import itertools

import numpy as np
import pytest
import torch

import tinygpt
import tinygpt.torch.nn.recurrent as layers
import tinygpt.torch.nn.utils.rnn as packing

pytestmark = pytest.mark.fast
theirs = torch.nn.utils.rnn


def ours(x):
    return tinygpt.tensor(x.detach().numpy()).requires_grad_(x.requires_grad)


def same(got, want, atol=2e-5):
    got, want = got.detach().numpy(), want.detach().numpy()
    assert got.shape == want.shape and got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=atol if want.dtype == np.float32 else 1e-12)


def pair(front, name, *args, dtype="float32", seed=3, **kwargs):
    """(PyTorch's module, ours) of one seed."""
    torch.manual_seed(seed)
    front.manual_seed(seed)
    a = getattr(torch.nn, name)(*args, dtype=getattr(torch, dtype), **kwargs)
    b = getattr(layers, name)(*args, dtype=getattr(front, dtype), **kwargs)
    assert repr(a) == repr(b)
    for (left, p), (right, q) in zip(a.named_parameters(), b.named_parameters(), strict=True):
        assert left == right
        same(q, p, 1e-7)
    return a, b


SHAPES = [
    (name, proj, count, both, bias, first)
    for name, proj in (("LSTM", 0), ("LSTM", 2), ("GRU", 0), ("RNN", 0))
    for count, both, bias, first in (
        (1, False, True, False),
        (2, True, True, True),
        (2, False, False, True),
        (1, True, False, False),
    )  # fmt: skip
]


@pytest.mark.parametrize("name, proj, count, both, bias, first", SHAPES)
def test_layer(front, name, proj, count, both, bias, first):
    options = {"num_layers": count, "bidirectional": both, "bias": bias, "batch_first": first}
    options |= {"proj_size": proj} if proj else {}
    options |= {"nonlinearity": "relu"} if name == "RNN" and count == 2 else {}
    for packed, given, dtype in ((None, True, "float32"), ("sorted", False, "float64"), ("mixed", True, "float32")):
        a, b = pair(front, name, 5, 7, dtype=dtype, **options)
        kind = getattr(torch, dtype)
        x = torch.randn(*((3, 4) if first else (4, 3)), 5, dtype=kind, requires_grad=True)
        depth, widths = count * (1 + both), (proj or 7, 7)[: 1 + (name == "LSTM")]
        hx = [torch.randn(depth, 3, width, dtype=kind, requires_grad=True) for width in widths]
        leaves, mine = [x, *(hx if given else [])], [ours(v) for v in [x, *(hx if given else [])]]
        results = []
        for module, rnn, (data, *states) in ((a, theirs, leaves), (b, packing, mine)):
            state = [] if not given else [tuple(states)] if name == "LSTM" else states
            if packed:
                lengths = [4, 2, 1] if packed == "sorted" else [2, 4, 1]
                data = rnn.pack_padded_sequence(data, lengths, first, enforce_sorted=packed == "sorted")
            y, last = module(data, *state)
            if packed:
                y, lengths = rnn.pad_packed_sequence(y, first, padding_value=0.5, total_length=5)
                assert lengths.tolist() == ([4, 2, 1] if packed == "sorted" else [2, 4, 1])
            made = [y, *(last if name == "LSTM" else [last])]
            sum((v * v * v.detach().cos()).sum() for v in made).backward()
            results.append(made + [v.grad for v in (*(leaves if rnn is theirs else mine), *module.parameters())])
        for want, got in zip(*results, strict=True):
            same(got, want)


def test_dropout_between_layers_draws_as_pytorch(front):
    a, b = pair(front, "LSTM", 6, 8, 3, dropout=0.4, batch_first=True)
    x = torch.randn(4, 5, 6)
    torch.manual_seed(9)
    front.manual_seed(9)
    same(b(ours(x))[0], a(x)[0])
    same(b.eval()(ours(x))[0], a.eval()(x)[0])


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cell(front, name):
    for bias, given, batch in itertools.product((True, False), (True, False), ((), (3,))):
        options = {"nonlinearity": "relu"} if name == "RNNCell" and bias else {}
        a, b = pair(front, name, 4, 5, bias, **options)
        x = torch.randn(*batch, 4, requires_grad=True)
        hx = [torch.randn(*batch, 5, requires_grad=True) for _ in range(1 + (name == "LSTMCell"))]
        mine = [ours(v) for v in (x, *hx)]
        results = []
        for module, (data, *states) in ((a, (x, *hx)), (b, mine)):
            state = [] if not given else [tuple(states)] if name == "LSTMCell" else states
            made = module(data, *state)
            made = list(made) if name == "LSTMCell" else [made]
            made = made + list(module(data, tuple(made) if name == "LSTMCell" else made[0])) if batch else made
            sum((v * v).sum() for v in made).backward()
            leaves = [data, *(states if given else []), *module.parameters()]
            results.append(made + [v.grad for v in leaves])
        for want, got in zip(*results, strict=True):
            same(got, want)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_gradients_of_gradients(front, name):
    a, b = pair(front, name, 3, 4, 2, bidirectional=True)
    x = torch.randn(3, 2, 3, requires_grad=True)
    grads = []
    for module, given, autograd in ((a, x, torch.autograd), (b, ours(x), front.autograd)):
        with torch.backends.mkldnn.flags(enabled=False):
            (slope,) = autograd.grad((module(given)[0] ** 2).sum(), given, create_graph=True)
        (slope**2).sum().backward()
        grads.append([slope, given.grad, *(p.grad for p in module.parameters() if p.grad is not None)])
    for want, got in zip(*grads, strict=True):
        same(got, want)


def test_without_a_batch_and_as_a_copy(front):
    for name in ("LSTM", "GRU", "RNN"):
        a, b = pair(front, name, 3, 4, 2, bidirectional=True)
        x = torch.randn(5, 3)
        for module in (b, copy.deepcopy(b)):
            (y, last), (want, state) = module(ours(x)), a(x)
            same(y, want)
            same(last[0] if name == "LSTM" else last, state[0] if name == "LSTM" else state)
        h = torch.randn(4, 4)
        given = (h, h) if name == "LSTM" else h
        mine = (ours(h), ours(h)) if name == "LSTM" else ours(h)
        same(b(ours(x), mine)[0], a(x, given)[0])
        assert len(b.all_weights) == 4 and len(b._flat_weights) == 16


def test_sequences_are_padded_packed_and_back(front):
    given = [torch.arange(n * 2.0).reshape(n, 2) + n for n in (2, 4, 1)]
    mine = [ours(x) for x in given]
    for first, side in itertools.product((False, True), ("right", "left")):
        same(packing.pad_sequence(mine, first, -1.0, side), theirs.pad_sequence(given, first, -1.0, side))
    want, got = theirs.pack_sequence(given, enforce_sorted=False), packing.pack_sequence(mine, enforce_sorted=False)
    for a, b in zip(want, got, strict=True):
        same(b, a)
    for name in ("double", "float", "long", "half"):
        assert str(getattr(got, name)().data.dtype) == str(getattr(want, name)().data.dtype)
        assert not getattr(got, name)().is_cuda
    for a, b in zip(theirs.unpack_sequence(want), packing.unpack_sequence(got), strict=True):
        same(b, a)
    whole = theirs.pack_sequence([torch.tensor([3, 1]), torch.tensor([7])])
    same(packing.pack_sequence([ours(torch.tensor([3, 1])), ours(torch.tensor([7]))]).data, whole.data)


WRONG = {
    "a width": lambda nn, t, rnn: nn.LSTM(3, 4)(t.zeros(2, 3, 5)),
    "a rank": lambda nn, t, rnn: nn.GRU(3, 4)(t.zeros(2, 3, 5, 3)),
    "a dtype": lambda nn, t, rnn: nn.GRU(3, 4)(t.zeros(2, 3, 3, dtype=t.float64)),
    "a state": lambda nn, t, rnn: nn.GRU(3, 4)(t.zeros(2, 3, 3), t.zeros(1, 2, 4)),
    "a cell state": lambda nn, t, rnn: nn.LSTM(3, 4)(t.zeros(2, 3, 3), (t.zeros(1, 3, 4), t.zeros(1, 3, 5))),
    "a state's rank": lambda nn, t, rnn: nn.LSTM(3, 4)(t.zeros(2, 3), (t.zeros(1, 3, 4), t.zeros(1, 3, 4))),
    "no step": lambda nn, t, rnn: nn.GRU(3, 4)(t.zeros(0, 3, 3)),
    "no width": lambda nn, t, rnn: nn.LSTM(3, 0),
    "a float width": lambda nn, t, rnn: nn.LSTM(3, 4.0),
    "a dropout": lambda nn, t, rnn: nn.LSTM(3, 4, 2, dropout=1.5),
    "a projection": lambda nn, t, rnn: nn.LSTM(3, 4, proj_size=4),
    "a GRU's projection": lambda nn, t, rnn: nn.GRU(3, 4, proj_size=2),
    "a nonlinearity": lambda nn, t, rnn: nn.RNN(3, 4, nonlinearity="gelu"),
    "a cell's width": lambda nn, t, rnn: nn.LSTMCell(3, 4)(t.zeros(2, 4)),
    "a cell's rank": lambda nn, t, rnn: nn.GRUCell(3, 4)(t.zeros(2, 4, 3)),
    "a cell's batch": lambda nn, t, rnn: nn.GRUCell(3, 4)(t.zeros(2, 3), t.zeros(3, 4)),
    "rising lengths": lambda nn, t, rnn: rnn.pack_padded_sequence(t.zeros(3, 2, 1), [1, 3]),
    "a length of 0": lambda nn, t, rnn: rnn.pack_padded_sequence(t.zeros(3, 2, 1), [1, 0]),
    "a length too few": lambda nn, t, rnn: rnn.pack_padded_sequence(t.zeros(3, 2, 1), [3]),
    "a total length": lambda nn, t, rnn: rnn.pad_packed_sequence(rnn.pack_sequence([t.zeros(3)]), total_length=2),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_error(front, call):
    with pytest.raises(Exception) as want:
        call(torch.nn, torch, theirs)
    with pytest.raises(want.type) as got:
        call(layers, front, packing)
    assert str(got.value)[:20] == str(want.value)[:20]
