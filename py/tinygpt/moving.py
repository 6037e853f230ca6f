"""Whole objects from one device to another, and to the host and back, bit by bit: what lies behind `.to(device)` and a Run's safety copy.

Memory moves by Storage, so tensors that share one (the parameters in an optimizer's flat arena, a model's tied weights) share it
afterwards too. Python's objects stay the same ones. Nothing is changed before all bytes have arrived: a move that fails has not happened.
"""

import types

from .compiled import Compiled
from .data import Dataset
from .nn import Module
from .ops import random
from .optim import Flat, Optimizer
from .schedule import Scheduler
from .state import state
from .tensor import Storage, Tensor

PIECE = 1 << 25  # bytes on the host at a time while memory moves
_LEAVES = (str, bytes, bytearray, int, float, bool, type(None), type, types.FunctionType, types.ModuleType, Compiled)


class Parts:
    """What is reachable from some objects through attributes, lists, tuples, sets and dicts.

    tensors: all of them (id -> Tensor), flats, optimizers, modules, generators, schedulers, constants (tensors that never change).
    """

    def __init__(self, *roots):
        self.tensors, self.gradients, self.constants = {}, {}, {}
        self.flats, self.optimizers, self.modules, self.generators, self.schedulers = [], [], [], [], []
        self._seen = {}
        waiting = list(roots)
        while waiting:
            waiting += self._enter(waiting.pop())

    def _enter(self, x):
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
        if isinstance(x, Flat):
            self.flats.append(x)
            self.tensors[id(x.values)] = x.values
            self.gradients[id(x.gradients)] = x.gradients
            return x.parameters
        if isinstance(x, random.Generator):
            self.generators.append(x)
            return ()
        if isinstance(x, Dataset):
            self.constants[id(x.tokens)] = x.tokens
        for kind, found in ((Optimizer, self.optimizers), (Module, self.modules), (Scheduler, self.schedulers)):
            if isinstance(x, kind):
                found.append(x)
        return [value for name, value in getattr(x, "__dict__", {}).items() if name not in ("_decoder", "_hyper", "_runs")]

    def forget_places(self):
        """Drops what was made for the old place: decoders, settings buffers; captured Programs record again."""
        for module in self.modules:
            module.__dict__.pop("_decoder", None)
        for optimizer in self.optimizers:
            optimizer._hyper.clear()
        state.layout += 1
        state.touch()


def move(device, *roots):
    """Moves every tensor reachable from `roots` to `device`, gradients too, in place."""
    parts = Parts(*roots)
    tensors = [x for x in (*parts.tensors.values(), *parts.gradients.values()) if x.device is not device]
    if not tensors:
        return
    left = {x.device for x in tensors}
    moved = {}
    for x in tensors:
        if x._storage not in moved:
            moved[x._storage] = _moved(x._storage, device)
    for x in tensors:
        x._storage = moved[x._storage]
    parts.forget_places()
    for old in left:
        random.forget(old)


def _moved(storage, device):
    out = Storage(device, storage.nbytes, storage.kind)
    for at in range(0, storage.nbytes, PIECE):
        n = min(PIECE, storage.nbytes - at)
        device.upload(out.handle, storage.device.download(storage.handle, n, at), at)
    return out


class Copy:
    """What `roots` held at one moment, in the host's memory: values and moments, step counts, settings, random streams; no gradients.

    before: an earlier Copy, whose bytes of constants (a corpus's tokens) are taken over. nbytes: what it occupies.
    """

    def __init__(self, *roots, before=None):
        self._parts = parts = Parts(*roots)
        known = before._constants if before is not None else {}
        constant = {x._storage.uid for x in parts.constants.values()}
        self._places = [(x, x._storage.uid, x._offset, x._strides) for x in parts.tensors.values()]
        self._bytes = {}  # storage uid -> (bytes, kind)
        for x in parts.tensors.values():
            storage = x._storage
            if storage.uid not in self._bytes:
                data = known.get(storage.uid) or (storage.device.download(storage.handle, storage.nbytes), storage.kind)
                self._bytes[storage.uid] = data
        self._constants = {uid: self._bytes[uid] for uid in constant}
        self._constant_uids = constant
        self.nbytes = sum(len(data) for data, _ in self._bytes.values())
        self._optimizers = [(x, x.get_counts(), x.settings()) for x in parts.optimizers]
        self._schedulers = [(x, x.state_dict()) for x in parts.schedulers]
        self._generators = [(x, x.get_state()) for x in parts.generators]
        self.random = random.default_generator.get_state()

    def restore(self, device):
        """Brings everything back, on `device`, in the same Python objects. Nothing is read from where they were."""
        made = {}
        for uid, (data, kind) in self._bytes.items():
            made[uid] = Storage(device, len(data), kind)
            for at in range(0, len(data), PIECE):
                device.upload(made[uid].handle, memoryview(data)[at : at + PIECE], at)
        for x, uid, offset, strides in self._places:
            x._storage, x._offset, x._strides = made[uid], offset, strides
            x._grad = None
        for flat in self._parts.flats:
            flat.clear_gradients()
        for optimizer, counts, settings in self._optimizers:
            optimizer.set_counts(counts)
            for group, values in zip(optimizer.param_groups, settings):
                group.update(values)
        for scheduler, values in self._schedulers:
            scheduler.load_state_dict(values)
        for generator, values in self._generators:
            generator.set_state(values)
        self._parts.forget_places()
        self._constants = {made[uid].uid: self._bytes[uid] for uid in self._constant_uids}
