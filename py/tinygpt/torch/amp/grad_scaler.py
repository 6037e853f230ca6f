"""GradScaler: losses are scaled so that small gradients of narrow floats do not vanish."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from ...core.factory import full
from ...core.state import no_grad
from ...core.tensor import Tensor

__all__ = ["GradScaler", "OptState"]


class OptState:
    """What the scaler did with an optimizer's gradients since the last update()."""

    READY, UNSCALED, STEPPED = 0, 1, 2


class GradScaler:
    """As torch.amp.GradScaler. device "cuda" (the default) is not here: it is disabled with
    PyTorch's warning, and step() is the optimizer's. On "cpu" it scales.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = device
        self._enabled = enabled and device in ("cpu", "webgpu")
        if enabled and not self._enabled:
            what = "torch.cuda.amp.GradScaler is enabled, but CUDA" if device == "cuda" else "GradScaler: %s" % device
            warnings.warn("%s is not available.  Disabling." % what, stacklevel=2)
        if not self._enabled:
            return
        if not growth_factor > 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if not backoff_factor < 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._scale, self._growth_factor, self._backoff_factor = float(init_scale), growth_factor, backoff_factor
        self._growth_interval, self._growth_tracker = growth_interval, 0
        self._optimizers: dict[int, dict[str, Any]] = {}

    def scale(self, outputs: Any) -> Any:
        """A loss, or losses in lists, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, Iterable):
            scaled = (self.scale(output) for output in outputs)
            return list(scaled) if isinstance(outputs, list) else tuple(scaled)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _state_of(self, optimizer: Any) -> dict[str, Any]:
        return self._optimizers.setdefault(id(optimizer), {"stage": OptState.READY, "found_inf": False})

    def unscale_(self, optimizer: Any) -> None:
        """Divides the gradients by the scale, in place, and notes whether one is not finite."""
        if not self._enabled:
            return
        kept = self._state_of(optimizer)
        if kept["stage"] is OptState.UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if kept["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        with no_grad():
            for group in optimizer.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        largest = p.grad.detach().abs().sum().item()
                        kept["found_inf"] = kept["found_inf"] or largest - largest != 0
                        p.grad.mul_(1.0 / self._scale)
        kept["stage"] = OptState.UNSCALED

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """optimizer.step(), but where a gradient is not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        kept = self._state_of(optimizer)
        if kept["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if kept["stage"] is OptState.READY:
            self.unscale_(optimizer)
        out = None if kept["found_inf"] else optimizer.step(*args, **kwargs)
        kept["stage"] = OptState.STEPPED
        return out

    def update(self, new_scale: Any = None) -> None:
        """The next scale: smaller after a step that was left out, larger after growth_interval
        others.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._optimizers:
            raise AssertionError("No inf checks were recorded prior to update.")
        elif any(kept["found_inf"] for kept in self._optimizers.values()):
            self._scale, self._growth_tracker = self._scale * self._backoff_factor, 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale, self._growth_tracker = self._scale * self._growth_factor, 0
        self._optimizers.clear()

    def get_scale(self) -> float:
        """The scale; 1.0 where the scaler is disabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """By how much the scale grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Sets by how much the scale grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """By how much the scale falls."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Sets by how much the scale falls."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Steps between two growths."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Sets the steps between two growths."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether it scales."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """The settings and counts; {} where the scaler is disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale, "growth_factor": self._growth_factor, "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval, "_growth_tracker": self._growth_tracker,
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what state_dict() gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._scale, self._growth_factor = state_dict["scale"], state_dict["growth_factor"]
        self._backoff_factor, self._growth_interval = state_dict["backoff_factor"], state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]

    def _get_scale_async(self) -> Tensor:
        return full((), self.get_scale())
