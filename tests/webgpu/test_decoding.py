"""Decoding on the GPU: the merged launches of a decoding step against PyTorch's formulas, and their
number.
"""

import array

import pytest

from tests import hosts
from tests.targets import on
from tests.webgpu.test_steps import OPTIONS

# The logits of each decoding step (a Program from the third on), and those of the complete text run
# at once.
LOGITS = """
import tinygpt
from tinygpt.generate import Decoder, evaluating
from tinygpt.core.state import no_grad

options = dict(vocab_size=33, context=12, layers=2, d_model=48, heads=4)
options.update(%r)
tinygpt.manual_seed(3)
model = tinygpt.GPT(tinygpt.ModelConfig(**options))
with no_grad():
    for p in model.parameters():
        p.add_(tinygpt.randn(*p.shape) * 0.1)
text = [(7 * i * i + 3) %% 33 for i in range(12)]
decoder = Decoder(model)

with no_grad(), evaluating(model):
    step = tinygpt.compile(lambda: (model(decoder.token, cache=decoder.cache), decoder.cache.position.add_(1))[0])
    out = b""
    for token in text:
        decoder.token.copy_bytes_(array.array("i", [token]))
        out += step().tobytes()
    full = model(tinygpt.tensor([text], dtype=tinygpt.int32))
    full = (full[0] if isinstance(full, tuple) else full).tobytes()
    caches = b"".join(c.tobytes() for pair in decoder.cache.layers.values() for c in pair)
(out, full, caches, step.captures)
"""


def floats(data):
    return array.array("f", data)


@on("gpu-lavapipe", "gpu-least")
@pytest.mark.parametrize(
    "options", [o for name, o in OPTIONS.items() if name != "dropout"], ids=[n for n in OPTIONS if n != "dropout"]
)
def test_decoded_logits_equal_those_of_the_whole_text(value, target, options):
    source = "import array\n" + LOGITS % options
    steps, full, caches, captures = value(target, source)
    assert captures <= 2
    steps, full = floats(steps), floats(full)
    scale = max(map(abs, full))
    assert len(steps) == len(full) == 12 * 33
    assert max(abs(a - b) for a, b in zip(steps, full)) < 5e-6 * scale
    _, native, native_caches, _ = hosts.value(source)
    assert max(abs(a - b) for a, b in zip(steps, floats(native))) < 5e-6 * scale
    assert max(abs(a - b) for a, b in zip(floats(caches), floats(native_caches))) < 5e-6 * max(
        map(abs, floats(native_caches))
    )


@on("gpu-lavapipe")
def test_a_decoding_step_is_five_dispatches_a_layer(value, target):
    count = value(
        target,
        """
import tinygpt
from tinygpt.generate import decoder_of, generate
model = tinygpt.GPT(tinygpt.PRESETS["tiny"].model)
list(generate(model, [1], 20))
decoder_of(model).step.program._loaded.dispatches
""",
    )
    layers = 2
    assert count <= 5 * layers + 8


@on("gpu-lavapipe")
def test_text_longer_than_the_context_is_the_text_of_the_native_device(value, target):
    source = """
import tinygpt
from tinygpt.generate import decoder_of, generate
tinygpt.manual_seed(5)
model = tinygpt.GPT(tinygpt.ModelConfig(vocab_size=50, context=16, layers=2, d_model=32, heads=2))
prompts = [4], [4], [3, 1, 4], [3, 1, 4], [3, 1, 4]
texts = [list(generate(model, prompt, 60, temperature=1.0, seed=11)) for prompt in prompts]
(texts, decoder_of(model).prompt.captures)
"""
    texts, captures = value(target, source)
    assert texts[0] == texts[1] and texts[2] == texts[3] == texts[4], (
        "eager, recorded and replayed prompts draw the same"
    )
    assert captures == 2, "prompts of 8 (half the context) and of 3"
    assert texts == hosts.value(source)[0]
