"""The npm packages that package.json names, at exactly those versions, in node_modules/.

Each package has a mark of completion in node_modules/.tinygpt-packages.json: its version, and how
many files and bytes it has. The marks are written when npm has ended, and deleted before it begins.
So what a killed npm leaves, and a package that lost a file or a part of one, is installed again.
"""

import json
import os
import re
import shutil

from . import stage
from .stage import ROOT, SetupError

MODULES = ROOT / "node_modules"
MARKS = ".tinygpt-packages.json"
NPMS_MARK = ".package-lock.json"  # npm writes it last
NETWORK = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT)\b")


def stale():
    """Names of the page's packages that are missing, incomplete, or of another version than
    package-lock.json pins.
    """
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    missing = [name for name, version in pinned.items() if installed(name) != version]
    marks = _read(MODULES / MARKS)
    if marks is None:
        return missing or _unmarked()
    needed = [name for name, entry in _locked().items() if not entry.get("optional")]
    return missing + [
        name for name in {*needed, *marks} - set(missing) if marks.get(name) != _mark(name)
    ]  # fmt: skip


def _unmarked():
    """What is stale where another command ran npm: nothing where npm says that it came to its end.
    Then its packages get their marks.
    """
    listed = (_read(MODULES / NPMS_MARK) or {}).get("packages", {})
    missing = [
        name
        for name, entry in _locked().items()
        if not entry.get("optional") and listed.get("node_modules/" + name, {}).get("version") != entry["version"]
    ]
    if not missing:
        try:
            mark()
        except OSError:
            pass  # a folder that somebody else owns: the next start looks again
    return missing


def mark():
    """Marks what is installed as complete."""
    marks = {name: found for name in _locked() if (found := _mark(name)) is not None}
    stage.write(MODULES / MARKS, json.dumps(marks).encode())


def _mark(name):
    """[version, files, bytes] of a package, or None."""
    try:
        return [installed(name), *_size(MODULES / name)]
    except OSError:
        return None


def _size(folder):
    files = size = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "node_modules":  # other packages
                    inner = _size(entry.path)
                    files, size = files + inner[0], size + inner[1]
            else:
                files, size = files + 1, size + entry.stat(follow_symlinks=False).st_size
    return files, size


def _locked():
    """{name: entry} of what package-lock.json lists for the page."""
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    return {
        place.removeprefix("node_modules/"): entry for place, entry in lock.items() if place and not entry.get("dev")
    }


def _read(path):
    """An object of JSON, or None."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else None
    except (OSError, ValueError):
        return None


def installed(name):
    try:
        return json.loads((MODULES / name / "package.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def distribution():
    """The address of Pyodide's own distribution, as the package states it."""
    text = (MODULES / "pyodide" / "pyodide.mjs").read_text(encoding="utf-8")
    found = re.search(r"`(https://[^`$]+)\$\{\w+\}(/full/)`", text)
    if not found:
        raise SetupError("pyodide.mjs no longer states where its distribution is; see tools/setup/packages.py")
    return found[1] + installed("pyodide") + found[2]


def prepare(progress):
    missing = stale()
    if not missing:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError(
            "npm is not installed, and %d packages are missing; install Node.js 20 or newer and start again"
            % len(missing)
        )
    stage.node()
    progress("installing %d packages with npm" % len(missing))
    # `npm ci` removes what it was not asked for: keep the tests' packages where they are installed
    # already.
    content = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    tests = any(installed(name) for name in content.get("devDependencies", {}))
    for name in (MARKS, NPMS_MARK):
        (MODULES / name).unlink(missing_ok=True)
    status, output = stage.run([npm, "ci", "--no-audit", "--no-fund"] + ([] if tests else ["--omit=dev"]), cwd=ROOT)
    if status:
        raise SetupError(_why(output))
    if still := stale():  # which marks what is complete
        raise SetupError(
            "npm ended without an error, but %s is not complete in node_modules; delete that folder and start again"
            % still[0]
        )
    progress.note("%d npm packages installed" % len(missing))


def _why(output):
    """The sentence for what npm said when it failed."""
    lines = [re.sub(r"^npm (ERR!|error) ?", "", line).strip() for line in output.splitlines()]
    lines = [line for line in lines if line and not re.match(r"(npm (warn|notice)|A complete log|code )", line, re.I)]
    codes = re.findall(r"\bnpm (?:ERR!|error) code (\w+)", output)
    for code in codes:
        if code in stage.SENTENCES:
            return "npm failed: " + stage.SENTENCES[code] % {"path": MODULES}
    if network := NETWORK.search(output):
        return "npm could not reach the package registry (%s); connect to a network and start again" % network[1]
    return "npm could not install the page's packages: %s; `npm ci` in %s says more" % (
        (lines[0][:300] if lines else "it said nothing"), ROOT,
    )  # fmt: skip
