"""The Speed page: the bench's rows as curves and a table, what is missing with its reason, the same
measured in the tab, the roofline.
"""

import json
import re

import pytest

from tests.page.conftest import ROOT, Tab
from tests.page.test_outside_text import node
from tests.page.test_playground import PAIRS

pytestmark = pytest.mark.browser
SHIPPED = json.loads((ROOT / "public/speed.json").read_text())


CELLS = "() => [...document.querySelectorAll('#kernels tr')].map((row) => [...row.children].map((cell) => cell.textContent))"


def opened(browser, server, **context):
    tab = Tab(browser, server + "app/speed.html", ready=False, **context)
    tab.wait("() => document.querySelector('#curves canvas') && !document.getElementById('measure').disabled")
    return tab


@pytest.fixture(scope="module")
def speed(browser, server):
    tab = opened(browser, server)
    yield tab
    tab.close()


def verdict_of(**given):
    body = "const { verdict } = await page('speed/verdict.js'); return verdict(given)"
    return node(body, {"shipped": BENCH, "facts": None, **given})


def row(tokens, **fields):
    usual = dict(preset="small", device="wasm", threads=2, flags=None, build="wasm32 relaxed-simd threads")
    return {**usual, "tokens_per_s": tokens, **fields}


def bench(tokens, **fields):
    return {**row(tokens, implementation="TinyGPT", host="chromium", precision="f32", machine="a machine"), **fields}


BENCH = [
    bench(40_000.0, implementation="PyTorch", device="cpu", host="native"),
    bench(32_000.0),
    bench(20_000.0, threads=1),
    bench(48_000.0, flags="future"),
]


def test_the_verdict_compares_the_fastest_device_with_pytorch_and_says_why():
    fast = 80_000.0
    slow = row(1234.0, threads=1)
    said = verdict_of(mine=[row(fast), slow], facts={"unshared": None, "gpu": "it has none."})
    assert said["sentence"].startswith("This browser trains small at 80,000 tokens/s: 2 times as fast as PyTorch on 2")
    assert said["sentence"].endswith(", because it computes on 2 threads with vectors of 128 bits.")
    assert said["more"].startswith("With one thread: 1,230 tokens/s. No GPU: it has none. Vectors of 256 bits (Chrome")
    assert said["more"].endswith(" made it 1.5 times as fast on a machine.")
    said = verdict_of(mine=[])
    assert said["sentence"].startswith("Chromium on a machine, trains small at 32,000 tokens/s: 0.8 times as fast as")
    said = verdict_of(mine=[slow], facts={"unshared": "the page is not isolated", "gpu": None})
    assert "because it computes on one thread with vectors" in said["sentence"]
    assert said["more"].startswith("Only one thread: the page is not isolated.")
    wide = verdict_of(mine=[row(fast, flags="future")])
    assert wide["sentence"].endswith("with vectors of 256 bits.") and wide["more"] == ""
    assert "without fused multiply-adds" in verdict_of(mine=[row(fast, flags="plain")])["sentence"]
    gpu = verdict_of(mine=[row(fast), row(9e6, device="webgpu", threads=None, build="NVIDIA H200")])
    assert gpu["sentence"].endswith(", because it computes on the GPU (NVIDIA H200).")
    assert gpu["more"] == "On the processor: 80,000 tokens/s."
    assert verdict_of(mine=[], shipped=[])["sentence"] == "Measure how fast this browser trains small."


def test_the_page_begins_with_the_verdict_and_axes_have_units(speed):
    verdict = speed.text("#verdict-sentence")
    numbers = (
        r"Chromium on .+, trains small at [\d,]+ tokens/s: [\d.]+ times as fast as PyTorch on .+, because it computes "
    )
    assert re.match(numbers, verdict)
    assert speed.text("#verdict-more") == "This browser has not been measured yet."
    top = {name: speed.page.locator(name).bounding_box()["y"] for name in ("#verdict", "#curves", "#about")}
    assert top["#verdict"] < top["#curves"] < top["#about"]
    assert speed.page.evaluate("() => document.querySelector('#numbers-table th').textContent") == "ms a training step"
    speed.page.click("#measure-small")
    speed.wait("() => !document.getElementById('verdict-stop').disabled")
    speed.page.click("#verdict-stop")
    speed.wait("() => document.getElementById('verdict-status').textContent === 'The measurement was stopped.'")
    assert speed.text("#verdict-sentence") == verdict


def test_every_measured_row_has_its_numbers_in_the_table(speed):
    table = speed.page.evaluate("() => document.getElementById('numbers-table').textContent")
    rows = [row for row in SHIPPED if row["median_ms"] is not None]
    assert rows and all(row["preset"] in table for row in rows)
    cells = speed.page.evaluate(
        "() => [...document.querySelectorAll('#numbers-table td')].map((cell) => cell.textContent)"
    )
    assert len([text for text in cells if " to " in text]) == len(rows)


def test_what_could_not_be_measured_is_said_with_its_reason(browser, server):
    missing = {
        **SHIPPED[0],
        "implementation": "jax-js",
        "device": "webgpu",
        "missing": "there is no GPU here",
        "median_ms": None,
    }
    webkit = {**SHIPPED[0], "implementation": "TinyGPT", "device": "wasm", "host": "webkit", "flags": "plain"}
    tab = Tab(browser, server, ready=False)
    tab.context.route("**/public/speed.json", lambda route: route.fulfill(json=[*SHIPPED, webkit, missing]))
    tab.page.goto(server + "app/speed.html")
    tab.wait("() => document.getElementById('remarks').children.length")
    assert "there is no GPU here" in tab.page.evaluate("() => document.getElementById('remarks').textContent")
    assert "TinyGPT wasm, WebKit, 2 threads, plain SIMD" in tab.page.inner_text("#legend")
    assert "plain SIMD: without fused multiply-adds" in tab.page.inner_text("#about")
    tab.close()


