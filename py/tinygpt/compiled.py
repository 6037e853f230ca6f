"""compile: a Python function whose device work is recorded on its first call and replayed on later ones.

A recording is replayed only for the same key. The key holds everything that Python could have decided differently: argument shapes,
dtypes and values, the plain values that the function closes over or reads from its globals, whether gradients are recorded, where
parameters live; and, as guards of each Program, which parameters had a gradient and which modules were training.

A call that reads a value on the host (`.item()`) or builds a tensor from Python data cannot be replayed faithfully: such a function
runs eagerly every time, and says so once.
"""

import operator
import sys
import warnings

from . import program
from .creation import like
from .program import Capture, Program
from .state import get_device, state
from .tensor import Storage, Tensor

MOST_PROGRAMS = 8  # kept for each compiled function; the oldest goes first


class _Entry:
    """One Program of a compiled function with its guards and its inputs and outputs."""

    def __init__(self, program, capture, inputs, outputs):
        self.program, self.inputs, self.outputs = program, inputs, _Outputs(program, capture, outputs)
        self.hooks = capture.hooks
        self.modules = list(capture.modules.values())
        read = {b[0] for launch_ in capture.launches for b in launch_.buffers if b is not None}
        written = {
            b[0]
            for launch_ in capture.launches
            for b, spec in zip(launch_.buffers, launch_.kernel.buffers)
            if b is not None and spec.access != "r"
        }
        self.changed = [x._storage.uid in written for x in inputs]  # arguments that the function updates in place
        self.epoch = None  # state.epoch after a replay that left things as the next one needs them
        self.leaves = [(t, t._grad) for t, _, _ in capture.leaves.values()]  # each with its gradient after
        # (leaf, its gradient before: None or a tensor, must it be that very tensor)
        self.guarded = [(t, g, g is not None and g._storage.uid in read) for t, g, matters in capture.leaves.values() if matters]

    def holds(self):
        """True when the gradients and modes are what the recording started from; skipped while nothing can have changed them."""
        if self.epoch == state.epoch:
            return True
        for leaf, before, same in self.guarded:
            grad = leaf._grad
            if (grad is None) != (before is None) or (same and grad is not before):
                return False
        for module, training in self.modules:
            if module.training is not training:
                return False
        return True

    def replay(self, tensors):
        for mine, given in zip(self.inputs, tensors):
            program.copy(mine, given)
        for hook in self.hooks:
            hook.advance()
        self.outputs.keep_held()
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
            self.epoch = state.epoch if self.holds() else None
        if tensors:
            self.give_back(tensors)

    def give_back(self, tensors):
        """Copies arguments that were updated in place back to the caller's tensors."""
        for mine, given, changed in zip(self.inputs, tensors, self.changed):
            if changed:
                program.copy(given, mine)


