"""How the front's functions are called: `out=` is refused by name, the first argument is a Tensor,
and the in-place variant of a function writes its result into the first.
"""

from __future__ import annotations

import functools
from typing import Any

from ..core.quoting import quoted
from ..core.tensor import Tensor
from ..ops import inplace


def functions(namespace: dict[str, Any], found: dict[str, Any], free: str = "") -> None:
    """Makes `found`, {name: function of a tensor}, the public names of a module.

    free: names whose first argument may be something else than a Tensor.
    """
    named = free.split()
    for name, function in found.items():
        namespace[name] = public(name, function, name not in named)
    namespace["__all__"] = [*namespace.get("__all__", []), *found]


def public(name: str, function: Any, needs_tensor: bool = True) -> Any:
    """`function` as PyTorch's function of that name: RuntimeError for `out=`, TypeError where the
    first argument is no Tensor.
    """

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        if named:
            refuse_out(name, named)
        if needs_tensor and not isinstance(args[0] if args else named.get("input"), Tensor):
            refuse_input(name, args[0] if args else named.get("input"))
        return function(*args, **named)

    call.__name__ = name
    return call


def refuse_out(name: str, named: dict[str, Any]) -> None:
    """Takes `out` out of keyword arguments: RuntimeError for another value than None."""
    if named.pop("out", None) is not None:
        raise RuntimeError("%s(): out= is not in TinyGPT's subset; assign the result, or copy_() it" % name)


def refuse_input(name: str, value: Any) -> None:
    """TypeError: the first argument is no Tensor."""
    raise TypeError(
        "%s(): argument 'input' (position 1) must be Tensor, not %s %s" % (name, type(value).__name__, quoted(value))
    )


def in_place(name: str, function: Any) -> Any:
    """The method that writes function(self, ...) into self."""

    def call(self: Tensor, *args: Any, **named: Any) -> Tensor:
        return inplace.assigned(function, self, *args, **named)

    call.__name__, call.__doc__ = name, "In place: %s" % (function.__doc__ or name)
    return call


def with_in_place(methods: dict[str, Any], names: str) -> dict[str, Any]:
    """The methods, and `name_` for each name of a text."""
    return {**methods, **{name + "_": in_place(name + "_", methods[name]) for name in names.split()}}
