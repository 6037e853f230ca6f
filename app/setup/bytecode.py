"""Python compiled for the tab, by Pyodide under Node: the standard library once, the package file by file as it is edited.

`package_zip()` is what the tab unpacks: all sources, and beside each the bytecode of exactly that text where we have it
(public/vendor/bytecode, named by checksum). What is missing is compiled in the background, so an edit costs the next start only the
compilation of the edited file, in the tab.
"""

import hashlib
import io
import os
import shutil
import subprocess
import tempfile
import threading
import zipfile
from pathlib import Path

from . import PUBLIC, ROOT, SetupError, packages

COMPILER = ROOT / "app" / "setup" / "compile_zip.mjs"
PLACE = PUBLIC / "vendor" / "bytecode"
SITE = "/lib/python3.14/site-packages"
FOLDERS = {"tinygpt": ROOT / "py" / "tinygpt", "tinygpt_session": ROOT / "app" / "session"}
SHADERS = ROOT / "shaders"
_compiling = threading.Lock()


def compile_zip(source, target, place, progress=None):
    """Writes `target`, the zip `source` with every .py compiled as if it lay in the folder `place`."""
    node = shutil.which("node")
    if node is None:
        raise SetupError("Node.js is not installed; install version 20 or newer and start again")
    command = [node, str(COMPILER), str(packages.MODULES / "pyodide"), str(source), str(target), place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if progress:
                progress(line.strip().replace("/", " of "))
        errors = process.stderr.read()
    if process.returncode or not zipfile.is_zipfile(target):
        raise SetupError("%s could not be compiled for the tab:\n%s" % (source, errors.strip()[-2000:]))


def sources():
    """{name in the tab's site-packages: content}"""
    found = {
        "%s/%s" % (name, path.relative_to(folder).as_posix()): path.read_bytes()
        for name, folder in FOLDERS.items() for path in sorted(folder.rglob("*.py"))
    }  # fmt: skip
    found.update({"tinygpt/shaders/" + path.name: path.read_bytes() for path in sorted(SHADERS.glob("*.wgsl"))})
    return found


def package_zip():
    """The zip that the tab unpacks into its site-packages. Equal sources give equal bytes once their bytecode is there."""
    out = io.BytesIO()
    missing = False
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sources().items():
            archive.writestr(zipfile.ZipInfo(name), content)
            if not name.endswith(".py"):
                continue
            code = _path(name, content)
            if code.is_file():
                folder, _, file = name.rpartition("/")
                archive.writestr(zipfile.ZipInfo("%s/__pycache__/%s.cpython-314.pyc" % (folder, file[:-3])), code.read_bytes())
            else:
                missing = True
    if missing:
        compile_in_background()
    return out.getvalue()


def compile_now():
    """Compiles what package_zip() would lack, and waits for it."""
    package_zip()
    with _compiling:  # held while it goes on
        pass


def compile_in_background():
    """Compiles what package_zip() lacked, unless that is going on already."""
    if _compiling.acquire(blocking=False):
        threading.Thread(target=_compile_package, daemon=True).start()


def _compile_package():
    try:
        wanted = {name: content for name, content in sources().items() if name.endswith(".py")}
        paths = {name: _path(name, content) for name, content in wanted.items()}
        with tempfile.TemporaryDirectory() as folder:
            before, after = Path(folder, "in.zip"), Path(folder, "out.zip")
            with zipfile.ZipFile(before, "w") as archive:
                for name, path in paths.items():
                    if not path.is_file():
                        archive.writestr(name, wanted[name])
            compile_zip(before, after, SITE)
            PLACE.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(after) as archive:
                for entry in archive.namelist():
                    if entry.endswith(".pyc"):
                        path = paths[entry[:-1]]
                        partial = path.with_suffix(".part%d" % os.getpid())
                        partial.write_bytes(archive.read(entry))
                        os.replace(partial, path)  # whole or not at all
        for path in set(PLACE.iterdir()) - set(paths.values()):
            path.unlink(missing_ok=True)  # of texts that are gone
    except (SetupError, OSError) as error:  # the tab compiles for itself then, a little later
        print(error, flush=True)
    finally:
        _compiling.release()


def _path(name, content):
    return PLACE / (hashlib.sha256(name.encode() + b"\0" + content).hexdigest() + ".pyc")
