"""The model card: numbers that are measured anew replace the old ones, and what was measured on
another machine's GPU stays.
"""

import pytest

from tests.demo import card
from tests.demo.check import MODELS

pytestmark = pytest.mark.fast
MEASURED = {
    "val_loss": {"reference": 1.25, "native": 1.25, "page on wasm": 1.25}, "first_token_s": 0.5, "tokens_per_s": 400.0,
    "speeds": [300.0, 400.0, 500.0], "threads": 2,
}  # fmt: skip


def test_new_numbers_replace_the_old_ones_and_the_gpu_s_stay():
    old = (MODELS / "shakespeare.md").read_text()
    new = card.renewed(old, MEASURED)
    begin, end = new.index("The loss of the shipped file"), new.index("\n\n## Training")
    said = " ".join(new[begin:end].split())
    assert (
        "PyTorch (`reference/`) 1.2500, native 1.2500, the page on the CPU 1.2500, the page on WebGPU 1.4608." in said
    )
    assert "First token 0.50 s after the click, then 400 tokens a second (the median of 3 texts, 300 to 500)" in said
    assert said.endswith("with 2 threads; 0.70 s and 982 tokens a second on the GPU.")
    assert new[:begin] == old[:begin] and new[end:] == old[old.index("\n\n## Training") :]
    assert card.renewed(new, MEASURED) == new
