"""The switch between TinyGPT's own meaning and PyTorch's: what a Python int becomes, how an element
type prints, which methods a Tensor has, where random numbers come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.state import state
from ..core.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MISSING: Any = object()
_methods: dict[type, dict[str, Any]] = {}
_switches: list[tuple[Callable[[], None], Callable[[], None]]] = []
_before: dict[tuple[type, str], Any] = {}
_resets: list[Callable[[], object]] = []
active = False


def extend(owner: type, methods: Mapping[str, Any]) -> None:
    """Gives `owner` these methods while PyTorch's meaning is on."""
    _methods.setdefault(owner, {}).update(methods)
    if active:
        _attach(owner, methods)


def methods_of(owner: type) -> Mapping[str, Any]:
    """What `owner` has while PyTorch's meaning is on."""
    return _methods.get(owner, {})


_OF_BODY = {"__module__", "__qualname__", "__dict__", "__weakref__", "__doc__", "__annotations__"}


def extends(owner: type) -> Callable[[type], Any]:
    """A decorator: what the body of a class defines, `owner` has while PyTorch's meaning is on. The
    name of the class is `owner` from there on.
    """

    def decorate(body: type) -> type:
        extend(owner, {name: value for name, value in vars(body).items() if name not in _OF_BODY})
        return owner

    return decorate


def on_switch(enter: Callable[[], None], leave: Callable[[], None]) -> None:
    """Calls enter when PyTorch's meaning begins, leave when it ends."""
    _switches.append((enter, leave))
    if active:
        enter()


def on_fresh(reset: Callable[[], object]) -> None:
    """Calls reset before each program that is to find torch as a new process has it."""
    _resets.append(reset)


def fresh() -> None:
    """Nothing is set that a program before has set for all of torch: the gradient mode, how tensors
    print, the place in the random numbers.
    """
    state.grad_enabled = True
    for reset in _resets:
        reset()


def _attach(owner: type, methods: Mapping[str, Any]) -> None:
    for name, method in methods.items():
        _before.setdefault((owner, name), vars(owner).get(name, _MISSING))
        setattr(owner, name, method)


def enter() -> None:
    """PyTorch's meaning from here on: Python ints are int64. Nothing happens where it is on."""
    global active
    if active:
        return
    active = True
    state.front, state.whole = "torch", "int64"
    for owner, methods in _methods.items():
        _attach(owner, methods)
    for begin, _ in _switches:
        begin()


def leave() -> None:
    """TinyGPT's own meaning again: Python ints are int32."""
    global active
    if not active:
        return
    active = False
    state.front, state.whole, state.real = "tinygpt", "int32", "float32"
    for (owner, name), method in _before.items():
        if method is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, method)
    _before.clear()
    for _, end in _switches:
        end()


extend(Tensor, {})
