"""A device that computes nothing and allocates nothing: it counts what a CPU device would hold.

The extension's transport is left out, so launches cost Python alone; allocation, small blocks, the arena and encoded Programs are
`CpuDevice`'s own code, and the counts are therefore its counts. Reads give zeros. `tinygpt.planning` runs a training step on it.
"""

from .cpu import COMMAND_BYTES, CpuDevice


class PlanningDevice(CpuDevice):
    """peak: the most bytes that were held at once since it was last set. largest: the largest single allocation in bytes."""

    name = "planning"
    build = "counts memory"

    def __init__(self):
        super().__init__()
        self.command = memoryview(bytearray(COMMAND_BYTES))
        self.held = self.peak = self.largest = 0
        self._sizes = {}  # address -> bytes
        self._next = 1

    def alloc(self, nbytes, dtype="float32"):
        address = super().alloc(nbytes, dtype)
        self.peak = max(self.peak, self.in_use())
        return address

    def launch(self, kernel, buffers, params):
        pass

    def _alloc(self, nbytes):
        address, self._next = self._next, self._next + 1
        self._sizes[address] = nbytes
        self.held += nbytes
        self.largest = max(self.largest, nbytes)
        return address

    def _free(self, address):
        self.held -= self._sizes.pop(address)

    def _in_use(self):
        return self.held

    def _replay(self, address, slots):
        return 0

    def _poke(self, address, nbytes):
        pass

    def _peek(self, address, nbytes):
        self.command[:nbytes] = bytes(nbytes)

    def _upload(self, address, data):
        pass

    def _download(self, address, nbytes):
        return bytes(nbytes)


def make():
    return PlanningDevice()
