"""What Python asks of a device happens in that order, whatever waits in a queue, comes back with a
replay or is used again.

A few hundred operations in random order on small tensors: writes, copies, launches, replays whose
results are kept, changed in place or dropped, reads, and memory that comes and goes. A plain Python
mirror says what every read must give. All numbers are small integers, so that float32 is exact.
"""

import pytest

from tests import hosts
from tests.targets import on

OPERATIONS = """
import random
import tinygpt
from tinygpt.devices.base import Words

SIZE, random, device = 16, random.Random(%d), tinygpt.get_device()
one, words, many = Words("f"), Words("16f"), Words("16f" * 70)
tensors = [tinygpt.zeros(SIZE) for _ in range(5)]
mirror = [[0.0] * SIZE for _ in tensors]
kept, large = [], []  # [a result, what it must be], in order of age
number = lambda: float(random.randrange(-9, 10))

@tinygpt.compile
def total():
    return (tensors[0] * 2.0 + tensors[1]).sum()

@tinygpt.compile
def pair():
    tensors[2].add_(1.0)
    return tensors[2].sum(), tensors[0].max()

@tinygpt.compile
def sum_of(x):
    return x + tensors[3].sum()

def put(i, j):
    mirror[i] = [number() for _ in range(SIZE)]
    device.put(words, tensors[i]._storage.handle, mirror[i])

def put_too_much_for_a_queue(i, j):
    x = tinygpt.zeros(16 * 70)
    device.put(many, x._storage.handle, mirror[i] * 70)
    check(x.tolist(), mirror[i] * 70)

def put_what_does_not_fit(i, j):
    try:
        device.put(words, tensors[i]._storage.handle, [1.0] * 7 + ["a word"] + [1.0] * 8)
    except Exception:  # struct.error, or numpy's own
        return
    raise AssertionError("a word is no number")

def copy(i, j):
    j = (i + 1) %% len(tensors)
    mirror[i] = list(mirror[j])
    device.copy(tensors[i]._storage.handle, tensors[j]._storage.handle, 4 * SIZE)

def upload(i, j):
    mirror[i] = [number() for _ in range(SIZE)]
    tensors[i].copy_(tinygpt.tensor(mirror[i]))

def launch(i, j):
    mirror[i] = [x + y for x, y in zip(mirror[i], mirror[j])]
    tensors[i].add_(tensors[j].clone())
    if max(map(abs, mirror[i])) > 1000:
        put(i, j)

def fill(i, j):
    mirror[i][3] = number()
    tensors[i][3] = mirror[i][3]

def read(i, j):
    check(tensors[i].tolist(), mirror[i])

def read_one(i, j):
    check(tensors[i][j].item(), mirror[i][j])

def replay(i, j):
    kept.append([total(), sum(2.0 * x + y for x, y in zip(*mirror[:2]))])
    if j %% 2:
        read_kept(0, len(kept) - 1)

def replay_two(i, j):
    mirror[2] = [x + 1.0 for x in mirror[2]]
    a, b = pair()
    kept.extend(([a, sum(mirror[2])], [b, max(mirror[0])]))

def replay_with_a_result(i, j):
    if kept:
        x, value = kept[j %% len(kept)]
        kept.append([sum_of(x), value + sum(mirror[3])])
        if abs(kept[-1][1]) > 1e5:
            kept.clear()

def change_kept(i, j):
    if kept:
        kept[-1][0].add_(3.0)
        kept[-1][1] += 3.0
        read_kept(0, len(kept) - 1)

def overwrite_kept(i, j):
    if kept:
        handle, kept[-1][1] = kept[-1][0]._storage.handle, mirror[i][0]
        if j %% 2:
            device.copy(handle, tensors[i]._storage.handle, 4)
        else:
            device.put(one, handle, (mirror[i][0],))
        read_kept(0, len(kept) - 1)

def read_kept(i, j):
    if kept:
        x, value = kept[j %% len(kept)]
        check(x.item(), value)

def another_view(i, j):
    if kept:
        kept.append([kept[-1][0].detach(), kept[-1][1]])
        kept.pop(-2)

def drop(i, j):
    del kept[: j + 1]

def memory(i, j):
    if large:
        check(large.pop().sum().item(), 5000.0)
    else:
        x = tinygpt.zeros(SIZE * 8)
        device.copy(x._storage.handle, tensors[i]._storage.handle, 4 * SIZE)
        del x
        large.append(tinygpt.ones(5000))

log = []
def check(found, wanted):
    if found != wanted:
        raise AssertionError("%%r in place of %%r after %%s" %% (found, wanted, " ".join(log[-12:])))

OPERATIONS = put, put, copy, upload, launch, fill, read, read_one, replay, replay, replay_two
OPERATIONS += replay_with_a_result, change_kept, overwrite_kept, read_kept, another_view, drop, memory
OPERATIONS += put_too_much_for_a_queue, put_what_does_not_fit
for _ in range(600):
    operation = random.choice(OPERATIONS)
    log.append(operation.__name__)
    operation(random.randrange(len(tensors)), random.randrange(5))
for i in range(len(tensors)):
    read(i, 0)
for j in range(len(kept)):
    read_kept(0, j)
[f.captures for f in (total, pair, sum_of)]
"""


@pytest.mark.parametrize("seed", (1, 2, 3))
@on("oracle", "native", "node", "node-single", "node-wide", "chromium", "chromium-wide", "gpu-node")
def test_everything_happens_in_the_order_in_which_it_was_asked_for(target, seed):
    captures = hosts.value(
        OPERATIONS % seed, target.host, device=target.device, variant=target.variant, configure=target.configure
    )
    assert max(captures) < 60, "most calls are replays"


@on("native", "node", "chromium")
def test_a_result_of_minus_zero_keeps_its_sign(target):
    source = """
import math, tinygpt
x = tinygpt.tensor([-0.0])
f = tinygpt.compile(lambda: x[0] * 1.0)
[math.copysign(1.0, f().item()) for _ in range(3)] + [f().item() for _ in range(2)]
"""
    assert hosts.value(source, target.host, device=target.device) == [-1.0, -1.0, -1.0, 0.0, 0.0]
