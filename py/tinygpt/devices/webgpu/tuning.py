"""Which tile a matrix product runs with: the table of configurations, an estimate of their times, and what was measured.

The estimate is a model of one GPU (the H200 of the reference numbers): a multiprocessor runs its workgroups' steps of 16 along K one after
the other when it has many, and waits for memory when it has few. It need only order the candidates; `measured` overrides it.
"""

from collections import namedtuple

# bm x bn outputs a workgroup, tm x tn an invocation (on matrix units: a group of 32), ks slices of K within the workgroup, splits of K
# over the grid. kind: "f32", "f16" (operands in 16 bits) or "matrix" (that, on matrix units).
Config = namedtuple("Config", "kind bm bn tm tn ks splits")

MULTIPROCESSORS = 132
STEP = 16  # elements of K that a tile takes at once
LEAST_DEPTH = 64  # elements of K that a split has at least
MOST_SPLITS = 64

# (bm, bn, tm, tn): cycles of a multiprocessor for one step of one workgroup where many share it, and of one step alone.
TILES = {
    (64, 64, 8, 8): (870, 1700),
    (128, 64, 8, 8): (1740, 1850),
    (64, 32, 8, 4): (520, 1000),
    (32, 64, 4, 8): (520, 1000),
    (32, 32, 4, 4): (310, 620),
}
# The same on matrix units, for a step of matrix_step.
MATRIX_TILES = {
    (32, 32, 16, 16): (150, 650),
    (64, 64, 32, 32): (380, 850),
    (128, 64, 32, 32): (380, 850),
    (128, 128, 64, 32): (600, 1000),
}
FIXED = 6000  # cycles before the first step and after the last

measured = {}  # key -> Config: what a device's own timings have shown to be best
asked = None  # a dict while tuner.py plans a Program: key -> candidates of every shape that has not been measured


def key(batch, M, N, K, ta, tb, kind, plain):
    return "%s %dx%dx%dx%d %s%s%s" % (kind, batch, M, N, K, "NT"[ta], "NT"[tb], " plain" if plain else "")


def invocations(config):
    """Invocations of a workgroup."""
    if config.kind == "matrix":
        return 32 * (config.bm // config.tm) * (config.bn // config.tn)
    return config.ks * (config.bm // config.tm) * (config.bn // config.tn)


def workgroup_bytes(config, turned_a=False, turned_b=False):
    """Bytes of workgroup memory, as the shaders declare it."""
    if config.kind == "matrix":
        depth = matrix_step(config)
        a = config.bm * (depth + 8) if not turned_a else depth * (config.bm + 8)
        b = config.bn * (depth + 8) if not turned_b else depth * (config.bn + 8)
        return 2 * (a + b) + 4 * 256 * invocations(config) // 32
    size = STEP * (config.bm + config.bn) * config.ks
    return 4 * size if config.kind == "f32" else 2 * size + 16 * rest_slots(config) * invocations(config) // config.ks


def rest_slots(config):
    """The 16-bit tile has no room for 32-bit sums: vectors for each invocation that it keeps beside it, at most."""
    units = config.tm * config.tn // 4
    return units if config.ks > 1 else min(4, units)


def matrix_step(config):
    """Elements of K that a tile on the matrix units takes at once."""
    return 32 if config.bm * config.bn <= 64 * 64 else 16


def _fits(config, limits):
    return (
        invocations(config) <= min(256, limits["maxComputeInvocationsPerWorkgroup"], limits["maxComputeWorkgroupSizeX"])
        and workgroup_bytes(config, True, True) <= limits["maxComputeWorkgroupStorageSize"]
        and workgroup_bytes(config) <= limits["maxComputeWorkgroupStorageSize"]
    )


def _cycles(config, batch, M, N, K):
    """An estimate of the cycles a product takes with `config`."""
    busy, alone = (MATRIX_TILES if config.kind == "matrix" else TILES)[config[1:5]]
    groups = batch * config.splits * -(-M // config.bm) * -(-N // config.bn)
    depth = -(-K // config.splits)
    steps = -(-depth // step(config))
    most = -(-groups // MULTIPROCESSORS)  # workgroups of the busiest multiprocessor
    resident = min(most, max(1, 1024 // invocations(config)))
    rounds = -(-most // resident)
    each = max(alone + 80 * (config.ks - 1), resident * busy * config.ks)
    total = FIXED + rounds * (steps * each + 900) + 150 * config.ks
    if config.kind == "matrix":  # results pass through workgroup memory
        total += 0.55 * most * config.bm * config.bn
    if config.splits > 1:  # partial results go through memory once more (about 2 bytes a cycle and multiprocessor, both ways)
        total += 1000 + config.splits * M * N * 8 / (15 * MULTIPROCESSORS)
    return total


def step(config):
    """Elements of K that a workgroup takes at once, all its slices together."""
    return matrix_step(config) if config.kind == "matrix" else STEP * config.ks


def _whole(config, K):
    """The config with the number of splits that parts of whole steps really make."""
    depth = -(-K // (config.splits * step(config))) * step(config)
    return config._replace(splits=max(1, -(-K // max(depth, 1))))


def ranked(limits, kind, batch, M, N, K, plain):
    """Every configuration that fits, best estimate first. plain: K may be split over the grid."""
    found = set()
    for tile in MATRIX_TILES if kind == "matrix" else TILES:
        for ks in (1,) if kind == "matrix" else (1, 2, 4):
            if ks > 1 and K < 2 * STEP * ks:
                continue
            splits = 1
            while splits == 1 or (plain and splits <= MOST_SPLITS and K >= splits * LEAST_DEPTH):
                config = _whole(Config(kind, *tile, ks, splits), K)
                if _fits(config, limits):
                    found.add(config)
                splits *= 2
    return sorted(found, key=lambda c: (_cycles(c, batch, M, N, K), c))


def choose(d, batch, M, N, K, ta, tb, kind="f32", plain=False):
    """The Config for batch products of M x K by K x N. kind: "f32", "f16" or "matrix". plain: neither epilogue nor strided output."""
    name = key(batch, M, N, K, ta, tb, kind, plain)
    found = measured.get(name)
    if asked is not None and found is None:
        asked[name] = candidates(d, batch, M, N, K, ta, tb, kind, plain)
    return found or ranked(d.limits, kind, batch, M, N, K, plain)[0]


def candidates(d, batch, M, N, K, ta, tb, kind="f32", plain=False):
    """Two to five Configs worth measuring for a shape: the best estimates, no two alike but for the splits' neighbours."""
    found = []
    for config in ranked(d.limits, kind, batch, M, N, K, plain):
        alike = [c for c in found if c[:6] == config[:6]]
        if len(alike) < 2:
            found.append(config)
        if len(found) == 5:
            break
    return found
