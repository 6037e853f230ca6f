"""Attention forward, backward and decoding, the key/value cache and rotary positions: how each is cut into workgroups.

shaders/attention.wgsl says what RQ, TX, TY, OX and so on are. `forward_tile` and `backward_tile` choose them from the problem's size.
"""

import struct

from ..plan import kernel

ENOUGH_WARPS = 300  # of 32 threads: about one for each scheduler of a large GPU; below it more threads share a row's work
WIDTH = 256  # threads of the other kernels
STRIDES = ("b", "t", "h")


def forward_tile(blocks, D):
    """RQ, rows a thread scores in the forward; blocks: of 32 queries, in all heads. Two were fastest on an H200 at the presets' shapes."""
    return _rows_of_a_thread(blocks, 2)


def backward_tile(blocks, D):
    """RQ in the backward; blocks: of 32 queries and of 32 keys, in all heads. Two were fastest on an H200 at the presets' shapes."""
    return _rows_of_a_thread(blocks, 2)


def _rows_of_a_thread(blocks, most):
    while most > 1 and blocks * 32 // most * 8 // 32 < ENOUGH_WARPS:
        most //= 2
    return most


def _tile(d, D, RQ, shared):
    """The defines of a tile: 32 x 32 with RQ rows a thread, smaller where that is too much workgroup memory. shared(defines): its bytes."""
    for shape in ((RQ, 8, 32 // RQ), (1, 4, 16), (1, 4, 8)):
        tile = _layout(D, *shape)
        if shared(tile) <= d.limits["maxComputeWorkgroupStorageSize"]:
            return dict(tile, staged=1, prefetch=int(tile["PK"] <= 8))
    return dict(_layout(D, 1, 8, 32), staged=0, prefetch=0)


def _layout(D, RQ, TX, TY):
    D4, ROWS, NT = -(-D // 4), RQ * TY, TX * TY

    def reads(OX):  # of workgroup memory, for four columns of the product with the probabilities
        return ROWS * OX // NT + 4 * -(-D4 // OX), OX

    OX = min(reads(1 << e) for e in range(NT.bit_length()) if NT <= (1 << e) * ROWS and (1 << e) < 2 * max(D4, NT // ROWS))[1]
    OY, DC = NT // OX, -(-D4 // OX)
    W4 = OX * DC
    return dict(D=D, D4=D4, RQ=RQ, TX=TX, TY=TY, NT=NT, ROWS=ROWS, COLUMNS=4 * TX, OX=OX, OY=OY, RO=ROWS // OY, DC=DC, W4=W4, LD=W4 | 1,
                PK=-(-4 * TX * W4 // NT))  # fmt: skip


def _items(d, D, strides, *operands):
    """(vectors: 1 or 0, elements in an item) for rows of D elements at these strides."""
    vec = D % 4 == 0 and all(s % 4 == 0 for s in strides) and d.vec4(*operands)
    return (1, 4) if vec else (0, 1)


def _strides(p, item, *prefixes):
    return {"%s_%s" % (x, s): getattr(p, "%s_%s" % (x, s)) // item for x in prefixes for s in STRIDES}


def _all_strides(p, *prefixes):
    return [getattr(p, "%s_%s" % (x, s)) for x in prefixes for s in STRIDES]


def _element(vec):
    return "vec4<f32>" if vec else "f32"


@kernel("attention")
def attention(d, p, b):
    if not p.D:
        return
    vec, item = _items(d, p.D, _all_strides(p, "q", "k", "v", "o"), b.q, b.k, b.v, b.out)

    def shared(tile):
        return 16 * ((tile["ROWS"] + tile["COLUMNS"]) * tile["LD"] + tile["ROWS"] * (tile["TX"] + 1)) + 4 * tile["ROWS"] * (tile["TX"] + 1)

    tile = _tile(d, p.D, forward_tile(p.B * p.H * -(-p.T // 32), p.D), shared)
    d.run(
        "attention.forward", p.B * p.H * -(-p.T // tile["ROWS"]), dict(out=b.out, lse=b.lse, q=b.q, k=b.k, v=b.v),
        dict(B=p.B, H=p.H, G=p.G, T=p.T, S=p.S, causal=int(bool(p.causal)), scale=p.scale, **_lengths(tile),
             **_strides(p, item, "q", "k", "v", "o")),
        **tile, **_loops(d, tile, 4), vec=vec, E=_element(vec),
        rows_of=(("q", "q"), ("k", "k"), ("v", "v")), written=("out",),
    )  # fmt: skip


def _loops(d, tile, most):
    """Defines of the inner loops: UD, steps over the head that are written out; rolled, lengths as parameters (see attention.wgsl)."""
    if d.device.fallback:
        return dict(UD=1, rolled=1)
    while tile["D4"] % most:
        most //= 2
    return dict(UD=most, rolled=0)


def _lengths(tile):
    return dict(vectors=tile["D4"], quarters=tile["TX"], row_vectors=tile["ROWS"] * tile["W4"])


@kernel("attention_backward")
def attention_backward(d, p, b):
    if not p.D:
        return
    prefixes = ("q", "k", "v", "o", "do", "dq", "dk", "dv")
    vec, item = _items(d, p.D, _all_strides(p, *prefixes), b.q, b.k, b.v, b.out, b.dout, b.dq, b.dk, b.dv)

    def shared(tile):
        rows, columns, LD = tile["ROWS"], tile["COLUMNS"], tile["LD"]
        return 16 * (2 * (rows + columns) * LD + 2 * rows * (tile["TX"] + 1)) + 4 * (max(rows, columns) * LD + 2 * columns)

    blocks = p.B * (p.H * -(-p.T // 32) + p.G * -(-p.S // 32))
    tile = _tile(d, p.D, backward_tile(blocks, p.D), shared)
    inline = int(tile["prefetch"] and d.limits["maxStorageBuffersPerShaderStage"] >= 9)
    common = dict(vec=vec, E=_element(vec), D=tile["D"], D4=tile["D4"])
    if inline:
        extra = dict(out=b.out, lse=b.lse)
    else:
        extra = dict(statistics=d.scratch(2 * p.B * p.H * p.T))
        d.run(
            "attention.row_statistics", -(-p.B * p.H * p.T // 64), dict(extra, dout=b.dout, out=b.out, lse=b.lse),
            dict(B=p.B, H=p.H, T=p.T, **_strides(p, item, "o", "do")), rows_of=(("dout", "do"), ("out", "o")), written=(), **common,
        )  # fmt: skip
    rows_of = (("q", "q"), ("k", "k"), ("v", "v"), ("dout", "do"))
    groups = p.B * (p.H * -(-p.T // tile["ROWS"]) + p.G * -(-p.S // tile["ROWS"]))
    d.run(
        "attention.backward", groups, dict(dq=b.dq, dk=b.dk, dv=b.dv, dout=b.dout, q=b.q, k=b.k, v=b.v, **extra),
        dict(B=p.B, H=p.H, G=p.G, T=p.T, S=p.S, causal=int(bool(p.causal)), scale=p.scale, **_lengths(tile),
             **_strides(p, item, *prefixes)),
        **{**tile, **common}, **_loops(d, tile, 2), inline=inline,
        rows_of=rows_of + ((("out", "o"),) if inline else ()), written=("dq", "dk", "dv"),
    )  # fmt: skip


@kernel("attention_decode")
def attention_decode(d, p, b):
    appends = b.k_new is not None  # of a token whose kv_append is done here
    strides = (p.q_b, b.k_b, b.v_b) if appends else (p.q_b,)
    vec, item = _items(d, p.D, strides, b.q, b.out, b.k_cache, b.v_cache, b.k_new, b.v_new)
    D4 = -(-p.D // 4)
    if D4 > WIDTH:
        raise ValueError("attention_decode: a head of %d is larger than this device's %d" % (p.D, 4 * WIDTH))
    LANES = 1 << max(0, D4 - 1).bit_length()  # threads that share a key
    # Keys whose loads a thread has under way; no more keys than two for each thread.
    UNROLL = min(8, 2 * LANES)
    slots = WIDTH // LANES
    halves = tuple(slots >> e for e in range(1, slots.bit_length()))
    d.run(
        "attention.decode", p.B * p.H if p.D else 0,
        dict(out=b.out, flag=d.flag, q=b.q, k_cache=b.k_cache, v_cache=b.v_cache, position=b.position, k_new=b.k_new, v_new=b.v_new),
        dict(B=p.B, H=p.H, G=p.G, S=p.S, q_b=p.q_b // item, scale=p.scale,
             **(dict(k_b=b.k_b // item, v_b=b.v_b // item) if appends else {})),
        written=("k_cache", "v_cache") if appends else (),
        vec=vec, E=_element(vec), D=p.D, D4=D4, LANES=LANES, UNROLL=UNROLL, KEYS_EACH=-(-UNROLL // LANES), W=WIDTH, halves=halves,
    )  # fmt: skip


@kernel("kv_append")
def kv_append(d, p, b):
    vec, item = _items(d, p.D, (p.k_b, p.k_t, p.v_b, p.v_t), b.k_cache, b.v_cache, b.k, b.v)
    n = p.B * p.G * p.T * p.D // item
    d.run(
        "attention.append", -(-n // WIDTH), dict(k_cache=b.k_cache, v_cache=b.v_cache, flag=d.flag, k=b.k, v=b.v, position=b.position),
        dict(n=n, G=p.G, T=p.T, S=p.S, items=p.D // item, k_b=p.k_b // item, k_t=p.k_t // item, v_b=p.v_b // item, v_t=p.v_t // item),
        E=_element(vec), W=WIDTH,
    )  # fmt: skip


# 1 / (2 pi) in units of 2^-192.
TURN = 0x28BE60DB9391054A7F09D5F47D4D377036D8A5664F10E410


def frequencies(D, base):
    """base^(-2d/D) / (2 pi) mod 1 for d < D/2 in units of 2^-64, as pairs of words, low before high. The power is the oracle's float64."""
    words = []
    for i in range(D // 2):
        numerator, denominator = (base ** (-2.0 * i / D)).as_integer_ratio()
        words.append((numerator * TURN // denominator >> 128) % (1 << 64))
    return struct.pack("<%dQ" % len(words), *words)


@kernel("rotary")
def rotary(d, p, b):
    # Vectors of pairs: both halves of a head begin on 16 bytes.
    vec, item = _items(d, p.D // 2, _all_strides(p, "x", "o"), b.x, b.out)
    half = p.D // 2 // item
    n = p.B * p.T * p.H * half
    if not n:
        return
    d.run(
        "rotary.rotary", -(-n // WIDTH), dict(out=b.out, x=b.x, position=b.position, frequency=d.constant(frequencies(p.D, p.base))),
        dict(n=n, T=p.T, H=p.H, half=half, sign=-1.0 if p.inverse else 1.0, **_strides(p, item, "x", "o")),
        vec=vec, E=_element(vec), W=WIDTH,
    )  # fmt: skip
