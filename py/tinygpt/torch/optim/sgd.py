"""SGD with momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import kernels
from ...core.tensor import Tensor
from ...devices.base import Words
from .counted import CountedOptimizer, number, refuse_both, refuse_differentiable, unrecorded, zeros_like

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SGD"]
_SINCE = {"nesterov": False, "maximize": False, "foreach": None, "differentiable": False, "fused": False}
LAST = (1 << 31) - 1  # the end of the kernel's one group of settings: behind every element


class SGD(CountedOptimizer):
    """Stochastic gradient descent with momentum, as torch.optim.SGD."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Any = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if lr < 0.0:
            raise ValueError("Invalid learning rate: %s" % lr)
        if momentum < 0.0:
            raise ValueError("Invalid momentum value: %s" % momentum)
        if weight_decay < 0.0:
            raise ValueError("Invalid weight_decay value: %s" % weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        refuse_differentiable(differentiable)
        super().__init__(
            params,
            dict(
                lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov,
                maximize=maximize, foreach=foreach, differentiable=differentiable, fused=fused,
            ),
        )  # fmt: skip
        refuse_both(foreach, fused)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in _SINCE.items():
                group.setdefault(name, value)

    _format, _kernel = Words("i7f"), kernels.sgd

    def _member(self, group: dict[str, Any], p: Tensor) -> tuple[dict[str, Any], bool]:
        if group["momentum"] == 0:
            return {}, False
        state = self.state[p]
        fresh = state.get("momentum_buffer") is None
        if fresh:
            with unrecorded():
                state["momentum_buffer"] = zeros_like(p)
        return state, fresh

    def _words(self, group: dict[str, Any], states: list[Any], key: bool | None) -> Sequence[float]:
        momentum = group["momentum"]
        return (
            LAST, number(group["lr"]), momentum, group["dampening"] if momentum else 0.0,
            number(group["weight_decay"]), float(group["nesterov"]), float(bool(key)), 0.0,
        )  # fmt: skip

    def _launch(
        self, group: dict[str, Any], p: Any, n: int, grad: Any, state: dict[str, Any], hyper: Tensor
    ) -> tuple[Sequence[Tensor | None], Sequence[float]]:
        return (p, state.get("momentum_buffer"), grad, hyper, None), (n, 1)

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], key: bool) -> None:
        momentum, weight_decay, buf = group["momentum"], number(group["weight_decay"]), state.get("momentum_buffer")
        if group["maximize"]:
            grad = -grad
        if weight_decay != 0:
            grad = grad.add(p, alpha=weight_decay)
        if buf is not None:
            if key:
                buf.copy_(grad)
            else:
                buf.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(buf, alpha=momentum) if group["nesterov"] else buf
        p.add_(grad, alpha=-number(group["lr"]))
