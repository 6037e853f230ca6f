"""Hostile links: what `#share=` may bring that nobody meant to share (app/share/link.js reads it).

`LINKS` has them: (name, fragment, end). end says what the reader must do: "refused" with one
sentence, "shown" as the text that it is, or "ignored", because the fragment is no link. All are
made here and are the same in each run.

    python3 -m tests.security.links     gives all of them to the page's own reader, in Node
"""

import base64
import json
import random
import subprocess
import sys
import time
import zlib

from tests.hosts import NODE, ROOT

SCRIPT = "<script>window.hostile = 1</script>"
MARKUP = [
    SCRIPT,
    "<img src=x onerror=window.hostile=1>",
    "<svg/onload=window.hostile=1>",
    "</textarea><script>window.hostile=1</script>",
    "<iframe srcdoc='<script>parent.hostile=1</script>'>",
    "<a href=javascript:window.hostile=1>x</a>",
    "{{constructor.constructor('window.hostile=1')()}}",
    "${window.hostile=1}",
    "javascript:window.hostile=1",
    "' onmouseover='window.hostile=1",
    '"><b>',
    "&lt;script&gt;",
]
BIDI = ["\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u200e", "\u200f", "\u061c"]
CONTROLS = [
    "\0",
    "\x07",
    "\x08",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\u2028",
    "\ufeff",
    "\u200b",
    "\U000e0041",
    "\ud800",
    "\udfff",
]
PROTOTYPES = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "__defineGetter__"]
PATHS = [
    "../train.py",
    "/etc/passwd",
    "..\\train.py",
    "train.py/",
    "./train.py",
    "train.py\0",
    "train.py ",
    "TRAIN.PY",
    "file:///train.py",
    "C:\\train.py",
    "%2e%2e/train.py",
    "sitecustomize.py",
    "tinygpt/__init__.py",
    "__init__.pyc",
    "js.py",
    "json.py",
    "",
    "x" * 100_000,
    "\u202etrain.py",
    "train\u200b.py",
    "tr\u0430in.py",
    "python3.zip",
]
NUMBERS = [
    -1,
    0,
    -0.0,
    0.5,
    1e-320,
    1e308,
    -1e308,
    2**31,
    2**53,
    2**53 + 1,
    2**64,
    10**400,
    "1",
    "NaN",
    "Infinity",
    "0x10",
    "1e3",
    "",
    None,
    True,
    [],
    [1],
    {},
    {"valueOf": 1},
]
# What each setting takes of NUMBERS: everything else is refused.
TAKEN = {
    "steps": [],
    "lr": [0.5, 1e-320],
    "batch_size": [],
    "seed": [0, -0.0, 2**31],
    "sample_interval": [0, -0.0],
    "warmup_steps": [0, -0.0],
    "min_lr": [0, -0.0, 0.5, 1e-320],
    "dropout": [0, -0.0, 0.5, 1e-320],
    "weight_decay": [0, -0.0, 0.5, 1e-320],
    "recompute": [True],
    "preset": [],
    "schedule": [],
    "corpus": ["1", "NaN", "Infinity", "0x10", "1e3"],
}
SOURCE = "print('a line of code')\n"


