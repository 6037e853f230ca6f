"""The tape: which op made a tensor from which, and the walk back from d loss / d result to
d loss / d leaf.

An op whose result needs a gradient calls `attach` with a function from output gradients to input
gradients. `backward` visits the Nodes from the newest to the oldest, so each is complete when it is
visited.
"""

from __future__ import annotations

import itertools
from sys import getrefcount
from typing import TYPE_CHECKING, Any

from ..graph import program
from .eager import in_c, know
from .factory import full
from .gradients import claim, lent
from .reads import paused
from .state import no_grad, state
from .tensor import Storage, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from .tensor import BorrowedStorage

    # From output gradients (None: no gradient came) to a gradient or None for each input.
    Backward: TypeAlias = Callable[..., Sequence[Tensor | None]]
    # Where a gradient goes: (Node, index of its output), a leaf, or None where none is needed.
    Edge: TypeAlias = "tuple[Node, int] | Tensor | None"
    # What backward reads: (Storage, its writes when the op ran, shape).
    Saved: TypeAlias = "tuple[BorrowedStorage, int, tuple[int, ...]]"


_new: Any = object.__new__
_numbers: Iterator[int] = itertools.count(1)
# The walk that replaces `walk` while there are hooks, or gradients of gradients
# (tinygpt.torch.autograd.engine).
complete_walk: Callable[..., dict[tuple[int, int], Tensor]] | None = None
# How the gradient of an op is differentiated again, by the op's name, for create_graph=True. None:
# its backward is composed of recorded ops of the output gradients and the op's own inputs, so it is
# called as it is. A formula (Node, values that the backward keeps, *output gradients) is composed
# so, where the backward launches kernels. An op that is not in here is refused there.
TWICE: dict[str, Callable[..., Sequence[Tensor | None]] | None] = {}


class Node:
    """One recorded op. `backward(*output gradients)` returns a gradient or None for each edge, in
    order. `frees`: it keeps values, which go at its first backward unless the graph is retained.
    """

    __slots__ = ("seq", "edges", "backward", "outputs", "name", "saved", "frees", "hooks", "__weakref__")

    edges: Sequence[Edge]
    backward: Backward | None  # None: this part of the tape is freed
    saved: Sequence[Saved]
    frees: bool
    hooks: Any  # of the front `tinygpt.torch`; not there on a Node without

    def __init__(
        self, name: str, edges: Sequence[Edge], backward: Backward, outputs: int, saved: Sequence[Saved], frees: bool
    ) -> None:
        self.seq, self.name, self.edges, self.backward, self.outputs = next(_numbers), name, edges, backward, outputs
        self.saved, self.frees = saved, frees


know(node=Node, tape=globals())


class Shown(str):
    """The name of a Node that ends a composed op; `of`: the op's name in PyTorch."""

    of: str


def shown_as(out: Tensor, of: str) -> Tensor:
    """out, whose Node shows itself as the op `of` that out is the result of."""
    node = out._node
    if node is not None:
        node.name = Shown(node.name)
        node.name.of = of
    return out


def edge_of(x: Tensor) -> Edge:
    """Where the gradient of x goes."""
    if x._base is not None:
        renew(x)
    node = x._node
    if node is not None:
        return node, x._index
    # PyTorch's: the gradient of a view without a Node, as one made under no_grad, goes nowhere.
    return x if x._requires_grad and x._base is None else None


def has_edge(x: Tensor) -> bool:
    """Whether a gradient of x goes anywhere: where `edge_of` has an edge. x: seen by `needs_grad`.

    As in PyTorch, a product keeps a factor only for a gradient that goes somewhere.
    """
    return x._requires_grad and (x._base is None or x._node is not None)


