"""Tracebacks as the user wants to read them: their own lines, none of the page's machinery, the package's frames folded.

The full traceback is one call away: `traceback.print_last()`.
"""

import linecache
import os
import sys
import traceback

EDITOR = "train.py"
FILES = (EDITOR, "model.py", "generate.py")  # the editor's
HERE = os.path.dirname(__file__)
# This folder, imports, Pyodide's own Python, and frames of JavaScript (their file is an address).
MACHINERY = (HERE + "/", "<frozen importlib", "/lib/python314.zip/_pyodide", "/lib/python314.zip/pyodide", "http://", "https://")
PACKAGE = os.path.join(os.path.dirname(HERE), "tinygpt")


def remember_source(filename, source):
    """Lets tracebacks and `inspect` show lines of a source that is no file. No date, so that linecache keeps it."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)


class _Folded(traceback.FrameSummary):
    """Stands for `count` frames in a row inside the package."""

    __slots__ = ("count",)


class _Stack(traceback.StackSummary):
    def format_frame_summary(self, frame, **options):
        if isinstance(frame, _Folded):
            frames = "1 frame" if frame.count == 1 else "%d frames" % frame.count
            return "  [%s inside tinygpt; traceback.print_last() shows all]\n" % frames
        return super().format_frame_summary(frame, **options)


def describe(error):
    """(traceback text, where in the editor's files it happened: {file, line}, both None where it did not)."""
    sys.last_exc, sys.last_type, sys.last_value, sys.last_traceback = error, type(error), error, error.__traceback__
    summary = traceback.TracebackException.from_exception(error, compact=True)
    _clean(summary)
    return "".join(summary.format()).rstrip("\n"), dict(zip(("file", "line"), _place(error) or (None, None)))


def _clean(summary):
    summary.stack = _Stack(_kept(summary.stack))
    for other in (summary.__cause__, summary.__context__, *(summary.exceptions or ())):
        if other is not None:
            _clean(other)


def _kept(stack):
    kept = []
    for frame in stack:
        if frame.filename.startswith(MACHINERY):
            continue
        if frame.filename.startswith(PACKAGE + "/"):
            if kept and isinstance(kept[-1], _Folded):
                kept[-1].count += 1
            else:
                fold = _Folded(frame.filename, frame.lineno, frame.name, lookup_line=False, line="")
                fold.count = 1
                kept.append(fold)
        else:
            kept.append(frame)
    return kept


def _place(error):
    """(file, line) of the editor where it happened: the innermost frame there, or where the syntax is wrong."""
    if isinstance(error, SyntaxError) and error.filename in FILES:
        return error.filename, error.lineno
    place = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename in FILES:
            place = frame.f_code.co_filename, number
    if place is None and (error.__cause__ or error.__context__):
        return _place(error.__cause__ or error.__context__)
    return place
