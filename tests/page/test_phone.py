"""Phones and tablets: what a tab may take there, fingertips, the keyboard on the screen, and pages
that the system puts to sleep. Chromium's emulation of a phone with 2 GB of memory.
"""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.page.conftest import Tab
from tests.page.test_degraded import PHONE, trains
from tests.page.test_persist_kills import threads

pytestmark = [pytest.mark.browser]
MEMORY = 2 * 2**30  # of the phone
TAB = MEMORY // 4  # of a tab there (app/run/device_class.js)
TWO_GIGABYTES = (
    "Object.defineProperty(Navigator.prototype, 'deviceMemory', {get: () => ('memory' in window ? memory : 2)});"
)
LOCKS = """window.locks = {held: 0, asked: 0};
Object.defineProperty(Navigator.prototype, 'wakeLock', {get: () => ({request: async () => {
    locks.held++; locks.asked++;
    return Object.assign(new EventTarget(), {release: async () => void locks.held--});
}})});
window.battery = Object.assign(new EventTarget(), {charging: true, level: 1});
Navigator.prototype.getBattery = async () => battery;"""
# What of the window is seen, as Safari tells it: the page itself keeps its height.
SAFARI = """Object.defineProperty(window, 'visualViewport', {value: Object.assign(
    new EventTarget(), {width: 390, height: 844, offsetTop: 0, offsetLeft: 0, scale: 1})});"""


@pytest.fixture(scope="module")
def phone(browser, server):
    tab = Tab(browser, "about:blank", ready=False, **PHONE)
    tab.context.add_init_script(TWO_GIGABYTES + LOCKS)
    tab.page.goto(server)
    tab.ready()
    yield tab
    assert tab.complaints == []
    tab.close()


