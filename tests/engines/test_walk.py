"""A walk through the page in each engine, by real keys and clicks: what a person does in the first
hour works everywhere, with the losses of Chromium.

The tests of an engine share one window, in this order; each leaves the page as it found it, or
opens it anew. A test that goes on with the run of the one before it says so.

An engine is a group of pytest-xdist: `-n 2 --dist loadgroup` walks through two engines at once, the
slowest first. Much of a walk is waiting (for a start, for an autosave), so that takes less time
than one after the other.
"""

import base64
import contextlib
import os
import subprocess
import sys
import time

import pytest

from tests.bench.memory import process_file, process_tree
from tests.engines import matrix, styles
from tests.engines.browsers import NAMES, MissingEngine, opened
from tests.hosts.chromium import Server
from tests.page.conftest import ROOM, ROOT, serve
from tests.page.test_static import STATE, plain_host
from tests.parity import train as parity

pytestmark = [pytest.mark.browser, pytest.mark.slow]
STATUS = "() => document.getElementById('status').textContent"
SAYS = "(pattern) => RegExp(pattern).test(document.getElementById('status').textContent)"
# The number of threads in use, and the number that there are.
THREADS = """import tinygpt
device = tinygpt.tensor(0.0).device
[device.threads, device._choice.most]"""
IDLE = "() => !tinygpt.state().running && document.body.dataset.state === 'ready'"
STEPS = 60
GPU_STEPS = 12  # in software: its first step waits for the compiler of shaders
SLOWEST_FIRST = NAMES[::-1]


class Page:
    """The page in one engine. name: of tests.engines.browsers."""

    def __init__(self, name, browser, url):
        self.name, self.browser, self.url = name, browser, url
        for method in ("click", "enter", "choose", "press", "type", "text", "upload", "evaluate"):
            setattr(self, method, getattr(browser, method))

    def open(self, url=None):
        self.browser.goto(url or self.url)
        self.ready()

    def framed(self, width, height):
        """The page in a frame, until another one is opened."""
        self.browser.goto(self.url + "app/ui/page.css")
        self.browser.resize(width, height)
        self.browser.frame(self.url, width, height)
        self.ready()

    def reload(self):
        self.browser.reload()
        self.ready()

    def ready(self):
        self.wait("() => Boolean(globalThis.tinygpt)")
        self.evaluate("() => tinygpt.ready.then(() => 1)")

    def wait(self, condition, *arguments, seconds=60):
        return self.browser.wait(condition, *arguments, seconds=seconds * ROOM)

    @property
    def hears(self):
        """Python takes requests while its code runs: by shared memory, or where it can wait."""
        return self.evaluate("() => typeof SharedArrayBuffer === 'function' || 'Suspending' in WebAssembly")

    def degrades(self, pattern):
        """The status line says so; the matrix has what it says, for the test that runs."""
        said = self.says(pattern)
        test = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].partition("[")[0]
        matrix.record(self.name, "says", matrix.part(test), True, said)
        return said

    def says(self, pattern, seconds=60):
        """Waits for a status line that matches; returns it."""
        self.wait(SAYS, pattern, seconds=seconds)
        return self.evaluate(STATUS)

    def train(self, steps, preset="tiny", seconds=60):
        """Begins a run, and waits for its first step."""
        before = self.evaluate("() => tinygpt.state().run ?? null")
        self.choose("#setting-preset", preset)
        self.enter("#setting-steps", steps)
        self.click("#run")
        self.wait("(before) => tinygpt.state().run !== before && tinygpt.history().length", before, seconds=seconds)

    def trained(self, steps=STEPS):
        self.train(steps)
        self.says("^Finished")

    def losses(self):
        return self.evaluate("() => tinygpt.history().map(({loss}) => loss)")

    def looked_inside(self):
        """Until the panel has drawn what the model says now."""
        self.wait("() => /At step \\d/.test(document.getElementById('inside').innerText)")
        self.wait("() => document.querySelectorAll('#inside canvas').length > 0")

    def stop(self):
        self.click("#stop")
        self.wait(IDLE)

    def reached(self, steps):
        """Until that many more steps are done."""
        at = self.evaluate("() => tinygpt.state().step ?? 0")
        self.wait("(step) => tinygpt.state().step >= step", at + steps)


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.close()


@contextlib.contextmanager
def page_in(name, url):
    """The page in that engine, ready. Skips where the engine is not on this machine."""
    with contextlib.ExitStack() as stack:
        try:
            browser = stack.enter_context(opened(name))
        except MissingEngine as missing:
            pytest.skip("%s: %s" % (name, missing))
        page = Page(name, browser, url)
        page.open()
        yield page


