"""ASGD: averaged stochastic gradient descent (Polyak and Juditsky 1992)."""

from __future__ import annotations

from typing import Any

from ...core.tensor import Tensor
from .counted import new_count, number, zeros_like
from .single import SingleOptimizer, check, check_lr

__all__ = ["ASGD"]


class ASGD(SingleOptimizer):
    """As torch.optim.ASGD."""

    by_step = True

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check("weight_decay value", weight_decay)
        super().__init__(
            params, lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, foreach=foreach,
            maximize=maximize, differentiable=differentiable, capturable=capturable,
        )  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for found in self.state.values():
            for name in ("eta", "mu"):
                if not isinstance(found[name], Tensor):
                    found[name] = new_count(found[name])

    def _begin(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        return {"eta": new_count(number(group["lr"])), "mu": new_count(1.0), "ax": zeros_like(p)}

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], step: float) -> None:
        lr, lambd, mean, mu, eta = number(group["lr"]), group["lambd"], state["ax"], state["mu"], state["eta"].item()
        p.mul_(1 - lambd * eta)
        p.add_(grad, alpha=-eta)
        if mu.item() != 1:
            mean.add_(p.sub(mean).mul_(mu))
        else:
            mean.copy_(p)
        state["eta"].fill_(lr / ((1 + lambd * lr * step) ** group["alpha"]))
        mu.fill_(1 / max(1, step - group["t0"]))
