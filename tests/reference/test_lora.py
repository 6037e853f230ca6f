"""LoRA: starts at the checkpoint, trains only the adapters, learns, merges to the bit, is saved and
loaded.
"""

import copy

import pytest
import safetensors.torch
import torch

from reference import checkpoint, lora
from reference.batches import Batches
from reference.model import GPT
from tinygpt.config import ModelConfig, TrainConfig
from tinygpt.storage.safetensors_file import CheckpointError

pytestmark = pytest.mark.fast

CONFIG = ModelConfig(context=8, layers=2, d_model=24, heads=2, mlp="swiglu")
TEXT = "the quick brown fox jumps over the lazy dog. " * 20
IDS = torch.arange(16).view(2, 8) + 97


@pytest.fixture(scope="module")
def base():
    """A model that has learnt to count, a little."""
    torch.manual_seed(0)
    model = GPT(CONFIG)
    batches = Batches("".join("%d, " % n for n in range(2000)).encode(), 8, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        _, loss = model(*batches.batch(8))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 3.0
    return model.eval()


def trained(base, steps=12):
    model = copy.deepcopy(base)
    torch.manual_seed(1)
    adapters = lora.add(model, rank=4, alpha=8.0)
    losses = lora.train(
        model, Batches(TEXT.encode(), 8, 1), TrainConfig(steps=steps, batch_size=4, lr=2e-2), say=lambda text: None
    )
    return model, adapters, losses


def test_adapters_start_at_the_checkpoint_and_are_all_that_trains(base):
    model = copy.deepcopy(base)
    adapters = lora.add(model)
    assert torch.equal(model(IDS), base(IDS))
    assert [p for p in model.parameters() if p.requires_grad] == adapters
    assert len(adapters) == 2 * 5 * CONFIG.layers  # qkv, proj; fc, gate, proj
    assert sum(p.numel() for p in adapters) == 2 * 8 * (24 + 72 + 24 + 24 + 3 * (24 + 96))


def test_training_learns_and_leaves_the_weights_alone(base):
    model, adapters, losses = trained(base, steps=40)
    assert losses[-1] < losses[0] - 2.0
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in base.state_dict().items())
    assert all(p.abs().max() > 0 for p in adapters)


def test_a_merged_model_is_the_same_function_and_an_ordinary_checkpoint(base, tmp_path):
    model, _, _ = trained(base)
    expected = model(IDS)
    merged = lora.merge(model)
    assert torch.equal(merged(IDS), expected) and not torch.allclose(expected, base(IDS), atol=1e-3)
    checkpoint.save(tmp_path / "merged.tinygpt", merged)
    other = GPT(CONFIG)
    checkpoint.load_into(checkpoint.load(tmp_path / "merged.tinygpt"), other)
    assert torch.equal(other.eval()(IDS), expected)


def test_adapters_are_saved_and_loaded(base, tmp_path):
    model, _, _ = trained(base)
    lora.save(tmp_path / "a.lora", model)
    other = copy.deepcopy(base)
    lora.load(tmp_path / "a.lora", other)
    assert torch.equal(other(IDS), model(IDS))


def test_adapters_that_do_not_fit_change_nothing(base, tmp_path):
    model, _, _ = trained(base, steps=1)
    lora.save(tmp_path / "a.lora", model)
    data = (tmp_path / "a.lora").read_bytes()
    safetensors.torch.save_file(
        {"x": torch.zeros(2)}, tmp_path / "other.lora", metadata={"format": "tinygpt-lora", "scale": "2.0"}
    )
    checkpoint.save(tmp_path / "model.tinygpt", base)
    small = GPT(ModelConfig(context=8, layers=1, d_model=24, heads=2))
    for path, target, sentence in (
        ("a.lora", small, "a model of another shape"),
        ("other.lora", base, "a model of another shape"),
        ("model.tinygpt", base, "holds no adapters"),
        ("cut.lora", base, "cut off"),
    ):
        (tmp_path / "cut.lora").write_bytes(data[:-100])
        names = list(target.state_dict())
        with pytest.raises(CheckpointError, match=sentence):
            lora.load(tmp_path / path, target)
        assert list(target.state_dict()) == names
    with pytest.raises(ValueError, match="no adapters"):
        lora.save(tmp_path / "b.lora", base)


def test_the_command_fine_tunes_a_checkpoint(base, tmp_path, capsys):
    from reference import sample

    checkpoint.save(tmp_path / "base.tinygpt", base)
    (tmp_path / "fox.txt").write_text(TEXT)
    paths = {name: str(tmp_path / name) for name in ("base.tinygpt", "fox.txt", "fox.lora", "fox.tinygpt")}
    lora.main(
        [
            "--checkpoint",
            paths["base.tinygpt"],
            "--corpus",
            paths["fox.txt"],
            "--steps",
            "5",
            "--lr",
            "0.05",
            "--batch-size",
            "4",
            "--save",
            paths["fox.lora"],
            "--merged",
            paths["fox.tinygpt"],
        ]
    )
    texts = []
    for options in (
        ["--checkpoint", paths["fox.tinygpt"]],
        ["--checkpoint", paths["base.tinygpt"], "--lora", paths["fox.lora"]],
    ):
        capsys.readouterr()
        sample.main([*options, "--prompt", "the", "--tokens", "15", "--device", "cpu", "--seed", "3"])
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    with pytest.raises(SystemExit, match="the rank of the adapters is 0"):
        lora.main(["--checkpoint", paths["base.tinygpt"], "--corpus", paths["fox.txt"], "--rank", "0"])
