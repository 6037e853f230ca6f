"""The oracle's kernels over spatial dimensions: convolution, pooling and batch norm, one function
per kernel of `tinygpt.kernels`, in the contract's order.
"""

from __future__ import annotations

import itertools
from typing import Any, cast

import numpy as np

from .base import status_error

Array = Any  # a NumPy array: NumPy's own stubs know little more of these


def _three(p: Any, letter: str) -> tuple[int, int, int]:
    return tuple(getattr(p, "%s%d" % (letter, d)) for d in range(3))  # type: ignore[return-value]


# ---- convolution -------------------------------------------------------------------------------


def _taps(p: Any) -> Any:
    """(tap, slices of the padded input that it reads for all outputs) for each tap."""
    for tap in itertools.product(*(range(n) for n in _three(p, "k"))):
        begin = [t * d for t, d in zip(tap, _three(p, "d"))]
        yield tap, tuple(slice(b, b + (o - 1) * s + 1, s) for b, o, s in zip(begin, _three(p, "o"), _three(p, "s")))


def _padded_shape(p: Any) -> tuple[int, ...]:
    """Of the input with its padding: as much as the outputs or the input need."""
    every = zip(*(_three(p, letter) for letter in "ikospd"))
    return tuple(max((o - 1) * s + (k - 1) * d + 1, i + pad) for i, k, o, s, pad, d in every)


def _inside(p: Any) -> tuple[slice, ...]:
    """The input's place in the padded one."""
    return tuple(slice(pad, pad + i) for i, pad in zip(_three(p, "i"), _three(p, "p")))


