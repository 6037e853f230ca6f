"""The C++ extension as WebAssembly, through `app/bridges/wasm.js`: what a tab trains on.

Small writes and copies wait in a queue that goes along with the next call, and one value comes back
with each replay: after a step of training nothing that a call needs is in a cache, so that each
kind of call costs more than all that Python does.

The host (the page's worker, or the Node test host) loads the extension and registers it with
Pyodide as the JavaScript module `tinygpt_extension` before this file is imported. Extension memory
is separate from Pyodide's; this side holds addresses only.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from .base import Words
from .cpu import BLOCK, COMMAND_BYTES, CpuDevice, size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinygpt_extension import Extension

    from .base import DtypeLike, Handle


# Behind the launches in the command buffer: the address of the watched number, and then the queue
# (app/bridges/wasm.js).
WATCHED, QUEUE, BUFFER_BYTES = COMMAND_BYTES, COMMAND_BYTES + 8, COMMAND_BYTES + 4096
COPY = Words("")
ADDRESS = struct.Struct("<q")


class WasmDevice(CpuDevice):
    """extension: what `loadExtension` of the bridge gave. capacity: 4 GiB, or 16 GiB where the
    build has 64-bit addresses.
    """

    name = "wasm"
    _at = QUEUE  # where the next entry of the queue goes
    _watched = 0
    _value = None  # the float32 at _watched, where that is known

    def __init__(self, extension: Extension) -> None:
        super().__init__()
        import pyodide_js  # only Pyodide has it

        self.extension = extension
        self.build = str(extension.build)
        self.capacity = int(extension.maxBytes)
        self._command = bytearray(BUFFER_BYTES)
        self.command = memoryview(self._command)
        extension.bindCommand(self._command)
        self._check_interrupt = pyodide_js.checkInterrupt
        # Bound once: looking a JavaScript attribute up costs more than the call.
        self._alloc, self._free_now, self._in_use, self._failed_at = (
            extension.alloc,
            extension.free,
            extension.inUse,
            extension.failedAt,
        )
        self._settle_now, self._replay_now = extension.settle, extension.replay
        self._run_now, self._poke_now, self._peek_now = extension.run, extension.poke, extension.peek
        self._take_blocks()
        self.start_threads(int(extension.maxThreads), int(extension.namedThreads) or None)
        self._choice.at_start()

    def check_interrupt(self) -> None:
        self._check_interrupt()

    def use_threads(self, n: int) -> int:
        return int(self.extension.setThreads(n))

    def memory_bytes(self) -> int:
        """Size of the extension's WebAssembly memory. It must not change while training runs."""
        return int(self.extension.memoryBytes())

    def reserve(self, nbytes: int) -> None:
        if not self.extension.reserve(nbytes):
            raise MemoryError(
                "this browser did not grant the page %s of memory for %s; "
                "close other tabs, or use a smaller batch, context or model" % (size_text(nbytes), self.name)
            )

    def put(self, words: Words, handle: Handle, values: Sequence[float]) -> None:
        at = self._at
        if at + words.queue_bytes > BUFFER_BYTES:
            super().put(words, handle, values)
            return
        try:
            words.queue(self._command, at, handle, 0, words.size, *values, 0)
        except BaseException:  # a value does not fit its format: the queue ends here again
            ADDRESS.pack_into(self._command, at, 0)
            raise
        self._at = at + words.queue_bytes - 8
        self._value = None

    def copy(self, to: Handle, source: Handle, nbytes: int) -> None:
        at = self._at
        if nbytes & 3 or nbytes > BLOCK or at + COPY.queue_bytes > BUFFER_BYTES:
            super().copy(to, source, nbytes)
            return
        COPY.queue(self._command, at, to, source, nbytes >> 2, 0)
        self._at = at + COPY.queue_bytes - 8
        self._value = None

    def watch(self, handle: Handle) -> None:
        if handle != self._watched:
            self._watched, self._value = handle, None
            ADDRESS.pack_into(self._command, WATCHED, handle)

    def scalar(self, kind: DtypeLike, handle: Handle, offset: int = 0) -> float:
        if self._value is not None and handle + offset == self._watched and kind.name == "float32":
            return self._value
        return super().scalar(kind, handle, offset)

    # ---- the transport: everything in the order of the requests ----

    def _settle(self) -> None:
        self._value = None
        if self._at != QUEUE:
            self._at = QUEUE
            self._settle_now()

    def _replay(self, address: int, slots: int) -> int:
        self._at = QUEUE
        value = self._replay_now(address, slots)
        if type(value) is float:
            self._value = value
            return 0
        # JavaScript's whole numbers arrive as int, and so without the sign of a zero.
        self._value = float(value) if value else None
        return self.extension.status if value is None else 0

    def _run(self, nbytes: int) -> int:
        self._settle()
        return self._run_now(nbytes)

    def _poke(self, address: int, nbytes: int) -> None:
        self._settle()
        self._poke_now(address, nbytes)

    def _peek(self, address: int, nbytes: int) -> None:
        self._settle()
        self._peek_now(address, nbytes)

    def _free(self, address: int) -> None:
        self._settle()  # before the memory is another's
        self._free_now(address)

    def _upload(self, address: int, data: bytes | memoryview[int]) -> None:
        self._settle()
        self.extension.upload(address, data)

    def _download(self, address: int, nbytes: int) -> bytes:
        self._settle()
        return self.extension.download(address, nbytes).to_bytes()


def make() -> WasmDevice:
    try:
        import tinygpt_extension as extension  # only a host that loads the extension has it
    except ImportError:
        raise RuntimeError(
            "the wasm device needs a host that loaded the extension: open the page, or use the Node test host"
        ) from None
    return WasmDevice(extension)
