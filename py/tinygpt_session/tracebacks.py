"""Tracebacks as the user reads them: their own lines, none of the page's machinery, the
package's frames folded.

The full traceback is one call away: `traceback.print_last()`.
"""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from typing import TypedDict

EDITOR = "train.py"
FILES = (EDITOR, "model.py", "generate.py")  # the editor's
tree = ""  # where the visitor's files are, with a separator at its end (page_files.py); "": nowhere
HERE = os.path.dirname(__file__)
# This folder, imports, Pyodide's own Python, and frames of JavaScript (their file is an address).
MACHINERY = (
    HERE + "/",
    "<frozen importlib",
    "/lib/python314.zip/_pyodide",
    "/lib/python314.zip/pyodide",
    "http://",
    "https://",
)
PACKAGE = os.path.join(os.path.dirname(HERE), "tinygpt")


class Place(TypedDict):
    """Where in the editor's files an error happened; both None where it did not."""

    file: str | None
    line: int | None


def remember_source(filename: str, source: str) -> None:
    """Lets tracebacks and `inspect` show lines of a source that is no file. No date, so that
    linecache keeps it.
    """
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)


class _Folded(traceback.FrameSummary):
    """Stands for `count` frames in a row inside the package."""

    __slots__ = ("count",)
    count: int


class _Stack(traceback.StackSummary):
    def format_frame_summary(self, frame: traceback.FrameSummary, **options: bool) -> str:
        if isinstance(frame, _Folded):
            frames = "1 frame" if frame.count == 1 else "%d frames" % frame.count
            return "  [%s inside tinygpt; traceback.print_last() shows all]\n" % frames
        return super().format_frame_summary(frame, **options)


def describe(error: BaseException) -> tuple[str, Place]:
    """(traceback text, where in the editor's files it happened). Never raises: an error of the
    user's own class may fail to be printed, and is then named alone.
    """
    sys.last_exc = error  # pyright: ignore[reportAttributeAccessIssue]  since Python 3.12
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    try:
        summary = traceback.TracebackException.from_exception(error, compact=True)
        _clean(summary)
        file, line = _place(error, set()) or (None, None)
        return "".join(summary.format()).rstrip("\n"), {"file": file, "line": line}
    except Exception:
        return "%s: %s" % (type(error).__name__, sentence_of(error)), {"file": None, "line": None}


def sentence_of(error: BaseException) -> str:
    """str(error), or that it cannot be had."""
    try:
        return str(error)
    except Exception as problem:
        return "<its text could not be made: %s>" % type(problem).__name__


def _clean(summary: traceback.TracebackException) -> None:
    summary.stack = _Stack(_kept(summary.stack))
    for other in (summary.__cause__, summary.__context__, *(summary.exceptions or ())):
        if other is not None:
            _clean(other)


def _kept(stack: traceback.StackSummary) -> list[traceback.FrameSummary]:
    kept: list[traceback.FrameSummary] = []
    for frame in stack:
        if frame.filename.startswith(MACHINERY):
            continue
        if frame.filename.startswith(PACKAGE + "/"):
            last = kept[-1] if kept else None
            if isinstance(last, _Folded):
                last.count += 1
            else:
                fold = _Folded(frame.filename, frame.lineno, frame.name, lookup_line=False, line="")
                fold.count = 1
                kept.append(fold)
        else:
            kept.append(frame)
    return kept


def page_name(filename: str) -> str | None:
    """A file of the editor by the name that the page has for it; None: it is another file."""
    if tree and filename.startswith(tree):
        return filename.removeprefix(tree)
    return filename if filename in FILES else None


def _place(error: BaseException, seen: set[int]) -> tuple[str, int | None] | None:
    """(file, line) of the editor where it happened: the innermost frame there, or where the syntax
    is wrong.
    """
    if isinstance(error, SyntaxError) and error.filename and (name := page_name(error.filename)):
        return name, error.lineno
    place = None
    seen.add(id(error))
    for frame, number in traceback.walk_tb(error.__traceback__):
        if name := page_name(frame.f_code.co_filename):
            place = name, number
    cause = error.__cause__ or error.__context__
    if place is None and cause and id(cause) not in seen:  # an error may be its own cause
        return _place(cause, seen)
    return place
