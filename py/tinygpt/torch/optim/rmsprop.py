"""RMSprop (Hinton 2012), centered as in Graves 2013."""

from __future__ import annotations

from typing import Any

from ...core.tensor import Tensor
from .counted import number, zeros_like
from .single import SingleOptimizer, check, check_lr

__all__ = ["RMSprop"]


class RMSprop(SingleOptimizer):
    """As torch.optim.RMSprop."""

    since = {"momentum": 0, "centered": False, **SingleOptimizer.since}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check("epsilon value", eps)
        check("momentum value", momentum)
        check("weight_decay value", weight_decay)
        check("alpha value", alpha)
        super().__init__(
            params, lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered, weight_decay=weight_decay,
            capturable=capturable, foreach=foreach, maximize=maximize, differentiable=differentiable,
        )  # fmt: skip

    def _begin(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        state = {"square_avg": zeros_like(p)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = zeros_like(p)
        return state

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], step: float) -> None:
        alpha, lr, momentum = group["alpha"], number(group["lr"]), group["momentum"]
        square = state["square_avg"].mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            mean = state["grad_avg"].lerp_(grad, 1 - alpha)
            root = square.addcmul(mean, mean, value=-1).sqrt_()
        else:
            root = square.sqrt()
        root.add_(group["eps"])
        if momentum > 0:
            p.add_(state["momentum_buffer"].mul_(momentum).addcdiv_(grad, root), alpha=-lr)
        else:
            p.addcdiv_(grad, root, value=-lr)
