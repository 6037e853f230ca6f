"""What the page promises: it starts, runs Python in the editor, the console and from outside, stops
it, and asks nobody else.
"""

import time

import pytest

from tests.page.conftest import ROOM, Tab, slowness
from tinygpt import config

pytestmark = pytest.mark.browser


# ---- start ----


def test_the_page_starts_and_names_the_extension_the_threads_and_the_isolation(tab):
    line = tab.text("#device")
    assert "CPU · wasm32" in line and "thread" in line and "· isolated" in line and "Python 3.14" in line
    assert not tab.page.is_visible("#banner"), tab.text("#banner")
    assert tab.page.evaluate("() => crossOriginIsolated")
    assert tab.value("import tinygpt; tinygpt.get_device().name") == "wasm"


@pytest.mark.alone
def test_a_warm_start_takes_less_than_three_seconds(browser, server):
    tab = Tab(browser, server)  # fills the browser's cache
    times = []
    while len(times) < 8 and min(times, default=9) >= 3.0:  # other work on the machine is not the page's fault
        begun = time.perf_counter()
        tab.page.goto(server)
        tab.ready()
        times.append(time.perf_counter() - begun)
    tab.close()
    assert min(times) < 3.0 * slowness(), times


def test_the_page_says_how_far_the_start_is(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    tab.page.add_init_script("""
        window.seen = new Set();
        new MutationObserver(changes => {
            for (const { target, addedNodes } of changes)
                if (target.id === "device") for (const text of addedNodes) seen.add(text.textContent);
        }).observe(document, {childList: true, subtree: true});
    """)
    tab.page.goto(server)
    tab.wait("() => window.tinygpt")
    tab.ready()
    seen = tab.page.evaluate("() => [...seen]")
    tab.close()
    assert any(line.startswith("Starting Python") and "MB" in line for line in seen), seen
    assert any(line.startswith("Starting C++ extension") for line in seen), seen


def test_the_inputs_start_with_the_defaults_of_config_py(tab):
    standard = config.TrainConfig()
    for name in ("steps", "lr", "batch_size", "seed", "sample_interval"):
        assert float(tab.page.input_value("#setting-" + name)) == getattr(standard, name), name
    assert tab.page.input_value("#setting-corpus") == standard.corpus
    preset = tab.page.input_value("#setting-preset")
    assert config.PRESETS[preset].model == config.ModelConfig()
    assert tab.page.evaluate("() => [...document.getElementById('setting-preset').options].map(o => o.value)") == list(
        config.PRESETS
    )


def test_choosing_a_preset_shows_its_batch_size(tab):
    tab.page.select_option("#setting-preset", "large")
    assert int(tab.page.input_value("#setting-batch_size")) == config.PRESETS["large"].train.batch_size
    tab.page.select_option("#setting-preset", "small")
    assert int(tab.page.input_value("#setting-batch_size")) == config.PRESETS["small"].train.batch_size


# ---- tinygpt.run ----


@pytest.mark.parametrize(
    "source, result",
    [
        ("1 + 1", 2),
        ("x = 3", None),
        ("", None),
        ("'é 💡'", "é 💡"),
        ("[1, 2.5, None, True, {'a': (1, 'b')}]", [1, 2.5, None, True, {"a": [1, "b"]}]),
        ("{1: 2}", {"1": 2}),
        ("2**70", str(2**70)),
        ("float('inf')", float("inf")),
        ("{3}", "{3}"),
        ("a = []; a.append(a); a", ["[[...]]"]),
        ("import asyncio\nawait asyncio.sleep(0.01)\n'awaited'", "awaited"),
        ("import asyncio\nfrom pyodide.ffi import run_sync\nrun_sync(asyncio.sleep(0, 5))", 5),
    ],
)
def test_run_returns_the_last_expression_as_json(tab, source, result):
    assert tab.run(source) == {"ok": True, "stdout": "", "result": result, "error": None}


def test_run_returns_what_was_printed(tab):
    answer = tab.run("import sys\nprint('one', end=' ')\nprint('two')\nprint('not this', file=sys.stderr)\n7")
    assert answer == {"ok": True, "stdout": "one two\n", "result": 7, "error": None}


def test_run_returns_an_error_with_its_line_and_without_our_frames(tab):
    answer = tab.run("print('before')\ndef f():\n    return 1 / 0\nf()")
    assert not answer["ok"] and answer["stdout"] == "before\n" and answer["result"] is None
    lines = answer["error"].split("\n")
    assert lines[0] == "Traceback (most recent call last):" and lines[-1] == "ZeroDivisionError: division by zero"
    assert [line.split(", ")[1] for line in lines if line.startswith("  File")] == ["line 4", "line 3"]
    assert "    return 1 / 0" in lines
    assert "session" not in answer["error"] and "pyodide" not in answer["error"]


def test_run_tells_a_syntax_error_by_its_line(tab):
    answer = tab.run("x = 1\nif x\n  pass")
    assert not answer["ok"] and "line 2" in answer["error"] and "SyntaxError" in answer["error"]


def test_frames_inside_the_package_are_folded(tab):
    answer = tab.run("import tinygpt\ntinygpt.tensor([[1.0, 2.0]]) @ tinygpt.tensor([[1.0, 2.0]])")
    assert not answer["ok"] and "inside tinygpt" in answer["error"] and "/site-packages/" not in answer["error"]


def test_names_stay_from_one_run_to_the_next_and_are_shared_with_the_editor_and_the_console(tab):
    tab.value("shared = 41")
    assert tab.run_editor("shared += 1\nassert __name__ == '__main__'").startswith("Finished")
    assert tab.enter("shared").endswith("42\n")


def test_runs_asked_for_at_once_come_one_after_the_other(tab):
    results = tab.page.evaluate(
        "() => Promise.all([1, 2, 3].map(i => tinygpt.run(`order = globals().get('order', []) + [${i}]; order`)))"
    )
    assert [answer["result"] for answer in results] == [[1], [1, 2], [1, 2, 3]]


def test_exit_ends_the_run_and_not_the_interpreter(tab):
    assert tab.run("raise SystemExit")["ok"]
    assert tab.run("raise SystemExit('no data')")["error"] == "SystemExit: no data"
    assert tab.value("1") == 1


# ---- Stop ----

STOP = """async source => {
    const end = tinygpt.run(source).then(answer => [performance.now(), answer]);
    await new Promise(resolve => setTimeout(resolve, 400));
    const begun = performance.now();
    tinygpt.interrupt();
    const [ended, answer] = await end;
    return [ended - begun, {ok: answer.ok, error: answer.error}];
}"""


@pytest.mark.alone
@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import time\ntime.sleep(100)",
        "import asyncio\nawait asyncio.sleep(100)",
        "import asyncio\nfrom pyodide.ffi import run_sync\nrun_sync(asyncio.sleep(100))",
        "while True: print('x' * 60)",
        "sum(1 for _ in iter(int, 1))",
        "import re\nre.match('(a+)+b', 'a' * 40)",
        "from time import sleep\nfor i in range(10**6): sleep(0.001)",
    ],
)
def test_stop_ends_any_python_in_a_fifth_of_a_second_and_keeps_the_state(tab, source):
    tab.value("kept = {'answer': 42}")
    times = []
    while len(times) < 4 and min(times, default=999) >= 200:  # other work on the machine is not the page's fault
        took, answer = tab.page.evaluate(STOP, source)
        assert not answer["ok"] and answer["error"].endswith("KeyboardInterrupt"), answer
        times.append(took)
    assert min(times) < 200 * slowness(), times
    assert tab.value("kept['answer']") == 42


