"""torch.compile over tinygpt.compile: a function is recorded on its first call and replayed.

A call whose result is differentiated outside of it (`loss = model(x); loss.backward()`) is two
recordings: the call, and the walk over its tape. A complete step (a function that calls backward()
and step()) is one.
"""

from __future__ import annotations

import functools
from typing import Any
from weakref import ref

from ..core.autograd import attach
from ..core.compile import Compiled, _map
from ..core.current_device import get_device
from ..core.state import state
from ..core.tensor import Tensor
from ..graph import program
from ..nn import Module
from .autograd.engine import gradients
from .keywords import Unsupported

__all__ = [
    "allow_in_graph", "assume_constant_result", "cudagraph_mark_step_begin", "disable", "is_compiling",
    "is_dynamo_compiling", "is_exporting", "list_backends", "reset", "set_stance",
]  # fmt: skip

BACKENDS = ("inductor", "eager", "aot_eager", "aot_eager_decomp_partition", "cudagraphs", "openxla", "tvm")
MODES = (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs", "lite")


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
    calls = _Calls(function, getattr(function, "__name__", "compiled"))

    @functools.wraps(function)
    def compiled(*args: Any, **kwargs: Any) -> Any:
        return calls(*args, **kwargs)

    compiled._torchdynamo_orig_callable = function  # type: ignore[attr-defined]
    return compiled


class _Calls:
    """The recordings of a function: those under no_grad, and those that a gradient may follow."""

    def __init__(self, function: Any, name: str) -> None:
        self.function = function
        self.with_gradients, self.without = Compiled(self._watched), Compiled(function)
        self.with_gradients.__name__ = self.without.__name__ = name  # for what they say
        self.graphs: dict[int, tuple[Any, _Graph]] = {}  # by the id of a Program, which it holds
        self.made: _Graph | None = None

    def __reduce__(self) -> Any:
        """A copy or a pickle has the function, and records anew."""
        return _Calls, (self.function, self.without.__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not state.grad_enabled:
            return self.without(*args, **kwargs)
        recording = self.with_gradients
        if (
            recording.refused is not None
            or program.capturing()
            or get_device().volatile  # where a backward draws dropout's numbers again
            or any(x._requires_grad for x in _tensors((args, kwargs)))
            or any(graph.is_pending() for _, graph in self.graphs.values())
        ):
            return self.function(*args, **kwargs)
        captures, self.made = recording.captures, None
        result = recording(*args, **kwargs)
        ran = recording.program
        if recording.captures != captures:
            made, self.made = self.made, None
            if made is None:
                return result
            if recording.refused is not None or ran is None or id(ran) in self.graphs:
                return made.value
            kept = {id(entry.program) for entries in recording.entries.values() for entry in entries}
            self.graphs = {key: found for key, found in self.graphs.items() if key in kept}
            self.graphs[id(ran)] = ran, made
        found = self.graphs.get(id(ran))
        return result if found is None else found[1].attached(result)

    def _watched(self, *args: Any, **kwargs: Any) -> Any:
        result = self.function(*args, **kwargs)
        if not program.capturing() or not any(map(_is_live, _tensors(result))):
            return result
        self.made = _Graph(result)
        return _map(result, lambda x: x.detach().clone())


class _Graph:
    """The tape of a recorded call, whose values each replay computes anew in their places.

    value: the call's own result. The result of a replay gets one Node, whose backward walks this
    tape: recorded at the first time, replayed afterwards.
    """

    def __init__(self, value: Any) -> None:
        self.value = value
        results = _tensors(value)
        self.live = [i for i, x in enumerate(results) if _is_live(x)]
        self.results = [results[i] for i in self.live]
        self.nodes: list[Any] = []
        self.leaves: list[Tensor] = []
        self.backwards: dict[tuple[bool, ...], Compiled] = {}  # by which results have a gradient
        self.pending: Any = None
        seen: set[int] = set()
        todo: list[Any] = [x._node for x in self.results]
        while todo:
            node = todo.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            self.nodes.append(node)
            for edge in node.edges:
                if isinstance(edge, tuple):
                    todo.append(edge[0])
                elif isinstance(edge, Tensor) and id(edge) not in seen:
                    seen.add(id(edge))
                    self.leaves.append(edge)
        read = {storage.uid for node in self.nodes for storage, _, _ in node.saved}
        self.read = [leaf for leaf in self.leaves if leaf._storage.uid in read]  # those whose values a backward reads

    def is_pending(self) -> bool:
        """Whether a backward of the last call may still come, which needs that call's values."""
        return self.pending is not None and self.pending() is not None

    def attached(self, result: Any) -> Any:
        """The result of a replay, on the tape."""
        tensors = _tensors(result)
        call = _Call([leaf._storage.writes() for leaf in self.read])
        self.pending = ref(call)

        def backward(*gradients: Tensor | None) -> Any:
            if call.versions != [leaf._storage.writes() for leaf in self.read]:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    "a parameter of a compiled call; compute the gradient before the update"
                )
            return self._backward(gradients)

        attach("CompiledFunction", [tensors[i] for i in self.live], self.leaves, backward)
        return result

    def _backward(self, gradients: tuple[Tensor | None, ...]) -> Any:
        which = tuple([g is not None for g in gradients])
        if which not in self.backwards:
            results = [x for x, given in zip(self.results, which) if given]
            self.backwards[which] = Compiled(functools.partial(self._walk, results))
        return self.backwards[which](*[g.detach() for g in gradients if g is not None])

    def _walk(self, results: list[Tensor], *given: Tensor) -> Any:
        for node in self.nodes:  # the parameters have other versions by now, and the values are new
            node.saved = [(storage, storage.writes(), shape) for storage, _, shape in node.saved]
        return tuple(gradients(list(zip(results, given)), self.leaves, True, False))


class _Call:
    """One replay; it is there as long as a backward of it may come. versions: of the leaves."""

    def __init__(self, versions: list[int]) -> None:
        self.versions = versions


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in lists, tuples and dicts, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    return [x for item in value for x in _tensors(item)] if isinstance(value, (list, tuple, type({}.values()))) else []


def _is_live(x: Tensor) -> bool:
    """Whether a gradient of a result can still be computed: it is on a tape that is not freed."""
    node: Any = x._node
    if node is None:
        return False
    seen, todo = {id(node)}, [node]
    while todo:
        node = todo.pop()
        if node.backward is None:
            return False
        for edge in node.edges:
            below = edge[0] if isinstance(edge, tuple) else None
            if below is not None and id(below) not in seen:
                seen.add(id(below))
                todo.append(below)
    return True


class OptimizedModule(Module):
    """A Module whose calls are compiled: its parameters, buffers and attributes are those of
    `_orig_mod`.
    """

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._orig_mod = module
        object.__setattr__(self, "_calls", _Calls(module.__call__, type(module).__name__))

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
