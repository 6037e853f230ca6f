"""Spectral norm (Miyato et al. 2018): a weight divided by its largest singular value, which a power
iteration estimates.
"""

from __future__ import annotations

from typing import Any

from ....core.factory import like
from ....core.state import no_grad
from ....core.tensor import Tensor
from ....nn import Module, Parameter
from ....ops import movement
from ..ranking import normalize
from .weight_norm import _hook

__all__ = ["remove_spectral_norm", "spectral_norm"]


def matrix_of(weight: Tensor, dim: int) -> Tensor:
    """The weight as a matrix whose rows are dimension `dim`."""
    if dim:
        weight = movement.permute(weight, (dim, *(d for d in range(weight.ndim) if d != dim)))
    return weight.reshape(weight._shape[0], -1)


def iterate(matrix: Tensor, u: Tensor, v: Tensor, times: int, eps: float, v_first: bool) -> None:
    """Power iterations, in place. v_first: v is made anew before u."""
    with no_grad():
        matrix = matrix.detach()
        for _ in range(times):
            steps = [(u, lambda: matrix @ v), (v, lambda: matrix.t() @ u)]
            for vector, product in reversed(steps) if v_first else steps:
                vector.copy_(normalize(product(), dim=0, eps=eps))


def start(size: int, weight: Tensor, eps: float) -> Tensor:
    """A normal vector of length 1."""
    return normalize(like(weight.detach(), (size,)).normal_(0, 1), dim=0, eps=eps)


def default_dim(module: Any) -> int:
    """The outputs of a module's weight: dimension 1 of a transposed convolution's."""
    return int(any(cls.__name__.startswith("ConvTranspose") for cls in type(module).__mro__))


class SpectralNorm:
    """The hook that computes a module's weight before each forward."""

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got n_power_iterations=%s" % n_power_iterations
            )
        self.name, self.dim, self.n_power_iterations, self.eps = name, dim, n_power_iterations, eps

    def compute_weight(self, module: Any, do_power_iteration: bool) -> Tensor:
        """The weight divided by its largest singular value."""
        weight, u, v = (getattr(module, self.name + part) for part in ("_orig", "_u", "_v"))
        matrix = matrix_of(weight, self.dim)
        if do_power_iteration:
            iterate(matrix, u, v, self.n_power_iterations, self.eps, v_first=True)
            u, v = u.clone(), v.clone()
        return weight / (u * (matrix @ v)).sum()

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divides the parameter `name` by its largest singular value before each forward. Returns
    module. RuntimeError where it has been done.
    """
    if _hook(module, SpectralNorm, name) is not None:
        raise RuntimeError("Cannot register two spectral_norm hooks on the same parameter %s" % name)
    hook = SpectralNorm(name, n_power_iterations, default_dim(module) if dim is None else dim, eps)
    weight = getattr(module, name)
    rows, columns = matrix_of(weight.detach(), hook.dim)._shape
    u, v = start(rows, weight, eps), start(columns, weight, eps)
    del module._parameters[name]
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, weight.data)
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Any, name: str = "weight") -> Module:
    """Makes `name` one parameter again. Returns module. ValueError where there is no spectral
    norm.
    """
    found = _hook(module, SpectralNorm, name)
    if found is None:
        raise ValueError("spectral_norm of '%s' not found in %s" % (name, module))
    with no_grad():
        weight = found[1].compute_weight(module, do_power_iteration=False)
    delattr(module, name)
    for part in ("_u", "_v", "_orig"):
        delattr(module, name + part)
    module.register_parameter(name, Parameter(weight.detach()))
    del module._forward_pre_hooks[found[0]]
    return module
