"""Places the wheels that the tab installs on first import, and a list of them, in public/wheels/.

Each is taken from the first of these that has it with a known checksum: public/wheels, the folder
`shared/wheels` beside the checkout, the cache, the package index (pure wheels, through pip),
Pyodide's own distribution. NumPy is optional: where no wheel can be had, public/wheels/wheels.json
says why, and `import numpy` in the tab raises that sentence.

    python3 -m tools.add_wheels matplotlib      fetches matplotlib and what it needs (20 MB) from
                                                Pyodide's distribution; from then on they are placed
"""

import hashlib
import http.client
import json
import os
import sys
import tempfile
import urllib.error
import urllib.request
from collections import namedtuple
from pathlib import Path

from . import packages, stage
from .stage import PUBLIC, ROOT, SetupError

Wheel = namedtuple("Wheel", "name version file imports index checksums")  # index: on the package index as a pure wheel

WHEELS = (
    Wheel(
        "numpy",
        "2.4.6",
        "numpy-2.4.6-cp314-cp314-pyemscripten_2026_0_wasm32.whl",
        ("numpy",),
        False,
        (
            "a292c1f5d7d8a2208cd5e94fc467604c131cabcd2fc14fed6eefde121e7fabdf",  # Pyodide's distribution
            # built from the source package with Pyodide's toolchain
            "0b2bbaa4c468129920a044997cfa5547bb1e18b4d475f0972d8ec45375d9e503",
        ),
    ),
    Wheel(
        "micropip",
        "0.11.1",
        "micropip-0.11.1-py3-none-any.whl",
        ("micropip",),
        True,
        (
            "768de165adb8e66906039d8fec4127a57f522dfdf8e6fbff877a4616941ecfd3",
            "e2d52886594fd4cd0d0847110a1c34ae0134d3a970eb4496d3b5eb31ee2d8af6",
        ),
    ),
    Wheel(
        "packaging",
        "26.1",
        "packaging-26.1-py3-none-any.whl",
        ("packaging",),
        True,
        (
            "5d9c0669c6285e491e0ced2eee587eaf67b670d94a19e94e3984a481aba6802f",
            "565acbbea54da30348b6d68b6a54373e6f777987db9f1db6966b4b3a5060d303",
        ),
    ),
)
ON_REQUEST = ("matplotlib",)  # and what they need: fetched by the command above alone
PLACE = PUBLIC / "wheels"
HOME = Path(os.path.expanduser("~"))  # a user without one keeps the ~
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or HOME / ".cache") / "tinygpt"
FOLDERS = (ROOT.parent / "shared" / "wheels", CACHE)
TRIES = 3  # of a download that is cut off
SECONDS = 20  # for the distribution to answer; without a network it fails at once


def prepare(progress):
    if up_to_date():
        return
    PLACE.mkdir(parents=True, exist_ok=True)
    entries = [_entry(wheel, progress) for wheel in wanted()]
    stage.write(PLACE / "wheels.json", json.dumps(entries, indent=1).encode())
    stage.remove_parts(PLACE)
    if held():
        progress.note(", ".join("%(name)s %(version)s" % entry for entry in held()) + " are in public/wheels")


def wanted():
    """WHEELS, and those on request once all of them have been fetched."""
    more = on_request()
    fetched = all(any((folder / wheel.file).is_file() for folder in (PLACE, *FOLDERS)) for wheel in more)
    return WHEELS + more if fetched else WHEELS


def on_request():
    """The wheels of ON_REQUEST and of what they need, without those of WHEELS. Their checksums are
    those of Pyodide's lock file.
    """
    try:
        listed = json.loads((packages.MODULES / "pyodide" / "pyodide-lock.json").read_text(encoding="utf-8"))
        listed, names = listed["packages"], list(ON_REQUEST)
        for name in names:  # which grows
            names += [needed for needed in listed[name]["depends"] if needed not in names]
        entries = [(name, listed[name]) for name in names if name not in {wheel.name for wheel in WHEELS}]
        return tuple(
            Wheel(name, e["version"], e["file_name"], tuple(e["imports"]), False, (e["sha256"],)) for name, e in entries
        )
    except (OSError, ValueError, KeyError, TypeError):  # npm has not run, or has another Pyodide
        return ()


