"""`grad_fn`: what a tensor shows of the op that made it. A wrapper over a Node of the tape, with
PyTorch's name for the op.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from ...core import autograd
from ...core.tensor import Tensor
from .. import table
from ..utils.hooks import RemovableHandle
from . import engine
from .engine import kept_by

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Node", "get_gradient_edge", "register_multi_grad_hook", "save_on_cpu"]
STUBS = {"save_on_cpu": "what ops keep for the backward stays on its device"}
ABSENT = {
    "saved_tensors_hooks": "use torch.utils.checkpoint to keep less for the backward",
    "disable_saved_tensors_hooks": "there are no such hooks here; leave it out",
    "allow_mutation_on_saved_tensors": "clone() a tensor before the write",
}

# PyTorch's names of ops, where they are not our name in capitals with Backward0.
NAMES = {
    "square": "PowBackward0",
    "log1p": "Log1PBackward0",
    "clamp": "ClampBackward1",
    "gelu_tanh": "GeluBackward0",
    "layer_norm": "NativeLayerNormBackward0",
    "rms_norm": "MulBackward0",
    "cross_entropy": "NllLossBackward0",
    "dropout": "MulBackward0",
    "attention": "ScaledDotProductFlashAttentionForCpuBackward0",
    "copy_": "CopyBackwards",
    "copy_slices": "CopySlices",
    "fill_": "FillBackward2",
    "rotary": "RotaryBackward",
    "checkpoint": "CheckpointBackward",
    "lstm": "MkldnnRnnLayerBackward0",
    "gru": "StackBackward0",
    "rnn_tanh": "StackBackward0",
    "rnn_relu": "StackBackward0",
}
# Ops with one name for all elements, another along dimensions: (the first, the second).
_REDUCTIONS = {"sum": (0, 1), "mean": (0, 1), "prod": (0, 1), "max": (1, 0), "min": (1, 0)}


def name_of(node: Any) -> str:
    """PyTorch's name of the op that a Node records, as far as the Node tells it."""
    name: str = node.name
    if isinstance(name, autograd.Shown):
        return name.of
    if name in NAMES:
        return NAMES[name]
    kept = kept_by(node.backward) if hasattr(node.backward, "__code__") else {}
    if name in _REDUCTIONS and ("dims" in kept or "where_" in kept):
        whole = kept.get("where_") is None if name in ("max", "min") else len(kept["dims"]) == len(kept["shape"])
        return "%sBackward%d" % (_camel(name), _REDUCTIONS[name][not whole])
    if name == "sub" and getattr(kept.get("gradient"), "__name__", "") == "neg":
        return "RsubBackward1"
    if name == "pow" and kept:
        return "PowBackward%d" % isinstance(kept.get("b"), Tensor)
    if name == "matmul":  # a matrix product where the Node is freed
        return "MmBackward0" if "a" not in kept or kept["a"].ndim == 2 else "UnsafeViewBackward0"
    if name == "linear":
        bias, inner = len(node.edges) == 3, kept.get("backward")
        kept = kept if inner is None else kept_by(inner)
        if "x" not in kept or kept["x"].ndim == 2:
            return "AddmmBackward0" if bias else "MmBackward0"
        return "ViewBackward0" if bias else "UnsafeViewBackward0"
    if name == "permute" and sum([i != d for i, d in enumerate(kept.get("back", ()))]) == 2:
        return "TransposeBackward0"
    return name if name.endswith("Backward") else _camel(name) + "Backward0"


def _camel(name: str) -> str:
    return "".join([part[:1].upper() + part[1:] for part in name.replace(" ", "_").split("_")])


class Node:
    """The op that made a tensor: `name()`, `next_functions`, hooks. Its class has the op's name."""

    __slots__ = ("_node", "_metadata", "__weakref__")

    def __init__(self, node: Any) -> None:
        self._node = node

    def name(self) -> str:
        """PyTorch's name of the op."""
        name = type(self).__name__
        return "torch::autograd::" + name if name in ("CopySlices", "CopyBackwards", "AccumulateGrad") else name

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """What made the op's inputs, and which output of it each is; () once the Node is freed."""
        return tuple([_next(edge) for edge in self._node.edges])

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dict of the caller's own, as long as this object lives."""
        try:
            return self._metadata
        except AttributeError:
            self._metadata: dict[Any, Any] = {}
            return self._metadata

    def _sequence_nr(self) -> int:
        return self._node.seq

    def register_hook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Calls fn(grad_inputs, grad_outputs) behind the op's backward. What it returns replaces
        the input gradients.
        """
        return registered(engine.hooks_of(self._node).post, fn)

    def register_prehook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Calls fn(grad_outputs) before the op's backward; what it returns replaces them."""
        return registered(engine.hooks_of(self._node).pre, fn)

    def __getattr__(self, name: str) -> Any:
        """What the ctx of an autograd.Function has."""
        if not name.startswith("_"):
            ctx = getattr(self._node, "ctx", None)
            if ctx is not None:
                return ctx.saved_of(self._node) if name == "saved_tensors" else getattr(ctx, name)
        raise AttributeError("%r object has no attribute %r" % (type(self).__name__, name))


