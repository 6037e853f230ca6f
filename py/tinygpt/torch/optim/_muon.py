"""Muon: momentum whose matrices are made orthogonal (Jordan 2024; Liu et al. 2025)."""

from __future__ import annotations

import math
from typing import Any

from ...core.tensor import Tensor, bfloat16
from .counted import number, zeros_like
from .single import SingleOptimizer

__all__ = ["Muon"]


def orthogonalized(grad: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """About U V^T of a matrix U S V^T, by `steps` Newton-Schulz iterations in bfloat16."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = grad._shape[0] > grad._shape[1]
    x = grad._cast(bfloat16)
    if tall:
        x = x.t()
    x = x / x.float().square().sum().sqrt()._cast(bfloat16).clamp(min=eps)
    for _ in range(steps):
        gram = (x @ x.t()).float()
        update = (b * gram + c * (gram @ gram))._cast(bfloat16)
        x = (a * x.float() + update.float() @ x.float())._cast(bfloat16)
    return x.t() if tall else x


class Muon(SingleOptimizer):
    """As torch.optim.Muon, for parameters of two dimensions."""

    counts = False
    since: dict[str, Any] = {}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for name, value in (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)):
            if not 0.0 <= value:
                raise ValueError("%s should be >= 0 but is: %s" % (name, value))
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError("Adjust learning rate function %s is not supported" % adjust_lr_fn)
        super().__init__(
            params, lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov,
            ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn,
        )  # fmt: skip
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with size: %s" % (p.size(),)
                    )

    def _begin(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        return {"momentum_buffer": zeros_like(p)}

    def _update(self, group: dict[str, Any], p: Any, grad: Any) -> None:
        lr, momentum = number(group["lr"]), group["momentum"]
        buffer = self._state_of(group, p)["momentum_buffer"].lerp_(grad, 1 - momentum)
        update = grad.lerp(buffer, momentum) if group["nesterov"] else buffer
        update = orthogonalized(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = p._shape
        adjusted = group["adjust_lr_fn"] == "match_rms_adamw"
        ratio = 0.2 * math.sqrt(max(rows, columns)) if adjusted else math.sqrt(max(1, rows / columns))
        p.mul_(1 - lr * number(group["weight_decay"]))
        p.add_(update, alpha=-(lr * ratio))
