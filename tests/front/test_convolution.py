"""Convolution, padding, resizing and rearranging of images: functions and modules beside PyTorch's,
gradients of the first and second order.
"""

import numpy
import pytest
import torch

from tests.front.layers import compare_call, compare_error, compare_module, converted, near

pytestmark = pytest.mark.fast


def wave(*shape, dtype=torch.float32, grad=True, phase=0.0, scale=1.0):
    n = torch.Size(shape).numel()
    x = (torch.sin(torch.arange(n, dtype=torch.float64) ** 1.1 * 1.7 + phase) * scale).to(dtype).reshape(shape)
    return x.requires_grad_() if grad else x


# expression: shapes of x, y, z
CALLS = {
    "F.conv1d(x, y, z, 2, 1)": [(2, 3, 11), (4, 3, 3), (4,)],
    "F.conv1d(x, y, padding='same', dilation=2)": [(2, 3, 9), (4, 3, 4)],
    "F.conv2d(x, y, z, padding=1)": [(3, 2, 8, 9), (8, 2, 3, 3), (8,)],
    "F.conv2d(x, y, z, (2, 1), (0, 2), (1, 3), 2)": [(2, 4, 9, 8), (6, 2, 3, 2), (6,)],
    "F.conv2d(x, y, groups=3)": [(3, 9, 9), (6, 1, 3, 3)],
    "F.conv2d(x, y, padding='valid')": [(1, 2, 5, 5), (3, 2, 2, 2)],
    "F.conv3d(x, y, z, 1, 1)": [(2, 2, 4, 5, 6), (5, 2, 3, 2, 3), (5,)],
    "F.conv_transpose1d(x, y, z, stride=3, output_padding=2)": [(2, 4, 5), (4, 3, 3), (3,)],
    "F.conv_transpose2d(x, y, z, 2, 1, 1, 2, 2)": [(2, 4, 5, 6), (4, 3, 3, 3), (6,)],
    "F.conv_transpose3d(x, y, z, (1, 2, 2), 1)": [(4, 3, 4, 3), (4, 2, 3, 3, 2), (2,)],
    "t.conv2d(x, y, z, stride=2)": [(1, 3, 7, 7), (9, 3, 3, 3), (9,)],
    "F.pad(x, (1, 2, 0, 3))": [(2, 3, 4, 5)],
    "F.pad(x, (-1, 2, 3, -2), value=0.5)": [(2, 3, 4, 5)],
    "F.pad(x, (2, 1, 3, 0), mode='reflect')": [(2, 3, 4, 5)],
    "F.pad(x, (2, 1), 'reflect')": [(3, 4)],
    "F.pad(x, (2, -1, 3, 4), 'replicate')": [(2, 3, 4, 5)],
    "F.pad(x, (5, 1, 2, 4), 'circular')": [(2, 3, 4, 5)],
    "F.pad(x, (1, 1, 2, 0, 1, 1), 'reflect')": [(1, 2, 3, 4, 5)],
    "F.unfold(x, (3, 2), 2, 1, (1, 2))": [(2, 3, 8, 9)],
    "F.fold(x, (6, 7), 3, 1, 1, 2)": [(2, 18, 12)],
    "F.interpolate(x, scale_factor=2)": [(2, 3, 4, 5)],
    "F.interpolate(x, scale_factor=1.7)": [(2, 3, 4, 5)],
    "F.interpolate(x, (7, 3), mode='nearest-exact')": [(2, 3, 4, 5)],
    "F.interpolate(x, 9, mode='linear')": [(2, 3, 5)],
    "F.interpolate(x, scale_factor=2, mode='bilinear')": [(2, 3, 4, 5)],
    "F.interpolate(x, (7, 3), mode='bilinear', align_corners=True)": [(2, 3, 4, 5)],
    "F.interpolate(x, scale_factor=1.6, mode='bilinear', recompute_scale_factor=True)": [(2, 3, 4, 5)],
    "F.interpolate(x, scale_factor=(1.6, 3), mode='bicubic')": [(2, 3, 4, 5)],
    "F.interpolate(x, scale_factor=(2, 1.5, 1), mode='trilinear')": [(1, 2, 3, 4, 5)],
    "F.interpolate(x, (2, 3), mode='area')": [(2, 3, 4, 5)],
    "F.pixel_shuffle(x, 2)": [(2, 8, 3, 4)],
    "F.affine_grid(x, (2, 3, 4, 5), align_corners=False)": [(2, 2, 3)],
    "F.affine_grid(x, (2, 3, 2, 4, 5), align_corners=True)": [(2, 3, 4)],
    "F.grid_sample(x, y, align_corners=False)": [(2, 3, 4, 5), (2, 3, 6, 2)],
    "F.grid_sample(x, y * 2, padding_mode='border', align_corners=True)": [(2, 3, 4, 5), (2, 3, 6, 2)],
    "F.grid_sample(x, y * 3, 'bilinear', 'reflection', False)": [(2, 3, 4, 5), (2, 3, 6, 2)],
    "F.grid_sample(x, y.detach(), 'nearest', align_corners=False)": [(2, 3, 4, 5), (2, 3, 6, 2)],
    "F.pixel_unshuffle(x, 2)": [(2, 2, 4, 6)],
    "F.channel_shuffle(x, 3)": [(2, 6, 3, 4)],
}


