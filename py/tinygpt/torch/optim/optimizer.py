"""The base of the optimizers: parameter groups, state by parameter, state_dict, hooks.

Other code subclasses Optimizer as it subclasses PyTorch's: `self.param_groups`, `self.state[p]`,
`step(closure)`. A parameter keeps its own memory; there is no arena as in tinygpt.optim.
"""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from copy import deepcopy
from itertools import chain
from typing import TYPE_CHECKING, Any

from ...core.state import state as modes
from ...core.tensor import Tensor
from ...graph import program
from ...optim import _items
from ..host import typename
from ..utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...core.reads import Read

__all__ = ["Optimizer", "register_optimizer_step_pre_hook", "register_optimizer_step_post_hook"]

_global_optimizer_pre_hooks: OrderedDict[int, Any] = OrderedDict()
_global_optimizer_post_hooks: OrderedDict[int, Any] = OrderedDict()
# Each is called with the optimizer after its step(); where that is in a recorded call, behind the
# call and behind each replay.
on_step: list[Callable[[Any], Any]] = []

_HOOKS = tuple(
    "_optimizer_%s_%s_hooks" % (event, when)
    for event in ("step", "state_dict", "load_state_dict")
    for when in ("pre", "post")
)


class _RequiredParameter:
    """The default of a setting that has to be given."""

    def __repr__(self) -> str:
        return "<required parameter>"


required: Any = _RequiredParameter()


def _use_grad_for_differentiable(function: Any) -> Any:
    """Decorates step(): nothing in it is recorded."""

    @functools.wraps(function)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.defaults.get("differentiable"):
            return function(self, *args, **kwargs)
        before, modes.grad_enabled = modes.grad_enabled, False
        try:
            return function(self, *args, **kwargs)
        finally:
            modes.grad_enabled = before

    return step


def _get_value(x: Any) -> Any:
    return x.item() if isinstance(x, Tensor) else x


def _default_to_fused_or_foreach(params: Any, differentiable: bool, use_fused: bool = False) -> tuple[bool, bool]:
    """(fused, foreach): neither changes what is computed here."""
    return False, False


def _view_as_real(params: Any, *state_and_grads: Any) -> None:
    """For complex numbers, which are not here."""


def register_optimizer_step_pre_hook(hook: Any) -> RemovableHandle:
    """hook(optimizer, args, kwargs) is called before each step of every optimizer."""
    return _registered(_global_optimizer_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Any) -> RemovableHandle:
    """hook(optimizer, args, kwargs) is called after each step of every optimizer."""
    return _registered(_global_optimizer_post_hooks, hook)


