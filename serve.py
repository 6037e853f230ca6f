#!/usr/bin/env python3
"""Sets everything up, then serves the page on this machine only: `python3 serve.py [--port N]
[--no-open]`.

Needs Python 3.11 and Node.js 20 or newer, and nothing else installed. `tools/setup` says what is
placed where. What is served: app/ and public/ as they are, `/` as app/index.html, and four things
made at request time so that an edit shows on reload:

/py/tinygpt.zip    the packages py/tinygpt and py/tinygpt_session (tools/setup/bytecode.py)
/py/torch.zip      py/tinygpt/torch, for the first `import torch`
/py/train.py       what the editor opens with: the training loop; so /py/model.py, /py/generate.py
/py/defaults.json  the presets and every default, from py/tinygpt/config.py
/LICENSES.txt      the licences of everything that is served (tools/setup/licences.py)

/sw.js              takes away the service worker of a static build served on this port before

`--build DIR` writes the page as a folder for any static host instead (tools/setup/build.py).

Every answer carries the headers that make the page cross-origin isolated, since threads need
SharedArrayBuffer, and the content security of a static build. What a request may be is
tools/http_request.py's.
"""

import sys

if sys.version_info < (3, 11):  # before what an older Python cannot import
    sys.exit("TinyGPT needs Python 3.11 or newer, and this is Python %d.%d" % sys.version_info[:2])

import argparse
import gzip
import hashlib
import http.server
import io
import json
import runpy
import threading
import time
import webbrowser
from collections import OrderedDict
from pathlib import Path

from tools import setup
from tools.http_request import Refused, byte_range, check_host, parts_of, path_of, shown
from tools.setup import build, bytecode, licences

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "py" / "tinygpt"
TREES = ("app", "public")
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".wasm": "application/wasm",
    ".zip": "application/zip",
    ".whl": "application/octet-stream", ".py": "text/x-python; charset=utf-8", ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml", ".png": "image/png", ".tinygpt": "application/octet-stream",
    ".gz": "application/octet-stream",
    ".md": "text/plain; charset=utf-8",
}  # fmt: skip


# sent as gzip: the rest is compressed
PACKED = (".html", ".css", ".js", ".mjs", ".json", ".wasm", ".py", ".svg", ".txt")
MOST_PACKED = 32_000_000  # bytes of gzip that are kept: the page has 6 MB of them, and each edit adds a version
_packed = OrderedDict()  # ETag -> gzip of what it names; the one that was requested last is the last
_packing = threading.Lock()
# Without content security: the example of a page that uses PyScript, whose loader evaluates text,
# and the page that measures other trainers, which has an import map. A static build has neither.
UNRESTRICTED = ("/app/pyscript.html", "/public/vendor/pyscript/", "/tests/bench/peers/")
RUNTIME = "/public/vendor/pyodide/pyodide.asm.wasm"  # half a second of compression: done before somebody asks


def packed(etag, stream):
    """The gzip of a stream, made once. Its ETag names its contents."""
    with _packing:
        if etag in _packed:
            _packed.move_to_end(etag)
            return _packed[etag]
    content = gzip.compress(stream.read(), 6, mtime=0)  # unlocked: other files do not wait for it
    with _packing:
        _packed[etag] = content
        while len(_packed) > 1 and sum(map(len, _packed.values())) > MOST_PACKED:
            _packed.popitem(last=False)
    return content


def named(file):
    """The ETag of a file: files of one checkout may share a time and a size, so its path is in
    it."""
    stat = file.stat()
    return '"%x-%x-%s"' % (stat.st_mtime_ns, stat.st_size, hashlib.sha256(str(file).encode()).hexdigest()[:12])


def pack_runtime():
    if file := served_file(RUNTIME):
        with file.open("rb") as stream:
            packed(named(file), stream)


def defaults():
    """What the page's inputs start with: {presets: {name: {model, train}}, preset, train}, all from
    config.py.
    """
    config = runpy.run_path(str(PACKAGE / "config.py"))
    presets = {name: {"model": p.model.to_dict(), "train": p.train.to_dict()} for name, p in config["PRESETS"].items()}
    standard = config["ModelConfig"]().to_dict()
    chosen = next(name for name, preset in presets.items() if preset["model"] == standard)
    return json.dumps({"presets": presets, "preset": chosen, "train": config["TrainConfig"]().to_dict()}).encode()


