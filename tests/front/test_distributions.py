"""Distributions: PyTorch's samples for one seed, log probabilities, moments, gradients, errors."""

import pytest
import torch

import tinygpt.torch as tt
import tinygpt.torch.distributions as ours

pytestmark = pytest.mark.fast
reference = torch.distributions
MADE = {
    "Normal": lambda t, d: d.Normal(t.tensor([0.5, -1.0, 2.0]), t.tensor([1.0, 0.2, 3.0])),
    "Normal of numbers": lambda t, d: d.Normal(1, 2.5),
    "Normal, broadcast": lambda t, d: d.Normal(t.zeros(2, 3), 0.7),
    "Normal float64": lambda t, d: d.Normal(t.tensor([0.5, 1.5], dtype=t.float64), 2.0),
    "Normal, expanded": lambda t, d: d.Normal(0.5, 2.0).expand((2, 3)),
    "Uniform": lambda t, d: d.Uniform(t.tensor([0.0, -1.0]), t.tensor([1.0, 3.0])),
    "Uniform of numbers": lambda t, d: d.Uniform(-2, 2.0),
    "Exponential": lambda t, d: d.Exponential(t.tensor([0.5, 2.0, 1.0])),
    "Exponential, expanded": lambda t, d: d.Exponential(t.tensor([0.5])).expand([2, 2]),
    "Bernoulli": lambda t, d: d.Bernoulli(t.tensor([0.1, 0.5, 0.9, 1.0])),
    "Bernoulli of logits": lambda t, d: d.Bernoulli(logits=t.tensor([[-1.0], [2.0]])),
    "Bernoulli of a number": lambda t, d: d.Bernoulli(0.3),
    "Bernoulli, expanded": lambda t, d: d.Bernoulli(logits=t.tensor(0.3)).expand((3,)),
    "Categorical": lambda t, d: d.Categorical(t.tensor([0.1, 0.2, 0.7])),
    "Categorical, unnormalized": lambda t, d: d.Categorical(t.tensor([[1.0, 2.0, 3.0], [3.0, 0.0, 1.0]])),
    "Categorical of logits": lambda t, d: d.Categorical(logits=t.tensor([[1.0, 2.0, 3.0], [3.0, 0.0, 1.0]])),
    "Categorical, expanded": lambda t, d: d.Categorical(logits=t.tensor([1.0, 2.0, 0.5])).expand((4,)),
    "Independent": lambda t, d: d.Independent(d.Normal(t.zeros(2, 3), t.ones(2, 3)), 1),
    "Independent of nothing": lambda t, d: d.Independent(d.Bernoulli(t.tensor([0.1, 0.5])), 0),
    "Independent, expanded": lambda t, d: d.Independent(d.Normal(t.zeros(3), t.ones(3)), 1).expand((2,)),
}
ASKED = """repr(x) x.batch_shape x.event_shape x.mean x.mode x.variance x.stddev x.entropy() x.perplexity()
x.has_rsample x.has_enumerate_support x.support x.enumerate_support() x.enumerate_support(expand=False) x.sample()
x.sample((3,)) x.sample((2,3)).dtype x.rsample((5,)) x.sample((40,)).mean(0)
x.log_prob(x.sample((2,))) x.log_prob(x.sample())
x.cdf(x.sample()) x.icdf(x.sample()*0+0.3) x.log_prob(t.tensor(float("nan"))) x.log_prob(0.5) x.log_prob(t.zeros(7,5))
x.arg_constraints x.param_shape x.expand((2,2,2,3)).sample().shape x.sample_n(2)""".split()


def shown(value):
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return [str(value.dtype), tuple(value.shape), value.requires_grad, value.tolist()]
    return repr(value)


def outcome(t, d, make, source):
    t.manual_seed(11)
    try:
        return shown(eval(source, {"x": make(t, d), "t": t}))
    except Exception as error:
        return [type(error).__name__]


def near(got, want):
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want), (got, want)
        for a, b in zip(got, want):
            near(a, b)
    elif isinstance(want, float):
        assert got == pytest.approx(want, rel=2e-5, abs=2e-6, nan_ok=True)
    else:
        assert got == want


@pytest.mark.parametrize("source", ASKED)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MADE)
def test_a_distribution(name, source):
    near(outcome(tt, ours, MADE[name], source), outcome(torch, reference, MADE[name], source))


