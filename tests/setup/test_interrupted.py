"""A set-up that was killed at any write is repaired by the next one, a file that was cut off is
made or fetched again, and what a machine lacks is one sentence.
"""

import http.server
import os
import re
import threading

import pytest

from tests.security.figures import record
from tests.setup import interrupted

KILLS = int(os.environ.get("TINYGPT_KILLS", 8))  # of the writes, evenly; 1000 for all of them
FAILURES = 3
COMMAND = "TINYGPT_KILLS=1000 python3 -m pytest tests/setup/test_interrupted.py"


class Downloads(http.server.BaseHTTPRequestHandler):
    """Every other answer is cut off in its middle."""

    protocol_version = "HTTP/1.1"
    answered = 0

    def do_GET(self):
        content = interrupted.WHEEL if self.path.endswith("thing.whl") else interrupted.CORPUS
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        cut = self.path.endswith("thing.whl") and Downloads.answered % 2 == 0
        Downloads.answered += 1
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Downloads)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d/" % server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def checkout(tmp_path, address):
    return interrupted.Checkout(tmp_path, address)


@pytest.fixture
def complete(checkout):
    """(the checkout after its set-up, the digest, the number of writes)"""
    status, output, writes = checkout.run()
    assert (status, output.strip().splitlines()[-1]) == (0, "served"), output
    return checkout, checkout.digest(), writes


def one_sentence(output):
    """The last line, which is the only one that is no progress of a stage."""
    assert "Traceback" not in output and "\nnpm error" not in output, output
    last = output.strip().splitlines()[-1]
    assert re.match(r"set-up: \S.{20,}", last), output
    return last


def test_a_second_start_writes_nothing(complete):
    checkout, made, writes = complete
    assert writes > 75 and checkout.run() == (0, "served\n", 0)
    assert {"checkout/public/wheels/thing.whl", "checkout/public/corpora/shakespeare.txt"} <= set(made)


def test_a_set_up_killed_at_any_write_is_repaired_by_the_next(complete):
    checkout, want, writes = complete
    points = sorted(
        {1 + i * (writes - 1) // (KILLS - 1) for i in range(KILLS)} | {39, 41, 42, 72}
    )  # some before a rename
    broken = []
    for point in points:
        checkout.empty()
        status, _, done = checkout.run(point)
        assert (status, done) == (-9, point)
        status, output, _ = checkout.run()
        if status or checkout.digest() != want:
            broken.append((point, output))
    record("set-up: kills", len(points), len(points) - len(broken), COMMAND)
    assert broken == []


def test_an_update_killed_at_any_write_is_repaired_by_the_next(complete):
    """The packages are there, in another version: what was installed is deleted first."""
    checkout, want, _ = complete
    content = (checkout.root / "node_modules" / "uplot" / "package.json").read_text()
    older = checkout.root / "node_modules" / "uplot" / "package.json"
    older.write_text(content.replace("3.0.0", "2.9.9"))
    writes = checkout.run()[2]
    assert writes > 60 and checkout.digest() == want
    points = range(2, writes, max(1, writes // KILLS))
    for point in points:
        older.write_text(content.replace("3.0.0", "2.9.9"))
        assert checkout.run(point)[0] == -9
        status, output, _ = checkout.run()
        assert status == 0 and checkout.digest() == want, (point, output)
    record("set-up: kills", len(points), len(points), COMMAND)


def test_a_file_that_was_cut_off_or_lost_is_made_again(complete):
    checkout, want, _ = complete
    places = [name for name in want if not name.startswith("cache/") and "/.bin/" not in name]
    for name in [*places[::6], *(place for place in places if re.search(r"thing|stdlib|marks|public.*json$", place))]:
        path = checkout.root.parent / name
        content = path.read_bytes()
        for left in (content[: len(content) // 2], None):
            path.write_bytes(left) if left is not None else path.unlink()
            status, output, _ = checkout.run()
            assert status == 0 and checkout.digest() == want, (name, left, output)
            if left is not None and name.count("/") % 2:
                break  # half of the files in both ways
    record("set-up: files cut off", len(places), len(places))


@pytest.mark.parametrize(
    "how, words",
    [
        ("ENOSPC", "the disk is full"),
        ("EROFS", "read-only"),
        ("EACCES", "may not be changed by this user"),
        ("EIO", "Input/output error"),
        ("INT", "stopped; the next start continues"),
    ],
)
def test_a_disk_that_refuses_is_one_sentence_and_the_next_start_repairs_it(checkout, how, words):
    tried = 0
    # An interrupted npm or esbuild has its own words, so there the last stages alone.
    for point in [59, 67, 75] if how == "INT" else range(3, 77, 74 // FAILURES):
        checkout.empty()
        status, output, _ = checkout.run(point, how)
        if status == 0:
            continue  # the cache of wheels, which set-up can live without
        sentence = one_sentence(output)
        assert words in sentence or "Error" in sentence or "npm" in sentence, output
        tried += 1
    assert tried >= 2
    assert checkout.run()[0] == 0
    record("set-up: failing disks", tried, tried)


LACKS = [
    ("node", "print('v18.19.0')", "Node.js v18.19.0 is too old"),
    ("node", "print('what?')", "does not work: it said what?"),
    ("node", "sys.stdout.buffer.write(b'\\xff\\xfe'); sys.exit(1)", "does not work"),
    ("node", None, "Node.js is not installed; install version 20 or newer"),
    ("npm", None, "npm is not installed, and 4 packages are missing; install Node.js 20 or newer"),
    ("npm", "sys.exit(3)", "npm could not install the page's packages: it said nothing"),
    ("npm", "sys.stdout.buffer.write(b'npm error \\xe9 \\xff\\n'); sys.exit(1)", "packages: \ufffd \ufffd;"),
    ("npm", "print('npm ERR! code ENOTFOUND'); sys.exit(1)", "could not reach the package registry (ENOTFOUND)"),
    ("npm", "print('npm error code ENOSPC'); sys.exit(1)", "npm failed: the disk is full"),
    ("npm", "print('npm error code EACCES'); sys.exit(1)", "may not be changed by this user"),
    ("npm", "pass", "npm ended without an error, but"),
    (
        "fake-esbuild",
        "print('x\\n\\x1b[31mError: odd\\nmore'); sys.exit(1)",
        "could not bundle the editor: Error: odd",
    ),
]


@pytest.mark.parametrize("tool, program, words", LACKS, ids=range(len(LACKS)))
def test_what_the_machine_lacks_is_one_sentence(checkout, tool, program, words):
    if program is None:
        (checkout.bin / tool).unlink()
    else:
        checkout.tool(tool, program)
    status, output, _ = checkout.run()
    sentence = one_sentence(output)
    assert status == 1 and words in sentence and len(sentence) < 600, output


def test_an_interpreter_of_another_format_is_one_sentence(checkout):
    for name in ("node", "npm"):
        (checkout.bin / name).write_bytes(b"\x7fELF of another machine")
    status, output, _ = checkout.run()
    assert status == 1 and "could not be started" in one_sentence(output)


def test_a_checkout_that_is_complete_starts_where_nothing_may_be_written(complete):
    checkout, _, _ = complete
    assert checkout.run(1, "EROFS") == (0, "served\n", 0)
