"""A device that computes nothing and allocates nothing: it counts what a CPU device would hold.

The extension's transport is left out, so launches cost Python alone; allocation, small blocks, the
arena and encoded Programs are `CpuDevice`'s own code, and the counts are therefore its counts.
Reads give zeros. `tinygpt.training.memory_estimate` runs a training step on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cpu import COMMAND_BYTES, CpuDevice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..kernels import Kernel
    from .base import Handle, Place


class PlanningDevice(CpuDevice):
    """peak: the most bytes that were held at once since it was last set. largest: the largest
    single allocation in bytes.
    """

    name = "planning"
    build = "counts memory"

    def __init__(self) -> None:
        super().__init__()
        self.command = memoryview(bytearray(COMMAND_BYTES))
        self.held, self.peak, self.largest = 0, 0, 0
        self._sizes: dict[int, int] = {}  # address -> bytes
        self._next = 1

    def alloc(self, nbytes: int, dtype: str = "float32") -> Handle:
        address = super().alloc(nbytes, dtype)
        self.peak = max(self.peak, self.in_use())
        return address

    def launch(self, kernel: Kernel, buffers: Sequence[Place | None], params: Sequence[float]) -> None:
        pass

    def _alloc(self, nbytes: int) -> int:
        address, self._next = self._next, self._next + 1
        self._sizes[address] = nbytes
        self.held += nbytes
        self.largest = max(self.largest or 0, nbytes)
        return address

    def _free(self, address: int) -> None:
        self.held -= self._sizes.pop(address)

    def _in_use(self) -> int:
        return self.held

    def _replay(self, address: int, slots: int) -> int:
        return 0

    def _poke(self, address: int, nbytes: int) -> None:
        pass

    def _peek(self, address: int, nbytes: int) -> None:
        self.command[:nbytes] = bytes(nbytes)

    def _upload(self, address: int, data: bytes | memoryview[int]) -> None:
        pass

    def _download(self, address: int, nbytes: int) -> bytes:
        return bytes(nbytes)


def make() -> PlanningDevice:
    return PlanningDevice()
