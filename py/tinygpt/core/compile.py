"""compile: a Python function whose device work is recorded on its first call and replayed on later
ones.

A recording is replayed only for the same key (argument shapes, dtypes and values, whether gradients
are recorded, where parameters live), while everything else that Python read is what it was
(core/guards.py), and while the same parameters have a gradient.

A call that reads a value on the host (`.item()`) or builds a tensor from Python data cannot be
replayed faithfully: such a function runs eagerly every time, and says so once.
"""

# Values of any type are taken apart here, which strict mode calls unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import functools
import sys
import warnings
from typing import TYPE_CHECKING, Any
from weakref import ref

from ..graph import program
from ..graph.program import Capture, Program
from . import bypasses
from .current_device import get_device
from .factory import like
from .gradients import claim, lend, lent
from .guards import PLAIN, Guards
from .reads import Reads
from .state import state
from .tensor import BorrowedStorage, Storage, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_PROGRAMS = 8  # kept for each compiled function; the oldest goes first
_new: Any = object.__new__
KEPT = 64  # bytes of an output whose memory waits for the next one: a loss, or what else is small


class _Entry:
    """One Program of a compiled function with its guards and its inputs and outputs."""

    def __init__(
        self, program: Program, capture: Capture, inputs: list[Tensor], outputs: Any, held: Any, guards: Guards
    ) -> None:
        self.held = held  # what the key names by id: while the entry is there, no other object can get that id
        self.guards = guards
        self.program, self.inputs, self.outputs = program, inputs, _Outputs(program, capture, outputs)
        self.hooks, self.after = capture.hooks, capture.after
        # Bound once: a cold look-up in each replay costs more than the list.
        self.advances = [hook.advance for hook in self.hooks]
        read = {b[0] for launch_ in capture.launches for b in launch_.buffers if b is not None}
        written = {
            b[0]
            for launch_ in capture.launches
            for b, spec in zip(launch_.buffers, launch_.kernel.buffers)
            if b is not None and spec.access != "r"
        }
        self.changed = [x._storage.uid in written for x in inputs]  # arguments that the function updates in place
        self._own_gradients(capture)
        self.fresh = list(capture.fresh.values())
        # Writes by ops in place that a replay counts too (an optimizer's step counts its own).
        self.writes = [
            (storage, storage.version - before)
            for storage, before in capture.written.values()
            if storage.uid < capture.first_uid and storage.version != before
        ]
        self.epoch: int | None = None  # state.epoch after a replay that left things as the next one needs them
        leaves: list[tuple[Any, Tensor | None, bool]] = list(capture.leaves.values())
        self.leaves = [(t, t._grad) for t, _, _ in leaves]  # each with its gradient after
        # (leaf, its gradient before: None or a tensor, must it be that very tensor)
        self.guarded = [(t, g, g is not None and g._storage.uid in read) for t, g, matters in leaves if matters]

    def _own_gradients(self, capture: Capture) -> None:
        """A gradient that the recording made becomes its leaf's slot, which each replay writes; the
        caller may have the Tensor already (core/gradients.py).
        """
        returned = [memory.own for memory in self.outputs.memories]
        leaves: list[Any] = [leaf for leaf, _, _ in capture.leaves.values()]
        for leaf in leaves:
            made = leaf._grad
            if made is None or leaf._slot is not None or made._storage.uid < capture.first_uid:
                continue
            storage = made._storage
            if type(storage) is not Storage or storage.owner is not None:
                continue
            own = storage if storage in returned else storage.hand_over()
            slot: Any = Tensor(own, made._shape, made._dtype, made._offset, made._strides)
            slot.owner = None  # in no optimizer's arena
            if own is not storage:
                self.program.storages[own.uid] = own
                lend(slot, storage, made, leaf)
            leaf._slot = leaf._grad = slot
            capture.fresh[id(slot)] = slot

    def holds(self) -> bool:
        """True when everything that the recording read is what it was. While the epoch is the same,
        gradients and what Modules hold are.
        """
        return (self.epoch == state.epoch or self.gradients_hold()) and self.guards.hold(self.epoch)

    def gradients_hold(self) -> bool:
        """True when the leaves have the gradients that the recording started from."""
        for leaf, before, same in self.guarded:
            grad = leaf._grad
            if (grad is None) != (before is None) or (same and grad is not before):
                return False
        return True

    def replay(self, tensors: Sequence[Tensor]) -> Any:
        """What the function returns. All that can be done before the run is done before: after it,
        everything takes longest.
        """
        if tensors:
            for mine, given in zip(self.inputs, tensors):
                program.copy(mine, given)
        for advance in self.advances:
            advance()
        if lent:
            for slot in self.fresh:
                if id(slot) in lent:
                    claim(slot)
        if self.writes:
            for storage, count in self.writes:
                storage.version += count
        outputs = self.outputs
        given = outputs.prepare()
        try:
            self.program.run()
        except KeyboardInterrupt:  # before any weight changed: this step was not made
            for hook in self.hooks:
                hook.retreat()
            raise
        if self.epoch != state.epoch:
            for leaf, after in self.leaves:
                leaf._grad = after
            if self.leaves:
                state.touch()  # other Programs look again
            self.epoch = state.epoch if self.gradients_hold() else None
        if tensors:
            self.give_back(tensors)
        if given is None:
            given = outputs.give()
        if self.after:
            _call(self.after)
        return given

    def give_back(self, tensors: Sequence[Tensor]) -> None:
        """Copies arguments that were updated in place back to the caller's tensors."""
        for mine, given, changed in zip(self.inputs, tensors, self.changed):
            if changed:
                program.copy(given, mine)
                given._storage.version += max(mine._storage.version, 1)


