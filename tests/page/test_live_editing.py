"""Code that changes while it trains, in the page: Apply, pause, step, resume, stop, reset; what
fails leaves the run alive.
"""

import re

import pytest

from tests.page.conftest import Tab, slowness

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]
QUICK = {"preset": "tiny", "corpus": "stdlib"}


@pytest.fixture(autouse=True)
def fresh(tab):
    """Each test finds the page's own train.py in the editor, and no run."""
    ORIGINAL.setdefault("text", tab.page.evaluate("() => tinygpt.source()"))
    yield
    if tab.page.evaluate("() => tinygpt.state().running"):
        tab.page.evaluate("() => tinygpt.stop()")
    tab.wait("() => !tinygpt.state().running")
    tab.page.evaluate("() => tinygpt.reset()")
    tab.page.click("#editor [role=tab]:has-text('train.py')")
    if tab.page.evaluate("() => tinygpt.source()") != ORIGINAL["text"]:
        tab.write(ORIGINAL["text"])


ORIGINAL = {}


def steps(tab, n):
    tab.wait("n => tinygpt.state().step >= n", n)


def start(tab, steps_=100_000, change=lambda source: source):
    """Starts train.py on the tiny preset, with a click; returns its source."""
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", str(steps_))
    source = change(ORIGINAL["text"].replace("config.sample_interval", "0").replace("config.eval_interval", "0"))
    tab.write(source)
    tab.page.click("#run")
    steps(tab, 3)
    return source


def history(tab):
    return tab.page.evaluate("() => tinygpt.history()")


def edit(tab, source):
    """Types the source into the editor and applies it by the keyboard; returns the status line."""
    tab.write(source)
    tab.page.keyboard.press("Control+Enter")
    tab.wait("() => /^(Applied|Not applied|Your edit)/.test(document.getElementById('status').textContent)")
    return tab.text("#status")


def test_an_edited_learning_rate_holds_from_the_next_step_and_all_else_goes_on(tab):
    source = start(tab)
    line = edit(
        tab,
        source.replace(
            "lr = schedule.apply(optimizer, i, config)", "lr = schedule.apply(optimizer, i, config) * 0 + 0.005"
        ),
    )
    assert line.startswith("Applied at step ")
    at = int(line.split()[3].replace(",", "").rstrip(":"))
    steps(tab, at + 5)
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    logged = history(tab)
    assert [s["step"] for s in logged] == list(range(len(logged)))
    assert (
        all(s["lr"] == 3e-4 for s in logged[:at])
        and all(s["lr"] == 0.005 for s in logged[at:])
        and len(logged) > at + 4
    )
    assert abs(logged[at]["loss"] - logged[at - 1]["loss"]) < 0.6


def test_a_model_with_one_more_layer_takes_over_what_fits_and_says_so(tab):
    source = start(tab)
    larger = source.replace('shape, config = run.settings(preset="small")', 'shape, config = run.settings(preset="small")\n    '
                            'from dataclasses import replace\n    shape = replace(shape, layers=3)')  # fmt: skip
    assert larger != source
    line = edit(tab, larger)
    assert line.startswith("Applied at step") and "blocks.2 (" in line and "starts fresh" in line
    at = int(line.split()[3].replace(",", "").rstrip(":"))
    steps(tab, at + 3)
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    assert tab.page.evaluate("() => tinygpt.state().step") >= at + 3
    tab.page.click("#pause")
    line = edit(tab, larger.replace("layers=3", "layers=4, d_model=60"))
    assert re.match(r"Applied at step [\d,]+: \d+ tensors resized; [^;]*, and 1 more, listed in the console$", line), (
        line
    )
    said = tab.text("#console-output")
    assert "tensors resized; overlapping values kept (" in said and "blocks.3 (12 tensors) starts fresh" in said


def test_model_py_is_edited_the_same_way(tab):
    start(tab)
    tab.page.click("#editor [role=tab]:has-text('model.py')")
    model = tab.page.evaluate("() => fetch('py/model.py').then(answer => answer.text())")
    assert "F.gelu" in model
    line = edit(tab, model.replace("F.gelu", "F.relu"))
    assert line.startswith("Applied at step")
    at = tab.page.evaluate("() => tinygpt.state().step")
    steps(tab, at + 3)
    tab.page.click("#editor [role=tab]:has-text('model.py')")
    broken = model.replace("def forward(self, x", "def forward(self, y", 1)
    assert broken != model
    edit(tab, broken)
    tab.wait("() => document.getElementById('status').className === 'bad'")
    line = tab.text("#status")
    assert (
        line.startswith("Your edit failed, so the previous code continues from step")
        and "model.py, line" in line
        and "NameError" in line
    )
    at = tab.page.evaluate("() => tinygpt.state().step")
    steps(tab, at + 3)
    edit(tab, "class MyGPT:\n    pass\n")
    tab.wait(
        "() => /ImportError: model.py does not define GPT, which tinygpt uses/.test(document.getElementById('status').textContent)"
    )
    at = tab.page.evaluate("() => tinygpt.state().step")
    steps(tab, at + 3)
    tab.write(model)
    assert edit(tab, model).startswith("Applied")
    tab.page.click("#editor [role=tab]:has-text('train.py')")


