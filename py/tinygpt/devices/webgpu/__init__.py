"""The GPU through WebGPU: WGSL kernels from shaders/, driven through app/bridges/webgpu.js.

Python plans (what to dispatch), JavaScript holds the buffers and submits. An eager launch is queued and submitted with the next read or
replay; a Program is one submit. Reading waits for the GPU through JSPI (`run_sync`); where a browser lacks it, `await` does.
The host registers the bridge with Pyodide as the JavaScript module `tinygpt_gpu`.
"""

import importlib
import importlib.util
import struct

from ... import kernels as contract
from ..base import SMALLER, Device, DeviceLost, Reading, size_text, status_error
from . import plan, tuner
from .plan import ALIGN, Binder, Deferred, Operand
from .program import GpuProgram

FAMILIES = "elementwise movement reduce matmul quantized norm softmax_xent attention embedding random optimizer sampling segments".split()
POOL_BYTES = 256 << 20  # freed memory that is kept for reuse, at most
RECORD_BYTES = 65536
RUNGS = ("subgroups", "f16", "matrix")
PRECISIONS = {
    "f32": "all arithmetic in 32-bit floats",
    "f16": "matrix products read 16-bit floats and add up in 32 bits; weights, gradients and moments stay 32-bit",
    "matrix": "as f16, on the GPU's matrix units (tensor cores)",
}

for _family in FAMILIES:
    if importlib.util.find_spec("%s.kernels.%s" % (__name__, _family)):
        importlib.import_module("%s.kernels.%s" % (__name__, _family))


