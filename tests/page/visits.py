"""Three visits, by clicks and keys alone: a new user who ends with text of their own model, an
engineer who compares a changed architecture with the old one, a teacher whose link opens prepared.

    python3 -m tests.page.visits FOLDER     all three, at three widths and in both themes, with a
                                            picture of each state

A visit ends with an AssertionError where somebody would be stuck. `Visit.end` checks what holds for
each: nothing on the browser's console, and no layout shift of 0.05 that nobody caused.
"""

import argparse
import contextlib
import itertools
import re
import time
from pathlib import Path

from tests.page.conftest import SECONDS, Tab, serve

SIZES = {1440: 900, 1024: 768, 390: 844}
SHIFT = 0.05  # Cumulative Layout Shift of a good page is below 0.1
FIRST_TEXT = 3  # seconds from the click to a text, on a page that is ready
FINISHED = "() => /^Finished/.test(document.getElementById('status').textContent)"
WATCH = """window.shifted = {sum: 0, what: []};
new PerformanceObserver((list) => { for (const {hadRecentInput, value, sources} of list.getEntries()) if (!hadRecentInput) {
    shifted.sum += value;
    shifted.what.push(`${value.toFixed(4)} ${sources.map(({node}) => node?.id || node?.className || node?.nodeName).join(" ")}`);
} }).observe({type: "layout-shift", buffered: true});"""


class Visit(Tab):
    """A tab of a visitor. pictures: the folder of the pictures, or None."""

    def __init__(self, browser, url, width=1440, theme="light", pictures=None, name="visit", address=""):
        phone = {"has_touch": True, "is_mobile": True} if width < 500 else {}
        size = {"viewport": {"width": width, "height": SIZES[width]}, "color_scheme": theme}
        allowed = ["clipboard-read", "clipboard-write"]
        super().__init__(browser, "about:blank", ready=False, permissions=allowed, **size, **phone)
        self.context.add_init_script(WATCH)
        self.url = url
        self.pictures, self.name, self.seen = pictures, "%s-%d-%s" % (name, width, theme), 0
        self.page.goto(url + address)
        self.look("start")
        self.ready()

    def again(self, kill=False):
        """A reload; or the tab's process ends, and the visitor opens the page once more."""
        from playwright.sync_api import Error

        if not kill:
            self.page.reload()
            return self.ready()
        with contextlib.suppress(Error):
            self.page.goto("chrome://crash", timeout=2000)
        self.page.close()
        self.page = self.context.new_page()
        self.allow(SECONDS)
        self.page.goto(self.url)
        return self.ready()

    def look(self, state):
        """A picture of what the visitor sees."""
        if self.pictures is None:
            return
        self.seen += 1
        self.page.screenshot(path=self.pictures / ("%s-%d-%s.png" % (self.name, self.seen, state)))

    def type(self, selector, text):
        """Types into an input, in place of what is there, and leaves it."""
        self.page.click(selector)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Tab")

    def choose(self, selector, text):
        """Chooses by the keys of a list."""
        self.page.focus(selector)
        self.page.keyboard.type(text)

    def finished(self):
        self.wait(FINISHED)

    def end(self):
        shifted = self.page.evaluate("() => shifted")
        assert shifted["sum"] < SHIFT, shifted
        assert self.complaints == []
        wide = self.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1], wide
        self.close()


def new_user(visit, patience=1.0, steps=150, between=lambda: None):
    """Reads what a trained model writes, trains one, and reads what that writes. patience: how many
    times as slow the machine is. between: what happens to the visit while the model trains.
    """
    page = visit.page
    assert page.is_visible("#welcome h2")
    begun = time.monotonic()
    page.click("#load-model")
    visit.wait("() => document.querySelectorAll('.generate-text [data-token]').length > 0")
    took = time.monotonic() - begun
    assert took < FIRST_TEXT * patience, took
    visit.wait("() => /tokens\\/s/.test(document.querySelector('.generate-status').textContent)")
    visit.look("trained-model")
    visit.choose("#setting-preset", "tiny")
    visit.type("#setting-steps", str(steps))
    if not page.is_visible("#train-own"):
        page.click("#tab-models")  # a phone's header has no room for it
    page.click("#train-own")
    visit.wait("() => !document.getElementById('question').hidden")
    said = visit.text("#question-text")
    assert re.search(r"%s steps take about [\d.]+ (s|min) on this machine" % format(steps, ","), said), said
    visit.look("question")
    page.click("#question button.primary")
    visit.wait("() => tinygpt.state().step > 20")
    visit.look("running")
    between()
    visit.finished()
    said = visit.text("#status")
    assert "at a validation loss of" in said and "Next: Generate" in said, said
    visit.look("finished")
    page = visit.page
    page.click("#tab-generate")
    page.click("#generate-prompt")
    page.keyboard.press("Control+a")
    page.keyboard.type("My own ")
    page.click(".generate-actions button.primary")
    visit.wait("() => document.querySelectorAll('.generate-text [data-token]').length > 100")
    assert visit.text(".generate-text").startswith("My own ")
    visit.look("own-text")


