"""Anomaly mode: a gradient of NaN is an error that names the op of the forward and where it was
called.

While the mode is on, the counter that numbers the Nodes also notes the stack of the call: ops
themselves know nothing of it.
"""

from __future__ import annotations

import itertools
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from ...core import autograd
from .. import front
from . import engine
from .graph import name_of

if TYPE_CHECKING:
    import traceback
    from collections.abc import Iterator, Sequence

PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOST = 1 << 16  # calls whose stacks are kept

_stacks: dict[int, traceback.StackSummary] = {}
_check_nan = True


class _Numbers:
    """Sequence numbers; each notes where it was taken."""

    def __init__(self, plain: Iterator[int]) -> None:
        self.plain = plain

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        import traceback  # here: start-up does not wait for it

        number = next(self.plain)
        frames = traceback.walk_stack(sys._getframe(1))
        outside = itertools.dropwhile(lambda pair: pair[0].f_code.co_filename.startswith(PACKAGE), frames)
        stack = traceback.StackSummary.extract(outside, lookup_lines=False)
        stack.reverse()
        _stacks[number] = stack
        if len(_stacks) > MOST:
            del _stacks[next(iter(_stacks))]
        return number


def is_anomaly_enabled() -> bool:
    """Whether the mode is on."""
    return engine.anomaly is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether NaN in a gradient is an error while the mode is on."""
    return _check_nan


def _set(mode: bool, check_nan: bool) -> None:
    global _check_nan
    _check_nan = check_nan
    numbers: Any = autograd._numbers
    if mode and not isinstance(numbers, _Numbers):
        autograd._numbers = _Numbers(numbers)
    elif not mode and isinstance(numbers, _Numbers):
        autograd._numbers = numbers.plain
        _stacks.clear()
    engine.set_anomaly(sys.modules[__name__] if mode else None)


class set_detect_anomaly:
    """Sets the mode at once; as a context until its end. check_nan: whether NaN is an error."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = is_anomaly_enabled(), _check_nan
        _set(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        _set(*self._before)


class detect_anomaly:
    """The mode as a context."""

    def __init__(self, check_nan: bool = True) -> None:
        self._check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self._before = is_anomaly_enabled(), _check_nan
        _set(True, self._check_nan)

    def __exit__(self, *exc: object) -> None:
        _set(*self._before)


def explain(node: Any) -> None:
    """Warns with the stack of the forward call that made a Node whose backward failed."""
    stack = _stacks.get(node.seq)
    if stack is None:
        text = "No forward pass information available. Enable detect anomaly during forward pass for more information."
    else:
        text = "Traceback of forward call that caused the error:\n" + "".join(stack.format())
    warnings.warn("Error detected in %s. %s" % (name_of(node), text), stacklevel=2)


def check(node: Any, outgoing: Sequence[Any]) -> None:
    """RuntimeError where an input gradient of a Node has a NaN."""
    if not _check_nan:
        return
    for i, g in enumerate(outgoing):
        if g is not None and bool((g.detach() != g.detach()).any()):
            explain(node)
            raise RuntimeError("Function '%s' returned nan values in its %dth output." % (name_of(node), i))


front.on_fresh(lambda: _set(False, True))
