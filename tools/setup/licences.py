"""The licence texts of everything the page ships, as one text: /LICENSES.txt of the server and of a
static build.

The shipped files decide the list: the entries of public/vendor, the npm packages inside the
editor's bundle, the wheels, the extension's run-time library, the corpora. Each text comes from the
package itself, or else from the folder licences/ beside this file. A package without a text raises
SetupError.
"""

import hashlib
import json
import re
import tempfile
import zipfile
from pathlib import Path

from . import build, packages, runtime, wheels
from .stage import PUBLIC, ROOT, SetupError

TEXTS = Path(__file__).with_name("licences")
IS_LICENCE = re.compile(r"(licen[cs]e|copying|notice)[^/]*$", re.IGNORECASE)
RULE = "=" * 80


def text():
    """The complete file, in UTF-8."""
    parts = collect()
    contents = "\n".join("  " + title for title, _ in parts)
    head = "This copy of TinyGPT ships the following works. Their licences follow in this order.\n\n%s\n" % contents
    return "\n\n".join(
        [head, *("%s\n%s\n%s\n\n%s" % (RULE, title, RULE, licence.strip()) for title, licence in parts), ""]
    ).encode()


def collect():
    """[(title, licence text)], TinyGPT's own first. SetupError names the first work without a
    text."""
    found = [("TinyGPT", (ROOT / "LICENSE").read_text())]
    for path in sorted(runtime.VENDOR.iterdir()):
        if not (path.relative_to(ROOT).as_posix() + "/").startswith(build.NOT_THE_PAGE):
            found += vendored(path.name)
    found += [wheel(PUBLIC / "wheels" / entry["file"]) for entry in wheels.held()]
    found.append(
        committed("Emscripten, musl and LLVM's run-time libraries (in public/ext and in Pyodide)", "emscripten")
    )
    return found + corpora()


def vendored(name):
    """The works in one entry of public/vendor."""
    if name == "pyodide":
        return [package("pyodide"), committed("CPython and the libraries compiled into it (in Pyodide)", "cpython")]
    if name == "editor.js":
        return [package(bundled) for bundled in bundled_packages()]
    if name == "uplot":
        return [package("uplot")]
    if name in ("stamp.json", "bytecode"):
        return []  # TinyGPT's own
    raise SetupError(
        "public/vendor/%s would be shipped without a licence; say in %s whose it is" % (name, _short(Path(__file__)))
    )


def bundled_packages():
    """The names of the npm packages that esbuild puts into the editor's bundle."""
    with tempfile.TemporaryDirectory() as folder:
        meta = Path(folder, "meta.json")
        runtime.esbuild(Path(folder, "editor.js"), "--metafile=%s" % meta)
        inputs = json.loads(meta.read_text())["inputs"]
    return sorted({match[1] for name in inputs if (match := re.match(r".*node_modules/((?:@[^/]+/)?[^/]+)/", name))})


def package(name):
    """(title, text) of an npm package in node_modules, with the address of its source, which the
    MPL wants to be stated.
    """
    folder = packages.MODULES / name
    found = [path for path in sorted(folder.glob("*")) if path.is_file() and IS_LICENCE.match(path.name)]
    texts = [path.read_text(encoding="utf-8") for path in found]
    title, licence = _work("%s %s" % (name, packages.installed(name)), name, texts, _short(folder))
    source = json.loads((folder / "package.json").read_text(encoding="utf-8")).get("repository")
    address = source.get("url") if isinstance(source, dict) else source
    return title, "Source: %s\n\n%s" % (address, licence) if address else licence


def wheel(path):
    """(title, text) of a wheel."""
    name, version = path.name.split("-")[:2]
    with zipfile.ZipFile(path) as archive:
        names = [
            entry
            for entry in archive.namelist()
            if ".dist-info/" in entry and IS_LICENCE.match(entry.rpartition("/")[2])
        ]
        texts = [archive.read(entry).decode() for entry in sorted(names)]
    return _work("%s %s" % (name, version), name, texts, _short(path))


def committed(title, name):
    """(title, text) of a work whose text is in licences/."""
    return _work(title, name, [], "what set-up installs")


def corpora():
    """(title, note) of each text in public/corpora, from its manifest."""
    place = PUBLIC / "corpora"
    known = json.loads((place / "manifest.json").read_text())
    notes = []
    for path in sorted(place.glob("*.txt")):
        checksums = (None, hashlib.sha256(path.read_bytes()).hexdigest())  # None: of any content
        entry = next((one for one in known if one["file"] == path.name and one["sha256"] in checksums), None)
        note = (
            "%(licence)s\nSource: %(source)s" % entry
            if entry
            else "A text that was placed in public/corpora for this copy."
        )
        notes.append(("%s (%s)" % (entry["title"] if entry else path.stem, path.name), note))
    return notes


def _work(title, name, texts, place):
    own = TEXTS / (name.replace("/", "-") + ".txt")
    if not texts and own.is_file():
        texts = [own.read_text()]
    if not any(licence.strip() for licence in texts):
        raise SetupError(
            "%s would be shipped without its licence: there is no text in %s and no %s" % (title, place, _short(own))
        )
    return title, "\n\n".join(texts)


def _short(path):
    """A path as a person would write it."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
