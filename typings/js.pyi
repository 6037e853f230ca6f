# The worker's global scope: what this package uses of it.
from typing import Any

from pyodide.ffi import JsBuffer

class Uint8Array(JsBuffer):
    @staticmethod
    def new(length_or_buffer: int | JsBuffer, /) -> Uint8Array: ...

class XMLHttpRequest:
    @staticmethod
    def new() -> XMLHttpRequest: ...

    responseType: str
    status: int
    response: Any  # an ArrayBuffer, where responseType says so
    def open(self, method: str, url: str, is_async: bool = ..., /) -> None: ...
    def setRequestHeader(self, name: str, value: str, /) -> None: ...
    def send(self, body: object = ..., /) -> None: ...
