"""Attention, its backward, decoding, the key/value cache, rotary positions: cut into workgroups."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from ..dispatch_plan import kernel

if TYPE_CHECKING:
    from ..dispatch_plan import Planner

# Warps of 32 threads for each core: about one for each of a multiprocessor's schedulers, 300 on an
# H200. Below it more threads share a row's work.
ENOUGH_WARPS = 300 / 132
WIDTH = 256  # threads of the other kernels
STRIDES = ("b", "t", "h")


class Tile(NamedTuple):
    """How threads share a block of rows against a tile of columns (shaders/attention_tile.wgsl)."""

    TX: int  # threads beside each other at the scores, with four columns each
    TY: int  # threads below each other at the scores
    SCORE_ROWS: int  # rows of a thread at the scores
    OX: int  # threads beside each other at the products with the probabilities
    OY: int  # threads below each other there
    OUT_ROWS: int  # rows of a thread there
    OUT_VECTORS: int  # vec4 of the head of a thread there
    HEAD_VECTORS: int  # vec4 of a head
    ROW_VECTORS: int  # vec4 of a row in workgroup memory
    ROW_STRIDE: int  # vec4 from row to row in workgroup memory
    THREADS: int
    BLOCK_ROWS: int
    TILE_ROWS: int
    TILE_LOADS: int  # vec4 of a tile that a thread loads

    @classmethod
    def of(cls, D: int, SCORE_ROWS: Any, TX: Any, TY: Any) -> Any:
        """The tile of TX x TY threads with SCORE_ROWS rows each, for heads of D numbers."""
        HEAD_VECTORS, BLOCK_ROWS, THREADS = -(-D // 4), SCORE_ROWS * TY, TX * TY

        def reads(OX: Any) -> Any:  # of workgroup memory, for four columns of the product with the probabilities
            return BLOCK_ROWS * OX // THREADS + 4 * -(-HEAD_VECTORS // OX)

        powers = [1 << e for e in range(THREADS.bit_length())]
        widest = max(HEAD_VECTORS, THREADS // BLOCK_ROWS)
        OX = min((x for x in powers if THREADS <= x * BLOCK_ROWS and x < 2 * widest), key=lambda x: (reads(x), x))
        OY, OUT_VECTORS = THREADS // OX, -(-HEAD_VECTORS // OX)
        ROW_VECTORS = OX * OUT_VECTORS
        return cls(
            TX=TX,
            TY=TY,
            SCORE_ROWS=SCORE_ROWS,
            OX=OX,
            OY=OY,
            OUT_ROWS=BLOCK_ROWS // OY,
            OUT_VECTORS=OUT_VECTORS,
            HEAD_VECTORS=HEAD_VECTORS,
            ROW_VECTORS=ROW_VECTORS,
            ROW_STRIDE=ROW_VECTORS | 1,
            THREADS=THREADS,
            BLOCK_ROWS=BLOCK_ROWS,
            TILE_ROWS=4 * TX,
            TILE_LOADS=-(-4 * TX * ROW_VECTORS // THREADS),
        )

    def forward_bytes(self) -> Any:
        """Of workgroup memory in attention_forward.wgsl."""
        probabilities = self.BLOCK_ROWS * (self.TX + 1)
        return 16 * ((self.BLOCK_ROWS + self.TILE_ROWS) * self.ROW_STRIDE + probabilities) + 4 * probabilities

    def backward_bytes(self) -> Any:
        """Of workgroup memory in attention_backward.wgsl."""
        vectors = 2 * (self.BLOCK_ROWS + self.TILE_ROWS) * self.ROW_STRIDE + 2 * self.BLOCK_ROWS * (self.TX + 1)
        return 16 * vectors + 4 * (max(self.BLOCK_ROWS, self.TILE_ROWS) * self.ROW_STRIDE + 2 * self.TILE_ROWS)


def score_rows(d: Planner, blocks: int) -> int:
    """Rows that a thread scores, for a number of blocks of 32 rows in all heads.

    Two were fastest on an H200 at the presets' shapes.
    """
    return 2 if blocks * 4 >= ENOUGH_WARPS * d.device.adapter.cores else 1


def tiling(d: Planner, D: int, rows: int, memory: Any, unroll: Any) -> Any:
    """(the largest Tile whose `memory(tile)` fits the device, all defines of it).

    rows: that a thread scores, where the tile is 32 x 32. unroll: the most steps over the head that
    are written out. attention_tile.wgsl describes `staged`, `prefetch` and `rolled`.
    """
    tile, staged = Tile.of(D, 1, 8, 32), False
    for candidate in (Tile.of(D, rows, 8, 32 // rows), Tile.of(D, 1, 4, 16), Tile.of(D, 1, 4, 8)):
        if memory(candidate) <= d.limits["maxComputeWorkgroupStorageSize"]:
            tile, staged = candidate, True
            break
    while tile.HEAD_VECTORS % unroll or (d.device.fallback and unroll > 1):
        unroll //= 2
    modes = dict(staged=staged, prefetch=staged and tile.TILE_LOADS <= 8, rolled=d.device.fallback, UNROLL=unroll)
    return tile, dict(tile._asdict(), D=D, **modes)


def lengths(tile: Any) -> Any:
    """Parameters: the lengths of the inner loops where they are `rolled`."""
    return dict(head_vectors=tile.HEAD_VECTORS, tile_quads=tile.TX, block_vectors=tile.BLOCK_ROWS * tile.ROW_VECTORS)


class Access(NamedTuple):
    """How a launch reads its heads: as vec4 where all begin on 16 bytes, else number by number."""

    vec: bool

    @classmethod
    def of(cls, d: Planner, D: int, strides: Any, *operands: Any) -> Any:
        """For heads of D numbers, `strides` apart, in these operands."""
        return cls(D % 4 == 0 and all(s % 4 == 0 for s in strides) and d.vec4(*operands))

    @property
    def item(self) -> Any:
        """Numbers in an element of the arrays."""
        return 4 if self.vec else 1

    @property
    def defines(self) -> Any:
        return dict(vec=self.vec, E="vec4<f32>" if self.vec else "f32")

    def strides(self, p: Any, **prefixes: Any) -> Any:
        """Parameters {key}_b, _t, _h in elements of the arrays, from the launch's {value}_b, ..."""
        return {
            "%s_%s" % (to, s): getattr(p, "%s_%s" % (name, s)) // self.item
            for to, name in prefixes.items()
            for s in STRIDES
        }


