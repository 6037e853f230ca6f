"""The memory of a run, counted before it starts, against the memory that the run then holds."""

import gc
import re
import time
from dataclasses import replace

import pytest

import tinygpt
from tests import steps
from tinygpt import corpora, loop, nn, train
from tinygpt.config import PRESETS, ModelConfig, TrainConfig
from tinygpt.core import generator
from tinygpt.core.state import state
from tinygpt.devices.base import size_text
from tinygpt.training import memory_estimate

pytestmark = pytest.mark.fast
SHAPE = ModelConfig(vocab_size=256, context=16, layers=3, d_model=48, heads=3, dropout=0.1)
CONFIG = TrainConfig(batch_size=8)


@pytest.fixture
def counts(monkeypatch):
    """The counts from here on, one entry each; no earlier count is remembered."""
    counted, made = memory_estimate._counted, []
    monkeypatch.setattr(memory_estimate, "_plans", {})
    monkeypatch.setattr(memory_estimate, "_counted", lambda *about: made.append(about) or counted(*about))
    return made


def test_a_count_leaves_a_run_that_is_under_way_as_it_is(native):
    def trained(count):
        _, _, step = steps.made(SHAPE)
        step = tinygpt.compile(step)
        losses, held = [], []
        for _ in range(4):
            losses.append([v.item() for v in step()])
            gc.collect()  # the garbage of earlier tests must not go in between
            held.append(native.in_use())
            if count:
                assert memory_estimate.plan(SHAPE, replace(CONFIG, batch_size=len(held)), 1000).total > 0
            assert native.in_use() == held[-1] and tinygpt.get_device() is native
        return losses, step.captures, generator.default_generator.fork(), tinygpt.rand(2).tolist()

    assert trained(count=True) == trained(count=False)


def test_an_error_in_a_counted_model_leaves_all_as_it_was(native):
    def broken(shape):
        raise RuntimeError("no such model")

    before = state.layout, generator.default_generator
    with pytest.raises(RuntimeError, match="no such model"):
        memory_estimate.plan(SHAPE, CONFIG, make=broken)
    assert (state.layout, generator.default_generator) == before and tinygpt.get_device() is native


def test_any_model_can_be_counted(native):
    class Wider(tinygpt.GPT):
        def __init__(self, shape):
            super().__init__(shape)
            self.more = nn.Linear(1000, 1000, bias=False)

        def loss(self, ids, targets):
            return self(ids, targets)[1]

    plain, wider = memory_estimate.plan(SHAPE, CONFIG), memory_estimate.plan(SHAPE, CONFIG, make=Wider)
    assert wider.parameters == plain.parameters + 4_000_000
    assert wider.total > plain.total + 16_000_000


class Holds:
    """A device by its limits."""

    def __init__(self, largest=None):
        self.largest = largest


def test_what_fits_is_not_refused():
    needed = memory_estimate.plan(SHAPE, CONFIG)
    assert memory_estimate.refusal(SHAPE, CONFIG, Holds(), needed.total) is None
    assert memory_estimate.refusal(SHAPE, CONFIG, Holds(needed.largest), None) is None


@pytest.mark.parametrize("limited", ["capacity", "largest"])
def test_a_refusal_names_a_batch_and_a_recomputation_that_fit(limited):
    large = TrainConfig(batch_size=300)
    limit = getattr(
        memory_estimate.plan(SHAPE, TrainConfig(batch_size=200)), "total" if limited == "capacity" else "largest"
    )

    def refused(shape, config):
        return memory_estimate.refusal(
            shape, config, Holds(limit if limited == "largest" else None), limit if limited == "capacity" else None
        )

    sentence = refused(SHAPE, large)
    assert sentence.startswith("This run needs ") and size_text(limit) in sentence
    assert "turn Recompute on" in sentence and refused(replace(SHAPE, recompute=True), large) is None
    batch = int(re.search("batch of at most (\\d+)", sentence)[1])
    assert batch in (199, 200) and refused(SHAPE, TrainConfig(batch_size=batch)) is None
    assert "\n" not in sentence and sentence.endswith(".") and ". " not in sentence


def test_weights_that_alone_are_too_much_ask_for_a_smaller_model():
    shape = PRESETS["massive"].model
    sentence = memory_estimate.refusal(shape, PRESETS["massive"].train, Holds(), 300 << 20)
    assert sentence.endswith("choose a smaller preset.")


def test_a_small_machine_holds_no_more_than_it_has_and_a_large_one_does_not_say():
    class Four:
        capacity = 4 << 30

    assert memory_estimate.holds(Four(), machine=None) == 4 << 30
    assert memory_estimate.holds(Four(), machine=8) == 4 << 30, "8 may mean any number above"
    assert memory_estimate.holds(Four(), machine=2) == 3 << 30
    assert memory_estimate.holds(Four(), machine=2, budget=1 << 30) == 1 << 30, "what a phone lends a tab"
    Four.capacity = None
    assert memory_estimate.holds(Four()) is None
    assert memory_estimate.holds(Four(), budget=1 << 30) == 1 << 30, "a GPU's memory is the phone's"


