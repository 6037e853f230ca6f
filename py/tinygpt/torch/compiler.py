"""torch.compile over tinygpt.compile: a function is recorded on its first call and replayed.

A call whose result is differentiated outside of it (`loss = model(x); loss.backward()`) runs as
written: what is replayed is a complete step (the function that calls backward() and step()), and
whatever runs under no_grad.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

from ..core.compile import Compiled
from ..core.state import state
from ..core.tensor import Tensor
from ..graph import program
from ..nn import Module
from .keywords import Unsupported

__all__ = [
    "allow_in_graph", "assume_constant_result", "cudagraph_mark_step_begin", "disable", "is_compiling",
    "is_dynamo_compiling", "is_exporting", "list_backends", "reset", "set_stance",
]  # fmt: skip

BACKENDS = ("inductor", "eager", "aot_eager", "aot_eager_decomp_partition", "cudagraphs", "openxla", "tvm")
MODES = (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs", "lite")
_DIFFERENTIATED = "its result is differentiated"


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """A function or a Module made fast, usable as a decorator.

    fullgraph, dynamic, backend, mode and options change no result. A Module keeps its attributes;
    `_orig_mod` is the module itself.
    """
    if not isinstance(backend, str):
        raise Unsupported("compile(backend=%r) is not in TinyGPT's subset; leave backend out" % (backend,))
    if backend not in BACKENDS:
        raise RuntimeError("Invalid backend: %r, see `torch._dynamo.list_backends()` for available backends." % backend)
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if mode not in MODES:
        raise RuntimeError("Unrecognized mode=%s, should be one of: %s" % (mode, ", ".join(str(m) for m in MODES[1:])))
    if model is None:
        return functools.partial(compile, backend=backend, disable=disable)
    if disable:
        return model
    if isinstance(model, OptimizedModule):
        return model
    if isinstance(model, Module):
        return OptimizedModule(model)
    if not callable(model):
        raise AssertionError("A callable function is expected, but %s is provided." % type(model))
    return _function(model)


def _function(function: Any) -> Any:
    calls = _Calls(function)

    @functools.wraps(function)
    def compiled(*args: Any, **kwargs: Any) -> Any:
        return calls(*args, **kwargs)

    compiled._torchdynamo_orig_callable = function  # type: ignore[attr-defined]
    return compiled


class _Calls:
    """The recordings of a function: those that a gradient may follow, and those under no_grad."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.with_gradients, self.without = Compiled(self._watched), Compiled(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not state.grad_enabled:
            return self.without(*args, **kwargs)
        recording = self.with_gradients
        if recording.refused is not None:
            return self.function(*args, **kwargs)
        with warnings.catch_warnings():
            if not recording.captures:  # the reason below needs no warning: the result is the same
                warnings.filterwarnings("ignore", ".*" + _DIFFERENTIATED, RuntimeWarning)
            return recording(*args, **kwargs)

    def _watched(self, *args: Any, **kwargs: Any) -> Any:
        result = self.function(*args, **kwargs)
        if program.capturing() and _any_graph(result):
            program.note_read(_DIFFERENTIATED)
        return result


def _any_graph(value: Any) -> bool:
    """Whether a gradient of a tensor in `value` can still be computed."""
    if isinstance(value, Tensor):
        return value._node is not None and not _is_freed(value._node)
    if isinstance(value, dict):
        return any(_any_graph(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(_any_graph(item) for item in value)


def _is_freed(node: Any) -> bool:
    """Whether a backward has gone through the graph."""
    seen, todo = {id(node)}, [node]
    while todo:
        node = todo.pop()
        if node.backward is None:
            return True
        for edge in node.edges:
            below = edge[0] if isinstance(edge, tuple) else None
            if below is not None and id(below) not in seen:
                seen.add(id(below))
                todo.append(below)
    return False


class OptimizedModule(Module):
    """A Module whose calls are compiled: its parameters, buffers and attributes are those of
    `_orig_mod`.
    """

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._orig_mod = module
        object.__setattr__(self, "_calls", _Calls(module.__call__))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._calls(*args, **kwargs)

    forward = __call__

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return self._modules["_orig_mod"]
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_orig_mod", "training") or "_modules" not in self.__dict__ or not self._modules:
            super().__setattr__(name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._orig_mod, name)

    def __len__(self) -> int:
        return len(self._orig_mod)

    def __getitem__(self, index: Any) -> Any:
        return self._orig_mod[index]

    def __iter__(self) -> Any:
        return iter(self._orig_mod)

    def __repr__(self) -> str:
        inner = repr(self._orig_mod).replace("\n", "\n  ")
        return "OptimizedModule(\n  (_orig_mod): %s\n)" % inner


# ---- torch.compiler -----------------------------------------------------------------------------


def is_compiling() -> bool:
    """False: user code runs as Python while it is recorded."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself."""
    return (lambda function: function) if fn is None else fn


def _same(fn: Any) -> Any:
    """The function itself."""
    return fn


allow_in_graph = assume_constant_result = _same


def reset() -> None:
    """Nothing is kept from one program to the next."""


def cudagraph_mark_step_begin() -> None:
    """There are no CUDA graphs."""


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """The names that compile(backend=) takes."""
    return sorted(BACKENDS)


class set_stance:
    """Changes nothing. A statement, a context manager or a decorator."""

    def __init__(self, stance: str = "default", **options: Any) -> None:
        self.stance = stance

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...

    def __call__(self, function: Any) -> Any:
        return function
