"""The chart, the runs behind it, the sentence on the loss, the chip of the processor's pressure:
pointer and keys on the real page.
"""

import json
import math
import re

import pytest

from tests.page.conftest import Tab, slowness

pytestmark = pytest.mark.browser

START = {
    "type": "start", "name": "run", "preset": "small", "parameters": 367_000, "steps": 3000, "batch_tokens": 1024,
    "vocab_size": 256,
    "step": 0, "device": "wasm", "build": "wasm32", "threads": 2, "precision": "f32",
}  # fmt: skip


def send(tab, *messages):
    """The messages as a loop sends them."""
    sink = "import json\nfrom tinygpt.training import hooks\nfor message in json.loads(%r): hooks.sink(json.dumps(message))"
    tab.value(sink % json.dumps(messages))
    tab.pause(1300)  # the chart rests between two drawings, a second at most


def steps(first, last, loss=lambda i: 2 + 3 / (i + 1), lr=3e-4):
    return [dict(type="step", step=i, loss=loss(i), lr=lr, ms=10.0, grad_norm=1 + i / 1000) for i in range(first, last)]


@pytest.fixture(scope="module")
def chart(browser, server):
    """A page with three runs: "baseline" and "wider" behind, run 3 in front."""
    tab = Tab(browser, server)
    send(
        tab,
        {**START, "run": "baseline"},
        *steps(0, 400, lambda i: 3.0),
        {"type": "finish", "step": 400, "reason": "done"},
    )
    send(
        tab,
        {**START, "run": "wider"},
        *steps(0, 300, lambda i: 2.5),
        {"type": "finish", "step": 300, "reason": "stopped"},
    )
    send(
        tab,
        START,
        {"type": "eval", "step": 0, "val_loss": 5.5},
        *steps(0, 1000),
        {"type": "eval", "step": 1000, "val_loss": 2.1},
    )
    yield tab
    tab.close()


def box(tab):
    return tab.page.locator("#chart .u-over").bounding_box()


def point(tab, step, of=1000):
    """Moves the pointer to a step."""
    at = box(tab)
    tab.page.mouse.move(at["x"] + at["width"] * step / of, at["y"] + at["height"] * 0.7)
    tab.pause(100)


def axis_end(tab):
    return int(tab.page.get_attribute("#chart .u-over", "aria-valuemax"))


# ---- reading ----


def test_hovering_reads_every_series_at_the_step_though_far_fewer_are_drawn(chart):
    point(chart, 250)
    said = chart.page.inner_text("#chart .readout").replace("\n", " ").replace("\t", " ")
    step = re.match(r"Step (\d+)", said)
    values = (
        "run 3 2.012",
        "Validation 5.500 at 0",
        "Learning rate 3e-4",
        "Gradient norm 1.25",
        "baseline 3.000",
        "wider 2.500",
    )
    assert abs(int(step[1]) - 250) <= 2 and all(part in said for part in values), said  # a pixel is two steps
    point(chart, 350)  # "wider" ended before
    said = chart.page.inner_text("#chart .readout")
    assert "baseline" in said and "wider" not in said
    chart.page.mouse.move(5, 5)
    chart.pause(100)
    assert not chart.page.is_visible("#chart .readout")


def test_the_arrow_keys_read_too_and_a_screen_reader_hears_the_values(chart):
    chart.page.focus("#chart .u-over")
    chart.page.keyboard.press("Home")
    chart.page.keyboard.press("ArrowRight")
    over = chart.page.locator("#chart .u-over")
    assert over.get_attribute("role") == "slider" and over.get_attribute("aria-valuenow") == "10"
    assert "run 3 2.273" in over.get_attribute("aria-valuetext") and chart.page.is_visible("#chart .readout")
    chart.page.keyboard.press("End")
    assert over.get_attribute("aria-valuenow") == "999"
    chart.page.keyboard.press("Escape")
    assert not chart.page.is_visible("#chart .readout")


