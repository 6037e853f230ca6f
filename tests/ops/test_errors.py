"""Wrong input raises PyTorch's kind of error, in one sentence that shows what was given."""

import pytest

from tests.targets import on

ERRORS = {
    # source: (exception, what the message must contain)
    "T.ones(3, 4) @ T.ones(5, 6)": ("RuntimeError", "3x4", "5x6"),
    "T.ones(2, 3, 4) @ T.ones(2, 5, 6)": ("RuntimeError", "2x3x4", "2x5x6"),
    "F.linear(T.ones(2, 3), T.ones(5, 4))": ("RuntimeError", "3", "4"),
    "T.ones(3, 4) + T.ones(5)": ("RuntimeError", "4", "5"),
    "T.ones(3, 4) * T.ones(2, 3, 5)": ("RuntimeError", "3, 4", "2, 3, 5"),
    "T.where(T.ones(3) == 1, T.ones(3), T.ones(4))": ("RuntimeError", "3", "4"),
    "T.ones(3, 4).view(5, 2)": ("RuntimeError", "[5, 2]", "12"),
    "T.ones(3, 4).view(-1, 5)": ("RuntimeError", "[-1, 5]", "12"),
    "T.ones(3, 4).T.view(12)": ("RuntimeError", "reshape"),
    "T.ones(3, 4).transpose(0, 2)": ("IndexError", "[-2, 1]", "2"),
    "T.ones(3, 4).permute(0, 0)": ("RuntimeError", "permute"),
    "T.ones(3, 4)[3]": ("IndexError", "3", "size 3"),
    "T.ones(3)[0, 0]": ("IndexError", "indices"),
    "T.ones(3, 4).expand(2, 4)": ("RuntimeError", "[2, 4]", "[3, 4]"),
    "T.cat([T.ones(3, 4), T.ones(3, 5)])": ("RuntimeError", "4", "5"),
    "T.stack([T.ones(3), T.ones(4)])": ("RuntimeError", "[3]", "[4]"),
    "T.ones(6).split([1, 2])": ("RuntimeError", "6"),
    "T.ones(3).sum(1)": ("IndexError", "[-1, 0]", "1"),
    "T.ones(3).max(2)": ("IndexError", "2"),
    "T.tensor([[1, 2], [3]])": ("ValueError", "2"),
    "T.tensor(['a'])": ("TypeError", "'a'"),
    "T.tensor([2 ** 40])": ("OverflowError", "2147483647"),
    "T.ones(3).item()": ("RuntimeError", "3 elements"),
    "bool(T.ones(3))": ("RuntimeError", "ambiguous"),
    "T.ones(3).backward()": ("RuntimeError", "grad"),
    "T.ones(3, requires_grad=True).backward()": ("RuntimeError", "scalar"),
    "T.arange(3).requires_grad_()": ("RuntimeError", "float"),
    "T.arange(3).mean()": ("RuntimeError", "int32"),
    "T.arange(4).view(2, 2) @ T.ones(2, 2)": ("RuntimeError", "int32", "float32"),
    "F.embedding(T.ones(3), T.ones(5, 2))": ("RuntimeError", "float32"),
    "F.embedding(T.tensor([0, 5]), T.ones(5, 2))": ("IndexError", "range"),
    "F.cross_entropy(T.ones(3, 4), T.tensor([0, 1]))": ("RuntimeError", "[3]", "[2]"),
    "F.cross_entropy(T.ones(3, 4), T.tensor([0, 1, 4]))": ("IndexError", "range"),
    "F.cross_entropy(T.ones(3, 4), T.tensor([0, 1, 2]), reduction='avg')": ("ValueError", "avg"),
    "F.layer_norm(T.ones(3, 4), (5,))": ("RuntimeError", "[5]", "[3, 4]"),
    "F.gelu(T.ones(3), approximate='fast')": ("RuntimeError", "fast"),
    "F.scaled_dot_product_attention(T.ones(1, 2, 3, 4), T.ones(1, 2, 3, 5), T.ones(1, 2, 3, 5))": (
        "RuntimeError",
        "4",
        "5",
    ),
    "F.dropout(T.ones(3), p=1.5)": ("ValueError", "1.5"),
    "T.ones(2, -1)": ("RuntimeError", "negative"),
    "T.ones(2.5)": ("TypeError", "2.5"),
    "T.set_device('gpu')": ("ValueError", "gpu"),
    "T.ones(3, requires_grad=True).add_(1)": ("RuntimeError", "in-place"),
    "T.nn.Linear(3, 4)(T.ones(2, 5))": ("RuntimeError", "2x5", "4x3"),
    "T.nn.Linear(3, 4).load_state_dict({'weight': T.ones(4, 3)})": ("RuntimeError", "bias"),
    "T.nn.Linear(3, 4).load_state_dict({'weight': T.ones(3, 4), 'bias': T.ones(4)})": (
        "RuntimeError",
        "[3, 4]",
        "[4, 3]",
    ),
    "T.nn.Dropout(-0.1)": ("ValueError", "-0.1"),
    "T.optim.SGD([], lr=0.1)": ("ValueError", "empty"),
    "T.optim.AdamW([T.ones(3, requires_grad=True)], lr=-1)": ("ValueError", "-1"),
}

SOURCE = """
import tinygpt as T
F = T.functional
def attempt(source):
    try:
        eval(source)
    except Exception as error:
        return [type(error).__name__, str(error), [c.__name__ for c in type(error).__mro__]]
answers = {source: attempt(source) for source in %r}
[answers, T.ones(3).sum().item()]
"""


@pytest.fixture(scope="module")
def answers(value):
    kept = {}

    def get(target):
        if target.name not in kept:
            kept[target.name] = value(target, SOURCE % (list(ERRORS),))
        return kept[target.name]

    return get


@pytest.mark.parametrize("source", ERRORS)
@on("oracle", "native", "node", "chromium")
def test_wrong_input_is_refused_with_a_sentence(answers, target, source):
    kind, *parts = ERRORS[source]
    outcome = answers(target)[0][source]
    assert outcome is not None, "%s raised nothing" % source
    name, message, bases = outcome
    assert kind in bases, "%s raised %s: %s" % (source, name, message)
    assert [part for part in parts if part not in message] == [], "the message is: %s" % message
    assert "\n" not in message and len(message) > 15


@on("oracle", "native", "node", "chromium")
def test_the_device_works_on_after_errors(answers, target):
    assert answers(target)[1] == 3.0


@pytest.mark.fast
def test_tensors_of_two_devices_do_not_mix(value):
    from tests.targets import TARGETS

    source = """
import tinygpt as T
a, b = T.ones(3, device="native"), T.ones(3, device="reference")
def attempt(f):
    try:
        f()
    except RuntimeError as error:
        return str(error)
[attempt(lambda: a + b), attempt(lambda: a.view(1, 3) @ b.view(3, 1)), attempt(lambda: T.cat([a, b]))]
"""
    for message in value(TARGETS["native"], source):
        assert message and "native" in message and "reference" in message
