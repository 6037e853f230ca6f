"""The walk back through the tape with everything that torch's engine knows: hooks, the gradient of
tensors that were asked for, gradients that have a graph of their own, anomaly mode.

`core.autograd.walk` is the plain walk. It calls this one while `complete_walk` is set: from the
first hook on, and inside `grad` and `run_backward`. A `Run` is one call of these two. The backward
of a checkpoint walks again inside of it and delivers to the same Run.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any
from weakref import ref

from ...core import autograd
from ...core.autograd import Node, accumulate, edge_of, record
from ...core.factory import full
from ...core.reads import paused
from ...core.state import state
from ...core.tensor import Tensor
from ...graph import program
from .. import front

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.autograd import Edge


class Hooks:
    """What was registered on a Node. The keys of the dicts are those of the handles.

    tensor: {index of an output: {key: hook of its gradient}}. retained: {index: the tensor whose
    .grad is set}. pre, post: hooks of the op's output gradients, and of its input gradients.
    """

    __slots__ = ("tensor", "retained", "pre", "post")

    def __init__(self) -> None:
        self.tensor: dict[int, OrderedDict[int, Any]] = {}
        self.retained: dict[int, ref[Tensor]] = {}
        self.pre: OrderedDict[int, Any] = OrderedDict()
        self.post: OrderedDict[int, Any] = OrderedDict()


def hooks_of(node: Node) -> Hooks:
    """The hooks of a Node, made where it has none. From here on the complete walk is at work."""
    keep_complete()
    found = getattr(node, "hooks", None)
    if found is None:
        found = node.hooks = Hooks()
    return found


retaining: dict[int, ref[Tensor]] = {}  # the results that retain_grad was called of, by their ids
_lasting = False  # a hook was registered: each backward takes the complete walk
anomaly: Any = None  # the module anomaly_mode while its mode is on


def keep_complete() -> None:
    """From here on each backward takes the complete walk."""
    global _lasting
    _lasting = True
    autograd.complete_walk = walk


def set_anomaly(module: Any) -> None:
    """Anomaly mode begins; None: it ends."""
    global anomaly
    anomaly = module
    autograd.complete_walk = walk if module is not None or _lasting or _run is not None else None


differentiate: Any = None  # second_order.differentiate, once it is loaded
running: Node | None = None  # whose backward is called with gradients recorded


class Run:
    """Where the gradients of one call go.

    targets: the edges that are asked for, a position each. only: nothing else gets a gradient.
    accumulates: what is found goes to `.grad`.
    """

    def __init__(
        self, targets: Sequence[Any] = (), only: bool = False, create_graph: bool = False, accumulates: bool = False
    ) -> None:
        self.only, self.create_graph, self.accumulates = only, create_graph, accumulates
        self.found: list[Tensor | None] = [None] * len(targets)
        self.nodes: dict[tuple[int, int], list[int]] = {}
        self.leaves: dict[int, list[int]] = {}
        for i, edge in enumerate(targets):
            if type(edge) is tuple:
                self.nodes.setdefault((edge[0].seq, edge[1]), []).append(i)
            elif edge is not None:
                self.leaves.setdefault(id(edge), []).append(i)

    def catch(self, places: Sequence[int], gradient: Tensor) -> None:
        for i in places:
            before = self.found[i]
            self.found[i] = gradient if before is None else before + gradient

    def needed(self, nodes: dict[int, Node]) -> set[int]:
        """The sequence numbers of the Nodes on the way to a target. A checkpoint may be on one."""
        needed: set[int] = set()
        for seq in sorted(nodes):
            for edge in nodes[seq].edges:
                if type(edge) is not tuple:
                    hit = edge is not None and id(edge) in self.leaves
                else:
                    hit = edge[0].seq in needed or (edge[0].seq, edge[1]) in self.nodes
                if hit:
                    needed.add(seq)
                    break
            else:
                if nodes[seq].name == "checkpoint":
                    needed.add(seq)
        return needed

    def leaf(self, leaf: Tensor, gradient: Tensor | None) -> None:
        """The complete gradient of a leaf that this walk has."""
        places = self.leaves.get(id(leaf))
        if self.only and places is None:
            return
        for hook in list(getattr(leaf, "_hooks", {}).values()):
            gradient = changed(hook, gradient)
        if places is not None and gradient is not None:
            self.catch(places, gradient)
        if self.only or gradient is None:
            return
        deliver(leaf, gradient, self.create_graph)


def deliver(leaf: Tensor, gradient: Tensor, create_graph: bool) -> None:
    """leaf.grad += gradient, then the hooks that wait for that."""
    if gradient._dtype is not leaf._dtype:
        gradient = gradient.to(leaf._dtype)
    if not create_graph:
        accumulate(leaf, gradient)
    else:
        program.note_leaf(leaf)
        state.touch()
        before = leaf._grad
        leaf._grad = gradient.clone() if before is None else before + gradient
    for hook in list(getattr(leaf, "_accumulated_hooks", {}).values()):
        hook(leaf)


def changed(hook: Any, gradient: Tensor | None) -> Tensor | None:
    """The gradient behind a hook: what it returns in its place."""
    out = hook(gradient)
    if out is None:
        return gradient
    if not isinstance(out, Tensor):
        raise TypeError("expected Variable, but hook returned '%s'" % type(out).__name__)
    if gradient is not None and out._shape != gradient._shape:
        raise RuntimeError(
            "hook '%s' has changed the size of value, from %s to %s"
            % (getattr(hook, "__name__", "?"), list(gradient._shape), list(out._shape))
        )
    if gradient is not None and out._dtype is not gradient._dtype:
        raise RuntimeError("hook '%s' has changed the type of value" % getattr(hook, "__name__", "?"))
    return out


_run: Run | None = None
_plain = Run()  # of a walk that nobody asked for more than the gradients of the leaves


def walk(
    seeds: Sequence[tuple[Tensor, Tensor]], retain_graph: bool = False, since: int = 0
) -> dict[tuple[int, int], Tensor]:
    """As `core.autograd.walk`, into the Run at work."""
    run = _run or _plain
    retain_graph = retain_graph or bool(since) and run.create_graph  # a checkpoint's: the new graph leads there
    for found in list(retaining.values()):  # a write in place has given some another Node
        x = found()
        if x is not None and x._node is not None:
            hooks_of(x._node).retained[x._index] = found
    nodes: dict[int, Node] = {}
    grads: dict[int, list[Tensor | None]] = {}
    stack: list[Node] = []
    for root, gradient in seeds:
        stack.append(root._node)
        _add(grads, root._node, root._index, gradient)
    del seeds
    waiting: dict[int, int] = {}  # edges that lead to a leaf and have not delivered yet
    sums: dict[int, Tensor | None] = {}
    while stack:
        node = stack.pop()
        if node.seq in nodes or node.seq <= since:
            continue
        nodes[node.seq] = node
        for edge in node.edges:
            if type(edge) is tuple:
                stack.append(edge[0])
    needed = run.needed(nodes) if run.only and not since else nodes.keys()
    for node in nodes.values():
        for edge in node.edges if node.seq in needed else ():
            if isinstance(edge, Tensor):
                waiting[id(edge)] = waiting.get(id(edge), 0) + 1
    needed = set(needed)
    for seq in sorted(nodes, reverse=True):
        node = nodes.pop(seq)
        incoming = grads.pop(seq, None)
        outgoing: Sequence[Tensor | None] = ()
        if incoming is not None:
            _arrived(run, node, incoming, seq in needed)
            if seq in needed:
                outgoing = _called(run, node, incoming)
        if seq in needed:
            for i, edge in enumerate(node.edges):
                g = outgoing[i] if i < len(outgoing) else None
                if type(edge) is tuple:
                    if g is not None:
                        _add(grads, edge[0], edge[1], g)
                elif isinstance(edge, Tensor):
                    key = id(edge)
                    if g is not None and edge._requires_grad:
                        before = sums.get(key)
                        sums[key] = g if before is None else before + g
                    waiting[key] -= 1
                    if not waiting[key] and key in sums:
                        run.leaf(edge, sums.pop(key))
            if node.frees and not retain_graph:
                node.backward, node.saved = None, ()
        del incoming, outgoing
    return {(seq, i): g for seq, slots in grads.items() for i, g in enumerate(slots) if g is not None}


def _add(grads: dict[int, list[Tensor | None]], node: Node, index: int, g: Tensor) -> None:
    slots = grads.setdefault(node.seq, [None] * node.outputs)
    before = slots[index]
    slots[index] = g if before is None else before + g


def _arrived(run: Run, node: Node, incoming: list[Tensor | None], continues: bool) -> None:
    """The complete gradients of a Node's outputs: their hooks, and who asked for them.

    As in PyTorch, `grad` gets one that continues from here before the hooks change it.
    """
    asked = [(places, i) for i in range(node.outputs) if (places := run.nodes.get((node.seq, i)))] if run.nodes else []
    if continues and not run.accumulates:
        _catch(run, asked, incoming)
        asked = []
    hooks = getattr(node, "hooks", None)
    if hooks is not None:
        for i, found in hooks.tensor.items():
            for hook in list(found.values()):
                incoming[i] = changed(hook, incoming[i])
        for i, tensor in hooks.retained.items():
            x, g = tensor(), incoming[i]
            if x is not None and x._node is node and g is not None:
                _retain(x, g, run.create_graph)
    _catch(run, asked, incoming)


def _catch(run: Run, asked: Sequence[tuple[Sequence[int], int]], incoming: Sequence[Tensor | None]) -> None:
    for places, i in asked:
        g = incoming[i]
        if g is not None:
            run.catch(places, g)


def _retain(x: Tensor, gradient: Tensor, create_graph: bool) -> None:
    """x.grad of a result: as a leaf's, the sum over backwards."""
    before = x._grad
    if before is not None:
        x._grad = before + gradient
    else:
        x._grad = gradient.clone() if create_graph else gradient.detach().clone()


