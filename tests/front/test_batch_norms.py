"""Batch, instance, group and local response norm: functions and modules beside PyTorch's, running
statistics, gradients of the first and second order.
"""

import pytest
import torch

from tests.front.layers import compare_call, compare_error, compare_module, converted, near

pytestmark = pytest.mark.fast


def wave(*shape, dtype=torch.float32, grad=True, phase=0.0, scale=1.0):
    n = torch.Size(shape).numel()
    x = (torch.sin(torch.arange(n, dtype=torch.float64) ** 1.1 * 1.7 + phase) * scale).to(dtype).reshape(shape)
    return x.requires_grad_() if grad else x


# expression: shapes of x, y, z (weight and bias)
CALLS = {
    "F.batch_norm(x, None, None, y, z, True)": [(5, 3, 4, 5), (3,), (3,)],
    "F.batch_norm(x, None, None, y, None, True, eps=0.1)": [(7, 20), (20,)],
    "F.batch_norm(x, t.arange(3, dtype=x.dtype), t.ones(3, dtype=x.dtype) * 2, y, z)": [(5, 3, 4), (3,), (3,)],
    "t.batch_norm(x, y, z, None, None, True, 0.1, 1e-5, False)": [(5, 3, 4), (3,), (3,)],
    "F.instance_norm(x, weight=y, bias=z)": [(2, 3, 4, 5), (3,), (3,)],
    "F.group_norm(x, 2, y, z)": [(3, 6, 4, 5), (6,), (6,)],
    "F.group_norm(x, 3)": [(3, 6)],
    "F.local_response_norm(x, 3, 0.1, 0.7, 2.0)": [(2, 5, 3, 4)],
    "F.local_response_norm(x, 2)": [(2, 5, 7)],
}


@pytest.mark.parametrize("source", CALLS)
def test_function(front, source):
    for dtype in (torch.float32, torch.float64):
        inputs = [wave(*s, dtype=dtype, phase=i, scale=2) for i, s in enumerate(CALLS[source])]
        compare_call(front, source, *inputs, atol=2e-5 if dtype is torch.float32 else 1e-9)


