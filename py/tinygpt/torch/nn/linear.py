"""Linear layers, and layers that only change a shape: functions and modules."""

from __future__ import annotations

import math
from typing import Any

from ...core.state import no_grad
from ...core.tensor import Tensor
from ...nn import Linear, Module
from ...ops import matmul, movement
from ..front import extends
from . import init, parameter
from .lazy import LazyModuleMixin
from .parameter import UninitializedParameter

__all__ = ["Bilinear", "Flatten", "Identity", "LazyLinear", "Linear", "Unflatten"]
FUNCTIONS = ["bilinear", "linear"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input W^T + bias over the last dimension. weight: [out, in], or [in]. bias: [out] or None."""
    if not isinstance(input, Tensor):
        raise TypeError("linear(): argument 'input' (position 1) must be Tensor, not %s" % type(input).__name__)
    if weight.ndim == 1:
        out = matmul.matmul(input, weight)
        return out if bias is None else out + bias
    return matmul.linear(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """sum_ij input1_i weight_kij input2_j + bias_k over the last dimensions.

    input1: [..., I]. input2: [..., J]. weight: [K, I, J]. bias: [K] or None. Returns [..., K].
    RuntimeError where shapes do not fit.
    """
    if input1._shape[:-1] != input2._shape[:-1] or weight._shape[1:] != (input1._shape[-1], input2._shape[-1]):
        raise RuntimeError(
            "bilinear(): inputs of shapes %s and %s do not fit a weight of shape %s"
            % (list(input1._shape), list(input2._shape), list(weight._shape))
        )
    K, I, J = weight._shape  # noqa: E741
    rows = input1.reshape(-1, I)
    left = matmul.matmul(rows, movement.permute(weight, (1, 0, 2)).reshape(I, K * J)).reshape(-1, K, J)
    out = (left * input2.reshape(-1, 1, J)).sum(-1).reshape(*input1._shape[:-1], K)
    return out if bias is None else out + bias


@extends(Linear)
class _Linear:
    __constants__ = ["in_features", "out_features"]

    def __init__(
        self: Any, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        Module.__init__(self)
        self.in_features, self.out_features = in_features, out_features
        self.weight = parameter.new(out_features, in_features, device=device, dtype=dtype)
        self.register_parameter("bias", parameter.new(out_features, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self: Any) -> None:
        """Uniform numbers in +-1 / sqrt(in_features)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self: Any, input: Tensor) -> Tensor:
        """input [..., in_features] -> [..., out_features]."""
        return matmul.linear(input, self.weight, self.bias)


class Bilinear(Module):
    """y_k = x1^T W_k x2 + b_k over the last dimensions. weight: [out, in1, in2]. bias: [out]."""

    bias: Tensor | None
    __constants__ = ["in1_features", "in2_features", "out_features"]

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = parameter.new(out_features, in1_features, in2_features, device=device, dtype=dtype)
        self.register_parameter("bias", parameter.new(out_features, device=device, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform numbers in +-1 / sqrt(in1_features)."""
        if self.in1_features <= 0:
            raise ValueError("in1_features must be > 0, but got (in1_features=%s)" % self.in1_features)
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """input1 [..., in1], input2 [..., in2] -> [..., out]."""
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return "in1_features=%s, in2_features=%s, out_features=%s, bias=%s" % (
            self.in1_features,
            self.in2_features,
            self.out_features,
            self.bias is not None,
        )


class LazyLinear(LazyModuleMixin, Linear):
    """A Linear whose in_features the first call decides."""

    cls_to_become = Linear
    weight: Any
    bias: Any

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, 0, False)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """As Linear's, once the shapes are known."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()  # pyright: ignore[reportAttributeAccessIssue]: Linear has it here

    def initialize_parameters(self, input: Tensor) -> None:
        """Takes in_features from `input`."""
        if self.has_uninitialized_params():
            with no_grad():
                self.in_features = input._shape[-1]
                self.weight.materialize((self.out_features, self.in_features))
                if self.bias is not None:
                    self.bias.materialize((self.out_features,))
                self.reset_parameters()
        if self.in_features == 0:
            if input._shape[-1] != self.weight._shape[-1]:
                raise AssertionError(
                    "The in_features inferred from input: %d is not equal to in_features from self.weight: %d"
                    % (input._shape[-1], self.weight._shape[-1])
                )
            self.in_features = input._shape[-1]


class Identity(Module):
    """Returns its input. Arguments are taken and not used."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """input itself."""
        return input


class Flatten(Module):
    """The dimensions from start_dim to end_dim as one."""

    __constants__ = ["start_dim", "end_dim"]

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """A view of input where it can be one."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return "start_dim=%s, end_dim=%s" % (self.start_dim, self.end_dim)


class Unflatten(Module):
    """A dimension as several. dim: which. unflattened_size: their sizes, one of which may be -1."""

    __constants__ = ["dim", "unflattened_size"]

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                "unflattened_size must be a tuple of ints, but found type %s" % type(unflattened_size).__name__
            )
        for i, n in enumerate(unflattened_size):
            if not isinstance(n, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, but found element of type %s at pos %d"
                    % (type(n).__name__, i)
                )
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """A view of input where it can be one. IndexError for another dim, RuntimeError for sizes
        that do not fit.
        """
        dim = movement.dim_of(input, self.dim)
        sizes = list(self.unflattened_size)
        known = math.prod(n for n in sizes if n != -1)
        size = input._shape[dim]
        if sizes.count(-1) > 1 or (size % known if -1 in sizes and known else size != known):
            raise RuntimeError(
                "unflatten: Provided sizes %s don't multiply up to the size of dim %d (%d) in the input tensor"
                % (sizes, dim, size)
            )
        return input.reshape(*input._shape[:dim], *sizes, *input._shape[dim + 1 :])

    def extra_repr(self) -> str:
        return "dim=%s, unflattened_size=%s" % (self.dim, self.unflattened_size)
