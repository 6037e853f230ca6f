"""The page as a folder that any static host serves: `python3 serve.py --build DIR`.

The folder holds what the page loads and nothing else, under relative paths, so it works below any
address. Beside it lie _headers (for hosts that take one: isolation, content security, caching),
.nojekyll, and sw.js, a service worker (service_worker.js with the list of this build's files, their
checksums and sizes): it sends the isolation headers where the host does not, and keeps the page for
use without a network. build.json says what was written, by which a later build knows its own
folder.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from . import bytecode
from .stage import ROOT, SetupError, leads_out

WORKER = Path(__file__).with_name("service_worker.js")
LIST = "build.json"
MADE_BY = "TinyGPT: python3 serve.py --build"
# of app/index.html
START = """<script type="module" async src="app/start.js"></script>
<script type="module" src="app/main.js"></script>"""
# Files of app/ and public/ that the page never asks for. Python's side is in py/tinygpt.zip.
NOT_THE_PAGE = (
    "app/index.html", "app/editor/bundle.js", "app/pyscript.html", "app/bridges/pyscript.js",
    "public/vendor/bytecode/", "public/vendor/pyscript/", "public/ext/manifest.json", "public/corpora/manifest.json",
)  # fmt: skip
LATER = "public/models/"  # kept when the page first loads them, not before: models may be large
# WebAssembly is compiled, JavaScript's eval is not needed. Data sets, and wheels that micropip is
# told to get, come from other https hosts.
SECURITY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self' https: data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'"
)


def page_files(made, types):
    """{path in the folder: content} of everything the page loads. made: {URL path: (function,
    suffix)}, types: {suffix: media type}. A link out of app/ or public/ is left out, as the server
    leaves it out.
    """
    files = {"index.html": _index()}
    for tree in ("app", "public"):
        for path in sorted((ROOT / tree).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            hidden = any(part.startswith(".") for part in path.relative_to(ROOT).parts)
            if path.suffix not in types or hidden or name.startswith(NOT_THE_PAGE) or leads_out(path, ROOT / tree):
                continue
            if path.is_file():
                files[name] = path.read_bytes()
    bytecode.compile_now()
    for url, (make, _) in made.items():
        files[url.lstrip("/")] = make()
    return files


def _index():
    """app/index.html, started by app/shell/site.js, which brings the service worker."""
    text = (ROOT / "app" / "index.html").read_text(encoding="utf-8")
    if text.count(START) != 1:
        raise SetupError(
            "app/index.html no longer holds %s once, which the static build replaces (tools/setup/build.py)" % START
        )
    return text.replace(START, "\n".join((
        '<meta http-equiv="Content-Security-Policy" content="%s">' % SECURITY,
        '<link rel="manifest" href="public/webapp.json">',
        '<link rel="apple-touch-icon" href="public/icons/icon-192.png">',
        '<link rel="modulepreload" href="app/start.js">',
        '<link rel="modulepreload" href="app/main.js">',
        '<script type="module" src="app/shell/site.js"></script>',
    ))).encode()  # fmt: skip


def with_hosting(files, types, isolation):
    """The page's files and those by which it is hosted."""
    listed = {
        "" if name == "index.html" else name: {
            "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content),
            **({"later": True} if name.startswith(LATER) and not name.endswith(".json") else {}),
        } for name, content in sorted(files.items())
    }  # fmt: skip
    headers = {**isolation, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": SECURITY}
    facts = {"files": listed, "types": types, "headers": headers}
    program = WORKER.read_text(encoding="utf-8")
    version = hashlib.sha256((json.dumps(facts, sort_keys=True) + program).encode()).hexdigest()[:12]
    hosting = {
        "sw.js": "const BUILD = %s;\n%s" % (json.dumps({"version": version, **facts}, separators=(",", ":")), program),
        # Names stay from version to version, so a browser asks each time and is answered with 304;
        # the service worker saves the asking.
        "_headers": "/*\n" + "".join("  %s: %s\n" % pair for pair in {**headers, "Cache-Control": "no-cache"}.items()),
        ".nojekyll": "",
    }
    written = {**files, **{name: text.encode() for name, text in hosting.items()}}
    about = {"made_by": MADE_BY, "version": version, "files": sorted([*written, LIST])}
    return {**written, LIST: json.dumps(about, indent=1).encode()}


def write(folder, made, types, isolation):
    """Writes the build, whole or not at all. Returns what to tell the person; raises SetupError
    with a sentence.
    """
    folder = Path(folder).resolve()
    _check(folder)
    files = with_hosting(page_files(made, types), types, isolation)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
        try:
            for name, content in files.items():
                target = partial / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            partial.chmod(0o755)  # mkdtemp's is the owner's alone; a server may be somebody else
            _put(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise SetupError(
            "%s could not be written (%s); what was there before is as it was" % (folder, error)
        ) from error
    return _told(folder, files)


def _check(folder):
    """Only into a new folder, an empty one, or an earlier build to which nobody has added
    anything."""
    if (
        folder == ROOT
        or ROOT.is_relative_to(folder)
        or any(folder.is_relative_to(ROOT / tree) for tree in ("app", "public", "py", "tools"))
    ):
        raise SetupError("%s is part of TinyGPT's own sources or holds them; give a folder of its own" % folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SetupError("%s is a file; give the name of a folder" % folder)
    found = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()
    }
    if not found:
        return
    try:
        about = json.loads((folder / LIST).read_text())
        ours = set(about["files"]) if about["made_by"] == MADE_BY else None
    except (OSError, ValueError, KeyError, TypeError):
        ours = None
    if ours is None:
        raise SetupError("%s is not empty and is not an earlier build; give a new or an empty folder" % folder)
    if others := sorted(found - ours):
        raise SetupError(
            "%s holds %s, which no build wrote and which would be lost; move it away, or give another folder"
            % (
                # fmt: skip
                folder,
                others[0] if len(others) == 1 else "%s and %d other files" % (others[0], len(others) - 1),
            )
        )


def _put(partial, folder):
    """The finished folder takes the place of what is there, which comes back if that fails."""
    before = None
    if folder.exists():
        before = Path(tempfile.mkdtemp(prefix=folder.name + ".before.", dir=folder.parent))
        os.rename(folder, before)  # an empty folder may be replaced
    try:
        os.rename(partial, folder)
    except OSError:
        if before:
            os.rename(before, folder)
        raise
    if before:
        shutil.rmtree(before, ignore_errors=True)


def _told(folder, files):
    """Where it is, how large, and what of it set-up made (no checkout holds that)."""
    sizes, counts = Counter(), Counter()
    for name, content in files.items():
        place = "/".join(name.split("/")[: 2 if name.startswith("public/") and name.count("/") > 1 else 1])
        place = place + "/" if "/" in name else "index.html, sw.js, ..."
        place = "public/*" if place == "public/" or name.startswith("public/") and name.count("/") == 1 else place
        sizes[place] += len(content)
        counts[place] += 1
    lines = ["%s: %d files, %.1f MB" % (folder, len(files), sum(sizes.values()) / 1e6)]
    for place in sorted(sizes, key=lambda name: -sizes[name]):
        made = {
            "public/vendor/": "made by set-up",
            "public/wheels/": "placed by set-up",
            "public/corpora/": "texts placed by set-up",
            "py/": "made now",
        }.get(place, "")
        lines.append("  %-24s %4d files %8.2f MB  %s" % (place, counts[place], sizes[place] / 1e6, made))
    lines.append("Any static host serves it. Here: python3 -m http.server --directory %s" % folder)
    return "\n".join(line.rstrip() for line in lines)
