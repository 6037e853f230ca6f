"""Capture and replay: the launches of one call of a Python function, recorded once and replayed in one call of the device.

`launch` is the only way from an op to a device. While a capture is active it also records. `compile(fn)` returns a function whose
first call runs eagerly and records; later calls with the same key replay. The key holds everything Python could have decided differently: argument
shapes, dtypes and values, the Python values that the function closes over or reads from its globals, whether gradients are recorded, where parameters
live, which parameters had a gradient, and whether modules were training. What changes from step to step on purpose (learning rate, step count, random
stream, batch) lives in small device buffers that `before_replay` hooks write.

A call that reads a value on the host (`.item()`) or builds a tensor from Python data cannot be replayed faithfully: such a function runs
eagerly every time, and says so once.
"""

import warnings
import weakref
from collections import namedtuple

from . import kernels
from .passes import fuse, memory

Launch = namedtuple("Launch", "kernel buffers params")  # buffers: (storage uid, byte offset) or None

MOST_PROGRAMS = 8  # kept for each compiled function; the oldest goes first

_capture = None


def launch(kernel, tensors, params):
    """Runs a kernel on Tensors (None: absent buffer), and records it while a capture is active."""
    storages = [t._storage if t is not None else None for t in tensors]
    device = storages[0].device
    offsets = [t._offset * t.dtype.itemsize if t is not None else 0 for t in tensors]
    device.launch(kernel, [(s.handle, o) if s is not None else None for s, o in zip(storages, offsets)], params)
    if _capture is not None:
        _capture.record(kernel, storages, offsets, params)


def capturing():
    return _capture is not None


def note_read(why):
    """A value went from the device to Python: the active capture cannot be replayed."""
    if _capture is not None and _capture.refused is None:
        _capture.refused = why


note_write = note_read  # a value went from Python to the device: the same consequence


def note_leaf(tensor):
    """A leaf's `.grad` is read or written: whether it was None becomes part of the Program's guard."""
    if _capture is not None and id(tensor) not in _capture.leaves and tensor._storage.uid < _capture.first_uid:
        _capture.leaves[id(tensor)] = (tensor, tensor._grad)


def note_module(module):
    """A module ran: its training flag becomes part of the Program's guard."""
    if _capture is not None:
        _capture.modules[id(module)] = (module, module.training)


def before_replay(hook):
    """Registers `hook()` to run before each replay of the Program that is being captured. No effect otherwise."""
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
        self.launches = [
            (k, [None if b is None else self._place(b, places) for b in buffers], params) for k, buffers, params in launches
        ]
        try:
            self._loaded = self.device.load(self.launches, self.planned_bytes)
        except MemoryError as error:
            raise MemoryError("the plan of this step needs %.1f MiB for its intermediates. %s" % (self.planned_bytes / 2**20, error)) from None
        self.run = self._loaded.run

    def _place(self, buffer, places):
        uid, offset = buffer
        return ("arena", places[uid] + offset) if uid in places else (self.storages[uid].handle, offset)

    def __del__(self):
        loaded = getattr(self, "_loaded", None)
        if loaded is not None:
            loaded.release()


class _Entry:
    """One Program of a compiled function with its guards and its inputs and outputs."""

    def __init__(self, program, capture, inputs, outputs):
        self.program, self.inputs, self.outputs = program, inputs, outputs
        self.hooks = capture.hooks
        self.modules = list(capture.modules.values())
        read = {b[0] for launch_ in capture.launches for b in launch_.buffers if b is not None}
        written = {b[0] for launch_ in capture.launches for b, spec in zip(launch_.buffers, launch_.kernel.buffers) if b is not None and spec.access != "r"}
        self.changed = [x._storage.uid in written for x in inputs]  # arguments that the function updates in place
        # (leaf, its gradient before: None or a tensor, must it be that very tensor, its gradient after)
        self.leaves = [(t, g, g is not None and g._storage.uid in read, t._grad) for t, g in capture.leaves.values()]

    def holds(self):
        for leaf, before, same, _ in self.leaves:
            grad = leaf._grad
            if (grad is None) != (before is None) or (same and grad is not before):
                return False
        for module, training in self.modules:
            if module.training is not training:
                return False
        return True

    def replay(self, tensors):
        for mine, given in zip(self.inputs, tensors):
            _copy(mine, given)
        for hook in self.hooks:
            hook()
        self.program.run()
        for leaf, _, _, after in self.leaves:
            leaf._grad = after
        self.give_back(tensors)

    def give_back(self, tensors):
        """Copies arguments that were updated in place back to the caller's tensors."""
        for mine, given, changed in zip(self.inputs, tensors, self.changed):
            if changed:
                _copy(given, mine)


