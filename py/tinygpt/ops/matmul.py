"""Matrix products: matmul with PyTorch's shape rules, and linear (x W^T + b) as one launch. Value
and gradient side by side.

A transposed operand is read in place: the kernel takes NN, NT, TN and TT, so `x @ w.T` and the
three products of a linear layer's forward and backward copy nothing.
"""

from __future__ import annotations

from .. import kernels
from ..core.autograd import attach, needs_grad
from ..core.eager import in_c
from ..core.factory import like
from ..core.tensor import Tensor, bool_, float32, float64, int64, numel_of
from ..graph.program import launch
from . import elementwise, movement, quantized, reduce


def _operand(x: Tensor) -> tuple[Tensor, int, int]:
    """(x, transposed, leading dimension) with rows or columns dense; a copy where neither is."""
    rows, columns = x._shape[-2:]
    row_step, column_step = x._strides[-2:]
    if (column_step == 1 or columns == 1) and (row_step >= columns or rows == 1):
        return x, 0, max(row_step if rows != 1 else columns, columns, 1)
    if (row_step == 1 or rows == 1) and (column_step >= rows or columns == 1):
        return x, 1, max(column_step if columns != 1 else rows, rows, 1)
    return x.contiguous(), 0, max(columns, 1)


def _batch_stride(x: Tensor) -> int | None:
    """One stride that walks all batch dimensions of x (in front of its two matrix dimensions), or
    None.
    """
    sizes, strides = x._shape[:-2], x._strides[:-2]
    step, first = None, 0
    for n, s in zip(reversed(sizes), reversed(strides)):
        if n == 1:
            continue
        if step is None:
            first, step = s, s * n
        elif s != step:
            return None
        else:
            step = s * n
    return first


@in_c
def gemm(
    a: Tensor,
    b: Tensor,
    out: Tensor | None = None,
    bias: Tensor | None = None,
    alpha: float = 1.0,
    gradient: bool = False,
) -> Tensor:
    """alpha * a @ b (+ bias) as one launch, into `out` where given; no gradient here.

    a: float32 [..., M, K]. b: float32 [..., K, N], of a's batch shape, or one of both without.
    bias: [N]. Returns [..., M, N]. gradient: a holds gradients (a hint for devices with narrow
    operands).
    """
    if a._dtype is not float32:
        return _other(a, b, out)
    M, K = a._shape[-2:]
    N = ldc = b._shape[-1]
    sc, beta = M * N, 0.0
    batch_shape = a._shape[:-2] if a.ndim >= b.ndim else b._shape[:-2]
    batch = numel_of(batch_shape)
    sides = []
    for x in (a, b):
        x, transposed, ld = _operand(x)
        stride = _batch_stride(x)
        if stride is None:
            x, transposed, ld = x.contiguous(), 0, max(x._shape[-1], 1)
            stride = _batch_stride(x)
        sides.append((x, transposed, ld, stride))
    (a, ta, lda, sa), (b, tb, ldb, sb) = sides
    if out is None:
        out = like(a, batch_shape + (M, N))
    if out.numel():
        epilogue = (kernels.BIAS if bias is not None else 0) | (kernels.GRADIENT if gradient else 0)
        launch(
            kernels.matmul,
            (out, a, b, bias, None, None),
            (batch, M, N, K, ta, tb, lda, ldb, ldc, sa, sb, sc, alpha, beta, epilogue),
        )
    return out


def _other(a: Tensor, b: Tensor, out: Tensor | None) -> Tensor:
    """gemm of another dtype than float32. The 16-bit floats are multiplied as float32, the integers
    as int64, and the result is rounded or cut to its low bits.
    """
    dtype = a._dtype
    computed = dtype if dtype is float64 else float32 if dtype.is_floating_point else int64
    if computed is float32:
        made = gemm(a._cast(float32), b._cast(float32))
    else:
        M, K, N = *a._shape[-2:], b._shape[-1]
        lead = a._shape[:-2] if a.ndim >= b.ndim else b._shape[:-2]
        a = movement.contiguous(a.detach().expand(lead + (M, K))._cast(computed))
        b = movement.contiguous(b.detach().expand(lead + (K, N))._cast(computed))
        made = like(a, lead + (M, N))
        if made.numel():
            places = (max(K, 1), max(N, 1), max(N, 1), M * K, K * N, M * N)
            launch(kernels.wide_matmul, (made, a, b), (computed.code, numel_of(lead), M, N, K, 0, 0, *places))
    made = made._cast(dtype)
    if out is None:
        return made
    elementwise.copy_into(out, made)
    return out


