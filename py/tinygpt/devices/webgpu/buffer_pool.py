"""The GPU's memory: buffers that are kept for reuse, the arena of all Programs, scratch memory.

Sizes are bytes. A handle is the number of a buffer; those of a GPU that was lost are never given
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import SMALLER, size_text
from .dispatch_plan import ALIGN

if TYPE_CHECKING:
    from .transfers import Transfers


POOL_BYTES = 256 << 20  # freed memory that is kept for reuse, at most
ANSWER_BYTES = 1 << 24  # from here on the answer to a request for memory is worth waiting for


def rounded(nbytes: int) -> int:
    """The size of an allocation: steps of an eighth of its power of two, so that freed memory fits
    again.
    """
    if nbytes <= ALIGN:
        return ALIGN
    step = max(ALIGN, 1 << max(0, (nbytes - 1).bit_length() - 3))
    return -(-nbytes // step) * step


class BufferPool:
    """The buffers of one opened GPU.

    largest: bytes of one buffer at most. arena_version: of the first arena.
    """

    def __init__(self, transfers: Transfers, largest: int, arena_version: int) -> None:
        self.transfers, self.gpu, self.largest = transfers, transfers.gpu, largest
        self.free_buffers: dict[int, list[int]] = {}  # size -> handles
        self.sizes: dict[int, int] = {}  # handle -> size
        self.in_use, self.pooled = 0, 0
        self.arena, self.arena_bytes, self.arena_version = 0, 0, arena_version
        self.scratch, self.scratch_bytes = 0, 0

    def new(self, size: int) -> int:
        """A buffer that no one else has had. MemoryError (a sentence)."""
        self.transfers.check()
        if size > self.largest:
            raise MemoryError(
                "a buffer of %s was requested, but this GPU allows at most %s; %s"
                % (size_text(size), size_text(self.largest), SMALLER)
            )
        handle = self.gpu.createBuffer(size)
        if size >= ANSWER_BYTES and self.gpu.canWait:
            problem = self.transfers.wait(self.gpu.memoryProblem())
            if problem:
                self.gpu.destroyBuffer(handle)
                raise MemoryError(
                    "out of GPU memory: %s more would not fit beside the %s in use; %s"
                    % (size_text(size), size_text(self.total_bytes()), SMALLER)
                )
        self.sizes[handle] = size
        return handle

    def alloc(self, nbytes: int) -> int:
        """A buffer of at least nbytes, its contents undefined."""
        size = rounded(nbytes)
        waiting = self.free_buffers.get(size)
        if waiting:
            handle = waiting.pop()
            self.pooled -= size
        else:
            try:
                handle = self.new(size)
            except MemoryError:
                if not self.pooled:
                    raise
                self.trim()
                handle = self.new(size)
        self.in_use += size
        return handle

    def free(self, handle: int) -> None:
        """Takes a buffer back, for reuse while POOL_BYTES allow it."""
        size = self.sizes.get(handle)
        if size is None:  # of a device that was lost
            return
        self.in_use -= size
        if self.pooled + size > POOL_BYTES:
            self._destroy(handle)
        else:
            self.free_buffers.setdefault(size, []).append(handle)
            self.pooled += size

    def _destroy(self, handle: int) -> None:
        del self.sizes[handle]
        self.gpu.destroyBuffer(handle)

    def total_bytes(self) -> int:
        """Bytes that the GPU holds: in use, kept for reuse, arena, scratch."""
        return sum(self.sizes.values())

    def trim(self) -> None:
        """Gives memory that is kept for reuse back to the GPU."""
        for handles in self.free_buffers.values():
            for handle in handles:
                self._destroy(handle)
        self.free_buffers.clear()
        self.pooled = 0

    def reserve_arena(self, nbytes: int) -> None:
        """Makes the arena that all Programs share at least `nbytes`; Programs encode again on their
        next run when it moved.
        """
        if nbytes > self.arena_bytes:
            if self.arena:
                self._destroy(self.arena)
                self.arena = self.arena_bytes = 0
            self.arena_version += 1
            self.arena = self.new(-(-nbytes // ALIGN) * ALIGN)
            self.arena_bytes = nbytes

    def reserve_scratch(self, nbytes: int) -> int:
        """The scratch buffer of eager launches, of at least `nbytes`."""
        if nbytes > self.scratch_bytes:
            if self.scratch:
                self._destroy(self.scratch)
            self.scratch_bytes = rounded(nbytes)
            self.scratch = self.new(self.scratch_bytes)
        return self.scratch
