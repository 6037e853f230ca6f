"""`grad` and `backward` of torch.autograd: which tensors get the gradients of which."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ...core.tensor import Tensor
from ...ops.elementwise import zeros_of
from . import engine

if TYPE_CHECKING:
    from collections.abc import Sequence


def _listed(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _with_graph(create_graph: bool) -> bool:
    if create_graph:
        from . import second_order as second_order  # here and not above: few programs need it
    return bool(create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """d sum(outputs * grad_outputs) / d inputs, a tuple, or a dict for a dict; no `.grad` changes.

    inputs: leaves or results. create_graph: the gradients have a graph of their own. RuntimeError
    for an input that the outputs do not depend on, unless allow_unused (then None) or
    materialize_grads (then zeros).
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    if not only_inputs:
        warnings.warn("only_inputs argument is deprecated and is ignored now (defaults to True).", FutureWarning, 2)
    if is_grads_batched:
        raise RuntimeError("grad has no is_grads_batched=True here; call it for each gradient, with retain_graph=True")
    if isinstance(inputs, dict):
        rest = grad_outputs, retain_graph, create_graph, only_inputs, allow_unused, is_grads_batched, materialize_grads
        return dict(zip(inputs, grad(outputs, list(inputs.values()), *rest)))
    outs, ins, create_graph = _listed(outputs), _listed(inputs), _with_graph(create_graph)
    given = _listed(grad_outputs) if grad_outputs is not None else [None] * len(outs)
    if len(given) != len(outs):
        raise RuntimeError("got %d tensors and %d gradients" % (len(outs), len(given)))
    for x in ins:
        if not isinstance(x, Tensor):
            raise TypeError("%s object is not a Tensor: grad takes Tensors as inputs" % type(x).__name__)
    roots = engine.roots_of(outs, given)
    if any(not x.requires_grad for x in ins):
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    found = engine.gradients(roots, ins, create_graph if retain_graph is None else bool(retain_graph), create_graph)
    if materialize_grads:
        return tuple([zeros_of(x) if g is None else g for x, g in zip(ins, found)])
    if not allow_unused and any(g is None for g in found):
        raise RuntimeError(
            "The differentiated Tensor at index %d appears to not have been used in the graph. "
            "Set allow_unused=True if this is the desired behavior." % found.index(None)
        )
    return tuple(found)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: None = None,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Adds d sum(tensors * grad_tensors) / d leaf to `.grad` of each leaf, or of `inputs` alone."""
    if grad_variables is not None:
        raise RuntimeError("grad_variables is a former name; use grad_tensors")
    if inputs is not None and not isinstance(inputs, Tensor) and len(inputs) == 0:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    outs, create_graph = _listed(tensors), _with_graph(create_graph)
    given = _listed(grad_tensors) if grad_tensors is not None else [None] * len(outs)
    if len(given) != len(outs):
        raise RuntimeError("got %d tensors and %d gradients" % (len(outs), len(given)))
    roots = engine.roots_of(outs, given)
    if create_graph:
        warnings.warn(
            "Using backward() with create_graph=True will create a reference cycle between the parameter and its "
            "gradient which can cause a memory leak. We recommend using autograd.grad when creating the graph to "
            "avoid this. If you have to use this function, make sure to reset the .grad fields of your parameters to "
            "None after use to break the cycle and avoid the leak.",
            stacklevel=3,
        )
    retain = create_graph if retain_graph is None else bool(retain_graph)
    if inputs is None:
        engine.execute(roots, engine.Run(create_graph=create_graph), retain)
    else:
        engine.into(roots, _listed(inputs), retain, create_graph)
