"""Norms of vectors and matrices, distances, covariance: torch.norm, cdist and the like, and what
torch.linalg has of them.
"""

from __future__ import annotations

import math
from typing import Any

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.factory import like
from ..core.tensor import Tensor, float32, float64, ints_of, numel_of
from ..graph.program import launch
from ..ops import elementwise, movement, reduce, strided
from ..ops import gather as along
from ..ops import matmul as product
from .autograd.engine import own_result
from .indexing import _in_place
from .keywords import function

SMALL = 1 << 16  # elements up to which a float32 norm is summed in float64, as PyTorch's


def _float(name: str, x: Tensor, dtype: Any = None) -> Tensor:
    if dtype is not None:
        if not dtype.is_floating_point:
            raise RuntimeError("%s: dtype should be floating point or complex, but got %r" % (name, dtype))
        if x._dtype.is_floating_point:  # of integers: refused below
            if elementwise.promote_types(x._dtype, dtype) is not dtype:
                raise RuntimeError(
                    "%s: the dtype of the input (%s) should be convertible without narrowing to the specified "
                    "dtype (%s)" % (name, x._dtype.name, dtype.name)
                )
            x = x._cast(dtype)
    if not x._dtype.is_floating_point:
        raise RuntimeError("%s: Expected a floating point or complex tensor as input. Got %s" % (name, x._dtype.name))
    return x


def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """(sum |x|^ord)^(1/ord) over dim, all dimensions unless given; inf, -inf: the largest, the
    least magnitude; 0: the number of elements that are not 0.
    """
    if not isinstance(ord, (int, float)):
        raise TypeError("linalg.vector_norm: ord must be a number, not %s" % type(ord).__name__)
    x = _float("linalg.vector_norm", x, dtype)
    dims = reduce._dims(x, dim)
    n = numel_of([x._shape[d] for d in dims])
    if (
        not n
        and x.numel() == 0
        and (ord < 0 or ord == math.inf)
        and (dim is None or any(not x._shape[d] for d in dims))
    ):
        raise RuntimeError(
            "linalg.vector_norm cannot compute the %s norm on an empty tensor because the operation does not have an "
            "identity" % ord
        )
    wide = x.detach()
    if ord == 2 and x._dtype is float32 and len(dims) == x.ndim and x.numel():
        wide = movement.contiguous(wide)  # all of it: one launch
        out = like(wide, ())
        launch(kernels.global_norm, (out, wide), (wide.numel(),))
        out = out.reshape((1,) * x.ndim) if keepdim else out
        return _recorded(out.detach(), x, 2.0, dims, keepdim)
    if x._dtype is not float64 and (x._dtype is not float32 or x.numel() <= SMALL):
        wide = wide._cast(float64 if x._dtype is float32 else float32)
    size = wide if ord == 2 else elementwise.abs_(wide)
    if ord == 0:
        out = reduce.sum_(elementwise.compare("ne", size, 0)._cast(size._dtype), dims, keepdim)
    elif ord in (math.inf, -math.inf):
        out = reduce._launch("max" if ord > 0 else "min", size, dims, size._dtype)
        out = reduce._keepdim(out, x, dims) if keepdim else out
    elif ord == 1:
        out = reduce.sum_(size, dims, keepdim)
    elif ord == 2:
        out = elementwise.unary("sqrt", reduce.sum_(elementwise.square(size), dims, keepdim))
    else:
        out = elementwise.pow_(reduce.sum_(elementwise.pow_(size, float(ord)), dims, keepdim), 1.0 / ord)
    return _recorded(out._cast(x._dtype).detach(), x, float(ord), dims, keepdim)


def _recorded(out: Tensor, x: Tensor, ord: float, dims: Any, keepdim: bool) -> Tensor:
    """out, the norm of x over dims, on the tape."""
    if needs_grad(x):
        if ord == 0:  # no gradient reaches x, as in PyTorch
            attach("linalg_vector_norm", (out,), (x,), lambda dy: (None,), ())
            return out

        y = out.detach()

        def backward(dy):
            own = own_result(y)
            kept = own if keepdim or not x._shape else reduce._keepdim(own, x, dims)
            spread = dy if keepdim or not x._shape else reduce._keepdim(dy, x, dims)
            return (_norm_gradient(x, kept, spread, ord, dims),)

        attach("linalg_vector_norm", (out,), (x,), backward, (x, out))
    return out


