"""Guards: whether all that Python read while a call was recorded (core/reads.py) is still so.

Most values are compared in each replay, by identity, in one generated expression (20 ns each
natively; a call that compares a tuple of them takes twice as long). What a Module, a Dataset or an
optimizer holds is compared when `state.epoch` has moved only (core/moving.py).
"""

# Values of any type are compared here, which strict mode calls unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownParameterType=false, reportUnknownLambdaType=false

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import bypasses
from .state import state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PLAIN = (int, float, str, bool, bytes, complex, type(None))
ABSENT = object()


def same(a: Any, b: Any) -> bool:
    """One object, or plain values of one type and value (0.0 and -0.0 differ)."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) in PLAIN:
        return a == b and (type(a) not in (float, complex) or repr(a) == repr(b)) or a != a and b != b
    if type(a) is tuple and len(a) == len(b):
        return all(map(same, a, b))
    return False


def _still(check: list[Any]) -> bool:
    form, container, key, value, _ = check
    try:
        if form == "item":
            return same(container[key], value)
        if form == "absent":
            return key not in container
        if form == "size":
            return len(container) == value
        if form == "keys":
            return list(container) == value
        if form == "types":
            return list(map(type, container)) == value
        if form == "type":
            return type(container) is value
        if form == "cell":
            try:
                return same(container.cell_contents, value)
            except ValueError:
                return value is ABSENT
        if form == "equal":
            return bool(container == value)
        return same(getattr(container, key, ABSENT), value)
    except Exception:  # a key that is gone, a property that fails
        return False


_FORMS = {  # of a comparison
    "item": "{a}[{k}] is {v}", "type": "type({a}) is {v}", "cell": "{a}.cell_contents is {v}", "attr": "{a}.{k} is {v}",
    "absent": "{k} not in {a}", "size": "len({a}) == {v}", "equal": "{a} == {v}",
    "keys": "list({a}) == {v}", "types": "[*map(type, {a})] == {v}",
}  # fmt: skip
GENERATE = 3  # comparisons by _still before an expression is generated (10 us a value)


class _Comparison:
    """Whether all of some checks hold."""

    def __init__(self, checks: list[list[Any]], watches: bool = False) -> None:
        self.checks, self.watches, self.calls = checks, watches, 0  # watches: for new modules too (bypasses.py)
        self.fast: Callable[[], bool] | None = None

    def __call__(self) -> bool:
        if self.fast is not None and self.fast():
            return True
        for check in self.checks:
            if not _still(check):
                return False
        self.calls += 1
        if self.calls >= GENERATE:
            self.calls = 0
            self.fast = self._generated()
        return True

    def _generated(self) -> Callable[[], bool]:
        names: dict[int, str] = {}
        space: dict[str, Any] = {"same": same}

        def name(value: Any) -> str:
            if id(value) not in names:
                names[id(value)] = "x%d" % len(names)
                space[names[id(value)]] = value
            return names[id(value)]

        terms = ["len(%s) == %d" % (name(sys.modules), bypasses.modules())] if self.watches else []
        for check in self.checks:
            form, container, key, value, _ = check
            # Plain values may be other objects of the same value by now.
            if form == "cell":
                if value is ABSENT:
                    terms.append("False")
                    continue
                value = container.cell_contents
            elif form == "item":
                value = container[key]
            elif form == "attr":
                value = getattr(container, key, ABSENT)
                if not key.isidentifier() or value is ABSENT:
                    terms.append("same(getattr(%s, %r, %s), %s)" % (name(container), key, name(ABSENT), name(value)))
                    continue
            text, written = _FORMS[form], repr(key) if type(key) is str else name(key)
            if value is not check[3]:  # set to equal values again and again
                text, value = "same(%s, {v})" % text.partition(" is ")[0], check[3]
            terms.append(text.format(a=name(container), k=key if form == "attr" else written, v=name(value)))
        source = "def fast():\n try:\n  return %s\n except Exception:\n  return False" % (" and ".join(terms) or "True")
        exec(compile(source, "<guards>", "exec"), space)
        return space.pop("fast")  # no circle: the function holds `space`


class Guards:
    """The checks of one recording."""

    def __init__(self, checks: Iterable[list[Any]]) -> None:
        self.checks = list(checks)
        self.exposed = -1
        self._sort()

    def _sort(self) -> None:
        """Which checks are made in each replay, and which when the epoch has moved."""
        self.exposed = state.exposed
        at_epoch = [c for c in self.checks if c[4] and not state.bypassed and id(c[1]) not in state.exposed_dicts]
        moved = set(map(id, at_epoch))
        self.always = _Comparison([c for c in self.checks if id(c) not in moved], bool(at_epoch))
        self.at_epoch = _Comparison(at_epoch)

    def hold(self, epoch: int | None) -> bool:
        """Whether everything is as it was. epoch: that of the last call for which it was."""
        if bypasses.is_new():
            bypasses.look()
        if self.exposed != state.exposed:
            self._sort()
        return (epoch == state.epoch or self.at_epoch()) and self.always()

    def changed(self) -> str:
        """What is other than it was, for a message."""
        for check in self.checks:
            if not _still(check):
                _, container, key, _, _ = check
                if isinstance(key, str) and key:
                    return "`%s`" % key
                return "the contents of a %s" % type(container).__name__
        return "something that it reads"
