"""Convolutions: torch.nn's modules and torch.nn.functional's functions."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from ...core.tensor import Tensor, int64, numel_of
from ...nn import Module, Parameter
from ...ops import convolution as ops
from ...ops import elementwise
from . import init, parameter
from .lazy import LazyModuleMixin
from .padding import pad
from .parameter import UninitializedParameter
from .spatial import batched, repeated, sizes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "LazyConv1d", "LazyConv2d",
    "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d",
]  # fmt: skip
FUNCTIONS = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


# ---- functions ----------------------------------------------------------------------------------


def _check(name: str, n: int, x: Any, weight: Any, bias: Any) -> None:
    """PyTorch's errors for no tensor, another device, dtype or number of dimensions."""
    for argument, t in (("input", x), ("weight", weight)):
        if not isinstance(t, Tensor):
            raise TypeError("%s(): argument '%s' must be Tensor, not %s" % (name, argument, type(t).__name__))
    if bias is not None and not isinstance(bias, Tensor):
        raise TypeError("%s(): argument 'bias' must be Tensor, not %s" % (name, type(bias).__name__))
    if weight.ndim != n + 2:
        raise RuntimeError(
            "expected a %d-dimensional weight in %s, but got weight of size %s" % (n + 2, name, list(weight._shape))
        )
    for t in (weight,) if bias is None else (weight, bias):
        elementwise.same_device(x, t)
        if t._dtype is not x._dtype:
            raise RuntimeError(
                "Input type (%s) and %s type (%s) should be the same"
                % (x._dtype.name, "weight" if t is weight else "bias", t._dtype.name)
            )
    if not x._dtype.is_floating_point and x._dtype is not int64:
        raise NotImplementedError("%s is not implemented for %s; convert with .float()" % (name, x._dtype.name))


def _check_sizes(stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int) -> None:
    if min(stride) <= 0:
        raise RuntimeError("non-positive stride is not supported: %s" % list(stride))
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported: %s" % list(padding))
    if min(dilation) <= 0:
        raise RuntimeError("dilation should be greater than zero: %s" % list(dilation))
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported: %d" % groups)


def _check_bias(bias: Tensor | None, channels: int, weight: Tensor) -> None:
    if bias is not None and bias._shape != (channels,):
        raise RuntimeError(
            "Given weight of size %s, expected bias to be 1-dimensional with %d elements, "
            "but got bias of size %s instead" % (list(weight._shape), channels, list(bias._shape))
        )


