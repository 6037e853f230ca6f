"""The console while a run trains and while it is paused: entries are answered between two steps, in
a namespace that has the run's objects, and what only reads changes no bit of the run. A run that
makes no step says so.
"""

import pytest

from tests.page.conftest import Tab
from tests.page.test_degraded import without_jspi

pytestmark = [pytest.mark.browser]
OUTPUT = "() => document.getElementById('console-output').textContent"
ENTRY = "#console-input .cm-content"
SEEN = "text => document.getElementById('console-output').textContent.includes(text)"
STATUS = "text => document.getElementById('status').textContent.includes(text)"


def begin(tab, steps=100_000, source=None, preset="tiny"):
    """A run that has made some steps."""
    tab.page.select_option("#setting-preset", preset)
    tab.page.fill("#setting-steps", str(steps))
    if source is not None:
        tab.write(source)
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().running && tinygpt.state().step > 3")


def stop(tab):
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running && document.body.dataset.state === 'ready'")


def enter(tab, source, answer):
    """Types an entry and waits until `answer` follows it."""
    tab.page.click(ENTRY)
    tab.page.keyboard.insert_text(source)
    tab.page.keyboard.press("Enter")
    echo = source.replace("\n", "\n... ")
    tab.wait(
        "([echo, answer]) => { const [, after] = document.getElementById('console-output').textContent.split('>>> ' + echo);"
        " return after?.includes(answer) }",
        [echo, answer],
        seconds=30,
    )
    return tab.page.evaluate(OUTPUT).split(">>> " + echo)[-1]


def steps_go_on(tab):
    at = tab.page.evaluate("() => tinygpt.state().step")
    tab.wait("at => tinygpt.state().step > at + 3", at)


def test_an_entry_is_answered_while_a_run_trains_and_while_it_is_paused(own_tab):
    tab = own_tab
    begin(tab)
    assert enter(tab, "print('printed'); 6 * 7", "42").lstrip("\n").startswith("printed\n42\n")
    assert "ZeroDivisionError: division by zero" in enter(tab, "1 / 0", "ZeroDivisionError")
    assert "tinygpt_session" not in tab.page.evaluate(OUTPUT)
    enter(tab, "_ + 1", "43")
    tab.page.click(ENTRY)
    for line in ("for i in range(2):", "print('turn', i)", ""):  # the block is indented by the page
        tab.page.keyboard.type(line)
        tab.page.keyboard.press("Enter")
        tab.pause(300)
    tab.wait(SEEN, "turn 1")
    enter(tab, "import asyncio; await asyncio.sleep(0.01, 'slept')", "'slept'")
    assert tab.page.evaluate("() => tinygpt.state().running")
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    step = tab.page.evaluate("() => tinygpt.state().step")
    enter(tab, "run.step", str(step))
    enter(tab, "x = 5", "")
    enter(tab, "x + 1", "6")
    tab.page.keyboard.press("ArrowUp")
    assert tab.text(ENTRY) == "x + 1"
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.press("Delete")
    assert tab.page.evaluate("() => tinygpt.state().paused")
    tab.page.click("#pause")
    steps_go_on(tab)
    stop(tab)
    assert "KeyboardInterrupt" not in tab.page.evaluate(OUTPUT), tab.page.evaluate(OUTPUT)[-1800:]


def test_the_run_s_objects_have_names_before_during_and_after_a_run(own_tab):
    tab = own_tab
    enter(tab, "tinygpt.__name__, loop.__name__", "('tinygpt', 'tinygpt.loop')")
    enter(tab, "model", "NameError")
    begin(tab)
    for _ in range(2):
        enter(tab, "model is run.kept['model'], optimizer is run.kept['optimizer']", "(True, True)")
        enter(tab, "data is run.kept['data'], run is loop.current, 0 < float(loss) < 6", "(True, True, True)")
        enter(tab, "sum(p.numel() for p in model.parameters()) == model.num_parameters()", "True")
        if tab.page.evaluate("() => tinygpt.state().running"):
            tab.page.keyboard.type("optimi")
            tab.page.keyboard.press("Tab")
            tab.wait("() => document.querySelector('.cm-tooltip-autocomplete')?.textContent.includes('optimizer')")
            tab.page.keyboard.press("Escape")
            tab.page.keyboard.press("Control+a")
            tab.page.keyboard.press("Delete")
            stop(tab)
    assert tab.value("'model' in globals()") is False, "the names are the console's alone"
    enter(tab, "loss = 'mine'", "")
    enter(tab, "run = run", "")
    begin(tab)
    enter(tab, "loss", "'mine'")
    enter(tab, "run is loop.current", "False")
    enter(tab, "del loss, run", "")
    enter(tab, "run is loop.current, type(loss).__name__", "(True, 'float')")
    stop(tab)


READS = [
    "model(data.batch(2)[0])[0].shape",
    "tinygpt.randn(3).tolist()",
    "data.batch(2, 'validation')[0].shape",
    "tinygpt.manual_seed(7).seed",
    "float(model.loss(*data.batch(2)))",
    "tinygpt.profile()",
    "optimizer",
    "run.history[-1]",
]
ZERO = "with tinygpt.no_grad(): _ = model.blocks[0].mlp.proj.weight.mul_(0)\n"