def _check(a: Tensor, b: Tensor, name: str = "matmul") -> None:
    elementwise.same_device(a, b)
    if a._dtype is not b._dtype:
        raise RuntimeError(
            "%s: expected both operands to have the same dtype, but got %s and %s (shapes %s and %s)"
            % (name, a._dtype.name, b._dtype.name, list(a._shape), list(b._shape))
        )
    if a._dtype is bool_:
        raise NotImplementedError("%s is not implemented for bool; convert with .float()" % name)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """a @ b as torch.matmul: vectors, matrices, and batches that broadcast.

    a: float32 [..., M, K] or [K]. b: float32 [..., K, N] or [K]. Returns [..., M, N] without the
    dimension that a vector lacks. RuntimeError where shapes, dtypes or devices do not fit,
    TypeError where b is no Tensor.
    """
    if not isinstance(b, Tensor):
        raise TypeError("matmul(): argument 'other' must be a Tensor, not %s" % type(b).__name__)
    _check(a, b)
    if not a.ndim or not b.ndim:
        raise RuntimeError(
            "both arguments to matmul need to be at least 1D, but they are %dD and %dD" % (a.ndim, b.ndim)
        )
    if a.ndim == 1 or b.ndim == 1:
        return _with_vectors(a, b)
    if a._shape[-1] != b._shape[-2]:
        raise RuntimeError(
            "mat1 and mat2 shapes cannot be multiplied (%s and %s)"
            % ("x".join(map(str, a._shape)), "x".join(map(str, b._shape)))
        )
    if b.ndim == 2 and a.ndim > 2 and a.is_contiguous() and a._shape[-1]:
        return movement.no_view(matmul(a.reshape(-1, a._shape[-1]), b).reshape(a._shape[:-1] + (b._shape[-1],)))
    batch = elementwise.broadcast_shapes(a._shape[:-2], b._shape[:-2])
    if batch != a._shape[:-2]:
        a = a.expand(batch + a._shape[-2:])
    if batch != b._shape[:-2]:
        b = b.expand(batch + b._shape[-2:])
    out = gemm(a, b)
    if needs_grad(a, b):

        def backward(dy):
            da = gemm(dy, b.transpose(-2, -1), gradient=True) if a._requires_grad else None
            db = gemm(a.transpose(-2, -1), dy) if b._requires_grad else None
            return da, db

        attach("matmul", (out,), (a, b), backward, elementwise.partners(a, b))
    return out


def _with_vectors(a: Tensor, b: Tensor) -> Tensor:
    """matmul where a, b or both are vectors."""
    recorded = needs_grad(a, b)
    # What is made of an operand whose gradient goes nowhere would have a Node, and be kept for it.
    x, y = [v if elementwise.has_edge(v) else v.detach() for v in (a, b)] if recorded else (a, b)
    if a.ndim == 1:
        out = matmul(x.unsqueeze(0), y).squeeze(0 if b.ndim == 1 else -2)
    else:
        out = matmul(x, y.unsqueeze(1)).squeeze(-1)
    if recorded and not out._requires_grad:
        attach("matmul", (out,), (a, b), lambda dy: (None, None), ())
    return movement.no_view(out)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias as one launch.

    x: float32 [..., K]. weight: float32 [N, K]. bias: float32 [N]. Returns [..., N]. A single row
    without gradient reads the weight's int8 form where it has one (quantized.py). RuntimeError
    where shapes, dtypes or devices do not fit.
    """
    if weight is None:  # pyright: ignore[reportUnnecessaryComparison]: a layer's that was set to None
        raise TypeError("linear(): argument 'weight' must be a Tensor, not None")
    _check(x, weight, "linear")
    K = weight._shape[-1] if weight._shape else 0
    if weight.ndim != 2 or x._shape[-1:] != (K,):
        raise RuntimeError(
            "linear(): input and weight shapes cannot be multiplied (%s and %s transposed)"
            % ("x".join(map(str, x._shape)), "x".join(map(str, weight._shape)))
        )
    if bias is not None and (bias._shape != weight._shape[:1] or bias._dtype is not x._dtype):
        _check(x, bias, "linear")
        raise RuntimeError(
            "linear(): bias of shape %s does not fit weight of shape %s" % (list(bias._shape), list(weight._shape))
        )
    if x._dtype is not float32:
        out = matmul(x, weight.transpose(0, 1))
        return out if bias is None else elementwise.add(out, bias)
    lead = x._shape[:-1]
    flat = x.contiguous()
    flat = Tensor(flat._storage, (numel_of(lead), K), float32, flat._offset)
    w = weight.detach()
    across = Tensor(w._storage, w._shape[::-1], float32, w._offset, w._strides[::-1])  # transpose() is 2 us slower
    out = like(x, lead + weight._shape[:1])
    if flat._shape[0] == 1 and quantized.applies(x, weight, bias):
        quantized.linear(flat, weight, bias, out)
        return out
    gemm(flat, across, Tensor(out._storage, (flat._shape[0], weight._shape[0])), bias)
    if needs_grad(x, weight, bias):

        def backward(dy):
            dy = dy.contiguous()
            rows = Tensor(dy._storage, (flat._shape[0], weight._shape[0]), float32, dy._offset)
            dx = dw = db = None
            if x._requires_grad:
                dx = like(dy, lead + (K,))
                gemm(rows, w, Tensor(dx._storage, flat._shape), gradient=True)
            if weight._requires_grad:
                dw = gemm(rows.transpose(0, 1), flat, gradient=True)
            if bias is not None and bias._requires_grad:
                db = reduce.sum_(rows, 0)
            return dx, dw, db

        kept = (x if x.ndim == 2 else flat,) if elementwise.has_edge(weight) else ()
        attach(
            "linear",
            (out,),
            (x, weight, bias) if bias is not None else (x, weight),
            backward if bias is not None else lambda dy: backward(dy)[:2],
            (weight, *kept) if elementwise.has_edge(x) else kept,
        )
    return out
