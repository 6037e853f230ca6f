"""`torch.autograd.Variable`, the former name of a tensor on the tape."""

from __future__ import annotations

from typing import Any

from ...core.factory import empty
from ...core.tensor import Tensor


class _VariableMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_VariableMeta):
    """Variable(x, requires_grad) is x.detach() with requires_grad; every Tensor is an instance."""

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: Any = None) -> Any:
        if data is None:
            data = empty(0)
        return data.detach().requires_grad_(requires_grad)
