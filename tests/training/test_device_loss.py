"""A GPU that goes away in the middle of a run: one sentence, the last good state, and training
resumes, on the CPU if necessary.
"""

import json
import time

import pytest

import tinygpt
from tests.fake_gpu import fake_gpu
from tinygpt import loop, train
from tinygpt.training.device_recovery import Recovery

pytestmark = pytest.mark.fast
QUICK = {
    "preset": "tiny",
    "steps": 16,
    "eval_interval": 6,
    "sample_interval": 9,
    "eval_batches": 2,
    "sample_tokens": 12,
}


@pytest.fixture
def messages():
    got = []
    loop.set_sink(lambda text: got.append(json.loads(text)))
    loop.set_settings({**QUICK, "corpus": "stdlib"})
    yield got
    loop.set_sink(None)
    loop.set_settings({})


@pytest.fixture
def gpu():
    with fake_gpu() as device:
        yield device


@pytest.fixture
def copies_at(monkeypatch):
    """copies_at({steps}): the host's copies are made at these steps, and no others."""

    def at(steps):
        keep = Recovery.keep_copy

        def sometimes(recovery, run):
            recovery._copied_at = -1e9 if run.step in steps else 1e9
            keep(recovery, run)

        monkeypatch.setattr(Recovery, "keep_copy", sometimes)

    return at


def losses(messages):
    """{step: loss}, as the last message about each step says."""
    return {m["step"]: m["loss"] for m in messages if m["type"] == "step"}


@pytest.fixture
def undisturbed(messages):
    tinygpt.set_device("native")
    loop.run(train.train)
    alone = losses(messages)
    weights = [p.tobytes() for p in loop.current.kept["model"].parameters()]
    messages.clear()
    return alone, weights


def notes(messages):
    return [m["text"] for m in messages if m["type"] == "note"]


def checks(messages, undisturbed):
    """The run ended bit-identical to one without the loss."""
    assert messages[-1] == {"type": "finish", "step": 16, "reason": "done"}
    assert losses(messages) == undisturbed[0]
    assert [p.tobytes() for p in loop.current.kept["model"].parameters()] == undisturbed[1]
    assert [step for step, *rest in loop.current.history if len(rest) == 1] == list(range(16))


@pytest.mark.parametrize("lose_at", range(3, 34, 3))
def test_wherever_the_gpu_is_lost_the_run_ends_as_if_it_had_not_been(undisturbed, messages, gpu, copies_at, lose_at):
    copies_at({4, 8, 12})
    gpu.lose_at = (lose_at,)
    tinygpt.set_device("fake")
    loop.run(train.train)
    checks(messages, undisturbed)
    assert gpu.reopened == 1
    (note,) = notes(messages)
    assert note.startswith("The GPU was lost (a test) at step ") and "; training continues from step " in note
    assert note.endswith(" on the GPU (Fake GPU).")
    lost, goes_on = (int(note.split(word)[1].split()[0].strip(";")) for word in (" at step ", " from step "))
    assert goes_on == lost // 4 * 4 if lost < 16 else 12


def test_a_gpu_that_does_not_come_back_leaves_the_run_to_the_cpu(undisturbed, messages, gpu, copies_at):
    copies_at({8})
    gpu.lose_at, gpu.comes_back = (24,), False
    tinygpt.set_device("fake")
    run = loop.run(train.train)
    checks(messages, undisturbed)
    (note,) = notes(messages)
    assert "it could not be reopened (no adapter)" in note
    assert "training continues from step 8 on the CPU (native" in note
    assert tinygpt.get_device().name == "native" and run.kept["optimizer"].flat.values.device.name == "native"
    assert [m["device"] for m in messages if m["type"] == "device"] == ["native"]


def test_the_third_loss_ends_the_patience(undisturbed, messages, gpu, copies_at):
    copies_at({4, 8})
    gpu.lose_at = (12, 20, 30)
    tinygpt.set_device("fake")
    loop.run(train.train)
    checks(messages, undisturbed)
    assert gpu.reopened == 2 and len(notes(messages)) == 3
    assert "for the third time in this run" in notes(messages)[2] and "on the CPU (native" in notes(messages)[2]


def test_memory_that_does_not_suffice_moves_the_run_to_the_cpu(undisturbed, messages, gpu, copies_at, monkeypatch):
    copies_at({4})
    tinygpt.set_device("fake")
    replay = gpu._replay

    def full(address, slots):
        if gpu.replays == 15:
            gpu.replays += 1
            raise MemoryError("out of GPU memory: 1 GiB more would not fit.")
        return replay(address, slots)

    monkeypatch.setattr(gpu, "_replay", full)
    loop.run(train.train)
    checks(messages, undisturbed)
    (note,) = notes(messages)
    assert note.startswith("The GPU ran out of memory at step ")
    assert "(out of GPU memory: 1 GiB more would not fit); training continues from step 4 on the CPU" in note
    assert gpu.reopened == 0