def test_a_drag_zooms_and_a_double_click_or_the_button_goes_back(chart):
    whole = axis_end(chart)
    at = box(chart)
    for back in (
        lambda: chart.page.mouse.dblclick(at["x"] + 50, at["y"] + 20),
        lambda: chart.page.click("#chart .whole"),
    ):
        chart.page.mouse.move(at["x"] + at["width"] * 0.2, at["y"] + 60)
        chart.page.mouse.down()
        chart.page.mouse.move(at["x"] + at["width"] * 0.4, at["y"] + 60, steps=4)
        chart.page.mouse.up()
        chart.pause(200)
        assert axis_end(chart) == pytest.approx(0.4 * whole, rel=0.02)
        assert chart.page.is_visible("#chart .whole")
        back()
        chart.pause(200)
        assert axis_end(chart) == whole and not chart.page.is_visible("#chart .whole")


def test_the_legend_is_buttons_that_show_and_hide(chart):
    def coloured(rgb):  # pixels of the canvas that are near a colour
        return chart.page.evaluate("""rgb => {
            const canvas = document.querySelector("#chart canvas");
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let n = 0;
            for (let i = 0; i < data.length; i += 4) n += data[i + 3] > 200 && rgb.every((c, j) => Math.abs(data[i + j] - c) < 12);
            return n;
        }""", rgb)  # fmt: skip

    line, front = (0xFF, 0x11, 0x63), chart.page.locator("#chart .legend")  # the third run's colour
    training = front.get_by_role("button", name="Training")
    validation = front.get_by_role("button", name="Validation")
    both = coloured(line)
    counts = []
    for button in (training, validation):
        assert button.get_attribute("aria-pressed") == "true"
        button.focus()
        chart.page.keyboard.press("Space")
        chart.pause(200)
        assert button.get_attribute("aria-pressed") == "false"
        counts.append(coloured(line))
    assert both > counts[0] > 20 > counts[1] == 0, "the line, then the dots of the current run are gone"
    for button in (training, validation):
        button.click()
    chart.pause(200)
    assert coloured(line) == both


def test_the_logarithmic_view_gives_the_first_steps_room(chart):
    def log_steps():
        chart.page.get_by_role("button", name="View", exact=True).click()
        chart.page.get_by_role("checkbox", name="Log steps").click()
        chart.page.keyboard.press("Escape")

    log_steps()
    at = box(chart)
    chart.page.mouse.move(at["x"] + at["width"] * math.log10(11) / math.log10(1001), at["y"] + 60)
    chart.pause(100)
    assert "Step 10\n" in chart.page.inner_text("#chart .readout")
    chart.page.mouse.move(5, 5)
    log_steps()


def test_a_change_of_theme_redraws_in_its_colours(chart):
    pixels = """() => {
        const canvas = document.querySelector("#chart canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return [[0xff, 0x11, 0x63], [0xba, 0x50, 0x8c]].map(rgb => {
            let n = 0;
            for (let i = 0; i < data.length; i += 4) n += data[i + 3] > 200 && rgb.every((c, j) => Math.abs(data[i + j] - c) < 6);
            return n;
        });
    }"""
    light = chart.page.evaluate(pixels)
    chart.page.emulate_media(color_scheme="dark")
    chart.pause(300)
    dark = chart.page.evaluate(pixels)
    chart.page.emulate_media(color_scheme="light")
    assert light[0] > 50 > light[1] and dark[1] > 50 > dark[0], (light, dark)


# ---- runs ----


def test_runs_are_listed_renamed_hidden_and_removed(chart):
    chart.page.click("#chart .key-tools >> text=Runs")
    rows = chart.page.locator(".runs-popover li")
    names = rows.locator(".run-name")
    assert [names.nth(i).input_value() for i in range(rows.count())] == ["run 3", "wider", "baseline"]
    assert "small · wasm f32" in rows.nth(1).inner_text() and "300 steps · loss 2.500" in rows.nth(1).inner_text()
    names.nth(2).fill("first try")
    names.nth(2).press("Enter")
    chart.page.get_by_role("checkbox", name="Show wider in the chart").uncheck()
    chart.page.keyboard.press("Escape")
    point(chart, 250)
    said = chart.page.inner_text("#chart .readout")
    assert "first try" in said and "wider" not in said
    chart.page.mouse.move(5, 5)
    chart.page.click("#chart .key-tools >> text=Runs")
    chart.page.get_by_role("button", name="Remove first try").click()
    assert rows.count() == 2 and not chart.page.get_by_role("button", name="Remove run 3").is_visible()
    chart.page.keyboard.press("Escape")


