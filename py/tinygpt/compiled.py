"""compile: a Python function whose device work is recorded on its first call and replayed on later ones.

A recording is replayed only for the same key. The key holds everything that Python could have decided differently: argument shapes,
dtypes and values, the plain values that the function closes over or reads from its globals, whether gradients are recorded, where
parameters live; and, as guards of each Program, which parameters had a gradient and which modules were training.

A call that reads a value on the host (`.item()`) or builds a tensor from Python data cannot be replayed faithfully: such a function
runs eagerly every time, and says so once.
"""

import builtins
import sys
import types
import warnings

from . import program
from .creation import like
from .program import Capture, Program
from .state import get_device, state
from .tensor import Storage, Tensor

MOST_PROGRAMS = 8  # kept for each compiled function; the oldest goes first
KEPT = 64  # bytes of an output whose memory waits for the next one: a loss, or what else is small
SPARE = 2  # references to a spare Storage that nobody else holds: the list, and getrefcount's argument


class _Entry:
    """One Program of a compiled function with its guards and its inputs and outputs."""

    def __init__(self, program, capture, inputs, outputs, held):
        self.held = held  # what the key names by id: while the entry is there, no other object can get that id
        self.program, self.inputs, self.outputs = program, inputs, _Outputs(program, capture, outputs)
        self.hooks = capture.hooks
        self.advances = [hook.advance for hook in self.hooks]  # bound once: a cold look-up in each replay costs more than the list
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
        """What the function returns. All that can be done before the run is done before: after it, everything takes longest."""
        if tensors:
            for mine, given in zip(self.inputs, tensors):
                program.copy(mine, given)
        for advance in self.advances:
            advance()
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
            self.epoch = state.epoch if self.holds() else None
        if tensors:
            self.give_back(tensors)
        return outputs.give() if given is None else given

    def give_back(self, tensors):
        """Copies arguments that were updated in place back to the caller's tensors."""
        for mine, given, changed in zip(self.inputs, tensors, self.changed):
            if changed:
                program.copy(given, mine)


