"""What the page shows of a training run, and that the editor's train.py trains."""

import time

import pytest

from tests.browser.conftest import Tab

pytestmark = [pytest.mark.browser]

SHORT = """
from tinygpt import loop
import json
send = lambda **message: loop._sink(json.dumps(message))
send(type="start", name="run", preset="small", parameters=367000, steps=%(n)d, batch_tokens=1024, step=0,
     device="wasm", build="wasm32", threads=2, vocab_size=256)
for i in range(%(n)d):
    if i %% 1000 == 0: send(type="eval", step=i, val_loss=3.0)
    send(type="step", step=i, loss=2.0 + 1 / (i + 1), lr=3e-4, ms=10.0, planned_bytes=41_200_000)
send(type="sample_start", step=%(n)d)
for piece in ("ROMEO:", "\\n", "é💡", "<b>"): send(type="sample", text=piece)
send(type="sample_end")
send(type="finish", step=%(n)d, reason="done")
"""


def test_the_numbers_the_chart_and_the_samples_show_the_loops_messages(tab):
    tab.value(SHORT % {"n": 10_000})
    tab.page.wait_for_function("() => document.getElementById('number-eta').textContent === 'done'")
    assert tab.text("#number-loss") == "2.000" and tab.text("#number-val") == "3.000"
    assert tab.text("#number-step") == "10,000" and tab.text("#number-steps") == "of 10,000" and tab.text("#number-speed") == "102k"
    assert "367k parameters" in tab.text("#facts") and "41.2 MB planned" in tab.text("#facts")
    assert tab.text("#sample-text").rstrip("\n") == "step 10,000\nROMEO:\né💡<b>"
    assert tab.page.is_visible("#chart canvas")


def test_ten_thousand_points_draw_within_a_frame(tab):
    took = tab.page.evaluate("""async () => {
        const { LossChart } = await import("/app/chart.js");
        const chart = new LossChart(document.getElementById("chart"));
        for (let i = 0; i < 10000; i++) chart.add(i, 2 + Math.sin(i / 300) + Math.random());
        chart.draw();
        const times = [];
        for (let i = 0; i < 15; i++) {
            chart.add(10000 + i, 2);
            const begun = performance.now();
            chart.draw();
            times.push(performance.now() - begun);
        }
        chart.plot.destroy();
        return times.sort((a, b) => a - b)[7];
    }""")
    assert took < 16, took


def test_thinning_keeps_every_extreme(tab):
    kept = tab.page.evaluate("""async () => {
        const { thinned } = await import("/app/chart.js");
        const xs = Array.from({length: 10000}, (_, i) => i), ys = xs.map(() => 1);
        ys[4321] = 9; ys[77] = -9;
        const [x, y] = thinned(xs, ys, 300);
        return {n: x.length, high: x[y.indexOf(9)], low: x[y.indexOf(-9)], last: x.at(-1), sorted: x.every((v, i) => !i || v > x[i - 1])};
    }""")
    assert kept["n"] <= 601 and kept["high"] == 4321 and kept["low"] == 77 and kept["last"] == 9999 and kept["sorted"]


def test_train_py_trains_with_the_inputs_settings_and_the_page_shows_it(browser, server):
    tab = Tab(browser, server)
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "40")
    tab.page.press("#setting-steps", "Tab")
    tab.page.click("#run")
    tab.page.wait_for_function("() => /^(Finished|Line|Stopped)/.test(document.getElementById('status').textContent)")
    assert tab.text("#status").startswith("Finished"), tab.text("#console-output")
    tab.page.wait_for_function("() => document.getElementById('number-eta').textContent === 'done'")
    assert tab.text("#number-step") == "40" and tab.text("#facts").startswith("tiny:")
    first, last = tab.value("from tinygpt import loop\n[[h for h in loop.current.history if h[1] is not None][i][1] for i in (0, -1)]")
    assert 5.0 < first < 6.5 and last < first
    assert float(tab.text("#number-loss")) == pytest.approx(last, abs=6e-4)
    assert len(tab.text("#sample-text")) > 50
    tab.close()


def test_training_stops_at_once_and_the_model_is_kept(browser, server):
    tab = Tab(browser, server)
    tab.page.click("#run")
    tab.page.wait_for_function("() => Number(document.getElementById('number-step').textContent) > 5")
    begun = time.perf_counter()
    tab.page.click("#stop")
    tab.page.wait_for_function("() => document.body.dataset.state === 'ready'")
    assert time.perf_counter() - begun < 1.0
    assert tab.text("#status").startswith("Stopped") and not tab.complaints
    assert tab.value("from tinygpt import loop\nloop.current.kept['model'].num_parameters()") > 300_000
    tab.close()


STOP = """async () => {
  const begun = performance.now();
  document.getElementById('stop').click();
  while (document.body.dataset.state !== 'ready') await new Promise(resume => setTimeout(resume, 1));
  return performance.now() - begun;
}"""


def test_a_stop_does_not_wait_for_the_end_of_a_long_step(browser, server):
    """A step of xl takes about half a second; the interrupted one was not made, so optimizer and data agree with the step count."""
    tab = Tab(browser, server)
    tab.page.select_option("#setting-preset", "xl")
    times = []
    while len(times) < 6 and min(times, default=999) >= 200:  # other work on the machine is not the page's fault
        tab.page.click("#run")
        tab.page.wait_for_function("() => Number(document.getElementById('number-step').textContent) >= 4", timeout=60_000)
        tab.page.wait_for_timeout(100 + 70 * len(times))
        times.append(tab.page.evaluate(STOP))
        assert tab.text("#status").startswith("Stopped")
    assert min(times) < 200, times
    kept = "from tinygpt import loop\nrun = loop.current\nsteps = set(run.kept['optimizer'].steps.values())\n"
    drawn = tab.value(kept + "[run.step, sorted(steps), run.kept['data'].generators['train'].offset]")
    assert drawn[1] == [drawn[0]] or drawn[1] == [drawn[0] + 1]  # stopped inside a step, or after it, before it was counted
    assert drawn[2] == 2 * drawn[1][0], "a batch of 8 draws two blocks"
    tab.close()
