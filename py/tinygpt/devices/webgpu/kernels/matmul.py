"""Matrix products: which shader of shaders/matmul.wgsl a launch runs, and with what tile (tuning.py)."""

from ....kernels import BIAS, GELU, GELU_BACKWARD, GRADIENT, RESIDUAL
from .. import tuning
from ..plan import kernel

VECTOR = "vec4<f32>"
FEW_ROWS, FEW_COLUMNS = 8, 15  # of output: up to here `dots` and `sweep` are used
LONGEST_SWEEP = 4096  # along K: beyond, the tiles with K split over the grid have more parallel work
DOTS_WIDTH = 64  # invocations that share a row of `dots`


def _type(wide):
    return VECTOR if wide else "f32"


def _folded(p):
    """p as one product where one B serves a batch of row blocks that lie one below the other."""
    if p.batch > 1 and p.sb == 0 and not p.ta and p.sa == p.M * p.lda and p.sc == p.M * p.ldc:
        return p._replace(M=p.M * p.batch, batch=1)
    return p


@kernel("matmul")
def matmul(d, p, b):
    p = _folded(p)
    if not p.batch * p.M * p.N:
        return
    if b.sums is None and p.K and few(d, p, b):
        return
    tiles(d, p, b, b.sums)


def few(d, p, b):
    """True where few rows or few columns of output were made by `dots` or `sweep`: the operand with many rows streams through once."""
    by_columns, by_rows = p.M <= FEW_ROWS, p.N <= FEW_COLUMNS
    if by_columns and p.tb:
        section, column = "dots", True
    elif by_rows and not p.ta:
        section, column = "dots", False
    elif (by_columns or by_rows) and p.K <= LONGEST_SWEEP:
        section, column = "sweep", by_columns
    else:
        return False
    # w: the operand with many rows, x: the other, its count vectors x_s apart and their elements x_k.
    if column:
        w, rows, ldw, sw, count = b.b, p.N, p.ldb, p.sb, p.M
        x, sx, (x_s, x_k), (o_r, o_s) = b.norm_x or b.a, p.sa, (1, p.lda) if p.ta else (p.lda, 1), (1, p.ldc)
    else:
        w, rows, ldw, sw, count = b.a, p.M, p.lda, p.sa, p.N
        x, sx, (x_s, x_k), (o_r, o_s) = b.b, p.sb, (p.ldb, 1) if p.tb else (1, p.ldb), (p.ldc, 1)
    buffers, params, defines = _epilogue(d, p, b, False)
    buffers.update(w=w, x=x)
    steps = (p.K, ldw, x_s if count > 1 else 0) + ((sw, sx) if p.batch > 1 else ())
    wide = section == "dots" and x_k == 1 and not any(n % 4 for n in steps) and d.vec4(w, x, b.norm_weight, b.norm_bias)
    groups = p.batch * (rows if section == "dots" else -(-rows // 32))
    params = dict(params, rows=rows, K=p.K, count=count, total=groups, ldw=ldw, sw=sw, sx=sx, x_s=x_s, x_k=x_k, o_r=o_r, o_s=o_s)
    defines.update(S=1 << (count - 1).bit_length(), column=column, single=True, F=_type(wide), W=DOTS_WIDTH)
    if b.norm_x is not None:  # fuse.py asks for this where `dots` is chosen with one vector of x
        buffers.update(norm_weight=b.norm_weight, norm_bias=b.norm_bias)
        params.update(eps=b.norm_eps)
        defines.update(norm=b.norm_kind, T=DOTS_WIDTH)
    d.run("matmul." + section, groups, buffers, params, **defines)
    return True


def _epilogue(d, p, b, c_wide):
    """(buffers, params, defines) of shaders/epilogue.wgsl for a launch's own output."""
    bits = p.epilogue
    buffers = dict(
        out=b.out,
        bias=b.bias if bits & BIAS else None,
        residual=b.residual if bits & RESIDUAL else None,
        pre=b.pre if bits & (GELU | GELU_BACKWARD) else None,
    )
    params = dict(M=p.M, N=p.N, ldc=p.ldc, sc=p.sc, alpha=p.alpha, beta=p.beta)
    flags = dict(alpha=p.alpha != 1.0, beta=p.beta != 0.0, gelu=bool(bits & GELU), gelu_backward=bool(bits & GELU_BACKWARD))
    return buffers, params, dict(C=_type(c_wide), **flags)


def _wide(d, p, b, sums):
    """Whether A, B and the output side (out, pre, residual, bias, sums) can be read and written as vectors of four."""

    def fours(stride, ld, columns, *operands):
        return not any(n % 4 for n in (ld, columns, stride if p.batch > 1 else 0)) and d.vec4(*operands)

    a = fours(p.sa, p.lda, p.M if p.ta else p.K, b.a)
    bb = fours(p.sb, p.ldb, p.K if p.tb else p.N, b.b)
    c = fours(p.sc, p.ldc, p.N, b.out, b.bias, b.residual, b.pre, sums) and (sums is None or p.M % 4 == 0)
    return a, bb, c


def tiles(d, p, b, sums):
    """The general way: tiles of the output, K possibly split over the grid."""
    kind = d.precision if d.precision != "matrix" or min(p.M, p.N, p.K) >= 16 else "f16"
    if kind == "matrix" and sums is not None and not p.ta:
        kind = "f16"
    plain = p.batch == 1 and p.alpha == 1.0 and p.beta in (0.0, 1.0) and not p.epilogue & ~GRADIENT and p.ldc == p.N
    # Splits need a second dispatch before the result is used: a gradient of weights (ta) shares that one with all others, what the next
    # launch reads would have its own.
    plain = plain and bool(p.ta or (p.M * p.N <= 65536 and p.K >= 4096))
    config = tuning.choose(d, p.batch, p.M, p.N, p.K, p.ta, p.tb, kind, plain)
    a_wide, b_wide, c_wide = _wide(d, p, b, sums)
    splits, depth = config.splits, p.K
    buffers, params, defines = _epilogue(d, p, b, c_wide)
    if splits > 1:
        step = tuning.step(config)
        depth = -(-p.K // (splits * step)) * step
        splits = -(-p.K // depth)
    if splits > 1:
        n = p.M * p.N
        part = d.partials(splits * n)
        c_wide = p.N % 4 == 0 and (sums is None or p.M % 4 == 0)
        buffers["out"] = part
        params.update(sc=n, beta=0.0)
        defines.update(C=_type(c_wide), beta=False)
        if sums is not None:
            buffers["sums"] = d.partials(splits * p.M)
    else:
        buffers["sums"] = sums
    if p.K:
        buffers.update(a=b.a, b=b.b)
    if p.epilogue & GRADIENT and kind != "f32" and p.K:
        buffers["loss_scale"] = d.loss_scale
    down, across = -(-p.M // config.bm), -(-p.N // config.bn)
    total = down * across * p.batch * splits
    params.update(K=p.K, depth=max(depth, 1), splits=splits, across=across, down=down, total=total, lda=p.lda, ldb=p.ldb, sa=p.sa, sb=p.sb)
    layout = (_matrix_layout if kind == "matrix" else _tile_layout)(config, p, a_wide, b_wide, sums is not None, defines)
    step = tuning.step(config)
    defines.update(A=_type(a_wide), B=_type(b_wide), tail=depth % step != 0 or p.K % step != 0, **layout)
    d.run("matmul.matrix" if kind == "matrix" else "matmul.tile", total, buffers, params, **defines)
    if splits > 1:
        d.defer(b.out, part, splits, n, accumulate=p.beta == 1.0)
        if sums is not None:
            d.defer(sums, buffers["sums"], splits, p.M)


def _tile_layout(config, p, a_wide, b_wide, sums, epilogue):
    """Defines of the section `tile`: who loads what, and where sums of slices wait."""
    _, bm, bn, tm, tn, ks, _ = config
    group, half = bm // tm * (bn // tn), config.kind == "f16"
    swizzle = 4 if half else 2

    def part(x, head, along, wide, first_block):
        size, rows, first, column = (bm, "M", "m_first", 0) if x == "a" else (bn, "N", "n_first", bm // 4)
        lanes = min(swizzle, size // 16)  # columns are permuted within a row of size / 4 vectors
        return (head, x, along, wide, rows, first, 0 if x == "a" else first_block, size, column, lanes if along else 0)

    a_along, b_along = not p.ta, bool(p.tb)
    slots = []
    for s in range(-(-(bm + bn) // group)):
        begin, end, parts = s * group, (s + 1) * group, []
        if begin < bm:
            parts.append(part("a", "{" if end <= bm else "if (t < %du) {" % (bm - begin), a_along, a_wide, bm))
        if end > bm:
            ends = "" if end <= bm + bn else "t < %du" % (bm + bn - begin)
            head = ("else " if begin < bm else "") + ("if (%s) {" % ends if ends else "{")
            parts.append(part("b", head, b_along, b_wide, bm))
        slots.append((s, tuple(parts)))
    units = tm * tn // 4
    room = tuning.rest_slots(config) if half else ks * STEP_VECTORS * (bm + bn) // group // 4 * 4  # a multiple of four, as `tile` wants it
    rounds = []
    if ks > 1 and room >= (ks - 1) * units:
        rounds = [tuple((s, 0, units, (s - 1) * units) for s in range(1, ks))]
    elif ks > 1:
        rounds = [((s, u, min(u + room, units), 0),) for s in range(1, ks) for u in range(0, units, room)]
    used = room if ks > 1 or sums or epilogue["gelu"] or epilogue["gelu_backward"] else 0
    return dict(
        BM=bm, BN=bn, TM=tm, TN=tn, KS=ks, GT=group, half=half, SLOTS=tuple(slots), ROUNDS=tuple(rounds), room=used, along_a=a_along,
        swizzle_a=slots[0][1][0][-1], swizzle_b=slots[-1][1][-1][-1],
    )  # fmt: skip


STEP_VECTORS = tuning.STEP // 4


def _matrix_layout(config, p, a_wide, b_wide, sums, epilogue):
    """Defines of the section `matrix`: the operands' vectors for each invocation, rows padded by two vectors."""
    _, bm, bn, sm, sn, _, _ = config
    lanes, step = tuning.invocations(config), tuning.matrix_step(config)
    a_along, b_along = not p.ta, bool(p.tb)
    la, lb = (step if a_along else bm) // 4 + 2, (step if b_along else bn) // 4 + 2
    operands = (
        ("a", a_along, a_wide, "M", "m_first", bm, la, bm * step // 4 // lanes),
        ("b", b_along, b_wide, "N", "n_first", bn, lb, bn * step // 4 // lanes),
    )
    return dict(
        BM=bm, BN=bn, SM=sm, SN=sn, BK=step, W=lanes, LA=la, LB=lb, OPERANDS=operands, along_a=a_along, along_b=b_along,
    )  # fmt: skip
