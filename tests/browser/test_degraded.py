"""Browsers and hosts that lack something: the page works, and says what is missing and what that costs."""

import re

import pytest

import serve
from tests.browser.conftest import ROOT, Tab

pytestmark = [pytest.mark.browser]
# An Android phone, as Chromium's own device emulation describes one.
PHONE = dict(
    viewport={"width": 390, "height": 844},
    device_scale_factor=2,
    is_mobile=True,
    has_touch=True,
    user_agent="Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36",
)


def abilities(tab):
    """The card "This browser" as {name: (mark, sentence)}, and its first sentence."""
    tab.page.evaluate("() => tinygpt.graphics")
    if tab.page.is_hidden("#abilities"):
        tab.page.click("#abilities-button")
    rows = tab.page.evaluate("""() => Object.fromEntries([...document.querySelectorAll("#abilities dl > div")].map((row) => [
        row.querySelector("dt").childNodes[1].data, [row.className, row.querySelector("dd").textContent]]))""")
    return rows, tab.text("#abilities > p")


def missing(rows):
    return {name for name, (mark, _) in rows.items() if mark == "missing"}


def trains(tab, steps=30):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", str(steps))
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    assert tab.page.evaluate("() => tinygpt.state().step") == steps and tab.page.evaluate("() => tinygpt.state().loss") < 5.3


def opened(browser, url, before=(), **context):
    """A tab whose context runs `before` scripts first; the page is ready."""
    tab = Tab(browser, "about:blank", ready=False, **context)
    for script in before:
        tab.context.add_init_script(script)
    tab.page.goto(url)
    tab.ready()
    return tab


def without_jspi(tab):
    """The worker's engine as it is where WebAssembly has no promise integration. (A script for the page does not reach the worker.)"""
    source = "delete WebAssembly.Suspending; delete WebAssembly.promising; delete WebAssembly.SuspendError;\n"
    body = source + (ROOT / "app/worker.js").read_text()
    headers = {"Content-Type": "text/javascript", **serve.ISOLATION}
    tab.context.route("**/app/worker.js", lambda route: route.fulfill(body=body, headers=headers))


def test_without_a_gpu_the_card_says_what_trains_and_what_is_lost(browser, server):
    tab = Tab(browser, server)
    rows, first = abilities(tab)
    threads = tab.page.evaluate("() => navigator.hardwareConcurrency")
    assert first == "Training on %s: this browser gives the page no GPU." % ("1 CPU thread" if threads == 1 else "%d CPU threads" % threads)
    assert missing(rows) == {"GPU (WebGPU)"} and "of a large model many times as long" in rows["GPU (WebGPU)"][1]
    assert tab.text("#abilities-button") == "This browser1 missing" or tab.text("#abilities-button").endswith("1 missing")
    assert set(rows) >= {"Threads", "Waiting in Python (JSPI)", "Relaxed SIMD", "Storage", "Without a network", "Processor load"}
    assert all(len(text) > 20 and text.endswith(".") and "undefined" not in text for _, text in rows.values())
    trains(tab)
    assert tab.complaints == []
    tab.close()


def test_the_card_opens_and_closes_by_key_and_pointer(browser, server):
    tab = Tab(browser, server)
    button = "#abilities-button"
    tab.page.focus(button)
    tab.page.keyboard.press("Enter")
    assert tab.page.get_attribute(button, "aria-expanded") == "true" and tab.page.evaluate("() => document.activeElement.id") == "abilities"
    tab.page.keyboard.press("Escape")
    assert tab.page.is_hidden("#abilities") and tab.page.evaluate("() => document.activeElement.id") == "abilities-button"
    tab.page.click(button)
    tab.page.click("#sample-text")
    assert tab.page.is_hidden("#abilities") and tab.page.get_attribute(button, "aria-expanded") == "false"
    tab.page.click(button)
    tab.page.add_script_tag(path=str(ROOT / "node_modules/axe-core/axe.min.js"))
    found = tab.page.evaluate("() => axe.run('#abilities').then(({violations}) => violations.map(({id}) => id))")
    assert found == []
    tab.close()


