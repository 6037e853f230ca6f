"""A GPU for CPython: the native device with a queue's manners. Values arrive some polls later, and
it can be lost.

Every handle belongs to one life of the device. After a loss each call raises DeviceLost; after
`reopen` the old handles are dead, and using one of them is an AssertionError, so that a test
notices what was not brought back.
"""

import contextlib

import tinygpt
from tinygpt import devices
from tinygpt.devices.base import DeviceLost, Reading
from tinygpt.devices.native import NativeDevice


class LateReading(Reading):
    """Ready at the third look (the device's `looks`), or when somebody waits."""

    def __init__(self, device, data):
        super().__init__(data)
        self.device, self.looks = device, 0

    @property
    def ready(self):
        self.looks += 1
        return self.looks >= self.device.looks

    def bytes(self):
        self.device.waited += self.looks < self.device.looks
        self.device.check()
        self.looks = self.device.looks
        return self._data


class FakeGpu(NativeDevice):
    """lose_at: numbers of replays (counted from 1, over all lives) that find the device gone;
    comes_back: whether reopen works.
    """

    name = "fake"
    volatile = waits = True
    precision = "f32"

    def __init__(self):
        super().__init__()
        self.build = "Fake GPU"
        self.threads = 1
        self.alive, self.dead = set(), set()
        self.lost = False
        self.lose_at, self.comes_back = (), True
        self.looks = 3
        self.replays = self.waited = self.reopened = 0

    def configure(self, precision):
        if precision not in ("f32", "f16"):
            raise ValueError("this GPU does not offer %r" % precision)
        self.precision = precision

    def check(self):
        if self.lost:
            raise DeviceLost("the GPU was lost (a test)")

    def reopen(self):
        if not self.comes_back:
            raise RuntimeError("no adapter")
        self.lost = False
        self.reopened += 1
        self.dead |= self.alive
        self.alive = set()
        self._blocks, self._idle_blocks = set(), []
        self.arena = self.arena_bytes = 0
        self.arena_version += 1

    def _alloc(self, nbytes):
        self.check()
        address = super()._alloc(nbytes)
        self.alive.add(address)
        self.dead.discard(address)
        return address

    def free(self, handle):
        if handle in self.alive:  # what an earlier life left behind stays: its addresses must not come again
            super().free(handle)
            if handle not in self._blocks:
                self.alive.discard(handle)

    def _known(self, handle):
        self.check()
        assert handle in self.alive, "a handle of a device that is gone"

    def upload(self, handle, data, offset=0):
        self._known(handle)
        super().upload(handle, data, offset)

    def download(self, handle, nbytes, offset=0):
        self._known(handle)
        return super().download(handle, nbytes, offset)

    def put(self, words, handle, values):
        self._known(handle)
        super().put(words, handle, values)

    def scalar(self, kind, handle, offset=0):
        self._known(handle)
        return super().scalar(kind, handle, offset)

    def read_later(self, handle, nbytes, offset=0):
        return LateReading(self, self.download(handle, nbytes, offset))

    def launch(self, kernel, buffers, params):
        for b in buffers:
            if b is not None:
                self._known(b[0])
        super().launch(kernel, buffers, params)

    def load(self, launches, arena_bytes):
        self.check()
        return super().load(launches, arena_bytes)

    def _replay(self, address, slots):
        self.replays += 1
        if self.replays in self.lose_at:
            self.lost = True
        self.check()
        return super()._replay(address, slots)


@contextlib.contextmanager
def fake_gpu():
    """The current device, for a while, is a new FakeGpu."""
    before = tinygpt.get_device()
    device = devices._made["fake"] = FakeGpu()
    tinygpt.set_device("fake")
    try:
        yield device
    finally:
        tinygpt.set_device(before.name)
        del devices._made["fake"]
        tinygpt.core.generator.forget(device)
