"""The visitor's files as the folder that code works in, natively: placed, imported anew, run with
arguments, and looked through for what code wrote.
"""

import subprocess
import sys
import types
from pathlib import Path

import pytest

import __main__

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.fast


@pytest.fixture
def tree(monkeypatch, tmp_path):
    """The module, installed in a folder of its own."""
    package = types.ModuleType("session_without_page")
    package.__path__ = [str(ROOT / "py" / "tinygpt_session")]
    monkeypatch.setitem(sys.modules, "session_without_page", package)
    before, space = set(sys.modules), dict(__main__.__dict__)
    for name in ("path", "argv", "path_hooks"):
        monkeypatch.setattr(sys, name, list(getattr(sys, name)))
    monkeypatch.chdir(tmp_path)
    from session_without_page import page_files

    page_files.install()
    yield page_files
    __main__.__dict__.clear()
    __main__.__dict__.update(space)
    for name in set(sys.modules) - before:
        if name.startswith("session_without_page.") or str(tmp_path) in str(sys.modules[name].__dict__.get("__file__")):
            del sys.modules[name]


def put(tree, files):
    for path, text in files.items():
        tree.place(path, text, text.encode())


def run(tree, path, arguments="", folder=""):
    """What the program leaves in `__main__`."""
    filename = tree.begin({"path": path, "arguments": arguments, "folder": folder})
    exec(compile(Path(filename).read_text(), filename, "exec"), __main__.__dict__)
    tree.end()
    return __main__.__dict__


PROGRAM = """
import os, sys
import helper, queue
from pack import inner
result = [sys.argv, __file__, __name__, helper.WORD, inner.WORD, queue.WORD, open("data/x.txt").read(), os.getcwd()]
if __name__ == "__main__":
    print(result)
"""
FILES = {
    "p/main.py": PROGRAM,
    "p/helper.py": "WORD = 'helper'",
    "p/queue.py": "WORD = 'hides the module of Python'",
    "p/pack/__init__.py": "",
    "p/pack/inner.py": "from . import other\nWORD = other.WORD",
    "p/pack/other.py": "WORD = 'inner'",
    "p/data/x.txt": "text",
}


def test_a_program_finds_what_python_gives_it(tree, tmp_path, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "queue", raising=False)
    put(tree, FILES)
    line = "--steps 3 'two words'"
    run(tree, "p/main.py", line, "p")
    command = [sys.executable, "main.py", "--steps", "3", "two words"]
    theirs = subprocess.run(command, cwd=tmp_path / "p", capture_output=True, text=True, check=True)
    ours = capsys.readouterr().out
    assert ours.replace(repr(str(tmp_path / "p/main.py")), "FILE") == theirs.stdout.replace(
        repr(str(tmp_path / "p/main.py")), "FILE"
    )
    assert sys.path[-1] == str(tmp_path / "p")  # afterwards nothing of the tree hides what the page imports
    with pytest.raises(ValueError, match="the arguments .* cannot be read: No closing quotation"):
        tree.begin({"path": "p/main.py", "arguments": "it's", "folder": ""})


def test_a_changed_module_is_imported_anew_and_a_program_begins_without_names(tree):
    put(tree, {"main.py": "import helper\nword, names = helper.WORD, list(globals())", "helper.py": "WORD = 1"})
    assert run(tree, "main.py")["word"] == 1
    put(tree, {"helper.py": "WORD = 2"})  # of the same length, within the same second
    __main__.__dict__["mine"] = 1
    space = run(tree, "main.py")
    assert space["word"] == 2
    assert "mine" not in space["names"]


def test_a_module_that_nests_too_deeply_is_refused(tree):
    put(tree, {"main.py": "import helper", "helper.py": "x = a" + ".b" * 2000})
    with pytest.raises(SyntaxError):
        run(tree, "main.py")


def test_the_tree_is_what_the_page_has(tree, tmp_path):
    def wanted(versions):
        return tree.wanted([{"path": path, "version": version} for path, version in versions.items()])

    versions = dict(FILES)
    assert wanted(versions) == list(FILES)
    put(tree, FILES)
    assert wanted(versions) == []
    assert wanted({**versions, "p/helper.py": "new"}) == ["p/helper.py"]
    (tmp_path / "p/data/x.txt").unlink()  # a program deleted it: it comes back
    assert wanted(versions) == ["p/data/x.txt"]
    del versions["p/data/x.txt"]
    put(tree, {"p/data/x.txt": "text"})
    assert wanted(versions) == []
    assert not (tmp_path / "p/data").exists()


def test_what_code_writes_is_found_and_read_once(tree, tmp_path):
    put(
        tree, {"main.py": "open('out.txt', 'w').write('out'); open('main2.py', 'w'); open('notes.txt', 'a').write('!')"}
    )
    put(tree, {"notes.txt": "notes"})
    run(tree, "main.py")
    (tmp_path / "link.txt").symlink_to("/etc/hostname")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache/x").touch()
    assert sorted((file["path"], file["bytes"]) for file in tree.written()) == [
        ("main2.py", 0),
        ("notes.txt", 6),
        ("out.txt", 3),
    ]
    assert tree.read("notes.txt", "theirs") == b"notes!"
    assert sorted(file["path"] for file in tree.written()) == ["main2.py", "out.txt"]


@pytest.mark.parametrize("path", ["../x", "/x", "a//x", "a/./x", "a/../../x", "", "outside/x"])
def test_no_path_leaves_the_tree(tree, tmp_path, path):
    (tmp_path / "outside").symlink_to("/")
    for act in (lambda: tree.place(path, "1", b""), lambda: tree.read(path, "1")):
        with pytest.raises(ValueError, match="is not one of the tree"):
            act()


def test_a_file_of_the_page_replaces_a_link_and_never_writes_through_it(tree, tmp_path):
    from session_without_page import named_texts

    target = tmp_path.parent / "target.txt"
    target.write_text("theirs")
    named_texts._link("input.txt", str(target))
    with pytest.raises(ValueError, match="input.txt is a link"):
        tree.read("input.txt", "1")
    put(tree, {"input.txt": "ours"})
    assert (tmp_path / "input.txt").read_text() == "ours" and target.read_text() == "theirs"
    named_texts._link("input.txt", str(target))
    assert (tmp_path / "input.txt").read_text() == "ours", "the panel's text took the place of the visitor's"
