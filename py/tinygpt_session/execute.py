"""Runs one source in the namespace of `__main__`, as the page requested, and says how it ended.

mode "script"   the editor: filename train.py; the page's inputs become the run's settings, its
                other files the package's modules
mode "console"  one console entry: the last expression's value is shown and kept in `_`; an
                unfinished entry is sent back
mode "call"     `tinygpt.run`: the last expression's value is returned as JSON

All three await at top level. Names stay from one source to the next, also after a Stop or an error.
"""

from __future__ import annotations

import ast
import asyncio
import codeop
import inspect
import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

import __main__

from . import interruptible, output_channel, step_boundary, training_bridge
from .features import hot_apply
from .json_values import bounded_repr, plain
from .source_limits import limit, parsed
from .tracebacks import EDITOR, describe, remember_source

if TYPE_CHECKING:
    from types import CodeType

    from . import protocol

FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_numbers = itertools.count(1)
_complete = codeop.CommandCompiler()
_complete.compiler.flags |= FLAGS


@interruptible.around
async def run(source: str, mode: str, options: str) -> str:
    """JSON of protocol.Outcome. options: JSON of protocol.RunOptions or null, for a script."""
    outcome: protocol.Outcome = {
        "ok": False,
        "status": "error",
        "result": None,
        "shown": None,
        "error": None,
        "file": None,
        "line": None,
    }
    try:
        filename = EDITOR if mode == "script" else "<%s %d>" % (mode, next(_numbers))
        limit(source, filename)
        if mode == "console" and unfinished(source):
            outcome["status"] = "incomplete"
            return _text(outcome)
        remember_source(filename, source)
        if mode == "script":
            _begin(json.loads(options) or {})
        value = await interruptible.as_task(_execute(source, filename, with_value=mode != "script"))
        outcome.update({"ok": True, "status": "finished"})
        if mode == "call":
            outcome["result"] = plain(value)
        elif mode == "console" and value is not None:
            outcome["shown"] = output_channel.shown(bounded_repr(value))
            __main__.__dict__["_"] = value
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError):  # a Stop while it awaited
            error = KeyboardInterrupt().with_traceback(error.__traceback__)
        _describe(outcome, error)
        outcome["status"] = "stopped"
    except SystemExit as error:
        if error.code in (None, 0):
            outcome.update({"ok": True, "status": "finished"})
        else:
            outcome["error"] = "SystemExit: %s" % error.code
    except BaseException as error:
        _describe(outcome, error)
    return _ended(outcome)


@interruptible.unbroken
def _ended(outcome: protocol.Outcome) -> str:
    """After any source: what was requested of it makes the next one neither wait nor resume."""
    step_boundary.begin()
    hot_apply.end("the run ended before the edit took effect")
    loop = sys.modules.get("tinygpt.loop")
    if loop:
        loop.set_resume(None)
    outcome["device"] = training_bridge.device()
    return _text(outcome)


@interruptible.unbroken
def _text(outcome: protocol.Outcome) -> str:
    return json.dumps(outcome)


def _begin(options: protocol.RunOptions) -> None:
    """Before the editor's code is executed."""
    from tinygpt import loop

    training_bridge.configure(options.get("settings"))
    files = options.get("files")
    if files:
        hot_apply.use(files)
    step_boundary.begin(options.get("paused", False))
    loop.set_resume(loop.current if options.get("resume", False) else None)


@interruptible.unbroken
def _describe(outcome: protocol.Outcome, error: BaseException) -> None:
    text, place = describe(error)
    outcome["error"] = output_channel.shown(text)
    outcome.update({"file": place["file"], "line": place["line"]})


@interruptible.unbroken
def interrupt() -> bool:
    """A Stop while Python waits in `await` or `run_sync`; False: it does not."""
    return interruptible.stop()


async def _execute(source: str, filename: str, with_value: bool) -> Any:
    tree = parsed(source, filename, FLAGS)
    last = None
    if with_value and tree.body and isinstance(end := tree.body[-1], ast.Expr):
        tree.body.pop()
        last = ast.Expression(end.value)
    await _evaluate(compile(tree, filename, "exec", FLAGS, dont_inherit=True))
    if last is not None:
        return await _evaluate(compile(last, filename, "eval", FLAGS, dont_inherit=True))
    return None


async def _evaluate(code: CodeType) -> Any:
    value = eval(code, __main__.__dict__)
    return await value if code.co_flags & inspect.CO_COROUTINE else value


def unfinished(source: str) -> bool:
    """Whether more lines must follow: an open bracket or string, or a block that no empty line has
    closed.
    """
    lines = source.split("\n")
    if len(lines) > 1 and not lines[-1].strip():
        return _open(source)
    block = (
        source.rstrip().endswith(":") or (len(lines) > 1 and lines[-1][:1] in (" ", "\t")) or lines[0].startswith("@")
    )
    return _open(source) or block and _valid(source)


def _open(source: str) -> bool:
    try:
        return _complete(source, symbol="exec") is None
    except (SyntaxError, ValueError, OverflowError):
        return False  # running it shows the error


def _valid(source: str) -> bool:
    try:
        return bool(parsed(source).body)
    except (SyntaxError, ValueError):
        return False
