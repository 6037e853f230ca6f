"""Code that changes while it trains: the transferred state, and the rollback when the new code
fails.
"""

import math

import pytest

import tinygpt
from tinygpt import GPT, loop, optim
from tinygpt.config import ModelConfig, TrainConfig
from tinygpt.data import Dataset
from tinygpt.nn import Linear
from tinygpt.training import state_transfer

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("native", "messages")]
SHAPE = dict(vocab_size=64, context=16, layers=2, d_model=16, heads=2, dropout=0.1)
CONFIG = TrainConfig(batch_size=4, steps=60, lr=3e-3)
TEXT = [(i * i + 3 * i) % 64 for i in range(2000)]


def training(lr=3e-3, setup=None, in_step=None, optimizer_of=None, compiled=True, **shape):
    """A train(run) as in train.py, with the parts that an edit would change."""

    def train(run):
        tinygpt.manual_seed(7)
        if setup:
            setup()
        config = ModelConfig(**{**SHAPE, **shape})
        data = run.keep("data", lambda: Dataset(TEXT, tinygpt.tokenizer.ByteTokenizer(), config.context))
        model = run.keep("model", lambda: GPT(config))
        make = optimizer_of or (lambda model: optim.AdamW(model.parameter_groups(0.1), lr=lr))
        optimizer = run.keep("optimizer", lambda: make(model))

        def step():
            x, y = data.batch(4)
            _, loss = model(x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step = tinygpt.compile(step) if compiled else step
        run.start(model, CONFIG)
        for i in run.steps(CONFIG.steps):
            if in_step:
                in_step(i)
            run.log(step(), lr=optimizer.param_groups[0]["lr"])

    return train


def trained(first, changes=(), **options):
    """The Run of `first`, with `changes` {step: train} or {step: Version} taking over; losses by
    step in run.losses.
    """
    changes = dict(changes)

    def at_boundary(run):
        version = changes.pop(run.step, None)
        if version is not None:
            run.replace(version if isinstance(version, loop.Version) else loop.Version(version))

    loop.set_visitor(at_boundary)
    run = loop.run(first, **options)
    run.losses = {h[0]: h[1] for h in run.history}
    return run


def test_the_same_code_again_changes_no_bit(messages):
    alone = trained(training()).losses
    changed = trained(training(), {10: training(), 11: training(), 37: training(compiled=False)})
    assert changed.losses == alone and len(alone) == 60
    assert [m["step"] for m in messages if m["type"] == "applied"] == [10, 11, 37]
    assert all(m["notes"] == [] for m in messages if m["type"] == "applied")
    assert [m["goes_on"] for m in messages if m["type"] == "start"] == [False, False, True, True, True]


def test_a_new_learning_rate_holds_from_the_next_step_and_all_else_goes_on(messages):
    alone = trained(training()).losses
    messages.clear()
    run = trained(training(), {30: training(lr=1e-4)})
    steps = [m for m in messages if m["type"] == "step"]
    assert [m["step"] for m in steps] == list(range(60))
    assert [m["lr"] for m in steps] == [3e-3] * 30 + [1e-4] * 30
    assert [run.losses[i] for i in range(31)] == [
        alone[i] for i in range(31)
    ]  # the loss of step 30 is from before its update
    assert run.losses[32] != alone[32] and abs(run.losses[31] - alone[31]) < 0.2
    assert set(run.kept["optimizer"].steps.values()) == {60}


def test_a_larger_model_takes_over_what_fits_and_says_what_does_not(messages):
    seen = {}

    def look():
        run = loop.current
        seen.update(before={n: p.tolist() for n, p in run.state.transferring["model"].named_parameters()})

    def arrived(error, notes):
        seen.update(
            after={n: p.tolist() for n, p in loop.current.kept["model"].named_parameters()}, notes=notes, error=error
        )

    larger = training(setup=look, layers=3, context=24)
    run = trained(training(), {25: loop.Version(larger, tell=arrived)})
    assert seen["error"] is None
    before, after = seen["before"], seen["after"]
    assert all(after[name] == value for name, value in before.items() if name != "pos_emb.weight")
    assert after["pos_emb.weight"][:16] == before["pos_emb.weight"] and len(after["pos_emb.weight"]) == 24
    new = [name for name in after if name not in before]
    assert new and all(name.startswith("blocks.2.") for name in new)
    assert seen["notes"] == [
        "pos_emb.weight (16×16 to 24×16) resized; overlapping values kept",
        "blocks.2 (%d tensors) starts fresh" % len(new),
    ]
    counts = {name: run.kept["optimizer"].steps[id(p)] for name, p in run.kept["model"].named_parameters()}
    assert {counts[name] for name in before} == {60} and {counts[name] for name in new} == {35}
    assert run.losses[26] < run.losses[0] - 0.1 and run.losses[59] < run.losses[25]


def test_a_smaller_model_says_what_is_gone():
    notes = []
    trained(training(), {25: loop.Version(training(layers=1), tell=lambda error, found: notes.extend(found))})
    assert len(notes) == 1 and notes[0].startswith("blocks.1 (") and notes[0].endswith("removed")


def test_moments_go_with_their_parameters():
    notes = []
    other = training(optimizer_of=lambda model: optim.SGD(model.parameters(), lr=0.1))
    trained(training(), {25: loop.Version(other, tell=lambda error, found: notes.extend(found))})
    assert notes == ["optimizer changed from AdamW to SGD; its state starts from zero"]
    alone = trained(training())
    reordered = training(optimizer_of=lambda model: optim.AdamW(list(reversed(model.parameter_groups(0.1))), lr=3e-3))
    run = trained(training(), {59: reordered})
    assert run.losses == alone.losses
    for (name, a), (_, b) in zip(run.kept["model"].named_parameters(), alone.kept["model"].named_parameters()):
        for i in range(2):
            one, other = [
                o.flat.part(o.arenas[i], o.flat.ranges[id(p)][0], p.shape).tolist()
                for o, p in ((run.kept["optimizer"], a), (alone.kept["optimizer"], b))
            ]
            assert one == other, name


@pytest.mark.parametrize("where", ["before the loop", "in the first step", "some steps on"])
def test_an_error_in_new_code_leaves_the_run_to_the_code_before(messages, where):
    alone = trained(training()).losses
    messages.clear()
    reported = []

    def fail(i=None):
        if i is None or i == {"in the first step": 20, "some steps on": 20 + loop.PROVEN - 1}[where]:
            raise ZeroDivisionError("the new code divides by zero")

    undone = []
    bad = training(setup=fail) if where == "before the loop" else training(in_step=fail)
    version = loop.Version(bad, undo=lambda: undone.append(1), tell=lambda error, notes: reported.append(error))
    run = trained(training(), {20: version})
    assert run.losses == alone, "as if nothing had been"
    assert undone == [1] and len(reported) == 1
    assert isinstance(reported[0], ZeroDivisionError) == (where == "before the loop")
    (back,) = [m for m in messages if m["type"] == "reverted"]
    assert back == {
        "type": "reverted",
        "step": 20,
        "error": "The new code divides by zero",
        "arrived": where != "before the loop",
    }
    assert messages[-1] == {"type": "finish", "step": 60, "reason": "done"}


def test_code_that_ran_long_and_then_fails_gives_way_where_it_is():
    def fail(i):
        if i == 50:
            raise KeyError("late")

    run = trained(training(), {20: training(lr=1e-4, in_step=fail)})
    steady = trained(training(), {20: training(lr=1e-4), 50: training()})
    assert run.losses == steady.losses


def test_a_loss_that_is_not_finite_speaks_against_the_new_code():
    alone = trained(training()).losses
    run = trained(training(), {20: training(lr=1e30)})
    assert run.losses == alone


def test_the_first_code_has_nothing_to_go_back_to():
    def fail(i):
        raise KeyError("at once")

    with pytest.raises(KeyError):
        trained(training(in_step=fail))
    assert loop.current.step == 0


def test_a_stopped_run_goes_on_with_edited_code():
    alone = trained(training()).losses

    def stop(i):
        if i == 33:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(training(in_step=stop))
    stopped = loop.current
    tinygpt.manual_seed(99)  # no message says what happens in between
    tinygpt.rand(3)
    run = trained(training(), resume=stopped)
    assert run is stopped and run.losses == alone


def test_only_code_that_starts_a_loop_can_take_over():
    train = training()
    assert loop.collect(lambda: loop.run(train)) is train
    with pytest.raises(ValueError, match="without loop.run"):
        loop.collect(lambda: None)
    assert loop._collected is None


def test_other_things_that_are_kept():
    table = {"a": 1}
    assert state_transfer.transfer(table, {}, {}, {}) == (table, [])
    _, notes = state_transfer.transfer([1], {}, {}, {})
    assert notes == ["dict starts fresh: it was list before"]
    generator, late = tinygpt.Generator(3), tinygpt.Generator(4)
    tinygpt.rand(10, generator=generator)
    state_transfer.transfer(generator, late, {}, {})
    assert late.get_state() == {"seed": 4, "offset": generator.offset} and generator.offset > 0
    small, large = Linear(2, 3), Linear(4, 3)
    _, notes = state_transfer.transfer(small, large, {}, {})
    assert notes == ["weight (3×2 to 3×4) resized; overlapping values kept"]
    assert [row[:2] for row in large.weight.tolist()] == small.weight.tolist()
    assert large.bias.tolist() == small.bias.tolist()
    assert math.isclose(sum(abs(v) for v in large.bias.tolist()), sum(abs(v) for v in small.bias.tolist()))
