"""Waits that a Stop can end.

Running Python is stopped by Pyodide's interrupt buffer. Python that waits executes nothing that would look there: `time.sleep`
therefore waits in JavaScript on the same flag, and what is awaited is a task that `stop` cancels.
"""

import asyncio
import signal
import time

import pyodide.ffi
import pyodide_js
import tinygpt_host as host

_sleep = time.sleep
_run_sync = pyodide.ffi.run_sync
_tasks = []  # what is being awaited, innermost last


def sleep(seconds):
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


def run_sync(awaitable):
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


async def as_task(coroutine):
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


async def _ended(awaitable):
    """(value, None), or (None, error) for the two errors that asyncio would throw through the event loop besides storing them."""
    try:
        return await awaitable, None
    except (KeyboardInterrupt, SystemExit) as error:
        return None, error


def stop():
    if _tasks:
        _tasks[-1].cancel()


def interrupted(number, frame):
    """The handler of a Stop. An exception out of a finalizer is printed and forgotten, so there the Stop is put back: it comes again."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            host.interrupt()
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def install():
    signal.signal(signal.SIGINT, interrupted)
    time.sleep = sleep
    sleep.__module__ = "time"
    run_sync.direct = _run_sync  # for a device that ends its own waits: it need not go through the event loop's task queue
    pyodide.ffi.run_sync = run_sync
