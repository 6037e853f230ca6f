"""`inplace=True`: the result of a function, written into its argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ops import inplace

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.tensor import Tensor


def applied(function: Callable[[Tensor], Tensor], x: Tensor, in_place: bool) -> Tensor:
    """function(x), or x itself with that written into it, on the tape too."""
    if not in_place:
        return function(x)
    return inplace.assigned(lambda x, _: function(x), x, 0.0)
