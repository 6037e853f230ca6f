"""What a Module has under PyTorch's name beyond TinyGPT's: iterators with PyTorch's arguments,
casts, its printed form, paths of submodules.
"""

from __future__ import annotations

from typing import Any

from ...core.current_device import get_device
from ...core.factory import empty, like
from ...core.moving import attributes_of
from ...core.state import no_grad, state
from ...core.tensor import DTYPES, Tensor
from ...core.tensor import dtype as DType
from ...core.transfer import move
from ...nn import Module, Parameter
from ..front import extends
from .hooks import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
)
from .parameter import Buffer, is_lazy

__all__ = [
    "Module",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]

_HOOK = "a compiled function that calls it runs step by step, since a replay calls no Python"
LIMITED = {
    "register_backward_hook": "refused: register_full_backward_hook shows the gradients of inputs and outputs",
    "register_forward_hook": _HOOK,
    "register_forward_pre_hook": _HOOK,
    "register_full_backward_hook": _HOOK,
    "register_full_backward_pre_hook": _HOOK,
    "cuda": 'refused: use .to("webgpu") for the browser\'s GPU',
    "compile": "the module computes the same and is not recorded; compile the function of a step",
    "share_memory": "nothing happens: a tab is one process",
}
ABSENT = dict.fromkeys(("xpu", "ipu", "mtia"), 'use .to("webgpu") for the browser\'s GPU')
_CUDA = 'there is no CUDA here; .to("webgpu") moves a module to the browser\'s GPU'


def indented(text: str, spaces: int = 2) -> str:
    """`text` with all lines but the first moved to the right."""
    return ("\n" + " " * spaces).join(text.split("\n"))


_addindent = indented  # PyTorch's name of it


def become(tensor: Tensor, other: Tensor) -> None:
    """Makes `tensor` show what `other` does: `tensor.data = other`, of any dtype."""
    if other is tensor:
        return
    if other._dtype is tensor._dtype and other.device is tensor.device:
        tensor.data = other
        return
    if tensor._storage.owner is not None:
        state.keep_apart(tensor)
    tensor._storage, tensor._offset = other._storage.counted(), other._offset
    tensor._shape, tensor._strides, tensor._dtype = other._shape, other._strides, other._dtype
    tensor._slot = None
    state.layout += 1


_set_attribute: Any = Module.__setattr__
_set_class: Any = object.__setattr__


