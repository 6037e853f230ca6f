"""The server: only the files it should serve, with the headers and types that the page needs.
Set-up that says what is wrong.
"""

import gzip
import hashlib
import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

import serve
from tinygpt import config
from tools.setup import Progress, SetupError, bytecode, extension, packages, runtime, wheels

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.by_file


@pytest.fixture(scope="module")
def port():
    server = serve.Server(("127.0.0.1", 0), serve.Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def get(port, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/", "text/html; charset=utf-8"),
        ("/app/main.js", "text/javascript; charset=utf-8"),
        ("/app/main.js?x=1", "text/javascript; charset=utf-8"),
        ("/app/ui/page.css", "text/css; charset=utf-8"),
        ("/public/corpora/manifest.json", "application/json"),
        ("/py/train.py", "text/x-python; charset=utf-8"),
        ("/py/defaults.json", "application/json"),
        ("/py/tinygpt.zip", "application/zip"),
    ],
)
def test_a_file_comes_with_its_type_and_the_isolation_headers(port, path, kind):
    answer, content = get(port, path)
    assert (
        answer.status == 200
        and answer.headers["Content-Type"] == kind
        and len(content) == int(answer.headers["Content-Length"])
    )
    for name, value in serve.ISOLATION.items():
        assert answer.headers[name] == value


@pytest.mark.parametrize(
    "path",
    [
        "/serve.py",
        "/.git/config",
        "/package.json",
        "/node_modules/pyodide/package.json",
        "/py/tinygpt/config.py",
        "/tools/setup/build.py",
        "/app",
        "/app/",
        "/app//main.js",
        "/app/../serve.py",
        "/app/%2e%2e/serve.py",
        "/app/..%2fserve.py",
        "/app/\\..\\serve.py",
        "/app/main.js%00.css",
        "/py/tinygpt_session/__pycache__/tracebacks.cpython-311.pyc",
        "/public/.hidden.js",
        "//etc/passwd",
        "/nothing",
    ],
)
def test_nothing_else_is_served(port, path):
    answer, _ = get(port, path)
    assert answer.status == 404


def test_a_link_out_of_the_tree_is_not_followed(port):
    link = ROOT / "public" / "link-out-of-the-tree.json"
    link.symlink_to(ROOT / "package.json")
    try:
        assert get(port, "/public/" + link.name)[0].status == 404
    finally:
        link.unlink()


def test_the_server_listens_on_this_machine_only():
    assert 'Server(("127.0.0.1",' in (ROOT / "serve.py").read_text()


def test_an_unchanged_file_is_answered_with_304(port):
    for path in ("/app/main.js", "/py/defaults.json"):
        etag = get(port, path)[0].headers["ETag"]
        answer, content = get(port, path, If_None_Match=etag)
        assert answer.status == 304 and content == b""


def test_ranges(port):
    complete = get(port, "/app/main.js")[1]
    answer, content = get(port, "/app/main.js", Range="bytes=10-19")
    assert (
        answer.status == 206
        and content == complete[10:20]
        and answer.headers["Content-Range"] == "bytes 10-19/%d" % len(complete)
    )
    answer, content = get(port, "/app/main.js", Range="bytes=100-")
    assert answer.status == 206 and content == complete[100:]
    assert get(port, "/app/main.js", Range="bytes=%d-" % len(complete))[0].status == 416


def test_two_files_of_one_size_and_one_time_are_still_two_files(port, tmp_path, monkeypatch):
    """As in a fresh checkout, whose files are written within one tick of the clock."""
    monkeypatch.setattr(serve, "ROOT", tmp_path)
    (tmp_path / "app").mkdir()
    for name, text in (("a.js", b"let one = 1;"), ("b.js", b"let two = 2;")):
        (tmp_path / "app" / name).write_bytes(text)
        os.utime(tmp_path / "app" / name, ns=(10**18, 10**18))
    for encoding in ("identity", "gzip"):
        got = [get(port, "/app/" + name, Accept_Encoding=encoding) for name in ("a.js", "b.js")]
        assert got[0][1] != got[1][1] and got[0][0].headers["ETag"] != got[1][0].headers["ETag"]


