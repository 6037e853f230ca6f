"""The static build on hosts that know nothing of it: threads by its service worker, use without a
network, new versions, installing.
"""

import contextlib
import functools
import http.server
import json
import re
import struct
import subprocess
import sys
import threading

import pytest

import serve
from tests.hosts import adapters
from tests.hosts.chromium import FLAGS
from tests.page.conftest import ROOM, ROOT, Tab, told, wait_for
from tools.setup import SetupError, build

pytestmark = [pytest.mark.browser]
STATE = """() => new Promise((resolve) => {
    const {port1, port2} = new MessageChannel();
    port1.onmessage = ({data}) => resolve(data);
    navigator.serviceWorker.controller.postMessage({type: "state"}, [port2]);
})"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder of a host, with the build in its subfolder tinygpt; and what the build said."""
    folder = tmp_path_factory.mktemp("www")
    command = [sys.executable, "serve.py", "--build", str(folder / "tinygpt")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120 * ROOM)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@contextlib.contextmanager
def plain_host(folder, port=0):
    """python3 -m http.server: yields (address, process)."""
    command = [sys.executable, "-u", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = int(re.search(r"port (\d+)", process.stdout.readline())[1])
        yield "http://127.0.0.1:%d/" % port, process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def host_in_python(folder, headers=(), ranges=False):
    """A host that sends `headers` too and, with `ranges`, answers for pieces of files, as most do.
    Yields its address.
    """

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self):
            for name, value in headers:
                self.send_header(name, value)
            if ranges:
                self.send_header("Accept-Ranges", "bytes")
            super().end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d/" % server.server_address[1]
    server.shutdown()
    server.server_close()


def opened(browser, url, **context):
    """The tab, ready; `visits`: the addresses it navigated to."""
    tab = Tab(browser, "about:blank", ready=False, **context)
    tab.visits = []
    tab.page.on("framenavigated", lambda frame: tab.visits.append(frame.url) if frame == tab.page.main_frame else None)
    tab.page.goto(url)
    started(tab)
    return tab


def forced_reload(tab):
    """As Ctrl+Shift+R: past the service worker and the caches. Until another document is here."""
    session = tab.page.context.new_cdp_session(tab.page)
    with tab.page.expect_event("domcontentloaded", timeout=30_000 * ROOM):
        session.send("Page.reload", {"ignoreCache": True})
        session.detach()


def started(tab):
    tab.wait(
        "() => globalThis.tinygpt && document.body.dataset.state === 'ready' && !document.getElementById('run').disabled"
    )


def kept(tab):
    """Until the service worker has every file; its state."""
    tab.wait("() => navigator.serviceWorker.controller !== null")
    return until(
        tab,
        "async () => { const state = await (%s)(); return (state.kept === state.files || state.problem) && state }"
        % STATE,
    )


def until(tab, condition):
    """The first true answer of the condition, an async function in JavaScript."""
    answer = tab.page.evaluate(
        """async (seconds) => {
        for (const end = performance.now() + seconds * 1000; performance.now() < end; await new Promise((resume) => setTimeout(resume, 50))) {
            const answer = await eval(condition)();
            if (answer) return answer;
        }
    }""".replace("eval(condition)", "(%s)" % condition),
        30 * ROOM,
    )
    assert answer, "waited %d s for %s\n%s" % (30 * ROOM, condition, told(tab.page, tab.complaints))
    return answer


def trains(tab):
    """Trains tiny for some steps by the page's own buttons; the loss."""
    tab.page.select_option("#setting-preset", "tiny")
    tab.page.fill("#setting-steps", "30")
    tab.page.click("#run")
    tab.wait("() => /^Finished/.test(document.getElementById('status').textContent)")
    return tab.page.evaluate("() => tinygpt.state().loss")


