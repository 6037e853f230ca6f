"""The real page in Chromium, served by the real serve.py. A `Tab` keeps what the page asked for and complained about."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import hosts
from tests.hosts.chromium import launch

ROOT = Path(__file__).resolve().parents[2]


class Tab:
    """One page. `complaints`: its console's errors and uncaught errors; `requests`: every address it asked for."""

    def __init__(self, browser, url, ready=True, **context):
        self.url, self.complaints, self.requests = url, [], []
        self.context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **context})
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
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

    def wait(self, condition, arg=None):
        """Until the condition (JavaScript, of `arg`) holds."""
        self.page.wait_for_function(condition, arg=arg)

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
        self.page.wait_for_function("() => document.body.dataset.state === 'ready'")
        self.page.wait_for_function("() => !/^(Starting|Running|Stopping)/.test(document.getElementById('status').textContent)")
        return self.text("#status")

    def enter(self, source):
        """Types an entry into the console, as a person does, and waits until Python is free again."""
        self.page.click("#console-input .cm-content")
        for line in source.split("\n"):
            self.page.keyboard.type(line)
            self.page.keyboard.press("Enter")
            self.page.wait_for_function("() => document.body.dataset.state === 'ready'")
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
    """The page, ready, in a tab that only this test has, and which has said nothing on its console by the end."""
    tab = Tab(browser, server)
    yield tab
    assert tab.complaints == []
    tab.close()


@pytest.fixture(scope="module")
def no_complaints(tab):
    """For a file whose shared page must have said nothing on its console by the end."""
    yield
    assert tab.complaints == []
