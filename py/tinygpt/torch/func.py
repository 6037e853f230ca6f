"""torch.func: a module called with other parameters. The transforms of functions are not here."""

from __future__ import annotations

from typing import Any

from . import table
from .nn.utils.stateless import functional_call

__all__ = ["functional_call"]
_GRADIENTS = "use torch.autograd.grad or torch.autograd.functional"
_BATCHES = "write the batch as a dimension of the tensors"
ABSENT = {
    "vmap": _BATCHES,
    "stack_module_state": _BATCHES,
    **dict.fromkeys(("grad", "grad_and_value", "vjp", "jvp", "jacrev", "jacfwd", "hessian", "linearize"), _GRADIENTS),
}


def __getattr__(name: str) -> Any:
    """The sentence on a name that is not here."""
    return table.absent(__name__, name)
