"""Python and the page's files come in any order, or not at all: nothing that was said meanwhile is
lost.
"""

import pytest

from tests.page.conftest import Tab

pytestmark = pytest.mark.browser

DEFAULTS = "**/py/defaults.json"
STARTED = "() => document.body.dataset.state === 'ready' && document.getElementById('boot').hidden"
LOOP = """
from tinygpt.training import hooks
import json
print("a run before the files")
send = lambda **message: hooks.sink(json.dumps(message))
send(type="start", name="run", preset="small", parameters=367000, steps=5, batch_tokens=1024, step=0,
     device="wasm", build="wasm32", threads=1, vocab_size=256)
send(type="step", step=0, loss=5.545, lr=3e-4, ms=20.0)
"""


@pytest.fixture
def waiting(browser, server):
    """A tab whose files wait: (tab, the list of the requests that wait)."""
    tab, held = Tab(browser, "about:blank", ready=False), []
    tab.context.route(DEFAULTS, lambda route: held.append(route))
    yield tab, held
    tab.close()


def test_a_python_that_is_ready_before_the_pages_files_loses_nothing(waiting, server):
    tab, held = waiting
    tab.page.goto(server)
    tab.wait(STARTED)
    tab.page.evaluate("() => { window.settled = false; tinygpt.ready.then(() => (settled = true)); }")
    # a run waits for the files, a request does not
    tab.page.evaluate("source => { window.answer = tinygpt.run(source); }", LOOP)
    assert tab.page.evaluate("() => tinygpt.graphics.then(({missing}) => Boolean(missing))")
    assert not tab.page.evaluate("() => settled") and tab.page.is_disabled("#run") and tab.text("#status") == "Starting"
    assert "CPU · wasm32" in tab.text("#device") and tab.page.is_visible("#editor .cm-editor")
    held[0].continue_()
    started = tab.ready()
    assert tab.page.evaluate("() => answer")["ok"]
    tab.wait("() => document.getElementById('number-loss').textContent === '5.545'")
    assert "a run before the files" in tab.text("#console-output")
    assert tab.text("#status") == "Ready" and tab.page.is_enabled("#run")
    threads = tab.page.evaluate("() => [...document.getElementById('setting-threads').options].map((o) => o.label)")
    most = started["device"]["maxThreads"]
    assert threads == (["1"] if most == 1 else ["auto", *map(str, range(1, most + 1))])
    assert "GPU" in tab.text("#device-note"), "what the GPU's opening came to is said"
    assert tab.complaints == []


def test_a_python_that_failed_before_the_pages_files_can_be_restarted(waiting, server):
    tab, held = waiting
    tab.context.route("**/pyodide.asm.wasm", lambda route: route.abort())
    tab.page.goto(server)
    tab.wait("() => document.getElementById('status').textContent === 'Python did not start'")
    held[0].continue_()
    tab.wait("() => !document.getElementById('restart').hidden")
    assert tab.page.is_disabled("#run") and "WebAssembly could not be loaded" in tab.text("#banner")
    assert tab.page.evaluate("() => tinygpt.ready.catch(({message}) => message)") in tab.text("#banner")
    tab.context.unroute("**/pyodide.asm.wasm")
    tab.page.click("#restart")
    tab.wait("() => document.getElementById('status').textContent === 'Ready'")
    assert tab.page.is_enabled("#run") and tab.page.is_hidden("#restart") and tab.page.is_hidden("#banner")
    assert tab.value("6 * 7") == 42


@pytest.mark.parametrize("works", [True, False], ids=["ready", "failed"])
def test_what_python_says_before_the_pages_program_is_there_is_not_lost(browser, server, works):
    tab, held = Tab(browser, "about:blank", ready=False), []
    tab.context.route("**/app/main.js", lambda route: held.append(route))
    if not works:
        tab.context.route("**/pyodide.asm.wasm", lambda route: route.abort())
    tab.page.goto(server, wait_until="commit")
    kind = "ready" if works else "failed"
    tab.wait(
        """async kind => (await import(new URL("app/start.js", document.baseURI)))
            .session.unheard.some(({type}) => type === kind)""",
        arg=kind,
    )
    assert not tab.page.evaluate("() => Boolean(window.tinygpt)")
    held[0].continue_()
    tab.wait("() => window.tinygpt")
    if works:
        assert tab.ready()["device"]["maxThreads"] >= 1
        tab.wait(STARTED)
        assert "CPU · wasm32" in tab.text("#device") and tab.value("6 * 7") == 42
    else:
        tab.wait("() => !document.getElementById('restart').hidden")
        assert "WebAssembly could not be loaded" in tab.text("#banner")
    tab.close()


def test_a_file_that_is_missing_is_said_and_stays_said_when_python_is_ready(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    tab.context.route(DEFAULTS, lambda route: route.fulfill(status=404, body="not here"))
    tab.page.goto(server)
    sentence = "The page could not load its files: py/defaults.json: not here. Reload the page."
    tab.wait("sentence => document.getElementById('banner').textContent === sentence", arg=sentence)
    tab.wait(STARTED)
    assert tab.text("#banner") == sentence and tab.page.is_disabled("#run")
    said = tab.page.evaluate("() => tinygpt.ready.catch(({message}) => message)")
    assert said == "py/defaults.json: not here"
    assert tab.value("6 * 7") == 42 and "42" in tab.enter("print(6 * 7)"), "Python still works"
    tab.close()
