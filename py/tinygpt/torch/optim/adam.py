"""Adam (Kingma and Ba 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import kernels
from ...core.tensor import Tensor
from .counted import CountedOptimizer, new_count, number, refuse_both, refuse_differentiable, unrecorded, zeros_like

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Adam"]


_SINCE = {
    "amsgrad": False, "maximize": False, "foreach": None, "capturable": False, "differentiable": False,
    "decoupled_weight_decay": False, "fused": None,
}  # fmt: skip


def check(name: str, value: Any) -> None:
    """ValueError for a setting below 0."""
    if not 0.0 <= value:
        raise ValueError("Invalid %s: %s" % (name, value))


class Adam(CountedOptimizer):
    """Adam, as torch.optim.Adam; with amsgrad=True AMSGrad (Reddi et al. 2018)."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, Tensor):
            if foreach and not capturable:
                raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
            if lr.numel() != 1:
                raise ValueError("Tensor lr must be 1-element")
        check("learning rate", lr)
        check("epsilon value", eps)
        for i in (0, 1):
            if not 0.0 <= betas[i] < 1.0:
                raise ValueError("Invalid beta parameter at index %d: %s" % (i, betas[i]))
        check("weight_decay value", weight_decay)
        if {isinstance(beta, float) for beta in betas} != {True} and {isinstance(b, Tensor) for b in betas} != {True}:
            raise ValueError("betas must be either both floats or both Tensors")
        for i, beta in enumerate(betas):
            if isinstance(beta, Tensor):
                if foreach and not capturable:
                    raise ValueError("betas[%d] as a Tensor is not supported for capturable=False and foreach=True" % i)
                if beta.numel() != 1:
                    raise ValueError("Tensor betas[%d] must be 1-element" % i)
        refuse_differentiable(differentiable)
        super().__init__(
            params,
            dict(
                lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize,
                foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused,
                decoupled_weight_decay=decoupled_weight_decay,
            ),
        )  # fmt: skip
        refuse_both(foreach, fused)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in _SINCE.items():
                group.setdefault(name, value)
            for p in group["params"]:
                found = self.state.get(p)
                if found and not isinstance(found["step"], Tensor):
                    found["step"] = new_count(float(found["step"]))

    _kernel = kernels.adam

    def _member(self, group: dict[str, Any], p: Tensor) -> tuple[dict[str, Any], float]:
        state = self.state[p]
        if not state:
            with unrecorded():
                state["step"] = self._counts.new()
                state["exp_avg"], state["exp_avg_sq"] = zeros_like(p), zeros_like(p)
                if group["amsgrad"]:
                    state["max_exp_avg_sq"] = zeros_like(p)
        return state, self._counts.of(state["step"])

    def _advance(self, group: dict[str, Any], states: list[Any]) -> tuple[float, ...]:
        """Counts a step, and gives (lr, beta1, beta2, bias_correction1, sqrt(bias_correction2))."""
        step = self._counts.advance([state["step"] for state in states])
        beta1, beta2 = (number(beta) for beta in group["betas"])
        return number(group["lr"]), beta1, beta2, 1 - beta1**step, (1 - beta2**step) ** 0.5

    def _words(self, group: dict[str, Any], states: list[Any], key: Any) -> Sequence[float]:
        lr, beta1, beta2, correction1, root2 = self._advance(group, states)
        weight_decay, decoupled = number(group["weight_decay"]), group["decoupled_weight_decay"]
        return (
            1 - lr * weight_decay if decoupled else 1.0, 0.0 if decoupled else weight_decay, 1 - beta1, beta2,
            1 - beta2, group["eps"], -(lr / correction1), 1 / root2,
        )  # fmt: skip

    def _retreat(self, states: list[Any]) -> None:
        self._counts.advance([state["step"] for state in states], -1.0)

    def _launch(
        self, group: dict[str, Any], p: Any, n: int, grad: Any, state: dict[str, Any], hyper: Tensor
    ) -> tuple[Sequence[Tensor | None], Sequence[float]]:
        largest = state["max_exp_avg_sq"] if group["amsgrad"] else None
        return (p, state["exp_avg"], state["exp_avg_sq"], largest, grad, hyper), (n,)

    def _single(self, group: dict[str, Any], p: Any, grad: Any, state: dict[str, Any], key: Any) -> None:
        lr, beta1, beta2, correction1, root2 = self._advance(group, [state])
        weight_decay = number(group["weight_decay"])
        if group["maximize"]:
            grad = -grad
        if weight_decay != 0 and group["decoupled_weight_decay"]:
            p.mul_(1 - lr * weight_decay)
        elif weight_decay != 0:
            grad = grad.add(p, alpha=weight_decay)
        first, second = state["exp_avg"], state["exp_avg_sq"]
        first.lerp_(grad, 1 - beta1)
        second.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        if group["amsgrad"]:
            second = state["max_exp_avg_sq"].copy_(state["max_exp_avg_sq"].maximum(second))
        p.addcdiv_(first, (second.sqrt() / root2).add_(group["eps"]), value=-(lr / correction1))
