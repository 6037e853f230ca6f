"""Comparison, logic, bits and choice under PyTorch's names."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..core.factory import full
from ..core.state import no_grad
from ..core.tensor import Tensor, bool_, float64, uint8
from ..ops import elementwise
from ..ops.elementwise import compare
from . import calling, reduction
from .pointwise import numbers


def _comparison(name: str, text: str) -> Any:
    def function(input: Tensor, other: Any) -> Tensor:
        return compare(name, input, other)

    function.__name__, function.__doc__ = name, "bool: input %s other, with broadcasting." % text
    return function


_COMPARISONS = {
    name: _comparison(kernel, text)
    for names, kernel, text in (
        ("eq", "eq", "=="), ("ne not_equal", "ne", "!="), ("lt less", "lt", "<"), ("le less_equal", "le", "<="),
        ("gt greater", "gt", ">"), ("ge greater_equal", "ge", ">="),
    )
    for name in names.split()
}  # fmt: skip


def _of_tensor(name: str, other: Any) -> Tensor:
    if not isinstance(other, Tensor):
        raise TypeError("%s(): argument 'other' (position 2) must be Tensor, not %s" % (name, type(other).__name__))
    return other


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have one shape and equal elements."""
    _of_tensor("equal", other)
    if input._shape != other._shape:
        return False
    return bool(elementwise.compare("eq", input, other).all().item())


def _bools(name: str, input: Tensor, other: Any) -> tuple[Tensor, Tensor]:
    other = _of_tensor(name, other)
    elementwise.same_device(input, other)
    return elementwise.as_bool(input.detach()), elementwise.as_bool(other.detach())


def both(input: Tensor, other: Tensor) -> Tensor:
    """bool: whether both are not 0."""
    return elementwise.logical_and(*_bools("logical_and", input, other))


def either(input: Tensor, other: Tensor) -> Tensor:
    """bool: whether one of both is not 0."""
    return elementwise.logical_or(*_bools("logical_or", input, other))


def one_of(input: Tensor, other: Tensor) -> Tensor:
    """bool: whether exactly one of both is not 0."""
    return compare("ne", *_bools("logical_xor", input, other))


def negated(input: Tensor) -> Tensor:
    """bool: whether input is 0."""
    return elementwise.logical_not(input.detach())


def isnan(input: Tensor) -> Tensor:
    """bool: whether it is NaN."""
    return compare("ne", input.detach(), input.detach())


def isinf(input: Tensor) -> Tensor:
    """bool: whether it is an infinity."""
    if not input._dtype.is_floating_point:
        return _false(input)
    return compare("eq", elementwise.abs_(input.detach()), math.inf)


def _false(x: Tensor) -> Tensor:
    return full(x._shape, False, bool_, x.device)


def isfinite(input: Tensor) -> Tensor:
    """bool: whether it is neither NaN nor an infinity."""
    if not input._dtype.is_floating_point:
        return elementwise.logical_not(_false(input))
    return compare("lt", elementwise.abs_(input.detach()), math.inf)


def isposinf(input: Tensor) -> Tensor:
    """bool: whether it is infinity."""
    return compare("eq", input.detach(), math.inf) if input._dtype.is_floating_point else _false(input)


def isneginf(input: Tensor) -> Tensor:
    """bool: whether it is minus infinity."""
    return compare("eq", input.detach(), -math.inf) if input._dtype.is_floating_point else _false(input)


def isreal(input: Tensor) -> Tensor:
    """bool: true, numbers are real here."""
    return elementwise.logical_not(_false(input))


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """bool: |input - other| <= atol + rtol |other|, or equal. RuntimeError for two dtypes."""
    _of_tensor("isclose", other)
    if input._dtype is not other._dtype:
        raise RuntimeError("%s did not match %s" % (input._dtype.name, other._dtype.name))
    if rtol < 0 or atol < 0:
        raise RuntimeError("rtol and atol must be greater than or equal to zero, not %r and %r" % (rtol, atol))
    with no_grad():
        a, b = input.detach(), other.detach()
        close = compare("eq", a, b)
        if equal_nan and a._dtype.is_floating_point:
            close = elementwise.logical_or(close, elementwise.logical_and(isnan(a), isnan(b)))
        if rtol == 0 and atol == 0:
            return close
        if not a._dtype.is_floating_point:
            a, b = a._cast(float64), b._cast(float64)
        allowed = elementwise.add(elementwise.abs_(elementwise.mul(b, rtol)), atol)
        distance = elementwise.abs_(elementwise.sub(a, b))
        return elementwise.logical_or(
            close, elementwise.logical_and(isfinite(distance), compare("le", distance, allowed))
        )


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close: see isclose."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all().item())


