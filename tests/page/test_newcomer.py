"""What a first visit meets: a press is answered where the user looks, a sentence that matters is
complete, and what is on the page stays in its place.
"""

import re

import pytest

from .conftest import Tab

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
SIZES = [(1440, 900), (1024, 768), (390, 844)]
CUT = (
    "(selector) => { const node = document.querySelector(selector); return node.scrollHeight > node.clientHeight + 1 }"
)
ERROR = "Your edit failed, so the previous code continues. AttributeError: module 'tinygpt.functional' has no attribute 'rellu'"


def box(tab, selector):
    return tab.page.locator(selector).bounding_box()


def resized(tab, size):
    tab.page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    tab.page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def test_train_one_says_on_its_button_what_it_does(tab):
    note, status = tab.page.locator("#train-own small"), tab.page.locator("#status")
    offer = note.inner_text()
    tab.page.click("#train-own")
    tab.wait("() => document.querySelector('#train-own small').textContent.startsWith('measuring this machine')")
    tab.wait("() => !document.getElementById('question').hidden")
    assert note.inner_text() == "measured: choose Train or Not now"
    assert status.inner_text() == "Nothing has started yet."
    tab.page.click("#train-own")
    assert tab.page.is_visible("#question"), "a second press asks nothing new"
    tab.page.click("#question button:text-is('Not now')")
    tab.wait("() => document.getElementById('status').textContent === 'Nothing was started.'")
    assert note.inner_text() == offer


@pytest.mark.parametrize("size", SIZES)
def test_the_tour_has_a_part_in_sight_at_every_stop(tab, size):
    resized(tab, size)
    tab.page.click("#lessons")
    for _ in range(8):
        part = box(tab, ".toured")
        assert part and part["height"] > 0 and part["y"] < size[1] and part["y"] + part["height"] > 0
        tab.page.click("#tour-card .primary")
    assert not tab.page.is_visible("#tour-card")
    resized(tab, SIZES[0])


def test_paste_puts_the_keys_into_the_text(tab):
    tab.page.click("#tab-data")
    tab.page.click(".data-add button:text-is('Paste')")
    tab.page.keyboard.type("The cat sat.")
    assert tab.page.input_value(".data-paste textarea") == "The cat sat."
    tab.page.fill(".data-paste textarea", "")


def test_an_error_is_complete_and_moves_nothing(tab):
    before = box(tab, "#actions")["y"], box(tab, "#progress")["height"]
    tab.run_editor('raise ValueError("%s")' % ERROR)
    assert tab.page.get_attribute("#status", "class") == "bad" and ERROR in tab.text("#status")
    assert tab.page.is_visible("#console-output"), "the error unfolds the console"
    assert abs(box(tab, "#progress")["height"] - before[1]) <= 1
    tab.page.click("#fold")
    assert abs(box(tab, "#actions")["y"] - before[0]) <= 1
    for size in SIZES:
        resized(tab, size)
        tab.page.focus("#editor .cm-content")
        assert not tab.page.evaluate(CUT, "#status"), size
    resized(tab, SIZES[0])
    tab.page.click("#revert")


def test_the_names_of_the_runs_come_first_and_steps_are_whole(tab):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "26")
    for runs in (1, 2):
        tab.page.click("#run")
        tab.wait("(runs) => document.querySelectorAll('#chart .key-run').length === runs", runs)
        tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    resized(tab, SIZES[2])
    tab.wait("() => document.querySelectorAll('#chart .key-run').length === 2")
    line = box(tab, "#chart .key-list")
    for name in tab.page.locator("#chart .key-run").all():
        assert name.bounding_box()["y"] < line["y"] + line["height"], name.inner_text()
    resized(tab, SIZES[0])
    tab.page.get_by_role("button", name="Export", exact=True).click()
    with tab.page.expect_download() as download:
        tab.page.get_by_role("group", name="Export").get_by_role("button", name="SVG").click()
    svg = download.value.path().read_text()
    marks = re.findall(r'<text x="([-\d.]+)" y="([-\d.]+)"[^>]*text-anchor="middle"[^>]*>([\d.,]+)</text>', svg)
    steps = [(float(x), float(step)) for x, _, step in marks]
    assert len(steps) > 3
    (first, _), (last, end) = steps[0], steps[-1]
    for x, step in steps:
        assert abs((x - first) / (last - first) - step / end) < 0.005, "a mark is where its number says"


def test_what_a_link_put_into_the_inputs_can_be_put_back(browser, server, tab):
    tab.page.fill("#setting-steps", "77")
    tab.page.press("#setting-steps", "Tab")
    student = Tab(browser, tab.page.evaluate("() => tinygpt.share()"))
    student.wait("() => document.getElementById('setting-steps').value === '77'")
    assert student.page.is_visible("#reset-inputs")
    student.page.click("#reset-inputs")
    assert student.page.input_value("#setting-steps") != "77" and not student.page.is_visible("#reset-inputs")
    student.close()


def test_on_a_phone_diff_brings_the_code_into_sight(browser, server):
    tab = Tab(browser, server, viewport={"width": 390, "height": 844})
    tab.write("x = 1")
    tab.page.evaluate("() => scrollTo(0, 0)")
    tab.page.click("#diff")
    tab.wait("() => document.getElementById('editor').getBoundingClientRect().top < innerHeight / 2")
    tab.close()
