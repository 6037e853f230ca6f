"""The state of one run: its kept objects, its step, its code, and the points that it can return to.

Everything that survives a stop, an edit of the code or the loss of a device is a field of RunState.
Its methods are the only writers of these fields: `swap_code` begins with other code, `rollback`
returns to the code before, `restore` returns to the copy in host memory. No method sends a message
or waits for a device; run.py, hot_reload.py and device_recovery.py do that around them.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..core import generator, transfer
from . import state_transfer

if TYPE_CHECKING:
    from ..config import ModelConfig, TrainConfig
    from ..devices.base import Device

PROVEN = 20  # steps after which new code is trusted, and the objects of the code before are freed
# Entries of the history: beyond that every fourth loss of its older half stays, and every
# evaluation.
EXACT = 50_000

Position = dict[str, int]  # of a random stream: {"seed", "offset"}
# (step, train loss) or, of an evaluation, (step, train loss or None, validation loss)
Entry = tuple[int, float] | tuple[int, "float | None", float]


class Reporter(Protocol):
    """What hot reload and device recovery need of a Run (run.py)."""

    state: RunState
    recovery: Any

    @property
    def step(self) -> int: ...
    def drain(self) -> None: ...
    def discard_reads(self) -> None: ...
    def exclude_time(self, started: float) -> None: ...
    def note(self, text: str) -> None: ...
    def send(self, **message: Any) -> None: ...


class Version:
    """Code that a run can use.

    train: its function, None of a run that comes from a file. undo(): puts back what making the
    version has changed (edited modules, say). tell(error, notes): called once, when it is known
    whether the version runs; error is None or the exception, notes say what did not carry over.
    describe(error): further fields of the message about a failure, {"line": ..., ...}.
    """

    def __init__(
        self,
        train: Callable[[Any], object] | None,
        undo: Callable[[], object] = lambda: None,
        tell: Callable[[BaseException | None, list[str]], object] = lambda error, notes: None,
        describe: Callable[[BaseException], dict[str, Any]] = lambda error: {},
    ) -> None:
        self.train, self.undo, self.describe = train, undo, describe
        self._tell: Callable[[BaseException | None, list[str]], object] | None = tell

    def tell(self, error: BaseException | None, notes: list[str]) -> None:
        """Reports once whether the version runs (see the class)."""
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(error, notes)


class RollbackPoint:
    """Where a run returns to when new code fails: the version before and its objects.

    kept is None once the new code is proven, or when the objects are gone with their device.
    """

    def __init__(self, state: RunState) -> None:
        self.version = state.version
        self.kept: dict[str, Any] | None = state.kept
        self.step = state.step
        self.random: Position = generator.default_generator.get_state()


class FirstStep(NamedTuple):
    """New code has come to its first step. from_file: its objects took over what a file held."""

    from_file: bool
    notes: list[str]


class RunState:
    """All that is known of one run; see the fields in `__init__`."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}  # by the names that run.keep was given
        self.step = 0  # steps done
        # The step for which run.log was called last, or None. Where that is `step`, the weights
        # have made it, though the loop's body may end (a Stop, an error, a break) before the next
        # step begins. A number and no flag: one assignment counts a step, so a Stop counts none
        # twice.
        self.logged_step: int | None = None
        self.history: list[Entry] = []  # by step
        self.loaded: tuple[ModelConfig, TrainConfig | None] | None = None  # of the file it comes from
        # Made from the kept objects, so they go with them: the compiled step, and the compiled
        # evaluation behind what it is of.
        self.compiled: Any = None
        self.evaluation: tuple[Any, Any] | None = None
        # Where the default random stream resumes when train() is entered again, and where it was
        # when the run ended.
        self.resume_random: Position | None = None
        self.final_random: Position | None = None
        # The code: the version in use, and while it makes its objects, those of the one before.
        self.version: Version | None = None
        self.transferring: dict[str, Any] | None = None
        self.notes: list[str] = []  # what did not carry over
        self.missing: list[str] = []  # names that the new code keeps and the file does not hold
        self.has_stepped = False  # some code has come to its first step
        self.rollback_point: RollbackPoint | None = None
        self.host_copy: tuple[transfer.Copy, int] | None = None  # and the step that it is of

    # ---- random streams and history ----

    def random_position(self) -> Position:
        """Where the default random stream resumes."""
        return self.resume_random or self.final_random or generator.default_generator.get_state()

    def resume_stream(self) -> None:
        """Puts the default random stream where this run left it, if it left it somewhere."""
        if self.resume_random is not None:
            generator.default_generator.set_state(self.resume_random)
            self.resume_random = None

    def record(self, entry: Entry) -> None:
        """Adds a loss or an evaluation to the history, which is thinned when it is long. The same
        entry twice in a row, as after a Stop, is one.
        """
        if self.history and self.history[-1] == entry:
            return
        if len(self.history) >= EXACT:
            half = len(self.history) // 2
            older = enumerate(self.history[:half])
            self.history[:half] = [old for i, old in older if i % 4 == 0 or len(old) == 3]
        self.history.append(entry)

    @property
    def reported(self) -> bool:
        """Whether run.log was called for the step in work."""
        return self.logged_step == self.step

    def finish_step(self) -> None:
        """Counts the step in work as done."""
        self.step += 1

    def forget_from(self, step: int) -> None:
        """Drops the history of this step and the later ones: the run returns to it."""
        del self.history[bisect.bisect_left(self.history, step, key=lambda entry: entry[0]) :]

    # ---- the code ----

    @property
    def can_roll_back(self) -> bool:
        """Whether the objects of the code before are still there."""
        return self.rollback_point is not None and self.rollback_point.kept is not None

    @property
    def takes_from_file(self) -> bool:
        """Whether the objects that are being made take over what a file held."""
        return self.transferring is not None and self.loaded is not None and not self.has_stepped

    def begin(self, train: Callable[[Any], object]) -> None:
        """A call of loop.run: new code, the same code again, or other code for this run."""
        if self.version is None or not self.kept:
            self.version = Version(train)
        elif self.version.train is not train:
            self.swap_code(Version(train), rollback=False)
            self.resume_random = self.final_random
        self.rollback_point = self.final_random = None

    def end(self) -> None:
        """The call of loop.run is over. What new code has not yet taken over stays for the next."""
        if self.reported:
            self.finish_step()
        # resume_random is set where train() did not come to its first step.
        self.final_random = self.resume_random or generator.default_generator.get_state()
        if self.transferring is not None:
            self.kept, self.transferring, self.version = self.transferring, None, Version(None)

    def swap_code(self, version: Version, rollback: bool = True) -> None:
        """The next train() is the version's, whose new objects take over what these have learned.

        rollback: the code in use becomes the point to return to.
        """
        if self.reported:
            self.finish_step()
        if rollback:
            self.rollback_point = RollbackPoint(self) if self.version is not None else None
        self.version, self.transferring, self.kept, self.notes = version, self.kept, {}, []
        self.missing = []
        self.evaluation = self.compiled = None
        self.resume_random = generator.default_generator.get_state()

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """The object called `name`; made now, it takes over what its predecessor has learned."""
        if name not in self.kept:
            made = make()
            if self.transferring and name in self.transferring:
                made, notes = state_transfer.transfer(self.transferring[name], made, self.transferring, self.kept)
                self.notes += notes
            elif self.takes_from_file:
                self.missing.append(name)
            self.kept[name] = made
        return self.kept[name]

    def first_step(self) -> FirstStep | None:
        """The code comes to a step: FirstStep where it is the first of new code, else None."""
        if self.transferring is None:
            return None
        from_file, self.has_stepped = self.takes_from_file, True
        self.notes += ["%s is no longer kept" % name for name in self.transferring if name not in self.kept]
        self.notes += state_transfer.fresh(self.missing)
        self.transferring = None
        return FirstStep(from_file, self.notes)

    def is_due_to_commit(self) -> bool:
        """Whether new code has made enough steps to be trusted."""
        point = self.rollback_point
        return point is not None and point.kept is not None and self.step >= point.step + PROVEN

    def commit(self) -> None:
        """Frees the objects of the code before: a later failure restarts that code from these."""
        if self.rollback_point is not None:
            self.rollback_point.kept = None

    def rollback(self) -> tuple[Version, bool] | None:
        """Returns to the code before. (The version that failed, whether it had come to its first
        step); None where there is no code before.
        """
        point, failed = self.rollback_point, self.version
        if point is None or failed is None:
            return None
        had_stepped = self.transferring is None
        failed.undo()
        if point.kept is not None:
            self.version = point.version
            self.kept, self.step, self.resume_random = point.kept, point.step, point.random
            self.forget_from(point.step)
            self.transferring = self.evaluation = self.compiled = None
            self.logged_step = None
        else:  # that code makes its objects again, from what these have learned
            assert point.version is not None
            self.swap_code(point.version, rollback=False)
        self.rollback_point = None
        return failed, had_stepped

    # ---- the copy in host memory ----

    def copy_to_host(self) -> None:
        """Copies the kept objects to host memory. MemoryError leaves the copy before in place."""
        before = self.host_copy[0] if self.host_copy else None
        self.host_copy = transfer.Copy(self.kept, before=before), self.step

    def restore(self, device: Device) -> None:
        """Returns to the copy, on `device`; to the start of the run where there is none."""
        self.evaluation = None
        self.logged_step = None
        if self.host_copy is None or not self.host_copy[0].nbytes:
            self.kept.clear()
            self.step = 0
            self.history.clear()
            return
        copy, self.step = self.host_copy
        copy.restore(device)
        self.forget_from(self.step)
        self.resume_random = copy.random
