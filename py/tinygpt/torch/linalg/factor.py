"""Factorisations of matrices with their gradients: LU, Cholesky, QR, symmetric eigenvalues,
singular values. float32 is computed in float64 and rounded; the CPU's kernels do it.
"""

from __future__ import annotations

from typing import Any

from ... import kernels
from ...core.autograd import attach, needs_grad
from ...core.factory import full, like
from ...core.tensor import Tensor, float32, float64, int32, numel_of
from ...graph.program import launch
from ...ops import elementwise, movement, reduce, strided
from ...ops import gather as along
from ...ops import matmul as product
from .. import return_types
from ..autograd.engine import own_result


class _LinAlgError(RuntimeError):
    """A matrix that an algorithm cannot take: singular, or not positive."""


def checked(name: str, A: Any, square: bool = True) -> Tensor:
    """A batch of matrices of float32 or float64. RuntimeError for others."""
    if not isinstance(A, Tensor):
        raise TypeError("%s(): argument 'A' must be Tensor, not %s" % (name, type(A).__name__))
    if A.ndim < 2:
        raise RuntimeError("%s: The input tensor A must have at least 2 dimensions." % name)
    if square and A._shape[-1] != A._shape[-2]:
        raise RuntimeError(
            "%s: A must be batches of square matrices, but they are %d by %d matrices"
            % (name, A._shape[-2], A._shape[-1])
        )
    if A._dtype not in (float32, float64):
        raise RuntimeError("%s: Expected a floating point or complex tensor as input. Got %s" % (name, A._dtype.name))
    return A


def _wide(x: Tensor) -> Tensor:
    """A dense float64 copy."""
    out = like(x, dtype=float64)
    elementwise.copy_into(out, x)
    return out


def H(x: Tensor) -> Tensor:
    """The transposed matrices."""
    return movement.transpose(x, -2, -1)


def eye_like(x: Tensor) -> Tensor:
    """The identity of x's last dimension, dtype and device."""
    n = x._shape[-1]
    out = full((n, n), 0, x._dtype, x.device)
    if n:
        elementwise.copy_into(strided.diagonal(out), full((n,), 1, x._dtype, x.device))
    return out


def diagonal(x: Tensor) -> Tensor:
    """The diagonals of the matrices."""
    return strided.diagonal(x, 0, -2, -1)


def _scaled_columns(x: Tensor, values: Tensor) -> Tensor:
    return elementwise.mul(x, movement.unsqueeze(values, -2))


def failed(info: Tensor, name: str, sentence: str) -> None:
    """_LinAlgError for the first matrix of a batch whose info is not 0."""
    values = info.reshape(-1).tolist()
    for i, k in enumerate(values):
        if k:
            where = "(Batch element %d): " % i if info._shape else ""
            raise _LinAlgError("%s: %s%s" % (name, where, sentence % k if "%d" in sentence else sentence))


# ---- triangular systems --------------------------------------------------------------------------


def triangular(A: Tensor, B: Tensor, upper: bool, transposed: bool = False, unit: bool = False) -> Tensor:
    """X with T X = B, T the triangle of A [..., n, n] or its transpose, B [..., n, k]."""
    batch = elementwise.broadcast_shapes(A._shape[:-2], B._shape[:-2])
    n, k = B._shape[-2:]
    X = _wide(movement.expand(B.detach(), (*batch, n, k)))
    T = _wide(movement.expand(A.detach(), (*batch, n, n)))
    if X.numel():
        sizes = (numel_of(batch), n, k, int(upper), int(transposed), int(unit))
        launch(kernels.triangular_solve, (X, T), sizes)
    out = X._cast(B._dtype)
    if needs_grad(A, B):
        given, kept = (A._requires_grad, B._requires_grad), out.detach()

        def backward(dy):
            out = own_result(kept)
            dB = triangular(A, dy, upper, not transposed, unit)
            dA = None
            if given[0]:
                dA = elementwise.neg(product.matmul(out, H(dB)) if transposed else product.matmul(dB, H(out)))
                dA = movement.tril(dA, -1 if unit and not upper else 1 if unit else 0, upper)
                dA = elementwise.reduce_to(dA, A._shape)
            return dA, elementwise.reduce_to(dB, B._shape) if given[1] else None

        attach("linalg_solve_triangular", (out,), (A, B), backward, (A, out))
    return out