class AccumulateGrad(Node):
    """Where the gradient of a leaf goes: `variable`."""

    __slots__ = ()

    @property
    def variable(self) -> Tensor:
        """The leaf."""
        return self._node

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """Nothing: it is the end."""
        return ()

    def _sequence_nr(self) -> int:
        return (1 << 64) - 1

    def register_hook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Calls fn((), (the accumulated gradient,)) once it is accumulated."""
        engine.keep_complete()
        hooks = self._node.__dict__.setdefault("_accumulated_hooks", OrderedDict())
        return registered(hooks, lambda leaf: fn((), (leaf.grad,)) and None)

    def register_prehook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Calls fn((gradient,)) before it is accumulated; what it returns replaces it."""

        def hook(gradient: Any) -> Any:
            out = fn((gradient,))
            return out[0] if isinstance(out, tuple) else out

        engine.keep_complete()
        return registered(self._node.__dict__.setdefault("_hooks", OrderedDict()), hook)


def registered(hooks: Any, fn: Callable[..., Any]) -> RemovableHandle:
    """The handle of a hook, which is added to `hooks`."""
    if not callable(fn):
        raise TypeError("a hook must be callable, not %s" % type(fn).__name__)
    handle = RemovableHandle(hooks)
    hooks[handle.id] = fn
    return handle


_classes: dict[str, type[Node]] = {}
_shown: weakref.WeakValueDictionary[int, Node] = weakref.WeakValueDictionary()  # by the id of what each wraps


def _wrapped(thing: Any, kind: type[Node]) -> Node:
    """The one wrapper of a Node or leaf, as long as somebody holds it."""
    found = _shown.get(id(thing))
    if found is None:
        found = _shown[id(thing)] = kind(thing)
    return found


def shown(node: autograd.Node) -> Node:
    """A Node as `grad_fn`."""
    found = _shown.get(id(node))
    if found is not None:
        return found
    name = name_of(node)
    kind = _classes.get(name)
    if kind is None:
        kind = _classes[name] = type(name, (Node,), {"__slots__": (), "__module__": "torch.autograd.graph"})
    kind.__repr__ = _text
    return _wrapped(node, kind)


def _text(self: Node) -> str:
    return "<%s object at %#x>" % (type(self).__name__, id(self))


AccumulateGrad.__repr__ = _text


def _next(edge: Any) -> tuple[Node | None, int]:
    if edge is None:
        return None, 0
    if type(edge) is tuple:
        return shown(edge[0]), edge[1]
    return _wrapped(edge, AccumulateGrad), 0


def register_multi_grad_hook(tensors: Any, fn: Callable[..., Any], *, mode: str = "all") -> MultiHandle:
    """Calls fn with the gradients of several tensors (None for one that has none) once all are
    there; mode "any": with the first one alone, once a backward.
    """
    given = [x for x in tensors if x.requires_grad]
    if mode not in ("all", "any"):
        raise ValueError("Expects mode to be one of ('all', 'any') but got %s" % mode)
    if len(given) != len(tensors):
        raise RuntimeError("Expected all tensors to require a gradient; register the hook of those that do")
    found: dict[int, Any] = {}

    def hook_of(i: int) -> Callable[[Any], None]:
        def hook(gradient: Any) -> None:
            if mode == "any":
                if not found:
                    fn(gradient)
            found[i] = gradient
            if len(found) == len(given):
                gradients = [found[j] for j in range(len(given))]
                found.clear()
                if mode == "all":
                    fn(gradients)

        return hook

    return MultiHandle([x.register_hook(hook_of(i)) for i, x in enumerate(given)])


class MultiHandle:
    """Removes a hook of several tensors."""

    def __init__(self, handles: list[RemovableHandle]) -> None:
        self.handles = handles

    def remove(self) -> None:
        """The hook is not called any more."""
        for handle in self.handles:
            handle.remove()


class save_on_cpu:
    """What ops keep stays where it is here, which changes no result."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass


def get_gradient_edge(x: Tensor) -> tuple[Node | None, int]:
    """(node, index of its output) of the gradient of a tensor."""
    if not x.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients.")
    return _next(autograd.edge_of(x))


def __getattr__(name: str):
    """The sentence on a name that is not here."""
    return table.missing(__name__, name)
