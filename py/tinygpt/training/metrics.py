"""Metrics of one's own: what `run.log(loss, accuracy=...)` was given besides the loss.

A metric is a number or a tensor of one element. A tensor is read as the loss is: requested at its
step, reported when it has arrived (core/async_reads.py).
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from ..core.quoting import quoted
from ..core.tensor import Tensor

MOST = 16  # names a run
LONGEST = 40  # characters of a name


def check(metrics: dict[str, Any], known: set[str]) -> None:
    """Adds the names to `known`, those of the run so far. ValueError, TypeError: one sentence."""
    for name, value in metrics.items():
        if not name.isprintable() or not 0 < len(name) <= LONGEST or name == "loss":
            raise ValueError(
                "run.log: a metric's name has 1 to %d printable characters, not %s" % (LONGEST, quoted(name))
            )
        check_number(name, value)
        if name not in known and len(known) >= MOST:
            raise ValueError("run.log: a run has at most %d metrics; %s is one more" % (MOST, name))
        known.add(name)


def check_number(name: str, value: Any) -> None:
    """ValueError, TypeError where the value is no number and no tensor of one element."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise ValueError("run.log: %s must be one number, but the tensor has %d elements" % (name, value.numel()))
    elif isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(
            "run.log: %s must be a number or a tensor of one element, not %s" % (name, type(value).__name__)
        )


def reported(names: tuple[str, ...], values: tuple[Any, ...]) -> dict[str, float | None]:
    """{name: number} of a message; None where it is not finite, since JSON has no such number."""
    numbers = [float(value) for value in values]
    return {name: number if math.isfinite(number) else None for name, number in zip(names, numbers)}
