"""Activation functions: values and gradients at kinks, at large numbers and at NaN and infinities;
the modules of the same names; what is refused.
"""

import pytest
import torch

from tests.front.layers import compare_call, compare_error, compare_module

pytestmark = pytest.mark.fast
POINTS = [
    0.0,
    -0.0,
    0.5,
    -0.5,
    1.0,
    -1.0,
    3.0,
    -3.0,
    6.0,
    20.0,
    21.0,
    -20.0,
    90.0,
    -90.0,
    1e-4,
    -1e-4,
    0.3,
    -2.7,
    5.9,
    1.7,
]
FUNCTIONS = [
    "F.relu(x)", "F.relu6(x)", "F.leaky_relu(x)", "F.leaky_relu(x, 0.2)", "F.elu(x)", "F.elu(x, 0.7)", "F.selu(x)",
    "F.celu(x)", "F.celu(x, 1.7)", "F.gelu(x)", "F.gelu(x, approximate='tanh')", "F.silu(x)", "F.mish(x)",
    "F.sigmoid(x)", "F.tanh(x)", "F.logsigmoid(x)", "F.softplus(x)", "F.softplus(x, 2.0, 5.0)", "F.softsign(x)",
    "F.tanhshrink(x)", "F.hardshrink(x)", "F.hardshrink(x, 1.0)", "F.softshrink(x)", "F.softshrink(x, 1.0)",
    "F.hardtanh(x)", "F.hardtanh(x, -0.5, 3.0)", "F.hardsigmoid(x)", "F.hardswish(x)", "F.threshold(x, 0.5, -7.0)",
    "F.rrelu(x)", "F.rrelu(x, training=True)", "F.glu(x)", "F.softmax(x, -1)", "F.softmin(x, 0)",
    "F.log_softmax(x, 0)", "F.softmax(x, 0, dtype=t.float64)", "F.prelu(x, y)", "F.normalize(x, dim=0)",
    "F.gumbel_softmax(x, dim=0)", "F.gumbel_softmax(x, 0.3, hard=True, dim=-1)",
]  # fmt: skip
IN_PLACE = [
    "F.relu", "F.relu6", "F.leaky_relu", "F.elu", "F.selu", "F.celu", "F.silu", "F.mish", "F.hardtanh", "F.hardswish",
    "F.hardsigmoid", "F.rrelu",
]  # fmt: skip
MODULES = [
    "nn.ReLU()", "nn.ReLU(inplace=True)", "nn.ReLU6()", "nn.LeakyReLU(0.3)", "nn.PReLU()", "nn.PReLU(6, init=0.1)",
    "nn.RReLU()", "nn.ELU(0.5)", "nn.SELU()", "nn.CELU(2.0)", "nn.GELU()", "nn.GELU('tanh')", "nn.SiLU()", "nn.Mish()",
    "nn.Sigmoid()", "nn.LogSigmoid()", "nn.Softplus()", "nn.Softsign()", "nn.Softshrink()", "nn.Hardshrink(0.2)",
    "nn.Tanhshrink()", "nn.Hardtanh(-2.0, 0.5)", "nn.Hardsigmoid()", "nn.Hardswish()", "nn.Threshold(0.1, 20)",
    "nn.GLU()", "nn.Softmax(dim=1)", "nn.Softmin(dim=1)", "nn.LogSoftmax(dim=-1)", "nn.Softmax()", "nn.Tanh()",
]  # fmt: skip
REFUSED = [
    "F.leaky_relu(i)", "F.elu(i)", "F.gelu(i)", "F.softmax(i, 0)", "F.glu(x[:3])", "F.softshrink(x, -1.0)",
    "F.gelu(x, approximate='quick')", "nn.Hardtanh(1.0, -1.0)", "F.hardtanh(x, 1.0, -1.0)", "F.celu(x, 0.0)",
    "F.prelu(x.reshape(2, 10), t.ones(3))", "F.softmax(x, 3)", "F.relu(i > 2)", "nn.Softmax2d()(x)", "F.mish(i)",
    "F.rrelu(x, 0.5, 0.1)", "F.softplus(i)", "F.logsigmoid(i)", "F.relu(y, inplace=True)",
]  # fmt: skip


def points(dtype=torch.float32):
    return torch.tensor(POINTS, dtype=dtype).reshape(4, 5).repeat(1, 2).requires_grad_()


@pytest.mark.parametrize("source", FUNCTIONS)
def test_value_and_gradient(front, source):
    x = points()
    y = torch.rand(10, requires_grad=True)
    compare_call(front, source, x, y)
    compare_call(front, source, points(torch.float64), y.detach().double().requires_grad_(), rtol=1e-6)


@pytest.mark.parametrize("source", [s for s in FUNCTIONS if "softm" not in s and "normalize" not in s])
def test_the_values_that_are_no_numbers(front, source):
    if "rrelu" in source or "glu" in source or "prelu" in source or source == "F.gelu(x)":
        return  # PyTorch's vectors make NaN of gelu(inf)
    compare_call(front, source, torch.tensor([float("nan"), float("inf"), -float("inf")]))


@pytest.mark.parametrize("name", IN_PLACE)
def test_inplace_writes_into_the_argument(front, name):
    compare_call(front, "(lambda a: (%s(a, inplace=True), a))(x * 1.5)" % name, points())


@pytest.mark.parametrize("source", MODULES)
def test_modules(front, source):
    x = torch.sin(torch.arange(48.0) * 3).mul(4).reshape(2, 6, 4)
    if "inplace" not in source:
        x.requires_grad_()
    compare_module(front, source, x)


@pytest.mark.parametrize("source", REFUSED)
def test_the_class_of_an_error(front, source):
    y = torch.ones(3, requires_grad=True)
    compare_error(front, source, x=torch.tensor(POINTS), y=y, i=torch.arange(6))


def test_narrow_floats_are_rounded_once(front):
    for source in FUNCTIONS[:30]:
        if "rrelu" not in source:
            for dtype in (torch.float16, torch.bfloat16):
                x = torch.tensor(POINTS[:10]).to(dtype)
                compare_call(front, source, x, rtol=8e-3, atol=1e-3)


TWICE = [
    s for s in FUNCTIONS if "training" not in s and "prelu" not in s and "gumbel" not in s and "hardsigmoid" not in s
]


@pytest.mark.parametrize("source", TWICE)
def test_the_gradient_of_a_gradient(front, source):
    x = torch.tensor([0.3, -0.4, 1.7, -2.2, 4.0, -5.0, 0.9, -0.8]).reshape(2, 4).requires_grad_()
    first = "t.autograd.grad(%s.square().sum(), x, create_graph=True)[0]" % source
    compare_call(front, "t.autograd.grad((%s * x.sin()).sum(), x)" % first, x, rtol=1e-4, atol=1e-5)


def test_the_names_of_ops_on_the_tape(front):
    x, y = torch.ones(4, requires_grad=True), front.ones(4, requires_grad=True)
    for name in "leaky_relu elu selu celu hardtanh hardswish hardsigmoid softplus mish logsigmoid softshrink".split():
        theirs, ours = (getattr(t.nn.functional, name)(v).grad_fn for t, v in ((torch, x), (front, y)))
        assert type(ours).__name__ == type(theirs).__name__, name
