"""Browsers and hosts that lack something: the page works, and says what is missing and what that
costs.
"""

import os
import re

import pytest

import serve
from tests.page.conftest import ROOT, Tab

pytestmark = [pytest.mark.browser]
# An Android phone, as Chromium's own device emulation describes one.
PHONE = dict(
    viewport={"width": 390, "height": 844},
    device_scale_factor=2,
    is_mobile=True,
    has_touch=True,
    user_agent="Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36",
)

NO_FILES = {
    "no function": "delete StorageManager.prototype.getDirectory",
    "refused": "StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('Security error', 'SecurityError'))",
    "no storage at all": "Object.defineProperty(Navigator.prototype, 'storage', {get: () => undefined})",
}
# As Chromium behaves where the user has blocked cookies for the page.
NO_STORAGE = """for (const name of ["localStorage", "sessionStorage"])
    Object.defineProperty(window, name, {get() { throw new DOMException("denied", "SecurityError") }});
for (const name of ["request", "query"])
    LockManager.prototype[name] = () => Promise.reject(new DOMException("denied", "SecurityError"));"""


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
    assert (
        tab.page.evaluate("() => tinygpt.state().step") == steps
        and tab.page.evaluate("() => tinygpt.state().loss") < 5.3
    )


def opened(browser, url, before=(), **context):
    """A tab whose context runs `before` scripts first; the page is ready."""
    tab = Tab(browser, "about:blank", ready=False, **context)
    for script in before:
        tab.context.add_init_script(script)
    tab.page.goto(url)
    tab.ready()
    return tab


def without_jspi(tab):
    """The worker's engine as it is where WebAssembly has no promise integration. (A script for the
    page does not reach the worker.)
    """
    source = "delete WebAssembly.Suspending; delete WebAssembly.promising; delete WebAssembly.SuspendError;\n"
    body = source + (ROOT / "app/worker/worker.js").read_text()
    headers = {"Content-Type": "text/javascript", **serve.ISOLATION}
    tab.context.route("**/app/worker/worker.js", lambda route: route.fulfill(body=body, headers=headers))


def test_without_a_gpu_the_card_says_what_trains_and_what_is_lost(browser, server):
    tab = Tab(browser, server)
    rows, first = abilities(tab)
    threads = tab.page.evaluate("() => navigator.hardwareConcurrency")
    assert first == "Training on %s: no usable GPU." % ("1 CPU thread" if threads == 1 else "%d CPU threads" % threads)
    assert missing(rows) == {"GPU (WebGPU)"} and "for a large model many times slower" in rows["GPU (WebGPU)"][1]
    assert tab.text("#abilities-button").split() == ["This", "browser", "No", "GPU"]
    assert set(rows) >= {
        "Threads",
        "Waiting in Python (JSPI)",
        "Relaxed SIMD",
        "Storage",
        "Without a network",
        "Processor load",
    }
    assert all(len(text) > 20 and text.endswith(".") and "undefined" not in text for _, text in rows.values())
    trains(tab)
    assert tab.complaints == []
    tab.close()


