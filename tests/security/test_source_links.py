"""A hostile source that a link brings neither ends nor stops the page: at the start, and while a
run trains. Until Run takes it, none of it is given to Python.
"""

import pytest

from tests.page.conftest import Tab
from tests.security import links, sources
from tests.security.figures import record

# Of sources.SOURCES: those that end the compiler's stack in WebAssembly where nothing counts before
# it, those that cost most, and one of each other kind.
IN_THE_PAGE = """
3000 of attributes, parentheses, open parentheses, 99000 open parentheses, lists, dicts, lambdas, not, powers,
conditionals, list comprehensions, f-string fields, targets, patterns, class patterns, annotations, 99 blocks of if,
19 blocks of for, 500 blocks of def, 49500 of attributes, 3000 of calls, 3000 of sums, 3000 of elif, 3000 of f-strings,
33000 of decorators, parameters, unknown names in one line, warnings, functions that call each other,
emoji in one line of names, more than is looked at, carriage returns, code wherever reading might run it
""".replace("\n", " ").split(", ")
SOON = 5  # seconds in which a run that trains must have made its next steps
MARK = "brought_by_a_link"  # in each source
# All that the page gives the Python worker: its messages, and the ring of requests, which keeps
# what was read until 256 kB more have come.
SPY = """
const PageWorker = Worker;
const given = { messages: [], ring: null };
window.Worker = class extends PageWorker {
    constructor(...options) {
        super(...options);
        this.isPythons = options[1]?.name === "python";
    }
    postMessage(message, ...rest) {
        if (message?.type === "boot") given.ring = new Uint8Array(message.inbox);
        else if (this.isPythons) given.messages.push(JSON.stringify(message));
        super.postMessage(message, ...rest);
    }
};
window.isGiven = (mark) =>
    given.messages.some((text) => text.includes(mark)) || new TextDecoder().decode(given.ring.slice()).includes(mark);
"""
# A file that is shown is checked at once; after a change, the check comes 400 ms later.
SHOWN_AGAIN = (
    "() => ['model.py', 'train.py'].forEach((name) => document.querySelector(`[data-file='${name}']`).click())"
)
UNREADABLE = "Python may not be able to read this line. It checks the code itself when you press Run."
MARKED = "() => document.querySelector('#editor .cm-lintRange') !== null"


@pytest.fixture
def tab(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    tab.context.add_init_script(SPY)
    tab.page.goto(server + links.with_source(marked(sources.SOURCES["3000 of attributes"])))
    tab.ready()
    yield tab
    assert tab.complaints == []
    tab.close()


def marked(source):
    return "# %s\n%s" % (MARK, source)


def follow(tab, source):
    tab.page.evaluate("() => history.replaceState(null, '', location.pathname)")
    tab.page.evaluate("(fragment) => { location.hash = fragment }", links.with_source(source))
    tab.wait("() => !document.getElementById('link-bar').hidden", seconds=SOON)
    assert "came with the link" in tab.text("#link-bar p")


def is_given(tab):
    return tab.page.evaluate("mark => isGiven(mark)", MARK)


@pytest.mark.browser
def test_python_gets_nothing_of_a_link_before_run_is_pressed(tab):
    """No check, no completion, no hover; the editor's own parser marks what Python may not read."""
    source = "%s = 1\n%s.real\nx = (1,\ny = 2\n" % (MARK, MARK)
    follow(tab, source)
    tab.wait(MARKED)
    tab.page.locator("#editor .cm-lintRange").first.hover()
    tab.page.wait_for_selector(".cm-diagnosticText")
    assert tab.text(".cm-diagnosticText") == UNREADABLE
    tab.page.mouse.move(0, 0)
    tab.page.locator("#editor .cm-line", has_text=MARK).first.hover()
    tab.page.click("#editor .cm-content")
    tab.page.keyboard.press("Control+Home")
    for key in ("Control+i", "Control+ ", "Escape", "Control+End", "b", "Control+ ", "Escape", ".", "Escape"):
        tab.page.keyboard.press(key)
        tab.page.wait_for_timeout(60)
    for name in ("model.py", "train.py"):
        tab.page.click("[data-file='%s']" % name)
    tab.page.wait_for_timeout(450)  # the editor asks 400 ms after a change
    assert tab.value("%r in globals()" % MARK.upper()) is False
    assert not is_given(tab)
    tab.page.click("#run")
    tab.wait("mark => isGiven(mark)", MARK)
    tab.wait("() => document.body.dataset.state === 'ready'")
    follow(tab, "x = (1,\ny = 2\n")
    tab.wait(MARKED)
    tab.page.click("#link-bar >> text=Back to the shipped code")
    tab.wait("() => document.querySelector('#editor .cm-lintRange') === null")


@pytest.mark.browser
def test_python_checks_the_text_that_run_has_taken(tab):
    follow(tab, "import time\nundefined_name if 0 else time.sleep(1.5)\n")
    tab.page.wait_for_timeout(500)
    assert tab.page.locator("#editor .cm-lintRange").count() == 0, "a name is none of the parser's business"
    tab.page.click("#run")
    tab.wait("() => document.querySelector('#editor .cm-lintRange')?.textContent === 'undefined_name'")


@pytest.mark.browser
def test_a_page_that_trains_goes_on_below_every_hostile_source(tab):
    chosen = {name.strip(): sources.SOURCES[name.strip()] for name in IN_THE_PAGE}
    tab.page.wait_for_timeout(450)  # an idle page came through its start
    assert tab.value("6 * 7") == 42
    tab.page.click("#link-bar >> text=Back to the shipped code")
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "10000000")
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 2")
    stuck = []
    for name, source in chosen.items():
        follow(tab, marked(source))
        tab.page.evaluate(SHOWN_AGAIN)
        tab.page.wait_for_timeout(60)
        at = tab.page.evaluate("() => tinygpt.state().step")
        try:
            tab.wait("at => tinygpt.state().step > at + 2 && tinygpt.state().running", at, seconds=SOON)
        except AssertionError as error:
            stuck.append((name, str(error)))
            break
        if is_given(tab):
            stuck.append((name, "Python got it"))
        tab.page.click("#link-bar >> text=Back to the shipped code")
    record("sources: links", len(chosen), len(chosen) - len(stuck))
    assert stuck == []
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    assert tab.value("import builtins\nhasattr(builtins, 'HOSTILE')") is False
