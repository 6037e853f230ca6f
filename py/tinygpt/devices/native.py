"""The C++ extension as a native shared library, through ctypes: the fast tests and the sanitizers run here.

The library is `wasm_ext/build/native/libtinygpt.so` in the checkout (`make native`), or the file that TINYGPT_NATIVE names.
TINYGPT_THREADS sets the number of threads (default: all cores).
"""

import ctypes
import os
import pathlib

from .cpu import COMMAND_BYTES, CpuDevice

UNASKED = 1 << 20  # bytes that are taken without a look at what is in use
LIBRARY = pathlib.Path(__file__).resolve().parents[3] / "wasm_ext" / "build" / "native" / "libtinygpt.so"


class NativeDevice(CpuDevice):
    name = "native"

    def __init__(self):
        super().__init__()
        path = os.environ.get("TINYGPT_NATIVE") or str(LIBRARY)
        try:
            lib = ctypes.CDLL(path)
        except OSError as error:
            raise RuntimeError("the native extension is not at %s; build it with `make native` (%s)" % (path, error)) from None
        size, address, i64 = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int64
        for name, result, arguments in (
            ("start", ctypes.c_int, [ctypes.c_int]),
            ("build", ctypes.c_char_p, []),
            ("alloc", address, [size]),
            ("free", None, [address]),
            ("in_use", i64, []),
            ("run", ctypes.c_int, [address, i64]),
            ("failed_at", i64, []),
        ):
            function = getattr(lib, "tg_" + name)
            function.restype, function.argtypes = result, arguments
        self.lib = lib
        self.build = lib.tg_build().decode()
        self._c_command = (ctypes.c_char * COMMAND_BYTES)()
        self._command_address = ctypes.addressof(self._c_command)
        self.command = memoryview(self._c_command).cast("B")
        self._free, self._failed_at = lib.tg_free, lib.tg_failed_at
        self.capacity = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self.set_threads(int(os.environ.get("TINYGPT_THREADS") or os.cpu_count() or 1))

    def set_threads(self, n):
        self.threads = self.lib.tg_start(n)
        return self.threads

    def _in_use(self):
        return self.lib.tg_in_use()

    def _alloc(self, nbytes):
        if nbytes > UNASKED and self._in_use() + nbytes > self.capacity:  # the system would promise more than the machine has
            return 0
        return self.lib.tg_alloc(nbytes) or 0

    def _run(self, nbytes):
        return self.lib.tg_run(self._command_address, nbytes // 8)

    def _replay(self, address, slots):
        return self.lib.tg_run(address, slots)

    def _poke(self, address, nbytes):
        ctypes.memmove(address, self._command_address, nbytes)

    def _peek(self, address, nbytes):
        ctypes.memmove(self._command_address, address, nbytes)

    def _upload(self, address, data):
        ctypes.memmove(address, bytes(data), len(data))

    def _download(self, address, nbytes):
        return ctypes.string_at(address, nbytes)


def make():
    return NativeDevice()
