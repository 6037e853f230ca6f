"""JSON from outside: its nesting and its size are counted before any parser sees it.

A parser recurses once a level, and WebAssembly has no RecursionError: 8,000 brackets end Python in
a tab. So `check` counts levels, values and objects in one linear scan, which is a few passes of
bytes' own methods. `parse` is that scan, then json.loads. Every reader of JSON from outside calls
one of the two; app/worker/bounded_json.js is the page's.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any, NamedTuple, NoReturn

MAX_DEPTH = 100  # lists and objects in each other; what TinyGPT writes has 4


class Limits(NamedTuple):
    """How many values a text may hold: numbers, texts, lists and objects; and objects alone."""

    values: int
    objects: int


# A history of 4 million logged steps, which is what fits into a header, has 12 million values. As
# Python's objects these limits are about 1 GB at most: 64 bytes a list, 184 to 232 bytes an object.
LIMITS = Limits(values=16_000_000, objects=1_000_000)

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*+(?:"|\Z)')  # escapes are gone; one that never ends goes to the end
_STRUCTURE = b'"[]{},'
_OTHER = bytes(byte for byte in range(256) if byte not in _STRUCTURE)
_STEPS = bytes({ord("["): 1, ord("{"): 1, ord("]"): 255, ord("}"): 255}.get(byte, 0) for byte in range(256))


class LimitError(ValueError):
    """A text beyond the limits. The message continues a sentence: "holds ..."."""


class DuplicateError(ValueError):
    """An object that holds a name twice. The message continues a sentence."""


def check(text: str, limits: Limits = LIMITS) -> None:
    """LimitError where the JSON `text` nests deeper than MAX_DEPTH or holds more than `limits`.

    Linear in its length. What is no JSON passes as far as a parser would read it.
    """
    # Short texts, and most others: there are not enough brackets for either limit.
    if text.count("[") + text.count("{") <= MAX_DEPTH and len(text) <= limits.objects:
        return
    data = text.encode("utf-8", "surrogatepass")
    if b"\\" in data:
        data = _ESCAPE.sub(b"", data)
    # A quote that ends a string and one that begins the next, with nothing between them or nothing
    # inside, go in pairs; the strings that are left hold brackets or commas.
    structure = data.translate(None, _OTHER).replace(b'""', b"")
    if b'"' in structure:
        structure = _STRING.sub(b"", structure)
    objects, lists = structure.count(b"{"), structure.count(b"[")
    if objects > limits.objects:
        raise LimitError("holds %d objects, and at most %d are read" % (objects, limits.objects))
    values = 1 + objects + lists + structure.count(b",")
    if values > limits.values:
        raise LimitError("holds %d values, and at most %d are read" % (values, limits.values))
    steps = structure.translate(_STEPS, b",")
    if max(accumulate(memoryview(steps).cast("b")), default=0) > MAX_DEPTH:
        raise LimitError("is nested too deeply (more than %d levels)" % MAX_DEPTH)


def parse(text: str, limits: Limits = LIMITS, **options: Any) -> Any:
    """The value of a JSON text within the limits. options: as json.loads.

    LimitError; ValueError for what is no JSON.
    """
    check(text, limits)
    return json.loads(text, **options)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object_pairs_hook that refuses a name that comes twice, in linear time: DuplicateError."""
    values = dict(pairs)
    if len(values) != len(pairs):
        _refuse_duplicate(pairs)
    return values


def _refuse_duplicate(pairs: list[tuple[str, Any]]) -> NoReturn:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise DuplicateError("holds the name %.80r twice" % name)
        seen.add(name)
    raise AssertionError("no name comes twice")
