from pathlib import Path
from typing import Literal

from .ffi import JsBuffer

def get_install_dir(target: Literal["site", "dynlib", "stdlib"] | None = ...) -> str: ...
def unpack_buffer(
    buffer: JsBuffer,
    *,
    filename: str = ...,
    format: str | None = ...,
    extract_dir: str | Path | None = ...,
    calculate_dynlibs: bool = ...,
    installer: str | None = ...,
    source: str | None = ...,
) -> list[str] | None: ...
