"""The gradients that callers hold: `p.grad` of a leaf whose gradient has a place of its own.

A leaf in an optimizer's arena, or in a recorded step, has a slot: the memory in which each backward
writes its gradient. A caller never gets the slot. `p.grad` lends it: a Tensor whose Storage borrows
the slot's memory. So it shows what is accumulated, as in PyTorch. Before a backward writes the slot
anew (`p.grad` was None) the borrower that is still alive gets memory of its own (`claim`): in
PyTorch too the gradient from before is another tensor than the one after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from ..graph import program
from .state import state
from .tensor import BorrowedStorage, Storage, Tensor, float32

if TYPE_CHECKING:
    from typing import Any


class LentGradient(BorrowedStorage):
    """Borrows a slot's memory. capture: the first uid of the recording that lent it, or 0."""

    __slots__ = ("capture",)

    capture: int


# What is lent, by the id of the slot: its Storage and its Tensor (weak), the slot, its leaf (weak).
lent: dict[int, tuple[ref[BorrowedStorage], ref[Tensor], Tensor, ref[Tensor]]] = {}


def lend(slot: Tensor, storage: BorrowedStorage, shown: Tensor, leaf: Tensor) -> None:
    """Notes that `shown`, a Tensor of `storage`, borrows the slot of `leaf`."""
    key = id(slot)
    lent[key] = ref(storage, lambda _: lent.pop(key, None)), ref(shown), slot, ref(leaf)


def show(leaf: Tensor) -> Tensor:
    """`leaf.grad` for the caller, where it is in the leaf's slot."""
    slot: Tensor = leaf._slot
    found = lent.get(id(slot))
    storage = found[0]() if found is not None else None
    if found is not None and storage is not None:
        shown = found[1]()
        if shown is not None:
            return shown
    else:
        own = slot._storage
        piece: Any = own.piece(0, own.nbytes, LentGradient)
        capture = program.active_capture()
        piece.capture = capture.first_uid if capture is not None else 0
        storage = piece
    shown = Tensor(storage, slot._shape, slot._dtype, slot._offset, slot._strides)
    lend(slot, storage, shown, leaf)
    return shown


state.show = show


def keep_apart(gradient: Tensor) -> None:
    """Before `gradient.data` is assigned: one that is lent is its leaf's own from here on."""
    for key, (_, shown, slot, owner) in lent.items():
        if shown() is gradient:
            leaf = owner()
            if leaf is not None and leaf._grad is slot:
                leaf._grad = gradient
            del lent[key]
            return


state.keep_apart = keep_apart


def gradient_of(leaf: Tensor) -> Tensor | None:
    """`leaf.grad` for the engine's own use: the slot itself."""
    program.note_leaf(leaf)
    return leaf._grad


def clear_gradient(leaf: Tensor) -> None:
    """Writes zeros into a gradient that is there."""
    gradient: Any = leaf._grad
    if gradient._node is not None:
        leaf._grad = gradient = gradient.detach()
    gradient._requires_grad = False
    gradient.zero_()


def claim(slot: Tensor) -> None:
    """Before the slot is written anew: what a caller still holds of it keeps its values."""
    found = lent.pop(id(slot), None)
    storage = found[0]() if found is not None else None
    if storage is not None and storage.owner is slot._storage:
        give_memory(storage)


def give_memory(storage: BorrowedStorage) -> None:
    """Gives a borrower memory of its own, with the same contents.

    A recording has the copy only where the borrower was made in it: a replay must not write into
    what a caller holds from before.
    """
    capture = program.active_capture()
    recorded = capture is not None and getattr(storage, "capture", 0) == capture.first_uid
    program.set_capture(capture if recorded else None)
    try:
        memory = Storage(storage.device, storage.nbytes, storage.kind)
        n = storage.nbytes // 4
        program.copy(Tensor(memory, (n,), float32), Tensor(storage, (n,), float32))
    finally:
        program.set_capture(capture)
    storage.settle(memory, 0)
