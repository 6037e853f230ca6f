"""The Chromium host where there is no Playwright: any browser that a command opens, driven over
HTTP by a script in the page.

TINYGPT_BROWSER names the command; the page's address is put at its end. This process serves the
page itself (serve.py's handler, no set-up: public/vendor must be there) with one more script, which
fetches the next request and posts the answers: Python goes through the page's own `tinygpt.run`,
JavaScript presses the page's buttons. `python3 -m tests.hosts.driven [variant]` speaks the other
hosts' line protocol.
"""

import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading

import serve as server

from . import HostError
from .chromium import Tab

SCRIPT = """<script type="module">
const post = (path, value) => fetch(path, { method: "POST", body: JSON.stringify(value) });
for (const kind of ["error", "unhandledrejection"])
  addEventListener(kind, (event) => post("/driver/log", String(event.message ?? event.reason)));
try {
  %s
  await post("/driver/answer", { ok: true });
} catch (error) {
  await post("/driver/answer", { ok: false, error: String(error) });
}
async function evaluate(script, argument) {
  const result = await (0, eval)(`(${script})`)(argument);
  if (!(result instanceof Blob)) return { ok: true, result: result ?? null };
  await fetch("/driver/file", { method: "POST", body: result });
  return { ok: true, result: result.size };
}
for (;;) {
  const answer = await fetch("/driver/next");
  if (answer.status !== 200) break;
  const { python, script, argument } = await answer.json();
  await post("/driver/answer", python !== undefined ? await tinygpt.run(python)
    : await evaluate(script, argument).catch((error) => ({ ok: false, error: String(error.stack ?? error) })));
}
</script></head>"""
UNTIL = "while (!globalThis.%s) await new Promise((resume) => setTimeout(resume, 20));"
READY = UNTIL % "tinygpt" + " await tinygpt.ready; await tinygpt.graphics;"


class Handler(server.Handler):
    orders = answers = files = None  # of the DrivenPage that it serves
    ready = READY  # JavaScript after which the page takes requests

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/":
            self.driven_page("app/index.html")
        elif path == "/driver/next":
            order = self.orders.get()
            self._content("application/json", json.dumps(order).encode(), 200 if order else 204)
        else:
            super().do_GET()

    def driven_page(self, name):
        """Sends a page of the tree with the driver in it."""
        script = SCRIPT.replace("%s", self.ready, 1).encode()
        self._content("text/html; charset=utf-8", (server.ROOT / name).read_bytes().replace(b"</head>", script, 1))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/driver/file":
            self.files.put(body)
        elif self.path == "/driver/answer":
            self.answers.put(json.loads(body))
        else:
            print("page: %s" % json.loads(body), file=sys.stderr, flush=True)
        self._content("text/plain", b"")

    def _content(self, kind, content, status=200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class DrivenPage:
    """A page in the browser that TINYGPT_BROWSER opens, at `path` of a server of its own."""

    def __init__(self, handler=Handler, path=""):
        self.queues = {name: queue.Queue() for name in ("orders", "answers", "files")}
        self.server = server.Server(("127.0.0.1", 0), type("Handler", (handler,), self.queues))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        url = "http://127.0.0.1:%d/%s" % (self.server.server_address[1], path)
        self.browser = subprocess.Popen(
            [*shlex.split(os.environ["TINYGPT_BROWSER"]), url], stdout=sys.stderr, start_new_session=True
        )
        answer = self._answer(120)
        if not answer["ok"]:
            self.close()
            raise HostError("the page did not become ready: %s" % answer["error"])

    def _answer(self, timeout=None):
        waited = 0
        while True:
            try:
                return self.queues["answers"].get(timeout=5)
            except queue.Empty:
                waited += 5
                if self.browser.poll() is not None or (timeout and waited >= timeout):
                    raise HostError("the browser ended or did not answer (status %s)" % self.browser.poll()) from None

    def evaluate(self, script, argument=None):
        """What a JavaScript function of the page gives for an argument; of a Blob, its bytes."""
        self.queues["orders"].put({"script": script, "argument": argument})
        answer = self._answer()
        if not answer["ok"]:
            raise HostError("in the page: %s" % answer["error"])
        files = self.queues["files"]
        return answer["result"] if files.empty() else files.get()

    def close(self):
        self.queues["orders"].put(None)
        try:
            os.killpg(self.browser.pid, signal.SIGTERM)
            self.browser.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        self.server.shutdown()


class DrivenTab(DrivenPage, Tab):
    """The page of TinyGPT. query: of its address."""

    console = ()

    def __init__(self, query=""):
        super().__init__(path="?" + query if query else "")
        self._push_tests()

    def _run(self, source):
        self.queues["orders"].put({"python": source})
        return self._answer()


if __name__ == "__main__":
    from .chromium import answer_lines

    variant = sys.argv[1] if len(sys.argv) > 1 else ""
    answer_lines(lambda: DrivenTab("variant=" + variant if variant and variant != "hardware" else ""))