WRONG = {
    "a scale below 0": lambda t, d: d.Normal(t.tensor([0.0, 1.0]), t.tensor([1.0, -1.0])),
    "a NaN": lambda t, d: d.Normal(float("nan"), 1.0),
    "bounds the wrong way": lambda t, d: d.Uniform(t.tensor([1.0]), t.tensor([0.0])),
    "a probability above 1": lambda t, d: d.Bernoulli(t.tensor([0.5, 1.5])),
    "both": lambda t, d: d.Bernoulli(0.5, 0.5),
    "neither": lambda t, d: d.Categorical(),
    "a scalar": lambda t, d: d.Categorical(t.tensor(0.5)),
    "probabilities below 0": lambda t, d: d.Categorical(t.tensor([0.5, -0.5, 1.0])),
    "a text": lambda t, d: d.Normal("0", 1.0),
    "too many dimensions": lambda t, d: d.Independent(d.Normal(0.0, 1.0), 1),
    "a sample outside": lambda t, d: d.Uniform(t.tensor(0.0), 1.0).log_prob(t.tensor(2.0)),
    "no category": lambda t, d: d.Categorical(t.tensor([0.5, 0.5])).log_prob(t.tensor(2)),
    "half a coin": lambda t, d: d.Bernoulli(0.5).log_prob(t.tensor(0.5)),
    "no KL": lambda t, d: d.kl_divergence(d.Uniform(0.0, 1.0), d.Bernoulli(0.5)),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name):
    with pytest.raises(Exception) as want:
        WRONG[name](torch, reference)
    with pytest.raises(want.type) as got:
        WRONG[name](tt, ours)
    assert str(got.value) == str(want.value)


def test_checks_can_be_turned_off():
    assert ours.Normal(0.0, -1.0, validate_args=False).mean.item() == 0
    assert ours.Bernoulli(0.5, validate_args=False).log_prob(tt.tensor(0.5)).item() == pytest.approx(-0.6931, abs=1e-4)
    ours.Distribution.set_default_validate_args(False)
    try:
        ours.Normal(0.0, -1.0)
    finally:
        ours.Distribution.set_default_validate_args(True)


PAIRS = [
    (lambda t, d: d.Normal(t.tensor([0.5, 1.0]), 2.0), lambda t, d: d.Normal(0.0, t.tensor([1.0, 3.0]))),
    (lambda t, d: d.Bernoulli(t.tensor([0.0, 0.3, 1.0])), lambda t, d: d.Bernoulli(t.tensor([0.5, 0.0, 1.0]))),
    (lambda t, d: d.Categorical(t.tensor([0.0, 1.0, 2.0])), lambda t, d: d.Categorical(t.tensor([1.0, 1.0, 0.0]))),
    (lambda t, d: d.Exponential(2.0), lambda t, d: d.Exponential(t.tensor([0.5, 3.0]))),
    (lambda t, d: d.Uniform(0.0, t.tensor([1.0, 3.0])), lambda t, d: d.Uniform(0.0, 2.0)),
    (lambda t, d: d.Uniform(0.5, 1.0), lambda t, d: d.Normal(0.2, 2.0)),
    (lambda t, d: d.Uniform(t.tensor([0.5, -1.0]), 1.0), lambda t, d: d.Exponential(2.0)),
    (lambda t, d: d.Exponential(2.0), lambda t, d: d.Normal(0.2, 2.0)),
    (lambda t, d: d.Normal(0.2, 2.0), lambda t, d: d.Uniform(0.2, 2.0)),
    (
        lambda t, d: d.Independent(d.Normal(t.zeros(3), 1.0), 1),
        lambda t, d: d.Independent(d.Normal(t.ones(3), 2.0), 1),
    ),
]


@pytest.mark.parametrize("p, q", PAIRS)
def test_divergences(p, q):
    want, got = [shown(d.kl_divergence(p(t, d), q(t, d))) for t, d in ((torch, reference), (tt, ours))]
    near(got, want)


def trained(t, d):
    """Gradients of a reparametrized sample, of a score function, of a divergence."""
    t.manual_seed(3)
    loc = t.tensor([0.5, -0.5], requires_grad=True)
    logits = t.tensor([[0.1, 0.2, 0.7], [1.0, 0.0, 0.0]], requires_grad=True)
    normal, policy = d.Normal(loc, loc.exp()), d.Categorical(logits=logits)
    action = policy.sample()
    loss = (normal.rsample((4,)) ** 2).sum() - (policy.log_prob(action) * t.tensor([1.0, -2.0])).sum()
    loss = loss + d.kl_divergence(normal, d.Normal(0.0, 1.0)).sum() - policy.entropy().mean()
    loss = loss + d.Bernoulli(logits=loc).log_prob(t.tensor([1.0, 0.0])).sum()
    loss.backward()
    return [loss.item(), action.tolist(), loc.grad.tolist(), logits.grad.tolist()]


def test_gradients():
    near(trained(tt, ours), trained(torch, reference))


def test_what_is_not_here_says_what_to_do():
    for name in ("Beta", "Dirichlet", "MultivariateNormal"):
        with pytest.raises(AttributeError, match="torch.distributions.%s is not in TinyGPT's subset.*:" % name):
            getattr(ours, name)