def letters(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def deflated(content):
    pack = zlib.compressobj(9, wbits=-15)
    return pack.compress(content) + pack.flush()


def link(state):
    """The fragment that carries a value, or text or bytes in place of its JSON."""
    if isinstance(state, str):
        state = state.encode("utf-8", "surrogatepass")
    content = state if isinstance(state, bytes) else json.dumps(state).encode()
    return "#share=1." + letters(deflated(content))


def with_source(source):
    """The fragment that brings this train.py."""
    return link({"files": {"train.py": source}})


def fragments():
    """What is wrong before anything is unpacked: (name, fragment, end)."""
    good = link({"title": "good", "files": {"train.py": SOURCE}, "settings": {"steps": 5}})
    body = good.removeprefix("#share=1.")
    for at in range(len("#share="), len(good), 2):
        yield "cut at %d" % at, good[:at], "refused"
    for other in ("#", "#shares=1.A", "#Share", "#x#share=1." + body, "#/share=1." + body, ""):
        yield "no link %.12r" % other, other, "ignored"
    for version in ("0", "2", "999999", "9999999", "-1", "1.1", "1e0", "01", "0x1", "١", "", "NaN", "one"):
        # "01" is the number 1
        yield "version %s" % version, "#share=%s.%s" % (version, body), "shown" if version == "01" else "refused"
    for place, bad in enumerate(["=", "!", "\n", " ", "+", "/", "%00", "é", "<", "'", "\\", "..", "A" * 7, "\u202e"]):
        at = 3 * place + 5
        yield "letter %.9r" % bad, "#share=1." + body[:at] + bad + body[at:], "refused"
    rng = random.Random(16)
    raw = deflated(json.dumps({"files": {"train.py": SOURCE * 9}}).encode())
    for number in range(40):
        damaged = bytearray(raw)
        for _ in range(1 + number % 4):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        yield "damaged %d" % number, "#share=1." + letters(bytes(damaged)), "any"
    for number in range(20):
        yield "noise %d" % number, "#share=1." + letters(rng.randbytes(3 + 40 * number)), "refused"
    for name, data in (
        ("zlib", zlib.compress(b"{}")),
        ("gzip", zlib.compress(b"{}", wbits=31)),
        ("zip", b"PK\x03\x04" + bytes(30)),
        ("no end", deflated(b"{}")[:-1]),
        ("a second stream", deflated(b"{}") * 2),
        ("trailing bytes", deflated(b"{}") + bytes(9)),
        ("a stored block without end", b"\0\xff\xff\0\0"),
        ("a distance before the start", b"\x63\x80\x02\x00"),
        ("empty", b""),
    ):
        yield "packed as %s" % name, "#share=1." + letters(data), "refused"
    for size in (1_000_001, 20_000_000, 200_000_000):
        yield "a bomb of %d bytes" % size, "#share=1." + letters(bomb(size)), "refused"
    yield "a bomb of JSON", link('{"title": "%s"}' % ("a" * 2_000_000)), "refused"
    yield "a million letters", "#share=1." + "A" * 1_000_000, "refused"
    yield "a million digits", "#share=" + "1" * 1_000_000, "refused"
    yield "a million dots", "#share=1" + "." * 290_000, "refused"
    yield "for a slow pattern", "#share=1." + "-_" * 140_000 + "!", "refused"
    yield "for a slow base64", "#share=1." + "A" * 299_000 + "=" * 900, "refused"


def bomb(size):
    """`size` zeros, deflated."""
    pack = zlib.compressobj(9, wbits=-15)
    piece = bytes(1_000_000)
    parts = [pack.compress(piece) for _ in range(size // len(piece))]
    return b"".join([*parts, pack.compress(bytes(size % len(piece))), pack.flush()])


def texts():
    """What unpacks to something that is not the JSON of a link."""
    for name, text in (
        ("nothing", ""),
        ("not JSON", "title: x"),
        ("Python", "{'title': 'x'}"),
        ("two values", "{}{}"),
        ("a comment", "{} // x"),
        ("NaN", '{"settings": {"lr": NaN}}'),
        ("Infinity", '{"settings": {"lr": Infinity}}'),
        ("a trailing comma", '{"files": {},}'),
        ("a raw line feed", '{"title": "a\nb"}'),
        ("UTF-16", "{}".encode("utf-16")),
        ("UTF-32", "{}".encode("utf-32")),
        ("Latin-1", '{"title": "\xe9"}'.encode("latin-1")),
        ("overlong UTF-8", b'{"title": "\xc0\xbc"}'),
        ("a surrogate in UTF-8", b'{"title": "\xed\xa0\x80"}'),
        ("cut in a character", '{"title": "é'.encode()[:-1]),
    ):
        yield name, link(text), "refused"
    for kind in ("null", "1", '"x"', "[]", "true", "[{}]", '{"toJSON": 1}'):
        yield "the value %s" % kind, link(kind), "refused"
    for depth in (1000, 10_000, 100_000, 400_000):
        yield "%d lists" % depth, link("[" * depth + "]" * depth), "refused"
        yield "%d open lists" % depth, link("[" * depth), "refused"
        yield "%d objects" % depth, link('{"a":' * (depth // 4) + "1" + "}" * (depth // 4)), "refused"
        yield "a title of %d lists" % depth, link('{"title": %s%s}' % ("[" * depth, "]" * depth)), "refused"
        yield (
            "a file of %d lists" % depth,
            link('{"files": {"train.py": %s%s}}' % ("[" * depth, "]" * depth)),
            "refused",
        )
        yield (
            "a setting of %d lists" % depth,
            link('{"settings": {"lr": %s%s}}' % ("[" * depth, "]" * depth)),
            "refused",
        )
    yield "100,000 names", link({"files": {"f%d.py" % number: "" for number in range(90_000)}}), "refused"
    yield "100,000 settings", link({"settings": {"s%d" % number: 1 for number in range(90_000)}}), "refused"
    yield "100,000 equal names", link("{" + ",".join(['"title": "x"'] * 70_000) + "}"), "any"
    yield "a number of a million digits", link('{"settings": {"steps": 1%s}}' % ("0" * 900_000)), "refused"
    yield "a fraction of a million digits", link('{"settings": {"lr": 0.%s1}}' % ("0" * 900_000)), "refused"
    yield "two titles", link('{"title": 1, "title": "x"}'), "any"
    yield "two files of one name", link('{"files": {"train.py": 1, "train.py": "x = 1"}}'), "any"


def names():
    """Names that are not a link's, at each place that has names."""
    for name in PROTOTYPES:
        for value in ("null", '{"hostile": 1}', '"x"'):
            yield "%s: %s" % (name, value), link('{"%s": %s}' % (name, value)), "refused"
            yield "a file %s: %s" % (name, value), link('{"files": {"%s": %s}}' % (name, value)), "refused"
            yield "a setting %s: %s" % (name, value), link('{"settings": {"%s": %s}}' % (name, value)), "refused"
    for path in PATHS:
        yield "a file %.30r" % path, link({"files": {path: SOURCE}}), "refused"
    for name in ("device", "threads", "autosave", "variant", "code", "run", "mode", "precision", "url", "html", "LR"):
        yield "a setting %s" % name, link({"settings": {name: "webgpu"}}), "refused"
        yield "a part %s" % name, link({name: "x"}), "refused"
    for text in MARKUP:
        yield "a part of markup %.20r" % text, link({text: 1}), "refused"
        yield "a file of markup %.20r" % text, link({"files": {text: "x"}}), "refused"
        yield "a setting of markup %.20r" % text, link({"settings": {text: 1}}), "refused"


def values():
    """Values of other types, outside their ranges, or of text that does more than it shows."""
    for part in ("title", "files", "settings"):
        for value in (None, 1, 1.5, True, [], ["x"], {} if part == "title" else "x"):
            yield "%s is %r" % (part, value), link({part: value}), "refused"
    for value in (None, 1, True, [], {}, ["x = 1"], {"text": "x"}):
        yield "train.py is %r" % (value,), link({"files": {"train.py": value}}), "refused"
    for setting, taken in TAKEN.items():
        for value in NUMBERS:
            fits = any(type(value) is type(one) and value == one for one in taken)
            yield "%s is %.30r" % (setting, value), link({"settings": {setting: value}}), "shown" if fits else "refused"
    for text in MARKUP:
        yield "a title of markup %.20r" % text, link({"title": text}), "shown"
        yield "a text of markup %.20r" % text, link({"settings": {"corpus": text}}), "shown"
        yield "a preset of markup %.20r" % text, link({"settings": {"preset": text}}), "refused"
        yield "code of markup %.20r" % text, with_source("# %s\n" % text), "shown"
    for mark in BIDI:
        yield "a title with %r" % mark, link({"title": "a%sb" % mark}), "refused"
        yield "a text with %r" % mark, link({"settings": {"corpus": "a%sb" % mark}}), "refused"
        yield "code with %r" % mark, with_source("a = 1 # %sb\n" % mark), "shown"
    for mark in CONTROLS:
        said = "shown" if mark == "\u2028" else "refused"  # a separator, not a control character
        yield "a title with %r" % mark, link({"title": "a%sb" % mark}), said
        yield "a text with %r" % mark, link({"settings": {"corpus": "a%sb" % mark}}), said
        bad = "\0" in mark or "\ud800" <= mark[0] <= "\udfff"
        yield "code with %r" % mark, with_source("a = 1 # %sb\n" % mark), "refused" if bad else "shown"
    yield "a long title", link({"title": "x" * 81}), "refused"
    yield "a title of 80 marks", link({"title": "a" + "\u0301" * 79}), "shown"
    yield "a text of 100,000 letters", link({"settings": {"corpus": "x" * 100_000}}), "refused"
    yield "a corpus path", link({"settings": {"corpus": "../../../etc/passwd"}}), "shown"  # a name, which nothing has
    yield "a line of 900,000 letters", with_source("x = '%s'\n" % ("a" * 900_000)), "any"
    yield "900,000 lines", with_source("\n" * 900_000), "any"
    yield "code far to the right", with_source("x = 1" + " " * 5000 + "; import os\n"), "shown"


LINKS = [*fragments(), *texts(), *names(), *values()]


def read(links):
    """What the page's reader makes of each: {"end", "said", "ms", "value"}. In Node, one after the
    other.
    """
    command = [str(NODE), "--max-old-space-size=512", "tests/security/links.mjs"]
    lines = "".join(json.dumps(fragment) + "\n" for _, fragment, _ in links)
    process = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, text=True, timeout=300)
    answers = [json.loads(line) for line in process.stdout.split("\n") if line]
    answers += [{"end": "died", "said": process.stderr[-300:], "ms": 0}] * (len(links) - len(answers))
    return answers


def wrong(end, answer, seconds=1.0):
    """What is wrong with an answer, or "". seconds: what one link may take."""
    if answer["end"] not in ("refused", "shown", "ignored"):
        return "%(end)s: %(said)s" % answer
    if end not in ("any", answer["end"]):
        return "%s instead of %s: %s" % (answer["end"], end, answer["said"])
    if answer["ms"] > 1000 * seconds:
        return "took %d ms" % answer["ms"]
    return answer["wrong"]


def main():
    began = time.perf_counter()
    answers = read(LINKS)
    problems = [(name, wrong(end, answer)) for (name, _, end), answer in zip(LINKS, answers)]
    problems = [(name, problem) for name, problem in problems if problem]
    for name, problem in problems:
        print("%s: %s" % (name, problem))
    print("%d links, %d wrong, %.1f s" % (len(LINKS), len(problems), time.perf_counter() - began))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
