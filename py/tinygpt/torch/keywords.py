"""The rule on arguments: one is accepted where it has PyTorch's default or cannot change a result,
any other raises by name.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NoReturn

from ..core.quoting import quoted
from ..core.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


class Unsupported(NotImplementedError, TypeError):
    """An argument that this subset of PyTorch does not take."""


def refuse(function: str, **given: Any) -> None:
    """Unsupported for the first argument that is neither None nor False, the defaults here."""
    for name, value in given.items():
        if value is not None and value is not False:
            raise Unsupported(
                "%s(%s=%s) is not in TinyGPT's subset; leave %s out" % (function, name, quoted(value), name)
            )


def unsupported(function: str, name: str, value: Any, advice: str) -> NoReturn:
    """Unsupported: `function` does not take this value of the argument `name` here."""
    text = quoted(value) if isinstance(value, (bool, int, float, str, type(None))) else type(value).__name__
    raise Unsupported("%s(%s=%s) is not in TinyGPT's subset; %s" % (function, name, text, advice))


# torch/csrc/utils/python_arg_parser.cpp: numpy_compatibility_arg_names.
NUMPY = {"axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x1": "input", "x2": "other"}


def function(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, called with PyTorch's names of arguments or NumPy's. Unsupported for `out=`, TypeError for
    an `input` that is no Tensor.
    """
    code = getattr(f, "__wrapped__", f).__code__  # behind shown()
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    own, needs_tensor = set(names), names[:1] == ("input",) and f.__annotations__.get("input") == "Tensor"

    @functools.wraps(f)
    def call(*args: Any, **keywords: Any) -> Any:
        if keywords and not keywords.keys() <= own:
            keywords = _renamed(f, own, keywords)
        if needs_tensor and args and not isinstance(args[0], Tensor):
            raise TypeError(
                "%s(): argument 'input' (position 1) must be Tensor, not %s" % (f.__name__, type(args[0]).__name__)
            )
        return f(*args, **keywords)

    return call


def _renamed(f: Callable[..., Any], own: set[str], given: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name == "out" and name not in own:
            if value is not None:
                unsupported(f.__name__, "out", value, "assign the result, or copy it with copy_()")
            continue
        found[name if name in own or NUMPY.get(name) not in own else NUMPY[name]] = value
    return found
