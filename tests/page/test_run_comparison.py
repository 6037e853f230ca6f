"""Runs compared: metrics of one's own, curves that a reload keeps, the table of what differs.
One tab, in which a run is trained, saved, found again after a reload, and compared with another.
"""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]

FINISHED = "() => /^Finished/.test(document.getElementById('status').textContent)"
LOG = "run.log(loss, lr=lr, grad_norm=norm, program=step)"
METRICS = "run.log(loss, lr=lr, grad_norm=norm, program=step, double=loss * 2, half_step=i / 2)"
KEY = """() => Object.fromEntries([...document.querySelectorAll("#chart .key-run")].map((node) =>
    [node.textContent, getComputedStyle(node.querySelector(".line")).borderTopColor]))"""


def train(tab, **settings):
    tab.page.select_option("#setting-preset", "tiny")
    for name, value in settings.items():
        tab.page.fill("#setting-" + name, value)
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().running")
    tab.wait(FINISHED)


def read(tab, share):
    """What the readout says at this share of the plot."""
    at = tab.page.locator("#chart > .plots > .plot .u-over").bounding_box()
    tab.page.mouse.move(at["x"] + at["width"] * share, at["y"] + 20)
    tab.wait("() => document.querySelector('#chart .readout').checkVisibility()")
    said = tab.page.inner_text("#chart .readout")
    tab.page.mouse.move(5, 5)
    return said.split("\n")


def test_a_metric_of_ones_own_is_drawn_with_the_same_controls(tab):
    choice = tab.page.get_by_role("combobox", name="What the chart shows")
    source = tab.page.evaluate("() => tinygpt.source()")
    assert LOG in source
    tab.write(source.replace(LOG, METRICS))
    train(tab, steps="40")
    tab.wait("() => document.querySelectorAll('#chart > .key select option').length === 3")
    assert choice.locator("option").all_inner_texts() == ["Loss", "double", "half_step"]
    choice.select_option("half_step")
    assert read(tab, 0.5) == ["Step 20", "run 1", "10"]
    choice.select_option("double")
    step, name, value = read(tab, 0.5)
    loss = tab.page.evaluate("() => tinygpt.history()[20].loss")
    assert float(value) == pytest.approx(2 * loss, rel=1e-3) and name == "run 1"


def test_a_metric_opens_a_second_plot_with_the_same_steps(tab):
    second = tab.page.get_by_role("group", name="Second plot")
    choice = tab.page.get_by_role("combobox", name="What the second plot shows")
    assert second.is_visible() and choice.input_value() == "double"
    assert choice.locator("option").all_inner_texts() == ["Loss", "double", "half_step"]
    over = second.locator(".u-over").bounding_box()
    y = over["y"] + 20
    tab.page.mouse.move(over["x"] + over["width"] * 0.25, y)
    tab.page.mouse.down()
    tab.page.mouse.move(over["x"] + over["width"] * 0.75, y, steps=3)
    tab.page.mouse.up()
    both = "() => [...document.querySelectorAll('#chart .u-over')].map((over) => over.getAttribute('aria-valuemax'))"
    tab.wait("() => Number((%s)()[0]) < 35" % both)
    assert len(set(tab.page.evaluate(both))) == 1
    tab.page.locator("#chart > .plots > .plot .u-over").dblclick()
    tab.wait("() => (%s)().every((last) => Number(last) >= 39)" % both)
    second.get_by_role("button", name="Close the second plot").click()
    assert second.is_hidden()


def test_a_reload_keeps_the_curve_its_colour_and_its_metrics(tab):
    tab.page.evaluate("() => tinygpt.save()")
    before = tab.page.evaluate(KEY)
    tab.page.reload()
    tab.ready()
    tab.wait("() => document.querySelector('#chart .key-run')")
    assert tab.page.evaluate(KEY) == before and list(before) == ["run 1"]
    tab.page.get_by_role("combobox", name="What the chart shows").select_option("half_step")
    assert read(tab, 0.5) == ["Step 20", "run 1", "10"]


def test_the_table_says_what_differs_from_the_current_run(tab):
    tab.page.evaluate("() => tinygpt.reset()")
    source = tab.page.evaluate("() => tinygpt.source()")
    tab.write(source.replace(METRICS, LOG))
    train(tab, steps="30", lr="0.001", seed="7")
    tab.page.evaluate("() => tinygpt.save()")
    key = tab.page.evaluate(KEY)
    assert list(key) == ["run 2", "run 1"] and len(set(key.values())) == 2
    tab.page.click("#tab-runs")
    tab.wait("() => document.querySelectorAll('.run-table tbody tr').length === 2")
    tab.wait("() => document.querySelectorAll('#runs .saved li').length === 2")
    assert tab.page.locator(".run-table thead th").last.inner_text() == "Differs from run 2"
    now, before = [row.locator("th, td").all_inner_texts() for row in tab.page.locator(".run-table tbody tr").all()]
    assert now[:2] == ["run 2", "30"] and now[4:] == ["tiny", "1e-3", "16", "7", ""]
    assert before[:2] == ["run 1", "40"] and before[4:8] == ["tiny", "3e-4", "16", "42"]
    differs = before[8].split("; ")
    assert "learning rate 0.001 → 3e-4" in differs and "seed 7 → 42" in differs
    assert any(text.startswith("train.py: 1 line, run.log(loss, lr=lr") for text in differs)
    for name in ("run 1", "run 2"):
        row = tab.page.locator("#runs .saved li", has=tab.page.get_by_label("Name of " + name, exact=True))
        colour = row.locator(".line").evaluate("(node) => getComputedStyle(node).borderTopColor")
        assert colour == key[name]
        assert (
            "lr 3e-4 · batch 16 · seed 42" if name == "run 1" else "lr 1e-3 · batch 16 · seed 7"
        ) in row.inner_text()


def test_a_run_that_is_loaded_again_is_one_curve_with_its_metrics(tab):
    colours = tab.page.evaluate(KEY)
    tab.page.get_by_role("button", name="Load run 1", exact=True).click()
    tab.wait("() => tinygpt.state().run === 'run 1'")
    tab.wait("() => document.querySelector('#chart .key-run')?.textContent === 'run 1'")
    assert tab.page.evaluate(KEY) == colours
    tab.page.fill("#setting-steps", "44")
    tab.page.click("#pause")  # Resume
    tab.wait("() => tinygpt.state().step === 44")
    tab.wait(FINISHED)
    tab.page.get_by_role("combobox", name="What the chart shows").select_option("half_step")
    assert read(tab, 0.98)[:3] == ["Step 43", "run 1", "21.5"], "logged on from where it was"
    assert read(tab, 0.5)[:3] == ["Step 22", "run 1", "11"], "and what was logged before is there"


def test_a_deleted_run_leaves_the_chart_and_comes_back_with_undo(tab):
    tab.page.get_by_role("combobox", name="What the chart shows").select_option("loss")
    tab.page.get_by_role("button", name="Delete run 2", exact=True).click()
    tab.wait("() => ![...document.querySelectorAll('#chart .key-run')].some((node) => node.textContent === 'run 2')")
    tab.page.get_by_role("button", name="Undo: keep run 2").click()
    tab.wait("() => [...document.querySelectorAll('#chart .key-run')].some((node) => node.textContent === 'run 2')")
