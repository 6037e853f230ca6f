"""Runs one source in the namespace of `__main__`, as the page asked, and tells how it ended.

mode "script"   the editor: filename train.py, the page's inputs become the run's settings, its other files the package's modules
mode "console"  one console entry: the last expression's value is shown and kept in `_`; an unfinished entry is sent back
mode "call"     `tinygpt.run`: the last expression's value is returned as JSON

All three await at top level. Names stay from one source to the next, also after a Stop or an error.
"""

import ast
import asyncio
import codeop
import inspect
import itertools
import json

import __main__

from . import training, waiting
from .errors import EDITOR, describe, remember_source
from .results import plain

FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_numbers = itertools.count(1)
_complete = codeop.CommandCompiler()
_complete.compiler.flags |= FLAGS


async def run(source, mode, options):
    """JSON {ok, status, result, shown, error, file, line, device}; status is finished, stopped, error or incomplete. device: in use now.

    options, of a script: JSON {settings, files: the editor's other files, paused: stop before the first step, resume: go on with the run
    before}.
    """
    outcome = dict(ok=False, status="error", result=None, shown=None, error=None, file=None, line=None)
    filename = EDITOR if mode == "script" else "<%s %d>" % (mode, next(_numbers))
    try:
        if mode == "console" and unfinished(source):
            outcome["status"] = "incomplete"
            return json.dumps(outcome)
        remember_source(filename, source)
        if mode == "script":
            training.begin(**(json.loads(options) or {}))
        value = await waiting.as_task(_execute(source, filename, value_wanted=mode != "script"))
        outcome.update(ok=True, status="finished")
        if mode == "call":
            outcome["result"] = plain(value)
        elif mode == "console" and value is not None:
            outcome["shown"] = repr(value)
            __main__._ = value
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError):  # a Stop while it awaited
            error = KeyboardInterrupt().with_traceback(error.__traceback__)
        outcome.update(_described(error), status="stopped")
    except SystemExit as error:
        if error.code in (None, 0):
            outcome.update(ok=True, status="finished")
        else:
            outcome.update(error="SystemExit: %s" % error.code)
    except BaseException as error:
        outcome.update(_described(error))
    training.end()
    outcome["device"] = training.device()
    return json.dumps(outcome)


def _described(error):
    text, place = describe(error)
    return {"error": text, **place}


def interrupt():
    """A Stop while Python waits in `await` or `run_sync`."""
    waiting.stop()


async def _execute(source, filename, value_wanted):
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST | FLAGS, dont_inherit=True)
    last = None
    if value_wanted and tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    await _evaluate(compile(tree, filename, "exec", FLAGS, dont_inherit=True))
    if last is not None:
        return await _evaluate(compile(last, filename, "eval", FLAGS, dont_inherit=True))
    return None


async def _evaluate(code):
    value = eval(code, __main__.__dict__)
    return await value if code.co_flags & inspect.CO_COROUTINE else value


def unfinished(source):
    """Whether more lines must follow: an open bracket or string, or a block that no empty line has closed."""
    lines = source.split("\n")
    if len(lines) > 1 and not lines[-1].strip():
        return _open(source)
    block = source.rstrip().endswith(":") or (len(lines) > 1 and lines[-1][:1] in (" ", "\t")) or lines[0].startswith("@")
    return _open(source) or block and _valid(source)


def _open(source):
    try:
        return _complete(source, symbol="exec") is None
    except (SyntaxError, ValueError, OverflowError):
        return False  # running it shows the error


def _valid(source):
    try:
        return bool(ast.parse(source).body)
    except (SyntaxError, ValueError):
        return False
