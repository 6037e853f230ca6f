"""Measures the tiles of matrix products once for each shape and adapter: for a moment before a
Program first runs, and beside its replays until all are measured.

Nothing waits for it. A Program that has shapes without a measurement begins with the estimates
(tile_choice.py). Before the first step of a device the tuner has BEFORE_SECONDS in all, most work
first. What is left is measured between replays, in at most SHARE of the time, while the pipelines
of the candidates are compiled beside them; then the Program is encoded again with the winners.
Where one product takes long, fewer candidates are measured, or none. The winners go to
tile_choice.measured, and through the bridge into the browser's storage for the adapter.

A run of the same seed has the same bits for as long as the page is open: what is measured beside
replays takes the place of an estimate only where it adds up in the same order (sums_alike). The
fastest of all is for the next time.
"""

from __future__ import annotations

import json
import struct
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import kernels
from ...storage import bounded_json
from ..base import precision_name
from . import dispatch_plan, tile_choice
from .dispatch_plan import ALIGN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .dispatch_fusion import GpuLaunch
    from .dispatch_plan import Placer, Plan, PlansLaunches


BEFORE_SECONDS = 0.2  # before the first step, for all Programs of a device together
SHARE = 0.3  # of the time, at most, while a Program is replayed
TARGET_SECONDS = 1.5e-3  # between two timestamps: a browser may round them to 0.1 ms
TELLING_SECONDS = 5e-4  # five ticks of such a clock
SHAPE_SECONDS = 0.04  # of the GPU, for all candidates of a shape
MOST_REPEATS, MORE = 400, 20
AHEAD = 3  # shapes whose candidates are compiled at a time: each has memory of its own
POLL_MS = 4
BYTES_PER_SECOND = 2.5e12  # of an H200: what adding up partial sums costs beside the product


def restore(text: str) -> None:
    """Takes over what an earlier session measured on this adapter (JSON of the bridge's
    storage)."""
    try:
        for key, (kind, *tile) in bounded_json.parse(text or "{}").items():
            name, _, shape = key.partition(" ")
            key = "%s %s" % (precision_name(name), shape)
            tile_choice.measured.setdefault(key, tile_choice.Config(precision_name(kind), *tile))
    except (ValueError, TypeError, AttributeError):
        pass  # written by another version: it is measured anew


