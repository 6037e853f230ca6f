"""Adadelta (Zeiler 2012)."""

from __future__ import annotations

from typing import Any

from ...core.tensor import Tensor
from .counted import number, zeros_like
from .single import SingleOptimizer, check, check_lr

__all__ = ["Adadelta"]


class Adadelta(SingleOptimizer):
    """As torch.optim.Adadelta."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check("rho value", rho, 1.0)
        check("epsilon value", eps)
        check("weight_decay value", weight_decay)
        super().__init__(
            params, lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize, capturable=capturable,
            foreach=foreach, differentiable=differentiable,
        )  # fmt: skip

    def _begin(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        return {"square_avg": zeros_like(p), "acc_delta": zeros_like(p)}

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], step: float) -> None:
        rho, eps, square, moved = group["rho"], group["eps"], state["square_avg"], state["acc_delta"]
        square.mul_(rho).addcmul_(grad, grad, value=1 - rho)
        delta = moved.add(eps).sqrt_().div_(square.add(eps).sqrt_()).mul_(grad)
        moved.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        p.add_(delta, alpha=-number(group["lr"]))
