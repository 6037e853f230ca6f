"""Assigning to, deleting and registering the attributes of a module does what it does in PyTorch:
the same lines run with both libraries, errors by their kind.
"""

import pytest
import torch

import tinygpt

pytestmark = pytest.mark.fast


def made(m):
    """A module with a parameter, a child and a buffer."""
    net = m.nn.Module()
    net.w = m.nn.Parameter(m.ones(2))
    net.child = m.nn.Linear(2, 1)
    net.register_buffer("b", m.zeros(3))
    net.plain = 5
    return net


def new(m, kind):
    return {
        "tensor": lambda: m.ones(2),
        "requires grad": lambda: m.ones(2).requires_grad_(),
        "result": lambda: m.ones(2).requires_grad_() * 2,
        "parameter": lambda: m.nn.Parameter(m.ones(2)),
        "module": lambda: m.nn.ReLU(),
        "none": lambda: None,
        "int": lambda: 5,
        "list": lambda: [1.0],
    }[kind]()


def told(net):
    """All that a module lists."""
    return (
        [n for n, _ in net.named_parameters()],
        [n for n, _ in net.named_modules()],
        sorted(net.state_dict()),
        sorted(n for n in ("w", "child", "b", "plain", "fresh") if hasattr(net, n)),
    )


def both(act):
    """act(library, module) and what the module lists then: equal for both libraries."""
    results = []
    for m in (tinygpt, torch):
        net = made(m)
        try:
            kind = act(m, net)
        except Exception as error:
            kind = type(error).__name__
        results.append((kind, told(net)))
    assert results[0] == results[1]


KINDS = ("tensor", "requires grad", "result", "parameter", "module", "none", "int", "list")


@pytest.mark.parametrize("name", ["w", "child", "b", "plain", "fresh"])
@pytest.mark.parametrize("first", KINDS)
def test_assignment(name, first):
    both(lambda m, net: setattr(net, name, new(m, first)))
    for second in KINDS:

        def twice(m, net, second=second):
            setattr(net, name, new(m, first))
            setattr(net, name, new(m, second))

        both(twice)


@pytest.mark.parametrize("name", ["w", "child", "b", "plain", "fresh", "training"])
def test_deletion(name):
    both(lambda m, net: delattr(net, name))
    for kind in KINDS:

        def then(m, net, kind=kind):
            delattr(net, name)
            setattr(net, name, new(m, kind))

        both(then)

        def before(m, net, kind=kind):
            setattr(net, name, new(m, kind))
            delattr(net, name)

        if name != "training":
            both(before)


@pytest.mark.parametrize("how", ["register_buffer", "register_parameter", "add_module"])
@pytest.mark.parametrize("name", ["w", "child", "b", "plain", "fresh", "forward", "training", "a.b", "", 3])
@pytest.mark.parametrize("kind", KINDS)
def test_registration(how, name, kind):
    both(lambda m, net: getattr(net, how)(name, new(m, kind)) and None)


def test_a_buffer_that_no_state_dict_has():
    def act(m, net):
        net.register_buffer("fresh", m.ones(1), persistent=False)
        first = sorted(net.state_dict())
        net.register_buffer("fresh", m.ones(1))
        return first

    both(act)


def test_the_value_is_the_one_assigned():
    def act(m, net):
        net.b = m.ones(2) * 3
        net.w = m.nn.Parameter(m.ones(1) * 4)
        return net.b.tolist(), net.w.tolist(), net.state_dict()["b"].tolist(), net.state_dict()["w"].tolist()

    both(act)


def test_a_refused_assignment_says_what_to_do():
    layer = tinygpt.nn.Linear(2, 2)
    before = layer.weight
    with pytest.raises(TypeError, match=r"Tensor to the parameter 'weight'.*Parameter or None.*copy_"):
        layer.weight = layer.weight * 0.5
    assert layer.weight is before


def test_order_of_parameters_survives_a_reassignment():
    def act(m, net):
        layer = m.nn.Linear(2, 2)
        layer.weight = m.nn.Parameter(m.ones(2, 2))
        return [n for n, _ in layer.named_parameters()]

    both(act)


@pytest.mark.parametrize("value", ["plain", "module", "parameter"])
def test_before_the_base_class_is_initialised(value):
    def act(m, net):
        class Early(m.nn.Module):
            def __init__(self):
                self.k = {"plain": lambda: 5, "module": m.nn.ReLU, "parameter": lambda: m.nn.Parameter(m.ones(1))}[
                    value
                ]()
                super().__init__()

        return Early().k == 5

    both(act)


def test_a_shared_module_is_listed_once_and_saved_under_both_names():
    def act(m, net):
        net.fresh = net.child
        return (
            len(list(net.children())),
            len(list(net.modules())),
            len(list(net.named_parameters(remove_duplicate=False))),
        )

    both(act)


def test_containers():
    def act(m, net):
        s = m.nn.Sequential(m.nn.Linear(1, 1), m.nn.Tanh(), m.nn.Linear(1, 1))
        l = m.nn.ModuleList([m.nn.Linear(1, 1), m.nn.Linear(1, 1)])  # noqa: E741
        return (
            sorted(s[1:].state_dict()),
            sorted(l[1:].state_dict()),
            type(l[:1]).__name__,
            sorted(m.nn.Sequential({"a": m.nn.Tanh(), "b": m.nn.Linear(1, 1)}).state_dict()) if m is tinygpt else
            ["b.bias", "b.weight"],
        )  # fmt: skip

    both(act)
    for wrong in (lambda x: x, None, 5):
        both(lambda m, net, wrong=wrong: m.nn.Sequential(m.nn.Tanh(), wrong) and None if wrong is not None else None)
        both(lambda m, net, wrong=wrong: m.nn.ModuleList([wrong]) and None if wrong is not None else None)


def test_what_is_no_tensor_is_no_parameter():
    for wrong in ([1.0], 3.0, "a"):
        with pytest.raises(TypeError, match="made of a Tensor"):
            tinygpt.nn.Parameter(wrong)
    both(lambda m, net: m.nn.Parameter(m.tensor([1, 2])) and None)
    both(lambda m, net: m.nn.Parameter(m.tensor([1, 2]), requires_grad=False).requires_grad)
