"""Whole objects from one device to another, and to the host and back, bit by bit: what lies behind
`.to(device)` and a Run's safety copy.

Memory moves by Storage, so tensors that share one (the parameters in an optimizer's flat arena, a
model's tied weights) share it afterwards too. Python's objects stay the same ones. Nothing is
changed before all bytes have arrived: a move that fails has not happened.

The mover knows tensors, random streams and containers. Any other object is looked into through its
attributes, or it has a method `_transfer_state()`, which returns a TransferState: modules,
optimizers, schedulers and data sets do.
"""

# Values of any type are taken apart here, which strict mode calls unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import generator
from .compile import Compiled
from .state import state
from .tensor import BorrowedStorage, Storage, Tensor, UncountedStorage

if TYPE_CHECKING:
    from typing import Any

    from ..devices.base import Device

PIECE = 1 << 25  # bytes on the host at a time while memory moves
_LEAVES = (str, bytes, bytearray, int, float, bool, type(None), type, types.FunctionType, types.ModuleType, Compiled)


@dataclass
class TransferState:
    """What an object says of itself to the mover. The mover calls the functions; None: there is
    nothing to do.
    """

    parts: Iterable[Any]  # objects to look at next, the last one first
    gradients: Iterable[Tensor] = ()  # tensors that move and that no Copy holds
    constants: Iterable[Tensor] = ()  # tensors whose values never change
    forget_place: Callable[[], object] | None = None  # drops what was made for the old place
    save: Callable[[], Any] | None = None  # what a Copy holds of the object besides its tensors
    restore: Callable[[Any], object] | None = None  # restore(saved) puts that back, when the tensors are there
    after_others: bool = False  # restored after the other objects: it writes to one of them


class Parts:
    """What is reachable from some objects through attributes, lists, tuples, sets and dicts.

    tensors: all of them (id -> Tensor), gradients, constants (tensors that never change),
    generators, states (TransferStates).
    """

    def __init__(self, *roots: Any) -> None:
        self.tensors: dict[int, Tensor] = {}
        self.gradients: dict[int, Tensor] = {}
        self.constants: dict[int, Tensor] = {}
        self.generators: list[generator.Generator] = []
        self.states: list[TransferState] = []
        self._seen: dict[int, Any] = {}
        waiting = list(roots)
        while waiting:
            waiting += self._enter(waiting.pop())

    def _enter(self, x: Any) -> Iterable[Any]:
        """Notes x; returns what to look at next."""
        if isinstance(x, _LEAVES) or id(x) in self._seen:
            return ()
        self._seen[id(x)] = x
        if isinstance(x, Tensor):
            self.tensors[id(x)] = x
            for gradient in (x._slot, x._grad):
                if gradient is not None:
                    self.gradients[id(gradient)] = gradient
            return (x._slot.owner,) if x._slot is not None else ()
        if isinstance(x, (list, tuple, set, frozenset)):
            return x
        if isinstance(x, dict):
            return x.values()
        if isinstance(x, generator.Generator):
            self.generators.append(x)
            return ()
        if not hasattr(type(x), "_transfer_state"):
            return getattr(x, "__dict__", {}).values()
        transfer = x._transfer_state()
        self.states.append(transfer)
        for found, tensors in ((self.gradients, transfer.gradients), (self.constants, transfer.constants)):
            found.update((id(tensor), tensor) for tensor in tensors)
        return transfer.parts

    def forget_places(self) -> None:
        """Drops what was made for the old place: decoders, settings buffers; captured Programs
        record again.
        """
        for transfer in self.states:
            if transfer.forget_place is not None:
                transfer.forget_place()
        state.layout += 1
        state.touch()


def move(device: Device, *roots: Any) -> None:
    """Moves every tensor reachable from `roots` to `device`, gradients too, in place."""
    parts = Parts(*roots)
    tensors = [x for x in (*parts.tensors.values(), *parts.gradients.values()) if x.device is not device]
    if not tensors:
        return
    left = {x.device for x in tensors}
    moved: dict[BorrowedStorage, BorrowedStorage] = {}
    for x in tensors:
        _again(x._storage, moved, lambda root: _moved(root, device))
    for x in tensors:
        x._storage = moved[x._storage]
    parts.forget_places()
    for old in left:
        generator.forget(old)


