"""The plan of matrix products: which shader a launch runs, with what tile (tile_choice.py), and how
its operands are read.

In: a launch of the contract's `matmul`. Out: one dispatch of matmul_vector.wgsl (few rows or
columns of output), or of matmul_tile.wgsl or matmul_subgroup_matrix.wgsl, with deferred sums where
K is split over the grid. The records below are the shaders' defines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ....kernels import BIAS, GELU, GELU_BACKWARD, GRADIENT, RESIDUAL
from .. import tile_choice
from ..dispatch_plan import kernel

if TYPE_CHECKING:
    from typing import Protocol

    from ..dispatch_plan import Operand, Planner
    from ..tile_choice import Config

    Defines = dict[str, Any]

    class Product(Protocol):
        """The params of a launch."""

        batch: int
        M: int
        N: int
        K: int
        ta: int
        tb: int
        lda: int
        ldb: int
        ldc: int
        sa: int
        sb: int
        sc: int
        alpha: float
        beta: float
        epilogue: int

        def _replace(self, **changes: int) -> Product: ...

    class Buffers(Protocol):
        """The operands of a launch, and what dispatch_fusion.py merged into it: the buffer for row
        sums of A, or the norm whose result is A.
        """

        out: Operand
        a: Operand
        b: Operand
        bias: Operand | None
        residual: Operand | None
        pre: Operand | None
        sums: Operand | None
        norm_x: Operand | None
        norm_weight: Operand | None
        norm_bias: Operand | None
        norm_eps: float
        norm_kind: str


VECTOR = "vec4<f32>"
SKINNY_ROWS, SKINNY_COLUMNS = 8, 15  # of output: up to here matmul_vector.wgsl is used
LONGEST_SWEEP = 4096  # along K: beyond, the tiles with K split over the grid have more parallel work
DOTS_WIDTH = 64  # invocations that share a row of `dots`
SWEEP_ROWS = 32  # rows of `sweep`'s workgroups
STEP_VECTORS = tile_choice.STEP // 4


@kernel("matmul")
def matmul(d: Planner, p: Product, b: Buffers) -> None:
    p = _folded(p)
    if not p.batch * p.M * p.N:
        return
    product = _matrix_vector(p, b) if b.sums is None and p.K else None
    if product:
        _run_matrix_vector(d, p, b, product)
    else:
        _run_tiles(d, p, b)


def _folded(p: Product) -> Product:
    """p as one product where one B serves a batch of row blocks one below the other."""
    if p.batch > 1 and p.sb == 0 and not p.ta and p.sa == p.M * p.lda and p.sc == p.M * p.ldc:
        return p._replace(M=p.M * p.batch, batch=1)
    return p


def _type(vec4: bool) -> str:
    return VECTOR if vec4 else "f32"


def _epilogue(p: Product, b: Buffers, vec4: bool) -> tuple[dict[str, Operand | None], dict[str, float], Defines]:
    """(buffers, params, defines) of shaders/matmul_epilogue.wgsl for a launch's own output.

    vec4: it is written as vectors of four.
    """
    bits = p.epilogue
    buffers: dict[str, Operand | None] = dict(
        out=b.out,
        bias=b.bias if bits & BIAS else None,
        residual=b.residual if bits & RESIDUAL else None,
        pre=b.pre if bits & (GELU | GELU_BACKWARD) else None,
    )
    params: dict[str, float] = dict(M=p.M, N=p.N, ldc=p.ldc, sc=p.sc, alpha=p.alpha, beta=p.beta)
    flags = dict(
        alpha=p.alpha != 1.0, beta=p.beta != 0.0, gelu=bool(bits & GELU), gelu_backward=bool(bits & GELU_BACKWARD)
    )
    return buffers, params, dict(C=_type(vec4), **flags)


# ---- matrix-vector ----


class MatrixVector(NamedTuple):
    """A skinny product by the names of matmul_vector.wgsl: w, the operand with many rows, and a few
    vectors x. Strides count elements.
    """

    section: str  # "dots" or "sweep"
    column: bool  # w is B, and its rows make columns of the output
    w: Operand
    rows: int  # of w
    ldw: int
    sw: int  # from one product of the batch to the next
    x: Operand
    vectors: int  # of x
    sx: int
    x_vector: int  # from one vector to the next
    x_k: int  # from one element of a vector to the next
    out_row: int  # of the output, from one row of w to the next
    out_vector: int  # of the output, from one vector of x to the next


def _matrix_vector(p: Product, b: Buffers) -> MatrixVector | None:
    """The MatrixVector of a product of few rows or columns; None where tiles are better."""
    few_rows, few_columns = p.M <= SKINNY_ROWS, p.N <= SKINNY_COLUMNS
    if few_rows and p.tb:
        section, column = "dots", True
    elif few_columns and not p.ta:
        section, column = "dots", False
    elif (few_rows or few_columns) and p.K <= LONGEST_SWEEP:
        section, column = "sweep", few_rows
    else:
        return None
    if column:
        x_vector, x_k = (1, p.lda) if p.ta else (p.lda, 1)
        return MatrixVector(
            section, column, w=b.b, rows=p.N, ldw=p.ldb, sw=p.sb, x=b.norm_x or b.a, vectors=p.M, sx=p.sa,
            x_vector=x_vector, x_k=x_k, out_row=1, out_vector=p.ldc,
        )  # fmt: skip
    x_vector, x_k = (p.ldb, 1) if p.tb else (1, p.ldb)
    return MatrixVector(
        section, column, w=b.a, rows=p.M, ldw=p.lda, sw=p.sa, x=b.b, vectors=p.N, sx=p.sb, x_vector=x_vector, x_k=x_k,
        out_row=p.ldc, out_vector=1,
    )  # fmt: skip


def _run_matrix_vector(d: Planner, p: Product, b: Buffers, v: MatrixVector) -> None:
    buffers, params, defines = _epilogue(p, b, False)
    buffers.update(w=v.w, x=v.x)
    strides = (p.K, v.ldw, v.x_vector if v.vectors > 1 else 0) + ((v.sw, v.sx) if p.batch > 1 else ())
    dots = v.section == "dots"
    vec4 = dots and v.x_k == 1 and not any(n % 4 for n in strides) and d.vec4(v.w, v.x, b.norm_weight, b.norm_bias)
    groups = p.batch * (v.rows if dots else -(-v.rows // SWEEP_ROWS))
    params.update(
        rows=v.rows, K=p.K, count=v.vectors, total=groups, ldw=v.ldw, sw=v.sw, sx=v.sx, x_vector=v.x_vector, x_k=v.x_k,
        out_row=v.out_row, out_vector=v.out_vector,
    )  # fmt: skip
    defines.update(S=1 << (v.vectors - 1).bit_length(), column=v.column, single=True, F=_type(vec4), W=DOTS_WIDTH)
    if b.norm_x is not None:  # dispatch_fusion.py requests this where `dots` is chosen with one vector of x
        buffers.update(norm_weight=b.norm_weight, norm_bias=b.norm_bias)
        params.update(eps=b.norm_eps)
        defines.update(norm=b.norm_kind, T=DOTS_WIDTH)
    d.run("matmul_vector." + v.section, groups, buffers, params, label="matmul." + v.section, **defines)


# ---- tiles ----


def _run_tiles(d: Planner, p: Product, b: Buffers) -> None:
    """The general way: tiles of the output, K possibly split over the grid."""
    sums = b.sums  # dispatch_fusion.py: the sums of A's rows are written too
    kind = _kind(d, p, sums)
    config = tile_choice.choose(d.device, p.batch, p.M, p.N, p.K, p.ta, p.tb, kind, _may_split(p))
    a_vec4, b_vec4, c_vec4 = _vec4(d, p, b, sums)
    buffers, params, defines = _epilogue(p, b, c_vec4)
    step = tile_choice.step(config)
    splits, depth = config.splits, p.K
    if splits > 1:
        depth = -(-p.K // (splits * step)) * step
        splits = -(-p.K // depth)
    n = p.M * p.N
    part = d.partials(splits * n) if splits > 1 else None
    part_of_sums = d.partials(splits * p.M) if part and sums else None
    if part:
        buffers["out"] = part
        params.update(sc=n, beta=0.0)
        defines.update(C=_type(p.N % 4 == 0 and (sums is None or p.M % 4 == 0)), beta=False)
    buffers["sums"] = part_of_sums or sums
    if p.K:
        buffers.update(a=b.a, b=b.b)
    if p.epilogue & GRADIENT and kind != "f32" and p.K:
        buffers["loss_scale"] = d.loss_scale
    down, across = -(-p.M // config.bm), -(-p.N // config.bn)
    total = down * across * p.batch * splits
    params.update(K=p.K, lda=p.lda, ldb=p.ldb, sa=p.sa, sb=p.sb)
    params.update(depth=max(depth, 1), splits=splits, across=across, down=down, total=total)
    defines.update(tail=depth % step != 0 or p.K % step != 0)
    if kind == "f16_matrix":
        defines.update(_matrix_layout(config, p, a_vec4, b_vec4))
        d.run("matmul_subgroup_matrix.main", total, buffers, params, label="matmul.matrix", **defines)
    else:
        needs_scratch = sums is not None or defines["gelu"] or defines["gelu_backward"]
        defines.update(_tile_layout(config, p, a_vec4, b_vec4, needs_scratch))
        d.run("matmul_tile.main", total, buffers, params, label="matmul.tile", **defines)
    if part:
        d.defer(b.out, part, splits, n, accumulate=p.beta == 1.0)
    if sums and part_of_sums:
        d.defer(sums, part_of_sums, splits, p.M)


def _kind(d: Planner, p: Product, sums: Operand | None) -> str:
    """The kind of tile (tile_choice.Config.kind) at the device's precision.

    The matrix units take 16 x 16 x 16 elements, and make row sums of A where ta.
    """
    if d.precision == "f16_matrix" and (min(p.M, p.N, p.K) < 16 or (sums is not None and not p.ta)):
        return "f16"
    return d.precision


def _may_split(p: Product) -> bool:
    """Whether K may be split over the grid: neither an epilogue nor a strided output, and the
    second dispatch is worth it.

    Splits need that dispatch before the result is used. A gradient of weights (ta) shares it with
    all others. A result that the next launch reads would need its own.
    """
    plain = p.batch == 1 and p.alpha == 1.0 and p.beta in (0.0, 1.0) and not p.epilogue & ~GRADIENT and p.ldc == p.N
    return plain and bool(p.ta or (p.M * p.N <= 65536 and p.K >= 4096))


def _vec4(d: Planner, p: Product, b: Buffers, sums: Operand | None) -> tuple[bool, bool, bool]:
    """Whether A, B and the output side (out, pre, residual, bias, sums) can be read and written as
    vectors of four.
    """

    def fours(stride: int, ld: int, columns: int, *operands: Operand | None) -> bool:
        return not any(n % 4 for n in (ld, columns, stride if p.batch > 1 else 0)) and d.vec4(*operands)

    of_a = fours(p.sa, p.lda, p.M if p.ta else p.K, b.a)
    of_b = fours(p.sb, p.ldb, p.K if p.tb else p.N, b.b)
    of_c = fours(p.sc, p.ldc, p.N, b.out, b.bias, b.residual, b.pre, sums) and (sums is None or p.M % 4 == 0)
    return of_a, of_b, of_c


class TileOperand(NamedTuple):
    """A or B as matmul_tile.wgsl stages it, in blocks of 4 x 4. matmul_operands.wgsl reads the
    first five. In a template `${X}` is the name.
    """

    name: str  # "a" or "b"
    type: str  # of its buffer's elements
    vec4: bool  # they are vectors of four
    along_k: bool  # neighbours in memory are neighbours along K
    rows: str  # the param with its number of rows: "M" or "N"
    size: int  # of its rows in a tile
    first_block: int  # its first block among the tile's: A's come first
    swizzle: int  # a tile's columns are permuted by XOR with swizzle * (k / 4)

    def __str__(self) -> str:
        return self.name


class MatrixOperand(NamedTuple):
    """A or B as matmul_subgroup_matrix.wgsl stages it, in vectors of four."""

    name: str
    type: str
    vec4: bool
    along_k: bool
    rows: str
    size: int
    L: int  # vectors of a line of the tile, padding included
    slots: int  # vectors of each invocation

    def __str__(self) -> str:
        return self.name


class Share(NamedTuple):
    """The invocations begin..end-1 of a slice have a block of one operand in a slot."""

    operand: TileOperand
    begin: int
    end: int


class Handoff(NamedTuple):
    """A slice's outputs begin..end-1 (vectors of each invocation) go to slice 0 through the scratch
    memory, from `slot` on.
    """

    slice: int
    begin: int
    end: int
    slot: int


def _tile_layout(config: Config, p: Product, a_vec4: bool, b_vec4: bool, needs_scratch: bool) -> Defines:
    """Defines of matmul_tile.wgsl: who loads what, and where sums of slices wait."""
    bm, bn, tm, tn, ks = config.bm, config.bn, config.tm, config.tn, config.ks
    group, half = (bm // tm) * (bn // tn), config.kind == "f16"

    def operand(name: str, vec4: bool, along_k: bool, rows: str, size: int, first_block: int) -> TileOperand:
        # Columns are permuted within a row of size / 4 vectors.
        swizzle = min(4 if half else 2, size // 16) if along_k else 0
        return TileOperand(name, _type(vec4), vec4, along_k, rows, size, first_block, swizzle)

    a = operand("a", a_vec4, not p.ta, "M", bm, 0)
    b = operand("b", b_vec4, bool(p.tb), "N", bn, bm)
    units = tm * tn // 4
    # A multiple of four: the shader loops over four at a time.
    scratch = tile_choice.scratch_slots(config) if half else ks * STEP_VECTORS * (bm + bn) // group // 4 * 4
    return dict(
        BM=bm, BN=bn, TM=tm, TN=tn, KS=ks, GT=group, half=half, A=a, B=b, OPERANDS=(a, b), SLOTS=_slots(a, b, group),
        ROUNDS=_rounds(ks, units, scratch), scratch=scratch if ks > 1 or needs_scratch else 0,
    )  # fmt: skip


def _slots(a: TileOperand, b: TileOperand, group: int) -> tuple[tuple[Share, ...], ...]:
    """The Shares of each slot: the tile's blocks, A's then B's, dealt out in order to a slice's
    `group` invocations.
    """
    slots: list[tuple[Share, ...]] = []
    blocks = a.size + b.size
    for first in range(0, blocks, group):
        end_of_a = min(max(a.size - first, 0), group)
        end = min(blocks - first, group)
        shares = (Share(a, 0, end_of_a), Share(b, end_of_a, end))
        slots.append(tuple(share for share in shares if share.begin < share.end))
    return tuple(slots)


def _rounds(ks: int, units: int, scratch: int) -> tuple[tuple[Handoff, ...], ...]:
    """The Handoffs of each round in which slice 0 adds up the slices' outputs, `units` vectors of
    each invocation.
    """
    if ks > 1 and scratch >= (ks - 1) * units:
        return (tuple(Handoff(s, 0, units, (s - 1) * units) for s in range(1, ks)),)
    return tuple((Handoff(s, u, min(u + scratch, units), 0),) for s in range(1, ks) for u in range(0, units, scratch))


def _matrix_layout(config: Config, p: Product, a_vec4: bool, b_vec4: bool) -> Defines:
    """Defines of matmul_subgroup_matrix.wgsl: the operands' vectors for each invocation, lines
    padded by two vectors.
    """
    invocations, step = tile_choice.invocations(config), tile_choice.matrix_step(config)

    def operand(name: str, vec4: bool, along_k: bool, rows: str, size: int) -> MatrixOperand:
        line = (step if along_k else size) // 4 + 2
        return MatrixOperand(name, _type(vec4), vec4, along_k, rows, size, line, size * step // 4 // invocations)

    a, b = operand("a", a_vec4, not p.ta, "M", config.bm), operand("b", b_vec4, bool(p.tb), "N", config.bn)
    return dict(
        BM=config.bm, BN=config.bn, SM=config.tm, SN=config.tn, BK=step, W=invocations, A=a, B=b, OPERANDS=(a, b)
    )


@kernel("wide_matmul", "int64")
def wide_matmul(d: Planner, p: Any, b: Any) -> None:
    a_m, a_k = (1, p.lda) if p.ta else (p.lda, 1)
    b_k, b_n = (1, p.ldb) if p.tb else (p.ldb, 1)
    n = p.batch * p.M * p.N
    params = dict(n=n, M=p.M, N=p.N, K=p.K, a_m=a_m, a_k=a_k, b_k=b_k, b_n=b_n, ldc=p.ldc, sa=p.sa, sb=p.sb, sc=p.sc)
    d.run("matmul_whole.main", -(-n // 256), dict(out=b.out, a=b.a, b=b.b, flag=d.flag), params)
