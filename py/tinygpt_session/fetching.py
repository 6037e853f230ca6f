"""Files of the page's server, and of the page itself (blob:), read while Python waits: a worker
may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from js import XMLHttpRequest

if TYPE_CHECKING:
    from pyodide.ffi import JsBuffer


def fetch(url: str, span: tuple[int, int] | None = None) -> tuple[int, JsBuffer]:
    """(HTTP status, content as a JavaScript ArrayBuffer). span: the first and the last byte that
    are asked for. A JavaScript error where no answer comes.
    """
    request = XMLHttpRequest.new()
    request.open("GET", url, False)
    request.responseType = "arraybuffer"
    if span:
        request.setRequestHeader("Range", "bytes=%d-%d" % span)
    request.send()
    return request.status, request.response


def fetched(url: str) -> bytes:
    """The bytes behind an address of the page (a blob:). ValueError for another status than 200."""
    status, content = fetch(url)
    if status != 200:
        raise ValueError("the file could not be read (%d)" % status)
    return content.to_bytes()