class WebGpuDevice(Device):
    name = "webgpu"
    volatile = True
    waits = True

    def __init__(self):
        try:
            import tinygpt_gpu
        except ImportError:
            raise RuntimeError("the webgpu device needs a host that opens the GPU: the page, or the Node test host") from None
        self.host = tinygpt_gpu
        if not tinygpt_gpu.gpu:  # JavaScript's null is not None
            raise RuntimeError("there is no GPU to use here: %s" % (tinygpt_gpu.missing or "no reason was given"))
        self._record = bytearray(RECORD_BYTES)
        self._words = memoryview(self._record).cast("I")
        self.precision, self.subgroups = "f32", True
        self.configuration = 0
        self._adopt(tinygpt_gpu.gpu)

    def _adopt(self, gpu):
        """Takes a freshly opened GPU: nothing of the one before is left."""
        self.gpu = gpu
        self.info = gpu.info.to_py()
        self.limits, self.rungs = self.info["limits"], list(self.info["rungs"])
        self.largest = self.limits["maxBufferSize"]
        self.fallback = bool(self.info["fallback"])
        self._free, self._sizes, self._in_use, self._pooled = {}, {}, 0, 0
        self._constants = {}
        self.arena = self.arena_bytes = 0
        self.arena_version = getattr(self, "arena_version", 0) + 1
        self._scratch = self._scratch_bytes = 0
        self._plans, self.binder = {}, Binder(self._pipeline)
        gpu.bindCommand(self._record)
        self._launch, self._blocked = gpu.launch, gpu.blocked
        self._flag = self._new(256)
        gpu.bindFlag(self._flag)
        self._loss_scale = self._new(256)
        self._write(self._loss_scale, 0, struct.pack("<4f", 1024.0, 1.0 / 1024.0, 0.0, 0.0))
        self.tunes = not self.fallback and "timestamp-query" in self.info["features"] and bool(gpu.canWait)
        tuner.restore(gpu.tuning)
        self._set_active()

    # ---- what is switched on ----

    def configure(self, precision=None, subgroups=None):
        """Chooses the arithmetic (a key of PRECISIONS) and whether subgroup operations are used. Programs are recorded again."""
        from ...state import state

        if precision is not None:
            if precision not in PRECISIONS:
                raise ValueError("there is no precision %r; choose one of %s" % (precision, ", ".join(PRECISIONS)))
            if precision != "f32" and precision not in self.rungs:
                raise ValueError("this GPU does not offer %r here; it offers %s" % (precision, ", ".join(self.rungs)))
        if subgroups and "subgroups" not in self.rungs:
            raise ValueError("this GPU does not offer subgroups here; it offers %s" % ", ".join(self.rungs))
        self.precision = precision or self.precision
        self.subgroups = self.subgroups if subgroups is None else bool(subgroups)
        self._set_active()
        self._plans.clear()
        self.configuration += 1
        state.layout += 1
        return self

    def _set_active(self):
        active = {"subgroups"} if self.subgroups and "subgroups" in self.rungs else set()
        if self.precision in ("f16", "matrix"):
            active.add("f16")
        if self.precision == "matrix":
            active.add("subgroup_matrix")
        self.active = frozenset(active)
        self.checks_overflow = self.precision != "f32"
        name = self.info["description"] or " ".join(filter(None, (self.info["vendor"], self.info["architecture"]))) or "GPU"
        words = {"f32": "f32", "f16": "f16 products", "matrix": "f16 products on matrix units"}[self.precision]
        self.build = "%s, %s%s" % (name, words, ", subgroups" if "subgroups" in self.active else "")

    # ---- memory ----

    @staticmethod
    def _size(nbytes):
        """The size of an allocation: steps of an eighth of its power of two, so that freed memory fits again."""
        if nbytes <= ALIGN:
            return ALIGN
        step = max(ALIGN, 1 << max(0, (nbytes - 1).bit_length() - 3))
        return -(-nbytes // step) * step

    def _new(self, size):
        self.check()
        if size > self.largest:
            raise MemoryError(
                "a piece of %s was asked for, but this GPU gives at most %s in one; %s"
                % (size_text(size), size_text(self.largest), SMALLER)
            )
        handle = self.gpu.createBuffer(size)
        if size >= 1 << 24 and self.gpu.canWait:  # the answer to a large request is worth waiting for
            problem = self._wait(self.gpu.memoryProblem())
            if problem:
                self.gpu.destroyBuffer(handle)
                raise MemoryError(
                    "out of GPU memory: %s more would not fit beside the %s in use; %s"
                    % (size_text(size), size_text(self.memory_bytes()), SMALLER)
                )
        self._sizes[handle] = size
        return handle

    def alloc(self, nbytes, dtype="float32"):
        size = self._size(nbytes)
        waiting = self._free.get(size)
        if waiting:
            handle = waiting.pop()
            self._pooled -= size
        else:
            try:
                handle = self._new(size)
            except MemoryError:
                if not self._pooled:
                    raise
                self.trim()
                handle = self._new(size)
        self._in_use += size
        return handle

    def free(self, handle):
        size = self._sizes.get(handle)
        if size is None:  # of a device that was lost
            return
        self._in_use -= size
        if self._pooled + size > POOL_BYTES:
            del self._sizes[handle]
            self.gpu.destroyBuffer(handle)
        else:
            self._free.setdefault(size, []).append(handle)
            self._pooled += size

    def in_use(self):
        """Bytes allocated and not freed (sizes as rounded for reuse)."""
        return self._in_use

    def memory_bytes(self):
        """Bytes that the GPU holds for this device: in use, kept for reuse, arena, scratch."""
        return sum(self._sizes.values())

    def trim(self):
        """Gives memory that is kept for reuse back to the GPU."""
        for handles in self._free.values():
            for handle in handles:
                del self._sizes[handle]
                self.gpu.destroyBuffer(handle)
        self._free.clear()
        self._pooled = 0

    def reserve_arena(self, nbytes):
        """Makes the arena that all Programs share at least `nbytes`; Programs encode again on their next run when it moved."""
        if nbytes > self.arena_bytes:
            if self.arena:
                del self._sizes[self.arena]
                self.gpu.destroyBuffer(self.arena)
                self.arena = self.arena_bytes = 0
            self.arena_version += 1
            self.arena = self._new(-(-nbytes // ALIGN) * ALIGN)
            self.arena_bytes = nbytes

    def _scratch_for(self, nbytes):
        if nbytes > self._scratch_bytes:
            if self._scratch:
                del self._sizes[self._scratch]
                self.gpu.destroyBuffer(self._scratch)
            self._scratch_bytes = self._size(nbytes)
            self._scratch = self._new(self._scratch_bytes)
        return self._scratch

    def place(self, base):
        """(buffer, byte offset) of an Operand's base that belongs to the device itself."""
        if base == "flag":
            return self._flag, 0
        if base == "loss_scale":
            return self._loss_scale, 0
        kind, data = base
        assert kind == "constant", base
        handle = self._constants.get(data)
        if handle is None:
            handle = self._constants[data] = self._new(self._size(len(data)))
            self._write(handle, 0, data)
        return handle, 0

    # ---- transfers ----

    def check(self):
        """Raises DeviceLost when the GPU is gone."""
        lost = self.gpu.lost
        if lost:
            raise DeviceLost("the GPU was lost (%s)" % lost)

    @property
    def lost(self):
        return bool(self.gpu.lost)

    def reopen(self):
        """Asks for the GPU again after a loss; every handle of before is dead. RuntimeError when it does not come back."""
        from ...state import state

        gpu = self._wait(self.host.open())
        if not gpu:
            raise RuntimeError("the GPU did not come back: %s" % (self.host.missing or "no adapter"))
        self._adopt(gpu)
        self.configuration += 1
        state.layout += 1

    def _wait(self, promise):
        """The promise's value; Python waits, a Stop ends the wait."""
        if not self.gpu.canWait:
            raise RuntimeError(
                "this browser cannot wait for the GPU inside Python code (it has no JSPI): "
                "write `await x.item_async()` instead of `x.item()`, or use the CPU"
            )
        from pyodide.ffi import run_sync

        # The page's own run_sync makes a task of what it waits for, a millisecond or more; the bridge ends its waits by itself.
        value = getattr(run_sync, "direct", run_sync)(promise)
        if self.gpu.takeStop():
            raise KeyboardInterrupt
        return value

    def check_interrupt(self):
        import pyodide_js

        pyodide_js.checkInterrupt()

    def _write(self, handle, offset, data):
        self.gpu.upload(handle, offset, data)

    def upload(self, handle, data, offset=0):
        data = memoryview(data).cast("B")
        n = len(data)
        if not n:
            return
        if offset % 4 or n % 4:  # int8 at the edge of a word
            first, last = offset // 4 * 4, -(-(offset + n) // 4) * 4
            words = bytearray(self.download(handle, last - first, first))
            words[offset - first : offset - first + n] = data
            offset, data = first, words
        self._write(handle, offset, data)

    def download(self, handle, nbytes, offset=0):
        if not nbytes:
            return b""
        first, last = offset // 4 * 4, -(-(offset + nbytes) // 4) * 4
        data = self._arrived(self._wait(self.gpu.download(handle, first, last - first)))
        return data[offset - first : offset - first + nbytes]

    async def download_async(self, handle, nbytes, offset=0):
        """As download, awaited: for browsers in which Python cannot wait."""
        first, last = offset // 4 * 4, -(-(offset + nbytes) // 4) * 4
        words = await self.gpu.download(handle, first, last - first)
        if self.gpu.takeStop():
            raise KeyboardInterrupt
        data = self._arrived(words)
        return data[offset - first : offset - first + nbytes]

    def _arrived(self, words):
        """The bytes behind the error word; raises what a kernel reported."""
        if not words:
            self.check()
            raise RuntimeError("the GPU did not answer: %s" % (self.gpu.problem or "no reason was given"))
        data = words.to_bytes()
        (flag,) = struct.unpack_from("<I", data)
        problem = self.gpu.problem
        if flag:
            self._write(self._flag, 0, bytes(4))
            raise status_error(2, contract.KERNELS[flag - 1].name)
        if problem:
            self.gpu.problem = ""
            raise (
                MemoryError("out of GPU memory: " + problem)
                if "memory" in problem.lower()
                else RuntimeError("WebGPU refused a command: " + problem)
            )
        return data[4:]

    def read_later(self, handle, nbytes, offset=0):
        return _GpuReading(self, self.gpu.later(handle, offset, nbytes))

    # ---- launches ----

    def _pipeline(self, source, letters, label):
        return self.gpu.pipeline(source, letters, label)

    def plan(self, launch, scalar=False):
        """The plan of a fuse.GpuLaunch (kernel, buffers, params, extra), cached by all that it may depend on. scalar: without vectors."""
        kernel, buffers, params, extra = launch
        residues = tuple([None if b is None else b[1] % 16 for b in buffers])
        key = (
            kernel.id,
            params,
            residues,
            *((name, v[0][1] % 16, *v[1:]) if isinstance(v, tuple) else (name, v) for name, v in extra.items()),
        )
        found = self._plans.get(key)
        if found is None:
            extent = kernel.extent(params)
            operands = [
                None if r is None else Operand(i, 0, extent[spec.name], _letter(kernel, spec, params), r)
                for i, (spec, r) in enumerate(zip(kernel.buffers, residues))
            ]
            added = dict.fromkeys(plan.OPTIONS.get(kernel.name, ()))
            for name, value in extra.items():
                added[name] = Operand(name, 0, value[1], value[2], value[0][1] % 16) if isinstance(value, tuple) else value
            found = self._plans[key] = plan.make(self, kernel, params, operands, added, scalar)
        return found

    def launch(self, kernel, buffers, params):
        launch = (kernel, buffers, tuple(params), {})
        try:
            records = self._records(self.plan(launch), buffers)
        except plan.TypesClash:
            records = self._records(self.plan(launch, scalar=True), buffers)
        for record in records:
            self._queue(record)

    def _records(self, found, buffers):
        """The records of an eager launch's dispatches and of the sums it leaves."""
        scratch = found.scratch_bytes + found.partial_bytes
        at = self._scratch_for(scratch) if scratch else 0

        def place(base):
            if isinstance(base, int):
                return buffers[base]
            if base == "scratch":
                return at, 0
            if base == "partials":
                return at, found.scratch_bytes
            return self.place(base)

        records = [self.binder.record(dispatch, place) for dispatch in found.dispatches]
        if found.deferred:
            records += [self.binder.record(dispatch, where) for dispatch, where in self.sums([(d, place) for d in found.deferred])]
        return records

    def copy(self, to, source, nbytes):
        self.gpu.copy(to, source, nbytes)

    def _queue(self, record):
        self._words[: len(record)] = memoryview(struct.pack("<%dI" % len(record), *record)).cast("I")
        if self._launch(len(record)) and self.gpu.canWait:  # many are waiting: let them run
            self._drain()

    def _drain(self):
        while not self.gpu.flush():
            self._wait(self.gpu.unblocked())

    def sums(self, waiting):
        """[(dispatch, place)] that add up deferred partial sums: one for each pair of memory that they lie in."""
        groups = {}
        for d, place in waiting:
            out, out_at = place(d.out.base)
            part, part_at = place(d.part.base)
            groups.setdefault((out, part), []).append(Deferred(out_at + d.out.offset, part_at + d.part.offset, d.splits, d.n, d.accumulate))
        from .kernels import segments

        return [segments.dispatches(self, out, part, entries) for (out, part), entries in groups.items()]

    def load(self, launches, arena_bytes):
        return GpuProgram(
            self, [(k, [None if b is None else tuple(b) for b in buffers], tuple(p)) for k, buffers, p in launches], arena_bytes
        )

    def make_program(self, records, count):
        return self.gpu.program(records, count)

    def submit(self, number):
        """Replays a bridge program, waiting while two steps are in flight or pipelines are being made."""
        while self._blocked():
            self.check()
            self._wait(self.gpu.unblocked())
        self.gpu.run(number)

    def measure(self, records, repeats):
        """Seconds of one dispatch of each record, from runs of `repeats` of it between two timestamps."""
        number = self.make_program(records, len(repeats))
        try:
            while self._blocked():
                self.check()
                self._wait(self.gpu.unblocked())
            times = self._wait(self.gpu.profile(number, repeats)).to_py()
        finally:
            self.gpu.freeProgram(number)
        return [time * 1e-9 / count for time, count in zip(times, repeats)]

    def synchronize(self):
        """Waits until the GPU has done everything that was asked of it."""
        self._drain()
        self._wait(self.gpu.idle())
        self.check()

    def profile(self, program, repeats=5):
        """[(launch index or None, label, seconds)] of each dispatch of a Program: medians of `repeats` runs, one timestamp pair each."""
        import statistics

        loaded = getattr(program, "_loaded", program)
        loaded.run()
        self.synchronize()
        rounds = [self._wait(self.gpu.profile(loaded.number)).to_py() for _ in range(repeats)]
        if not rounds[0]:
            raise RuntimeError("this GPU has no timestamps (the feature timestamp-query), so launches cannot be timed one by one")
        return [(index, label, statistics.median(r[i] for r in rounds) * 1e-9) for i, (index, label) in enumerate(loaded.labels)]




def _letter(kernel, spec, params):
    if spec.dtype != "*":
        return spec.dtype
    if kernel is contract.copy:
        code = params[0] if spec.name == "out" else params[1]
        return "fib"[code]
    return "f"  # 4 bytes either way


class _GpuReading(Reading):
    def __init__(self, device, number):
        self.device, self.number, self._bytes = device, number, None

    @property
    def ready(self):
        return self._bytes is not None or bool(self.device.gpu.laterReady(self.number))

    def bytes(self):
        if self._bytes is None:
            device = self.device
            words = device.gpu.laterTake(self.number) if self.ready else device._wait(device.gpu.laterWait(self.number))
            self._bytes = device._arrived(words)
        return self._bytes


def make():
    return WebGpuDevice()