def test_sixteen_bits(front):
    x, y = wave(4, 3, 5, dtype=torch.bfloat16, grad=False), wave(3, dtype=torch.bfloat16, grad=False)
    compare_call(front, "F.batch_norm(x, None, None, y, y, True)", x, y, rtol=2e-2, atol=2e-2)
    compare_call(front, "F.batch_norm(x, None, None, y.float(), y.float(), True)", x, y, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(
    "source",
    ["F.batch_norm(x, None, None, y, z, True) ** 3", "F.batch_norm(x, z.detach(), y.detach() ** 2, y, z) ** 3",
     "F.group_norm(x, 2, y, z) ** 3", "F.instance_norm(x, weight=y, bias=z) ** 3"],
)  # fmt: skip
def test_gradients_of_gradients(front, source):
    inputs = [wave(*s, dtype=torch.float64, phase=i) for i, s in enumerate(((3, 4, 5), (4,), (4,)))]
    second = []
    for t, xs in ((torch, inputs), (front, [converted(front, x) for x in inputs])):
        out = eval(source, {"F": t.nn.functional, **dict(zip("xyz", xs, strict=True))})
        first = t.autograd.grad(out.sum(), xs, create_graph=True)
        second.append(t.autograd.grad(sum((g * g).sum() for g in first), xs))
    for a, b in zip(*second, strict=True):
        near(a, b, source, rtol=1e-8, atol=1e-8)


MODULES = [
    ("nn.BatchNorm1d(4)", (6, 4)),
    ("nn.BatchNorm1d(4, eps=1e-3, momentum=0.3, affine=False)", (3, 4, 5)),
    ("nn.BatchNorm2d(4, bias=False)", (3, 4, 5, 2)),
    ("nn.BatchNorm2d(4, track_running_stats=False)", (3, 4, 5, 2)),
    ("nn.BatchNorm3d(2, momentum=None, dtype=t.float64)", (2, 2, 3, 2, 2)),
    ("nn.InstanceNorm1d(4)", (4, 7)),
    ("nn.InstanceNorm2d(4, affine=True, track_running_stats=True)", (3, 4, 5, 2)),
    ("nn.InstanceNorm3d(2, momentum=0.2)", (2, 2, 3, 2, 2)),
    ("nn.GroupNorm(2, 4)", (3, 4, 5)),
    ("nn.GroupNorm(1, 4, eps=1e-3, affine=False)", (3, 4, 5, 2)),
    ("nn.LocalResponseNorm(3, alpha=0.1)", (2, 4, 5)),
]


@pytest.mark.parametrize("source, shape", MODULES)
def test_module(front, source, shape):
    dtype = torch.float64 if "float64" in source else torch.float32
    compare_module(front, source, wave(*shape, dtype=dtype), atol=2e-5)
    compare_module(front, source, wave(*shape, dtype=dtype), train=False, atol=2e-5)


@pytest.mark.parametrize(
    "source", [m for m, _ in MODULES if "Batch" in m] + ["nn.InstanceNorm2d(4, track_running_stats=True)"]
)
def test_running_statistics(front, source):
    shape = next((s for m, s in MODULES if m == source), (3, 4, 5, 2))
    theirs, ours = [eval(source, {"nn": t.nn, "t": t}) for t in (torch, front)]
    dtype = torch.float64 if "float64" in source else torch.float32
    for i in range(3):
        x = wave(*shape, dtype=dtype, phase=i, scale=1.0 + i, grad=False)
        theirs(x), ours(converted(front, x))
    values, own = theirs.state_dict(), ours.state_dict()
    assert list(values) == list(own)
    for name, value in values.items():
        near(value, own[name], (source, name))
    x = wave(*shape, dtype=dtype, grad=False)
    near(theirs.eval()(x), ours.eval()(converted(front, x)), source, atol=2e-5)


def test_lazy_modules_take_the_features_of_the_first_input(front):
    made = []
    for t in (torch, front):
        module = t.nn.LazyBatchNorm2d(affine=True)
        text = repr(module)
        module(t.ones(2, 3, 4, 4))
        made.append((text, repr(module), tuple(module.weight.shape), tuple(module.running_var.shape)))
    assert made[0] == made[1]


def test_statistics_start_anew(front):
    norm = front.nn.BatchNorm1d(2)
    norm(front.tensor([[1.0, 2.0], [3.0, 5.0]]))
    assert norm.num_batches_tracked.item() == 1 and norm.running_mean.tolist() != [0.0, 0.0]
    norm.reset_running_stats()
    assert norm.num_batches_tracked.item() == 0
    assert norm.running_mean.tolist() == [0.0, 0.0] and norm.running_var.tolist() == [1.0, 1.0]


ERRORS = {
    "F.batch_norm(x, None, None, training=True)": (1, 3),
    "F.batch_norm(x, None, None)": (2, 3),
    "F.batch_norm(x, None, None, t.ones(2), training=True)": (2, 3),
    "F.batch_norm(x.int(), None, None, training=True)": (2, 3),
    "F.instance_norm(x)": (2, 3, 1),
    "F.group_norm(x, 4)": (2, 6, 3),
    "F.group_norm(x, 2)": (6,),
    "F.local_response_norm(x, 2)": (2, 6),
    "nn.BatchNorm1d(3)(x)": (2, 3, 4, 5),
    "nn.BatchNorm2d(3)(x)": (2, 3, 4),
    "nn.BatchNorm2d(3)(x[:, :2])": (2, 3, 4, 4),
    "nn.InstanceNorm2d(3, affine=True)(x)": (2, 4, 4, 4),
    "nn.GroupNorm(3, 4)": (1,),
}


@pytest.mark.parametrize("source", ERRORS)
def test_error(front, source):
    compare_error(front, source, x=wave(*ERRORS[source]))
