"""Fills public/vendor/ from node_modules/: what the page runs besides its own files, so that it
asks no other server.

vendor/pyodide/     Pyodide; its standard library as .pyc, its lock file pointing at public/wheels
                    for the wheels there
vendor/pyscript/    PyScript's core
vendor/editor.js    CodeMirror 6 and its Python mode, bundled from app/editor/bundle.js
vendor/uplot/       uPlot
vendor/bytecode/    the package compiled for the tab (bytecode.py fills it)
vendor/stamp.json   what all this was made from, and each file's size (equal means up to date), and
                    how many bytes the page's boot loads; it is written last
"""

import hashlib
import json
import shutil
from pathlib import Path

from . import bytecode, packages, stage, wheels
from .stage import PUBLIC, ROOT, SetupError

VENDOR = PUBLIC / "vendor"
PYODIDE = VENDOR / "pyodide"
SOURCES = packages.MODULES
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
UPLOT = ("uPlot.esm.js", "uPlot.min.css")
BUNDLE = ROOT / "app" / "editor" / "bundle.js"


def made_from():
    """One checksum over what decides the content of vendor/: the pinned packages and the files that
    say how to make it.
    """
    content = b"".join(path.read_bytes() for path in (ROOT / "package.json", BUNDLE, bytecode.COMPILER, Path(__file__)))
    return hashlib.sha256(content).hexdigest()


def up_to_date():
    try:
        stamp = json.loads((VENDOR / "stamp.json").read_text(encoding="utf-8"))
        return stamp["made_from"] == made_from() and all(
            (VENDOR / name).stat().st_size == size for name, size in stamp["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def prepare(progress):
    if not up_to_date():
        _fill(progress)
    content, target = json.dumps(lock(), separators=(",", ":")).encode(), PYODIDE / "pyodide-lock.json"
    if not target.is_file() or target.read_bytes() != content:  # which wheels we hold can change without the rest
        stage.write(target, content)


def _fill(progress):
    (VENDOR / "stamp.json").unlink(missing_ok=True)
    if VENDOR.exists():
        shutil.rmtree(VENDOR)
    PYODIDE.mkdir(parents=True)
    progress("copying Pyodide, PyScript and uPlot")
    for name in CORE:
        _copy(SOURCES / "pyodide" / name, PYODIDE / name)
    for path in (SOURCES / "@pyscript" / "core" / "dist").iterdir():
        if path.suffix in (".js", ".css"):
            _copy(path, VENDOR / "pyscript" / path.name)
    for name in UPLOT:
        _copy(SOURCES / "uplot" / "dist" / name, VENDOR / "uplot" / name)
    progress("bundling the editor")
    esbuild(VENDOR / "editor.js")
    _compile_stdlib(progress)
    boot = {
        path.name: path.stat().st_size for path in (*(PYODIDE / name for name in CORE), PYODIDE / "python_stdlib.zip")
    }
    files = {path.relative_to(VENDOR).as_posix(): path.stat().st_size for path in VENDOR.rglob("*") if path.is_file()}
    stamp = {"made_from": made_from(), "boot_bytes": sum(boot.values()), "files": dict(sorted(files.items()))}
    stage.write(VENDOR / "stamp.json", json.dumps(stamp).encode())
    progress.note("Pyodide %s, CodeMirror, uPlot and PyScript are in public/vendor" % packages.installed("pyodide"))


def lock():
    """Pyodide's lock file. The wheels we hold are named by their place here; all others by their
    full address in Pyodide's distribution.
    """
    content = json.loads((SOURCES / "pyodide" / "pyodide-lock.json").read_text(encoding="utf-8"))
    elsewhere = packages.distribution()
    for entry in content["packages"].values():
        entry["file_name"] = elsewhere + entry["file_name"]
    for wheel in wheels.held():
        entry = content["packages"][wheel["name"]]
        entry.update(file_name="../../wheels/" + wheel["file"], version=wheel["version"], sha256=wheel["sha256"])
    return content


def _copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def esbuild(target, *options):
    """Writes the editor's bundle to `target`."""
    command = [
        str(SOURCES / ".bin" / "esbuild"),
        str(BUNDLE),
        "--bundle",
        "--format=esm",
        "--minify",
        "--outfile=%s" % target,
        *options,
    ]
    status, output = stage.run(command, cwd=ROOT)
    if status:
        raise SetupError("esbuild could not bundle the editor: " + stage.said(output))


def _compile_stdlib(progress):
    source, target = SOURCES / "pyodide" / "python_stdlib.zip", PYODIDE / "python_stdlib.zip"
    bytecode.compile_zip(
        source,
        target,
        "/lib/python314.zip",
        lambda count: progress("precompiling the standard library: %s files" % count),
    )
