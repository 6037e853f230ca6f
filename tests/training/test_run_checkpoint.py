"""A run as a file and back: a run resumed from the file is bit-identical to one that never ended.
The pieces that an autosave hands over are the same file. Other programs read the weights.
"""

import hashlib
import json

import pytest

import tinygpt
from tinygpt import GPT, checkpoint, loop, nn, optim, schedule
from tinygpt.config import PRESETS, ModelConfig, TrainConfig
from tinygpt.data import Dataset
from tinygpt.storage import safetensors_file
from tinygpt.tokenizer import ByteTokenizer
from tinygpt.training import run_checkpoint, state_transfer

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("native", "messages")]
SHAPE = ModelConfig(context=16, layers=2, d_model=16, heads=2, dropout=0.1)
CONFIG = TrainConfig(
    batch_size=4, steps=24, lr=3e-3, schedule="cosine", warmup_steps=3, eval_interval=5, eval_batches=2, seed=7
)
TEXT = [(i * i + 3 * i) % 251 for i in range(3000)]


def train(run, model_of=GPT, seed=None, optimizer_of=optim.AdamW, text=TEXT):
    """As train.py, small; the run's own settings where it comes from a file."""
    shape, config = (SHAPE, CONFIG) if run.loaded is None else run.settings()
    run.train_config = config
    tinygpt.manual_seed(config.seed if seed is None else seed)
    data = run.keep("data", lambda: Dataset(text, ByteTokenizer(), shape.context))
    model = run.keep("model", lambda: model_of(shape))
    optimizer = run.keep("optimizer", lambda: optimizer_of(model.parameter_groups(config.weight_decay), lr=config.lr))

    @tinygpt.compile
    def step():
        x, y = data.batch(config.batch_size)
        _, loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run.start(model, config)
    for i in run.steps(config.steps):
        if run.due(config.eval_interval):
            run.evaluate(model, data, config)
        schedule.apply(optimizer, i, config)
        run.log(step())


def interrupted(at, take, function=train):
    """`function` runs until step `at`, where `take(run)` is called between two steps and the run is
    stopped.
    """
    got = []

    def at_boundary(run):
        if run.step == at and not got:
            got.append(take(run))
            raise KeyboardInterrupt

    loop.set_visitor(at_boundary)
    with pytest.raises(KeyboardInterrupt):
        loop.run(function)
    loop.set_visitor(None)
    return got[0]


def handed(run, optimizer=True):
    """The bytes that an autosave writes, its digest filled in as the page does."""
    out = []

    def put(at, data):
        out[0][at : at + len(data)] = data

    run_checkpoint.hand_over(run, lambda n: out.append(bytearray(n)), put, optimizer)
    data = out[0]
    length = 8 + int.from_bytes(data[:8], "little")
    place = safetensors_file.digest_place(bytes(data[:length]))
    data[place : place + 64] = hashlib.sha256(data[length:]).hexdigest().encode()
    return bytes(data)


def test_a_run_that_goes_on_from_its_file_equals_one_that_never_ended_to_the_bit(messages):
    uninterrupted = loop.run(train).history
    bits = [t.tobytes() for t in loop.current.kept["model"].parameters()]
    for at in (1, 11, 15):
        data = interrupted(at, run_checkpoint.dumps)
        tinygpt.manual_seed(999)  # another session's random numbers
        tinygpt.randn(50)
        run = loop.run(train, resume=run_checkpoint.restored(checkpoint.loads(data)))
        assert run.history == uninterrupted and run.step == CONFIG.steps
        assert [t.tobytes() for t in run.kept["model"].parameters()] == bits
    assert not [m for m in messages if m["type"] in ("note", "applied")], "all fitted"


def test_what_an_autosave_hands_over_is_the_same_file():
    file, pieces = interrupted(7, lambda run: (run_checkpoint.dumps(run), handed(run)))
    assert file == pieces
    assert checkpoint.loads(pieces).step == 7