def test_the_history_of_a_run_is_exact_and_bounded(tab):
    kept = tab.page.evaluate("""async () => {
        const { Runs } = await import("/app/chart/runs.js");
        const runs = new Runs(), run = runs.begin({run: "a"});
        for (let i = 0; i < 10000; i++) run.add(i, i === 77 ? 9 : 2, {lr: i < 500 ? 1e-3 : 3e-4, grad_norm: 1, ms: 10});
        run.addValidation(100, 2.2);
        const exact = run.history();
        for (let i = 10000; i < 300000; i++) run.add(i, 2);
        run.add(200000, 3); // a loss of the GPU: steps are repeated
        const bounded = run.history(), again = runs.begin({run: "a"});
        return {n: exact.length, at: exact[500], before: exact[499].lr, evaluations: run.evaluations(), many: bounded.length,
                last: bounded.at(-1).step, high: bounded.some(({step, loss}) => step === 77 && loss === 9),
                rising: bounded.every(({step}, i) => !i || step > bounded[i - 1].step), thin: run.steps.length,
                same: run.losses.length === run.steps.length && run.ms.length === run.steps.length, name: again.name};
    }""")
    assert (
        kept["n"] == 10_000
        and kept["at"] == dict(step=500, loss=2, lr=3e-4, grad_norm=1, ms=10)
        and kept["before"] == 1e-3
    )
    assert kept["evaluations"] == [dict(step=100, val_loss=2.2)]
    assert kept["many"] <= 50_000 and kept["last"] == 200_000 and kept["high"] and kept["rising"]
    assert kept["thin"] <= 4_001 and kept["same"] and kept["name"] == "a (2)"


@pytest.mark.alone
def test_a_long_run_with_others_behind_it_draws_within_a_frame(tab):
    took = tab.page.evaluate("""async () => {
        const { LossChart } = await import("/app/chart/loss_chart.js");
        const parent = document.body.appendChild(document.createElement("div"));
        parent.style.cssText = "position: fixed; inset: 0 auto auto 0; width: 680px; height: 300px";
        const chart = new LossChart(parent);
        for (let run = 0; run < 5; run++) {
            chart.reset(256);
            const last = run === 4 ? 40000 : 5000, norm = Math.random;
            for (let i = 0; i < last; i++) chart.add(i, 2 + Math.sin(i / 300) + Math.random(), {lr: 1e-3, grad_norm: norm()});
            for (let i = 0; i < 40; i++) chart.addValidation(i * 100, 2);
        }
        chart.visible.norm = true;
        chart.draw();
        const times = [];
        for (let i = 0; i < 15; i++) {
            chart.add(40000 + i, 2);
            const begun = performance.now();
            chart.draw();
            await null; // uPlot draws in a microtask
            times.push(performance.now() - begun);
            await new Promise(requestAnimationFrame);
        }
        chart.clear();
        parent.remove();
        return times.sort((a, b) => a - b)[7];
    }""")
    assert took < 16 * slowness(), took


# ---- marks and references ----


def test_an_edit_that_was_rolled_back_is_a_pin_at_its_step_and_stays_with_the_run(browser, server):
    tab = Tab(browser, server)
    error = "NameError: name 'learning_rate_of_this_step' is not defined"
    revert = {"type": "reverted", "step": 500, "error": "Traceback\n" + error, "line": 12}
    send(
        tab,
        {**START, "run": "edited"},
        *steps(0, 500),
        revert,
        {**revert, "step": 700, "arrived": False},
        *steps(500, 1000),
    )
    pin = tab.page.locator("#chart .pin")
    at, said = box(tab), "step 500: rolled back: line 12: " + error
    assert pin.count() == 1 and pin.inner_text() == "1" and pin.get_attribute("aria-label") == said
    drawn = pin.bounding_box()
    assert drawn["x"] + drawn["width"] / 2 == pytest.approx(at["x"] + at["width"] / 2, abs=3)
    assert drawn["y"] >= at["y"] + at["height"], "under the plot, where no curve is"
    card = tab.page.locator("#chart .pin-card")
    assert not card.is_visible()
    pin.focus()
    assert card.inner_text().split("\n") == ["1 step 500", "rolled back: line 12: " + error]
    send(tab, {**START, "run": "next"}, *steps(0, 1000))
    assert tab.page.locator("#chart .pin.earlier").count() == 1 == pin.count()
    assert tab.page.get_by_role("button", name="edited, " + said).is_visible()
    assert tab.complaints == []
    tab.close()