def test_a_plain_host_trains_with_threads_and_then_without_a_network(browser, built):
    folder, _ = built
    with plain_host(folder) as (url, host):
        tab = opened(browser, url + "tinygpt/?threads=2")
        assert (
            tab.page.evaluate("() => crossOriginIsolated")
            and "2 threads" in tab.text("#device")
            and tab.page.is_hidden("#banner")
        )
        assert len(tab.visits) == 2, "one reload, before the page started: %s" % tab.visits
        loss = trains(tab)
        assert loss < 5.2
        state = kept(tab)
        assert state["problem"] is None and state["bytes"] > 20e6
        tab.page.click("#abilities-button")
        tab.wait(
            "() => document.getElementById('abilities').textContent.includes('are stored: the page starts without a network')"
        )
        tab.page.keyboard.press("Escape")
        host.kill()
        host.wait()
        forced_reload(tab)  # the browser's own page says that nobody answers; the next visit is as any
        assert tab.page.evaluate("() => !document.getElementById('run')")
        tab.page.goto(url + "tinygpt/?threads=2")
        started(tab)
        tab.page.reload()
        started(tab)
        assert tab.page.evaluate("() => crossOriginIsolated") and "2 threads" in tab.text("#device")
        assert trains(tab) == loss, "the same numbers as before"
        assert tab.value("import micropip\nmicropip.__version__"), "wheels come in pieces, from what is kept"
        wheels = json.loads((folder / "tinygpt" / "public" / "wheels" / "wheels.json").read_text())
        missing = next(wheel["missing"] for wheel in wheels if wheel["name"] == "numpy")
        if missing:  # the sentence of set-up, where it could have no wheel
            assert tab.run("import numpy")["error"].endswith("ModuleNotFoundError: import numpy: " + missing)
        else:
            assert tab.value("import numpy\nint(numpy.arange(5).sum())") == 10
        assert all(address.startswith((url, "blob:")) for address in tab.requests)
        # The first visit with its one reload, nobody's answer, and what the test opened after it.
        assert [visit.startswith(url) for visit in tab.visits] == [True, True, False, True, True]
        tab.close()


def test_a_host_that_takes_the_headers_file_needs_no_reload(browser, built):
    folder, _ = built
    text = (folder / "tinygpt" / "_headers").read_text()
    assert text.startswith("/*\n")
    headers = [tuple(line.strip().split(": ", 1)) for line in text.splitlines()[1:]]
    with host_in_python(folder, headers) as url:
        tab = opened(browser, url + "tinygpt/")
        assert tab.page.evaluate("() => crossOriginIsolated") and len(tab.visits) == 1
        assert trains(tab) < 5.2
        refused = tab.run("from js import eval as javascript\njavascript('1')")
        assert not refused["ok"] and "unsafe-eval" in refused["error"], "the policy holds in the worker too"
        assert kept(tab)["problem"] is None
        assert tab.complaints == []
        tab.close()


def test_without_a_service_worker_the_page_has_one_thread_and_does_not_reload(browser, built):
    folder, _ = built
    with plain_host(folder) as (url, _):
        tab = Tab(browser, "about:blank", ready=False, service_workers="block")
        tab.page.goto(url + "tinygpt/")
        started(tab)
        assert "1 thread" in tab.text("#device") and "Training uses one thread" in tab.text("#banner")
        assert trains(tab) < 5.2
        tab.close()


def made(**changes):
    """serve.MADE with other contents for some of its paths."""
    return {
        **serve.MADE,
        **{path: ((lambda content=content: content), serve.MADE[path][1]) for path, content in changes.items()},
    }


def test_a_new_version_is_whole_before_it_is_offered_and_the_old_one_goes(browser, tmp_path):
    folder = tmp_path / "site"
    build.write(folder, serve.MADE, serve.TYPES, serve.ISOLATION)
    with plain_host(tmp_path) as (url, _):
        tab = opened(browser, url + "site/")
        first = kept(tab)
        train = (ROOT / "py/tinygpt/train.py").read_bytes() + b"\n# the newer one\n"
        build.write(folder, made(**{"/py/train.py": train}), serve.TYPES, serve.ISOLATION)
        tab.page.reload()
        started(tab)
        assert "the newer one" not in tab.page.evaluate("() => tinygpt.source()"), "not before it was asked for"
        tab.page.wait_for_selector("#new-version")
        assert kept(tab)["version"] == first["version"]
        assert tab.page.evaluate("async () => (await caches.keys()).length") == 2
        other = tab.context.new_page()
        other.goto(url + "site/")
        tab.page.click("#new-version")
        tab.wait("() => document.getElementById('status').textContent.includes('another tab')")
        other.close()
        with tab.page.expect_navigation():
            tab.page.click("#new-version")
        started(tab)
        assert "the newer one" in tab.page.evaluate("() => tinygpt.source()")
        second = kept(tab)
        assert second["version"] != first["version"] and second["problem"] is None
        until(tab, "async () => (await caches.keys()).length === 1")
        assert tab.page.locator("#new-version").count() == 0
        tab.close()


def test_a_file_that_is_not_the_builds_is_not_kept_and_the_page_still_has_its_threads(browser, tmp_path):
    build.write(tmp_path / "site", serve.MADE, serve.TYPES, serve.ISOLATION)
    with (tmp_path / "site" / "app" / "shell" / "tour.css").open("a") as file:
        file.write("/* what a host added */")
    with plain_host(tmp_path) as (url, _):
        tab = opened(browser, url + "site/")
        state = kept(tab)
        assert (
            state["problem"] == "app/shell/tour.css on the host is not the file of this version"
            and state["kept"] < state["files"]
        )
        assert tab.page.evaluate("() => crossOriginIsolated") and trains(tab) < 5.2
        tab.close()


