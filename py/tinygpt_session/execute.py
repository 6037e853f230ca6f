"""Runs one source in the namespace of `__main__`, as the page requested, and says how it ended.

mode "script"   the editor: filename train.py; the page's inputs become the run's settings, its
                other files the package's modules
mode "console"  one console entry, where nothing else runs (features/console_entry.py: at a step
                boundary): the last expression's value is shown and kept in `_`; an unfinished entry
                is sent back
mode "call"     `tinygpt.run`: the last expression's value is returned as JSON

All three await at top level. Names stay from one source to the next, also after a Stop or an error.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import __main__

from . import (
    console,
    interruptible,
    named_texts,
    output_channel,
    page_files,
    rich_output,
    step_boundary,
    torch_finder,
    torch_program,
    training_bridge,
)
from .features import hot_apply
from .json_values import plain
from .source_limits import limit
from .tracebacks import describe

if TYPE_CHECKING:
    from types import CodeType

    from . import protocol


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
        chosen: protocol.RunOptions = json.loads(options) or {} if mode == "script" else {}
        filename = page_files.begin(chosen.get("program")) if mode == "script" else console.title(mode)
        limit(source, filename)
        if mode == "console" and console.unfinished(source):
            outcome["status"] = "incomplete"
            return _text(outcome)
        if mode == "script":
            _begin(chosen)
            torch_program.begin(source, filename)
        value = await interruptible.as_task(_execute(source, filename, mode))
        outcome.update({"ok": True, "status": "finished"})
        if mode == "call":
            outcome["result"] = plain(value)
        elif mode == "console" and value is not None:
            outcome["shown"] = rich_output.shown(value)
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
    torch_program.end(outcome)
    page_files.end()
    torch_finder.leave()
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

    torch_finder.fresh()
    named_texts.place((options.get("settings") or {}).get("corpus"))
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
def interrupt(entry: bool) -> bool:
    """A Stop while Python waits in `await` or `run_sync`; False: it does not. entry: only for the
    console entry that a running loop answers.
    """
    return interruptible.stop(entry)


async def _execute(source: str, filename: str, mode: str) -> Any:
    statements, last = console.codes(source, filename, with_value=mode != "script")
    with ExitStack() as around:
        if mode != "script":
            around.enter_context(torch_finder.meaning_of_console())
        if mode == "console":
            around.enter_context(console.lent((statements, last)))
        await _evaluate(statements)
        return None if last is None else await _evaluate(last)


async def _evaluate(code: CodeType) -> Any:
    value = eval(code, __main__.__dict__)
    return await value if code.co_flags & inspect.CO_COROUTINE else value
