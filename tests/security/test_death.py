"""The end of Python is noticed: within 3 s the page says what happened, keeps the editor's text,
and has another Python, which resumes from the newest save. So it is without cross-origin isolation.
What code of the user posts is no message of the worker's program.
"""

import pytest

from tests.hosts import ROOT
from tests.page.conftest import Tab, slowness
from tests.security.figures import record

pytestmark = pytest.mark.browser
SECONDS = 3
PAGE = """
const PageWorker = Worker;
window.Worker = class extends PageWorker {
    constructor(...options) {
        super(...options);
        if (/worker[/]worker[.]js/.test(options[0])) window.pythonWorker = this;
    }
};
"""
BEATS = """() => new Promise((resolve) => {
    let count = 0;
    window.pythonWorker.addEventListener("message", ({ data }) => (count += data.type === "beat"));
    setTimeout(() => resolve(count), 1500);
})"""
RUN = """
import time
from tinygpt import loop
def train(run):
    for step in run.steps(10**6):
        run.log(1.0)
        time.sleep(0.01)
        if step == 20:
            die()
loop.run(train)
"""
ORDINARY = (ROOT / "py" / "tinygpt" / "train.py").read_text()
# name -> (how `die` ends Python, words of the sentence)
DEATHS = {
    "os._exit": ("import os\ndef die(): os._exit(3)", "exit(3)"),
    "abort": ("import os\ndef die(): os.abort()", "unreachable"),
    "a stack overflow": ("def die(): eval('a' + '.b' * 5000)", "call stack"),
    "a trap": ("import ctypes\ndef die(): ctypes.string_at(2**32 - 64, 60)", "memory access out of bounds"),
    "self.close": ("import js\ndef die(): js.self.close()", "closed Python's worker"),
    "self.close and a loop": ("import js\ndef die():\n js.self.close()\n while True: pass", "closed Python's worker"),
    "no builtins": ("import builtins\ndef die(): builtins.__dict__.clear()", "code replaced"),
    "no json": ("import json\ndef die():\n json.dumps = json.loads = None\n raise ValueError", "code replaced"),
    "a lost worker": ("def die(): pass", "worker was ended"),
}  # fmt: skip
# name -> what does not answer, and whether it runs code that a Stop ends
SILENCES = {
    "a loop": ("while True: pass", True),
    "a loop in C": ("import itertools\nsum(itertools.count())", False),
}


# What code posts in the name of the worker's program, as JSON, a number for each run and request.
FORGED = {
    "an end": '{"type": "failed", "message": "<b>hostile</b>"}',
    "an end with a key": '{"type": "failed", "key": "", "message": "hostile"}',
    "an end with the key of a prototype": '{"__proto__": {"key": ""}, "type": "failed"}',
    "a start": '{"type": "ready", "device": {}, "boot": {}}',
    "the end of a run": '{"type": "done", "id": %d, "ok": true, "status": "finished", "result": "hostile"}',
    "the lock": '{"type": "held"}',
    "a beat": '{"type": "beat"}',
    "a stage": '{"type": "stage", "name": "hostile", "loaded": 1, "total": 2}',
    "output": '{"type": "output", "records": [[1, "hostile"], [3, "{}"]]}',
    "an answer": '{"type": "bytes", "id": %d, "bytes": "hostile"}',
    "the GPU": '{"type": "graphics", "facts": {"name": "hostile"}}',
    "the device": '{"type": "device", "device": "hostile", "build": "hostile", "threads": 1}',
    "a compilation": '{"type": "compiling", "compiled": 0, "total": 9}',
}  # fmt: skip
POST = """
import js
for number in range(500) if "%%d" in %(text)r else [None]:
    js.self.postMessage(js.JSON.parse(%(text)r.replace("%%d", str(number))))
6 * 7
"""
FATAL = """js.JSON.parse('{"pyodide_fatal_error": true, "message": "hostile"}')"""
EVENT = "import js, json\njs.self.dispatchEvent(js.%s.new(%r, js.JSON.parse(json.dumps(%r))))\n6 * 7"
# Ways to make the worker's program itself say that Python has ended, or do what the page asks.
PROVOKED = {
    "a promise": "import js\njs.Promise.reject(%s)\n6 * 7" % FATAL,
    "an error": EVENT % ("ErrorEvent", "error", {"error": {"pyodide_fatal_error": True, "message": "hostile"}}),
    "the hook": "import js, pyodide_js\npyodide_js._api.on_fatal(%s)\n6 * 7" % FATAL,
    "a Stop": EVENT % ("MessageEvent", "message", {"data": {"type": "interrupt"}}),
    "a boot": EVENT % ("MessageEvent", "message", {"data": {"type": "boot"}}),
    "a run": EVENT % ("MessageEvent", "message", {"data": {"type": "run", "id": 1, "mode": "call", "source": "del x"}}),
    "an outcome that is an end": "import json\n_dumps = json.dumps\ndef dumps(value, **options):\n"
    " json.dumps = _dumps\n return _dumps({**value, 'type': 'failed', 'message': 'hostile', 'id': 0}, **options)\n"
    "json.dumps = dumps\n6 * 7",
}  # fmt: skip
# The writer of records, caught by a patched class: code of the user can import the module.
CAUGHT = """async () => {
    const { ChannelWriter } = await import(new URL("channel.js", location.href).href);
    const { copy } = ChannelWriter.prototype;
    globalThis.catching = new Promise((resolve) => {
        ChannelWriter.prototype.copy = function (...args) {
            ChannelWriter.prototype.copy = copy;
            resolve(Object.keys(this));
            return copy.apply(this, args);
        };
    });
}"""


