"""What `native` and `wasm` share: launches packed as 8-byte slots, Programs as one block of slots.

A subclass supplies the transport: `_alloc _free _in_use _run _replay _poke _peek _upload _download
_failed_at`, and `command`, a writable buffer whose head those calls read or write.
"""

from __future__ import annotations

import gc
import struct
import time
from typing import TYPE_CHECKING

from .. import kernels
from .base import SMALLER, Device, size_text, status_error
from .thread_choice import ThreadChoice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

    from ..kernels import Kernel
    from .base import Handle, Place


SMALL = 4096  # transfers up to this many bytes go through the command buffer
# a replay that takes longer is cut into parts of about this length, so that a Stop need not wait
# for all of it
PART_SECONDS = 0.06
LARGE = 1 << 24  # bytes: an allocation that may take more than the machine has
# From the first of these on a replay is not interrupted: weights change in complete steps.
UPDATES = ("adamw", "sgd", "adam")
BLOCK = 256  # allocations up to this many bytes are kept for reuse: a scalar costs no call of the extension
# of them are taken at once: one by one they would be between a model's parameters, and hold the
# pieces apart when those go
GROUP = 64


class CpuDevice(Device):
    """The transport-independent half. `_blocks`: addresses of all small blocks, `_idle_blocks`:
    those waiting for reuse.
    """

    arena = 0
    arena_bytes = 0
    arena_version = 0

    if TYPE_CHECKING:  # what a subclass supplies, as methods or as functions of its instance
        command: memoryview[int]

        def _alloc(self, nbytes: int, /) -> int: ...
        def _free(self, address: int, /) -> None: ...
        def _in_use(self) -> int: ...
        def _run(self, nbytes: int, /) -> int: ...
        def _replay(self, address: int, slots: int, /) -> int: ...
        def _poke(self, address: int, nbytes: int, /) -> None: ...
        def _peek(self, address: int, nbytes: int, /) -> None: ...
        def _upload(self, address: int, data: bytes | memoryview[int], /) -> None: ...
        def _download(self, address: int, nbytes: int, /) -> bytes: ...
        def _failed_at(self) -> int: ...
        def use_threads(self, n: int) -> int: ...

    def __init__(self) -> None:
        self._blocks: set[int] = set()
        self._idle_blocks: list[int] = []

    def start_threads(self, most: int, given: int | None) -> None:
        """Called once; see ThreadChoice."""
        self._choice = ThreadChoice(self, most, given)
        self._choice.name(None)

    @property
    def named_threads(self) -> int | None:  # type: ignore[override]
        return self._choice.named

    def set_threads(self, n: int | None) -> int:
        return self._choice.name(n)

    def look_at_threads(self, now: float, step_seconds: float) -> float:
        return self._choice.look(now, step_seconds)

    def alloc(self, nbytes: int, dtype: str = "float32") -> Handle:
        if nbytes <= BLOCK:
            if not self._idle_blocks:
                self._take_blocks()
            return self._idle_blocks.pop()
        return self._taken(nbytes)

    def _taken(self, nbytes: int) -> int:
        address = (self._fits(nbytes) and self._alloc(nbytes)) or self._alloc_at_last(nbytes)
        if not address:
            most = "" if self.capacity is None else " of the %s that it holds at most" % size_text(self.capacity)
            raise MemoryError(
                "out of memory: %s more would not fit beside the %s in use on %s%s; %s"
                % (size_text(nbytes), size_text(self.in_use()), self.name, most, SMALLER)
            )
        return address

    def _fits(self, nbytes: int) -> bool:
        """Whether it is within the capacity: an operating system gives more memory than there is,
        and ends the process that uses it.
        """
        return nbytes < LARGE or self.capacity is None or self.in_use() + nbytes <= self.capacity

    def _take_blocks(self) -> None:
        taken = [self._taken(BLOCK) for _ in range(GROUP)]
        self._blocks.update(taken)
        self._idle_blocks += taken[::-1]

    def _alloc_at_last(self, nbytes: int) -> int:
        """A second try where the first found no memory: without what Python has not collected yet,
        and then without the arena, which the next replay makes again.
        """
        if self.capacity is not None and nbytes > self.capacity:
            return 0
        gc.collect()
        address = self._alloc(nbytes) if self._fits(nbytes) else 0
        if not address and self.arena:
            self.release_arena()
            address = self._alloc(nbytes) if self._fits(nbytes) else 0
        return address

    def free(self, handle: Handle) -> None:
        if handle in self._blocks:
            self._idle_blocks.append(handle)
        else:
            self._free(handle)

    def in_use(self) -> int:
        """Bytes allocated and not freed; small blocks that wait for reuse do not count."""
        return self._in_use() - BLOCK * len(self._idle_blocks)

    def upload(self, handle: Handle, data: Buffer, offset: int = 0) -> None:
        if type(data) is not bytes:
            data = memoryview(data).cast("B")
        n = len(data)
        if n <= SMALL:
            self.command[:n] = data
            self._poke(handle + offset, n)
        else:
            self._upload(handle + offset, data)

    def download(self, handle: Handle, nbytes: int, offset: int = 0) -> bytes:
        if nbytes <= SMALL:
            self._peek(handle + offset, nbytes)
            return bytes(self.command[:nbytes])
        return self._download(handle + offset, nbytes)

    def copy(self, to: Handle, source: Handle, nbytes: int) -> None:
        if nbytes > SMALL:
            super().copy(to, source, nbytes)
        else:
            self._peek(source, nbytes)
            self._poke(to, nbytes)

    def launch(self, kernel: Kernel, buffers: Sequence[Place | None], params: Sequence[float]) -> None:
        addresses = [0 if b is None else b[0] + b[1] for b in buffers]
        kernel.pack.pack_into(self.command, 0, kernel.id, kernel.slots, *addresses, *params)
        status = self._run(kernel.slots * 8)
        if status:
            raise status_error(status, kernel.name)

    def launch_all(self, kernel: Kernel, launches: Sequence[tuple[Sequence[Place | None], Sequence[float]]]) -> None:
        size, command, pack, at = kernel.slots * 8, self.command, kernel.pack.pack_into, 0
        for buffers, params in launches:
            if at + size > COMMAND_BYTES:
                self._run_all(kernel, at)
                at = 0
            addresses = [0 if b is None else b[0] + b[1] for b in buffers]
            pack(command, at, kernel.id, kernel.slots, *addresses, *params)
            at += size
        self._run_all(kernel, at)

    def _run_all(self, kernel: Kernel, nbytes: int) -> None:
        status = self._run(nbytes)
        if status:
            raise status_error(status, kernel.name)

    def load(
        self, launches: Sequence[tuple[Kernel, Sequence[Place | None], Sequence[float]]], arena_bytes: int
    ) -> CpuProgram:
        return CpuProgram(self, launches, arena_bytes)

    def reserve_arena(self, nbytes: int) -> None:
        """Makes the shared arena at least `nbytes`; Programs encoded for the old place re-encode on
        their next run.
        """
        if nbytes > self.arena_bytes:
            self.release_arena()
            self.arena = self.alloc(nbytes)
            self.arena_bytes = nbytes

    def release_arena(self) -> None:
        """Gives the shared arena's memory back."""
        if self.arena:
            self.free(self.arena)
        self.arena = self.arena_bytes = 0
        self.arena_version += 1