def test_other_origins_pieces_and_posts_pass_the_service_worker_untouched(browser, built):
    folder, _ = built
    with plain_host(folder) as (url, _), host_in_python(folder, [("Access-Control-Allow-Origin", "*")]) as other:
        tab = opened(browser, url + "tinygpt/", bypass_csp=True)  # which allows https, and no host of a test
        kept(tab)
        (folder / "tinygpt" / "not-of-the-build.txt").write_text("from the host")
        found = tab.page.evaluate(
            """async (other) => {
            const text = async (answer) => [answer.status, (await answer.text()).slice(0, 13), answer.headers.get("X-Checksum")];
            const piece = await fetch("public/corpora/stdlib.txt", {headers: {Range: "bytes=10-19"}});
            return {
                other: await text(await fetch(other + "tinygpt/public/webapp.json")),
                more: await text(await fetch("not-of-the-build.txt")),
                post: (await fetch("public/webapp.json", {method: "POST", body: "x"})).status,
                piece: [piece.status, piece.headers.get("Content-Range"), (await piece.arrayBuffer()).byteLength],
                head: (await fetch("public/corpora/stdlib.txt", {method: "HEAD"})).headers.get("Content-Length"),
                gone: (await fetch("nowhere.txt")).status,
            };
        }""",
            other,
        )
        (folder / "tinygpt" / "not-of-the-build.txt").unlink()
        size = (folder / "tinygpt/public/corpora/stdlib.txt").stat().st_size
        assert found["other"][0] == 200 and found["other"][2] is None
        assert found["more"] == [200, "from the host", None] and found["post"] == 501 and found["gone"] == 404
        assert found["piece"] == [206, "bytes 10-19/%d" % size, 10] and found["head"] == str(size)
        tab.close()


NEIGHBOUR = """<!doctype html><title>Blog</title><script>addEventListener("message", ({data}) => (window.framed = data))</script>
<img src="%(other)sa.svg"><iframe src="%(other)sframe.html"></iframe><iframe src="../app/index.html"></iframe>"""
LOOK = """async () => {
    const headers = (await fetch("")).headers;
    return {
        picture: document.images[0].naturalWidth, frame: window.framed, isolated: crossOriginIsolated,
        headers: ["Cross-Origin-Embedder-Policy", "Content-Security-Policy"].map((name) => headers.get(name)),
    };
}"""


def test_another_page_of_the_site_keeps_its_pictures_and_frames_from_elsewhere(browser, tmp_path):
    build.write(tmp_path / "site", serve.MADE, serve.TYPES, serve.ISOLATION)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"/>')
    (elsewhere / "frame.html").write_text("<script>parent.postMessage('framed', '*')</script>")
    with plain_host(tmp_path / "site") as (url, _), plain_host(elsewhere) as (other, _):
        for folder in ("blog", "app/notes"):  # beside the build's files, and within its folders
            (tmp_path / "site" / folder).mkdir(parents=True)
            (tmp_path / "site" / folder / "index.html").write_text(NEIGHBOUR % {"other": other})
        site = url.replace("127.0.0.1", "localhost")
        tab = opened(browser, site)
        kept(tab)
        for folder in ("blog/", "app/notes/", "app/notes/index.html"):
            tab.page.goto(site + folder)
            tab.page.wait_for_load_state("load")
            assert tab.page.evaluate("() => navigator.serviceWorker.controller !== null")
            tab.wait("() => window.framed && document.images[0].complete")
            assert tab.page.evaluate(LOOK) == {
                "picture": 7,
                "frame": "framed",
                "isolated": False,
                "headers": [None, None],
            }
        tab.page.goto(site + "nowhere/")
        assert tab.page.evaluate("() => !crossOriginIsolated"), "the host's own page for what is not there"
        tab.page.goto(site)
        started(tab)
        assert tab.page.evaluate("() => crossOriginIsolated")
        tab.close()


def test_serve_on_the_port_of_a_build_takes_its_service_worker_away(browser, tmp_path):
    build.write(tmp_path / "site", serve.MADE, serve.TYPES, serve.ISOLATION)
    with plain_host(tmp_path / "site") as (url, _):
        tab = opened(browser, url)
        kept(tab)
    command = [sys.executable, "serve.py", "--no-open", "--port", url.split(":")[2].strip("/")]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline().startswith("Serving on")
        tab.page.reload()  # still the build, and the last time
        until(
            tab,
            "async () => (await navigator.serviceWorker.getRegistrations()).length === 0 && (await caches.keys()).length === 0",
        )
        tab.page.reload()
        started(tab)
        assert tab.page.evaluate(
            "() => !navigator.serviceWorker.controller && !document.querySelector('[rel=manifest]')"
        )
    finally:
        process.terminate()
        process.wait()
    tab.close()