def test_the_count_takes_milliseconds(counts):
    memory_estimate.plan(PRESETS["tiny"].model, PRESETS["tiny"].train)
    began = time.process_time()
    memory_estimate.plan(PRESETS["xl"].model, PRESETS["xl"].train)
    assert time.process_time() - began < 0.5  # 0.05 alone on the machine


def test_the_run_takes_the_count_of_the_page(native, counts):
    assert memory_estimate.refusal(SHAPE, CONFIG, Holds(), 1 << 30) is None
    assert memory_estimate.plan(SHAPE, replace(CONFIG, steps=7, lr=1.0)).total > 0
    assert len(counts) == 1
    memory_estimate.plan(SHAPE, replace(CONFIG, batch_size=9))
    memory_estimate.plan(replace(SHAPE, layers=2), CONFIG)
    memory_estimate.plan(SHAPE, replace(CONFIG, eval_interval=0))
    memory_estimate.plan(SHAPE, CONFIG, 1000)
    assert len(counts) == 5


@pytest.mark.parametrize("place", ["a method of the model", "a function of the model", "a layer", "the model"])
def test_edited_code_is_counted_anew(native, counts, monkeypatch, place):
    before = memory_estimate.plan(SHAPE, CONFIG).total
    mlp = tinygpt.model.MLP

    class Wider(tinygpt.GPT):
        def __init__(self, shape):
            super().__init__(replace(shape, layers=4))

    def init(self, config):
        mlp_init(self, replace(config, mlp_ratio=8))

    def norm(config):
        return nn.Sequential(nn.Linear(config.d_model, config.d_model), nn.LayerNorm(config.d_model))

    def forward(self, x):
        return linear(self, x) * 1.5

    mlp_init, linear = mlp.__init__, nn.Linear.forward
    target, name, value = {
        "a method of the model": (mlp, "__init__", init),
        "a function of the model": (tinygpt.model, "norm", norm),
        "a layer": (nn.Linear, "forward", forward),
        "the model": (tinygpt.model, "GPT", Wider),
    }[place]
    with monkeypatch.context() as edit:
        edit.setattr(target, name, value)
        assert memory_estimate.plan(SHAPE, CONFIG).total > before
    assert memory_estimate.plan(SHAPE, CONFIG).total == before
    assert len(counts) == 3


# ---- memory that does not suffice --------------------------------------------------------------


@pytest.fixture
def limited(native):
    """limited(bytes): the native device holds at most this many more than it does now."""
    loop.current = None
    gc.collect()
    before = native.capacity

    def limit(more):
        native.release_arena()
        native.capacity = native.in_use() + more

    yield limit
    native.capacity = before


def test_a_run_that_passes_the_memory_ends_with_a_sentence_and_goes_on_in_less(limited, messages):
    corpora.provide("letters", "All the letters of a text. " * 800)
    small, large = (
        memory_estimate.plan(PRESETS["medium"].model, TrainConfig(batch_size=b), 21600).total for b in (4, 64)
    )
    limited(small + (4 << 20))
    loop.set_settings(
        dict(preset="medium", steps=3, corpus="letters", sample_interval=0, eval_interval=0, batch_size=64)
    )
    with pytest.raises(
        MemoryError, match="would not fit beside the .* in use on native of the .* at most; use a smaller batch"
    ) as caught:
        loop.run(train.train)
    assert large > small + (4 << 20) and "\n" not in str(caught.value)
    run = loop.current
    assert run.step == 0 and set(run.kept) == {"data", "model", "optimizer"}
    del caught
    loop.set_settings(
        dict(preset="medium", steps=3, corpus="letters", sample_interval=0, eval_interval=0, batch_size=4)
    )
    assert loop.run(train.train, resume=run).step == 3


def test_memory_that_python_has_not_collected_is_found_before_a_refusal(limited):
    limited(64 << 20)

    class Cycle:
        pass

    gc.disable()
    try:
        cycle = Cycle()
        cycle.me, cycle.held = cycle, tinygpt.empty(12 << 20)
        del cycle
        assert tinygpt.empty(12 << 20).numel() == 12 << 20
    finally:
        gc.enable()


def test_the_arena_gives_way_and_comes_back(limited, native):
    x = tinygpt.ones(1 << 20)
    twice = tinygpt.compile(lambda: ((x * 2.0 + 1.0) @ x).sum())
    assert twice().item() == twice().item() == 3.0 * 2**20
    assert native.arena_bytes > 4 << 20
    native.capacity = native.in_use() + (2 << 20)
    held = tinygpt.empty(1 << 20)
    assert native.arena_bytes == 0
    native.capacity += 8 << 20
    assert twice().item() == 3.0 * 2**20 and held.numel() == 1 << 20