@extends(Module)
class _Module:
    _version = 1
    call_super_init = False
    dump_patches = False

    def __setattr__(self: Any, name: str, value: Any) -> None:
        if type(value) is Buffer and "_buffers" in attributes_of(self):
            if name in attributes_of(self) and name not in self._buffers:
                delattr(self, name)
            self.register_buffer(name, value, value.persistent)
        else:
            _set_attribute(self, name, value)

    def __getattr__(self: Any, name: str) -> Any:
        """Where there is no attribute: what is in a table alone."""
        for table in ("_parameters", "_buffers", "_modules"):
            if name in attributes_of(self).get(table, ()):
                return attributes_of(self)[table][name]
        raise AttributeError("'%s' object has no attribute '%s'" % (type(self).__name__, name))

    def __dir__(self: Any) -> list[str]:
        names = {*dir(type(self)), *attributes_of(self)}
        return sorted(name for name in names if not name[0].isdigit())

    def __repr__(self: Any) -> str:
        extra = self.extra_repr()
        extra = extra.split("\n") if extra else []
        children = ["(%s): %s" % (name, indented(repr(module))) for name, module in self._modules.items()]
        inside = extra[0] if len(extra) == 1 and not children else ""
        if not inside and (extra or children):
            inside = "\n  " + "\n  ".join(extra + children) + "\n"
        return self._get_name() + "(" + inside + ")"

    def _get_name(self) -> str:
        return type(self).__name__

    @property
    def _non_persistent_buffers_set(self: Any) -> set[str]:
        return self._unsaved

    def register_module(self: Any, name: str, module: Module | None) -> None:
        """add_module."""
        self.add_module(name, module)

    # ---- iterators ----

    def parameters(self: Any, recurse: bool = True) -> Any:
        """Every Parameter, in order of definition; a shared one once. recurse: those below too."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_parameters(self: Any, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Any:
        """(name, Parameter) pairs."""
        return self._named_members(lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def buffers(self: Any, recurse: bool = True) -> Any:
        """Every buffer; a shared one once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def named_buffers(self: Any, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Any:
        """(name, buffer) pairs."""
        return self._named_members(lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def _named_members(
        self: Any, members: Any, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Any:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in members(module):
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield path + ("." if path else "") + name, member

    def named_modules(self: Any, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True) -> Any:
        """(path, Module) pairs: this one under `prefix`, then all below it; those in memo are left
        out.
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, prefix + ("." if prefix else "") + name, remove_duplicate)

    # ---- modes, casts, devices ----

    def train(self: Any, mode: bool = True) -> Any:
        """Sets training mode (dropout is active) here and below. Returns self."""
        if not isinstance(mode, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def _apply(self: Any, function: Any, recurse: bool = True) -> Any:
        if recurse:
            for module in self.children():
                module._apply(function)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            if is_lazy(parameter):
                parameter._dtype = function(empty(0, dtype=parameter._dtype, device=parameter.device))._dtype
                continue
            gradient = parameter.grad
            with no_grad():
                become(parameter, function(parameter))
                if gradient is not None:
                    parameter.grad = None
                    parameter.grad = function(gradient)
        for name, buffer in list(self._buffers.items()):
            if buffer is not None:
                self._buffers[name] = function(buffer)
        return self

    def to(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Moves parameters and buffers to a device, casts those of float dtypes, or both:
        to(device), to(dtype), to(device, dtype), to(tensor). Returns self.

        TypeError for a dtype that is no float.
        """
        device, dtype = _place_and_dtype(args, kwargs)
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=%r" % (dtype,)
            )
        if device is not None:
            move(get_device(device), self)
        return self if dtype is None else self._apply(_caster(dtype))

    def float(self: Any) -> Any:
        """Casts parameters and buffers of float dtypes to float32. Returns self."""
        return self._apply(_caster(DTYPES["float32"]))

    def double(self: Any) -> Any:
        """Casts parameters and buffers of float dtypes to float64. Returns self."""
        return self._apply(_caster(DTYPES["float64"]))

    def half(self: Any) -> Any:
        """Casts parameters and buffers of float dtypes to float16. Returns self."""
        return self._apply(_caster(DTYPES["float16"]))

    def bfloat16(self: Any) -> Any:
        """Casts parameters and buffers of float dtypes to bfloat16. Returns self."""
        return self._apply(_caster(DTYPES["bfloat16"]))

    def type(self: Any, dst_type: Any) -> Any:
        """Casts all parameters and buffers, as Tensor.type. Returns self."""
        if isinstance(dst_type, DType):
            return self._apply(lambda x: x._cast(dst_type))
        return self._apply(lambda x: x.type(dst_type))

    def cpu(self: Any) -> Any:
        """Moves to the processor. Returns self."""
        return self.to("cpu")

    def cuda(self: Any, device: Any = None) -> Any:
        """RuntimeError: there is none."""
        raise AssertionError("Torch not compiled with CUDA enabled: " + _CUDA)

    def to_empty(self: Any, *, device: Any, recurse: bool = True) -> Any:
        """Moves to a device without the values. Returns self."""
        move(get_device(device), self)
        return self._apply(like, recurse=recurse)

    def share_memory(self: Any) -> Any:
        """self: a tab is one process."""
        return self

    def compile(self: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: calls of the module compute the same. torch.compile(function) records a step."""

    def requires_grad_(self: Any, requires_grad: bool = True) -> Any:
        """Requests or ends gradients of every parameter. Returns self."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    # ---- paths ----

    def get_submodule(self: Any, target: str) -> Module:
        """The module at a path with dots. AttributeError where there is none."""
        module: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError("%s has no attribute `%s`" % (type(module).__name__, name))
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError("`%s` is not an nn.Module" % name)
        return module

    def set_submodule(self: Any, target: str, module: Module, strict: bool = False) -> None:
        """Puts a module at a path. ValueError for "" and for what is no Module; AttributeError
        where the path holds something else, or (strict) nothing.
        """
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError("`module` is not an nn.Module, found %s" % type(module))
        path, _, name = target.rpartition(".")
        parent: Any = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError("%s has no attribute `%s`" % (parent._get_name(), name))
        if not isinstance(getattr(parent, name, module), Module):
            raise AttributeError("`%s` is not an nn.Module" % name)
        setattr(parent, name, module)


def _caster(dtype: DType) -> Any:
    return lambda x: x._cast(dtype) if x._dtype.is_floating_point else x


def _place_and_dtype(args: Any, kwargs: Any) -> tuple[Any, Any]:
    """(device or None, dtype or None) of the arguments of Module.to."""
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    for unused in ("non_blocking", "memory_format"):
        kwargs.pop(unused, None)
    tensor = kwargs.pop("tensor", None)
    if kwargs:
        raise TypeError("to() received an invalid combination of arguments: %s" % ", ".join(sorted(kwargs)))
    for value in args if tensor is None else (tensor, *args):
        if isinstance(value, Tensor):
            device, dtype = value.device, value._dtype
        elif isinstance(value, DType):
            dtype = value
        elif value is not None and not isinstance(value, bool):
            device = value
    return device, dtype


@extends(Parameter)
class _Parameter:
    def __repr__(self: Any) -> str:
        return "Parameter containing:\n" + Tensor.__repr__(self)
