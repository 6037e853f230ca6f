"""Adagrad (Duchi et al. 2011)."""

from __future__ import annotations

from typing import Any

from ...core.factory import full
from ...core.tensor import Tensor
from .counted import number, refuse_both
from .single import SingleOptimizer, check, check_lr

__all__ = ["Adagrad"]


class Adagrad(SingleOptimizer):
    """As torch.optim.Adagrad: the rate falls with the sum of squared gradients."""

    since = {"foreach": None, "maximize": False, "differentiable": False, "fused": None}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check("lr_decay value", lr_decay)
        check("weight_decay value", weight_decay)
        check("initial_accumulator_value value", initial_accumulator_value)
        check("epsilon value", eps)
        super().__init__(
            params, lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, foreach=foreach, maximize=maximize,
            differentiable=differentiable, fused=fused,
        )  # fmt: skip
        refuse_both(foreach, fused)
        for group in self.param_groups:
            for p in group["params"]:
                self._state_of(group, p)

    @property
    def by_step(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Where a rate decays by the step."""
        return any(group["lr_decay"] != 0 for group in self.param_groups)

    def _begin(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        return {"sum": full(p._shape, self.defaults["initial_accumulator_value"], p._dtype, device=p.device)}

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], step: float) -> None:
        rate = number(group["lr"]) / (1 + (step - 1) * group["lr_decay"])
        total = state["sum"].addcmul_(grad, grad, value=1)
        p.addcdiv_(grad, total.sqrt().add_(group["eps"]), value=-rate)
