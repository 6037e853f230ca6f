"""Weight norm (Salimans and Kingma 2016): a weight as its length and its direction."""

from __future__ import annotations

from typing import Any

from ....core.tensor import Tensor
from ....nn import Module, Parameter

__all__ = ["remove_weight_norm", "weight_norm"]


def norm_except_dim(v: Tensor, dim: int) -> Tensor:
    """The norm over all dimensions but `dim`, which stay with size 1; -1: over all, 0-d."""
    if dim == -1:
        return v.square().sum().sqrt()
    others = tuple(d for d in range(v.ndim) if d != dim % v.ndim)
    return v.square().sum(others, keepdim=True).sqrt() if others else v.abs()


def weight_of(g: Tensor, v: Tensor, dim: int) -> Tensor:
    """g v / |v|."""
    return v * (g / norm_except_dim(v, dim))


class WeightNorm:
    """The hook that computes a module's weight before each forward."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module: Any) -> Tensor:
        """The weight of its length and its direction."""
        return weight_of(getattr(module, self.name + "_g"), getattr(module, self.name + "_v"), self.dim)

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def _hook(module: Any, kind: type, name: str) -> tuple[int, Any] | None:
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:  # pyright: ignore[reportAttributeAccessIssue]
            return key, hook
    return None


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Module:
    """Makes the parameter `name` of two, name_g (its norm over all dimensions but dim) and name_v,
    before each forward. Returns module. RuntimeError where it has been done.
    """
    if _hook(module, WeightNorm, name) is not None:
        raise RuntimeError("Cannot register two weight_norm hooks on the same parameter %s" % name)
    hook = WeightNorm(name, dim)
    weight = getattr(module, name)
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(norm_except_dim(weight.detach(), hook.dim)))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Any, name: str = "weight") -> Module:
    """Makes `name` one parameter again. Returns module. ValueError where there is no weight
    norm.
    """
    found = _hook(module, WeightNorm, name)
    if found is None:
        raise ValueError("weight_norm of '%s' not found in %s" % (name, module))
    weight = found[1].compute_weight(module)
    delattr(module, name)
    del module._parameters[name + "_g"], module._parameters[name + "_v"]
    setattr(module, name, Parameter(weight.detach()))
    del module._forward_pre_hooks[found[0]]
    return module