def test_what_compresses_is_sent_as_gzip_to_who_takes_it(port, tmp_path, monkeypatch):
    plain, text = get(port, "/app/main.js")
    answer, content = get(port, "/app/main.js", Accept_Encoding="gzip, br")
    assert (
        answer.status == 200
        and answer.headers["Content-Encoding"] == "gzip"
        and plain.headers["Content-Encoding"] is None
    )
    assert gzip.decompress(content) == text and len(content) < len(text) / 2
    assert (
        answer.headers["ETag"] == plain.headers["ETag"]
        and answer.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    )
    assert get(port, "/app/main.js", Accept_Encoding="gzip", If_None_Match=plain.headers["ETag"])[0].status == 304
    part, piece = get(port, "/app/main.js", Accept_Encoding="gzip", Range="bytes=10-19")
    assert part.status == 206 and piece == text[10:20] and part.headers["Content-Encoding"] is None
    assert get(port, "/py/tinygpt.zip", Accept_Encoding="gzip")[0].headers["Content-Encoding"] is None, (
        "it is compressed already"
    )
    monkeypatch.setattr(serve, "ROOT", tmp_path)
    (tmp_path / "public/corpora").mkdir(parents=True)
    (tmp_path / "public/corpora/a.txt").write_bytes(b"To be, or not to be. " * 1000)
    answer, content = get(port, "/public/corpora/a.txt", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip" and len(content) < 1000
    part, piece = get(port, "/public/corpora/a.txt", Accept_Encoding="gzip", Range="bytes=7-8")
    assert part.status == 206 and piece == b"or"


def test_head_has_no_body(port):
    answer, content = get(port, "/app/main.js", method="HEAD")
    assert answer.status == 200 and content == b"" and int(answer.headers["Content-Length"]) > 1000


def test_the_defaults_are_config_pys(port):
    defaults = json.loads(get(port, "/py/defaults.json")[1])
    assert list(defaults["presets"]) == list(config.PRESETS) and defaults["train"] == config.TrainConfig().to_dict()
    assert all(
        defaults["presets"][name] == {"model": p.model.to_dict(), "train": p.train.to_dict()}
        for name, p in config.PRESETS.items()
    )


@pytest.mark.alone
def test_an_edit_of_the_package_shows_on_the_next_request(port):
    added = ROOT / "py" / "tinygpt" / "added_by_a_test.py"
    added.write_text("X = 1\n")
    try:
        archive = zipfile.ZipFile(io.BytesIO(get(port, "/py/tinygpt.zip")[1]))
        assert archive.read("tinygpt/added_by_a_test.py") == b"X = 1\n"
        assert {"tinygpt/config.py", "tinygpt_session/execute.py"} <= set(archive.namelist())
    finally:
        added.unlink()
    assert b"added_by_a_test" not in get(port, "/py/tinygpt.zip")[1]


def test_bytecode_belongs_to_exactly_its_source(port):
    bytecode.package_zip()
    for _ in range(600):  # the compiler runs in the background
        archive = zipfile.ZipFile(io.BytesIO(bytecode.package_zip()))
        if "tinygpt/__pycache__/config.cpython-314.pyc" in archive.namelist():
            break
        time.sleep(0.1)
    name, content = "tinygpt/config.py", archive.read("tinygpt/config.py")
    assert archive.read("tinygpt/__pycache__/config.cpython-314.pyc") == bytecode._path(name, content).read_bytes()
    assert not bytecode._path(name, content + b"\n").exists()


def test_a_taken_port_is_a_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "serve.py", "--no-open", "--port", str(port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "port %d cannot be used" % port in done.stderr and "Traceback" not in done.stderr


@pytest.mark.alone
def test_a_second_start_says_one_line_and_is_quick():
    best = 9.0
    for _ in range(4):
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "serve.py", "--no-open", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        line = process.stdout.readline()
        best = min(best, time.perf_counter() - begun)
        process.terminate()
        process.wait()
        if best < 1.0:
            break
    assert re.fullmatch(r"Serving on http://127\.0\.0\.1:\d+/\n", line)
    assert best < 1.0, best


# ---- set-up ----


def silent():
    return Progress(io.StringIO())


def test_the_packages_are_those_that_package_json_pins():
    pinned = json.loads((ROOT / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pinned.values())
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert {name: locked["node_modules/" + name]["version"] for name in pinned} == pinned
    assert not any("resolved" in entry for entry in locked.values())
    assert packages.stale() == []


def test_the_lock_file_names_the_wheels_we_hold_by_their_place():
    lock = runtime.lock()["packages"]
    for entry in wheels.held():
        assert (
            lock[entry["name"]]["file_name"] == "../../wheels/" + entry["file"]
            and lock[entry["name"]]["sha256"] == entry["sha256"]
        )


def test_a_wheel_with_an_unknown_checksum_is_refused_and_the_entry_says_why(tmp_path, monkeypatch):
    wheel = wheels.WHEELS[0]
    (tmp_path / wheel.file).write_bytes(b"not a wheel")
    monkeypatch.setattr(wheels, "PLACE", tmp_path / "placed")
    monkeypatch.setattr(wheels, "FOLDERS", (tmp_path,))
    monkeypatch.setattr(wheels, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(wheels, "WHEELS", (wheel,))
    monkeypatch.setattr(wheels, "_from_distribution", lambda wheel, progress: (None, "no network"))
    wheels.prepare(silent())
    entry = json.loads((tmp_path / "placed" / "wheels.json").read_text())[0]
    assert entry["bytes"] == 0
    assert all(
        part in entry["missing"] for part in ("unknown checksum", "no network", "start serve.py once with a network")
    )
    assert wheels.held() == [] and not wheels.up_to_date()


def test_matplotlib_and_what_it_needs_are_placed_on_request_alone(tmp_path, monkeypatch):
    contents = {name: name.encode() for name in ("matplotlib", "kiwisolver", "six")}
    needs = {"matplotlib": ["kiwisolver", "numpy"], "kiwisolver": ["six"], "six": [], "numpy": []}
    entries = {
        name: {"version": "1", "file_name": name + ".whl", "imports": [name], "depends": needs[name]}
        | {"sha256": hashlib.sha256(contents.get(name, b"")).hexdigest()}
        for name in needs
    }
    (tmp_path / "pyodide").mkdir()
    (tmp_path / "pyodide" / "pyodide-lock.json").write_text(json.dumps({"packages": entries}))
    monkeypatch.setattr(packages, "MODULES", tmp_path)
    for name in ("PLACE", "CACHE"):
        monkeypatch.setattr(wheels, name, tmp_path / name)
    monkeypatch.setattr(wheels, "FOLDERS", (tmp_path / "CACHE",))
    numpy = wheels.Wheel("numpy", "1", "numpy.whl", ("numpy",), False, (entries["numpy"]["sha256"],))
    monkeypatch.setattr(wheels, "WHEELS", (numpy,))
    there = {"numpy": b""}
    monkeypatch.setattr(wheels, "_from_distribution", lambda wheel, progress: (there.get(wheel.name), "no network"))
    wheels.prepare(silent())
    assert [entry["name"] for entry in wheels.held()] == [] and [w.name for w in wheels.wanted()] == ["numpy"]
    with pytest.raises(SetupError, match="matplotlib 1 could not be had .no network."):
        wheels.fetch(["matplotlib"], silent())
    with pytest.raises(SetupError, match="scipy is not among the wheels on request: matplotlib"):
        wheels.fetch(["scipy"], silent())
    there |= contents | {"six": b"another file"}
    with pytest.raises(SetupError, match="six 1 could not be had .the file that was fetched has an unknown checksum"):
        wheels.fetch(["matplotlib"], silent())
    assert wheels.wanted() == (numpy,), "not half of them"
    there |= contents
    wheels.fetch(["matplotlib"], silent())
    listed = json.loads((tmp_path / "PLACE" / "wheels.json").read_text())
    assert [entry["name"] for entry in listed] == ["numpy", "matplotlib", "kiwisolver", "six"]
    there.clear()  # without a network they stay
    assert wheels.up_to_date() and (tmp_path / "PLACE" / "six.whl").read_bytes() == b"six"


def test_the_built_extension_is_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(extension, "PLACE", tmp_path)
    monkeypatch.setattr(extension, "SOURCES", tmp_path)
    assert "not built" in extension.faults()[0]
    (tmp_path / "manifest.json").write_text("{")
    assert "not readable" in extension.faults()[0]
    (tmp_path / "a.wasm").write_bytes(b"one")
    good = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"  # sha256 of b"one"
    (tmp_path / "manifest.json").write_text(json.dumps({"artefacts": {"a.wasm": good}, "sources": {"a.wasm": good}}))
    assert extension.faults() == []
    (tmp_path / "a.wasm").write_bytes(b"two")
    built, sources = extension.faults()
    assert "public/ext is not what was built (a.wasm)" in built and "other sources" in sources