# A static build on the same port leaves its service worker in the browser, which would go on
# showing that build.
NO_WORKER = b"""self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("tinygpt ")) await caches.delete(name);
  await self.registration.unregister();
})()));
"""
MADE = {
    "/py/tinygpt.zip": (bytecode.package_zip, ".zip"),
    "/py/torch.zip": (bytecode.torch_zip, ".zip"),
    **{
        "/py/" + name: (lambda name=name: (PACKAGE / name).read_bytes(), ".py")
        for name in ("train.py", "model.py", "generate.py")
    },
    "/py/defaults.json": (defaults, ".json"),
    "/LICENSES.txt": (licences.text, ".txt"),
}


def served_file(url_path):
    """The file that a URL path names, or None: only app/ and public/, no hidden files, nothing
    outside through `..` or a link.
    """
    if url_path == "/":
        return ROOT / "app" / "index.html"
    parts = parts_of(url_path)
    if not parts or parts[0] not in TREES:
        return None
    path = ROOT.joinpath(*parts)
    try:
        if path.suffix not in TYPES or not path.is_file() or not path.resolve().is_relative_to(ROOT / parts[0]):
            return None
    except (OSError, RuntimeError):  # a name that is too long for the system, a loop of links
        return None
    return path


class Arriving(io.RawIOBase):
    """What a client sends, until the deadline: a head that comes byte by byte has no more time than
    one that comes at once.
    """

    def __init__(self, connection):
        self.connection, self.deadline = connection, 0.0

    def readable(self):
        return True

    def readinto(self, buffer):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request did not come in time")
        self.connection.settimeout(left)
        return self.connection.recv_into(buffer)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "TinyGPT", ""
    isolated = True
    url_path = ""  # of the request, not decoded
    timeout = 60  # seconds for a request to come, and for a client to take a part of the answer
    disable_nagle_algorithm = True  # or an answer waits 40 ms for the client to acknowledge its head

    def setup(self):
        super().setup()
        self.rfile.close()
        self.arriving = Arriving(self.connection)
        self.rfile = io.BufferedReader(self.arriving)

    def handle_one_request(self):
        self.arriving.deadline = time.monotonic() + self.timeout
        super().handle_one_request()

    def parse_request(self):
        """As the base class; a request that is refused has had its answer."""
        self.url_path = ""
        if not super().parse_request():
            return False
        self.connection.settimeout(self.timeout)
        try:
            check_host(self.headers.get_all("Host", []))
            if self.command not in ("GET", "HEAD"):
                raise Refused(405, "this server answers GET and HEAD alone, not %s" % shown(self.command, 20))
            if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
                raise Refused(400, "a %s has no body here" % self.command)
            self.url_path = path_of(self.path)
        except Refused as refused:
            self.send_error(refused.status, str(refused))
            return False
        return True

    def do_GET(self):
        path = self.url_path
        if path in MADE:
            self._send_made(path, *MADE[path])
        elif path == "/sw.js":
            self._send_made(path, lambda: NO_WORKER, ".js")
        elif file := served_file(path):
            try:
                stream = file.open("rb")
            except OSError as error:  # it went meanwhile, or belongs to somebody else
                self._text(404, "%s cannot be read: %s\n" % (path, error.strerror))
                return
            with stream:
                self._send(file.suffix, named(file), file.stat().st_size, stream)
        else:
            self._text(404, "there is no %s here\n" % shown(path))

    do_HEAD = do_GET

    def _send_made(self, path, make, suffix):
        try:
            content = make()
        except Exception as error:  # a broken edit of config.py or a missing train.py: the page shows the sentence
            self._text(500, "%s could not be made: %s: %s\n" % (path, type(error).__name__, error))
        else:
            self._send(suffix, '"%s"' % hashlib.sha256(content).hexdigest()[:32], len(content), io.BytesIO(content))

    def _send(self, suffix, etag, size, stream):
        """The stream whole, or the one range that was asked for (the tab fetches wheels and texts
        in pieces), or 304.
        """
        if etag in self.headers.get("If-None-Match", ""):
            self.send_response(304)
            self.send_header("ETag", etag)
            self.end_headers()
            return
        taken = "gzip" in self.headers.get("Accept-Encoding", "") and "Range" not in self.headers
        gzipped = suffix in PACKED and size <= MOST_PACKED and taken
        if gzipped:
            content = packed(etag, stream)
            size, stream = len(content), io.BytesIO(content)
        start, end, status = 0, size, 200
        if "Range" in self.headers and self.headers.get("If-Range", etag) == etag:
            try:
                if part := byte_range(self.headers["Range"], size):
                    (start, end), status = part, 206
            except Refused as refused:
                self._text(refused.status, "%s\n" % refused, {"Content-Range": "bytes */%d" % size})
                return
        self.send_response(status)
        self.send_header("Content-Type", TYPES[suffix])
        self.send_header("Content-Length", str(end - start))
        if gzipped:
            self.send_header("Content-Encoding", "gzip")
        if suffix in PACKED:
            self.send_header("Vary", "Accept-Encoding")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", etag)
        if status == 206:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, end - 1, size))
        self.end_headers()
        if self.command == "GET":
            stream.seek(start)
            left = end - start
            while left and (part := stream.read(min(left, 1 << 18))):
                self.wfile.write(part)
                left -= len(part)
            self.close_connection |= left > 0  # the file became shorter

    def send_error(self, code, message=None, explain=None):
        """A refusal, the base class's too: one sentence, and the end of the connection."""
        self.close_connection = True
        self.command = getattr(self, "command", None) or "GET"
        self.request_version = "HTTP/1.1"  # HTTP/0.9 has no status line
        allow = {"Allow": "GET, HEAD"} if code == 405 else {}
        self._text(code, shown(message or self.responses[code][0]) + "\n", {"Connection": "close", **allow})

    def _text(self, status, text, headers=()):
        content = text.encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def end_headers(self):
        if self.isolated:
            for name, value in ISOLATION.items():
                self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        if not self.url_path.startswith(UNRESTRICTED):
            self.send_header("Content-Security-Policy", build.SECURITY)
        self.send_header("Cache-Control", "no-cache")  # asked again each time, answered with 304 where nothing changed
        super().end_headers()

    def log_request(self, code="-", size="-"):
        if isinstance(code, int) and code >= 400:
            self.log_message('"%s" %s', shown(getattr(self, "requestline", "")), code)

    def log_error(self, format, *args):
        pass  # a client that was too slow is no news


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # Two servers on one port would answer in turn: a port in use is an error, except on its way out
    # of a closed connection.
    allow_reuse_address = sys.platform != "win32"

    request_queue_size = 128
    most_connections = 200  # each is a thread; a browser has six

    def verify_request(self, request, client_address):
        return threading.active_count() < self.most_connections

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a tab that was closed half way is no news
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description="Set up and serve TinyGPT on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free port (default: %(default)s)")
    parser.add_argument("--no-open", action="store_true", help="do not open the page in the browser")
    parser.add_argument("--no-isolation", action="store_true", help="serve as a plain static host would: one thread")
    parser.add_argument(
        "--build", metavar="DIR", help="write the page into DIR, as files for any static host, and serve nothing"
    )
    options = parser.parse_args()
    try:
        setup.prepare()
        if options.build:
            print(build.write(options.build, MADE, TYPES, ISOLATION))
            return
    except setup.SetupError as error:
        sys.exit("set-up: %s" % error)
    except OSError as error:
        sys.exit("set-up: %s" % setup.explained(error, "the build"))
    except KeyboardInterrupt:
        sys.exit("set-up: stopped; the next start continues")
    Handler.isolated = not options.no_isolation
    try:
        server = Server(("127.0.0.1", options.port), Handler)
    except (OSError, OverflowError) as error:
        sys.exit(
            "port %d cannot be used (%s); choose another with --port, or --port 0 for any free one"
            % (options.port, error)
        )
    threading.Thread(target=pack_runtime, daemon=True).start()
    url = "http://127.0.0.1:%d/" % server.server_address[1]
    print("Serving on " + url, flush=True)
    if not options.no_open:
        webbrowser.open(url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("Stopped.")


if __name__ == "__main__":
    main()
