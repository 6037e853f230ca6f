"""Step boundaries: where a training loop looks outside. Requests are served there, the loop pauses,
and edited code takes over.

`install` makes `visit` the loop's visitor. Code that has no step boundary pauses by a signal
(`signalled`). The requests pause, resume and step come in from the page; the messages "paused" and
"resumed" go out.
"""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import tinygpt_host as host

from . import dispatch, training_bridge
from .output_channel import TRAINING

if TYPE_CHECKING:
    from types import FrameType, ModuleType

    from tinygpt.loop import Run

    from . import protocol

bounded = False  # a program of plain PyTorch code runs, whose boundaries are its optimizer's steps
_steps_left: int | None = None  # until the loop pauses; None: it does not
_version: Any = None  # the Version, or a program's Edit, that waits for the next step boundary


def install(loop: ModuleType) -> None:
    """loop: tinygpt.loop, which calls `visit` from now on."""
    loop.set_visitor(visit)
    signal.signal(signal.SIGUSR1, signalled)


def visit(run: Run) -> None:
    """What the loop calls at every step boundary."""
    global _steps_left, _version
    if _steps_left:
        _steps_left -= 1
    if _steps_left is None:
        dispatch.yield_to_events()
    if dispatch.requested():
        started = time.perf_counter()
        dispatch.serve()
        run.exclude_time(started)
    if _steps_left == 0 and _version is None:
        _pause(run)
    if _version is not None:
        version, _version = _version, None
        run.replace(version)


def signalled(number: int, frame: FrameType | None) -> None:
    """Pause for code that has no step boundary: a signal's handler, which waits wherever the code
    is.
    """
    global _steps_left
    if dispatch.idle():
        host.interrupt(number)  # it is for the run that waits for what is being served: it comes again there
        return
    _steps_left = 0
    if training_bridge.running() or dispatch.serving() or bounded:
        return  # the next boundary waits
    host.write(TRAINING, json.dumps({"type": "paused", "step": None}))
    while _steps_left == 0:
        dispatch.wait_for_request()
        dispatch.serve()
    _steps_left = None
    host.write(TRAINING, json.dumps({"type": "resumed", "step": None}))


def _pause(run: Run) -> None:
    started = time.perf_counter()
    run.drain()
    run.send(type="paused", step=run.step)
    while _steps_left == 0 and _version is None:
        dispatch.wait_for_request()
        dispatch.serve()
    if _steps_left is None:
        run.send(type="resumed", step=run.step)
    run.exclude_time(started)


def begin(paused: bool = False) -> None:
    """A run begins. paused: it is to stop before its first step."""
    global _steps_left, _version
    _steps_left, _version = (0 if paused else None), None


def replace(version: object) -> None:
    """Takes `version`, a Version of the loop's or an Edit of a program's, at the next boundary."""
    global _version
    _version = version


@dispatch.handles("pause")
def pause(args: protocol.NoArgs, part: object) -> None:
    """The loop waits before its next step."""
    global _steps_left
    _steps_left = 0


@dispatch.handles("resume")
def resume(args: protocol.NoArgs, part: object) -> None:
    """The loop continues."""
    global _steps_left
    _steps_left = None


@dispatch.handles("step")
def step(args: protocol.StepArgs, part: object) -> None:
    """One step (or args["steps"]), then the loop waits again."""
    global _steps_left
    _steps_left = int(args.get("steps", 1))
