"""`torch.utils.checkpoint`: parts of a model that keep their inputs alone and run again in the
backward (core/recompute.py).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ...core import recompute
from ...core.state import no_grad
from ...core.tensor import Tensor
from ...nn import Sequential
from .. import table
from ..keywords import refuse

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["checkpoint", "checkpoint_sequential"]
LIMITED = {"checkpoint": "both variants allow torch.autograd.grad; context_fn and debug are refused"}


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), which keeps nothing for the backward and is called again there.

    use_reentrant: PyTorch's first variant, whose result needs a gradient only where an argument
    does. RuntimeError in the backward where the second call gives tensors of other shapes.
    """
    refuse("checkpoint", context_fn=context_fn, debug=debug)
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch "
            "2.9, calling checkpoint without use_reentrant will raise an exception. use_reentrant=False is "
            "recommended, but if you need to preserve the current default behavior, you can pass use_reentrant=True. "
            "Refer to docs for more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if not any(isinstance(x, Tensor) and x.requires_grad for x in args):
            warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
            with no_grad():
                return function(*args)
    return recompute.checkpoint(function, *args, preserve_rng_state=preserve_rng_state, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True
) -> Any:
    """input through a Sequential or a list of functions, in `segments` parts that are checkpoints
    all but the last.
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. "
            "In version 2.9 we will raise an exception if use_reentrant is not passed. use_reentrant=False is "
            "recommended, but if you need to preserve the current default behavior, you can pass use_reentrant=True. "
            "Refer to docs for more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    steps = list(functions.children()) if isinstance(functions, Sequential) else list(functions)

    def part(start: int, stop: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for step in steps[start:stop]:
                x = step(x)
            return x

        return run

    size, stop = len(steps) // segments, 0
    for start in range(0, size * (segments - 1), size):
        stop = start + size
        input = checkpoint(part(start, stop), input, use_reentrant=use_reentrant, preserve_rng_state=preserve_rng_state)
    return part(stop, len(steps))(input)


def __getattr__(name: str):
    """The sentence on a name that is not here."""
    return table.missing(__name__, name)
