"""First values of parameters, written in place without a gradient. Each draws the same random
numbers, in the same order, as PyTorch's on a CPU.
"""

from __future__ import annotations

import functools
import math
import warnings
from typing import Any

from ...core.factory import full, like
from ...core.state import no_grad
from ...core.tensor import Tensor, numel_of
from ...ops.elementwise import compare, logical_or, where

_LINEAR = ("linear", "sigmoid", *("conv%s%dd" % (kind, n) for kind in ("", "_transpose") for n in (1, 2, 3)))


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """The factor that keeps the variance behind a nonlinearity. param: of leaky_relu, its slope.

    ValueError for another name or slope.
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError("negative_slope %s not a valid number" % (param,))
        return math.sqrt(2.0 / (1 + slope**2))
    gains = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    if nonlinearity not in gains:
        raise ValueError("Unsupported nonlinearity %s" % nonlinearity)
    return gains[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform numbers in [a, b). Returns tensor."""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal numbers. Returns tensor."""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Tensor:
    """Normal numbers between a and b; those outside are drawn again. Returns tensor."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )

    def below(x: float) -> float:
        return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0

    with no_grad():
        if below((b - mean) / std) - below((a - mean) / std) > 0.3:
            return _drawn_again(tensor, mean, std, a, b, generator)
        return _accepted(tensor, mean, std, a, b, generator)


def _drawn_again(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> Tensor:
    """Draws normal numbers until all are inside."""
    low, high = [float(full((), limit, tensor._dtype, tensor.device).item()) for limit in (a, b)]
    result = tensor.normal_(mean, std, generator=generator)
    while True:
        outside = logical_or(compare("lt", result, low), compare("gt", result, high))
        if not outside.any():
            break
        result = where(outside, like(result).normal_(mean, std, generator=generator), result)
    return tensor if result is tensor else tensor.copy_(result)


def _accepted(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> Tensor:
    """Draws uniform numbers and accepts each with its density: for limits that hold little of
    it.
    """
    mode = max(a, min(mean, b))
    peak = -0.5 * ((mode - mean) / std) ** 2

    def refused(candidates: Tensor) -> Tensor:
        density = candidates.sub(mean).div(std).square().mul(-0.5).sub(peak)
        return compare("gt", like(tensor).uniform_(generator=generator).log(), density)

    result = tensor.uniform_(a, b, generator=generator)
    pending = refused(result)
    while pending.any():
        candidates = like(tensor).uniform_(a, b, generator=generator)
        result = where(pending, candidates, result)
        pending = where(pending, refused(candidates), pending)
    return tensor if result is tensor else tensor.copy_(result)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number. Returns tensor."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones. Returns tensor."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros. Returns tensor."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Ones on the diagonal of a matrix, zeros elsewhere. Returns tensor. ValueError for no
    matrix.
    """
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with no_grad():
        tensor.zero_()
        for i in range(min(tensor._shape)):
            tensor[i, i] = 1
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The weight of a convolution [out, in / groups, ...] that keeps its input. Returns tensor.

    ValueError for another number of dimensions, or where out is no multiple of groups.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    out, channels, *kernel = tensor._shape
    if out % groups:
        raise ValueError("dim 0 must be divisible by groups")
    each = out // groups
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for d in range(min(each, channels)):
                tensor[(group * each + d, d, *(n // 2 for n in kernel))] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """The numbers of inputs and outputs of one unit. ValueError for fewer than two dimensions."""
    if tensor.ndim < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = numel_of(tensor._shape[2:])
    return tensor._shape[1] * field, tensor._shape[0] * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError("Mode %s not supported, please use one of ['fan_in', 'fan_out']" % mode)
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform numbers of variance gain^2 2 / (fan_in + fan_out) (Glorot and Bengio 2010). Returns
    tensor.
    """
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal numbers of variance gain^2 2 / (fan_in + fan_out) (Glorot and Bengio 2010). Returns
    tensor.
    """
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    return normal_(tensor, 0.0, std, generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    """None for an empty tensor, which stays as it is."""
    if 0 in tensor._shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Uniform numbers of variance gain^2 / fan (He et al. 2015). Returns tensor.

    a: the slope of leaky_relu. mode: "fan_in" or "fan_out", else ValueError.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Normal numbers of variance gain^2 / fan (He et al. 2015). Returns tensor; arguments as
    kaiming_uniform_'s.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """A (semi-)orthogonal matrix (Saxe et al. 2013), the dimensions behind the first as one.
    Returns tensor. ValueError for fewer than two dimensions.
    """
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if not tensor.numel():
        return tensor
    from ..linalg import qr  # most programs need none

    rows, columns = tensor._shape[0], tensor.numel() // tensor._shape[0]
    with no_grad():
        drawn = like(tensor, (rows, columns)).normal_(0, 1, generator=generator)
        q, r = qr(drawn.t() if rows < columns else drawn)
        n = min(rows, columns)
        sign = full((n,), 1.0, q._dtype, q.device)
        for i in range(n):
            value = r[i, i].item()
            sign[i] = (value > 0) - (value < 0)
        q = q * sign
        tensor.copy_((q.t() if rows < columns else q).reshape(tensor._shape))
        return tensor.mul_(gain)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normal numbers, with a share of zeros in each column (Martens 2010). Returns tensor.

    ValueError for no matrix.
    """
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    from ..random import randperm  # most programs need none

    rows, columns = tensor._shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[randperm(rows)[:zeros], column] = 0
    return tensor


def _former(function: Any) -> Any:
    name = function.__name__[:-1]

    @functools.wraps(function)
    def deprecated(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            "`nn.init.%s` is now deprecated in favor of `nn.init.%s_`." % (name, name), FutureWarning, stacklevel=2
        )
        return function(*args, **kwargs)

    return deprecated


uniform, normal, constant, eye, dirac, sparse, orthogonal = map(
    _former, (uniform_, normal_, constant_, eye_, dirac_, sparse_, orthogonal_)
)
xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal = map(
    _former, (xavier_uniform_, xavier_normal_, kaiming_uniform_, kaiming_normal_)
)