def test_an_edit_that_takes_hold_leaves_the_changed_line_on_the_chart(browser, server):
    tab = Tab(browser, server)
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 20")
    answer = tab.page.evaluate("""() => tinygpt.apply(tinygpt.source().replace("lr = schedule.apply(optimizer, i, config)",
        "lr = schedule.apply(optimizer, i, config) / 2"))""")
    assert answer == {"ok": True, "error": None}
    tab.page.hover("#chart .pin")
    assert tab.page.inner_text("#chart .pin-card code") == "lr = schedule.apply(optimizer, i, config) / 2"
    tab.wait("() => tinygpt.history().at(-1).lr === 1.5e-4")
    tab.page.click("#stop")
    tab.wait("() => document.body.dataset.state === 'ready'")
    history = tab.page.evaluate("tinygpt.history()")
    at = int(re.search(r"step (\d+):", tab.page.get_attribute("#chart .pin", "aria-label"))[1])
    assert [step["step"] for step in history] == list(range(len(history)))
    assert all(step["lr"] == (3e-4 if step["step"] < at else 1.5e-4) for step in history)
    assert all(step["grad_norm"] > 0 and step["ms"] > 0 for step in history)
    tab.close()


def test_reference_lines_belong_to_the_view(tab):
    seen = tab.page.evaluate("""async () => {
        const { LossChart } = await import("/app/chart/loss_chart.js");
        const parent = document.body.appendChild(document.createElement("div"));
        parent.style.cssText = "position: fixed; inset: 0 auto auto 0; width: 680px; height: 300px";
        const chart = new LossChart(parent);
        chart.reset(256);
        for (let i = 0; i < 100; i++) chart.add(i, 5.2 - i / 100);
        const heights = async () => {
            chart.draw();
            await new Promise(done => setTimeout(done, 50));
            return [chart.plot.scales.y.min, chart.plot.scales.y.max];
        };
        const alone = await heights();
        chart.setReference(1.5, "Shakespeare model");
        const compared = await heights();
        chart.zoomTo([10, 50]);
        const zoomed = await heights();
        chart.setReference(null);
        chart.zoomTo(null);
        const texts = chart.references().map(({text}) => text), again = await heights();
        chart.clear();
        parent.remove();
        return {alone, compared, zoomed, again, texts};
    }""")
    assert seen["alone"][0] > 3.9 and seen["alone"][1] > math.log(256), "ln V is in view"
    assert seen["compared"][0] < 1.5 and seen["again"] == seen["alone"]
    assert seen["zoomed"][0] > 4.5 and seen["zoomed"][1] < 5.3
    assert seen["texts"] == ["random guessing (5.55)"]


def test_a_run_that_diverged_is_cut_off_and_leaves_the_scale_to_the_others(tab):
    seen = tab.page.evaluate("""async () => {
        const { LossChart } = await import("/app/chart/loss_chart.js");
        const parent = document.body.appendChild(document.createElement("div"));
        parent.style.cssText = "position: fixed; inset: 0 auto auto 0; width: 680px; height: 300px";
        const chart = new LossChart(parent);
        const heights = async () => {
            chart.draw();
            await new Promise(done => setTimeout(done, 50));
            return [chart.plot.scales.y.min, chart.plot.scales.y.max, chart.cutOff];
        };
        chart.reset(256);
        for (let i = 0; i < 100; i++) chart.add(i, i < 10 ? 5.5 : 1e15 * i);
        const own = await heights();
        chart.zoomTo([20, 90]);
        const zoomed = await heights();
        chart.reset(256);
        for (let i = 0; i < 100; i++) chart.add(i, 5.5 - i / 50);
        const next = await heights();
        chart.clear();
        parent.remove();
        return {own, zoomed, next};
    }""")
    for low, high, cut in (seen["own"], seen["next"]):
        assert 0 < low < 5.5 < high < 10 and cut == 9.9e16
    assert seen["zoomed"][1] > 8e16 and seen["zoomed"][2] is None, "the eye has chosen what is there alone"


# ---- words ----


def meaning(tab, **about):
    about = {"guess": math.log(256), "step": 100, **about}
    return tab.page.evaluate("async about => (await import('/app/run/meaning.js')).meaning(about)", about)