def test_a_loss_before_the_first_step_starts_the_run_again(messages, gpu):
    gpu.lost = True
    loop.run(train.train)
    assert notes(messages) == [
        "The GPU was lost (a test) at step 0; training continues from step 0 on the GPU (Fake GPU)."
    ]
    assert messages[-1]["reason"] == "done" and len(losses(messages)) == 16


def test_a_run_that_keeps_nothing_starts_again(messages, gpu):
    def train(run):
        tinygpt.manual_seed(3)
        layer = tinygpt.nn.Linear(4, 4)
        step = tinygpt.compile(lambda: (layer(tinygpt.ones(2, 4)) ** 2).sum())
        for _ in run.steps(8):
            run.log(step())

    gpu.lose_at = (5,)
    run = loop.run(train)
    assert "training continues from step 0" in notes(messages)[0] and [step for step, _ in run.history] == list(
        range(8)
    )


def test_dropout_and_a_kept_scheduler_and_tensor_come_back_too(messages, gpu, copies_at):
    from dataclasses import replace

    from tinygpt import optim, schedule
    from tinygpt.config import PRESETS, TrainConfig
    from tinygpt.data import Dataset

    config = replace(TrainConfig(), steps=14, lr=1e-2, schedule="cosine", batch_size=4)

    def train(run):
        tinygpt.manual_seed(7)
        model = run.keep("model", lambda: tinygpt.GPT(replace(PRESETS["tiny"].model, dropout=0.2)))
        kept = run.keep(
            "kept", lambda: {"average": tinygpt.tensor(0.0), "optimizer": optim.AdamW(model.parameters(), lr=1e-2)}
        )
        data = run.keep("data", lambda: Dataset("to be or not to be, " * 60, None, 32, seed=3))
        scheduler = run.keep("scheduler", lambda: schedule.Scheduler(kept["optimizer"], config))

        @tinygpt.compile
        def step():
            loss = model.loss(*data.batch(4))
            kept["optimizer"].zero_grad()
            loss.backward()
            kept["optimizer"].step()
            kept["average"].mul_(0.9).add_(loss.detach() * 0.1)
            return loss

        for _ in run.steps(14):
            run.log(step(), lr=scheduler.get_last_lr()[0])
            scheduler.step()
        run.average = kept["average"].item()

    def outcome():
        messages.clear()
        run = loop.run(train)
        return {m["step"]: (m["loss"], m["lr"]) for m in messages if m["type"] == "step"}, run.average

    alone, average = outcome()
    copies_at({5, 9})
    gpu.lose_at, gpu.replays = (11,), 0
    after, average_after = outcome()
    assert gpu.reopened == 1 and after == alone
    assert average_after == average


def test_copies_come_every_ten_seconds_at_most_and_cost_a_fiftieth_of_the_time(messages, gpu, monkeypatch):
    from tinygpt.core import transfer

    clock = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    made = []

    class Slow(transfer.Copy):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            clock[0] += 0.5
            made.append(run.step)

    monkeypatch.setattr(transfer, "Copy", Slow)
    run = loop.Run()

    def train(run):
        run.keep("x", lambda: tinygpt.ones(3))
        for _ in run.steps(120):
            clock[0] += 1.0
            run.log(1.0)

    loop.run(train, resume=run)
    assert made == [0, 25, 50, 75, 100]
    assert all(m["ms"] == pytest.approx(1000) for m in messages if m["type"] == "step"), "a copy is not a step's time"


def test_where_the_host_has_no_room_for_a_copy_the_run_says_so_once_and_goes_on(messages, gpu, monkeypatch):
    from tinygpt.core import transfer

    def full(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(transfer, "Copy", full)
    loop.run(train.train)
    assert messages[-1]["reason"] == "done"
    (note,) = notes(messages)
    assert note == (
        "There is not enough memory for a copy of the model outside the GPU: if the GPU is lost, the steps since "
        "the start are lost too."
    )


def test_a_cpu_makes_no_copies(messages, monkeypatch):
    from tinygpt.core import transfer

    monkeypatch.setattr(transfer, "Copy", None)
    before = tinygpt.get_device()
    tinygpt.set_device("native")
    loop.run(train.train)
    tinygpt.set_device(before.name)
    assert messages[-1]["reason"] == "done"


def test_a_stop_is_not_taken_for_a_loss(messages, gpu):
    def train(run):
        for i in run.steps(5):
            if i == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.run(train)
    assert messages == [{"type": "finish", "step": 3, "reason": "stopped"}]
