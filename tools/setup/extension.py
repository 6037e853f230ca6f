"""Checks the built C++ extension in public/ext against its manifest.json: every build is there and
is the one that was made, from the sources in wasm_ext/. Faults are notes: the page starts without
the extension, and says so.
"""

import hashlib
import json

from .stage import PUBLIC, ROOT

PLACE = PUBLIC / "ext"
SOURCES = ROOT / "wasm_ext"


def faults():
    """Sentences, one per kind of fault; none when the extension is whole."""
    try:
        manifest = json.loads((PLACE / "manifest.json").read_text(encoding="utf-8"))
        built, sources = dict(manifest["artefacts"]), dict(manifest["sources"])
    except FileNotFoundError:
        return ["the C++ extension is not built: run `make ext` (until then the page has no device to train on)"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return ["public/ext/manifest.json is not readable (%s: %s): run `make ext`" % (type(error).__name__, error)]
    found = []
    wrong = differing(PLACE, built)
    if wrong:
        found.append("public/ext is not what was built (%s): run `make ext`" % ", ".join(wrong))
    edited = differing(SOURCES, sources)
    if edited:
        found.append(
            "the extension was built from other sources than wasm_ext holds (%s): run `make ext`" % ", ".join(edited)
        )
    return found


def differing(folder, checksums):
    """Names whose file in the folder is missing or has another sha256."""
    return [name for name, checksum in checksums.items() if _sha256(folder / name) != checksum]


def _sha256(path):
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def prepare(progress):
    for fault in faults():
        progress.note(fault)
