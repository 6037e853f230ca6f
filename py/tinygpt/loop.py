"""Runs a training loop: an ordinary function `train(run)`, with the Run (run.py) as its way to report, to keep and to stop.

The loop is left and entered again where the run survives what happens: a device that was lost (recovery.py), and code that changes while
it runs (versions.py): `run.replace(version)` at a step boundary leaves the running `train` and enters the new one, with what was learned
carried over. A new version that fails gives way to the one before.

What a host installs (host.py) and how it chooses a device (device_choice.py) belongs to this interface too.
"""

from .device_choice import choose_device, describe_device
from .devices.base import DeviceLost
from .host import configured, set_settings, set_sink, set_visitor, set_wanted
from .ops import random
from .run import Run, TrainingError
from .state import get_device
from .versions import PROVEN, Replaced, Version

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

_resume = None
_collected = None  # a list while `collect` executes a source: what it would run goes there
current = None  # the Run of the last `run(train)`
running = 0  # Runs under way


def collect(execute):
    """The function that `execute()` would train with: its `loop.run(train)` is noted, not run. ValueError where there is none."""
    global _collected
    _collected = []
    try:
        execute()
        if not _collected:
            raise ValueError("the code ended without loop.run(train), so there is no loop to go on with")
        return _collected[-1]
    finally:
        _collected = None


def set_resume(run):
    """The next `run(train)` goes on with this Run; None: it begins a new one."""
    global _resume
    _resume = run


def run(train, name="run", resume=None):
    """Runs `train(run)` with a fresh Run (or `resume`, a Run to go on with) and returns the Run.

    It is `tinygpt.loop.current` meanwhile and after. When the device is lost, or its memory does not suffice, `train(run)` is entered again
    with what is kept as it was at the last copy, and goes on from there. A `resume` that another function made goes on with this one, which
    makes its own objects and takes over what those had learned.
    """
    global current, running, _resume
    if _collected is not None:
        _collected.append(train)
        return None
    resume, _resume = resume or _resume, None
    current = this = resume or Run(name)
    versions = this.versions
    if versions.current is None or not this.kept:
        versions.current = Version(train)
    elif versions.current.train is not train:
        versions.change_to(this, Version(train))
        this._random = this._random_at_end
    versions.before = this._random_at_end = None
    reason = "error"
    running += 1
    try:
        while not _done(this):
            pass
        reason = "done"
    except KeyboardInterrupt:
        reason = "stopped"
        raise
    finally:
        running -= 1
        try:
            this.drain()
        except TrainingError as error:
            this.note(str(error))
        except (KeyboardInterrupt, Exception):  # a second Stop, or a device that cannot tell any more: the first error is on its way
            this._readings.clear()
        this._random_at_end = this._random or random.default_generator.get_state()  # the first: it did not come to its first step
        if versions.carried is not None:  # ended before the new code had made everything: what was learned stays, for the next to take over
            this.kept, versions.carried, versions.current = versions.carried, None, Version(None)
        this.send(type="finish", step=this.step, reason=reason)
    return this


def _done(this):
    """Runs the version's train() to its end (True), or to a loss of the device, or a change of the code, that the run survives (False)."""
    versions = this.versions
    try:
        versions.current.train(this)
        this.drain()
        versions.arrive(this)
        return True
    except Replaced as replaced:
        version = replaced.version
    except (DeviceLost, MemoryError) as error:
        version = None
        unproven = versions.unproven
        if isinstance(error, MemoryError) and unproven:  # the version before had room
            versions.go_back(this, _bared(error))
            return False
        if not get_device().volatile:
            raise
        lost = _bared(error)
        if versions.carried is not None:
            versions.go_back(this, lost)
        elif unproven:
            versions.before.kept = None  # gone with the device
    except Exception as error:
        if not versions.go_back(this, error):
            raise
        return False
    if version is not None:
        versions.enter(this, version)
    else:
        this.recovery.recover(this, lost)
    return False


def _bared(error):
    """The error without its frames, which hold what was on the device."""
    error = error.with_traceback(None)
    error.__context__ = error.__cause__ = None
    return error