def backward(self: Tensor, gradient: Tensor | None = None, retain_graph: bool = False) -> None:
    """Accumulates d self / d leaf into `.grad` of every leaf that requires it (reverse-mode
    differentiation).

    gradient: of this tensor's shape; needed unless the tensor has one element. The tape is freed
    unless retain_graph.
    """
    if self._base is not None:
        renew(self)
    if not self._requires_grad:
        raise RuntimeError("this tensor does not require grad and has no grad_fn, so there is nothing to differentiate")
    if gradient is None:
        if self.numel() != 1:
            raise RuntimeError(
                "grad can be implicitly created only for scalar outputs, not for shape %s; pass gradient="
                % (self._shape,)
            )
        gradient = full(self._shape, 1.0, self._dtype, self.device)
        gradient._unit = True
    elif not isinstance(gradient, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("gradient must be a Tensor or None, not %s" % type(gradient).__name__)
    elif gradient._shape != self._shape:
        raise RuntimeError("gradient has shape %s but the tensor has shape %s" % (gradient._shape, self._shape))
    with no_grad(), paused():
        if self._node is None:
            accumulate(self, gradient)
        else:
            walk([(self, gradient)], retain_graph)


Tensor.backward = backward


def walk(
    seeds: Sequence[tuple[Tensor, Tensor]], retain_graph: bool = False, since: int = 0
) -> dict[tuple[int, int], Tensor]:
    """Backward from `seeds`, pairs of a tensor that an op made and its gradient, into every leaf.

    Nodes that are not newer than `since` (a sequence number) are not visited. Returns what reaches
    them, {(sequence number of the node, index of its output): gradient}.
    """
    if complete_walk is not None:
        return complete_walk(seeds, retain_graph, since)
    nodes: dict[int, Node] = {}
    grads: dict[int, list[Tensor | None]] = {}  # by number: one gradient for each output of a node
    stack: list[Node] = []
    for root, gradient in seeds:
        stack.append(root._node)
        _add(grads, root._node, root._index, gradient)
    del seeds, root, gradient  # pyright: ignore[reportPossiblyUnboundVariable]: there is a seed
    while stack:
        node = stack.pop()
        if node.seq in nodes or node.seq <= since:
            continue
        nodes[node.seq] = node
        for edge in node.edges:
            if type(edge) is tuple:
                stack.append(edge[0])
    for seq in sorted(nodes, reverse=True):
        node = nodes.pop(seq)
        incoming = grads.pop(seq, None)
        if incoming is not None:
            if node.backward is None:
                raise RuntimeError(
                    "Trying to backward through the graph a second time: the values that %r kept are freed; "
                    "pass retain_graph=True the first time" % node.name
                )
            if node.saved:
                _check_saved(node)
            outgoing = node.backward(*incoming)
            for edge, g in zip(node.edges, outgoing):
                if g is None or edge is None:
                    continue
                if type(edge) is tuple:
                    _add(grads, edge[0], edge[1], g)
                elif isinstance(edge, Tensor) and edge._requires_grad:
                    unshared = getrefcount(g) == _IN_WALK
                    accumulate(edge, g, unshared)
            del incoming, outgoing
        if node.frees and not retain_graph:
            node.backward, node.saved = None, ()
    return {(seq, i): g for seq, slots in grads.items() for i, g in enumerate(slots) if g is not None}


def _add(grads: dict[int, list[Tensor | None]], node: Node, index: int, g: Tensor) -> None:
    slots = grads.setdefault(node.seq, [None] * node.outputs)
    before = slots[index]
    slots[index] = g if before is None else before + g


def _check_saved(node: Node) -> None:
    """RuntimeError where a value that the Node kept was written since."""
    for storage, writes, shape in node.saved:
        if (storage.version if storage.owner is None else storage.writes()) != writes:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: "
                "a %s of shape %s, which %r kept, is at version %d; expected version %d instead. "
                "Clone it before the write, or use the op without the underscore"
                % (storage.kind, list(shape), node.name, storage.writes(), writes)
            )


def sequence_number() -> int:
    """The next number: larger than those of all Nodes so far, smaller than those of later ones."""
    return next(_numbers)