def paused_run(tab, entries, steps=9):
    """The losses of a run that made three steps one by one, then answered the entries."""
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", str(steps))
    tab.page.fill("#setting-dropout", "0.2")
    tab.page.evaluate("() => tinygpt.reset()")
    tab.page.click("#step")
    tab.wait("() => tinygpt.state().paused")
    for at in range(1, 4):
        tab.page.click("#step")
        tab.wait("at => tinygpt.history().length === at", at)
    for entry in entries:
        tab.page.click(ENTRY)
        tab.page.keyboard.insert_text(entry)
        tab.page.keyboard.press("Enter")
    enter(tab, "'the last ' + 'of %d'" % len(entries), "'the last of %d'" % len(entries))
    tab.page.click("#pause")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    assert "Traceback" not in tab.page.evaluate(OUTPUT)
    return [row["loss"] for row in tab.page.evaluate("() => tinygpt.history()")]


def test_an_entry_that_only_reads_changes_no_bit_and_one_that_changes_the_model_does(own_tab):
    tab = own_tab
    tab.page.click("#more")
    plain = paused_run(tab, [])
    assert len(plain) == 9 and paused_run(tab, READS) == plain
    zeroed = paused_run(tab, [ZERO])
    assert zeroed[:3] == plain[:3] and zeroed[3] != plain[3]


def test_draws_of_the_console_differ_from_one_entry_to_the_next(own_tab):
    tab = own_tab
    begin(tab)
    enter(tab, "first = tinygpt.randn(3).tolist()", "")
    enter(tab, "tinygpt.randn(3).tolist() == first", "False")
    stop(tab)


@pytest.mark.parametrize("source", ["while True: pass", "import time; time.sleep(100)", "import asyncio; await asyncio.sleep(100)"])  # fmt: skip
@pytest.mark.parametrize("key", ["Control+c", "Stop"])
def test_a_long_entry_is_said_and_stopped_alone(own_tab, source, key):
    tab = own_tab
    begin(tab)
    tab.page.click(ENTRY)
    tab.page.keyboard.insert_text(source)
    tab.page.keyboard.press("Enter")
    if "while" in source:
        tab.wait(STATUS, "The run waits for a console entry (")
        assert "Stop ends the entry, not the run." in tab.text("#status")
        tab.page.keyboard.press("ArrowUp")
        assert tab.text(ENTRY).strip() == source, "it is in the history before it is answered"
        tab.page.keyboard.press("ArrowDown")
    else:
        tab.pause(500)
    if key == "Stop":
        tab.page.click("#stop")
    else:
        tab.page.keyboard.press(key)
    tab.wait(SEEN, "KeyboardInterrupt")
    steps_go_on(tab)
    assert "console entry" not in tab.text("#status") and "Stop" not in tab.text("#status")
    assert tab.page.evaluate("() => document.body.dataset.state") == "running"
    enter(tab, "6 * 7", "42")
    stop(tab)
    assert tab.text("#status") == "Stopped. Press Resume to continue."


def test_an_entry_that_catches_the_stop_goes_with_the_run_at_the_second(own_tab):
    tab = own_tab
    begin(tab)
    tab.page.click(ENTRY)
    tab.page.keyboard.insert_text("caught = 0\nwhile caught < 1:\n    try:\n        while True: pass\n    except KeyboardInterrupt: caught += 1\nwhile True: pass\n")  # fmt: skip
    tab.page.keyboard.press("Enter")
    tab.pause(500)
    tab.page.click("#stop")
    tab.pause(300)
    assert tab.page.evaluate("() => tinygpt.state().running")
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running && document.body.dataset.state === 'ready'")
    enter(tab, "caught", "1")


def test_what_waits_says_for_what_and_is_answered_after_a_stop(own_tab):
    tab = own_tab
    tab.write("while True: pass")
    tab.page.click("#run")
    tab.wait("() => document.body.dataset.state === 'running'")
    tab.page.click(ENTRY)
    for line in ("40 + 2", "40 + 3"):
        tab.page.keyboard.insert_text(line)
        tab.page.keyboard.press("Enter")
    tab.wait(SEEN, "Answered before the next step, or when what runs ends.")
    tab.page.click("#stop")
    tab.wait(SEEN, "43")
    shown = tab.page.evaluate(OUTPUT)
    assert ">>> 40 + 2" in shown and "42" in shown and "Answered before" not in shown


def test_code_without_step_boundaries_answers_while_it_is_paused(own_tab):
    tab = own_tab
    tab.write("n = 0\nprint('counts')\nwhile True: n += 1")
    tab.page.click("#run")
    tab.wait(SEEN, "counts")  # a Pause before would hold the code before its first line
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    enter(tab, "n >= 0", "True")
    tab.page.click("#pause")
    tab.wait("() => !tinygpt.state().paused")
    stop(tab)