def _called(run: Run, node: Node, incoming: list[Tensor | None]) -> Sequence[Tensor | None]:
    """The input gradients of a Node, with its hooks and the check of anomaly mode."""
    global running
    if node.backward is None:
        raise RuntimeError(
            "Trying to backward through the graph a second time (or directly access saved tensors after they have "
            "already been freed): the values that %r kept are freed. Specify retain_graph=True if you need to "
            "backward through the graph a second time." % node.name
        )
    if node.saved:
        autograd._check_saved(node)
    hooks = getattr(node, "hooks", None)
    if hooks is not None and hooks.pre:
        for hook in list(hooks.pre.values()):
            out = hook(tuple(incoming))
            if out is not None:
                incoming[:] = out if isinstance(out, (tuple, list)) else (out,)
    before, running = running, node
    try:
        if run.create_graph:
            outgoing = differentiate(node, incoming)
        else:
            outgoing = node.backward(*incoming)
    except Exception:
        if anomaly is not None:
            anomaly.explain(node)
        raise
    finally:
        running = before
    if hooks is not None and hooks.post:
        given = tuple([g if e is not None else None for e, g in zip(node.edges, outgoing)])
        for hook in list(hooks.post.values()):
            out = hook(given, tuple(incoming))
            if out is not None:
                given = tuple(out) if isinstance(out, (tuple, list)) else (out,)
        outgoing = given
    if anomaly is not None:
        anomaly.check(node, outgoing)
    return outgoing