def group(*values):
    """A parameter whose tests are done by one process, in order."""
    return pytest.param(*values, marks=pytest.mark.xdist_group("-".join(values)))


@pytest.fixture(scope="module", params=map(group, SLOWEST_FIRST))
def page(request, server):
    with page_in(request.param, server.url) as page:
        yield page


@pytest.fixture(scope="module")
def losses(server):
    """Of runs in Chromium, on the CPU: {steps: losses}."""
    with page_in("chromium", server.url) as page:
        of = {}
        for steps in (STEPS, GPU_STEPS):
            page.trained(steps)
            of[steps] = page.losses()
        return of


def test_python_runs_and_the_page_says_where(page):
    answer = page.evaluate("() => tinygpt.run('import sys; print(sys.version_info[:2]); 6 * 7')")
    assert answer["ok"] and answer["result"] == 42 and answer["stdout"] == "(3, 14)\n"
    shared = page.evaluate("() => typeof SharedArrayBuffer === 'function'")
    assert shared == (page.name != "webkit-as-shipped")
    threads, most = page.evaluate("() => tinygpt.run(%r).then(({result}) => result)" % THREADS)
    said = page.text("#device")
    assert said.startswith("CPU · wasm32") and " · %d thread%s · " % (threads, "s"[threads == 1 :]) in said
    assert (most > 1) == shared


def test_this_browser_lists_what_is_there_and_what_a_missing_thing_costs(page):
    page.evaluate("() => tinygpt.graphics.then(() => 1)")
    page.click("#abilities-button")
    page.wait("() => /Storage/.test(document.getElementById('abilities').innerText)")
    rows = page.evaluate("""() => [...document.querySelectorAll("#abilities dl > div")].map((row) => [
        row.querySelector("dt").childNodes[1].data, row.className, row.querySelector("dd").textContent])""")
    page.press("Escape")
    listed = page.evaluate("async () => (await import('./app/shell/page_needs.js')).FEATURES.map(({name}) => name)")
    assert [name for name in listed if name in [row[0] for row in rows]] == [row[0] for row in rows]
    assert all(text.endswith(".") and "undefined" not in text for _, _, text in rows)
    there = {name: {"available": True, "missing": False}.get(kind) for name, kind, _ in rows}
    assert there["Threads"] == page.evaluate("() => typeof SharedArrayBuffer === 'function'")
    assert there["Waiting in Python (JSPI)"] == page.evaluate("() => 'Suspending' in WebAssembly")
    assert there["Storage"] == (page.name != "webkit-as-shipped")
    matrix.record(page.name, "version", page.browser.version, True)
    for name, _, text in rows:
        matrix.record(page.name, "feature", name, there[name], text)


def test_a_run_has_chromiums_losses(page, losses):
    page.trained()
    assert len(losses[STEPS]) == STEPS and page.losses() == pytest.approx(losses[STEPS], rel=1e-5)
    assert page.evaluate("() => document.querySelector('#chart canvas') !== null")


def test_pause_step_and_go_on(page):
    page.train(100_000)
    page.reached(3)
    page.click("#pause")
    if not page.hears:
        page.degrades("cannot reach Python during a run")
        return
    page.wait("() => tinygpt.state().paused")
    at = page.evaluate("() => tinygpt.state().step")
    page.click("#step")
    page.wait("(at) => tinygpt.state().step === at + 1", at)
    page.click("#pause")
    page.reached(3)


def test_apply_changes_the_running_code(page):
    """The code of the run that was paused."""
    page.click("#editor .cm-content")
    page.press("Control+End")
    page.press("Enter")
    page.type("# typed here")
    page.wait("() => !document.getElementById('apply').disabled")
    page.press("Control+Enter")
    if not page.hears:
        page.degrades("^Not applied. .* cannot reach Python during a run")
        page.click("#revert")
        return
    page.says("^Applied at step")
    broken = page.evaluate("() => tinygpt.apply(tinygpt.source() + '\\nraise ValueError(\"not this\")\\n')")
    assert not broken["ok"]
    page.wait("() => tinygpt.state().running")
    page.reached(3)
    page.click("#revert")
    page.wait("() => document.getElementById('diff').disabled")


def test_stop_keeps_the_model(page):
    """Stops the run that changed its code."""
    page.stop()
    if page.name == "webkit-as-shipped":
        page.degrades("^Stopped. Python was restarted")
    assert page.evaluate("() => tinygpt.run('1 + 2').then(({result}) => result)") == 3
    if page.name == "webkit-as-shipped":
        page.trained(10)
    assert page.evaluate("() => tinygpt.generate({prompt: 'A', tokens: 3, seed: 1}).then(({tokens}) => tokens)") == 3


