"""Modules with PyTorch's names and semantics: parameters by attribute, state_dict, train and eval,
and the layers a GPT is made of.

Parameter names and layouts are PyTorch's (Linear weight [out, in]), so a state_dict travels in both
directions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from . import functional as F
from .core import refused_names
from .core.current_device import get_device
from .core.factory import empty, full
from .core.gradients import clear_gradient, gradient_of
from .core.moving import Moving, Table, attributes_of
from .core.quoting import quoted
from .core.state import no_grad, state
from .core.tensor import Tensor, ints_of, whole_number
from .core.transfer import TransferState, move
from .ops import random

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from .devices.base import Device


class Parameter(Tensor):
    """A leaf tensor that requires a gradient and that a Module lists among its parameters."""

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        data = empty(0) if data is None else data
        if not isinstance(data, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]: a list, say
            raise TypeError("a Parameter is made of a Tensor, not of %s; use tensor(...)" % type(data).__name__)
        if requires_grad and not data._dtype.is_floating_point:
            raise RuntimeError(
                "a Parameter of %r cannot require gradients; use .float(), or requires_grad=False" % (data._dtype,)
            )
        super().__init__(data._storage, data._shape, data._dtype, data._offset, data._strides, requires_grad)


_TABLES = ("_parameters", "_modules", "_buffers")


class _Members(Table):
    """Parameters, modules or buffers of a Module by name. Each is an attribute of the module too,
    and a write into the table is one of the attribute.
    """

    _owner: Callable[[], Module | None] | None = None  # weak: the module holds its tables

    def of(self, owner: Module) -> _Members:
        """These as the members of another module."""
        other = _Members(self)
        other._owner = ref(owner)
        return other

    def __reduce__(self) -> Any:
        return _Members, (), None, None, iter(self.items())

    def _attributes(self) -> dict[str, Any]:
        owner = self._owner() if self._owner is not None else None
        return attributes_of(owner) if owner is not None else {}

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self._attributes()[name] = value

    def __delitem__(self, name: str) -> None:
        value, attributes = self[name], self._attributes()
        super().__delitem__(name)
        if attributes.get(name) is value:
            attributes.pop(name, None)

    def pop(self, name: str, *default: Any) -> Any:
        if name not in self:
            return super().pop(name, *default)
        value = self[name]
        del self[name]
        return value

    def popitem(self) -> tuple[str, Any]:
        name = next(reversed(self), "")
        return name, self.pop(name)

    def clear(self) -> None:
        for name in list(self):
            del self[name]

    def update(self, *values: Any, **named: Any) -> None:
        for name, value in dict(*values, **named).items():
            self[name] = value

    def __ior__(self, values: Any) -> Self:
        self.update(values)
        return self

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]


# What other layers keep for a module while it lives, by name: on its device, and never copied.
kept_for: WeakKeyDictionary[Module, dict[str, Any]] = WeakKeyDictionary()


class Module(Moving):
    """Base of all layers.

    Register Parameters and Modules by assigning them as attributes, and compute in `forward`.
    """

    training: bool
    # What is registered, by name: None where a name was set to None. Each is an attribute as well.
    _parameters: dict[str, Parameter | None]
    _modules: dict[str, Module | None]
    _buffers: dict[str, Tensor | None]

    _unsaved: set[str]
    _moves_epoch = True  # here too: what this class defines is constant (core/reads.py)

    def __init__(self) -> None:
        for table in _TABLES:
            object.__setattr__(self, table, _Members().of(self))
        object.__setattr__(self, "_unsaved", set())  # names of buffers that no state_dict has
        object.__setattr__(self, "training", True)

    def __setattr__(self, name: str, value: Any) -> None:
        """Registers Parameters and Modules. A name keeps its kind, as in PyTorch: TypeError where
        something else is assigned to a parameter, a module or a buffer.
        """
        tables = attributes_of(self)
        if "_parameters" not in tables:
            if isinstance(value, (Parameter, Module)):
                raise AttributeError(
                    "cannot assign %r before Module.__init__() call; call super().__init__() first" % name
                )
            object.__setattr__(self, name, value)
            return
        state.touch()
        if name == "__class__":
            state.layout += 1  # recordings look at attributes alone
        parameters, modules, buffers = tables["_parameters"], tables["_modules"], tables["_buffers"]
        if isinstance(value, Parameter):
            modules.pop(name, None)
            buffers.pop(name, None)
            parameters[name] = value
        elif name in parameters:
            if value is not None:
                raise TypeError(
                    "cannot assign %s to the parameter %r; give a Parameter or None, or write into it: "
                    "with no_grad(): module.%s.copy_(...)" % (type(value).__name__, name, name)
                )
            parameters[name] = None
        elif isinstance(value, Module):
            buffers.pop(name, None)
            modules[name] = value
        elif name in modules:
            if value is not None:
                raise TypeError(
                    "cannot assign %s to the module %r; give a Module or None" % (type(value).__name__, name)
                )
            modules[name] = None
        elif name in buffers:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    "cannot assign %s to the buffer %r; give a Tensor or None" % (type(value).__name__, name)
                )
            buffers[name] = value
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        state.touch()
        for table in _TABLES if "_parameters" in attributes_of(self) else ():
            attributes_of(self)[table].pop(name, None)

    def _check_name(self, name: str, table: str, kind: str) -> None:
        """Whether `name` may be registered in the table: PyTorch's checks in its register_...
        methods.
        """
        if "_parameters" not in attributes_of(self):
            raise AttributeError("cannot assign a %s before Module.__init__() call; call it first" % kind)
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("a %s's name is a str, not %r" % (kind, name))
        if "." in name or not name:
            raise KeyError("a %s's name must have a letter and no dot, unlike %r" % (kind, name))
        if hasattr(self, name) and name not in attributes_of(self)[table]:
            raise KeyError("attribute %r already exists; choose another name for the %s" % (name, kind))

    def _register(self, name: str, table: str, value: Any) -> None:
        """Lists the value in the table, and makes it an attribute."""
        state.touch()
        object.__setattr__(self, name, value)
        attributes_of(self)[table][name] = value

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """A tensor that belongs to the state but is not trained; a state_dict has it if persistent.

        KeyError for a name that is taken or has a dot.
        """
        self._check_name(name, "_buffers", "buffer")
        if tensor is not None and not isinstance(tensor, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("the buffer %r must be a Tensor or None, not %s" % (name, type(tensor).__name__))
        self._register(name, "_buffers", tensor)
        (self._unsaved.discard if persistent else self._unsaved.add)(name)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Lists `parameter` (or None) under `name`, as an assignment does.

        KeyError for a name that is taken or has a dot.
        """
        self._check_name(name, "_parameters", "parameter")
        if parameter is not None and not isinstance(parameter, Parameter):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("the parameter %r must be a Parameter or None, not %s" % (name, type(parameter).__name__))
        self._register(name, "_parameters", parameter)

    def add_module(self, name: str, module: Module | None) -> None:
        """Lists `module` (or None) under `name`, as an assignment does.

        KeyError for a name that is taken or has a dot.
        """
        if module is not None and not isinstance(module, Module):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("the module %r must be a Module or None, not %s" % (name, type(module).__name__))
        self._check_name(name, "_modules", "module")
        self._register(name, "_modules", module)

    def __getstate__(self) -> dict[str, Any]:
        """What copy and pickle take."""
        return dict(attributes_of(self))

    def __setstate__(self, values: dict[str, Any]) -> None:
        attributes_of(self).update(values)
        self._own_tables()

    def _own_tables(self) -> None:
        attributes = attributes_of(self)
        attributes.update({name: attributes[name].of(self) for name in _TABLES if name in attributes})

    def __copy__(self) -> Self:
        """A module with the same parameters, modules and buffers, and tables of its own."""
        other = type(self).__new__(type(self))
        attributes_of(other).update(self.__getstate__())
        if "_unsaved" in attributes_of(other):
            other._own_tables()
            attributes_of(other)["_unsaved"] = self._unsaved.copy()
        return other

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; called through `module(...)`. Subclasses define it."""
        raise NotImplementedError("%s has no forward(); define it" % type(self).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def children(self) -> Iterator[Module]:
        """The modules that are attributes of this one, each once."""
        return (module for _, module in self.named_children())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, Module) pairs of `children`."""
        first: dict[int, tuple[str, Module]] = {}
        for name, module in self._modules.items():
            if module is not None:
                first.setdefault(id(module), (name, module))
        return iter(first.values())

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """(path, Module) pairs: this one under `prefix`, then all below it.

        A shared module comes once unless remove_duplicate is False.
        """
        return self._walk(prefix, set() if remove_duplicate else None)

    def _walk(self, prefix: str, seen: set[int] | None) -> Iterator[tuple[str, Module]]:
        if seen is not None:
            if id(self) in seen:
                return
            seen.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module._walk(prefix + "." + name if prefix else name, seen)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """(name, Parameter) pairs in order of definition.

        A shared parameter comes once unless remove_duplicate is False.
        """
        return self._named("_parameters", prefix, remove_duplicate)

    def _named(self, table: str, prefix: str, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        """(path, entry) pairs of the table of this module and of all below it."""
        seen: set[int] = set()
        for path, module in self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate):
            for name, entry in getattr(module, table).items():
                if entry is None or remove_duplicate and id(entry) in seen:
                    continue
                seen.add(id(entry))
                yield (path + "." + name if path else name), entry

    def parameters(self) -> Iterator[Parameter]:
        """Every Parameter, in order of definition; a shared one once."""
        return (p for _, p in self.named_parameters())

    def named_buffers(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """(name, buffer) pairs in order of registration, as named_parameters."""
        return self._named("_buffers", prefix, remove_duplicate)

    def buffers(self) -> Iterator[Tensor]:
        """Every buffer; a shared one once."""
        return (buffer for _, buffer in self.named_buffers())

    def get_submodule(self, target: str) -> Module:
        """The module at a path with dots, this one for "". AttributeError where there is none."""
        module: Any = self
        for name in target.split(".") if target else ():
            found = getattr(module, name, None)
            if not isinstance(found, Module):
                raise AttributeError("%s has no module %r on the path %r" % (type(module).__name__, name, target))
            module = found
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path with dots. AttributeError where there is none."""
        return self._at(target, "_parameters", "parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path with dots. AttributeError where there is none."""
        return self._at(target, "_buffers", "buffer")

    def _at(self, target: str, table: str, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        found = attributes_of(self.get_submodule(path))[table].get(name)
        if found is None:
            raise AttributeError("%s has no %s %r" % (type(self).__name__, kind, target))
        return found

    def train(self, mode: bool = True) -> Self:
        """Sets training mode (dropout is active) here and below. Returns self."""
        if not isinstance(mode, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError("training mode is expected to be boolean, not %r" % (mode,))
        state.touch()
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self) -> Self:
        """Ends training mode here and below. Returns self."""
        return self.train(False)

    def apply(self, function: Callable[[Module], object]) -> Self:
        """Calls function(module) on every module, children first. Returns self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Requests or ends gradients of every parameter. Returns self."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Sets every gradient to None; set_to_none=False: to zeros in place."""
        for p in self.parameters():
            if set_to_none:
                p.grad = None
            elif gradient_of(p) is not None:
                clear_gradient(p)

    def to(self, device: str | Device) -> Self:
        """Moves parameters, gradients and buffers to `device` (a name or a Device), bit by bit.

        They stay the same objects. Returns self. Parameters that an optimizer holds move with all
        others of that optimizer, and its moments follow at its next step.
        """
        move(get_device(device), self)
        return self

    def _transfer_state(self) -> TransferState:
        return TransferState(list(attributes_of(self).values()), forget_place=lambda: kept_for.pop(self, None))

    def state_dict(self) -> dict[str, Tensor]:
        """{name: Tensor that shares the memory} of parameters and buffers.

        A shared parameter is under each of its names.
        """
        out: dict[str, Tensor] = {}
        for path, module in self.named_modules(remove_duplicate=False):
            for table in (module._parameters, module._buffers):
                for name, tensor in table.items():
                    if tensor is not None and not (table is module._buffers and name in module._unsaved):
                        out[path + "." + name if path else name] = tensor.detach()
        return out

    def load_state_dict(self, values: Mapping[str, Tensor], strict: bool = True) -> tuple[list[str], list[str]]:
        """Copies `values` in. Returns (missing names, unexpected names).

        RuntimeError, before anything is written, where names (strict) or shapes differ. TypeError
        for what is no mapping.
        """
        if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("expected state_dict to be dict-like, not %s" % type(values).__name__)
        own = self.state_dict()
        missing, unexpected = [n for n in own if n not in values], [n for n in values if n not in own]
        # As in PyTorch, what is below a module that was set to None is not looked at.
        empty = [
            (path + "." + name if path else name) + "."
            for path, module in self.named_modules(remove_duplicate=False)
            for name, child in module._modules.items()
            if child is None
        ]
        unexpected = [n for n in unexpected if not n.startswith(tuple(empty))]
        problems: list[str] = []
        if strict and missing:
            problems.append("Missing key(s) in state_dict: %s." % ", ".join(missing))
        if strict and unexpected:
            problems.append("Unexpected key(s) in state_dict: %s." % ", ".join(unexpected))
        for name, tensor in own.items():
            given: Any = values.get(name, tensor)
            if not isinstance(given, Tensor):
                problems.append("%s must be a Tensor, not %s." % (name, type(given).__name__))
            elif given.shape != tensor.shape:
                problems.append(
                    "size mismatch for %s: the given shape is %s, the current model's is %s."
                    % (name, list(given.shape), list(tensor.shape))
                )
        if problems:
            raise RuntimeError("Error(s) in loading state_dict for %s: %s" % (type(self).__name__, " ".join(problems)))
        with no_grad():
            for name, tensor in own.items():
                if name in values:
                    tensor.copy_(values[name].to(tensor.device))
        return missing, unexpected

    def extra_repr(self) -> str:
        """What stands between the parentheses when the module prints."""
        return ""

    def __repr__(self) -> str:
        lines = ["(%s): %s" % (name, "\n  ".join(repr(m).split("\n"))) for name, m in self._modules.items()]
        head = type(self).__name__ + "(" + self.extra_repr()
        return head + ")" if not lines else head + "\n  " + "\n  ".join(lines) + "\n)"


refused_names.refuse(Module, refused_names.MODULE)


def _uniform_parameter(*shape: int, bound: float) -> Parameter:
    return Parameter(random.uniform_(empty(*shape), -bound, bound))


class Linear(Module):
    """y = x W^T + b over the last dimension.

    weight: [out_features, in_features]. bias: [out_features]. Both are uniform in
    +-1/sqrt(in_features) at first.
    """

    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        bound = 1.0 / math.sqrt(in_features) if in_features else 0.0
        self.weight = _uniform_parameter(out_features, in_features, bound=bound)
        self.register_parameter("bias", _uniform_parameter(out_features, bound=bound) if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        """x [..., in_features] -> [..., out_features], float32."""
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return "in_features=%d, out_features=%d, bias=%s" % (self.in_features, self.out_features, self.bias is not None)


class Embedding(Module):
    """Rows of weight [num_embeddings, embedding_dim] by int32 index; standard normal at first."""

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(random.normal_(empty(num_embeddings, embedding_dim)))

    def forward(self, index: Tensor) -> Tensor:
        """index int32 [...] -> [..., embedding_dim]. IndexError outside num_embeddings."""
        return F.embedding(index, self.weight)

    def extra_repr(self) -> str:
        return "%d, %d" % (self.num_embeddings, self.embedding_dim)


def _last_dim(shape: int | Sequence[int]) -> tuple[int, ...]:
    shape = ints_of((shape,), "a size of normalized_shape")
    if len(shape) != 1:
        raise ValueError("normalized_shape %s: only the last dimension can be normalized" % (list(shape),))
    return shape


class LayerNorm(Module):
    """Layer norm over the last dimension, weight and bias [C] (Ba et al. 2016)."""

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.normalized_shape, self.eps = _last_dim(normalized_shape), eps
        self.register_parameter("weight", Parameter(full(self.normalized_shape, 1.0)) if elementwise_affine else None)
        self.register_parameter(
            "bias", Parameter(full(self.normalized_shape, 0.0)) if elementwise_affine and bias else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """x [..., C] -> [..., C]."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return "%s, eps=%g" % (self.normalized_shape, self.eps)


class RMSNorm(Module):
    """RMS norm over the last dimension, weight [C] (Zhang and Sennrich 2019).

    eps: as functional.rms_norm's.
    """

    weight: Parameter | None

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        self.normalized_shape, self.eps = _last_dim(normalized_shape), eps
        self.register_parameter("weight", Parameter(full(self.normalized_shape, 1.0)) if elementwise_affine else None)

    def forward(self, x: Tensor) -> Tensor:
        """x [..., C] -> [..., C]."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return "%s, eps=%s" % (self.normalized_shape, self.eps)


class Dropout(Module):
    """Zeroes elements with probability p while training."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError("dropout probability has to be between 0 and 1, but got %r" % (p,))
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """x with elements zeroed and the rest scaled by 1 / (1 - p) in training mode, else x."""
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return "p=%g" % self.p


class GELU(Module):
    """x * Phi(x); approximate="tanh" for the tanh form."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return F.gelu(x, self.approximate)


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return F.relu(x)


class SiLU(Module):
    """x * sigmoid(x)."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return F.silu(x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return F.tanh(x)


def _renamed(container: Module, modules: Mapping[str, Any]) -> None:
    """Makes `modules` the container's modules, in their order."""
    for module in modules.values():
        _check_module(container, module)
    for name in list(container._modules):
        delattr(container, name)
    for name, module in modules.items():
        container.add_module(name, module)


def _check_module(container: Module, module: Any) -> None:
    if not isinstance(module, Module):
        raise TypeError("%s is not a Module, and cannot be part of a %s" % (quoted(module), type(container).__name__))


def _add_numbered(container: Module, name: str, module: Any) -> None:
    _check_module(container, module)
    container.add_module(name, module)


class _Numbered(Module):
    """What Sequential and ModuleList share: modules in an order, each under its number."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def append(self, module: Module) -> Self:
        """Adds a module at the end. Returns self."""
        _add_numbered(self, str(len(self._modules)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Adds several modules at the end. Returns self."""
        if not isinstance(modules, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("%s.extend needs an iterable, not %s" % (type(self).__name__, quoted(modules)))
        for module in list(modules):
            self.append(module)
        return self

    def _insert(self, index: int, module: Module) -> None:
        n = len(self)
        if not -n <= whole_number(index, "an index") <= n:
            raise IndexError("index %d is out of range for a %s of %d modules" % (index, type(self).__name__, n))
        modules = list(self)
        modules.insert(index, module)
        self._number(modules)

    def pop(self, index: int) -> Any:
        """Takes the module at `index` out, and returns it."""
        module = self[index]
        del self[index]
        return module

    def __getitem__(self, i: int | slice) -> Any:
        """One module, or several in a container of this class."""
        if isinstance(i, slice):
            return self._of(list(self._modules.items())[i])
        return list(self)[self._place(i)]

    def __setitem__(self, i: int, module: Module) -> None:
        _check_module(self, module)
        setattr(self, list(self._modules)[self._place(i)], module)

    def __delitem__(self, i: int | slice) -> None:
        modules = list(self)
        del modules[i if isinstance(i, slice) else self._place(i)]
        self._number(modules)

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def _of(self, modules: list[tuple[str, Any]]) -> Self:
        return type(self)([module for _, module in modules])  # pyright: ignore[reportCallIssue]

    def _place(self, i: Any) -> int:
        """An index as one from 0. IndexError outside."""
        place, n = whole_number(i, "an index"), len(self)
        if not -n <= place < n:
            raise IndexError("index %d is out of range for a %s of %d modules" % (place, type(self).__name__, n))
        return place % n

    def _number(self, modules: Sequence[Any]) -> None:
        _renamed(self, {str(i): module for i, module in enumerate(modules)})


class Sequential(_Numbered):
    """Modules applied one after the other; indexable."""

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        given: Any = modules
        if len(modules) == 1 and isinstance(modules[0], dict):  # PyTorch's OrderedDict of names
            given = modules[0]
        for name, module in given.items() if isinstance(given, dict) else enumerate(given):
            _add_numbered(self, str(name), module)

    def forward(self, x: Tensor) -> Tensor:
        """What the last module gives."""
        for module in self._modules.values():
            x = module(x)  # pyright: ignore[reportOptionalCall]: None is no layer, and says so
        return x

    def insert(self, index: int, module: Module) -> Self:
        """Puts a module in front of the one at `index`. Returns self."""
        self._insert(index, module)
        return self

    def _of(self, modules: list[tuple[str, Any]]) -> Self:
        return type(self)(dict(modules))

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self).extend(_sequential(other))

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(_sequential(other))

    def __mul__(self, times: int) -> Sequential:
        return Sequential(*(list(self) * _times(times)))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        return self.extend(list(self) * (_times(times) - 1))


def _sequential(other: Any) -> Any:
    if not isinstance(other, Sequential):
        raise ValueError("a Sequential can be added to a Sequential only, not to %s; use extend" % quoted(other))
    return other


def _times(times: Any) -> int:
    if not isinstance(times, int):
        raise TypeError("a Sequential can be multiplied by an int only, not by %s" % quoted(times))
    if times <= 0:
        raise ValueError("a Sequential can be multiplied by a positive int only, not by %d" % times)
    return times


class ModuleList(_Numbered):
    """A list of modules, each registered under its number."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def insert(self, index: int, module: Module) -> None:
        """Puts a module in front of the one at `index`."""
        self._insert(index, module)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])


class ModuleDict(Module):
    """Modules by name, in the order in which they came."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, name: str) -> Any:
        return self._modules[name]

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self._modules[name]  # a KeyError where there is none
        delattr(self, name)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def clear(self) -> None:
        """Takes every module out."""
        _renamed(self, {})

    def pop(self, name: str) -> Any:
        """Takes a module out, and returns it. KeyError where there is none."""
        module = self[name]
        del self[name]
        return module

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """(name, module) pairs."""
        return self._modules.items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Adds the modules of a dict, or of (name, module) pairs; those of equal names go."""
        if not isinstance(modules, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("ModuleDict.update needs a dict or pairs, not %s" % quoted(modules))
        pairs: Any = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules
        for pair in pairs:
            if not isinstance(pair, Iterable):
                raise TypeError("ModuleDict.update needs (name, module) pairs, not %s" % quoted(pair))
            pair = list(pair)
            if len(pair) != 2:
                raise ValueError("ModuleDict.update needs (name, module) pairs, not %d items" % len(pair))
            self[pair[0]] = pair[1]


class CrossEntropyLoss(Module):
    """functional.cross_entropy as a module."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: None = None,
        ignore_index: int = -100,
        reduce: None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.size_average, self.reduce = size_average, reduce
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """logits [N, V] float32, targets [N] int32 -> the loss in nats."""
        return F.cross_entropy(
            logits,
            targets,
            self.weight,
            self.size_average,
            self.ignore_index,
            self.reduce,
            self.reduction,
            self.label_smoothing,
        )


__getattr__ = refused_names.of_module(__name__)
