"""The rule on arguments: one is accepted where it has PyTorch's default or cannot change a result,
any other raises by name.
"""

from __future__ import annotations

from typing import Any

from ..core.quoting import quoted


class Unsupported(NotImplementedError, TypeError):
    """An argument that this subset of PyTorch does not take."""


def refuse(function: str, **given: Any) -> None:
    """Unsupported for the first argument that is neither None nor False, the default of those here."""
    for name, value in given.items():
        if value is not None and value is not False:
            raise Unsupported(
                "%s(%s=%s) is not in TinyGPT's subset; leave %s out" % (function, name, quoted(value), name)
            )