class _Outputs:
    """What a Program returns: the caller gets views of the Program's own memory, which costs nothing.

    Before a replay overwrites memory that the caller still holds, the caller's tensors move to memory of their own (`keep_held`).
    """

    def __init__(self, program_, capture, value):
        self.program, self.value = program_, value
        self.own, self.views = [], []  # storages made in the capture, and the tensors in `value` that show each
        _map(value, lambda x: self._note(x, capture.first_uid))
        self.keys = [s.uid for s in self.own]  # under which the Program's table holds them, whatever object it is by now
        self.flat = [value] if _is_tensor(value) else value if type(value) in (tuple, list) and all(map(_is_tensor, value)) else None
        self.shown = {id(x) for views in self.views for x in views}
        # References to a storage that nobody else holds: `own`, the Program's table, the views, and getrefcount's argument.
        self.idle = [3 + len(views) for views in self.views]

    def _note(self, x, first_uid):
        if not x.requires_grad and x._storage.uid >= first_uid:
            at = next((i for i, s in enumerate(self.own) if s is x._storage), None)
            if at is None:
                self.own.append(x._storage)
                self.views.append([x])
            else:
                self.views[at].append(x)
        return x

    def keep_held(self):
        for i in range(len(self.own)):
            if sys.getrefcount(self.own[i]) > self.idle[i]:
                self._move(i)

    def _move(self, i):
        """The caller's tensors keep the Storage object with a copy in a new place; the Program gets another object for its place."""
        held = self.own[i]
        fresh = Storage(held.device, held.nbytes, held.kind)
        held.device.copy(fresh.handle, held.handle, held.nbytes)
        held.handle, fresh.handle = fresh.handle, held.handle
        held.pins, fresh.pins = held.pins - 1, 1
        if held.pins:
            state.layout += 1  # another Program has the old place built in
        self.own[i] = self.program.storages[self.keys[i]] = fresh
        for view in self.views[i]:
            view._storage = fresh

    def give(self):
        if self.flat is None:
            return _map(self.value, self._given)
        given = [self._given(x) for x in self.flat]
        return given[0] if self.flat is not self.value else type(self.value)(given)

    def _given(self, x):
        """For the caller: leaves that require gradients as they are, older memory copied, the Program's own seen through a new Tensor."""
        if x.requires_grad:
            return x
        if id(x) in self.shown:
            return Tensor(x._storage, x.shape, x.dtype, x._offset, x._strides)
        out = like(x)
        program.copy(out, x)
        return out


class Compiled:
    """What `compile` returns: call it like the function. `program`: the Program that ran last; `refused`: why there is none."""

    def __init__(self, function, optimize=True):
        self.function, self.optimize = function, optimize
        self.entries = {}  # key -> [_Entry]
        self.program = None
        self.refused = None
        self.captures = 0
        self.around = _Surroundings(function)
        self.last = None, None  # the key of the surroundings and the _Entry of the last call that had no arguments
        self.__name__ = getattr(function, "__name__", "compiled")
        self.__doc__ = function.__doc__

    def __call__(self, *args, **kwargs):
        if program.capturing() or self.refused is not None:
            return self.function(*args, **kwargs)
        tensors, around = [], self.around.key()
        plain = not args and not kwargs
        if plain:
            key, entry = self.last
            if key is around and entry.epoch == state.epoch:  # nothing has changed: the usual step of a loop
                return self._replayed(entry, tensors)
        key = (
            _signature(args, tensors) if args else (),
            _signature(tuple(sorted(kwargs.items())), tensors) if kwargs else (),
            around,
        )
        for entry in self.entries.get(key, ()):
            if entry.holds():
                if plain:
                    self.last = around, entry
                return self._replayed(entry, tensors)
        return self._record(key, args, kwargs, tensors)

    def _replayed(self, entry, tensors):
        entry.replay(tensors)
        self.program = entry.program
        return entry.outputs.give()

    def _record(self, key, args, kwargs, tensors):
        inputs = []
        # A recording of before the parameters moved can never run again; what it holds may be much, and on a device that is gone.
        for stale in [k for k in self.entries if k[2][2] != state.layout]:
            del self.entries[stale]
            self.program, self.last = None, (None, None)
        args, kwargs = _private(args, inputs), _private(dict(sorted(kwargs.items())), inputs)
        mark = Storage(get_device(), 4)  # its uid splits what is older than the capture from what is made in it
        with Capture(mark.uid) as capture:
            outputs = self.function(*args, **kwargs)
        self.captures += 1
        if capture.refused is not None or not capture.launches:
            for mine, given in zip(inputs, tensors):
                program.copy(given, mine)
        if capture.refused is not None:
            self.refused = capture.refused
            warnings.warn(
                "%s runs without replay, step by step, because %s inside it; move that out of the compiled function for full speed"
                % (self.__name__, capture.refused),
                RuntimeWarning,
                stacklevel=3,
            )
            return outputs
        if not capture.launches:
            return outputs
        outputs = _detached(outputs)
        self.program = Program(capture, self.optimize)
        kept = self.entries.setdefault(key, [])
        entry = _Entry(self.program, capture, inputs, outputs)
        kept.append(entry)
        entry.give_back(tensors)
        if sum(map(len, self.entries.values())) > MOST_PROGRAMS:
            oldest = next(iter(self.entries))
            if self.entries[oldest].pop(0) is self.last[1]:
                self.last = None, None
            if not self.entries[oldest]:
                del self.entries[oldest]
        return entry.outputs.give()


