"""torch.linalg: linear algebra of batches of matrices, float32 and float64, on the CPU."""

from __future__ import annotations

import math
from typing import Any

from ...core.autograd import attach, needs_grad
from ...core.factory import full, tensor
from ...core.tensor import Tensor, float32, float64, int32, int64, numel_of
from ...ops import elementwise, movement, reduce, strided
from ...ops import matmul as product
from .. import table
from ..creation import vander as powers
from ..keywords import function
from ..norms import linalg_norm as norm
from ..norms import matrix_norm, vector_norm
from ..products import cross_along, matmul, multiplied, vecdot
from ..return_types import _result as result
from . import factor
from .factor import H, _LinAlgError, checked, eye_like, failed

multi_dot, LinAlgError = multiplied, _LinAlgError
_inv_ex, _cholesky_ex, _solve_ex = (
    result("linalg_inv_ex", "inverse info"), result("linalg_cholesky_ex", "L info"),
    result("linalg_solve_ex", "result info"),
)  # fmt: skip
_qr, _eigh, _svd = (
    result("linalg_qr", "Q R"), result("linalg_eigh", "eigenvalues eigenvectors"), result("linalg_svd", "U S Vh"),
)  # fmt: skip
_lu, _lu_factor, _lu_factor_ex = (
    result("linalg_lu", "P L U"), result("linalg_lu_factor", "LU pivots"),
    result("linalg_lu_factor_ex", "LU pivots info"),
)  # fmt: skip
_slogdet = result("linalg_slogdet", "sign logabsdet")
_lstsq = result("linalg_lstsq", "solution residuals rank singular_values")


@function
def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross product along dim, with broadcasting."""
    return cross_along(input, other, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of the last two dimensions, a view."""
    return strided.diagonal(A, offset, dim1, dim2)


# ---- determinants, inverses, systems -------------------------------------------------------------


def det(A: Tensor) -> Tensor:
    """The determinants of square matrices."""
    return factor.det(checked("linalg.det", A))


def slogdet(A: Tensor) -> Any:
    """(sign, logabsdet) of the determinants of square matrices."""
    return _slogdet(factor.slogdet(checked("linalg.slogdet", A)))


def inv(A: Tensor) -> Tensor:
    """The inverses of square matrices. LinAlgError for a singular one."""
    return factor.inverse(checked("linalg.inv", A), "linalg.inv")[0]


def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """(inverse, info): info is not 0 where a matrix is singular."""
    return _inv_ex(factor.inverse(checked("linalg.inv_ex", A), "linalg.inv_ex", check_errors))


def _system(name: str, A: Tensor, B: Tensor, left: bool) -> tuple[Tensor, bool]:
    """(B as matrices, whether it is a batch of vectors)."""
    if A._dtype is not B._dtype:
        raise RuntimeError("%s: Expected A and B to have the same dtype" % name)
    vector = B.ndim == 1 or (A.ndim - 1 == B.ndim and B._shape == A._shape[:-1])
    rows = movement.unsqueeze(B, -1) if vector else B
    n = A._shape[-1]
    if rows._shape[-2 if left or vector else -1] != n:
        raise RuntimeError(
            "%s: Incompatible shapes of A and B for the equation AX = B (%dx%d and %s)"
            % (name, n, n, "x".join(map(str, B._shape[-2:])))
        )
    return rows, vector


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A X = B (X A = B with left=False); B: matrices or vectors. LinAlgError for a singular
    A.
    """
    return solve_ex(A, B, left=left, check_errors=True)[0]


def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """(result, info) of solve: info is not 0 where a matrix is singular."""
    checked("linalg.solve", A)
    rows, vector = _system("linalg.solve", A, B, left)
    if not left and not vector:
        X, info = factor.solve(H(A), H(rows), "linalg.solve", check_errors)
        return _solve_ex((H(X), info))
    X, info = factor.solve(A if left else H(A), rows, "linalg.solve", check_errors)
    return _solve_ex((movement.squeeze(X, -1) if vector else X, info))


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with A X = B (X A = B with left=False), A triangular."""
    checked("linalg.solve_triangular", A)
    if B.ndim < 2:
        raise RuntimeError("linalg.solve_triangular: The input tensor B must have at least 2 dimensions.")
    rows, _ = _system("linalg.solve_triangular", A, B, left) if B._shape[-2 if left else -1] != A._shape[-1] else (B, 0)
    if left:
        return factor.triangular(A, rows, upper, False, unitriangular)
    return H(factor.triangular(A, H(rows), upper, True, unitriangular))


