"""`torch.autograd.Function`: an op whose forward and backward are Python.

`apply` calls forward without recording, and records one Node whose backward is the class's. With
create_graph that backward runs with gradients recorded, so it is differentiable where it is
composed of ops that are.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any
from weakref import ref

from ...core import autograd
from ...core.autograd import ONE_OF_MANY, TWICE, Node, attach, edge_of, is_recorded, needs_grad, written
from ...core.factory import full
from ...core.state import no_grad, state
from ...core.tensor import Tensor
from ...ops.elementwise import reduce_to
from . import engine

if TYPE_CHECKING:
    from collections.abc import Sequence


class FunctionCtx:
    """What forward leaves to backward: saved tensors, marks, and any attribute."""

    _materialize = True
    _given: tuple[Tensor | None, ...] = ()
    _dirty: tuple[Tensor, ...] = ()
    _constant: tuple[Tensor, ...] = ()
    needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps inputs and outputs of the forward for `saved_tensors`; once, in forward."""
        for i, x in enumerate(tensors):
            if x is not None and not isinstance(x, Tensor):
                raise TypeError(
                    "save_for_backward can only save variables, but argument %d is of type %s" % (i, type(x).__name__)
                )
        self._given = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Nothing: there is no forward mode here."""

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Says which inputs forward has written in place; it returns them."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Says which outputs have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (True) or None for an output that no gradient reached."""
        self._materialize = value


