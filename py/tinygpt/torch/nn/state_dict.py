"""A module's state by name: `state_dict`, `load_state_dict` and what a module adds to both (hooks,
extra state), with PyTorch's messages.
"""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from typing import Any
from weakref import ref

from ...core.moving import attributes_of
from ...core.state import no_grad
from ...core.tensor import Tensor
from ...nn import Module, Parameter
from ..front import extends
from ..utils.hooks import RemovableHandle
from .hooks import add
from .parameter import is_lazy

__all__: list[str] = []  # it gives Module its part
_EXTRA = "_extra_state"


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    __slots__ = ()

    def __repr__(self) -> str:
        return super().__repr__() if self.missing_keys or self.unexpected_keys else "<All keys matched successfully>"

    __str__ = __repr__


class _State(OrderedDict[str, Any]):
    """An OrderedDict with PyTorch's `_metadata`, the version of each module."""

    _metadata: Any


def _called(module: Any, name: str) -> list[Any]:
    return list(attributes_of(module).get(name, {}).values())


def _own_state(module: Any) -> dict[str, Any]:
    """The parameters and saved buffers of the module itself."""
    buffers = {name: x for name, x in module._buffers.items() if name not in module._unsaved}
    return {name: x for name, x in (*module._parameters.items(), *buffers.items()) if x is not None}


def _shape(x: Tensor) -> str:
    return "torch.Size(%s)" % list(x._shape)


