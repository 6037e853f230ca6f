"""The GPU through WebGPU: WGSL kernels from shaders/, driven through app/bridges/webgpu.js.

Python plans (what to dispatch), JavaScript holds the buffers and submits. An eager launch is queued
and submitted with the next read or replay; a Program is one submit. Reading waits for the GPU
through JSPI (`run_sync`); where a browser lacks it, `await` does. The host registers the bridge
with Pyodide as the JavaScript module `tinygpt_gpu`.

The device chooses the arithmetic, plans launches and submits them; buffer_pool.py has its memory,
transfers.py its reads and writes.
"""

from __future__ import annotations

import statistics
import struct
from typing import TYPE_CHECKING, Any

from ..base import Device, Reading, precision_name
from . import adapter_class, dispatch_plan, tile_choice, tuner
from .buffer_pool import BufferPool, rounded
from .dispatch_plan import Binder
from .gpu_program import GpuProgram
from .plans import segments_plan
from .precision import IN_BUILD, PRECISIONS, shader_features
from .transfers import Transfers, WidenedReading, narrowed, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinygpt_gpu import Gpu
    from typing_extensions import Buffer

    from ...kernels import Kernel
    from .dispatch_plan import Deferred, Dispatch, Placer, Plan


RECORD_BYTES = 65536
_HELD = ("float32", "int32", "int8", "int64")  # what a buffer's elements may be
PROBED_BYTES = 256 << 20  # less is not tried: every device that has WebGPU can hold it


