"""Training in PyTorch: config.py's defaults, the tab's batches, one or more processes, checkpoints
that go on to the bit.
"""

import json
import math
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

import tinygpt
from reference import checkpoint as torch_checkpoint
from reference import train as reference_train
from reference.batches import Batches
from reference.model import GPT
from reference.train import Trainer, arguments, configs, parse
from tinygpt import checkpoint
from tinygpt.config import PRESETS, ModelConfig, TrainConfig
from tinygpt.corpora import Corpus
from tinygpt.data import Dataset
from tinygpt.tokenizer import ByteTokenizer, CharTokenizer

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[2]
TEXT = "".join("%d bottles of beer on the wall, %d bottles of beer.\n" % (n, n) for n in range(99, 0, -1))
CORPUS = Corpus("bottles", TEXT, "")
MODEL = ModelConfig(vocab_size=256, context=8, layers=1, d_model=16, heads=2)
TRAIN = TrainConfig(
    batch_size=4, steps=6, lr=1e-2, eval_interval=2, eval_batches=2, schedule="cosine", warmup_steps=2, seed=5
)


def trainer(model=MODEL, config=TRAIN, resumed=None):
    return Trainer(model, config, CORPUS, ByteTokenizer(), resumed=resumed)


def losses(run):
    return [entry[1] for entry in run.history if entry[1] is not None]


# ---- defaults ----------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_the_parsers_defaults_are_config_pys(preset):
    options, resumed = parse(["--preset", preset])
    assert resumed is None and configs(options) == (PRESETS[preset].model, PRESETS[preset].train)


def test_every_setting_has_its_option_and_the_preset_is_the_tabs():
    parser = arguments()
    for config in (PRESETS["small"].model, TrainConfig()):
        for f in fields(config):
            if f.name != "kv_heads":
                assert parser.get_default(f.name) == getattr(config, f.name), f.name
    options, _ = parse(["--heads", "6", "--no-bias", "--positions", "rotary", "--lr", "0.5", "--schedule", "linear"])
    model, train = configs(options)
    assert (model.heads, model.kv_heads, model.bias, model.positions) == (6, 6, False, "rotary")
    assert (train.lr, train.schedule) == (0.5, "linear")


# ---- batches -----------------------------------------------------------------------------------


def test_batches_are_the_tabs():
    for seed in (42, 2**40 + 1):
        there, here = Dataset(TEXT, None, 8, seed=seed), Batches(TEXT.encode(), 8, seed)
        for split, size in (("train", 5), ("validation", 3), ("train", 4), ("validation", 8)):
            expected = [t.tolist() for t in there.batch(size, split)]
            assert [t.tolist() for t in here.batch(size, split)] == expected
        assert here.get_state() == there.get_state()


def test_processes_share_a_batch_without_overlap():
    whole = Batches(TEXT.encode(), 8, 1).batch(6)[0]
    parts = [Batches(TEXT.encode(), 8, 1, rank=rank, world=3).batch(6)[0] for rank in range(3)]
    assert torch.equal(torch.cat(parts), whole)
    with pytest.raises(ValueError, match="batch of 6 cannot be shared by 4"):
        Batches(TEXT.encode(), 8, 1, world=4).batch(6)


# ---- runs --------------------------------------------------------------------------------------


def test_the_loss_falls_and_evaluation_changes_nothing():
    run = trainer(config=replace(TRAIN, steps=40, eval_interval=0))
    run.run()
    assert losses(run)[0] == pytest.approx(math.log(256), rel=0.05) and losses(run)[-1] < 3.5
    busy = trainer(config=replace(TRAIN, steps=40, eval_interval=3))
    busy.run()
    assert losses(busy) == losses(run)


def test_decay_is_on_matrices_only():
    decays = {p.ndim: group["weight_decay"] for group in trainer().optimizer.param_groups for p in group["params"]}
    assert decays == {2: TRAIN.weight_decay, 1: 0.0}


def test_a_resumed_run_is_the_uninterrupted_run(tmp_path):
    whole = trainer()
    whole.run()
    first = trainer()
    while first.step < 3:
        if first.due(TRAIN.eval_interval):
            first.evaluate()
        first.advance()
    first.save(tmp_path / "half.tinygpt")
    second = trainer(resumed=torch_checkpoint.load(tmp_path / "half.tinygpt"))
    second.run()
    assert second.history == whole.history
    for (name, p), q in zip(whole.model.named_parameters(), second.model.parameters()):
        assert torch.equal(p, q), name


