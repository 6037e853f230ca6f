"""Images resized and rearranged: torch.nn's modules and torch.nn.functional's functions of
interpolation, pixel and channel shuffle, windows as columns (unfold) and back (fold).

Interpolation with weights is a product with a matrix [out, in] along each dimension: so gradients
of any order are those of matmul.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from ...core.autograd import TWICE, attach, needs_grad
from ...core.factory import full, like, tensor
from ...core.tensor import Tensor, bool_, int32, numel_of
from ...nn import Module
from ...ops import elementwise, matmul, movement
from ..keywords import refuse
from ..shown import shown
from .padding import pad
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .sampling import affine_grid, grid_sample  # noqa: F401
from .spatial import sizes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ChannelShuffle", "Fold", "PixelShuffle", "PixelUnshuffle", "Unfold", "Upsample", "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]  # fmt: skip
FUNCTIONS = [
    "affine_grid", "channel_shuffle", "fold", "grid_sample", "interpolate", "native_channel_shuffle", "pixel_shuffle",
    "pixel_unshuffle", "unfold",
    "upsample", "upsample_bilinear", "upsample_nearest",
]  # fmt: skip
LIMITED = {
    "interpolate": "antialias=True is refused: shrink with avg_pool2d, or mode 'area'",
    "grid_sample": "bilinear or nearest, over [N, C, H, W]",
}


TWICE.update(dict.fromkeys(("im2col", "col2im")))

# ---- interpolation ------------------------------------------------------------------------------

AREA = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)
WEIGHTED = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}  # the dimensions of each


def _single(value: float) -> float:
    """Rounded to float32."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def _nearest(n: int, out: int, scale: float | None, exact: bool) -> list[int]:
    """The element that each output is, in PyTorch's arithmetic (nearest_idx)."""
    step = _single(1.0 / scale if scale else n / out)
    shift = 0.5 if exact else 0.0
    return [min(math.floor(_single((i + shift) * step)), n - 1) for i in range(out)]


def _taken(x: Tensor, d: int, places: list[int]) -> Tensor:
    """x at these places of dimension d."""
    n, out = x._shape[d], len(places)
    if places == list(range(n)):
        return x
    if out % n == 0 and places == [i // (out // n) for i in range(out)]:
        lead, tail = x._shape[:d], x._shape[d + 1 :]
        wide = x.reshape(*lead, n, 1, *tail).expand(*lead, n, out // n, *tail)
        return movement.no_view(wide.reshape(*lead, out, *tail))
    index = tensor(places, dtype=int32, device=x.device)
    return movement.no_view(movement.index(x, (*(slice(None),) * d, index)))


def _cubic(t: float) -> tuple[float, float, float, float]:
    """Weights of four neighbours (Keys 1981, a = -0.75) at t behind the second."""
    a = -0.75

    def near(v: float) -> float:
        return ((a + 2) * v - (a + 3)) * v * v + 1

    def far(v: float) -> float:
        return ((a * v - 5 * a) * v + 8 * a) * v - 4 * a

    return far(t + 1), near(t), near(1 - t), far(2 - t)


def _weights(n: int, out: int, scale: float | None, align_corners: bool, cubic: bool) -> list[list[float]]:
    """The matrix [out, n] of one dimension (area_pixel_compute_source_index)."""
    if align_corners:
        step = (n - 1) / (out - 1) if out > 1 else 0.0
    else:
        step = 1.0 / scale if scale else n / out
    rows: list[list[float]] = []
    for i in range(out):
        at = step * i if align_corners else step * (i + 0.5) - 0.5
        if not cubic:
            at = max(at, 0.0)
        first = math.floor(at)
        t = at - first
        taps = _cubic(t) if cubic else (1 - t, t)
        row = [0.0] * n
        for j, w in enumerate(taps, first - 1 if cubic else first):
            row[min(max(j, 0), n - 1)] += w
        rows.append(row)
    return rows


def _mixed(x: Tensor, d: int, rows: list[list[float]]) -> Tensor:
    """The matrix times x along dimension d."""
    n, out = x._shape[d], len(rows)
    matrix = tensor(rows, dtype=x._dtype, device=x.device)
    lead, tail = x._shape[:d], x._shape[d + 1 :]
    if d == x.ndim - 1:
        return matmul.matmul(x, matrix.t())
    seen = x.reshape(numel_of(lead), n, numel_of(tail))
    return movement.no_view(matmul.matmul(matrix, seen).reshape(*lead, out, *tail))


def _sizes(x: Tensor, size: Any, scale_factor: Any, recompute: Any) -> tuple[list[int], list[float | None]]:
    """(output sizes, the scale that the places are computed with) of each spatial dimension."""
    n = x.ndim - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        given = list(size) if isinstance(size, (tuple, list)) else [size] * n
        if len(given) != n:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input with spatial "
                "dimensions of %s and output size of %s." % (list(x._shape[2:]), given)
            )
        return list(sizes_of("interpolate", n, given, "size")), [None] * n
    scales: list[Any] = list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor] * n
    if len(scales) != n:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial "
            "dimensions of %s and scale_factor of shape %s." % (list(x._shape[2:]), scales)
        )
    sizes = [math.floor(i * float(s)) for i, s in zip(x._shape[2:], scales)]
    kept: list[float | None] = [None if recompute else float(s) for s in scales]
    return sizes, kept