def test_the_pieces_of_tensors_that_share_nothing_are_the_same_file_too():
    def plain(run):
        run.train_config = CONFIG
        data, model = (
            run.keep("data", lambda: Dataset(TEXT, ByteTokenizer(), 16)),
            run.keep("model", lambda: GPT(SHAPE)),
        )
        for _ in run.steps(3):
            with tinygpt.no_grad():
                run.log(model.loss(*data.batch(2)))

    file, pieces = interrupted(1, lambda run: (run_checkpoint.dumps(run), handed(run)), plain)
    assert file == pieces and checkpoint.loads(pieces).optimizer is None


def test_a_save_between_two_steps_changes_no_bit():
    uninterrupted = loop.run(train).history
    loop.set_visitor(lambda run: run_checkpoint.dumps(run) if run.step else None)
    assert loop.run(train).history == uninterrupted


def test_a_long_history_is_encoded_once_and_again_after_steps_were_taken_back():
    run = loop.Run()
    run.state.history = [(0, 1.5), (0, None, float("nan"))]
    assert json.loads(run_checkpoint._history(run)) == [[0, 1.5], [0, None, None]]
    run.history.append((1, 1.25))
    assert json.loads(run_checkpoint._history(run)) == [[0, 1.5], [0, None, None], [1, 1.25]]
    del run.history[1:]
    run.state.history += [(1, 9.0), (2, 8.0)]
    assert json.loads(run_checkpoint._history(run)) == [[0, 1.5], [1, 9.0], [2, 8.0]]


def test_missing_state_and_state_that_does_not_fit_is_reported(messages):
    data = interrupted(5, lambda run: run_checkpoint.dumps(run, optimizer=False))
    run = loop.run(lambda run: train(run, seed=8), resume=run_checkpoint.restored(checkpoint.loads(data)))
    assert run.step == CONFIG.steps
    (note,) = [m["text"] for m in messages if m["type"] == "note"]
    assert (
        "Continuing from step 5. " in note
        and "The file has no optimizer state, so it starts fresh" in note
        and "seed 7, not 8" in note
    )


def test_another_text_is_reported(messages):
    run = loop.Run()
    run.state.kept = {"data": state_transfer.DataPosition({"train": {"seed": 7, "offset": 3}, "corpus": "shakespeare"})}
    data = Dataset(TEXT, ByteTokenizer(), 16, seed=7)
    new, notes = state_transfer.transfer(run.kept["data"], data, {}, {})
    assert new is data and data.generators["train"].offset == 3
    assert (
        notes[0].startswith("the file has no position of the validation batches")
        and "trained on shakespeare, and this run continues on another text" in notes[1]
    )


def test_a_stop_before_the_first_step_loses_nothing():
    uninterrupted = loop.run(train).history
    data = interrupted(9, run_checkpoint.dumps)
    run = run_checkpoint.restored(checkpoint.loads(data))

    def stopped(run):
        run.keep("model", lambda: GPT(run.settings()[0]))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.run(stopped, resume=run)
    again = checkpoint.loads(run_checkpoint.dumps(run))
    assert (again.step, again.random, again.data) == (9, checkpoint.loads(data).random, checkpoint.loads(data).data)
    assert loop.run(train, resume=run).history == uninterrupted


def test_a_file_goes_on_with_its_own_settings_unless_the_page_says_others():
    data = interrupted(4, run_checkpoint.dumps)
    run = run_checkpoint.restored(checkpoint.loads(data))
    assert run.settings() == (SHAPE, CONFIG) and run.preset == "imported"
    loop.set_settings({"steps": 30})
    shape, config = run.settings()
    assert shape == SHAPE and (config.steps, config.lr) == (30, CONFIG.lr)
    loop.set_settings({"preset": "tiny"})
    assert run.settings()[0] == PRESETS["tiny"].model


