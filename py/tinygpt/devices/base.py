"""What a device is: memory by handle, one way to launch a kernel, one way to replay a Program.

A handle is whatever the device's `alloc` returns; the rest of the package only passes it back. A buffer argument of a
launch is `(handle, byte offset)` or None where it is absent.
"""

import struct

from .. import kernels

# What helps where memory does not suffice.
SMALLER = "use a smaller batch, context or model, or recompute activations (ModelConfig.recompute)"


class Device:
    """Base of all devices. Sizes and offsets are bytes unless said otherwise."""

    name = ""
    build = ""  # what the device line of the page says
    threads = 1
    capacity = None  # bytes that it can hold at most, where that is known
    largest = None  # bytes of one allocation at most, where that is less
    volatile = False  # True where the device may go away in the middle of a run (DeviceLost)
    waits = False  # True where a read has to wait for work that is under way: `read_later` then is the better read
    checks_overflow = False  # True where products may overflow (16-bit operands): optimizers then skip a step whose gradient is not finite

    def __repr__(self):
        return "device(type=%r)" % self.name

    def alloc(self, nbytes, dtype="float32"):
        """A handle to `nbytes` of uninitialised memory. MemoryError (a sentence) when there is none."""
        raise NotImplementedError

    def free(self, handle):
        raise NotImplementedError

    def in_use(self):
        """Bytes allocated and not freed."""
        raise NotImplementedError

    def reserve(self, nbytes):
        """Makes room for `nbytes` in all, at once, so that memory need not grow while training runs. MemoryError (a sentence)."""

    def close(self):
        """Gives back what the device holds of the machine, where that can be done."""

    def upload(self, handle, data, offset=0):
        """Copies `data` (bytes-like: little-endian float32, int32 or int8, as the handle's dtype) to the device."""
        raise NotImplementedError

    def put(self, words, handle, values):
        """As upload, of `values` that `words` (a Words) packs, to an allocation of its own size that is written again and again."""
        self.upload(handle, words.pack(*values))

    def download(self, handle, nbytes, offset=0):
        """The reverse: bytes, in the same representation."""
        raise NotImplementedError

    def scalar(self, kind, handle, offset=0):
        """The number of dtype `kind` that lies there."""
        return kind.unpack(self.download(handle, kind.itemsize, offset))[0]

    async def download_async(self, handle, nbytes, offset=0):
        """As download; where Python cannot wait for the device, this is the way to read."""
        return self.download(handle, nbytes, offset)

    def read_later(self, handle, nbytes, offset=0):
        """A Reading of what the memory holds now, in the order of launches; nothing waits until its bytes are asked for."""
        return Reading(self.download(handle, nbytes, offset))

    def copy(self, to, source, nbytes):
        """Copies the first `nbytes` (a multiple of 4) of one allocation to another, in the order of launches."""
        n = nbytes // 4
        self.launch(kernels.copy, ((to, 0), (source, 0)), (1, 1, 1, 1, 1, 1, 1, n, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1))

    def watch(self, handle):
        """Says that the float32 at `handle` is likely to be read after the next replays (a loss): a device may have it at hand then."""

    def launch(self, kernel, buffers, params):
        """Runs one kernel of the contract now."""
        raise NotImplementedError

    def load(self, launches, arena_bytes):
        """Prepares a list of (kernel, buffers, params) for replay; returns a replayable object with `.run()` and `.release()`.

        A buffer is (handle, byte offset), None, or ("arena", byte offset): a place in one arena of `arena_bytes` that the
        device shares between all Programs (its contents do not survive from one replay to the next).
        """
        raise NotImplementedError

    def check_interrupt(self):
        """Raises KeyboardInterrupt where a Stop is waiting and the interpreter would not look by itself."""

    def set_threads(self, n):
        """Uses n threads from now on where the device has threads; returns the number in use."""
        return self.threads


class Words:
    """A struct format of 4- and 8-byte values, for Device.put. size: of what it packs, in 4-byte words."""

    def __init__(self, format):
        packed = struct.Struct("<" + format)
        self.pack, self.size = packed.pack, packed.size >> 2
        queued = struct.Struct("<qqi%sq" % format)  # to, from, size, and where the next entry's `to` will be: see devices/wasm.py
        self.queue, self.queue_bytes = queued.pack_into, queued.size


class Reading:
    """Bytes on their way from a device. ready: `bytes()` will not wait."""

    ready = True

    def __init__(self, data):
        self._data = data

    def bytes(self):
        return self._data


class DeviceLost(RuntimeError):
    """The device is gone (a GPU reset, a driver update, a sleeping laptop): its memory with it. The sentence says what is known."""


class KernelError(RuntimeError):
    """A kernel refused its input on the device."""


def size_text(nbytes):
    """As in "1.20 GB", "268.7 MB", "12 kB": powers of 1000, as everywhere on the page (`bytes` of app/words.js)."""
    if nbytes >= 1e9:
        return "%.2f GB" % (nbytes / 1e9)
    return "%.1f MB" % (nbytes / 1e6) if nbytes >= 1e6 else "%.0f kB" % (nbytes / 1e3)


def status_error(status, kernel):
    """The exception for a non-zero status of the CPU extension (wasm_ext/runtime.h)."""
    if status == 2:
        return IndexError("index out of range in %s: an index, target or position lies outside the table it points into" % kernel)
    if status == 3:
        return MemoryError("%s found no memory for its scratch space; use a smaller batch or model" % kernel)
    return KernelError("%s failed with status %d" % (kernel, status))
