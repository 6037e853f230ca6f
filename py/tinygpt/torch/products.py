"""Products of vectors, matrices and tensors. Everything is matmul of operands that are seen, or
arranged, as matrices.
"""

from __future__ import annotations

from typing import Any

from ..core.factory import full
from ..core.tensor import Tensor, bool_, ints_of, numel_of, whole_number
from ..ops import elementwise, movement, reduce, strided
from ..ops import matmul as product
from .indexing import _in_place
from .keywords import function
from .shown import shown


def _expect(name: str, x: Tensor, rank: int, position: str) -> None:
    if not isinstance(x, Tensor):
        raise TypeError("%s(): argument '%s' must be Tensor, not %s" % (name, position, type(x).__name__))
    if x.ndim != rank:
        raise RuntimeError("%s: %s must be a %dD tensor, but it is %dD" % (name, position, rank, x.ndim))


@function
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """input @ other: vectors, matrices, and batches that broadcast."""
    return product.matmul(input, other)


@function
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices."""
    _expect("mm", input, 2, "self")
    _expect("mm", mat2, 2, "mat2")
    return product.matmul(input, mat2)


@shown("BmmBackward0")
@function
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices [B, M, K] and [B, K, N]."""
    _expect("bmm", input, 3, "batch1")
    _expect("bmm", mat2, 3, "batch2")
    if input._shape[0] != mat2._shape[0] or input._shape[2] != mat2._shape[1]:
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: [%d, %d] but got: [%d, %d]."
            % (input._shape[0], input._shape[2], *mat2._shape[:2])
        )
    return product.matmul(input, mat2)


@shown("MvBackward0")
@function
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """A matrix times a vector."""
    if input.ndim != 2 or vec.ndim != 1:
        raise RuntimeError("vector + matrix @ vector expected, got 1, %d, %d" % (input.ndim, vec.ndim))
    if input._shape[1] != vec._shape[0]:
        raise RuntimeError(
            "size mismatch, got input (%d), mat (%dx%d), vec (%d)" % (input._shape[0], *input._shape, vec._shape[0])
        )
    return product.matmul(input, vec)


@shown("DotBackward0")
@function
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements."""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError("1D tensors expected, but got %dD and %dD tensors" % (input.ndim, tensor.ndim))
    if input._dtype is not tensor._dtype:
        raise RuntimeError(
            "dot : expected both vectors to have same dtype, but found %s and %s"
            % (input._dtype.name, tensor._dtype.name)
        )
    if input.numel() != tensor.numel():
        raise RuntimeError(
            "inconsistent tensor size, expected tensor [%d] and src [%d] to have the same number of elements"
            % (input.numel(), tensor.numel())
        )
    return product.matmul(input, tensor)


@function
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """dot."""
    return dot(input, other)


@function
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sums of products along dim, with broadcasting (linalg.vecdot)."""
    if x._dtype is not y._dtype:
        raise RuntimeError("linalg.vecdot: Expected x and y to have the same dtype")
    return reduce.sum_(elementwise.mul(x, y), dim) if x._dtype.is_floating_point else _summed(x, y, dim)


def _summed(x: Tensor, y: Tensor, dim: int) -> Tensor:
    return reduce.sum_(elementwise.mul(x, y), dim)._cast(x._dtype)


@function
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The products of the last dimensions' vectors."""
    if not input._shape or not other._shape:
        return elementwise.mul(input, other)
    if input._shape[-1] != other._shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes %s and %s"
            % (list(input._shape), list(other._shape))
        )
    return tensordot(input, other, ([-1], [-1]))


@function
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of an element of each of two vectors."""
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(
            "outer: Expected 1-D argument self, but got %d-D" % (input.ndim if input.ndim != 1 else vec2.ndim)
        )
    return elementwise.mul(movement.unsqueeze(input, 1), vec2)


@function
def ger(input: Tensor, vec2: Tensor) -> Tensor:
    """outer."""
    return outer(input, vec2)


# ---- with a sum ----------------------------------------------------------------------------------


def _added(name: str, input: Tensor, made: Tensor, beta: Any, alpha: Any) -> Tensor:
    """beta * input + alpha * made; beta 0: input is not looked at."""
    if input._dtype is not made._dtype:
        raise RuntimeError(
            "%s: self and mat2 must have the same dtype, but got %s and %s"
            % (name, input._dtype.name, made._dtype.name)
        )
    if not made._dtype.is_floating_point:
        if name == "addr" and (isinstance(beta, float) or isinstance(alpha, float)):
            raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
        beta, alpha = int(beta), int(alpha)
    if elementwise.broadcast_shapes(input._shape, made._shape) != made._shape:
        raise RuntimeError(
            "The expanded size of the tensor %s must match the existing size %s"
            % (list(made._shape), list(input._shape))
        )
    if alpha != 1:
        made = elementwise.mul(made, alpha)
    if beta == 0:
        return made
    return elementwise.add(made, input if beta == 1 else elementwise.mul(input, beta))


@shown("AddmmBackward0")
@function
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * mat1 @ mat2."""
    _expect("addmm", mat1, 2, "mat1")
    _expect("addmm", mat2, 2, "mat2")
    return _added("addmm", input, product.matmul(mat1, mat2), beta, alpha)


