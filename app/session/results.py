"""A value as JSON for `tinygpt.run`: plain values as they are, everything else by its repr."""

MAX_EXACT = 2**53 - 1  # the largest integer that JavaScript holds exactly


def plain(value, seen=()):
    """None, bool, int, float, str, and lists, tuples and dicts of them; anything else, or what JSON cannot hold, as repr."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if abs(value) <= MAX_EXACT else repr(value)
    if kind is float:
        return value if abs(value) <= 1.7976931348623157e308 else repr(value)  # NaN compares false
    if id(value) in seen or len(seen) > 50:
        return repr(value)
    seen = (*seen, id(value))
    if kind in (list, tuple):
        return [plain(item, seen) for item in value]
    if kind is dict:
        return {key if type(key) is str else repr(key): plain(item, seen) for key, item in value.items()}
    return repr(value)
