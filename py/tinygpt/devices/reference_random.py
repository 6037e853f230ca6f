"""The oracle's random kernels: Philox 4x32-10 (Salmon et al. 2011) and what draws from it, sampling
included.

The stream is exact: the same uint32 words as every other device. See `reference_kernels.py` for the
form of the functions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..kernels import DRAW, DTYPES, PHILOX_ROUNDS

if TYPE_CHECKING:
    Array = Any  # a NumPy array: NumPy's own stubs know little more of these


MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
WEYL = np.array([0x9E3779B9, 0xBB67AE85], np.uint64)
LOW = np.uint64(0xFFFFFFFF)
WORD = np.uint64(32)


def philox(counters: Array, seed_low: int, seed_high: int) -> Array:
    """uint64 counters [n] -> uint32 words [n, 4]; counter words 2 and 3 are zero."""
    c0, c1 = counters & LOW, counters >> WORD
    c2, c3 = np.zeros_like(c0), np.zeros_like(c0)
    key = np.array([seed_low, seed_high], np.uint64)
    for _ in range(PHILOX_ROUNDS):
        left, right = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (right >> WORD) ^ c1 ^ key[0], right & LOW, (left >> WORD) ^ c3 ^ key[1], left & LOW
        key = (key + WEYL) & LOW
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def blocks(rng: Array, offset: int, count: int) -> Array:
    """uint32 [count, 4]: `count` blocks of the stream that rng (int32[4]: seed, base) names, from
    block `offset`.
    """
    seed_low, seed_high, base_low, base_high = (int(word) for word in rng.view(np.uint32))
    start = (base_low | base_high << 32) + offset
    counters = np.array([start & (2**64 - 1)], np.uint64) + np.arange(count, dtype=np.uint64)
    return philox(counters, seed_low, seed_high)


def words(rng: Array, offset: int, n: int) -> Array:
    """uint32 [n]: the first n words of the blocks from `offset`."""
    return blocks(rng, offset, -(-n // 4)).ravel()[:n]


def uniform(w: Array) -> Array:
    """uint32 words -> [0, 1) in steps of 2^-24."""
    return (w >> np.uint32(8)) * 2.0**-24


def _below(w: Array, limit: int) -> Array:
    """uint32 words -> 0..limit-1 (Lemire's multiply-shift)."""
    return (w.astype(np.uint64) * np.uint64(limit) >> WORD).astype(np.int32)


def random_uniform(p: Any, out: Array, rng: Array) -> None:
    out[:] = p.low + (p.high - p.low) * uniform(words(rng, p.offset, p.n))


def random_normal(p: Any, out: Array, rng: Array) -> None:
    u = uniform(blocks(rng, p.offset, -(-p.n // 4))).reshape(-1, 2)
    radius, angle = np.sqrt(-2 * np.log(1 - u[:, 0])), 2 * math.pi * u[:, 1]
    out[:] = p.mean + p.std * np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[: p.n]


def random_int(p: Any, out: Array, rng: Array) -> None:
    out[:] = p.low + _below(words(rng, p.offset, p.n), p.high - p.low)


def dropout(p: Any, out: Array, x: Array, rng: Array) -> None:
    scale = float(np.float32(1 / (1 - p.p))) if p.p < 1 else 0.0
    out[:] = np.where(uniform(words(rng, p.offset, p.n)) < p.p, 0.0, x * scale)


def batch_windows(p: Any, x: Array, y: Array, starts: Array, tokens: Array, rng: Array) -> None:
    starts[:] = p.low + _below(words(rng, p.offset, p.B), p.high - p.low - p.T)
    places = starts[:, None] + np.arange(int(p.T))[None, :]
    x[:], y[:] = tokens[places].ravel(), tokens[places + 1].ravel()


def sample(p: Any, out: Array, logits: Array, rng: Array, settings: Array) -> None:
    temperature, top_k, top_p = (float(s) for s in settings[:3])
    u = uniform(blocks(rng, p.offset, p.B)[:, 0])
    for b, row in enumerate(logits.reshape(p.B, p.V)):
        out[b] = np.argmax(row) if temperature == 0 else _draw(row / temperature, int(top_k), top_p, u[b])


def _draw(z: Array, top_k: int, top_p: float, u: float) -> int:
    kept = np.ones(len(z), bool)
    if 0 < top_k < len(z):
        kept = z >= np.sort(z)[-top_k]
    weight = np.where(kept, np.exp(z - z.max()), 0.0)
    if 0 < top_p < 1:
        order = np.argsort(-weight, kind="stable")
        reached = np.cumsum(weight[order]) / weight.sum()
        kept = np.zeros(len(z), bool)
        kept[order[: np.searchsorted(reached, top_p) + 1]] = True
        weight = np.where(kept, weight, 0.0)
    below: Array = np.cumsum(weight)
    last = int(np.flatnonzero(weight)[-1])
    return min(int(below.searchsorted(u * below[-1], side="right")), last)


# ---- mt19937 -------------------------------------------------------------------------------------

MERSENNE_KEPT = slice(626, 628)  # the bits of the second normal number of a pair


class _Mersenne:
    """NumPy's mt19937 at the place of a kernel's state; `close` writes the place back."""

    def __init__(self, state: Array) -> None:
        self.state, self.bits = state, np.random.MT19937()
        words = state.view(np.uint32)
        self.bits.state = {"bit_generator": "MT19937", "state": {"key": words[:624].copy(), "pos": int(words[624])}}

    def words(self, n: int) -> Array:
        return np.asarray(self.bits.random_raw(n), np.uint64)

    def long_words(self, n: int) -> Array:
        pairs = self.words(2 * n).reshape(n, 2)
        return pairs[:, 0] << WORD | pairs[:, 1]

    def wide(self, n: int) -> Array:
        return (self.long_words(n) & np.uint64((1 << 53) - 1)) * 2.0**-53

    def uniform(self, n: int, double: bool) -> Array:
        return self.wide(n) if double else (self.words(n) & np.uint64((1 << 24) - 1)) * 2.0**-24

    def close(self) -> None:
        found: Any = self.bits.state["state"]
        self.state.view(np.uint32)[:624] = found["key"]
        self.state[624] = found["pos"]


def _mersenne_normal(stream: _Mersenne, n: int, double: bool) -> Array:
    """Box-Muller: fewer than 16 by pairs, whose second number is kept; else in blocks of 16."""
    if n >= 16:
        u = stream.uniform(n, double)
        last = stream.uniform(16, double) if n % 16 else None
        blocks = [u[i : i + 16] for i in range(0, n - 15, 16)]
        made = [_block(block) for block in blocks]
        out = np.concatenate([*made, u[16 * len(blocks) :]])
        if last is not None:
            out[-16:] = _block(last)
        return out
    drawn: list[float] = []
    state = stream.state
    for _ in range(n):
        if state[625]:
            state[625] = 0
            drawn.append(float(state[MERSENNE_KEPT].copy().view(np.float64)[0]))
            continue
        first, second = stream.wide(2)
        radius, angle = math.sqrt(-2 * math.log1p(-second)), 2 * math.pi * first
        state[625] = 1
        state[MERSENNE_KEPT] = np.array([radius * math.sin(angle)]).view(np.int32)
        drawn.append(radius * math.cos(angle))
    return np.array(drawn)


def _block(u: Array) -> Array:
    radius, angle = np.sqrt(-2 * np.log(1 - u[:8])), 2 * math.pi * u[8:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])


def mersenne(p: Any, out: Array, state: Array) -> None:
    stream, double = _Mersenne(state), p.dtype == DTYPES["float64"]
    if p.kind == DRAW["uniform"]:
        low, high = (p.a, p.b) if double else (float(np.float32(p.a)), float(np.float32(p.b)))
        out[:] = stream.uniform(p.n, double) * (high - low if double else float(np.float32(high - low))) + low
    elif p.kind == DRAW["normal"]:
        out[:] = _mersenne_normal(stream, p.n, double) * p.b + p.a
    elif p.kind == DRAW["words"]:
        out[:] = (stream.words(p.n) % np.uint64(int(p.b))).astype(np.int64)
    elif p.kind == DRAW["integers"]:
        values = int(p.b) or (1 << 53) + 1
        drawn = stream.long_words(p.n) if values >= 1 << 28 else stream.words(p.n)
        out[:] = (drawn % np.uint64(values)).astype(np.int64) + int(p.a)
    elif p.kind == DRAW["bernoulli"]:
        out[:] = stream.wide(p.n) < p.a
    elif p.kind == DRAW["exponential"]:
        out[:] = -np.log1p(-stream.wide(p.n)) / p.a
    else:
        order = cast("Array", np.arange(p.n))
        for i, word in enumerate(stream.words(max(p.n - 1, 0))):
            other = i + int(word) % (p.n - i)
            order[[i, other]] = order[[other, i]]
        out[:] = order
    stream.close()
