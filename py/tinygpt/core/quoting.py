"""How an error quotes a value: on one line and short, whatever the value is. It imports nothing of
the package, so each layer can use it.
"""

from __future__ import annotations

import reprlib
from typing import Any

WIDTH = 60  # characters of a quoted value at most
DIGITS = 40  # beyond it an integer is its first digits and their number

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = WIDTH
_SHORT.maxlong = DIGITS


def quoted(value: Any) -> str:
    """repr(value), cut where it is long. A value that has no repr is named by its type."""
    if isinstance(value, int) and not isinstance(value, bool):
        size = value.bit_length()
        if size > 10_000:  # Python writes no integer of more than 4,300 digits
            return "an integer of about %d digits" % (size * 0.30103)
    try:
        text = _SHORT.repr(value)
    except Exception:  # of a foreign object, or an integer without a repr inside a list
        text = "<%s>" % type(value).__name__
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else text[: WIDTH - 12] + "..." + text[-9:]
