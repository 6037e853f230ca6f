"""What is wrong with the source in the editor, as it is typed: what the compiler says, and names
that are defined nowhere.

Lines from 1, columns in characters from 0. The source is compiled (source_limits.py) and never run.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

import __main__

from ..dispatch import handles
from ..source_limits import TYPED, parsed
from .scopes import scopes_of, undefined_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from .. import protocol

    Severity = Literal["error", "warning"]

T = TypeVar("T")
MOST = 50  # problems that are said
LONGEST = 200  # characters of a message
ALWAYS = frozenset(
    "__name__ __file__ __doc__ __class__ __builtins__ __package__ __spec__ __annotations__ __debug__".split()
)


def quietly(otherwise: T, function: Callable[..., T], *args: Any) -> T:
    """function(*args), or `otherwise` after an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the source; `check` reports them
            return function(*args)
    except Exception:
        return otherwise


@handles("check")
def check(args: protocol.CheckArgs, part: object = None) -> list[protocol.Diagnostic]:
    """What is wrong with the source."""
    return quietly([], _check, args["source"], args.get("file", "train.py"))


def _check(source: str, file: str) -> list[protocol.Diagnostic]:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    problems: list[protocol.Diagnostic] = []
    lines = source.split("\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            tree = parsed(source, file, flags, TYPED)
            compile(tree, file, "exec", flags, dont_inherit=True)
        except SyntaxError as error:
            return [_syntax_problem(error, lines)]
        except ValueError as error:  # a null character
            return [{"line": 1, "column": 0, "end_column": len(lines[0]), "message": str(error), "severity": "error"}]
    for warning in caught:
        if issubclass(warning.category, SyntaxWarning):
            problems.append(_whole_line(warning.lineno, lines, str(warning.message), "warning"))
    live = __main__.__dict__ if file == "train.py" else {}

    def exists(name: str) -> bool:
        package = name == "__path__" and file == "__init__.py"
        return package or name in ALWAYS or name in builtins.__dict__ or name in live

    for node in itertools.islice(undefined_names(scopes_of(tree), exists), MOST):
        text = lines[node.lineno - 1]
        column = len(text.encode()[: node.col_offset].decode(errors="ignore"))
        problems.append(
            {
                "line": node.lineno,
                "column": column,
                "end_column": column + len(node.id),
                "message": "%s is not defined" % cut(node.id),
                "severity": "warning",
            }
        )
    return problems[:MOST]


def _syntax_problem(error: SyntaxError, lines: list[str]) -> protocol.Diagnostic:
    line = min(max(1, error.lineno or 1), len(lines))
    text = lines[line - 1]
    column = (error.offset or 0) - 1
    if column < 0:
        return _whole_line(line, lines, error.msg, "error")
    end_offset = error.end_offset or 0
    end = end_offset - 1 if error.end_lineno == error.lineno and end_offset > 0 else len(text)
    column = min(column, len(text))
    if "was never closed" in error.msg:
        end = column + 1
    return {
        "line": line,
        "column": column,
        "end_column": max(min(end, len(text)), column),
        "message": _sentence(error.msg),
        "severity": "error",
    }


def _whole_line(number: int | None, lines: list[str], message: str, severity: Severity) -> protocol.Diagnostic:
    number = min(max(1, number or 1), len(lines))
    text = lines[number - 1]
    column = len(text) - len(text.lstrip())
    return {
        "line": number,
        "column": column,
        "end_column": len(text),
        "message": _sentence(message),
        "severity": severity,
    }


def _sentence(text: str) -> str:
    return cut(text[:1].upper() + text[1:])


def cut(text: str) -> str:
    """A text that a name or a literal of the source may have made long, as one that fits a line."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