def compile(function=None, *, optimize=True):
    """`function` made fast: recorded on its first call, replayed in one device call afterwards. Usable as a decorator.

    Tensor arguments may change in value from call to call; a changed shape, dtype, Python value or training flag records again.
    Python side effects inside the function (printing, appending) happen only when it records. Tensors it returns keep their values.
    optimize=False keeps the launches as recorded (the results have the same bits).
    """
    if function is None:
        return lambda f: Compiled(f, optimize)
    return Compiled(function, optimize)


# ---- arguments, outputs and guards ---------------------------------------------------------------------

_PLAIN = (int, float, str, bool, bytes, type(None))


def _is_tensor(x):
    return hasattr(x, "_storage")


def _signature(value, tensors):
    """A hashable key for an argument; plain tensors in it are collected in order."""
    if _is_tensor(value):
        if value.requires_grad:
            return ("leaf", id(value))
        tensors.append(value)
        return ("tensor", value.shape, value.dtype.name, value.device.name)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *[_signature(v, tensors) for v in value])
    if isinstance(value, dict):
        return ("dict", *[(k, _signature(v, tensors)) for k, v in value.items()])
    return _guard(value)


def _guard(value):
    """Plain values by type and value (1, 1.0 and True differ), everything else by identity."""
    if isinstance(value, _PLAIN):
        return (type(value).__name__, value)
    if isinstance(value, tuple):
        return tuple(_guard(v) for v in value)
    return id(value)


class _Surroundings:
    """What a function sees besides its arguments: closure, globals it names, recording, device, layout of the parameters."""

    def __init__(self, function):
        self.owner = getattr(function, "__self__", None)
        self.function = getattr(function, "__func__", function)
        self._seen, self._key = [], (None, None, None)

    def key(self):
        """Hashable; state.layout is its third item (Compiled._record looks). While everything is the object that it was, so is the key."""
        function = self.function
        code = getattr(function, "__code__", None)
        seen = [state.grad_enabled, state.device, code]
        if code is not None:
            seen.append(function.__defaults__)
            names = function.__globals__
            for name in _global_names(code):
                seen.append(names.get(name, _ABSENT))
            for cell in function.__closure__ or ():
                try:
                    seen.append(cell.cell_contents)
                except ValueError:  # not assigned yet
                    seen.append(_ABSENT)
        if self._key[2] != state.layout or len(seen) != len(self._seen) or not all(map(operator.is_, seen, self._seen)):
            self._seen = seen
            self._key = (id(self.owner), id(function), state.layout, *map(_guard, seen))
        return self._key


_ABSENT = object()
_names_of = {}


def _global_names(code):
    """Names that a code object and the functions defined in it read from globals (co_names would hold those of attributes too)."""
    found = _names_of.get(code)
    if found is None:
        import dis

        found = list({i.argval: None for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")})
        for constant in code.co_consts:
            if hasattr(constant, "co_names"):
                found += [n for n in _global_names(constant) if n not in found]
        _names_of[code] = found
    return found


def _map(value, change):
    if _is_tensor(value):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[_map(v, change) for v in value])
    if isinstance(value, (list, tuple)):
        return type(value)(_map(v, change) for v in value)
    if isinstance(value, dict):
        return {k: _map(v, change) for k, v in value.items()}
    return value


def _private(value, inputs):
    """Arguments with each plain tensor replaced by a private one that later calls copy into."""

    def change(x):
        if x.requires_grad:
            return x
        mine = like(x)
        program.copy(mine, x)
        inputs.append(mine)
        return mine

    return _map(value, change)


def _detached(value):
    return _map(value, lambda x: x if x._node is None else x.detach())
