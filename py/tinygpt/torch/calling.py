"""How the front's functions of a tensor are called: with PyTorch's or NumPy's names of arguments.
The first argument is a Tensor, and the in-place variant of a function writes its result into it.
"""

from __future__ import annotations

import functools
from typing import Any

from ..core.quoting import quoted
from ..core.tensor import Tensor
from ..ops import inplace
from .keywords import function as with_names

# Functions of two numbers too, whose result is a tensor.
OF_NUMBERS = ("add", "sub", "mul", "div", "subtract", "multiply", "divide", "true_divide")


def functions(namespace: dict[str, Any], found: dict[str, Any], free: str = "") -> None:
    """Makes `found`, {name: function of a tensor}, the public names of a module.

    free: names whose first argument may be something else than a Tensor.
    """
    named = free.split()
    for name, function in found.items():
        namespace[name] = public(name, function, name not in named)
    namespace["__all__"] = [*namespace.get("__all__", []), *found]


def public(name: str, function: Any, needs_tensor: bool = True) -> Any:
    """`function` as PyTorch's function of that name: TypeError where the first argument is no
    Tensor, Unsupported for `out=`.
    """
    called = with_names(function)

    @functools.wraps(function)
    def call_of_any(*args: Any, **named: Any) -> Any:
        if not any(isinstance(x, Tensor) for x in (*args, *named.values())) and name not in OF_NUMBERS:
            raise TypeError("%s(): one of the arguments must be Tensor; there is none in %s" % (name, quoted(args)))
        return called(*args, **named)

    if not needs_tensor:
        return call_of_any

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        if args:
            if not isinstance(args[0], Tensor):
                refuse_input(name, args[0])
        elif named:
            value = named.get("input", named.get("x", named.get("a")))
            if not isinstance(value, Tensor):
                refuse_input(name, value)
        return called(*args, **named)

    call.__name__ = name
    return call


def refuse_input(name: str, value: Any) -> None:
    """TypeError: the first argument is no Tensor."""
    raise TypeError(
        "%s(): argument 'input' (position 1) must be Tensor, not %s %s" % (name, type(value).__name__, quoted(value))
    )


def methods(found: dict[str, Any], in_place: str = "") -> dict[str, Any]:
    """{name: function} as methods of a Tensor, and `name_` for each name of the text `in_place`."""
    made = {name: with_names(function) for name, function in found.items()}
    return {**made, **{name + "_": writing(name + "_", made[name]) for name in in_place.split()}}


def writing(name: str, function: Any) -> Any:
    """The method that writes function(self, ...) into self."""

    def call(self: Tensor, *args: Any, **named: Any) -> Tensor:
        return inplace.assigned(function, self, *args, **named)

    call.__name__, call.__doc__ = name, "In place: %s" % (function.__doc__ or name)
    return call
