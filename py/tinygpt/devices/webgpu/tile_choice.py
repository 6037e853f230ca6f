"""Which tile a matrix product runs with: the table of configurations, an estimate of their times,
and what was measured.

The estimate is a model of one GPU (the H200 of the reference numbers): a multiprocessor runs its
workgroups' steps of 16 along K one after the other when it has many, and waits for memory when it
has few. Other GPUs (adapter_class.py) have another number of them, and fewer registers for an
invocation's sums. It need only order the candidates; `measured` overrides it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from .adapter_class import DATA_CENTRE, AdapterClass


class Config(NamedTuple):
    """A tile and how K is cut up. Its order is that of the stored measurements."""

    kind: str  # a precision: "f32", "f16" (operands in 16 bits) or "f16_matrix" (on matrix units)
    bm: int  # bm x bn outputs a workgroup
    bn: int
    tm: int  # tm x tn outputs an invocation; on matrix units: a subgroup of 32
    tn: int
    ks: int  # slices of K within the workgroup
    splits: int  # of K over the grid


class HasLimits(Protocol):
    """A device, or what stands for one."""

    @property
    def limits(self) -> Mapping[str, int]: ...
    @property
    def adapter(self) -> AdapterClass: ...


class Cycles(NamedTuple):
    """What one step of one workgroup takes of a multiprocessor."""

    busy: int  # where many workgroups share it
    alone: int


SPILLED = 3  # times as long: sums that have no register go through memory at each multiply-add
STEP = 16  # elements of K that a tile takes at once
MIN_DEPTH = 64  # elements of K in a split
MAX_SPLITS = 64

# By (bm, bn, tm, tn).
TILES = {
    (64, 64, 8, 8): Cycles(870, 1700),
    (128, 64, 8, 8): Cycles(1740, 1850),
    (64, 32, 8, 4): Cycles(520, 1000),
    (32, 64, 4, 8): Cycles(520, 1000),
    (32, 32, 4, 4): Cycles(310, 620),
}
# The same on matrix units, for a step of matrix_step.
MATRIX_TILES = {
    (32, 32, 16, 16): Cycles(150, 650),
    (64, 64, 32, 32): Cycles(380, 850),
    (128, 64, 32, 32): Cycles(380, 850),
    (128, 128, 64, 32): Cycles(600, 1000),
}
FIXED = 6000  # cycles before the first step and after the last

measured: dict[str, Config] = {}  # by key: what a device's own timings have shown to be best
# The same for the sessions to come, where a faster one would change the bits of those in use.
fastest: dict[str, Config] = {}
# While tuner.py plans a Program: key -> candidates of every shape that has not been measured.
unmeasured: dict[str, list[Config]] | None = None


def key(batch: int, M: int, N: int, K: int, ta: int, tb: int, kind: str, plain: bool) -> str:
    """The name of a shape in the stored measurements."""
    return "%s %dx%dx%dx%d %s%s%s" % (kind, batch, M, N, K, "NT"[ta], "NT"[tb], " plain" if plain else "")


def sums_alike(a: Config, b: Config) -> bool:
    """Whether two tiles add up an output's products in the same order: then the bits are the
    same.
    """
    depths = [matrix_step(config) if config.kind == "f16_matrix" else STEP for config in (a, b)]
    return (a.kind, a.ks, a.splits) == (b.kind, b.ks, b.splits) and depths[0] == depths[1]


def invocations(config: Config) -> int:
    """Invocations of a workgroup."""
    if config.kind == "f16_matrix":
        return 32 * (config.bm // config.tm) * (config.bn // config.tn)
    return config.ks * (config.bm // config.tm) * (config.bn // config.tn)


def workgroup_bytes(config: Config, transposed_a: bool = False, transposed_b: bool = False) -> int:
    """Bytes of workgroup memory, as the shaders declare it."""
    if config.kind == "f16_matrix":
        depth = matrix_step(config)
        a = config.bm * (depth + 8) if not transposed_a else depth * (config.bm + 8)
        b = config.bn * (depth + 8) if not transposed_b else depth * (config.bn + 8)
        return 2 * (a + b) + 4 * 256 * invocations(config) // 32
    size = STEP * (config.bm + config.bn) * config.ks
    if config.kind == "f32":
        return 4 * size
    return 2 * size + 16 * scratch_slots(config) * invocations(config) // config.ks


def scratch_slots(config: Config) -> int:
    """32-bit sums do not fit into the 16-bit tile: vectors for each invocation beside it."""
    units = config.tm * config.tn // 4
    return units if config.ks > 1 else min(4, units)


def matrix_step(config: Config) -> int:
    """Elements of K that a tile on the matrix units takes at once."""
    return 32 if config.bm * config.bn <= 64 * 64 else 16


def _fits(config: Config, limits: Mapping[str, int]) -> bool:
    return (
        invocations(config) <= min(256, limits["maxComputeInvocationsPerWorkgroup"], limits["maxComputeWorkgroupSizeX"])
        and workgroup_bytes(config, True, True) <= limits["maxComputeWorkgroupStorageSize"]
        and workgroup_bytes(config) <= limits["maxComputeWorkgroupStorageSize"]
    )


def _cycles(config: Config, batch: int, M: int, N: int, K: int, adapter: AdapterClass) -> float:
    """An estimate of the cycles a product takes with `config`."""
    tiles = MATRIX_TILES if config.kind == "f16_matrix" else TILES
    busy, alone = tiles[config.bm, config.bn, config.tm, config.tn]
    if config.kind != "f16_matrix" and config.tm * config.tn > adapter.sums:
        busy, alone = SPILLED * busy, SPILLED * alone
    groups = batch * config.splits * -(-M // config.bm) * -(-N // config.bn)
    depth = -(-K // config.splits)
    steps = -(-depth // step(config))
    most = -(-groups // adapter.cores)  # workgroups of the busiest multiprocessor
    resident = min(most, max(1, 1024 // invocations(config)))
    rounds = -(-most // resident)
    each = max(alone + 80 * (config.ks - 1), resident * busy * config.ks)
    total: float = FIXED + rounds * (steps * each + 900) + 150 * config.ks
    if config.kind == "f16_matrix":  # results pass through workgroup memory
        total += 0.55 * most * config.bm * config.bn
    if config.splits > 1:
        # Partial results go through memory once more (about 2 bytes a cycle and multiprocessor,
        # both ways).
        total += 1000 + config.splits * M * N * 8 / (15 * adapter.cores)
    return total


def step(config: Config) -> int:
    """Elements of K that a workgroup takes at once, all its slices together."""
    return matrix_step(config) if config.kind == "f16_matrix" else STEP * config.ks


def _in_full_steps(config: Config, K: int) -> Config:
    """The config with the number of splits that parts of full steps really make."""
    depth = -(-K // (config.splits * step(config))) * step(config)
    return config._replace(splits=max(1, -(-K // max(depth, 1))))


def ranked(
    limits: Mapping[str, int],
    kind: str,
    batch: int,
    M: int,
    N: int,
    K: int,
    plain: bool,
    adapter: AdapterClass = DATA_CENTRE,
) -> list[Config]:
    """Every configuration that fits, best estimate first. plain: K may be split over the grid."""
    found: set[Config] = set()
    for tile in MATRIX_TILES if kind == "f16_matrix" else TILES:
        for ks in (1,) if kind == "f16_matrix" else (1, 2, 4):
            if ks > 1 and K < 2 * STEP * ks:
                continue
            splits = 1
            while splits == 1 or (plain and splits <= MAX_SPLITS and K >= splits * MIN_DEPTH):
                config = _in_full_steps(Config(kind, *tile, ks, splits), K)
                if _fits(config, limits):
                    found.add(config)
                splits *= 2
    return sorted(found, key=lambda c: (_cycles(c, batch, M, N, K, adapter), c))


def choose(
    d: HasLimits, batch: int, M: int, N: int, K: int, ta: int, tb: int, kind: str = "f32", plain: bool = False
) -> Config:
    """The Config for batch products of M x K by K x N.

    kind: a precision. plain: neither epilogue nor strided output.
    """
    name = key(batch, M, N, K, ta, tb, kind, plain)
    found = measured.get(name)
    if unmeasured is not None and found is None:
        unmeasured[name] = candidates(d, batch, M, N, K, kind, plain)
    return found or ranked(d.limits, kind, batch, M, N, K, plain, d.adapter)[0]


def candidates(
    d: HasLimits, batch: int, M: int, N: int, K: int, kind: str = "f32", plain: bool = False
) -> list[Config]:
    """Two to five Configs worth measuring for a shape: the best estimates, no two alike but for the
    splits' neighbours.
    """
    found: list[Config] = []
    for config in ranked(d.limits, kind, batch, M, N, K, plain, d.adapter):
        alike = [c for c in found if c[:6] == config[:6]]
        if len(alike) < 2:
            found.append(config)
        if len(found) == 5:
            break
    return found
