"""The README's tree is true: every file it names exists, and every source file is named."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.fast

NAMED_BY_FOLDER = ("app/session/", "app/setup/", "tests/", "public/")


def tracked():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [f for f in listing if pathlib.Path(f).suffix in (".py", ".js", ".mjs", ".cpp", ".h", ".html", ".sh", ".css")]


def tree():
    text = (ROOT / "README.md").read_text().split("## The tree")[1]
    return text.split("```")[1]


def test_every_source_file_is_in_the_tree():
    names = set(re.findall(r"[\w./-]+\.(?:html|py|mjs|js|cpp|h|sh|css)\b", tree()))
    named = {pathlib.PurePosixPath(n).name for n in names}
    missing = [
        f
        for f in tracked()
        if not f.startswith(NAMED_BY_FOLDER) and not f.endswith("__init__.py") and pathlib.PurePosixPath(f).name not in named
    ]
    assert not missing


def test_every_file_in_the_tree_exists():
    files = {pathlib.PurePosixPath(f).name for f in tracked()}
    ghosts = [n for n in re.findall(r"[\w./-]+\.(?:html|py|mjs|js|cpp|h|sh|css)\b", tree()) if pathlib.PurePosixPath(n).name not in files]
    assert not ghosts


def test_the_folders_in_the_tree_exist():
    for folder in re.findall(r"^ {0,2}([\w/]+/) ", tree(), re.M):
        assert any((base / folder).is_dir() for base in (ROOT, ROOT / "app", ROOT / "tests", ROOT / "public")), folder


def test_architecture_names_every_module_of_the_package():
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert all(word in text for word in ("kernels.py", "tg_run", "bridges/wasm.js", "tok_emb.weight"))
