"""The engines that the page is driven in: how each is started with a session of WebDriver, and what
of it is on this machine.

chromium           Debian's, by chromedriver.
firefox            Firefox ESR, by Marionette.
firefox-current    the newest Firefox (install_current_firefox.sh).
firefox-gpu        the same with WebGPU on lavapipe (tests/hosts/adapters.py): a driver in software.
webkit             WebKitGTK with what Safari has and GTK's build leaves switched off: shared memory
                   and the private file system.
webkit-as-shipped  the same without them: no SharedArrayBuffer.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from tests.engines.webdriver import OverHttp, OverMarionette, Session, WebDriverError
from tests.hosts import adapters

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ("chromium", "firefox", "firefox-current", "webkit", "webkit-as-shipped")
CURRENT_FIREFOX = pathlib.Path.home() / ".cache" / "tinygpt-firefox" / "firefox"
MISSING = "%s is not on this machine; `bash tests/engines/install.sh` installs it"
QUIET = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
START_SECONDS = 180
# user.js of a fresh profile: nothing from the network, no page of its own at the start.
FIREFOX = {
    "marionette.port": 0,
    "app.normandy.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}
# Its WebGPU on a driver in software, in workers too.
FIREFOX_GPU = {
    "dom.webgpu.enabled": True,
    "dom.webgpu.workers.enabled": True,
    "gfx.webgpu.ignore-blocklist": True,
}
SAFARI = "AccessHandle,FileSystem,FileSystemWritableStream,StorageAPI,StorageAPIEstimate"


class MissingEngine(RuntimeError):
    """An engine, or what drives it, is not on this machine; the message names it."""


def command(name):
    path = shutil.which(name)
    if not path:
        raise MissingEngine(MISSING % name)
    return path


def mini_browser():
    found = sorted(pathlib.Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    if not found:
        raise MissingEngine(MISSING % "MiniBrowser")
    return str(found[-1])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(answer, what, process):
    """answer()'s first value that is true, while the process lives."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, "%s ended as it started, with %s" % (what, process.returncode)
        with contextlib.suppress(OSError, ValueError):
            if value := answer():
                return value
        time.sleep(0.1)
    raise AssertionError("%s did not start within %d s" % (what, START_SECONDS))


@contextlib.contextmanager
def running(arguments, **options):
    process = subprocess.Popen(arguments, **{**QUIET, **options})
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def firefox(folder, gpu=False, program="firefox-esr"):
    profile = folder / "profile"
    profile.mkdir()
    values = {True: "true", False: "false"}
    lines = [
        'user_pref("%s", %s);' % (name, values.get(value, value) if isinstance(value, bool) else value)
        for name, value in {**FIREFOX, **(FIREFOX_GPU if gpu else {})}.items()
    ]
    (profile / "user.js").write_text("\n".join(lines) + "\n")
    arguments = [command(program), "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    driver = adapters.environment("lavapipe") if gpu else {}
    with running(arguments, env={**os.environ, **driver}) as process:
        port = until(lambda: int((profile / "MarionetteActivePort").read_text()), "Firefox", process)
        yield OverMarionette(port)


@contextlib.contextmanager
def driver(name, arguments, capabilities, **options):
    port = free_port()
    with running([command(name), "--port=%d" % port, *arguments], **options) as process:
        yield until(lambda: OverHttp("http://127.0.0.1:%d" % port, capabilities), name, process)


@contextlib.contextmanager
def chromium(folder):
    arguments = [
        "--headless=new",
        "--no-sandbox",
        "--no-first-run",
        "--disable-gpu",
        "--user-data-dir=%s" % (folder / "profile"),
    ]
    options = {"binary": command("chromium"), "args": arguments}
    with driver("chromedriver", [], {"goog:chromeOptions": options}) as transport:
        yield transport


@contextlib.contextmanager
def screen():
    """A display without hardware: its name."""
    read, write = os.pipe()
    arguments = [command("Xvfb"), "-displayfd", str(write), "-screen", "0", "1600x2000x24", "-nolisten", "tcp"]
    with running(arguments, pass_fds=(write,)):
        os.close(write)
        with os.fdopen(read) as told:
            yield ":" + told.readline().strip()


@contextlib.contextmanager
def webkit(folder, safari):
    shim = folder / "kept_storage.so"
    subprocess.run([command("gcc"), "-shared", "-fPIC", "-o", shim, HERE / "kept_storage.c", "-ldl"], check=True)
    with screen() as display:
        environment = {
            **os.environ,
            "DISPLAY": display,
            "GDK_BACKEND": "x11",
            "GTK_A11Y": "none",
            "HOME": str(folder),
            "LC_ALL": "C",
            "LD_PRELOAD": str(shim),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "NO_AT_BRIDGE": "1",
            "TINYGPT_WEBKIT_DATA": str(folder / "data"),
            "TINYGPT_WEBKIT_CACHE": str(folder / "cache"),
            **({"JSC_useSharedArrayBuffer": "1"} if safari else {}),
        }
        arguments = ["--automation", *(["--features=" + SAFARI] if safari else [])]
        capabilities = {"webkitgtk:browserOptions": {"binary": mini_browser(), "args": arguments}}
        with driver("WebKitWebDriver", [], capabilities, env=environment) as transport:
            yield transport


@contextlib.contextmanager
def opened(name):
    """A Session of the engine, with a profile of its own that goes with it."""
    starts = {
        "chromium": chromium,
        "firefox": firefox,
        "firefox-current": lambda folder: firefox(folder, program=str(CURRENT_FIREFOX)),
        "firefox-gpu": lambda folder: firefox(folder, gpu=True),
        "webkit": lambda folder: webkit(folder, safari=True),
        "webkit-as-shipped": lambda folder: webkit(folder, safari=False),
    }
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        starts[name](pathlib.Path(folder)) as transport,
    ):
        session = Session(transport)
        try:
            yield session
        finally:
            with contextlib.suppress(OSError, WebDriverError):
                session.close()
