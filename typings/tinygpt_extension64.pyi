# The extension with 64-bit addresses, loaded on first use: `openWide` of
# app/worker/python_start.js.
from pyodide.ffi import JsPromise
from tinygpt_extension import Extension

extension: Extension | None  # null until it is loaded
missing: str | None  # why it cannot be loaded

def open() -> JsPromise[None]: ...
def close() -> None: ...
