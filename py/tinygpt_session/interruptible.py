"""Waits that a Stop can end.

Running Python is stopped by Pyodide's interrupt buffer. Python that waits executes nothing that
would look there: `time.sleep` therefore waits in JavaScript on the same flag, and what is awaited
is a task that `stop` cancels.

A console entry that a training loop answers between two steps can be stopped alone (SIGUSR2): the
loop continues.
"""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING, Any, TypeVar

import pyodide.ffi
import pyodide_js
import tinygpt_host as host

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import CodeType, FrameType, FunctionType

T = TypeVar("T")
Function = TypeVar("Function", bound="FunctionType")

ENTRY_STOP = signal.SIGUSR2
_sleep = time.sleep
_run_sync = pyodide.ffi.run_sync
_unbroken: set[CodeType] = set()
# The event loop's own code: a KeyboardInterrupt there ends no program, it only loses a task.
_MACHINERY = ("asyncio", "pyodide.webloop", "_pyodide", "contextvars", __name__)
_around: set[CodeType] = set()
_tasks: list[asyncio.Future[Any]] = []  # what is being awaited, innermost last
_entry = False  # a console entry runs at a step boundary, and no Stop has been seen
_entry_stopped = False  # the Stop that was seen is for that entry alone
_awaited = 0  # how many tasks were awaited when the entry began


def unbroken(function: Function) -> Function:
    """Decorator: a Stop waits for the end of this short function."""
    _unbroken.add(function.__code__)
    return function


def around(function: Function) -> Function:
    """Decorator: a Stop waits while this function, which runs other code, runs none."""
    _around.add(function.__code__)
    return function


def sleep(seconds: float) -> None:
    """As time.sleep; a Stop ends it at once."""
    if not isinstance(seconds, (int, float)):
        return _sleep(seconds)  # the original's errors and conversions
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if not host.sleep(min(left * 1000, 1000)):
            return _sleep(left)  # no shared memory: nothing to wait on
        pyodide_js.checkInterrupt()
    return None


def run_sync(awaitable: Awaitable[T]) -> T:
    """As pyodide.ffi.run_sync; a Stop raises KeyboardInterrupt there."""
    task = asyncio.ensure_future(_ended(awaitable))
    _tasks.append(task)
    try:
        value, error = _run_sync(task)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        _tasks.remove(task)
    if error is not None:
        raise error
    return value


@unbroken
async def as_task(coroutine: Awaitable[T]) -> T:
    """Awaits the coroutine as a task of its own, which `stop` cancels."""
    task = asyncio.ensure_future(_ended(coroutine))
    _tasks.append(task)
    try:
        value, error = await task
    finally:
        _tasks.remove(task)
    if error is not None:
        raise error
    return value


async def _ended(awaitable: Awaitable[T]) -> tuple[Any, BaseException | None]:
    """(value, None), or (None, error) for the two errors that asyncio would throw through the event
    loop besides storing them.
    """
    try:
        return await awaitable, None
    except (KeyboardInterrupt, SystemExit) as error:
        return None, error


@unbroken
def stop(entry: bool = False) -> bool:
    """Cancels what is being awaited; False: nothing is. entry: only what a console entry awaits."""
    if entry and not _entry:
        return True  # it has ended
    if len(_tasks) <= (_awaited if entry else 0):
        return False
    _take_stop(entry)
    _tasks[-1].cancel()
    return True


@unbroken
def begin_entry() -> None:
    """From here on a Stop may be for the console entry alone."""
    global _entry, _entry_stopped, _awaited
    _entry, _entry_stopped, _awaited = True, False, len(_tasks)


@unbroken
def end_entry() -> None:
    """No longer."""
    global _entry
    _entry = False


def entry_stopped() -> bool:
    """Whether the KeyboardInterrupt that has come is for the console entry alone."""
    return _entry_stopped


def _take_stop(entry: bool) -> None:
    global _entry, _entry_stopped
    _entry, _entry_stopped = False, entry


def interrupted(number: int, frame: FrameType | None) -> None:
    """The handler of a Stop, and of one for a console entry alone (ENTRY_STOP).

    An exception out of a finalizer is printed and forgotten, so there the Stop is put back: it
    comes again. So it is in a weak container, which may be removing an object that has gone, in an
    unbroken function, and where the event loop runs no other code than its own and what is around
    it.
    """
    host.heard()
    if number == ENTRY_STOP and not _entry:
        return  # it has ended
    put_back = frame is not None and frame.f_globals.get("__name__") in ("weakref", "_weakrefset")
    loop_alone = True
    while frame is not None and not put_back:
        put_back = frame.f_code.co_name == "__del__" or frame.f_code in _unbroken
        machinery = str(frame.f_globals.get("__name__")).startswith(_MACHINERY)
        loop_alone = loop_alone and (machinery or frame.f_code in _around)
        frame = frame.f_back
    if not put_back and not loop_alone:
        _take_stop(number == ENTRY_STOP)
        raise KeyboardInterrupt
    host.interrupt(number)


def install() -> None:
    """Puts the waits that a Stop can end in the place of Python's and Pyodide's."""
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(ENTRY_STOP, interrupted)
    time.sleep = sleep
    sleep.__module__ = "time"
    # for a device that ends its own waits: it need not go through the event loop's task queue
    run_sync.direct = _run_sync  # pyright: ignore[reportFunctionMemberAccess]
    pyodide.ffi.run_sync = run_sync
