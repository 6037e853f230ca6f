"""Padding: torch.nn.functional.pad and torch.nn's modules of it.

The borders of reflect, replicate and circular are copied strip by strip, one dimension after the
other; the gradient adds the same strips back in reverse. Both are ops, each the other's gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.autograd import TWICE, attach, needs_grad
from ...core.factory import full, like
from ...core.quoting import quoted
from ...core.tensor import Tensor, whole_number
from ...nn import Module
from ...ops import elementwise, movement
from .spatial import repeated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d",
    "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip
FUNCTIONS = ["pad"]
TWICE.update(
    dict.fromkeys(
        ["constant_pad_nd"]
        + ["%s_pad%s" % (mode, end) for mode in ("reflect", "replicate", "circular") for end in ("", "_backward")]
    )
)
Widths = list[tuple[int, int]]  # in front of and behind each dimension


def _widths(x: Tensor, given: Sequence[Any]) -> Widths:
    """The pairs of `pad`, which begin with the last dimension, for every dimension of x."""
    if not isinstance(given, (tuple, list)):
        raise TypeError("pad(): argument 'pad' must be a tuple of ints, not %s" % quoted(given))
    widths = [whole_number(v, "a width of pad") for v in given]
    if len(widths) % 2:
        raise RuntimeError("Length of pad must be even but instead it equals %d" % len(widths))
    if len(widths) > 2 * x.ndim:
        raise RuntimeError(
            "Length of pad should be no more than twice the number of dimensions of the input. "
            "Pad length is %d while the input has %d dimensions." % (len(widths), x.ndim)
        )
    pairs = list(zip(widths[::2], widths[1::2]))[::-1]
    return [(0, 0)] * (x.ndim - len(pairs)) + pairs


def _grown(x: Tensor, widths: Widths) -> tuple[int, ...]:
    return tuple([n + a + b for n, (a, b) in zip(x._shape, widths)])


def _inner(x: Tensor, widths: Widths) -> Tensor:
    """x without so much at each side, 0 where negative; a view without a tape."""
    x = x.detach()
    for d, (a, b) in enumerate(widths):
        a, b = max(a, 0), max(b, 0)
        if a or b:
            x = movement.sliced(x, d, a, x._shape[d] - a - b)
    return x


def _negative(widths: Widths) -> Widths:
    return [(-a, -b) for a, b in widths]


def _constant(x: Tensor, widths: Widths, value: float) -> Tensor:
    shape = _grown(x, widths)
    if any(n < 0 for n in shape):
        raise RuntimeError(
            "The input size %s, plus negative padding %s, resulted in a negative output size"
            % (list(x._shape), [v for pair in widths for v in pair])
        )
    if any(widths_of != (0, 0) for widths_of in widths):
        out = full(shape, value, x._dtype, x.device)
        if out.numel() and x.numel():
            crossed = all(n + min(a, 0) + min(b, 0) > 0 for n, (a, b) in zip(x._shape, widths))
            if crossed:
                elementwise.copy_into(_inner(out, widths), _inner(x, _negative(widths)))
    else:
        out = movement.clone(x.detach())
    if needs_grad(x):
        attach("constant_pad_nd", (out,), (x,), lambda dy: (_constant(dy, _negative(widths), 0.0),), ())
    return out


# ---- reflect, replicate, circular ----------------------------------------------------------------


def _strips(mode: str, d: int, a: int, b: int, n: int) -> Iterator[tuple[int, int, int, int]]:
    """What the border of dimension d consists of, in a tensor of n + a + b there: (start, length)
    of each strip and of what it repeats.
    """
    if mode == "circular":
        if a:
            yield 0, a, n, a
        if b:
            yield a + n, b, a, b
    elif mode == "replicate":
        if a:
            yield 0, a, a, 1
        if b:
            yield a + n, b, a + n - 1, 1
    else:
        for i in range(a):
            yield i, 1, 2 * a - i, 1
        for i in range(b):
            yield a + n + i, 1, a + n - 2 - i, 1


def _bordered(x: Tensor, widths: Widths, mode: str) -> Tensor:
    out = like(x, _grown(x, widths))
    if out.numel():
        elementwise.copy_into(_inner(out, widths), x.detach())
        for d, part, pair in _dimensions(out, widths):
            for to, length, source, width in _strips(mode, d, *pair, x._shape[d]):
                strip = movement.sliced(part, d, to, length)
                elementwise.copy_into(strip, movement.sliced(part, d, source, width).expand(strip._shape))
    if needs_grad(x):
        attach(mode + "_pad", (out,), (x,), lambda dy: (_without_border(dy, widths, mode),), ())
    return out


def _without_border(y: Tensor, widths: Widths, mode: str) -> Tensor:
    """The transpose of _bordered: each strip is added to what it repeats."""
    rest = movement.clone(y.detach())
    for d, part, pair in reversed(list(_dimensions(rest, widths))):
        for to, length, source, width in _strips(mode, d, *pair, y._shape[d] - sum(pair)):
            strip = movement.sliced(part, d, to, length)
            if width != length:
                strip = strip.sum(d, keepdim=True)
            movement.sliced(part, d, source, width).add_(strip)
    out = movement.clone(_inner(rest, widths))
    if needs_grad(y):
        attach(mode + "_pad_backward", (out,), (y,), lambda dx: (_bordered(dx, widths, mode),), ())
    return out


def _dimensions(x: Tensor, widths: Widths) -> Iterator[tuple[int, Tensor, tuple[int, int]]]:
    """(d, x without the border of the dimensions behind d, its widths), the last d first."""
    for d in range(x.ndim - 1, -1, -1):
        if any(widths[d]):
            yield d, _inner(x, [pair if e < d else (0, 0) for e, pair in enumerate(widths)]), widths[d]


def _with_an_edge(n: int, a: int, b: int) -> tuple[int, int]:
    """Widths that leave one of n elements where a side is cropped beyond all of them."""
    beyond = min(a + n - 1, 0) if a < 0 else 0
    a, b = a - beyond, b + beyond
    beyond = min(b + n - 1, 0) if b < 0 else 0
    return a + beyond, b - beyond


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """input with borders: pairs of widths, of the last dimension first; negative ones crop.

    mode: constant (of `value`), reflect, replicate or circular, the latter for one to three
    dimensions behind [N, C] or C. As torch.nn.functional.pad.
    """
    if not isinstance(input, Tensor):
        raise TypeError("pad(): argument 'input' must be Tensor, not %s" % type(input).__name__)
    widths = _widths(input, pad)
    if mode == "constant":
        return _constant(input, widths, 0.0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError("Unrecognised padding mode %s; use constant, reflect, replicate or circular" % mode)
    if value is not None and value != 0:
        raise RuntimeError("Padding mode %r doesn't take in value argument" % mode)
    n = len(pad) // 2
    if n not in (1, 2, 3) or input.ndim not in (n + 1, n + 2):
        raise NotImplementedError("Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now")
    for size, (a, b) in zip(input._shape, widths):
        if mode == "reflect" and max(a, b) >= size and max(a, b) > 0:
            raise RuntimeError(
                "Padding size should be less than the corresponding input dimension, but got: padding (%d, %d) at "
                "a dimension of size %d" % (a, b, size)
            )
        if mode == "circular" and max(a, b) > size:
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if mode == "circular" and size + a + b < 0:
            raise RuntimeError("Negative padding value is resulting in an empty dimension")
        if (a or b) and size + a + b < 1:
            raise RuntimeError("input size %s with padding %s gives no element" % (list(input._shape), list(pad)))
    if mode == "replicate":
        widths = [_with_an_edge(n, a, b) for n, (a, b) in zip(input._shape, widths)]
    crop = [(min(a, 0), min(b, 0)) for a, b in widths]
    source = _constant(input, crop, 0.0) if any(map(any, crop)) else input
    return _bordered(source, [(max(a, 0), max(b, 0)) for a, b in widths], mode)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """pad with mode constant."""
    return _constant(input, _widths(input, pad), value)


# ---- modules ------------------------------------------------------------------------------------


class _Pad(Module):
    """A border of fixed widths."""

    n = 0
    mode = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = repeated(padding, 2 * self.n)

    def forward(self, input: Tensor) -> Tensor:
        return pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return "%s" % (self.padding,)


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return "padding=%s, value=%s" % (self.padding, self.value)


class _ZeroPad(_Pad):
    value = 0.0


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self.n + 1, self.n + 2):
            raise ValueError("expected %dD or %dD input (got %dD input)" % (self.n + 1, self.n + 2, input.ndim))
        return super().forward(input)


def _kinds(base: type[Module], name: str, text: str, **attributes: Any) -> list[Any]:
    """The classes name1d, name2d and name3d."""
    made: list[Any] = []
    for n in (1, 2, 3):
        values = dict(n=n, __doc__=text % n, __module__=__name__, __qualname__="%s%dd" % (name, n), **attributes)
        made.append(type("%s%dd" % (name, n), (base,), values))
    return made


ConstantPad1d, ConstantPad2d, ConstantPad3d = _kinds(
    _ConstantPad, "ConstantPad", "A border of `value` around the last %d dimensions."
)
ZeroPad1d, ZeroPad2d, ZeroPad3d = _kinds(_ZeroPad, "ZeroPad", "A border of zeros around the last %d dimensions.")
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = _kinds(
    _Pad, "ReflectionPad", "The last %d dimensions reflected at their borders.", mode="reflect"
)
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = _kinds(
    _Pad, "ReplicationPad", "The borders of the last %d dimensions repeated.", mode="replicate"
)
CircularPad1d, CircularPad2d, CircularPad3d = _kinds(
    _CircularPad, "CircularPad", "The last %d dimensions continued from their other end."
)
