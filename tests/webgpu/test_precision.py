"""The names of precisions: the former one of `f16_matrix` is read wherever it may be stored."""

import json

import pytest

from tinygpt.devices.base import precision_name
from tinygpt.devices.webgpu import tile_choice, tuner
from tinygpt.devices.webgpu.precision import IN_BUILD, PRECISIONS, shader_features

pytestmark = pytest.mark.fast


def test_each_precision_has_its_features_and_words():
    assert list(PRECISIONS) == list(IN_BUILD) == ["f32", "f16", "f16_matrix"]
    assert [sorted(shader_features(name, False)) for name in PRECISIONS] == [[], ["f16"], ["f16", "subgroup_matrix"]]
    assert shader_features("f32", True) == {"subgroups"}


def test_the_former_name_is_read():
    assert [precision_name(name) for name in ("f32", "f16", "f16_matrix", "matrix")] == [
        "f32", "f16", "f16_matrix", "f16_matrix",
    ]  # fmt: skip


def test_measurements_under_the_former_name_are_read(monkeypatch):
    monkeypatch.setattr(tile_choice, "measured", {})
    tile = [64, 64, 32, 32, 1, 1]
    tuner.restore(json.dumps({"matrix 1x64x64x64 NT": ["matrix", *tile], "f32 1x8x8x8 NN plain": ["f32", *tile]}))
    want = tile_choice.Config("f16_matrix", *tile)
    assert tile_choice.measured == {
        tile_choice.key(1, 64, 64, 64, 0, 1, "f16_matrix", False): want,
        tile_choice.key(1, 8, 8, 8, 0, 0, "f32", True): want._replace(kind="f32"),
    }
    for text in ("", "no JSON", "[1]", '{"f32 1": 3}', '{"f32 1": ["f32", 1]}'):
        tuner.restore(text)  # written by another version: measured anew
    assert len(tile_choice.measured) == 2
