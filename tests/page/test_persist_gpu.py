"""Runs travel between devices: exported on one, imported on the other, the next step's loss is the
same within 1e-5; autosave and resume on the GPU; the shipped model is the same on both. lavapipe
stands in for a GPU.
"""

import json

import pytest

from tests import hosts
from tests.demo import check
from tests.demo.check import MODELS
from tests.hosts.chromium import launch
from tests.page.conftest import Tab, default_text
from tests.page.test_persist import begin, finished, offered, refresh, saved

pytestmark = [pytest.mark.browser, pytest.mark.gpu, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    hosts.stop()
    with sync_playwright() as playwright:
        chromium = launch(playwright, adapter="lavapipe")
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser, server):
    tab = Tab(browser, server + "?autosave=600")
    tab.allow(70)
    tab.page.evaluate("() => tinygpt.graphics")
    yield tab
    tab.close()


def choose(tab, device):
    tab.page.select_option("#setting-device", device)
    tab.wait(
        "start => document.getElementById('device').textContent.startsWith(start)",
        "GPU" if device == "webgpu" else "CPU",
    )


def trained_on(tab, steps):
    """Two steps more than the file has; their losses."""
    tab.page.fill("#setting-steps", str(steps))
    tab.page.click("#pause")
    finished(tab)
    return tab.page.evaluate("() => tinygpt.history().slice(-2).map(({loss}) => loss)")


def test_a_run_goes_on_on_the_other_device_with_the_same_loss(tab):
    for first, second in (("wasm", "webgpu"), ("webgpu", "wasm")):
        choose(tab, first)
        begin(tab, 6, batch_size=2, sample_interval=0)
        finished(tab)
        tab.page.evaluate("async () => { window.kept = await tinygpt.exportModel(); }")
        same = trained_on(tab, 8)
        choose(tab, second)
        tab.page.fill("#setting-steps", "6")
        tab.page.evaluate("() => tinygpt.importModel(kept)")
        other = trained_on(tab, 8)
        assert tab.page.evaluate("() => tinygpt.state().device") == second
        assert max(abs(a - b) for a, b in zip(same, other)) < 1e-5, (first, same, other)
    assert tab.complaints == []


def test_a_run_on_the_gpu_is_saved_and_resumed_there(tab):
    choose(tab, "webgpu")
    begin(tab, 200, batch_size=2, sample_interval=0)
    tab.wait("() => tinygpt.state().step >= 8")
    tab.page.evaluate("() => tinygpt.save()")
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    saved(tab)
    before = tab.page.evaluate("() => tinygpt.history().map(({loss}) => loss)")
    refresh(tab)
    tab.page.evaluate("() => tinygpt.graphics")
    step = int(offered(tab).rpartition(" ")[2])
    tab.page.click("#resume-last")
    tab.wait("step => tinygpt.state().step > step + 2", step)
    assert (
        tab.page.evaluate("() => tinygpt.state().device") == "webgpu"
        and tab.page.input_value("#setting-device") == "webgpu"
    )
    assert tab.page.evaluate("() => tinygpt.history().map(({loss}) => loss)")[:step] == before[:step]
    assert tab.complaints == []


# The loss over the last tokens of the text, in windows of the whole context.
PART_OF_THE_LOSS = """
from tinygpt import no_grad, loop, tensor
from tinygpt.data import find_corpus
from tinygpt.generate import evaluating
_model = loop.current.kept["model"]
_tokens = list(find_corpus("shakespeare", say=lambda note: None).text.encode())[-2 * _model.config.context - 1:]
with no_grad(), evaluating(_model):
    _losses = [_model.loss(tensor([_tokens[i : i + 256]]), tensor([_tokens[i + 1 : i + 257]])).item() for i in (0, 256)]
[_model.tok_emb.weight.device.name, *_losses]
"""


def part_of_the_loss_in_pytorch():
    """PART_OF_THE_LOSS of the shipped model, by PyTorch on the same text."""
    import torch

    from reference import sample

    shipped = next(m for m in json.loads((MODELS / "models.json").read_text()) if m["name"] == "shakespeare")
    model, _ = sample.load_model(MODELS / shipped["file"])
    ids = torch.tensor(list(default_text().text.encode())[-2 * model.config.context - 1 :])
    with torch.no_grad():
        parts = [(ids[i : i + 256][None], ids[i + 1 : i + 257]) for i in (0, 256)]
        return [torch.nn.functional.cross_entropy(model(x)[0], y).item() for x, y in parts]


def test_the_shipped_model_writes_and_measures_the_same_on_both_devices(tab):
    found = {}
    for device in ("wasm", "webgpu"):
        choose(tab, device)
        first, said = tab.page.evaluate(check.CLICK)
        assert first is not None, said
        tab.wait("() => /tokens\\/s/.test(document.querySelector('#generate .generate-status').textContent)")
        text = tab.page.evaluate(
            "async () => (await tinygpt.generate({prompt: 'JULIET:\\n', tokens: 24, temperature: 0})).text"
        )
        name, *losses = tab.value(PART_OF_THE_LOSS)
        assert name == device
        found[device] = text, losses
    assert found["wasm"][0] == found["webgpu"][0]
    assert max(abs(a - b) for a, b in zip(found["wasm"][1], found["webgpu"][1])) < 1e-3
    known = part_of_the_loss_in_pytorch()
    assert max(abs(a - b) for a, b in zip(found["wasm"][1], known)) < 1e-3, (found, known)
    if default_text().name == "shakespeare":
        assert all(1.0 < loss < 2.2 for loss in found["wasm"][1])
    assert tab.complaints == []