def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """X with tensordot(A, X, X.ndim) = B."""
    if dims is not None:
        places = [movement.dim_of(A, d) for d in dims]
        A = movement.permute(A, [d for d in range(A.ndim) if d not in places] + places)
    shape = A._shape[B.ndim :]
    n = numel_of(shape)
    if n != B.numel():
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod of the others"
        )
    X = solve(movement.reshape(A, (n, n)), movement.reshape(B, (n,)))
    return movement.reshape(X, shape)


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of tensordot by A, whose first `ind` dimensions are the rows."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    rows, columns = A._shape[:ind], A._shape[ind:]
    if numel_of(rows) != numel_of(columns):
        raise RuntimeError("Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind])")
    n = numel_of(rows)
    return movement.reshape(inv(movement.reshape(A, (n, n))), (*columns, *rows))


# ---- factorisations ------------------------------------------------------------------------------


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """L with L L' = A (its transpose with upper=True). LinAlgError where A is not positive."""
    L, info = factor.cholesky(checked("linalg.cholesky", A), upper)
    failed(
        info, "linalg.cholesky",
        "The factorization could not be completed because the input is not positive-definite (the leading minor of "
        "order %d is not positive-definite).",
    )  # fmt: skip
    return L


def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """(L, info) of cholesky: info is not 0 where A is not positive."""
    if check_errors:
        return _cholesky_ex((cholesky(A, upper=upper), full(A._shape[:-2], 0, int32, A.device)))
    return _cholesky_ex(factor.cholesky(checked("linalg.cholesky", A), upper))


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """(Q, R) with A = Q R; mode: "reduced", "complete", or "r", without Q."""
    Q, R = factor.qr(checked("linalg.qr", A, square=False), mode)
    return _qr((full((0,), 0, A._dtype, A.device) if mode == "r" else Q, R))


def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """(P, L, U) with A = P L U."""
    _pivoted("linalg.lu", pivot)
    return _lu(factor.lu(checked("linalg.lu", A, square=False)))


def _pivoted(name: str, pivot: bool) -> None:
    if not pivot:
        raise RuntimeError("%s: LU without pivoting is not implemented on the CPU" % name)


def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """(LU, pivots): L and U in one matrix, and LAPACK's pivots."""
    return _lu_factor(lu_factor_ex(A, pivot=pivot)[:2])


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """(LU, pivots, info): info is not 0 where a pivot is."""
    _pivoted("linalg.lu_factor", pivot)
    checked("linalg.lu_factor", A, square=False)
    LU, order, pivots, info = factor.lu_compact(A)
    if check_errors:
        failed(
            info, "linalg.lu_factor", "U[%d,%d] is zero and using it on lu_solve would result in a division by zero."
        )
    LU = LU._cast(A._dtype).detach()
    if needs_grad(A):
        m, n = A._shape[-2:]
        k = min(m, n)

        def backward(dy):
            low, high = [movement.sliced(x, x.ndim - 1, 0, k) for x in (LU, dy)]
            L = elementwise.add(movement.tril(low, -1), factor._unit(m, k, low))
            U, dU = [movement.triu(movement.sliced(x, x.ndim - 2, 0, k)) for x in (LU, dy)]
            return (factor.lu_gradient(factor.permutation(order, LU._dtype), L, U, movement.tril(high, -1), dU),)

        attach("linalg_lu_factor_ex", (LU,), (A,), backward, (LU,))
    return _lu_factor_ex((LU, pivots, info))


