"""Parameters as one vector, and back."""

from __future__ import annotations

from typing import Any

from ....core.tensor import Tensor
from ....ops import movement

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Any) -> Tensor:
    """All numbers of the parameters, one behind the other: [N]."""
    return movement.cat([p.view(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Any) -> None:
    """Makes each parameter a piece of `vec`, in order. TypeError for what is no Tensor."""
    if not isinstance(vec, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("expected torch.Tensor, but got: %s" % type(vec).__name__)
    at = 0
    for p in parameters:
        n = p.numel()
        p.data = vec.detach()[at : at + n].view(p._shape).data
        at += n