class _Ctx(FunctionCtx):
    """One call of apply. It is `ctx` in forward and in backward."""

    _function: type[Function]
    _outputs: list[tuple[Any, Any, Any] | None]
    _shapes: list[Any]

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What save_for_backward was given, each with its place on the tape."""
        node = self.__dict__.get("_running")
        return self._given if node is None else self.saved_of(node)

    saved_variables = saved_tensors

    @staticmethod
    def saved_of(node: Any) -> tuple[Tensor | None, ...]:
        """The saved tensors of a Node; RuntimeError where they are freed."""
        if node.backward is None:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have "
                "already been freed). Saved intermediate values of the graph are freed when you call .backward() or "
                "autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time "
                "or if you need to access saved tensors after calling backward."
            )
        out: list[Tensor | None] = []
        for x, edge in node.backward.kept:
            if x is None or edge is None:
                out.append(x)
            else:  # an int: one of the op's own outputs
                out.append(engine.at(x, (node, edge) if type(edge) is int else edge))
        return tuple(out)

    def name(self) -> str:
        """`ExpBackward` of a class Exp."""
        return self._function.__name__ + "Backward"

    def run(self, *incoming: Tensor | None) -> list[Tensor | None]:
        """The backward of the Node: a gradient or None for each tensor among the arguments."""
        given: list[Tensor | None] = list(incoming)
        if self._materialize:
            for i, facts in enumerate(self._outputs):
                if given[i] is None and facts is not None:
                    given[i] = full(facts[0], 0, facts[1], facts[2])
        function = self._function
        call = function.backward if function.backward is not Function.backward else function.vjp
        value: Any = call(self, *given)
        grads = value if isinstance(value, tuple) else (value,)
        expected = len(self._shapes)
        if len(grads) > expected and all(g is None for g in grads[expected:]):
            grads = grads[:expected]
        if len(grads) != expected:
            raise RuntimeError(
                "function %s returned an incorrect number of gradients (expected %d, got %d)"
                % (self.name(), expected, len(grads))
            )
        return [self._checked(i, g, shape) for i, (g, shape) in enumerate(zip(grads, self._shapes)) if shape or g]

    def _checked(self, i: int, g: Any, expected: Any) -> Tensor | None:
        if g is None:
            return None
        if not isinstance(g, Tensor):
            raise TypeError("expected Variable or None (got %s)" % type(g).__name__)
        if expected is None:
            raise RuntimeError(
                "function %s returned a gradient different from None at position %d, but the corresponding forward "
                "input was not a Variable" % (self.name(), i + 1)
            )
        shape, dtype = expected
        if g._shape != shape:
            g = _reduced(g, shape, "Function %s returned an invalid gradient at index %d" % (self.name(), i))
        return g if g._dtype is dtype else g.to(dtype)


class _Node(Node):
    """The Node of one call of apply."""

    __slots__ = ("ctx",)

    ctx: _Ctx


class _Backward:
    """The backward of such a Node. It holds the saved tensors (with their edges, or the index among
    the op's own outputs), which are freed with it.
    """

    __slots__ = ("node", "kept")

    def __init__(self, node: _Node, kept: list[tuple[Tensor | None, Any]]) -> None:
        self.node, self.kept = ref(node), kept

    def __call__(self, *incoming: Tensor | None) -> list[Tensor | None]:
        node: Any = self.node()
        node.ctx._running = node
        try:
            return node.ctx.run(*incoming)
        finally:
            del node.ctx._running


def _reduced(g: Tensor, shape: Sequence[int], message: str) -> Tensor:
    """A gradient of a shape that `shape` broadcasts to, summed to it."""
    pad = len(g._shape) - len(shape)
    if pad < 0 or any(n != 1 and n != m for n, m in zip(shape, g._shape[pad:])):
        raise RuntimeError("%s - got %s but expected shape compatible with %s" % (message, list(g._shape), list(shape)))
    return reduce_to(g, tuple(shape))


class FunctionMeta(type):
    """The class of the classes that derive from Function."""


class Function(metaclass=FunctionMeta):
    """The base of an op with a forward and a backward in Python; call it by `apply`."""

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """forward(ctx, *args), or forward(*args) beside setup_context: a Tensor, or a tuple."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keeps for backward what it needs, where forward has no ctx."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of forward's arguments, None for those without."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Forward mode is not here: see torch.autograd.functional.jvp."""
        raise NotImplementedError("there is no forward-mode differentiation here; use torch.autograd.functional.jvp")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd "
            "function with static forward method."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Calls forward, and records the op where an argument needs a gradient."""
        ctx = _Ctx()
        ctx._function = cls
        separate = cls.setup_context is not Function.setup_context
        if separate:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        ctx.needs_input_grad = tuple([isinstance(a, Tensor) and a.requires_grad for a in args])
        inputs = [a for a in args if isinstance(a, Tensor)]
        recorded = state.grad_enabled and any(ctx.needs_input_grad)
        with no_grad():
            if separate:
                value = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, value)
            else:
                value = cls.forward(ctx, *args, **kwargs)
        outputs = list(value) if isinstance(value, tuple) else [value]
        if recorded:
            outputs = _recorded(ctx, args, inputs, outputs)
        return tuple(outputs) if isinstance(value, tuple) else outputs[0]


def _recorded(ctx: _Ctx, args: Sequence[Any], inputs: list[Tensor], values: list[Any]) -> list[Any]:
    """The outputs of a call on the tape: one Node makes them all."""
    edges = [edge_of(x) for x in inputs]
    ctx._shapes = [(a._shape, a._dtype) if isinstance(a, Tensor) else None for a in args]
    places = {id(x): edge for x, edge in zip(inputs, edges)}
    dirty = {id(x) for x in ctx._dirty}
    for x in ctx._dirty:
        is_recorded(x, ctx.name())  # refuses a leaf
    constant = {id(x) for x in ctx._constant}
    node: Any = _Node(ctx.name(), edges, ctx.run, len(values), [], False)
    node.ctx = ctx
    ctx._outputs = [(v._shape, v._dtype, v.device) if isinstance(v, Tensor) else None for v in values]
    outputs: list[Any] = []
    own: dict[int, int] = {}  # the ids of returned values that are this op's results
    for index, v in enumerate(values):
        if not isinstance(v, Tensor) or id(v) in constant or not v._dtype.is_floating_point:
            outputs.append(v)
            continue
        own[id(v)] = index
        if id(v) in dirty:
            out = v.detach()
            out._requires_grad, out._node, out._index = True, node, index
            outputs.append(written(v, out))
            continue
        out = v if v._node is None and id(v) not in places and not v._requires_grad else v.detach()
        if v._base is not None or id(v) in places:
            autograd.made_view(out, v)
            out._made = ONE_OF_MANY
        out._requires_grad, out._node, out._index = True, node, index
        outputs.append(out)
    kept: list[tuple[Tensor | None, Any]] = []
    for x in ctx._given:
        if x is None:
            kept.append((None, None))
            continue
        kept.append((x.detach(), own[id(x)]) if id(x) in own else (x, places.get(id(x))))
        node.saved.append((x._storage, x._storage.writes(), x._shape))
    ctx._given = ()
    node.backward, node.frees = _Backward(node, kept), bool(node.saved)
    return outputs


def once_differentiable(function: Any) -> Any:
    """A backward that has no gradient itself: differentiating it raises."""

    @functools.wraps(function)
    def wrapped(ctx: Any, *args: Any) -> Any:
        with no_grad():
            value = function(ctx, *args)
        if not state.grad_enabled or not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            return value
        outputs = [v if v is None else v.detach() for v in (value if isinstance(value, tuple) else (value,))]
        for v in outputs:
            if v is not None:
                source = v.detach()
                source._requires_grad = True
                needs_grad(source)
                attach("delayed_error", (v,), (source,), _delayed_error, ())
        return tuple(outputs) if isinstance(value, tuple) else outputs[0]

    return wrapped


def _delayed_error(*_: Tensor) -> Sequence[Tensor]:
    raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


TWICE["delayed_error"] = None