class _Outputs:
    """What a Program returns: the caller gets views of the Program's own memory, which costs nothing.

    Before a replay overwrites memory that the caller still holds, the caller's tensors move to memory of their own (`prepare`).
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
        self.spare = [None] * len(self.own)  # small ones that the caller held, to be used again when nobody does
        self.plain = self.flat is not None and all(id(x) in self.shown for x in self.flat)  # nothing has to be copied for the caller
        self.single = value if self.plain and self.flat is not value else None

    def _note(self, x, first_uid):
        if not x.requires_grad and x._storage.uid >= first_uid:
            at = next((i for i, s in enumerate(self.own) if s is x._storage), None)
            if at is None:
                self.own.append(x._storage)
                self.views.append([x])
            else:
                self.views[at].append(x)
        return x

    def prepare(self):
        """Before a replay. Returns what `give` would return after it, where that can be had now: views of what will be written."""
        i = 0
        for idle in self.idle:
            if sys.getrefcount(self.own[i]) > idle:
                self._move(i)
            i += 1
        if self.single is not None:
            x = self.single
            storage = x._storage
            storage.device.watch(storage.handle)
            return Tensor(storage, x.shape, x.dtype, x._offset, x._strides)
        return self.give() if self.plain else None

    def _move(self, i):
        """The caller's tensors keep the Storage object with a copy in a new place; the Program gets another object for its place."""
        held = self.own[i]
        if self.spare[i] is not None and sys.getrefcount(self.spare[i]) == SPARE:
            fresh = self.spare[i]
        else:
            fresh = Storage(held.device, held.nbytes, held.kind)
        held.device.copy(fresh.handle, held.handle, held.nbytes)
        held.handle, fresh.handle = fresh.handle, held.handle
        held.pins, fresh.pins = held.pins - 1, 1
        if held.pins:
            state.layout += 1  # another Program has the old place built in
        self.own[i] = self.program.storages[self.keys[i]] = fresh
        for view in self.views[i]:
            view._storage = fresh
        if held.nbytes <= KEPT:
            self.spare[i] = held

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
        if program._capture is not None or self.refused is not None:
            return self.function(*args, **kwargs)
        around = self.around.key()
        plain = not args and not kwargs
        if plain:
            key, entry = self.last
            if key is around and entry.epoch == state.epoch:  # nothing has changed: the usual step of a loop
                self.program = entry.program
                return entry.replay(())
        tensors = []
        key = (
            _signature(args, tensors) if args else (),
            _signature(tuple(sorted(kwargs.items())), tensors) if kwargs else (),
            around,
        )
        for entry in self.entries.get(key, ()):
            if entry.holds():
                if plain:
                    self.last = around, entry
                self.program = entry.program
                return entry.replay(tensors)
        return self._record(key, args, kwargs, tensors)

    def _record(self, key, args, kwargs, tensors):
        inputs = []
        held = self.around.seen, _map(args, _if_leaf), _map(kwargs, _if_leaf)
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
        entry = _Entry(self.program, capture, inputs, outputs, held)
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
        self._code, self._names, self._guard_code = None, [], None
        self.seen, self._key = (), (None, None, None)
        self._same = None  # of (function): is everything the object that it was?

    def key(self):
        """Hashable; state.layout is its third item (Compiled._record looks). While everything is the object that it was, so is the key."""
        try:
            if self._key[2] == state.layout and self._same is not None and self._same(self.function):
                return self._key
        except NameError:  # a name has no value any more
            pass
        return self._look()

    def _look(self):
        function = self.function
        code, defaults = getattr(function, "__code__", None), getattr(function, "__defaults__", None)
        names, cells = getattr(function, "__globals__", {}), getattr(function, "__closure__", None) or ()
        if code is not self._code:
            self._code, self._names = code, _global_names(code)
            self._guard_code = _guard_code(code, self._names)
        fixed = state.grad_enabled, state.device, code, defaults
        inner, outer = [_contents(cell) for cell in cells], [names.get(name, _ABSENT) for name in self._names]
        self.seen = *fixed, *inner, *outer
        self._key = (id(self.owner), id(function), state.layout, *map(_guard, self.seen))
        self._same = None
        if self._guard_code is not None:
            outer = [getattr(builtins, n, _ABSENT) if x is _ABSENT else x for n, x in zip(self._names, outer)]
            of = dict(zip(code.co_freevars, cells))
            cells = tuple([of[name] for name in self._guard_code.co_freevars])
            self._same = types.FunctionType(self._guard_code, names, "same", (state, *fixed, *inner, *outer), cells)
        return self._key


def _guard_code(code, names):
    """The code of a function that looks at what `code` sees by its own names, in its globals and cells: no call is as fast as a name.

    None where that cannot be written, and for what has no code.
    """
    inner = code.co_freevars if code is not None else ()
    every = [*inner, *names]
    if code is None or len(set(every)) < len(every) or not all(n.isidentifier() and not n.startswith("_tg_") for n in every):
        return None
    fixed = "_tg_state.grad_enabled", "_tg_state.device", "_tg_function.__code__", "_tg_function.__defaults__"
    was = ["_tg_%d" % i for i in range(len(fixed) + len(every))]
    same = " and ".join("%s is %s" % pair for pair in zip((*fixed, *every), was))
    source = "def outer(%s):\n def same(_tg_function, _tg_state, %s):\n  return %s" % (", ".join(inner), ", ".join(was), same)
    outer = _code_in(builtins.compile(source, "<what %s sees>" % code.co_name, "exec"))
    return _code_in(outer)


def _code_in(code):
    return next(constant for constant in code.co_consts if hasattr(constant, "co_names"))


def _contents(cell):
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return _ABSENT


_ABSENT = object()


def _global_names(code):
    """Names that a code object and the functions defined in it read from globals (co_names would hold those of attributes too)."""
    if code is None:
        return []
    import dis

    found = list({i.argval: None for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")})
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            found += [n for n in _global_names(constant) if n not in found]
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


def _if_leaf(x):
    return x if x.requires_grad else None


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
