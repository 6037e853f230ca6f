"""Pooling: torch.nn's modules and torch.nn.functional's functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...core.state import state
from ...core.tensor import DTYPES, Tensor, bool_, int64, numel_of
from ...nn import Module
from ...ops import elementwise, embedding, reduce
from ...ops import pooling as ops
from ..shown import shown
from .spatial import sizes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d",
    "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip
FUNCTIONS = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d",
    "lp_pool2d", "lp_pool3d", "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool2d_with_indices",
    "max_pool3d", "max_pool3d_with_indices", "max_unpool1d", "max_unpool2d", "max_unpool3d",
]  # fmt: skip
ABSENT = dict.fromkeys(
    ("fractional_max_pool2d", "fractional_max_pool3d", "FractionalMaxPool2d", "FractionalMaxPool3d"),
    "its windows are drawn at random; use max_pool2d or adaptive_max_pool2d",
)


def _check(name: str, n: int, x: Any) -> None:
    if not isinstance(x, Tensor):
        raise TypeError("%s(): argument 'input' must be Tensor, not %s" % (name, type(x).__name__))
    if x.ndim not in (n + 1, n + 2):
        raise RuntimeError("%s: Expected %dD or %dD input, but got size %s" % (name, n + 1, n + 2, list(x._shape)))
    if 0 in x._shape[-n - 1 :]:
        raise RuntimeError(
            "%s: Expected input to have non-zero size for non-batch dimensions, but it has shape %s"
            % (name, list(x._shape))
        )
    if x._dtype is bool_:
        raise NotImplementedError("%s is not implemented for bool; convert with .float()" % name)


def _windows(
    name: str, n: int, x: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> ops.Windows:
    """The windows of a pooling, with PyTorch's checks (pool2d_shape_check)."""
    kernel = sizes_of(name, n, kernel, "kernel_size")
    empty = stride is None or isinstance(stride, (tuple, list)) and not stride
    stride = kernel if empty else sizes_of(name, n, stride, "stride")
    padding, dilation = sizes_of(name, n, padding, "padding"), sizes_of(name, n, dilation, "dilation")
    for what, sizes in (("kernel size", kernel), ("stride", stride), ("dilation", dilation)):
        if min(sizes) <= 0:
            raise RuntimeError("%s: %s should be greater than zero, but got %s" % (name, what, list(sizes)))
    if min(padding) < 0:
        raise RuntimeError("%s: pad must be non-negative, but got pad: %s" % (name, list(padding)))
    out: list[int] = []
    for i, k, s, p, d in zip(x._shape[-n:], kernel, stride, padding, dilation):
        if 2 * p > d * (k - 1) + 1:
            raise RuntimeError(
                "%s: pad should be at most half of effective kernel size, but got pad=%d, kernel_size=%d and "
                "dilation=%d" % (name, p, k, d)
            )
        size = (i + 2 * p - d * (k - 1) - 1 + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (size - 1) * s >= i + p:  # the last window begins inside the input or its padding
            size -= 1
        out.append(size)
    if min(out) < 1:
        raise RuntimeError(
            "Given input size: %s. Calculated output size: %s. Output size is too small" % (list(x._shape[-n:]), out)
        )
    return ops.windows(x._shape, out, kernel, stride, padding, dilation)


def _index(index: Tensor) -> Tensor:
    return index._cast(DTYPES[state.whole])


# ---- max ----------------------------------------------------------------------------------------


def _max_pool(
    n: int, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, return_indices: bool
) -> Any:
    name = "max_pool%dd" % n
    _check(name, n, x)
    out, index = ops.max_pool(x, _windows(name, n, x, kernel, stride, padding, dilation, ceil_mode))
    return (out, _index(index)) if return_indices else out


@shown("SqueezeBackward1")
def max_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of each window of [N, C, L] or [C, L]; return_indices: its place."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@shown("MaxPool2DWithIndicesBackward0")
def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of each window of [N, C, H, W] or [C, H, W], with return_indices its
    place in the plane too.
    """
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@shown("MaxPool3DWithIndicesBackward0")
def max_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of each window of [N, C, D, H, W] or [C, D, H, W]."""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d_with_indices(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """max_pool1d's values and places."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """max_pool2d's values and places."""
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool3d_with_indices(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:  # fmt: skip
    """max_pool3d's values and places."""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, True)


def _unpool(
    n: int, x: Tensor, indices: Tensor, kernel: Any, stride: Any, padding: Any, output_size: Sequence[int] | None
) -> Tensor:
    name = "max_unpool%dd" % n
    _check(name, n, x)
    if indices._dtype is not int64:
        raise RuntimeError("elements in indices should be type int64 but got: %s" % indices._dtype.name)
    if indices._shape != x._shape:
        raise RuntimeError(
            "Expected shape of indices to be same as that of the input tensor (%s) but got indices tensor with "
            "shape: %s" % (list(x._shape), list(indices._shape))
        )
    kernel, padding = sizes_of(name, n, kernel, "kernel_size"), sizes_of(name, n, padding, "padding")
    stride = kernel if stride is None else sizes_of(name, n, stride, "stride")
    default = [(i - 1) * s + k - 2 * p for i, s, k, p in zip(x._shape[-n:], stride, kernel, padding)]
    size = default if output_size is None else list(output_size)
    if len(size) == n + 2:
        size = size[2:]
    if len(size) != n:
        raise ValueError(
            "output_size should be a sequence containing %d or %d elements, but it has a length of %d"
            % (n, n + 2, len(size))
        )
    if output_size is not None:
        for got, usual, s in zip(size, default, stride):
            if not usual - s < got < usual + s:
                raise ValueError("invalid output_size %s (each must be within the stride of %s)" % (size, default))
    lead = x._shape[:-n]
    try:
        return ops.unpool(x, embedding.as_index(indices), (*lead, *size), numel_of(lead))
    except IndexError:
        raise RuntimeError("%s: found an invalid max index (output volumes are of size %s)" % (name, size)) from None


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Zeros with input's elements where max_pool1d has found them."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Zeros with input's elements where max_pool2d has found them."""
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Zeros with input's elements where max_pool3d has found them."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)


# ---- mean ---------------------------------------------------------------------------------------


def _avg_pool(
    n: int, x: Any, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, count_pad: bool, divisor: Any = None
) -> Tensor:
    name = "avg_pool%dd" % n
    _check(name, n, x)
    if divisor is not None and divisor == 0:
        raise RuntimeError("divisor must be not zero")
    if not x._dtype.is_floating_point and x._dtype is not int64:
        raise NotImplementedError("%s is not implemented for %s; convert with .float()" % (name, x._dtype.name))
    return ops.avg_pool(x, _windows(name, n, x, kernel, stride, padding, 1, ceil_mode), count_pad, divisor or 0)


@shown("SqueezeBackward1")
def avg_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of each window of [N, C, L] or [C, L]; count_include_pad: zeros of the padding
    count.
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


@shown("AvgPool2DBackward0")
def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window of [N, C, H, W] or [C, H, W], or its sum / divisor_override."""
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@shown("AvgPool3DBackward0")
def avg_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window of [N, C, D, H, W] or [C, D, H, W]."""
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _lp_pool(n: int, x: Any, norm_type: float, kernel: Any, stride: Any, ceil_mode: bool) -> Tensor:
    kernel = sizes_of("lp_pool%dd" % n, n, kernel, "kernel_size")
    mean = _avg_pool(n, elementwise.pow_(x, norm_type), kernel, stride, 0, ceil_mode, True)
    return elementwise.pow_(elementwise.mul(mean, float(math.prod(kernel))), 1.0 / norm_type)


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """(sum of x^norm_type)^(1 / norm_type) of each window of [N, C, L] or [C, L]."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """(sum of x^norm_type)^(1 / norm_type) of each window of [N, C, H, W] or [C, H, W]."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """(sum of x^norm_type)^(1 / norm_type) of each window of [N, C, D, H, W] or [C, D, H, W]."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


# ---- adaptive -----------------------------------------------------------------------------------


def _adaptive(name: str, n: int, x: Any, output_size: Any) -> ops.Windows:
    _check(name, n, x)
    spatial = x._shape[-n:]
    given = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size] * n
    if len(given) != n:
        raise RuntimeError("%s: output_size must have %d elements, but got %s" % (name, n, given))
    sizes = sizes_of(name, n, [i if size is None else size for size, i in zip(given, spatial)], "output_size")
    if min(sizes) < 0:
        raise RuntimeError("%s: elements of output_size must be greater than or equal to 0: %s" % (name, list(sizes)))
    return ops.windows(x._shape, sizes)


def _adaptive_avg(n: int, x: Any, output_size: Any) -> Tensor:
    name = "adaptive_avg_pool%dd" % n
    w = _adaptive(name, n, x, output_size)
    if not x._dtype.is_floating_point:
        raise NotImplementedError("%s is not implemented for %s; convert with .float()" % (name, x._dtype.name))
    if w.out[-n:] == (1,) * n:
        return reduce.mean(x, tuple(range(-n, 0)), keepdim=True)
    return ops.avg_pool(x, w)


def _adaptive_max(n: int, x: Any, output_size: Any, return_indices: bool) -> Any:
    out, index = ops.max_pool(x, _adaptive("adaptive_max_pool%dd" % n, n, x, output_size))
    return (out, _index(index)) if return_indices else out


@shown("SqueezeBackward1")
def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The means of output_size windows that divide [N, C, L] or [C, L]."""
    return _adaptive_avg(1, input, output_size)


def _adaptive_name(input: Any, output_size: Any) -> str:
    return "MeanBackward1" if output_size in (1, (1, 1), [1, 1]) else "AdaptiveAvgPool2DBackward0"


@shown(_adaptive_name)
def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The means of windows that divide [N, C, H, W] or [C, H, W]; None keeps a size."""
    return _adaptive_avg(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """The means of windows that divide [N, C, D, H, W] or [C, D, H, W]; None keeps a size."""
    return _adaptive_avg(3, input, output_size)


@shown("SqueezeBackward1")
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of windows that divide [N, C, L] or [C, L]."""
    return _adaptive_max(1, input, output_size, return_indices)


@shown("AdaptiveMaxPool2DBackward0")
def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of windows that divide [N, C, H, W] or [C, H, W]; None keeps a size."""
    return _adaptive_max(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of windows that divide [N, C, D, H, W] or [C, D, H, W]."""
    return _adaptive_max(3, input, output_size, return_indices)


def adaptive_max_pool1d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """adaptive_max_pool1d's values and places."""
    return _adaptive_max(1, input, output_size, True)


def adaptive_max_pool2d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """adaptive_max_pool2d's values and places."""
    return _adaptive_max(2, input, output_size, True)


def adaptive_max_pool3d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """adaptive_max_pool3d's values and places."""
    return _adaptive_max(3, input, output_size, True)


# ---- modules ------------------------------------------------------------------------------------


class _MaxPoolNd(Module):
    n = 0

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        return _max_pool(
            self.n, input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            self.return_indices,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return "kernel_size=%s, stride=%s, padding=%s, dilation=%s, ceil_mode=%s" % (
            self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
        )  # fmt: skip


class _MaxUnpoolNd(Module):
    n = 0

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        each = (kernel_size, kernel_size if stride is None else stride, padding)
        self.kernel_size, self.stride, self.padding = (
            tuple(v) if isinstance(v, (tuple, list)) else (v,) * self.n for v in each
        )

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return _unpool(self.n, input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return "kernel_size=%s, stride=%s, padding=%s" % (self.kernel_size, self.stride, self.padding)


class _AvgPoolNd(Module):
    n = 0

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return _avg_pool(
            self.n, input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return "kernel_size=%s, stride=%s, padding=%s" % (self.kernel_size, self.stride, self.padding)


class AvgPool1d(_AvgPoolNd):
    """avg_pool1d as a module."""

    n = 1

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        kernel_size, stride, padding = [
            tuple(v) if isinstance(v, (tuple, list)) else (v,)
            for v in (kernel_size, kernel_size if stride is None else stride, padding)
        ]
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)


class _LPPoolNd(Module):
    n = 0

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return _lp_pool(self.n, input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return "norm_type=%s, kernel_size=%s, stride=%s, ceil_mode=%s" % (
            self.norm_type, self.kernel_size, self.stride, self.ceil_mode,
        )  # fmt: skip


class _AdaptiveAvgPoolNd(Module):
    n = 0

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return _adaptive_avg(self.n, input, self.output_size)

    def extra_repr(self) -> str:
        return "output_size=%s" % (self.output_size,)


class _AdaptiveMaxPoolNd(Module):
    n = 0

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        return _adaptive_max(self.n, input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return "output_size=%s" % (self.output_size,)


def _kinds(base: type[Module], name: str) -> list[Any]:
    """The classes name1d, name2d and name3d."""
    made: list[Any] = []
    for n in (1, 2, 3):
        title = "%s%dd" % (name, n)
        doc = "torch.nn.%s: the function of that name as a module." % title
        made.append(type(title, (base,), dict(n=n, __doc__=doc, __module__=__name__, __qualname__=title)))
    return made


MaxPool1d, MaxPool2d, MaxPool3d = _kinds(_MaxPoolNd, "MaxPool")
MaxUnpool1d, MaxUnpool2d, MaxUnpool3d = _kinds(_MaxUnpoolNd, "MaxUnpool")
_, AvgPool2d, AvgPool3d = _kinds(_AvgPoolNd, "AvgPool")
LPPool1d, LPPool2d, LPPool3d = _kinds(_LPPoolNd, "LPPool")
AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d = _kinds(_AdaptiveAvgPoolNd, "AdaptiveAvgPool")
AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d = _kinds(_AdaptiveMaxPoolNd, "AdaptiveMaxPool")
