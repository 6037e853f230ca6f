"""Parametrizations: a parameter that modules compute of others, at each read."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from ....core.state import no_grad, state
from ....core.tensor import Tensor
from ....nn import Module, ModuleDict, ModuleList, Parameter
from ..module import become

__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "transfer_parametrizations_and_params", "type_before_parametrizations",
]  # fmt: skip

_cache: dict[tuple[int, str], Any] = {}
_caching = 0


@contextlib.contextmanager
def cached() -> Any:
    """Inside, each parametrized tensor is computed once."""
    global _caching
    _caching += 1
    try:
        yield
    finally:
        _caching -= 1
        if not _caching:
            _cache.clear()


def _register(module: Any, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _check_same(what: str, before: Any, after: Any, shape: bool = True) -> None:
    if not isinstance(after, Tensor):
        raise ValueError("A parametrization must return a tensor. Got %s." % type(after).__name__)
    if after._dtype is not before[1]:
        raise ValueError("%s may not change the dtype of the tensor, from %s to %s" % (what, before[1], after._dtype))
    if shape and after._shape != before[0]:
        raise ValueError(
            "%s may not change the shape of the tensor, from %s to %s, unless `unsafe` flag is enabled."
            % (what, list(before[0]), list(after._shape))
        )


def _inverse(parametrization: Any, value: Any) -> Any:
    """right_inverse, or the value where there is none."""
    if hasattr(parametrization, "right_inverse"):
        with contextlib.suppress(NotImplementedError):
            return parametrization.right_inverse(value)
    return value


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, and what it is computed of: `original`, or original0,
    original1 and so on.
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        before = original._shape, original._dtype
        with no_grad():
            new: Any = original
            for module in reversed(list(self)):
                new = _inverse(module, new)
        if not isinstance(new, (Tensor, Sequence)):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got %s"
                % type(new).__name__
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if isinstance(new, Tensor) else len(new)
        if isinstance(new, Tensor):
            if new._dtype is not before[1]:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\noriginal.dtype: %s\n"
                    "right_inverse(original).dtype: %s" % (before[1], new._dtype)
                )
            become(original, new.detach() if new is not original else original)
            _register(self, "original", original)
        else:
            for i, part in enumerate(new):
                if not isinstance(part, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got element "
                        "%d of the sequence with type %s." % (i, type(part).__name__)
                    )
                part = part.detach()
                if isinstance(original, Parameter):
                    part = Parameter(part, original.requires_grad)
                _register(self, "original%d" % i, part)
        if not unsafe:
            _check_same("Registering a parametrization", before, self())

    def right_inverse(self, value: Tensor) -> None:
        """Writes what gives `value` into the originals."""
        with no_grad():
            new: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError("parametrization %s does not implement right_inverse." % type(module).__name__)
                new = module.right_inverse(new)
            if self.is_tensor:
                _check_same("right_inverse", (self.original._shape, self.original._dtype), new, shape=False)
                become(self.original, new.detach())
                return
            if not isinstance(new, Sequence) or len(new) != self.ntensors:
                raise ValueError("'right_inverse' must return a sequence of length %d." % self.ntensors)
            for i, part in enumerate(new):
                become(getattr(self, "original%d" % i), part.detach())

    def forward(self) -> Any:
        """The tensor."""
        modules = list(self)
        if self.is_tensor:
            x = modules[0](self.original)
        else:
            x = modules[0](*(getattr(self, "original%d" % i) for i in range(self.ntensors)))
        for module in modules[1:]:
            x = module(x)
        return x


def _parametrized_class(cls: Any) -> type:
    """A class of its own for the module, since it gets properties."""

    def getstate(self: Any) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
        )

    def deepcopy(self: Any, memo: dict[int, Any]) -> Any:
        import copy  # most modules are never copied

        from ....core.moving import attributes_of  # beside it

        kind: Any = type(self)
        other = kind.__new__(kind)
        memo[id(self)] = other
        other.__setstate__(copy.deepcopy(dict(attributes_of(self)), memo))
        return other

    return type("Parametrized" + cls.__name__, (cls,), {"__getstate__": getstate, "__deepcopy__": deepcopy})


def _inject(module: Any, name: str) -> None:
    def get(self: Any) -> Any:
        if not _caching:
            return self.parametrizations[name]()
        key = id(self), name
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def set(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, set))
    state.layout += 1


def register_parametrization(module: Any, tensor_name: str, parametrization: Any, *, unsafe: bool = False) -> Module:
    """Makes module.tensor_name what parametrization(original) gives; the next one is applied to its
    result. Returns module.

    ValueError where dtype or shape change (but for unsafe), or there is no such tensor.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            before = getattr(module, tensor_name)
            after = parametrization(before)
            _check_same("Registering a parametrization", (before._shape, before._dtype), after)
            if hasattr(parametrization, "right_inverse"):
                _check_same("right_inverse", (before._shape, before._dtype), _inverse(parametrization, after))
        parametrizations = module.parametrizations[tensor_name]
        parametrizations.append(parametrization)
        parametrizations.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        made = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            module.__class__ = _parametrized_class(type(module))
            module.parametrizations = ModuleDict()
        _inject(module, tensor_name)
        module.parametrizations[tensor_name] = made
    else:
        raise ValueError(
            "Module '%s' does not have a parameter, a buffer, or a parametrized element with name '%s'"
            % (module, tensor_name)
        )
    return module


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Whether the module, or that tensor of it, has parametrizations."""
    found = getattr(module, "parametrizations", None)
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Any, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Makes the tensor a plain one again: its value now, or (leave_parametrized=False) the
    original. Returns module. ValueError where it has none.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError("Module %s does not have a parametrization on %s" % (module, tensor_name))
    made = module.parametrizations[tensor_name]
    if made.is_tensor:
        original = made.original
        if leave_parametrized:
            with no_grad():
                become(original, getattr(module, tensor_name).detach())
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    state.layout += 1
    return module


def type_before_parametrizations(module: Any) -> type:
    """The module's class before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module: Any, to_module: Any, tensor_name: str | None = None) -> Module:
    """Gives to_module the parametrizations of from_module and their originals. Returns
    to_module.
    """
    if not is_parametrized(from_module):
        return to_module
    for name in from_module.parametrizations if tensor_name is None else [tensor_name]:
        source = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        for part in source._parameters:
            setattr(to_module.parametrizations[name], part, getattr(source, part))
    return to_module
