"""torch.utils.tensorboard: a SummaryWriter whose scalars are kept, and heard by those who listen.

There are no event files. `on_scalar` is a list of functions (tag, value, step); the page's chart is
one of them where it is there. Where nobody listens, a writer's last values are printed to stderr
when it is closed, or at the end of the program.
"""

from __future__ import annotations

import atexit
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SummaryWriter"]

on_scalar: list[Callable[[str, float, int | None], Any]] = []
_said: set[str] = set()
MOST_SHOWN = 20  # tags in the printed summary


def say_once(what: str, why: str) -> None:
    """A warning that something is left out, once for each `what`."""
    if what not in _said:
        _said.add(what)
        warnings.warn("%s: %s" % (what, why), stacklevel=3)


class SummaryWriter:
    """add_scalar keeps (step, value) by tag in `scalars`; other kinds are left out, which each says
    once.
    """

    def __init__(self, log_dir: Any = None, *args: Any, **kwargs: Any) -> None:
        self.log_dir = str(log_dir or "runs")
        self.scalars: dict[str, list[tuple[int | None, float]]] = {}
        self._fresh = False  # values have come since the last summary

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: int | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Keeps a number."""
        value = float(scalar_value)
        self.scalars.setdefault(tag, []).append((global_step, value))
        if not self._fresh:
            self._fresh = True
            atexit.register(self.close)
        for hear in on_scalar:
            hear(tag, value, global_step)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: dict[str, Any], global_step: int | None = None, walltime: Any = None
    ) -> None:
        """Keeps several numbers."""
        for tag, value in tag_scalar_dict.items():
            self.add_scalar("%s/%s" % (main_tag, tag), value, global_step)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("add_"):
            raise AttributeError("'SummaryWriter' object has no attribute %r" % name)
        say_once("SummaryWriter." + name, "TinyGPT keeps scalars alone; this is left out")
        return lambda *args, **kwargs: None

    def get_logdir(self) -> str:
        """The name of the folder; nothing is written there."""
        return self.log_dir

    def flush(self) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Prints the last values to stderr where nobody has heard them."""
        if self._fresh:
            self._fresh = False
            atexit.unregister(self.close)
            if not on_scalar:
                print(self.summary(), file=sys.stderr)

    def summary(self) -> str:
        """The last value of each tag, on one line: "runs: loss 0.25 (100 values)"."""
        shown = ["%s %.6g (%d value%s)" % (t, v[-1][1], len(v), "s"[: len(v) > 1]) for t, v in self.scalars.items()]
        more = len(shown) - MOST_SHOWN
        return "%s: %s" % (self.log_dir, ", ".join(shown[:MOST_SHOWN] + ["and %d more" % more] * (more > 0)))

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
