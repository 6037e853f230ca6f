"""Memory and limits of the GPU: freed memory, and sizes beyond one binding, one dimension of
workgroups, or the GPU itself.
"""

import pytest

from tests.targets import on

START = "import tinygpt\nfrom tests.webgpu import host_train\ndevice = tinygpt.get_device()\n"


@on("gpu-lavapipe")
def test_fifty_runs_end_where_they_began(value, target):
    held = value(
        target,
        START
        + """
import gc

def cycle():
    host_train.little(layers=1).losses(3)
    gc.collect()
    device.synchronize()
    return [device.in_use(), device.memory_bytes(), len(device.pool.sizes)]

[cycle() for _ in range(50)]
""",
    )
    assert held[2] == held[49], (held[:4], held[-4:])


@on("gpu-lavapipe")
def test_trim_gives_pooled_memory_back(value, target):
    before, used, pooled, after = value(
        target,
        START
        + """
import gc
gc.collect()
device.trim()
before = device.memory_bytes()
x = [tinygpt.ones(1 << 20) for _ in range(4)]
used = device.memory_bytes()
del x
pooled = device.memory_bytes()
device.trim()
(before, used, pooled, device.memory_bytes())
""",
    )
    assert used >= before + (16 << 20) and pooled == used and after == before


@on("gpu-lavapipe")
def test_more_workgroups_than_one_dimension_has(value, target):
    source = """
from tinygpt import functional as F
rows = 70_001
x = tinygpt.arange(rows * 3, dtype=tinygpt.float32).reshape(rows, 3)
y = F.softmax(x, -1)
z = F.layer_norm(x, (3,))
long = tinygpt.ones(70_001 * 256)
last = (y[-1].tolist(), z[-1].tolist(), y.sum().item(), long.sum().item(), (long + long)[-3:].tolist())
last
"""
    soft, norm, total, count, ends = value(target, START + source)
    assert soft == pytest.approx([0.09003057, 0.24472848, 0.66524094], rel=1e-5)
    assert norm == pytest.approx([-1.2247, 0.0, 1.2247], abs=2e-3)
    assert total == pytest.approx(70_001, rel=1e-5)
    assert count == 70_001 * 256 and ends == [2.0, 2.0, 2.0]


@pytest.mark.slow
@on("gpu-lavapipe")
def test_a_step_at_context_256_and_batch_64(value, target):
    from tests import hosts

    source = (
        "from tests.webgpu import host_train\n"
        "training = host_train.little(batch=64, context=256, layers=1, d_model=16, heads=4, vocab_size=64)\n"
        "training.losses(3)"
    )
    assert value(target, source) == pytest.approx(hosts.value(source), rel=1e-5)


@on("gpu-lavapipe")
def test_an_arena_larger_than_one_binding(value, target):
    # The flat arenas of parameters, gradients and moments, and the Program's, pass the limit; no
    # single activation does.
    want, got, dispatches, sizes = value(
        target,
        START
        + """
def train():
    training = host_train.little(layers=12, d_model=32, batch=2)
    losses = training.losses(4)
    return losses, training.run.program._loaded.dispatches, sum(p.numel() * 4 for p in training.model.parameters())

want, usual, _ = train()
limits = dict(device.limits)
device.limits["maxStorageBufferBindingSize"] = 1 << 17
device.configure()
try:
    got, more, nbytes = train()
finally:
    device.limits.update(limits)
    device.configure()
(want, got, (usual, more), (nbytes, device.arena_bytes))
""",
    )
    assert min(sizes) > 1 << 17
    assert dispatches[1] > dispatches[0], "the flat launches are split"
    assert got == pytest.approx(want, rel=1e-6)


@on("gpu-lavapipe")
def test_too_much_memory_is_one_sentence(value, target):
    sentence, kept = value(
        target,
        START
        + """
x = tinygpt.ones(3)
try:
    tinygpt.empty(1 << 40)
    sentence = "no error"
except MemoryError as error:
    sentence = str(error)
(sentence, (x + 1.0).tolist())
""",
    )
    assert "smaller" in sentence and "\n" not in sentence
    assert kept == [2.0, 2.0, 2.0]


@on("gpu-lavapipe")
def test_memory_that_the_gpu_does_not_have_is_one_sentence(value, target):
    # WebGPU's answer when a buffer finds no memory, given to a request that would find some.
    sentence, kept = value(
        target,
        START
        + """
x = tinygpt.ones(3)
device.trim()

class Full:
    def __init__(self, gpu):
        self.gpu = gpu

    def __getattr__(self, name):
        return getattr(self.gpu, name)

    async def memoryProblem(self):
        return "Failed to allocate"

real, device.pool.gpu = device.gpu, Full(device.gpu)
before = device.memory_bytes()
try:
    tinygpt.empty(16 << 20)
    sentence = "no error"
except MemoryError as error:
    sentence = str(error)
finally:
    device.pool.gpu = real
assert device.memory_bytes() == before
(sentence, (x + tinygpt.ones(8 << 20)[:3]).tolist())
""",
    )
    assert "out of GPU memory" in sentence and "smaller" in sentence
    assert kept == [2.0, 2.0, 2.0]