def _sign(x: Tensor) -> Tensor:
    return elementwise.sub(
        elementwise.compare("gt", x, 0)._cast(x._dtype), elementwise.compare("lt", x, 0)._cast(x._dtype)
    )


def _norm_gradient(x: Tensor, norm: Tensor, dy: Tensor, p: float, dims: Any) -> Tensor:
    """PyTorch's norm_backward: where the norm is 0 the gradient is 0."""
    if p == 0:
        return elementwise.zeros_of(x)
    if p == 1:
        return elementwise.mul(_sign(x), dy)
    zero = elementwise.compare("eq", norm, 0)
    if p == 2:
        return elementwise.mul(x, elementwise.masked_fill(elementwise.div(dy, norm), zero, 0))
    if p in (math.inf, -math.inf):
        hits = elementwise.compare("eq", elementwise.abs_(x), norm)._cast(x._dtype)
        count = reduce.sum_(hits, dims, keepdim=True) if x._shape else hits
        return elementwise.mul(_sign(x), elementwise.mul(hits, elementwise.div(dy, count)))
    if p < 1:
        own = elementwise.mul(
            _sign(x),
            elementwise.masked_fill(elementwise.pow_(elementwise.abs_(x), p - 1), elementwise.compare("eq", x, 0), 0),
        )
        return elementwise.mul(own, elementwise.mul(dy, elementwise.pow_(norm, 1 - p)))
    if p < 2:
        own = elementwise.mul(_sign(x), elementwise.pow_(elementwise.abs_(x), p - 1))
    else:
        own = elementwise.mul(x, elementwise.pow_(elementwise.abs_(x), p - 2))
    scale = elementwise.masked_fill(elementwise.div(dy, elementwise.pow_(norm, p - 1)), zero, 0)
    return elementwise.mul(own, scale)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of matrices: "fro", "nuc", 1, -1, 2, -2, inf or -inf."""
    A = _float("linalg.matrix_norm", A, dtype)
    if A.ndim < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    given = ints_of((dim,), "a dimension")
    if len(given) != 2:
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple. Got %s" % list(given))
    rows, columns = [movement.dim_of(A, d) for d in given]
    if rows == columns:
        raise RuntimeError("linalg.matrix_norm: dims must be different. Got (%d, %d)" % given)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord in (2, -2, "nuc") and not isinstance(ord, bool):
        from .linalg.factor import checked, svd_of  # loaded at its first use

        order = [d for d in range(A.ndim) if d not in (rows, columns)]
        values = svd_of(checked("linalg.svdvals", movement.permute(A, [*order, rows, columns]), square=False))[1]
        out = reduce.sum_(values, -1) if ord == "nuc" else _amax(values, -1) if ord > 0 else _amin(values, -1)
        return reduce._keepdim(out, A, (rows, columns)) if keepdim else out
    if ord not in (1, -1, math.inf, -math.inf):
        raise RuntimeError("linalg.matrix_norm: Order %s not supported." % ord)
    first, second = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = vector_norm(A, 1, first, keepdim=True)
    out = _amax(sums, second) if ord > 0 else _amin(sums, second)
    out = movement.reshape(out, tuple([1 if d in (rows, columns) else n for d, n in enumerate(A._shape)]))
    return out if keepdim else movement.no_view(movement.squeeze(out, (rows, columns)))


def _amax(x: Tensor, d: int) -> Tensor:
    """The largest along d; equal ones share the gradient."""
    return _extreme("max", x, movement.dim_of(x, d))


def _amin(x: Tensor, d: int) -> Tensor:
    return _extreme("min", x, movement.dim_of(x, d))


def _extreme(name: str, x: Tensor, d: int) -> Tensor:
    out = reduce._launch(name, x.detach(), (d,), x._dtype)
    if needs_grad(x):
        y = out.detach()

        def backward(dy):
            hits = elementwise.compare("eq", x, movement.unsqueeze(y, d))._cast(x._dtype)
            share = elementwise.div(movement.unsqueeze(dy, d), reduce.sum_(hits, d, keepdim=True))
            return (elementwise.mul(hits, share),)

        attach("a" + name, (out,), (x,), backward, (x, y))
    return out


def linalg_norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """linalg.norm: vector_norm, or matrix_norm where two dimensions and an order are given."""
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is not None:
        count = len(ints_of((dim,), "a dimension"))
        if count not in (1, 2):
            raise RuntimeError("linalg.norm: If dim is specified, it must be of length 1 or 2. Got %s" % (dim,))
    else:
        if A.ndim not in (1, 2):
            raise RuntimeError("linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D")
        count = A.ndim
    if count == 1:
        if isinstance(ord, str):
            raise RuntimeError("linalg.norm: order %s is for matrices" % ord)
        return vector_norm(A, ord, dim, keepdim, dtype=dtype)
    return matrix_norm(A, ord, (0, 1) if dim is None else dim, keepdim, dtype=dtype)


@function
def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The p-norm over dim, all elements unless given; "nuc": the sum of the singular values."""
    if p in ("fro", None):
        return vector_norm(input, 2, dim, keepdim, dtype=dtype)
    if p == "nuc":
        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    if isinstance(p, str):
        raise RuntimeError("only valid string values are 'fro' and 'nuc', found %s" % p)
    return vector_norm(input, p, dim, keepdim, dtype=dtype)