def _conv(n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Tensor:
    name = "conv%dd" % n
    _check(name, n, x, weight, bias)
    stride, dilation = sizes_of(name, n, stride, "stride"), sizes_of(name, n, dilation, "dilation")
    kernel = weight._shape[2:]
    out = None
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError("Invalid padding string: %r; use 'same', 'valid' or numbers" % padding)
        before = (0,) * n
        if padding == "same":
            if any(s != 1 for s in stride):
                raise RuntimeError("padding='same' is not supported for strided convolutions")
            before, out = tuple([d * (k - 1) // 2 for d, k in zip(dilation, kernel)]), "as the input"
    else:
        before = sizes_of(name, n, padding, "padding")
    _check_sizes(stride, before, dilation, groups)
    v, single = batched(name, n, x)
    O, C = weight._shape[0], weight._shape[1] * groups
    if O < groups or O % groups:
        raise RuntimeError(
            "Given groups=%d, expected weight to be at least %d at dimension 0 and divisible by it, but got weight of "
            "size %s instead" % (groups, groups, list(weight._shape))
        )
    if v._shape[1] != C:
        raise RuntimeError(
            "Given groups=%d, weight of size %s, expected input%s to have %d channels, but got %d channels instead"
            % (groups, list(weight._shape), list(x._shape), C, v._shape[1])
        )
    _check_bias(bias, O, weight)
    spatial = v._shape[2:]
    if out is None:
        padded = [i + 2 * p for i, p in zip(spatial, before)]
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
        if any(k > i for k, i in zip(reach, padded)):
            raise RuntimeError(
                "Calculated padded input size per channel: %s. Kernel size: %s. "
                "Kernel size can't be greater than actual input size" % (padded, reach)
            )
        out = [(i - k) // s + 1 for i, k, s in zip(padded, reach, stride)]
    else:
        out = spatial
    y = ops.conv(v, weight, bias, ops.geometry(v._shape, weight._shape, out, stride, before, dilation, groups))
    return y.squeeze(0) if single else y


def _conv_transpose(
    n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: int, dilation: Any
) -> Tensor:
    name = "conv_transpose%dd" % n
    _check(name, n, x, weight, bias)
    stride, dilation = sizes_of(name, n, stride, "stride"), sizes_of(name, n, dilation, "dilation")
    padding, extra = sizes_of(name, n, padding, "padding"), sizes_of(name, n, output_padding, "output_padding")
    _check_sizes(stride, padding, dilation, groups)
    if min(extra) < 0:
        raise RuntimeError("negative output_padding is not supported: %s" % list(extra))
    v, single = batched(name, n, x)
    if v._shape[1] != weight._shape[0] or weight._shape[0] % groups:
        raise RuntimeError(
            "Given transposed=1, weight of size %s, expected input%s to have %d channels, but got %d channels instead"
            % (list(weight._shape), list(x._shape), weight._shape[0], v._shape[1])
        )
    channels = weight._shape[1] * groups
    _check_bias(bias, channels, weight)
    for e, s, d in zip(extra, stride, dilation):
        if e >= s and e >= d:
            raise RuntimeError(
                "output padding must be smaller than either stride or dilation, but got %s" % list(extra)
            )
    every = zip(v._shape[2:], stride, padding, dilation, weight._shape[2:], extra)
    out = [(i - 1) * s - 2 * p + d * (k - 1) + e + 1 for i, s, p, d, k, e in every]
    if min(out) <= 0:
        raise RuntimeError(
            "Given input size per channel: %s. Calculated output size per channel: %s. Output size is too small"
            % (list(v._shape[2:]), out)
        )
    g = ops.geometry((v._shape[0], channels, *out), weight._shape, v._shape[2:], stride, padding, dilation, groups)
    y = ops.conv_transposed(v, weight, bias, g)
    return y.squeeze(0) if single else y


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """y [N, O, L'] of input [N, C, L] and weight [O, C / groups, k], as torch's; also without N."""
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """y [N, O, H', W'] of input [N, C, H, W] and weight [O, C / groups, kh, kw], as torch's."""
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """y [N, O, D', H', W'] of input [N, C, D, H, W] and weight [O, C / groups, kd, kh, kw]."""
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The transpose of conv1d in its input: weight [C, O / groups, k]."""
    return _conv_transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The transpose of conv2d in its input: weight [C, O / groups, kh, kw]."""
    return _conv_transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The transpose of conv3d in its input: weight [C, O / groups, kd, kh, kw]."""
    return _conv_transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


# ---- modules ------------------------------------------------------------------------------------

MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: their sizes, weight and bias."""

    bias: Parameter | None
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Any  # a tuple of ints, "same" or "valid"
    dilation: tuple[int, ...]
    output_padding: tuple[int, ...]
    n = 0
    transposed = False

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
        output_padding: Any, groups: int, bias: bool, padding_mode: str, device: Any, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        each: list[Any] = [
            repeated(v, self.n) if not isinstance(v, str) else v
            for v in (kernel_size, stride, padding, dilation, output_padding)
        ]
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError("Invalid padding string %r, should be one of {'valid', 'same'}" % padding)
            if padding == "same" and any(s != 1 for s in each[1]):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in MODES:
            raise ValueError("padding_mode must be one of %s, but got padding_mode=%r" % (set(MODES), padding_mode))
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels, out_channels, groups, padding_mode,
        )  # fmt: skip
        self.kernel_size, self.stride, self.padding, self.dilation, self.output_padding = each
        if isinstance(padding, str):
            reach = [d * (k - 1) if padding == "same" else 0 for d, k in zip(self.dilation, self.kernel_size)]
            pairs = [(r // 2, r - r // 2) for r in reach]
        else:
            pairs = [(p, p) for p in self.padding]
        self._reversed_padding_repeated_twice = [p for pair in reversed(pairs) for p in pair]
        self.weight = parameter.new(*self._weight_shape(), device=device, dtype=dtype)
        made = parameter.new(out_channels, device=device, dtype=dtype) if bias else None
        self.register_parameter("bias", made)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return first, second // self.groups, *self.kernel_size

    def reset_parameters(self) -> None:
        """The weight anew, uniform as kaiming_uniform_ with a = sqrt(5), then the bias."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = numel_of(self.weight._shape[1:])
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self) -> str:
        text = "%d, %d, kernel_size=%s, stride=%s" % (
            self.in_channels, self.out_channels, self.kernel_size, self.stride,
        )  # fmt: skip
        if self.padding != (0,) * self.n:
            text += ", padding=%s" % (self.padding,)
        if self.dilation != (1,) * self.n:
            text += ", dilation=%s" % (self.dilation,)
        if self.output_padding != (0,) * self.n:
            text += ", output_padding=%s" % (self.output_padding,)
        if self.groups != 1:
            text += ", groups=%d" % self.groups
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += ", padding_mode=%s" % self.padding_mode
        return text


class _ForwardConvNd(_ConvNd):
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device,
            dtype,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = 0
        return _conv(self.n, input, weight, bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_ForwardConvNd):
    """conv1d with a weight [out_channels, in_channels / groups, k] and a bias."""

    n = 1


class Conv2d(_ForwardConvNd):
    """conv2d with a weight [out_channels, in_channels / groups, kh, kw] and a bias."""

    n = 2


class Conv3d(_ForwardConvNd):
    """conv3d with a weight [out_channels, in_channels / groups, kd, kh, kw] and a bias."""

    n = 3


class _ConvTransposeNd(_ConvNd):
    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError('Only "zeros" padding mode is supported for %s' % type(self).__name__)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = self.output_padding if output_size is None else self._output_padding(input, output_size)
        return _conv_transpose(
            self.n, input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _output_padding(self, x: Tensor, output_size: Sequence[int]) -> list[int]:
        """The output padding that gives `output_size`, ValueError where none does."""
        size, lead = list(output_size), x.ndim - self.n
        if len(size) == lead + self.n:
            size = size[lead:]
        if len(size) != self.n:
            raise ValueError(
                "%s: for %dD input, output_size must have %d or %d elements (got %d)"
                % (type(self).__name__, x.ndim, self.n, lead + self.n, len(size))
            )
        every = zip(x._shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size)
        least = [(i - 1) * s - 2 * p + d * (k - 1) + 1 for i, s, p, d, k in every]
        if any(not low <= n <= low + s - 1 for n, low, s in zip(size, least, self.stride)):
            raise ValueError(
                "requested an output size of %s, but valid sizes range from %s to %s (for an input of %s)"
                % (size, least, [low + s - 1 for low, s in zip(least, self.stride)], list(x._shape[lead:]))
            )
        return [n - low for n, low in zip(size, least)]


class ConvTranspose1d(_ConvTransposeNd):
    """conv_transpose1d with a weight [in_channels, out_channels / groups, k] and a bias."""

    n = 1


class ConvTranspose2d(_ConvTransposeNd):
    """conv_transpose2d with a weight [in_channels, out_channels / groups, kh, kw] and a bias."""

    n = 2


class ConvTranspose3d(_ConvTransposeNd):
    """conv_transpose3d, weight [in_channels, out_channels / groups, kd, kh, kw] and a bias."""

    n = 3


# ---- modules that take in_channels from the first input -----------------------------------------


class _LazyConv(LazyModuleMixin):
    """A convolution of no channels: its first call makes weight and bias."""

    def __init__(self: Any, out_channels: int, kernel_size: Any, *args: Any, **named: Any) -> None:
        given = inspect.signature(self.cls_to_become.__init__).bind(self, 0, out_channels, kernel_size, *args, **named)
        options: dict[str, Any] = {name: given.arguments.get(name) for name in ("device", "dtype")}
        biased, given.arguments["bias"], given.arguments["out_channels"] = given.arguments.get("bias", True), False, 0
        super().__init__(*given.args[1:], **given.kwargs)
        self.weight, self.out_channels = UninitializedParameter(**options), out_channels
        if biased:
            self.bias = UninitializedParameter(**options)

    def reset_parameters(self: Any) -> None:
        if self.in_channels and not self.has_uninitialized_params():
            beside: Any = super()
            beside.reset_parameters()

    def initialize_parameters(self: Any, input: Tensor, *args: Any, **named: Any) -> None:
        """Takes in_channels from `input`."""
        if not self.has_uninitialized_params():
            return
        if input.ndim not in (self.n + 1, self.n + 2):
            raise RuntimeError(
                "Expected %dD (unbatched) or %dD (batched) input to %s, but got input of size: %s"
                % (self.n + 1, self.n + 2, type(self).__name__, list(input._shape))
            )
        self.in_channels = input._shape[-self.n - 1]
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")
        self.weight.materialize(self._weight_shape())
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


def _lazy(kind: type[Module]) -> Any:
    name = "Lazy" + kind.__name__
    doc = "A %s whose in_channels the first call decides." % kind.__name__
    values = dict(cls_to_become=kind, __doc__=doc, __module__=__name__, __qualname__=name)
    return type(name, (_LazyConv, kind), values)


LazyConv1d, LazyConv2d, LazyConv3d = map(_lazy, (Conv1d, Conv2d, Conv3d))
LazyConvTranspose1d, LazyConvTranspose2d, LazyConvTranspose3d = map(
    _lazy, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
)
