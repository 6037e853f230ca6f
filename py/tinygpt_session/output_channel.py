"""sys.stdout and sys.stderr of the tab: every write goes to the page at once, also while Python
never yields.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import tinygpt_host as host

if TYPE_CHECKING:
    from collections.abc import Callable

STDOUT, STDERR, TRAINING, NOTICE, ANSWER, DISPLAY = 1, 2, 3, 4, 5, 7  # as in app/worker/channel.js
PIECE = 1 << 20  # characters that go out at once: a longer text is not held twice, and a Stop ends it between two
MOST_SHOWN = 100_000  # characters of a value or an error, as of the console (app/shell/console.js)
_write = host.write
listener: Callable[[str], None] | None = None  # hears what is printed


class Stream(io.TextIOBase):
    """sys.stdout or sys.stderr: text becomes records of one kind."""

    encoding, errors = "utf-8", "replace"

    def __init__(self, kind: int, name: str) -> None:
        self.kind, self.name = kind, name

    def write(self, text: str) -> int:
        if type(text) is not str:
            if not isinstance(text, str):
                raise TypeError("write() argument must be str, not %s" % type(text).__name__)
            text = str(text)
        if len(text) > PIECE:
            for at in range(0, len(text), PIECE):
                self.write(text[at : at + PIECE])
            return len(text)
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()  # a lone surrogate cannot leave Python
        if text:
            _write(self.kind, text)
            if self.kind == STDOUT and listener is not None:
                listener(text)
        return len(text)

    def flush(self) -> None:
        host.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False


def shown(text: str) -> str:
    """A text for the console: its beginning and its end where it is longer than the console."""
    left = len(text) - MOST_SHOWN
    if left <= 0:
        return text
    half = MOST_SHOWN // 2
    return "%s\n... %s characters are left out ...\n%s" % (text[:half], format(left, ","), text[-half:])


def show(record: str) -> None:
    """JSON of protocol.DisplayRecord: HTML or a picture among what is printed."""
    _write(DISPLAY, record)


def install() -> None:
    """Python's streams write to the page from now on."""
    sys.stdout, sys.stderr = Stream(STDOUT, "<stdout>"), Stream(STDERR, "<stderr>")
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr


def notice(text: str) -> None:
    """A line of the page itself, e.g. what is being loaded."""
    _write(NOTICE, text)