class Edited(GPT):
    """An edited model: one more layer than the settings say."""

    def __init__(self, config):
        super().__init__(config)
        self.extra = nn.Linear(config.d_model, config.d_model)


def test_a_run_of_an_edited_model_comes_back_and_a_strangers_is_refused():
    def edited(run):
        train(run, model_of=Edited, optimizer_of=lambda groups, lr: optim.SGD(groups, lr=lr, momentum=0.9))

    uninterrupted = loop.run(edited).history
    data = interrupted(10, run_checkpoint.dumps, edited)
    with pytest.raises(checkpoint.CheckpointError, match="holds 2 tensors that the settings do not have"):
        checkpoint.loads(data)
    file = checkpoint.loads(data, own=True)
    assert file.edited
    assert loop.run(edited, resume=run_checkpoint.restored(file)).history == uninterrupted


def test_a_model_without_settings_says_why_it_cannot_be_saved():
    run = loop.Run()
    with pytest.raises(ValueError, match="no model yet"):
        run_checkpoint.dumps(run)
    run.state.kept = {"model": nn.Linear(3, 3)}
    with pytest.raises(ValueError, match="has no `config`"):
        run_checkpoint.dumps(run)


def test_a_loss_that_is_not_finite_ends_the_run_and_not_only_the_save():
    run = loop.Run()
    run.state.kept = {"model": GPT(SHAPE)}

    def fail():
        raise loop.TrainingError("the loss became NaN")

    run.drain = fail
    with pytest.raises(loop.TrainingError):
        run_checkpoint.dumps(run)
    assert isinstance(run.failure, loop.TrainingError)
    with pytest.raises(loop.TrainingError):
        run._boundary()


@pytest.mark.parametrize("tied", [True, False])
def test_the_weights_load_in_pytorch_strictly_and_give_the_same_validation_loss(tied):
    import dataclasses

    import safetensors.torch
    import torch

    from reference.batches import Batches
    from reference.model import GPT as Reference

    tinygpt.manual_seed(3)
    shape = dataclasses.replace(SHAPE, dropout=0.0, tie_embeddings=tied)
    run = loop.Run()
    model = GPT(shape)
    data = Dataset(TEXT, ByteTokenizer(), 16, seed=7)
    run.state.kept, run.train_config = (
        {"model": model, "data": data, "optimizer": optim.AdamW(model.parameter_groups(0.1))},
        CONFIG,
    )
    file = checkpoint.loads(run_checkpoint.dumps(run))
    small = run_checkpoint.dumps(run, optimizer=False)
    with tinygpt.no_grad():
        own = model.loss(*data.batch(8, "validation")).item()
    for exported in (run_checkpoint.weights_of(run), run_checkpoint.weights_in(file)):
        values = safetensors.torch.load(exported)
        reference = Reference(shape)
        assert set(values) == set(reference.state_dict())
        reference.load_state_dict(values, strict=True)
        reference.eval()
        x, y = Batches(ByteTokenizer().encode(bytes(TEXT)), 16, 7, "cpu", 0, 1).batch(8, "validation")
        with torch.no_grad():
            assert abs(reference(x, y)[1].item() - own) < 1e-4
    smaller = checkpoint.loads(run_checkpoint.without_optimizer(file))
    assert smaller.optimizer is None and {n: v.tobytes() for n, v in smaller.model.items()} == {
        n: v.tobytes() for n, v in file.model.items()
    }
    assert small == run_checkpoint.without_optimizer(file)


def test_a_run_that_a_page_could_not_read_back_is_not_handed_over(monkeypatch):
    monkeypatch.setattr(run_checkpoint, "MOST_BYTES", 1000)
    sizes = []
    with pytest.raises(ValueError, match=r"too large to be saved: its file would have 0\.0 GB"):
        interrupted(2, lambda run: run_checkpoint.hand_over(run, sizes.append, None))
    assert sizes == []
