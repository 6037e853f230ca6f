"""Errors on the GPU, in one sentence each: an index out of range, no way to wait, a missing
precision, a lost device.
"""

import pytest

from tests import hosts
from tests.targets import on

START = """
import tinygpt
from tests.webgpu import host_train
from tinygpt import functional as F
device = tinygpt.get_device()

def sentence(call, kind):
    try:
        call()
    except kind as error:
        return type(error).__name__ + ": " + str(error)
    return "no error"
"""


@on("gpu-lavapipe")
def test_an_index_out_of_range_is_raised_at_the_next_read(value, target):
    got = value(
        target,
        START
        + """
table = tinygpt.ones(5, 3)
out = F.embedding(tinygpt.tensor([1, 7, 2]), table)
first = sentence(out.tolist, IndexError)
logits = tinygpt.ones(2, 4)
loss = F.cross_entropy(logits, tinygpt.tensor([1, -5]))
second = sentence(loss.item, IndexError)
(first, second, sentence(table.tolist, IndexError), F.embedding(tinygpt.tensor([4]), table).tolist())
""",
    )
    assert got[0].startswith("IndexError: index out of range in embedding")
    assert got[1].startswith("IndexError: index out of range in cross_entropy")
    assert got[2] == "no error", "an error is reported once"
    assert got[3] == [[1.0, 1.0, 1.0]]


@on("gpu-lavapipe")
def test_an_index_out_of_range_within_a_program_is_raised_too(value, target):
    got = value(
        target,
        START
        + """
table = tinygpt.ones(5, 3)
rows = tinygpt.compile(lambda index: F.embedding(index, table) * 2.0)
good, bad = tinygpt.tensor([1, 2]), tinygpt.tensor([1, 9])
for _ in range(3):
    rows(good).tolist()
(sentence(lambda: rows(bad).tolist(), IndexError), rows(good).tolist())
""",
    )
    assert got[0].startswith("IndexError: index out of range in embedding")
    assert got[1] == [[2.0] * 3] * 2


@on("gpu-lavapipe")
def test_without_a_way_to_wait_the_awaitable_is_named(value, target):
    got = value(
        target,
        START
        + """
from pyodide.ffi import run_sync
x = tinygpt.ones(3) * 2.0
device.gpu.canWait = False
try:
    messages = [sentence(call, RuntimeError) for call in (x.sum().item, x.tolist, lambda: tinygpt.tensor(1.0).item())]
    coroutine = (x.sum() * tinygpt.tensor(3.0)).item_async()
finally:
    device.gpu.canWait = True
(messages, run_sync(coroutine), x.sum().item())
""",
    )
    assert all("item_async" in text and "\n" not in text for text in got[0]), got[0]
    assert got[1] == 18.0 and got[2] == 6.0


@on("gpu-lavapipe")
def test_a_precision_that_the_gpu_lacks_is_refused(value, target):
    got = value(
        target,
        START
        + """
before = device.precision, device.build
messages = [sentence(lambda p=p: device.configure(precision=p), ValueError) for p in ("f16_matrix", "matrix", "f8")]
(messages, before == (device.precision, device.build))
""",
    )
    assert all("f32" in text and text.startswith("ValueError") for text in got[0]), got[0]
    assert got[1]


@on("gpu-lavapipe")
def test_a_change_of_rung_records_again_and_agrees(value, target):
    got = value(
        target,
        START
        + """
training = host_train.little()
losses = training.losses(3)
captures = [training.run.captures]
builds = [device.build]
device.configure(subgroups=False)
builds.append(device.build)
losses += training.losses(2)
captures.append(training.run.captures)
device.configure(subgroups=True)
losses += training.losses(1)
(losses, host_train.little().losses(6), builds)
""",
    )
    assert got[0] == pytest.approx(got[1], rel=1e-5)
    assert "subgroups" in got[2][0] and "subgroups" not in got[2][1]


@pytest.fixture
def own_gpu(value):
    """As `value`; the host, whose GPU the source may lose, ends afterwards."""
    used = []

    def run(target, source, **options):
        used.append(target)
        return value(target, source, **options)

    yield run
    for target in used:
        hosts.stop(target.host, target.variant)