def renderers(browser):
    """The process ids of this browser's pages: what has workers."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    pages = [process["id"] for process in found if process["type"] == "renderer"]
    return [pid for pid in pages if any("DedicatedWorker" in name for name in threads(Path("/proc/%d" % pid)))]


def held(pid):
    """Bytes of memory that the process holds, of what it shares its part."""
    return int(re.search(r"^Pss:\s+(\d+) kB", Path("/proc/%d/smaps_rollup" % pid).read_text(), re.M)[1]) * 1024


def test_the_small_presets_train_in_a_quarter_of_a_phone_with_two_gigabytes(phone, browser):
    for preset in ("tiny", "small"):
        phone.page.select_option("#setting-preset", preset)
        phone.page.fill("#setting-steps", "20")
        phone.page.click("#run")
        phone.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
        most = max(map(held, renderers(browser)))
        assert most < 0.75 * TAB, "%s: the page and its Python hold %.0f MB" % (preset, most / 1e6)


def test_a_run_that_would_end_the_tab_is_refused_with_what_would_fit(phone):
    budget = "async () => (await import('/app/run/device_class.js')).tabBudget()"
    assert phone.page.evaluate(budget) == pytest.approx(TAB - 225e6, abs=1)
    phone.page.evaluate("() => (window.memory = undefined)")  # as iOS and Firefox
    assert phone.page.evaluate(budget) == pytest.approx(2**30 - 225e6, abs=1)
    phone.page.evaluate("() => (window.memory = 2)")
    phone.page.select_option("#setting-preset", "huge")
    phone.wait("() => document.getElementById('memory-needs').classList.contains('bad')", seconds=20)
    assert phone.text("#memory-needs").endswith(" of 311.9 MB available")
    phone.page.click("#run")
    phone.wait("() => document.getElementById('status').className === 'bad'")
    assert re.match(
        r"This run needs about [\d.]+ [MG]B of memory, and only 311.9 MB is available here: ", phone.text("#status")
    )
    phone.page.select_option("#setting-preset", "tiny")
    phone.page.evaluate("() => scrollTo(0, 0)")
    phone.page.tap("#abilities-button")
    assert "A run may take about 311.9 MB of memory here" in phone.text("#abilities")
    phone.page.tap("h1")


def test_a_desktop_has_no_such_limit(browser, server):
    tab = Tab(browser, server)
    assert tab.page.evaluate("async () => (await import('/app/run/device_class.js')).tabBudget()") is None
    tab.close()


SMALL = """() => [...document.querySelectorAll("button, select, summary, [role=tab], header a, input:not([type=checkbox], [type=radio], [type=file])")]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().width)
    .filter((one) => !one.matches("button.what"))
    .map((one) => [one.id || one.className || one.textContent, one.getBoundingClientRect()])
    .filter(([, {width, height}]) => Math.min(width, height) < 44).map(([name, {width, height}]) => `${name} ${width} x ${height}`)"""
# A word within a text: a tap a little above it, and far below it, is its own.
WORDS = """() => [...document.querySelectorAll("button.what")].filter((one) => one.checkVisibility()).flatMap((one) => {
    one.scrollIntoView({block: "center"});
    const {x, y, width, height} = one.getBoundingClientRect();
    return [-15, 0, 27].filter((dy) => document.elementFromPoint(x + width / 2, y + height / 2 + dy) !== one).map((dy) => `${one.textContent} ${dy}`);
})"""


@pytest.mark.parametrize("panel", ["samples", "generate", "inside", "data", "runs", "models"])
def test_what_is_pressed_is_as_large_as_a_fingertip(phone, panel):
    phone.page.tap("#tab-" + panel)
    assert phone.page.evaluate(SMALL) == []
    assert phone.page.evaluate(WORDS) == []
    assert phone.page.evaluate("() => document.documentElement.scrollWidth") == 390


def seen(tab):
    """What of the caret and the buttons is within the height that is seen: names of what is not."""
    return tab.page.evaluate("""() => {
        const height = visualViewport.height, box = (one) => one.getBoundingClientRect();
        const bar = box(document.getElementById("actions"));
        const caret = box(document.querySelector("#editor .cm-cursor"));
        const out = ["run", "apply"].filter((id) => {
            const {top, bottom, left, right} = box(document.getElementById(id));
            return top < 0 || bottom > height + 1 || left < 0 || right > 390;
        });
        return caret.top >= box(document.getElementById("editor")).top && caret.bottom <= bar.top + 1 ? out : [...out, "caret"];
    }""")


def edit_at_the_end(tab):
    tab.page.tap("#editor .cm-content")
    tab.page.keyboard.press("Control+End")


def test_the_keyboard_on_the_screen_leaves_the_caret_run_and_apply_in_view(phone):
    edit_at_the_end(phone)
    phone.page.set_viewport_size({"width": 390, "height": 420})  # as with interactive-widget=resizes-content
    phone.wait("() => document.body.dataset.keyboard === 'open'")
    phone.pause(300)
    assert seen(phone) == []
    phone.page.keyboard.insert_text("\n\n\n\n\n\n# by thumb")
    phone.pause(300)
    assert seen(phone) == []
    phone.page.set_viewport_size({"width": 390, "height": 844})
    phone.wait("() => document.body.dataset.keyboard === undefined")
    phone.page.tap("#revert")


def test_where_the_page_keeps_its_height_under_the_keyboard_they_are_in_view_too(browser, server):
    tab = Tab(browser, "about:blank", ready=False, **PHONE)
    tab.context.add_init_script(SAFARI)
    tab.page.goto(server)
    tab.ready()
    edit_at_the_end(tab)
    tab.page.evaluate("() => { visualViewport.height = 430; visualViewport.dispatchEvent(new Event('resize')); }")
    tab.wait("() => document.body.dataset.keyboard === 'open'")
    tab.pause(300)
    assert seen(tab) == []
    assert tab.complaints == []
    tab.close()


HIDDEN = """(hidden) => {
    Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_a_run_that_slept_in_the_background_says_so_once_and_goes_on(phone, browser):
    phone.page.select_option("#setting-preset", "tiny")
    phone.page.fill("#setting-steps", "100000")
    phone.page.click("#run")
    phone.wait("() => tinygpt.state().running && tinygpt.state().step > 40")
    said = "() => document.getElementById('console-output').textContent.split('The browser paused this run').length - 1"
    phone.page.evaluate(HIDDEN, True)
    pids = renderers(browser)
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)  # as a phone does
        time.sleep(9)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    phone.page.evaluate(HIDDEN, False)
    phone.wait("() => (%s)() === 1" % said)
    step = phone.page.evaluate("() => tinygpt.state().step")
    phone.wait("(step) => tinygpt.state().running && tinygpt.state().step > step + 20", step)
    assert phone.page.evaluate(said) == 1
    phone.page.evaluate(HIDDEN, True)
    phone.wait("(step) => tinygpt.state().step > step + 100", step)
    phone.page.evaluate(HIDDEN, False)
    phone.pause(2000)
    assert phone.page.evaluate(said) == 1, "a run that went on in the background was not paused"
    phone.page.click("#stop")
    phone.wait("() => !tinygpt.state().running")


def test_the_screen_stays_on_while_a_run_trains_unless_the_battery_is_low(phone):
    assert phone.page.evaluate("() => locks.held") == 0
    trains(phone)
    assert phone.page.evaluate("() => locks.asked") >= 1
    phone.wait("() => locks.held === 0")
    phone.page.fill("#setting-steps", "100000")
    phone.page.click("#run")
    phone.wait("() => locks.held === 1")
    phone.page.evaluate("""() => {
        Object.assign(battery, {charging: false, level: 0.15});
        battery.dispatchEvent(new Event('levelchange'));
    }""")
    phone.wait("() => locks.held === 0")
    assert "Battery 15 %" in phone.text("#facts") and phone.page.evaluate("() => tinygpt.state().running")
    phone.page.click("#stop")
    phone.wait("() => !tinygpt.state().running")
