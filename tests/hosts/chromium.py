"""The Chromium host: the real page, served by serve.py, driven by Playwright through the page's own
`tinygpt.run`.

As a program (`python3 -m tests.hosts.chromium [variant]`) it answers one JSON request a line, as
the other hosts do: Playwright's synchronous interface allows one user in a process, and the browser
tests are that user in pytest's.
"""

import base64
import json
import os
import socket
import subprocess
import sys
import threading

from . import ROOT, HostError, adapters

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# What chrome://flags calls "Future V8 VM features": with it V8 makes one vector of 256 bits of two
# neighbours.
PAIRING = "--enable-features=V8VmFuture"
EVALUATE = """async (argument) => {
    const value = await (%s)(argument);
    if (!(value instanceof Blob)) return {value: value ?? null};
    const reader = new FileReader();
    const read = new Promise((resolve) => (reader.onload = () => resolve({blob: reader.result})));
    reader.readAsDataURL(value);
    return read;
}"""
# Characters of base64 in one message to the page, less than a source may have; a multiple of 4, so
# that each piece decodes alone.
CHUNK = 3 * 2**18


class Server:
    """`python3 serve.py` on a free port, until close()."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "serve.py", "--port", str(port), "--no-open"]
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("Serving on "):
                self.url = line.split()[2]
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        raise HostError("serve.py ended before it served:\n" + "".join(said[-40:]))

    def close(self):
        self.process.terminate()
        self.process.wait()


def launch(playwright, flags=(), adapter=None):
    """A headless Chromium under Playwright. adapter: the GPU that its pages see
    (tests/hosts/adapters.py).
    """
    executable, more, environment = adapters.browser(adapter) if adapter else (adapters.chromium(), (), {})
    return playwright.chromium.launch(
        executable_path=executable, args=[*FLAGS, *more, *flags], env={**os.environ, **environment}
    )


class Tab:
    """A page that runs sources: `_run(source)` gives the outcome of the page's `tinygpt.run`."""

    console = ()

    def _push_tests(self):
        """The tests' own Python modules, so that `tests` imports in the tab as it does
        elsewhere."""
        tree = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "tests").rglob("*.py")}
        for names in (list(tree)[i : i + 40] for i in range(0, len(tree), 40)):  # a source has a limited length
            self._python(
                "import json, pathlib, sys\n"
                "for _name, _text in json.loads(%r).items():\n"
                "    _path = pathlib.Path('/tinygpt-tests') / _name\n"
                "    _path.parent.mkdir(parents=True, exist_ok=True)\n"
                "    _ = _path.write_text(_text)" % json.dumps({name: tree[name] for name in names})
            )
        self._python("sys.path.append('/tinygpt-tests')\nfrom tests.hosts import snippet as _snippet")

    def _python(self, source):
        answer = self._run(source)
        if not answer["ok"]:
            raise HostError("in the page: %s\n%s" % (answer["error"], "\n".join(self.console[-30:])))
        return answer["result"]

    def request(self, request):
        """A request of `snippet.execute`, or {"script", "argument"} for the page itself; the answer
        is JSON. Files go first, in pieces.
        """
        if "script" in request:
            try:
                return json.dumps({"ok": True, "result": self.evaluate(request["script"], request["argument"])})
            except Exception as error:  # Playwright's own kinds: reported to the caller, and the page continues
                return json.dumps({"ok": False, "error": str(error)})
        for name, text in (request.pop("files") or {}).items():
            for begin in range(0, max(len(text), 1), CHUNK):
                piece = text[begin : begin + CHUNK]
                self._python(
                    "from tests.hosts import snippet; snippet.append_file(%r, %r, %r)" % (name, piece, begin == 0)
                )
        return self._python("from tests.hosts import snippet; snippet.execute(%r)" % json.dumps(request))


class Page(Tab):
    """The page in one tab under Playwright. variant: the extension's build that the page loads
    (`?variant=`), or an adapter.
    """

    def __init__(self, variant=None):
        from playwright.sync_api import sync_playwright

        self.server = Server()
        self.playwright = sync_playwright().start()
        adapter = variant if variant in adapters.NAMES else None
        self.browser = launch(self.playwright, [PAIRING] if variant == "paired-mt" else [], adapter)
        self.page = self.browser.new_page()
        self.page.set_default_timeout(600_000)
        self.console = []
        self.page.on("console", lambda message: self.console.append("%s: %s" % (message.type, message.text)))
        self.page.on("pageerror", lambda error: self.console.append("page error: %s" % error))
        self.page.goto(self.server.url + ("?variant=%s" % variant if variant and not adapter else ""))
        try:
            self.page.wait_for_function("globalThis.tinygpt && tinygpt.ready", timeout=60_000)
            self.page.evaluate("async () => { await tinygpt.ready; await tinygpt.graphics }")
        except Exception as error:
            self.close()
            raise HostError("the page did not become ready: %s\n%s" % (error, "\n".join(self.console[-30:]))) from None
        self._push_tests()

    def _run(self, source):
        return self.page.evaluate("(source) => tinygpt.run(source)", source)

    def evaluate(self, script, argument=None):
        """What a JavaScript function of the page gives for an argument; of a Blob, its bytes."""
        answer = self.page.evaluate(EVALUATE % script, argument)
        return base64.b64decode(answer["blob"].partition(",")[2]) if "blob" in answer else answer["value"]

    def close(self):
        self.browser.close()
        self.playwright.stop()
        self.server.close()


def answer_lines(open_tab):
    """The line protocol of the hosts on standard input and output, for one tab."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    tab = open_tab()
    try:
        answers.write("ready\n")
        answers.flush()
        for line in sys.stdin:
            answers.write(tab.request(json.loads(line)) + "\n")
            answers.flush()
    finally:
        tab.close()


if __name__ == "__main__":
    answer_lines(lambda: Page(sys.argv[1] if len(sys.argv) > 1 else ""))
