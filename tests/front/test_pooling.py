"""Pooling: functions and modules beside PyTorch's, places, gradients of both orders."""

import math

import pytest
import torch

from tests.front.layers import compare_call, compare_error, compare_module, converted, near

pytestmark = pytest.mark.fast


def wave(*shape, dtype=torch.float32, grad=True, phase=0.0, scale=1.0):
    n = torch.Size(shape).numel()
    x = (torch.sin(torch.arange(n, dtype=torch.float64) ** 1.1 * 1.7 + phase) * scale).to(dtype).reshape(shape)
    return x.requires_grad_() if grad else x


CALLS = {
    "F.max_pool1d(x, 3, 2, 1)": (2, 3, 11),
    "F.max_pool2d(x, 2)": (2, 3, 6, 7),
    "F.max_pool2d(x, (3, 2), (2, 1), (1, 0), (1, 2), return_indices=True)": (2, 3, 9, 8),
    "F.max_pool2d(x, 3, 2, 1, ceil_mode=True, return_indices=True)": (3, 8, 9),
    "F.max_pool3d(x, 2, return_indices=True)": (2, 2, 4, 5, 6),
    "F.max_pool2d_with_indices(x, 2)": (1, 2, 4, 4),
    "t.max_pool2d(x, 2, stride=[])": (1, 2, 4, 4),
    "F.avg_pool1d(x, 3, 2, 1)": (3, 11),
    "F.avg_pool2d(x, 3, 2, 1)": (2, 3, 8, 9),
    "F.avg_pool2d(x, 3, 2, 1, ceil_mode=True)": (2, 3, 8, 9),
    "F.avg_pool2d(x, 3, 2, 1, True, False)": (2, 3, 8, 9),
    "F.avg_pool2d(x, (2, 3), divisor_override=5)": (2, 3, 8, 9),
    "F.avg_pool3d(x, 2, 2, 1)": (2, 4, 5, 6),
    "F.adaptive_avg_pool1d(x, 4)": (2, 3, 7),
    "F.adaptive_avg_pool2d(x, (3, None))": (2, 3, 7, 5),
    "F.adaptive_avg_pool2d(x, 1)": (2, 3, 7, 5),
    "F.adaptive_avg_pool3d(x, (2, 7, 3))": (1, 2, 3, 4, 5),
    "F.adaptive_max_pool1d(x, 3, return_indices=True)": (2, 3, 7),
    "F.adaptive_max_pool2d(x, (3, 4), return_indices=True)": (2, 3, 7, 5),
    "F.adaptive_max_pool3d(x, 2)": (2, 3, 4, 5),
    "t.adaptive_max_pool1d(x, 3)": (2, 3, 7),
    "F.lp_pool1d(x.abs(), 3, 2)": (2, 3, 8),
    "F.lp_pool2d(x.abs(), 2.0, (3, 2), stride=1, ceil_mode=True)": (2, 3, 6, 7),
    "F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)": (2, 3, 6, 8),
    "F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2, output_size=(9,))": (2, 3, 9),
}


@pytest.mark.parametrize("source", CALLS)
def test_function(front, source):
    for dtype in (torch.float32, torch.float64):
        compare_call(front, source, wave(*CALLS[source], dtype=dtype))


def test_numbers_of_other_types(front):
    for dtype in (torch.float16, torch.bfloat16):
        x = wave(2, 3, 6, 6, dtype=dtype, grad=False)
        compare_call(front, "F.max_pool2d(x, 3, 2, return_indices=True)", x)
        compare_call(front, "F.avg_pool2d(x, 3, 2)", x, rtol=1e-2, atol=1e-2)
    for dtype in (torch.int64, torch.int32, torch.uint8):
        x = (torch.arange(72) * 37 % 101).to(dtype).reshape(2, 6, 6)
        compare_call(front, "F.max_pool2d(x, 3, 2, 1, return_indices=True)", x)


def test_a_nan_wins_and_minus_infinity_has_a_place(front):
    x = torch.tensor([[[1.0, math.nan, 3.0, 2.0, -math.inf, -math.inf, 0.0, 5.0]]])
    compare_call(front, "F.max_pool1d(x, 2, return_indices=True)", x)
    compare_call(front, "F.adaptive_max_pool1d(x, 3, return_indices=True)", x)