@extends(Module)
class _WithState:
    def state_dict(self: Any, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """{name: Tensor that shares the memory} of parameters and buffers, an OrderedDict.

        destination: a dict to write into. keep_vars: the Parameters themselves.
        """
        for value, name in zip(args, ("destination", "prefix", "keep_vars"), strict=False):  # the former signature
            destination, prefix, keep_vars = (
                value if name == "destination" else destination,
                value if name == "prefix" else prefix,
                value if name == "keep_vars" else keep_vars,
            )
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = dict(version=self._version)
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in _called(self, "_state_dict_pre_hooks"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=prefix + name + ".", keep_vars=keep_vars)
        for hook in _called(self, "_state_dict_hooks"):
            given = hook(self, destination, prefix, metadata)
            if getattr(hook, "_from_public_api", False):
                if given is not None:
                    raise RuntimeError("state_dict post-hook must return None")
            elif given is not None:
                destination = given
        return destination

    def _save_to_state_dict(self: Any, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, tensor in _own_state(self).items():
            destination[prefix + name] = tensor if keep_vars or is_lazy(tensor) else tensor.detach()
        if type(self).get_extra_state is not Module.get_extra_state:  # pyright: ignore
            destination[prefix + _EXTRA] = self.get_extra_state()

    def get_extra_state(self) -> Any:
        """What else belongs to the state; a subclass defines it."""
        raise RuntimeError("%s.get_extra_state() is not defined; define it and set_extra_state" % type(self).__name__)

    def set_extra_state(self, state: Any) -> None:
        """Takes what get_extra_state returned; a subclass defines it."""
        raise RuntimeError("%s.set_extra_state() is not defined; define it and get_extra_state" % type(self).__name__)

    def load_state_dict(self: Any, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Copies the values in; assign: makes them the parameters. Returns (missing_keys,
        unexpected_keys).

        RuntimeError where names (strict) or shapes differ; what fits is copied before. TypeError
        for what is no mapping.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError("Expected state_dict to be dict-like, got %s." % type(state_dict))
        metadata = getattr(state_dict, "_metadata", None)
        values: Any = _State(state_dict)
        if metadata is not None:
            values._metadata = metadata
        missing: list[str] = []
        unexpected: list[str] = []
        problems: list[str] = []

        def load(module: Any, values: Any, prefix: str = "") -> None:
            local = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local["assign_to_params_buffers"] = assign
            module._load_from_state_dict(values, prefix, local, True, missing, unexpected, problems)
            for name, child in module._modules.items():
                if child is not None:
                    path = prefix + name + "."
                    load(child, {key: value for key, value in values.items() if key.startswith(path)}, path)
            keys = _IncompatibleKeys(missing, unexpected)
            for hook in _called(module, "_load_state_dict_post_hooks"):
                if hook(module, keys) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return "
                        "new values, if incompatible_keys need to be modified, it should be done inplace."
                    )

        load(self, values)
        if strict:
            for kind, keys in (("Unexpected", unexpected), ("Missing", missing)):
                if keys:
                    names = ", ".join('"%s"' % key for key in keys)
                    problems.insert(0, "%s key(s) in state_dict: %s. " % (kind, names))
        if problems:
            raise RuntimeError(
                "Error(s) in loading state_dict for %s:\n\t%s" % (type(self).__name__, "\n\t".join(problems))
            )
        return _IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(
        self: Any,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        for hook in _called(self, "_load_state_dict_pre_hooks"):
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        own = _own_state(self)
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, tensor in own.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            problem = _load_one(self, name, key, tensor, state_dict[key], assign)
            if problem:
                error_msgs.append(problem)
        extra = prefix + _EXTRA
        if type(self).set_extra_state is not Module.set_extra_state:  # pyright: ignore
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        for key in state_dict if strict else ():
            if key.startswith(prefix) and key != extra:
                name, _, rest = key[len(prefix) :].partition(".")
                if name not in self._modules if rest or "." in key[len(prefix) :] else name not in own:
                    unexpected_keys.append(key)

    def _register_state_dict_hook(self: Any, hook: Any) -> RemovableHandle:
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously registered via "
                "register_state_dict_post_hook"
            )
        return add(self._state_dict_hooks, hook)

    def register_state_dict_post_hook(self: Any, hook: Any) -> RemovableHandle:
        """hook(module, state_dict, prefix, local_metadata), called after state_dict."""
        hook._from_public_api = True
        return add(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self: Any, hook: Any) -> RemovableHandle:
        """hook(module, prefix, keep_vars), called before state_dict."""
        return add(self._state_dict_pre_hooks, hook)

    def _register_load_state_dict_pre_hook(self: Any, hook: Any, with_module: bool = False) -> RemovableHandle:
        return add(self._load_state_dict_pre_hooks, _OfModule(hook, self) if with_module else hook)

    def register_load_state_dict_pre_hook(self: Any, hook: Any) -> RemovableHandle:
        """hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs), called before load_state_dict.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self: Any, hook: Any) -> RemovableHandle:
        """hook(module, incompatible_keys), called after load_state_dict; it may change the
        lists.
        """
        return add(self._load_state_dict_post_hooks, hook)


class _OfModule:
    """A hook that gets its module first, which it holds weakly; a deep copy of the module has one
    of its own.
    """

    def __init__(self, hook: Any, module: Any) -> None:
        self.hook, self.module = hook, ref(module)

    def __call__(self, *args: Any) -> Any:
        return self.hook(self.module(), *args)

    def __getstate__(self) -> Any:
        return self.hook, self.module()

    def __setstate__(self, values: Any) -> None:
        self.__init__(*values)


def _load_one(module: Any, name: str, key: str, tensor: Any, given: Any, assign: bool) -> str | None:
    """Copies `given` into the tensor, or puts it in its place. Returns what is wrong, or None."""
    if not isinstance(given, Tensor):
        return (
            'While copying the parameter named "%s", expected torch.Tensor or Tensor-like object from checkpoint but '
            "received %s" % (key, type(given))
        )
    if not is_lazy(tensor):
        if not tensor._shape and given._shape == (1,):  # of before version 0.4
            given = given[0]
        if given._shape != tensor._shape:
            return (
                "size mismatch for %s: copying a param with shape %s from checkpoint, "
                "the shape in current model is %s." % (key, _shape(given), _shape(tensor))
            )
    try:
        with no_grad():
            if not assign:
                tensor.copy_(given)
            elif isinstance(tensor, Parameter):
                if isinstance(given, Parameter):
                    given.requires_grad_(tensor.requires_grad)
                else:
                    given = Parameter(given, requires_grad=tensor.requires_grad)
                setattr(module, name, given)
            else:
                setattr(module, name, given)
    except Exception as error:
        return (
            'While copying the parameter named "%s", whose dimensions in the model are %s and whose dimensions in '
            "the checkpoint are %s, an exception occurred : %s." % (key, tensor.size(), given.size(), error.args)
        )
    return None
