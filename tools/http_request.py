"""What the server accepts of an HTTP request: the names by which it may be called, the path that a
request target names, the bytes that a range names.

A refusal is `Refused(status, sentence)`. Whoever calls this never sees another exception.
"""

import re
import urllib.parse

LONGEST = 4096  # characters of a request target: the page's longest path has 60
# The loopback's names. A page elsewhere whose name resolves to 127.0.0.1 sends its own name.
OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
LOOPBACK = re.compile(
    r"(?:localhost\.?|127(?:\.%s){3}|\[(?:0{0,4}:){2,7}0{0,3}1\])(?::([0-9]{1,5}))?" % OCTET, re.IGNORECASE
)
ORIGIN_FORM = re.compile(r"/(?:[!$&-;=?-Z_a-z~\[\]{}^|\\\"<>`@']|%[0-9A-Fa-f]{2})*")  # as browsers write them too
BYTES = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE)
MOST_DIGITS = 18  # a number of more digits is above every size, and int() refuses 4,301 of them


class Refused(Exception):
    """What is not answered with a file: the status, and a sentence for the reader."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


def shown(text, most=200):
    """Text of a request in an answer or in the log: printable, and of a bounded length."""
    text = text if len(text) <= most else text[:most] + "..."
    return text.encode("ascii", "backslashreplace").decode()


def check_host(names):
    """names: the request's Host headers. Refused where the server is not called by a loopback name:
    then the request came through a name that somebody else owns (DNS rebinding).
    """
    if len(names) != 1:
        raise Refused(400, "a request has one Host header, not %d" % len(names))
    match = LOOPBACK.fullmatch(names[0].strip(" \t"))
    if not match:
        raise Refused(
            421,
            "this server answers to localhost and 127.0.0.1 alone, not to %s: open it by one of them" % shown(names[0]),
        )
    if match[1] and not 0 < int(match[1]) < 65536:
        raise Refused(400, "%s names no port from 1 to 65535" % shown(names[0]))


def path_of(target):
    """The path of a request target, not decoded, without its query."""
    if len(target) > LONGEST:
        raise Refused(414, "the request target has %d characters and may have %d" % (len(target), LONGEST))
    if not ORIGIN_FORM.fullmatch(target):
        raise Refused(400, "%s is no request target: it is a path that begins with /, percent-encoded" % shown(target))
    return target.partition("?")[0]


def parts_of(path):
    """The decoded parts of a path, or None where no file can have them."""
    try:
        parts = urllib.parse.unquote(path, errors="strict").split("/")[1:]
    except UnicodeDecodeError:
        return None
    odd = any(not part or part.startswith(".") or not part.isprintable() or "\\" in part for part in parts)
    return None if odd else parts


def byte_range(header, size):
    """(start, end) of the one range that the header names, or None: then the answer is whole.
    Refused (416) where the range is outside the `size` bytes.
    """
    match = BYTES.fullmatch(header.strip(" \t"))
    if not match or not (match[1] or match[2]):
        return None  # several ranges, another unit, or none: RFC 9110 lets the server ignore them
    first, last = (_number(digits) for digits in match.groups())
    if first is None:
        start, end = max(size - last, 0), size
    else:
        start, end = first, size if last is None else min(last + 1, size)
        if last is not None and last < first:
            return None
    if start >= end:
        raise Refused(416, "the range is outside the %d bytes" % size)
    return start, end


def _number(digits):
    digits = digits.lstrip("0") or digits[:1]
    return int(digits) if digits and len(digits) <= MOST_DIGITS else 10**MOST_DIGITS if digits else None
