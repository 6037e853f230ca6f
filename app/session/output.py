"""sys.stdout and sys.stderr of the tab: every write goes to the page at once, also while Python never yields."""

import io
import sys

import tinygpt_host as host

STDOUT, STDERR, TRAINING, NOTICE, ANSWER = 1, 2, 3, 4, 5  # as in app/channel.js
_write = host.write


class Stream(io.TextIOBase):
    encoding, errors = "utf-8", "replace"

    def __init__(self, kind, name):
        self.kind, self.name = kind, name

    def write(self, text):
        if type(text) is not str:
            if not isinstance(text, str):
                raise TypeError("write() argument must be str, not %s" % type(text).__name__)
            text = str(text)
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()  # a lone surrogate cannot leave Python
        if text:
            _write(self.kind, text)
        return len(text)

    def flush(self):
        host.flush()

    def writable(self):
        return True

    def isatty(self):
        return False


def install():
    sys.stdout, sys.stderr = Stream(STDOUT, "<stdout>"), Stream(STDERR, "<stderr>")
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr


def notice(text):
    """A line of the page itself, e.g. what is being loaded."""
    _write(NOTICE, text)
