"""Schedules of schedules: all at once, or one after another."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from .base import LRScheduler, set_value, values_of
from .plateau import ReduceLROnPlateau

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Combined(LRScheduler):
    """Base of both: the schedules of one optimizer."""

    _schedulers: Any

    def _check(self, schedulers: Any, optimizer: Any, purpose: str) -> Any:
        name = type(self).__name__
        if len(schedulers) < 1:
            raise ValueError("%s expects at least one scheduler%s, but got no scheduler." % (name, purpose))
        optimizer = optimizer or schedulers[0].optimizer
        for i, schedule in enumerate(schedulers):
            if not hasattr(schedule, "optimizer"):
                raise TypeError("%s at index %d should have `optimizer` as its attribute." % (name, i))
            if isinstance(schedule, ReduceLROnPlateau):
                raise ValueError(
                    "%s does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be "
                    "specified when calling `step`, but got one at index %d in the given schedulers sequence."
                    % (name, i)
                )
            if optimizer is not schedule.optimizer:
                raise ValueError(
                    "%s expects all schedulers to belong to the same optimizer, but got scheduler %s at index %d has "
                    "%s, which is different from %s."
                    % (name, type(schedule).__name__, i, schedule.optimizer, type(optimizer).__name__)
                )
        return optimizer

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer, with the state_dict of each schedule."""
        out = {key: value for key, value in self.__dict__.items() if key not in ("optimizer", "_schedulers")}
        out["_schedulers"] = [schedule.state_dict() for schedule in self._schedulers]
        return out

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what state_dict() gave."""
        self.__dict__.update({key: value for key, value in state_dict.items() if key != "_schedulers"})
        for schedule, values in zip(self._schedulers, state_dict["_schedulers"]):
            schedule.load_state_dict(values)


class ChainedScheduler(_Combined):
    """Steps every schedule, in order."""

    def __init__(self, schedulers: Any, optimizer: Any = None) -> None:
        self.optimizer = self._check(schedulers, optimizer, " to be chained")
        self._schedulers = schedulers
        self._last_lr = values_of(self.optimizer, "lr")

    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Writes the next rates."""
        for schedule in self._schedulers:
            schedule.step()
        self._last_lr = values_of(self.optimizer, "lr")


class SequentialLR(_Combined):
    """One schedule after another: the next one starts at its milestone, from its own first step."""

    def __init__(self, optimizer: Any, schedulers: Any, milestones: list[int], last_epoch: int = -1) -> None:
        self._check(schedulers, optimizer, "")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                "milestone points, but got number of schedulers %d and the number of milestones to be equal to %d"
                % (len(schedulers), len(milestones))
            )
        self._schedulers, self._milestones = schedulers, milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        for group in optimizer.param_groups:  # as before the steps that the schedules made when they were made
            set_value(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: Any = None) -> None:
        """Takes the first step of every schedule back."""
        schedule: Any = self if sched is None else sched
        if hasattr(schedule, "_schedulers"):
            for inner in schedule._schedulers:
                self.recursive_undo(inner)
        elif hasattr(schedule, "last_epoch"):
            schedule.last_epoch -= 1

    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Writes the next rates."""
        self.last_epoch += 1
        at = bisect_right(self._milestones, self.last_epoch)
        schedule = self._schedulers[at]
        if at > 0 and self._milestones[at - 1] == self.last_epoch:
            schedule._update_lr(0)
        else:
            schedule.step()
        self._last_lr = schedule.get_last_lr()
