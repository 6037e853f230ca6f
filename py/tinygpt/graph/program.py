"""Programs: launches recorded once, optimized, their memory planned, and replayed in one call of
the device.

`launch` is the only way from an op to a device; while a capture is active it also records. What
changes from step to step on purpose (learning rate, step count, random stream) lives in small
device buffers that `before_replay` hooks write. `tinygpt.core.compile` decides when a recording may
be replayed.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from .. import kernels
from ..core.eager import in_c, know
from ..core.state import state
from ..devices.base import Device, size_text, status_error
from .passes import fuse, memory
from .passes.dependencies import Launch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from ..kernels import Kernel

    # What this layer needs of the classes of the layers above (core/tensor.py, nn.py, optim.py).

    class StorageLike(Protocol):
        uid: int
        pins: int  # Programs that have its place built in
        int8: Any

        @property
        def device(self) -> Device: ...
        @property
        def handle(self) -> Any: ...
        @property
        def base(self) -> int: ...
        @property
        def kind(self) -> str: ...
        @property
        def owner(self) -> Any: ...
        @property
        def nbytes(self) -> int: ...

    class DtypeLike(Protocol):
        @property
        def code(self) -> int: ...
        @property
        def itemsize(self) -> int: ...

    class TensorLike(Protocol):
        @property
        def _shape(self) -> tuple[int, ...]: ...
        @property
        def _dtype(self) -> DtypeLike: ...
        @property
        def _storage(self) -> StorageLike: ...
        @property
        def _offset(self) -> int: ...
        @property
        def _strides(self) -> tuple[int, ...]: ...
        @property
        def _grad(self) -> Any: ...

    class Hook(Protocol):
        """advance(): before each replay. retreat(): when that replay was interrupted."""

        def advance(self) -> None: ...
        def retreat(self) -> None: ...


_capture: Capture | None = None
know(
    program=globals(),
    status_error=status_error,
    binary_codes=kernels.BINARY,
    unary_codes=kernels.UNARY,
    reduce_codes=kernels.REDUCE,
    bias=kernels.BIAS,
    gradient=kernels.GRADIENT,
    kernels=[
        (k, k.name, k.slots, "".join([b.access for b in k.buffers]), "".join(["qd"[p.kind == "f"] for p in k.params]))
        for k in kernels.KERNELS
    ],
)


@in_c
def launch(kernel: Kernel, tensors: Sequence[TensorLike | None], params: Sequence[float]) -> None:
    """Runs a kernel on Tensors (None: absent buffer), and records it while a capture is active."""
    storages = [t._storage if t is not None else None for t in tensors]
    device = storages[0].device  # pyright: ignore[reportOptionalMemberAccess]: an output, always there
    for s in storages:
        if s is not None and s.device is not device:
            raise RuntimeError(
                "%s got tensors on two devices, %s and %s; move one with .to(...)"
                % (kernel.name, device.name, s.device.name)
            )
    for s, buffer in zip(storages, kernel.buffers):
        if s is not None and s.int8 is not None and buffer.access != "r":
            forget_int8(s)
    offsets = [t._offset * t._dtype.itemsize + t._storage.base if t is not None else 0 for t in tensors]
    device.launch(kernel, [(s.handle, o) if s is not None else None for s, o in zip(storages, offsets)], params)
    if _capture is not None:
        _capture.record(kernel, storages, offsets, params)


def launch_all(kernel: Kernel, launches: Sequence[tuple[Sequence[TensorLike | None], Sequence[float]]]) -> None:
    """Runs a kernel for each (tensors, params), in order, in one call of their device."""
    if _capture is not None:
        for tensors, params in launches:
            launch(kernel, tensors, params)
        return
    device = launches[0][0][0]._storage.device  # pyright: ignore[reportOptionalMemberAccess]: an output
    placed: list[tuple[list[Any], Sequence[float]]] = []
    for tensors, params in launches:
        buffers: list[Any] = []
        for t, buffer in zip(tensors, kernel.buffers):
            if t is None:
                buffers.append(None)
                continue
            storage = t._storage
            if storage.device is not device:
                raise RuntimeError("%s got tensors on two devices; move one with .to(...)" % kernel.name)
            if storage.int8 is not None and buffer.access != "r":
                forget_int8(storage)
            buffers.append((storage.handle, t._offset * t._dtype.itemsize + storage.base))
        placed.append((buffers, params))
    device.launch_all(kernel, placed)


def forget_int8(storage: StorageLike) -> None:
    """The storage is written: its int8 values are stale. What decoded with them records again."""
    storage.int8 = None
    state.layout += 1


def record_again() -> None:
    """Every captured call records again at its next use."""
    state.layout += 1


Device.record_again = staticmethod(record_again)


def capturing() -> bool:
    return _capture is not None


def note_read(why: str) -> None:
    """A value went from the device to Python: the active capture cannot be replayed."""
    if _capture is not None and _capture.refused is None:
        _capture.refused = why


note_write = note_read  # a value went from Python to the device: the same consequence


def note_leaf(tensor: TensorLike, overwritten: bool = False) -> None:
    """A leaf's `.grad` is read or written: whether it was None becomes part of the Program's guard,
    unless the first use overwrites it."""
    if _capture is not None and id(tensor) not in _capture.leaves and tensor._storage.uid < _capture.first_uid:
        _capture.leaves[id(tensor)] = (tensor, tensor._grad, not overwritten)


def note_requires_grad(tensor: TensorLike) -> None:
    """A tensor's requires_grad has changed: what is captured records again, unless the active
    capture has made the tensor itself.
    """
    if _capture is None or tensor._storage.uid < _capture.first_uid:
        state.layout += 1


def note_rebase(tensor: TensorLike) -> None:
    """A write into `tensor` is recorded on the tape: where the capture has not made the tensor, a
    replay would not record it.
    """
    if _capture is not None and tensor._storage.uid < _capture.first_uid:
        note_read("a tensor from outside it was written with a gradient recorded")


def before_replay(hook: Hook) -> None:
    """A hook for the Program that is being captured: `advance()` runs before each replay,
    `retreat()` when that is interrupted."""
    if _capture is not None:
        _capture.hooks.append(hook)


def after_call(call: Callable[[], object]) -> None:
    """`call` runs at once; in a call that is being captured, behind it and behind each replay."""
    if _capture is None:
        call()
    else:
        _capture.after.append(call)


def note_fresh(slot: TensorLike) -> None:
    """The slot of a gradient is written anew: a replay has to claim it first."""
    if _capture is not None:
        _capture.fresh[id(slot)] = slot


def note_version(storage: Any) -> None:
    """A storage is about to be written by an op in place: a replay counts its writes too."""
    if _capture is not None:
        _capture.written.setdefault(id(storage), (storage, storage.version))


def set_capture(capture: Capture | None) -> None:
    """Makes `capture` the active one; None: what follows is not recorded."""
    global _capture
    _capture = capture


def active_capture() -> Capture | None:
    """The capture in progress, or None: where a caller keeps something once per capture."""
    return _capture


class Capture:
    """What one recorded call did."""

    def __init__(self, first_uid: int) -> None:
        self.first_uid = first_uid  # storages made during the capture have this uid or a higher one
        self.launches: list[Launch] = []
        # uid -> Storage (older than the capture) or weak reference (made in it)
        self.storages: dict[int, StorageLike | weakref.ref[StorageLike]] = {}
        self.sizes: dict[int, int] = {}
        self.borrowed: dict[int, StorageLike] = {}  # those of older storages that may move away from their owner
        self.fresh: dict[int, Any] = {}  # slots of gradients that it writes anew (core/gradients.py)
        self.written: dict[int, tuple[Any, int]] = {}  # each storage written, and its version before
        self.leaves: dict[int, tuple[TensorLike, Any, bool]] = {}
        self.hooks: list[Hook] = []
        self.after: list[Callable[[], object]] = []  # run behind the call and each replay
        self.refused: str | None = None
        self.device: Device | None = None

    def record(
        self,
        kernel: Kernel,
        storages: Sequence[StorageLike | None],
        offsets: Sequence[int],
        params: Sequence[float],
    ) -> None:
        buffers: list[tuple[int, int] | None] = []
        for storage, offset in zip(storages, offsets):
            if storage is None:
                buffers.append(None)
                continue
            uid = storage.uid
            if uid not in self.storages:
                root = storage
                while root.owner is not None:
                    root = root.owner
                self.storages[uid] = root if uid < self.first_uid else weakref.ref(root)
                self.sizes[uid] = root.nbytes
            if storage.owner is not None and uid < self.first_uid != getattr(storage, "capture", 0):
                self.borrowed[id(storage)] = storage
            buffers.append((uid, offset >> 1 if storage.kind == storage.device.halved else offset))
        self.device = storages[0].device  # pyright: ignore[reportOptionalMemberAccess]: an output
        self.launches.append(Launch(kernel, tuple(buffers), tuple(params)))

    def __enter__(self) -> Capture:
        global _capture
        _capture = self
        return self

    def __exit__(self, *exc: object) -> None:
        global _capture
        _capture = None


class Program:
    """A captured call: launches after the passes, memory planned, loaded on the device.

    recorded: the launches as captured. launches: after the passes. planned_bytes: the arena of the
    intermediates.
    """

    def __init__(self, capture: Capture, optimize: bool = True) -> None:
        assert capture.device is not None  # it has launches
        self.device = capture.device
        self.recorded = capture.launches
        # What the Program keeps alive: everything that is not an intermediate.
        self.storages: dict[int, StorageLike] = {}
        temporaries: dict[int, int] = {}
        for uid, held in capture.storages.items():
            storage = held() if isinstance(held, weakref.ref) else held
            if storage is None:
                temporaries[uid] = capture.sizes[uid]
            else:
                self.storages[uid] = storage
        launches = fuse.run(self.recorded, temporaries) if optimize else list(self.recorded)
        places, self.planned_bytes = memory.plan(launches, temporaries)
        self.launches = [
            (k, [None if b is None else self._place(b, places) for b in buffers], params)
            for k, buffers, params in launches
        ]
        try:
            self._loaded = self.device.load(self.launches, self.planned_bytes)
        except MemoryError as error:
            raise MemoryError(
                "the plan of this step needs %s for its intermediates. %s" % (size_text(self.planned_bytes), error)
            ) from None
        self.run = self._loaded.run
        self.pinned = [*self.storages.values(), *capture.borrowed.values()]
        for storage in self.pinned:
            storage.pins += 1

    def _place(self, buffer: tuple[int, int], places: dict[int, int]) -> tuple[Any, int]:
        uid, offset = buffer
        return ("arena", places[uid] + offset) if uid in places else (self.storages[uid].handle, offset)

    def __del__(self) -> None:
        loaded = getattr(self, "_loaded", None)
        if loaded is not None:
            loaded.release()
            for storage in self.pinned:
                storage.pins -= 1


# ---- strided copies: what an input or output of a Program needs --------------------------------


def copy(out: TensorLike, x: TensorLike) -> None:
    """out = x, whatever x's strides; out is dense."""
    try:
        params = kernels.strided_copy_params(out._dtype.code, x._dtype.code, x._shape, out._strides, x._strides)
    except kernels.RankError:
        for i in range(x._shape[0]):
            copy(*[_slice(t, i) for t in (out, x)])
        return
    launch(kernels.copy, (out, x), params)


def _slice(x: Any, i: int) -> Any:
    """x[i], for more dimensions than the kernels take."""
    part = x.detach()
    part._shape, part._strides, part._offset = x._shape[1:], x._strides[1:], x._offset + i * x._strides[0]
    return part