def test_the_card_opens_and_closes_by_key_and_pointer(browser, server):
    tab = Tab(browser, server)
    button = "#abilities-button"
    tab.page.focus(button)
    tab.page.keyboard.press("Enter")
    assert (
        tab.page.get_attribute(button, "aria-expanded") == "true"
        and tab.page.evaluate("() => document.activeElement.id") == "abilities"
    )
    tab.page.keyboard.press("Escape")
    assert (
        tab.page.is_hidden("#abilities") and tab.page.evaluate("() => document.activeElement.id") == "abilities-button"
    )
    tab.page.click(button)
    tab.page.click("#sample-text")
    assert tab.page.is_hidden("#abilities") and tab.page.get_attribute(button, "aria-expanded") == "false"
    tab.page.click(button)
    tab.page.evaluate((ROOT / "node_modules/axe-core/axe.min.js").read_text() + "\n;0")
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
    assert ("1 of %d processor cores" % cores in rows["Threads"][1]) == (cores > 1) and "Stop restarts Python" in rows[
        "Threads"
    ][1]
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
    """Without a private file system too, as in WebKitGTK: a Stop loses the model, and no save is
    tried again and again meanwhile.
    """
    tab = Tab(browser, "about:blank", ready=False)
    tab.context.add_init_script(NO_FILES["no function"])
    without_jspi(tab)
    tab.page.goto(server_without_isolation)
    tab.ready()
    rows, _ = abilities(tab)
    assert "Pause, Apply and Generate work only after a run has ended" in rows["Waiting in Python (JSPI)"][1]
    tab.page.keyboard.press("Escape")
    trains(tab)
    tab.page.fill("#setting-steps", "100000")
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().step > 35 && tinygpt.state().running")
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running && document.body.dataset.state === 'ready'")
    trains(tab)
    tab.close()


@pytest.mark.parametrize("script", NO_FILES.values(), ids=NO_FILES)
def test_without_a_private_file_system_the_page_works_and_warns(browser, server, script):
    tab = opened(browser, server, [script])
    tab.page.click("#abilities-button")
    tab.wait("() => document.getElementById('abilities').textContent.includes('Storage')")
    rows, _ = abilities(tab)
    assert rows["Storage"][0] == "missing" and "lost when the page is closed" in rows["Storage"][1]
    tab.page.keyboard.press("Escape")
    trains(tab)
    assert tab.page.evaluate("async () => (await tinygpt.exportModel()).size") > 10_000
    assert tab.complaints == []
    tab.close()


def test_where_the_browser_blocks_all_storage_the_page_works_and_says_that_edits_are_not_kept(browser, server):
    tab = opened(browser, server, [NO_FILES["refused"], NO_STORAGE])
    tab.page.click("#editor .cm-content")
    tab.page.keyboard.type("#")
    tab.wait("() => /^Your edits are not kept for a reload/.test(document.getElementById('status').textContent)")
    tab.page.click("#theme")
    assert tab.page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    tab.page.focus("#split-left")
    tab.page.keyboard.press("ArrowRight")
    tab.page.click("#panel-tabs button:has-text('Runs')")
    tab.wait("() => document.getElementById('panels').textContent.includes('stores no files for this page')")
    trains(tab)
    assert tab.complaints == []
    tab.close()


def test_without_pressure_and_compression_only_those_are_missed(browser, server):
    tab = opened(browser, server, ["delete globalThis.PressureObserver; delete globalThis.CompressionStream"])
    rows, _ = abilities(tab)
    assert (
        missing(rows) == {"GPU (WebGPU)", "Processor load", "Links"}
        and "Nothing else changes" in rows["Processor load"][1]
    )
    tab.page.keyboard.press("Escape")
    tab.page.click("#share")
    assert "cannot make links" in tab.text("#status")
    trains(tab)
    tab.close()


def test_a_plain_simd_build_trains_where_relaxed_simd_is_missing(browser, server):
    tab = Tab(browser, server + "?variant=simd-mt")
    rows, _ = abilities(tab)
    assert rows["Relaxed SIMD"][0] == "missing" and "Results are correct" in rows["Relaxed SIMD"][1]
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
    assert rows["SIMD"][0] == "missing" and "training does not" in rows["SIMD"][1]
    assert tab.value("1 + 1") == 2 and "there is no device to train on" in tab.text("#banner")
    assert "XMLHttpRequest" not in tab.text("#banner"), "a sentence; what the browser said is in the console"
    assert tab.text("#device-note") == "There is no device to train on in this browser."
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
    from tests.page.test_share import SHIPPED, packed

    tab = Tab(
        browser,
        server + packed({"title": "x" * 80, "files": {"train.py": SHIPPED + "#\n", "model.py": "1\n"}}),
        **PHONE,
    )
    assert tab.page.evaluate("() => document.documentElement.scrollWidth") == 390
    assert tab.page.locator("#editor .cm-scroller").bounding_box()["height"] > 180
    tab.page.tap("#link-bar >> text=Back to the shipped code")
    assert re.match("Restored the shipped code", tab.text("#status")) and tab.page.is_hidden("#link-bar")
    tab.close()