def fetch(names, progress):
    """Fetches wheels on request, and places them. SetupError where one cannot be had."""
    if unknown := [name for name in names if name not in ON_REQUEST]:
        raise SetupError("%s is not among the wheels on request: %s" % (unknown[0], ", ".join(ON_REQUEST)))
    if not (wheels := on_request()):
        raise SetupError("Pyodide's lock file does not name %s; run serve.py once" % ", ".join(names))
    for wheel in wheels:
        content, reason = _find(wheel, progress)
        if content is None:
            raise SetupError("%s %s could not be had (%s)" % (wheel.name, wheel.version, reason))
        PLACE.mkdir(parents=True, exist_ok=True)
        stage.write(PLACE / wheel.file, content)
    prepare(progress)


def held():
    """The entries of wheels.json whose wheel is in place."""
    entries = json.loads((PLACE / "wheels.json").read_text(encoding="utf-8"))
    return [entry for entry in entries if entry["bytes"]]


def up_to_date():
    """Whether the list names exactly these wheels, all held (3.4 MB, 3 ms). One that could not be
    had is tried again at each start.
    """
    try:
        entries = json.loads((PLACE / "wheels.json").read_text(encoding="utf-8"))
        wheels = wanted()
        if [(e["file"], e["sha256"] in w.checksums) for e, w in zip(entries, wheels, strict=True)] != [
            (w.file, True) for w in wheels
        ]:
            return False
        return all(hashlib.sha256((PLACE / e["file"]).read_bytes()).hexdigest() == e["sha256"] for e in entries)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _entry(wheel, progress):
    """The wheel's line in wheels.json: {name, version, file, imports, bytes, sha256, missing};
    `missing` is a sentence or None.
    """
    content, reason = _find(wheel, progress)
    entry = dict(
        name=wheel.name,
        version=wheel.version,
        file=wheel.file,
        imports=list(wheel.imports),
        bytes=0,
        sha256=None,
        missing=None,
    )
    if content is None:
        entry["missing"] = (
            "%s %s could not be had at set-up (%s); start serve.py once with a network, or put %s into %s"
            % (wheel.name, wheel.version, reason, wheel.file, _short(CACHE))
        )
        progress.note(entry["missing"])
        return entry
    stage.write(PLACE / wheel.file, content)
    entry.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    return entry


def _find(wheel, progress):
    """(content, None), or (None, why not)."""
    reasons = []
    for folder in (PLACE, *FOLDERS):
        path = folder / wheel.file
        try:
            content = path.read_bytes()
        except OSError as error:
            if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                reasons.append("the file in %s cannot be read: %s" % (_short(folder), error.strerror))
            continue
        if _known(wheel, content):
            return content, None
        reasons.append("the file in %s has an unknown checksum" % _short(folder))
    content, reason = _from_index(wheel, progress) if wheel.index else _from_distribution(wheel, progress)
    if content is not None and not _known(wheel, content):
        content, reason = None, "the file that was fetched has an unknown checksum"
    if content is None:
        return None, "; ".join([*reasons, reason])
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        stage.write(CACHE / wheel.file, content)
    except OSError as error:
        progress.note("%s is not kept in %s: %s" % (wheel.file, _short(CACHE), error.strerror))
    return content, None


def _known(wheel, content):
    return hashlib.sha256(content).hexdigest() in wheel.checksums


def _from_index(wheel, progress):
    progress("fetching %s %s with pip" % (wheel.name, wheel.version))
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            "3.14",
            "--dest",
            folder,
            "%s==%s" % (wheel.name, wheel.version),
        ]
        try:
            _, output = stage.run(command)
        except SetupError as error:
            return None, str(error)
        path = Path(folder, wheel.file)
        if path.is_file():
            return path.read_bytes(), None
        return None, "pip said: %s" % stage.said(output)


def _from_distribution(wheel, progress):
    url, reason = packages.distribution() + wheel.file, ""
    for _ in range(TRIES):
        try:
            with urllib.request.urlopen(url, timeout=SECONDS) as answer:
                total, parts, have = int(answer.headers.get("Content-Length") or 0), [], 0
                while part := answer.read(1 << 16):
                    parts.append(part)
                    have += len(part)
                    progress("fetching %s: %.1f of %.1f MB" % (wheel.name, have / 1e6, total / 1e6))
                if have >= total:
                    return b"".join(parts), None
                reason = "the download was cut off at %d of %d bytes" % (have, total)
        except http.client.IncompleteRead as error:
            reason = "the download was cut off: %s" % error
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            return None, "Pyodide's distribution could not be reached: %s" % (getattr(error, "reason", "") or error)
    return None, reason


def _short(path):
    """A path as a person would write it."""
    try:
        return "~/" + str(path.relative_to(HOME))
    except ValueError:
        return str(path)
