"""A peer library in Chromium, in a process of its own: `python3 -m tests.bench.peers.host
JOB_FOLDER [ADAPTER [future]]`.

Chromium under Playwright, or what TINYGPT_BROWSER opens (tests/hosts/driven.py). Serves
tests/bench/peers, the npm packages and the job's files with the page's own server and headers, and
answers one JSON request a line: {"open": {...}} builds the model in a fresh page, {"steps": n,
"warm": s, "seconds": s} times steps, {"close": true} empties the page.
"""

import contextlib
import io
import json
import os
import pathlib
import sys
import threading

import serve as server
from tests.hosts import ROOT, driven
from tests.hosts.chromium import PAIRING, launch

TREES = ("tests/bench/peers/", "node_modules/@jax-js/", "node_modules/@tensorflow/")
SUFFIXES = {".html", ".js", ".wasm", ".json"}


PAGE = "tests/bench/peers/page.html"


class Handler(driven.Handler):
    job = None  # the folder of the job's files
    ready = driven.UNTIL % "peer"

    def do_GET(self):
        path = self.path.partition("?")[0].lstrip("/")
        if path.startswith("driver/"):
            return super().do_GET()
        if path == PAGE and self.orders is not None:
            return self.driven_page(PAGE)
        file = self.job / path.removeprefix("job/") if path.startswith("job/") else ROOT / path
        known = path.startswith("job/") or (path.startswith(TREES) and file.suffix in SUFFIXES)
        if not known or ".." in path or not file.is_file():
            return self._text(404, "there is no %s here\n" % path)
        content = file.read_bytes()
        return self._send(
            file.suffix if file.suffix in SUFFIXES else ".gz", '"%x"' % hash(content), len(content), io.BytesIO(content)
        )


class Pages:
    """Playwright's one page, opened anew for each model."""

    def __init__(self, playwright, adapter, flags):
        pages = server.Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        self.address = "http://127.0.0.1:%d/%s" % (pages.server_address[1], PAGE)
        self.browser = launch(playwright, [PAIRING] if flags else [], adapter)
        self.page = self.browser.new_page()
        self.page.set_default_timeout(0)  # the peer's own time budget ends a measurement
        self.evaluate, self.close = self.page.evaluate, self.browser.close

    def open(self):
        self.page.goto(self.address)
        self.page.wait_for_function("globalThis.peer")

    def empty(self):
        self.page.goto("about:blank")


class DrivenPages:
    """The same without Playwright: a browser for each model."""

    page = None

    def open(self):
        self.empty()
        self.page = driven.DrivenPage(Handler, PAGE)

    def evaluate(self, script, argument):
        return self.page.evaluate(script, argument)

    def empty(self):
        if self.page:
            self.page.close()
        self.page = None

    close = empty


def serve(folder, adapter=None, flags=None):
    """Answers requests on standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    Handler.job = pathlib.Path(folder)
    with contextlib.ExitStack() as stack:
        if os.environ.get("TINYGPT_BROWSER"):
            pages = DrivenPages()
        else:
            from playwright.sync_api import sync_playwright

            pages = Pages(stack.enter_context(sync_playwright()), adapter, flags)
        answers.write("ready\n")
        answers.flush()
        for line in sys.stdin:
            answers.write(json.dumps(_answer(pages, json.loads(line))) + "\n")
            answers.flush()
        pages.close()


def _answer(pages, request):
    try:
        result = None
        if "open" in request:
            pages.open()
            result = pages.evaluate("(options) => peer.open(options)", request["open"])
        elif "steps" in request:
            result = pages.evaluate("(options) => peer.steps(options)", request)
        else:
            pages.empty()
        return {"ok": True, "result": result}
    except Exception as error:  # Playwright's kinds: the bench's row says what was wrong
        return {"ok": False, "error": str(error).split("\n")[0]}


if __name__ == "__main__":
    serve(*(argument or None for argument in sys.argv[1:]))