class Compiled:
    """What `compile` returns: call it like the function. `program`: the Program that ran last; `refused`: why there is none."""

    def __init__(self, function, optimize=True):
        self.function, self.optimize = function, optimize
        self.entries = {}  # key -> [_Entry]
        self.program = None
        self.refused = None
        self.captures = 0
        self.__name__ = getattr(function, "__name__", "compiled")
        self.__doc__ = function.__doc__

    def __call__(self, *args, **kwargs):
        if _capture is not None or self.refused is not None:
            return self.function(*args, **kwargs)
        tensors = []
        key = (_signature(args, tensors), _signature(tuple(sorted(kwargs.items())), tensors), _surroundings(self.function))
        for entry in self.entries.get(key, ()):
            if entry.holds():
                entry.replay(tensors)
                self.program = entry.program
                return _copies(entry.outputs)
        return self._record(key, args, kwargs, tensors)

    def _record(self, key, args, kwargs, tensors):
        from .state import get_device
        from .tensor import Storage

        inputs = []
        args, kwargs = _private(args, inputs), _private(dict(sorted(kwargs.items())), inputs)
        mark = Storage(get_device(), 4)  # its uid splits what is older than the capture from what is made in it
        with Capture(mark.uid) as capture:
            outputs = self.function(*args, **kwargs)
        self.captures += 1
        if capture.refused is not None or not capture.launches:
            for mine, given in zip(inputs, tensors):
                _copy(given, mine)
        if capture.refused is not None:
            self.refused = capture.refused
            warnings.warn(
                "%s runs without replay, step by step, because %s inside it; move that out of the compiled function for full speed"
                % (self.__name__, capture.refused), RuntimeWarning, stacklevel=3)
            return outputs
        if not capture.launches:
            return outputs
        outputs = _detached(outputs)
        self.program = Program(capture, self.optimize)
        kept = self.entries.setdefault(key, [])
        kept.append(_Entry(self.program, capture, inputs, outputs))
        kept[-1].give_back(tensors)
        if sum(map(len, self.entries.values())) > MOST_PROGRAMS:
            oldest = next(iter(self.entries))
            self.entries[oldest].pop(0)
            if not self.entries[oldest]:
                del self.entries[oldest]
        return _copies(outputs)


def compile(function=None, *, optimize=True):
    """`function` made fast: recorded on its first call, replayed in one device call afterwards. Usable as a decorator.

    Tensor arguments may change in value from call to call; a changed shape, dtype, Python value or training flag records again.
    Python side effects inside the function (printing, appending) happen only when it records. Tensors it returns are fresh copies.
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


def _surroundings(function):
    """What the function sees besides its arguments: closure, globals it names, recording, device, layout of the parameters."""
    from .state import state

    owner = getattr(function, "__self__", None)
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        return (id(function), state.grad_enabled, state.layout, id(state.device))
    names = function.__globals__
    seen = [id(owner), state.grad_enabled, state.layout, id(state.device), id(code)]
    for name in _global_names(code):
        if name in names:
            seen.append(_guard(names[name]))
    for cell in function.__closure__ or ():
        try:
            seen.append(_guard(cell.cell_contents))
        except ValueError:  # not assigned yet
            seen.append(None)
    for default in function.__defaults__ or ():
        seen.append(_guard(default))
    return tuple(seen)


_names_of = {}


def _global_names(code):
    """Names a code object and the functions defined in it may read from globals."""
    found = _names_of.get(code)
    if found is None:
        found = list(code.co_names)
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
        from .creation import like

        mine = like(x)
        _copy(mine, x)
        inputs.append(mine)
        return mine

    return _map(value, change)


def _detached(value):
    return _map(value, lambda x: x if x._node is None else x.detach())


def _copies(value):
    """Outputs for the caller: a later replay overwrites the Program's own. Leaves that require gradients are returned as they are."""

    def change(x):
        if x.requires_grad:
            return x
        from .creation import like

        out = like(x)
        _copy(out, x)
        return out

    return _map(value, change)


def _copy(out, x):
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
    """n0..n5 and each operand's strides, flat, for the strided kernels: size-1 dimensions dropped, neighbours merged where every operand allows."""
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
        raise RuntimeError("this tensor expression has %d dimensions that cannot be merged; at most %d are supported" % (len(sizes), kernels.MAX_RANK))
    pad = kernels.MAX_RANK - len(sizes)
    flat = [1] * pad + sizes
    for k in kept:
        flat += [0] * pad + k
    return flat