@pytest.mark.parametrize(
    "fault, words", [("def train(run)", "SyntaxError"), ("ZERO", "ZeroDivisionError"), ("LOOP", "NameError")]
)
def test_an_error_in_the_edited_code_leaves_the_run_on_the_last_good_code(tab, fault, words):
    source = start(tab)
    edits = {
        "def train(run)": source.replace("def train(run):", "def train(run)"),
        "ZERO": source.replace("tinygpt.manual_seed(config.seed)", "1 / 0"),
        "LOOP": source.replace("loss, norm = step()", "loss, norm = setp()"),
    }
    before = tab.page.evaluate("() => tinygpt.state().step")
    tab.write(edits[fault])
    tab.page.keyboard.press("Control+Enter")
    tab.wait("() => document.getElementById('status').className === 'bad'")
    line = tab.text("#status")
    assert words in line and "Line " in line or "line" in line, line
    assert words in tab.text("#console-output")
    assert tab.page.locator("#editor .cm-error-line").count() == 1
    steps(tab, before + 10)
    answer = tab.page.evaluate("source => tinygpt.apply(source)", source)
    assert answer == {"ok": True, "error": None}
    steps(tab, tab.page.evaluate("() => tinygpt.state().step") + 3)


def test_pause_step_and_resume(tab):
    start(tab)
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    at = tab.page.evaluate("() => tinygpt.state().step")
    tab.pause(300)
    assert tab.page.evaluate("() => tinygpt.state().step") == at and tab.text("#pause") == "Resume"
    assert tab.text("#status").startswith("Paused before step")
    for n in (1, 2):
        tab.page.click("#step")
        tab.wait("n => tinygpt.state().step === n", at + n)
        tab.pause(100)
        assert tab.page.evaluate("() => tinygpt.state().step") == at + n
    tab.page.click("#pause")
    steps(tab, at + 6)
    assert tab.text("#pause") == "Pause"


def test_a_paused_run_takes_an_edit_and_waits_on(tab):
    source = start(tab)
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    at = tab.page.evaluate("() => tinygpt.state().step")
    line = edit(tab, source.replace("loss, norm = step()", "loss, norm = step()  # edited"))
    assert line == "Applied at step %s" % format(at, ",")
    tab.wait("() => tinygpt.state().paused")
    assert tab.page.evaluate("() => tinygpt.state().step") == at
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    assert tab.value("from tinygpt import loop\nfor i in loop.Run().steps(3): pass\ni") == 2, (
        "a loop from elsewhere does not wait"
    )


def test_a_stopped_run_is_resumed_from_its_step_and_reset_forgets_it(tab):
    start(tab)
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    at = tab.page.evaluate("() => tinygpt.state().step")
    tab.page.fill("#setting-steps", str(at + 50))
    tab.page.click("#pause")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    logged = history(tab)
    assert [s["step"] for s in logged] == list(range(at + 50)) and tab.page.evaluate(
        "() => tinygpt.state().step"
    ) == at + 50
    tab.page.click("#reset")
    tab.wait("() => document.body.dataset.phase === 'idle'")
    assert tab.page.is_disabled("#pause")
    assert tab.value("from tinygpt import loop\nloop.current is None")


def test_a_run_can_begin_with_one_step(tab):
    start(tab, 200)
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    tab.page.evaluate("() => tinygpt.reset()")
    tab.page.click("#step")
    tab.wait("() => tinygpt.state().paused")
    assert history(tab) == []
    tab.page.click("#step")
    tab.wait("() => tinygpt.history().length === 1")


def test_the_model_travels_out_of_the_page_and_back(tab):
    start(tab, 40)
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    about = tab.page.evaluate("""async () => {
        const blob = await tinygpt.exportModel({optimizer: true});
        window.kept = blob;
        return blob.size;
    }""")
    assert about > 3 * 4 * 60_000
    tab.page.evaluate("() => tinygpt.reset()")
    back = tab.page.evaluate("() => tinygpt.importModel(kept)")
    assert back["step"] == 40 and back["optimizer"] and back["config"]["layers"] == 2
    tab.page.fill("#setting-steps", "60")
    tab.page.click("#pause")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    assert tab.page.evaluate("() => tinygpt.state().step") == 60
    broken = tab.page.evaluate(
        "() => tinygpt.importModel(kept.slice(0, 5000)).then(() => 'taken', (error) => error.message)"
    )
    assert "taken" not in broken and len(broken) > 20


