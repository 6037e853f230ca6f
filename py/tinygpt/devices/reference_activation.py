"""The oracle's kernels activation and activation_backward: each function beside its slope."""

# NumPy's stubs leave types open, which strict mode calls unknown.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels import ACTIVATION

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = Any

NAME = {code: name for name, code in ACTIVATION.items()}


def _sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1.0) / (1 + small)


def _softplus(x: Array) -> Array:
    return np.where(x < 0, 0.0, x) + np.log1p(np.exp(-np.abs(x)))


def _mish_slope(x: Array) -> Array:
    t = np.tanh(_softplus(x))
    return t + x * _sigmoid(x) * (1 - t * t)


# Of x and the kernel's parameters.
VALUE: dict[str, Callable[[Array, Any], Array]] = {
    "leaky_relu": lambda x, p: np.where(x > 0, x, x * p.a),
    "elu": lambda x, p: np.where(x > 0, x * p.b, np.expm1(np.minimum(x, 0) * p.c) * p.a),
    "hardtanh": lambda x, p: np.clip(x, p.a, p.b),
    "hardsigmoid": lambda x, p: np.clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x, p: x * np.clip(x + 3, 0, 6) / 6,
    "softplus": lambda x, p: np.where(x * p.a > p.b, x, _softplus(x * p.a) / p.a),
    "mish": lambda x, p: x * np.tanh(_softplus(x)),
    "logsigmoid": lambda x, p: -_softplus(-x),
    "softshrink": lambda x, p: np.where(x > p.a, x - p.a, np.where(x < -p.a, x + p.a, x * 0)),
    "hardshrink": lambda x, p: np.where(np.abs(x) <= p.a, 0, x),
    "threshold": lambda x, p: np.where(x <= p.a, p.b, x),
}
SLOPE: dict[str, Callable[[Array, Any], Array]] = {
    "leaky_relu": lambda x, p: np.where(x > 0, 1, p.a),
    "elu": lambda x, p: np.where(x <= 0, p.a * p.c * np.exp(np.minimum(x, 0) * p.c), p.b),
    "hardtanh": lambda x, p: np.where((x <= p.a) | (x >= p.b), 0, 1),
    "hardsigmoid": lambda x, p: np.where(np.abs(x) < 3, 1 / 6, 0),
    "hardswish": lambda x, p: np.where(x <= -3, 0, np.where(x < 3, x / 3 + 0.5, 1)),
    "softplus": lambda x, p: np.where(x * p.a > p.b, 1, _sigmoid(x * p.a)),
    "mish": lambda x, p: _mish_slope(x),
    "logsigmoid": lambda x, p: _sigmoid(-x),
    "softshrink": lambda x, p: np.where(np.abs(x) <= p.a, 0, 1),
    "hardshrink": lambda x, p: np.where(np.abs(x) <= p.a, 0, 1),
    "threshold": lambda x, p: np.where(x <= p.a, 0, 1),
}


def activation(p: Any, out: Array, x: Array) -> None:
    out[:] = VALUE[NAME[p.op]](x, p)


def activation_backward(p: Any, dx: Array, dy: Array, x: Array) -> None:
    dx[:] = dy * SLOPE[NAME[p.op]](x, p)