def _again(
    storage: BorrowedStorage,
    made: dict[BorrowedStorage, BorrowedStorage],
    of_root: Callable[[BorrowedStorage], BorrowedStorage],
) -> BorrowedStorage:
    """The Storage that takes the place of `storage`: of_root(it), or the same piece of what takes
    its owner's place.
    """
    if storage not in made:
        counted = storage.counted()
        if counted is not storage:
            made[storage] = UncountedStorage(_again(counted, made, of_root))
        elif storage.owner is None:
            made[storage] = of_root(storage)
        else:
            owner = _again(storage.owner, made, of_root)
            made[storage] = owner.piece(storage.base - storage.owner.base, storage.nbytes)
        made[storage].version = storage.version
    return made[storage]


def root_of(storage: BorrowedStorage) -> BorrowedStorage:
    """The Storage that owns the memory."""
    storage = storage.counted()
    while storage.owner is not None:
        storage = storage.owner
    return storage


def _place_of(storage: BorrowedStorage) -> tuple[int, int, tuple[int, int] | None]:
    root = root_of(storage)
    return id(storage), root.uid, None if root is storage else (storage.base, storage.nbytes)


def _moved(storage: BorrowedStorage, device: Device) -> Storage:
    out = Storage(device, storage.nbytes, storage.kind)
    for at in range(0, storage.nbytes, PIECE):
        n = min(PIECE, storage.nbytes - at)
        device.upload(out.handle, storage.device.download(storage.handle, n, at), at)
    return out


class Copy:
    """What `roots` held at one moment, in the host's memory: values and moments, step counts,
    settings, random streams; no gradients.

    before: an earlier Copy, whose bytes of constants (a corpus's tokens) are taken over. nbytes:
    what it occupies.
    """

    def __init__(self, *roots: Any, before: Copy | None = None) -> None:
        self._parts = parts = Parts(*roots)
        known = before._constants if before is not None else {}
        constant = {x._storage.uid for x in parts.constants.values()}
        # Of each tensor: (its Storage's id, the memory's uid, where the piece is), offset, strides.
        self._places = [(x, _place_of(x._storage), x._offset, x._strides) for x in parts.tensors.values()]
        self._bytes: dict[int, tuple[Any, str]] = {}  # storage uid -> (bytes, kind)
        for x in parts.tensors.values():
            storage = root_of(x._storage)
            if storage.uid not in self._bytes:
                data = known.get(storage.uid) or (storage.device.download(storage.handle, storage.nbytes), storage.kind)
                self._bytes[storage.uid] = data
        self._constants = {uid: self._bytes[uid] for uid in constant}
        self._constant_uids = constant
        self.nbytes = sum(len(data) for data, _ in self._bytes.values())
        saved = [(x, x.save() if x.save is not None else None) for x in parts.states if x.restore is not None]
        self._saved = sorted(saved, key=lambda pair: pair[0].after_others)
        self._generators = [(x, x.get_state()) for x in parts.generators]
        self.random = generator.default_generator.get_state()

    def restore(self, device: Device) -> None:
        """Brings everything back, on `device`, in the same Python objects. Nothing is read from
        where they were.
        """
        made: dict[int, Storage] = {}
        for uid, (data, kind) in self._bytes.items():
            made[uid] = Storage(device, len(data), kind)
            for at in range(0, len(data), PIECE):
                device.upload(made[uid].handle, memoryview(data)[at : at + PIECE], at)
        again: dict[int, BorrowedStorage] = {}
        for x, (key, uid, piece), offset, strides in self._places:
            if key not in again:
                again[key] = made[uid] if piece is None else made[uid].piece(*piece)
            x._storage, x._offset, x._strides = again[key], offset, strides
            x._grad = x._slot = None
        for transfer, saved in self._saved:
            assert transfer.restore is not None  # Copy.__init__ keeps those that have one
            transfer.restore(saved)
        for stream, values in self._generators:
            stream.set_state(values)
        self._parts.forget_places()
        self._constants = {made[uid].uid: self._bytes[uid] for uid in self._constant_uids}
