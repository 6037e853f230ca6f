"""Layer norm and RMS norm: how many invocations share a row, and how the rows' share of the parameter gradients is cut up."""

from ..plan import kernel

WIDTH = 128  # invocations of a workgroup whose rows are independent


def items(d, n, *operands):
    """(item type, items in a row of n) for operands that are rows of n numbers: vec4 where every row begins on 16 bytes."""
    return ("vec4<f32>", n // 4) if n % 4 == 0 and d.vec4(*operands) else ("f32", n)


def shape_of_group(kind, n, most):
    """(T, K): invocations that share a row of n items, and items of each.

    K is at most `most` (of f32: twice that), and 0 for a row too long for the registers of 256 invocations. T is 32 where that is enough:
    on NVIDIA's GPUs they run in lock-step and need no barrier.
    """
    most *= 1 if kind != "f32" else 2
    for T in (16, 32, 64, 128, 256):
        if n <= T * (1 if T == 16 else most):
            return T, -(-n // T)
    return 256, 0


def forward(d, p, out, mean, rstd, x, weight, bias=None, residual=None, sum=None):
    F, n = items(d, p.C, out, x, weight, bias, residual, sum)
    T, K = shape_of_group(F, n, 4)
    W = max(WIDTH, T)
    value = "x[P.x + begin + c]" if residual is None else "(x[P.x + begin + c] + residual[P.residual + begin + c])"
    buffers = dict(out=out, mean=mean, rstd=rstd, x=x, residual=residual, sum=sum, weight=weight, bias=bias)
    d.run("norm.forward", -(-p.rows * T // W), buffers, dict(rows=p.rows, n=n, C=p.C, eps=p.eps), F=F, T=T, K=K, W=W, value=value)


@kernel("layer_norm")
def layer_norm(d, p, b):
    forward(d, p, b.out, b.mean, b.rstd, b.x, b.weight, b.bias)


@kernel("add_layer_norm")
def add_layer_norm(d, p, b):
    forward(d, p, b.out, b.mean, b.rstd, b.x, b.weight, b.bias, b.residual, b.sum)


@kernel("rms_norm")
def rms_norm(d, p, b):
    forward(d, p, b.out, None, b.rstd, b.x, b.weight)


def backward(d, p, dx, dy, x, weight, mean, rstd, add, gradients):
    """gradients: the parameter gradients wanted, {"dweight": Operand or None, "dbias": ...}.

    A workgroup takes a block of rows and writes one partial row of each gradient. Up to 4096 rows there are about 128 workgroups, as many
    as a large GPU has multiprocessors, beyond it 256: the sum that `defer` asks for reads the partial rows back, so more would cost there.
    """
    wanted = {name: operand for name, operand in gradients.items() if operand is not None}
    kinds, C = len(wanted), p.C
    F, n = items(d, C, dx, dy, x, weight, add)
    T, K = shape_of_group(F, n, 4)
    W = 256 if K else T
    group_rows = W // T
    if not (wanted and K):
        block, splits = group_rows, -(-p.rows // group_rows)
    else:
        block = -(-p.rows // ((128 if p.rows <= 4096 else 256) * group_rows)) * group_rows
        splits = max(1, -(-p.rows // max(block, 1)))
    columns_block = max(8, -(-p.rows // 128))
    columns_splits = max(1, -(-p.rows // columns_block))
    partials = None
    if wanted:
        count = splits if K else columns_splits
        partials = d.partials(kinds * count * C)
        for i, operand in enumerate(wanted.values()):
            d.defer(operand, partials.part(i * count * C, count * C), count, C)
    defines = dict(F=F, T=T, K=K, W=W, kinds=kinds, dweight="dweight" in wanted, dbias="dbias" in wanted)
    d.run("norm.backward", splits, dict(dx=dx, dy=dy, x=x, weight=weight, mean=mean, rstd=rstd, add=add, partials=partials if K else None),
          dict(rows=p.rows, n=n, C=C, block=block, splits=splits), **defines)  # fmt: skip
    if wanted and not K:
        d.run("norm.columns", (-(-n // 256), columns_splits, 1), dict(dy=dy, x=x, mean=mean, rstd=rstd, partials=partials),
              dict(rows=p.rows, n=n, block=columns_block, splits=columns_splits), **defines)  # fmt: skip


@kernel("layer_norm_backward")
def layer_norm_backward(d, p, b):
    backward(d, p, b.dx, b.dy, b.x, b.weight, b.mean, b.rstd, b.add, dict(dweight=b.dweight, dbias=b.dbias))


@kernel("rms_norm_backward")
def rms_norm_backward(d, p, b):
    backward(d, p, b.dx, b.dy, b.x, b.weight, None, b.rstd, b.add, dict(dweight=b.dweight))