class _OutputMemory:
    """Memory of the Program that the caller sees.

    The caller never gets the Program's own Storage. Each call gives a new one that borrows the
    memory, and all views that are derived from the result share it. So the memory is in use exactly
    as long as that Storage is alive.
    """

    __slots__ = ("own", "borrower", "spare", "spare_borrower")

    def __init__(self, made: Storage) -> None:
        self.own = made.hand_over()
        self.borrower: ref[BorrowedStorage] = ref(made)  # the Storage that the caller saw last
        self.spare: Storage | None = None  # small memory to which the caller's view moved, to be used again
        self.spare_borrower = self.borrower

    def lend(self) -> BorrowedStorage:
        """A Storage for the caller: as own.lend(), whose two calls cost a twentieth of a replay."""
        own, storage = self.own, _new(BorrowedStorage)
        storage.owner, storage.handle, storage.base, storage.uid = own, own.handle, own.base, own.uid
        storage.device, storage.nbytes, storage.kind = own.device, own.nbytes, own.kind
        storage.pins = storage.version = 0
        storage.int8 = None
        self.borrower = ref(storage)
        return storage

    def move(self, borrower: BorrowedStorage) -> None:
        """What the caller still holds gets memory of its own with a copy."""
        own = self.own
        if borrower.owner is not own:  # it is a parameter of an optimizer by now
            return
        if self.spare is not None and self.spare_borrower() is None:
            memory = self.spare
        else:
            memory = Storage(own.device, own.nbytes, own.kind)
        own.device.copy(memory.handle, own.handle, own.nbytes)
        borrower.owner, borrower.handle, borrower.uid = memory, memory.handle, memory.uid
        if borrower.pins:
            state.layout += 1  # another Program has the old place built in
        if own.nbytes <= KEPT:
            self.spare, self.spare_borrower = memory, self.borrower


class _Outputs:
    """What a Program returns: the caller gets views of the Program's own memory, which costs
    nothing.

    Before a replay overwrites memory that the caller still holds, the caller's tensors move to
    memory of their own (`prepare`).
    """

    def __init__(self, program_: Program, capture: Capture, value: Any) -> None:
        self.value = value
        made: dict[int, list[Tensor]] = {}  # by the uid of what the capture made: the tensors in `value` that show it
        _map(value, lambda x: _note(made, x, capture.first_uid))
        gradients = [leaf._grad for leaf, _, _ in capture.leaves.values() if leaf._grad is not None]
        self.memories: list[_OutputMemory] = []
        self.place: dict[int, int] = {}  # id of a tensor in `value` -> which of the memories it shows
        for uid, views in made.items():
            self.place.update((id(x), len(self.memories)) for x in views)
            storage: Any = views[0]._storage  # the capture made it: it owns its memory
            memory = _OutputMemory(storage)
            self.memories.append(memory)
            program_.storages[uid] = memory.own
            for x in (*views, *gradients):  # a gradient that is returned as well stays where the Program writes it
                if x._storage.uid == uid:
                    x._storage = memory.own
        # (place, a view of it) of each tensor, where `value` is one tensor, or a tuple or list of
        # them, and nothing has to be copied for the caller.
        self.views: list[tuple[Any, ...]] = []
        flat = [value] if _is_tensor(value) else value if type(value) in (tuple, list) else ()
        if all(id(x) in self.place for x in flat):
            self.views = [(self.place[id(x)], x.detach()) for x in flat]
        self.sequence: Any = type(value) if flat is value else None

    def prepare(self) -> Any:
        """Before a replay. Returns what `give` would return after it, where that can be had now:
        views of what will be written.
        """
        for memory in self.memories:
            borrower = memory.borrower()
            if borrower is not None:
                memory.move(borrower)
        if not self.views:
            return None
        if self.sequence is None:
            storage = self.memories[0].lend()
            storage.device.watch(storage.handle)
            out = self.views[0][1].detach()
            out._storage = storage
            return out
        lent = [memory.lend() for memory in self.memories]
        given: list[Tensor] = []
        for i, view in self.views:
            out = view.detach()
            out._storage = lent[i]
            given.append(out)
        return self.sequence(given)

    def give(self) -> Any:
        """For the caller: leaves that require gradients as they are, older memory copied, the
        Program's own seen through new Tensors.
        """
        lent = [memory.lend() for memory in self.memories]

        def given(x: Tensor) -> Tensor:
            if x._requires_grad:
                return x
            if id(x) in self.place:
                return Tensor(lent[self.place[id(x)]], x._shape, x._dtype, x._offset, x._strides)
            out = like(x)
            program.copy(out, x)
            return out

        return _map(self.value, given)


