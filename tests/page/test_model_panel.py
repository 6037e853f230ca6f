"""The panel Model: the parts of the model as they are, and the inputs that write its shape into
train.py.
"""

import pytest

from tests.page.conftest import ROOT, accessible
from tinygpt import GPT
from tinygpt.config import PRESETS

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
TOTAL = "document.querySelector('.model-total').textContent"
ABOUT = "document.querySelector('.model-about').textContent"


def drawn(tab, parameters):
    tab.wait("wanted => %s === wanted" % TOTAL, "GPT: %s parameters" % format(parameters, ","))


def blocks(tab, count):
    tab.wait(
        "wanted => document.querySelector('[data-path=\"blocks.0\"] .part-kind').textContent === wanted",
        "Block × %d" % count,
    )


def line(tab):
    return next(line for line in tab.page.evaluate("() => tinygpt.source()").splitlines() if "run.settings(" in line)


def typed(tab, name, text):
    tab.page.fill("#shape-" + name, text)
    tab.page.press("#shape-" + name, "Tab")


@pytest.fixture(scope="module")
def opened(tab):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "100000")
    tab.page.click("#tab-model")
    tab.wait("() => document.querySelector('.part')")
    return tab


def test_before_a_run_the_picture_is_of_the_model_to_come(opened):
    drawn(opened, GPT(PRESETS["tiny"].model).num_parameters())
    assert "the next run" in opened.text(".model-about")
    blocks(opened, 2)
    assert opened.page.locator(".model-picture .repeats").count() == 1
    opened.page.locator("[data-path='blocks.0.mlp']").focus()
    opened.page.keyboard.press("Enter")
    assert opened.text(".cm-marked-line >> nth=0").startswith("class MLP")
    assert opened.page.evaluate("() => document.activeElement.dataset.path") == "blocks.0.mlp"
    assert accessible(opened, "#model") == []
    opened.page.click("[data-path='tok_emb']")
    assert "self.tok_emb = nn.Embedding" in opened.text(".cm-marked-line")


def test_an_input_writes_the_code_and_undo_takes_it_back(opened):
    before = line(opened)
    typed(opened, "layers", "4")
    opened.page.select_option("#shape-norm", "rms")
    assert line(opened).strip() == 'shape, config = run.settings(preset="small", layers=4, norm="rms")'
    assert opened.text(".cm-marked-line") == line(opened)
    blocks(opened, 4)
    opened.page.click("#editor .cm-content")
    opened.page.keyboard.press("Control+z")
    opened.page.keyboard.press("Control+z")
    assert line(opened) == before
    opened.wait("() => document.getElementById('shape-layers').value === '2'")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("layers", "0", "Layers is 0. Enter a whole number of at least 1 and at most 200."),
        ("d_model", "50", "Width is 50, no multiple of the 3 heads. Enter 48 or 51."),
        ("kv_heads", "2", "Key/value heads is 2: heads (3) must be a multiple of key/value heads (2)."),
        ("heads", "5", "Heads is 5, which does not divide the width 48. Enter 1, 2, 3, 4, 6, 8, 12 or 16."),
    ],
)
def test_a_wrong_shape_is_refused_at_its_field(opened, name, text, sentence):
    before = line(opened)
    right = opened.page.input_value("#shape-" + name)
    typed(opened, name, text)
    assert opened.text("#shape-%s-note" % name) == sentence
    assert opened.page.get_attribute("#shape-" + name, "aria-invalid") == "true" and line(opened) == before
    typed(opened, name, right)
    assert opened.page.locator("#shape-%s-note" % name).count() == 0 and line(opened) == before


def test_an_input_speaks_for_itself_and_follows_the_code(opened):
    source = opened.page.evaluate("() => tinygpt.source()")
    settings = line(opened).strip()
    opened.write(source.replace(settings, 'shape, config = run.settings(preset="small", heads=7)'))
    opened.wait("() => document.getElementById('shape-heads').value === '7'")
    typed(opened, "layers", "5")  # the heads of the code do not divide the width
    assert "layers=5" in line(opened) and opened.page.locator("#shape-layers-note").count() == 0
    typed(opened, "context", "0")
    assert opened.page.get_attribute("#shape-context", "aria-invalid") == "true"
    opened.write(source.replace(settings, "shape, config = 1, 2"))
    opened.wait("() => document.getElementById('shape-context').disabled")
    assert opened.page.input_value("#shape-context") != "0" and opened.page.locator("#shape-context-note").count() == 0
    opened.write(source)
    opened.wait("() => !document.getElementById('shape-context').disabled")


def test_the_picture_follows_the_run_and_its_edits(opened):
    page = opened.page
    typed(opened, "heads", "4")
    page.click("#run")
    opened.wait("() => / at step /.test(%s)" % ABOUT)
    page.click("#pause")
    opened.wait("() => document.body.dataset.phase === 'paused'")
    typed(opened, "layers", "3")
    opened.wait("() => /another shape: Apply resizes/.test(%s)" % ABOUT)
    blocks(opened, 2)  # as it is, until Apply
    page.click("#apply")
    page.click("#pause")
    blocks(opened, 3)
    page.click("[data-path='blocks.0.attn']")
    page.get_by_role("button", name="Weights and gradients").click()
    page.locator("#inside-weights").wait_for()
    assert page.get_attribute("#tab-inside", "aria-selected") == "true"
    page.click("#tab-model")
    page.click("#stop")
    opened.wait("() => document.body.dataset.phase === 'stopped'")
    drawn(opened, opened.value("loop.current.kept['model'].num_parameters()"))
    assert opened.value("loop.current.kept['model'].config.heads") == 4


def test_a_part_that_edited_code_adds_is_in_the_picture(opened):
    page = opened.page
    page.get_by_role("tab", name="model.py").click()
    made = "self.norm_f = norm(config)"
    text = (ROOT / "py/tinygpt/model.py").read_text()
    opened.write(text.replace(made, made + "\n        self.adapter = nn.Linear(config.d_model, 7)"))
    page.fill("#setting-steps", "1")
    page.click("#run")
    page.click("[data-path='adapter']")
    assert opened.text(".cm-marked-line").strip() == "self.adapter = nn.Linear(config.d_model, 7)"
    opened.wait("() => document.body.dataset.phase === 'stopped'")
    drawn(opened, opened.value("loop.current.kept['model'].num_parameters()"))
