"""Parametrizations that PyTorch has ready: weight norm, spectral norm, orthogonal"""

from __future__ import annotations

from typing import Any

from ....core.tensor import Tensor
from ....nn import Module
from ..ranking import normalize
from .parametrize import register_parametrization
from .spectral_norm import default_dim, iterate, matrix_of, start
from .weight_norm import norm_except_dim, weight_of

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_of(weight_g, weight_v, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Any, name: str = "weight", dim: int = 0) -> Module:
    """Weight norm (Salimans and Kingma 2016): original0 is the norm over all dimensions but dim,
    original1 the direction. Returns module.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def of_former_files(state_dict: Any, prefix: str, *rest: Any) -> None:
        old = [prefix + name + part for part in ("_g", "_v")]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict["%sparametrizations.%s.original%d" % (prefix, name, i)] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(of_former_files)
    return module


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(
                "Dimension out of range (expected to be in range of [-%d, %d] but got %d)"
                % (weight.ndim, weight.ndim - 1, dim)
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got n_power_iterations=%s" % n_power_iterations
            )
        self.dim, self.eps = dim % weight.ndim, eps
        if weight.ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = matrix_of(weight.detach(), self.dim)
            u, v = (start(size, weight, eps) for size in matrix._shape)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)
            iterate(matrix, u, v, 15, eps, v_first=False)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = matrix_of(weight, self.dim)
        if self.training:
            iterate(matrix, self._u, self._v, self.n_power_iterations, self.eps, v_first=False)
        return weight / (self._u.clone() * (matrix @ self._v.clone())).sum()

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def _tensor_of(module: Any, name: str) -> Tensor:
    tensor = getattr(module, name, None)
    if not isinstance(tensor, Tensor):
        raise ValueError("Module '%s' has no parameter or buffer with name '%s'" % (module, name))
    return tensor


def spectral_norm(
    module: Any, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Spectral norm (Miyato et al. 2018): the weight divided by its largest singular value. Returns
    module.
    """
    weight = _tensor_of(module, name)
    dim = default_dim(module) if dim is None else dim
    register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
    return module


def orthogonal(module: Any, name: str = "weight", orthogonal_map: str | None = None, **settings: Any) -> Module:
    """RuntimeError: PyTorch's maps onto orthogonal matrices are not here."""
    raise RuntimeError(
        "parametrizations.orthogonal is not in TinyGPT's subset; nn.init.orthogonal_ starts from an orthogonal weight"
    )
