"""A peer library in Chromium, in a process of its own: `python3 -m tests.bench.peers.host JOB_FOLDER [ADAPTER]`.

Serves tests/bench/peers, the npm packages and the job's files with the page's own server and headers, and answers one JSON request a line:
{"open": {...}} builds the model in a fresh page, {"steps": n, "warm": s, "seconds": s} times steps, {"close": true} empties the page.
"""

import io
import json
import os
import pathlib
import sys
import threading

import serve as server
from tests.hosts import ROOT
from tests.hosts.chromium import launch

TREES = ("tests/bench/peers/", "node_modules/@jax-js/", "node_modules/@tensorflow/")
SUFFIXES = {".html", ".js", ".wasm", ".json"}


class Handler(server.Handler):
    job = None  # the folder of the job's files

    def do_GET(self):
        path = self.path.partition("?")[0].lstrip("/")
        file = self.job / path.removeprefix("job/") if path.startswith("job/") else ROOT / path
        known = path.startswith("job/") or (path.startswith(TREES) and file.suffix in SUFFIXES)
        if not known or ".." in path or not file.is_file():
            self._text(404, "there is no %s here\n" % path)
            return
        content = file.read_bytes()
        self._send(file.suffix if file.suffix in SUFFIXES else ".gz", '"%x"' % hash(content), len(content), io.BytesIO(content))


def serve(folder, adapter):
    """Answers requests on standard input until it ends."""
    from playwright.sync_api import sync_playwright

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    Handler.job = pathlib.Path(folder)
    pages = server.Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    address = "http://127.0.0.1:%d/tests/bench/peers/page.html" % pages.server_address[1]
    with sync_playwright() as playwright:
        browser = launch(playwright, adapter=adapter)
        page = browser.new_page()
        page.set_default_timeout(0)  # the peer's own time budget ends a measurement
        answers.write("ready\n")
        answers.flush()
        for line in sys.stdin:
            answers.write(json.dumps(_answer(page, address, json.loads(line))) + "\n")
            answers.flush()
        browser.close()


def _answer(page, address, request):
    try:
        if "open" in request:
            page.goto(address)
            page.wait_for_function("globalThis.peer")
            result = page.evaluate("(options) => peer.open(options)", request["open"])
        elif "steps" in request:
            result = page.evaluate("(options) => peer.steps(options)", request)
        else:
            result = page.goto("about:blank") and None
        return {"ok": True, "result": result}
    except Exception as error:  # Playwright's kinds: the bench's row says what was wrong
        return {"ok": False, "error": str(error).split("\n")[0]}


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
