"""How the functions of a layer are applied: into their argument (`inplace=True`), and to narrow
floats, which are rounded once; under a name on the tape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.autograd import TWICE, attach, needs_grad
from ...ops import inplace

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.tensor import Tensor


def widened(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """function(x), computed in float32 where x is of a 16-bit float, and rounded at the end."""
    dtype = x._dtype
    if not dtype.is_floating_point or dtype.computed is dtype:
        return function(x)
    return function(x._cast(dtype.computed))._cast(dtype)


def applied(function: Callable[[Tensor], Tensor], x: Tensor, in_place: bool) -> Tensor:
    """widened(function, x), or x itself with that written into it, on the tape too."""
    if not in_place:
        return widened(function, x)
    return inplace.assigned(lambda x, _: widened(function, x), x, 0.0)


def named(name: str, out: Tensor) -> Tensor:
    """The result of several ops as one whose Node has this name on the tape."""
    if not needs_grad(out):
        return out
    shown = out.detach()
    attach(name, (shown,), (out,), lambda dy: (dy,), ())
    TWICE[name] = None
    return shown
