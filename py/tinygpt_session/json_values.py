"""A value as JSON for `tinygpt.run`: plain values as they are, everything else by its repr."""

from __future__ import annotations

from typing import Any

MAX_EXACT = 2**53 - 1  # the largest integer that JavaScript holds exactly
DEEPEST = 200  # levels of lists and dicts that repr() takes: at some thousand it ends Python in a tab
NESTING = (list, tuple, dict, set, frozenset)


def exact(value: Any) -> Any:
    """The value for a JSON text that JavaScript reads: an integer that it does not hold exactly as
    its text. Dicts are looked into.
    """
    if type(value) is dict:
        return {key: exact(one) for key, one in value.items()}
    return str(value) if type(value) is int and abs(value) > MAX_EXACT else value


def whole(value: Any) -> Any:
    """The int that a text of the page is (app/ui/number_inputs.js); any other value as it is."""
    if type(value) is str and len(value) <= 20 and value.lstrip("-").isdecimal() and value.isascii():
        return int(value)
    return value


def bounded_repr(value: Any) -> str:
    """repr(value); a sentence for what nests deeper than DEEPEST."""
    level, seen, depth = [value] if type(value) in NESTING else [], set[int](), 0
    while level:
        depth += 1
        if depth > DEEPEST:
            return "<%s that nests more than %d levels>" % (type(value).__name__, DEEPEST)
        fresh = [one for one in level if not (id(one) in seen or seen.add(id(one)))]
        inside = [list(one.values()) if type(one) is dict else one for one in fresh]
        level = [item for one in inside for item in one if type(item) in NESTING]
    return repr(value)


def plain(value: Any, seen: tuple[int, ...] = ()) -> Any:
    """None, bool, int, float, str, and lists, tuples and dicts of them; anything else, or what JSON
    cannot hold, as repr.
    """
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is float:  # NaN too: app/worker/json_text.js
        return value
    if kind is int:
        return exact(value) if value.bit_length() < 10_000 else "<int of %d bits>" % value.bit_length()
    if id(value) in seen or len(seen) > 50:
        return bounded_repr(value)
    seen = (*seen, id(value))
    if kind in (list, tuple):
        return [plain(item, seen) for item in value]
    if kind is dict:
        return {key if type(key) is str else repr(key): plain(item, seen) for key, item in value.items()}
    return bounded_repr(value)
