"""A console entry while something runs: executed at a step boundary of the training loop, while it
is paused too, in the namespace of the console (console.py).

An entry that only reads leaves the run's bits as they are: while it runs, the default random stream
is the console's own, and the streams of the run's data are put back. An entry that changes the
model changes it. A Stop of the entry alone ends no run (interruptible.py).
"""

from __future__ import annotations

import inspect
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pyodide.ffi

import __main__

from .. import console, dispatch, interruptible, output_channel, rich_output, torch_finder, training_bridge
from ..source_limits import limit
from ..tracebacks import describe

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from tinygpt.core.generator import Generator

    from .. import protocol

SEED = 0x636F6E736F6C65  # "console": its stream is none that a run is likely to have
_stream: Generator | None = None  # what entries draw from while a loop trains


@dispatch.handles("enter")
def enter(args: protocol.EnterArgs, part: Callable[[protocol.EntryBegun], None]) -> protocol.EntryAnswer:
    """The part {"begun": true} when the entry begins. Where nothing runs it is not executed (status
    "idle"): the page sends it as a run.
    """
    answer: protocol.EntryAnswer = {"status": "idle", "shown": None, "error": None}
    if dispatch.idle():
        return answer
    interruptible.begin_entry()
    try:
        part({"begun": True})
        _execute(args["source"], answer)
    except KeyboardInterrupt as error:
        if not interruptible.entry_stopped():
            raise  # it is for what runs
        answer.update(status="stopped", shown=None, error=_described(error))
    except SystemExit as error:
        failed = error.code not in (None, 0)
        answer.update(status="error" if failed else "finished", error="SystemExit: %s" % error.code if failed else None)
    except BaseException as error:
        answer.update(status="error", error=_described(error))
    finally:
        interruptible.end_entry()
    return answer


def _execute(source: str, answer: protocol.EntryAnswer) -> None:
    filename = console.title("console")
    limit(source, filename)
    if console.unfinished(source):
        answer["status"] = "incomplete"
        return
    statements, last = console.codes(source, filename)
    with ExitStack() as around:
        _leave_run_alone(around)
        around.enter_context(torch_finder.meaning_of_console())
        around.enter_context(console.lent((statements, last)))
        _evaluate(statements)
        value = None if last is None else _evaluate(last)
        if value is not None:
            answer["shown"] = rich_output.shown(value)
            __main__.__dict__["_"] = value
    answer["status"] = "finished"


def _evaluate(code: CodeType) -> Any:
    if bypasses := sys.modules.get("tinygpt.core.bypasses"):
        bypasses.note(code)  # what it writes past Module.__setattr__ counts for the recorded step
    value = eval(code, __main__.__dict__)
    if not code.co_flags & inspect.CO_COROUTINE:
        return value
    if not pyodide.ffi.can_run_sync():
        value.close()
        raise RuntimeError("this browser cannot await while something runs (no JSPI): enter it when the run has ended")
    return interruptible.run_sync(value)


def _leave_run_alone(around: ExitStack) -> None:
    """Inside, draws are the console's, and every number of a GPU that is on its way has arrived."""
    global _stream
    if not training_bridge.running():
        return
    from tinygpt import loop
    from tinygpt.core import generator

    run = loop.current
    assert run is not None
    try:
        run.drain()
    except loop.TrainingError as error:
        run.failure = error  # it is the run's, not the entry's
    if _stream is None:
        _stream = generator.Generator(SEED)
    around.enter_context(generator.default_generator.apart(_stream))
    for kept in run.kept.values():
        streams = getattr(kept, "generators", None)
        for stream in streams.values() if isinstance(streams, dict) else ():
            if isinstance(stream, generator.Generator):
                around.enter_context(stream.again_from(stream.get_state()))


@interruptible.unbroken
def _described(error: BaseException) -> str:
    return output_channel.shown(describe(error)[0])
