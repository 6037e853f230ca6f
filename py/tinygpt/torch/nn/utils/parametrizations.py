"""Parametrizations that PyTorch has ready: weight norm, spectral norm, orthogonal"""

from __future__ import annotations

from typing import Any

from ....core.factory import full, like
from ....core.state import no_grad
from ....core.tensor import Tensor
from ....nn import Module
from ....ops import elementwise, movement
from ..ranking import normalize
from .parametrize import register_parametrization
from .spectral_norm import default_dim, iterate, matrix_of, start
from .weight_norm import norm_except_dim, weight_of

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]
LIMITED = {"orthogonal": "the map 'householder' is refused: use matrix_exp or cayley"}


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


class _Orthogonal(Module):
    """A matrix Q of any matrix X: base times exp(A) or the Cayley map of A = X - X^T, X below its
    diagonal (Lezcano-Casado 2019).
    """

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape, self.orthogonal_map = weight._shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        from ...linalg import matrix_exp, solve  # few programs need them

        n, k = X._shape[-2:]
        transposed = n < k
        if transposed:
            X, n, k = X.transpose(-2, -1), k, n
        X = X.tril()
        if n != k:
            X = movement.cat([X, full((*X._shape[:-2], n, n - k), 0.0, X._dtype, X.device)], -1)
        A = X - X.transpose(-2, -1)
        if self.orthogonal_map == "matrix_exp":
            Q = matrix_exp(A)
        else:
            one = _identity(n, A)
            Q = solve(one - A * 0.5, one + A * 0.5)
        Q = Q[..., :k] if n != k else Q
        if hasattr(self, "base"):
            Q = self.base @ Q
        return Q.transpose(-2, -1) if transposed else Q

    def right_inverse(self, Q: Tensor) -> Tensor:
        if Q._shape != self.shape:
            raise ValueError(
                "Expected a matrix or batch of matrices of shape %s. Got a tensor of shape %s."
                % (list(self.shape), list(Q._shape))
            )
        if not hasattr(self, "base"):
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        with no_grad():
            n, k = Q._shape[-2:]
            tall = Q.detach().transpose(-2, -1) if n < k else Q.detach()
            n, k = max(n, k), min(n, k)
            if n != k:
                tall = movement.cat([tall, like(tall, (*tall._shape[:-2], n, n - k)).normal_()], -1)
            if n != k or not _is_orthogonal(tall):
                tall = _orthogonalized(tall)
            self.base = tall.clone()
            return like(Q.detach()).zero_() - _identity_of(Q)


def _identity(n: int, x: Tensor) -> Tensor:
    places = movement.arange(n, device=x.device)
    return (places.unsqueeze(-1) == places)._cast(x._dtype)


def _identity_of(Q: Tensor) -> Tensor:
    """Ones on the diagonal of Q's shape."""
    rows, columns = (movement.arange(n, device=Q.device) for n in Q._shape[-2:])
    return (rows.unsqueeze(-1) == columns)._cast(Q._dtype).expand(Q._shape)


def _is_orthogonal(Q: Tensor) -> bool:
    n, k = Q._shape[-2:]
    off = (Q.transpose(-2, -1) @ Q - _identity(k, Q)).abs().max().item()
    return off <= 10.0 * n * (2.0**-23 if Q._dtype.name == "float32" else 2.0**-52)


def _orthogonalized(A: Tensor) -> Tensor:
    """The orthogonal factor of A whose triangular one has a positive diagonal."""
    from ...linalg import qr  # few programs need it

    q, r = qr(A)
    diagonal = (r * _identity(r._shape[-1], r)).sum(-1)
    return q * elementwise.where(elementwise.compare("lt", diagonal, 0), -1.0, 1.0).unsqueeze(-2)._cast(q._dtype)


def orthogonal(
    module: Any, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Keeps a matrix orthogonal, or its rows or columns where it is not square. Returns module.

    orthogonal_map: "matrix_exp" (of square ones the default) or "cayley". RuntimeError for
    "householder", the default of the others.
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError("Expected a matrix or batch of matrices. Got a tensor of %d dimensions." % weight.ndim)
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight._shape[-2] == weight._shape[-1] else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: %s' % orthogonal_map
        )
    if orthogonal_map == "householder":
        raise RuntimeError(
            "parametrizations.orthogonal: the map 'householder' is not in TinyGPT's subset; "
            "use orthogonal_map='matrix_exp' or 'cayley'"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    register_parametrization(module, name, made, unsafe=True)
    return module
