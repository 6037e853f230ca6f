"""Schedules that move rate and momentum against each other: CyclicLR, OneCycleLR (Smith 2017)."""

from __future__ import annotations

import math
import types
from functools import partial
from typing import TYPE_CHECKING, Any

from .base import LRScheduler, check_optimizer, for_each_group, set_value

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CyclicLR", "OneCycleLR"]


def _begin_momentum(schedule: Any, base: list[Any], most: list[Any], last_epoch: int) -> None:
    """Each group starts with its largest momentum (of Adam: beta1)."""
    defaults = schedule.optimizer.defaults
    schedule.use_beta1 = "betas" in defaults
    if last_epoch != -1:
        return
    for largest, least, group in zip(most, base, schedule.optimizer.param_groups, strict=True):
        _set_momentum(schedule, group, largest)
        group["max_momentum"], group["base_momentum"] = largest, least


def _set_momentum(schedule: Any, group: dict[str, Any], value: Any) -> None:
    if schedule.use_beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


def _check_momentum(optimizer: Any) -> None:
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")


class CyclicLR(LRScheduler):
    """Up from base_lr to max_lr in step_size_up steps and down in step_size_down, again and again.

    mode: "triangular", "triangular2" (half the height each time) or "exp_range" (gamma ** step).
    """

    _scale_fn_ref: Callable[[float], float]

    def __init__(
        self,
        optimizer: Any,
        base_lr: Any,
        max_lr: Any,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Any = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.8,
        max_momentum: Any = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = for_each_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups, strict=True):
                set_value(group, "lr", lr)
        self.max_lrs = for_each_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        down = float(step_size_down) if step_size_down is not None else up
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode, self.gamma, self._scale_fn_custom, self.scale_mode = mode, gamma, scale_fn, scale_mode
        self._init_scale_fn()
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            _check_momentum(optimizer)
            self.use_beta1 = "betas" in optimizer.defaults
            self.base_momentums = for_each_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = for_each_group("max_momentum", optimizer, max_momentum)
            _begin_momentum(self, self.base_momentums, self.max_momentums, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _init_scale_fn(self) -> None:
        if self._scale_fn_custom is not None:
            return
        if self.mode == "exp_range":
            self._scale_fn_ref, self.scale_mode = partial(self._exp_range_scale_fn, self.gamma), "iterations"
        else:
            halved = self.mode == "triangular2"
            self._scale_fn_ref = self._triangular2_scale_fn if halved else self._triangular_scale_fn
            self.scale_mode = "cycle"

    def scale_fn(self, x: float) -> float:
        """The height of a cycle: of the cycle's number, or of the step's, as scale_mode says."""
        return (self._scale_fn_ref if self._scale_fn_custom is None else self._scale_fn_custom)(x)

    @staticmethod
    def _triangular_scale_fn(x: float) -> float:
        return 1.0

    @staticmethod
    def _triangular2_scale_fn(x: float) -> float:
        return 1 / (2.0 ** (x - 1))

    @staticmethod
    def _exp_range_scale_fn(gamma: float, x: float) -> float:
        return gamma**x

    def get_lr(self) -> list[Any]:
        """Each group's rate at `last_epoch`; writes the momentum."""
        self._check_call()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            groups = self.optimizer.param_groups
            for least, most, group in zip(self.base_momentums, self.max_momentums, groups, strict=True):
                _set_momentum(self, group, most - (most - least) * height * scale)
        return [
            least + (most - least) * height * scale for least, most in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer; of a callable scale_fn its attributes."""
        out = super().state_dict()
        out.pop("_scale_fn_ref", None)
        custom = out.pop("_scale_fn_custom")
        plain = custom is None or isinstance(custom, types.FunctionType)
        out["_scale_fn_custom"] = None if plain else custom.__dict__.copy()
        return out

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what state_dict() gave; the scale function stays."""
        attributes = state_dict.pop("_scale_fn_custom")
        super().load_state_dict(state_dict)
        if attributes is not None:
            self._scale_fn_custom.__dict__.update(attributes)
        self._init_scale_fn()


def _phase(end: float, lr: tuple[str, str], momentum: tuple[str, str]) -> dict[str, Any]:
    return {
        "end_step": end, "start_lr": lr[0], "end_lr": lr[1], "start_momentum": momentum[0],
        "end_momentum": momentum[1],
    }  # fmt: skip


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr in pct_start of the steps, then down to the initial
    rate / final_div_factor; three_phase: first back to the initial rate.

    total_steps: in all, or epochs * steps_per_epoch. anneal_strategy: "cos" or "linear".
    """

    def __init__(
        self,
        optimizer: Any,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        if total_steps is not None:
            _check_count("total_steps", total_steps)
            self.total_steps = total_steps
        elif epochs is not None and steps_per_epoch is not None:
            _check_count("epochs", epochs)
            _check_count("steps_per_epoch", steps_per_epoch)
            self.total_steps = epochs * steps_per_epoch
        else:
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        falls, rises = ("max_momentum", "base_momentum"), ("base_momentum", "max_momentum")
        top = float(pct_start * self.total_steps) - 1
        phases = [_phase(top, ("initial_lr", "max_lr"), falls)]
        if three_phase:
            phases += [
                _phase(float(2 * pct_start * self.total_steps) - 2, ("max_lr", "initial_lr"), rises),
                _phase(self.total_steps - 1, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")),
            ]
        else:
            phases.append(_phase(self.total_steps - 1, ("max_lr", "min_lr"), rises))
        self._schedule_phases = phases
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ValueError("Expected float between 0 and 1 pct_start, but got %s" % pct_start)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError("anneal_strategy must be one of 'cos' or 'linear', instead got %s" % anneal_strategy)
        self._anneal_func_type = anneal_strategy
        max_lrs = for_each_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for most, group in zip(max_lrs, optimizer.param_groups):
                group["initial_lr"], group["max_lr"] = most / div_factor, most
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            _check_momentum(optimizer)
            most = for_each_group("max_momentum", optimizer, max_momentum)
            _begin_momentum(self, for_each_group("base_momentum", optimizer, base_momentum), most, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _anneal_func(self, start: float, end: float, pct: float) -> float:
        return (self._annealing_cos if self._anneal_func_type == "cos" else self._annealing_linear)(start, end, pct)

    @staticmethod
    def _annealing_cos(start: float, end: float, pct: float) -> float:
        return end + (start - end) / 2.0 * (math.cos(math.pi * pct) + 1)

    @staticmethod
    def _annealing_linear(start: float, end: float, pct: float) -> float:
        return (end - start) * pct + start

    def get_lr(self) -> list[Any]:
        """Each group's rate at `last_epoch`; writes the momentum."""
        self._check_call()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                "Tried to step %s times. The specified number of total steps is %s" % (step, self.total_steps)
            )
        phases, start = self._schedule_phases, 0.0
        for phase in phases[:-1]:
            if step <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = phases[-1]
        pct = (step - start) / (phase["end_step"] - start)
        lrs = []
        for group in self.optimizer.param_groups:
            lrs.append(self._anneal_func(group[phase["start_lr"]], group[phase["end_lr"]], pct))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                _set_momentum(self, group, self._anneal_func(*ends, pct))
        return lrs


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, int) or value <= 0:
        raise ValueError("Expected positive integer %s, but got %s" % (name, value))
