"""The npm packages that package.json names, at exactly those versions, in node_modules/."""

import json
import shutil
import subprocess

from . import ROOT, SetupError

MODULES = ROOT / "node_modules"


def stale():
    """Names of the page's packages that are missing or of another version than package.json pins."""
    pinned = json.loads((ROOT / "package.json").read_text())["dependencies"]
    return [name for name, version in pinned.items() if installed(name) != version]


def installed(name):
    try:
        return json.loads((MODULES / name / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError):
        return None


def prepare(progress):
    missing = stale()
    if not missing:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError("npm is not installed, and %d packages are missing; install Node.js 20 or newer and start again" % len(missing))
    progress("installing %d packages with npm" % len(missing))
    # `npm ci` removes what it was not asked for: keep the tests' packages where they are installed already.
    tests = any(installed(name) for name in json.loads((ROOT / "package.json").read_text()).get("devDependencies", {}))
    command = [npm, "ci", "--no-audit", "--no-fund"] + ([] if tests else ["--omit=dev"])
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode or stale():
        raise SetupError("npm could not install the page's packages; `npm ci` said:\n" + (done.stderr or done.stdout).strip()[-2000:])
    progress.note("%d npm packages installed" % len(missing))
