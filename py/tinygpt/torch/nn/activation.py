"""Activation functions, elementwise but for softmax and glu. `inplace=True` writes into the
input.
"""

from __future__ import annotations

import warnings
from typing import Any

from ... import functional as F
from ...core.autograd import TWICE
from ...core.factory import empty
from ...core.tensor import Tensor, bool_, float64
from ...kernels import ACTIVATION
from ...ops import elementwise, movement, reduce
from ...ops.activation import activation, composed, limited
from ...ops.elementwise import compare, where
from .in_place import applied, named, widened

FUNCTIONS = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_",
    "leaky_relu", "leaky_relu_", "log_softmax", "logsigmoid", "mish", "prelu", "relu", "relu6", "relu_", "rrelu",
    "rrelu_", "selu", "selu_", "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh",
    "tanhshrink", "threshold", "threshold_",
]  # fmt: skip

_NAMES = {"int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool"}


def floats(x: Tensor, name: str) -> Tensor:
    """x. NotImplementedError for integers and bools."""
    if not isinstance(x, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("%s(): argument 'input' must be Tensor, not %s" % (name, type(x).__name__))
    if not x._dtype.is_floating_point:
        raise NotImplementedError("\"%s\" not implemented for '%s'" % (name, _NAMES[x._dtype.name]))
    return x


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    if input._dtype is bool_:
        raise RuntimeError("Boolean inputs not supported for relu")
    return applied(F.relu, input, inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it is above `threshold`, else `value`."""
    of = composed if not input._dtype.is_floating_point else activation
    return applied(lambda x: of("threshold", x, threshold, value), input, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x limited to [min_val, max_val]. ValueError where min_val is larger."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    if input._dtype is bool_:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    if not input._dtype.is_floating_point:
        return applied(lambda x: limited(x, int(min_val), int(max_val)), input, inplace)
    return applied(lambda x: activation("hardtanh", x, min_val, max_val), input, inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6."""
    floats(input, "hardsigmoid_cpu")
    return applied(lambda x: activation("hardsigmoid", x), input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019)."""
    floats(input, "hardswish_cpu")
    return applied(lambda x: activation("hardswish", x), input, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where it is above 0, else negative_slope x."""
    floats(input, "leaky_relu_cpu")
    return applied(lambda x: activation("leaky_relu", x, negative_slope), input, inplace)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where it is above 0, else weight x. weight: one number, or one for each channel (dimension
    1). RuntimeError for another number of them.
    """
    if weight.numel() != 1:
        channels = input._shape[1] if input.ndim > 1 else 1
        if not input.ndim:
            raise RuntimeError("Not allow zero-dim input tensor.")
        if weight.numel() != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = %d and "
                "channel size = %d." % (weight.numel(), channels)
            )
        if weight.ndim not in (0, 1):
            raise RuntimeError("prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = %d" % weight.ndim)
        weight = weight.reshape(-1, *(1 for _ in input._shape[2:]))
    elif weight.ndim:
        weight = weight.reshape(())
    if weight._dtype is not input._dtype:
        raise RuntimeError("prelu: Type promoting not supported. Got %s and %s" % (input._dtype, weight._dtype))
    return named("prelu_kernel", where(compare("gt", input, 0), input, weight * input))


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """leaky_relu with a slope that is drawn from [lower, upper) for each element that is not above
    0 while training, else their mean.
    """
    floats(input, "rrelu_with_noise_out_cpu")
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    below = compare("le", input, 0)
    count = int(below.sum())
    slopes = empty(count + 1, dtype=float64, device=input.device)
    if count:
        slopes[:count].uniform_(lower, upper)
    place = reduce.cumsum(below.reshape(-1), 0) - 1
    drawn = slopes._cast(input._dtype)[place.clamp(min=0)].reshape(input._shape)
    factor = where(below, drawn, elementwise.full((), 1.0, input._dtype, input.device))
    return applied(lambda x: x * factor, input, inplace)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where it is above 0, else alpha (exp(x) - 1) (Clevert et al. 2015)."""
    floats(input, "elu_cpu")
    return applied(lambda x: activation("elu", x, alpha, 1.0, 1.0), input, inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """The ELU that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    floats(input, "elu_cpu")
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return applied(lambda x: activation("elu", x, alpha * scale, scale, 1.0), input, inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(x, 0) + min(0, alpha (exp(x / alpha) - 1)) (Barron 2017). RuntimeError for alpha 0."""
    floats(input, "elu_cpu")
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    if alpha < 0:
        return applied(lambda x: composed("elu", x, alpha, 1.0, 1.0 / alpha), input, inplace)
    return applied(lambda x: activation("elu", x, alpha, 1.0, 1.0 / alpha, "celu"), input, inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Phi(x) (Hendrycks and Gimpel 2016). approximate: "none" or "tanh"."""
    return F.gelu(floats(input, "GeluKernelImpl"), approximate)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x) (Elfwing et al. 2018)."""
    floats(input, "silu_cpu")
    return applied(F.silu, input, inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta; x where beta x is above threshold."""
    return activation("softplus", floats(input, "softplus_cpu"), beta, threshold)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x)) (Misra 2019)."""
    floats(input, "mish_cpu")
    return applied(lambda x: activation("mish", x), input, inplace)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x))."""
    return activation("logsigmoid", floats(input, "log_sigmoid_cpu"))


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return F.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return F.tanh(input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - input.tanh()


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x outside of [-lambd, lambd], else 0."""
    return activation("hardshrink", floats(input, "hardshrink_cpu"), lambd)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved by lambd towards 0 where it is outside of [-lambd, lambd], else 0."""
    x = floats(input, "softshrink_cpu")
    if not lambd >= 0:
        raise RuntimeError("lambda must be greater or equal to 0, but found to be %s." % lambd)
    return activation("softshrink", x, lambd)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a sigmoid(b) for the halves a and b of a dimension (Dauphin et al. 2016). RuntimeError for
    one of an odd size.
    """
    if not input.ndim:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    d = movement.dim_of(input, dim)
    x = floats(input, "glu_cpu")
    if x._shape[d] % 2:
        raise RuntimeError("Halving dimension must be even, but dimension %d is size %d" % (d, x._shape[d]))
    half = x._shape[d] // 2
    out = widened(lambda x: movement.narrow(x, d, 0, half) * F.sigmoid(movement.narrow(x, d, half, half)), x)
    return named("glu", out)


def _implicit_dim(name: str, x: Tensor, dim: int | None) -> int:
    if dim is not None:
        return dim
    warnings.warn(
        "Implicit dimension choice for %s has been deprecated. Change the call to include dim=X as an argument." % name,
        stacklevel=3,
    )
    return 0 if x.ndim in (0, 1, 3) else 1


def _softmax_input(name: str, x: Tensor, dtype: Any) -> Tensor:
    return floats(x, name) if dtype is None else x._cast(dtype)


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along dim. dtype: of x first."""
    return F.softmax(_softmax_input("softmax_lastdim_kernel_impl", input, dtype), _implicit_dim("softmax", input, dim))


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-x) along dim."""
    if input._dtype is bool_:
        raise RuntimeError("Negation, the `-` operator, on a bool tensor is not supported; use ~ or logical_not()")
    d = movement.dim_of(input, _implicit_dim("softmin", input, dim))
    return F.softmax(elementwise.neg(_softmax_input("softmax_lastdim_kernel_impl", input, dtype)), d)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along dim."""
    x = _softmax_input("log_softmax_lastdim_kernel_impl", input, dtype)
    return F.log_softmax(x, _implicit_dim("log_softmax", input, dim))


def relu_(input: Tensor) -> Tensor:
    """relu in place."""
    return relu(input, True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """threshold in place."""
    return globals()["threshold"](input, threshold, value, True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """hardtanh in place."""
    return hardtanh(input, min_val, max_val, True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """leaky_relu in place."""
    return leaky_relu(input, negative_slope, True)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """rrelu in place."""
    return rrelu(input, lower, upper, training, True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """elu in place."""
    return elu(input, alpha, True)


def selu_(input: Tensor) -> Tensor:
    """selu in place."""
    return selu(input, True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """celu in place."""
    return celu(input, alpha, True)


# ---- gradients of gradients ---------------------------------------------------------------------


def _twice(node: Any, kept: Any, dy: Tensor) -> Any:
    """The gradient of an activation as one of recorded ops."""
    if "settings" not in kept:  # it was composed of them
        return node.backward(dy)
    from ..autograd.second_order import through  # the first create_graph=True loads it

    op, _, *settings = kept["settings"]
    name = next(name for name, code in ACTIVATION.items() if code == op)
    return through([kept["source"]], node.edges, lambda x: composed(name, x, *settings), dy)


for _node in (*ACTIVATION, "log_sigmoid", "celu"):
    TWICE[_node] = _twice
