"""A GPU that goes away in the middle of a run: the copy of the state that the host keeps meanwhile, and the way back from it."""

import math
import time

from .device_choice import cpu, describe_device, named
from .host import bare, first_upper
from .ops import random
from .state import get_device, set_device

COPY_SECONDS = 10.0  # at least, between two copies of the state of a device that may go away
COPY_SHARE = 0.02  # of the time, at most, for these copies
MOST_LOSSES = 3  # of the GPU in one run: then it stays on the CPU


class Recovery:
    """That of one Run. copy: (moving.Copy, step) or None."""

    def __init__(self):
        self.copy = None
        self.copied_at = self.copy_seconds = 0.0
        self.losses = 0

    def keep_copy(self, run):
        """Every now and then the state goes to the host's memory, so that a lost GPU costs seconds and not the run."""
        from .moving import Copy

        if self.copy is not None or self.copy_seconds == math.inf:
            age = time.perf_counter() - self.copied_at
            if age < COPY_SECONDS or age < self.copy_seconds / COPY_SHARE:
                return
        run.drain()  # a loss that is not finite ends the run here: only a good state is kept
        started = time.perf_counter()
        try:
            copy = Copy(run.kept, before=self.copy[0] if self.copy else None)
        except MemoryError:
            self.copy_seconds = math.inf
            since = "step %d" % self.copy[1] if self.copy else "the start"
            run.note("There is no room for a copy of the model outside the GPU: if the GPU is lost, so are the steps since %s." % since)
            return
        self.copy = copy, run.step
        self.copied_at = time.perf_counter()
        self.copy_seconds = self.copied_at - started
        run._exclude(started)

    def recover(self, run, error):
        """After a loss of the device, or of its memory: back to the last copy, on that device or else on the CPU."""
        run._readings.clear()
        run._evaluation = None
        self.losses += 1
        lost_at, device = run.step, get_device()
        random.forget(device)
        if isinstance(error, MemoryError):
            what, device = "The GPU's memory did not suffice at step %d (%s)" % (lost_at, bare(error)), cpu()
        else:
            what = "%s at step %d" % (first_upper(error), lost_at)
            if self.losses >= MOST_LOSSES:
                what += ", for the %s time in this run" % {2: "second", 3: "third"}.get(self.losses, "%dth" % self.losses)
                device = cpu()
            else:
                try:
                    device.reopen()
                except RuntimeError as gone:
                    what += ", and it did not come back (%s)" % bare(gone)
                    device = cpu()
        set_device(device.name)
        if self.copy is None or not self.copy[0].nbytes:  # nothing that was trained is kept: from the start
            run.kept.clear()
            run.step = 0
            run.history.clear()
        else:
            copy, run.step = self.copy
            copy.restore(device)
            run.forget_from(run.step)
            run._random = copy.random
        if not device.volatile:
            self.copy = None
        run.note("%s; training goes on from step %d %s." % (what, run.step, named(device)))
        run.send(type="device", **describe_device(device))
