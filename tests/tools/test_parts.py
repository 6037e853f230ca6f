"""tinygpt.tools.parts: a model's modules as a tree."""

import inspect
import sys

import pytest

import tinygpt
from tinygpt import GPT, nn
from tinygpt.config import ModelConfig
from tinygpt.tools.parts import model_parts

pytestmark = pytest.mark.fast
FEW = dict(layers=3, d_model=32, heads=4, context=16)


def here(file):
    return file in (__file__, sys.modules["tinygpt.model"].__file__)


def every(part):
    yield part
    for child in part["parts"]:
        yield from every(child)


def at(root, path):
    return next(part for part in every(root) if part["path"] == path)


def leaves(part):
    """Numbers that this part's own parameters have, and those below it."""
    own = part["parameters"] - sum(child["parameters"] for child in part["parts"]) * part["repeats"]
    return own + part["repeats"] * sum(leaves(child) for child in part["parts"])


@pytest.mark.parametrize(
    "options", [{}, {"tie_embeddings": False, "mlp": "swiglu", "norm": "rms", "positions": "rotary", "bias": False}]
)
def test_the_counts_add_up_to_the_models_own(options):
    model = GPT(ModelConfig(**FEW, **options))
    root = model_parts(model, here)
    assert root["parameters"] == model.num_parameters() == leaves(root)
    (blocks,) = at(root, "blocks")["parts"]
    assert (blocks["kind"], blocks["repeats"], blocks["parameters"]) == (
        "Block", 3, sum(p.numel() for p in model.blocks.parameters()),
    )  # fmt: skip
    assert (at(root, "lm_head")["shared"] == "tok_emb.weight") == model.config.tie_embeddings


def test_blocks_that_differ_are_not_folded():
    model = GPT(ModelConfig(**FEW))
    model.blocks[1].mlp.fc = nn.Linear(32, 256)
    parts = at(model_parts(model, here), "blocks")["parts"]
    assert [(part["path"], part["repeats"]) for part in parts] == [("blocks.0", 1), ("blocks.1", 1), ("blocks.2", 1)]


def test_a_part_has_the_lines_of_its_class_or_the_line_that_makes_it():
    text = inspect.getsource(sys.modules["tinygpt.model"]).splitlines()
    root = model_parts(GPT(ModelConfig(**FEW)), here)
    attention, fc = at(root, "blocks.0.attn")["source"], at(root, "blocks.0.mlp.fc")["source"]
    assert "return self.proj(y" in text[attention.last - 1]
    assert text[attention.first - 1].strip().startswith(("class Attention", "def __init__"))  # since 3.13 the class
    assert fc.first == fc.last and "self.fc = nn.Linear" in text[fc.first - 1]


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(tinygpt.ones(7))
        self.inner = nn.Linear(2, 3)


def test_a_part_of_ones_own_counts_its_own_parameters():
    root = model_parts(nn.Sequential(Scaled(), nn.Linear(3, 3)), here)
    own = at(root, "0")
    assert (own["sizes"], own["parameters"], root["parameters"]) == ([7], 7 + 9, 7 + 9 + 12)
    assert at(root, "0.inner")["source"].file == __file__ and at(root, "1")["source"] is None
