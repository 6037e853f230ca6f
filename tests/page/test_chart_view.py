"""How the chart is looked at: zoom by pointer and keys, logarithmic axes, smoothing, the colours of
runs, pins of many edits. One tab; each test leaves the chart as it found it.
"""

import csv
import io
import json
import pathlib
from xml.etree import ElementTree

import pytest

from tests.page.conftest import Tab
from tests.page.test_chart import START, axis_end, box, steps

pytestmark = pytest.mark.browser

SEND = "import json\nfrom tinygpt.training import hooks\nfor message in json.loads(%r): hooks.sink(json.dumps(message))"
STEPS = "() => document.querySelector('#chart .u-over').getAttribute('aria-valuemax')"


@pytest.fixture(scope="module")
def chart(browser, server):
    """A page with three runs; the last has eight edits."""
    tab = Tab(browser, server)
    messages = []
    for name, level in (("baseline", 3.0), ("wider", 2.5)):
        messages += [{**START, "run": name}, *steps(0, 400, lambda i, level=level: level)]
        messages += [{"type": "finish", "step": 400, "reason": "done"}]
    messages += [START, *steps(0, 1000, lambda i: 2 + (i % 2) * 0.5)]
    revert = {"type": "reverted", "error": "NameError: name 'x' is not defined", "line": 3}
    messages += [{**revert, "step": step} for step in (100, 103, 106, 300, 500, 700, 800, 900)]
    tab.value(SEND % json.dumps(messages))
    tab.wait("() => document.querySelectorAll('#chart .pin').length === 6")
    yield tab
    assert tab.complaints == []
    tab.close()


def end(tab, wanted):
    """Waits until the view ends at about this step."""
    tab.wait("([end, by]) => Math.abs((%s)() - end) <= by" % STEPS, [wanted, max(3, wanted * 0.02)], seconds=30)


def test_keys_zoom_move_and_show_the_whole_run(chart):
    chart.page.focus("#chart .u-over")
    chart.page.keyboard.press("End")
    for key, wanted in (("+", 1000), ("+", 1000), ("-", 1000), ("0", 1000)):
        chart.page.keyboard.press(key)
        end(chart, wanted)
    chart.page.keyboard.press("Escape")  # no step is read
    chart.page.keyboard.press("+")  # about the middle
    end(chart, 750)
    assert chart.page.is_visible("#chart .whole")
    chart.page.keyboard.press("End")
    chart.page.keyboard.press("Shift+ArrowRight")  # beyond the edge: the view follows
    end(chart, 800)
    chart.page.keyboard.press("Escape")
    end(chart, 1000)
    assert not chart.page.is_visible("#chart .whole")


def test_shift_and_a_drag_moves_along_and_a_wheel_too(chart):
    at = box(chart)
    y = at["y"] + 40
    chart.page.mouse.move(at["x"] + at["width"] * 0.2, y)
    chart.page.mouse.down()
    chart.page.mouse.move(at["x"] + at["width"] * 0.4, y, steps=3)
    chart.page.mouse.up()
    end(chart, 400)
    chart.page.keyboard.down("Shift")
    chart.page.mouse.down()
    chart.page.mouse.move(at["x"] + at["width"] * 0.2, y, steps=3)  # a fifth of the view
    chart.page.mouse.up()
    end(chart, 440)
    chart.page.keyboard.up("Shift")
    chart.page.mouse.wheel(-at["width"] / 2, 0)
    end(chart, 340)
    chart.page.mouse.dblclick(at["x"] + 50, y)
    end(chart, 1000)
    chart.page.mouse.move(5, 5)


def test_axes_are_logarithmic_and_a_line_is_smooth_where_that_is_chosen_and_stay_so(chart):
    page = chart.page
    page.get_by_role("button", name="View", exact=True).click()
    page.get_by_role("checkbox", name="Log values").check()
    page.get_by_role("checkbox", name="Log steps").check()
    slider = page.get_by_role("slider", name="Smoothing")
    assert slider.get_attribute("aria-valuetext") == "off"
    slider.fill("0.9")
    page.keyboard.press("Escape")
    assert json.loads(page.evaluate("localStorage['chart view']")) == dict(logSteps=True, logValues=True, smoothing=0.9)
    at = box(chart)
    page.mouse.move(at["x"] + at["width"] / 3, at["y"] + 40)
    chart.wait("() => document.querySelector('#chart .readout dt.step').textContent === 'Step 9'")  # 1000 ** (1/3) - 1
    page.mouse.move(5, 5)
    page.get_by_role("button", name="View", exact=True).click()
    slider.fill("0")
    page.get_by_role("checkbox", name="Log values").uncheck()
    page.get_by_role("checkbox", name="Log steps").uncheck()
    page.keyboard.press("Escape")


def test_smoothing_is_an_average_without_bias(chart):
    smooth = chart.page.evaluate("""async () => {
        const { smoothed } = await import("/app/chart/smoothing.js");
        return smoothed([4, 4, NaN, 2, null, 2], 0.5);
    }""")
    assert smooth[:3] == [4, 4, 4]
    weights = 0.5 + 0.25 + 0.125
    assert smooth[3] == pytest.approx((0.5 * 2 + 0.25 * 4 + 0.125 * 4) / weights) and smooth[4] == smooth[3]