def external_inputs(outputs: Iterable[Tensor], since: int) -> list[tuple[Node, int]]:
    """The older results that the Nodes newer than `since` (a sequence number) read on the way to
    `outputs`: the edges to them, one for each result of an op.
    """
    nodes: set[int] = set()
    found: dict[tuple[int, int], tuple[Node, int]] = {}
    stack: list[Node] = [x._node for x in outputs]
    while stack:
        node = stack.pop()
        if node.seq in nodes:
            continue
        nodes.add(node.seq)
        for edge in node.edges:
            if type(edge) is not tuple:
                continue
            if edge[0].seq > since:
                stack.append(edge[0])
            else:
                found[edge[0].seq, edge[1]] = edge
    return list(found.values())


def _references_in_walk() -> int:
    """What getrefcount says in `walk` of a gradient that nobody else holds; Pythons differ."""
    outgoing = (object(),)
    for _, g in zip((None,), outgoing):
        return getrefcount(g)
    return 0


def _references_of_attribute() -> int:
    """The same of a Storage that one Tensor holds, in `_is_own`."""
    held = [object()]
    storage = held[0]
    return getrefcount(storage)


_IN_WALK, _OF_ATTRIBUTE = _references_in_walk(), _references_of_attribute()


def _is_own(gradient: Tensor) -> bool:
    """Whether nothing else holds the memory of a gradient, which a copy would be laid out like."""
    storage = gradient._storage
    return (
        getrefcount(storage) == _OF_ATTRIBUTE
        and type(storage) is Storage
        and type(gradient) is Tensor
        and not (gradient._requires_grad or gradient._unit)
        and gradient._base is None
        and storage.version == 0
        and storage.nbytes == gradient.numel() * gradient._dtype.itemsize
        and gradient.is_contiguous()
        and program.active_capture() is None
    )


def accumulate(leaf: Tensor, gradient: Tensor, unshared: bool = False) -> None:
    """leaf.grad += gradient. A leaf with a slot (its place in an optimizer's flat gradient) keeps
    its gradient there. unshared: nobody else holds `gradient`, so its memory may become .grad's.
    """
    program.note_leaf(leaf)
    state.touch()
    slot = leaf._slot
    if leaf._grad is None:
        if slot is None or slot._shape != gradient._shape:  # the latter where `.data` has another shape
            # A gradient that is still shared (a view, or another leaf's) must not be changed by a
            # later accumulation.
            leaf._grad = gradient if unshared and _is_own(gradient) else gradient.clone()
        else:
            if lent:
                claim(slot)
            program.note_fresh(slot)
            program.copy(slot, gradient)
            leaf._grad = slot
    else:
        if leaf._grad._shape != gradient._shape:
            raise RuntimeError(
                "a gradient of shape %s cannot be added to .grad of shape %s, which is from before .data was assigned; "
                "set .grad to None first" % (list(gradient._shape), list(leaf._grad._shape))
            )
        leaf._grad.add_(gradient)


@in_c
def attach(
    name: str,
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    backward: Backward,
    saved: Sequence[Tensor] | None = None,
) -> None:
    """Records an op: marks `outputs` (a tuple of fresh Tensors) as computed from `inputs` by it.
    Call only when `needs_grad(*inputs)`.

    saved: the inputs and outputs whose values `backward` reads, as PyTorch saves them: a write into
    one of them before the backward is an error. (): it reads no value, so it may run twice. None:
    it keeps values that nobody else can write.
    """
    edges: list[Edge] = []
    for x in inputs:  # as edge_of, without its call: this is in every recorded op
        if x._base is not None:
            edges.append(edge_of(x))
        elif x._node is not None:
            edges.append((x._node, x._index))
        else:
            edges.append(x if x._requires_grad else None)
    kept: list[Saved] = []
    if saved:
        for x in saved:
            storage = x._storage
            kept.append((storage, storage.version if storage.owner is None else storage.writes(), x._shape))
    node: Node = _new(Node)  # without the call of __init__, a fifteenth of a small op
    node.seq, node.name, node.edges, node.backward, node.saved = next(_numbers), name, edges, backward, kept
    node.outputs, node.frees = len(outputs), saved is None or kept != []
    if node.outputs == 1:
        out = outputs[0]
        out._requires_grad, out._node, out._index = True, node, 0
        return
    for i, out in enumerate(outputs):
        out._requires_grad, out._node, out._index = True, node, i


