"""Whether gradients are recorded: contexts that are also decorators, of functions, generators and
classes.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import TYPE_CHECKING, Any

from ...core.state import is_grad_enabled, state

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "enable_grad", "inference_mode", "is_grad_enabled", "is_inference_mode_enabled", "no_grad", "set_grad_enabled",
]  # fmt: skip

LIMITED = {"inference_mode": "its tensors are ordinary ones: later uses of them raise nothing"}


def _decorated(make: Callable[[], Any], function: Any) -> Any:
    """`function` in which each call, or each step of a generator, runs inside make()."""
    if isinstance(function, type):
        warnings.warn(
            "Decorating classes is deprecated and will be disabled in future versions. You should only decorate "
            "functions or methods. To preserve the current behavior of class decoration, you can directly decorate "
            "the `__init__` method and nothing else.",
            FutureWarning,
            stacklevel=3,
        )
        function.__init__ = _decorated(make, function.__init__)
        return function
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            try:
                with make():
                    value = generator.send(None)
                while True:
                    try:
                        given = yield value
                    except GeneratorExit:
                        with make():
                            generator.close()
                        raise
                    except BaseException as error:
                        with make():
                            value = generator.throw(error)
                    else:
                        with make():
                            value = generator.send(given)
            except StopIteration as end:
                return end.value

        return steps

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with make():
            return function(*args, **kwargs)

    return wrapped


class _Mode:
    """Inside, gradients are recorded or not; the mode from before comes back behind it."""

    _value: bool = False

    def __new__(cls, function: Any = None) -> Any:
        return object.__new__(cls) if function is None else cls()(function)  # pyright: ignore[reportCallIssue]

    def __init__(self) -> None:
        self._before = False

    def __enter__(self) -> None:
        self._before = state.grad_enabled
        state.grad_enabled = self._value

    def __exit__(self, *exc: object) -> None:
        state.grad_enabled = self._before

    def __call__(self, function: Any) -> Any:
        return _decorated(type(self), function)

    def clone(self) -> Any:
        """Another one of the kind."""
        return type(self)()


class no_grad(_Mode):
    """Nothing inside is recorded for backward."""


class enable_grad(_Mode):
    """What is inside is recorded, also within no_grad."""

    _value = True


class set_grad_enabled(_Mode):
    """Sets whether ops are recorded, at once; as a context until its end."""

    def __new__(cls, mode: bool) -> Any:
        return object.__new__(cls)

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self._before = state.grad_enabled
        state.grad_enabled = self.mode

    def __enter__(self) -> None:
        state.grad_enabled = self.mode

    def __call__(self, function: Any) -> Any:
        state.grad_enabled = self._before
        return _decorated(self.clone, function)

    def clone(self) -> Any:
        """Another one of the mode, which is entered later."""
        other = object.__new__(type(self))
        other.mode, other._before = self.mode, state.grad_enabled
        return other


_inference = 0  # how many inference_mode(True) the code is in


class inference_mode(_Mode):
    """no_grad; what is made inside is an ordinary tensor here. mode=False: gradients are recorded
    as in enable_grad.
    """

    def __new__(cls, mode: Any = True) -> Any:
        return object.__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode
        self._before = False
        self._level = 0

    def __enter__(self) -> None:
        global _inference
        self._before, self._level = state.grad_enabled, _inference
        state.grad_enabled, _inference = not self.mode, int(self.mode)

    def __exit__(self, *exc: object) -> None:
        global _inference
        state.grad_enabled, _inference = self._before, self._level

    def __call__(self, function: Any) -> Any:
        return _decorated(self.clone, function)

    def clone(self) -> Any:
        """Another one of the mode."""
        return type(self)(self.mode)


def is_inference_mode_enabled() -> bool:
    """Whether the code is inside inference_mode."""
    return bool(_inference)