def opened(browser, address):
    tab = Tab(browser, "about:blank", ready=False)
    tab.context.add_init_script(PAGE)
    tab.page.goto(address)
    tab.ready()
    tab.allow(10)
    return tab


@pytest.fixture(scope="module")
def page(browser, server):
    tab = opened(browser, server + "?autosave=1")
    yield tab
    tab.close()


@pytest.fixture(scope="module")
def not_isolated(browser, server_without_isolation):
    tab = opened(browser, server_without_isolation)
    yield tab
    tab.close()


def within(tab, condition, arg=None, seconds=SECONDS):
    """Waits for the condition, which may take these seconds, times slowness()."""
    tab.page.wait_for_function(condition, arg=arg, timeout=1000 * seconds * slowness(), polling=50)


def begin(tab, source):
    """Runs the source; what the banner says when it begins."""
    tab.write(source)
    tab.page.click("#run")
    begun = tab.wait(
        "() => document.body.dataset.state === 'running' && [document.getElementById('banner').textContent]"
    )
    return begun.json_value()[0]


@pytest.mark.parametrize("name", DEATHS)
def test_an_end_is_said_and_another_python_starts(page, name):
    dies(page, name)


@pytest.mark.parametrize("name", ["os._exit", "a stack overflow", "self.close and a loop", "no json", "a lost worker"])
def test_without_isolation_too(not_isolated, name):
    dies(not_isolated, name)


def dies(page, name):
    die, words = DEATHS[name]
    assert "restarted:" not in begin(page, die + RUN), "a new run takes the sentence back"
    if name == "a lost worker":
        page.pause(500)
        page.page.evaluate("() => window.pythonWorker.terminate()")
    within(page, "words => document.getElementById('banner').textContent.includes(words)", words)
    said = page.text("#banner")
    assert said.endswith("It was restarted: its variables are lost, and the editor keeps its text.")
    page.wait("() => document.body.dataset.state === 'ready'")
    assert page.page.is_visible("#banner") and page.text("#status") == "Ready"
    assert page.text("#editor .cm-content").startswith(die.splitlines()[0])
    assert page.value("6 * 7") == 42
    record("deaths", 1, 1)


@pytest.mark.parametrize("name", SILENCES)
def test_a_python_that_does_not_answer_is_said(page, name):
    source, stops = SILENCES[name]
    begin(page, source)
    within(page, "() => /^Python has not answered for [0-9]+ s/.test(document.getElementById('status').textContent)")
    if stops:
        assert "Stop ends it" in page.text("#status")
        page.page.click("#stop")
    else:
        assert page.page.is_visible("#restart") and "Restart Python" in page.text("#status")
        page.page.click("#restart")
    page.wait("() => document.body.dataset.state === 'ready'")
    assert page.page.is_hidden("#restart") and "not answered" not in page.text("#status")
    assert page.value("6 * 7") == 42
    record("deaths", 1, 1)


