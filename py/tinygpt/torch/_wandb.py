"""The package wandb where it is not installed: runs stay in this process, and nothing is sent.

Numbers go where torch.utils.tensorboard's go: `on_scalar` hears them, and the run keeps them. What
is not here (pictures, tables, sweeps) is left out with one warning: a program does not end for its
log.
"""

from __future__ import annotations

import warnings
from typing import Any

from .utils.tensorboard import SummaryWriter, say_once

__all__ = ["Artifact", "Histogram", "Image", "Run", "Table", "config", "finish", "init", "log", "login", "run", "watch"]
LEFT_OUT = "TinyGPT keeps the numbers of wandb.log alone; this is left out"
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
        self._writer = SummaryWriter("wandb")

    def log(self, data: dict[str, Any], step: int | None = None, commit: bool | None = None, **_: Any) -> None:
        """Keeps a dict of values; numbers are heard."""
        self.step = self.step if step is None else step
        self.history.append(dict(data))
        for name, value in _flat(data):
            self.summary[name] = value
            if isinstance(value, (int, float)) or getattr(value, "shape", None) == ():
                self._writer.add_scalar(name, value, self.step)
            elif isinstance(value, _Kept):
                say_once("wandb.%s" % type(value).__name__, LEFT_OUT)
        if step is None and commit is not False:
            self.step += 1

    def watch(self, *args: Any, **kwargs: Any) -> None:
        """Left out: gradients are not logged."""
        say_once("wandb.watch", LEFT_OUT)

    def define_metric(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: each name is logged at its step."""

    def finish(self, *args: Any, **kwargs: Any) -> None:
        """Ends the run."""
        self._writer.close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError("'Run' object has no attribute %r" % name)
        say_once("wandb.Run." + name, LEFT_OUT)
        return _Kept()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        self.finish()


def _flat(data: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Names and values; those of a dict inside are "outer.inner"."""
    out: list[tuple[str, Any]] = []
    for name, value in data.items():
        out += _flat(value, "%s%s." % (before, name)) if isinstance(value, dict) else [("%s%s" % (before, name), value)]
    return out


class _Kept:
    """Something that is logged and not drawn; calls and attributes of it are such things too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def __call__(self, *args: Any, **kwargs: Any) -> _Kept:
        return self

    def __getattr__(self, name: str) -> _Kept:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

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
    """Left out: gradients are not logged."""
    say_once("wandb.watch", LEFT_OUT)


def unwatch(*args: Any, **kwargs: Any) -> None:
    """Does nothing: nothing is watched."""


define_metric = setup = unwatch


def finish(*args: Any, **kwargs: Any) -> None:
    """Ends the run."""
    global run
    if run is not None:
        run.finish()
    run = None


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError("module 'wandb' has no attribute %r" % name)
    say_once("wandb." + name, LEFT_OUT)
    return _Kept()
