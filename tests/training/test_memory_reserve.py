"""The estimate before a run is the memory that its training then holds, and it decides on 64-bit
memory.
"""

import gc
from dataclasses import replace

import pytest

import tinygpt
from tinygpt import config, corpora, loop, train
from tinygpt.corpora import CORPORA
from tinygpt.devices.base import Device
from tinygpt.training import memory_reserve

pytestmark = pytest.mark.fast


def peak_of_training(device, monkeypatch, settings):
    """The maximum of bytes that a short run of the page's loop holds at once, beyond what was there
    before and the text.
    """
    loop.current = None
    gc.collect()
    if device.arena:  # of earlier tests
        device.free(device.arena)
        device.arena, device.arena_bytes, device.arena_version = 0, 0, device.arena_version + 1
    before, most = device.in_use(), [0]
    taken = device._taken

    def noted(nbytes):
        address = taken(nbytes)
        most[0] = max(most[0], device.in_use())
        return address

    monkeypatch.setattr(device, "_taken", noted)
    loop.set_settings(settings)
    text = loop.run(train.train).kept["data"].tokens
    return most[0] - before - 4 * text.numel()


@pytest.mark.parametrize("options", [{}, {"dropout": 0.1}, {"batch_size": 3}], ids=str)
@pytest.mark.parametrize("preset", ["small", "large"])
def test_what_is_needed_is_what_training_holds(native, messages, monkeypatch, preset, options):
    chosen = config.PRESETS[preset]
    settings = {"preset": preset, "steps": 4, "eval_interval": 3, "sample_interval": 3, "sample_tokens": 3, **options}
    held = peak_of_training(native, monkeypatch, settings)
    shape = replace(chosen.model, dropout=options.get("dropout", 0.0))
    said = memory_reserve.training_bytes(
        shape, replace(chosen.train, batch_size=options.get("batch_size", chosen.train.batch_size))
    )
    said -= 4 * CORPORA[chosen.train.corpus].bytes  # the count is without the text, which may be another one here
    assert held <= said <= 1.3 * held, (held / 2**20, said / 2**20)


def test_a_text_of_ones_own_is_counted_with_its_tokens():
    chosen = config.PRESETS["small"]
    corpora.provide("long", lambda: 1 / 0, size=50_000_000)
    try:
        with_text = memory_reserve.training_bytes(chosen.model, replace(chosen.train, corpus="long"))
    finally:
        corpora.withdraw("long")
    without = memory_reserve.training_bytes(
        chosen.model, replace(chosen.train, corpus="nothing")
    )  # one window of tokens, rounded up
    assert with_text - without == pytest.approx(4 * 50_000_000, abs=1024)


class Memory(Device):
    """A device that only has a capacity."""

    def __init__(self, name, capacity):
        self.name, self.capacity, self.reserved = name, capacity, []

    def in_use(self):
        return 1000

    def close(self):
        self.closed = True

    def reserve(self, nbytes):
        self.reserved.append(nbytes)


@pytest.fixture
def memories(monkeypatch):
    """wasm and wasm64 as a tab has them; wasm is the current device."""
    made = {"wasm": Memory("wasm", 2**32), "wasm64": Memory("wasm64", 2**34)}
    before = tinygpt.get_device()
    monkeypatch.setattr(tinygpt.devices, "_made", {**tinygpt.devices._made, **made})
    monkeypatch.setattr(memory_reserve, "_widened", False)
    tinygpt.set_device("wasm")
    yield made
    tinygpt.core.state.state.device = before


def settle(preset):
    loop.set_settings({"preset": preset})
    loop.Run().settings()
    return tinygpt.get_device().name


def test_behemoth_gets_64_bit_memory_and_the_next_run_that_fits_goes_back(memories, messages):
    assert [settle(preset) for preset in ("mega", "behemoth", "behemoth", "mega")] == [
        "wasm",
        "wasm64",
        "wasm64",
        "wasm",
    ]
    assert memories["wasm64"].closed and "wasm64" not in tinygpt.devices._made
    assert [m["device"] for m in messages if m["type"] == "device"] == ["wasm64", "wasm"]
    behemoth = config.PRESETS["behemoth"]
    assert memories["wasm64"].reserved == [memory_reserve.training_bytes(behemoth.model, behemoth.train) + 1000] * 2
    assert 7.6e9 < memories["wasm64"].reserved[0] < memories["wasm64"].capacity