# ---- LU ------------------------------------------------------------------------------------------


def lu_compact(A: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(L and U in one float64 matrix, order of rows, LAPACK's pivots, info); no gradient here."""
    LU = _wide(A.detach())
    m, n = A._shape[-2:]
    batch = A._shape[:-2]
    order, pivots = like(A, (*batch, m), int32), like(A, (*batch, min(m, n)), int32)
    info = full(batch, 0, int32, A.device)
    if LU.numel():
        launch(kernels.lu, (LU, order, pivots, info), (numel_of(batch), m, n))
    return LU, order, pivots, info


def permutation(order: Tensor, dtype: Any) -> Tensor:
    """P with A = P L U, from the order of the rows."""
    m = order._shape[-1]
    rows = movement.arange(m, device=order.device)
    hits = elementwise.compare("eq", movement.reshape(rows, (m, 1)), movement.unsqueeze(order, -2))
    return hits._cast(dtype)


def _rows_in_order(B: Tensor, order: Tensor) -> Tensor:
    """B's rows in the order of a batch of permutations."""
    at = movement.expand(movement.unsqueeze(order, -1), (*order._shape, B._shape[-1]))
    return along.gather(movement.expand(B, at._shape), B.ndim - 1 - 1 if B.ndim >= at.ndim else at.ndim - 2, at)


def lu(A: Tensor) -> Any:
    """(P, L, U) with A = P L U, with gradients for matrices that are no taller than square."""
    LU, order, _, _ = lu_compact(A)
    m, n = A._shape[-2:]
    k = min(m, n)
    P = permutation(order, A._dtype)
    kind = A._dtype
    low = movement.sliced(LU, LU.ndim - 1, 0, k)
    L = elementwise.add(movement.tril(low, -1), _unit(m, k, low))._cast(kind)
    U = movement.triu(movement.sliced(LU, LU.ndim - 2, 0, k))._cast(kind)
    L, U = L.detach(), U.detach()
    if needs_grad(A):

        def backward(dL, dU):
            dL = elementwise.zeros_of(L) if dL is None else dL
            dU = elementwise.zeros_of(U) if dU is None else dU
            return (lu_gradient(P, L, U, dL, dU),)

        attach("linalg_lu", (L, U), (A,), backward, (L, U))
    return P, L, U


def lu_gradient(P: Tensor, L: Tensor, U: Tensor, dL: Tensor, dU: Tensor) -> Tensor:
    """PyTorch's lu_backward, of A = P L U: dL counts below, dU from the diagonal on."""
    m, k, n = L._shape[-2], L._shape[-1], U._shape[-1]
    L1, dL1 = [movement.sliced(x, x.ndim - 2, 0, k) for x in (L, dL)]
    U1, dU1 = [movement.sliced(x, x.ndim - 1, 0, k) for x in (U, dU)]
    low, high = product.matmul(H(L1), dL1), product.matmul(dU1, H(U1))
    if m > n:
        L2, dL2 = [movement.sliced(x, x.ndim - 2, k, m - k) for x in (L, dL)]
        high = elementwise.sub(high, product.matmul(H(L2), dL2))
    if m < n:
        U2, dU2 = [movement.sliced(x, x.ndim - 1, k, n - k) for x in (U, dU)]
        low = elementwise.sub(low, product.matmul(dU2, H(U2)))
    inner = elementwise.add(movement.tril(low, -1), movement.triu(high))
    if m > n:
        inner = movement.cat([triangular(L1, inner, False, True, True), dL2], -2)  # pyright: ignore
        return product.matmul(P, H(triangular(U, H(inner), True)))
    inner = H(triangular(U1, H(inner), True))
    if m < n:
        inner = movement.cat([inner, dU2], -1)  # pyright: ignore
    return product.matmul(P, triangular(L, inner, False, True, True))


def _unit(m: int, n: int, x: Tensor) -> Tensor:
    out = full((m, n), 0, x._dtype, x.device)
    if min(m, n):
        elementwise.copy_into(strided.diagonal(out), full((min(m, n),), 1, x._dtype, x.device))
    return out


def solve_with(LU: Tensor, order: Tensor, B: Tensor) -> Tensor:
    """X with A X = B from A's float64 factors; no gradient here. float64."""
    batch = elementwise.broadcast_shapes(LU._shape[:-2], B._shape[:-2])
    n, k = B._shape[-2:]
    X = _wide(movement.expand(B.detach(), (*batch, n, k)))
    at = movement.expand(movement.unsqueeze(movement.expand(order, (*batch, n)), -1), (*batch, n, k))
    X = along.gather(X, X.ndim - 2, at)
    T = movement.contiguous(movement.expand(LU, (*batch, n, n)))
    if X.numel():
        count = numel_of(batch)
        launch(kernels.triangular_solve, (X, T), (count, n, k, 0, 0, 1))
        launch(kernels.triangular_solve, (X, T), (count, n, k, 1, 0, 0))
    return X


def solve(A: Tensor, B: Tensor, name: str, check: bool = True) -> tuple[Tensor, Tensor]:
    """(X with A X = B, info), matrices [..., n, n] and [..., n, k] whose batches broadcast."""
    LU, order, _, info = lu_compact(A)
    if check:
        failed(info, name, "The solver failed because the input matrix is singular.")
    out = solve_with(LU, order, B)._cast(A._dtype).detach()
    if needs_grad(A, B):
        given, kept = (A._requires_grad, B._requires_grad), out.detach()

        def backward(dy):
            out = own_result(kept)
            dB = solve(H(A), dy, name)[0]
            dA = elementwise.reduce_to(elementwise.neg(product.matmul(dB, H(out))), A._shape) if given[0] else None
            return dA, elementwise.reduce_to(dB, B._shape) if given[1] else None

        attach("linalg_solve_ex", (out,), (A, B), backward, (A, out))
    return out, info


def inverse(A: Tensor, name: str, check: bool = True) -> tuple[Tensor, Tensor]:
    """(The inverse of A, info)."""
    LU, order, _, info = lu_compact(A)
    if check:
        failed(
            info, name,
            "The diagonal element %d is zero, the inversion could not be completed because the input matrix is "
            "singular.",
        )  # fmt: skip
    eye = movement.expand(eye_like(A), A._shape)
    out = solve_with(LU, order, eye)._cast(A._dtype).detach()
    if needs_grad(A):
        kept = out.detach()

        def backward(dy):
            out = own_result(kept)
            return (elementwise.neg(product.matmul(H(out), product.matmul(dy, H(out)))),)

        attach("linalg_inv_ex", (out,), (A,), backward, (out,))
    return out, info


def _sign_of_order(pivots: Tensor) -> Tensor:
    """1 or -1, float64: of the exchanges of rows."""
    k = pivots._shape[-1]
    places = elementwise.binary_scalar("add", movement.arange(k, device=pivots.device), 1)
    swaps = reduce.sum_(elementwise.compare("ne", pivots, places), -1)
    odd = elementwise.remainder(swaps, 2)._cast(float64)
    return elementwise.add(elementwise.mul(odd, -2), 1)


def det(A: Tensor) -> Tensor:
    """The determinants."""
    LU, _, pivots, _ = lu_compact(A)
    out = elementwise.mul(reduce.prod(diagonal(LU), -1), _sign_of_order(pivots))._cast(A._dtype).detach()
    if needs_grad(A):

        def backward(dy):
            # d det = det tr(inv(A) dA); of a singular matrix PyTorch's gradient is 0
            eye = movement.expand(eye_like(A), A._shape)
            singular = _column(elementwise.compare("eq", out, 0))
            scale = _column(elementwise.mul(dy, out))
            return (solve(elementwise.where(singular, eye, H(A)), elementwise.mul(eye, scale), "linalg.det")[0],)

        attach("linalg_det", (out,), (A,), backward, (A, out))
    return out


def _column(x: Tensor) -> Tensor:
    return movement.unsqueeze(movement.unsqueeze(x, -1), -1)


def slogdet(A: Tensor) -> tuple[Tensor, Tensor]:
    """(The sign of the determinants, the logarithm of their magnitude)."""
    LU, _, pivots, _ = lu_compact(A)
    values = diagonal(LU)
    negative = reduce.sum_(elementwise.compare("lt", values, 0), -1)
    flips = elementwise.add(elementwise.mul(elementwise.remainder(negative, 2)._cast(float64), -2), 1)
    zero = reduce.sum_(elementwise.compare("eq", values, 0), -1)
    sign = elementwise.mul(
        elementwise.mul(flips, _sign_of_order(pivots)), elementwise.compare("eq", zero, 0)._cast(float64)
    )
    size = reduce.sum_(elementwise.unary("log", elementwise.abs_(movement.clone(values))), -1)
    sign, size = sign._cast(A._dtype).detach(), size._cast(A._dtype).detach()
    if needs_grad(A):

        def backward(_, dy):
            if dy is None:
                return (elementwise.zeros_of(A),)
            eye = movement.expand(eye_like(A), A._shape)
            return (solve(H(A), elementwise.mul(eye, _column(dy)), "linalg.slogdet")[0],)

        attach("linalg_slogdet", (sign, size), (A,), backward, (A,))
    return sign, size


# ---- Cholesky ------------------------------------------------------------------------------------


def cholesky(A: Tensor, upper: bool = False) -> tuple[Tensor, Tensor]:
    """(L with L L' = A, or its transpose, info)."""
    source = H(A) if upper else A
    wide = _wide(source.detach())
    info = full(A._shape[:-2], 0, int32, A.device)
    if wide.numel():
        launch(kernels.cholesky, (wide, info), (numel_of(A._shape[:-2]), A._shape[-1]))
    L = wide._cast(A._dtype).detach()
    if needs_grad(A):
        kept = L.detach()

        def backward(dL):
            # Murray 2016: Phi keeps the lower triangle, with half of the diagonal
            L = own_result(kept)
            inner = movement.tril(product.matmul(H(L), dL))
            half = elementwise.sub(inner, elementwise.mul(elementwise.mul(inner, eye_like(inner)), 0.5))
            sides = triangular(L, half, False, True)
            out = H(triangular(L, H(sides), False, True))
            out = elementwise.mul(elementwise.add(out, H(out)), 0.5)
            return (H(out) if upper else out,)

        attach("linalg_cholesky_ex", (L,), (A,), backward, (L,))
    return (H(L) if upper else L), info


# ---- QR ------------------------------------------------------------------------------------------


def qr(A: Tensor, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """(Q, R) with A = Q R; mode: "reduced", "complete", or "r", without Q."""
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            "qr received unrecognized mode '%s' but expected one of 'reduced' (default), 'r', or 'complete'" % mode
        )
    m, n = A._shape[-2:]
    k, batch = min(m, n), A._shape[:-2]
    columns = m if mode == "complete" else k
    R, Q = _wide(A.detach()), like(A, (*batch, m, columns), float64)
    tau = like(A, (*batch, k), float64)
    if Q.numel() and not R.numel():
        elementwise.copy_into(Q, movement.expand(_unit(m, columns, Q), Q._shape))
    elif R.numel():
        launch(kernels.qr, (Q, R, tau), (numel_of(batch), m, n, columns))
    R = movement.triu(movement.sliced(R, R.ndim - 2, 0, columns))
    Q, R = Q._cast(A._dtype).detach(), R._cast(A._dtype).detach()
    if needs_grad(A):
        if mode == "r":
            raise RuntimeError("The derivative of linalg.qr depends on Q; use mode 'reduced' or 'complete'")
        if mode == "complete" and m > n:
            raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols")

        kept = Q.detach(), R.detach()

        def backward(dQ, dR):
            Q, R = own_result(kept[0]), own_result(kept[1], 1)
            dQ = elementwise.zeros_of(Q) if dQ is None else dQ
            dR = elementwise.zeros_of(R) if dR is None else dR
            return (_qr_gradient(Q, R, dQ, dR, m, n),)

        attach("linalg_qr", (Q, R), (A,), backward, (Q, R))
    return Q, R


def _qr_gradient(Q: Tensor, R: Tensor, dQ: Tensor, dR: Tensor, m: int, n: int) -> Tensor:
    """PyTorch's linalg_qr_backward (Walter and Lehmann 2010)."""
    if m >= n:
        inner = elementwise.sub(product.matmul(dR, H(R)), product.matmul(H(Q), dQ))
        low = _mirrored(inner)
        whole = elementwise.add(dQ, product.matmul(Q, low))
        return H(triangular(R, H(whole), True, False))
    first, last = movement.sliced(R, R.ndim - 1, 0, m), movement.sliced(dR, dR.ndim - 1, m, n - m)
    rest = movement.sliced(R, R.ndim - 1, m, n - m)
    head = movement.sliced(dR, dR.ndim - 1, 0, m)
    # A = [X | Y]: Q and the first part of R are those of X, the rest of R is Q' Y
    dQ = elementwise.add(dQ, product.matmul(product.matmul(Q, rest), H(last)))
    dX = _qr_gradient(Q, first, dQ, head, m, m)
    return movement.cat([dX, product.matmul(Q, last)], -1)


def _mirrored(x: Tensor) -> Tensor:
    """The upper triangle of x, and itself mirrored below it."""
    low = movement.triu(x)
    return elementwise.sub(elementwise.add(low, H(low)), elementwise.mul(low, eye_like(low)))


# ---- eigenvalues, singular values ----------------------------------------------------------------


def eigh_of(A: Tensor, upper: bool = False) -> tuple[Tensor, Tensor]:
    """(Eigenvalues, ascending; eigenvectors as columns) of symmetric matrices, of one triangle."""
    V = _wide((H(A) if upper else A).detach())
    n, batch = A._shape[-1], A._shape[:-2]
    values, info = like(A, (*batch, n), float64), full(batch, 0, int32, A.device)
    if V.numel():
        launch(kernels.eigh, (values, V, info), (numel_of(batch), n))
        failed(info, "linalg.eigh", "The algorithm failed to converge.")
    values, V = values._cast(A._dtype).detach(), V._cast(A._dtype).detach()
    if needs_grad(A):
        kept = values.detach(), V.detach()

        def backward(dL, dV):
            values, V = own_result(kept[0]), own_result(kept[1], 1)
            inner = None
            if dV is not None:
                apart = elementwise.sub(movement.unsqueeze(values, -2), movement.unsqueeze(values, -1))
                eye = eye_like(A)
                apart = elementwise.add(apart, eye)  # the diagonal, which is taken away again
                inner = elementwise.div(product.matmul(H(V), dV), apart)
                inner = elementwise.sub(inner, elementwise.mul(inner, eye))
            if dL is not None:
                own = elementwise.mul(movement.unsqueeze(dL, -1), eye_like(A))
                inner = own if inner is None else elementwise.add(inner, own)
            assert inner is not None  # one of the two has a gradient
            out = product.matmul(V, product.matmul(inner, H(V)))
            return (elementwise.mul(elementwise.add(out, H(out)), 0.5),)  # symmetric, as PyTorch's

        attach("linalg_eigh", (values, V), (A,), backward, (values, V))
    return values, V


def svd_of(A: Tensor, full_matrices: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """(U, S, V') with A = U diag(S) V', S descending."""
    m, n = A._shape[-2:]
    if m < n:
        U, S, Vh = svd_of(H(A), full_matrices)
        return H(Vh), S, H(U)
    if full_matrices and needs_grad(A):  # a gradient comes by the thin form alone
        U, S, Vh = svd_of(A)
        whole = _completed(U.detach(), S.detach(), m)
        return movement.cat([U, movement.sliced(whole, whole.ndim - 1, n, m - n)], -1), S, Vh
    batch = A._shape[:-2]
    rows = _wide(H(A).detach())  # A's columns as rows
    S, Vh = like(A, (*batch, n), float64), like(A, (*batch, n, n), float64)
    info = full(batch, 0, int32, A.device)
    if rows.numel():
        launch(kernels.svd, (rows, S, Vh, info), (numel_of(batch), m, n))
        failed(
            info, "linalg.svd", "The algorithm failed to converge because the input matrix contained non-finite values."
        )
    U = H(rows)
    if full_matrices and m > n or rows.numel() and bool(reduce.any_(elementwise.compare("eq", S, 0)).item()):
        U = _completed(U, S, m if full_matrices else n)
    U, S, Vh = [movement.contiguous(v)._cast(A._dtype).detach() for v in (U, S, Vh)]
    if needs_grad(A):
        kept = U.detach(), S.detach(), Vh.detach()

        def backward(dU, dS, dVh):
            U, S, Vh = [own_result(x, i) for i, x in enumerate(kept)]
            return (_svd_gradient(U, S, Vh, dU, dS, dVh),)

        attach("linalg_svd", (U, S, Vh), (A,), backward, (U, S, Vh))
    return U, S, Vh


def _completed(U: Tensor, S: Tensor, columns: int) -> Tensor:
    """U [..., m, n] whose columns of zeros, and those up to `columns`, are made orthonormal to the
    others.
    """
    m, n = U._shape[-2:]
    Q, R = qr(U, "complete")
    sign = elementwise.where(elementwise.compare("lt", diagonal(R), 0), -1.0, 1.0)._cast(U._dtype)
    first = _scaled_columns(movement.sliced(Q, Q.ndim - 1, 0, n), sign)
    kept = elementwise.compare("gt", movement.unsqueeze(S, -2), 0)
    first = elementwise.where(kept, U, first)
    return movement.cat([first, movement.sliced(Q, Q.ndim - 1, n, columns - n)], -1) if columns > n else first


def _svd_gradient(U: Tensor, S: Tensor, Vh: Tensor, dU: Any, dS: Any, dVh: Any) -> Tensor:
    """PyTorch's svd_backward of the thin form."""
    m, n, k = U._shape[-2], Vh._shape[-1], S._shape[-1]
    inner: Any = elementwise.mul(movement.unsqueeze(dS, -1), eye_like(_square(S))) if dS is not None else None
    if dU is not None or dVh is not None:
        squares = elementwise.square(S)
        eye = eye_like(_square(S))
        E = elementwise.sub(movement.unsqueeze(squares, -2), movement.unsqueeze(squares, -1))
        E = elementwise.add(E, eye)
        row, column = movement.unsqueeze(S, -2), movement.unsqueeze(S, -1)
        skew = None
        if dU is not None:
            x = product.matmul(H(U), dU)
            skew = elementwise.mul(elementwise.div(elementwise.sub(x, H(x)), E), row)
        if dVh is not None:
            y = product.matmul(Vh, H(dVh))
            other = elementwise.mul(column, elementwise.div(elementwise.sub(y, H(y)), E))
            skew = other if skew is None else elementwise.add(skew, other)
        inner = skew if inner is None else elementwise.add(inner, skew)
    out = product.matmul(product.matmul(U, inner), Vh)
    if dU is not None and m > k:
        part = elementwise.div(dU, movement.unsqueeze(S, -2))
        rest = elementwise.sub(part, product.matmul(U, product.matmul(H(U), part)))
        out = elementwise.add(out, product.matmul(rest, Vh))
    if dVh is not None and n > k:
        part = elementwise.div(dVh, movement.unsqueeze(S, -1))
        rest = elementwise.sub(part, product.matmul(product.matmul(part, H(Vh)), Vh))
        out = elementwise.add(out, product.matmul(U, rest))
    return out


def _square(S: Tensor) -> Tensor:
    k = S._shape[-1]
    return full((k, k), 0, S._dtype, S.device)


def named(kind: str, values: tuple[Any, ...]) -> Any:
    """A named tuple of torch.return_types."""
    return getattr(return_types, kind)(values)
