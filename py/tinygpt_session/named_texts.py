"""The texts of the panel Data as files in the folder that code starts in:
`open("shakespeare.txt")`, and `open("input.txt")` for the text that is chosen there.

The site's texts are links, so that they are fetched where they are read alone. A text of the
visitor's own is written when a run begins with it, or when code opens it by its name. A file that
code wrote itself stays.
"""

from __future__ import annotations

import builtins
import io
import os
from typing import Any

CHOSEN = "input.txt"
STANDARD = "shakespeare"  # where nobody has chosen
_written: set[str] = set()  # paths that this module made
_open = io.open


def place(chosen: Any) -> None:
    """Before a run. chosen: the name of the text in the panel Data; None: the standard one."""
    from tinygpt.corpora import corpus_directories

    try:
        for folder in corpus_directories():
            for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
                if name.endswith(".txt"):
                    _link(name, str(folder / name))
        chosen = chosen if isinstance(chosen, str) else STANDARD
        if _ours(CHOSEN):
            link = os.path.abspath(chosen + ".txt")
            if link in _written and os.path.islink(link):
                _link(CHOSEN, os.readlink(link))
            else:
                _write(CHOSEN, chosen)
    except OSError:
        pass  # a text that cannot be had is missed where it is opened


def made(path: str) -> bool:
    """Whether this module made the file at the path."""
    return path in _written


def disown(path: str) -> None:
    """The file at the path is the visitor's from now on."""
    _written.discard(path)


def _ours(name: str) -> bool:
    path = os.path.abspath(name)
    return path in _written or not os.path.lexists(path)


def _link(name: str, target: str) -> None:
    path = os.path.abspath(name)
    if not _ours(name) or os.path.islink(path) and os.readlink(path) == target:
        return
    if os.path.lexists(path):
        os.remove(path)
    os.symlink(target, path)
    _written.add(path)


def _write(name: str, corpus: str) -> bool:
    """Writes one of the visitor's own texts as the file `name`. False where there is none."""
    from tinygpt import corpora

    if corpus not in corpora.provided():
        return False
    text = corpora.find_corpus(corpus, say=lambda note: None).text
    path = os.path.abspath(name)
    if os.path.lexists(path):
        os.remove(path)
    with _open(path, "w", encoding="utf-8") as file:
        file.write(text)
    _written.add(path)
    return True


def _opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    try:
        return _open(file, mode, *args, **kwargs)
    except FileNotFoundError:
        if not isinstance(file, (str, os.PathLike)) or not mode.startswith("r"):
            raise
        name = os.fspath(file)
        if os.path.dirname(os.path.abspath(name)) != os.getcwd():
            raise
        stem = os.path.basename(name)
        if not any(_write(name, corpus) for corpus in (stem, stem.removesuffix(".txt"))):
            raise
        return _open(file, mode, *args, **kwargs)


def install() -> None:
    """`open` finds the visitor's own texts from now on."""
    _opened.__doc__, _opened.__name__, _opened.__qualname__ = _open.__doc__, "open", "open"
    builtins.open = _opened