def test_the_stop_button_stops_the_editors_code(tab):
    tab.write("count = 0\nwhile True:\n    count += 1")
    tab.page.keyboard.press("Control+Enter")
    tab.wait("() => document.body.dataset.state === 'running'")
    assert tab.page.is_disabled("#run")
    time.sleep(0.2)
    tab.page.click("#stop")
    tab.wait("() => document.body.dataset.state === 'ready'")
    assert tab.text("#status") == "Stopped. Variables are kept."
    assert tab.value("count") > 0


def test_a_stop_of_a_program_without_the_editor_says_when_it_has_taken_hold(tab):
    tab.page.evaluate("() => { window.ended = tinygpt.run('while True: pass'); }")
    tab.wait("() => document.body.dataset.state === 'running'")
    tab.pause(200)
    tab.page.evaluate("() => { tinygpt.interrupt(); return ended; }")
    assert tab.page.evaluate("() => document.body.dataset.state") == "ready"
    assert tab.text("#status") == "Stopped. Variables are kept."


EARLY = """async sources => {
  const out = [];
  for (let i = 0; i < 60; i++) {
    const run = tinygpt.run(sources[i % sources.length]);
    await new Promise(resume => setTimeout(resume, [0, 1, 2, 3, 5][i % 5]));
    tinygpt.interrupt();
    const { ok, error } = await Promise.race([run, new Promise(give => setTimeout(give, 20_000, {error: "lost"}))]);
    if (ok !== false || !error.trim().endsWith("KeyboardInterrupt")) return [i, error];
  }
  return out;
}"""


def test_a_stop_right_after_run_is_neither_lost_nor_the_end_of_python(tab):
    sources = ["while True: pass", "import asyncio\nawait asyncio.sleep(60)", "import time\ntime.sleep(60)"]
    tab.value("kept = 'kept'")
    assert tab.page.evaluate(EARLY, sources) == []
    assert tab.value("kept") == "kept"


def test_a_stop_when_nothing_runs_does_not_hit_the_next_run(tab):
    tab.page.evaluate("() => tinygpt.interrupt()")
    assert tab.value("sum(range(1000000))") == 499999500000


def test_code_that_catches_the_stop_can_be_ended_by_a_restart(browser, server):
    tab = Tab(browser, server)
    tab.write("while True:\n    try:\n        while True: pass\n    except BaseException: pass")
    tab.page.keyboard.press("Control+Enter")
    time.sleep(0.3)
    tab.page.click("#stop")
    tab.page.click("#restart")
    tab.wait("() => document.body.dataset.state === 'ready'")
    assert tab.value("'count' in globals()") is False
    tab.close()