def is_nonzero(input: Tensor) -> bool:
    """Whether the single element is not 0. RuntimeError for another number of elements."""
    if input.numel() != 1:
        how = "no values" if not input.numel() else "more than one value"
        raise RuntimeError("Boolean value of Tensor with %s is ambiguous" % how)
    return bool(input.item())


# ---- bits ----------------------------------------------------------------------------------------


def _of_bits(name: str, function: Any) -> Any:
    def bits(input: Any, other: Any) -> Tensor:
        if not isinstance(input, Tensor):
            input, other = numbers(name, input, other)
        return function(input, other)

    bits.__name__, bits.__doc__ = name, function.__doc__
    return bits


_BITS = {
    "bitwise_and": _of_bits("bitwise_and", elementwise.bitwise_and),
    "bitwise_or": _of_bits("bitwise_or", elementwise.bitwise_or),
    "bitwise_xor": _of_bits("bitwise_xor", elementwise.bitwise_xor),
    "bitwise_left_shift": _of_bits("bitwise_left_shift", elementwise.left_shift),
    "bitwise_right_shift": _of_bits("bitwise_right_shift", elementwise.right_shift),
}


def bitwise_not(input: Tensor) -> Tensor:
    """~input. NotImplementedError for floats."""
    if input._dtype.is_floating_point:
        raise NotImplementedError("bitwise_not is not implemented for %s; use logical_not" % input._dtype.name)
    return elementwise.bitwise_not(input)


# ---- choice --------------------------------------------------------------------------------------


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """input where condition (bool) is true, else other, with broadcasting: tensors or numbers.

    Of the condition alone: the indices where it is not 0, a tuple of int64 vectors.
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)  # pyright: ignore[reportAttributeAccessIssue]
    if input is None or other is None:
        raise TypeError("where() takes a condition alone, or a condition and two values; one of them is missing")
    if condition._dtype is uint8:
        warnings.warn("where received a uint8 condition tensor. Use a boolean condition instead.", stacklevel=2)
        condition = elementwise.as_bool(condition)
    if condition._dtype is not bool_:
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype %s" % condition._dtype.name
        )
    values = [x if isinstance(x, (Tensor, int, float)) else elementwise.operand(x, condition) for x in (input, other)]
    kind = elementwise.result_type(*values)
    a, b = [
        elementwise.promoted(x, kind)
        if isinstance(x, Tensor)
        else full(
            (), x if kind.is_floating_point or kind is bool_ else elementwise.integer(x, kind), kind, condition.device
        )
        for x in values
    ]
    return elementwise.where(condition, a, b)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """bool: whether each of `elements` is one of `test_elements`; invert: is none of them."""
    if not isinstance(elements, Tensor):
        elements = full((), elements, device=test_elements.device)
    if not isinstance(test_elements, Tensor):
        found = compare("eq", elements, test_elements)
    else:
        tests = test_elements.detach().reshape((-1,))
        if not tests.numel():
            found = _false(elements)
        else:
            hits = compare("eq", elements.detach().reshape((*elements._shape, 1)), tests)
            found = reduction.any_along(hits, -1)
    return elementwise.logical_not(found) if invert else found


FUNCTIONS: dict[str, Any] = {
    **_COMPARISONS, **_BITS, "bitwise_not": bitwise_not, "equal": equal, "logical_and": both, "logical_or": either,
    "logical_xor": one_of, "logical_not": negated, "isnan": isnan, "isinf": isinf, "isfinite": isfinite,
    "isposinf": isposinf, "isneginf": isneginf, "isreal": isreal, "isclose": isclose, "allclose": allclose,
    "is_nonzero": is_nonzero, "where": where, "isin": isin,
}  # fmt: skip
_IN_PLACE = """
    eq ne not_equal lt less le less_equal gt greater ge greater_equal bitwise_and bitwise_or bitwise_xor bitwise_not
    bitwise_left_shift bitwise_right_shift logical_and logical_or logical_xor logical_not
"""
METHODS: dict[str, Any] = {
    **calling.methods({name: x for name, x in FUNCTIONS.items() if name not in ("where", "isin")}, _IN_PLACE),
    "where": lambda self, condition, other: where(condition, self, other),
    "logical_not_": no_grad()(calling.writing("logical_not_", negated)),  # PyTorch does not record it
    "__rand__": lambda self, other: _BITS["bitwise_and"](other, self),
    "__ror__": lambda self, other: _BITS["bitwise_or"](other, self),
    "__rxor__": lambda self, other: _BITS["bitwise_xor"](other, self),
}  # fmt: skip
calling.functions(
    globals(), FUNCTIONS, free="isin bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift"
)