FORGOTTEN = {  # what Python runs and whose exceptions it forgets
    "a finalizer": "class Slow:\n    def __del__(self):\n        for _ in range(3000): pass\ngo = Slow",
    "a weak container": "import weakref\nclass Slow: pass\nkept = weakref.WeakKeyDictionary()\n"
    "def go():\n    for x in [Slow() for _ in range(99)]: kept[x] = 1",
}


@pytest.mark.alone
@pytest.mark.parametrize("name", FORGOTTEN)
def test_a_stop_that_finds_python_where_exceptions_are_forgotten_is_not_lost(tab, name):
    source = FORGOTTEN[name] + "\nn = 0\nwhile True:\n    n += 1\n    go()\n"
    took = tab.page.evaluate(
        """async (source) => {
            const end = tinygpt.run(source);
            await new Promise((resume) => setTimeout(resume, 300));
            const begun = performance.now();
            tinygpt.interrupt();
            const answer = await end;
            return [performance.now() - begun, answer.error];
        }""",
        source,
    )
    assert took[1].endswith("KeyboardInterrupt") and took[0] < 1000 * slowness(), took
    assert tab.value("n") > 10


def test_code_without_steps_is_paused_wherever_it_is(tab):
    start(tab, 5)
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    tab.page.evaluate("() => tinygpt.reset()")
    tab.write("n = 0\nwhile True:\n    n += 1\n")
    tab.page.click("#run")
    tab.wait(
        "() => !document.getElementById('pause').disabled && document.getElementById('pause').textContent === 'Pause'"
    )
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    assert tab.text("#status") == "Paused"
    tab.page.click("#pause")
    tab.wait("() => !tinygpt.state().paused")
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    assert tab.value("n") > 0 and "KeyboardInterrupt" not in tab.text("#status")


def test_without_isolation_edits_and_pauses_reach_a_running_loop_too(browser, server_without_isolation):
    tab = Tab(browser, server_without_isolation)
    source = start(tab)
    line = edit(
        tab,
        source.replace(
            "lr = schedule.apply(optimizer, i, config)", "lr = schedule.apply(optimizer, i, config) * 0 + 0.004"
        ),
    )
    assert line.startswith("Applied at step ")
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    at = tab.page.evaluate("() => tinygpt.state().step")
    tab.page.click("#step")
    tab.wait("n => tinygpt.state().step === n", at + 1)
    tab.page.click("#pause")
    tab.wait("n => tinygpt.state().step > n", at + 5)
    assert history(tab)[-1]["lr"] == 0.004
    tab.close()


def test_threads_are_the_pages_own_again_after_a_run_with_one(tab):
    threads = tab.page.evaluate("() => tinygpt.ready.then(({device}) => device.maxThreads)")
    if threads == 1:
        pytest.skip("one core: there is no choice of threads")
    requested = "from tinygpt import devices\ndevices._threads"
    for chosen in ("", "1", "", "1", ""):
        tab.page.select_option("#setting-threads", chosen)
        tab.page.select_option("#setting-preset", "tiny")
        tab.page.fill("#setting-steps", "3")
        tab.page.click("#run")
        tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
        assert tab.value(requested) == (1 if chosen else None), "what was chosen for the run before is not for this one"
        if chosen:
            tab.wait("() => document.getElementById('device').textContent.includes('1 thread ·')")


APPLY_AFTER = """(ms) => {
    tinygpt.start();
    const applied = new Promise((resolve) => setTimeout(resolve, ms)).then(
        () => tinygpt.apply(tinygpt.source() + '# edited after ' + ms + ' ms\\n'));
    return Promise.race([applied, new Promise((resolve) => setTimeout(resolve, 120_000, "no answer"))]);
}"""


@pytest.mark.parametrize("ms", [0, 5, 30, 150])
def test_an_edit_applied_before_the_loop_begins_is_applied_at_its_first_step(tab, ms):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "100000")
    answer = tab.page.evaluate(APPLY_AFTER, ms)
    assert answer == {"ok": True, "error": None}
    assert tab.text("#status").startswith("Applied at step ")
    steps(tab, 3)


def test_an_edit_applied_to_a_program_without_a_loop_is_refused_when_it_ends(tab):
    before = tab.page.evaluate("() => tinygpt.source()")
    tab.write("import time\ntime.sleep(0.5)\n")
    tab.page.click("#run")
    answer = tab.page.evaluate("() => tinygpt.apply(tinygpt.source() + '# edited')")
    assert answer == {"ok": False, "error": "Not applied: the run ended before its next step."}
    tab.wait("() => document.body.dataset.state === 'ready'")
    tab.write(before)


def test_a_rate_of_the_optimizer_that_the_schedule_overwrites_is_told(tab):
    source = start(tab)
    tab.write(source.replace("lr=config.lr,", "lr=1e-2,"))
    tab.page.click("#apply")
    tab.wait("() => document.getElementById('status').textContent.startsWith('lr=0.01 of AdamW has no effect')")
    assert "Change Learning rate above" in tab.text("#console-output")
