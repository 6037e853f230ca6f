"""Programs: launches recorded once, optimized, their memory planned, and replayed in one call of the device.

`launch` is the only way from an op to a device; while a capture is active it also records. What changes from step to step on
purpose (learning rate, step count, random stream) lives in small device buffers that `before_replay` hooks write.
`tinygpt.compiled` decides when a recording may be replayed.
"""

import weakref
from collections import namedtuple

from . import kernels
from .devices.base import size_text
from .passes import fuse, memory
from .state import state

Launch = namedtuple("Launch", "kernel buffers params")  # buffers: (storage uid, byte offset) or None

_capture = None


def launch(kernel, tensors, params):
    """Runs a kernel on Tensors (None: absent buffer), and records it while a capture is active."""
    storages = [t._storage if t is not None else None for t in tensors]
    device = storages[0].device
    for s in storages:
        if s is not None and s.device is not device:
            raise RuntimeError(
                "%s got tensors on two devices, %s and %s; move one with .to(...)" % (kernel.name, device.name, s.device.name)
            )
    for s, buffer in zip(storages, kernel.buffers):
        if s is not None and s.int8 is not None and buffer.access != "r":
            forget_int8(s)
    offsets = [t._offset * t.dtype.itemsize if t is not None else 0 for t in tensors]
    device.launch(kernel, [(s.handle, o) if s is not None else None for s, o in zip(storages, offsets)], params)
    if _capture is not None:
        _capture.record(kernel, storages, offsets, params)


def forget_int8(storage):
    """The storage is written: what it was in int8 is no longer what it holds, and who decoded with that records again."""
    storage.int8 = None
    state.layout += 1


def capturing():
    return _capture is not None


def note_read(why):
    """A value went from the device to Python: the active capture cannot be replayed."""
    if _capture is not None and _capture.refused is None:
        _capture.refused = why


note_write = note_read  # a value went from Python to the device: the same consequence


def note_leaf(tensor, overwritten=False):
    """A leaf's `.grad` is read or written: whether it was None becomes part of the Program's guard, unless the first use overwrites it."""
    if _capture is not None and id(tensor) not in _capture.leaves and tensor._storage.uid < _capture.first_uid:
        _capture.leaves[id(tensor)] = (tensor, tensor._grad, not overwritten)


def note_module(module):
    """A module ran: its training flag becomes part of the Program's guard."""
    if _capture is not None:
        _capture.modules[id(module)] = (module, module.training)


def before_replay(hook):
    """A hook for the Program that is being captured: `advance()` runs before each replay, `retreat()` when that is interrupted."""
    if _capture is not None:
        _capture.hooks.append(hook)


def active_capture():
    """The capture in progress, or None: where a caller keeps something once per capture."""
    return _capture


class Capture:
    """What one recorded call did."""

    def __init__(self, first_uid):
        self.first_uid = first_uid  # storages made during the capture have this uid or a higher one
        self.launches = []
        self.storages = {}  # uid -> Storage (older than the capture) or weak reference (made in it)
        self.sizes = {}
        self.leaves, self.modules, self.hooks = {}, {}, []
        self.refused = None
        self.device = None

    def record(self, kernel, storages, offsets, params):
        buffers = []
        for storage, offset in zip(storages, offsets):
            if storage is None:
                buffers.append(None)
                continue
            uid = storage.uid
            if uid not in self.storages:
                self.storages[uid] = storage if uid < self.first_uid else weakref.ref(storage)
                self.sizes[uid] = storage.nbytes
            buffers.append((uid, offset))
        self.device = storages[0].device
        self.launches.append(Launch(kernel, tuple(buffers), tuple(params)))

    def __enter__(self):
        global _capture
        _capture = self
        return self

    def __exit__(self, *exc):
        global _capture
        _capture = None


class Program:
    """A captured call: launches after the passes, memory planned, loaded on the device.

    recorded: the launches as captured. launches: after the passes. planned_bytes: the arena of intermediates.
    """

    def __init__(self, capture, optimize=True):
        self.device = capture.device
        self.recorded = capture.launches
        self.storages = {}  # what the Program keeps alive: everything that is not an intermediate
        temporaries = {}
        for uid, held in capture.storages.items():
            storage = held() if isinstance(held, weakref.ref) else held
            if storage is None:
                temporaries[uid] = capture.sizes[uid]
            else:
                self.storages[uid] = storage
        launches = fuse.run(self.recorded, temporaries) if optimize else list(self.recorded)
        places, self.planned_bytes = memory.plan(launches, temporaries)
        self.launches = [(k, [None if b is None else self._place(b, places) for b in buffers], params) for k, buffers, params in launches]
        try:
            self._loaded = self.device.load(self.launches, self.planned_bytes)
        except MemoryError as error:
            raise MemoryError(
                "the plan of this step needs %s for its intermediates. %s" % (size_text(self.planned_bytes), error)
            ) from None
        self.run = self._loaded.run
        for storage in self.storages.values():
            storage.pins += 1

    def _place(self, buffer, places):
        uid, offset = buffer
        return ("arena", places[uid] + offset) if uid in places else (self.storages[uid].handle, offset)

    def __del__(self):
        loaded = getattr(self, "_loaded", None)
        if loaded is not None:
            loaded.release()
            for storage in self.storages.values():
                storage.pins -= 1


# ---- strided copies: what an input or output of a Program needs ----------------------------------------


def copy(out, x):
    """out = x, whatever x's strides; out is dense."""
    launch(kernels.copy, (out, x), strided_copy_params(out.dtype.code, x.dtype.code, x.shape, out._strides, x._strides))


_copy_params = {}


def strided_copy_params(code_out, code_x, shape, strides_out, strides_x):
    """Params of kernels.copy, dimensions merged where both sides allow it. RuntimeError beyond kernels.MAX_RANK dimensions."""
    key = (code_out, code_x, shape, strides_out, strides_x)
    params = _copy_params.get(key)
    if params is None:
        if len(_copy_params) > 5000:
            _copy_params.clear()
        params = _copy_params[key] = (code_out, code_x, *merged_dims(shape, strides_out, strides_x))
    return params


def merged_dims(shape, *strides):
    """n0..n5 and each operand's strides, flat, for the strided kernels: size-1 dimensions go,
    neighbours merge where every operand allows."""
    sizes, kept = [], [[] for _ in strides]
    for d, n in enumerate(shape):
        if n == 1:
            continue
        step = [s[d] for s in strides]
        if sizes and all(k[-1] == s * n for k, s in zip(kept, step)):
            sizes[-1] *= n
            for k, s in zip(kept, step):
                k[-1] = s
        else:
            sizes.append(n)
            for k, s in zip(kept, step):
                k.append(s)
    if len(sizes) > kernels.MAX_RANK:
        raise RuntimeError(
            "this tensor expression has %d dimensions that cannot be merged; at most %d are supported" % (len(sizes), kernels.MAX_RANK)
        )
    pad = kernels.MAX_RANK - len(sizes)
    flat = [1] * pad + sizes
    for k in kept:
        flat += [0] * pad + k
    return flat