def keep(out: Tensor, x: Tensor) -> None:
    """Adds x to the saved values of the op that made `out`: a write into x is an error there."""
    out._node.saved.append((x._storage, x._storage.writes(), x._shape))


def record(
    name: str,
    outputs: Sequence[Tensor],
    edges: Sequence[Edge],
    backward: Backward,
    saved: Sequence[Saved] = (),
    frees: bool = True,
) -> None:
    """As attach, from edges instead of inputs."""
    node = Node(name, edges, backward, len(outputs), saved, frees)
    for i, out in enumerate(outputs):
        out._requires_grad, out._node, out._index = True, node, i


@in_c
def needs_grad(*inputs: Tensor | None) -> bool:
    """True when the op on these inputs must be recorded."""
    if not state.grad_enabled:
        return False
    needed = False
    for x in inputs:
        if x is not None:
            if x._base is not None:
                renew(x)
            if x._requires_grad:
                needed = True
    return needed


# ---- writes in place ----------------------------------------------------------------------------
#
# A write into a tensor that requires a gradient gives it another Node. A view knows its base, the
# tensor that is no view: a write into a view gives both of them another Node. Any other view of the
# same base sees at its next use that its Storage has more writes than it knows of (`renew`), and
# gets a Node that reads its place from the base's.

PLAIN, UNRECORDED, ONE_OF_MANY = range(3)  # how a view was made: `_made`


def made_view(out: Tensor, x: Tensor, how: int = PLAIN) -> Tensor:
    """Marks `out` as a view of x. Returns it. ONE_OF_MANY: of an op that returns several."""
    out._base = x if x._base is None else x._base
    storage = out._storage
    out._seen = storage.version if storage.owner is None else storage.writes()
    if state.grad_enabled:
        out._made = how if x._base is None else how or x._made
    else:
        out._made = UNRECORDED
    return out


def renew(x: Tensor) -> None:
    """Brings the Node of a view up to date. RuntimeError where PyTorch has one: the view was made
    under no_grad or is one of several results, and its base was written since.
    """
    storage = x._storage
    writes = storage.version if storage.owner is None else storage.writes()
    base: Any = x._base
    if x._node is None:
        x._requires_grad = base._requires_grad
    if writes == x._seen:
        return
    if x._node is None and not base._requires_grad:
        return
    if x._made != PLAIN:
        _refuse_view(x, "its base or another view of its base was")
    x._seen = writes
    if base._requires_grad:
        _read_from_base(x, base)


state.renew = renew


def _refuse_view(x: Tensor, what: str) -> None:
    if x._made == UNRECORDED:
        raise RuntimeError(
            "A view was created in no_grad mode and %s modified in place with gradients recorded; "
            "make the view where gradients are recorded, or write under no_grad" % what
        )
    raise RuntimeError(
        "a result of %r is a view and %s modified in place, which an op that returns several views does not allow; "
        "use the op without the underscore" % (x._node.name if x._node is not None else "split", what)
    )


def _read_from_base(x: Tensor, base: Tensor) -> None:
    place, whole = _place(x, base), (base._shape, base._strides)

    def backward(dy: Tensor) -> Sequence[Tensor]:
        return (_spread(dy, place, whole, dy)[0],)

    record("as_strided", (x,), (edge_of(base),), backward, (), False)


def _place(x: Tensor, base: Tensor) -> tuple[Any, Any, int]:
    return x._shape, x._strides, x._offset - base._offset


