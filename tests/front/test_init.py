"""First values of parameters are PyTorch's for a seed, and the tools of torch.nn.utils change the
same.
"""

import pytest
import torch

from tests.front.layers import compare_call, compare_error, compare_module, near

pytestmark = pytest.mark.fast
FUNCTIONS = [
    "uniform_({})", "uniform_({}, -2, 5)", "normal_({})", "normal_({}, 1.0, 0.02)", "trunc_normal_({})",
    "trunc_normal_({}, std=0.02)", "trunc_normal_({}, 0.0, 1.0, 1.5, 2.0)", "trunc_normal_({}, 1.0, 2.0, -1.0, 1.5)",
    "constant_({}, 0.3)", "ones_({})", "zeros_({})", "eye_({})", "xavier_uniform_({})", "xavier_uniform_({}, gain=2.0)",
    "xavier_normal_({})", "kaiming_uniform_({})", "kaiming_uniform_({}, a=5**0.5)",
    "kaiming_normal_({}, mode='fan_out', nonlinearity='relu')", "orthogonal_({})", "orthogonal_({}, gain=3)",
    "sparse_({}, 0.4)",
]  # fmt: skip
GAINS = ["'linear'", "'conv2d'", "'sigmoid'", "'tanh'", "'relu'", "'leaky_relu'", "'leaky_relu', 0.2", "'selu'"]
REFUSED = [
    "nn.init.calculate_gain('swish')", "nn.init.calculate_gain('leaky_relu', True)", "nn.init.eye_(t.ones(3))",
    "nn.init.xavier_normal_(t.ones(3))", "nn.init.kaiming_normal_(t.ones(3, 3), mode='fan')",
    "nn.init.orthogonal_(t.ones(3))", "nn.init.sparse_(t.ones(3), 0.1)", "nn.init.dirac_(t.ones(3, 3))",
    "nn.init.dirac_(t.ones(3, 3, 3), 2)", "nn.init.uniform_(t.ones(3), 2, 1)", "nn.init.normal_(t.ones(3), std=-1)",
]  # fmt: skip


@pytest.mark.parametrize("shape", [(5, 4), (3, 40), (40, 3)], ids=str)
@pytest.mark.parametrize("source", FUNCTIONS)
def test_the_same_numbers(front, source, shape):
    tolerance = dict(rtol=1e-4, atol=1e-5) if "orthogonal" in source else dict(rtol=3e-6, atol=2e-6)
    source = "t.nn.init." + source.format("t.nn.Parameter(t.empty(%d, %d))" % shape)
    compare_call(front, "(%s.detach(), t.rand(3))" % source, seed=3, **tolerance)


@pytest.mark.parametrize("source", ["t.nn.init.dirac_(t.empty(4, 2, %s), 2)" % k for k in ("3", "3, 4", "2, 3, 3")])
def test_dirac(front, source):
    compare_call(front, source)


def test_gains(front):
    for arguments in GAINS:
        results = [eval("t.nn.init.calculate_gain(%s)" % arguments, {"t": t}) for t in (torch, front)]
        assert results[0] == results[1], arguments


@pytest.mark.parametrize("source", REFUSED)
def test_the_class_of_an_error(front, source):
    compare_error(front, source)


# ---- torch.nn.utils -----------------------------------------------------------------------------


def gradients(front, call, *sizes, scale=1.0):
    """What a function leaves in the gradients, and what it returns."""
    for t in (torch, front):
        parameters = [t.nn.Parameter(t.zeros(n)) for n in sizes]
        for i, p in enumerate(parameters):
            p.grad = (t.arange(p.numel()) * 0.7 - i - 1.0) * scale
        result = call(t, parameters)
        yield [p.grad for p in parameters] + ([result] if isinstance(result, t.Tensor) else [])


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, float("inf"), 0.0])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_clip_grad_norm(front, norm_type, scale):
    def call(t, parameters):
        return t.nn.utils.clip_grad_norm_(parameters, 0.5, norm_type=norm_type)

    theirs, ours = gradients(front, call, 5, 3, 40, scale=scale)
    for a, b in zip(theirs, ours, strict=True):
        near(a, b, norm_type)


def test_clip_grad_value_and_norms(front):
    for call in (
        lambda t, ps: t.nn.utils.clip_grad_value_(ps, 0.7),
        lambda t, ps: t.nn.utils.clip_grad_value_(ps[0], 0.7),
        lambda t, ps: t.nn.utils.get_total_norm([p.grad for p in ps]),
        lambda t, ps: t.nn.utils.clip_grads_with_norm_(ps, 1.0, t.tensor(3.0)),
        lambda t, ps: t.nn.utils.clip_grad_norm_((p for p in ps[:1]), 1.0),
    ):
        theirs, ours = gradients(front, call, 5, 3)
        for a, b in zip(theirs, ours, strict=True):
            near(a, b, "clip")
    for t in (torch, front):
        p = t.nn.Parameter(t.ones(2))
        p.grad = t.tensor([float("inf"), 1.0])
        with pytest.raises(RuntimeError, match="non-finite"):
            t.nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
        assert p.grad.tolist() == [float("inf"), 1.0]