def engineer(visit, between=lambda: None):
    """Trains, changes the number of layers, trains again, and sees both curves in two colours.
    between: what happens to the visit after the change, before the second run.
    """
    visit.choose("#setting-preset", "tiny")
    visit.type("#setting-steps", "60")
    visit.page.click("#run")
    visit.finished()
    visit.page.click("#tab-model")
    visit.wait("() => document.querySelector('[data-path]')")
    before = visit.text(".model-total")
    visit.look("model")
    visit.type("#shape-layers", "3")
    assert "layers=3" in visit.page.evaluate("() => tinygpt.source()")
    visit.look("edited")
    between()
    page = visit.page
    visit.wait("() => tinygpt.source().includes('layers=3')")
    assert [page.input_value("#setting-" + name) for name in ("preset", "steps")] == ["tiny", "60"]
    page.click("#run")
    visit.wait("() => tinygpt.state().running")
    visit.finished()
    page.click("#tab-model")
    visit.wait("before => document.querySelector('.model-total').textContent !== before", before)
    visit.wait("() => document.querySelectorAll('#chart .key-run').length === 2")
    colours = page.evaluate(
        "() => [...document.querySelectorAll('#chart .key-run .line')].map((line) => getComputedStyle(line).borderTopColor)"
    )
    assert len(set(colours)) == 2, colours
    visit.look("compared")


def teacher(visit, follow, between=lambda: None):
    """Prepares code and inputs, copies the link, and a pupil opens it. follow(address): a Visit of
    somebody else; it is given back. between: what happens to the visit before the link is copied.
    """
    page = visit.page
    page.click("#editor .cm-content")
    page.keyboard.press("Control+Home")
    page.keyboard.type("# Task: what does a smaller rate do?")
    page.keyboard.press("Enter")
    visit.choose("#setting-preset", "tiny")
    visit.type("#setting-steps", "25")
    between()
    page = visit.page
    page.click("#share")
    visit.wait("() => /^Link copied/.test(document.getElementById('status').textContent)")
    visit.look("link")
    link = page.evaluate("() => navigator.clipboard.readText()")
    pupil = follow(link.removeprefix(visit.url))
    assert pupil.page.evaluate("() => tinygpt.source()").startswith("# Task: what does a smaller rate do?\n")
    assert [pupil.page.input_value("#setting-" + name) for name in ("preset", "steps")] == ["tiny", "25"]
    assert "Nothing has run" in pupil.text("#status") and not pupil.page.evaluate("() => tinygpt.state().running")
    pupil.look("opened")
    pupil.page.click("#run")
    pupil.finished()
    assert pupil.page.evaluate("() => tinygpt.state().step") == 25
    pupil.look("finished")
    return pupil


def main():
    from playwright.sync_api import sync_playwright

    from tests.hosts.chromium import launch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(serve()) as servers, sync_playwright() as playwright:
        url = next(servers)
        browser = launch(playwright, flags=("--disable-gpu",))
        for width, theme in itertools.product(SIZES, ("light", "dark")):

            def visit(name, address="", width=width, theme=theme):
                return Visit(browser, url, width, theme, folder, name, address)

            first = visit("new-user")
            new_user(first)
            first.end()
            second = visit("engineer")
            engineer(second)
            second.end()
            third = visit("teacher")
            teacher(third, lambda address, visit=visit: visit("pupil", address)).end()
            third.end()
            print("%d %s: three visits" % (width, theme), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
