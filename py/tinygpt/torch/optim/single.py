"""Optimizers whose step is a few ops for each parameter, in the order of PyTorch's."""

from __future__ import annotations

from typing import Any

from ...core.gradients import gradient_of
from ...core.reads import paused
from ...core.state import enable_grad
from ...core.tensor import Tensor
from ...graph import program
from .counted import Counts, new_count, number, refuse_differentiable, unrecorded
from .optimizer import Optimizer, _use_grad_for_differentiable

__all__ = ["SingleOptimizer", "check", "check_lr"]


def check(name: str, value: Any, most: float | None = None) -> None:
    """ValueError for a setting below 0, or above `most`."""
    if not 0.0 <= value or most is not None and not value <= most:
        raise ValueError("Invalid %s: %s" % (name, value))


def check_lr(lr: Any) -> None:
    """ValueError for a learning rate below 0, or a tensor of several."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    check("learning rate", lr)


def check_betas(betas: Any) -> None:
    """ValueError for a beta outside [0, 1)."""
    for i in (0, 1):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError("Invalid beta parameter at index %d: %s" % (i, betas[i]))


class SingleOptimizer(Optimizer):
    """Base: subclasses define the state that a parameter begins with, and one update of it."""

    by_step = False  # whether the numbers of a step depend on the step count: it is not replayed then
    counts = True  # whether the state has a "step"
    since: dict[str, Any] = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}

    def __init__(self, params: Any, **defaults: Any) -> None:
        refuse_differentiable(defaults.get("differentiable", False))
        super().__init__(params, defaults)

    def _begin(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        """The state of a parameter before its first step, without its step count."""
        raise NotImplementedError

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], step: float) -> None:
        """One update of a parameter. step: 1 in the first one."""
        raise NotImplementedError

    @property
    def _counts(self) -> Counts:
        return self.__dict__.setdefault("_known_counts", Counts())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.since.items():
                group.setdefault(name, value)
            for p in group["params"]:
                found = self.state.get(p)
                if found and self.counts and not isinstance(found["step"], Tensor):
                    found["step"] = new_count(float(found["step"]))

    def _read_live(self) -> Any:
        """As Optimizer's; and the settings: they are built into a recorded step."""
        yield from super()._read_live()
        for group in self.param_groups:
            for key, value in group.items():
                if key != "params":
                    yield "item", group, key, value, False

    @_use_grad_for_differentiable
    def step(self, closure: Any = None) -> Any:
        """One update of every parameter that has a gradient. closure: called first, for the loss
        that is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if self.by_step:
            program.note_read("%s.step() computes with the step count on the host" % type(self).__name__)
        with paused():
            for group in self.param_groups:
                for p in group["params"]:
                    grad = gradient_of(p)
                    if grad is not None:
                        self._update(group, p, grad.detach())
        return loss

    def _state_of(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        state = self.state[p]
        if not state:
            with unrecorded():
                if self.counts:
                    state["step"] = self._counts.new()
                state.update(self._begin(group, p))
        return state

    def _update(self, group: dict[str, Any], p: Any, grad: Any) -> None:
        state, weight_decay = self._state_of(group, p), number(group.get("weight_decay", 0))
        if group.get("maximize"):
            grad = -grad
        step = 0.0
        if self.counts:
            count = _Count(self._counts, state["step"])
            count.advance()
            step = count.value
            program.before_replay(count)
        if weight_decay != 0 and group.get("decoupled_weight_decay"):
            p.mul_(1 - number(group["lr"]) * weight_decay)
        elif weight_decay != 0:
            grad = grad.add(p, alpha=weight_decay)
        self._single(group, p, grad, state, step)


class _Count:
    """The step count of one parameter: each replay counts too."""

    def __init__(self, counts: Counts, count: Tensor) -> None:
        self.counts, self.count, self.value = counts, count, 0.0

    def advance(self) -> None:
        self.value = self.counts.advance([self.count])

    def retreat(self) -> None:
        self.counts.advance([self.count], -1.0)
