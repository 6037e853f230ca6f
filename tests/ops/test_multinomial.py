"""multinomial draws as PyTorch's: without replacement unless it is given, from checked rows."""

import collections

import pytest
import torch

import tinygpt
from tests.targets import on

pytestmark = pytest.mark.fast
INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    "call",
    [
        ([1.0, 1.0], 0),
        ([1.0, 1.0], -1),
        ([1.0, 1.0], 3),
        ([1.0, 1.0], 1.5),
        ([1.0, 1.0], True),
        ([INF, 1.0], 1),
        ([-INF, 1.0], 1),
        ([NAN, 1.0], 1),
        ([-1.0, 2.0], 1),
        ([0.0, 0.0], 1),
        ([0.0, 0.0], 1, True),
        ([NAN, 1.0], 1, True),
        ([[1.0, 1.0], [0.0, 0.0]], 1),
        ([[[1.0]]], 1),
        ([1, 2], 1),
        (2.0, 1),
    ],
    ids=str,
)
def test_what_pytorch_refuses_is_refused(device, call):
    probabilities, *rest = call
    with pytest.raises((RuntimeError, TypeError)) as theirs:
        torch.multinomial(torch.tensor(probabilities), *rest)
    with pytest.raises(theirs.type):
        tinygpt.multinomial(tinygpt.tensor(probabilities), *rest)


@pytest.mark.parametrize("value", ["-1.0", "nan", "inf"])
def test_a_refused_row_says_how_many_are_wrong(device, value):
    with pytest.raises(RuntimeError, match="1 of 3 probabilities are negative, infinite or NaN"):
        tinygpt.multinomial(tinygpt.tensor([1.0, float(value), 1.0]), 1)


def test_too_few_probabilities_above_zero(device):
    with pytest.raises(RuntimeError, match="2 samples without replacement from a row with 1 probabilities above 0"):
        tinygpt.multinomial(tinygpt.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]), 2)


def test_no_index_twice_and_none_of_probability_zero(device):
    tinygpt.manual_seed(1)
    rows = tinygpt.multinomial(tinygpt.tensor([[1.0, 0.0, 2.0, 1e-30, 0.5]] * 50), 4).tolist()
    assert [sorted(row) for row in rows] == [[0, 2, 3, 4]] * 50
    assert all(row[-1] == 3 for row in rows)  # the one of 1e-30 comes last


@pytest.mark.parametrize("shape", [(5,), (1, 5), (3, 5), (0, 5)])
@pytest.mark.parametrize("replacement", [False, True])
def test_shapes(device, shape, replacement):
    got = tinygpt.multinomial(tinygpt.ones(*shape), 3, replacement)
    assert got.shape == tuple(torch.multinomial(torch.ones(*shape), 3, replacement).shape)
    assert got.dtype is tinygpt.int32


@on("oracle", "native", "node", "gpu-lavapipe")
def test_the_first_draws_follow_the_probabilities(value, target):
    """The frequency of the ordered pair i, j without replacement is p_i p_j / (1 - p_i)."""
    source = """
    import tinygpt
    tinygpt.manual_seed(7)
    tinygpt.multinomial(tinygpt.tensor([[0.1, 0.2, 0.3, 0.4]] * 6000), 2).tolist()
    """
    pairs = collections.Counter(map(tuple, value(target, "\n".join(line[4:] for line in source.split("\n")))))
    p = [0.1, 0.2, 0.3, 0.4]
    for i in range(4):
        for j in range(4):
            want = 0.0 if i == j else p[i] * p[j] / (1 - p[i])
            assert abs(pairs[i, j] / 6000 - want) < 0.02, (i, j)


def test_arguments_are_pytorchs(device):
    stream = tinygpt.Generator(3)
    a = tinygpt.ones(4).multinomial(2, replacement=True, generator=stream)
    b = tinygpt.multinomial(tinygpt.ones(4), 2, True, generator=tinygpt.Generator(3))
    assert a.tolist() == b.tolist()


def test_one_draw_is_the_same_with_and_without_replacement(device):
    p = tinygpt.tensor([0.2, 0.3, 0.5])
    draws = [tinygpt.multinomial(p, 1, r, generator=tinygpt.Generator(5)).tolist() for r in (False, True)]
    assert draws[0] == draws[1]


def test_it_is_not_recorded(device):
    p = tinygpt.ones(3).requires_grad_()
    assert not tinygpt.multinomial(p, 2).requires_grad
