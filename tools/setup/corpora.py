"""Places the texts to train on in public/corpora/, through `tinygpt.corpora`, and lists them for
the tab in corpora.json: [{name, file, bytes}], with `edition`, its title, where shakespeare.txt
is not TinyShakespeare.
"""

import importlib.util
import json
import sys

from . import shakespeare, stage
from .stage import PUBLIC, ROOT, SetupError

PLACE = PUBLIC / "corpora"
SOURCE = ROOT / "py" / "tinygpt" / "corpora.py"


def prepare(progress):
    corpora = _load()
    PLACE.mkdir(parents=True, exist_ok=True)
    _discard_cut_off(corpora)
    try:
        placed = corpora.fetch_corpora(PLACE, progress, {corpora.SHAKESPEARE: lambda: shakespeare.corpus(progress)})
    except corpora.CorpusError as error:
        raise SetupError(str(error)) from error
    stage.remove_parts(PLACE)
    content = json.dumps([_entry(path, corpora) for path in sorted(PLACE.glob("*.txt"))])
    target = PLACE / "corpora.json"
    if not target.is_file() or target.read_bytes() != content.encode():
        stage.write(target, content.encode())
        files = ", ".join("%(file)s (%(bytes)d bytes)" % entry for entry in json.loads(content))
        progress.note(files + " in public/corpora")
        for entry in json.loads(content):
            if "edition" in entry:
                progress.note("%(file)s: %(edition)s, since TinyShakespeare's source cannot be reached" % entry)
    for name, path in placed.items():
        if path is None:
            progress.note(
                "%s.txt could not be had here; the page trains on the Python standard library's source instead" % name
            )


def _discard_cut_off(corpora):
    """Deletes the standard library's text where it is shorter than listed: that one has no checksum
    (the others do), and is made again.
    """
    file = corpora.CORPORA[corpora.STDLIB].file
    try:
        listed = json.loads((PLACE / "corpora.json").read_text(encoding="utf-8"))
        (size,) = (entry["bytes"] for entry in listed if entry["file"] == file)
    except (OSError, ValueError, KeyError, TypeError):
        return
    path = PLACE / file
    if path.is_file() and path.stat().st_size < size:
        path.unlink()


def _entry(path, corpora):
    """The text's line in corpora.json."""
    entry = {"name": path.stem, "file": path.name, "bytes": path.stat().st_size}
    known = corpora.CORPORA.get(path.stem)
    if known and known.editions and (edition := corpora.edition_of(known, path.read_bytes())) in known.editions:
        entry["edition"] = edition.title
    return entry


def _load():
    """The one module, without the package around it: set-up needs no tensors, and a half-edited
    package must not stop it.
    """
    spec = importlib.util.spec_from_file_location("tinygpt_corpora", SOURCE)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