def _note(made: dict[int, list[Tensor]], x: Tensor, first_uid: int) -> Tensor:
    if not x._requires_grad and x._storage.uid >= first_uid:
        made.setdefault(x._storage.uid, []).append(x)
    return x


class Compiled:
    """What `compile` returns: call it like the function. `program`: the Program that ran last;
    `refused`: why there is none.
    """

    def __init__(self, function: Callable[..., Any], optimize: bool = True) -> None:
        self.function, self.optimize = function, optimize
        self.entries: dict[tuple[Any, ...], list[_Entry]] = {}
        self.program: Program | None = None
        self.refused: str | None = None
        self.captures = 0
        self.failed = 0  # recordings since the last replay that replaced one whose guards had failed
        # The state of the last call without arguments, and its _Entry.
        self.last: tuple[Any, Any, Any, Any] = (None, None, None, None)
        self.__name__ = getattr(function, "__name__", "compiled")
        self.__doc__ = function.__doc__

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy or a pickle has the function, and records anew."""
        return type(self), (self.function, self.optimize)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if program._capture is not None or self.refused is not None:
            return self.function(*args, **kwargs)
        plain = not args and not kwargs
        if plain:
            layout, grad_enabled, device, entry = self.last
            if (
                layout == state.layout
                and grad_enabled is state.grad_enabled
                and device is state.device
                and entry.epoch == state.epoch
                and (entry.guards.always.fast or entry.guards.always)()
            ):  # nothing has changed: the usual step of a loop
                self.program = entry.program
                return entry.replay(())
        tensors: list[Tensor] = []
        key = (
            _signature(args, tensors) if args else (),
            _signature(tuple(sorted(kwargs.items())), tensors) if kwargs else (),
            (state.layout, state.grad_enabled, id(state.device)),
        )
        entries = self.entries.get(key, ())
        for entry in entries:
            if entry.holds():
                self.failed = 0
                if plain:
                    self.last = state.layout, state.grad_enabled, state.device, entry
                self.program = entry.program
                return entry.replay(tensors)
        if entries:
            self.failed += 1
            if self.failed >= MOST_PROGRAMS:
                self._refuse("%s changes between the calls" % entries[-1].guards.changed())
                return self.function(*args, **kwargs)
        return self._record(key, args, kwargs, tensors)

    def _refuse(self, why: str) -> None:
        self.refused = why
        self.entries.clear()
        self.program, self.last = None, (None, None, None, None)
        warnings.warn(
            "%s runs without replay, step by step, because %s; "
            "move that out of the compiled function for full speed" % (self.__name__, why),
            RuntimeWarning,
            stacklevel=4,
        )

    def _record(
        self, key: tuple[Any, ...], args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor]
    ) -> Any:
        inputs: list[Tensor] = []
        leaves = _leaves((args, kwargs))
        # A recording of before the parameters moved can never run again; what it holds may be much,
        # and on a device that is gone.
        for stale in [k for k in self.entries if k[2][0] != state.layout]:
            del self.entries[stale]
            self.program, self.last = None, (None, None, None, None)
        args, kwargs = _private(args, inputs), _private(dict(sorted(kwargs.items())), inputs)
        first = Storage(get_device(), 4)  # its uid splits what is older than the capture from what is made in it
        with Reads(self.function, leaves) as reads, Capture(first.uid) as capture:
            outputs = self.function(*args, **kwargs)
        bypasses.look(sys._getframe(1))
        self.captures += 1
        if capture.refused is not None or reads.refused is not None or not capture.launches:
            for mine, given in zip(inputs, tensors):
                program.copy(given, mine)
                if mine._storage.version:
                    given._storage.version += mine._storage.version
                    if mine._node is not None:  # a recorded write: the caller's tensor is what it made
                        given._requires_grad, given._node, given._index = True, mine._node, mine._index
        if capture.refused is not None or reads.refused is not None:
            self._refuse("%s inside it" % (capture.refused or reads.refused))
            _call(capture.after)
            return outputs
        if not capture.launches:
            _call(capture.after)
            return outputs
        outputs = _detached(outputs)
        self.program = Program(capture, self.optimize)
        kept = self.entries.setdefault(key, [])
        entry = _Entry(self.program, capture, inputs, outputs, leaves, Guards(reads.checks.values()))
        kept.append(entry)
        entry.give_back(tensors)
        if sum(map(len, self.entries.values())) > MOST_PROGRAMS:
            oldest = next(iter(self.entries))
            if self.entries[oldest].pop(0) is self.last[3]:
                self.last = None, None, None, None
            if not self.entries[oldest]:
                del self.entries[oldest]
        given = entry.outputs.give()
        _call(entry.after)
        return given


def _call(functions: list[Callable[[], object]]) -> None:
    """Calls each of them, outside of any recording."""
    for function in functions:
        function()


def compile(function: Callable[..., Any] | None = None, *, optimize: bool = True) -> Any:
    """`function` made fast: recorded on its first call, replayed in one device call afterwards.
    Usable as a decorator.

    Tensor arguments may change in value from call to call; a changed shape, dtype, Python value or
    training flag records again. Python side effects inside the function (printing, appending)
    happen only when it records. Tensors it returns keep their values. optimize=False keeps the
    launches as recorded (the results have the same bits).
    """
    if function is None:
        return functools.partial(Compiled, optimize=optimize)
    return Compiled(function, optimize)


# ---- arguments, outputs and guards -------------------------------------------------------------


def _is_tensor(x: Any) -> bool:
    return hasattr(x, "_storage")


def _signature(value: Any, tensors: list[Tensor]) -> Any:
    """A hashable key for an argument; plain tensors in it are collected in order."""
    if _is_tensor(value):
        if value.requires_grad:
            return ("leaf", id(value))
        tensors.append(value)
        return ("tensor", value._shape, value._dtype.name, value.device.name)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *[_signature(v, tensors) for v in value])
    if isinstance(value, dict):
        return ("dict", *[(k, _signature(v, tensors)) for k, v in value.items()])
    return _guard(value)


def _guard(value: Any) -> Any:
    """Plain values by type and value (1, 1.0 and True differ), everything else by identity."""
    if isinstance(value, PLAIN):
        return (type(value).__name__, repr(value) if isinstance(value, float) else value)
    return id(value)


def _leaves(value: Any) -> list[Any]:
    """What is in an argument, without the lists, tuples and dicts around it and the tensors that
    are copied in.
    """
    if isinstance(value, (list, tuple)):
        return [x for v in value for x in _leaves(v)]
    if isinstance(value, dict):
        return [x for v in value.values() for x in _leaves(v)]
    return [] if _is_tensor(value) and not value.requires_grad else [value]


def _map(value: Any, change: Callable[[Any], Any]) -> Any:
    if _is_tensor(value):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[_map(v, change) for v in value])
    if isinstance(value, (list, tuple)):
        return type(value)(_map(v, change) for v in value)
    if isinstance(value, dict):
        return {k: _map(v, change) for k, v in value.items()}
    return value


def _private(value: Any, inputs: list[Tensor]) -> Any:
    """Arguments with each plain tensor replaced by a private one that later calls copy into."""

    def change(x: Tensor) -> Tensor:
        if x._requires_grad:
            return x
        mine = like(x)
        program.copy(mine, x)
        inputs.append(mine)
        return mine

    return _map(value, change)


def _detached(value: Any) -> Any:
    def change(x: Tensor) -> Tensor:
        return x if x._node is None else x.detach()

    return _map(value, change)
