"""What a device is: memory by handle, one way to launch a kernel, one way to replay a Program.

A handle is whatever the device's `alloc` returns; the rest of the package only passes it back. A
buffer argument of a launch is `(handle, byte offset)` or None where it is absent.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from .. import kernels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from typing_extensions import Buffer

    from ..kernels import Kernel

    Handle = Any  # what `alloc` gave
    Place = tuple[Any, int]  # handle, byte offset

    class Loaded(Protocol):
        """A Program on a device."""

        def run(self) -> None: ...
        def release(self) -> None: ...

    class DtypeLike(Protocol):
        """core/tensor.py's dtype."""

        @property
        def itemsize(self) -> int: ...
        @property
        def name(self) -> str: ...
        @property
        def is_floating_point(self) -> bool: ...
        def unpack(self, data: bytes, /) -> tuple[Any, ...]: ...


# What helps where memory does not suffice.
SMALLER = "use a smaller batch, context or model, or recompute activations (ModelConfig.recompute)"


# Former names of precisions, in addresses, saved runs and command lines.
PRECISION_ALIASES = {"matrix": "f16_matrix"}


def precision_name(name: str) -> str:
    """The precision's name, also where `name` is a former one."""
    return PRECISION_ALIASES.get(name, name)


class Device:
    """Base of all devices. Sizes and offsets are bytes unless said otherwise."""

    name = ""
    build = ""  # what the device line of the page says
    threads = 1
    named_threads: int | None = None  # what set_threads was given last
    capacity: int | None = None  # bytes that it can hold at most, where that is known
    largest: int | None = None  # bytes of one allocation at most, where that is less
    volatile = False  # True where the device may go away in the middle of a run (DeviceLost)
    waits = False  # True where a read has to wait for work that is under way: `read_later` then is the better read
    # The kind of memory that the device holds in half the bytes that sizes and offsets count (int64
    # as int32). A recorded launch has the offsets of the halves.
    halved: str | None = None
    # True where products may overflow (16-bit operands): optimizers then skip a step whose gradient
    # is not finite
    checks_overflow = False

    def __repr__(self) -> str:
        return "device(type=%r)" % self.name

    def alloc(self, nbytes: int, dtype: str = "float32") -> Handle:
        """A handle to `nbytes` of uninitialised memory. MemoryError (a sentence) when there is
        none.
        """
        raise NotImplementedError

    def free(self, handle: Handle) -> None:
        raise NotImplementedError

    def in_use(self) -> int:
        """Bytes allocated and not freed."""
        raise NotImplementedError

    def reserve(self, nbytes: int) -> None:
        """Reserves `nbytes` in all, at once, so that memory need not grow while training runs.
        MemoryError (a sentence).
        """

    def available(self, nbytes: int) -> int:
        """How many of `nbytes` it could hold beside what it holds, as far as that can be tried."""
        return nbytes

    def close(self) -> None:
        """Gives back what the device holds of the machine, where that can be done."""

    def upload(self, handle: Handle, data: Buffer, offset: int = 0) -> None:
        """Copies `data` (bytes-like: little-endian float32, int32 or int8, as the handle's dtype)
        to the device.
        """
        raise NotImplementedError

    def put(self, words: Words, handle: Handle, values: Sequence[float]) -> None:
        """As upload, of `values` that `words` (a Words) packs, to an allocation of its own size
        that is written again and again.
        """
        self.upload(handle, words.pack(*values))

    def download(self, handle: Handle, nbytes: int, offset: int = 0) -> bytes:
        """The reverse: bytes, in the same representation."""
        raise NotImplementedError

    def scalar(self, kind: DtypeLike, handle: Handle, offset: int = 0) -> float:
        """The number of dtype `kind` that is there."""
        return kind.unpack(self.download(handle, kind.itemsize, offset))[0]

    async def download_async(self, handle: Handle, nbytes: int, offset: int = 0) -> bytes:
        """As download; where Python cannot wait for the device, this is the way to read."""
        return self.download(handle, nbytes, offset)

    def read_later(self, handle: Handle, nbytes: int, offset: int = 0) -> Reading:
        """A Reading of what the memory holds now, in the order of launches; nothing waits until its
        bytes are requested.
        """
        return Reading(self.download(handle, nbytes, offset))

    def copy(self, to: Handle, source: Handle, nbytes: int) -> None:
        """Copies the first `nbytes` (a multiple of 4) of one allocation to another, in the order of
        launches.
        """
        params = kernels.dense_copy_params(kernels.DTYPES["int32"], nbytes // 4)
        self.launch(kernels.copy, ((to, 0), (source, 0)), params)

    def watch(self, handle: Handle) -> None:
        """Says that the float32 at `handle` is likely to be read after the next replays (a loss): a
        device may have it at hand then.
        """

    def launch(self, kernel: Kernel, buffers: Sequence[Place | None], params: Sequence[float]) -> None:
        """Runs one kernel of the contract now."""
        raise NotImplementedError

    def launch_all(self, kernel: Kernel, launches: Sequence[tuple[Sequence[Place | None], Sequence[float]]]) -> None:
        """Runs one kernel of the contract for each (buffers, params), in order."""
        for buffers, params in launches:
            self.launch(kernel, buffers, params)

    def load(
        self, launches: Sequence[tuple[Kernel, Sequence[Place | None], Sequence[float]]], arena_bytes: int
    ) -> Loaded:
        """Prepares a list of (kernel, buffers, params) for replay; returns a replayable object with
        `.run()` and `.release()`.

        A buffer is (handle, byte offset), None, or ("arena", byte offset): a place in one arena of
        `arena_bytes` that the device shares between all Programs (its contents do not survive from
        one replay to the next).
        """
        raise NotImplementedError

    @staticmethod
    def record_again() -> None:
        """A device calls it when what was recorded for it no longer holds (other arithmetic, a GPU
        opened anew). program.py puts in its place what invalidates the recordings.
        """

    def check_interrupt(self) -> None:
        """Raises KeyboardInterrupt where a Stop is waiting and the interpreter would not look by
        itself.
        """

    def set_threads(self, n: int | None) -> int:
        """Uses n threads from now on where the device has threads; None: as many as are fastest.
        Returns the number in use.
        """
        return self.threads

    def look_at_threads(self, now: float, step_seconds: float) -> float:
        """After a step of training that took so long: the device may change its number of threads
        where nobody named one (thread_choice.py). Returns when to call it again.
        """
        return math.inf


class Words:
    """A struct format of 4- and 8-byte values, for Device.put. size: of what it packs, in 4-byte
    words.
    """

    def __init__(self, format: str) -> None:
        packed = struct.Struct("<" + format)
        self.pack, self.size = packed.pack, packed.size >> 2
        queued = struct.Struct(
            "<qqi%sq" % format
        )  # to, from, size, and where the next entry's `to` will be: see devices/wasm.py
        self.queue, self.queue_bytes = queued.pack_into, queued.size


class Reading:
    """Bytes on their way from a device. ready: `bytes()` will not wait."""

    ready = True

    def __init__(self, data: bytes) -> None:
        self._data = data

    def bytes(self) -> bytes:
        return self._data


class DeviceLost(RuntimeError):
    """The device is gone (a GPU reset, a driver update, a sleeping laptop): its memory with it. The
    sentence says what is known.
    """


class KernelError(RuntimeError):
    """A kernel refused its input on the device."""


def size_text(nbytes: float) -> str:
    """As in "1.20 GB", "268.7 MB", "12 kB": powers of 1000, as everywhere on the page (`bytes` of
    app/ui/format.js).
    """
    if nbytes >= 1e9:
        return "%.2f GB" % (nbytes / 1e9)
    return "%.1f MB" % (nbytes / 1e6) if nbytes >= 1e6 else "%.0f kB" % (nbytes / 1e3)


def status_error(status: int, kernel: str) -> Exception:
    """The exception for a non-zero status of the CPU extension (wasm_ext/runtime.h)."""
    if status == 2:
        return IndexError(
            "index out of range in %s: an index, target or position lies outside the table it points into" % kernel
        )
    if status == 3:
        return MemoryError("%s found no memory for its scratch space; use a smaller batch or model" % kernel)
    return KernelError("%s failed with status %d" % (kernel, status))