def at(value: Tensor, edge: Edge) -> Tensor:
    """A kept value as the tensor whose gradient goes along `edge`, in the shape of the value."""
    out = value.detach()
    if type(edge) is tuple:
        out._node, out._index, out._requires_grad = edge[0], edge[1], True
    elif edge is not None:
        leaf: Any = edge
        if leaf._storage is value._storage and leaf._shape == value._shape and leaf._strides == value._strides:
            return leaf
        shape = leaf._shape
        record("view", (out,), (leaf,), lambda dy: (dy.reshape(shape),), (), False)
    return out


def own_result(value: Tensor, index: int = 0) -> Tensor:
    """In a backward: a detached result of the op itself, back on the tape where gradients are
    recorded. (A backward that keeps the result with its Node would be kept by that, a circle.)
    """
    return value if running is None or not state.grad_enabled else at(value, (running, index))


def kept_by(function: Any) -> dict[str, Any]:
    """The values that a backward keeps, by their names in it."""
    cells = function.__closure__ or ()
    return {name: cell.cell_contents for name, cell in zip(function.__code__.co_freevars, cells)}


# ---- the two ways in ----------------------------------------------------------------------------


def roots_of(outputs: Sequence[Tensor], grad_outputs: Sequence[Tensor | None]) -> list[tuple[Tensor, Tensor]]:
    """The outputs with their gradients, ones for a scalar without; RuntimeError where PyTorch has
    one.
    """
    roots: list[tuple[Tensor, Tensor]] = []
    for i, (x, g) in enumerate(zip(outputs, grad_outputs)):
        if g is None:
            if x.requires_grad:
                if x.numel() != 1:
                    raise RuntimeError("grad can be implicitly created only for scalar outputs")
                g = full(x._shape, 1.0, x._dtype, x.device)
        elif not isinstance(g, Tensor):
            raise TypeError("gradients can be either Tensors or None, but got " + type(g).__name__)
        elif g._shape != x._shape:
            raise RuntimeError(
                "Mismatch in shape: grad_output[%d] has a shape of torch.Size(%s) and output[%d] has a shape of "
                "torch.Size(%s)." % (i, list(g._shape), i, list(x._shape))
            )
        if not x.requires_grad or edge_of(x) is None:
            raise RuntimeError("element %d of tensors does not require grad and does not have a grad_fn" % i)
        assert g is not None
        if g._dtype is not x._dtype:
            g = g.to(x._dtype)
        roots.append((x, g))
    return roots


