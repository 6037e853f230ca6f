"""The set-up of a small checkout, run with tools and downloads that are fakes, and interrupted at
one of its writes.

`Checkout(folder, port)` makes the checkout; `run(step, how)` runs its serve.py as far as the page
would be served. The set-up and the fakes count their writes together: each file is written in two
halves, and before each half, each rename and each deletion the count goes up. At the write `step`
the whole process group is killed (how = "kill"), or the write fails (how = "ENOSPC", ...).
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.hosts import ROOT

# name: version. The page's own files of a package are in FILES.
PACKAGES = {"pyodide": "1.0.0", "@pyscript/core": "2.0.0", "uplot": "3.0.0", "esbuild": "4.0.0", "deep": "5.0.0"}
FILES = {
    "pyodide": {
        "pyodide.mjs": "fetch(`https://files.invalid/v${version}/full/`)",
        "pyodide.asm.mjs": "a" * 500,
        "pyodide.asm.wasm": "b" * 900,
        "pyodide-lock.json": json.dumps({"packages": {"thing": {"file_name": "thing.whl"}}}),
        "python_stdlib.zip": "c" * 700,
    },
    "@pyscript/core": {"dist/core.js": "d" * 300, "dist/core.css": "e" * 30},
    "uplot": {"dist/uPlot.esm.js": "f" * 300, "dist/uPlot.min.css": "g" * 30},
    "esbuild": {"index.js": "h" * 30},
    "deep": {"index.js": "i" * 200},
}
WHEEL = b"the wheel " * 300
CORPUS = b"Before we proceed any further, hear me speak.\n" * 40

COUNTING = '''
"""Writes that count, and end where they should."""
import builtins, errno, os, pathlib, shutil, signal

STEP, HOW, COUNT = int(os.environ["STEP"]), os.environ["HOW"], os.environ["COUNT"]

def step(path):
    with open(COUNT, "ab+") as file:
        file.write(b".")
        count = file.tell()
    if count == STEP:
        if HOW == "kill":
            os.killpg(0, signal.SIGKILL)
        elif HOW == "INT":
            raise KeyboardInterrupt
        else:
            number = getattr(errno, HOW)
            raise OSError(number, os.strerror(number), str(path))

def write(path, content):
    step(path)
    with open(path, "wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        step(path)
        file.write(content[len(content) // 2 :])

def remove_tree(folder, **options):
    for path in sorted(pathlib.Path(folder).rglob("*"), reverse=True):
        step(path)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    os.rmdir(folder)
'''
TOOL = """#!%(python)s -SE
import json, os, pathlib, sys
sys.path.insert(0, %(bin)r)
from counting import step, write, remove_tree
"""
NPM = """
modules = pathlib.Path("node_modules")
try:
    modules.mkdir(exist_ok=True)
    for path in sorted(modules.iterdir()):
        if path.is_dir():
            remove_tree(path)
        else:
            path.unlink()
    lock = json.loads(pathlib.Path("package-lock.json").read_text())
    for place, entry in lock["packages"].items():
        for name, text in entry.get("files", {}).items():
            path = pathlib.Path(place, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, text.encode())
    (modules / ".bin").mkdir(exist_ok=True)
    write(modules / ".bin" / "esbuild", pathlib.Path(%(bin)r, "fake-esbuild").read_bytes())
    os.chmod(modules / ".bin" / "esbuild", 0o755)
    write(modules / ".package-lock.json", json.dumps(lock).encode())
except OSError as error:
    import errno
    said = "npm error code %%s\\nnpm error %%s \\xff\\n" %% (errno.errorcode[error.errno], error)
    sys.stdout.buffer.write(said.encode("latin-1"))
    sys.exit(1)
"""
NODE = """
if sys.argv[1:] == ["--version"]:
    print("v20.1.0")
    sys.exit()
print("0/1")
sys.stdout.flush()
import zipfile, io
out = io.BytesIO()
with zipfile.ZipFile(out, "w") as archive:
    archive.writestr(zipfile.ZipInfo("x.pyc"), pathlib.Path(sys.argv[3]).read_bytes())
try:
    write(sys.argv[4], out.getvalue())
except OSError as error:
    sys.stdout.buffer.write(b"\\xff Error: %%s\\n    at a line of a stack\\n" %% str(error).encode())
    sys.exit(1)
"""
ESBUILD = """
target = next(a.partition("=")[2] for a in sys.argv if a.startswith("--outfile="))
try:
    write(target, pathlib.Path(sys.argv[1]).read_bytes())
except OSError as error:
    print("Error:", error)
    sys.exit(1)
"""
DRIVER = """
import hashlib, json, os, pathlib, shutil, sys
sys.path[:0] = [os.getcwd(), os.environ["BIN"]]
import counting
import serve
from tools.setup import build, corpora, packages, shakespeare, wheels