@pytest.mark.parametrize("source", CALLS)
def test_function(front, source):
    for dtype in (torch.float32, torch.float64):
        compare_call(front, source, *[wave(*s, dtype=dtype, phase=i) for i, s in enumerate(CALLS[source])], atol=1e-5)


def test_numbers_of_other_types(front):
    for dtype, tolerance in ((torch.float16, 2e-3), (torch.bfloat16, 2e-2), (torch.int64, 0)):
        inputs = [wave(*s, dtype=dtype, grad=False, scale=3) for s in ((2, 3, 8, 8), (7, 3, 3, 3), (7,))]
        compare_call(front, "F.conv2d(x, y, z, padding=1)", *inputs, rtol=tolerance, atol=10 * tolerance)
    pixels = torch.arange(48, dtype=torch.uint8).reshape(1, 3, 4, 4)
    compare_call(front, "F.interpolate(F.pad(x, (1, 2, 3, 4), value=7), scale_factor=2)", pixels)


@pytest.mark.parametrize(
    "source, shapes",
    [
        ("(F.conv2d(x, y, z, 2, 1) ** 3)", [(2, 2, 6, 5), (4, 2, 3, 3), (4,)]),
        ("(F.conv_transpose1d(x, y, z, 2) ** 3)", [(2, 4, 5), (4, 2, 3), (2,)]),
        ("F.pad(x, (2, 1), 'reflect') ** 3", [(2, 3, 5)]),
        ("F.unfold(x, 2, padding=1) ** 3", [(1, 2, 4, 4)]),
        ("F.interpolate(x, scale_factor=2, mode='bilinear') ** 3", [(1, 2, 3, 4)]),
    ],
)
def test_gradients_of_gradients(front, source, shapes):
    inputs = [wave(*s, dtype=torch.float64, phase=i) for i, s in enumerate(shapes)]
    given = (torch, inputs), (front, [converted(front, x) for x in inputs])
    second = []
    for t, xs in given:
        out = eval(source, {"t": t, "F": t.nn.functional, **dict(zip("xyz", xs, strict=False))})
        first = t.autograd.grad(out.sum(), xs, create_graph=True)
        total = sum((g * g).sum() for g in first)
        second.append(t.autograd.grad(total, xs))
    for a, b in zip(*second, strict=True):
        near(a, b, source, rtol=1e-9, atol=1e-9)