@function
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """input with each slice along dim scaled down to a p-norm of at most maxnorm."""
    d = movement.dim_of(input, dim)
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if input.ndim < 2:
        raise RuntimeError("renorm: input needs at least 2 dimensions, got %d dimensions" % input.ndim)
    if maxnorm < 0:
        raise RuntimeError("renorm: expected maxnorm to be >= 0 but got %s" % maxnorm)
    size = vector_norm(input, p, [e for e in range(input.ndim) if e != d], keepdim=True)
    large = elementwise.compare("gt", size, maxnorm)
    factor = elementwise.where(large, elementwise.rdiv(elementwise.add(size, 1e-7), float(maxnorm)), 1.0)
    return elementwise.mul(input, factor)


def renorm_(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """renorm in place. Returns input."""
    return _in_place(input, "renorm_", (), lambda x: renorm(x, p, dim, maxnorm), reads=True)


# ---- distances -----------------------------------------------------------------------------------


@function
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other."""
    return vector_norm(elementwise.sub(input, other), p)


def _safe_root(squares: Tensor) -> Tensor:
    """Square roots whose gradient at 0 is 0."""
    zero = elementwise.compare("le", squares, 0)
    root = elementwise.unary("sqrt", elementwise.where(zero, 1.0, squares))
    return elementwise.where(zero, 0.0, root)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """[..., P, R]: the p-norms of the differences of rows of x1 [..., P, M] and x2 [..., R, M]."""
    for x in (x1, x2):
        if not isinstance(x, Tensor):
            raise TypeError("cdist(): arguments must be Tensors, not %s" % type(x).__name__)
        if not x._dtype.is_floating_point:
            raise RuntimeError("cdist only supports floating-point dtypes, got: %s" % x._dtype.name)
        if x.ndim < 2:
            raise RuntimeError("cdist only supports at least 2D tensors, got %dD" % x.ndim)
    if x1._shape[-1] != x2._shape[-1]:
        raise RuntimeError(
            "X1 and X2 must have the same number of columns. X1: %d X2: %d" % (x1._shape[-1], x2._shape[-1])
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    modes = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
    if compute_mode not in modes:
        raise ValueError("%s is not a valid value for compute_mode" % compute_mode)
    P, R = x1._shape[-2], x2._shape[-2]
    large = compute_mode == modes[1] or compute_mode == modes[0] and (P > 25 or R > 25)
    if p == 2 and large:
        first, second = [reduce.sum_(elementwise.square(x), -1, keepdim=True) for x in (x1, x2)]
        both = product.matmul(x1, movement.transpose(x2, -2, -1))
        squares = elementwise.sub(elementwise.add(first, movement.transpose(second, -2, -1)), elementwise.mul(both, 2))
        return _safe_root(elementwise.clamp(squares, min=0))
    apart = elementwise.sub(movement.unsqueeze(x1, -2), movement.unsqueeze(x2, -3))
    return vector_norm(apart, p, -1) if x1._shape[-1] else reduce.sum_(apart, -1)


@function
def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The p-norms of the differences of all pairs of rows of a matrix, i < j in order."""
    if input.ndim != 2:
        raise RuntimeError("pdist only supports 2D tensors, got: %dD" % input.ndim)
    if not input._dtype.is_floating_point:
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    n = input._shape[0]
    places = movement.arange(n, device=input.device)
    mask = elementwise.compare("lt", movement.reshape(places, (n, 1)), places)
    i, j = movement.true_places(mask)
    first, second = [along.index_select(input, 0, k, trusted=True) for k in (i, j)]
    return vector_norm(elementwise.sub(first, second), p, -1)


@function
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The products of x1 and x2 along dim, each divided by its norm, at least eps."""
    if not (x1._dtype.is_floating_point or x2._dtype.is_floating_point):
        raise RuntimeError("expected common dtype to be floating point, yet common dtype is %s" % x1._dtype.name)
    kind = elementwise.result_type(x1, x2)
    shape = elementwise.broadcast_shapes(x1._shape, x2._shape)
    sides = []
    for x in (x1, x2):
        x = movement.expand(x._cast(kind), shape)
        size = vector_norm(x, 2, dim, keepdim=True)
        # PyTorch's limit is written past the tape: the gradient is that of the norm itself
        lift = elementwise.sub(elementwise.clamp(size.detach(), min=eps), size.detach())
        sides.append(elementwise.div(x, elementwise.add(size, lift)))
    return reduce.sum_(elementwise.mul(*sides), dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norms of x1 - x2 + eps along the last dimension."""
    return vector_norm(elementwise.add(elementwise.sub(x1, x2), eps), p, -1, keepdim)


# ---- covariance ----------------------------------------------------------------------------------


@function
def cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """The covariance of variables (rows) over observations (columns)."""
    if input.ndim > 2:
        raise RuntimeError("cov(): expected input to have two or fewer dimensions but got %dD" % input.ndim)
    if input._dtype.name == "bool":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = movement.reshape(input, (1, -1)) if input.ndim < 2 else input
    weights = None
    for given, name in ((fweights, "fweights"), (aweights, "aweights")):
        if given is not None:
            if given.ndim > 1 or given.numel() != x._shape[1]:
                raise RuntimeError("cov(): expected %s to have the same numel as there are observations" % name)
            if given._dtype.is_floating_point is (name == "fweights"):
                raise RuntimeError(
                    "cov(): expected %s to have %s dtype but got %s with %s dtype"
                    % (name, "integral" if name == "fweights" else "floating point", name, given._dtype.name)
                )
            if given.numel() and reduce.min_(given.detach()).item() < 0:
                raise RuntimeError("cov(): %s cannot be negative" % name)
            given = movement.reshape(given, (-1,))
            weights = given if weights is None else elementwise.mul(weights, given)
    x = elementwise.as_float(x)
    if weights is None:
        total: Any = float(x._shape[1])
        centred = elementwise.sub(x, reduce.mean(x, 1, keepdim=True)) if x._shape[1] else x
        scaled, divisor = centred, total - correction
        divisor = max(divisor, 0.0)
    else:
        w = weights._cast(x._dtype)
        total = reduce.sum_(w)
        mean = elementwise.div(reduce.sum_(elementwise.mul(x, w), 1, keepdim=True), total)
        centred = elementwise.sub(x, mean)
        scaled = elementwise.mul(centred, w)
        share = total
        if correction and aweights is not None:
            share = elementwise.div(reduce.sum_(elementwise.mul(w, aweights._cast(x._dtype))), total)
            divisor = elementwise.sub(total, elementwise.mul(share, correction))
        else:
            divisor = elementwise.sub(total, correction)
        divisor = elementwise.clamp(divisor, min=0)
    out = elementwise.div(product.matmul(scaled, movement.transpose(centred, 0, 1)), divisor)
    return movement.no_view(movement.squeeze(out)) if input.ndim < 2 or out._shape == (1, 1) else out


@function
def corrcoef(input: Tensor) -> Tensor:
    """The correlation coefficients of variables (rows)."""
    if input.ndim > 2:
        raise RuntimeError("corrcoef(): expected input to have two or fewer dimensions but got %dD" % input.ndim)
    c = cov(input)
    if not c._shape:
        return elementwise.div(c, c)
    size = elementwise.unary("sqrt", movement.clone(strided.diagonal(c)))
    return elementwise.clamp(elementwise.div(elementwise.div(c, movement.unsqueeze(size, 1)), size), -1, 1)


__all__ = [
    "cdist", "corrcoef", "cosine_similarity", "cov", "dist", "norm", "pairwise_distance", "pdist", "renorm",
]  # fmt: skip
METHODS = {"corrcoef": corrcoef, "cov": cov, "dist": dist, "norm": norm, "renorm": renorm, "renorm_": renorm_}
