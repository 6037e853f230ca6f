"""Learning rate over the steps of a run: a linear warm-up, then constant, cosine or linear decay,
from TrainConfig.

`lr_at(step, config)` is the whole rule (step counts from 0); training in the tab and in PyTorch
both call it. `Scheduler` has the feel of torch.optim.lr_scheduler: `scheduler.step()` after
`optimizer.step()`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .config import MOST
from .core.quoting import quoted
from .core.tensor import whole_number
from .core.transfer import TransferState

if TYPE_CHECKING:
    from .config import TrainConfig
    from .optim import Optimizer


# What is left of (lr - min_lr) when the fraction `progress` of the decay is over: 1 at 0, 0 at 1.
DECAYS = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: (
        0.5 * (1.0 + math.cos(math.pi * progress))
    ),  # Loshchilov and Hutter 2017, without restarts
    "linear": lambda progress: 1.0 - progress,
}


def lr_at(step: int, config: TrainConfig) -> float:
    """The learning rate of step `step` (0 is the first).

    Warm-up: (step + 1) / warmup_steps of lr, so that no step is lost at 0. Then the decay, which
    would arrive at min_lr at step `config.steps` (one past the last, as torch's CosineAnnealingLR
    with T_max = steps); from there on it stays.
    """
    if not step >= 0:  # NaN too
        raise ValueError("the step of a schedule is %s; give a whole number of at least 0" % quoted(step))
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.lr
    span = max(1, config.steps - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / span)
    return config.min_lr + (config.lr - config.min_lr) * DECAYS[config.schedule](progress)


def apply(optimizer: Optimizer, step: int, config: TrainConfig) -> float:
    """Sets every parameter group's lr for `step`. Returns the rate.

    A group with an `lr_scale` gets the rate times that.
    """
    lr = lr_at(step, config)
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)
    return lr


def _checked(last_step: int) -> int:
    """The number of a step done, or -1. TypeError, ValueError."""
    last_step = whole_number(last_step, "last_step")
    if not -1 <= last_step <= MOST:
        raise ValueError("last_step is %s; give a whole number from -1 to %d" % (quoted(last_step), MOST))
    return last_step


class Scheduler:
    """Holds the step and keeps `optimizer`'s learning rate at lr_at(step, config)."""

    def __init__(self, optimizer: Optimizer, config: TrainConfig, last_step: int = -1) -> None:
        last_step = _checked(last_step)
        self.optimizer, self.config, self.last_step = optimizer, config, last_step
        self.step()

    def step(self) -> None:
        """Moves on to the next step; call it after optimizer.step()."""
        self.last_step += 1
        self._lr = apply(self.optimizer, self.last_step, self.config)

    def get_last_lr(self) -> list[float]:
        """The current learning rate of each parameter group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _transfer_state(self) -> TransferState:
        return TransferState(
            self.__dict__.values(), save=self.state_dict, restore=self.load_state_dict, after_others=True
        )

    def state_dict(self) -> dict[str, int]:
        """{last_step}."""
        return {"last_step": self.last_step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continues from what state_dict() gave."""
        self.last_step = _checked(state["last_step"])
        self._lr = apply(self.optimizer, self.last_step, self.config)