def test_the_sentence_fits_the_loss_the_corpus_and_the_tokens(tab):
    blind = meaning(tab, loss=5.55, corpus="shakespeare")
    assert (
        blind.startswith("It guesses at random: every byte is about equally likely.") and "8.0 bits per byte" in blind
    )
    assert "Worse than random: confidently wrong." in meaning(tab, loss=7.0)
    said = [meaning(tab, loss=loss, corpus="shakespeare") for loss in (4.0, 2.8, 2.3, 1.9, 1.7, 1.5, 1.0)]
    assert len({text.split(".")[0] for text in said}) == 7
    assert (
        "which letters are common and where spaces go" in said[1] and "names and verse lines as in the plays" in said[5]
    )
    code = [meaning(tab, loss=loss, corpus="stdlib") for loss in (4.0, 2.8, 2.3, 1.9, 1.7, 1.5, 1.0)]
    assert not any(word in text for text in code for word in ("plays", "letter", "verse")) and all(
        "bits per byte" in text for text in code
    )
    assert meaning(tab, loss=2.0, corpus=None).startswith("It does better than random guessing. 2.9 bits per byte")
    assert "byte" not in meaning(tab, loss=2.0, guess=math.log(65), corpus="shakespeare")
    assert "It is memorising the text: validation is 0.50 above training" in meaning(
        tab, loss=1.2, val=1.7, corpus="shakespeare"
    )
    assert meaning(tab, loss=None) == ""


def test_divergence_is_far_above_guessing_and_above_where_the_run_began(tab):
    told = "async about => (await import('/app/run/meaning.js')).divergence(about)"
    for losses, wanted in (
        ([5.6] * 10 + [7.5] * 30, "the loss stays far above random guessing (5.55)"),
        ([5.6] * 10 + [7.5] * 15, None),  # the first steps may do that
        ([30 - i / 10 for i in range(100)], None),  # a model that begins badly and learns
        ([5.6] * 10 + [7.5, 4.0] * 30, None),
    ):
        assert tab.page.evaluate(told, {"losses": losses, "guess": math.log(256)}) == wanted
    assert "NaN or infinite" in tab.page.evaluate(told, {"losses": [5.5], "guess": 5.5, "reason": "diverged"})


@pytest.mark.parametrize("rate", ["1000", "1e30"])
def test_a_run_that_diverges_is_named_without_absurd_numbers(browser, server, rate):
    tab = Tab(browser, server)
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "80")
    tab.page.fill("#setting-lr", rate)
    tab.page.click("#run")
    tab.wait("() => ['idle', 'stopped'].includes(document.body.dataset.phase) && tinygpt.state().step")
    tab.wait("() => document.getElementById('meaning').textContent.startsWith('Diverged: the loss ')")
    sentence = tab.text("#meaning")
    assert sentence.endswith("Lower the learning rate, then press Run.")
    assert "bad" in tab.page.get_attribute("#meaning", "class")
    shown = tab.text("#numbers") + tab.text("#meaning")
    assert "Infinity" not in shown and not re.search(r"\d{7}", shown.replace(",", "")), shown
    tab.page.fill("#setting-lr", "3e-4")
    tab.page.fill("#setting-steps", "40")
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    tab.wait("() => !document.getElementById('meaning').textContent.startsWith('Diverged')")
    assert "bad" not in (tab.page.get_attribute("#meaning", "class") or "")
    assert tab.complaints == []
    tab.close()


def test_the_chip_of_the_processors_pressure_shows_where_there_is_one(browser, server):
    tab = Tab(browser, server, ready=False)
    tab.page.add_init_script("delete window.PressureObserver")
    tab.page.reload()
    tab.ready()
    assert not tab.page.is_visible(".pressure") and tab.page.locator(".pressure:not(.battery)").count() == 1
    tab.page.add_init_script("""window.PressureObserver = class {
        constructor(told) { window.pressure = state => told([{state}]); }
        async observe(source) { if (source !== "cpu") throw new Error(source); }
    }""")
    tab.page.reload()
    tab.ready()
    for state, text in (
        ("nominal", "CPU is free"),
        ("fair", "CPU busy"),
        ("serious", "CPU very busy"),
        ("critical", "CPU at its limit"),
    ):
        tab.page.evaluate("state => pressure(state)", state)
        assert tab.text(".pressure") == text
    assert tab.complaints == []
    tab.close()
