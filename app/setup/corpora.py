"""Places the texts to train on in public/corpora/, through `tinygpt.corpora`, and lists them for the tab in corpora.json."""

import importlib.util
import json
import sys

from . import PUBLIC, ROOT, SetupError

PLACE = PUBLIC / "corpora"
SOURCE = ROOT / "py" / "tinygpt" / "corpora.py"


def prepare(progress):
    corpora = _load()
    PLACE.mkdir(parents=True, exist_ok=True)
    try:
        placed = corpora.fetch_corpora(PLACE, progress)
    except (OSError, corpora.CorpusError) as error:
        raise SetupError(str(error)) from error
    content = json.dumps([{"name": path.stem, "file": path.name, "bytes": path.stat().st_size} for path in sorted(PLACE.glob("*.txt"))])
    target = PLACE / "corpora.json"
    if not target.is_file() or target.read_text() != content:
        target.write_text(content)
        progress.note(", ".join("%(file)s (%(bytes)d bytes)" % entry for entry in json.loads(content)) + " in public/corpora")
    for name, path in placed.items():
        if path is None:
            progress.note("%s.txt could not be had here; the page trains on the Python standard library's source instead" % name)


def _load():
    """The one module, without the package around it: set-up needs no tensors, and a half-edited package must not stop it."""
    spec = importlib.util.spec_from_file_location("tinygpt_corpora", SOURCE)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
