"""The numbers of a seed are PyTorch's: values, order of draws, place in the stream behind them."""

import pytest
import torch

pytestmark = pytest.mark.fast
SIZES = (1, 3, 15, 16, 17, 33, 100, 1000)
# Each is evaluated with `t` as PyTorch and as the front; n is a size.
EXACT = [
    "t.rand(n)", "t.rand(n, dtype=t.float64)", "t.rand(n, dtype=t.float16)", "t.rand(n, dtype=t.bfloat16)",
    "t.empty(n).uniform_(-2, 5)", "t.empty(n).uniform_(-0.1, 0.1)",
    "t.empty(n, dtype=t.float64).uniform_(-0.1, 3)", "t.randint(-3, 100, (n,))", "t.randint(2**40, (n,))",
    "t.randint(5, (n, 2), dtype=t.int32)", "t.randperm(n)", "t.randperm(n, dtype=t.int32)",
    "t.empty(n).bernoulli_(0.3)",
    "t.bernoulli(t.linspace(0, 1, n))", "t.empty(n, dtype=t.bool).bernoulli_(0.5)",
    "t.empty(n, dtype=t.int64).random_()",
    "t.empty(n).random_()", "t.empty(n, dtype=t.float64).random_()", "t.empty(n, dtype=t.int32).random_()",
    "t.empty(n, dtype=t.uint8).random_()", "t.empty(n, dtype=t.bool).random_()", "t.empty(n).random_(7)",
    "t.empty(n, dtype=t.int16).random_(-5, 9)", "t.empty(n, 3).t().uniform_()", "t.empty(4, n, 3)[:, ::2].uniform_()",
    "t.empty(n).bernoulli_(t.linspace(0, 1, n))", "t.rand_like(t.ones(n, 2))", "t.randint_like(t.ones(n), 3, 9)",
    "t.nn.functional.dropout(t.ones(n, 3), 0.25)", "t.nn.functional.dropout(t.ones(n, dtype=t.float64), 0.1)",
    "t.multinomial(t.rand(n + 1) + 0.1, 1)", "t.multinomial(t.rand(3, n + 1) + 0.1, n)",
    "t.multinomial(t.rand(3, n) + 0.1, 5, replacement=True)", "t.multinomial(t.tensor([0.0, 1.0]), 2)",
    "t.multinomial(t.rand(n, dtype=t.float64) + 0.1, 50, replacement=True)", "t.nn.Linear(n, 3, bias=False).weight",
]  # fmt: skip
NEAR = [
    "t.randn(n)", "t.randn(n, dtype=t.float64)", "t.empty(n).normal_(2, 3)", "t.normal(t.zeros(n), t.ones(n))",
    "t.normal(2.0, 3.0, (n,))", "t.normal(t.arange(n).float(), 0.5)", "t.randn_like(t.ones(n, 2))",
    "t.empty(n, 3).t().normal_()", "t.empty(n).exponential_(2.0)", "t.empty(n).geometric_(0.3)", "t.empty(n).cauchy_()",
    "t.empty(n).log_normal_()", "t.nn.Embedding(n, 3).weight",
]  # fmt: skip


def both(front, source, n, seed):
    drawn = []
    for module in (torch, front):
        module.manual_seed(seed)
        value = eval(source, {"t": module, "n": n})
        drawn.append((value.detach(), module.rand(3).tolist(), str(value.dtype), tuple(value.shape)))
    assert drawn[0][1:] == drawn[1][1:], source
    return drawn[0][0].tolist(), drawn[1][0].tolist()


@pytest.mark.parametrize("source", EXACT)
def test_the_same_bits(front, source):
    for n in SIZES:
        theirs, ours = both(front, source, n, 1337 + n)
        assert ours == theirs, (source, n)


@pytest.mark.parametrize("source", NEAR)
def test_equal_but_for_the_last_bits(front, source):
    for n in SIZES:
        theirs, ours = both(front, source, n, 7 * n)
        close = torch.allclose(torch.tensor(ours), torch.tensor(theirs), rtol=3e-6, atol=3e-6)
        assert close, (source, n, ours[:5], theirs[:5])


def test_a_state_is_pytorchs(front):
    torch.manual_seed(5), torch.randn(3)
    front.set_rng_state(front.tensor(torch.get_rng_state().tolist(), dtype=front.uint8))
    assert front.get_rng_state().tolist() == torch.get_rng_state().tolist()
    assert front.randn(1).item() == pytest.approx(torch.randn(1).item()), "the second of a pair is kept"
    assert front.rand(700).tolist() == torch.rand(700).tolist()
    torch.set_rng_state(torch.tensor(front.get_rng_state().tolist(), dtype=torch.uint8))
    assert front.rand(700).tolist() == torch.rand(700).tolist()


def test_generators_of_ones_own(front):
    drawn = []
    for module in (torch, front):
        module.manual_seed(0)
        g = module.Generator().manual_seed(2147483647)
        drawn.append((module.rand(3, generator=g).tolist(), module.randint(9, (4,), generator=g).tolist()))
        drawn[-1] += (g.initial_seed(), module.initial_seed(), module.rand(2).tolist())
        with module.random.fork_rng():
            module.rand(5)
        drawn[-1] += (module.rand(1).item(),)
    assert drawn[0] == drawn[1]
    with pytest.raises(RuntimeError, match="CUDA"):
        front.Generator("cuda")


@pytest.mark.parametrize(
    "source",
    ["t.randint(5, 5, (2,))", "t.empty(2).normal_(0, -1)", "t.empty(2).uniform_(3, 1)", "t.empty(2).bernoulli_(2)",
     "t.multinomial(t.tensor([1.0, -1.0]), 1)", "t.multinomial(t.zeros(3), 1)", "t.multinomial(t.ones(3), 4)",
     "t.empty(2, dtype=t.int64).normal_()", "t.randperm(-1)",
     "t.rand(2, requires_grad=True).uniform_()", "t.bernoulli(t.tensor([2.0]))"],
)  # fmt: skip
def test_what_pytorch_refuses(front, source):
    classes = []
    for module in (torch, front):
        with pytest.raises(Exception) as raised:
            eval(source, {"t": module})
        classes.append(raised.type)
    assert issubclass(classes[1], classes[0])


def test_a_replayed_step_draws_as_the_eager_one(front):
    from tinygpt import compile as compiled
    from tinygpt import functional as F

    def step(x):
        return F.dropout(x, 0.5) * 2

    x, replayed = front.ones_like(front.rand(40)), compiled(step)
    front.manual_seed(3)
    eager = [step(x).tolist() for _ in range(4)]
    front.manual_seed(3)
    assert [replayed(x).tolist() for _ in range(4)] == eager
    assert eager[0] != eager[1]
