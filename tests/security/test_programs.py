"""Every harmful program ends in a sentence or in a page that works, within seconds: in one
Chromium, one after the other.
"""

import os
import sys
import time

import pytest

from tests.page.conftest import Tab, slowness
from tests.security import programs
from tests.security.figures import VARIABLE, record

FILE = "tests/security/test_programs.py"
AGAIN = 40  # seconds that a new Python may take to start on a busy machine
HARM = 400  # ms that a program has before Stop is pressed
BEGIN = """(source) => {
    globalThis.outcome = null;
    tinygpt.run(source).then((outcome) => { globalThis.outcome = outcome; });
}"""
OVER = "() => globalThis.outcome !== null || !document.getElementById('restart').hidden"


class Attacked:
    """The page, which runs one harmful program after the other."""

    def __init__(self, browser, server):
        self.tab = Tab(browser, server)
        self.page = self.tab.page
        self.dialogs = []
        self.starts = 0
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        self.page.on("worker", lambda worker: self.started(worker.url))

    def started(self, address):
        self.starts += address.endswith("/worker/worker.js")

    def over(self, condition, seconds):
        """Whether the condition holds within these seconds, times slowness()."""
        from playwright.sync_api import TimeoutError

        try:
            self.page.wait_for_function(condition, timeout=1000 * seconds * slowness(), polling=50)
        except TimeoutError:
            return False
        return True

    def run(self, source, harm, dirty, patience=programs.SECONDS):
        """The source's end: "ends", "stops", "restarts", or what is wrong. harm: ms until Stop is
        pressed. dirty: what follows may fail with a sentence.
        """
        starts = self.starts
        self.page.evaluate(BEGIN, source)
        end = "ends"
        if not self.over(OVER, harm / 1000):
            self.page.evaluate("() => tinygpt.interrupt()")
            end = "stops"
            if not self.over(OVER, patience):
                return "no answer %d s after Stop" % patience
        if self.page.evaluate("() => globalThis.outcome === null"):  # Restart Python is offered
            self.page.click("#restart")
            if not self.over("() => globalThis.outcome !== null", patience):
                return "no answer %d s after Restart" % patience
        failed = self.page.evaluate("() => globalThis.outcome.ok ? null : globalThis.outcome.error ?? ''")
        if failed is not None and not failed.strip():
            return "ended without a sentence"
        return self.works(dirty, patience) or ("restarts" if self.starts > starts else end)

    def works(self, dirty, patience):
        """What is wrong with the page, or ""."""
        if not self.over("() => document.body.dataset.state === 'ready'", AGAIN):
            return "not ready: %s" % self.tab.text("#status")
        self.page.evaluate(BEGIN, "6 * 7")
        if not self.over(OVER, patience):
            return "does not answer afterwards"
        outcome = self.page.evaluate("() => globalThis.outcome")
        if outcome is None or not (outcome["result"] == 42 or (dirty and outcome["error"])):
            return "answers %.300r afterwards" % (outcome,)
        if self.page.evaluate("() => 'hostile' in window"):
            return "a script ran in the page"
        return ""

    def renew(self):
        """A Python that no program has touched."""
        self.page.reload()
        self.tab.ready()

    def try_all(self, chosen):
        """What is wrong, of each program: [(name, problem)]."""
        wrong = []
        dirty = {name for name, *_ in programs.DIRTY}
        for name, source, wanted in chosen:
            begun, starts = time.monotonic(), self.starts
            end = self.run(source, 1000 * programs.SECONDS if wanted == "ends" else HARM, name in dirty)
            if "-v" in sys.argv:
                print("%-45s %-10s %s (%.1f s)" % (name, wanted, end, time.monotonic() - begun), flush=True)
            good = end in ("ends", "stops", "restarts") and wanted in ("any", end)
            if not good:
                wrong.append((name, "%s, not %s" % (end, wanted)))
            if (not good or name in dirty) and (end != "restarts" or self.starts == starts):
                self.renew()
        return wrong


@pytest.mark.browser
@pytest.mark.slow
def test_every_harmful_program_ends_in_a_sentence_or_a_page_that_works(browser, server):
    """All of them where figures are recorded (`python3 -m tests.security`), else SOME."""
    chosen = programs.PROGRAMS if os.environ.get(VARIABLE) else programs.SOME
    assert len(chosen) >= 43
    attacked = Attacked(browser, server)
    wrong = attacked.try_all(chosen)
    record("programs", len(chosen), len(chosen) - len(wrong), "python3 -m tests.security " + FILE)
    assert wrong == [] and attacked.dialogs == []
    attacked.tab.close()
