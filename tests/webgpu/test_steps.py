"""Steps on the GPU: one submit each, few dispatches, at most two under way, and the numbers of the
eager step.
"""

import array

import pytest

from tests.targets import on

START = """import tinygpt
from tests.webgpu import host_train
from tinygpt.core.async_reads import PendingReads
device = tinygpt.get_device()
"""


@on("gpu-lavapipe")
def test_a_step_is_one_submit_and_two_are_under_way_at_most(value, target):
    counted = value(
        target,
        START
        + """
training = host_train.little()
training.losses(3)
device.synchronize()
reads, losses = PendingReads(), []

def twenty():
    for _ in range(20):
        losses.extend(loss for _, loss in reads.push(training.run()))

rose = host_train.counted(twenty)
losses += [loss for _, loss in reads.drain()]
rose.update(most=host_train.counters()["mostInFlight"], losses=losses, captures=training.run.captures)
rose["dispatches a step"] = training.run.program._loaded.dispatches
rose
""",
    )
    assert counted["captures"] == 1
    assert counted["submits"] == 20
    assert counted["dispatches"] == 20 * counted["dispatches a step"]
    assert counted["most"] <= 2
    assert len(counted["losses"]) == 20 and counted["losses"][-1] < counted["losses"][0]


@on("gpu-lavapipe")
@pytest.mark.parametrize("preset, layers", [("tiny", 2), ("small", 3)])
def test_a_full_step_has_few_dispatches(value, target, preset, layers):
    count = value(
        target,
        START
        + "training = host_train.preset(%r)\ntraining.losses(3)\nhost_train.counted(training.run)['dispatches']"
        % preset,
    )
    assert count <= 25 + 22 * layers


OPTIONS = {
    "plain": {}, "rotary": {"positions": "rotary"}, "rms": {"norm": "rms"}, "swiglu": {"mlp": "swiglu"},
    "grouped": {"kv_heads": 2},
    "untied": {"tie_embeddings": False}, "no bias": {"bias": False}, "dropout": {"dropout": 0.2},
    "recompute": {"recompute": True, "dropout": 0.2},
}  # fmt: skip


def close(a, b, tolerance):
    """Float32 bytes equal within a tolerance of the largest magnitude."""
    a, b = array.array("f", a), array.array("f", b)
    scale = max(map(abs, b))
    assert len(a) == len(b) and scale > 0
    return max(abs(x - y) for x, y in zip(a, b)) <= tolerance * scale


@on("gpu-lavapipe")
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_eager_and_replayed_steps_agree(value, target, options):
    # A Program has launches of its own here (sums beside products, clip within AdamW), so the last
    # bits may differ.
    got = value(
        target,
        START
        + """
out = []
for compiled in (False, True, True):
    training = host_train.little(compiled, **%r)
    out.append((training.losses(4), training.weights()))
out
"""
        % options,
    )
    (eager, eager_weights), (replayed, weights), again = got
    assert again == [replayed, weights], "the same bits on every run"
    assert replayed == pytest.approx(eager, rel=2e-6)
    assert close(weights, eager_weights, 2e-4)
    assert eager[3] < eager[0]


@on("gpu-lavapipe")
def test_steps_agree_with_the_native_device(value, target):
    from tests import hosts

    source = (
        "from tests.webgpu import host_train\ntraining = host_train.little()\n(training.losses(6), training.weights())"
    )
    losses, weights = value(target, source)
    native_losses, native_weights = hosts.value(source)
    assert losses == pytest.approx(native_losses, rel=1e-5)
    assert close(weights, native_weights, 1e-3)


@on("gpu-lavapipe")
def test_programs_share_the_arena(value, target):
    alone, together, arenas = value(
        target,
        START
        + """
def trainings():
    return host_train.little(), host_train.little(d_model=32, layers=3)

alone = [t.losses(5) for t in trainings()]
small, large = trainings()
together, arenas = [[], []], set()
for _ in range(5):
    for i, t in enumerate((small, large)):
        together[i] += t.losses(1)
        arenas.add(device.arena)
(alone, together, len(arenas))
""",
    )
    assert together == alone
    assert arenas <= 3, "it grows once for each larger Program, and is one buffer"


@on("gpu-lavapipe")
def test_a_reading_has_the_value_of_its_moment(value, target):
    source = """
a = tinygpt.tensor([1.0, 2.0])
handle = a._storage.handle
first = device.read_later(handle, 8)
a.mul_(10.0)
second = device.read_later(handle, 8)
a.copy_(tinygpt.tensor([5.0, 6.0]))
third = device.read_later(handle, 4, 4)
import struct
third_value = struct.unpack("<f", third.bytes())  # requested out of order
(struct.unpack("<2f", first.bytes()), struct.unpack("<2f", second.bytes()), third_value, third.ready, a.tolist())
"""
    assert value(target, START + source) == [[1.0, 2.0], [10.0, 20.0], [6.0], True, [5.0, 6.0]]


@on("gpu-lavapipe")
def test_a_reading_outlives_its_tensor(value, target):
    source = """
def request():
    return device.read_later((tinygpt.ones(4) * 3.0)._storage.handle, 16)

reads = [request() for _ in range(4)]
other = [tinygpt.full((4,), 7.0) for _ in range(8)]  # the freed memory is used again
import struct
[struct.unpack("<4f", r.bytes())[0] for r in reads]
"""
    assert value(target, START + source) == [3.0] * 4


@on("gpu-lavapipe")
def test_pipelines_are_made_once(value, target):
    again = value(
        target,
        START
        + """
host_train.little().losses(3)
host_train.counted(lambda: host_train.little().losses(3))["pipelines"]
""",
    )
    assert again == 0
