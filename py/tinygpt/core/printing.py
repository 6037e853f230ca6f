"""How a tensor prints: PyTorch's layout, four decimals, long dimensions summarised."""

# Values of any type are taken apart here, which strict mode calls unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

from typing import TYPE_CHECKING

from .tensor import Tensor, bool_, float32, int32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

EDGE = 3  # items kept at each end of a summarised dimension
THRESHOLD = 1000  # more elements than this: summarise


def tensor_repr(x: Tensor) -> str:
    """`tensor([[1., 2.], [3., 4.]])`, with the dtype where it is not the default and requires_grad
    where it is set.
    """
    notes = ""
    if x._dtype not in (float32, int32, bool_) or 0 in x._shape:
        notes += ", dtype=%r" % (x._dtype,)
    if x._node is not None:
        notes += ", grad_fn=<%s>" % x._node.name
    elif x.requires_grad:
        notes += ", requires_grad=True"
    summarise = x.numel() > THRESHOLD
    values = x.detach().tolist()
    flat = list(_numbers(values, summarise))
    if x._dtype is float32:
        form = _float_format([v for v in flat if v == v and abs(v) != float("inf")])
    else:
        width = max((len(str(v)) for v in flat), default=1)
        form = lambda v: str(v).rjust(width)  # noqa: E731
    return "tensor(%s%s)" % (_nested(values, form, summarise, len("tensor(")), notes)


Tensor.__repr__ = tensor_repr  # pyright: ignore[reportAttributeAccessIssue]: its argument has another name


def _float_format(values: Sequence[float]) -> Callable[[float], str]:
    if all(v == int(v) for v in values) and all(abs(v) < 1e6 for v in values):
        texts = ["%d." % v for v in values]
        spec = "%d."
    elif values and (max(map(abs, values)) >= 1e5 or (min((abs(v) for v in values if v), default=1) < 1e-4)):
        spec = "%.4e"
        texts = [spec % v for v in values]
    else:
        spec = "%.4f"
        texts = [spec % v for v in values]
    width = max(map(len, texts), default=1)
    return lambda v: (
        "nan" if v != v else "inf" if v == float("inf") else "-inf" if v == -float("inf") else spec % v
    ).rjust(width)


def _numbers(values: Any, summarise: bool) -> Iterator[Any]:
    if not isinstance(values, list):
        yield values
        return
    for item in _kept(values, summarise):
        if item is not None:
            yield from _numbers(item, summarise)


def _kept(values: list[Any], summarise: bool) -> list[Any]:
    return values if not summarise or len(values) <= 2 * EDGE else values[:EDGE] + [None] + values[-EDGE:]


def _nested(values: Any, form: Callable[[Any], str], summarise: bool, indent: int) -> str:
    if not isinstance(values, list):
        return form(values)
    kept = _kept(values, summarise)
    if not values or not isinstance(values[0], list):
        parts = ["..." if v is None else form(v) for v in kept]
        return "[" + _wrapped(parts, indent + 1) + "]"
    depth = 1
    inner: Any = values[0]
    while isinstance(inner, list) and inner and isinstance(inner[0], list):
        depth, inner = depth + 1, inner[0]
    rows = ["..." if v is None else _nested(v, form, summarise, indent + 1) for v in kept]
    return "[" + ("," + "\n" * depth + " " * (indent + 1)).join(rows) + "]"


def _wrapped(parts: Sequence[str], indent: int) -> str:
    lines: list[str] = []
    line = ""
    for part in parts:
        if line and len(line) + len(part) + 2 > 80 - indent:
            lines.append(line)
            line = part
        else:
            line = line + ", " + part if line else part
    lines.append(line)
    return (",\n" + " " * indent).join(lines)
