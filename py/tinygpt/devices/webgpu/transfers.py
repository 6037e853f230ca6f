"""Bytes between Python and the GPU, and waiting for it.

In: the bridge (app/bridges/webgpu.js). What a read gives has the error word in front: it is checked
here. Reading waits for the GPU through JSPI (`run_sync`); where a browser lacks it, `await` does.
"""

from __future__ import annotations

import array
import struct
from typing import TYPE_CHECKING, TypeVar

from ... import kernels
from ..base import DeviceLost, Reading, status_error

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from pyodide.ffi import JsBuffer
    from tinygpt_gpu import Gpu
    from typing_extensions import Buffer

    T = TypeVar("T")


LEAST, LARGEST = -(1 << 31), (1 << 31) - 1  # of int32
OVERFLOW = 1 << 16  # this bit of the error word: an int64 left 32 bits in the kernel


def words_around(nbytes: int, offset: int) -> tuple[int, int]:
    """(first, last) byte of the whole words that hold nbytes from offset on."""
    return offset // 4 * 4, -(-(offset + nbytes) // 4) * 4


def narrowed(data: Buffer) -> array.array[int]:
    """int64 as the int32 that the GPU holds. RuntimeError for a number that it does not."""
    wide = array.array("q", bytes(data))
    try:
        return array.array("i", wide)
    except OverflowError:
        value = next(value for value in wide if not LEAST <= value <= LARGEST)
        raise RuntimeError(
            "int64 is held in 32 bits on WebGPU, which %d does not fit; keep the tensor on the CPU" % value
        ) from None


def widened(data: bytes) -> bytes:
    """The reverse: int64 again."""
    return array.array("q", array.array("i", data)).tobytes()


class Transfers:
    """Uploads and downloads of one opened GPU. A handle is the number of a buffer."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.flag = 0  # the buffer of the error word, once there is one

    def check(self) -> None:
        """Raises DeviceLost when the GPU is gone."""
        lost = self.gpu.lost
        if lost:
            raise DeviceLost("the GPU was lost (%s)" % lost)

    def wait(self, promise: Awaitable[T]) -> T:
        """The promise's value; Python waits, a Stop ends the wait."""
        if not self.gpu.canWait:
            raise RuntimeError(
                "this browser cannot wait for the GPU inside Python code (it has no JSPI): "
                "write `await x.item_async()` instead of `x.item()`, or use the CPU"
            )
        from pyodide.ffi import run_sync  # only Pyodide has it

        # The page's own run_sync makes a task of what it waits for, a millisecond or more; the
        # bridge ends its waits by itself.
        value = getattr(run_sync, "direct", run_sync)(promise)
        if self.gpu.takeStop():
            raise KeyboardInterrupt
        return value

    def write(self, handle: int, offset: int, data: Buffer) -> None:
        """Complete words to a multiple of 4 bytes."""
        self.gpu.upload(handle, offset, data)

    def upload(self, handle: int, data: Buffer, offset: int = 0) -> None:
        """Bytes to any offset."""
        data = memoryview(data).cast("B")
        n = len(data)
        if not n:
            return
        if offset % 4 or n % 4:  # int8 at the edge of a word
            first, last = words_around(n, offset)
            words = bytearray(self.download(handle, last - first, first))
            words[offset - first : offset - first + n] = data
            offset, data = first, words
        self.write(handle, offset, data)

    def download(self, handle: int, nbytes: int, offset: int = 0) -> bytes:
        """Bytes from any offset, waited for."""
        if not nbytes:
            return b""
        first, last = words_around(nbytes, offset)
        data = self.arrived(self.wait(self.gpu.download(handle, first, last - first)))
        return data[offset - first : offset - first + nbytes]

    async def download_async(self, handle: int, nbytes: int, offset: int = 0) -> bytes:
        """As download, awaited: for browsers in which Python cannot wait."""
        first, last = words_around(nbytes, offset)
        words = await self.gpu.download(handle, first, last - first)
        if self.gpu.takeStop():
            raise KeyboardInterrupt
        data = self.arrived(words)
        return data[offset - first : offset - first + nbytes]

    def read_later(self, handle: int, nbytes: int, offset: int = 0) -> Reading:
        """A Reading of what the memory holds now; the copy travels with the next submit."""
        return _GpuReading(self, self.gpu.later(handle, offset, nbytes))

    def arrived(self, words: JsBuffer | None) -> bytes:
        """The bytes behind the error word; raises what a kernel reported."""
        if not words:
            self.check()
            raise RuntimeError("the GPU did not answer: %s" % (self.gpu.problem or "no reason was given"))
        data = words.to_bytes()
        (flag,) = struct.unpack_from("<I", data)
        problem = self.gpu.problem
        if flag:
            self.write(self.flag, 0, bytes(4))
            name = kernels.KERNELS[flag % OVERFLOW - 1].name
            if flag & OVERFLOW:
                raise RuntimeError(
                    "an int64 left 32 bits in %s, which is all that WebGPU holds of it; compute on the CPU" % name
                )
            raise status_error(2, name)
        if problem:
            self.gpu.problem = ""
            raise (
                MemoryError("out of GPU memory: " + problem)
                if "memory" in problem.lower()
                else RuntimeError("WebGPU refused a command: " + problem)
            )
        return data[4:]


class _GpuReading(Reading):
    def __init__(self, transfers: Transfers, number: int) -> None:
        self.transfers, self.number = transfers, number
        self._bytes: bytes | None = None

    @property
    def ready(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._bytes is not None or bool(self.transfers.gpu.laterReady(self.number))

    def bytes(self) -> bytes:
        if self._bytes is None:
            transfers, gpu = self.transfers, self.transfers.gpu
            words = gpu.laterTake(self.number) if self.ready else transfers.wait(gpu.laterWait(self.number))
            self._bytes = transfers.arrived(words)
        return self._bytes


class WidenedReading(Reading):
    """A Reading of int64, which the GPU holds as int32."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    @property
    def ready(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._reading.ready

    def bytes(self) -> bytes:
        return widened(self._reading.bytes())
