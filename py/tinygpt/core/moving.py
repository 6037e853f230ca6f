"""Objects, dicts and lists whose writes move the epoch: guards compare what they hold only when it
has moved (core/guards.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .state import state

if TYPE_CHECKING:
    from collections.abc import Callable


class _Attributes:
    """Gives Moving the plain `__dict__` that its own hides."""


attributes_of: Callable[[Moving], dict[str, Any]] = _Attributes.__dict__["__dict__"].__get__


class Moving(_Attributes):
    """Base of objects whose attributes do: a Module, a Dataset."""

    _moves_epoch = True

    @property
    def __dict__(self) -> dict[str, Any]:
        """The attributes. Its later writes cannot be seen: recorded calls compare it each time."""
        attributes = attributes_of(self)
        if id(attributes) not in state.exposed_dicts:
            state.exposed_dicts.add(id(attributes))
            state.exposed += 1
            state.touch()
        return attributes

    @__dict__.setter
    def __dict__(self, attributes: dict[str, Any]) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        _Attributes.__dict__["__dict__"].__set__(self, attributes)
        state.exposed_dicts.add(id(attributes))
        state.exposed += 1
        state.touch()

    def __setattr__(self, name: str, value: Any) -> None:
        state.touch()
        if name == "__class__":
            state.layout += 1  # recordings look at attributes alone
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        state.touch()


def moving(kind: type, name: str) -> Any:
    """The method `name` of a list or dict that moves the epoch, for a subclass."""
    write = getattr(kind, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        state.touch()
        return write(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, write.__doc__
    return method


class Table(dict[str, Any]):
    """Parameters, modules or buffers of a Module by name; random streams of a Dataset."""

    _moves_epoch = True

    def copy(self) -> Table:
        return Table(self)


class List(list[Any]):
    """Parameter groups, or the parameters of one."""

    _moves_epoch = True


for _kind, _base, _names in (
    (Table, dict, "__setitem__ __delitem__ __ior__ clear pop popitem setdefault update"),
    (List, list, "__setitem__ __delitem__ __iadd__ __imul__ append clear extend insert pop remove reverse sort"),
):
    for _name in _names.split():
        setattr(_kind, _name, moving(_base, _name))
