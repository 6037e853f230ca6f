"""torch.profiler: the names that programs have around their steps. Nothing is measured."""

from __future__ import annotations

from typing import Any

from .keywords import refuse

__all__ = ["ProfilerActivity", "profile", "record_function", "schedule", "tensorboard_trace_handler"]
_INSTEAD = "torch.profiler measures nothing here; tinygpt.profile(step) times every kernel of a step"


class ProfilerActivity:
    """What can be measured."""

    CPU, CUDA, XPU, MTIA = "CPU", "CUDA", "XPU", "MTIA"


class ProfilerAction:
    """What a schedule says of a step."""

    NONE, WARMUP, RECORD, RECORD_AND_SAVE = range(4)


class record_function:
    """A context manager or a decorator: a named part of a program."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        return self

    def __exit__(self, *error: object) -> None: ...

    def __call__(self, function: Any) -> Any:
        return function


class _Averages(list[Any]):
    def table(self, *args: Any, **kwargs: Any) -> str:
        """Says what to use instead."""
        return _INSTEAD

    total_average = table


class profile:
    """A context manager that measures nothing; its tables say what to use instead."""

    def __init__(self, **settings: Any) -> None:
        self.step_num = 0

    def __enter__(self) -> profile:
        return self

    def __exit__(self, *error: object) -> None: ...

    def start(self) -> None:
        """Does nothing."""

    def stop(self) -> None:
        """Does nothing."""

    def step(self) -> None:
        """Counts a step."""
        self.step_num += 1

    def key_averages(self, *args: Any, **kwargs: Any) -> _Averages:
        """No numbers; table() says what to use instead."""
        return _Averages()

    events = key_averages

    def export_chrome_trace(self, path: str) -> None:
        """Refused: there is no trace."""
        refuse("export_chrome_trace", path=path)


def schedule(*, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, **_: Any) -> Any:
    """A schedule of steps, as PyTorch's."""

    def action(step: int) -> int:
        step -= skip_first
        length = wait + warmup + active
        if step < 0 or repeat and step // length >= repeat:
            return ProfilerAction.NONE
        place = step % length
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < length - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(dir_name: str, *args: Any, **kwargs: Any) -> Any:
    """A handler that writes nothing."""
    return lambda profiler: None