def test_it_can_be_installed(browser, built, tmp_path):
    folder, _ = built
    kind = browser.browser_type  # an ordinary profile: a private window installs nothing
    context = kind.launch_persistent_context(
        str(tmp_path / "profile"), executable_path=adapters.chromium(), args=[*FLAGS, "--disable-gpu"]
    )
    with plain_host(folder) as (url, _):
        page = context.new_page()
        page.goto(url + "tinygpt/")
        wait_for(page, "() => globalThis.tinygpt && document.body.dataset.state === 'ready'")
        client = context.new_cdp_session(page)
        found = client.send("Page.getAppManifest")
        assert found["errors"] == [] and found["url"].endswith("/tinygpt/public/webapp.json")
        assert client.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
        assert client.send("Page.getAppId")["appId"] == url + "tinygpt/"
    context.close()


# ---- what is written ----


def test_only_what_the_page_needs_gets_in(built):
    folder, said = built
    files = sorted(
        path.relative_to(folder / "tinygpt").as_posix() for path in (folder / "tinygpt").rglob("*") if path.is_file()
    )
    assert [name for name in files if name.startswith(".") or "/." in name] == [".nojekyll"]
    assert not [name for name in files if re.search(r"test|node_modules|setup/|session/|pyscript|bytecode", name)]
    needed = {
        "index.html",
        "sw.js",
        "_headers",
        "app/main.js",
        "py/tinygpt.zip",
        "py/torch.zip",
        "py/defaults.json",
        "py/train.py",
        "public/webapp.json",
    }
    needed |= {"LICENSES.txt", "app/speed.html", "app/speed/speed_page.js", "public/speed.json", "public/roofline.json"}
    assert needed <= set(files)
    assert json.loads((folder / "tinygpt" / "build.json").read_text())["files"] == files
    assert "%d files" % len(files) in said and "public/vendor/" in said and "made by set-up" in said
    text = (folder / "tinygpt" / "index.html").read_text()
    assert not re.search(r'(?:src|href)="(?:/|https?:)', text), "every address is relative"


def test_the_icons_are_as_large_as_the_manifest_says():
    manifest = json.loads((ROOT / "public/webapp.json").read_text())
    sizes = set()
    for icon in manifest["icons"]:
        content = (ROOT / "public" / icon["src"]).read_bytes()
        if icon["type"] == "image/png":
            assert "%dx%d" % struct.unpack(">II", content[16:24]) == icon["sizes"]
            sizes.add((icon["sizes"], icon["purpose"]))
    assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= sizes


def small(monkeypatch):
    """A build of two files: what is tested is where it is written."""
    monkeypatch.setattr(build, "page_files", lambda made, types: {"index.html": b"page", "app/a.js": b"1"})
    return functools.partial(build.write, made={}, types=serve.TYPES, isolation=serve.ISOLATION)


def test_a_build_takes_the_place_of_an_earlier_one_only(monkeypatch, tmp_path):
    write = small(monkeypatch)
    write(tmp_path / "site")
    (tmp_path / "site" / "app" / "old.txt").write_text("mine")
    with pytest.raises(SetupError, match="holds app/old.txt, which no build wrote"):
        write(tmp_path / "site")
    (tmp_path / "site" / "app" / "old.txt").unlink()
    write(tmp_path / "site")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["site"], "nothing is left beside it"


def test_a_folder_with_other_things_a_file_and_the_sources_are_refused(monkeypatch, tmp_path):
    write = small(monkeypatch)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "thesis.txt").write_text("years")
    for folder, words in [
        (tmp_path / "docs", "not empty and is not an earlier build"),
        (tmp_path / "docs" / "thesis.txt", "is a file"),
        (ROOT / "app" / "site", "TinyGPT's own sources"),
        (ROOT, "TinyGPT's own sources"),
    ]:
        with pytest.raises(SetupError, match=words):
            write(folder)
    assert (tmp_path / "docs" / "thesis.txt").read_text() == "years"


def test_a_build_that_fails_leaves_what_was_there(monkeypatch, tmp_path):
    write = small(monkeypatch)
    write(tmp_path / "site")
    before = (tmp_path / "site" / "build.json").read_text()
    renames = []

    def rename(source, target, real=build.os.rename):
        renames.append(target)
        if len(renames) == 2:
            raise OSError("the disk is gone")
        real(source, target)

    monkeypatch.setattr(build.os, "rename", rename)
    with pytest.raises(SetupError, match="the disk is gone.*as it was"):
        write(tmp_path / "site")
    assert (tmp_path / "site" / "build.json").read_text() == before and [p.name for p in tmp_path.iterdir()] == ["site"]
