# Pyodide's proxies of JavaScript objects: what this package uses of them.
from collections.abc import Awaitable
from typing import Any, Generic, TypeVar

from typing_extensions import Buffer

T_co = TypeVar("T_co", covariant=True)

class JsProxy:
    def to_py(self) -> Any: ...

class JsBuffer(JsProxy):
    """An ArrayBuffer or a typed array."""

    length: int
    byteLength: int
    buffer: JsBuffer
    def to_bytes(self) -> bytes: ...
    def set(self, source: Buffer | JsBuffer, offset: int = ..., /) -> None: ...

class JsPromise(JsProxy, Awaitable[T_co], Generic[T_co]): ...

def can_run_sync() -> bool: ...
def run_sync(awaitable: Awaitable[T_co], /) -> T_co: ...