def test_the_words_in_the_curves_names_are_explained(speed):
    names, about = speed.page.inner_text("#legend"), speed.page.inner_text("#about")
    for word in ("f16", "matrix", "all flags", "tf32", "Eager", "Graph"):
        assert word in names and "%s: " % word in about


def test_another_number_is_drawn_and_a_curve_is_turned_off(speed):
    speed.page.select_option("#metric", "tokens_per_s")
    assert "Training tokens each second" in speed.page.get_attribute("#curves", "aria-label")
    entry = speed.page.locator("#legend button[aria-pressed=true]").first
    title, before = entry.inner_text(), speed.page.locator("#legend button[aria-pressed=true]").count()
    entry.click()
    assert speed.page.locator("#legend button[aria-pressed=true]").count() == before - 1
    assert speed.page.evaluate("() => document.activeElement.textContent") == title
    speed.page.locator("#legend button", has_text=title).first.click()
    speed.page.select_option("#metric", "median_ms")


def test_the_point_under_the_pointer_is_read_out(speed):
    box = speed.page.locator("#curves .u-over").bounding_box()
    for y in range(4, int(box["height"]), 8):
        speed.page.mouse.move(
            box["x"] + box["width"] * 0.3 / (len({row["preset"] for row in SHIPPED}) - 0.4), box["y"] + y
        )
        if speed.page.is_visible("#curve-readout"):
            break
    assert " ms (" in speed.text("#curve-readout") and "tiny" in speed.text("#curve-readout")


def test_the_steps_are_measured_on_this_machine_and_join_the_curves(speed):
    speed.page.select_option("#largest", "tiny")
    speed.page.click("#measure")
    speed.wait("() => /^Measured/.test(document.getElementById('measure-status').textContent)")
    entries = speed.page.locator("#legend fieldset", has_text="This machine").locator("button")
    assert [text.strip() for text in entries.all_inner_texts()][0].startswith("TinyGPT wasm, This tab")
    table = speed.page.evaluate("() => document.getElementById('numbers-table').textContent")
    assert "This machine" in table
    assert not speed.page.is_disabled("#measure") and speed.complaints == []


def test_a_stop_ends_the_measurement_and_it_can_begin_again(speed):
    speed.page.select_option("#largest", "xl")
    speed.page.click("#measure")
    speed.wait("() => /: (a new model|.*warming)/.test(document.getElementById('measure-status').textContent)")
    speed.page.click("#measure-stop")
    speed.wait("() => document.getElementById('measure-status').textContent === 'The measurement was stopped.'")
    assert not speed.page.is_disabled("#measure") and speed.page.is_disabled("#measure-stop")


def test_the_kernels_are_measured_under_the_peak(speed):
    speed.page.select_option("#roofline-preset", "tiny")
    speed.page.click("#measure-kernels")
    speed.allow(80)  # two threads on a busy machine wait for each other at every launch
    speed.wait(
        "() => !/^(|Starting .*|Measuring .*|Timing .*)$/.test(document.getElementById('kernels-status').textContent)"
    )
    assert speed.text("#kernels-status").startswith("Measured"), speed.text("#kernels-status")
    rows = speed.page.evaluate(CELLS)
    assert len(rows) > 15 and any(row[:2] == ["matmul", "NT 512x192x48 bias gelu"] for row in rows)
    products = [int(row[-1]) for row in rows if row[0] == "matmul"]
    assert all(0 < percent <= 150 for percent in products), "no product is much faster than what the machine can do"
    assert speed.page.locator("#roofline canvas").count() == 1 and speed.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_that_an_automated_check_finds_keeps_people_out(browser, server, theme):
    tab = opened(browser, server, color_scheme=theme)
    tab.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text() + "\n;0")
    for details in tab.page.locator("summary:visible").all():
        details.click()
    assert tab.page.evaluate(PAIRS) == []
    assert tab.complaints == []
    tab.close()


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_nothing_sticks_out_at_any_width(browser, server, width):
    tab = opened(browser, server, viewport={"width": width, "height": 900})
    assert tab.page.evaluate("() => document.documentElement.scrollWidth") <= width
    chart = tab.page.locator("#curves").bounding_box()
    assert chart["width"] > 0.8 * min(width, 1200) - 60 and chart["height"] >= 300
    tab.close()


def test_the_page_leads_there(browser, server):
    tab = Tab(browser, server)
    with tab.context.expect_page() as opening:
        tab.page.click("#speed")
    assert opening.value.title() == "TinyGPT: speed"
    tab.close()


def test_where_no_kernel_has_been_measured_the_page_says_so_instead_of_an_empty_plot(browser, server):
    tab = Tab(browser, server, ready=False)
    tab.context.route("**/public/roofline.json", lambda route: route.fulfill(json=[]))
    tab.page.goto(server + "app/speed.html")
    tab.wait("() => document.querySelector('#curves canvas') && !document.getElementById('measure').disabled")
    assert (
        tab.page.is_visible("#roofline-none")
        and not tab.page.is_visible("#roofline")
        and not tab.page.is_visible("#roofline-choice")
    )
    tab.close()
