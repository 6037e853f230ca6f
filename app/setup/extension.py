"""Checks the built C++ extension in public/ext: that every file that manifest.json names is there and is the one that was built."""

import hashlib
import json

from . import PUBLIC

PLACE = PUBLIC / "ext"


def faults():
    """Sentences, one per fault; none when the extension is whole."""
    try:
        manifest = json.loads((PLACE / "manifest.json").read_text())
    except FileNotFoundError:
        return ["the C++ extension is not built: run `make ext` (the page starts, but has no device to train on)"]
    except ValueError as error:
        return ["public/ext/manifest.json is not readable (%s): run `make ext`" % error]
    found = []
    for name, checksum in files(manifest):
        path = PLACE / name
        if not path.is_file():
            found.append("public/ext/%s is missing: run `make ext`" % name)
        elif hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            found.append("public/ext/%s is not the file that was built: run `make ext`" % name)
    return found


def files(manifest):
    """(name, sha256) of each built file in the manifest."""
    for variant in manifest["variants"].values():
        yield from variant["files"].items()


def prepare(progress):
    for fault in faults():
        progress.note(fault)
