"""The memory of a GPU is tried before a run: on an adapter with 1 GiB a run that needs more is
refused, and the device is there afterwards.
"""

from tests.targets import on

SOURCE = """
import gc
import tinygpt
from tinygpt import loop, train
from tinygpt.training import memory_reserve
device = tinygpt.get_device()

def held():
    gc.collect()
    device.trim()
    return device.memory_bytes()

before = held()
found = [device.available(n << 20) for n in (100, 300, 900, 4000)]
after = held()
loop.set_settings({"preset": "large", "batch_size": 256, "eval_interval": 0})
try:
    loop.run(train.train)
    sentence = "no error"
except memory_reserve.RunTooLarge as error:
    sentence = str(error)
loop.set_settings({"preset": "tiny", "steps": 2, "batch_size": 1, "eval_interval": 0, "sample_interval": 0})
run = loop.run(train.train)
left = device.lost, tinygpt.get_device().name, run.step
(before, after, found, sentence, *left, device.adapter.name, device.gpu.problem)
"""


@on("gpu-integrated")
def test_a_run_that_the_gpu_cannot_hold_is_refused_before_it_starts(value, target):
    before, after, found, sentence, lost, name, step, adapter, problem = value(target, SOURCE)
    assert adapter == "integrated" and problem == ""
    assert before == after, "what was tried is free again"
    assert found[:3] == [n << 20 for n in (100, 300, 900)]
    assert 1000 << 20 < found[3] + before <= 1024 << 20
    assert sentence.startswith("This run needs about ") and "of memory, and only 1" in sentence and "batch" in sentence
    assert not lost and name == "webgpu" and step in (1, 2)
