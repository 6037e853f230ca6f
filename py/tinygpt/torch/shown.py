"""What `grad_fn` says of a composed op: PyTorch's name for it, not that of its last part."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ..core.autograd import shown_as
from ..core.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


def shown(name: str | Callable[..., str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: results have the grad_fn `name`, or what name(*args, **keywords) says ("": as it
    is).
    """

    def decorate(f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def call(*args: Any, **keywords: Any) -> Any:
            out = f(*args, **keywords)
            first = out[0] if isinstance(out, tuple) and out else out
            if isinstance(first, Tensor) and first._node is not None and not any(first is x for x in args):
                said = name if isinstance(name, str) else name(*args, **keywords)
                results: tuple[Any, ...] = out if isinstance(out, tuple) else (out,)
                for one in results if said else ():
                    shown_as(one, said)
            return out

        return call

    return decorate


def by_dim(base: str, whole: int = 0, along: int = 1) -> Callable[..., str]:
    """The name of a reduction: of all elements, or along dimensions."""

    def said(*args: Any, **keywords: Any) -> str:
        if len(args) > 1 and isinstance(args[1], Tensor) or "other" in keywords:
            return ""
        return "%sBackward%d" % (base, along if len(args) > 1 or keywords.keys() & {"dim", "axis"} else whole)

    return said


def by_other(base: str, number: int, tensor: int, at: int = 1) -> Callable[..., str]:
    """The name of a function of a tensor and (as its argument `at`) a number, or another tensor."""

    def said(*args: Any, **_: Any) -> str:
        return "%sBackward%d" % (base, tensor if any(isinstance(x, Tensor) for x in args[at:]) else number)

    return said
