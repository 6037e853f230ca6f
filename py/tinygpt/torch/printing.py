"""How a tensor prints: PyTorch's layout, to the character."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..core.quoting import quoted
from ..core.state import no_grad, state
from ..core.tensor import Tensor, bool_, int64
from ..nn import Parameter
from ..ops import movement
from . import front


@dataclass
class _Options:
    precision: int = 4  # digits behind the point
    threshold: float = 1000  # more elements than this are summarised
    edgeitems: int = 3  # items at each end of a summarised dimension
    linewidth: int = 80  # columns
    sci_mode: bool | None = None  # scientific notation; None: as the values need it


_PROFILES: dict[str, dict[str, Any]] = {
    "default": dict(precision=4, threshold=1000, edgeitems=3, linewidth=80),
    "short": dict(precision=2, threshold=1000, edgeitems=2, linewidth=80),
    "full": dict(precision=4, threshold=math.inf, edgeitems=3, linewidth=80),
}
options = _Options()
front.on_fresh(lambda: vars(options).update(vars(_Options())))


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors print from here on; profile: "default", "short" or "full"."""
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError('profile must be "default", "short" or "full", not %s' % quoted(profile))
        for name, value in _PROFILES[profile].items():
            setattr(options, name, value)
    given = dict(precision=precision, threshold=threshold, edgeitems=edgeitems, linewidth=linewidth)
    for name, value in given.items():
        if value is not None:
            setattr(options, name, value)
    options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options of set_printoptions, by name."""
    return dict(vars(options))


class _Format:
    """One form for all values: their width, whole numbers or not, scientific or not."""

    def __init__(self, values: list[Any], floats: bool) -> None:
        self.floats, self.whole, self.scientific, self.width = floats, True, False, 1
        if not floats:
            self.width = max([1, *(len(str(v)) for v in values)])
            return
        finite = [v for v in values if v and math.isfinite(v)]
        if not finite:
            return
        sizes = [abs(v) for v in finite]
        least, most = min(sizes), max(sizes)
        self.whole = all(v == math.ceil(v) for v in finite)
        self.scientific = options.sci_mode
        if self.scientific is None:
            self.scientific = most / least > 1000.0 or most > 1e8 or least < 1e-4
        # A whole float has a point behind it.
        self.width = max(1, *(len(self.plain(v)) for v in finite)) if finite else 1

    def plain(self, value: Any) -> str:
        """The value without padding."""
        if not self.floats:
            return str(value)
        if self.scientific:
            return "%.*e" % (options.precision, value)
        if self.whole:
            return "%.0f%s" % (value, "." if math.isfinite(value) else "")
        return "%.*f" % (options.precision, value)

    def __call__(self, value: Any) -> str:
        return self.plain(value).rjust(self.width)


def _edges(x: Tensor) -> Tensor:
    """The items at both ends of each dimension that is summarised."""
    for d, n in enumerate(x._shape):
        if n > 2 * options.edgeitems:
            ends = [movement.narrow(x, d, at, options.edgeitems) for at in (0, n - options.edgeitems)]
            x = movement.cat(ends, d) if options.edgeitems else movement.narrow(x, d, 0, 0)
    return x


def _flat(values: Any) -> list[Any]:
    if not isinstance(values, list):
        return [values]
    return [v for item in values for v in _flat(item)]


def _nested(values: Any, sizes: tuple[int, ...], form: _Format, indent: int) -> str:
    """values: nested lists, the ends alone where a dimension of `sizes` is summarised."""
    if not sizes:
        return form(values)
    cut = len(values) < sizes[0]
    at = options.edgeitems
    if len(sizes) == 1:
        items = [form(v) for v in values]
        if cut:
            items = [*items[:at], " ...", *items[at:]] if at else ["..."]
        each = max(1, (options.linewidth - indent) // (form.width + 2))
        lines = [", ".join(items[i : i + each]) for i in range(0, len(items), each)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = [_nested(v, sizes[1:], form, indent + 1) for v in values]
    if cut:
        rows = [*rows[:at], "...", *rows[at:]]
    return "[" + ("," + "\n" * (len(sizes) - 1) + " " * (indent + 1)).join(rows) + "]"


def _contents(x: Tensor, indent: int) -> str:
    summarised = x.numel() > options.threshold
    with no_grad():
        values = (_edges(x.detach()) if summarised else x).tolist()
    form = _Format(_flat(values), x._dtype.is_floating_point)
    return _nested(values, x._shape, form, indent)


def tensor_repr(self: Tensor, *, tensor_contents: Any = None) -> str:
    """`tensor([[1., 2.], [3., 4.]])`, with the dtype and the device where they are not the default
    ones, and what made it where it is recorded.
    """
    start = "tensor("
    suffixes: list[str] = []
    if self.device.volatile:
        suffixes.append("device='%s'" % self.device)
    default = self._dtype.name == state.real
    if self.numel():
        if not default and self._dtype not in (int64, bool_):
            suffixes.append("dtype=%r" % self._dtype)
        text = _contents(self, len(start))
    else:
        if self.ndim != 1:
            suffixes.append("size=%s" % (tuple(self._shape),))
        if not default:
            suffixes.append("dtype=%r" % self._dtype)
        text = "[]"
    text = start + text
    made_by: Any = getattr(self, "grad_fn", None)
    if made_by is not None:
        suffixes.append("grad_fn=<%s>" % type(made_by).__name__)
    elif self.requires_grad:
        suffixes.append("requires_grad=True")
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > options.linewidth:
            text += ",\n" + " " * len(start) + suffix
            column = len(start) + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def parameter_repr(self: Parameter) -> str:
    """As tensor_repr, on a line of its own."""
    return "Parameter containing:\n" + tensor_repr(self)


front.extend(Parameter, {"__repr__": parameter_repr})
METHODS = {"__repr__": tensor_repr, "__str__": lambda self: repr(self)}
__all__ = ["get_printoptions", "set_printoptions"]
