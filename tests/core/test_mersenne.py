"""The numbers of a seed are PyTorch's."""

import pytest
import torch

from tinygpt.core.mersenne import Mersenne

pytestmark = pytest.mark.fast
SEEDS = (0, 1, 42, 1337, 2**31 + 5)
SIZES = (1, 2, 3, 15, 16, 17, 31, 32, 33, 100, 1000)


@pytest.fixture(params=SEEDS)
def pair(request):
    """The generator at the same place as PyTorch's."""
    torch.manual_seed(request.param)
    return Mersenne(request.param)


def same_place(mersenne):
    assert torch.rand(3).tolist() == mersenne.uniform(3).tolist()


@pytest.mark.parametrize("size", SIZES)
def test_uniform_numbers_and_integers_have_the_same_bits(pair, size):
    assert torch.rand(size).tolist() == pair.uniform(size).tolist()
    assert torch.rand(size, dtype=torch.float64).tolist() == list(pair.double_uniform(size))
    assert torch.empty(size).uniform_(-2, 5).tolist() == pair.uniform(size, -2, 5).tolist()
    assert torch.empty(size).uniform_(-0.1, 0.1).tolist() == pair.uniform(size, -0.1, 0.1).tolist()
    assert torch.empty(size, dtype=torch.float64).uniform_(-0.1, 3).tolist() == list(pair.double_uniform(size, -0.1, 3))
    assert torch.randint(-3, 100, (size,)).tolist() == pair.integers(size, -3, 100)
    assert torch.randint(0, 2**40, (size,)).tolist() == pair.integers(size, 0, 2**40)
    assert torch.randperm(size).tolist() == pair.permutation(size)
    same_place(pair)


@pytest.mark.parametrize("size", SIZES)
def test_normal_numbers_are_equal_but_for_the_last_bits(pair, size):
    near = {"rel": 1e-6, "abs": 3e-6}
    assert torch.randn(size).tolist() == pytest.approx(pair.normal(size), **near)
    assert torch.empty(size).normal_(2, 3).tolist() == pytest.approx(pair.normal(size, 2, 3), **near)
    assert torch.randn(size, dtype=torch.float64).tolist() == pytest.approx(pair.double_normal(size), rel=1e-12)
    assert torch.randn(1).tolist() == pytest.approx(pair.normal(1), **near), "the second of a pair is kept"
    same_place(pair)


@pytest.mark.parametrize("size", SIZES)
def test_draws_that_depend_on_probabilities(pair, size):
    assert torch.empty(size).bernoulli_(0.3).tolist() == pair.bernoulli(size, 0.3)
    probabilities = torch.linspace(0, 1, size)
    assert torch.bernoulli(probabilities).tolist() == pair.bernoulli_each(probabilities.tolist())
    dropped = torch.nn.functional.dropout(torch.ones(size), 0.25) != 0
    assert dropped.tolist() == pair.bernoulli(size, 0.75)
    assert torch.empty(size).exponential_(2.0).tolist() == pytest.approx(pair.exponential(size, 2.0), rel=1e-6)
    same_place(pair)
