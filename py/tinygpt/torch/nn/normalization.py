"""Batch, instance and group norm and local response norm: torch.nn's modules and
torch.nn.functional's functions.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ...core.factory import full
from ...core.state import state
from ...core.tensor import DTYPES, Tensor, float32, int64, numel_of
from ...nn import Module, Parameter
from ...ops import batch_norm as ops
from ...ops import elementwise, movement
from ..shown import shown
from . import parameter
from .lazy import LazyModuleMixin
from .padding import pad
from .parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from .pooling import avg_pool2d, avg_pool3d

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
    "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyBatchNorm3d", "LazyInstanceNorm1d", "LazyInstanceNorm2d",
    "LazyInstanceNorm3d", "LocalResponseNorm",
]  # fmt: skip
FUNCTIONS = ["batch_norm", "group_norm", "instance_norm", "local_response_norm"]


# ---- functions ----------------------------------------------------------------------------------


def _check(name: str, x: Any, channels: int, parts: Sequence[tuple[str, Any]]) -> None:
    """RuntimeError where x is no float tensor, or a part not [channels] of its dtype."""
    if not isinstance(x, Tensor):
        raise TypeError("%s(): argument 'input' must be Tensor, not %s" % (name, type(x).__name__))
    if not x._dtype.is_floating_point:
        raise NotImplementedError("%s is not implemented for %s; convert with .float()" % (name, x._dtype.name))
    for part, t in parts:
        if t is None:
            continue
        elementwise.same_device(x, t)
        if t._shape != (channels,):
            raise RuntimeError(
                "%s: %s should contain %d elements not %d (shape %s)"
                % (name, part, channels, t.numel(), list(t._shape))
            )
        if t._dtype is not x._dtype and not (t._dtype is float32 and x._dtype.computed is float32):
            raise RuntimeError("%s: expected %s of %s, but got %s" % (name, part, x._dtype.name, t._dtype.name))


def _more_than_one(size: Sequence[int], count: int) -> None:
    if count == 1:
        raise ValueError("Expected more than 1 value per channel when training, got input size %s" % list(size))


@shown("NativeBatchNormBackward0")
def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each channel of input [N, C, ...] less its mean and divided by its deviation, times weight,
    plus bias, as torch.nn.functional.batch_norm.

    training: of input's own statistics, to which the running ones move by momentum, in place.
    """
    if isinstance(input, Tensor) and input.ndim < 2:
        raise RuntimeError("batch_norm: expected an input of at least 2 dimensions, not %s" % list(input._shape))
    channels = input._shape[1] if isinstance(input, Tensor) else 0
    parts = ("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)
    if training and isinstance(input, Tensor):
        _more_than_one(input._shape, input._shape[0] * numel_of(input._shape[2:]))
    _check("batch_norm", input, channels, parts)
    for part, t in parts[:2]:
        if t is None and not training:
            raise RuntimeError("Expected %s to be defined when training=False" % part)
    return ops.batch_norm(input, weight, bias, running_mean, running_var, bool(training), momentum, eps)


def _repeated(t: Tensor | None, times: int) -> Tensor | None:
    return None if t is None else t.expand(times, t._shape[0]).reshape(-1)


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """batch_norm of each image alone: statistics over the spatial sizes of [N, C, ...]."""
    N, C, *spatial = input._shape
    if use_input_stats and numel_of(spatial) == 1:
        raise ValueError("Expected more than 1 spatial element when training, got input size %s" % list(input._shape))
    parts = ("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)
    _check("instance_norm", input, C, parts)
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats=False")
    mean, variance = (None if t is None else _repeated(t.detach(), N) for t in (running_mean, running_var))
    out = ops.batch_norm(
        input.reshape(1, N * C, *spatial), _repeated(weight, N), _repeated(bias, N), mean, variance,
        bool(use_input_stats), momentum, eps,
    )  # fmt: skip
    if use_input_stats:
        for running, each in ((running_mean, mean), (running_var, variance)):
            if running is not None and each is not None:
                running.detach().copy_(each.reshape(N, C).mean(0))
    return movement.no_view(out.reshape(input._shape))


@shown("NativeGroupNormBackward0")
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Each of num_groups groups of channels of input [N, C, ...] less its mean and divided by its
    deviation, times weight [C], plus bias [C] (Wu and He 2018).
    """
    if input.ndim < 2:
        raise RuntimeError("Expected at least 2 dimensions for input tensor but received %d" % input.ndim)
    N, C, *spatial = input._shape
    if num_groups <= 0:
        raise RuntimeError("Expected num groups to be greater than 0, got %d" % num_groups)
    _more_than_one(input._shape, N * (C // num_groups) * numel_of(spatial))
    if C % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape %s and "
            "num_groups=%d" % (list(input._shape), num_groups)
        )
    _check("group_norm", input, C, (("weight", weight), ("bias", bias)))
    rows = input.reshape(1, N * num_groups, C // num_groups * numel_of(spatial))
    out = ops.batch_norm(rows, None, None, None, None, True, 0.0, eps).reshape(input._shape)
    each = (C, *(1,) * len(spatial))
    if weight is not None:
        out = out * weight.reshape(each)
    if bias is not None:
        out = out + bias.reshape(each)
    return movement.no_view(out) if out._dtype is input._dtype else out._cast(input._dtype)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """input / (k + alpha * mean of the squares of `size` neighbouring channels)^beta."""
    if input.ndim < 3:
        raise ValueError("Expected 3D or higher dimensionality input (got %d dimensions)" % input.ndim)
    if not input.numel():
        return input
    squares, before, behind = input * input, size // 2, (size - 1) // 2
    if input.ndim == 3:
        mean = avg_pool2d(pad(squares.unsqueeze(1), (0, 0, before, behind)), (size, 1), stride=1).squeeze(1)
    else:
        N, C, H = input._shape[:3]
        squares = pad(squares.reshape(N, 1, C, H, -1), (0, 0, 0, 0, before, behind))
        mean = avg_pool3d(squares, (size, 1, 1), stride=1).squeeze(1).reshape(input._shape)
    return input / elementwise.pow_(mean * alpha + k, beta)


# ---- modules ------------------------------------------------------------------------------------


class _NormBase(Module):
    """What batch and instance norm share: weight and bias, the running statistics."""

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    ndims: tuple[int, ...] = ()

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        shape, options = (num_features,), dict(device=device, dtype=dtype)
        self.register_parameter("weight", parameter.new(*shape, **options) if affine else None)
        self.register_parameter("bias", parameter.new(*shape, **options) if affine and bias else None)
        for name, value in (("running_mean", 0.0), ("running_var", 1.0)):
            made = full(shape, value, dtype or DTYPES[state.real], device) if track_running_stats else None
            self.register_buffer(name, made)
        self.register_buffer("num_batches_tracked", full((), 0, int64, device) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        if self.track_running_stats:
            for name, value in (("running_mean", 0), ("running_var", 1), ("num_batches_tracked", 0)):
                getattr(self, name).fill_(value)

    def reset_parameters(self) -> None:
        """The running statistics anew, weight 1, bias 0."""
        self.reset_running_stats()
        for p, value in ((self.weight, 1.0), (self.bias, 0.0)):
            if p is not None:
                p.data.fill_(value)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self.ndims:
            expected = " or ".join("%dD" % n for n in self.ndims)
            raise ValueError("expected %s input (got %dD input)" % (expected, input.ndim))

    def extra_repr(self) -> str:
        return "%s, eps=%s, momentum=%s, affine=%s, bias=%s, track_running_stats=%s" % (
            self.num_features, self.eps, self.momentum, self.affine, self.bias is not None, self.track_running_stats,
        )  # fmt: skip


class _BatchNorm(_NormBase):
    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                factor = 1.0 / float(self.num_batches_tracked.item())
        own = self.training or self.running_mean is None and self.running_var is None
        kept = not self.training or self.track_running_stats
        return batch_norm(
            input, self.running_mean if kept else None, self.running_var if kept else None, self.weight, self.bias,
            own, factor, self.eps,
        )  # fmt: skip


class BatchNorm1d(_BatchNorm):
    """batch_norm of [N, C] or [N, C, L], as torch.nn.BatchNorm1d."""

    ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """batch_norm of [N, C, H, W], as torch.nn.BatchNorm2d."""

    ndims = (4,)


class BatchNorm3d(_BatchNorm):
    """batch_norm of [N, C, D, H, W], as torch.nn.BatchNorm3d."""

    ndims = (5,)


class _InstanceNorm(_NormBase):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        single = input.ndim == self.ndims[0]
        if input._shape[0 if single else 1] != self.num_features:
            text = "input's size at dim=%d does not match num_features (%s): %d" % (
                0 if single else 1, self.num_features, input._shape[0 if single else 1],
            )  # fmt: skip
            if self.affine:
                raise ValueError(text)
            warnings.warn(text + ". It is not used, as affine=False.", stacklevel=2)
        out = instance_norm(
            input.unsqueeze(0) if single else input, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, 0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip
        return out.squeeze(0) if single else out


class InstanceNorm1d(_InstanceNorm):
    """instance_norm of [N, C, L] or [C, L], as torch.nn.InstanceNorm1d."""

    ndims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """instance_norm of [N, C, H, W] or [C, H, W], as torch.nn.InstanceNorm2d."""

    ndims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """instance_norm of [N, C, D, H, W] or [C, D, H, W], as torch.nn.InstanceNorm3d."""

    ndims = (4, 5)


class GroupNorm(Module):
    """group_norm with a weight and a bias [num_channels], as torch.nn.GroupNorm."""

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if num_channels % num_groups:
            raise ValueError("num_channels (%d) must be divisible by num_groups (%d)" % (num_channels, num_groups))
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        for name, there in (("weight", affine), ("bias", affine and bias)):
            made = parameter.new(num_channels, device=device, dtype=dtype) if there else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        for p, value in ((self.weight, 1.0), (self.bias, 0.0)):
            if p is not None:
                p.data.fill_(value)

    def forward(self, input: Tensor) -> Tensor:
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return "%s, %s, eps=%s, affine=%s, bias=%s" % (
            self.num_groups, self.num_channels, self.eps, self.affine, self.bias is not None,
        )  # fmt: skip


class LocalResponseNorm(Module):
    """local_response_norm as a module."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return "%s, alpha=%s, beta=%s, k=%s" % (self.size, self.alpha, self.beta, self.k)


# ---- modules that take num_features from the first input ----------------------------------------


class _LazyNorm(LazyModuleMixin):
    """A norm of no features: its first call makes all that there is."""

    def __init__(
        self: Any, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(0, eps, momentum, False, False)
        self.affine, self.track_running_stats = affine, track_running_stats
        options = dict(device=device, dtype=dtype)
        if affine:
            self.weight = UninitializedParameter(**options)
            if bias:
                self.bias = UninitializedParameter(**options)
        if track_running_stats:
            self.running_mean, self.running_var = UninitializedBuffer(**options), UninitializedBuffer(**options)
            self.num_batches_tracked = full((), 0, int64, device)

    def reset_parameters(self: Any) -> None:
        if self.num_features and not self.has_uninitialized_params():
            beside: Any = super()
            beside.reset_parameters()

    def initialize_parameters(self: Any, input: Tensor) -> None:
        """Takes num_features from `input`."""
        if self.has_uninitialized_params():
            self.num_features = input._shape[1]
            for t in (self.weight, self.bias, self.running_mean, self.running_var):
                if is_lazy(t):
                    t.materialize((self.num_features,))
            self.reset_parameters()


def _lazy(kind: type[Module]) -> Any:
    name = "Lazy" + kind.__name__
    doc = "A %s whose num_features the first call decides." % kind.__name__
    values = dict(cls_to_become=kind, __doc__=doc, __module__=__name__, __qualname__=name)
    return type(name, (_LazyNorm, kind), values)


LazyBatchNorm1d, LazyBatchNorm2d, LazyBatchNorm3d = map(_lazy, (BatchNorm1d, BatchNorm2d, BatchNorm3d))
LazyInstanceNorm1d, LazyInstanceNorm2d, LazyInstanceNorm3d = map(
    _lazy, (InstanceNorm1d, InstanceNorm2d, InstanceNorm3d)
)
