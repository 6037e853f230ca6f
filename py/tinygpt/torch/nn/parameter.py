"""Parameters and buffers, and those whose shape the first input decides."""

from __future__ import annotations

from typing import Any

from ...core.factory import empty
from ...core.state import state
from ...core.tensor import DTYPES, Tensor
from ...nn import Parameter

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


def new(*shape: int, device: Any = None, dtype: Any = None) -> Parameter:
    """An uninitialised Parameter, of the default dtype unless given."""
    return Parameter(empty(*shape, dtype=dtype or DTYPES[state.real], device=device))


class Buffer(Tensor):
    """A tensor that a Module lists among its buffers when it is assigned.

    persistent: whether a state_dict has it.
    """

    persistent: bool

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        data = empty(0) if data is None else data
        super().__init__(data._storage, data._shape, data._dtype, data._offset, data._strides, data.requires_grad)
        self.persistent = persistent


_shape: Any = Tensor.__dict__["_shape"]


class _Uninitialized:
    """What both kinds without a shape share."""

    def _no_shape(self) -> Any:
        raise ValueError(
            "Attempted to use an uninitialized parameter. When using a LazyModule call `forward` with a dummy batch to "
            "initialize the parameters before calling torch functions"
        )

    _shape = property(_no_shape, lambda self, value: _shape.__set__(self, value))

    def _refuse_unless_empty(self) -> None:
        """It is empty."""

    cls_to_become: type = Tensor

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` "
            "to initialize the parameters before accessing their attributes."
        )

    def materialize(self: Any, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Gives it memory of this shape, with any values."""
        made = empty(shape, dtype=dtype or self._dtype, device=device or self.device)
        self.__class__ = self.cls_to_become
        self._storage, self._shape, self._dtype = made._storage, made._shape, made._dtype
        self._offset, self._strides = 0, made._strides
        state.layout += 1

    def __repr__(self) -> str:
        return "<%s>" % type(self).__name__

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        return type(self), (self.requires_grad, None, self._dtype)


class UninitializedParameter(_Uninitialized, Parameter):
    """A Parameter whose shape the first call of its module decides."""

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        Parameter.__init__(self, empty(0, dtype=dtype or DTYPES[state.real], device=device), requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> UninitializedParameter:
        return memo.setdefault(id(self), type(self)(self.requires_grad, self.device, self._dtype))


class UninitializedBuffer(_Uninitialized, Tensor):
    """A buffer whose shape the first call of its module decides."""

    def __init__(
        self, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> None:
        data = empty(0, dtype=dtype or DTYPES[state.real], device=device)
        Tensor.__init__(self, data._storage, (0,), data._dtype, 0, None, requires_grad)
        self.persistent = persistent


def is_lazy(parameter: Any) -> bool:
    """Whether its shape is not known yet."""
    return isinstance(parameter, _Uninitialized)
