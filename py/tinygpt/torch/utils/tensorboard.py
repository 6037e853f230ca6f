"""torch.utils.tensorboard: a SummaryWriter whose scalars are kept, and heard by those who listen.

There are no event files. `on_scalar` is a list of functions (tag, value, step); the page's chart is
one of them where it is there.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SummaryWriter"]

on_scalar: list[Callable[[str, float, int | None], Any]] = []
_said: set[str] = set()


class SummaryWriter:
    """add_scalar keeps (step, value) by tag in `scalars`; other kinds are left out, which each says
    once.
    """

    def __init__(self, log_dir: Any = None, *args: Any, **kwargs: Any) -> None:
        self.log_dir = str(log_dir or "runs")
        self.scalars: dict[str, list[tuple[int | None, float]]] = {}

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: int | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Keeps a number."""
        value = float(scalar_value)
        self.scalars.setdefault(tag, []).append((global_step, value))
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
        if name not in _said:
            _said.add(name)
            warnings.warn("SummaryWriter.%s: TinyGPT keeps scalars alone; this is left out" % name, stacklevel=2)
        return lambda *args, **kwargs: None

    def get_logdir(self) -> str:
        """The name of the folder; nothing is written there."""
        return self.log_dir

    def flush(self) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: object) -> None: ...
