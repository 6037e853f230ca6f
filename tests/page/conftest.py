"""The real page in Chromium, served by the real serve.py. A `Tab` keeps what the page asked for and
complained about.

Time: a wait has the seconds that it names times `ROOM`, and its failure says what it waited for and
what the page said meanwhile. A bound on what the page may take is multiplied by `slowness()`, which
measures the machine when the bound is checked.
"""

import hashlib
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import hosts
from tests.hosts.chromium import launch
from tinygpt.corpora import CORPORA, find_corpus

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60  # that a wait names where it names none
ROOM = 3  # on a machine where everything takes three times as long, no wait ends early
WORK = 400_000  # steps of a loop in Python
WORK_SECONDS = 0.0125  # that they take on CI's machine (two cores, Python 3.11) with nothing beside them


def slowness():
    """How many times as long as on a quiet CI machine this one takes now, at least 1: the median of
    five measurements, 60 ms in all on a quiet machine.
    """
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        sum(i * i for i in range(WORK))
        times.append(time.perf_counter() - begun)
    return max(1.0, statistics.median(times) / WORK_SECONDS)


def allow(page, seconds):
    """What Playwright does with this page (a click, a wait) may take these seconds, times ROOM."""
    page.set_default_timeout(seconds * ROOM * 1000)


def wait_for(page, condition, arg=None, seconds=None, complaints=(), polling=None):
    """Waits until the condition (JavaScript, of `arg`) holds, at most `seconds` times ROOM; None:
    what allow() gave the page. Its value, as a handle. polling: milliseconds, for each frame where
    None. AssertionError with what was waited for, and what the page said.
    """
    from playwright.sync_api import TimeoutError

    begun = time.monotonic()
    try:
        timeout = None if seconds is None else seconds * ROOM * 1000
        return page.wait_for_function(condition, arg=arg, timeout=timeout, polling=polling)
    except TimeoutError:
        waited = time.monotonic() - begun
    raise AssertionError(
        "waited %.0f s for %s%s\n%s"
        % (waited, condition, "" if arg is None else " of %r" % (arg,), told(page, complaints))
    )


def told(page, complaints=()):
    """What the page says, for the message of a failure."""
    from playwright.sync_api import Error

    said = []
    for name, selector in (
        ("state", "body"), ("status", "#status"), ("device", "#device"), ("banner", "#banner"), ("console", "#console-output"),
    ):  # fmt: skip
        try:
            if not page.locator(selector).count():
                continue
            if name == "state":
                text = page.get_attribute(selector, "data-state", timeout=2000) or ""
            else:
                text = page.locator(selector).first.text_content(timeout=2000) or ""
        except Error as error:
            text = "(not to be read: %s)" % str(error).splitlines()[0]
        if text.strip():
            said.append("%s: %s" % (name, text.strip()[-1000:]))
    said += ["error: %s" % complaint for complaint in list(complaints)[-10:]]
    said.append("the machine is %.1f times as slow as a quiet CI machine" % slowness())
    return "\n".join(said)


def default_text():
    """The Corpus that a run of the page gets where nobody has chosen one."""
    return find_corpus("shakespeare", say=lambda note: None, fetch=False)


def is_tinyshakespeare():
    """Whether that is TinyShakespeare, on which the shipped models' losses were measured, and not
    what set-up makes where it cannot be had.
    """
    return hashlib.sha256(default_text().text.encode()).hexdigest() == CORPORA["shakespeare"].sha256


AXE = """selector => axe.run(selector, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    .then(({violations}) => violations.map(({id, nodes}) => [id, nodes[0].html.slice(0, 200)]))"""


def accessible(tab, selector):
    """What axe finds wrong below the selector, in both themes: [[rule, an element]]."""
    tab.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text() + "\n;0")
    found = []
    for theme in ("light", "dark"):
        tab.page.evaluate("theme => (document.documentElement.dataset.theme = theme)", theme)
        found += tab.page.evaluate(AXE, selector)
    tab.page.evaluate("() => delete document.documentElement.dataset.theme")
    return found


class Tab:
    """One page. `complaints`: its console's errors and uncaught errors; `requests`: every address
    it asked for.
    """

    def __init__(self, browser, url, ready=True, **context):
        self.url, self.complaints, self.requests = url, [], []
        self.context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **context})
        self.page = self.context.new_page()
        self.allow(SECONDS)
        self.page.on(
            "console", lambda message: self.complaints.append(message.text) if message.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        if ready:
            self.ready()

    def ready(self):
        return self.page.evaluate("() => tinygpt.ready")

    def run(self, source):
        """tinygpt.run's answer."""
        return self.page.evaluate("source => tinygpt.run(source)", source)

    def value(self, source):
        answer = self.run(source)
        assert answer["ok"], answer["error"]
        return answer["result"]

    def allow(self, seconds):
        """What is waited for in this tab from here on may take these seconds, times ROOM."""
        allow(self.page, seconds)

    def wait(self, condition, arg=None, seconds=None):
        """Until the condition (JavaScript, of `arg`) holds."""
        return wait_for(self.page, condition, arg, seconds, self.complaints)

    def pause(self, milliseconds):
        """For what the page does soon after, where no condition tells that it has: times
        slowness().
        """
        self.page.wait_for_timeout(milliseconds * slowness())

    def text(self, selector):
        return self.page.inner_text(selector)

    def write(self, source):
        """Puts the source into the editor."""
        self.page.click("#editor .cm-content")
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def run_editor(self, source):
        """Runs the source in the editor and waits for its end; returns the status line."""
        self.write(source)
        self.page.keyboard.press("Control+Enter")
        self.wait("() => document.body.dataset.state === 'ready'")
        self.wait("() => !/^(Starting|Running|Stopping)/.test(document.getElementById('status').textContent)")
        return self.text("#status")

    def enter(self, source):
        """Types an entry into the console, as a person does, and waits until Python is free
        again."""
        self.page.click("#console-input .cm-content")
        for line in source.split("\n"):
            self.page.keyboard.type(line)
            self.page.keyboard.press("Enter")
            self.wait("() => document.body.dataset.state === 'ready'")
        return self.text("#console-output")

    def close(self):
        self.context.close()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    hosts.stop()  # one Playwright at a time in a process
    with sync_playwright() as playwright:
        chromium = launch(playwright, flags=("--disable-gpu",))
        yield chromium
        chromium.close()


def serve(*options):
    """Yields the address of a serve.py of its own."""
    command = [sys.executable, "serve.py", "--no-open", "--port", "0", *options]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    try:
        line = process.stdout.readline()
        assert line.startswith("Serving on http://127.0.0.1:"), line
        yield line.split()[2]
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def server():
    yield from serve()


@pytest.fixture(scope="module")
def server_without_isolation():
    yield from serve("--no-isolation")


@pytest.fixture(scope="module")
def tab(browser, server):
    """The page, ready; shared by the tests of a file, as one person's session would be."""
    tab = Tab(browser, server)
    yield tab
    tab.close()


@pytest.fixture
def own_tab(browser, server):
    """The page, ready, in a tab that only this test has, and which has said nothing on its console
    by the end.
    """
    tab = Tab(browser, server)
    yield tab
    assert tab.complaints == []
    tab.close()


@pytest.fixture(scope="module")
def no_complaints(tab):
    """For a file whose shared page must have said nothing on its console by the end."""
    yield
    assert tab.complaints == []