def _resize_name(input: Any, size: Any = None, factor: Any = None, mode: str = "nearest", *_: Any, **__: Any) -> str:
    name = "AdaptiveAvgPool" if mode == "area" else "Upsample" + mode.title().replace("-E", "E")
    return "%s%dDBackward0" % (name, input.ndim - 2)


@shown(_resize_name)
def interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    """input [N, C, ...] resized to `size`, or by scale_factor, as torch.nn.functional.interpolate.

    mode: nearest, nearest-exact, area, linear (3-D), bilinear, bicubic (4-D), trilinear (5-D).
    """
    refuse("interpolate", antialias=antialias)
    plain = mode in ("nearest", "nearest-exact", "area")
    if plain and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    sizes, scales = _sizes(input, size, scale_factor, recompute_scale_factor)
    if not plain and mode not in WEIGHTED or input.ndim not in (3, 4, 5):
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported (got %dD) for the modes: nearest | linear | "
            "bilinear | bicubic | trilinear | area | nearest-exact (got %s)" % (input.ndim, mode)
        )
    if not plain and WEIGHTED[mode] != input.ndim - 2:
        raise NotImplementedError("Got %dD input, but %s mode needs %dD input" % (input.ndim, mode, WEIGHTED[mode] + 2))
    if min(sizes) <= 0 or 0 in input._shape[2:]:
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input %s and output %s"
            % (list(input._shape[2:]), sizes)
        )
    if mode == "area":
        return AREA[input.ndim - 3](input, sizes)
    if not plain and not input._dtype.is_floating_point:
        raise NotImplementedError("interpolate: mode %r is not implemented for %s" % (mode, input._dtype.name))
    out = input
    for d, (n, new, scale) in enumerate(zip(input._shape[2:], sizes, scales), 2):
        if plain:
            out = _taken(out, d, _nearest(n, new, scale, mode == "nearest-exact"))
        elif n != new or scale not in (None, 1.0):
            out = _mixed(out, d, _weights(n, new, scale, bool(align_corners), mode == "bicubic"))
    return movement.clone(input) if out is input else out


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """interpolate under its former name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with mode nearest."""
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with mode bilinear and aligned corners."""
    return interpolate(input, size, scale_factor, "bilinear", True)


# ---- shuffles -----------------------------------------------------------------------------------


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """[..., C r^2, H, W] as [..., C, H r, W r] (Shi et al. 2016)."""
    r = upscale_factor
    if input.ndim < 3:
        raise RuntimeError("pixel_shuffle expects input to have at least 3 dimensions, but got %d" % input.ndim)
    if r <= 0:
        raise RuntimeError("pixel_shuffle expects a positive upscale_factor, but got %d" % r)
    *lead, C, H, W = input._shape
    if C % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            "but input.size(-3)=%d is not divisible by %d" % (C, r * r)
        )
    n = len(lead)
    seen = input.reshape(*lead, C // (r * r), r, r, H, W)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return movement.no_view(seen.permute(order).reshape(*lead, C // (r * r), H * r, W * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """[..., C, H r, W r] as [..., C r^2, H, W]: pixel_shuffle back."""
    r = downscale_factor
    if input.ndim < 3:
        raise RuntimeError("pixel_unshuffle expects input to have at least 3 dimensions, but got %d" % input.ndim)
    if r <= 0:
        raise RuntimeError("pixel_unshuffle expects a positive downscale_factor, but got %d" % r)
    *lead, C, H, W = input._shape
    if H % r or W % r:
        raise RuntimeError(
            "pixel_unshuffle expects height and width to be divisible by downscale_factor, but %d x %d is not "
            "divisible by %d" % (H, W, r)
        )
    n = len(lead)
    seen = input.reshape(*lead, C, H // r, r, W // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return movement.no_view(seen.permute(order).reshape(*lead, C * r * r, H // r, W // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of [N, C, ...] of all groups in turns (Zhang et al. 2018)."""
    if input.ndim < 3:
        raise RuntimeError(
            "channel_shuffle expects input with > 2 dims, but got input with sizes %s" % list(input._shape)
        )
    if groups <= 0:
        raise RuntimeError("Number of groups to divide channels in must be positive. Value of groups:%d" % groups)
    N, C, *spatial = input._shape
    if C % groups:
        raise RuntimeError(
            "Number of channels must be divisible by groups. Got %d channels and %d groups." % (C, groups)
        )
    seen = input.reshape(N, groups, C // groups, *spatial).transpose(1, 2)
    return movement.no_view(seen.reshape(input._shape))


native_channel_shuffle = channel_shuffle


# ---- windows as columns -------------------------------------------------------------------------


class _Windows(NamedTuple):
    """C channels of a padded image of `padded` sizes, windows of `kernel`, `count` of them in each
    dimension.
    """

    N: int
    C: int
    padded: tuple[int, int]
    kernel: tuple[int, int]
    count: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]