def test_a_pause_in_the_moment_in_which_a_run_begins_is_not_lost(own_tab):
    tab = own_tab
    tab.write("while True: pass")
    tab.page.evaluate("""() => new Promise(resolve => {
        const part = (id) => document.getElementById(id);
        new MutationObserver((_, observer) => {
            if (document.body.dataset.phase !== "running") return;
            observer.disconnect();
            part("pause").click();
            resolve();
        }).observe(document.body, { attributes: true });
        part("run").click();
    })""")  # fmt: skip
    tab.wait("() => tinygpt.state().paused", seconds=20)
    tab.page.click("#pause")
    tab.wait("() => !tinygpt.state().paused")
    stop(tab)


def test_after_ctrl_c_the_status_line_says_that_it_has_stopped(own_tab):
    """Also where Python was silent for a while between the two."""
    tab = own_tab
    tab.page.click(ENTRY)
    slow = "import time\ntry:\n    while True: pass\nexcept KeyboardInterrupt:\n    until = time.time() + 3.5\n    while time.time() < until: pass\n"
    tab.page.keyboard.insert_text(slow)
    tab.page.keyboard.press("Enter")
    tab.wait("() => document.body.dataset.state === 'running'")
    tab.pause(1000)
    tab.page.keyboard.press("Control+c")
    tab.wait(STATUS, "Stopping")
    tab.wait("() => document.body.dataset.state === 'ready'")
    tab.pause(1500)
    assert tab.text("#status") == "Stopped. Variables are kept."


def test_without_isolation_an_entry_is_answered_between_two_steps_too(browser, server_without_isolation):
    tab = Tab(browser, server_without_isolation)
    begin(tab)
    enter(tab, "model is run.kept['model']", "True")
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    enter(tab, "6 * 7", "42")
    assert tab.complaints == []
    tab.close()


def test_where_python_hears_nothing_an_entry_waits_for_the_end_and_says_so(browser, server_without_isolation):
    tab = Tab(browser, "about:blank", ready=False)
    without_jspi(tab)
    tab.page.goto(server_without_isolation)
    tab.ready()
    begin(tab, steps=4000)
    tab.page.click(ENTRY)
    tab.page.keyboard.insert_text("run.step")
    tab.page.keyboard.press("Enter")
    tab.wait(SEEN, "Answered when what runs ends. This browser cannot reach Python during a run")
    tab.wait(SEEN, ">>> run.step\n4000\n")
    tab.close()


# ---- a run without a step ----


def test_a_run_without_a_step_for_ten_seconds_says_so_and_offers_stop(own_tab):
    tab = own_tab
    source = tab.page.evaluate("() => tinygpt.source()")
    begin(tab)
    assert tab.page.is_hidden("#stop-stalled")
    waiting = source.replace(
        "for i in run.steps",
        "import time\n    until = time.time() + 14\n    for i in run.steps",
    ).replace("loss, norm = step()", "while time.time() < until: pass\n        loss, norm = step()")
    tab.write(waiting)
    tab.page.keyboard.press("Control+Enter")
    tab.wait(STATUS, "Applied at step")
    applied = tab.text("#status")
    tab.wait("() => document.getElementById('status').textContent === 'No step for 10 s. Stop?'")
    assert tab.page.is_visible("#stop-stalled")
    tab.wait("() => ['speed', 'eta'].every((id) => document.getElementById('number-' + id).textContent === '–')")
    tab.wait("said => document.getElementById('status').textContent === said", applied)
    assert tab.page.is_hidden("#stop-stalled")
    tab.wait("() => document.getElementById('number-speed').textContent !== '–'")
    tab.write(source.replace("loss, norm = step()", "while True: pass"))
    tab.page.keyboard.press("Control+Enter")
    tab.wait("() => /^No step for \\d+ s. Stop[?]$/.test(document.getElementById('status').textContent)")
    tab.page.click("#stop-stalled")
    tab.wait("() => !tinygpt.state().running")
    assert tab.text("#status") == "Stopped. Press Resume to continue." and tab.page.is_hidden("#stop-stalled")


def test_a_pause_a_long_entry_and_a_slow_first_step_are_no_missing_steps(own_tab):
    tab = own_tab
    source = tab.page.evaluate("() => tinygpt.source()")
    slow = source.replace("run.start(model, config)", "run.start(model, config)\n    import time; time.sleep(13)")
    tab.page.evaluate("""() => { window.said = []; new MutationObserver(() => said.push(document.getElementById("status").textContent))
        .observe(document.getElementById("status"), {childList: true, characterData: true, subtree: true}); }""")
    begin(tab, source=slow)
    tab.page.click(ENTRY)
    tab.page.keyboard.insert_text("import time; time.sleep(13)")
    tab.page.keyboard.press("Enter")
    tab.wait(STATUS, "The run waits for a console entry")
    steps_go_on(tab)
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    tab.pause(12_000)
    assert [said for said in tab.page.evaluate("() => said") if "No step" in said or "not answered" in said] == []
    stop(tab)