def test_without_isolation_one_thread_trains_and_stop_works(browser, server_without_isolation):
    tab = Tab(browser, server_without_isolation)
    rows, first = abilities(tab)
    assert first.startswith("Training on 1 CPU thread: ")
    assert {"Threads", "Relaxed SIMD"} <= missing(rows)
    cores = tab.page.evaluate("() => navigator.hardwareConcurrency")
    assert rows["Threads"][1].startswith("One thread: the host does not send the headers for cross-origin isolation.")
    assert ("1 of %d processor cores" % cores in rows["Threads"][1]) == (cores > 1) and "Stop restarts Python" in rows["Threads"][1]
    tab.page.keyboard.press("Escape")
    trains(tab)
    tab.page.fill("#setting-steps", "100000")
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 35 && tinygpt.state().running")  # more than the run before made
    tab.page.click("#pause")  # messages reach Python between two steps: it has JSPI
    tab.wait("() => tinygpt.state().paused")
    tab.page.click("#pause")
    tab.wait("() => !tinygpt.state().paused")
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    tab.wait("() => document.body.dataset.state === 'ready'")
    trains(tab)
    assert tab.complaints == []
    tab.close()


def test_without_jspi_the_cpu_trains(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    without_jspi(tab)
    tab.page.goto(server)
    tab.ready()
    rows, _ = abilities(tab)
    assert rows["Waiting in Python (JSPI)"] == ["missing", "Python cannot wait for the GPU, so training uses the CPU."]
    tab.page.keyboard.press("Escape")
    trains(tab)
    assert tab.page.evaluate("() => tinygpt.generate({prompt: 'A', tokens: 5, seed: 1})")["tokens"] == 5
    tab.page.fill("#setting-steps", "100000")
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 35 && tinygpt.state().running")
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running")
    assert tab.complaints == []
    tab.close()


def test_without_jspi_and_isolation_the_run_ends_before_it_hears_anything_but_stop(browser, server_without_isolation):
    tab = Tab(browser, "about:blank", ready=False)
    without_jspi(tab)
    tab.page.goto(server_without_isolation)
    tab.ready()
    rows, _ = abilities(tab)
    assert "Pause, Apply and Generate take hold when a run has ended" in rows["Waiting in Python (JSPI)"][1]
    tab.page.keyboard.press("Escape")
    trains(tab)
    tab.page.fill("#setting-steps", "100000")
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 35 && tinygpt.state().running")
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running && document.body.dataset.state === 'ready'")
    trains(tab)
    tab.close()


NO_FILES = {
    "no function": "delete StorageManager.prototype.getDirectory",
    "refused": "StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('Security error', 'SecurityError'))",
    "no storage at all": "Object.defineProperty(Navigator.prototype, 'storage', {get: () => undefined})",
}


@pytest.mark.parametrize("script", NO_FILES.values(), ids=NO_FILES)
def test_without_a_private_file_system_the_page_works_and_warns(browser, server, script):
    tab = opened(browser, server, [script])
    tab.page.click("#abilities-button")
    tab.wait("() => document.getElementById('abilities').textContent.includes('Storage')")
    rows, _ = abilities(tab)
    assert rows["Storage"][0] == "missing" and "gone when the page is closed" in rows["Storage"][1]
    tab.page.keyboard.press("Escape")
    trains(tab)
    assert tab.page.evaluate("async () => (await tinygpt.exportModel()).size") > 10_000
    assert tab.complaints == []
    tab.close()


def test_without_pressure_and_compression_only_those_are_missed(browser, server):
    tab = opened(browser, server, ["delete globalThis.PressureObserver; delete globalThis.CompressionStream"])
    rows, _ = abilities(tab)
    assert missing(rows) == {"GPU (WebGPU)", "Processor load", "Links"} and "Nothing else changes" in rows["Processor load"][1]
    tab.page.keyboard.press("Escape")
    tab.page.click("#share")
    assert "cannot pack a link" in tab.text("#status")
    trains(tab)
    tab.close()


def test_a_plain_simd_build_trains_where_relaxed_simd_is_missing(browser, server):
    tab = Tab(browser, server + "?variant=simd-mt")
    rows, _ = abilities(tab)
    assert rows["Relaxed SIMD"][0] == "missing" and "Results are right" in rows["Relaxed SIMD"][1]
    tab.page.keyboard.press("Escape")
    trains(tab)
    tab.close()


def test_without_simd_python_works_and_the_page_says_that_nothing_can_train(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    tab.context.route("**/public/ext/*.wasm", lambda route: route.abort())  # as where the module does not compile
    tab.page.goto(server)
    tab.ready()
    rows, first = abilities(tab)
    assert first.startswith("There is no device to train on")
    assert rows["SIMD"][0] == "missing" and "nothing can be trained" in rows["SIMD"][1]
    assert tab.value("1 + 1") == 2 and "there is no device to train on" in tab.text("#banner")
    assert "XMLHttpRequest" not in tab.text("#banner"), "a sentence; what the browser said is in the console"
    assert tab.text("#device-note") == "There is no device here, so nothing can be trained."
    tab.close()


# ---- a phone ----


@pytest.fixture(scope="module")
def phone(browser, server):
    tab = Tab(browser, server, **PHONE)
    yield tab
    assert tab.complaints == []
    tab.close()


def test_a_phone_trains_stops_and_edits_by_taps(phone):
    assert phone.page.evaluate("() => matchMedia('(pointer: coarse)').matches")
    phone.page.select_option("#setting-preset", "tiny")
    phone.page.fill("#setting-steps", "100000")
    phone.page.tap("#run")
    phone.wait("() => tinygpt.state().step > 5")
    phone.page.tap("#stop")
    phone.wait("() => !tinygpt.state().running")
    for name in ("generate", "inside", "samples"):
        phone.page.tap("#tab-" + name)
        assert phone.page.is_visible("#" + name)
    phone.page.tap("[data-file='model.py']")
    phone.page.tap("[data-file='train.py']")
    phone.page.tap("#editor .cm-content")
    phone.page.keyboard.press("Control+Home")
    phone.page.keyboard.insert_text("# by thumb\n")
    assert phone.page.evaluate("() => tinygpt.source()").startswith("# by thumb\n")
    phone.page.tap("#diff")
    phone.page.wait_for_selector("#editor .cm-changedLine")
    phone.page.tap("#revert")
    assert not phone.page.evaluate("() => tinygpt.source()").startswith("#")
    phone.page.tap("#console-input .cm-content")
    phone.page.keyboard.insert_text("6 * 7")
    phone.page.keyboard.press("Enter")
    phone.wait("() => document.getElementById('console-output').textContent.includes('42')")


def test_a_phone_is_told_to_keep_the_page_in_front(phone):
    phone.page.evaluate("() => scrollTo(0, 0)")
    phone.page.tap("#abilities-button")
    rows, _ = abilities(phone)
    assert "Keep this page in front" in rows["Phone or tablet"][1]
    box = phone.page.locator("#abilities").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 844
    phone.page.tap("h1")
    assert phone.page.is_hidden("#abilities")


@pytest.mark.parametrize("panel", ["samples", "generate", "inside"])
def test_a_phone_scrolls_in_one_direction_and_its_buttons_fit_a_finger(phone, panel):
    phone.page.tap("#tab-" + panel)
    assert phone.page.evaluate("() => document.documentElement.scrollWidth") == 390
    phone.page.evaluate("() => scrollTo(500, 0)")
    assert phone.page.evaluate("() => scrollX") == 0
    small = phone.page.evaluate("""() => [...document.querySelectorAll("button, select, input:not([type=checkbox], [type=range])")]
        .filter((one) => one.checkVisibility() && one.getBoundingClientRect().width)
        .map((one) => [one.id || one.textContent, one.getBoundingClientRect()])
        .filter(([, {width, height}]) => Math.min(width, height) < 24).map(([name, {width, height}]) => `${name} ${width} x ${height}`)""")
    assert small == [], "24 px at least (WCAG 2.2, 2.5.8)"


def test_a_link_opens_on_a_phone_and_its_code_can_be_read(browser, server):
    from tests.browser.test_share import SHIPPED, packed

    tab = Tab(browser, server + packed({"title": "x" * 80, "files": {"train.py": SHIPPED + "#\n", "model.py": "1\n"}}), **PHONE)
    assert tab.page.evaluate("() => document.documentElement.scrollWidth") == 390
    assert tab.page.locator("#editor .cm-scroller").bounding_box()["height"] > 180
    tab.page.tap("#link-bar >> text=Back to the shipped code")
    assert re.match("The shipped code", tab.text("#status")) and tab.page.is_hidden("#link-bar")
    tab.close()


# ---- what does not come ----


def test_where_pythons_webassembly_does_not_come_the_page_says_so_and_does_not_wait(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    tab.context.route("**/pyodide.asm.wasm", lambda route: route.abort())
    tab.page.goto(server)
    tab.wait("() => document.getElementById('status').textContent === 'Python did not start'")
    assert "WebAssembly could not be loaded" in tab.text("#banner") and "Reload the page" in tab.text("#banner")
    assert tab.text("#device") == "Python did not start" and tab.page.is_hidden("#boot")
    tab.close()
