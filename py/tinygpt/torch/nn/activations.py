"""Activation functions as modules."""

from __future__ import annotations

import warnings
from typing import Any

from ...core.factory import full
from ...core.state import state
from ...core.tensor import DTYPES, Tensor
from ...nn import GELU, Module, Parameter, ReLU, SiLU, Tanh
from ..front import extends
from . import activation as f

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid",
    "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softmax", "Softmax2d",
    "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


def _shown(module: Any, *names: str) -> str:
    """name=value of the settings, and of inplace where it is true."""
    names = (*names, "inplace") if getattr(module, "inplace", False) else names
    return ", ".join("%s=%s" % (name, getattr(module, name)) for name in names)


class _InPlace(Module):
    """A function without other settings than inplace."""

    __constants__ = ["inplace"]
    _function: Any

    def __init__(self, inplace: bool = False) -> None:
        Module.__init__(self)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return type(self)._function(input, self.inplace)

    def extra_repr(self) -> str:
        return _shown(self)


@extends(ReLU)
class _ReLU:
    __constants__ = ["inplace"]
    __init__, forward, extra_repr = _InPlace.__init__, _InPlace.forward, _InPlace.extra_repr
    _function = staticmethod(f.relu)


@extends(SiLU)
class _SiLU:
    __constants__ = ["inplace"]
    __init__, forward, extra_repr = _InPlace.__init__, _InPlace.forward, _InPlace.extra_repr
    _function = staticmethod(f.silu)


class Mish(_InPlace):
    """functional.mish."""

    _function = staticmethod(f.mish)


class SELU(_InPlace):
    """functional.selu."""

    _function = staticmethod(f.selu)


class Hardsigmoid(_InPlace):
    """functional.hardsigmoid."""

    _function = staticmethod(f.hardsigmoid)

    def extra_repr(self) -> str:
        return ""


class Hardswish(_InPlace):
    """functional.hardswish."""

    _function = staticmethod(f.hardswish)

    def extra_repr(self) -> str:
        return ""


class _Plain(Module):
    """A function without settings."""

    _function: Any

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return type(self)._function(input)


class Sigmoid(_Plain):
    """functional.sigmoid."""

    _function = staticmethod(f.sigmoid)


class LogSigmoid(_Plain):
    """functional.logsigmoid."""

    _function = staticmethod(f.logsigmoid)


class Softsign(_Plain):
    """functional.softsign."""

    _function = staticmethod(f.softsign)


class Tanhshrink(_Plain):
    """functional.tanhshrink."""

    _function = staticmethod(f.tanhshrink)


class Threshold(Module):
    """functional.threshold."""

    __constants__ = ["threshold", "value", "inplace"]

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        return _shown(self, "threshold", "value")


class RReLU(Module):
    """functional.rrelu, with drawn slopes while training."""

    __constants__ = ["lower", "upper", "inplace"]

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return _shown(self, "lower", "upper")


class Hardtanh(Module):
    """functional.hardtanh."""

    __constants__ = ["min_val", "max_val", "inplace"]

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("min_val", min_value), ("max_val", max_value)):
            if value is not None:
                warnings.warn(
                    "keyword argument `%sue` is deprecated and rename to `%s`" % (name, name),
                    FutureWarning,
                    stacklevel=2,
                )
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        self.inplace = inplace
        if self.max_val <= self.min_val:
            raise AssertionError("max_val must be larger than min_val")

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return _shown(self, "min_val", "max_val")


class ReLU6(Hardtanh):
    """functional.relu6."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return _shown(self)


class LeakyReLU(Module):
    """functional.leaky_relu."""

    __constants__ = ["inplace", "negative_slope"]

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return _shown(self, "negative_slope")


class ELU(Module):
    """functional.elu."""

    __constants__ = ["alpha", "inplace"]

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return _shown(self, "alpha")


class CELU(ELU):
    """functional.celu."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.celu(input, self.alpha, self.inplace)


class GLU(Module):
    """functional.glu."""

    __constants__ = ["dim"]

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Half of the size at dim."""
        return f.glu(input, self.dim)

    def extra_repr(self) -> str:
        return _shown(self, "dim")


@extends(GELU)
class _GELU:
    __constants__ = ["approximate"]

    def forward(self: Any, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.gelu(input, self.approximate)

    def extra_repr(self: Any) -> str:
        return "approximate=%r" % self.approximate


@extends(Tanh)
class _Tanh:
    def forward(self: Any, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.tanh(input)


class Hardshrink(Module):
    """functional.hardshrink."""

    __constants__ = ["lambd"]

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softshrink(Hardshrink):
    """functional.softshrink."""

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.softshrink(input, self.lambd)


class Softplus(Module):
    """functional.softplus."""

    __constants__ = ["beta", "threshold"]

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return f.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return _shown(self, "beta", "threshold")


class PReLU(Module):
    """functional.prelu. weight: [num_parameters], `init` at first."""

    __constants__ = ["num_parameters"]

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), init, dtype or DTYPES[state.real], device))

    def reset_parameters(self) -> None:
        """`init` again."""
        self.weight.detach().fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        """Elementwise; the channels are dimension 1."""
        return f.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return _shown(self, "num_parameters")


class _Softmax(Module):
    """What softmax, softmin and log_softmax share: dim."""

    __constants__ = ["dim"]
    _function: Any

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return type(self)._function(input, self.dim)

    def extra_repr(self) -> str:
        return _shown(self, "dim")


class Softmax(_Softmax):
    """functional.softmax."""

    _function = staticmethod(f.softmax)


class Softmin(_Softmax):
    """functional.softmin."""

    _function = staticmethod(f.softmin)


class LogSoftmax(_Softmax):
    """functional.log_softmax."""

    _function = staticmethod(f.log_softmax)


class Softmax2d(Module):
    """Softmax over the channels of [N, C, H, W] or [C, H, W]."""

    def forward(self, input: Tensor) -> Tensor:
        """input's shape. ValueError for another number of dimensions."""
        if input.ndim not in (3, 4):
            raise ValueError("Softmax2d: expected input to be 3D or 4D, got %dD instead" % input.ndim)
        return f.softmax(input, -3)
