"""The training loop's runner and train.py: messages in order, settings, stop, errors that keep the
state.
"""

import contextlib
import json
import pathlib
import sys
from dataclasses import replace

import pytest

import tinygpt
from tests.fake_gpu import fake_gpu
from tinygpt import loop
from tinygpt.config import PRESETS
from tinygpt.core.async_reads import PendingReads

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


QUICK = {
    "preset": "tiny",
    "steps": 6,
    "eval_interval": 3,
    "sample_interval": 5,
    "eval_batches": 2,
    "sample_tokens": 9,
    "corpus": "stdlib",
}


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
    assert messages[-1] == {"type": "finish", "step": 4, "reason": "stopped"}, "the step that log reported is done"
    assert loop.current.step == 4 and "model" in loop.current.kept


@pytest.mark.parametrize("where", ["before the step", "in log", "after log"])
def test_a_run_resumed_after_a_stop_anywhere_makes_each_step_once(messages, monkeypatch, where):
    def train(run):
        weights = run.keep("weights", lambda: [0])
        for i in run.steps(6):
            if where == "before the step" and stops and i == 3:
                raise stops.pop()
            weights[0] += 1  # the step
            run.log(float(i))
            if where == "after log" and stops and i == 3:
                raise stops.pop()

    def add(self, *values):
        if where == "in log" and stops and loop.current.step == 3:
            raise stops.pop()
        return as_it_is(self, *values)

    as_it_is = PendingReads.add
    monkeypatch.setattr(PendingReads, "add", add)
    stops = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        loop.run(train)
    run = loop.run(train, resume=loop.current)
    assert run.kept["weights"] == [6] and run.step == 6
    assert run.state.history == [(i, float(i)) for i in range(6)]


@pytest.mark.parametrize("device", ["native", "gpu"])
def test_a_stop_at_any_line_of_a_report_loses_no_loss_and_records_none_twice(messages, device):
    """A trace raises it at the first, the second, ... line that runs once log noted the step."""

    def train(run):
        weights = run.keep("weights", lambda: [0])
        for i in run.steps(6):
            weights[0] += 1  # the step
            run.log(tinygpt.tensor(float(i)))

    def lines(frame, event, arg):
        if event == "line" and loop.current.state.reported and loop.current.step == 3 and frame.f_code.co_name != "end":
            left[0] -= 1
            if left[0] == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return lines if frame.f_code.co_filename.endswith(("run.py", "async_reads.py", "run_state.py")) else None

    stopped = 0
    with fake_gpu() if device == "gpu" else contextlib.nullcontext():
        for line in range(1, 200):
            messages.clear()
            left, run, before = [line], None, sys.gettrace()
            try:
                sys.settrace(lines)
                run = loop.run(train)
            except KeyboardInterrupt:
                stopped += 1
            finally:
                sys.settrace(before)
            if run is not None:
                break
            assert loop.current.step == 4 and loop.current.kept["weights"] == [4], line
            run = loop.run(train, resume=loop.current)
            assert run.kept["weights"] == [6] and run.state.history == [(i, float(i)) for i in range(6)], line
            sent = [m["step"] for m in messages if m["type"] == "step"]
            assert list(dict.fromkeys(sent)) == list(range(6)) and len(sent) <= 7, (line, sent)
    assert stopped > 15


@pytest.mark.parametrize("loss, word", [(float("nan"), "NaN"), (float("inf"), "infinite")])
def test_a_loss_that_is_not_finite_is_one_sentence(messages, loss, word):
    def train(run):
        for _ in run.steps(2):
            run.log(loss)

    with pytest.raises(loop.TrainingError, match="the loss became %s at step 0" % word):
        loop.run(train)
    assert messages[-1]["reason"] == "diverged"


def test_settings_are_checked():
    with pytest.raises(ValueError, match="no preset 'giant'"):
        loop.set_settings({"preset": "giant"})
    with pytest.raises(ValueError, match="no setting 'learning_rate'"):
        loop.set_settings({"learning_rate": 1})
    loop.set_settings({"preset": "medium", "lr": 1e-3})
    model, config = loop.Run().settings("small")
    assert model == PRESETS["medium"].model and config.lr == 1e-3 and config.batch_size == 16


