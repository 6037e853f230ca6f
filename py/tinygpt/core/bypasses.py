"""Code that writes attributes past `Module.__setattr__`: `object.__setattr__(module, name, value)`.

Such a write moves no epoch, and Python has no place to see it. So the code of the process is looked
at instead: the files of the modules that are not installed, and the functions that are running. As
soon as one has such a write, all that recordings have read is compared in each replay
(`state.bypassed`; core/guards.py).
"""

from __future__ import annotations

import os
import re
import sys
from types import CodeType
from typing import TYPE_CHECKING

from .bytecode import names_of
from .state import state

if TYPE_CHECKING:
    from types import FrameType

# In a source or in compiled code: all but super().__setattr__ and the definition of one's own.
_PAST = re.compile(
    rb"(?<!super\(\)\.)(?<!def )__(?:set|del)(?:attr|item)__"
    rb"|\bdict\.(?:clear|pop|popitem|setdefault|update)\b"
    rb"|\blist\.(?:append|clear|extend|insert|pop|remove|reverse|sort)\b"
)
_STANDARD = os.path.dirname(os.__file__)
_PACKAGE = os.path.dirname(os.path.dirname(__file__))
_files: set[str] = set()  # looked at
_modules = 0  # of sys.modules at the last look


def installed(file: str) -> bool:
    """Whether a file belongs to Python, to an installed package or to this one."""
    return "-packages" in file or file.startswith((_STANDARD, _PACKAGE, "<frozen"))


def look(frame: FrameType | None = None) -> None:
    """Looks at what has come since the last time: modules, and the callers of `frame`."""
    global _modules
    if len(sys.modules) != _modules:
        _modules = len(sys.modules)
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and file not in _files:
                _files.add(file)
                if not installed(file):
                    _file(file)
    if hasattr(sys, "ps1"):  # at a prompt: the next line may have one
        _found()
    while frame is not None:
        note(frame.f_code)
        frame = frame.f_back


def modules() -> int:
    """The number of modules at the last look."""
    return _modules


def is_new() -> bool:
    """Whether modules have come since the last look."""
    return len(sys.modules) != _modules


def note(code: CodeType) -> None:
    """Looks at the file of code that runs, or at the code itself where it has no file."""
    file = code.co_filename
    if file in _files:
        return
    if os.path.isfile(file):
        _files.add(file)
        if not installed(file):
            _file(file)
    elif not file.startswith("<frozen") and _in_code(code):
        _found()


def _file(file: str) -> None:
    try:
        with open(file, "rb") as source:
            past = _PAST.search(source.read())
    except OSError:
        return
    if past is not None:
        _found()


def _in_code(code: CodeType) -> bool:
    names = names_of(code).attributes
    if "super" not in names and not names.isdisjoint(("__setattr__", "__delattr__", "__setitem__", "__delitem__")):
        return True
    return any(
        _in_code(value) if isinstance(value, CodeType) else isinstance(value, str) and "__setattr__" in value
        for value in code.co_consts
    )


def _found() -> None:
    if not state.bypassed:
        state.bypassed = True
        state.exposed += 1  # recordings sort their checks anew
        state.touch()
