"""Code that changes while a run goes on: the version that runs, what a new one takes over, and the way back to the one before.

A Run enters a new Version at a step boundary: it makes its own objects through `run.keep`, which take over what those of the version
before had learned (carry.py). A version that fails gives way to the one before: with its objects as they were until the new one is proven,
with what has been learned since after that.
"""

import math

from .host import first_upper
from .ops import random

PROVEN = 20  # steps after which a new version of the code is trusted, and the objects of the one before are let go


class Replaced(BaseException):
    """Leaves the running train() at a step boundary; no `except Exception` of the user's holds it."""

    def __init__(self, version):
        self.version = version


class Version:
    """Code that a run may go on with. train: its function. undo(): puts back what making it has changed (edited modules, say).

    tell(error, notes): called once, when it is known whether it runs: error is None or the exception, notes what did not carry over.
    describe(error): what the message about a failure says besides, {"line": ..., ...}.
    """

    def __init__(self, train, undo=lambda: None, tell=lambda error, notes: None, describe=lambda error: {}):
        self.train, self.undo, self._tell, self.describe = train, undo, tell, describe

    def tell(self, error, notes):
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(error, notes)


class _Before:
    """What a run goes back to when a new version fails: the version before and, until the new one is proven, its own objects."""

    def __init__(self, run):
        self.version = run.versions.current
        self.kept, self.step = run.kept, run.step
        self.random = random.default_generator.get_state()


class Versions:
    """Those of one Run. `current`: the one that runs."""

    def __init__(self):
        self.current = None
        self.carried = None  # what was kept before this version was entered, while it makes its own
        self.notes = []  # what did not carry over
        self.before = None  # _Before: where to go back to
        self.entered = False  # a train() has come to its first step

    @property
    def unproven(self):
        """Whether the objects of the version before are still there."""
        return self.before is not None and self.before.kept is not None

    def from_file(self, run):
        """Whether what a file held is being taken over now."""
        return self.carried is not None and run.loaded is not None and not self.entered

    def over(self, run, name, made):
        """`made`, an object of the version that has just been entered, with what the one before had learned under this name."""
        if self.carried and name in self.carried:
            from . import carry

            made, notes = carry.over(self.carried[name], made, self.carried, run.kept)
            self.notes += notes
        elif self.from_file(run):
            self.notes.append("%s starts new: the file does not hold it" % name)
        return made

    def enter(self, run, version):
        """The next train() is `version`'s, with its own objects, which take over what these had learned."""
        self.before = _Before(run) if self.current is not None else None
        self.change_to(run, version)

    def change_to(self, run, version):
        self.current, self.carried, run.kept, self.notes = version, run.kept, {}, []
        run._evaluation = run.compiled = None
        run._random = random.default_generator.get_state()

    def arrive(self, run):
        """The code has come to its first step: it runs."""
        if self.carried is None:
            return
        from_file, self.entered = self.from_file(run), True
        left = [name for name in self.carried if name not in run.kept]
        self.notes += ["%s is no longer kept" % name for name in left]
        self.carried = None
        run.recovery.copied_at = -math.inf  # the copy of before is of other objects
        self.current.tell(None, self.notes)
        if not from_file:
            run.send(type="applied", step=run.step, notes=self.notes)
        elif self.notes:
            run.note("From step %d on, not all is as it was: %s." % (run.step, "; ".join(self.notes)))

    def trust(self, run):
        """After PROVEN steps the objects of the version before are let go."""
        if self.unproven and run.step >= self.before.step + PROVEN:
            run.drain()  # a loss that is not finite speaks against it
            self.before.kept = None

    def go_back(self, run, error):
        """After an error in a new version: the one before goes on. False where there is none."""
        before = self.before
        if before is None:
            return False
        run._readings.clear()
        failed, arrived = self.current, self.carried is None
        failed.undo()
        self.current = before.version
        if before.kept is not None:
            run.kept, run.step, run._random = before.kept, before.step, before.random
            run.forget_from(before.step)
            self.carried, run._evaluation, run.compiled = None, None, None
        else:  # the version before has to make its objects again, from what these have learned
            self.change_to(run, before.version)
        self.before = None
        failed.tell(error, self.notes)
        about = {"error": first_upper(error), **failed.describe(error)}
        run.send(type="reverted", step=run.step, arrived=arrived, **about)
        return True