def test_the_code_may_have_the_shape_otherwise_than_the_preset():
    loop.set_settings({"dropout": 0.25})
    run = loop.Run()
    model, _ = run.settings("tiny", heads=4, layers=5, dropout=0.5)
    assert (model.layers, model.heads, model.kv_heads, model.d_model) == (5, 4, 4, 48)
    assert model.dropout == 0.25 and run.preset == "custom"  # an input overrides the code
    assert run.settings("small", layers=2, d_model=48, context=32)[0] == replace(PRESETS["tiny"].model, dropout=0.25)
    assert run.preset == "tiny"
    with pytest.raises(ValueError, match="d_model 48 is not a multiple of heads 5"):
        run.settings("tiny", heads=5)
    with pytest.raises(TypeError, match="ModelConfig has no setting 'depth'"):
        run.settings("tiny", depth=5)


def test_a_plan_that_does_not_fit_is_one_sentence_and_the_interpreter_lives():
    with pytest.raises(MemoryError, match="would not fit"):
        tinygpt.empty(1 << 46)
    assert tinygpt.tensor([1.0]).item() == 1.0


def test_a_long_run_keeps_its_curve_in_bounded_memory():
    """The last steps exactly, the older ones thinned, all evaluations; and steps can still be
    rolled back.
    """
    from tinygpt.training.run import Run
    from tinygpt.training.run_state import EXACT

    run, steps = Run(), 3 * EXACT
    for step in run.steps(steps):
        if step % 1000 == 0:
            run.state.record((step, None, 2.0))
        run.log(1.0)
    assert len(run.history) <= EXACT
    taken = [entry[0] for entry in run.history]
    assert taken == sorted(taken) and taken[0] == 0
    losses = [entry[0] for entry in run.history if len(entry) == 2]
    assert losses[-EXACT // 4 :] == list(range(steps - EXACT // 4, steps))
    assert [entry[0] for entry in run.history if len(entry) == 3] == list(range(0, steps, 1000))
    run.state.forget_from(steps - 7)
    assert run.history[-1] == (steps - 8, 1.0)


def test_inputs_changed_between_two_steps_apply_at_the_next_with_a_message(messages):
    """Those of config.LIVE alone; the config that a checkpoint records has them."""
    loop.set_settings({**QUICK, "steps": 40, "grad_clip": 0.0})
    changed = {**QUICK, "steps": 9, "lr": 0.01, "grad_clip": 1e-3, "sample_interval": 4, "batch_size": 2, "seed": 7}

    def visit(run):
        if run.step == 3:
            run.adjust(changed)

    loop.set_visitor(visit)
    try:
        from tinygpt import train

        run = loop.run(train.train)
    finally:
        loop.set_visitor(None)
    (message,) = (m for m in messages if m["type"] == "adjusted")
    assert message["step"] == 3 and message["steps"] == 9 and message["sample_interval"] == 4
    assert message["changes"] == {
        "steps": [40, 9],
        "lr": [3e-4, 0.01],
        "grad_clip": [0.0, 1e-3],
        "sample_interval": [5, 4],
    }
    steps = [m for m in messages if m["type"] == "step"]
    assert [m["lr"] for m in steps] == [3e-4] * 3 + [0.01] * 6 and run.step == 9
    gradients = [p.grad.square().sum().item() for p in run.kept["model"].parameters()]
    assert sum(gradients) ** 0.5 < 1.01e-3, "clipped from then on"
    assert (run.train_config.lr, run.train_config.batch_size, run.train_config.seed) == (0.01, 16, 42)
    assert [m["step"] for m in messages if m["type"] == "sample_start"] == [0, 4, 8]


def test_a_resumed_run_reports_what_its_inputs_changed(messages):
    from tinygpt import train

    loop.set_settings({**QUICK, "steps": 3})
    run = loop.run(train.train)
    del messages[:]
    loop.set_settings({**QUICK, "batch_size": 4})
    loop.run(train.train, resume=run)
    assert [m["type"] for m in messages[:2]] == ["start", "adjusted"]
    assert messages[1]["changes"] == {"batch_size": [16, 4], "steps": [3, 6]} and messages[1]["step"] == 3


def test_a_setting_that_the_loop_sets_itself_stays_with_a_note(messages):
    def train(run):
        shape, config = run.settings("tiny")
        model = run.keep("model", lambda: tinygpt.GPT(shape))
        run.start(model, replace(config, lr=0.5))
        for _ in run.steps(5):
            if run.step == 2:
                run.adjust({"lr": 0.1, "steps": 9})
            run.log(1.0)

    assert loop.run(train).step == 5
    assert [m["text"] for m in messages if m["type"] == "note"] == [
        "train.py sets %s itself, so the input has no effect on this run." % name for name in ("steps", "lr")
    ]
    assert not [m for m in messages if m["type"] == "adjusted"]


def test_a_wrong_setting_is_refused_between_two_steps_and_changes_nothing(messages):
    def train(run):
        _, config = run.settings("tiny")
        for _ in run.steps(3):
            with pytest.raises(ValueError, match="lr is -1"):
                run.adjust({"lr": -1.0})
            run.log(1.0)
        assert config.lr == 3e-4

    loop.set_settings({"lr": 3e-4})
    assert loop.run(train).step == 3 and not [m for m in messages if m["type"] == "adjusted"]


def test_a_rate_of_the_optimizer_that_the_schedule_overwrites_is_a_note_once(messages):
    from tinygpt import optim, schedule

    def notes(lr, scheduled, run=None):
        def train(run):
            shape, config = run.settings("tiny")
            model = run.keep("model", lambda: tinygpt.GPT(shape))
            optimizer = run.keep("optimizer", lambda: optim.AdamW(model.parameters(), lr=lr or config.lr))
            for i in run.steps((run.step or 0) + 3):
                run.log(1.0, lr=schedule.apply(optimizer, i, config) if scheduled else optimizer.param_groups[0]["lr"])

        del messages[:]
        run = loop.run(train, resume=run)
        return run, [m["text"] for m in messages if m["type"] == "note"]

    assert notes(None, True)[1] == notes(1e-2, False)[1] == notes(3e-4, True)[1] == []
    run, said = notes(1e-2, True)
    assert said == [
        "lr=0.01 of AdamW has no effect: schedule.apply sets 0.0003 at this step. Change Learning rate above, "
        "or remove the line with schedule.apply."
    ]
    assert notes(1e-2, True, run)[1] == [], "once"
    assert len(notes(2e-2, True, run)[1]) == 1, "another rate is another note"


@pytest.mark.parametrize(
    "metrics, sentence",
    [
        ({"accuracy": "high"}, "run.log: accuracy must be a number or a tensor of one element, not str"),
        ({"accuracy": True}, "run.log: accuracy must be a number or a tensor of one element, not bool"),
        ({"accuracy": [0.5, 0.5]}, "run.log: accuracy must be a number or a tensor of one element, not list"),
        ({"a\nb": 1.0}, "run.log: a metric's name has 1 to 40 printable characters, not 'a\\nb'"),
        ({"m%d" % i: i for i in range(17)}, "run.log: a run has at most 16 metrics; m16 is one more"),
    ],
)
def test_a_wrong_metric_is_refused_with_a_sentence(metrics, sentence):
    def train(run):
        for _ in run.steps(1):
            run.log(1.0, **metrics)

    with pytest.raises((TypeError, ValueError)) as error:
        loop.run(train)
    assert str(error.value) == sentence


@pytest.mark.parametrize("loss", [None, "0.5", [0.5]])
def test_a_loss_that_is_no_number_is_refused_with_a_sentence(loss):
    def train(run):
        for _ in run.steps(1):
            run.log(loss)

    with pytest.raises(TypeError, match="run.log: the loss must be a number or a tensor of one element, not "):
        loop.run(train)


def test_a_metric_of_several_elements_is_refused_and_one_of_one_is_logged(messages):
    def train(run):
        for _ in run.steps(1):
            run.log(1.0, spread=tinygpt.tensor([2.0]), count=tinygpt.tensor(3))
            run.log(1.0, spread=tinygpt.zeros(4))

    with pytest.raises(ValueError, match="^run.log: spread must be one number, but the tensor has 4 elements$"):
        loop.run(train)
    assert next(m for m in messages if m["type"] == "step")["metrics"] == {"spread": 2.0, "count": 3.0}


def test_a_copy_of_a_shape_with_other_heads_needs_no_word_on_key_value_heads():
    shape = PRESETS["small"].model
    copy = replace(shape, heads=4)
    assert (copy.heads, copy.kv_heads) == (4, 4) and replace(copy, heads=2).kv_heads == 2
    assert type(copy.to_dict()["kv_heads"]) is int
    grouped = replace(shape, heads=6, kv_heads=3)
    assert replace(grouped, heads=12).kv_heads == 3, "what was chosen stays"
    with pytest.raises(ValueError, match="heads 4 is not a multiple of kv_heads 3"):
        replace(grouped, heads=4)
