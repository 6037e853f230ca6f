"""The visitor's files (app/files) as the folder that code works in: placed before a run, imported
like a program's own modules, and looked through for what a program wrote.

A program runs as `python FILE ARGUMENTS` does: `sys.argv`, `__file__`, an empty `__main__`, its
folder on `sys.path`, every module of the tree imported anew. Sources are compiled behind the limits
of source_limits.py.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shlex
import sys
from importlib.machinery import FileFinder, SourceFileLoader
from typing import TYPE_CHECKING, Any

import __main__

from . import named_texts, tracebacks
from .source_limits import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import protocol

SKIPPED = ("__pycache__", ".")  # how folders begin that hold nothing of the visitor's
root = ""  # the folder that the tree is in; "": not installed

_versions: dict[str, str] = {}  # path in the tree -> the page's version of what is there
_states: dict[str, tuple[int, int]] = {}  # path -> (bytes, nanoseconds) of the file with that version
_own: frozenset[str] = frozenset()  # names of __main__ that are the page's
_on_path: list[str] = []  # what a program has on sys.path


class _Loader(SourceFileLoader):
    """Imports a source of the tree: from the file, never from kept bytecode."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:
        return compiled(importlib.util.decode_source(data), os.fspath(path))


def install() -> None:
    """The current folder is the tree's from now on."""
    global root, _own
    root, _own = os.getcwd(), frozenset(__main__.__dict__)
    tracebacks.tree = root + os.sep
    sys.path_hooks.insert(0, _finder)
    sys.path_importer_cache.pop(root, None)
    _use_path([root], front=False)


def _finder(path: str) -> FileFinder:
    if path != root and not path.startswith(root + os.sep):
        raise ImportError("not in the tree")
    return FileFinder(path, (_Loader, [".py"]))


# ---- the page's files ----


def wanted(files: list[protocol.PageFile]) -> list[str]:
    """The tree as the page has it. Removes what the page has removed; the paths whose contents the
    page is to place.
    """
    there = {file["path"]: file["version"] for file in files}
    for path in [path for path in _versions if path not in there]:
        _forget(path)
        full = _full(path)
        if os.path.isfile(full):
            os.remove(full)
            _remove_empty(os.path.dirname(full))
    return [path for path, version in there.items() if _versions.get(path) != version or not _is_placed(path)]


def place(path: str, version: str, content: bytes | memoryview) -> None:
    """Writes one file of the page. ValueError for a path that leaves the tree."""
    full = _full(path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    if os.path.islink(full):
        os.remove(full)  # never through a link, to what is outside
    named_texts.disown(full)
    with open(full, "wb") as file:
        file.write(content)
    _versions[path], _states[path] = version, _state(full)
    importlib.invalidate_caches()


def written() -> list[protocol.WrittenFile]:
    """What code has written since the page placed or read it."""
    found: list[protocol.WrittenFile] = []
    for path, state in _walk():
        if _states.get(path) != state:
            found.append({"path": path, "bytes": state[0]})
    return found


def read(path: str, version: str) -> bytes:
    """The content of a file of the tree, which the page has as `version` from now on."""
    full = _full(path)
    if os.path.islink(full):
        raise ValueError("%s is a link, which the tree does not hold" % path)
    state = _state(full)
    with open(full, "rb") as file:
        content = file.read()
    _versions[path], _states[path] = version, state
    return content


def _walk() -> Iterator[tuple[str, tuple[int, int]]]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(SKIPPED)]
        for name in names:
            full = os.path.join(folder, name)
            if not os.path.islink(full) and os.path.isfile(full) and not named_texts.made(full):
                yield os.path.relpath(full, root), _state(full)


def _full(path: str) -> str:
    """The place of a path of the tree. ValueError where it is outside."""
    parts = path.split("/")
    full = os.path.join(root, *parts)
    folder = os.path.realpath(os.path.dirname(full)) + os.sep  # the file itself may be a link: see `place`
    if "" in parts or ".." in parts or "." in parts or not folder.startswith(root + os.sep):
        raise ValueError("the path %r is not one of the tree" % path)
    return full


def _state(full: str) -> tuple[int, int]:
    about = os.stat(full)
    return about.st_size, about.st_mtime_ns


def _is_placed(path: str) -> bool:
    full = _full(path)
    return os.path.isfile(full) and not os.path.islink(full) and _state(full) == _states.get(path)


def _forget(path: str) -> None:
    _versions.pop(path, None)
    _states.pop(path, None)


def _remove_empty(folder: str) -> None:
    while folder != root and folder.startswith(root) and not os.listdir(folder):
        os.rmdir(folder)
        folder = os.path.dirname(folder)


# ---- a program ----


def begin(program: protocol.PageProgram | None) -> str:
    """Before a run: the state of a new `python FILE ARGUMENTS`; None: of the editor's train.py. The
    name under which the source is compiled. ValueError for arguments that cannot be read.
    """
    if not root:
        return tracebacks.EDITOR
    arguments = _arguments(program["arguments"]) if program else []
    _forget_modules()
    if program is None:
        os.chdir(root)
        _use_path([root], front=False)
        __main__.__dict__.pop("__file__", None)
        sys.argv[:] = [""]
        return tracebacks.EDITOR
    full = _full(program["path"])
    folder = _full(program["folder"]) if program["folder"] else root
    os.chdir(folder)
    _use_path([os.path.dirname(full), folder], front=True)  # the program's own folder comes first
    space = __main__.__dict__
    for name in [name for name in space if name not in _own and not name.startswith("__")]:
        del space[name]
    space["__file__"] = full
    sys.argv[:] = [os.path.relpath(full, folder), *arguments]
    return full


def end() -> None:
    """After a run: nothing of the tree hides a module of Python's own, which the page may need."""
    _use_path(list(_on_path), front=False)


def _use_path(places: list[str], front: bool) -> None:
    for place in _on_path:
        if place in sys.path:
            sys.path.remove(place)
    _on_path[:] = dict.fromkeys(places)
    at = 0 if front else len(sys.path)
    sys.path[at:at] = _on_path


def _arguments(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise ValueError("the arguments %r cannot be read: %s" % (line[:100], error)) from None


def filename(name: str) -> str:
    """Under which the editor's file of this name is compiled."""
    return name if not root or name in tracebacks.FILES else _full(name)


def text(path: str) -> str | None:
    """The source that is imported from the path; None: there is none."""
    try:
        with open(_full(path), "rb") as file:
            return importlib.util.decode_source(file.read())
    except (OSError, ValueError, SyntaxError):
        return None


def modules() -> dict[str, Any]:
    """{path in the tree: the module that was imported from it}"""
    found: dict[str, Any] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name != "__main__" and isinstance(file, str) and file.startswith(root + os.sep):
            found[os.path.relpath(file, root)] = module
    return found


def _forget_modules() -> None:
    """Every module of the tree is imported anew at its next import."""
    importlib.invalidate_caches()
    for name, module in list(sys.modules.items()):
        if name == "__main__":
            continue
        places = [getattr(module, "__file__", None) or ""]
        try:
            places += list(getattr(module, "__path__", ()))
        except Exception:
            pass
        if any(isinstance(place, str) and place.startswith(root + os.sep) for place in places):
            del sys.modules[name]
