# The C++ extension, loaded: an object of `class Extension` in app/bridges/wasm.js is this module.
# Addresses and sizes are in bytes.
from typing import Protocol

from pyodide.ffi import JsBuffer
from typing_extensions import Buffer

class Extension(Protocol):
    build: str
    threads: int
    maxThreads: int
    namedThreads: int  # what loadExtension was told; 0: nobody named a number
    maxBytes: int
    status: int  # of the last replay, a Status of runtime.h
    def alloc(self, nbytes: int, /) -> int: ...
    def bindCommand(self, bytearray: bytearray, /) -> None: ...
    def close(self) -> None: ...
    def download(self, address: int, nbytes: int, /) -> JsBuffer: ...
    def failedAt(self) -> int: ...
    def free(self, address: int, /) -> None: ...
    def inUse(self) -> int: ...
    def memoryBytes(self) -> int: ...
    def peek(self, address: int, nbytes: int, /) -> None: ...
    def poke(self, address: int, nbytes: int, /) -> None: ...
    def replay(self, address: int, slots: int, /) -> float | None: ...
    def reserve(self, nbytes: int, /) -> bool: ...
    def run(self, nbytes: int, /) -> int: ...
    def setThreads(self, n: int, /) -> int: ...
    def settle(self) -> None: ...
    def upload(self, address: int, data: Buffer, /) -> None: ...

_extension: Extension

build = _extension.build
threads = _extension.threads
maxThreads = _extension.maxThreads
namedThreads = _extension.namedThreads
maxBytes = _extension.maxBytes
status = _extension.status
alloc = _extension.alloc
bindCommand = _extension.bindCommand
close = _extension.close
download = _extension.download
failedAt = _extension.failedAt
free = _extension.free
inUse = _extension.inUse
memoryBytes = _extension.memoryBytes
peek = _extension.peek
poke = _extension.poke
replay = _extension.replay
reserve = _extension.reserve
run = _extension.run
setThreads = _extension.setThreads
settle = _extension.settle
upload = _extension.upload
