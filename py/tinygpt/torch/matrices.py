"""Linear algebra under the older names of the namespace torch and of a Tensor. torch.linalg, which
does it, is loaded at the first use.
"""

from __future__ import annotations

from typing import Any

from ..core.autograd import attach, needs_grad
from ..core.factory import full
from ..core.tensor import Tensor, int32
from ..ops import elementwise, movement
from ..ops import matmul as product
from . import return_types
from .keywords import function

_solved = return_types._result("triangular_solve", "solution cloned_coefficient")
_unpacked = return_types._result("lu_unpack", "P L U")


def _linalg() -> Any:
    from . import linalg  # loaded at its first use

    return linalg


def _factor() -> Any:
    from .linalg import factor  # loaded at its first use

    return factor


@function
def det(input: Tensor) -> Tensor:
    """The determinants of square matrices."""
    return _linalg().det(input)


@function
def logdet(input: Tensor) -> Tensor:
    """The logarithms of the determinants; NaN where one is negative."""
    sign, size = _linalg().slogdet(input)
    return elementwise.where(elementwise.compare("lt", sign, 0), float("nan"), size)


@function
def slogdet(input: Tensor) -> Any:
    """(sign, logabsdet) of the determinants of square matrices."""
    return return_types.slogdet(tuple(_linalg().slogdet(input)))


@function
def inverse(input: Tensor) -> Tensor:
    """The inverses of square matrices."""
    return _linalg().inv(input)


@function
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse."""
    return _linalg().pinv(input, rcond)


@function
def matrix_power(input: Tensor, n: int) -> Tensor:
    """input multiplied n times by itself."""
    return _linalg().matrix_power(input, n)


@function
def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of square matrices."""
    return _linalg().matrix_exp(input)


def _flag(name: str, argument: str, place: int, value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(
            "%s(): argument '%s' (position %d) must be bool, not %s" % (name, argument, place, type(value).__name__)
        )


@function
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """L with L L' = input, or its transpose."""
    _flag("cholesky", "upper", 2, upper)
    return _linalg().cholesky(input, upper=upper)


@function
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X with A X = input, A = L L' (L' L with upper=True)."""
    _matrices("cholesky_solve", input, L)
    triangular = _factor().triangular
    out = triangular(L.detach(), triangular(L.detach(), input.detach(), upper, upper), upper, not upper).detach()
    if needs_grad(input, L):
        given = input._requires_grad, L._requires_grad

        def backward(dy):
            dB = cholesky_solve(dy, L, upper)
            dL = None
            if given[1]:  # of all of L, as PyTorch's
                both = product.matmul(dB, _H(out))
                both = elementwise.neg(elementwise.add(both, _H(both)))
                dL = elementwise.reduce_to(product.matmul(L, both) if upper else product.matmul(both, L), L._shape)
            return elementwise.reduce_to(dB, input._shape) if given[0] else None, dL

        attach("cholesky_solve", (out,), (input, L), backward, (L, out))
    return out


def _H(x: Tensor) -> Tensor:
    return movement.transpose(x, -2, -1)


def _matrices(name: str, *tensors: Tensor) -> None:
    for x in tensors:
        if x.ndim < 2:
            raise RuntimeError("%s: a tensor should have at least 2 dimensions, but has %d" % (name, x.ndim))


@function
def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A = L L' (L' L with upper=True)."""
    _matrices("cholesky_inverse", input)
    eye = movement.expand(_factor().eye_like(input), input._shape)
    return cholesky_solve(eye, input, upper)


@function
def qr(input: Tensor, some: bool = True) -> Any:
    """(Q, R) with input = Q R; some=False: Q is square."""
    _flag("qr", "some", 2, some)
    return return_types.qr(tuple(_linalg().qr(input, "reduced" if some else "complete")))


@function
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """(U, S, V) with input = U diag(S) V'."""
    _flag("svd", "some", 2, some)
    if not compute_uv:
        m, n = input._shape[-2:]
        zeros = [full((*input._shape[:-2], k, k), 0, input._dtype, input.device) for k in (m, n)]
        return return_types.svd((zeros[0], _linalg().svdvals(input), zeros[1]))
    U, S, Vh = _linalg().svd(input, not some)
    return return_types.svd((U, S, movement.transpose(Vh, -2, -1)))


@function
def triangular_solve(
    input: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """(solution, cloned_coefficient): X with A X = input, A triangular."""
    _matrices("triangular_solve", input, A)
    return _solved((_factor().triangular(A, input, upper, transpose, unitriangular), movement.clone(A)))


@function
def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """X with A X = input from linalg.lu_factor's results."""
    return _linalg().lu_solve(LU_data, LU_pivots, input)


@function
def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    """(P, L, U) from linalg.lu_factor's results."""
    factor = _factor()
    m, n = LU_data._shape[-2:]
    k = min(m, n)
    nothing = full((0,), 0, LU_data._dtype, LU_data.device)
    P = L = U = nothing
    if unpack_pivots:
        P = factor.permutation(_linalg().order_of(LU_pivots._cast(int32), m), LU_data._dtype)
    if unpack_data:
        low = movement.sliced(LU_data, LU_data.ndim - 1, 0, k)
        L = elementwise.add(movement.tril(low, -1), factor._unit(m, k, low))
        U = movement.triu(movement.sliced(LU_data, LU_data.ndim - 2, 0, k))
    return _unpacked((P, L, U))


@function
def orgqr(input: Tensor, tau: Tensor) -> Tensor:
    """The product of Householder reflections, one in each column of input."""
    return _linalg().householder_product(input, tau)


__all__ = [
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "inverse", "logdet", "lu_solve", "lu_unpack",
    "matrix_exp", "matrix_power", "orgqr", "pinverse", "qr", "slogdet", "svd", "triangular_solve",
]  # fmt: skip
METHODS = {
    "cholesky": cholesky, "cholesky_inverse": cholesky_inverse, "cholesky_solve": cholesky_solve, "det": det,
    "inverse": inverse, "logdet": logdet, "lu_solve": lu_solve, "matrix_exp": matrix_exp,
    "matrix_power": matrix_power, "orgqr": orgqr, "pinverse": pinverse, "qr": qr, "slogdet": slogdet, "svd": svd,
    "triangular_solve": triangular_solve,
}  # fmt: skip
LIMITED = {
    "lu_unpack": "without a gradient through the pivots",
    "svd": "the sign of a pair of singular vectors may be another than LAPACK's",
}
ABSENT = {
    "eig": "its eigenvalues are complex; use linalg.eigh for symmetric matrices",
    "lobpcg": "use linalg.eigh",
    "lstsq": "use linalg.lstsq",
    "lu": "use linalg.lu or linalg.lu_factor",
    "ormqr": "use linalg.qr",
    "symeig": "use linalg.eigh",
}
