"""copy.deepcopy, copy.copy and pickle of tensors, modules, optimizers and random streams do what
they do in PyTorch: the same lines run with both libraries.
"""

import copy
import pickle

import pytest
import torch

import tinygpt
from tinygpt import GPT, ModelConfig, nn, optim

pytestmark = pytest.mark.fast
LIBRARIES = tinygpt, torch


def both(f):
    """f(library), which has to be equal for both."""
    got, want = f(tinygpt), f(torch)
    assert got == want
    return got


def leaf(m):
    x = m.tensor([1.0, 2.0, 3.0]).requires_grad_()
    (x * 2).sum().backward()
    return x


def facts(x):
    grad = x.grad
    return x.tolist(), x.requires_grad, x.is_leaf, None if grad is None else grad.tolist(), type(x).__name__


def opened(x):
    return pickle.loads(pickle.dumps(x))


@pytest.mark.parametrize("how", [copy.deepcopy, copy.copy, opened])
def test_a_leaf_and_a_parameter(device, how):
    both(lambda m: facts(how(leaf(m))))

    def parameter(m):
        p = m.nn.Parameter(m.ones(3))
        (p * 2).sum().backward()
        return facts(how(p))

    both(parameter)


@pytest.mark.parametrize("how", [copy.copy, opened])
def test_the_result_of_an_op_becomes_a_leaf(device, how):
    both(lambda m: facts(how(leaf(m) * 2)))


def test_the_result_of_an_op_is_not_deep_copied(device):
    for m in LIBRARIES:
        with pytest.raises(RuntimeError, match=r"(?i)only tensors created explicitly|only leaf tensors"):
            copy.deepcopy({"a": [leaf(m) * 2]})


def test_memory_of_its_own(device):
    def write(m):
        x = m.ones(3)
        y, z = copy.deepcopy(x), copy.copy(x)
        y.fill_(5.0)
        z.fill_(7.0)
        return x.tolist(), y.tolist(), z.tolist()

    both(write)


def test_views_share_memory_in_a_deep_copy_as_before(device):
    def views(m):
        a = m.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
        x, row, turned, again, wide = copy.deepcopy([a, a[0], a.t(), a, m.ones(1).expand(3)])
        x.fill_(7)
        return row.tolist(), turned.tolist(), tuple(turned.stride()), again is x, tuple(wide.stride()), a.tolist()

    both(views)


@pytest.mark.parametrize(
    "values, dtype", [([1, -2], "int32"), ([True, False], "bool"), ([], "float32"), (2.5, "float32")]
)
def test_dtypes_and_shapes(device, values, dtype):
    x = tinygpt.tensor(values, dtype=getattr(tinygpt, dtype))
    for y in (copy.deepcopy(x), copy.copy(x), opened(x)):
        assert y.dtype is x.dtype and y.shape == x.shape and y.tolist() == x.tolist() and y.device is x.device


def test_element_types_and_devices_are_the_same_objects(device):
    held = {"dtype": tinygpt.float32, "flag": tinygpt.bool, "device": device}
    for other in (copy.deepcopy(held), opened(held)):
        assert all(other[name] is held[name] for name in held)


def test_attributes_of_a_tensor_come_along(device):
    x = tinygpt.ones(2)
    x.note = ["a"]
    y = copy.deepcopy(x)
    assert y.note == ["a"] and y.note is not x.note and copy.copy(x).note is x.note and opened(x).note == ["a"]


def small():
    return GPT(ModelConfig(layers=1, d_model=12, heads=3, context=8))


@pytest.mark.parametrize("how", [copy.deepcopy, opened])
def test_a_model(native, how):
    model, ids = small(), tinygpt.tensor([[1, 2, 3]])
    text = list(tinygpt.generate.generate(model, [1, 2], 5, seed=1))  # leaves a decoder in the model
    model.eval()
    other = how(model)
    assert other(ids).tolist() == model(ids).tolist()
    assert other.lm_head.weight is other.tok_emb.weight is not model.tok_emb.weight
    assert not other.blocks[0].training and "_decoder" not in other.__dict__
    assert [n for n, _ in other.named_parameters()] == [n for n, _ in model.named_parameters()]
    before = model(ids).tolist()
    with tinygpt.no_grad():
        other.tok_emb.weight.normal_(std=3.0)
    assert model(ids).tolist() == before
    assert list(tinygpt.generate.generate(model, [1, 2], 5, seed=1)) == text
    assert list(tinygpt.generate.generate(other, [1, 2], 5, seed=1)) != text


def test_a_state_dict_that_is_kept_does_not_follow_the_model(native):
    model = small()
    optim.AdamW(model.parameters())  # the parameters are in one arena
    best = copy.deepcopy(model.state_dict())
    want = {name: x.tolist() for name, x in best.items()}
    with tinygpt.no_grad():
        for p in model.parameters():
            p.fill_(3.0)
    assert {name: x.tolist() for name, x in best.items()} == want
    model.load_state_dict(best)
    assert {name: x.tolist() for name, x in model.state_dict().items()} == want


