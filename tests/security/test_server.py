"""The server gives out what it should and nothing else, whatever a client sends: request targets,
Host headers, ranges, and clients that are slow.
"""

import io
import itertools
import os
import re
import socket
import threading
import time
import urllib.parse
from collections import OrderedDict

import pytest

import serve
from tests.security.figures import record
from tools.http_request import Refused, check_host, path_of

SECRET = b"nobody is given this"
PAGE = b"the page's program"


class Quiet(serve.Handler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A checkout of two files that are served, and secrets around them and behind links."""
    outside = tmp_path_factory.mktemp("outside")
    root = outside / "checkout"
    for folder in ("app/sub", "public/corpora", "py/tinygpt", ".git", "app/.hidden", "../elsewhere"):
        (root / folder).mkdir(parents=True)
    for name in ("app/main.js", "public/corpora/a.txt"):
        (root / name).write_bytes(PAGE)
    secrets = ("serve.py", "x.js", ".git/x.js", "app/.x.js", "app/.hidden/x.js", "app/x.secret", "py/tinygpt/x.js")
    for name in (*secrets, "../x.js", "../elsewhere/x.js"):
        (root / name).write_bytes(SECRET)
    (root / "app" / "link.js").symlink_to(root / "x.js")
    (root / "app" / "links").symlink_to(outside / "elsewhere")
    (root / "app" / "up").symlink_to("..")
    (root / "app" / "loop.js").symlink_to("loop.js")
    os.mkfifo(root / "app" / "pipe.js")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve, "ROOT", root)
        patch.setattr(serve, "MADE", {})
        yield root


@pytest.fixture(scope="module")
def server(tree):
    server = serve.Server(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def answers(server, content, wait=20):
    """All that comes back for these bytes, until the server ends the connection or says nothing
    more: [(status, {header: value}, body)].
    """
    with socket.create_connection(server.server_address[:2], timeout=wait) as client:
        threading.Thread(target=_send, args=(client, content), daemon=True).start()
        stream = client.makefile("rb")
        found = []
        while line := stream.readline():
            status = int(re.fullmatch(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n", line)[1])
            headers = {}
            while (line := stream.readline()) not in (b"\r\n", b""):
                name, _, value = line.decode().partition(":")
                assert name not in headers, "a header twice"
                headers[name] = value.strip()
            body = stream.read(int(headers.get("Content-Length", 0))) if status != 304 else b""
            found.append((status, headers, body))
        return found


def _send(client, content):
    try:
        client.sendall(content)
        client.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it was answered before its end


def request(target, host="localhost", method="GET", **headers):
    lines = ["%s %s HTTP/1.1" % (method, target), *(["Host: " + host] if host is not None else [])]
    lines += ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def traversals():
    """Paths that would lead to a secret if they were decoded, joined or cut in another way."""
    ups = "..|%2e%2e|.%2e|%2E.|%252e%252e|..%00|..;|...|....|%c0%ae%c0%ae|%uff0e%uff0e|..%20|..%0d|..%ff|.|~|up|links"
    slashes = "/|//|%2f|%5c|\\|%252f|%c0%af|/./|;/|%00/|%09/|/%20/".split("|")
    starts = "/app|/public|/app/sub|/public/corpora|/py|/PUBLIC|/app/up|//app|/./app|/app%2f|/%61pp|/x|".split("|")
    ends = "serve.py|x.js|.git/x.js|app/x.secret|py/tinygpt/x.js|.x.js|.hidden/x.js|elsewhere/x.js"
    for start, slash, up, end in itertools.product(starts, slashes, ups.split("|"), ends.split("|")):
        yield "%s%s%s%s%s" % (start, slash, up, slash, end)
        yield "%s%s%s%s" % (start, slash, (up + slash) * 3, end)


def test_no_path_leads_out_of_what_is_served(tree):
    allowed = {tree / "app" / "main.js", tree / "public" / "corpora" / "a.txt", tree / "app" / "index.html"}
    tried, out = 0, []
    for path in traversals():
        tried += 1
        try:
            file = serve.served_file(path_of(path))
        except Refused as refused:
            assert 400 <= refused.status < 500
            continue
        if file is not None and file not in allowed:
            out.append((path, file))
    record("server: paths", tried, tried - len(out))
    assert tried > 20_000 and out == []


def test_paths_over_a_socket_are_one_4xx_each(server):
    paths = list(itertools.islice((path for path in traversals() if path.isascii()), 0, None, 29))
    assert len(paths) > 1000
    for first in range(0, len(paths), 50):
        # A target that is refused ends its connection, so those go alone.
        several, alone = [], []
        for path in paths[first : first + 50]:
            try:
                several.append(path_of(path))
            except Refused:
                alone.append(path)
        got = answers(server, b"".join(request(path) for path in several))
        got += [answer for path in alone for answer in answers(server, request(path))]
        assert len(got) == len(several) + len(alone)
        assert not [body for _, _, body in got if SECRET in body]
        assert {status for status, _, body in got if body != PAGE} <= {400, 404}
    record("server: paths", len(paths), len(paths))


LONG = "/app/" + "a" * 300 + ".js"
ODD = [
    "http://localhost/app/main.js",
    "http://evil.example/app/main.js",
    "https://localhost:1/",
    "localhost:80",
    "*",
    "app/main.js",
    "/app/\x00main.js",
    "/app/main.js\x00",
    "/%00",
    "/app/main.js%00",
    "/app/%",
    "/app/%2",
    "/app/%zz",
    "/app/main.js%",
    "/app/main.js#x",
    "/\x01",
    "/\x7f",
    "/\xff\xfe",
    "/\xc3\xa9.js",
    "/%ff%fe",
    "/%c3%28",
    "/%ed%a0%80.js",
    LONG,
    LONG * 10,
    "/app/" + "a/" * 1900 + "x.js",
    "/" + "a" * 4096,
    "/" + "a" * 60_000,
    "/" + "a" * 70_000,
    "/app/main.js?%zz",
    "//localhost/app/x.js",
    "///",
    "/app/loop.js",
    "/app/pipe.js",
    "/app/link.js",
    "/app/links/x.js",
    "/app/up/x.js",
    "/app/sub",
    "/app/CON",
    "/app/main.js/",
    "/app/main.js/x.js",
    "/[",
    "/]",
    "//[",
    "/\u00a0".encode().decode("latin-1"),
    "/?" + "x" * 5000,
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_an_odd_target_is_one_4xx_with_a_sentence(server, odd):
    ((status, headers, body),) = answers(server, request(odd))
    assert 400 <= status < 500 and SECRET not in body
    assert headers["Content-Type"] == "text/plain; charset=utf-8" and body.endswith(b"\n") and len(body) < 400
    assert headers["X-Content-Type-Options"] == "nosniff" and "Content-Security-Policy" in headers
    record("server: requests", 1, 1)


@pytest.mark.parametrize(
    "content, statuses",
    [
        (b"GET\r\n\r\n", [400]),
        (b"GET /app/main.js\r\n\r\n", [400]),  # HTTP/0.9
        (b"GET /app/main.js HTTP/1.1\r\n\r\n", [400]),  # no Host
        (b"GET /app/main.js HTTP/1.0\r\n\r\n", [400]),
        (b"GET /app/main.js HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", [400]),
        (b"GET /app/a b HTTP/1.1\r\nHost: localhost\r\n\r\n", [400]),
        (b"GET /app/main.js XTTP/1.1\r\nHost: localhost\r\n\r\n", [400]),
        (b"GET /app/main.js HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n", [431]),
        (b"GET /app/main.js HTTP/1.1\r\nHost: localhost\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", [431]),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", [405]),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", [405]),
        (b"get /app/main.js HTTP/1.1\r\nHost: localhost\r\n\r\n", [405]),
        # A second request in the body of a first.
        (b"GET /app/main.js HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n\r\n" + request("/app/x"), [400]),
        (b"GET /app/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
        (bytes(range(1, 256)) + b"\r\n\r\n", [400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", [400]),  # TLS
        (request("/app/main.js") * 3, [200, 200, 200]),
        (request("/app/main.js", "[::1]:8000") + request("/app/x.js"), [200, 404]),
    ],
    ids=range(18),
)
def test_a_malformed_request_has_one_answer(server, content, statuses):
    found = answers(server, content)
    assert [status for status, _, _ in found] == statuses
    record("server: requests", 1, 1)


OWN = (
    "localhost LOCALHOST localhost:8000 localhost. 127.0.0.1 127.0.0.1:65535 127.1.2.3 [::1] "
    "[::1]:8000 [0:0:0:0:0:0:0:1] "
).split()
FOREIGN = (
    "evil.example evil.example:8000 127.0.0.1.nip.io localhost.evil.example "
    "127.0.0.1@evil.example localhost@evil.example 0.0.0.0 0 2130706433 127.1 0x7f.0.0.1 "
    "127.0.0.256 127.0.0.1. [::] [::2] ::1 [::ffff:10.0.0.1] 192.168.0.1 a.localhost "
    "localhost:x localhost: localhost:80:80 localhost:0 localhost:65536 localhost:123456 "
    "localhost/ localhost,evil.example localhost\tx \xb2 127.0.0.1\u00a0 [::1 "
).split(" ")[:-1]


def test_only_loopback_names_are_answered(server):
    for host in OWN:
        assert [(status, body) for status, _, body in answers(server, request("/app/main.js", host))] == [
            (200, PAGE)
        ], host
    for host in [*FOREIGN, ""]:
        ((status, _, body),) = answers(server, request("/app/main.js", host))
        assert status in (400, 421) and PAGE not in body, host
        assert answers(server, request("/", host))[0][0] == status
    with pytest.raises(Refused, match="not to evil.example: open it by one of them"):
        check_host(["evil.example"])
    record("server: hosts", len(FOREIGN) + 1, len(FOREIGN) + 1)


@pytest.mark.parametrize(
    "asked, status, want",
    [
        ("bytes=0-0", 206, slice(0, 1)),
        ("bytes=2-", 206, slice(2, None)),
        ("bytes=-3", 206, slice(-3, None)),
        ("bytes=-999", 206, slice(None)),
        ("bytes=1-" + "9" * 5000, 206, slice(1, None)),
        ("bytes=%s1-2" % ("0" * 5000), 206, slice(1, 3)),
        ("bytes=%s-" % ("9" * 5000), 416, None),
        ("bytes=999-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=3-2", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
        ("bytes=0-1,3-4", 200, slice(None)),
        ("bytes=" + "0-1," * 5000, 200, slice(None)),
        ("bytes=\xb2-\xb3", 200, slice(None)),
        ("bytes=-1-2", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
        ("", 200, slice(None)),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_range_of_any_kind(server, asked, status, want):
    ((got, headers, body),) = answers(server, request("/app/main.js", Range=asked))
    assert got == status
    if status == 416:
        assert headers["Content-Range"] == "bytes */%d" % len(PAGE)
    else:
        assert body == PAGE[want]
    if status == 206:
        start = PAGE.index(body)
        assert headers["Content-Range"] == "bytes %d-%d/%d" % (start, start + len(body) - 1, len(PAGE))
    record("server: requests", 1, 1)


def test_a_range_of_another_version_is_the_whole_file(server):
    ((_, headers, _),) = answers(server, request("/app/main.js"))
    for etag, status in ((headers["ETag"], 206), ('"older"', 200)):
        assert answers(server, request("/app/main.js", Range="bytes=1-2", If_Range=etag))[0][0] == status


def test_a_file_that_cannot_be_opened_is_404(server, tree, monkeypatch):
    def gone(path, mode):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tree), "open", gone)
    ((status, _, body),) = answers(server, request("/app/main.js"))
    assert (status, body) == (404, b"/app/main.js cannot be read: Permission denied\n")


@pytest.mark.parametrize(
    "sent", [b"", b"GET /app/main.js HTTP/1.1\r\nHost: localhost\r\nA: "], ids=["nothing", "a head"]
)
def test_a_connection_that_is_slow_ends(server, sent, monkeypatch):
    """Also one that sends a byte now and then."""
    monkeypatch.setattr(Quiet, "timeout", 0.4)
    begun = time.monotonic()
    with socket.create_connection(server.server_address[:2], timeout=10) as client:
        client.sendall(sent)
        while time.monotonic() - begun < 10:
            client.settimeout(0.1)
            try:
                if client.recv(1) == b"":
                    break
            except TimeoutError:
                if sent:
                    client.sendall(b"b")
            except ConnectionError:
                break
    assert 0.3 < time.monotonic() - begun < 8
    record("server: slow clients", 1, 1)


def test_slow_clients_keep_nobody_out_and_their_number_is_bounded(server, monkeypatch):
    monkeypatch.setattr(server, "most_connections", threading.active_count() + 30)
    clients = [socket.create_connection(server.server_address[:2], timeout=10) for _ in range(20)]
    for client in clients:
        client.sendall(b"GET /app/main.js HTT")
    assert answers(server, request("/app/main.js"))[0][0] == 200
    clients += [socket.create_connection(server.server_address[:2], timeout=10) for _ in range(60)]
    time.sleep(0.3)
    assert threading.active_count() <= server.most_connections + 1
    for client in clients:
        client.close()
    for _ in range(100):
        if threading.active_count() < server.most_connections - 20:
            break
        time.sleep(0.05)
    assert answers(server, request("/app/main.js"))[0][0] == 200
    record("server: slow clients", len(clients), len(clients))


def test_what_is_kept_compressed_is_bounded(monkeypatch):
    monkeypatch.setattr(serve, "_packed", OrderedDict())
    monkeypatch.setattr(serve, "MOST_PACKED", 10_000)
    for i in range(200):
        first = serve.packed("first", io.BytesIO(os.urandom(900)))  # is used again and again, so it stays
        serve.packed("etag %d" % i, io.BytesIO(os.urandom(900)))
    assert sum(map(len, serve._packed.values())) <= 10_000 and len(serve._packed) > 5
    assert serve._packed["first"] is first is serve.packed("first", None)


def test_every_answer_has_the_content_security_of_the_static_build(server):
    for path in ("/app/main.js", "/nothing", "/%"):
        ((_, headers, _),) = answers(server, request(path))
        assert headers["Content-Security-Policy"] == serve.build.SECURITY, path
    quoted = urllib.parse.quote("/app/main.js")
    assert answers(server, request(quoted))[0][2] == PAGE
