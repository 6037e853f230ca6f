"""Rprop: steps by the signs of gradients (Riedmiller and Braun 1993)."""

from __future__ import annotations

from typing import Any

from ...core.factory import full
from ...core.tensor import Tensor
from .counted import number, zeros_like
from .single import SingleOptimizer, check_lr

__all__ = ["Rprop"]


class Rprop(SingleOptimizer):
    """As torch.optim.Rprop."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError("Invalid eta values: %s, %s" % (etas[0], etas[1]))
        super().__init__(
            params, lr=lr, etas=etas, step_sizes=step_sizes, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        )  # fmt: skip

    def _begin(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        return {"prev": zeros_like(p), "step_size": full(p._shape, number(group["lr"]), p._dtype, device=p.device)}

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], step: float) -> None:
        (smaller, larger), (least, most) = group["etas"], group["step_sizes"]
        agreement, size = grad.mul(state["prev"]), state["step_size"]
        turned = agreement.lt(0)
        factor = full(p._shape, 1.0, p._dtype, device=p.device)
        factor.masked_fill_(agreement.gt(0), larger).masked_fill_(turned, smaller)
        size.mul_(factor).clamp_(least, most)
        grad = grad.masked_fill(turned, 0.0)
        p.addcmul_(grad.sign(), size, value=-1)
        state["prev"].copy_(grad)