def _groups(p: Any, flat: Array, channels: int, spatial: tuple[int, ...]) -> Array:
    return flat.reshape(p.N, p.groups, channels // p.groups, *spatial)


def _padded(p: Any, x: Array) -> Array:
    out = np.zeros((p.N, p.groups, p.C // p.groups, *_padded_shape(p)), x.dtype)
    out[(..., *_inside(p))] = _groups(p, x, p.C, _three(p, "i"))
    return out


def _weight(p: Any, flat: Array) -> Array:
    return flat.reshape(p.groups, p.O // p.groups, p.C // p.groups, *_three(p, "k"))


def conv(p: Any, out: Array, x: Array, weight: Array, bias: Array | None) -> None:
    source, w = _padded(p, x), _weight(p, weight)
    total = np.zeros((p.N, p.groups, p.O // p.groups, *_three(p, "o")), x.dtype)
    for tap, place in _taps(p):
        total += np.einsum("goc,ngcxyz->ngoxyz", w[(..., *tap)], source[(..., *place)])
    if bias is not None:
        total += bias.reshape(1, p.groups, -1, 1, 1, 1)
    out[:] = total.ravel()


def conv_backward_x(p: Any, dx: Array, dy: Array, weight: Array, bias: Array | None) -> None:
    total, w = np.zeros((p.N, p.groups, p.C // p.groups, *_padded_shape(p)), dy.dtype), _weight(p, weight)
    dy = _groups(p, dy, p.O, _three(p, "o"))
    for tap, place in _taps(p):
        total[(..., *place)] += np.einsum("goc,ngoxyz->ngcxyz", w[(..., *tap)], dy)
    total = total[(..., *_inside(p))]
    if bias is not None:
        total = total + bias.reshape(1, p.groups, -1, 1, 1, 1)
    dx[:] = total.ravel()


def conv_backward_weight(p: Any, dweight: Array, dy: Array, x: Array) -> None:
    source, total = _padded(p, x), np.zeros((p.groups, p.O // p.groups, p.C // p.groups, *_three(p, "k")))
    dy = _groups(p, dy, p.O, _three(p, "o"))
    for tap, place in _taps(p):
        total[(..., *tap)] = np.einsum("ngoxyz,ngcxyz->goc", dy, source[(..., *place)])
    dweight[:] = total.ravel()


# ---- pooling -----------------------------------------------------------------------------------


def _windows(p: Any) -> Any:
    """For each output, in order: (the elements of its window inside x as three ranges, how many it
    has with the padding).
    """
    per_axis: list[list[tuple[Any, int]]] = []
    for i, k, o, s, pad, d in zip(*(_three(p, letter) for letter in "ikospd")):
        axis: list[tuple[Any, int]] = []
        for at in range(o):
            if p.adaptive:
                window = range(at * i // o, -(-(at + 1) * i // o))
                axis.append((window, len(window)))
            else:
                window = range(at * s - pad, at * s - pad + (k - 1) * d + 1, d)
                axis.append(([t for t in window if 0 <= t < i], sum(t < i + pad for t in window)))
        per_axis.append(axis)
    for z, y, x in itertools.product(*per_axis):
        yield (z[0], y[0], x[0]), z[1] * y[1] * x[1]


def max_pool(p: Any, out: Array, index: Array, x: Array) -> None:
    _, height, width = _three(p, "i")
    planes = x.reshape(p.planes, -1)
    values: list[Array] = []
    places: list[Array] = []
    for (z, y, c), _ in _windows(p):
        flat = np.array([(a * height + b) * width + e for a, b, e in itertools.product(z, y, c)])
        window = planes[:, flat]
        best = window.argmax(1)
        if window.dtype.kind == "f":
            nan = np.isnan(window)
            best = cast("Array", np.where(nan.any(1), window.shape[1] - 1 - nan[:, ::-1].argmax(1), best))
        values.append(np.take_along_axis(window, best[:, None], 1)[:, 0])
        places.append(cast("Array", flat[best]))
    out[:] = np.stack(values, 1).ravel() if values else 0
    index[:] = np.stack(places, 1).ravel() if values else 0


def max_pool_backward(p: Any, dx: Array, dy: Array, index: Array) -> None:
    if np.any((index < 0) | (index >= p.n)):
        raise status_error(2, "max_pool_backward")
    total = np.zeros((p.planes, p.n))
    planes = cast("Array", np.arange(p.planes))[:, None]
    np.add.at(total, (planes, index.reshape(p.planes, p.m)), dy.reshape(p.planes, p.m))
    dx[:] = total.ravel()


def _means(p: Any) -> Any:
    """(the three ranges of a window as an index, the divisor) for each output."""
    for ranges, padded in _windows(p):
        count = len(ranges[0]) * len(ranges[1]) * len(ranges[2])
        yield np.ix_(*ranges) if count else None, p.divisor or (padded if p.count_pad else count)


def _quotient(total: Array, divisor: int) -> Array:
    if total.dtype.kind == "f":
        return total / divisor
    return np.sign(total) * np.sign(divisor) * (abs(total) // abs(divisor))


def avg_pool(p: Any, out: Array, x: Array) -> None:
    planes = x.reshape(p.planes, *_three(p, "i"))
    made = [
        np.zeros(p.planes) if place is None else _quotient(planes[(slice(None), *place)].sum((1, 2, 3)), divisor)
        for place, divisor in _means(p)
    ]
    out[:] = np.stack(made, 1).ravel() if made else 0


def avg_pool_backward(p: Any, dx: Array, dy: Array) -> None:
    total, dy = np.zeros((p.planes, *_three(p, "i"))), dy.reshape(p.planes, -1)
    for i, (place, divisor) in enumerate(_means(p)):
        if place is not None:
            total[(slice(None), *place)] += (dy[:, i] / divisor)[:, None, None, None]
    dx[:] = total.ravel()


# ---- batch norm --------------------------------------------------------------------------------


def _channels(p: Any, flat: Array) -> Array:
    return flat.reshape(p.N, p.C, p.S)


def _each(values: Any) -> Array:
    return np.asarray(values)[None, :, None]


def batch_norm(
    p: Any,
    out: Array,
    mean: Array,
    rstd: Array,
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
) -> None:
    x, count = _channels(p, x), p.N * p.S
    if p.training:
        center, variance = x.mean((0, 2)), x.var((0, 2))
        if running_mean is not None:
            running_mean[:] = (1 - p.momentum) * running_mean + p.momentum * center
        if running_var is not None:
            unbiased = np.float64(1) * variance * count / np.float64(count - 1)
            running_var[:] = (1 - p.momentum) * running_var + p.momentum * unbiased
    else:
        center, variance = running_mean, running_var
    mean[:], rstd[:] = center, 1 / np.sqrt(variance + p.eps)
    scale = rstd if weight is None else rstd * weight
    out[:] = ((x - _each(mean)) * _each(scale) + (0 if bias is None else _each(bias))).ravel()


def batch_norm_backward(
    p: Any,
    dx: Array,
    dweight: Array,
    dbias: Array,
    dy: Array,
    x: Array,
    weight: Array | None,
    mean: Array,
    rstd: Array,
) -> None:
    dy, count = _channels(p, dy), p.N * p.S
    xhat = (_channels(p, x) - _each(mean)) * _each(rstd)
    dweight[:], dbias[:] = (dy * xhat).sum((0, 2)), dy.sum((0, 2))
    g = dy - _each(dbias) / count - xhat * _each(dweight) / count if p.training else dy
    dx[:] = (g * _each(rstd if weight is None else rstd * weight)).ravel()