def execute(roots: Sequence[tuple[Tensor, Tensor]], run: Run, retain_graph: bool) -> None:
    """Walks from the roots into `run`."""
    global _run
    outer, mode = _run, state.grad_enabled
    _run, state.grad_enabled, autograd.complete_walk = run, run.create_graph, walk
    try:
        with paused():
            if not run.create_graph:
                roots = [(x, g.detach() if g._requires_grad else g) for x, g in roots]
            for x, g in roots:
                if x._node is None:
                    run.leaf(x, g)
            recorded = [(x, g) for x, g in roots if x._node is not None]
            if recorded:
                walk(recorded, retain_graph)
    finally:
        _run, state.grad_enabled = outer, mode
        set_anomaly(anomaly)


def gradients(
    roots: Sequence[tuple[Tensor, Tensor]], inputs: Sequence[Tensor], retain_graph: bool, create_graph: bool
) -> list[Tensor | None]:
    """d roots / d inputs; no `.grad` changes."""
    run = Run([edge_of(x) for x in inputs], True, create_graph)
    execute(roots, run, retain_graph)
    if create_graph:
        return run.found
    return [g if g is None else g.detach() for g in run.found]


def into(
    roots: Sequence[tuple[Tensor, Tensor]], inputs: Sequence[Tensor], retain_graph: bool, create_graph: bool
) -> None:
    """Adds d roots / d inputs to `.grad` of the inputs alone, which may be results of ops."""
    for x in inputs:
        if not x.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    run = Run([edge_of(x) for x in inputs], True, create_graph, True)
    execute(roots, run, retain_graph)
    for x, g in zip(inputs, run.found):
        if g is not None:
            if x._node is None:
                deliver(x, g, create_graph)
            else:
                _retain(x, g, create_graph)


def _enter() -> None:
    set_anomaly(anomaly)


def _leave() -> None:
    autograd.complete_walk = None


front.on_switch(_enter, _leave)  # TinyGPT's own code has no hooks: it takes the plain walk
