"""Activation functions with settings: one kernel of float32; of float64, and where a gradient is
differentiated again, composed of other ops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.factory import full, like
from ..core.tensor import float32
from ..graph.program import launch
from . import elementwise
from .elementwise import compare, logical_and, logical_or, where
from .functions import function

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..core.tensor import Tensor

NAMES = {"logsigmoid": "log_sigmoid"}  # of their Nodes


def activation(name: str, x: Tensor, a: float = 0.0, b: float = 0.0, c: float = 0.0, node: str = "") -> Tensor:
    """A function of kernels.ACTIVATION of a float tensor; a, b and c as there. node: its name on
    the tape, where that is another.

    A 16-bit float is computed in float32 and rounded at the end.
    """
    dtype = x._dtype
    if dtype.computed is not dtype:
        return activation(name, x._cast(dtype.computed), a, b, c, node)._cast(dtype)
    if dtype is not float32:
        return composed(name, x, a, b, c)
    source, x = x, x.contiguous()
    settings = (kernels.ACTIVATION[name], x.numel(), a, b, c)
    out = like(x)
    launch(kernels.activation, (out, x), settings)
    if needs_grad(x):

        def backward(dy):
            dy = dy.contiguous()
            dx = like(dy)
            launch(kernels.activation_backward, (dx, dy, source.detach().contiguous()), settings)
            return (dx,)

        attach(node or NAMES.get(name, name), (out,), (x,), backward, (source,))
    return out


def composed(name: str, x: Tensor, a: float = 0.0, b: float = 0.0, c: float = 0.0) -> Tensor:
    """The same of recorded ops."""
    return _COMPOSED[name](x, a, b, c)


def _number(x: Tensor, value: float) -> Tensor:
    return full((), value, x._dtype, x.device)


def _leaky_relu(x: Tensor, a: float, b: float, c: float) -> Tensor:
    return x * where(compare("gt", x, 0), _number(x, 1.0), a)


def _elu(x: Tensor, a: float, b: float, c: float) -> Tensor:
    negative = function("expm1", elementwise.clamp(x, max=0) * c) * a
    return where(compare("gt", x, 0), x * b if b != 1.0 else x, negative)


def limited(x: Tensor, a: float, b: float, c: float = 0.0) -> Tensor:
    """x between a and b, at which the gradient is 0."""
    outside = logical_or(compare("le", x, a), compare("ge", x, b))
    return where(outside, elementwise.clamp(x.detach(), a, b), x)


SIXTH = 0.1666666716337204  # 1 / 6 in float32, PyTorch's of every dtype


def _hardsigmoid(x: Tensor, a: float, b: float, c: float) -> Tensor:
    inside = logical_and(compare("gt", x, -3.0), compare("lt", x, 3.0))
    out = elementwise.clamp(x.detach() + 3.0, 0.0, 6.0) / 6.0
    if needs_grad(x):
        attach("hardsigmoid", (out,), (x,), lambda dy: (where(inside, dy * SIXTH, 0.0),), (x,))
    return out


def _hardswish(x: Tensor, a: float, b: float, c: float) -> Tensor:
    return x * limited(x + 3.0, 0.0, 6.0) / 6.0


def _softplus(x: Tensor, a: float, b: float, c: float) -> Tensor:
    scaled = x if a == 1 else x * a
    linear = compare("gt", scaled, b)
    curved = function("log1p", where(linear, 0.0, scaled).exp())
    return where(linear, x, curved if a == 1 else curved / a)


def _mish(x: Tensor, a: float, b: float, c: float) -> Tensor:
    return x * _softplus(x, 1.0, 20.0, 0.0).tanh()


def _logsigmoid(x: Tensor, a: float, b: float, c: float) -> Tensor:
    return elementwise.minimum(x, 0.0) - function("log1p", x.abs().neg().exp())


def _within(x: Tensor, limit: float) -> Tensor:
    return logical_and(compare("ge", x, -limit), compare("le", x, limit))


def _softshrink(x: Tensor, a: float, b: float, c: float) -> Tensor:
    return where(_within(x, a), 0.0, x - where(compare("gt", x, 0), _number(x, a), -a))


def _hardshrink(x: Tensor, a: float, b: float, c: float) -> Tensor:
    return where(_within(x, a), 0.0, x)


def _threshold(x: Tensor, a: float, b: float, c: float) -> Tensor:
    return where(compare("le", x, a), _number(x, b), x)


_COMPOSED: dict[str, Callable[[Tensor, float, float, float], Tensor]] = {
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "hardtanh": limited,
    "hardsigmoid": _hardsigmoid,
    "hardswish": _hardswish,
    "softplus": _softplus,
    "mish": _mish,
    "logsigmoid": _logsigmoid,
    "softshrink": _softshrink,
    "hardshrink": _hardshrink,
    "threshold": _threshold,
}
