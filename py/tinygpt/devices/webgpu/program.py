"""A Program on the GPU: all its dispatches encoded into one command buffer, one submit a replay.

Intermediates, scratch and partial sums lie in the arena that all Programs share; bind groups and uniforms are made once, and again only
when the arena has moved.
"""

import struct

from . import fuse, plan, tuner


class GpuProgram:
    """`run()` submits; `launches` are what device.profile reports on."""

    def __init__(self, device, launches, arena_bytes):
        self.device = device
        self.launches = fuse.run(launches)
        self.number = 0
        self.version = self.configuration = -1
        self.arena_bytes = arena_bytes
        if device.tunes:
            tuner.tune(device, self.launches)
        self._lay_out(arena_bytes)
        device.reserve_arena(self.total_bytes)
        self._encode()

    def _lay_out(self, arena_bytes):
        """Plans every launch; scratch comes after the intermediates, then the partial sums, each with a place of its own."""
        self.plans = []
        for launch in self.launches:
            planned = self.device.plan(launch)
            if self._clashes(launch, planned):
                planned = self.device.plan(launch, scalar=True)
            self.plans.append(planned)
        self.scratch_at = -(-arena_bytes // plan.ALIGN) * plan.ALIGN
        at = self.scratch_at + max([p.scratch_bytes for p in self.plans], default=0)
        self.partials_at = []
        for p in self.plans:
            self.partials_at.append(at)
            at += p.partial_bytes
        self.total_bytes = at

    def _clashes(self, launch, planned):
        """True when operands overlap that this plan declares with different types."""
        named = {name: value[0] for name, value in launch.extra.items() if isinstance(value, tuple)}

        def place(base):
            if isinstance(base, int):
                return launch.buffers[base]
            return named.get(base, (base, 0))

        return any(self.device.binder.clashes(dispatch, place) for dispatch in planned.dispatches)

    def _encode(self):
        device = self.device
        self.version, self.configuration = device.arena_version, device.configuration
        records, self.labels = [], []
        waiting = []  # [(place of out, Deferred, place function)]
        for i, (launch, p) in enumerate(zip(self.launches, self.plans)):
            place = self._placer(launch, self.partials_at[i])
            if waiting and self._touched(launch, waiting):  # then all of them: one dispatch costs what two do
                self._add_up(waiting, records)
                waiting = []
            for dispatch in p.dispatches:
                records.append(device.binder.record(dispatch, place))
                self.labels.append((i, dispatch.label))
            waiting += [(d, place) for d in p.deferred]
        if waiting:
            self._add_up(waiting, records)
        if self.number:
            device.gpu.freeProgram(self.number)
        flat = [word for record in records for word in record]
        self.number = device.make_program(struct.pack("<%dI" % len(flat), *flat), len(records))
        self.dispatches = len(records)

    def _placer(self, launch, partials_at):
        device = self.device
        real = [None if b is None else self._real(b) for b in launch.buffers]
        extra = {name: self._real(value[0]) for name, value in launch.extra.items() if isinstance(value, tuple)}

        def place(base):
            if isinstance(base, int):
                return real[base]
            if base == "scratch":
                return device.arena, self.scratch_at
            if base == "partials":
                return device.arena, partials_at
            return extra[base] if base in extra else device.place(base)

        return place

    def _real(self, buffer):
        handle, offset = buffer
        return (self.device.arena, offset) if handle == "arena" else (handle, offset)

    def _touched(self, launch, waiting):
        """True when the launch may use or overwrite what a waiting sum will write."""
        extent = launch.kernel.extent(launch.params)
        reached = []
        for spec, b in zip(launch.kernel.buffers, launch.buffers):
            if b is not None:
                buffer, start = self._real(b)
                reached.append((buffer, start, start + extent[spec.name] * (1 if spec.dtype == "b" else 4)))
        for value in launch.extra.values():
            if isinstance(value, tuple):
                buffer, start = self._real(value[0])
                reached.append((buffer, start, start + value[1] * 4))
        for d, place in waiting:
            buffer, start = place(d.out.base)
            start += d.out.offset
            if any(buffer == b[0] and start < b[2] and b[1] < start + d.n * 4 for b in reached):
                return True
        return False

    def _add_up(self, waiting, records):
        for dispatch, place in self.device.sums(waiting):
            records.append(self.device.binder.record(dispatch, place))
            self.labels.append((None, dispatch.label))

    def run(self):
        device = self.device
        if self.version != device.arena_version or self.configuration != device.configuration:
            if self.configuration != device.configuration:
                if device.tunes:
                    tuner.tune(device, self.launches)
                self._lay_out(self.arena_bytes)
                device.reserve_arena(self.total_bytes)
            self._encode()
        device.submit(self.number)

    def release(self):
        if self.number and not self.device.lost:
            self.device.gpu.freeProgram(self.number)
        self.number = 0
