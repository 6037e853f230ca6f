#!/usr/bin/env python3
"""Sets everything up, then serves the page on this machine only: `python3 serve.py [--port N] [--no-open]`.

Needs Python 3.11 and Node.js 20 or newer, and nothing else installed. `app/setup` says what is placed where. What is served:
app/ and public/ as they are, `/` as app/index.html, and three things made at request time so that an edit shows on reload:

/py/tinygpt.zip    the package py/tinygpt, and app/session as the package tinygpt_session (app/setup/bytecode.py)
/py/train.py       what the editor opens with: the training loop, and so /py/model.py and /py/generate.py
/py/defaults.json  the presets and every default, from py/tinygpt/config.py

/sw.js              takes away the service worker of a static build that was served on this port before

`--build DIR` writes the page as a folder for any static host instead (app/setup/build.py).

Every answer carries the headers that make the page cross-origin isolated: threads need SharedArrayBuffer.
"""

import argparse
import gzip
import hashlib
import http.server
import io
import json
import re
import runpy
import sys
import threading
import urllib.parse
import webbrowser
from pathlib import Path

from app import setup
from app.setup import build, bytecode

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
    ".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".wasm": "application/wasm", ".zip": "application/zip",
    ".whl": "application/octet-stream", ".py": "text/x-python; charset=utf-8", ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml", ".png": "image/png", ".tinygpt": "application/octet-stream", ".gz": "application/octet-stream",
    ".md": "text/plain; charset=utf-8",
}  # fmt: skip


PACKED = (".html", ".css", ".js", ".mjs", ".json", ".wasm", ".py", ".svg")  # sent as gzip: texts are read in pieces, the rest is compressed
_packed = {}  # ETag -> gzip of what it names
RUNTIME = "/public/vendor/pyodide/pyodide.asm.wasm"  # half a second of compression: done before somebody asks


def packed(etag, stream):
    """The gzip of a stream, made once. Its ETag names its contents."""
    if etag not in _packed:
        _packed[etag] = gzip.compress(stream.read(), 6, mtime=0)
    return _packed[etag]


def named(file):
    """The ETag of a file: files of one checkout may share a time and a size, so its path is in it."""
    stat = file.stat()
    return '"%x-%x-%s"' % (stat.st_mtime_ns, stat.st_size, hashlib.sha256(str(file).encode()).hexdigest()[:12])


def pack_runtime():
    if file := served_file(RUNTIME):
        with file.open("rb") as stream:
            packed(named(file), stream)


def defaults():
    """What the page's inputs start with: {presets: {name: {model, train}}, preset, train}, all from config.py."""
    config = runpy.run_path(str(PACKAGE / "config.py"))
    presets = {name: {"model": p.model.to_dict(), "train": p.train.to_dict()} for name, p in config["PRESETS"].items()}
    standard = config["ModelConfig"]().to_dict()
    chosen = next(name for name, preset in presets.items() if preset["model"] == standard)
    return json.dumps({"presets": presets, "preset": chosen, "train": config["TrainConfig"]().to_dict()}).encode()


# A static build on the same port leaves its service worker in the browser, which would go on showing that build.
NO_WORKER = b"""self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("tinygpt ")) await caches.delete(name);
  await self.registration.unregister();
})()));
"""
MADE = {
    "/py/tinygpt.zip": (bytecode.package_zip, ".zip"),
    **{"/py/" + name: (lambda name=name: (PACKAGE / name).read_bytes(), ".py") for name in ("train.py", "model.py", "generate.py")},
    "/py/defaults.json": (defaults, ".json"),
}


def served_file(url_path):
    """The file that a URL path names, or None: only app/ and public/, no hidden files, nothing outside through `..` or a link."""
    if url_path == "/":
        return ROOT / "app" / "index.html"
    parts = urllib.parse.unquote(url_path).split("/")[1:]
    if parts[0] not in TREES or any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        return None
    path = ROOT.joinpath(*parts)
    if path.suffix not in TYPES or not path.is_file() or not path.resolve().is_relative_to(ROOT / parts[0]):
        return None
    return path


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "TinyGPT", ""
    isolated = True

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        if path in MADE:
            self._send_made(path, *MADE[path])
        elif path == "/sw.js":
            self._send_made(path, lambda: NO_WORKER, ".js")
        elif file := served_file(path):
            with file.open("rb") as stream:
                self._send(file.suffix, named(file), file.stat().st_size, stream)
        else:
            self._text(404, "there is no %s here\n" % path)

    do_HEAD = do_GET

    def _send_made(self, path, make, suffix):
        try:
            content = make()
        except Exception as error:  # a broken edit of config.py or a missing train.py: the page shows the sentence
            self._text(500, "%s could not be made: %s: %s\n" % (path, type(error).__name__, error))
        else:
            self._send(suffix, '"%s"' % hashlib.sha256(content).hexdigest()[:32], len(content), io.BytesIO(content))

    def _send(self, suffix, etag, size, stream):
        """The stream whole, or the one range that was asked for (the tab fetches wheels and texts in pieces), or 304."""
        if etag in self.headers.get("If-None-Match", ""):
            self.send_response(304)
            self.send_header("ETag", etag)
            self.end_headers()
            return
        gzipped = suffix in PACKED and "Range" not in self.headers and "gzip" in self.headers.get("Accept-Encoding", "")
        if gzipped:
            content = packed(etag, stream)
            size, stream = len(content), io.BytesIO(content)
        start, end, status = 0, size, 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            start, end, status = int(asked[1]), min(int(asked[2] or size - 1) + 1, size), 206
            if start >= end:
                self._text(416, "the range is outside the %d bytes\n" % size)
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
        if asked:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, end - 1, size))
        self.end_headers()
        if self.command == "GET":
            stream.seek(start)
            left = end - start
            while left and (part := stream.read(min(left, 1 << 18))):
                self.wfile.write(part)
                left -= len(part)

    def _text(self, status, text):
        content = text.encode()
        self.send_response(status)
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
        self.send_header("Cache-Control", "no-cache")  # asked again each time, answered with 304 where nothing changed
        super().end_headers()

    def log_request(self, code="-", size="-"):
        if isinstance(code, int) and code >= 400:
            super().log_request(code, size)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # Two servers on one port would answer in turn: a port in use is an error, except on its way out of a closed connection.
    allow_reuse_address = sys.platform != "win32"

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a tab that was closed half way is no news
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description="Set up and serve TinyGPT on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free port (default: %(default)s)")
    parser.add_argument("--no-open", action="store_true", help="do not open the page in the browser")
    parser.add_argument("--no-isolation", action="store_true", help="serve as a plain static host would: one thread")
    parser.add_argument("--build", metavar="DIR", help="write the page into DIR, as files for any static host, and serve nothing")
    options = parser.parse_args()
    try:
        setup.prepare()
        if options.build:
            print(build.write(options.build, MADE, TYPES, ISOLATION))
            return
    except setup.SetupError as error:
        sys.exit("set-up: %s" % error)
    Handler.isolated = not options.no_isolation
    try:
        server = Server(("127.0.0.1", options.port), Handler)
    except (OSError, OverflowError) as error:
        sys.exit("port %d cannot be used (%s); choose another with --port, or --port 0 for any free one" % (options.port, error))
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
