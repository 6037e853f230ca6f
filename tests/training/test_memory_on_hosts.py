"""On each host: a run holds the memory that was counted before it, and recomputed blocks train as
kept ones do.
"""

import pytest

from tests.targets import on

# The loop of the page for three steps; the memory in use is read after every allocation.
RUN = """
import gc
from dataclasses import replace
import tinygpt
from tinygpt import corpora, loop, train
from tinygpt.training import memory_estimate
from tinygpt.config import PRESETS

device = tinygpt.get_device()
corpora.provide("letters", "All the letters of a text. " * 800)
preset = PRESETS[%(preset)r]
shape = replace(preset.model, recompute=%(recompute)r, dropout=%(dropout)r)
tokens = 800 * 27
plan = memory_estimate.plan(shape, preset.train, tokens)

loop.current = None
gc.collect()
device.release_arena()
alloc, peak, empty = device.alloc, [0], device.in_use()

def watched(nbytes, dtype="float32"):
    address = alloc(nbytes, dtype)
    peak[0] = max(peak[0], device.in_use() - empty)
    return address

device.alloc = watched
same = dict(recompute=shape.recompute, dropout=shape.dropout)
loop.set_settings(dict(preset=preset.name, steps=3, corpus="letters", sample_interval=0, **same))
try:
    run = loop.run(train.train)
    planned = run.compiled.program.planned_bytes
    steady = device.in_use() - empty
finally:
    del device.alloc
    loop.set_settings({})
(plan.__dict__, peak[0], planned, steady)
"""


@on("native", "node")
@pytest.mark.parametrize(
    "preset, recompute, dropout",
    [(name, False, 0.0) for name in ("tiny", "small", "medium", "large", "xl")]
    + [pytest.param(name, False, 0.0, marks=pytest.mark.slow) for name in ("huge", "massive")]
    + [("large", True, 0.1), pytest.param("huge", True, 0.0, marks=pytest.mark.slow)],
)
def test_the_count_is_what_the_run_holds(value, target, preset, recompute, dropout):
    plan, peak, planned, steady = value(target, RUN % dict(preset=preset, recompute=recompute, dropout=dropout))
    assert plan["activations"] == planned
    assert plan["total"] == pytest.approx(peak, rel=0.03)
    assert plan["steady"] == pytest.approx(steady, rel=0.03)
    assert plan["parameters"] == plan["gradients"] == plan["moments"] / 2
    assert plan["largest"] <= plan["total"]


RECOMPUTED = """
from dataclasses import replace
import tinygpt
from tinygpt import optim
from tinygpt.config import ModelConfig

def trained(recompute):
    tinygpt.manual_seed(3)
    shape = dict(vocab_size=40, context=9, layers=3, d_model=24, heads=4, dropout=0.2)
    model = tinygpt.GPT(ModelConfig(**shape, recompute=recompute))
    optimizer = optim.AdamW(model.parameter_groups(0.1), lr=1e-2)
    tokens = tinygpt.randint(0, 40, (300,))

    @tinygpt.compile
    def step():
        _, loss = model(*tinygpt.ops.random.batch_windows(tokens, 5, 9, 0, 270))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return [step().item() for _ in range(4)], [p.tobytes() for p in model.parameters()], step.program.planned_bytes

(trained(False), trained(True))
"""


@on("native", "node", "gpu-lavapipe")
def test_it_trains_the_same_on_every_device(value, target):
    (losses, weights, planned), (again, same, fewer) = value(target, RECOMPUTED)
    assert fewer < 0.7 * planned
    if target.device == "webgpu":  # its dispatches may be cut in other places
        assert again == pytest.approx(losses, rel=1e-5)
    else:
        assert again == losses and same == weights


EXHAUSTED = """
import gc
import tinygpt
from tinygpt import loop
device = tinygpt.get_device()
loop.current = None  # the garbage of earlier tests would be collected in the middle of it
gc.collect()
device.release_arena()
weights = tinygpt.ones(1000)
before = device.in_use()
held = []
try:
    while len(held) < 8:
        held.append(tinygpt.empty(1 << 28))  # 1 GiB, not touched
    said = None
except MemoryError as error:
    said = str(error)
count = len(held)
held.clear()
(said, count, device.capacity, device.in_use() - before, weights.sum().item(), tinygpt.empty(1 << 28).numel())
"""


@on("node")
def test_memory_that_is_all_used_is_a_sentence_with_the_sizes_and_what_was_there_stays(value, target):
    said, count, capacity, more, total, numel = value(target, EXHAUSTED)
    assert capacity == 4 << 30 and count == 3
    assert (
        said.startswith("out of memory: 1.07 GB more would not fit beside the 3.2")
        and "of the 4.29 GB that it holds at most" in said
    )
    assert "smaller batch" in said and "recompute" in said
    assert more == 0 and total == 1000.0 and numel == 1 << 28