MODULES = [
    ("nn.Conv1d(3, 6, 3, 2, 1, groups=3)", (2, 3, 9)),
    ("nn.Conv2d(3, 8, 3)", (2, 3, 6, 7)),
    ("nn.Conv2d(3, 8, (3, 2), padding='same', bias=False)", (3, 6, 7)),
    ("nn.Conv2d(2, 4, 3, padding=(1, 2), padding_mode='reflect')", (2, 2, 6, 7)),
    ("nn.Conv2d(2, 4, 3, padding='same', padding_mode='circular')", (2, 2, 6, 7)),
    ("nn.Conv2d(2, 4, 3, padding=1, padding_mode='replicate', dilation=2)", (2, 2, 6, 7)),
    ("nn.Conv3d(2, 4, 2, stride=(1, 2, 1))", (2, 2, 4, 5, 6)),
    ("nn.ConvTranspose1d(4, 2, 3, stride=2, dtype=t.float64)", (2, 4, 5)),
    ("nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2)", (2, 4, 5, 4)),
    ("nn.ConvTranspose3d(2, 3, 2)", (1, 2, 3, 3, 3)),
    ("nn.LazyConv2d(4, 3, padding=1)", (2, 3, 5, 5)),
    ("nn.LazyConvTranspose1d(4, 3, 2)", (2, 3, 5)),
    ("nn.ZeroPad2d((1, 2, 0, -1))", (2, 3, 4, 5)),
    ("nn.ConstantPad1d(2, 3.5)", (2, 3, 4)),
    ("nn.ReflectionPad2d(2)", (2, 3, 4, 5)),
    ("nn.ReplicationPad3d(1)", (1, 2, 3, 4, 5)),
    ("nn.CircularPad2d((1, 2, 3, 0))", (2, 3, 4, 5)),
    ("nn.Unfold(3, padding=1)", (2, 3, 5, 5)),
    ("nn.Fold((4, 5), kernel_size=(2, 2))", (3, 8, 12)),
    ("nn.Upsample(scale_factor=2, mode='bicubic')", (1, 2, 4, 5)),
    ("nn.Upsample((3, 9))", (1, 2, 4, 5)),
    ("nn.UpsamplingBilinear2d(scale_factor=2)", (1, 2, 4, 5)),
    ("nn.PixelShuffle(3)", (1, 9, 2, 2)),
    ("nn.PixelUnshuffle(2)", (1, 2, 4, 4)),
    ("nn.ChannelShuffle(2)", (1, 4, 2, 2)),
]


@pytest.mark.parametrize("source, shape", MODULES)
def test_module(front, source, shape):
    if "Lazy" in source:
        made = []
        for t in (torch, front):
            t.manual_seed(1)
            module = eval(source, {"nn": t.nn})
            text = repr(module)
            module(t.ones(shape))
            made.append((text, repr(module), module))
        assert made[0][:2] == made[1][:2]
        near(made[0][2].weight, made[1][2].weight, source)
        return
    dtype = torch.float64 if "float64" in source else torch.float32
    compare_module(front, source, wave(*shape, dtype=dtype))


def test_an_output_size_chooses_the_output_padding(front):
    sizes = []
    for t in (torch, front):
        module = t.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1)
        sizes.append(tuple(module(t.ones(1, 1, 4, 4), output_size=(8, 7)).shape))
        with pytest.raises(ValueError, match="requested an output size"):
            module(t.ones(1, 1, 4, 4), output_size=(10, 7))
    assert sizes[0] == sizes[1] == (1, 1, 8, 7)


