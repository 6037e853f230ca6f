"""`.to(device)`: the same objects on another device with the same bits, and training continues
there."""

import gc
from dataclasses import replace

import pytest

import tinygpt
from tests.fake_gpu import fake_gpu
from tinygpt import kernels, loop, nn, optim, train
from tinygpt.config import ModelConfig
from tinygpt.core import transfer
from tinygpt.data import Dataset
from tinygpt.graph import program

pytestmark = pytest.mark.fast
CONFIG = ModelConfig(vocab_size=256, context=8, layers=2, d_model=16, heads=2)
TEXT = "to be or not to be, that is the question. " * 20


@pytest.fixture(autouse=True)
def on_native():
    before = tinygpt.get_device()
    tinygpt.set_device("native")
    yield
    tinygpt.set_device(before.name)


class Training:
    def __init__(self, kind=optim.AdamW, dropout=0.0, **options):
        tinygpt.manual_seed(1)
        self.model = tinygpt.GPT(replace(CONFIG, dropout=dropout))
        self.optimizer = kind(self.model.parameter_groups(0.1), **options)
        self.data = Dataset(TEXT, None, CONFIG.context, seed=3)

        @tinygpt.compile
        def step():
            loss = self.model.loss(*self.data.batch(4))
            self.optimizer.zero_grad()
            loss.backward()
            tinygpt.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            return loss

        self.step = step

    def steps(self, n):
        return [self.step().item() for _ in range(n)]

    def bytes(self):
        moments = [a.tobytes() for a in self.optimizer.arenas]
        return (
            [p.tobytes() for p in self.model.parameters()]
            + moments
            + [p.grad.tobytes() for p in self.model.parameters()]
        )

    def to(self, device):
        tinygpt.set_device(device)
        for part in (self.optimizer, self.model, self.data):
            assert part.to(device) is part


@pytest.mark.parametrize(
    "kind, options", [(optim.AdamW, dict(lr=1e-3)), (optim.SGD, dict(lr=0.1)), (optim.SGD, dict(lr=0.1, momentum=0.9))]
)
def test_ten_steps_a_move_ten_steps_and_a_move_back(kind, options):
    there = Training(kind, dropout=0.1, **options)
    objects = [*there.model.parameters()]
    there.steps(10)
    before, counts, state = there.bytes(), dict(there.optimizer.steps), there.data.get_state()
    there.to("reference")
    assert there.bytes() == before and there.optimizer.steps == counts and there.data.get_state() == state
    assert all(a is b for a, b in zip(objects, there.model.parameters())) and {p.device.name for p in objects} == {
        "reference"
    }
    there.to("native")
    assert there.bytes() == before
    away = there.steps(5)
    stayed = Training(kind, dropout=0.1, **options)
    assert stayed.steps(15)[10:] == away, "a move and back leaves no trace"


def test_training_goes_on_where_it_was_moved_to():
    moved, stayed = Training(lr=1e-3), Training(lr=1e-3)
    moved.steps(4), stayed.steps(4)
    moved.to("reference")
    for a, b in zip(moved.steps(4), stayed.steps(4)):
        assert a == pytest.approx(b, rel=1e-5)
    moved.to("native")
    assert moved.steps(3) == pytest.approx(stayed.steps(3), rel=1e-4)


def test_the_moments_follow_a_model_that_was_moved():
    there, stayed = Training(lr=1e-3), Training(lr=1e-3)
    there.steps(3), stayed.steps(3)
    tinygpt.set_device("reference")
    there.model.to("reference"), there.data.to("reference")
    assert there.optimizer.arenas[0].device.name == "native"
    assert there.steps(3) == pytest.approx(stayed.steps(3), rel=1e-5)
    assert there.optimizer.arenas[0].device.name == "reference" and there.optimizer._count == 6


def test_tied_weights_stay_tied_and_buffers_go_along():
    model = tinygpt.GPT(CONFIG)
    model.register_buffer("mask", tinygpt.tensor([1, 2, 3]))
    mask = model.mask
    model.to("reference")
    assert model.lm_head.weight is model.tok_emb.weight and model.mask is mask and mask.device.name == "reference"
    assert mask.tolist() == [1, 2, 3]


def test_memory_is_left_behind_free():
    gc.collect()
    tinygpt.core.generator.forget(tinygpt.get_device())
    used = tinygpt.get_device().in_use()
    there = Training(lr=1e-3)
    there.steps(3)
    there.to("reference")
    there.steps(2)  # the earlier recordings go when the step records again
    assert tinygpt.devices.get("native").in_use() == used


