"""What a Tensor has of autograd: `backward`, hooks, `retain_grad`, `grad_fn`, `detach_`."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from ...core.autograd import edge_of
from ...core.tensor import Tensor
from ...graph import program
from . import engine
from .gradients import backward as backward_of
from .graph import registered, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..utils.hooks import RemovableHandle
    from .graph import Node

__all__: list[str] = []

plain_backward = Tensor.backward


def backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Adds d self / d leaf to `.grad` of each leaf that requires it, or of `inputs` alone.

    gradient: of this tensor's shape; needed unless it has one element. create_graph: the gradients
    have a graph of their own, which keeps this one.
    """
    if gradient is None and not create_graph and inputs is None and self._requires_grad and self.numel() == 1:
        plain_backward(self, None, bool(retain_graph))
    else:
        backward_of(self, gradient, retain_graph, create_graph, None, inputs)


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Calls hook(gradient), the complete gradient of this tensor; a result replaces it."""
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    node = self._node
    if node is None:
        engine.keep_complete()
        return registered(self.__dict__.setdefault("_hooks", OrderedDict()), hook)
    return registered(engine.hooks_of(node).tensor.setdefault(self._index, OrderedDict()), hook)


def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Calls hook(leaf) each time a backward has added to its `.grad`."""
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._node is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    engine.keep_complete()
    return registered(self.__dict__.setdefault("_accumulated_hooks", OrderedDict()), hook)


def retain_grad(self: Tensor) -> None:
    """Makes backward set `.grad` of this result of an op too. Nothing for a leaf."""
    if not self.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._node is not None:
        engine.hooks_of(self._node).retained[self._index] = weakref.ref(self)
        key = id(self)
        engine.retaining[key] = weakref.ref(self, lambda _: engine.retaining.pop(key, None))


def retains_grad(self: Tensor) -> bool:
    """Whether this is no leaf and backward sets its `.grad`."""
    return id(self) in engine.retaining and not self.is_leaf


def grad_fn(self: Tensor) -> Node | None:
    """The op that made this tensor, where it is on the tape."""
    if self._base is not None:
        edge_of(self)  # brings a view's Node up to date
    return None if self._node is None else shown(self._node)


def output_nr(self: Tensor) -> int:
    """Which of its op's outputs this is."""
    return self._index if self._node is not None else 0


def detach_(self: Tensor) -> Tensor:
    """Takes this tensor off the tape, in place. RuntimeError for a view."""
    if self._base is not None:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
            "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
            "detach_() cannot be called on these gradients. To fix this error, please refer to the "
            "Optimizer.zero_grad() function in torch/optim/optimizer.py as a solution."
        )
    if self._requires_grad and self._node is None:
        program.note_requires_grad(self)
    self._node, self._index, self._requires_grad = None, 0, False
    return self


METHODS: dict[str, Any] = {
    "backward": backward,
    "register_hook": register_hook,
    "register_post_accumulate_grad_hook": register_post_accumulate_grad_hook,
    "retain_grad": retain_grad,
    "retains_grad": property(retains_grad),
    "grad_fn": property(grad_fn),
    "output_nr": property(output_nr),
    "detach_": detach_,
}
