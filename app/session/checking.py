"""What is wrong with the source in the editor, as it is typed: what the compiler says, and names that are defined nowhere.

check {source, file}: [{line, column, end_column, message, severity}]; lines from 1, columns in characters from 0; severity is error or
warning. The source is compiled and never run.
"""

import ast
import builtins
import warnings

import __main__

from .requests import handles
from .scopes import scopes_of, undefined_names

ALWAYS = frozenset("__name__ __file__ __doc__ __class__ __builtins__ __package__ __spec__ __annotations__ __debug__".split())


def quietly(otherwise, function, *args):
    """function(*args), or `otherwise` after an error: an editor that gets no answer goes on without."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the source; `check` tells them
            return function(*args)
    except Exception:
        return otherwise


@handles("check")
def check(args, part=None):
    return quietly([], _check, args["source"], args.get("file", "train.py"))


def _check(source, file):
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    problems, lines = [], source.split("\n")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            tree = compile(source, file, "exec", ast.PyCF_ONLY_AST | flags, dont_inherit=True)
            compile(tree, file, "exec", flags, dont_inherit=True)
        except SyntaxError as error:
            return [_syntax_problem(error, lines)]
        except ValueError as error:  # a null character
            return [dict(line=1, column=0, end_column=len(lines[0]), message=str(error), severity="error")]
    for warning in told:
        if issubclass(warning.category, SyntaxWarning):
            problems.append(_whole_line(warning.lineno, lines, str(warning.message), "warning"))
    live = __main__.__dict__ if file == "train.py" else {}

    def exists(name):
        return name in ALWAYS or name in builtins.__dict__ or name in live

    for node in undefined_names(scopes_of(tree), exists):
        text = lines[node.lineno - 1]
        column = len(text.encode()[: node.col_offset].decode(errors="ignore"))
        place = dict(line=node.lineno, column=column, end_column=column + len(node.id))
        problems.append({**place, "message": "%s is not defined" % node.id, "severity": "warning"})
    return problems[:50]


def _syntax_problem(error, lines):
    line = min(max(1, error.lineno or 1), len(lines))
    text = lines[line - 1]
    column = (error.offset or 0) - 1
    if column < 0:
        return _whole_line(line, lines, error.msg, "error")
    end = error.end_offset - 1 if error.end_lineno == error.lineno and (error.end_offset or 0) > 0 else len(text)
    column = min(column, len(text))
    if "was never closed" in error.msg:
        end = column + 1
    return dict(line=line, column=column, end_column=max(min(end, len(text)), column), message=_sentence(error.msg), severity="error")


def _whole_line(number, lines, message, severity):
    number = min(max(1, number or 1), len(lines))
    text = lines[number - 1]
    column = len(text) - len(text.lstrip())
    return dict(line=number, column=column, end_column=len(text), message=_sentence(message), severity=severity)


def _sentence(text):
    return text[:1].upper() + text[1:]