def test_a_run_has_one_colour_everywhere(chart):
    colours = """selector => Object.fromEntries([...document.querySelectorAll(selector)].map((node) =>
        [node.dataset.run ?? node.textContent, getComputedStyle(node.querySelector(".line")).borderTopColor]))"""
    key = chart.page.evaluate(colours, "#chart .key-run")
    assert list(key) == ["run 3", "wider", "baseline"] and len(set(key.values())) == 3
    at = box(chart)
    chart.page.mouse.move(at["x"] + at["width"] * 0.3, at["y"] + 40)
    chart.wait("() => document.querySelectorAll('#chart .readout dt').length >= 5")
    read = chart.page.evaluate(colours, "#chart .readout dt:has(.line.loss)")
    chart.page.mouse.move(5, 5)
    chart.page.click("#chart .key-tools >> text=Runs")
    listed = chart.page.evaluate("""() => Object.fromEntries([...document.querySelectorAll("#chart .runs li")].map((row) =>
        [row.querySelector(".run-name").value, getComputedStyle(row.querySelector(".line")).borderTopColor]))""")
    chart.page.keyboard.press("Escape")
    assert read == listed == key
    swatch = "() => getComputedStyle(document.querySelector('#numbers .swatch')).backgroundColor"
    assert chart.page.evaluate(swatch) == key["run 3"]


def test_edits_are_numbered_under_the_plot_and_say_their_lines(chart):
    pins = chart.page.locator("#chart .pin")
    assert [pin.inner_text() for pin in pins.all()] == ["1–3", "4", "5", "6", "7", "8"]
    at = box(chart)
    for pin in pins.all():
        assert pin.bounding_box()["y"] >= at["y"] + at["height"]
    pins.first.focus()
    card = chart.page.locator("#chart .pin-card")
    said = card.inner_text().split("\n")
    assert said[::2] == ["1 step 100", "2 step 103", "3 step 106"] and said[1].startswith(
        "rolled back: line 3: NameError"
    )
    assert card.bounding_box()["y"] + card.bounding_box()["height"] <= at["y"] + at["height"]
    chart.page.keyboard.press("Escape")
    assert not card.is_visible()


def test_the_names_of_lines_are_beside_the_plot(chart):
    at, key = box(chart), chart.page.locator("#chart .key-reference").first.bounding_box()
    assert key["y"] + key["height"] <= at["y"]
    assert axis_end(chart) == 1000


def saved(tab, kind):
    """The bytes and the name of the file that Export makes."""
    tab.page.get_by_role("button", name="Export", exact=True).click()
    with tab.page.expect_download() as download:
        tab.page.get_by_role("group", name="Export").get_by_role("button", name=kind).click()
    return pathlib.Path(download.value.path()).read_bytes(), download.value.suggested_filename


def test_the_chart_is_a_file_of_numbers_or_a_picture(chart):
    text, name = saved(chart, "CSV")
    rows = list(csv.DictReader(io.StringIO(text.decode())))
    assert name == "tinygpt-run-3-loss.csv" and {row["run"] for row in rows} == {"run 3", "wider", "baseline"}
    losses = [float(row["value"]) for row in rows if (row["run"], row["kind"]) == ("run 3", "loss")]
    assert losses == [2 + (i % 2) * 0.5 for i in range(1000)], "every step, though fewer are drawn"
    edits = [(row["step"], row["name"]) for row in rows if row["kind"] == "edit"]
    assert len(edits) == 8 and edits[0] == ("100", "rolled back: line 3: NameError: name 'x' is not defined")
    drawing, name = saved(chart, "SVG")
    tree = ElementTree.fromstring(drawing)
    space = "{http://www.w3.org/2000/svg}"
    said = [node.text for node in tree.iter(space + "text")]
    assert name.endswith(".svg") and {"Loss by step", "run 3", "wider", "baseline", "8"} <= set(said)
    colours = {node.get("stroke") for node in tree.iter(space + "path")}
    assert {"#0072b2", "#a16402", "#ff1163"} <= colours
    image, name = saved(chart, "PNG")
    assert name.endswith(".png") and image[:8] == b"\x89PNG\r\n\x1a\n" and len(image) > 10_000


def test_a_cell_of_the_csv_never_computes(chart):
    cells = chart.page.evaluate("""async () => {
        const { cell } = await import("/app/chart/export.js");
        return ["=1+1", "-x", "a,b", 'a "b"', "plain", -1.5, NaN].map(cell);
    }""")
    assert cells == ["'=1+1", "'-x", '"a,b"', '"a ""b"""', "plain", "-1.5", ""]


def test_full_size_fills_the_window_and_escape_returns(chart):
    page = chart.page
    before = page.locator("#chart").bounding_box()
    page.get_by_role("button", name="Full size").click()
    chart.wait("() => document.querySelector('#chart .u-over').clientHeight > 500")
    assert page.locator("#chart").bounding_box()["width"] > 1380
    page.focus("#chart .u-over")
    page.keyboard.press("+")
    end(chart, 750)
    page.keyboard.press("Escape")  # the zoom first
    end(chart, 1000)
    assert page.locator("dialog[open]").count() == 1
    page.keyboard.press("Escape")
    chart.wait("() => document.activeElement.textContent === 'Full size'")
    assert page.locator("dialog[open]").count() == 0
    chart.wait("() => document.querySelector('#chart .u-over').clientHeight < 400")
    assert page.locator("#chart").bounding_box() == before
