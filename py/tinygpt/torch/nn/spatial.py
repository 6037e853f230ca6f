"""What the functions and modules over spatial dimensions share: one size or one for each dimension,
and inputs without a batch.
"""

from __future__ import annotations

from typing import Any

from ...core.quoting import quoted
from ...core.tensor import Tensor, whole_number


def repeated(value: Any, n: int) -> tuple[int, ...]:
    """A module's argument: one number for all of n dimensions, or a sequence as a tuple."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n


def sizes_of(function: str, n: int, value: Any, name: str) -> tuple[int, ...]:
    """One int, or one for each of n dimensions, as a tuple. TypeError for what is no int,
    RuntimeError for another number of them.
    """
    given = value if isinstance(value, (tuple, list)) else (value,)
    try:
        sizes = tuple([v if type(v) is int else whole_number(v, name) for v in given])
    except TypeError:
        raise TypeError(
            "%s(): argument '%s' must be an int or a tuple of ints, not %s" % (function, name, quoted(value))
        ) from None
    if len(sizes) == n:
        return sizes
    if len(sizes) == 1:
        return sizes * n
    raise RuntimeError(
        "%s: expected %s to be a single integer value or a list of %d values, but got %s"
        % (function, name, n, quoted(list(sizes)))
    )


def batched(function: str, n: int, x: Tensor) -> tuple[Tensor, bool]:
    """(x as [N, C, *n sizes], whether it came without N)."""
    if x.ndim == n + 2:
        return x, False
    if x.ndim == n + 1:
        return x.unsqueeze(0), True
    raise RuntimeError(
        "Expected %dD (unbatched) or %dD (batched) input to %s, but got input of size: %s"
        % (n + 1, n + 2, function, list(x._shape))
    )