class CpuProgram:
    """Launches encoded in device memory. `run()` is one call of the extension, or a few where a
    step takes long.
    """

    def __init__(
        self,
        device: CpuDevice,
        launches: Sequence[tuple[Kernel, Sequence[Place | None], Sequence[float]]],
        arena_bytes: int,
    ) -> None:
        self.device, self.launches, self.arena_bytes = device, launches, arena_bytes
        self.slots = sum(kernel.slots for kernel, _, _ in launches)
        self.address = 0
        self.version = -1
        self.parts: list[tuple[int, int, int]] | None = (
            None  # [(first launch, first slot, slots)], once the first run has been timed
        )
        device.reserve_arena(arena_bytes)

    def _encode(self) -> None:
        device = self.device
        device.reserve_arena(self.arena_bytes)
        code = bytearray(self.slots * 8)
        at = 0
        for kernel, buffers, params in self.launches:
            addresses = [0 if b is None else (device.arena if b[0] == "arena" else b[0]) + b[1] for b in buffers]
            kernel.pack.pack_into(code, at, kernel.id, kernel.slots, *addresses, *params)
            at += kernel.slots * 8
        if not self.address:
            self.address = device.alloc(len(code))
        device.upload(self.address, code)
        self.version = device.arena_version

    def run(self) -> None:
        device = self.device
        if self.version != device.arena_version:
            self._encode()
        if self.parts is None:
            start = time.perf_counter()
            self._replay(0, 0, self.slots)
            self.parts = self._cut(time.perf_counter() - start)
        elif len(self.parts) == 1:
            self._replay(0, 0, self.slots)
        else:
            for i, part in enumerate(self.parts):
                if i:
                    device.check_interrupt()
                self._replay(*part)

    def _replay(self, launch: int, slot: int, slots: int) -> None:
        status = self.device._replay(self.address + 8 * slot, slots)
        if status:
            raise status_error(status, self.launches[launch + self.device._failed_at()][0].name)

    def _cut(self, seconds: float) -> list[tuple[int, int, int]]:
        """Parts of equally many launches, about PART_SECONDS each; the last one holds everything
        from the first update of weights on.
        """
        names = [kernel.name for kernel, _, _ in self.launches]
        free = next((i for i, name in enumerate(names) if name in UPDATES), len(names))
        count = max(1, min(round(seconds / PART_SECONDS), free))
        cuts = [free * i // count for i in range(count)] + [len(names)]
        slots = [0]
        for kernel, _, _ in self.launches:
            slots.append(slots[-1] + kernel.slots)
        return [(a, slots[a], slots[b] - slots[a]) for a, b in zip(cuts, cuts[1:])]

    def release(self) -> None:
        if self.address:
            self.device.free(self.address)
            self.address = 0


COMMAND_BYTES = 65536
assert max(k.slots for k in kernels.KERNELS) * 8 <= COMMAND_BYTES and struct.calcsize("<q") == 8