def _spread(
    dy: Tensor | None, place: tuple[Any, Any, int], whole: tuple[Any, Any], like: Tensor
) -> tuple[Tensor, Tensor]:
    """(a new tensor laid out as `whole`, its part at `place`): zeros, with dy in the part."""
    shape, strides = whole
    size = 1 + sum([(n - 1) * step for n, step in zip(shape, strides)]) if 0 not in shape else 0
    memory = full((size,), 0.0, like._dtype, like.device)
    out = Tensor(memory._storage, shape, memory._dtype, 0, strides)
    shape, strides, offset = place
    if dy is not None:
        repeated = repeated_dims(shape, strides)
        if repeated:
            dy = dy.sum(repeated, keepdim=True)
            shape = tuple([1 if d in repeated else n for d, n in enumerate(shape)])
    part = Tensor(memory._storage, shape, memory._dtype, offset, strides)
    if dy is not None and part.numel():
        program.copy(part, dy)
    return out, part


def repeated_dims(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """The dimensions along which an expanded tensor has the same elements again."""
    return tuple([d for d, (n, step) in enumerate(zip(shape, strides)) if step == 0 and n > 1])


def refuse_repeated(x: Tensor) -> None:
    """PyTorch's RuntimeError for a write into an expanded tensor."""
    if repeated_dims(x._shape, x._strides) and x.numel():
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single "
            "memory location (shape %s, strides %s). Please clone() the tensor before performing the operation."
            % (list(x._shape), list(x._strides))
        )


def is_recorded(x: Tensor, name: str, other: Any = None) -> bool:
    """Whether a write of `other` into x must be recorded. RuntimeError where PyTorch has one: x is
    a leaf that requires a gradient, or a view of one; name: of the op, for the message.
    """
    if not state.grad_enabled:
        return False
    if x._base is not None:
        renew(x)
    if isinstance(other, Tensor) and other._base is not None:
        renew(other)
    if not x._requires_grad and not (isinstance(other, Tensor) and other._requires_grad):
        return False
    base = x._base
    if base is not None:
        if x._made != PLAIN:
            _refuse_view(x, "is being")
        if x._requires_grad and base._node is None:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place operation (%s); "
                "use the op without the underscore, or with no_grad()" % name
            )
    if x._requires_grad and x._node is None:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation (%s); "
            "use the op without the underscore, or with no_grad()" % name
        )
    return True


def before_write(x: Tensor) -> Tensor:
    """x as it is, for an op whose result is then written into x: the same memory and Node."""
    old = Tensor(x._storage, x._shape, x._dtype, x._offset, x._strides, x._requires_grad)
    old._node, old._index = x._node, x._index
    return old


def written(x: Tensor, result: Tensor | None = None) -> Tensor:
    """Counts a write into x. result: the recorded tensor whose value was written, whose Node is
    x's from here on. Returns x.
    """
    storage = x._storage
    if program._capture is not None:
        program.note_version(storage)
    storage.version += 1
    if result is None:
        return x
    program.note_rebase(x)
    base = x._base
    if base is None:
        x._requires_grad, x._node, x._index = True, result._node, result._index
        return x
    place, whole = _place(x, base), (base._shape, base._strides)

    def backward(dy: Tensor) -> Sequence[Tensor]:
        rest, _ = _spread(None, place, whole, dy)
        refuse_repeated(rest)  # here and below as in PyTorch, which writes gradients laid out as the values
        program.copy(rest, dy)
        part = Tensor(rest._storage, place[0], rest._dtype, place[2], place[1])
        inner = part.clone()
        if edge is not None:
            refuse_repeated(part)
            if part.numel():
                program.copy(part, full((), 0.0, dy._dtype, dy.device).expand(part._shape))
        return rest, inner

    edge = edge_of(base)
    record("copy_slices", (base,), (edge, edge_of(result)), backward)
    x._seen = storage.writes()
    _read_from_base(x, base)
    return x
