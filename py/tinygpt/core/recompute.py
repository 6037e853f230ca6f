"""Activation recomputation: a part of the model keeps its inputs alone, and runs a second time when
its backward comes (Chen et al. 2016).

It costs one more forward of that part and saves the memory of what it would have kept. The name and
the meaning are those of torch.utils.checkpoint.checkpoint(..., use_reentrant=False).
"""

# Values of any type are taken apart here, which strict mode calls unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from . import generator
from .autograd import external_inputs, record, sequence_number, walk
from .current_device import get_device
from .state import enable_grad, is_grad_enabled
from .tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool = False,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), which keeps nothing for the backward and is called again there.
    The numbers have the same bits.

    Gradients reach args, kwargs and everything else that the function reads (its parameters). It
    must do the same both times: the default random stream is put back where it was
    (preserve_rng_state), so dropout draws the same mask. It returns a Tensor, or a tuple or list
    with Tensors in it. RuntimeError in the backward when the second call returns other tensors than
    the first.
    """
    if use_reentrant:
        raise ValueError(
            "checkpoint has no use_reentrant=True; leave it out: gradients, parameters and dropout work without"
        )
    if not is_grad_enabled():
        return function(*args, **kwargs)
    stream, since = generator.default_generator.get_state(), sequence_number()
    other: Any = generator.mersenne
    place = other.mark() if other is not None and preserve_rng_state and not get_device().volatile else None
    value = function(*args, **kwargs)
    made = _made(value, since)
    if not made:
        return value
    # The tape of this call ends here: what it keeps is freed, and one Node takes its place.
    outputs = tuple(made[i].detach() for i in made)
    places, shapes = tuple(made), [x._shape for x in outputs]
    outside = external_inputs(list(made.values()), since)
    at = [(node.seq, index) for node, index in outside]

    def backward(*gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        since = sequence_number()
        with generator.default_generator.again_from(stream) if preserve_rng_state else contextlib.nullcontext():
            with (
                enable_grad(),
                other.again_from(place) if other is not None and place is not None else contextlib.nullcontext(),
            ):
                again = _made(function(*args, **kwargs), since)
            if [(i, x._shape) for i, x in again.items()] != list(zip(places, shapes)):
                raise RuntimeError(
                    "the function under checkpoint returned tensors of shapes %s in the forward "
                    "and %s in the backward; it must compute the same both times"
                    % ([list(s) for s in shapes], [list(x._shape) for x in again.values()])
                )
            found = walk([(x, g) for x, g in zip(again.values(), gradients) if g is not None], since=since)
        return tuple(found.get(key) for key in at)

    record("checkpoint", outputs, outside, backward)
    if isinstance(value, Tensor):
        return outputs[0]
    ready = dict(zip(places, outputs))
    values = [ready.get(i, x) for i, x in enumerate(value)]
    return type(value)(*values) if hasattr(value, "_fields") else type(value)(values)


def _made(value: Any, since: int) -> dict[int, Tensor]:
    """{position: Tensor} of what the Nodes newer than `since` made of a call's value, a Tensor or a
    tuple or list.
    """
    values: Any = (value,) if isinstance(value, Tensor) else value if isinstance(value, (tuple, list)) else ()
    return {i: x for i, x in enumerate(values) if isinstance(x, Tensor) and x._node is not None and x._node.seq > since}
