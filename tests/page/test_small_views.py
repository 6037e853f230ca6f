"""What small parts of the page show: the name of a reference line, the ends of the logit lens, the
tokens beside an attention map, the way out of the editor, and a file for PyTorch that comes back.
"""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
FINISHED = "() => /^Finished/.test(document.getElementById('status').textContent)"
NAMES = "() => [...document.querySelectorAll('#chart > .key .key-reference')].map((name) => name.textContent)"


@pytest.fixture(scope="module", autouse=True)
def trained(tab):
    train(tab, "shakespeare")


def train(tab, corpus):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.select_option("#setting-corpus", corpus)
    tab.page.fill("#setting-steps", "60")
    tab.page.click("#run")
    tab.wait(FINISHED)
    tab.pause(300)


def test_the_name_of_the_reference_line_is_not_where_the_newest_losses_are(tab):
    assert tab.page.evaluate(NAMES) == ["random guessing (5.55)", "Shakespeare: 1.461"], "it is drawn for its own text"
    key, plot = [tab.page.locator("#chart > " + part).bounding_box() for part in (".key", ".plots")]
    assert key["y"] + key["height"] <= plot["y"], "names are above the plot"


def test_the_logit_lens_says_that_it_has_more_columns(tab):
    tab.page.click("#tab-inside")
    tab.page.fill("#inside textarea", "What light through yonder window breaks? It is the east, and Juliet")
    tab.page.click("#inside-tab-lens")
    tab.wait("() => document.querySelectorAll('.lens-table thead th').length > 20")
    more = tab.page.locator(".lens-more")
    tab.wait("() => !document.querySelector('.lens-more').hidden")
    assert "more columns to the right" in more.inner_text()
    tab.page.evaluate("document.querySelector('.lens-scroll').scrollLeft = 1e6")
    tab.wait("() => document.querySelector('.lens-more').hidden")


def test_an_attention_map_has_its_tokens_on_the_axes_and_goes_with_its_prompt(tab):
    tab.page.click("#tab-inside")
    tab.page.click("#inside-tab-attention")
    tab.page.fill("#inside textarea", "To be or not")
    tab.page.click("#inside button[type=submit]")
    tab.wait("() => document.querySelectorAll('.attention-strip span').length === 12")
    for axis in ("columns", "rows"):
        labels = tab.page.locator(".attention-axis.%s span" % axis).all_text_contents()
        assert len(labels) == 12 and labels[0] == "T" and labels[3] == "b"
    box = tab.page.locator(".attention-square canvas").bounding_box()
    first = tab.page.locator(".attention-axis.columns span").first.bounding_box()
    last = tab.page.locator(".attention-axis.rows span").last.bounding_box()
    assert abs(first["x"] - box["x"]) < 3 and first["y"] < box["y"]
    assert abs(last["y"] + last["height"] - box["y"] - box["height"]) < 3 and last["x"] < box["x"]
    tab.page.fill("#inside textarea", "")
    tab.page.click("#inside button[type=submit]")
    tab.wait("() => !document.querySelector('.inside-error').hidden")
    assert tab.page.is_hidden("#inside-attention"), "no map of another prompt"
    tab.page.fill("#inside textarea", "To be")
    tab.page.click("#inside button[type=submit]")
    tab.wait("() => document.querySelectorAll('.attention-strip span').length === 5")
    assert tab.page.is_visible("#inside-attention") and tab.page.is_hidden(".inside-error")


def test_the_page_says_how_to_leave_the_editor_and_shows_where_the_focus_is(tab):
    assert tab.page.is_hidden("#leave-key")
    tab.page.click("#editor .cm-content")
    assert tab.text("#leave-key") == "Esc, then Tab leaves the editor" and tab.page.is_visible("#leave-key")
    ring = "() => getComputedStyle(document.querySelector('#editor .editor-file')).outlineStyle"
    assert tab.page.evaluate(ring) == "solid"
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("Tab")
    assert not tab.page.evaluate("document.querySelector('#editor').contains(document.activeElement)")
    assert tab.page.is_hidden("#leave-key") and tab.page.evaluate(ring) == "none"
    assert "\t" not in tab.page.evaluate("tinygpt.source()")


def test_a_file_for_pytorch_can_be_imported(tab, tmp_path):
    tab.page.click("#tab-runs")
    answer = tab.page.evaluate("tinygpt.state().step")
    with tab.page.expect_download() as download:
        tab.page.locator("#runs").get_by_role("button", name="Download this run").click()
        tab.page.locator("button:visible", has_text="For PyTorch").first.click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.suffix == ".safetensors"
    tab.page.set_input_files("#import-file", path)
    tab.wait("() => / loaded: /.test(document.getElementById('status').textContent)")
    assert "step %d, without optimizer state" % answer in tab.text("#status")
    text = tab.page.evaluate("async () => (await tinygpt.generate({prompt: 'A', tokens: 5, seed: 1})).text")
    assert len(text) >= 1


def test_another_text_is_not_compared_with_shakespeare(tab):
    tab.page.click("#reset")  # the imported model, which Run would ask about
    train(tab, "stdlib")
    assert tab.page.evaluate(NAMES) == ["random guessing (5.55)"]