def order_of(pivots: Tensor, m: int) -> Tensor:
    """int32: the order of the rows that LAPACK's pivots stand for."""
    rows = []
    k = pivots._shape[-1]
    for swaps in movement.reshape(pivots, (-1, k)).tolist() if pivots.numel() else []:
        order = list(range(m))
        for i, p in enumerate(swaps):
            order[i], order[p - 1] = order[p - 1], order[i]
        rows.append(order)
    return movement.reshape(tensor(rows or [], dtype=int32, device=pivots.device), (*pivots._shape[:-1], m))


def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """X with A X = B from lu_factor's results."""
    n = LU._shape[-1]
    order = order_of(pivots, n)
    P = factor.permutation(order, LU._dtype)
    if not left:
        return H(lu_solve(LU, pivots, H(B), adjoint=not adjoint))
    if adjoint:
        Y = factor.triangular(LU, B, True, True)
        return product.matmul(P, factor.triangular(LU, Y, False, True, True))
    Y = factor.triangular(LU, product.matmul(H(P), B), False, False, True)
    return factor.triangular(LU, Y, True)


def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """(eigenvalues, eigenvectors) of symmetric matrices, ascending; UPLO: the triangle read."""
    return _eigh(factor.eigh_of(checked("linalg.eigh", A), _upper(UPLO)))


def _upper(UPLO: str) -> bool:
    if UPLO not in ("L", "U", "l", "u"):
        raise RuntimeError("Expected UPLO argument to be 'L' or 'U', but got %s" % UPLO)
    return UPLO in "uU"


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, ascending."""
    return factor.eigh_of(checked("linalg.eigvalsh", A), _upper(UPLO))[0]


def svd(A: Tensor, full_matrices: bool = True, *, driver: Any = None) -> Any:
    """(U, S, Vh) with A = U diag(S) Vh, S descending."""
    checked("linalg.svd", A, square=False)
    if driver is not None:
        raise RuntimeError("linalg.svd: keyword argument `driver=` is only supported on CUDA inputs")
    m, n = A._shape[-2:]
    return _svd(factor.svd_of(A, full_matrices and m != n))


def svdvals(A: Tensor, *, driver: Any = None) -> Tensor:
    """The singular values, descending."""
    return factor.svd_of(checked("linalg.svdvals", A, square=False))[1]


def householder_product(input: Tensor, tau: Tensor) -> Tensor:
    """The product of Householder reflections, one in each column of input."""
    checked("linalg.householder_product", input, square=False)
    m, n = input._shape[-2:]
    Q = movement.expand(factor._unit(m, n, input), input._shape)
    for k in reversed(range(tau._shape[-1])):
        v = movement.tril(input, -1)[..., k]
        v = elementwise.add(v, factor._unit(m, m, input)[k])
        scaled = elementwise.mul(v, movement.unsqueeze(tau[..., k], -1))
        seen = product.matmul(movement.unsqueeze(v, -2), Q)
        Q = elementwise.sub(Q, elementwise.mul(movement.unsqueeze(scaled, -1), seen))
    return Q


# ---- of singular values --------------------------------------------------------------------------


def _limit(values: Tensor, A: Tensor, atol: Any, rtol: Any) -> Tensor:
    """What counts as 0 among singular values, as PyTorch's defaults have it."""
    largest = movement.sliced(values, values.ndim - 1, 0, 1)
    if rtol is None:
        eps = 2.0**-23 if A._dtype is float32 else 2.0**-52
        rtol = eps * max(A._shape[-2:])
        if isinstance(atol, Tensor):
            rtol = elementwise.where(elementwise.compare("gt", atol, 0), 0.0, rtol)._cast(A._dtype)
        elif atol is not None and atol > 0:
            rtol = 0.0
    atol = 0.0 if atol is None else atol
    atol, rtol = [movement.unsqueeze(v, -1) if isinstance(v, Tensor) else v for v in (atol, rtol)]
    bound = elementwise.mul(largest, rtol)
    if isinstance(atol, Tensor):
        return elementwise.maximum(bound, atol._cast(bound._dtype))
    return elementwise.maximum(bound, float(atol))


