"""A learning rate without effect: an optimizer was made with it, and the schedule overwrites it.

`made` remembers the rates that an optimizer was made with; after the first step that is reported,
`hint` compares them with what the groups have then.
"""

from __future__ import annotations

from typing import Any

Rates = dict[str, list[float]]  # by the name that run.keep was given


def made(optimizer: Any) -> list[float]:
    """The rate of each parameter group; none of what is no optimizer."""
    groups = getattr(optimizer, "param_groups", None)
    return [group["lr"] for group in groups if "lr" in group] if isinstance(groups, list) else []


def hint(rates: Rates, kept: dict[str, Any], rate: float | None) -> tuple[float, str] | None:
    """(The rate that was overwritten, the sentence on it); None where none was, or where it is
    `rate`, which the schedule knows.
    """
    for name, before in rates.items():
        for own, now in zip(before, made(kept.get(name)), strict=False):
            if own not in (now, rate):
                return own, (
                    "lr=%g of %s has no effect: schedule.apply sets %g at this step. Change Learning rate above, "
                    "or remove the line with schedule.apply." % (own, type(kept[name]).__name__, now)
                )
    return None