def _registered(hooks: OrderedDict[int, Any], hook: Any, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


class Optimizer:
    """Base of all optimizers, as torch.optim.Optimizer.

    params: tensors, (name, tensor) pairs, or dicts of a group's params and settings. defaults: the
    settings of a group that does not state them.
    """

    state: defaultdict[Any, Any]
    param_groups: list[dict[str, Any]]
    _optimizer_step_pre_hooks: OrderedDict[int, Any]
    _optimizer_step_post_hooks: OrderedDict[int, Any]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Any]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Any]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Any]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Any]

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_hooks()
        self._patch_step_function()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                + typename(params)
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def _make_hooks(self) -> None:
        for name in _HOOKS:
            self.__dict__.setdefault(name, OrderedDict())

    def _patch_step_function(self) -> None:
        kind: Any = type(self)
        self._zero_grad_profile_name = "Optimizer.zero_grad#%s.zero_grad" % kind.__name__
        if not getattr(kind.step, "hooked", None):
            kind.step = self.profile_hook_step(kind.step)
            kind.step.hooked = True

    @staticmethod
    def profile_hook_step(function: Any) -> Any:
        """step() with the registered hooks around it."""

        @functools.wraps(function)
        def step(*args: Any, **kwargs: Any) -> Any:
            self = args[0]
            for hook in (*_global_optimizer_pre_hooks.values(), *self._optimizer_step_pre_hooks.values()):
                result = hook(self, args, kwargs)
                if result is not None:
                    if not isinstance(result, tuple) or len(result) != 2:
                        raise RuntimeError(
                            "%s must return None or a tuple of (new_args, new_kwargs), but got %s." % (function, result)
                        )
                    args, kwargs = result
            out = function(*args, **kwargs)
            for hook in (*self._optimizer_step_post_hooks.values(), *_global_optimizer_post_hooks.values()):
                hook(self, args, kwargs)
            for call in on_step:
                program.after_call(functools.partial(call, self))
            return out

        return step

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_hooks()
        self._patch_step_function()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += "\nParameter Group %d\n" % i
            text += "".join("    %s: %s\n" % (key, group[key]) for key in sorted(group) if key != "params")
        return text + ")"

    def _read_live(self) -> Iterator[Read]:
        """What a recorded step does not read anew before each replay (core/reads.py): which
        parameters are in which group.
        """
        yield "item", self.__dict__, "param_groups", self.param_groups, False
        yield from _items(self.param_groups)
        for group in self.param_groups:
            yield "item", group, "params", group["params"], False
            yield from _items(group["params"])

    # ---- hooks ----

    def register_step_pre_hook(self, hook: Any) -> RemovableHandle:
        """hook(optimizer, args, kwargs) is called before step(); it may return both anew."""
        return _registered(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Any) -> RemovableHandle:
        """hook(optimizer, args, kwargs) is called after step()."""
        return _registered(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """hook(optimizer) is called before state_dict()."""
        return _registered(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """hook(optimizer, state_dict) is called after state_dict(); it may return another one."""
        return _registered(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """hook(optimizer, state_dict) is called before load_state_dict(); it may return another
        one.
        """
        return _registered(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """hook(optimizer) is called after load_state_dict()."""
        return _registered(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    # ---- state ----

    def state_dict(self) -> dict[str, Any]:
        """{"state": {number: state}, "param_groups": [settings, with "params" as numbers]}. The
        tensors are the optimizer's own.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        start = 0
        for group in self.param_groups:
            for i, p in enumerate(group["params"], start):
                numbers.setdefault(id(p), i)
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            start += len(packed["params"])
            groups.append(packed)
        values = {numbers[id(key)] if isinstance(key, Tensor) else key: value for key, value in self.state.items()}
        out: dict[str, Any] = {"state": values, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            result = hook(self, out)
            if result is not None:
                out = result
        return out

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the settings and the state that state_dict() gave; floating point state gets the
        parameter's dtype and device, but for "step".
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            result = hook(self, state_dict)
            if result is not None:
                state_dict = result
        groups, saved = self.param_groups, deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(group["params"]) != len(other["params"]) for group, other in zip(groups, saved)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        parameters = dict(
            zip(
                chain.from_iterable(group["params"] for group in saved),
                chain.from_iterable(group["params"] for group in groups),
            )
        )
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in parameters:
                state[parameters[key]] = self._cast(parameters[key], value, key, state_dict["param_groups"])
            else:
                state[key] = value
        for group, other in zip(groups, saved):
            other["params"] = group["params"]
            if "param_names" in group:
                other.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def _cast(self, param: Tensor, value: Any, number: Any, groups: Any, key: Any = None) -> Any:
        """A value of a state_dict for `param`; `key`: its name in the state."""
        if isinstance(value, Tensor):
            return self._process_value_according_to_param_policy(param, value, number, groups, key)
        if isinstance(value, dict):
            return {name: self._cast(param, item, number, groups, name) for name, item in value.items()}
        if isinstance(value, Iterable):
            kind: Any = type(value)
            return kind(self._cast(param, item, number, groups) for item in value)
        return value

    @staticmethod
    def _process_value_according_to_param_policy(
        param: Tensor, value: Tensor, param_id: Any, param_groups: Any, key: Any = None
    ) -> Tensor:
        group: dict[str, Any] = next((group for group in param_groups if param_id in group["params"]), {})
        if key == "step":
            return value.to("float32") if group.get("capturable") or group.get("fused") else value
        if value.device is not param.device:
            value = value.to(param.device)
        return value._cast(param.dtype) if param.dtype.is_floating_point else value

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Sets every gradient to None; set_to_none=False: to zeros in place."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    if p._grad is not None:
                        p.grad = None
                elif p.grad is not None:
                    gradient = p.grad
                    if gradient._node is not None:
                        p.grad = gradient = gradient.detach()
                    gradient.requires_grad_(False)
                    gradient.zero_()

    def step(self, closure: Any = None) -> Any:
        """One update of the parameters; subclasses define it."""
        raise NotImplementedError

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group: a dict with "params" and the settings that differ from the defaults."""
        if not isinstance(param_group, dict):
            raise TypeError("param_group must be a dict, but got %s" % type(param_group))
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in "
                "sets will change between runs. Please use a list instead."
            )
        given = [params] if isinstance(params, Tensor) else list(params)
        names = [p[0] for p in given if isinstance(p, tuple)]
        param_group["params"] = params = [p[1] if isinstance(p, tuple) else p for p in given]
        if names and len(names) != len(params):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        if names:
            param_group["param_names"] = names
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError("optimizer can only optimize Tensors, but one of the params is " + typename(p))
            if not self.defaults.get("differentiable") and not (p.is_leaf or getattr(p, "retains_grad", False)):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError("parameter group didn't specify a value of required optimization parameter %s" % name)
            param_group.setdefault(name, default)
        if len(params) != len({id(p) for p in params}):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        for group in self.param_groups:
            if ("param_names" in param_group) != ("param_names" in group):
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param group %s to the "
                    "optimizer" % ("with names" if "param_names" in param_group else "without names")
                )
        known = {id(p) for group in self.param_groups for p in group["params"]}
        if any(id(p) in known for p in params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)
        modes.layout += 1  # a recorded step knows the groups before