def _columns(x: Tensor, w: _Windows) -> Tensor:
    """Padded images [N, C, *padded] as columns [N, C * kernel, count]."""
    source = movement.contiguous(x.detach())
    H, W = w.padded
    shape = (w.N, w.C, *w.kernel, *w.count)
    (dy, dx), (sy, sx) = w.dilation, w.stride
    strides = (w.C * H * W, H * W, dy * W, dx, sy * W, sx)
    out = like(x, shape)
    if out.numel():
        elementwise.copy_into(out, Tensor(source._storage, shape, x._dtype, source._offset, strides))
    out = movement.no_view(out.reshape(w.N, w.C * numel_of(w.kernel), numel_of(w.count)))
    if needs_grad(x):
        attach("im2col", (out,), (x,), lambda dy: (_image(dy, w),), ())
    return out


def _image(columns: Tensor, w: _Windows) -> Tensor:
    """The transpose of _columns: each element is the sum of those it stands for."""
    seen = columns.detach().reshape(w.N, w.C, *w.kernel, *w.count)
    out = full((w.N, w.C, *w.padded), 0, columns._dtype, columns.device)
    for i in range(w.kernel[0]):
        for j in range(w.kernel[1]):
            part = out
            for d, first in ((2, i * w.dilation[0]), (3, j * w.dilation[1])):
                part = movement.sliced(part, d, first, w.count[d - 2], w.stride[d - 2])
            if part.numel():
                part.detach().add_(seen.select(2, i).select(2, j))
    out = movement.no_view(out.detach())
    if needs_grad(columns):
        attach("col2im", (out,), (columns,), lambda dx: (_columns(dx, w),), ())
    return out


