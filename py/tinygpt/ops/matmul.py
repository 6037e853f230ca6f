"""Matrix products: matmul with PyTorch's shape rules, and linear (x W^T + b) as one launch. Value and gradient side by side.

A transposed operand is read in place: the kernel takes NN, NT, TN and TT, so `x @ w.T` and the three products of a linear layer's
forward and backward copy nothing.
"""

from .. import kernels
from ..autograd import attach, wanted
from ..creation import like
from ..program import launch
from ..tensor import Tensor, float32, numel_of
from . import elementwise, quantized, reduce


def _operand(x):
    """(x, transposed, leading dimension) with rows or columns dense; a copy where neither is."""
    rows, columns = x.shape[-2:]
    row_step, column_step = x._strides[-2:]
    if (column_step == 1 or columns == 1) and (row_step >= columns or rows == 1):
        return x, 0, max(row_step if rows != 1 else columns, columns, 1)
    if (row_step == 1 or rows == 1) and (column_step >= rows or columns == 1):
        return x, 1, max(column_step if columns != 1 else rows, rows, 1)
    return x.contiguous(), 0, max(columns, 1)


def _batch_stride(x):
    """One stride that walks all batch dimensions of x (in front of its two matrix dimensions), or None."""
    sizes, strides = x.shape[:-2], x._strides[:-2]
    step = None
    for n, s in zip(reversed(sizes), reversed(strides)):
        if n == 1:
            continue
        if step is None:
            first, step = s, s * n
        elif s != step:
            return None
        else:
            step = s * n
    return 0 if step is None else first


def gemm(a, b, out=None, bias=None, alpha=1.0, gradient=False):
    """alpha * a @ b (+ bias) on [..., M, K] and [..., K, N] of equal batch shape (or one of them without); no gradient here.

    gradient: a holds gradients (a hint for devices with narrow operands).
    """
    m, k = a.shape[-2:]
    n = b.shape[-1]
    batch = a.shape[:-2] if a.ndim >= b.ndim else b.shape[:-2]
    sides = []
    for x in (a, b):
        x, transposed, ld = _operand(x)
        stride = _batch_stride(x)
        if stride is None:
            x, transposed, ld = x.contiguous(), 0, max(x.shape[-1], 1)
            stride = _batch_stride(x)
        sides.append((x, transposed, ld, stride))
    (a, ta, lda, sa), (b, tb, ldb, sb) = sides
    if out is None:
        out = like(a, batch + (m, n))
    if out.numel():
        epilogue = (kernels.BIAS if bias is not None else 0) | (kernels.GRADIENT if gradient else 0)
        launch(
            kernels.matmul,
            (out, a, b, bias, None, None),
            (numel_of(batch), m, n, k, ta, tb, lda, ldb, n, sa, sb, m * n, alpha, 0.0, epilogue),
        )
    return out


def _check(a, b, name="matmul"):
    elementwise.same_device(a, b)
    for x in (a, b):
        if x.dtype is not float32:
            raise RuntimeError(
                "%s: expected float32 operands, but got %s and %s (shapes %s and %s); convert with .float()"
                % (name, a.dtype.name, b.dtype.name, list(a.shape), list(b.shape))
            )


def matmul(a, b):
    """a @ b as torch.matmul: vectors, matrices, and batches that broadcast."""
    if not isinstance(b, Tensor):
        raise TypeError("matmul(): argument 'other' must be a Tensor, not %s" % type(b).__name__)
    _check(a, b)
    if not a.ndim or not b.ndim:
        raise RuntimeError("both arguments to matmul need to be at least 1D, but they are %dD and %dD" % (a.ndim, b.ndim))
    if a.ndim == 1:
        return matmul(a.unsqueeze(0), b).squeeze(0 if b.ndim == 1 else -2)
    if b.ndim == 1:
        return matmul(a, b.unsqueeze(1)).squeeze(-1)
    if a.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            "mat1 and mat2 shapes cannot be multiplied (%s and %s)" % ("x".join(map(str, a.shape)), "x".join(map(str, b.shape)))
        )
    if b.ndim == 2 and a.ndim > 2 and a.is_contiguous():
        return matmul(a.reshape(-1, a.shape[-1]), b).reshape(a.shape[:-1] + (b.shape[-1],))
    batch = elementwise.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if batch != a.shape[:-2]:
        a = a.expand(batch + a.shape[-2:])
    if batch != b.shape[:-2]:
        b = b.expand(batch + b.shape[-2:])
    out = gemm(a, b)
    if wanted(a, b):

        def backward(dy):
            da = gemm(dy, b.transpose(-2, -1), gradient=True) if a.requires_grad else None
            db = gemm(a.transpose(-2, -1), dy) if b.requires_grad else None
            return da, db

        attach("matmul", (out,), (a, b), backward)
    return out


def linear(x, weight, bias=None):
    """x @ weight.T + bias: x [..., K], weight [N, K], bias [N] -> [..., N]. One launch."""
    _check(x, weight, "linear")
    k = weight.shape[-1]
    if weight.ndim != 2 or x.shape[-1:] != (k,):
        raise RuntimeError(
            "linear(): input and weight shapes cannot be multiplied (%s and %s transposed)"
            % ("x".join(map(str, x.shape)), "x".join(map(str, weight.shape)))
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise RuntimeError("linear(): bias of shape %s does not fit weight of shape %s" % (list(bias.shape), list(weight.shape)))
    lead = x.shape[:-1]
    flat = x.contiguous()
    flat = Tensor(flat._storage, (numel_of(lead), k), float32, flat._offset)
    w = weight.detach()
    out = like(x, lead + weight.shape[:1])
    if flat.shape[0] == 1 and quantized.applies(x, weight, bias):
        quantized.linear(flat, weight, bias, out)
        return out
    gemm(flat, w.transpose(0, 1), Tensor(out._storage, (flat.shape[0], weight.shape[0])), bias)
    if wanted(x, weight, bias):

        def backward(dy):
            dy = dy.contiguous()
            rows = Tensor(dy._storage, (flat.shape[0], weight.shape[0]), float32, dy._offset)
            dx = dw = db = None
            if x.requires_grad:
                dx = like(dy, lead + (k,))
                gemm(rows, w, Tensor(dx._storage, flat.shape), gradient=True)
            if weight.requires_grad:
                dw = gemm(rows.transpose(0, 1), flat, gradient=True)
            if bias is not None and bias.requires_grad:
                db = reduce.sum_(rows, 0)
            return dx, dw, db

        attach(
            "linear",
            (out,),
            (x, weight, bias) if bias is not None else (x, weight),
            backward if bias is not None else lambda dy: backward(dy)[:2],
        )
    return out
