"""The tape: which op made a tensor from which, and the walk back that turns d loss / d result into d loss / d leaf.

An op that wants a gradient calls `attach` with a function from output gradients to input gradients. `backward` visits the
Nodes from the newest to the oldest, so each is complete when its turn comes.
"""

import itertools

from . import program
from .state import state


class Node:
    """One recorded op. `backward(*output gradients)` returns a gradient or None for each input, in order."""

    __slots__ = ("seq", "inputs", "backward", "outputs", "name")
    _seq = itertools.count(1)

    def __init__(self, name, inputs, backward, outputs):
        self.seq, self.name, self.inputs, self.backward, self.outputs = next(Node._seq), name, inputs, backward, outputs


def backward(root, gradient, retain_graph):
    """Accumulates gradient * d root / d leaf into every leaf. The tape is freed unless retain_graph."""
    if root._node is None:
        accumulate(root, gradient)
        return
    walk([(root, gradient)], retain_graph)


def walk(seeds, retain_graph=False, since=0):
    """Backward from `seeds`, pairs of a tensor that an op made and its gradient, into every leaf.

    Nodes that are not newer than `since` (a `mark`) are not visited: returns what reaches them, {(node's number, index of its output):
    gradient}.
    """
    nodes, grads = {}, {}  # by number; grads: one gradient for each output of a node
    stack = []
    for root, gradient in seeds:
        stack.append(root._node)
        _add(grads, root, gradient)
    del seeds, root, gradient
    while stack:
        node = stack.pop()
        if node.seq in nodes or node.seq <= since:
            continue
        if node.backward is None:
            raise RuntimeError("trying to go backward through the graph a second time; pass retain_graph=True the first time")
        nodes[node.seq] = node
        stack.extend(x._node for x in node.inputs if x._node is not None)
    for seq in sorted(nodes, reverse=True):
        node = nodes.pop(seq)
        incoming = grads.pop(seq, None)
        if incoming is not None:
            outgoing = node.backward(*incoming)
            for x, g in zip(node.inputs, outgoing):
                if g is None or not x.requires_grad:
                    continue
                if x._node is None:
                    accumulate(x, g)
                else:
                    _add(grads, x, g)
            del incoming, outgoing
        if not retain_graph:
            node.backward, node.inputs = None, ()
    return {(seq, i): g for seq, slots in grads.items() for i, g in enumerate(slots) if g is not None}


def _add(grads, x, g):
    slots = grads.setdefault(x._node.seq, [None] * x._node.outputs)
    slots[x._index] = g if slots[x._index] is None else slots[x._index] + g


def mark():
    """A number between the Nodes that are there and those to come."""
    return next(Node._seq)


def reached(outputs, since):
    """What the Nodes newer than `since` (a `mark`) that lead to `outputs` read of older ones: [Tensor], one for each result of an op."""
    nodes, found, stack = set(), {}, [x._node for x in outputs]
    while stack:
        node = stack.pop()
        if node.seq in nodes:
            continue
        nodes.add(node.seq)
        for x in node.inputs:
            if x._node is not None and x._node.seq > since:
                stack.append(x._node)
            elif x._node is not None:
                found[x._node.seq, x._index] = x
    return list(found.values())


def accumulate(leaf, gradient):
    """leaf.grad += gradient. A leaf with a slot (its place in an optimizer's flat gradient) keeps its gradient there."""
    program.note_leaf(leaf)
    state.touch()
    slot = leaf._slot
    if leaf._grad is None:
        if slot is None:
            # A gradient that is still shared (a view, or another leaf's) must not be changed by a later accumulation.
            leaf._grad = gradient.clone()
        else:
            slot.copy_(gradient)
            leaf._grad = slot
    else:
        leaf._grad.add_(gradient)


def attach(name, outputs, inputs, backward):
    """Records an op: marks `outputs` (a tuple of fresh Tensors) as computed from `inputs` by it. Call only when `wanted(*inputs)`."""
    node = Node(name, inputs, backward, len(outputs))
    for i, out in enumerate(outputs):
        out.requires_grad, out._node, out._index = True, node, i


def wanted(*inputs):
    """True when the op on these inputs must be recorded."""
    if state.grad_enabled:
        for x in inputs:
            if x is not None and x.requires_grad:
                return True
    return False