@on("gpu-lavapipe")
def test_a_lost_gpu_is_said_and_comes_back(own_gpu, target):
    messages, lost, lost_now, want, again, capabilities = own_gpu(
        target,
        START
        + """
from tinygpt.devices.base import DeviceLost
from tinygpt.loop import choose_device
training = host_train.little()
want = training.losses(4)
x = tinygpt.ones(3)
device.gpu.destroy()
calls = (x.tolist, lambda: training.run().item(), lambda: (x + x).tolist(), lambda: tinygpt.ones(2).tolist())
messages = [sentence(call, DeviceLost) for call in calls]
lost = device.lost
choose_device("webgpu")
del training, x
(messages, lost, device.lost, want, host_train.little().losses(4), device.info["capabilities"])
""",
    )
    assert all(text.startswith("DeviceLost: ") and "\n" not in text for text in messages), messages
    assert lost is True and lost_now is False
    assert again == want, "the same numbers on the GPU that came back"
    assert "f32" in capabilities


@on("gpu-lavapipe")
def test_a_gpu_that_is_lost_while_it_is_timed(own_gpu, target):
    said = own_gpu(
        target,
        START
        + """
from js import setTimeout
from pyodide.ffi import create_once_callable
from tinygpt.devices.base import DeviceLost
training = host_train.little()
training.losses(2)
setTimeout(create_once_callable(device.gpu.destroy), 30)

def time():
    while True:
        device.profile(training.run.program, 1)

sentence(time, DeviceLost)
""",
    )
    assert said.startswith("DeviceLost: the GPU was lost (")


RUN = """
import json
from tinygpt import loop, train

def run(at=None, act=None):
    messages = []

    def sink(text):
        message = json.loads(text)
        messages.append(message)
        if act and message["type"] == "step" and message["step"] == at:
            act()

    loop.set_sink(sink)
    loop.set_settings({"preset": "tiny", "steps": 14, "eval_interval": 6, "sample_interval": 0, "eval_batches": 1})
    try:
        loop.run(train.train)
    finally:
        loop.set_sink(None)
        loop.set_settings({})
        loop.set_wanted(None)
    losses = {m["step"]: m["loss"] for m in messages if m["type"] == "step"}
    return losses, [m["text"] for m in messages if m["type"] == "note"], messages[-1]
"""


@on("gpu-lavapipe")
def test_a_run_goes_on_after_the_gpu_was_lost(own_gpu, target):
    alone, disturbed = own_gpu(
        target, START + RUN + "once = [device.gpu.destroy]\n(run(), run(7, lambda: once and once.pop()()))"
    )
    losses, notes, last = disturbed
    assert losses == alone[0], "as if it had not been"
    assert last == {"type": "finish", "step": 14, "reason": "done"}
    (note,) = notes
    assert note.startswith("The GPU was lost (") and "training continues from step " in note and " on the GPU (" in note


@on("gpu-lavapipe")
def test_a_run_changes_to_the_cpu_and_back(own_gpu, target):
    source = """
changes = []

def wanted():
    changes.append(len(changes))
    return {4: "wasm", 9: "webgpu"}.get(len(changes) - 1)

alone = run()
loop.set_wanted(wanted)
(alone, run(), tinygpt.get_device().name)
"""
    alone, changed, name = own_gpu(target, START + RUN + source)
    assert name == "webgpu"
    assert changed[2] == {"type": "finish", "step": 14, "reason": "done"}
    assert len(changed[1]) == 2 and "on the CPU" in changed[1][0] and "on the GPU" in changed[1][1], changed[1]
    steps = sorted(alone[0], key=int)
    assert [changed[0][i] for i in steps] == pytest.approx([alone[0][i] for i in steps], rel=1e-4)


@on("gpu-lavapipe")
def test_a_stop_at_the_moment_when_a_value_arrives_loses_no_value(value, target):
    got = value(
        target,
        START
        + """
import js
from tinygpt.core.async_reads import PendingReads

def stopped():
    reads = PendingReads(2)
    reads.push((tinygpt.ones(64) * 3.0).sum(), "first")
    reads.push((tinygpt.ones(64) * 4.0).sum(), "second")
    js.stopSignal[0] = 2  # SIGINT: the bridge looks every 20 ms, and when the value is here
    return (sentence(reads.pop, KeyboardInterrupt), len(reads), reads.pop(), reads.pop())

[stopped() for _ in range(20)]
""",
    )
    assert all(stop.startswith("KeyboardInterrupt") for stop, *_ in got)
    assert [rest for _, *rest in got] == [[2, ["first", 192.0], ["second", 256.0]]] * 20