def test_a_parameter_of_an_arena_is_copied_alone(native):
    model = small()
    optim.AdamW(model.parameters())
    other = copy.deepcopy(model.norm_f)
    assert other.weight._storage.nbytes == 4 * 12 and other.weight._slot is None


def test_a_frozen_parameter_stays_frozen(device):
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    for other in (copy.deepcopy(layer), opened(layer)):
        assert [p.requires_grad for p in other.parameters()] == [True, False]


def test_a_shallow_copy_of_a_module_shares_its_parameters(device):
    for m in LIBRARIES:
        layer = m.nn.Linear(2, 2)
        other = copy.copy(layer)
        other.note = 5
        assert other.weight is layer.weight and not hasattr(layer, "note")
    other.weight = None
    mine = nn.Linear(2, 2)
    other = copy.copy(mine)
    other.bias = None
    assert [n for n, _ in mine.named_parameters()] == ["weight", "bias"]


def steps(model, optimizer, n):
    ids = tinygpt.tensor([[1, 2, 3, 4]])
    for _ in range(n):
        optimizer.zero_grad()
        model(ids, ids)[1].backward()
        optimizer.step()
    return model.state_dict()["norm_f.weight"].tolist(), model.state_dict()["tok_emb.weight"].tolist()


MAKERS = (
    lambda model: optim.AdamW(model.parameter_groups(0.1), lr=1e-2),
    lambda model: optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True),
    lambda model: optim.SGD(model.parameters(), lr=0.1),
)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("how", [copy.deepcopy, opened])
def test_a_model_with_its_optimizer(native, make, how):
    model = small()
    optimizer = make(model)
    steps(model, optimizer, 3)
    other, its = how((model, optimizer))
    assert {id(p) for g in its.param_groups for p in g["params"]} == {id(p) for p in other.parameters()}
    assert its.settings() == optimizer.settings()
    before = model.state_dict()["norm_f.weight"].tolist()
    after = steps(other, its, 3)
    assert model.state_dict()["norm_f.weight"].tolist() == before
    assert steps(model, optimizer, 3) == after
    its.param_groups[0]["lr"] = 0.5
    assert optimizer.param_groups[0]["lr"] != 0.5
    with pytest.raises(ValueError, match="nan"):
        its.param_groups[0]["lr"] = float("nan")


def test_an_optimizer_whose_parameters_joined_late(native):
    model = small()
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)
    model.norm_f.requires_grad_(False)
    steps(model, optimizer, 2)
    model.norm_f.requires_grad_(True)
    other, its = copy.deepcopy((model, optimizer))
    assert steps(other, its, 2) == steps(model, optimizer, 2)


def test_an_optimizer_is_not_copied_shallowly(native):
    with pytest.raises(TypeError, match="deepcopy"):
        copy.copy(optim.AdamW(small().parameters()))


@pytest.mark.parametrize("how", [copy.deepcopy, copy.copy, opened])
def test_a_generator_continues_where_it_was(device, how):
    stream = tinygpt.Generator(3)
    tinygpt.rand(5, generator=stream)
    stream.fork()
    other = how(stream)
    assert tinygpt.rand(6, generator=other).tolist() == tinygpt.rand(6, generator=stream).tolist()
    assert other.fork() == stream.fork() and other is not stream


def test_a_compiled_function_records_anew_in_a_copy(native):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(tinygpt.ones(2))
            self.step = tinygpt.compile(self.double)

        def double(self):
            return self.scale * 2

    model = Model()
    with tinygpt.no_grad():
        assert model.step().tolist() == model.step().tolist() == [2.0, 2.0]
        other = copy.deepcopy(model)
        other.scale.fill_(5.0)
        assert [other.step().tolist() for _ in range(3)] == [[10.0, 10.0]] * 3
        assert model.step().tolist() == [2.0, 2.0]


def test_a_dataset_and_a_scheduler(native):
    data = tinygpt.data.Dataset("abcdefgh" * 100, context=8, seed=1)
    data.batch(2)
    other = copy.deepcopy(data)
    assert [x.tolist() for x in data.batch(2)] == [x.tolist() for x in other.batch(2)]
    model = small()
    optimizer = MAKERS[0](model)
    scheduler = tinygpt.schedule.Scheduler(optimizer, tinygpt.TrainConfig(schedule="cosine", steps=10))
    _, its, again = copy.deepcopy((model, optimizer, scheduler))
    again.step()
    assert again.optimizer is its and its.param_groups[0]["lr"] != optimizer.param_groups[0]["lr"]
