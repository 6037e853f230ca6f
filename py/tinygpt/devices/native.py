"""The C++ extension as a native shared library, through ctypes: the fast tests and the sanitizers
run here.

The library is the one of an installed package (setup.py), or that of the checkout (`make native`),
or the file that TINYGPT_NATIVE names. TINYGPT_THREADS sets the number of threads (default: the
process's cores, or fewer where that is faster: thread_choice.py).
"""

from __future__ import annotations

import ctypes
import os
import pathlib
from typing import TYPE_CHECKING

from ..core.eager import know
from .cpu import COMMAND_BYTES, CpuDevice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import DtypeLike, Words


NUMBERS = {  # by the name of a dtype
    "float32": ctypes.c_float, "int32": ctypes.c_int32, "bool": ctypes.c_int32, "int8": ctypes.c_int8,
    "float64": ctypes.c_double, "int64": ctypes.c_int64, "int16": ctypes.c_int16, "uint8": ctypes.c_uint8,
}  # fmt: skip
UNASKED = 1 << 20  # bytes that are taken without a look at what is in use
PACKAGE = pathlib.Path(__file__).resolve().parents[1]
PACKAGED = PACKAGE / "libtinygpt.so"
LIBRARY = PACKAGED if PACKAGED.is_file() else PACKAGE.parents[1] / "wasm_ext" / "build" / "native" / "libtinygpt.so"


class NativeDevice(CpuDevice):
    name = "native"

    def __init__(self) -> None:
        super().__init__()
        path = os.environ.get("TINYGPT_NATIVE") or str(LIBRARY)
        try:
            lib = ctypes.CDLL(path)
        except OSError as error:
            raise RuntimeError(
                "the native extension is not at %s; build it with `make native` (%s)" % (path, error)
            ) from None
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
        if type(self) is NativeDevice:
            functions = (lib.tg_alloc, lib.tg_free, lib.tg_run)
            know(device=self, library=tuple([ctypes.cast(f, address).value for f in functions]))
        self.build = lib.tg_build().decode()
        self._c_command = (ctypes.c_char * COMMAND_BYTES)()
        self._command_address = ctypes.addressof(self._c_command)
        self.command = memoryview(self._c_command).cast("B")
        self._free, self._failed_at = lib.tg_free, lib.tg_failed_at
        self.capacity = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self.start_threads(len(os.sched_getaffinity(0)), int(os.environ.get("TINYGPT_THREADS") or 0) or None)

    def use_threads(self, n: int) -> int:
        return self.lib.tg_start(n)

    def _in_use(self) -> int:
        return self.lib.tg_in_use()

    def _alloc(self, nbytes: int) -> int:
        if nbytes > UNASKED and self._in_use() + nbytes > (
            self.capacity or 0
        ):  # the system would promise more than the machine has
            return 0
        return self.lib.tg_alloc(nbytes) or 0

    def _run(self, nbytes: int) -> int:
        return self.lib.tg_run(self._command_address, nbytes // 8)

    def _replay(self, address: int, slots: int) -> int:
        return self.lib.tg_run(address, slots)

    def _poke(self, address: int, nbytes: int) -> None:
        ctypes.memmove(address, self._command_address, nbytes)

    def _peek(self, address: int, nbytes: int) -> None:
        ctypes.memmove(self._command_address, address, nbytes)

    def _upload(self, address: int, data: bytes | memoryview[int]) -> None:
        ctypes.memmove(address, bytes(data), len(data))

    def _download(self, address: int, nbytes: int) -> bytes:
        return ctypes.string_at(address, nbytes)

    # Once or twice in each replayed step: straight to the memory, past the command buffer.

    def put(self, words: Words, handle: int, values: Sequence[float]) -> None:
        data = words.pack(*values)  # whole before the memory changes: it raises for what is no number
        ctypes.memmove(handle, data, len(data))

    def scalar(self, kind: DtypeLike, handle: int, offset: int = 0) -> float:
        number = NUMBERS.get(kind.name)
        return number.from_address(handle + offset).value if number else super().scalar(kind, handle, offset)


def make() -> NativeDevice:
    return NativeDevice()