def test_64_bit_memory_that_was_chosen_by_hand_stays(memories, messages):
    loop.choose_device("wasm64")
    assert settle("tiny") == "wasm64"


def test_where_there_is_no_64_bit_memory_a_note_says_so(memories, messages, monkeypatch):
    def refuse(name):
        raise RuntimeError("64-bit memory is not available here: it needs another browser")

    monkeypatch.setattr(memory_reserve, "set_device", refuse)
    assert settle("behemoth") == "wasm"
    (note,) = [m["text"] for m in messages if m["type"] == "note"]
    assert "too much for 32-bit memory" in note and "needs another browser" in note


def test_a_run_that_goes_on_stays_where_it_is(memories, messages):
    run = loop.Run()
    run.state.kept["model"] = object()
    loop.set_settings({"preset": "behemoth"})
    run.settings()
    assert tinygpt.get_device().name == "wasm" and memories["wasm"].reserved == []


class Gpu(Memory):
    """A GPU of which nobody knows the memory: `free` bytes are given."""

    volatile = True

    def __init__(self, free):
        super().__init__("webgpu", None)
        self.free, self.tried = free, []

    def available(self, nbytes):
        self.tried.append(nbytes)
        return min(nbytes, self.free)


@pytest.fixture
def on_gpu(monkeypatch):
    """on_gpu(free): a Gpu is the current device."""
    before = tinygpt.get_device()

    def use(free):
        device = Gpu(free)
        monkeypatch.setattr(tinygpt.devices, "_made", {**tinygpt.devices._made, "webgpu": device})
        tinygpt.set_device("webgpu")
        return device

    yield use
    tinygpt.core.state.state.device = before


def test_a_run_that_a_gpu_has_no_memory_for_is_refused_with_what_would_fit(on_gpu, messages):
    device = on_gpu(200 << 20)
    loop.set_settings({"preset": "large", "batch_size": 64})
    with pytest.raises(memory_reserve.RunTooLarge) as refused:
        loop.Run().settings()
    sentence = str(refused.value)
    assert sentence.startswith("This run needs about ") and "only 209.7 MB is available here" in sentence
    batch = int(sentence.rpartition("a batch of at most ")[2].rstrip("."))
    loop.set_settings({"preset": "large", "batch_size": batch})
    loop.Run().settings()
    assert len(device.tried) == 2 and device.tried[0] > 200 << 20 >= device.tried[1]
    loop.set_settings({"preset": "large", "batch_size": batch + 1})
    with pytest.raises(memory_reserve.RunTooLarge):
        loop.Run().settings()


def test_a_refused_run_does_not_go_on_on_the_cpu(on_gpu, messages):
    on_gpu(1 << 20)
    loop.set_settings({"preset": "tiny"})
    with pytest.raises(memory_reserve.RunTooLarge, match="choose a smaller preset|batch of"):
        loop.run(train.train)
    assert tinygpt.get_device().name == "webgpu"
    assert [m["reason"] for m in messages if m["type"] == "finish"] == ["error"]


def test_memory_of_the_run_before_counts_as_free(on_gpu):
    device = on_gpu(50 << 20)
    chosen = config.PRESETS["large"]
    needed = memory_reserve.training_bytes(chosen.model, chosen.train)
    assert memory_reserve.too_large(device, chosen.model, chosen.train, needed) is None and device.tried == []
    assert memory_reserve.too_large(device, chosen.model, chosen.train, needed // 2) is not None
    assert device.tried[0] < needed


def test_a_run_that_has_its_model_is_not_tried_again(on_gpu):
    device = on_gpu(0)
    run = loop.Run()
    run.keep("x", lambda: 3)
    run.settings()
    assert device.tried == []