class WebGpuDevice(Device):
    name = "webgpu"
    volatile = True
    waits = True
    halved = "int64"  # held as int32: narrowed on the way in, widened on the way out

    def __init__(self) -> None:
        try:
            import tinygpt_gpu  # only a host that opens the GPU has it
        except ImportError:
            raise RuntimeError(
                "the webgpu device needs a host that opens the GPU: the page, or the Node test host"
            ) from None
        self.host = tinygpt_gpu
        if not tinygpt_gpu.gpu:  # JavaScript's null is not None
            raise RuntimeError("no GPU is available here: %s" % (tinygpt_gpu.missing or "no reason was given"))
        self._record = bytearray(RECORD_BYTES)
        self._words = memoryview(self._record).cast("I")
        self.precision, self.subgroups = "f32", True
        self.configuration = 0
        self._measured_on: dict[str, Any] | None = None  # the adapter that tile_choice.measured is of
        self._adopt(tinygpt_gpu.gpu)

    def _adopt(self, gpu: Gpu) -> None:
        """Takes a freshly opened GPU: nothing of the one before is left."""
        self.gpu = gpu
        self.info: dict[str, Any] = gpu.info.to_py()
        self.limits: dict[str, int] = self.info["limits"]
        self.capabilities: list[str] = list(self.info["capabilities"])
        self.largest = largest = self.limits["maxBufferSize"]
        self.fallback = bool(self.info["fallback"])
        self.adapter = adapter_class.classify(self.info)
        self.tuning_seconds, self.beside = tuner.BEFORE_SECONDS, False
        before: BufferPool | None = getattr(self, "pool", None)
        self.transfers = Transfers(gpu)
        self.pool = BufferPool(self.transfers, largest, before.arena_version + 1 if before else 1)
        self._constants: dict[bytes, int] = {}
        self._plans: dict[Any, Plan] = {}
        self._halves: set[int] = set()  # the handles that hold int64
        self.binder = Binder(self._pipeline)
        gpu.bindCommand(self._record)
        self._launch, self._blocked = gpu.launch, gpu.blocked
        self.transfers.flag = self.pool.new(256)
        gpu.bindFlag(self.transfers.flag)
        self._loss_scale = self.pool.new(256)
        self.transfers.write(self._loss_scale, 0, struct.pack("<4f", 1024.0, 1.0 / 1024.0, 0.0, 0.0))
        self.tunes = not self.fallback and "timestamp-query" in self.info["features"] and bool(gpu.canWait)
        facts = {name: value for name, value in self.info.items() if name != "capabilities"}
        if self._measured_on not in (None, facts):
            tile_choice.measured.clear()
            tile_choice.fastest.clear()
        self._measured_on = facts
        tuner.restore(gpu.tuning)
        self._set_active()

    # ---- what is switched on ----

    def configure(self, precision: str | None = None, subgroups: bool | None = None) -> WebGpuDevice:
        """Chooses the arithmetic (a key of PRECISIONS) and whether subgroup operations are used.
        Programs are recorded again.
        """
        offered = ", ".join(self.capabilities)
        if precision is not None:
            precision = precision_name(precision)
            if precision not in PRECISIONS:
                raise ValueError("there is no precision %r; choose one of %s" % (precision, ", ".join(PRECISIONS)))
            if precision != "f32" and precision not in self.capabilities:
                raise ValueError("this GPU does not offer %r here; it offers %s" % (precision, offered))
        if subgroups and "subgroups" not in self.capabilities:
            raise ValueError("this GPU does not offer subgroups here; it offers %s" % offered)
        self.precision = precision or self.precision
        self.subgroups = self.subgroups if subgroups is None else bool(subgroups)
        self._set_active()
        self._plans.clear()
        self.configuration += 1
        self.tuning_seconds = tuner.BEFORE_SECONDS
        self.record_again()
        return self

    def _set_active(self) -> None:
        self.active = shader_features(self.precision, self.subgroups and "subgroups" in self.capabilities)
        self.checks_overflow = self.precision != "f32"
        name = (
            self.info["description"]
            or " ".join(filter(None, (self.info["vendor"], self.info["architecture"])))
            or "GPU"
        )
        self.build = "%s, %s%s" % (name, IN_BUILD[self.precision], ", subgroups" if "subgroups" in self.active else "")

    # ---- memory ----

    @property
    def arena(self) -> int:
        """The buffer of the arena; 0: there is none."""
        return self.pool.arena

    @property
    def arena_bytes(self) -> int:
        """The size that the arena was reserved for."""
        return self.pool.arena_bytes

    @property
    def arena_version(self) -> int:
        """Changes when the arena moves."""
        return self.pool.arena_version

    def alloc(self, nbytes: int, dtype: str = "float32") -> int:
        if dtype not in _HELD:
            raise RuntimeError(dispatch_plan.unsupported_dtype(dtype))
        if dtype == self.halved:
            handle = self.pool.alloc(nbytes >> 1)
            self._halves.add(handle)
            return handle
        return self.pool.alloc(nbytes)

    def free(self, handle: int) -> None:
        self._halves.discard(handle)
        self.pool.free(handle)

    def in_use(self) -> int:
        """Bytes allocated and not freed (sizes as rounded for reuse)."""
        return self.pool.in_use

    def memory_bytes(self) -> int:
        """Bytes that the GPU holds for this device: in use, kept for reuse, arena, scratch."""
        return self.pool.total_bytes()

    def trim(self) -> None:
        """Gives memory that is kept for reuse back to the GPU."""
        self.pool.trim()

    def reserve_arena(self, nbytes: int) -> None:
        """Makes the arena that all Programs share at least `nbytes`; Programs encode again on their
        next run when it moved.
        """
        self.pool.reserve_arena(nbytes)

    def available(self, nbytes: int) -> int:
        """Tries it: so much memory is requested of the GPU, and freed at once. Intermediates that
        are there already, and memory that is kept for reuse, count as available.
        """
        self.trim()
        kept = self.pool.arena_bytes
        if nbytes < PROBED_BYTES or nbytes <= kept or not self.gpu.canWait:
            return nbytes
        found = self.transfers.wait(self.gpu.probe(nbytes - kept))
        self.transfers.check()
        return kept + int(found)

    def place(self, base: Any) -> tuple[int, int]:
        """(buffer, byte offset) of an Operand's base that belongs to the device itself."""
        if base == "flag":
            return self.transfers.flag, 0
        if base == "loss_scale":
            return self._loss_scale, 0
        kind, data = base
        assert kind == "constant", base
        handle = self._constants.get(data)
        if handle is None:
            handle = self._constants[data] = self.pool.new(rounded(len(data)))
            self.transfers.write(handle, 0, data)
        return handle, 0

    # ---- transfers ----

    @property
    def lost(self) -> bool:
        return bool(self.gpu.lost)

    def reopen(self) -> None:
        """Asks for the GPU again after a loss; every handle of before is dead. RuntimeError when it
        does not come back.
        """
        gpu = self.transfers.wait(self.host.open())
        if not gpu:
            raise RuntimeError("the GPU could not be reopened: %s" % (self.host.missing or "no adapter"))
        self._adopt(gpu)
        self.configuration += 1
        self.record_again()

    def check_interrupt(self) -> None:
        import pyodide_js  # only Pyodide has it

        pyodide_js.checkInterrupt()

    def upload(self, handle: int, data: Buffer, offset: int = 0) -> None:
        if handle in self._halves:
            data, offset = narrowed(data), offset >> 1
        self.transfers.upload(handle, data, offset)

    def download(self, handle: int, nbytes: int, offset: int = 0) -> bytes:
        if handle in self._halves:
            return widened(self.transfers.download(handle, nbytes >> 1, offset >> 1))
        return self.transfers.download(handle, nbytes, offset)

    async def download_async(self, handle: int, nbytes: int, offset: int = 0) -> bytes:
        if handle in self._halves:
            return widened(await self.transfers.download_async(handle, nbytes >> 1, offset >> 1))
        return await self.transfers.download_async(handle, nbytes, offset)

    def read_later(self, handle: int, nbytes: int, offset: int = 0) -> Reading:
        if handle in self._halves:
            return WidenedReading(self.transfers.read_later(handle, nbytes >> 1, offset >> 1))
        return self.transfers.read_later(handle, nbytes, offset)

    # ---- launches ----

    def _pipeline(self, source: str, letters: str, label: str) -> int:
        return self.gpu.pipeline(source, letters, label, self.beside)

    def plan(self, launch: Any, scalar: bool = False) -> Plan:
        """The plan of a dispatch_fusion.GpuLaunch (kernel, buffers, params, extra), cached by all
        that it may depend on. scalar: without vectors.
        """
        kernel, buffers, params, extra = launch
        residues = tuple([None if b is None else b[1] % 16 for b in buffers])
        key: Any = (
            kernel.id,
            params,
            residues,
            *((name, v[0][1] % 16, *v[1:]) if isinstance(v, tuple) else (name, v) for name, v in extra.items()),
        )
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = dispatch_plan.of_launch(self, launch, scalar)
        return found

    def launch(self, kernel: Kernel, buffers: Sequence[Any], params: Sequence[float]) -> None:
        if self._halves:
            buffers = [(b[0], b[1] >> 1) if b is not None and b[0] in self._halves else b for b in buffers]
        launch: tuple[Any, ...] = (kernel, buffers, tuple(params), {})
        try:
            records = self._records(self.plan(launch), buffers)
        except dispatch_plan.TypesClash:
            records = self._records(self.plan(launch, scalar=True), buffers)
        for record in records:
            self._queue(record)

    def _records(self, found: Plan, buffers: Sequence[Any]) -> list[list[int]]:
        """The records of an eager launch's dispatches and of the sums it leaves."""
        scratch = found.scratch_bytes + found.partial_bytes
        at = self.pool.reserve_scratch(scratch) if scratch else 0

        def place(base: Any) -> tuple[int, int]:
            if isinstance(base, int):
                return buffers[base]
            if base == "scratch":
                return at, 0
            if base == "partials":
                return at, found.scratch_bytes
            return self.place(base)

        records = [self.binder.record(dispatch, place) for dispatch in found.dispatches]
        if found.deferred:
            records += [
                self.binder.record(dispatch, where)
                for dispatch, where in self.sums([(d, place) for d in found.deferred])
            ]
        return records

    def copy(self, to: int, source: int, nbytes: int) -> None:
        self.gpu.copy(to, source, nbytes >> 1 if to in self._halves else nbytes)

    def _queue(self, record: list[int]) -> None:
        self._words[: len(record)] = memoryview(struct.pack("<%dI" % len(record), *record)).cast("I")
        if self._launch(len(record)) and self.gpu.canWait:  # many are queued: let them run
            self._drain()

    def _drain(self) -> None:
        while not self.gpu.flush():
            self.transfers.wait(self.gpu.unblocked())

    def sums(self, pending: Sequence[tuple[Deferred, Placer]]) -> list[tuple[Dispatch, Placer]]:
        """[(dispatch, place)] that add up deferred partial sums: one for each pair of memory that
        they are in.
        """
        return segments_plan.sums(self, pending)

    def load(self, launches: Sequence[Any], arena_bytes: int) -> GpuProgram:
        return GpuProgram(
            self,
            [(k, [None if b is None else tuple(b) for b in buffers], tuple(p)) for k, buffers, p in launches],
            arena_bytes,
        )

    def make_program(self, records: bytes, count: int) -> int:
        return self.gpu.program(records, count)

    def submit(self, number: int) -> None:
        """Replays a bridge program, waiting while two steps are in flight or pipelines are being
        made.
        """
        while self._blocked():
            self.transfers.check()
            self.transfers.wait(self.gpu.unblocked())
        self.gpu.run(number)

    def measure(self, records: bytes, repeats: Sequence[int]) -> list[float]:
        """Seconds of one dispatch of each record, from runs of `repeats` of it between two
        timestamps.
        """
        number = self.make_program(records, len(repeats))
        try:
            while self._blocked():
                self.transfers.check()
                self.transfers.wait(self.gpu.unblocked())
            times = self._timed(number, repeats)
        finally:
            self.gpu.freeProgram(number)
        return [time * 1e-9 / count for time, count in zip(times, repeats)]

    def _timed(self, number: int, repeats: Sequence[int] | None = None) -> list[float]:
        """Nanoseconds of each dispatch of a bridge program. DeviceLost where the GPU is gone."""
        times = self.transfers.wait(self.gpu.profile(number, repeats))
        self.transfers.check()
        return times.to_py()

    def synchronize(self) -> None:
        """Waits until the GPU has done everything that was requested."""
        self._drain()
        self.transfers.wait(self.gpu.idle())
        self.transfers.check()

    def profile(self, program: Any, repeats: int = 5) -> list[tuple[int | None, str, float]]:
        """[(launch index or None, label, seconds)] of each dispatch of a Program: medians of
        `repeats` runs, one timestamp pair each.
        """
        loaded = getattr(program, "_loaded", program)
        loaded.run()
        self.synchronize()
        rounds = [self._timed(loaded.number) for _ in range(repeats)]
        if not rounds[0]:
            raise RuntimeError(
                "this GPU has no timestamps (the feature timestamp-query), so launches cannot be timed one by one"
            )
        return [
            (index, label, statistics.median(r[i] for r in rounds) * 1e-9)
            for i, (index, label) in enumerate(loaded.labels)
        ]


def make() -> WebGpuDevice:
    return WebGpuDevice()
