"""The C++ extension as WebAssembly, through `app/bridges/wasm.js`: what a tab trains on.

The host (the page's worker, or the Node test host) loads the extension and registers it with Pyodide as the JavaScript module
`tinygpt_extension` before this file is imported. Extension memory is separate from Pyodide's; this side holds addresses only.
"""

from .cpu import COMMAND_BYTES, CpuDevice, size_text


class WasmDevice(CpuDevice):
    """extension: what `loadExtension` of the bridge gave. capacity: 4 GiB, or 16 GiB where the build has 64-bit addresses."""

    name = "wasm"

    def __init__(self, extension):
        super().__init__()
        import pyodide_js

        self.extension = extension
        self.build = str(extension.build)
        self.threads = int(extension.threads)
        self.capacity = int(extension.maxBytes)
        self._command = bytearray(COMMAND_BYTES)
        self.command = memoryview(self._command)
        extension.bindCommand(self._command)
        self._check_interrupt = pyodide_js.checkInterrupt
        # Bound once: looking a JavaScript attribute up costs more than the call.
        self._alloc, self._free, self._run, self._replay = extension.alloc, extension.free, extension.run, extension.replay
        self._poke, self._peek, self._failed_at, self._in_use = extension.poke, extension.peek, extension.failedAt, extension.inUse
        self._take_blocks()

    def check_interrupt(self):
        self._check_interrupt()

    def set_threads(self, n):
        self.threads = int(self.extension.setThreads(n))
        return self.threads

    def memory_bytes(self):
        """Size of the extension's WebAssembly memory. It must not change while training runs."""
        return int(self.extension.memoryBytes())

    def reserve(self, nbytes):
        if not self.extension.reserve(nbytes):
            raise MemoryError(
                "this browser gives the page no %s of memory for %s; close other tabs, or use a smaller batch, context or model"
                % (size_text(nbytes), self.name)
            )

    def _upload(self, address, data):
        self.extension.upload(address, data)

    def _download(self, address, nbytes):
        return self.extension.download(address, nbytes).to_bytes()


def make():
    try:
        import tinygpt_extension as extension
    except ImportError:
        raise RuntimeError("the wasm device needs a host that loaded the extension: open the page, or use the Node test host") from None
    return WasmDevice(extension)
