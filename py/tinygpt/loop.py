"""Runs a training loop: an ordinary function `train(run)`, which reports, keeps its objects and
stops through the Run (training/run.py).

`train` is left and entered again where the run survives what happens: a device that was lost
(training/device_recovery.py), and code that changes while it runs (training/hot_reload.py):
`run.replace(version)` at a step boundary leaves the running `train` and enters the new one, which
takes over what was learned. A new version that fails is rolled back.

What a host installs (training/hooks.py) and how it chooses a device (training/device_selection.py)
belongs to this interface too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .core.current_device import get_device
from .devices.base import DeviceLost
from .tools.profile import step_sources
from .training.device_selection import choose_device, describe_device
from .training.hooks import configured, set_settings, set_sink, set_visitor, set_wanted
from .training.hot_reload import PROVEN, CodeSwap, Version, first_step, roll_back
from .training.run import Run, TrainingError

__all__ = [
    "PROVEN",
    "Run",
    "TrainingError",
    "Version",
    "choose_device",
    "collect",
    "configured",
    "describe_device",
    "run",
    "set_resume",
    "set_settings",
    "set_sink",
    "set_visitor",
    "set_wanted",
]

_resume: Run | None = None  # the Run that the next `run(train)` resumes
_collected: list[Callable[[Run], object]] | None = None  # a list while `collect` executes a source
current: Run | None = None  # the Run of the last `run(train)`
running = 0  # Runs under way
step_sources.append(lambda: current and current.compiled)


def collect(execute: Callable[[], Any]) -> Callable[[Run], object]:
    """The function that `execute()` would train with: its `loop.run(train)` is noted, not run.

    ValueError where `execute()` calls no `loop.run`.
    """
    global _collected
    _collected = []
    try:
        execute()
        if not _collected:
            raise ValueError("the code ended without loop.run(train), so there is no loop to continue with")
        return _collected[-1]
    finally:
        _collected = None


def set_resume(run: Run | None) -> None:
    """The next `run(train)` resumes this Run; None: it begins a new one."""
    global _resume
    _resume = run


def run(train: Callable[[Run], object], name: str = "run", resume: Run | None = None) -> Run | None:
    """Runs `train(run)` with a fresh Run (or `resume`, a Run that stopped) and returns the Run.

    The Run is `tinygpt.loop.current` meanwhile and after. When the device is lost, or its memory
    does not suffice, `train(run)` is entered again with the state of the last copy. Where another
    function made `resume`, this one makes its own objects, which take over what those have learned.
    While `collect` executes a source, `train` is noted and None is returned.
    """
    global current, running, _resume
    if _collected is not None:
        _collected.append(train)
        return None
    resume, _resume = resume or _resume, None
    current = this = resume or Run(name)
    this.state.begin(train)
    reason = "error"
    running += 1
    try:
        while not _done(this):
            pass
        reason = "done"
    except KeyboardInterrupt:
        reason = "stopped"
        raise
    except TrainingError:
        reason = "diverged"
        raise
    finally:
        running -= 1
        try:
            this.drain()
        except TrainingError as error:
            reason = "diverged" if reason == "done" else reason
            this.note(str(error))
        except (KeyboardInterrupt, Exception):
            # A second Stop, or a device that does not answer: the first error is already raised.
            this.discard_reads()
        this.state.end()
        this.send(type="finish", step=this.step, reason=reason)
    return this


def _done(this: Run) -> bool:
    """Runs the version's train(). True at its end; False where the run survived a loss of the
    device or swaps its code, and train() is to be entered again.
    """
    state = this.state
    try:
        assert state.version is not None and state.version.train is not None
        state.version.train(this)
        this.drain()
        first_step(this)
        return True
    except CodeSwap as swap:
        state.swap_code(swap.version)
        return False
    except (DeviceLost, MemoryError) as error:
        if isinstance(error, MemoryError) and state.can_roll_back:  # the version before had enough memory
            roll_back(this, _without_frames(error))
            return False
        if not get_device().volatile:
            raise
        lost = _without_frames(error)
    except Exception as error:
        if not roll_back(this, error):
            raise
        return False
    if state.transferring is not None:
        roll_back(this, lost)
    else:
        state.commit()  # the objects of the version before are gone with the device
    this.recovery.recover(this, lost)
    return False


def _without_frames(error: BaseException) -> BaseException:
    """The error without its frames, which hold what was on the device."""
    error = error.with_traceback(None)
    error.__context__ = error.__cause__ = None
    return error
