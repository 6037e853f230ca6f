"""Measures the tiles of matrix products once for each shape and adapter, before a Program first runs with them.

Every shape of a Program that has no entry yet is run with its few best candidates (tuning.candidates), many times between two timestamps,
on memory of its own. The winners go to tuning.measured, and through the bridge into the browser's storage for the adapter.
"""

import json
import struct

from ... import kernels
from . import tuning
from .plan import ALIGN

TARGET_SECONDS = 1.5e-3  # between two timestamps: a browser may round them to 0.1 ms
GUESS = 15e12  # multiply-adds a second, to choose how often a candidate is repeated
BYTES_PER_SECOND = 2.5e12  # what adding up partial sums costs beside the product


def restore(text):
    """Takes over what an earlier session measured on this adapter (JSON of the bridge's storage)."""
    try:
        for key, values in json.loads(text or "{}").items():
            tuning.measured.setdefault(key, tuning.Config(*values))
    except (ValueError, TypeError, AttributeError):
        pass  # written by another version: it is measured anew


def tune(device, launches):
    """Measures the matrix products among `launches` (fuse.GpuLaunch) that have not been yet. Returns how many shapes."""
    shapes = _asked(device, launches)
    if not shapes:
        return 0
    cases = []  # (key, Config, dispatches, plan, launch, repeats)
    for key, (launch, choices) in shapes.items():
        p = kernels.matmul.Params(*launch.params)
        repeats = int(min(400, max(4, TARGET_SECONDS * GUESS / max(1.0, float(p.batch) * p.M * p.N * p.K))))
        for config in choices:
            tuning.measured[key] = config
            device._plans.clear()
            cases.append((key, config, device.plan(launch), launch, repeats))
        del tuning.measured[key]
    device._plans.clear()
    room = _Room(device, cases)
    try:
        records, repeats = [], []
        for _, _, made, launch, count in cases:
            for dispatch in made.dispatches:
                records += device.binder.record(dispatch, room.place(made, launch))
                repeats.append(count)
        times = device.measure(struct.pack("<%dI" % len(records), *records), repeats)
    finally:
        room.release()
    best, at = {}, 0
    for key, config, made, launch, _ in cases:
        seconds = sum(times[at : at + len(made.dispatches)])
        at += len(made.dispatches)
        if config.splits > 1:
            p = kernels.matmul.Params(*launch.params)
            seconds += config.splits * p.M * p.N * 8 / BYTES_PER_SECOND
        if key not in best or seconds < best[key][0]:
            best[key] = (seconds, config)
    for key, (_, config) in best.items():
        tuning.measured[key] = config
    device.gpu.saveTuning(json.dumps(tuning.measured))
    return len(best)


def _asked(device, launches):
    """{key: (launch, candidates)} of the shapes among `launches` that have several candidates and no measurement."""
    found = {}
    device._plans.clear()
    for launch in launches:
        if launch.kernel is kernels.matmul:
            tuning.asked = {}
            try:
                device.plan(launch)
                for key, choices in tuning.asked.items():
                    if len(choices) > 1:
                        found.setdefault(key, (launch, choices))
            finally:
                tuning.asked = None
    return found


class _Room:
    """Memory for the operands of any one of some launches, each operand in a part of its own."""

    def __init__(self, device, cases):
        self.device = device
        sizes = [0] * (len(kernels.matmul.buffers) + 2)  # the buffers, the sums, scratch and partial sums
        for _, _, made, launch, _ in cases:
            extent = kernels.matmul.extent(launch.params)
            for i, spec in enumerate(kernels.matmul.buffers):
                sizes[i] = max(sizes[i], extent[spec.name] * 4)
            if "sums" in launch.extra:
                sizes[-2] = max(sizes[-2], launch.extra["sums"][1] * 4)
            sizes[-1] = max(sizes[-1], made.scratch_bytes + made.partial_bytes)
        self.handles = [device.alloc(size + ALIGN) if size else None for size in sizes]

    def place(self, made, launch):
        """Where the plan's operands lie: at the start of each part, with the alignment they have in the launch."""
        handles, device = self.handles, self.device

        def where(base):
            if isinstance(base, int):
                return handles[base], launch.buffers[base][1] % 16
            if base == "sums":
                return handles[-2], launch.extra["sums"][0][1] % 16
            if base in ("scratch", "partials"):
                return handles[-1], 0 if base == "scratch" else made.scratch_bytes
            return device.place(base)

        return where

    def release(self):
        for handle in self.handles:
            if handle is not None:
                self.device.free(handle)