def test_generate_writes_and_shows_what_else_was_likely(page):
    page.click("#tab-generate")
    page.enter("#generate-tokens", 30)
    page.click(".generate-actions button.primary")
    page.wait("() => /^30 tokens/.test(document.querySelector('.generate-status').textContent)")
    page.click(".generate-text")
    shown = "() => [...document.querySelectorAll('.likeliest')].find((e) => e.matches(':popover-open'))?.innerText"
    for _ in range(10):  # the first key may come before the text's last redraw
        page.press("ArrowRight")
        if said := page.evaluate(shown):
            break
        time.sleep(0.3)
    assert "%" in said
    page.press("Escape")


def test_look_inside_draws(page):
    page.click("#tab-inside")
    page.looked_inside()


def test_a_text_of_ones_own_is_learned_from(page, tmp_path):
    text = tmp_path / "own.txt"
    text.write_text("To be, or not to be, that is the question. " * 400)
    page.click("#tab-data")
    page.upload("#data-file", text)
    page.wait("() => /own/.test(document.getElementById('setting-corpus').value)")
    page.trained(30)
    assert page.evaluate("() => tinygpt.history().at(-1).loss < tinygpt.history()[0].loss")
    page.evaluate("() => (document.getElementById('setting-corpus').selectedIndex = 0)")
    page.choose("#setting-corpus", page.evaluate("() => document.getElementById('setting-corpus').options[0].value"))


def test_a_reload_loses_nothing(page):
    if page.name == "webkit-as-shipped":
        page.click("#tab-runs")
        sentence = r"/[^.\n]*cannot store files for pages[^.]*\./"
        says = sentence + ".exec(document.getElementById('runs').innerText)?.[0].trim()"
        matrix.record(page.name, "says", "a reload loses nothing", True, page.wait("() => " + says))
        return
    page.train(100_000)
    page.wait("() => tinygpt.autosave().saves >= 1 || tinygpt.autosave().problem")
    assert not page.evaluate("() => tinygpt.autosave().problem")
    at = page.evaluate("() => tinygpt.save().then(() => tinygpt.autosave().step)")
    page.reload()
    page.wait("() => { const e = document.getElementById('resume-last'); return e?.checkVisibility() && !e.disabled; }")
    page.click("#resume-last")
    page.wait("(at) => tinygpt.state().running && tinygpt.state().step > at + 3", at)
    page.stop()
    page.click("#tab-runs")
    page.wait("() => document.querySelectorAll('#runs .saved li').length >= 1")


def test_a_model_leaves_and_comes_back(page, tmp_path):
    text = page.evaluate("""() => tinygpt.exportModel({optimizer: false}).then((blob) => new Promise((done) => {
        const reader = new FileReader();
        reader.onload = () => done(reader.result);
        reader.readAsDataURL(blob);
    }))""")
    file = tmp_path / "model.tinygpt"
    file.write_bytes(base64.b64decode(text.split(",")[1]))
    page.click("#tab-runs")
    page.upload("#import-file", file)
    page.says(r"^model\.tinygpt loaded")


def test_a_link_brings_the_code_and_runs_nothing(page):
    page.click("#editor .cm-content")
    page.press("Control+Home")
    page.type("# shared\n")
    link = page.evaluate("() => tinygpt.share({title: 'From here'})")
    page.browser.goto("about:blank")
    page.open(link)
    page.wait("() => !document.getElementById('link-bar').hidden")
    assert page.evaluate("() => tinygpt.source()").startswith("# shared\n")
    assert page.evaluate("() => !tinygpt.state().running && tinygpt.history().length === 0")


def test_the_keyboard_edits_completes_and_runs(page):
    page.open()
    page.click("#editor .cm-content")
    page.press("Control+a")
    page.press("Delete")
    page.type("for i in range(3):\nprint(i * 7)")
    assert page.evaluate("() => tinygpt.source()") == "for i in range(3):\n    print(i * 7)"
    page.press("Control+Enter")
    page.wait("() => /14/.test(document.getElementById('console-output').innerText)")
    page.press("Control+a")
    page.press("Delete")
    page.type("import tinygpt")
    page.press("Escape")  # where a list is open by then, Enter would take its first name
    page.type("\ntinygpt.Ten")
    page.wait("() => /Tensor/.test(document.querySelector('.cm-tooltip-autocomplete')?.innerText ?? '')")
    page.press("Escape")
    page.click("#console-input .cm-content")
    page.type("8 * 9\n")
    page.wait("() => /72/.test(document.getElementById('console-output').innerText)")