@function
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * mat @ vec."""
    return _added("addmv", input, mv(mat, vec), beta, alpha)


@function
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * the sum of the batch's products."""
    _batches(input, batch1, batch2)
    made = bmm(batch1, batch2)
    return _added("addbmm", input, reduce.sum_(made, 0)._cast(made._dtype), beta, alpha)


def _batches(*given: Tensor) -> None:
    """IndexError, as PyTorch's, where a batch has fewer than three dimensions."""
    for x in given[1:]:
        if x.ndim < 3:
            r = max(x.ndim, 1)
            raise IndexError("Dimension out of range (expected to be in range of [%d, %d], but got 2)" % (-r, r - 1))


@shown("BaddbmmBackward0")
@function
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * batch1 @ batch2."""
    _batches(input, batch1, batch2)
    return _added("baddbmm", input, bmm(batch1, batch2), beta, alpha)


@function
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * the outer product of two vectors."""
    made = outer(vec1, vec2)
    kind = elementwise.result_type(input, made)
    if kind is bool_:
        return elementwise.logical_or(
            elementwise.logical_and(input, full((), bool(beta))), elementwise.logical_and(made, full((), bool(alpha)))
        )
    return _added("addr", elementwise.promoted(input, kind), elementwise.promoted(made, kind), beta, alpha)


