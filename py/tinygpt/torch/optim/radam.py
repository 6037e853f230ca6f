"""RAdam: Adam whose first steps, of uncertain variance, do not adapt (Liu et al. 2020)."""

from __future__ import annotations

from typing import Any

from ...core.tensor import Tensor
from .counted import number, zeros_like
from .single import SingleOptimizer, check, check_betas, check_lr

__all__ = ["RAdam"]


class RAdam(SingleOptimizer):
    """As torch.optim.RAdam."""

    by_step = True
    since = {**SingleOptimizer.since, "decoupled_weight_decay": False}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check("epsilon value", eps)
        check_betas(betas)
        check("weight_decay value", weight_decay)
        super().__init__(
            params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize, foreach=foreach,
            capturable=capturable, decoupled_weight_decay=decoupled_weight_decay, differentiable=differentiable,
        )  # fmt: skip

    def _begin(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        return {"exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], step: float) -> None:
        beta1, beta2 = group["betas"]
        first = state["exp_avg"].lerp_(grad, 1 - beta1)
        second = state["exp_avg_sq"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        correction2 = 1 - beta2**step
        update = first.div(1 - beta1**step).mul_(number(group["lr"]))
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * (beta2**step) / correction2
        if length > 5.0:
            rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            adapted = second.sqrt().add_(group["eps"]).reciprocal() * correction2**0.5
            update = update.mul_(adapted).mul_(rectified**0.5)
        p.sub_(update)
