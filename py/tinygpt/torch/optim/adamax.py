"""Adamax: Adam with the infinity norm (Kingma and Ba 2015, section 7.1)."""

from __future__ import annotations

from typing import Any

from ...core.tensor import Tensor
from .counted import number, zeros_like
from .single import SingleOptimizer, check, check_betas, check_lr

__all__ = ["Adamax"]


class Adamax(SingleOptimizer):
    """As torch.optim.Adamax."""

    by_step = True

    def __init__(
        self,
        params: Any,
        lr: Any = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check("epsilon value", eps)
        check_betas(betas)
        check("weight_decay value", weight_decay)
        super().__init__(
            params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        )  # fmt: skip

    def _begin(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        return {"exp_avg": zeros_like(p), "exp_inf": zeros_like(p)}

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], step: float) -> None:
        beta1, beta2 = group["betas"]
        first, largest = state["exp_avg"].lerp_(grad, 1 - beta1), state["exp_inf"]
        largest.copy_(largest.mul_(beta2).maximum(grad.abs().add_(group["eps"])))
        p.addcdiv_(first, largest, value=-(number(group["lr"]) / (1 - beta1**step)))
