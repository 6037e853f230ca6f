"""The weights that a run writes for PyTorch are read back, and are not where they contradict their
settings.
"""

import dataclasses
import io

import pytest

import tinygpt
from tinygpt import checkpoint, loop
from tinygpt.config import ModelConfig
from tinygpt.model import GPT
from tinygpt.storage import safetensors_file
from tinygpt.tokenizer import ByteTokenizer
from tinygpt.training import run_checkpoint

pytestmark = pytest.mark.fast
SHAPE = ModelConfig(vocab_size=256, context=16, layers=2, d_model=32, heads=2)


def exported(tied):
    tinygpt.manual_seed(5)
    run = loop.Run()
    run.state.kept = {"model": GPT(dataclasses.replace(SHAPE, tie_embeddings=tied))}
    run.tokenizer, run.state.step = ByteTokenizer(), 7
    return run, run_checkpoint.weights_of(run)


@pytest.mark.parametrize("tied", [True, False])
def test_what_was_written_for_pytorch_is_read_back(tied):
    run, data = exported(tied)
    file = checkpoint.loads(data)
    model = run.kept["model"]
    assert file.step == 7 and file.optimizer is None and file.model_config == model.config
    assert {name: view.tobytes() for name, view in file.model.items()} == {
        name: p.tobytes() for name, p in model.named_parameters()
    }
    again = run_checkpoint.restored(file)
    assert isinstance(again.tokenizer, ByteTokenizer) and again.step == 7


def changed(data, change):
    """The file with other metadata or tensors."""
    metadata, views = safetensors_file.read(data)
    tensors = {name: (v.dtype, v.shape, v.tobytes()) for name, v in views.items()}
    change(metadata, tensors)
    file = io.BytesIO()
    entries = {name: (dtype, shape, lambda values=values: values) for name, (dtype, shape, values) in tensors.items()}
    safetensors_file.write_weights(file, metadata, entries)
    return file.getvalue()


def other_head(metadata, tensors):
    dtype, shape, values = tensors["lm_head.weight"]
    tensors["lm_head.weight"] = dtype, shape, bytes(len(values))


@pytest.mark.parametrize(
    "change, sentence",
    [
        (other_head, "lm_head.weight differs from tok_emb.weight"),
        (lambda metadata, tensors: metadata.pop("tinygpt_model"), "not a TinyGPT checkpoint"),
        (lambda metadata, tensors: metadata.update(tinygpt_model="[1]"), "settings cannot be used"),
        (lambda metadata, tensors: metadata.update(tinygpt_model="{"), "not valid JSON"),
        (lambda metadata, tensors: metadata.update(tinygpt_step="-1"), "step is -1"),
        (lambda metadata, tensors: metadata.update(tinygpt_tokenizer='{"kind": "x"}'), "settings cannot be used"),
        (lambda metadata, tensors: tensors.pop("norm_f.weight"), "lacks 1 tensor that"),
    ],
)
def test_what_contradicts_its_settings_is_a_sentence(change, sentence):
    _, data = exported(tied=True)
    with pytest.raises(checkpoint.CheckpointError, match=sentence):
        checkpoint.loads(changed(data, change))