# ---- waits of these tests ----


def test_a_wait_that_fails_says_what_it_waited_for_and_what_the_page_said(tab):
    tab.value("print('the last word')")
    tab.page.evaluate("() => console.error('a complaint')")
    with pytest.raises(AssertionError) as failure:
        tab.wait("n => n === 2", 1, seconds=0.2)
    tab.complaints.remove("a complaint")
    said = str(failure.value)
    assert said.startswith("waited 1 s for n => n === 2 of 1\nstate: ready\nstatus: ")
    assert "the last word" in said and "error: a complaint" in said and "times as slow as a quiet CI machine" in said


# ---- output ----


@pytest.mark.alone
def test_text_is_shown_while_python_never_yields(tab):
    slow = slowness()
    source = "print('now' + 'here')\nimport time\nt = time.time()\nwhile time.time() - t < %f: pass" % (1.5 * slow)
    tab.page.evaluate("source => { window.busy = tinygpt.run(source) }", source)
    shown = "() => document.getElementById('console-output').textContent.includes('nowhere')"
    tab.wait(shown, seconds=1.0 * slow / ROOM)
    assert tab.page.evaluate("() => document.body.dataset.state") == "running"
    tab.page.evaluate("() => busy")


def test_much_output_neither_loses_text_nor_floods_the_page(tab):
    answer = tab.run("for i in range(200000): print(i)")
    assert answer["stdout"] == "".join("%d\n" % i for i in range(200000))
    tab.wait("() => document.getElementById('console-output').textContent.endsWith('199999\\n')")
    shown = tab.page.evaluate("() => document.getElementById('console-output').textContent")
    assert shown.endswith("199998\n199999\n") and len(shown) < 150_000 and "left out" in shown


# ---- the editor ----


def test_the_editor_opens_with_the_training_loop(browser, server):
    tab = Tab(browser, server)
    assert tab.text("#editor .cm-content").startswith('"""The training loop.')
    tab.close()


def test_an_error_is_shown_on_the_editors_line(tab):
    status = tab.run_editor("import math\n\ndef f(x):\n    return math.sqrt(x)\n\nf(-1)\n")
    assert status.startswith("Line 4: ValueError")
    assert tab.text("#editor .cm-error-line").strip() == "return math.sqrt(x)"
    console = tab.text("#console-output")
    assert 'File "train.py", line 6, in <module>' in console and 'File "train.py", line 4, in f' in console
    assert tab.run_editor("y = 1").startswith("Finished")
    assert tab.page.query_selector("#editor .cm-error-line") is None


# ---- the console ----


def test_the_console_shows_values_errors_and_blocks(tab):
    assert tab.enter("6 * 7").endswith(">>> 6 * 7\n42\n")
    assert tab.enter("_ + 1").endswith("43\n")
    assert tab.enter("None").endswith(">>> None\n")
    assert "NameError: name 'nowhere_defined' is not defined" in tab.enter("nowhere_defined")
    assert tab.enter("for i in range(2):\nprint('turn', i)\n").endswith("turn 0\nturn 1\n")
    assert tab.enter("import asyncio; await asyncio.sleep(0.01, 'done')").endswith("'done'\n")


def test_tab_completes_a_name_of_the_console_and_indents_where_there_is_none(tab):
    tab.enter("a_long_name_of_mine = 41")
    tab.page.keyboard.type("a_long_na")
    tab.page.keyboard.press("Tab")
    tab.wait("() => document.querySelector('.cm-tooltip-autocomplete')?.textContent.includes('a_long_name_of_mine')")
    tab.page.keyboard.press("Tab")
    tab.wait("() => document.querySelector('#console-input .cm-content').textContent.includes('a_long_name_of_mine')")
    tab.page.keyboard.type(" + 1")
    tab.page.keyboard.press("Enter")
    tab.wait("() => document.getElementById('console-output').textContent.trim().endsWith('42')")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("() => document.querySelector('#console-input .cm-content').textContent").startswith("  ")
    tab.page.keyboard.press("Control+a")
    tab.page.keyboard.press("Delete")


def test_the_consoles_arrow_keys_go_through_what_was_entered(tab):
    tab.enter("first = 1")
    tab.enter("second = 2")
    tab.page.keyboard.press("ArrowUp")
    assert tab.text("#console-input .cm-content") == "second = 2"
    tab.page.keyboard.press("ArrowUp")
    assert tab.text("#console-input .cm-content") == "first = 1"
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("ArrowDown")
    assert "first" not in tab.text("#console-input .cm-content") and "second" not in tab.text(
        "#console-input .cm-content"
    )


def test_no_request_leaves_the_page_server_and_nothing_complains(tab, server):
    """Last in this file: what all tests above made the page do."""
    assert [url for url in tab.requests if not url.startswith((server, "data:", "blob:"))] == []
    assert tab.complaints == []
