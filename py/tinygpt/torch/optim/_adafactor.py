"""Adafactor: second moments of matrices as a row and a column (Shazeer and Stern 2018)."""

from __future__ import annotations

from typing import Any

from ...core.factory import full
from ...core.tensor import Tensor
from ..types import finfo
from .counted import number, zeros_like
from .single import SingleOptimizer

__all__ = ["Adafactor"]


def _norm(x: Tensor, dim: int | None = None) -> Any:
    """The root of the sum of squares, over `dim` (kept as 1) or everything."""
    return x.square().sum(dim, keepdim=dim is not None).sqrt()


class Adafactor(SingleOptimizer):
    """As torch.optim.Adafactor."""

    by_step = True
    since = {"foreach": None}

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for name, value in (("Learning rate", lr), ("epsilon1", eps[0] or 0.0), ("epsilon2", eps[1]),
                            ("weight_decay", weight_decay)):  # fmt: skip
            if not 0.0 <= value:
                raise ValueError("%s should be >= 0 but is: %s" % (name, value))
        if not 0.0 >= beta2_decay:
            raise ValueError("beta2_decay should be <= 0 but is: %s" % beta2_decay)
        if not 1.0 <= d:
            raise ValueError("Clipping threshold d should be >= 1 but is: %s" % d)
        super().__init__(
            params, lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay, foreach=foreach,
            maximize=maximize,
        )  # fmt: skip

    def _begin(self, group: dict[str, Any], p: Tensor) -> dict[str, Any]:
        if p.ndim < 2:
            return {"variance": zeros_like(p)}
        rows, columns = (*p._shape[:-1], 1), (*p._shape[:-2], 1, p._shape[-1])
        return {
            name: full(shape, 0.0, p._dtype, device=p.device)
            for name, shape in (("row_var", rows), ("col_var", columns))
        }

    def _update(self, group: dict[str, Any], p: Any, grad: Any) -> None:
        lr, (eps1, eps2) = number(group["lr"]), group["eps"]
        state, eps1 = self._state_of(group, p), finfo(p._dtype).eps if eps1 is None else eps1
        if group["maximize"]:
            grad = -grad
        step = self._counts.advance([state["step"]])
        weight = step ** group["beta2_decay"]
        rate = max(eps2, _norm(p.detach()).item() / p.numel() ** 0.5) * min(lr, 1 / (step**0.5))
        if group["weight_decay"] != 0:
            p.mul_(1 - lr * number(group["weight_decay"]))
        if grad.ndim > 1:
            rows, columns = state["row_var"], state["col_var"]
            rows.lerp_(_norm(grad, -1).square_().div_(grad._shape[-1]), weight)
            columns.lerp_(_norm(grad, -2).square_().div_(grad._shape[-2]), weight)
            estimate = (rows @ columns).div_(rows.mean(dim=-2, keepdim=True).clamp_(min=eps1))
        else:
            estimate = state["variance"].lerp_(grad * grad, weight).clone()
        update = estimate.clamp_(min=eps1 * eps1).rsqrt_().mul_(grad)
        denominator = max(1.0, _norm(update).item() / ((update.numel() ** 0.5) * group["d"]))
        p.add_(update, alpha=-rate / denominator)