# ---- what does not come ----


def test_where_the_plays_are_another_edition_the_page_says_which(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    own = {"Cross-Origin-Resource-Policy": "same-origin"}
    listed = [dict(name="shakespeare", file="shakespeare.txt", bytes=1000, edition="The plays (Folio)")]
    tab.context.route("**/corpora.json", lambda route: route.fulfill(json=listed, headers=own))
    tab.page.goto(server)
    tab.ready()
    tab.page.click("#tab-data")
    row = tab.page.locator("#data .data-row[data-key=shakespeare]")
    assert row.inner_text().startswith("The plays (Folio)")
    row.click()
    assert tab.text("#data .data-head h3") == "The plays (Folio)"
    assert "from Shakespeare's plays" in tab.text("#data .data-notes")
    tab.close()


def test_where_pythons_webassembly_does_not_come_the_page_says_so_and_does_not_wait(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    tab.context.route("**/pyodide.asm.wasm", lambda route: route.abort())
    tab.page.goto(server)
    tab.wait("() => document.getElementById('status').textContent === 'Python did not start'")
    assert "WebAssembly could not be loaded" in tab.text("#banner") and "Reload the page" in tab.text("#banner")
    assert tab.text("#device") == "Python did not start" and tab.page.is_hidden("#boot")
    tab.close()


@pytest.mark.alone
def test_an_engine_that_counts_cores_that_are_not_there_trains_on_those_that_are(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    source = "Object.defineProperty(navigator, 'hardwareConcurrency', {value: 16});\n"
    body = source + (ROOT / "app/worker/worker.js").read_text()
    headers = {"Content-Type": "text/javascript", **serve.ISOLATION}
    tab.context.route("**/app/worker/worker.js", lambda route: route.fulfill(body=body, headers=headers))
    tab.page.goto(server)
    assert tab.ready()["device"]["maxThreads"] == 16
    trains(tab, 400)
    line = tab.text("#device")
    assert int(re.search(r"(\d+) threads?", line)[1]) <= max(4, os.cpu_count()), line
    tab.page.select_option("#setting-threads", "16")  # a number that somebody chose is kept
    trains(tab, 40)
    assert "16 threads" in tab.text("#device")
    tab.close()


# ---- isolated, and without shared memory, as WebKitGTK is ----

WITHOUT_SHARED_MEMORY = "delete globalThis.SharedArrayBuffer;\n"


def without_shared_memory(tab, jspi=True):
    """The page and its worker in an engine that isolates them and has no SharedArrayBuffer."""
    tab.context.add_init_script(WITHOUT_SHARED_MEMORY)
    source = WITHOUT_SHARED_MEMORY
    if not jspi:
        source += "delete WebAssembly.Suspending; delete WebAssembly.promising; delete WebAssembly.SuspendError;\n"
    headers = {"Content-Type": "text/javascript", **serve.ISOLATION}
    module = "import './before.js';\n" + (ROOT / "app/worker/worker.js").read_text()
    tab.context.route("**/app/worker/before.js", lambda route: route.fulfill(body=source, headers=headers))
    tab.context.route("**/app/worker/worker.js", lambda route: route.fulfill(body=module, headers=headers))


def begun(tab, steps=100_000):
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", str(steps))
    before = tab.page.evaluate("() => tinygpt.state().run")
    tab.page.click("#run")
    tab.wait("(before) => tinygpt.state().run !== before && tinygpt.state().step > 5", before)


WHY = "this browser shares no memory between threads (it has no SharedArrayBuffer)"


def test_an_isolated_page_without_shared_memory_has_one_truth_about_threads(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    without_shared_memory(tab)
    tab.page.goto(server + "?autosave=1")
    tab.ready()
    assert tab.page.evaluate("() => crossOriginIsolated && typeof SharedArrayBuffer === 'undefined'")
    rows, first = abilities(tab)
    tab.page.keyboard.press("Escape")
    assert first.startswith("Training on 1 CPU thread")
    assert rows["Threads"][0] == "missing" and rows["Threads"][1].startswith("One thread: %s." % WHY)
    assert rows["Relaxed SIMD"][1].startswith("The one-thread build has none")
    assert "1 thread · no shared memory ·" in tab.text("#device")
    assert tab.text("#banner") == (
        "Training uses one thread here: %s. Stop restarts Python and clears its variables." % WHY
    )
    threads = tab.page.locator("#setting-threads")
    assert threads.is_disabled() and threads.get_attribute("title") == "One thread: %s." % WHY
    begun(tab)
    tab.page.click("#pause")
    tab.wait("() => tinygpt.state().paused")
    tab.page.click("#pause")
    tab.wait("() => !tinygpt.state().paused && tinygpt.autosave().saves >= 1")
    tab.page.click("#stop")
    tab.wait("() => document.body.dataset.state === 'ready'")
    tab.wait(
        "said => document.getElementById('status').textContent === said",
        "Stopped. Python was restarted, and its variables are lost.",
    )
    tab.wait("() => document.getElementById('resume-last')?.checkVisibility()")
    before = tab.page.evaluate("() => tinygpt.state().step")
    tab.page.click("#resume-last")
    # a Stop while the corpus is loaded would end the worker in its request, which it complains of
    tab.wait("before => tinygpt.state().running && tinygpt.state().step > before + 2", before)
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running && document.body.dataset.state === 'ready'")
    assert tab.complaints == []
    tab.close()


def test_without_shared_memory_and_jspi_pause_and_apply_say_that_python_does_not_hear_them(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    without_shared_memory(tab, jspi=False)
    tab.page.goto(server)
    tab.ready()
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "100000")
    tab.page.click("#run")
    tab.wait("() => tinygpt.state().running && document.body.dataset.phase === 'running'")
    tab.page.click("#pause")
    tab.wait("() => document.getElementById('status').className === 'bad'")
    assert tab.text("#status").startswith("This browser cannot reach Python during a run")
    answer = tab.page.evaluate("() => tinygpt.apply(tinygpt.source() + '# edited')")
    assert not answer["ok"] and answer["error"].startswith("Not applied. This browser cannot reach Python")
    tab.page.click("#stop")
    tab.wait("() => !tinygpt.state().running && document.body.dataset.state === 'ready'")
    tab.close()


def test_where_nothing_can_write_files_the_store_says_so_before_it_tries(browser, server):
    tab = Tab(browser, "about:blank", ready=False)
    gone = "delete FileSystemFileHandle.prototype.createWritable;"
    tab.context.add_init_script(gone)
    headers = {"Content-Type": "text/javascript", **serve.ISOLATION}
    source = gone + "delete FileSystemFileHandle.prototype.createSyncAccessHandle;"
    module = "import './before.js';\n" + (ROOT / "app/store/store_worker.js").read_text()
    tab.context.route("**/app/store/before.js", lambda route: route.fulfill(body=source, headers=headers))
    tab.context.route("**/app/store/store_worker.js", lambda route: route.fulfill(body=module, headers=headers))
    tab.page.goto(server + "?autosave=1")
    tab.ready()
    tab.page.click("#abilities-button")
    tab.wait("() => document.getElementById('abilities').textContent.includes('neither createWritable nor')")
    rows, _ = abilities(tab)
    assert rows["Storage"][0] == "missing" and "lost when the page is closed" in rows["Storage"][1]
    tab.page.keyboard.press("Escape")
    trains(tab)
    tab.page.click("#tab-runs")
    tab.wait("() => document.getElementById('runs').innerText.includes('cannot write files for pages')")
    assert tab.complaints == []
    tab.close()