def test_a_run_goes_from_pytorch_to_the_tab_and_back(tmp_path, oracle_device):
    whole = trainer()
    whole.run()
    run = trainer()
    for _ in range(2):
        run.advance()
    run.save(tmp_path / "two.tinygpt")
    saved = checkpoint.load(tmp_path / "two.tinygpt")
    assert saved.train_config == TRAIN and saved.tokenizer == ByteTokenizer() and saved.data["corpus"] == "bottles"
    model, data = tinygpt.GPT(saved.model_config), Dataset(TEXT, saved.tokenizer, MODEL.context)
    optimizer = tinygpt.optim.AdamW(model.parameter_groups(0.5), lr=0.7)
    saved.load_into(model, optimizer)
    data.set_state(saved.data)
    there = []
    for step in (2, 3):
        tinygpt.schedule.apply(optimizer, step, saved.train_config)
        loss = model.loss(*data.batch(TRAIN.batch_size))
        optimizer.zero_grad()
        loss.backward()
        tinygpt.clip_grad_norm_(model.parameters(), TRAIN.grad_clip)
        optimizer.step()
        there.append(loss.item())
    state = dict(train=TRAIN, tokenizer=saved.tokenizer, step=4, data=data.get_state(), history=saved.history)
    checkpoint.save(tmp_path / "four.tinygpt", model, optimizer, **state)
    assert there == pytest.approx(losses(whole)[2:4], rel=1e-5)
    back = trainer(resumed=torch_checkpoint.load(tmp_path / "four.tinygpt"))
    back.run()
    assert losses(back)[2:] == pytest.approx(losses(whole)[4:], rel=1e-5)
    for (name, p), q in zip(whole.model.named_parameters(), back.model.parameters()):
        torch.testing.assert_close(q, p, rtol=1e-3, atol=1e-5, msg=name)


def test_sgds_momentum_travels_both_ways(tmp_path, oracle_device):
    settings = dict(lr=0.1, momentum=0.9, nesterov=True)
    torch.manual_seed(0)
    here = GPT(MODEL)
    optimizer = torch.optim.SGD(here.parameters(), **settings)

    def step_here():
        _, loss = here(x, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    x, y = Batches(TEXT.encode(), 8, 1).batch(4)
    step_here()
    torch_checkpoint.save(tmp_path / "one.tinygpt", here, optimizer)
    there = tinygpt.GPT(MODEL)
    other = tinygpt.optim.SGD(there.parameters(), **settings)
    checkpoint.load(tmp_path / "one.tinygpt").load_into(there, other)
    expected = [step_here() for _ in range(3)]
    losses = []
    for step in range(3):
        if step == 2:  # and back
            checkpoint.save(tmp_path / "three.tinygpt", there, other, step=3)
        loss = there.loss(tinygpt.tensor(x.tolist()), tinygpt.tensor(y.tolist()))
        other.zero_grad()
        loss.backward()
        other.step()
        losses.append(loss.item())
    assert losses == pytest.approx(expected, rel=1e-5)
    here = GPT(MODEL)
    optimizer = torch.optim.SGD(here.parameters(), **settings)
    torch_checkpoint.load_into(torch_checkpoint.load(tmp_path / "three.tinygpt"), here, optimizer)
    assert step_here() == pytest.approx(expected[2], rel=1e-5)
    after = dict(there.named_parameters())
    for name, p in here.named_parameters():
        torch.testing.assert_close(p.detach(), torch.tensor(after[name].tolist()), rtol=1e-4, atol=1e-6, msg=name)


def test_saving_twice_gives_the_same_bytes_and_loading_gives_the_same_state(tmp_path):
    run = trainer()
    run.advance()
    run.save(tmp_path / "a.tinygpt")
    other = trainer(resumed=torch_checkpoint.load(tmp_path / "a.tinygpt"))
    other.save(tmp_path / "b.tinygpt")
    a, b = (checkpoint.load(tmp_path / name) for name in ("a.tinygpt", "b.tinygpt"))
    assert a.metadata == b.metadata and a.optimizer["steps"]["tok_emb.weight"] == 1
    assert {n: v.tobytes() for n, v in a.moments["v"].items()} == {n: v.tobytes() for n, v in b.moments["v"].items()}


def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path):
    run = trainer()
    run.advance()
    run.save(tmp_path / "a.tinygpt")
    saved = torch_checkpoint.load(tmp_path / "a.tinygpt")
    other = trainer(model=replace(MODEL, heads=4, kv_heads=4))
    before = [p.clone() for p in other.model.parameters()]
    with pytest.raises(checkpoint.CheckpointError, match="heads = 2 and this one 4"):
        torch_checkpoint.load_into(saved, other.model)
    sgd = torch.optim.SGD(run.model.parameters(), lr=0.1)
    with pytest.raises(checkpoint.CheckpointError, match="trained with AdamW, this optimizer is SGD"):
        torch_checkpoint.load_into(saved, trainer().model, sgd)
    assert all(torch.equal(p, q) for p, q in zip(before, other.model.parameters()))