def test_a_move_that_finds_no_memory_has_not_happened(monkeypatch):
    there = Training(lr=1e-3)
    there.steps(3)
    before = there.bytes()
    full = tinygpt.devices.get("reference")
    alloc, calls = full.alloc, []

    def refuse(*args):
        calls.append(args)
        if len(calls) > 2:
            raise MemoryError("full")
        return alloc(*args)

    monkeypatch.setattr(full, "alloc", refuse)
    with pytest.raises(MemoryError, match="full"):
        there.optimizer.to("reference")
    assert there.bytes() == before and {p.device.name for p in there.model.parameters()} == {"native"}
    there.steps(1)


def test_tensors_on_two_devices_are_told_apart():
    here, there = tinygpt.ones(2), tinygpt.ones(2, device="reference")
    with pytest.raises(RuntimeError, match="global_norm got tensors on two devices, native and reference"):
        program.launch(kernels.global_norm, (here, there), (2,))


def test_everything_reachable_moves_once():
    shared = tinygpt.ones(4)
    kept = {"list": [shared, {"view": shared[1:3]}], "layer": nn.Linear(2, 2), "text": "x"}
    transfer.move(tinygpt.devices.get("reference"), kept)
    view = kept["list"][1]["view"]
    assert (
        view._storage is shared._storage and view.tolist() == [1, 1] and kept["layer"].bias.device.name == "reference"
    )


# ---- the loop ----


QUICK = {"preset": "tiny", "steps": 12, "eval_interval": 4, "sample_interval": 0, "eval_batches": 2, "corpus": "stdlib"}


def test_the_run_changes_device_at_the_next_step_boundary_and_says_so(messages):
    """The loop reads the requested device between two steps. The losses stay bit-identical."""
    losses = lambda: {m["step"]: m["loss"] for m in messages if m["type"] == "step"}  # noqa: E731
    loop.set_settings(QUICK)
    loop.run(train.train)
    alone = losses()
    messages.clear()
    requests = {3: "fake", 5: "fake:f16", 8: "native"}
    checksums = {}

    def wanted():
        return requests.pop(loop.current.step, None)

    to = loop.Run.to

    def watched(run, choice):
        before = [p.tobytes() for p in run.kept["model"].parameters()] + [
            a.tobytes() for a in run.kept["optimizer"].arenas
        ]
        device = to(run, choice)
        after = [p.tobytes() for p in run.kept["model"].parameters()] + [
            a.tobytes() for a in run.kept["optimizer"].arenas
        ]
        checksums[choice] = before == after, device.name
        return device

    loop.set_wanted(wanted)
    with fake_gpu() as gpu, pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Run, "to", watched)
        tinygpt.set_device("native")
        loop.run(train.train)
        assert gpu.precision == "f16" and gpu.replays
    assert checksums == {"fake": (True, "fake"), "fake:f16": (True, "fake"), "native": (True, "native")}
    assert losses() == alone  # the fake GPU computes as the CPU does
    reported = [(m["device"], m["precision"]) for m in messages if m["type"] == "device"]
    # a message may follow that says how many threads are faster
    assert list(dict.fromkeys(reported)) == [("fake", "f32"), ("fake", "f16"), ("native", "f32")]
    notes = [m["text"] for m in messages if m["type"] == "note"]
    assert (
        notes[0] == "Training continues on the GPU (Fake GPU) from step 3."
        and "on the CPU" in notes[2]
        and "step 8" in notes[2]
    )


def test_what_the_step_closes_over_moves_without_being_kept(messages):
    requests = {3: "reference"}
    loop.set_wanted(lambda: requests.pop(loop.current.step, None))
    lines = []

    def train(run):
        training = Training(lr=1e-3)
        model, optimizer, data = training.model, training.optimizer, training.data

        @tinygpt.compile
        def step():
            loss = model.loss(*data.batch(4))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        for _ in run.steps(6):
            run.log(step(), program=step)
            lines.append(model.tok_emb.weight.device.name)

    loop.run(train)
    assert lines == ["native"] * 3 + ["reference"] * 3 and messages[-1]["reason"] == "done"


def test_a_device_that_is_not_there_changes_nothing(messages):
    requests = {2: "webgpu", 3: "nonsense", 4: "native:f16"}
    loop.set_settings(QUICK)
    loop.set_wanted(lambda: requests.pop(loop.current.step, None))
    loop.run(train.train)
    notes = [m["text"] for m in messages if m["type"] == "note"]
    assert len(notes) == 3 and all(note.startswith("Training stays on the CPU (native") for note in notes)
    assert messages[-1]["reason"] == "done" and {m["device"] for m in messages if m["type"] == "device"} == {"native"}
