"""Hooks of modules: functions that the user registers, called before and after `forward` and when a
gradient arrives. A module without any is called as in TinyGPT itself.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

from ...core.autograd import ONE_OF_MANY, TWICE, attach, made_view
from ...core.moving import attributes_of
from ...core.state import state
from ...core.tensor import Tensor
from ...graph import program
from ...nn import Module
from ...ops.elementwise import zeros_of
from ..front import extend, extends
from ..utils.hooks import RemovableHandle


class _Handle(RemovableHandle):
    def remove(self) -> None:
        state.layout += 1  # what was recorded with the hook records again
        super().remove()


class _Hooks:
    """A dict of a module's hooks, which is made when it is first looked at. From then on a call of
    any module looks for hooks.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, module: Any, owner: type | None = None) -> Any:
        if module is None:
            return self
        _look_for_hooks()
        return attributes_of(module).setdefault(self.name, OrderedDict())


CALLED = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
_MARKS = ("_forward_pre_hooks_with_kwargs", "_forward_hooks_with_kwargs", "_forward_hooks_always_called")
_OF_STATE = (
    "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip
extend(Module, {name: _Hooks(name) for name in (*CALLED, *_MARKS, *_OF_STATE)})

# Hooks of all modules.
everywhere: dict[str, Any] = {name: OrderedDict() for name in (*CALLED, *_MARKS)}


def _look_for_hooks() -> None:
    if "__call__" not in _looking:
        _looking["__call__"] = _call
        state.layout += 1
        extend(Module, _looking)


_looking: dict[str, Any] = {}


def add(hooks: Any, hook: Any, prepend: bool = False, marks: Any = ()) -> RemovableHandle:
    """Enters a hook into the dict, and its id into each of `marks`. Returns its handle."""
    _look_for_hooks()
    state.layout += 1
    handle = _Handle(hooks, extra_dict=list(marks))
    hooks[handle.id] = hook
    for mark in marks:
        mark[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


@extends(Module)
class _WithHooks:
    _is_full_backward_hook: bool | None = None

    def register_forward_pre_hook(
        self: Any, hook: Any, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """hook(module, args), called before forward; what it returns, unless None, becomes args.

        with_kwargs: hook(module, args, kwargs), which returns None or both.
        """
        return add(self._forward_pre_hooks, hook, prepend, [self._forward_pre_hooks_with_kwargs] * with_kwargs)

    def register_forward_hook(
        self: Any, hook: Any, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """hook(module, args, output), called after forward; what it returns, unless None, becomes
        the output.

        with_kwargs: hook(module, args, kwargs, output). always_call: also where forward raises.
        """
        marks = [self._forward_hooks_with_kwargs] * with_kwargs + [self._forward_hooks_always_called] * always_call
        return add(self._forward_hooks, hook, prepend, marks)

    def register_full_backward_pre_hook(self: Any, hook: Any, prepend: bool = False) -> RemovableHandle:
        """hook(module, grad_output), called before the module's gradients are computed; what it
        returns, unless None, takes the place of grad_output.
        """
        return add(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self: Any, hook: Any, prepend: bool = False) -> RemovableHandle:
        """hook(module, grad_input, grad_output), called when the gradients of the module's inputs
        are there; what it returns, unless None, takes the place of grad_input.
        """
        self._is_full_backward_hook = True
        return add(self._backward_hooks, hook, prepend)

    def register_backward_hook(self: Any, hook: Any) -> RemovableHandle:
        """PyTorch's former hook, which sees the last op's gradients alone: refused."""
        raise RuntimeError(
            "register_backward_hook shows the gradients of a module's last op alone; "
            "use register_full_backward_hook, which shows those of its inputs and outputs"
        )


def _registering(name: str, *, marked: bool = False) -> Any:
    def register(hook: Any, *, with_kwargs: bool = False, always_call: bool = False) -> RemovableHandle:
        marks = [everywhere[name + "_with_kwargs"]] * with_kwargs
        marks += [everywhere[name + "_always_called"]] * always_call
        return add(everywhere[name], hook, marks=marks)

    def register_plain(hook: Any) -> RemovableHandle:
        return add(everywhere[name], hook)

    return register if marked else register_plain


register_module_forward_pre_hook = _registering("_forward_pre_hooks")
register_module_forward_hook = _registering("_forward_hooks", marked=True)
register_module_full_backward_pre_hook = _registering("_backward_pre_hooks")
register_module_full_backward_hook = _registering("_backward_hooks")


def _call(self: Any, *args: Any, **kwargs: Any) -> Any:
    attributes = attributes_of(self)
    for name in CALLED:
        if attributes.get(name) or everywhere[name]:
            return _call_with_hooks(self, args, kwargs)
    return self.forward(*args, **kwargs)


def _both(module: Any, name: str) -> dict[int, Any]:
    """The hooks of all modules, then those of this one."""
    return {**everywhere[name], **attributes_of(module).get(name, {})}


def _is_ours(hook: Any) -> bool:
    module = getattr(hook, "__module__", None) or type(hook).__module__
    return module.startswith(__name__.partition(".")[0] + ".")


def _call_with_hooks(module: Any, args: Any, kwargs: Any) -> Any:
    before, after = _both(module, "_forward_pre_hooks"), _both(module, "_forward_hooks")
    backward = [list(_both(module, name).values()) for name in ("_backward_hooks", "_backward_pre_hooks")]
    hooks = (*before.values(), *after.values(), *backward[0], *backward[1])
    if not all(map(_is_ours, hooks)):
        program.note_read("a module's hook was called, which a replay would not call,")
    called: set[int] = set()
    result = None
    try:
        with_kwargs = _both(module, "_forward_pre_hooks_with_kwargs")
        for key, hook in before.items():
            if key in with_kwargs:
                given = hook(module, args, kwargs)
                if given is None:
                    continue
                if not (isinstance(given, tuple) and len(given) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got %s." % (given,)
                    )
                args, kwargs = given
            else:
                given = hook(module, args)
                if given is not None:
                    args = given if isinstance(given, tuple) else (given,)
        watch = _BackwardHooks(module, *backward) if backward[0] or backward[1] else None
        if watch is not None:
            args = watch.inputs(args)
        result = module.forward(*args, **kwargs)
        with_kwargs, always = _both(module, "_forward_hooks_with_kwargs"), _both(module, "_forward_hooks_always_called")
        for key, hook in after.items():
            if key in always:
                called.add(key)
            given = hook(module, args, kwargs, result) if key in with_kwargs else hook(module, args, result)
            if given is not None:
                result = given
        return result if watch is None else watch.outputs(result)
    except Exception:
        _call_always(module, args, kwargs, result, called)
        raise


def _call_always(module: Any, args: Any, kwargs: Any, result: Any, called: set[int]) -> None:
    """The forward hooks that are called where forward raised too, and were not yet."""
    with_kwargs, always = _both(module, "_forward_hooks_with_kwargs"), _both(module, "_forward_hooks_always_called")
    for key, hook in _both(module, "_forward_hooks").items():
        if key not in always or key in called:
            continue
        try:
            given = hook(module, args, kwargs, result) if key in with_kwargs else hook(module, args, result)
            result = result if given is None else given
        except Exception as error:
            warnings.warn(
                "module forward hook with ``always_call=True`` raised an exception "
                "that was silenced as another error was raised in forward: %s" % error,
                stacklevel=4,
            )


def _seen(name: str, values: Any, called: Any) -> tuple[Any, list[int]]:
    """`values` (a tuple) with each tensor that requires a gradient behind one Node, which calls
    called(gradients of all) in the backward. Returns (values, the places of the tensors).
    """
    places = [i for i, x in enumerate(values) if isinstance(x, Tensor)]
    tracked = [i for i in places if values[i].requires_grad] if state.grad_enabled else []
    if not tracked:
        return values, []
    found = [values[i] for i in tracked]
    outs = [made_view(x.detach(), x, ONE_OF_MANY) for x in found]

    def backward(*gradients: Any) -> Any:
        all_: list[Any] = [None] * len(values)
        for i, x, g in zip(tracked, found, gradients, strict=True):
            all_[i] = zeros_of(x) if g is None else g
        given = called(tuple(all_))
        return tuple(given[i] for i in tracked)

    attach(name, outs, found, backward, ())
    values = list(values)
    for i, out in zip(tracked, outs, strict=True):
        values[i] = out
    return tuple(values), places


TWICE["BackwardHookFunctionBackward"] = None


class _BackwardHooks:
    """The backward hooks of one call of a module."""

    def __init__(self, module: Any, hooks: list[Any], pre_hooks: list[Any]) -> None:
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.grad_outputs: Any = None
        self.watched = False  # whether some input requires a gradient

    def inputs(self, args: Any) -> Any:
        """args, seen by the hooks."""
        self.count = len(args)
        args, places = _seen("BackwardHookFunctionBackward", args, self._at_inputs)
        self.watched = bool(places)
        return args

    def outputs(self, result: Any) -> Any:
        """The module's result, seen by the hooks."""
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors"
                " but received %s" % type(result),
                stacklevel=4,
            )
            return result
        values, _ = _seen(
            "BackwardHookFunctionBackward", result if isinstance(result, tuple) else (result,), self._at_outputs
        )
        return values if isinstance(result, tuple) else values[0]

    def _at_outputs(self, gradients: Any) -> Any:
        for hook in self.pre_hooks:
            given = hook(self.module, gradients)
            if given is not None:
                gradients = self._fitting("Backward pre hook", given, gradients)
        self.grad_outputs = gradients
        if not self.watched:
            for hook in self.hooks:
                given = hook(self.module, (None,) * self.count, gradients)
                if given is not None and not (isinstance(given, tuple) and all(g is None for g in given)):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always return None "
                        "or None for all gradients."
                    )
            self.grad_outputs = None
        return gradients

    def _at_inputs(self, gradients: Any) -> Any:
        if self.grad_outputs is None:  # the backward began inside the module
            return gradients
        for hook in self.hooks:
            given = hook(self.module, gradients, self.grad_outputs)
            if given is not None:
                gradients = self._fitting("Backward hook", given, gradients)
        self.grad_outputs = None
        return gradients

    @staticmethod
    def _fitting(kind: str, given: Any, before: Any) -> Any:
        given = given if isinstance(given, tuple) else (given,)
        if len(given) != len(before):
            raise RuntimeError(
                "%s returned an invalid number of grad_output, got %d, but expected %d"
                % (kind, len(given), len(before))
            )
        return given