def test_a_loss_that_is_not_finite_stops_the_run():
    run = trainer()
    with torch.no_grad():
        run.model.tok_emb.weight.fill_(float("nan"))
    with pytest.raises(reference_train.TrainingError, match="the loss became nan at step 0; lower the learning rate"):
        run.advance()


# ---- the command line --------------------------------------------------------------------------


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "bottles.txt"
    path.write_text(TEXT)
    return path


def command(text_file, *more):
    shape = "--layers 1 --d-model 16 --heads 2 --context 8 --batch-size 4 --steps 6 --lr 0.01 "
    shape += "--eval-interval 2 --eval-batches 2 --seed 5"
    return [
        *shape.split(),
        "--schedule",
        "cosine",
        "--warmup-steps",
        "2",
        "--device",
        "cpu",
        "--corpus",
        str(text_file),
        *more,
    ]


def test_two_processes_learn_what_one_does(text_file, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "py")]), "OMP_NUM_THREADS": "1"}
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "reference.train",
    ]
    done = subprocess.run(
        [*launch, *command(text_file, "--save", str(tmp_path / "two.tinygpt"))],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Saved to") == 1 and "2 process(es)" in done.stdout
    single = trainer(config=replace(TRAIN, corpus=str(text_file)))
    single.run()
    saved = torch_checkpoint.load(tmp_path / "two.tinygpt")
    assert [entry[0] for entry in saved.history] == [entry[0] for entry in single.history]
    for two, one in zip(saved.history, single.history):
        assert two[1:] == pytest.approx(one[1:], rel=1e-5)
    for name, p in single.model.named_parameters():
        torch.testing.assert_close(
            torch_checkpoint.tensor(saved.model[name]), p.detach().cpu(), rtol=1e-3, atol=1e-5, msg=name
        )


def test_the_commands_train_resume_and_sample(text_file, tmp_path, capsys):
    from reference import sample

    path = str(tmp_path / "run.tinygpt")
    reference_train.main(command(text_file, "--save", path, "--tokenizer", "chars"))
    with pytest.raises(SystemExit, match=r"no corpus 'bottles\.txt'.*give the path"):  # a file never names a path
        reference_train.main(["--resume", path, "--save", path, "--steps", "8"])
    reference_train.main(["--resume", path, "--save", path, "--steps", "8", "--corpus", str(text_file)])
    saved = checkpoint.load(path)
    assert saved.step == 8 and len([e for e in saved.history if e[1] is not None]) == 8
    assert saved.tokenizer == CharTokenizer(TEXT) and saved.model_config.vocab_size == len(set(TEXT))
    capsys.readouterr()
    sample.main(["--checkpoint", path, "--prompt", "9 b", "--tokens", "20", "--device", "cpu"])
    out = capsys.readouterr().out
    assert out.startswith("9 b") and len(out) == 3 + 20 + 1 and set(out) <= set(TEXT)


def test_mistakes_are_one_sentence(text_file, tmp_path):
    path = tmp_path / "bad.tinygpt"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" * 9)
    good = tmp_path / "good.tinygpt"
    trainer().save(good)
    (tmp_path / "short.txt").write_text("x" * 50)
    for argv, sentence in (
        (["--resume", str(path)], "not a .tinygpt file but a PNG image"),
        (["--resume", str(tmp_path / "none.tinygpt")], "No such file"),
        (["--resume", str(good), "--preset", "tiny"], "give one of them"),
        (["--resume", str(good), "--tokenizer", "chars", "--corpus", str(text_file)], "tokenizer is bytes, not chars"),
        (["--resume", str(good), "--layers", "2", "--corpus", str(text_file)], "layers = 1 and this one 2"),
        (["--corpus", "nowhere"], "there is no corpus 'nowhere'"),
        (command(text_file, "--vocab-size", "99"), "--vocab-size is 99"),
        (command(tmp_path / "short.txt"), "validation split has 5 tokens"),
        (command(text_file, "--heads", "3"), "not a multiple of heads 3"),
    ):
        with pytest.raises(SystemExit) as stopped:
            reference_train.main(argv)
        assert sentence in str(stopped.value) and "\n" not in str(stopped.value)


def test_the_settings_of_the_checkpoint_are_the_defaults_of_a_resumed_run(tmp_path):
    run = trainer(config=replace(TRAIN, corpus="stdlib"))
    run.save(tmp_path / "a.tinygpt")
    options, resumed = parse(["--resume", str(tmp_path / "a.tinygpt"), "--lr", "0.5"])
    assert configs(options) == (MODEL, replace(TRAIN, corpus="stdlib", lr=0.5))
    assert json.loads(resumed.metadata["train"])["lr"] == TRAIN.lr