def test_without_isolation_silence_is_said_and_what_cannot_be_seen(not_isolated):
    begin(not_isolated, "while True: pass")
    within(not_isolated, "() => /^Python has not answered for/.test(document.getElementById('status').textContent)")
    said = not_isolated.text("#status")
    assert "it computes, or it is gone. The page cannot tell which: the host does not send the headers" in said
    assert not_isolated.page.is_visible("#restart")
    not_isolated.page.click("#restart")
    not_isolated.wait("() => document.body.dataset.state === 'ready'")
    assert not_isolated.page.is_hidden("#restart") and not_isolated.value("6 * 7") == 42
    assert not_isolated.page.evaluate(BEATS) >= 1, "an idle Python beats"
    begin(not_isolated, RUN.replace("die()", "print('goes on')"))
    not_isolated.wait("() => document.getElementById('console-output').textContent.includes('goes on')")
    assert not_isolated.page.evaluate(BEATS) >= 1, "one that trains beats between two steps"
    assert not_isolated.text("#status") == "Running train.py" and not_isolated.page.is_hidden("#restart")
    not_isolated.page.click("#stop")
    not_isolated.wait("() => document.body.dataset.state === 'ready'")
    record("deaths", 1, 1)


def test_a_long_call_that_ends_takes_the_sentence_back(page):
    begin(page, "import time\nbegun = time.time()\nwhile time.time() - begun < 5: sum(range(10**7))")
    within(page, "() => /not answered/.test(document.getElementById('status').textContent)", seconds=5)
    page.wait("() => document.body.dataset.state === 'ready'")
    assert page.text("#status").startswith("Finished in") and page.page.is_hidden("#restart")


def test_what_code_of_the_user_posts_or_provokes_is_no_message_of_the_workers_program(page):
    page.value("kept = 41")
    shown = ("#device", "#status", "#banner")
    before = [page.text(name) for name in shown]
    sources = {**{name: POST % {"text": text} for name, text in FORGED.items()}, **PROVOKED}
    for name, source in sources.items():
        answer = page.run(source)
        assert answer["ok"] and answer["result"] == 42, (name, answer)
        assert page.value("kept + 1") == 42, name
        assert [page.text(one) for one in shown] == before, name
    page.pause(300)
    assert page.value("kept + 1") == 42 and "hostile" not in page.text("body")
    record("deaths: forged messages", len(sources), len(sources))


def test_no_object_that_code_can_catch_posts_in_the_name_of_the_workers_program(page):
    (worker,) = (worker for worker in page.page.workers if worker.url.endswith("/app/worker/worker.js"))
    worker.evaluate(CAUGHT)
    page.value("print('caught')")
    caught = worker.evaluate("() => globalThis.catching")
    assert "interrupted" in caught and "post" not in caught


def test_a_worker_whose_functions_are_replaced_still_answers(page):
    page.value("import js\njs.self.postMessage = js.self.onmessage = None\n1")
    assert page.value("6 * 7") == 42
    record("deaths", 1, 1)


def test_a_run_whose_python_ended_is_resumed_from_its_newest_save(page):
    page.page.select_option("#setting-preset", "tiny")
    begin(page, ORDINARY)
    page.wait("() => tinygpt.autosave().saves >= 2 && tinygpt.autosave().step > 0")
    saved = page.page.evaluate("() => tinygpt.autosave().step")
    page.page.evaluate("() => window.pythonWorker.terminate()")
    within(page, "() => document.getElementById('banner').textContent.includes('worker was ended')")
    page.wait("() => { const offer = document.getElementById('resume-last'); return offer && !offer.disabled; }")
    assert page.text("#resume-last").startswith("Resume run ")
    page.page.click("#resume-last")
    page.wait("saved => tinygpt.state().running && tinygpt.state().step > saved", saved)
    assert page.page.is_hidden("#banner")
    page.page.click("#stop")
    page.wait("() => document.body.dataset.state === 'ready'")
    assert page.text("#pause") == "Resume" and page.page.is_enabled("#pause")
    page.page.evaluate("() => window.pythonWorker.terminate()")  # the stopped run's model is gone with it
    page.wait("() => { const offer = document.getElementById('resume-last'); return offer && !offer.disabled; }")
    assert page.page.is_disabled("#pause")


def test_what_is_saved_is_at_most_10_seconds_old(browser, server):
    tab = Tab(browser, server)
    assert tab.page.evaluate("() => tinygpt.autosave().interval_s") == 10
    tab.close()
