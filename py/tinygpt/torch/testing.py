"""torch.testing: assert_close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.factory import tensor
from ..core.tensor import Tensor, bool_, float64
from . import table

__all__ = ["assert_allclose", "assert_close"]

TOLERANCES = {  # of a dtype: relative, absolute
    "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7),
}  # fmt: skip


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Any = None,
) -> None:
    """AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere, and shapes
    and dtypes are equal. Tensors, numbers, arrays, or sequences and mappings of them.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            "rtol and atol must both be specified or both be unspecified, but got rtol=%s and atol=%s" % (rtol, atol)
        )
    problem = _difference(actual, expected, rtol, atol, equal_nan, check_dtype, check_stride)
    if problem is not None:
        raise AssertionError(problem if msg is None else msg(problem) if callable(msg) else msg)


def _difference(
    actual: Any, expected: Any, rtol: Any, atol: Any, equal_nan: bool, check_dtype: bool, check_stride: bool
) -> str | None:
    rest = rtol, atol, equal_nan, check_dtype, check_stride
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if set(actual) != set(expected):
            return "The keys of the mappings do not match: %s and %s" % (sorted(actual), sorted(expected))
        pairs = [("[%r]" % key, actual[key], expected[key]) for key in actual]
        return _first([(name, _difference(a, b, *rest)) for name, a, b in pairs])
    if isinstance(actual, Sequence) and isinstance(expected, Sequence) and not isinstance(actual, str):
        if len(actual) != len(expected):
            return "The length of the sequences mismatch: %d != %d" % (len(actual), len(expected))
        pairs = [("[%d]" % i, a, b) for i, (a, b) in enumerate(zip(actual, expected))]
        return _first([(name, _difference(a, b, *rest)) for name, a, b in pairs])
    if actual is None or expected is None or isinstance(actual, str):
        return None if actual == expected else "%r and %r are not equal" % (actual, expected)
    return _of_tensors(_tensor(actual), _tensor(expected), *rest)


def _first(found: list[tuple[str, str | None]]) -> str | None:
    return next(("%s\n\nThe failure occurred for item %s" % (text, name) for name, text in found if text), None)


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    return tensor(value, dtype=float64) if isinstance(value, float) else tensor(value)


def _of_tensors(
    a: Tensor, b: Tensor, rtol: Any, atol: Any, equal_nan: bool, check_dtype: bool, check_stride: bool
) -> str | None:
    if tuple(a.shape) != tuple(b.shape):
        return "The values for attribute 'shape' do not match: %s != %s." % (a.shape, b.shape)
    if check_dtype and a.dtype is not b.dtype:
        return "The values for attribute 'dtype' do not match: %s != %s." % (a.dtype, b.dtype)
    if check_stride and a.stride() != b.stride():
        return "The values for attribute 'stride()' do not match: %s != %s." % (a.stride(), b.stride())
    if rtol is None:
        kinds = [TOLERANCES.get(x.dtype.name, (0.0, 0.0)) for x in (a, b)]
        rtol, atol = max(k[0] for k in kinds), max(k[1] for k in kinds)
    if not a.numel():
        return None
    exact = not a.dtype.is_floating_point and not b.dtype.is_floating_point and not rtol and not atol
    if exact:
        wrong = a.ne(b)
    else:
        x, y = a._cast(float64), b._cast(float64)
        near = (x - y).abs().le(atol + rtol * y.abs()).logical_or(x.eq(y))
        if equal_nan:
            near = near.logical_or(x.ne(x).logical_and(y.ne(y)))
        wrong = near.logical_not()
    count = int(wrong.sum().item())
    if not count:
        return None
    kind = "equal" if exact else "close"
    if not a.shape:
        return "Scalars are not %s!\n\nExpected %s but got %s." % (kind, b.item(), a.item())
    x, y = (v.int() if v.dtype is bool_ else v for v in (a, b))
    largest = (x._cast(float64) - y._cast(float64)).abs().max().item()
    return "Tensor-likes are not %s!\n\nMismatched elements: %d / %d (%.1f%%)\nGreatest absolute difference: %s" % (
        kind, count, a.numel(), 100 * count / a.numel(), largest,
    )  # fmt: skip


assert_allclose = assert_close


def __getattr__(name: str):
    """The sentence on a name that is not here."""
    return table.missing(__name__, name)