class Tuning:
    """The shapes among some launches (dispatch_fusion.GpuLaunch) that have several candidates and
    no measurement.
    """

    def __init__(
        self, device: PlansLaunches, launches: Sequence[GpuLaunch], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.device, self.clock, self.begun = device, clock, clock()
        found = _unmeasured(device, launches)
        work = {key: count * _multiply_adds(launch) for key, (launch, _, count) in found.items()}
        self.waiting = [
            (key, *found[key][:2]) for key in sorted(found, key=lambda key: work[key])
        ]  # the most work last, to be popped first
        self.prepared: list[_Shape] = []
        self.changed = False  # a winner is not the estimate
        self._idle_until = 0.0

    @property
    def finished(self) -> bool:
        return not self.waiting and not self.prepared

    def before(self, seconds: float) -> float:
        """Measures for about `seconds`, counted from when this was made, while nothing else is
        done. Returns the seconds it took.
        """
        begun, now = self.begun, self.clock()
        while not self.finished and now - begun < seconds:
            self._prepare(begun + seconds)
            if self.clock() - begun >= seconds:
                break
            if not self._measure_one(begun + seconds - now, replaying=False):
                self.device.transfers.wait(self.device.gpu.pause(POLL_MS))
            now = self.clock()
        return now - begun

    def beside(self) -> None:
        """Called before a replay: prepares shapes, or measures one if it is time."""
        begun = self.clock()
        if begun < self._idle_until or self.finished:
            return
        self._prepare()
        self._measure_one(SHAPE_SECONDS, replaying=True)
        now = self.clock()
        self._idle_until = now + (now - begun) * (1 - SHARE) / SHARE

    def release(self) -> None:
        """Frees what waits to be measured."""
        while self.prepared:
            self.prepared.pop().release()
        self.waiting = []

    def _prepare(self, until: float | None = None) -> None:
        """A shape takes some 30 ms of Python: none is begun after `until`."""
        while self.waiting and len(self.prepared) < AHEAD and (until is None or self.clock() < until):
            key, launch, choices = self.waiting.pop()
            if key in tile_choice.measured:  # by another Program meanwhile
                self.changed |= tile_choice.measured[key] != choices[0]
                continue
            try:
                self.prepared.append(_Shape(self.device, key, launch, choices))
            except MemoryError:  # no memory for the operands: the estimate stays
                self.device.trim()

    def _measure_one(self, seconds: float, replaying: bool) -> bool:
        """Measures the first prepared shape whose pipelines are there, if it fits; False: none."""
        shape = next((shape for shape in self.prepared if shape.compiled()), None)
        if shape is None or shape.expected() > seconds:
            return False
        self.prepared.remove(shape)
        try:
            timed = shape.measure()
        finally:
            shape.release()
        if timed:
            estimate = shape.choices[0]
            alike = {c: t for c, t in timed.items() if not replaying or tile_choice.sums_alike(c, estimate)}
            best = min(alike, key=alike.__getitem__, default=estimate)
            tile_choice.measured[shape.key] = best
            tile_choice.fastest[shape.key] = min(timed, key=timed.__getitem__)
            self.changed |= best != estimate
            self.device.gpu.saveTuning(json.dumps({**tile_choice.measured, **tile_choice.fastest}))
        return True


def _multiply_adds(launch: GpuLaunch) -> float:
    p = kernels.matmul.Params(*launch.params)
    return float(p.batch) * p.M * p.N * p.K


def _unmeasured(
    device: PlansLaunches, launches: Sequence[GpuLaunch]
) -> dict[str, tuple[GpuLaunch, list[tile_choice.Config], int]]:
    """{key: (launch, candidates, number of launches)}."""
    found: dict[str, tuple[GpuLaunch, list[tile_choice.Config], int]] = {}
    for launch in launches:
        if launch.kernel is kernels.matmul:
            tile_choice.unmeasured = {}
            try:
                dispatch_plan.of_launch(device, launch)
                for key, choices in tile_choice.unmeasured.items():
                    if len(choices) > 1:
                        first, _, count = found.get(key, (launch, choices, 0))
                        found[key] = first, choices, count + 1
            finally:
                tile_choice.unmeasured = None
    return found


class _Case(NamedTuple):
    """A candidate: its plan, and its dispatches as records."""

    config: tile_choice.Config
    plan: Plan
    records: list[list[int]]


class _Shape:
    """One product with its candidates, on memory of its own. Their pipelines are being compiled."""

    def __init__(
        self, device: PlansLaunches, key: str, launch: GpuLaunch, choices: Sequence[tile_choice.Config]
    ) -> None:
        self.device, self.key, self.launch, self.choices = device, key, launch, choices
        plans: list[Plan] = []
        for config in choices:
            tile_choice.measured[key] = config
            try:
                plans.append(dispatch_plan.of_launch(device, launch))
            finally:
                del tile_choice.measured[key]
        self.scratch = _Scratch(device, launch, plans)
        device.beside = True
        try:
            self.cases = [
                _Case(config, made, [device.binder.record(d, self.scratch.place(made)) for d in made.dispatches])
                for config, made in zip(choices, plans)
            ]
        except BaseException:
            self.scratch.release()
            raise
        finally:
            device.beside = False

    def compiled(self) -> bool:
        return bool(self.device.gpu.compiled([record[0] for case in self.cases for record in case.records]))

    def expected(self) -> float:
        """Seconds of the first look, by the adapter's class."""
        return sum(dispatch.microseconds for dispatch in self.cases[0].plan.dispatches) * 1e-6

    def measure(self) -> dict[tile_choice.Config, float]:
        """Seconds by candidate; {} when the GPU gave no times."""
        cases = [case for case in self.cases if not any(self.device.gpu.refused(r[0]) for r in case.records)]
        count = 1
        while True:
            times = self._times(cases[:1], count)
            if not times:
                return {}
            if times[0] * count >= TELLING_SECONDS or count >= MOST_REPEATS:
                break
            count *= MORE
        one = max(times[0], 1e-9)
        fit = int(SHAPE_SECONDS / one)
        if fit < 2:  # a step has many such products: the estimate stays
            return {cases[0].config: one}
        count = int(min(MOST_REPEATS, max(1, TARGET_SECONDS / one)))
        times = self._times(cases[:fit], count)
        return {case.config: seconds for seconds, case in zip(times, cases)}

    def _times(self, cases: Sequence[_Case], count: int) -> list[float]:
        """Seconds of each case, from `count` runs of it."""
        records = [record for case in cases for record in case.records]
        flat = [word for record in records for word in record]
        times = self.device.measure(struct.pack("<%dI" % len(flat), *flat), [count] * len(records))
        if len(times) < len(records):
            return []
        out: list[float] = []
        p, at = kernels.matmul.Params(*self.launch.params), 0
        for case in cases:
            end = at + len(case.records)
            adding = case.config.splits * p.M * p.N * 8 / BYTES_PER_SECOND if case.config.splits > 1 else 0.0
            out.append(sum(times[at:end]) + adding)
            at = end
        return out

    def release(self) -> None:
        self.scratch.release()


class _Scratch:
    """Memory for the operands of a launch by any of some plans, each operand in a part of its
    own.
    """

    def __init__(self, device: PlansLaunches, launch: GpuLaunch, plans: Sequence[Plan]) -> None:
        self.device, self.launch = device, launch
        extent = kernels.matmul.extent(launch.params)
        sizes = [extent[spec.name] * 4 for spec in kernels.matmul.buffers]
        sizes.append(launch.extra["sums"][1] * 4 if "sums" in launch.extra else 0)
        sizes.append(max(made.scratch_bytes + made.partial_bytes for made in plans))
        self.handles: list[Any] = []
        try:
            for size in sizes:
                self.handles.append(device.alloc(size + ALIGN) if size else None)
        except BaseException:
            self.release()
            raise

    def place(self, made: Plan) -> Placer:
        """Where the plan's operands are: at the start of each part, with the alignment they have in
        the launch.
        """
        handles, device, launch = self.handles, self.device, self.launch

        def where(base: Any) -> tuple[int, int]:
            if isinstance(base, int):
                return handles[base], launch.buffers[base][1] % 16
            if base == "sums":
                return handles[-2], launch.extra["sums"][0][1] % 16
            if base in ("scratch", "partials"):
                return handles[-1], 0 if base == "scratch" else made.scratch_bytes
            return device.place(base)

        return where

    def release(self) -> None:
        for handle in self.handles:
            if handle is not None:
                self.device.free(handle)
        self.handles = []