@pytest.mark.parametrize(
    "source",
    ["F.max_pool2d(x, 3, 2, 1) ** 3", "F.avg_pool2d(x, 3, 2, 1) ** 3", "F.adaptive_avg_pool2d(x, (3, 2)) ** 3",
     "F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2) ** 3"],
)  # fmt: skip
def test_gradients_of_gradients(front, source):
    x = wave(2, 2, 6, 6, dtype=torch.float64)
    second = []
    for t, v in ((torch, x), (front, converted(front, x))):
        out = eval(source, {"F": t.nn.functional, "x": v})
        (first,) = t.autograd.grad(out.sum(), [v], create_graph=True)
        second.extend(t.autograd.grad((first * first).sum(), [v]))
    near(*second, source, rtol=1e-9, atol=1e-9)


MODULES = [
    ("nn.MaxPool1d(3, stride=2)", (2, 3, 9)),
    ("nn.MaxPool2d((2, 3), padding=1, ceil_mode=True)", (2, 3, 6, 7)),
    ("nn.MaxPool3d(2, return_indices=True)", (1, 2, 4, 4, 4)),
    ("nn.AvgPool1d(3, 2, 1)", (2, 3, 9)),
    ("nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)", (2, 3, 6, 7)),
    ("nn.AvgPool3d(2, divisor_override=3)", (1, 2, 4, 4, 4)),
    ("nn.LPPool2d(2, 3)", (1, 2, 6, 6)),
    ("nn.AdaptiveAvgPool2d((None, 3))", (2, 3, 6, 7)),
    ("nn.AdaptiveAvgPool2d(1)", (3, 6, 7)),
    ("nn.AdaptiveMaxPool1d(4, return_indices=True)", (2, 3, 9)),
    ("nn.AdaptiveMaxPool3d((1, 2, 2))", (1, 2, 4, 4, 4)),
]


@pytest.mark.parametrize("source, shape", MODULES)
def test_module(front, source, shape):
    compare_module(front, source, wave(*shape) if "LPPool" not in source else wave(*shape, grad=False).abs())


def test_max_unpool_module(front):
    x = wave(1, 2, 4, 4)
    compare_call(front, "t.nn.MaxUnpool2d(2, stride=2)(*t.nn.MaxPool2d(2, return_indices=True)(x))", x)
    assert repr(front.nn.MaxUnpool2d(2)) == repr(torch.nn.MaxUnpool2d(2))


ERRORS = {
    "F.max_pool2d(x, 2)": (4, 4),
    "F.max_pool2d(x, 5)": (1, 2, 4, 4),
    "F.max_pool2d(x, 2, padding=2)": (1, 2, 4, 4),
    "F.max_pool2d(x, 0)": (1, 2, 4, 4),
    "F.max_pool2d(x, (1, 2, 3))": (1, 2, 4, 4),
    "F.max_pool2d(x, 2, stride=0)": (1, 2, 4, 4),
    "F.max_pool2d(x, 2.5)": (1, 2, 4, 4),
    "F.avg_pool2d(x, 2, padding=2)": (1, 2, 4, 4),
    "F.avg_pool2d(x, 2, divisor_override=0)": (1, 2, 4, 4),
    "F.avg_pool2d(x.int(), 2)": (1, 2, 4, 4),
    "F.adaptive_avg_pool2d(x, (1, 2, 3))": (1, 2, 4, 4),
    "F.adaptive_avg_pool2d(x, -1)": (1, 2, 4, 4),
    "F.max_unpool2d(x, t.zeros(1, 2, 4, 4), 2)": (1, 2, 4, 4),
    "F.max_unpool2d(x, t.full((1, 2, 2, 2), 99), 2)": (1, 2, 2, 2),
    "F.max_unpool2d(x, t.zeros((1, 2, 2, 2), dtype=t.int64), 2, output_size=(9, 4))": (1, 2, 2, 2),
}


@pytest.mark.parametrize("source", ERRORS)
def test_error(front, source):
    compare_error(front, source, x=wave(*ERRORS[source]))