def _added_in_place(f: Any) -> Any:
    name = f.__name__ + "_"

    def call(self: Tensor, a: Tensor, b: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
        return _in_place(self, name, (a, b), lambda x: _fitting(self, f(x, a, b, beta=beta, alpha=alpha)))

    call.__name__, call.__doc__ = name, f.__name__ + " in place. Returns the first tensor."
    return call


def _fitting(x: Tensor, made: Tensor) -> Tensor:
    if made._shape != x._shape:
        raise RuntimeError(
            "output with shape %s doesn't match the broadcast shape %s" % (list(x._shape), list(made._shape))
        )
    return made


# ---- several dimensions --------------------------------------------------------------------------


@function
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over dims: the last ones of a and the first of b, or a list for each."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, (tuple, list)):
        first, second = [ints_of((d,), "a dimension") for d in dims]
    else:
        count = whole_number(dims, "dims")
        if count < 0:
            raise RuntimeError("tensordot expects dims >= 0, but got dims=%d" % count)
        first, second = tuple(range(a.ndim - count, a.ndim)), tuple(range(count))
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    if a._dtype is not b._dtype:
        raise RuntimeError("both inputs should have same dtype")
    if len(first) > a.ndim or len(second) > b.ndim:
        raise RuntimeError("tensordot: more dims than a tensor of shape %s has" % list(a._shape))
    first, second = [movement.dim_of(a, d) for d in first], [movement.dim_of(b, d) for d in second]
    for d, e in zip(first, second):
        if a._shape[d] != b._shape[e] and 1 in (a._shape[d], b._shape[e]):
            if a._shape[d] == 1:
                b = reduce.sum_(b, e, keepdim=True)._cast(b._dtype)
            else:
                a = reduce.sum_(a, d, keepdim=True)._cast(a._dtype)
        if a._shape[d] != b._shape[e]:
            raise RuntimeError(
                "contracted dimensions need to match, but first has size %d in dim %d and second has size %d in dim %d"
                % (a._shape[d], d, b._shape[e], e)
            )
    left = [d for d in range(a.ndim) if d not in first]
    right = [d for d in range(b.ndim) if d not in second]
    shape = tuple([a._shape[d] for d in left] + [b._shape[d] for d in right])
    inner_size = numel_of([a._shape[d] for d in first])
    rows = movement.reshape(movement.permute(a, left + first), (numel_of([a._shape[d] for d in left]), inner_size))
    columns = movement.reshape(
        movement.permute(b, second + right), (inner_size, numel_of([b._shape[d] for d in right]))
    )
    return movement.no_view(movement.reshape(product.matmul(rows, columns), shape))


@function
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product."""
    rank = max(input.ndim, other.ndim)
    a, b = [(1,) * (rank - x.ndim) + x._shape for x in (input, other)]
    left = movement.reshape(input, [n for s in a for n in (s, 1)])
    right = movement.reshape(other, [n for s in b for n in (1, s)])
    return movement.no_view(movement.reshape(elementwise.mul(left, right), [n * m for n, m in zip(a, b)]))


@function
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product along dim, the first dimension of size 3 unless given."""
    if dim is None:
        shape = input._shape
        if 3 not in shape:
            raise RuntimeError("no dimension of size 3 in input")
        dim = shape.index(3)
    return cross_along(input, other, dim)


def cross_along(x: Tensor, y: Tensor, dim: int) -> Tensor:
    """The cross product along dim, with broadcasting."""
    if x.ndim != y.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    d = movement.dim_of(x, dim)
    if x._shape[d] != 3 or y._shape[d] != 3:
        raise RuntimeError(
            "linalg.cross: inputs dimension %d must have length 3. Got %d and %d" % (d, x._shape[d], y._shape[d])
        )
    a, b = [strided.unbind(v, d) for v in (x, y)]
    parts = [
        elementwise.sub(elementwise.mul(a[i], b[j]), elementwise.mul(a[j], b[i])) for i, j in ((1, 2), (2, 0), (0, 1))
    ]
    return movement.stack(parts, d)


@function
def chain_matmul(*matrices: Any) -> Tensor:
    """The product of several matrices, in the order that multiplies least."""
    given = list(matrices[0]) if len(matrices) == 1 and isinstance(matrices[0], (list, tuple)) else list(matrices)
    for x in given:
        if x.ndim != 2:
            raise RuntimeError("Tensor dimension is %d, expected 2 instead." % x.ndim)
    return multiplied(given) if len(given) > 1 else given[0]


def multiplied(tensors: Any) -> Tensor:
    """linalg.multi_dot: the product of matrices (vectors at the ends), in the cheapest order."""
    xs = list(tensors)
    if len(xs) < 2:
        raise RuntimeError("multi_dot(): expected at least 2 tensors but got %d" % len(xs))
    first, last = xs[0].ndim == 1, xs[-1].ndim == 1
    for i, x in enumerate(xs):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, len(xs) - 1)):
            raise RuntimeError("multi_dot(): tensor %d must be 2D but got %dD" % (i, x.ndim))
    xs[0] = movement.unsqueeze(xs[0], 0) if first else xs[0]
    xs[-1] = movement.unsqueeze(xs[-1], 1) if last else xs[-1]
    for a, b in zip(xs, xs[1:]):
        if a._shape[1] != b._shape[0]:
            raise RuntimeError(
                "multi_dot(): tensors of shapes %s and %s cannot be multiplied" % (list(a._shape), list(b._shape))
            )
    sizes = [x._shape[0] for x in xs] + [xs[-1]._shape[1]]
    n = len(xs)
    cost = [[0] * n for _ in range(n)]  # Cormen et al., 15.2
    cut = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = [(cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            cost[i][j], cut[i][j] = min(options)

    def made(i: int, j: int) -> Tensor:
        return xs[i] if i == j else product.matmul(made(i, cut[i][j]), made(cut[i][j] + 1, j))

    out = made(0, n - 1)
    if last:
        out = movement.squeeze(out, 1)
    return movement.no_view(movement.squeeze(out, 0) if first else out)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1' W_k x2 + b_k: input1 [..., A], input2 [..., B], weight [K, A, B] -> [..., K]."""
    lead = input1._shape[:-1]
    if lead != input2._shape[:-1]:
        raise RuntimeError(
            "bilinear(): input batch dimensions do not match: got %s and %s"
            % (list(input1._shape), list(input2._shape))
        )
    K, A, B = weight._shape
    x1, x2 = movement.reshape(input1, (-1, A)), movement.reshape(input2, (-1, B))
    turned = movement.reshape(movement.permute(weight, (1, 0, 2)), (A, K * B))
    each = movement.reshape(product.matmul(x1, turned), (x1._shape[0], K, B))
    out = movement.reshape(product.matmul(each, movement.unsqueeze(x2, 2)), (*lead, K))
    return out if bias is None else elementwise.add(out, bias)


_SUMS = {f.__name__ + "_": _added_in_place(f) for f in (addmm, addmv, addbmm, baddbmm, addr)}
__all__ = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bilinear", "bmm", "chain_matmul", "cross", "dot", "ger", "inner",
    "kron", "matmul", "mm", "mv", "outer", "tensordot", "vdot",
]  # fmt: skip
METHODS = {
    "addbmm": addbmm, "addmm": addmm, "addmv": addmv, "addr": addr, "baddbmm": baddbmm, "bmm": bmm, "cross": cross,
    "dot": dot, "ger": ger, "inner": inner, "kron": kron, "matmul": matmul, "mm": mm, "mv": mv, "outer": outer,
    "vdot": vdot, **_SUMS,
}  # fmt: skip