def strides_of(p: Any, *prefixes: Any) -> Any:
    """All strides of the operands with these prefixes, in numbers."""
    return [getattr(p, "%s_%s" % (x, s)) for x in prefixes for s in STRIDES]


def sizes_of(p: Any) -> Any:
    return dict(B=p.B, H=p.H, G=p.G, T=p.T, S=p.S, causal=int(bool(p.causal)), scale=p.scale)


@kernel("attention")
def attention(d: Planner, p: Any, b: Any) -> None:
    if not p.D:
        return
    access = Access.of(d, p.D, strides_of(p, "q", "k", "v", "o"), b.q, b.k, b.v, b.out)
    rows = score_rows(d, p.B * p.H * -(-p.T // 32))
    tile, defines = tiling(d, p.D, rows, Tile.forward_bytes, unroll=4)
    d.run(
        "attention_forward.forward",
        p.B * p.H * -(-p.T // tile.BLOCK_ROWS),
        dict(out=b.out, lse=b.lse, q=b.q, k=b.k, v=b.v),
        dict(**sizes_of(p), **access.strides(p, q="q", k="k", v="v", out="o"), **lengths(tile)),
        loads=("q", "k", "v"),
        stores=("out",),
        **defines,
        **access.defines,
    )


@kernel("attention_backward")
def attention_backward(d: Planner, p: Any, b: Any) -> None:
    if not p.D:
        return
    operands = (b.q, b.k, b.v, b.out, b.dout, b.dq, b.dk, b.dv)
    access = Access.of(d, p.D, strides_of(p, "q", "k", "v", "o", "do", "dq", "dk", "dv"), *operands)
    rows = score_rows(d, p.B * (p.H * -(-p.T // 32) + p.G * -(-p.S // 32)))
    tile, defines = tiling(d, p.D, rows, Tile.backward_bytes, unroll=2)
    inline_delta = defines["prefetch"] and d.limits["maxStorageBuffersPerShaderStage"] >= 9
    if inline_delta:
        forward = dict(out=b.out, lse=b.lse)
    else:
        forward = dict(statistics=d.scratch(2 * p.B * p.H * p.T))
        _row_statistics(d, p, b, access, forward["statistics"])
    d.run(
        "attention_backward.backward",
        p.B * (p.H * -(-p.T // tile.BLOCK_ROWS) + p.G * -(-p.S // tile.BLOCK_ROWS)),
        dict(dq=b.dq, dk=b.dk, dv=b.dv, dout=b.dout, q=b.q, k=b.k, v=b.v, **forward),
        dict(
            **sizes_of(p),
            **access.strides(p, q="q", k="k", v="v", out="o", dout="do", dq="dq", dk="dk", dv="dv"),
            **lengths(tile),
        ),
        loads=("q", "k", "v", "dout", "out") if inline_delta else ("q", "k", "v", "dout"),
        stores=("dq", "dk", "dv"),
        inline_delta=inline_delta,
        **defines,
        **access.defines,
    )


def _row_statistics(d: Planner, p: Any, b: Any, access: Any, statistics: Any) -> None:
    d.run(
        "attention_backward.row_statistics",
        -(-p.B * p.H * p.T // 64),
        dict(statistics=statistics, dout=b.dout, out=b.out, lse=b.lse),
        dict(B=p.B, H=p.H, T=p.T, **access.strides(p, out="o", dout="do")),
        loads=("dout", "out"),
        stores=(),
        D=p.D,
        HEAD_VECTORS=-(-p.D // 4),
        **access.defines,
    )


@kernel("attention_decode")
def attention_decode(d: Planner, p: Any, b: Any) -> None:
    appends = b.k_new is not None  # of a token whose kv_append is done here
    strides = (p.q_b, b.k_b, b.v_b) if appends else (p.q_b,)
    access = Access.of(d, p.D, strides, b.q, b.out, b.k_cache, b.v_cache, b.k_new, b.v_new)
    HEAD_VECTORS = -(-p.D // 4)
    if HEAD_VECTORS > WIDTH:
        raise ValueError("attention_decode: a head of %d is larger than this device's %d" % (p.D, 4 * WIDTH))
    LANES = 1 << max(0, HEAD_VECTORS - 1).bit_length()  # threads that share a key
    # Keys whose loads a thread has under way; no more keys than two for each thread.
    unroll = min(8, 2 * LANES)
    slots = WIDTH // LANES
    memory = d.limits["maxComputeWorkgroupStorageSize"] - 20 * WIDTH - 16  # less sums and wg_values
    while unroll > 1 and 4 * slots * unroll * (LANES + 2) > memory:  # products and weights
        unroll //= 2
    new_strides = dict(k_b=b.k_b // access.item, v_b=b.v_b // access.item) if appends else {}
    caches = ("k_cache", "v_cache")
    d.run(
        "attention_decode.decode",
        p.B * p.H if p.D else 0,
        dict(
            out=b.out,
            flag=d.flag,
            q=b.q,
            k_cache=b.k_cache,
            v_cache=b.v_cache,
            position=b.position,
            k_new=b.k_new,
            v_new=b.v_new,
        ),
        dict(B=p.B, H=p.H, G=p.G, S=p.S, q_b=p.q_b // access.item, scale=p.scale, **new_strides),
        loads=("q", *caches, "k_new", "v_new") if appends else ("q", *caches),
        stores=("out", *caches) if appends else ("out",),
        D=p.D,
        HEAD_VECTORS=HEAD_VECTORS,
        LANES=LANES,
        UNROLL=unroll,
        KEYS_EACH=-(-unroll // LANES),  # of a piece, that a thread weighs
        W=WIDTH,
        halves=tuple(slots >> e for e in range(1, slots.bit_length())),
        **access.defines,
    )


@kernel("kv_append")
def kv_append(d: Planner, p: Any, b: Any) -> None:
    access = Access.of(d, p.D, (p.k_b, p.k_t, p.v_b, p.v_t), b.k_cache, b.v_cache, b.k, b.v)
    item = access.item
    n = p.B * p.G * p.T * p.D // item
    d.run(
        "attention_decode.append",
        -(-n // WIDTH),
        dict(k_cache=b.k_cache, v_cache=b.v_cache, flag=d.flag, k=b.k, v=b.v, position=b.position),
        dict(
            n=n,
            G=p.G,
            T=p.T,
            S=p.S,
            items=p.D // item,
            k_b=p.k_b // item,
            k_t=p.k_t // item,
            v_b=p.v_b // item,
            v_t=p.v_t // item,
        ),
        W=WIDTH,
        **access.defines,
    )


# 1 / (2 pi) in units of 2^-192.
CYCLE = 0x28BE60DB9391054A7F09D5F47D4D377036D8A5664F10E410


def frequencies(D: int, base: Any) -> Any:
    """base^(-2d/D) / (2 pi) mod 1 for d < D/2 in units of 2^-64, as pairs of words, low first.

    The power is the oracle's float64.
    """
    words: list[int] = []
    for i in range(D // 2):
        numerator, denominator = (base ** (-2.0 * i / D)).as_integer_ratio()
        words.append((numerator * CYCLE // denominator >> 128) % (1 << 64))
    return struct.pack("<%dQ" % len(words), *words)


@kernel("rotary")
def rotary(d: Planner, p: Any, b: Any) -> None:
    # Vectors of pairs: both halves of a head begin on 16 bytes.
    access = Access.of(d, p.D // 2, strides_of(p, "x", "o"), b.x, b.out)
    half = p.D // 2 // access.item
    n = p.B * p.T * p.H * half
    if not n:
        return
    d.run(
        "rotary.rotary",
        -(-n // WIDTH),
        dict(out=b.out, x=b.x, position=b.position, frequency=d.constant(frequencies(p.D, p.base))),
        dict(n=n, T=p.T, H=p.H, half=half, sign=-1.0 if p.inverse else 1.0, **access.strides(p, x="x", out="o")),
        W=WIDTH,
        **access.defines,
    )
