"""A model from an int8 file: the numbers of its float32 form, read as int8 while it decodes on the
CPU, never after it was changed.
"""

import array
import gzip
import io

import pytest

import tinygpt
from reference import quantize as packing
from tinygpt import checkpoint, optim
from tinygpt.config import ModelConfig
from tinygpt.core.state import no_grad
from tinygpt.generate import decoder_of, generate
from tinygpt.storage import safetensors_file
from tinygpt.storage.safetensors_file import CheckpointError

pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("native")]
CONFIG = ModelConfig(layers=2, d_model=48, heads=3, context=32)


def packed(levels=127):
    tinygpt.manual_seed(3)
    data = checkpoint.dumps(tinygpt.GPT(CONFIG), step=7)
    return io.BytesIO(packing.pack(checkpoint.loads(bytearray(data)), levels))


def loaded(levels=127):
    saved = checkpoint.loads(gzip.decompress(packed(levels).getvalue()))
    model = tinygpt.GPT(saved.model_config)
    saved.load_into(model)
    return model


def logits(model, token=65):
    """Of one token in an empty context: the shape that decoding has."""
    with no_grad():
        return array.array("f", model(tinygpt.tensor([[token]], dtype=tinygpt.int32)).tobytes())


def twin_of(model):
    """The same weights in float32 alone."""
    twin = tinygpt.GPT(model.config)
    for mine, theirs in zip(twin.parameters(), model.parameters()):
        mine.data.copy_bytes_(theirs.data.tobytes())
    return twin


def far(a, b):
    return max(abs(x - y) for x, y in zip(a, b)) / max(map(abs, b))


def launched(model):
    """The kernels of the model's decoding step."""
    list(generate(model, [65], 6, temperature=0))
    return [launch[0].name for launch in decoder_of(model).step.program.launches]


@pytest.mark.parametrize("levels", [127, 31, 1])
def test_the_weights_are_the_files_numbers_times_their_rows_scale(levels):
    model = loaded(levels)
    weight = model.blocks[0].mlp.fc.weight
    q, scale = weight._storage.int8
    numbers, steps, values = (
        array.array("b", q.tobytes()),
        array.array("f", scale.tobytes()),
        array.array("f", weight.tobytes()),
    )
    assert max(map(abs, numbers)) == levels
    assert all(abs(v - n * steps[i // 48]) <= 1e-7 * abs(v) for i, (v, n) in enumerate(zip(values, numbers)))


def test_one_token_is_decoded_from_int8_and_gives_what_float32_gives():
    model = loaded()
    assert "int8_matmul" in launched(model) and "int8_matmul" not in launched(twin_of(model))
    assert far(logits(model), logits(twin_of(model))) < 1e-4  # each row of activations is rounded to 16 bits
    assert list(generate(model, [65, 66], 20, temperature=0)) == list(
        generate(twin_of(model), [65, 66], 20, temperature=0)
    )


def test_gradients_come_from_float32():
    model, twin = loaded(), loaded()
    x = tinygpt.tensor([[65]], dtype=tinygpt.int32)
    for m in (model, twin_of(twin)):
        m.loss(x, x).backward()
    for mine in model.parameters():
        assert mine.grad is not None and mine._storage.int8 is None or mine.ndim > 1


def change(model):
    with no_grad():
        for p in model.parameters():
            p.mul_(0.5)


def step(model):
    optimizer = optim.AdamW(model.parameters(), lr=0.1)
    x = tinygpt.tensor([[65, 66]], dtype=tinygpt.int32)
    run = tinygpt.compile(lambda: (optimizer.zero_grad(), model.loss(x, x).backward(), optimizer.step()) and None)
    for _ in range(4):
        run()


def upload(model):
    for p in model.parameters():
        p.data.copy_bytes_(b"\0\0\0\x3d" * p.numel())


@pytest.mark.parametrize("write", [change, step, upload])
def test_what_is_written_to_a_weight_is_what_decoding_reads_from_then_on(write):
    model = loaded()
    before = list(generate(model, [65], 12, temperature=0.5, seed=1))
    write(model)
    assert far(logits(model), logits(twin_of(model))) < 1e-6
    assert "int8_matmul" not in launched(model)
    after = list(generate(model, [65], 12, temperature=0.5, seed=1))
    assert after == list(generate(twin_of(model), [65], 12, temperature=0.5, seed=1)) and after != before


def test_a_model_that_a_recorded_step_writes_to_keeps_to_float32():
    model = tinygpt.GPT(CONFIG)
    step(model)
    checkpoint.loads(gzip.decompress(packed().getvalue())).load_into(model)
    assert all(p._storage.int8 is None for p in model.parameters())


def test_a_scale_without_int8_weights_and_int8_without_a_scale_are_refused():
    data = gzip.decompress(packed().getvalue())
    saved = checkpoint.loads(data)
    metadata = dict(saved.metadata)
    for drop in ("model.", "scale."):
        name = "blocks.0.mlp.fc.weight"
        tensors = {"model." + n: (v.dtype, v.shape, v.tobytes) for n, v in saved.model.items()}
        tensors.update({"scale." + n: (v.dtype, v.shape, v.tobytes) for n, v in saved.scales.items()})
        del tensors[drop + name]
        file = io.BytesIO()
        safetensors_file.write(file, {k: v for k, v in metadata.items() if not k.endswith("_sha256")}, tensors)
        with pytest.raises(CheckpointError, match="scale|misses|I8"):
            checkpoint.loads(file.getvalue())
