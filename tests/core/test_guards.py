"""What a compiled function reads is guarded, or the call is not replayed."""

import itertools
import random
import sys
import time
import warnings
import weakref
from types import SimpleNamespace

import pytest

import tinygpt
from tinygpt import nn, optim
from tinygpt.config import TrainConfig
from tinygpt.core.generator import Generator
from tinygpt.core.state import state
from tinygpt.data import Dataset

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("native")]


def steps(compiled, change, made=optim.SGD):
    """The weights after three steps, a change, and two more; and the compiled step."""
    tinygpt.manual_seed(0)
    layer, drop = nn.Linear(2, 2), nn.Dropout(0.0)
    optimizer = made([{"params": [layer.weight]}, {"params": [layer.bias]}], lr=0.1)
    x = tinygpt.tensor([[1.0, -2.0]])

    def step():
        loss = (drop(layer(x)) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run = tinygpt.compile(step) if compiled else step
    for _ in range(3):
        run()
    change(layer, drop, optimizer)
    losses = [run().item() for _ in range(2)]
    return losses, layer.weight.tolist(), layer.bias.tolist()


def attribute(layer, drop, optimizer):
    layer.weight.requires_grad = False


def method(layer, drop, optimizer):
    layer.weight.requires_grad_(False)


def rate(layer, drop, optimizer):
    drop.p = 1.0


def rate_past_the_module(layer, drop, optimizer):
    object.__setattr__(drop, "p", 1.0)


def rate_in_the_dict(layer, drop, optimizer):
    vars(drop)["p"] = 1.0


def rate_by_update(layer, drop, optimizer):
    drop.__dict__.update(p=1.0)


def learning_rate(layer, drop, optimizer):
    optimizer.param_groups[1]["lr"] = 0.01


def weight_decay(layer, drop, optimizer):
    optimizer.param_groups[0].update(weight_decay=0.5)


def forward(layer, drop, optimizer):
    layer.forward = lambda x: tinygpt.functional.linear(x, layer.weight) * 2.0


@pytest.mark.parametrize(
    "change",
    [attribute, method, rate, rate_past_the_module, rate_in_the_dict, rate_by_update, learning_rate, weight_decay,
     forward],
)  # fmt: skip
@pytest.mark.parametrize("made", [optim.SGD, optim.AdamW])
def test_a_step_follows_a_change_as_the_eager_one_does(change, made):
    assert steps(True, change, made) == steps(False, change, made)
    assert steps(True, change, made) != steps(True, lambda *_: None, made)


def test_requires_grad_as_an_attribute_keeps_to_the_rules_of_the_method():
    torch = pytest.importorskip("torch")
    for library in (tinygpt, torch):
        ids, made = library.tensor([1, 2]), library.ones(2, requires_grad=True) * 2.0
        with pytest.raises(RuntimeError):
            ids.requires_grad = True
        with pytest.raises(RuntimeError, match="leaf"):
            made.requires_grad = False
        with pytest.raises(RuntimeError):
            library.ones(2).requires_grad = 1
        with pytest.raises(TypeError):
            library.ones(2).requires_grad_(1)
        leaf = library.ones(2)
        leaf.requires_grad = True
        (leaf * 3.0).sum().backward()
        assert leaf.grad.tolist() == [3.0, 3.0]


def test_the_same_values_set_again_are_no_change():
    config = SimpleNamespace(p=1.5)
    x = tinygpt.ones(2)
    run = tinygpt.compile(lambda: x * config.p)
    for _ in range(20):
        config.p = float("1.5")
        assert run().tolist() == [1.5, 1.5]
    assert run.captures == 1


def test_types_and_signs_of_numbers_are_told_apart():
    config = SimpleNamespace(p=1)
    x = tinygpt.tensor([3, 4])
    run = tinygpt.compile(lambda: x * config.p)
    assert run().dtype is tinygpt.int32
    config.p = 1.0
    assert run().dtype is tinygpt.float32
    config.p, x = 0.0, tinygpt.ones(1)
    assert str(run().item()) == "0.0"
    config.p = -0.0
    assert str(run().item()) == "-0.0"


def test_a_list_that_is_only_appended_to_is_not_read():
    losses, x = [], tinygpt.ones(2)

    def f():
        losses.append(1)
        return x * 2.0

    run = tinygpt.compile(f)
    for _ in range(5):
        losses.append(2)
        assert run().tolist() == [2.0, 2.0]
    assert run.captures == 1


@pytest.mark.parametrize("kind", ["iterator", "generator", "random", "module of random", "clock", "array"])
def test_what_cannot_be_guarded_runs_eagerly_and_says_so(kind):
    numbers = itertools.count(1)
    stream = (float(i) for i in itertools.count(1))
    own, x = random.Random(1), tinygpt.ones(1)
    numpy = pytest.importorskip("numpy")
    values = numpy.ones(1)
    read = {
        "iterator": lambda: float(next(numbers)),
        "generator": lambda: next(stream),
        "random": lambda: own.random(),
        "module of random": lambda: random.uniform(0.0, 1.0),
        "clock": lambda: time.perf_counter_ns() % 100_003 * 1.0,
        "array": lambda: float(values[0]),
    }[kind]
    run = tinygpt.compile(lambda: x * read())
    with pytest.warns(RuntimeWarning, match="without replay"):
        first = run().item()
    values[0] = 2.0
    assert run().item() != first


def test_what_changes_at_each_call_is_run_eagerly_in_the_end():
    config, x = SimpleNamespace(n=0), tinygpt.ones(1)

    def f():
        config.n += 1
        return x * float(config.n)

    run = tinygpt.compile(f)
    with pytest.warns(RuntimeWarning, match="`n` changes between the calls"):
        assert [run().item() for _ in range(20)] == [float(i) for i in range(1, 21)]


def test_a_recording_leaves_no_trace_behind():
    class Config:
        p = 2.0

    config, x = Config(), tinygpt.ones(1)
    before = sys.gettrace()
    run = tinygpt.compile(lambda: x * config.p)
    run()
    assert "__getattribute__" not in vars(Config) and "__getattribute__" not in vars(nn.Linear)
    assert sys.gettrace() is before

    def failing():
        raise KeyError(config.p)

    with pytest.raises(KeyError):
        tinygpt.compile(failing)()
    assert "__getattribute__" not in vars(Config) and sys.gettrace() is before


def test_a_reference_and_its_target_are_seen():
    class Config:
        p = 2.0

    config, x = Config(), tinygpt.ones(1)
    reference = weakref.ref(config)
    run = tinygpt.compile(lambda: x * reference().p)
    assert run().item() == run().item() == 2.0
    config.p = 3.0
    assert run().item() == 3.0


def test_parameters_that_leave_a_group_record_again():
    layer = nn.Linear(2, 2)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    x = tinygpt.ones(1, 2)

    def step():
        optimizer.zero_grad()
        layer(x).sum().backward()
        optimizer.step()

    run = tinygpt.compile(step)
    run()
    run()
    kept = optimizer.param_groups[0]["params"].pop()
    before = kept.tolist()
    run()
    assert kept is layer.bias and kept.tolist() == before


def test_replays_compare_nothing_that_was_not_read():
    net, x = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), tinygpt.ones(1, 2)
    net.note, count = "a", 0
    config = SimpleNamespace(seen=0)
    run = tinygpt.compile(lambda: net(x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for count in range(20):
            net.note, config.seen = "b%d" % count, count
            run()
    assert run.captures == 1


def windows(compiled, change):
    """Four batches, a change of the Dataset, and two more; and the compiled function."""
    data = Dataset([i * 7 % 256 for i in range(500)], context=8, seed=3)

    def batch():
        x, y = data.batch(2)
        return x + 0, y + 0

    run = tinygpt.compile(batch) if compiled else batch
    given = [run() for _ in range(4)]
    change(data)
    return [[t.tolist() for t in pair] for pair in (*given, run(), run())], run


def fewer_tokens(data):
    data.splits["train"] = 0, 20


def other_splits(data):
    data.splits = {"train": (5, 25), "validation": (25, 50)}


def other_stream(data):
    data.generators["train"] = Generator(9)


def shorter(data):
    data.context = 4


def shorter_in_the_dict(data):
    vars(data)["context"] = 4


def other_tokens(data):
    data.tokens = data.tokens * 2


def own_batch(data):
    data.batch = lambda n: Dataset.batch(data, n + 1)


def other_class(data):
    class Larger(Dataset):
        def batch(self, n):
            return super().batch(n + 1)

    data.__class__ = Larger


CHANGES = [fewer_tokens, other_splits, other_stream, shorter, shorter_in_the_dict, other_tokens, own_batch, other_class]


@pytest.mark.parametrize("bypassed", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_dataset_is_followed(change, bypassed, monkeypatch):
    monkeypatch.setattr(state, "bypassed", bypassed)
    expected, _ = windows(False, change)
    given, run = windows(True, change)
    assert given == expected and run.captures == 2
    assert given != windows(True, lambda _: None)[0]


def test_a_dataset_that_nobody_changes_is_compared_when_the_epoch_has_moved(monkeypatch):
    monkeypatch.setattr(state, "bypassed", False)
    _, run = windows(True, lambda _: state.touch())
    (entry,) = next(iter(run.entries.values()))
    assert run.captures == 1
    assert {"context", "tokens", "train"} <= {check[2] for check in entry.guards.at_epoch.checks}


def test_fields_of_a_config_are_compared_past_its_class(monkeypatch):
    monkeypatch.setattr(state, "bypassed", False)
    config, x = TrainConfig(lr=1.5), tinygpt.ones(1)
    run = tinygpt.compile(lambda: x * config.lr)
    assert [run().item() for _ in range(5)] == [1.5] * 5
    object.__setattr__(config, "lr", 2.5)
    assert run().item() == 2.5
    config.__init__(lr=3.5)
    assert run().item() == 3.5


@pytest.mark.parametrize("owner, name", [(tinygpt.functional, "gelu"), (nn.ReLU, "forward")])
def test_what_is_replaced_in_the_package_records_again(owner, name, monkeypatch):
    layer, x = nn.ReLU(), tinygpt.ones(1)
    run = tinygpt.compile(lambda: layer(tinygpt.functional.gelu(x)))
    before = [run().item() for _ in range(5)]
    monkeypatch.setattr(owner, name, lambda *given: given[-1] * 7.0)
    assert run().item() > 3.0 * before[4]