real_write, real_unlink, real_replace, real_mkdir = (
    pathlib.Path.write_bytes, pathlib.Path.unlink, os.replace, pathlib.Path.mkdir)

def counted(act):
    def counts(path, *args, **options):
        counting.step(path)
        return act(path, *args, **options)
    return counts

def unlink(path, missing_ok=False):
    if path.exists():
        counting.step(path)
        real_unlink(path)
    elif not missing_ok:
        raise FileNotFoundError(2, "No such file", str(path))

pathlib.Path.write_bytes = counting.write
pathlib.Path.unlink = unlink
os.replace = counted(real_replace)
shutil.copyfile = lambda source, target: counting.write(target, pathlib.Path(source).read_bytes())
shutil.rmtree = lambda folder, **options: counting.remove_tree(folder)
address = os.environ["ADDRESS"]
packages.distribution = lambda: address
wheels.FOLDERS = (wheels.CACHE,)
wheels.WHEELS = (wheels.Wheel("thing", "1", "thing.whl", ("thing",), False, (os.environ["WHEEL"],)),)
registry = corpora._load()
known = registry.CORPORA["shakespeare"]
registry.CORPORA["shakespeare"] = type(known)(
    **{**vars(known), "sha256": os.environ["CORPUS"], "bytes": int(os.environ["CORPUS_BYTES"]),
       "source": address + "input.txt", "editions": ()})
registry.stdlib_text = lambda: "import this\\n" * 100
registry.corpus_directories = lambda: []
corpora._load = lambda: registry
def no_plays(progress):
    raise ValueError("no index here")
shakespeare.corpus = no_plays
build.write = lambda *args: "served"
sys.argv = ["serve.py", "--build", "nowhere"]
serve.main()
"""


class Checkout:
    def __init__(self, folder, address):
        self.root, self.bin, self.cache = folder / "checkout", folder / "bin", folder / "cache"
        self.address = address
        self.bin.mkdir(parents=True)
        for place in ("serve.py", "app/editor/bundle.js", "py/tinygpt/corpora.py"):
            (self.root / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / place, self.root / place)
        shutil.copytree(ROOT / "tools", self.root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        pinned = {name: version for name, version in PACKAGES.items() if name != "deep"}
        (self.root / "package.json").write_text(json.dumps({"dependencies": pinned}))
        locked = {"": {}}
        for name, version in PACKAGES.items():
            files = {"package.json": json.dumps({"name": name, "version": version}), **FILES[name]}
            locked["node_modules/" + name] = {"version": version, "files": files}
        (self.root / "package-lock.json").write_text(json.dumps({"packages": locked}))
        (self.root / "public" / "ext").mkdir(parents=True)
        (self.root / "public" / "ext" / "manifest.json").write_text('{"artefacts": {}, "sources": {}}')
        (self.bin / "counting.py").write_text(COUNTING)
        (self.bin / "driver.py").write_text(DRIVER)
        self.tool("npm", NPM)
        self.tool("node", NODE)
        self.tool("fake-esbuild", ESBUILD)

    def tool(self, name, program):
        """A command on the PATH of the set-up, in Python."""
        path = self.bin / name
        path.write_text((TOOL + program) % {"python": sys.executable, "bin": str(self.bin)})
        path.chmod(0o755)

    def run(self, step=0, how="kill", path=None):
        """(status, output, the number of writes). step: of 1, 2, ...; 0: to the end."""
        count = self.bin / "count"
        count.write_bytes(b"")
        environment = {
            "PATH": str(self.bin) if path is None else path,
            "HOME": str(self.cache),
            "BIN": str(self.bin),
            "ADDRESS": self.address,
            "WHEEL": hashlib.sha256(WHEEL).hexdigest(),
            "CORPUS": hashlib.sha256(CORPUS).hexdigest(),
            "CORPUS_BYTES": str(len(CORPUS)),
            "STEP": str(step),
            "HOW": how,
            "COUNT": str(count),
            "PYTHONDONTWRITEBYTECODE": "1",
            "no_proxy": "*",
        }
        process = subprocess.Popen(
            [sys.executable, "-S", str(self.bin / "driver.py")],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output = process.communicate(timeout=60)[0].decode("utf-8", "backslashreplace")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, output, len(count.read_bytes())

    def empty(self):
        """Takes away what set-up made."""
        for place in (self.root / "public" / name for name in ("vendor", "wheels", "corpora")):
            shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(self.root / "node_modules", ignore_errors=True)
        shutil.rmtree(self.cache, ignore_errors=True)

    def digest(self):
        """{file: checksum} of all that set-up made."""
        made = [self.root / "public", self.root / "node_modules", self.cache]
        return {
            path.relative_to(self.root.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for folder in made
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file() and path.name not in (".package-lock.json", "manifest.json")
        }
