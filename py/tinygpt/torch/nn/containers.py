"""Containers of modules and of parameters. Sequential, ModuleList and ModuleDict are TinyGPT's,
with what PyTorch's have beyond.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

from ...core.tensor import Tensor
from ...nn import Module, ModuleDict, ModuleList, Parameter, Sequential
from ..front import extends
from .module import indented

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


@extends(ModuleList)
class _ModuleList:
    def __repr__(self: Any) -> str:
        """Equal neighbours once, with their number."""
        groups: list[list[Any]] = []
        for i, text in enumerate(map(repr, self)):
            if groups and groups[-1][2] == text:
                groups[-1][1] = i
            else:
                groups.append([i, i, text])
        if not groups:
            return self._get_name() + "()"
        lines = [
            "(%d): %s" % (first, text) if first == last else "(%d-%d): %d x %s" % (first, last, last - first + 1, text)
            for first, last, text in groups
        ]
        return self._get_name() + "(\n  " + "\n  ".join(map(indented, lines)) + "\n)"

    def __setitem__(self: Any, index: int, module: Module) -> None:
        setattr(self, str(self._place(operator.index(index))), module)

    def pop(self: Any, key: Any) -> Any:
        """Takes the module at an index, or several, out and returns it."""
        module = self[key]
        del self[key]
        return module


class ParameterList(Module):
    """A list of parameters, each registered under its number. A Tensor becomes a Parameter; other
    values stay as they are, and are no parameters.
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _name(self, index: Any) -> str:
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError("index %d is out of range" % place)
        return str(place % len(self))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)([self[i] for i in range(*index.indices(len(self)))])
        return getattr(self, self._name(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._name(index), _parameter(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def append(self, value: Any) -> ParameterList:
        """Adds a value at the end. Returns self."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Adds several values at the end. Returns self. TypeError for what is no list of them."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):  # pyright: ignore
            raise TypeError("ParameterList.extend should be called with an iterable, but got " + type(values).__name__)
        for value in values:
            self.append(value)
        return self

    def extra_repr(self) -> str:
        return "\n".join("  (%d): %s" % (i, _described(value, repr)) for i, value in enumerate(self))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """Parameters by name. A Tensor becomes a Parameter; other values stay as they are, and are no
    parameters.
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def _checked(self, key: Any) -> str:
        if not isinstance(key, str):
            raise TypeError("a key of a ParameterDict is a str, not %s" % type(key).__name__)
        return key

    def __getitem__(self, key: str) -> Any:
        return getattr(self, self._checked(key))

    def __setitem__(self, key: str, value: Any) -> None:
        self._keys[key] = None
        setattr(self, self._checked(key), _parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, self._checked(key))

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Any:
        return iter(self._keys)

    def __reversed__(self) -> Any:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def copy(self) -> ParameterDict:
        """Another ParameterDict with the same parameters."""
        return ParameterDict(list(self.items()))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value at key, which is `default` from here on where there was none."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Takes everything out."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key: str) -> Any:
        """Takes a value out, and returns it. KeyError where there is none."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Takes the last pair out, and returns it."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value at key, or `default`."""
        return self[key] if key in self else default

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A ParameterDict with the same value at each key."""
        return ParameterDict([(key, default) for key in keys])

    def keys(self) -> Any:
        """The names."""
        return self._keys.keys()

    def items(self) -> Any:
        """(name, value) pairs."""
        return ((key, self[key]) for key in self._keys)

    def values(self) -> Any:
        """The values."""
        return (self[key] for key in self._keys)

    def update(self, parameters: Any) -> None:
        """Adds those of a dict, a plain one sorted by name, or of (name, value) pairs."""
        if not isinstance(parameters, Iterable):
            raise TypeError(
                "ParametersDict.update should be called with an iterable of key/value pairs, but got "
                + type(parameters).__name__
            )
        if isinstance(parameters, ParameterDict) or hasattr(parameters, "move_to_end"):
            given: Any = parameters
            pairs: Any = given.items()
        elif isinstance(parameters, Mapping):
            pairs = sorted(parameters.items())
        else:
            pairs = parameters
        for i, pair in enumerate(pairs):
            if not isinstance(pair, Iterable):
                raise TypeError(
                    "ParameterDict update sequence element #%d should be Iterable; is %s" % (i, type(pair).__name__)
                )
            pair = list(pair)
            if len(pair) != 2:
                raise ValueError(
                    "ParameterDict update sequence element #%d has length %d; 2 is required" % (i, len(pair))
                )
            self[pair[0]] = pair[1]

    def extra_repr(self) -> str:
        return "\n".join("  (%s): %s" % (key, _described(value, _typename)) for key, value in self.items())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ParameterDict should not be called.")

    def __or__(self, other: Any) -> ParameterDict:
        made = self.copy()
        made.update(other)
        return made

    def __ror__(self, other: Any) -> Any:
        made = other.copy()
        made.update(self)
        return made

    def __ior__(self, other: Any) -> ParameterDict:
        self.update(other)
        return self


def _parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _typename(dtype: Any) -> str:
    """What PyTorch calls the type of a tensor: torch.FloatTensor."""
    names = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16"}
    names.update(int64="Long", int32="Int", int16="Short", int8="Char", uint8="Byte", bool="Bool")
    return "torch.%sTensor" % names[dtype.name]


def _described(value: Any, kind: Any) -> str:
    if not isinstance(value, Tensor):
        return "Object of type: " + type(value).__name__
    size = "x".join(map(str, value._shape))
    name = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return "%s containing: [%s of size %s]" % (name, kind(value._dtype), size)