def matrix_rank(A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """int64: how many singular values are above max(atol, rtol * the largest)."""
    checked("linalg.matrix_rank", A, square=hermitian)
    values = elementwise.abs_(eigvalsh(A.detach())) if hermitian else svdvals(A.detach())
    if tol is not None:
        bound = movement.unsqueeze(tol, -1) if isinstance(tol, Tensor) else tol
        return reduce.sum_(elementwise.compare("gt", values, bound), -1)
    if hermitian and values.numel():
        top = movement.unsqueeze(reduce._launch("max", values, (values.ndim - 1,), values._dtype), -1)
        values = movement.cat([top, values], -1)
        bound = _limit(values, A, atol, rtol)
        values = movement.sliced(values, values.ndim - 1, 1, values._shape[-1] - 1)
    else:
        bound = _limit(values, A, atol, rtol) if values._shape[-1] else 0.0
    return reduce.sum_(elementwise.compare("gt", values, bound), -1)


def pinv(A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Tensor:
    """The pseudo-inverse, by singular values above max(atol, rtol * the largest)."""
    checked("linalg.pinv", A, square=hermitian)
    if not A.numel():
        return movement.no_view(H(movement.clone(A)))
    if hermitian:
        values, right = factor.eigh_of(A.detach())
        left, size = right, elementwise.abs_(values)
    else:
        left, values, right = factor.svd_of(A.detach())
        size, right = values, H(right)
    largest = movement.unsqueeze(reduce._launch("max", size, (size.ndim - 1,), size._dtype), -1)
    kept = elementwise.compare("gt", size, _limit(largest, A, atol, rcond if rtol is None else rtol))
    inverse = elementwise.where(kept, elementwise.unary("reciprocal", elementwise.where(kept, values, 1.0)), 0.0)
    out = product.matmul(elementwise.mul(right, movement.unsqueeze(inverse, -2)), H(left)).detach()
    if needs_grad(A):
        attach("linalg_pinv", (out,), (A,), lambda dy: (_pinv_gradient(A, out, dy),), (A, out))
    return out


def _pinv_gradient(A: Tensor, P: Tensor, dy: Tensor) -> Tensor:
    """PyTorch's pinv_backward (Golub and Pereyra 1973)."""
    mul, add, sub = product.matmul, elementwise.add, elementwise.sub
    dyh, Ph = H(dy), H(P)
    if A._shape[-2] <= A._shape[-1]:
        K = mul(dyh, P)
        KPh = mul(K, Ph)
        out = sub(KPh, H(mul(P, K)))
        out = sub(out, mul(mul(A, P), KPh))
        return add(out, mul(mul(Ph, P), sub(dyh, mul(K, A))))
    K = mul(P, dyh)
    PhK = mul(Ph, K)
    out = sub(mul(mul(sub(dyh, mul(A, K)), P), Ph), H(mul(K, P)))
    return add(out, sub(PhK, mul(mul(PhK, P), A)))


def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number: of singular values (p None, 2, -2), or norm(A) norm(inverse)."""
    if p in (None, 2, -2):
        S = svdvals(A)
        first, last = strided.unbind(S, -1)[0], strided.unbind(S, -1)[-1]
        return elementwise.div(last, first) if p == -2 else elementwise.div(first, last)
    checked("linalg.cond", A)
    inverse, info = factor.inverse(A, "linalg.cond", False)
    out = elementwise.mul(norm(A, p, (-2, -1)), norm(inverse, p, (-2, -1)))
    return elementwise.where(elementwise.compare("eq", info, 0), out, math.inf)


def lstsq(A: Tensor, B: Tensor, rcond: Any = None, *, driver: Any = None) -> Any:
    """(solution, residuals, rank, singular_values): the X that brings A X nearest to B."""
    checked("linalg.lstsq", A, square=False)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError("torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    vector = B.ndim == 1 or A.ndim - 1 == B.ndim and B._shape == A._shape[:-1]
    rows = movement.unsqueeze(B, -1) if vector else B
    m, n = A._shape[-2:]
    if rows._shape[-2] != m:
        raise RuntimeError("torch.linalg.lstsq: input.size(-2) should match other.size(-2)")
    X = product.matmul(pinv(A, rtol=rcond), rows)
    values = svdvals(A.detach())
    bound = _limit(values, A, None, rcond) if values.numel() else 0.0
    rank = reduce.sum_(elementwise.compare("gt", values, bound), -1)
    nothing = full((0,), 0, A._dtype, A.device)
    residuals = nothing
    whole = bool(reduce.all_(elementwise.compare("eq", rank, n)).item())
    if m > n and driver != "gelsy" and (whole or driver == "gels") and driver is not None:
        residuals = reduce.sum_(elementwise.square(elementwise.sub(product.matmul(A, X), rows)), -2)
    found = movement.squeeze(X, -1) if vector else X
    no_rank = full((0,), 0, int64, A.device)
    return _lstsq(
        (found, residuals, no_rank if driver == "gels" else rank, values if driver in ("gelsd", "gelss") else nothing)
    )


# ---- functions of matrices -----------------------------------------------------------------------


def matrix_power(A: Tensor, n: int) -> Tensor:
    """A multiplied n times by itself, its inverse for a negative n."""
    if A.ndim < 2 or A._shape[-1] != A._shape[-2]:
        raise RuntimeError("linalg.matrix_power: A must be batches of square matrices, not shape %s" % list(A._shape))
    if n == 0:
        out = movement.clone(movement.expand(eye_like(A), A._shape))
        if needs_grad(A):
            attach("linalg_matrix_power", (out,), (A,), lambda dy: (elementwise.zeros_of(dy),), ())
        return out
    base, out = (inv(A), None) if n < 0 else (A, None)
    n = abs(n)
    if n == 1:
        return movement.clone(base) if base is A else base
    while n:
        if n & 1:
            out = base if out is None else product.matmul(out, base)
        n >>= 1
        if n:
            base = product.matmul(base, base)
    assert out is not None
    return out


def matrix_exp(A: Tensor) -> Tensor:
    """The exponential of square matrices: Taylor's series of a scaled one, squared again."""
    checked("linalg.matrix_exp", A)
    kind = A._dtype
    X = A._cast(float64)
    if not A.numel():
        return movement.clone(A)
    size = float(reduce.max_(reduce.sum_(elementwise.abs_(X.detach()), -2)).item())
    squarings = max(0, math.ceil(math.log2(size)) + 2) if math.isfinite(size) and size > 0 else 0
    X = elementwise.mul(X, 2.0**-squarings)
    out = elementwise.add(eye_like(X), X)
    term = X
    for k in range(2, 19):
        term = elementwise.mul(product.matmul(term, X), 1.0 / k)
        out = elementwise.add(out, term)
    for _ in range(squarings):
        out = product.matmul(out, out)
    return out._cast(kind)


@function
def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0, 1, ... of the last dimension's elements, one row for each."""
    if not x._shape and N is None:
        raise RuntimeError("Expected dim of x to be greater than or equal to 1")
    count = x._shape[-1] if N is None else N
    flat = powers(movement.reshape(x, (-1,)), count, increasing=True)
    return movement.reshape(flat, (*(x._shape or (1,)), count))


__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh",
    "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul",
    "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve",
    "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip
LIMITED = {
    "eigh": "the sign of an eigenvector may be another than LAPACK's",
    "svd": "the sign of a pair of singular vectors may be another than LAPACK's",
    "lstsq": "all drivers compute by singular values",
}
ABSENT = {
    "eig": "its eigenvalues are complex; use eigh for symmetric matrices",
    "eigvals": "they are complex; use eigvalsh for symmetric matrices",
    "ldl_factor": "use cholesky or lu",
    "ldl_solve": "use solve",
}


def __getattr__(name: str) -> Any:
    return table.missing(__name__, name)
