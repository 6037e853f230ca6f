"""Fills public/vendor/ from node_modules/: what the page runs besides its own files, so that it asks no other server.

vendor/pyodide/     Pyodide; its standard library as .pyc, its lock file pointing at public/wheels for what we hold
vendor/pyscript/    PyScript's core
vendor/editor.js    CodeMirror 6 and its Python mode, bundled from app/editor_bundle.js
vendor/uplot/       uPlot
vendor/bytecode/    the package compiled for the tab (bytecode.py fills it)
vendor/stamp.json   what all this was made from (equal means up to date), and how many bytes the page's boot loads
"""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

from . import PUBLIC, ROOT, SetupError, bytecode, packages, wheels

VENDOR = PUBLIC / "vendor"
PYODIDE = VENDOR / "pyodide"
SOURCES = packages.MODULES
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
UPLOT = ("uPlot.esm.js", "uPlot.min.css")
BUNDLE = ROOT / "app" / "editor_bundle.js"


def made_from():
    """One checksum over what decides the content of vendor/: the pinned packages and the files that say how to make it."""
    content = b"".join(path.read_bytes() for path in (ROOT / "package.json", BUNDLE, bytecode.COMPILER, Path(__file__)))
    return hashlib.sha256(content).hexdigest()


def up_to_date():
    try:
        if json.loads((VENDOR / "stamp.json").read_text())["made_from"] != made_from():
            return False
    except (OSError, ValueError, KeyError):
        return False
    made = [PYODIDE / name for name in (*CORE, "python_stdlib.zip")]
    made += [VENDOR / "editor.js", VENDOR / "pyscript" / "core.js", *(VENDOR / "uplot" / name for name in UPLOT)]
    return all(path.is_file() for path in made)


def prepare(progress):
    if not up_to_date():
        _fill(progress)
    content, target = json.dumps(lock(), separators=(",", ":")), PYODIDE / "pyodide-lock.json"
    if not target.is_file() or target.read_text() != content:  # which wheels we hold can change without the rest
        target.write_text(content)


def _fill(progress):
    shutil.rmtree(VENDOR, ignore_errors=True)
    PYODIDE.mkdir(parents=True)
    progress("copying Pyodide, PyScript and uPlot")
    for name in CORE:
        _copy(SOURCES / "pyodide" / name, PYODIDE / name)
    for path in (SOURCES / "@pyscript" / "core" / "dist").iterdir():
        if path.suffix in (".js", ".css"):
            _copy(path, VENDOR / "pyscript" / path.name)
    for name in UPLOT:
        _copy(SOURCES / "uplot" / "dist" / name, VENDOR / "uplot" / name)
    _bundle_editor(progress)
    _compile_stdlib(progress)
    boot = {path.name: path.stat().st_size for path in (*(PYODIDE / name for name in CORE), PYODIDE / "python_stdlib.zip")}
    (VENDOR / "stamp.json").write_text(json.dumps({"made_from": made_from(), "boot_bytes": sum(boot.values())}))
    progress.note("Pyodide %s, CodeMirror, uPlot and PyScript are in public/vendor" % packages.installed("pyodide"))


def lock():
    """Pyodide's lock file. The wheels we hold are named by their place here; all others by their full address in Pyodide's distribution."""
    content = json.loads((SOURCES / "pyodide" / "pyodide-lock.json").read_text())
    elsewhere = distribution()
    for entry in content["packages"].values():
        entry["file_name"] = elsewhere + entry["file_name"]
    for wheel in wheels.held():
        entry = content["packages"][wheel["name"]]
        entry.update(file_name="../../wheels/" + wheel["file"], version=wheel["version"], sha256=wheel["sha256"])
    return content


def distribution():
    """The address of Pyodide's own distribution, as the package states it."""
    text = (SOURCES / "pyodide" / "pyodide.mjs").read_text()
    found = re.search(r'`(https://[^`$]+)\$\{\w+\}(/full/)`', text)
    if not found:
        raise SetupError("pyodide.mjs no longer states where its distribution is; see app/setup/runtime.py")
    return found[1] + packages.installed("pyodide") + found[2]


def _copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _bundle_editor(progress):
    progress("bundling the editor")
    esbuild = SOURCES / ".bin" / "esbuild"
    command = [str(esbuild), str(BUNDLE), "--bundle", "--format=esm", "--minify", "--outfile=%s" % (VENDOR / "editor.js")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SetupError("esbuild could not bundle the editor:\n" + done.stderr.strip())


def _compile_stdlib(progress):
    source, target = SOURCES / "pyodide" / "python_stdlib.zip", PYODIDE / "python_stdlib.zip"
    bytecode.compile_zip(
        source, target, "/lib/python314.zip", lambda count: progress("precompiling the standard library: %s files" % count)
    )