def cpu_seconds():
    """That this process's descendants, a browser's among them, have computed."""
    stats = [process_file(pid, "stat").rpartition(b")")[2].split() for pid in process_tree(os.getpid())[1:]]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats if fields) / os.sysconf("SC_CLK_TCK")


def test_an_endless_loop_is_stopped(page):
    page.evaluate("() => { tinygpt.run('while True: pass').then((answer) => (window.ended = answer)); }")
    page.wait("() => document.body.dataset.state === 'running'")
    time.sleep(1)
    page.evaluate("() => tinygpt.interrupt()")
    page.wait("() => window.ended")
    page.wait("() => document.body.dataset.state === 'ready'")
    assert page.evaluate("() => tinygpt.run('1 + 1').then(({result}) => result)") == 2
    # A replaced worker that is not ended would take a whole core.
    for _ in range(10 * ROOM):
        before = cpu_seconds()
        time.sleep(2)
        if (busy := cpu_seconds() - before) < 1:
            break
    assert busy < 1, "%.1f s of CPU in 2 s, with nothing to do" % busy


def test_the_shipped_model_writes(page):
    page.click("#load-model")
    page.wait("() => /tokens\\/s/.test(document.querySelector('.generate-status')?.textContent ?? '')", seconds=120)
    assert len(page.text(".generate-text")) > 100


# Buttons with words on more than one line; a smaller word beside a larger one has another top too.
WRAPPED = """() => [...document.querySelectorAll("header button, #actions button")].filter((button) => {
    const words = document.createRange();
    words.selectNodeContents(button);
    const tops = [...words.getClientRects()].filter(({height}) => height).map(({top}) => top);
    return button.checkVisibility() && Math.max(...tops) - Math.min(...tops) > 8;
}).map(({innerText}) => innerText)"""


def test_nothing_is_wider_than_the_window(page):
    def fits(width):
        page.evaluate("() => scrollTo(0, 0)")
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= width, "%d pixels in a window of %d" % (wide, width)
        assert page.evaluate(WRAPPED) == []

    for width in (1440, 768, 390):
        fits(page.browser.resize(width, 844)[0])
    page.framed(390, 844)
    assert page.evaluate("() => [innerWidth, innerHeight]") == [390, 844]
    fits(390)
    tops = page.evaluate(
        "() => [...document.querySelectorAll('#help, #theme')].map((e) => e.getBoundingClientRect().top)"
    )
    assert tops[0] == tops[1], "the header's buttons are in two rows"
    page.browser.goto("about:blank")
    page.browser.resize(1440, 900)


def test_the_engine_knows_every_style(page):
    unknown = page.evaluate("(all) => all.filter((one) => !CSS.supports(...one))", styles.declarations())
    assert {name for name, _ in unknown} <= set(styles.WITHOUT), unknown


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The static build, in a folder of a host."""
    folder = tmp_path_factory.mktemp("www")
    command = [sys.executable, "serve.py", "--build", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120 * ROOM)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_static_build_is_isolated_by_its_service_worker_and_starts_offline(page, built):
    with plain_host(built) as (url, _):
        page.open(url)
        page.wait("() => navigator.serviceWorker.controller !== null && crossOriginIsolated")
        page.ready()
        page.wait("async () => { const {kept, files} = await (%s)(); return kept === files; }" % STATE)
    page.reload()  # nobody serves it
    page.trained(10)


@pytest.fixture(scope="module")
def without_isolation():
    yield from serve("--no-isolation")


def test_without_isolation_one_thread_trains(page, without_isolation):
    page.open(without_isolation)
    assert "1 thread ·" in page.text("#device") and "one thread here" in page.text("#banner")
    page.train(100_000)
    page.reached(5)
    page.stop()
    page.trained(10)


@pytest.mark.parametrize("precision", map(group, ["f32", "f16"]))
def test_firefox_trains_on_its_gpu_with_chromiums_losses(server, losses, precision):
    """On a driver in software. The bars are those of tests.parity."""
    bars = parity.bars("webgpu", {"precision": precision})
    with page_in("firefox-gpu", server.url + "?device=webgpu&precision=" + precision) as page:
        page.wait("() => /^GPU/.test(document.getElementById('device').innerText)")
        page.train(GPU_STEPS, seconds=200)
        page.says("^Finished", seconds=200)
        assert page.losses() == pytest.approx(losses[GPU_STEPS], rel=bars.loss)
