"""A GPU that goes away in the middle of a run: when its state is copied to host memory, and the
return to that copy.
"""

from __future__ import annotations

import math
import time
from typing import Any

from ..core import generator
from ..core.current_device import get_device, set_device
from .device_selection import cpu, describe_device, named
from .hooks import bare, first_upper
from .run_state import Reporter

COPY_SECONDS = 10.0  # at least, between two copies of the state of a device that may go away
COPY_SHARE = 0.02  # of the time, at most, for these copies
MOST_LOSSES = 3  # of the GPU in one run: then it stays on the CPU


class Recovery:
    """When one run copies its state, what that costs, and how often it has lost its device."""

    def __init__(self) -> None:
        self._copied_at = self._copy_seconds = 0.0
        self._losses = 0

    def expire(self) -> None:
        """The next step boundary makes a copy: the last one is of other objects."""
        self._copied_at = -math.inf

    def keep_copy(self, run: Reporter) -> None:
        """Copies the state to host memory now and then: a lost GPU costs seconds, not the run."""
        state = run.state
        if state.host_copy is not None or self._copy_seconds == math.inf:
            age = time.perf_counter() - self._copied_at
            if age < COPY_SECONDS or age < self._copy_seconds / COPY_SHARE:
                return
        run.drain()  # a loss that is not finite ends the run here: only a good state is copied
        started = time.perf_counter()
        try:
            state.copy_to_host()
        except MemoryError:
            self._copy_seconds = math.inf
            since = "step %d" % state.host_copy[1] if state.host_copy else "the start"
            run.note(
                "There is not enough memory for a copy of the model outside the GPU: if the GPU is lost, "
                "the steps since %s are lost too." % since
            )
            return
        self._copied_at = time.perf_counter()
        self._copy_seconds = self._copied_at - started
        run.exclude_time(started)

    def recover(self, run: Reporter, error: BaseException) -> None:
        """After a loss of the device, or of its memory: returns to the last copy, on that device or
        else on the CPU.
        """
        run.discard_reads()
        self._losses += 1
        lost_at = run.step
        device: Any = get_device()
        generator.forget(device)
        if isinstance(error, MemoryError):
            what, device = "The GPU ran out of memory at step %d (%s)" % (lost_at, bare(error)), cpu()
        else:
            what = "%s at step %d" % (first_upper(error), lost_at)
            if self._losses >= MOST_LOSSES:
                ordinal = "third" if self._losses == 3 else "%dth" % self._losses
                what += ", for the %s time in this run" % ordinal
                device = cpu()
            else:
                try:
                    device.reopen()  # pyright: ignore[reportAttributeAccessIssue]  a volatile device has it
                except RuntimeError as gone:
                    what += ", and it could not be reopened (%s)" % bare(gone)
                    device = cpu()
        set_device(device.name)
        run.state.restore(device)
        if not device.volatile:
            run.state.host_copy = None
        run.note("%s; training continues from step %d %s." % (what, run.step, named(device)))
        run.send(type="device", **describe_device(device))
