"""The package wandb where it is not installed: runs stay in this process, and nothing is sent.

Numbers go where torch.utils.tensorboard's go: `on_scalar` hears them, and the run keeps them.
"""

from __future__ import annotations

import warnings
from typing import Any

from .utils.tensorboard import SummaryWriter

__all__ = ["Artifact", "Histogram", "Image", "Run", "Table", "config", "finish", "init", "log", "login", "run", "watch"]
_said = False


class Config(dict[str, Any]):
    """Settings by key and by attribute."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def update(self, *args: Any, **kwargs: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As dict's; allow_val_change changes nothing."""
        kwargs.pop("allow_val_change", None)
        super().update(*args, **kwargs)


class Run:
    """One run. history: what was logged; summary: the last value of each name."""

    def __init__(self, project: str | None, name: str | None, config: Any) -> None:
        self.project, self.name, self.id, self.dir, self.url = project, name or "run", "run", ".", ""
        self.config = Config(config if isinstance(config, dict) else vars(config) if config is not None else {})
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.step = 0
        self._writer = SummaryWriter()

    def log(self, data: dict[str, Any], step: int | None = None, commit: bool | None = None, **_: Any) -> None:
        """Keeps a dict of values; numbers are heard."""
        self.step = self.step if step is None else step
        self.history.append(dict(data))
        for name, value in data.items():
            self.summary[name] = value
            if isinstance(value, (int, float)) or getattr(value, "shape", None) == ():
                self._writer.add_scalar(name, value, self.step)
        if step is None and commit is not False:
            self.step += 1

    def watch(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: gradients are not logged."""

    log_artifact = save = define_metric = alert = watch

    def finish(self, *args: Any, **kwargs: Any) -> None:
        """Ends the run."""

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None: ...


class _Kept:
    """Something that is logged and not drawn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def add_data(self, *row: Any) -> None:
        """A row of a table: left out."""

    def add_file(self, *args: Any, **kwargs: Any) -> None:
        """A file of an artifact: left out."""


class Image(_Kept):
    """A picture."""


class Histogram(_Kept):
    """A histogram."""


class Table(_Kept):
    """A table."""


class Artifact(_Kept):
    """Files of a run."""


run: Run | None = None
config = Config()
summary: dict[str, Any] = {}


def init(project: str | None = None, name: str | None = None, config: Any = None, **other: Any) -> Run:
    """Begins a run, which stays in this process; it is said once."""
    global run, _said
    if not _said:
        _said = True
        warnings.warn("wandb: nothing is sent; the run's numbers stay in this process", stacklevel=2)
    run = Run(project, name, config)
    globals().update(config=run.config, summary=run.summary)
    return run


def log(data: dict[str, Any], step: int | None = None, **other: Any) -> None:
    """As Run.log of the run that init() has begun."""
    if run is None:
        raise RuntimeError("You must call wandb.init() before wandb.log()")
    run.log(data, step, **other)


def login(*args: Any, **kwargs: Any) -> bool:
    """True: there is nobody to log in to."""
    return True


def watch(*args: Any, **kwargs: Any) -> None:
    """Does nothing: gradients are not logged."""


save = unwatch = log_artifact = define_metric = setup = watch


def finish(*args: Any, **kwargs: Any) -> None:
    """Ends the run."""
    global run
    run = None
