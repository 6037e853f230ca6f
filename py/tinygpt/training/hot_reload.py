"""Code that changes while a run trains: the new version at its first step, its proof, its rollback.

A run swaps code at a step boundary: the new version makes its own objects through `run.keep`, and
they take over what those of the version before have learned (state_transfer.py). A version that
fails is rolled back: to the old objects until the new version is proven, to the old code with what
has been learned since after that. run_state.py has the state; these functions add the messages.
"""

from __future__ import annotations

from .hooks import first_upper, sentences
from .run_state import PROVEN, Reporter, Version

__all__ = ["PROVEN", "CodeSwap", "Version", "first_step", "prove", "roll_back"]


class CodeSwap(BaseException):
    """Leaves train() at a step boundary; no `except Exception` of the user's catches it."""

    def __init__(self, version: Version) -> None:
        self.version = version


def first_step(run: Reporter) -> None:
    """The code has come to a step; where it is the first of new code, "applied" is sent."""
    state = run.state
    reached = state.first_step()
    if reached is None:
        return
    run.recovery.expire()  # the copy is of the objects before
    assert state.version is not None
    state.version.tell(None, reached.notes)
    if not reached.from_file:
        run.send(type="applied", step=run.step, notes=reached.notes)
    elif reached.notes:
        run.note(sentences("Continuing from step %d" % run.step, *reached.notes))


def prove(run: Reporter) -> None:
    """Frees the objects of the version before once the new one has made PROVEN steps."""
    if run.state.is_due_to_commit():
        run.drain()  # a loss that is not finite speaks against the new version
        run.state.commit()


def roll_back(run: Reporter, error: BaseException) -> bool:
    """After an error in a new version: the one before resumes. False where there is none."""
    rolled_back = run.state.rollback()
    if rolled_back is None:
        return False
    run.discard_reads()
    failed, had_stepped = rolled_back
    failed.tell(error, run.state.notes)
    about = {"error": first_upper(error), **failed.describe(error)}
    run.send(type="reverted", step=run.step, arrived=had_stepped, **about)
    return True