def test_vectors(front):
    for t in (torch, front):
        model = t.nn.Linear(3, 2)
        vector = t.nn.utils.parameters_to_vector(model.parameters())
        assert vector.shape == (8,)
        t.nn.utils.vector_to_parameters(t.arange(8.0), model.parameters())
        assert model.weight.tolist() == [[0, 1, 2], [3, 4, 5]] and model.bias.tolist() == [6, 7]


NORMED = [
    "nn.utils.weight_norm(nn.Linear(4, 3))", "nn.utils.weight_norm(nn.Linear(4, 3), dim=None)",
    "nn.utils.weight_norm(nn.Linear(4, 3), name='bias')", "nn.utils.spectral_norm(nn.Linear(4, 3))",
    "nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))",
    "nn.utils.parametrizations.weight_norm(nn.Linear(4, 3), dim=1)",
    "nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3))",
    "nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3), n_power_iterations=3)",
    "nn.utils.parametrizations.orthogonal(nn.Linear(4, 4))",
    "nn.utils.parametrizations.orthogonal(nn.Linear(4, 4), orthogonal_map='cayley', use_trivialization=False)",
    "nn.utils.parametrizations.orthogonal(nn.Linear(4, 3), orthogonal_map='matrix_exp')",
    "nn.utils.remove_weight_norm(nn.utils.weight_norm(nn.Linear(4, 3)))",
    "nn.utils.remove_spectral_norm(nn.utils.spectral_norm(nn.Linear(4, 3)))",
    "nn.utils.parametrize.remove_parametrizations(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), 'weight')",
]  # fmt: skip


@pytest.mark.parametrize("source", NORMED)
@pytest.mark.parametrize("train", [True, False])
def test_normed_weights(front, source, train):
    x = torch.sin(torch.arange(8.0)).reshape(2, 4).requires_grad_()
    tolerance = dict(rtol=1e-4, atol=1e-5) if "orthogonal" in source else {}
    compare_module(front, source, x, train=train, **tolerance)


def test_a_parametrization_of_ones_own(front):
    for t in (torch, front):

        class Symmetric(t.nn.Module):
            def forward(self, x):
                return x.triu() + x.triu(1).transpose(-1, -2)

        layer = t.nn.Linear(3, 3)
        t.nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
        assert type(layer).__name__ == "ParametrizedLinear" and t.nn.utils.parametrize.is_parametrized(layer, "weight")
        assert [name for name, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]
        weight = layer.weight
        assert (weight == weight.T).all()
        layer(t.ones(2, 3)).sum().backward()
        gradient = layer.parametrizations.weight.original.grad
        assert gradient[0, 2] == 4 and gradient[2, 0] == 0
        with pytest.raises(ValueError):
            t.nn.utils.parametrize.register_parametrization(layer, "nothing", Symmetric())
        t.nn.utils.parametrize.remove_parametrizations(layer, "weight")
        assert type(layer) is t.nn.Linear and (layer.weight == weight).all()


def test_other_parameters_for_one_call(front):
    for t in (torch, front):
        layer = t.nn.Linear(2, 1)
        before = layer.weight
        given = {"weight": t.ones(1, 2, requires_grad=True), "bias": t.zeros(1)}
        out = t.func.functional_call(layer, given, (t.ones(3, 2),))
        assert out.tolist() == [[2.0]] * 3 and layer.weight is before
        out.sum().backward()
        assert given["weight"].grad.tolist() == [[3.0, 3.0]] and layer.weight.grad is None
        with pytest.raises(RuntimeError):
            t.func.functional_call(layer, {"weight": t.ones(1, 2)}, (t.ones(3, 2),), strict=True)


def test_skipped_first_values_draw_no_number(front):
    for t in (torch, front):
        t.manual_seed(1)
        layer = t.nn.utils.skip_init(t.nn.Linear, 3, 2)
        assert layer.weight.shape == (2, 3)
        after = t.rand(3)
        t.manual_seed(1)
        assert (t.rand(3) == after).all()


def test_what_is_not_here_is_said(front):
    with pytest.raises(AttributeError, match="multiply the weight by a mask"):
        front.nn.utils.prune  # noqa: B018
    with pytest.raises(RuntimeError, match="householder"):
        front.nn.utils.parametrizations.orthogonal(front.nn.Linear(2, 3))
