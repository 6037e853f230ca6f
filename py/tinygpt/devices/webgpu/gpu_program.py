"""A Program on the GPU: all its dispatches encoded into one command buffer, one submit a replay.

Intermediates, scratch and partial sums are in the arena that all Programs share; bind groups and
uniforms are made once, and again only when the arena has moved.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from . import dispatch_fusion, dispatch_plan, tuner

if TYPE_CHECKING:
    from .dispatch_fusion import GpuLaunch
    from .dispatch_plan import Deferred, Placer, Plan, PlansLaunches


def _merged(value: Any) -> tuple[Any, int]:
    """(place, elements) of an entry of GpuLaunch.extra that is memory."""
    return value[0], value[1]


class GpuProgram:
    """`run()` submits; `launches` are what device.profile reports on."""

    def __init__(self, device: PlansLaunches, launches: Any, arena_bytes: int) -> None:
        self.device = device
        self.launches = dispatch_fusion.run(launches)
        self.number = 0
        self.version = self.configuration = -1
        self.arena_bytes = arena_bytes
        self.tuning: tuner.Tuning | None = None
        self._tune()
        self._lay_out(arena_bytes)
        device.reserve_arena(self.total_bytes)
        self._encode()

    def _tune(self) -> None:
        """Measures tiles while the device allows; `run` measures the rest beside its replays."""
        device = self.device
        if self.tuning is not None:
            self.tuning.release()
            self.tuning = None
        if device.tunes:
            tuning = tuner.Tuning(device, self.launches)
            if tuning.finished:
                return
            device.tuning_seconds -= tuning.before(device.tuning_seconds)
            device._plans.clear()
            tuning.changed = False
            self.tuning = None if tuning.finished else tuning

    def _lay_out(self, arena_bytes: int) -> None:
        """Plans every launch; scratch comes after the intermediates, then the partial sums, each
        with a place of its own.
        """
        self.plans: list[Plan] = []
        for launch in self.launches:
            planned = self.device.plan(launch)
            if self._clashes(launch, planned):
                planned = self.device.plan(launch, scalar=True)
            self.plans.append(planned)
        self.scratch_at = -(-arena_bytes // dispatch_plan.ALIGN) * dispatch_plan.ALIGN
        at = self.scratch_at + max([p.scratch_bytes for p in self.plans], default=0)
        self.partials_at: list[int] = []
        for p in self.plans:
            self.partials_at.append(at)
            at += p.partial_bytes
        self.total_bytes = at

    def _clashes(self, launch: GpuLaunch, planned: Plan) -> bool:
        """True when operands overlap that this plan declares with different types."""
        named: dict[Any, Any] = {name: value[0] for name, value in launch.extra.items() if isinstance(value, tuple)}

        def place(base: Any) -> Any:
            if isinstance(base, int):
                return launch.buffers[base]
            return named.get(base, (base, 0))

        return any(self.device.binder.clashes(dispatch, place) for dispatch in planned.dispatches)

    def _encode(self) -> None:
        device = self.device
        self.version, self.configuration = device.arena_version, device.configuration
        records: list[list[int]] = []
        self.labels: list[tuple[int | None, str]] = []
        pending: list[tuple[Deferred, Placer]] = []  # [(place of out, Deferred, place function)]
        for i, (launch, p) in enumerate(zip(self.launches, self.plans)):
            place = self._placer(launch, self.partials_at[i])
            if pending and self._touched(launch, pending):  # then all of them: one dispatch costs what two do
                self._add_up(pending, records)
                pending = []
            for dispatch in p.dispatches:
                records.append(device.binder.record(dispatch, place))
                self.labels.append((i, dispatch.label))
            pending += [(d, place) for d in p.deferred]
        if pending:
            self._add_up(pending, records)
        if self.number:
            device.gpu.freeProgram(self.number)
        flat = [word for record in records for word in record]
        self.number = device.make_program(struct.pack("<%dI" % len(flat), *flat), len(records))
        self.dispatches = len(records)

    def _placer(self, launch: GpuLaunch, partials_at: int) -> Placer:
        device = self.device
        real = [None if b is None else self._real(b) for b in launch.buffers]
        extra: dict[Any, Any] = {
            name: self._real(value[0]) for name, value in launch.extra.items() if isinstance(value, tuple)
        }

        def place(base: Any) -> Any:
            if isinstance(base, int):
                return real[base]
            if base == "scratch":
                return device.arena, self.scratch_at
            if base == "partials":
                return device.arena, partials_at
            return extra[base] if base in extra else device.place(base)

        return place

    def _real(self, buffer: Any) -> tuple[int, int]:
        handle, offset = buffer
        return (self.device.arena, offset) if handle == "arena" else (handle, offset)

    def _touched(self, launch: GpuLaunch, pending: list[tuple[Deferred, Placer]]) -> bool:
        """True when the launch may use or overwrite what a pending sum will write."""
        extent = launch.kernel.extent(launch.params)
        reached: list[tuple[int, int, int]] = []
        for spec, b in zip(launch.kernel.buffers, launch.buffers):
            if b is not None:
                buffer, start = self._real(b)
                reached.append((buffer, start, start + extent[spec.name] * (1 if spec.dtype == "b" else 4)))
        for value in launch.extra.values():
            if isinstance(value, tuple):
                place, count = _merged(value)
                buffer, start = self._real(place)
                reached.append((buffer, start, start + count * 4))
        for d, where in pending:
            buffer, start = where(d.out.base)
            start += d.out.offset
            if any(buffer == b[0] and start < b[2] and b[1] < start + d.n * 4 for b in reached):
                return True
        return False

    def _add_up(self, pending: list[tuple[Deferred, Placer]], records: list[list[int]]) -> None:
        for dispatch, place in self.device.sums(pending):
            records.append(self.device.binder.record(dispatch, place))
            self.labels.append((None, dispatch.label))

    def run(self) -> None:
        device = self.device
        if self.tuning is not None:
            self.tuning.beside()
            if self.tuning.finished:
                if self.tuning.changed:
                    device._plans.clear()
                    self.configuration = -1
                self.tuning = None
        if self.version != device.arena_version or self.configuration != device.configuration:
            if self.configuration != device.configuration:
                if self.configuration >= 0:
                    self._tune()
                self._lay_out(self.arena_bytes)
                device.reserve_arena(self.total_bytes)
            self._encode()
        device.submit(self.number)

    def release(self) -> None:
        if self.tuning is not None:
            self.tuning.release()
            self.tuning = None
        if self.number and not self.device.lost:
            self.device.gpu.freeProgram(self.number)
        self.number = 0