ERRORS = {
    "F.conv2d(x, y)": [(2, 3, 4, 4), (4, 2, 3, 3)],
    "F.conv2d(x, y, stride=0)": [(2, 3, 4, 4), (4, 3, 3, 3)],
    "F.conv2d(x, y, padding=-1)": [(2, 3, 4, 4), (4, 3, 3, 3)],
    "F.conv2d(x, y, stride=(1, 2, 3))": [(2, 3, 4, 4), (4, 3, 3, 3)],
    "F.conv2d(x, y, stride=1.5)": [(2, 3, 4, 4), (4, 3, 3, 3)],
    "F.conv2d(x, y, groups=2)": [(2, 3, 4, 4), (4, 3, 3, 3)],
    "F.conv2d(x, y, padding='same', stride=2)": [(2, 3, 4, 4), (4, 3, 3, 3)],
    "F.conv2d(x, y, padding='full')": [(2, 3, 4, 4), (4, 3, 3, 3)],
    "F.conv2d(x, y, z)": [(2, 3, 4, 4), (4, 3, 3, 3), (3,)],
    "F.conv2d(x, y.double())": [(2, 3, 4, 4), (4, 3, 3, 3)],
    "F.conv2d(x, y, dilation=2)": [(2, 3, 4, 4), (4, 3, 3, 3)],
    "F.conv2d(x[0, 0], y)": [(2, 3, 4, 4), (4, 3, 3, 3)],
    "F.conv2d(x, 3)": [(2, 3, 4, 4)],
    "F.conv_transpose2d(x, y, stride=2, output_padding=2)": [(2, 3, 4, 4), (3, 4, 3, 3)],
    "F.conv_transpose1d(x, y)": [(2, 3, 4), (4, 3, 3)],
    "nn.Conv2d(3, 4, 3, groups=2)": [],
    "nn.Conv2d(4, 4, 3, groups=0)": [],
    "nn.Conv2d(4, 4, 3, padding='same', stride=2)": [],
    "nn.Conv2d(4, 4, 3, padding='full')": [],
    "nn.Conv2d(4, 4, 3, padding_mode='mirror')": [],
    "nn.ConvTranspose2d(4, 4, 3, padding_mode='reflect')": [],
    "F.pad(x, (1, 2, 3))": [(2, 3)],
    "F.pad(x, (4, 1), 'reflect')": [(2, 3, 4)],
    "F.pad(x, (5, 1), 'circular')": [(2, 3, 4)],
    "F.pad(x, (1, 1), 'mirror')": [(2, 3, 4)],
    "F.pad(x, (1, 1, 1, 1), 'reflect')": [(3, 4)],
    "F.pad(x, (-3, -2))": [(2, 3, 4)],
    "F.interpolate(x)": [(1, 2, 3, 4)],
    "F.interpolate(x, 4, scale_factor=2)": [(1, 2, 3, 4)],
    "F.interpolate(x, scale_factor=2, mode='bilinear')": [(1, 2, 3)],
    "F.interpolate(x, scale_factor=2, align_corners=True)": [(1, 2, 3, 4)],
    "F.interpolate(x, (1, 2, 3))": [(1, 2, 3, 4)],
    "F.pixel_shuffle(x, 2)": [(1, 3, 4, 4)],
    "F.fold(x, (4, 4), 2)": [(1, 8, 5)],
    "F.unfold(x, 6)": [(1, 2, 4, 4)],
}


@pytest.mark.parametrize("source", ERRORS)
def test_error(front, source):
    compare_error(front, source, **dict(zip("xyz", [wave(*s) for s in ERRORS[source]], strict=False)))


def test_what_is_refused_is_named(front):
    x = front.ones(1, 2, 4, 4)
    with pytest.raises(NotImplementedError, match="antialias"):
        front.nn.functional.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
    with pytest.raises(NotImplementedError, match="grid_sample"):
        front.nn.functional.grid_sample(x, front.zeros(1, 4, 4, 2), mode="bicubic")


def test_a_weight_written_since_the_forward_is_an_error(front):
    weight = front.nn.Parameter(front.ones(2, 1, 3, 3))
    x = front.ones(1, 1, 5, 5).requires_grad_()
    y = front.conv2d(x, weight).sum()
    with front.no_grad():
        weight.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_an_image_classifier_has_the_losses_of_pytorch(front):
    losses = []
    images = numpy.sin(numpy.arange(8 * 14 * 14, dtype="float32") * 0.37).reshape(8, 1, 14, 14)
    for t in (torch, front):
        t.manual_seed(0)
        nn = t.nn
        model = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, stride=2),
            nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10),
        )  # fmt: skip
        optimizer = t.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x, y, seen = t.tensor(images.tolist()), t.tensor([i % 10 for i in range(8)]), []
        for _ in range(6):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        losses.append(seen)
    assert numpy.allclose(losses[0], losses[1], rtol=2e-4), losses
