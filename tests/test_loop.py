"""The training loop's runner and train.py: messages in order, settings, stop, errors that keep the state."""

import json
import pathlib

import pytest

import tinygpt
from tinygpt import loop
from tinygpt.config import PRESETS

pytestmark = pytest.mark.fast


@pytest.fixture(autouse=True)
def messages():
    got = []
    before = tinygpt.tensor(0.0).device
    tinygpt.set_device("native")
    loop.set_sink(lambda text: got.append(json.loads(text)))
    yield got
    loop.set_sink(None)
    loop.set_settings({})
    tinygpt.set_device(before.name)


QUICK = {"preset": "tiny", "steps": 6, "eval_interval": 3, "sample_interval": 5, "eval_batches": 2, "sample_tokens": 9, "corpus": "stdlib"}


def test_train_py_is_short_and_trains(messages):
    from tinygpt import train

    assert len(pathlib.Path(train.__file__).read_text().splitlines()) < 80
    loop.set_settings({**QUICK, "steps": 40})
    run = loop.run(train.train)
    kinds = [m["type"] for m in messages]
    steps = [m for m in messages if m["type"] == "step"]
    assert kinds[0] == "start" and messages[-1] == {"type": "finish", "step": 40, "reason": "done"}
    assert [m["step"] for m in steps] == list(range(40))
    assert steps[0]["loss"] == pytest.approx(5.5, abs=0.2) and steps[-1]["loss"] < steps[0]["loss"] - 0.3
    assert all(m["lr"] == 3e-4 and m["grad_norm"] > 0 and m["ms"] > 0 for m in steps)
    assert steps[-1]["planned_bytes"] > 0
    assert kinds.count("eval") == 14 and run.step == 40


def test_sample_streams_in_pieces(messages):
    from tinygpt import train

    loop.set_settings(QUICK)
    loop.run(train.train)
    begin = [i for i, m in enumerate(messages) if m["type"] == "sample_start"][0]
    end = [i for i, m in enumerate(messages) if m["type"] == "sample_end"][0]
    pieces = messages[begin + 1 : end]
    assert len(pieces) > 1 and all(m["type"] == "sample" and m["text"] for m in pieces)


def test_evaluation_does_not_change_training(messages):
    from tinygpt import train

    def losses(interval):
        messages.clear()
        loop.set_settings({**QUICK, "eval_interval": interval, "sample_interval": interval})
        loop.run(train.train)
        return [m["loss"] for m in messages if m["type"] == "step"]

    assert losses(0) == losses(1)


def test_a_stop_keeps_the_run(messages):
    def train(run):
        run.keep("model", lambda: tinygpt.nn.Linear(2, 2))
        for i in run.steps(10):
            run.log(1.0)
            if i == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.run(train)
    assert messages[-1] == {"type": "finish", "step": 3, "reason": "stopped"}
    assert loop.current.step == 3 and "model" in loop.current.kept


@pytest.mark.parametrize("loss, word", [(float("nan"), "NaN"), (float("inf"), "infinite")])
def test_a_loss_that_is_not_finite_is_one_sentence(messages, loss, word):
    def train(run):
        for _ in run.steps(2):
            run.log(loss)

    with pytest.raises(loop.TrainingError, match="the loss became %s at step 0" % word):
        loop.run(train)
    assert messages[-1]["reason"] == "error"


def test_settings_are_checked():
    with pytest.raises(ValueError, match="no preset 'giant'"):
        loop.set_settings({"preset": "giant"})
    with pytest.raises(ValueError, match="no setting 'learning_rate'"):
        loop.set_settings({"learning_rate": 1})
    loop.set_settings({"preset": "medium", "lr": 1e-3})
    model, config = loop.Run().settings("small")
    assert model == PRESETS["medium"].model and config.lr == 1e-3 and config.batch_size == 16


def test_a_plan_that_does_not_fit_is_one_sentence_and_the_interpreter_lives():
    with pytest.raises(MemoryError, match="would not fit"):
        tinygpt.empty(1 << 46)
    assert tinygpt.tensor([1.0]).item() == 1.0


def test_a_long_run_keeps_its_curve_in_bounded_memory():
    """The last steps exactly, the older ones thinned, all evaluations; and steps can still be taken back."""
    from tinygpt.run import EXACT, Run

    run, steps = Run(), 3 * EXACT
    for step in run.steps(steps):
        if step % 1000 == 0:
            run._record((step, None, 2.0))
        run.log(1.0)
    assert len(run.history) <= EXACT
    taken = [entry[0] for entry in run.history]
    assert taken == sorted(taken) and taken[0] == 0
    losses = [entry[0] for entry in run.history if len(entry) == 2]
    assert losses[-EXACT // 4 :] == list(range(steps - EXACT // 4, steps))
    assert [entry[0] for entry in run.history if len(entry) == 3] == list(range(0, steps, 1000))
    run.forget_from(steps - 7)
    assert run.history[-1] == (steps - 8, 1.0)