def _windows(name: str, N: int, C: int, image: Sequence[int], given: Sequence[Any]) -> tuple[_Windows, tuple[int, ...]]:
    """(the windows, the padding); RuntimeError for sizes that give none."""
    names = ("kernel_size", "dilation", "padding", "stride")
    kernel, dilation, padding, stride = [sizes_of(name, 2, v, what) for v, what in zip(given, names)]
    for what, sizes in (("kernel size", kernel), ("dilation", dilation), ("stride", stride)):
        if min(sizes) <= 0:
            raise RuntimeError("%s should be greater than zero, but got %s" % (what, list(sizes)))
    if min(padding) < 0:
        raise RuntimeError("padding should be non-negative, but got %s" % list(padding))
    padded = [i + 2 * p for i, p in zip(image, padding)]
    count = [(i - d * (k - 1) - 1) // s + 1 for i, k, s, d in zip(padded, kernel, stride, dilation)]
    if min(count) < 1:
        raise RuntimeError(
            "Given spatial size %s, kernel_size=%s, dilation=%s, padding=%s, stride=%s, calculated shape of the array "
            "of sliding blocks as %s, but its components must be at least one."
            % (list(image), list(kernel), list(dilation), list(padding), list(stride), count)
        )
    pairs: Any = tuple(padded), kernel, tuple(count), stride, dilation
    return _Windows(N, C, *pairs), padding


@shown("Im2ColBackward0")
def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The windows of images [N, C, H, W] (or [C, H, W]) as columns [N, C kh kw, windows]."""
    if input.ndim not in (3, 4) or 0 in input._shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            "but got: %s" % list(input._shape)
        )
    if not input._dtype.is_floating_point and input._dtype is not bool_:
        raise NotImplementedError('"im2col_out_cpu" not implemented for %r' % input._dtype.name)
    x = input if input.ndim == 4 else input.unsqueeze(0)
    N, C, *image = x._shape
    w, (top, left) = _windows("unfold", N, C, image, (kernel_size, dilation, padding, stride))
    out = _columns(pad(x, (left, left, top, top)) if top or left else x, w)
    return out if input.ndim == 4 else out.squeeze(0)


@shown("Col2ImBackward0")
def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Columns [N, C kh kw, windows] (or without N) added up to images [N, C, *output_size]."""
    if input.ndim not in (2, 3) or 0 in input._shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            "input, but got: %s" % list(input._shape)
        )
    x = input if input.ndim == 3 else input.unsqueeze(0)
    size, taps = (
        sizes_of("fold", 2, output_size, "output_size"),
        numel_of(sizes_of("fold", 2, kernel_size, "kernel_size")),
    )
    if not taps or x._shape[1] % taps:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            "input.size(1)=%d and kernel_size=%s." % (x._shape[1], kernel_size)
        )
    given = (kernel_size, dilation, padding, stride)
    w, (top, left) = _windows("fold", x._shape[0], x._shape[1] // taps, size, given)
    if x._shape[2] != numel_of(w.count):
        raise RuntimeError(
            "Given output_size=%s, kernel_size=%s, dilation=%s, padding=%s, stride=%s, expected size of input's "
            "dimension 2 to match the calculated number of sliding blocks %d, but got input.size(2)=%d."
            % (list(size), *given, numel_of(w.count), x._shape[2])
        )
    out = _image(x, w)
    out = pad(out, (-left, -left, -top, -top)) if top or left else out
    return out if input.ndim == 3 else out.squeeze(0)


# ---- modules ------------------------------------------------------------------------------------


class Upsample(Module):
    """interpolate as a module, as torch.nn.Upsample."""

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor: Any = tuple([float(factor) for factor in scale_factor])
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode, self.align_corners, self.recompute_scale_factor = mode, align_corners, recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """input [N, C, ...] resized."""
        return interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        scaled = self.scale_factor is not None
        head = "scale_factor=%r" % (self.scale_factor,) if scaled else "size=%r" % (self.size,)
        return head + ", mode=%r" % self.mode


class UpsamplingNearest2d(Upsample):
    """Upsample with mode nearest."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Upsample with mode bilinear and aligned corners."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(Module):
    """pixel_shuffle as a module."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """[..., C r^2, H, W] -> [..., C, H r, W r]."""
        return pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return "upscale_factor=%s" % self.upscale_factor


class PixelUnshuffle(Module):
    """pixel_unshuffle as a module."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """[..., C, H r, W r] -> [..., C r^2, H, W]."""
        return pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return "downscale_factor=%s" % self.downscale_factor


class ChannelShuffle(Module):
    """channel_shuffle as a module."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, ...] of the same shape."""
        return channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return "groups=%s" % self.groups


class Unfold(Module):
    """unfold as a module."""

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, C kh kw, windows]."""
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return "kernel_size=%s, dilation=%s, padding=%s, stride=%s" % (
            self.kernel_size, self.dilation, self.padding, self.stride,
        )  # fmt: skip


class Fold(Module):
    """fold as a module."""

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        """[N, C kh kw, windows] -> [N, C, *output_size]."""
        return fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return "output_size=%s, kernel_size=%s, dilation=%s, padding=%s, stride=%s" % (
            self.output_size, self.kernel_size, self.dilation, self.padding, self.stride,
        )  # fmt: skip
