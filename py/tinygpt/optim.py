"""Optimizers in order of increasing complexity: SGD, AdamW; gradient clipping.

An optimizer moves its parameters into one flat arena, with gradients and moments in parallel ones,
so a step is one launch whatever the number of parameters. What changes from step to step (learning
rate, bias correction) is written to a small device buffer before the launch, and before each replay
of a captured step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any
from weakref import ref

from . import kernels
from .config import FLOAT32
from .core import refused_names
from .core.autograd import written
from .core.current_device import get_device
from .core.factory import empty, full
from .core.gradients import LentGradient, claim, clear_gradient, give_memory, gradient_of, lend, lent
from .core.moving import List, moving
from .core.quoting import quoted
from .core.reads import paused
from .core.state import no_grad, state
from .core.tensor import Tensor, float32, row_major
from .core.transfer import TransferState, move
from .devices.base import Words
from .graph import program
from .graph.program import launch
from .nn import Parameter
from .ops import movement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self

    from .core.reads import Read
    from .core.tensor import BorrowedStorage
    from .devices.base import Device

    # A group of parameters with its settings: {"params": [Parameter], "lr": 0.1, ...}.
    Group = dict[str, Any]  # the optimizer's own are ParameterGroups
    # [group, its parameters of one step count, the end of their part in the launch].
    Part = list[Any]

ALIGN = 16  # elements: every parameter starts on a cache line


def _number(name: str, value: Any, most: float = math.inf) -> float:
    """A setting as a Python float. ValueError unless it is at least 0, below `most` and one that
    float32 holds, in which a step computes; TypeError for what is no number. NumPy's numbers become
    floats, so that a file can hold them.
    """
    is_number = isinstance(value, (int, float)) or getattr(value, "shape", None) == () and hasattr(value, "__array__")
    if not is_number or isinstance(value, Tensor):
        raise TypeError("Invalid %s: %s; give a number" % (name, quoted(value)))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not 0.0 <= number < most or number > FLOAT32:
        limit = "below %g" % most if most < math.inf else "finite in float32"
        raise ValueError("Invalid %s: %s; it must be at least 0 and %s" % (name, quoted(value), limit))
    return number


def _betas(name: str, value: Any) -> tuple[float, float]:
    try:
        if isinstance(value, (str, bytes, Mapping, Set, Tensor)):
            raise TypeError
        first, second = value
    except (TypeError, ValueError):
        raise ValueError(
            "Invalid betas: %s; give a pair of numbers, each at least 0 and below 1" % quoted(value)
        ) from None
    return _number("betas", first, 1.0), _number("betas", second, 1.0)


def _flag(name: str, value: Any) -> bool:
    if not (isinstance(value, (bool, int, float)) or type(value).__name__ == "bool_") or value not in (0, 1):
        raise TypeError("Invalid %s: %s; give True or False" % (name, quoted(value)))
    return bool(value)


_SETTINGS: dict[str, Callable[[str, Any], Any]] = {
    "lr": lambda name, value: _number("learning rate", value),
    "weight_decay": _number,
    "momentum": _number,
    "dampening": _number,
    "eps": _number,
    "lr_scale": _number,
    "betas": _betas,
    "nesterov": _flag,
}


class ParameterGroup(dict[str, Any]):
    """A group of parameters with its settings, each checked where it is set: a NaN, a negative
    number or a text never reaches a step or a file.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.update(*args, **kwargs)

    def __setitem__(self, name: str, value: Any) -> None:
        check = _SETTINGS.get(name)
        if name == "params":
            state.touch()
        super().__setitem__(name, value if check is None else check(name, value))

    def update(self, *args: Any, **kwargs: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As dict's; each setting is checked."""
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def setdefault(self, name: str, default: Any = None) -> Any:
        """As dict's; the setting is checked."""
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, other: Any) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.update(other)
        return self

    __delitem__, clear, pop, popitem = (moving(dict, name) for name in ("__delitem__", "clear", "pop", "popitem"))


class Flat:
    """One flat arena of `parameters` and its gradient.

    The Storage of each parameter moves into it, so all that shares a parameter's memory (an entry
    of a state_dict, a view, `.data`) follows. The arena is the parameters' home until another
    optimizer with other parameters takes some of them, or a `.data` is assigned: `at_home` finds
    that, and `bring_home` moves them back.

    ranges: id(parameter) -> (start, end with padding).
    """

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        # Weak: a parameter holds its slot, and that the Flat. So memory goes with its last holder.
        self._parameters = [ref(p) for p in parameters]
        device = parameters[0].device
        self.ranges: dict[int, tuple[int, int]] = {}
        self._layouts: dict[int, list[tuple[int, int]]] = {}  # by parameter, as _layout
        blocks: dict[BorrowedStorage, int] = {}
        at = 0
        for p in self.parameters:
            storage = p._storage.counted()
            if isinstance(storage, LentGradient):
                raise ValueError(
                    "a parameter of shape %s has the memory of a gradient; give its .data a clone" % list(p._shape)
                )
            alone = _alone(p)
            if not alone and not _without_gaps(p):
                raise ValueError(
                    "a parameter of shape %s with strides %s leaves gaps in its memory; give the optimizer "
                    "Parameter(x.contiguous())" % (list(p._shape), list(p._strides))
                )
            if storage not in blocks:
                blocks[storage] = at
                at += -(-(storage.nbytes // 4) // ALIGN) * ALIGN
            start = blocks[storage] + p._offset
            self.ranges[id(p)] = (start, at if alone else start + p.numel())
            self._layouts[id(p)] = _layout(p)
        ordered = sorted(self.ranges.values())
        for (_, end), (start, _) in zip(ordered, ordered[1:]):
            if start < end:
                raise ValueError(
                    "two parameters share elements of one memory; give the optimizer one of them, or clones"
                )
        self.n = at
        self.values = full((at,), 0.0, device=device)
        self._placed: dict[int, ref[BorrowedStorage]] = {}  # by parameter: its Storage, which is here
        for storage, start in blocks.items():
            self._place(storage, start)
        # After the moves: it takes the place where the parameters were.
        self.gradients = full((at,), 0.0, device=device)
        for p in self.parameters:
            self._placed[id(p)] = ref(p._storage.counted())
            self._give_slot(p)
        state.layout += 1

    def _place(self, storage: BorrowedStorage, start: int) -> None:
        """Moves a Storage into the arena, from element `start`."""
        n = storage.nbytes // 4
        program.copy(Tensor(self.values._storage, (n,), float32, start), Tensor(storage, (n,), float32))
        storage.settle(self.values._storage, 4 * start)

    def _give_slot(self, p: Parameter) -> None:
        """Gives p its slot here. A gradient in another slot moves, with what is lent of it."""
        before = p._slot
        if before is not None and p._grad is before and before._shape != p._shape:
            p._grad = state.show(p)  # from before `.data` was assigned: the next step refuses it
        n = max(p.numel(), 1)
        storage = self.gradients._storage.piece(4 * self.ranges[id(p)][0], 4 * n)
        p._slot = Tensor(storage, p._shape, float32, 0, p._strides)
        p._slot.owner = self
        if before is None:
            return
        if p._grad is before:
            found = lent.pop(id(before), None)
            program.copy(p._slot, before)
            p._grad = p._slot
            shown = found[0]() if found is not None else None
            if found is not None and shown is not None and shown.owner is before._storage:
                shown.settle(storage, 0)
                tensor = found[1]()
                lend(p._slot, shown, p._slot if tensor is None else tensor, p)
        else:
            claim(before)

    def at_home(self) -> bool:
        """Whether every parameter is in this arena, and its gradient's slot in the parallel one."""
        values = self.values._storage
        for p in self.parameters:
            storage = p._storage.counted()
            place = storage.base + 4 * p._offset
            if storage.owner is not values or place != 4 * self.ranges[id(p)][0] or p._slot.owner is not self:
                return False
            if p._strides != p._slot._strides or p._shape != p._slot._shape:
                return False
            self._placed[id(p)] = ref(storage)
        return True

    def bring_home(self) -> None:
        """Moves the parameters that are elsewhere back to their places."""
        values = self.values._storage
        for p in self.parameters:
            start, _ = self.ranges[id(p)]
            storage = p._storage.counted()
            if _layout(p) != self._layouts[id(p)]:
                raise RuntimeError(
                    "a parameter has the shape %s and the strides %s in memory, others than when the optimizer was "
                    "made; assign a dense clone of its first shape to .data, or make a new optimizer"
                    % (list(p._shape), list(p._strides))
                )
            if storage.owner is not values or storage.base + 4 * p._offset != 4 * start:
                shared = sum(q._storage.counted() is storage for q in self.parameters) > 1
                if shared or not _alone(p) or isinstance(storage, LentGradient):
                    raise RuntimeError(
                        "a parameter of shape %s has other memory than when the optimizer was made, and shares it "
                        "with other tensors; assign a clone to .data, or make a new optimizer" % list(p._shape)
                    )
                before = self._placed[id(p)]()
                if before is not None and before is not storage and before.owner is values:
                    give_memory(before)
                self._place(storage, start)
                self._placed[id(p)] = ref(storage)
            if p._slot.owner is not self or p._slot._shape != p._shape:
                self._give_slot(p)
        state.layout += 1

    @property
    def parameters(self) -> list[Parameter]:
        """Those that are still there, in the order of the arena."""
        return [p for place in self._parameters if (p := place()) is not None]

    def clear_gradients(self) -> None:
        """A new gradient arena where the values are; every gradient is None."""
        self.gradients = full((self.n,), 0.0, device=self.values.device)
        for p in self.parameters:
            p._grad = p._slot = None
            self._give_slot(p)

    def _transfer_state(self) -> TransferState:
        # The values are looked at first: the last of the parts is.
        return TransferState(
            [*self.parameters, self.values], [self.gradients], restore=lambda _: self.clear_gradients()
        )

    @staticmethod
    def part(arena: Tensor, start: int, shape: tuple[int, ...], strides: tuple[int, ...] | None = None) -> Tensor:
        """The piece of an arena that holds a tensor of `shape` (and `strides`) from `start`."""
        return Tensor(arena._storage, shape, float32, start, strides or row_major(shape))


def _without_gaps(p: Tensor) -> bool:
    """Whether p is dense in memory, in whatever order of its dimensions."""
    step = 1
    for stride, n in sorted(zip(p._strides, p._shape)):
        if n != 1 and stride != step:
            return not p.numel()
        step *= n
    return True


def _layout(p: Tensor) -> list[tuple[int, int]]:
    """Shape and strides of p, as far as its elements' order in memory depends on them."""
    return [(n, step if n > 1 else 0) for n, step in zip(p._shape, p._strides)]


def _alone(p: Tensor) -> bool:
    """Whether p is all of its Storage."""
    return p._offset == 0 and p._storage.nbytes == 4 * max(p.numel(), 1) and _without_gaps(p)


def _items(values: list[Any]) -> Iterator[Read]:
    moves = isinstance(values, List)
    yield "size", values, None, len(values), moves
    for i, value in enumerate(values):
        yield "item", values, i, value, moves


def _listed(group: Any) -> list[Any]:
    """The parameters of a group as given. TypeError for what has no order, or is no group."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise TypeError("a parameter group must be a dict with params, not %s" % quoted(group))
    params = group["params"]
    if isinstance(params, Set):
        raise TypeError("the params of a group are a set, which has no order; give a list")
    return [params] if isinstance(params, Tensor) else list(params)


# What an Optimizer makes of its parameter groups.
_PLACED = ("flat", "_layout", "arenas", "_steps", "_count", "_device", "_hyper", "_runs", "_diverged")


class Optimizer:
    """Base of the optimizers, with one launch a step.

    It holds the parameter groups with their settings and the flat arena.
    """

    moments = 0  # arenas beside parameters and gradients

    param_groups: list[Group]

    def __init__(self, params: Iterable[Parameter] | Iterable[Group], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError("params must be an iterable of Parameters or dicts, not a Tensor; give [parameter]")
        given: list[Any] = list(params)
        if not given:
            raise ValueError("optimizer got an empty parameter list")
        groups: list[Any] = given if isinstance(given[0], dict) else [{"params": given}]
        self.param_groups = [ParameterGroup({**defaults, **group, "params": List(_listed(group))}) for group in groups]
        seen: set[int] = set()
        for group in self.param_groups:
            for p in group["params"]:
                if isinstance(p, Tensor) and p._node is not None:
                    raise ValueError(
                        "can't optimize a non-leaf Tensor: one of the params, of shape %s, was made by a recorded op; "
                        "give the Parameter that it was made of" % list(p._shape)
                    )
                if not isinstance(p, Parameter):
                    raise TypeError(
                        "optimizer can only optimize Parameters, but one of the params is %s; "
                        "make it one with nn.Parameter(...)" % type(p).__name__
                    )
                if id(p) in seen:
                    raise ValueError("some parameters appear in more than one parameter group, or twice in one")
                seen.add(id(p))
        self.param_groups = List([g for g in self.param_groups if g["params"]])
        if not self.param_groups:
            raise ValueError("optimizer got parameter groups without a parameter")
        self._place_parameters()

    def _place_parameters(self) -> None:
        """The arenas of the parameter groups, with no step done."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        home: Any = getattr(parameters[0]._slot, "owner", None)  # of another optimizer with the same parameters
        same = isinstance(home, Flat) and list(map(id, home.parameters)) == list(map(id, parameters))
        self.flat: Flat = home if same and home.at_home() else Flat(parameters)
        self._layout = state.layout
        self.arenas = [full((self.flat.n,), 0.0, device=self.flat.values.device) for _ in range(self.moments)]
        self._steps = {id(p): 0 for group in self.param_groups for p in group["params"]}
        self._count: int | None = 0  # steps done by every parameter; None: look at _steps
        self._device = self.flat.values.device
        self._hyper: dict[int, Tensor] = {}  # (runs) -> device buffer, reused outside captures
        self._runs: dict[tuple[bool, ...], list[Any]] = {}
        self._diverged = False  # some parameters missed a step: step counts differ within a group

    def __getstate__(self) -> dict[str, Any]:
        """What copy.deepcopy and pickle take: groups, moments and counts by parameter, no arena."""
        parameters = self.flat.parameters
        named = [(str(i), p) for i, p in enumerate(parameters)]
        steps, _, diverged = self.get_counts()
        own = {name: value for name, value in self.__dict__.items() if name not in _PLACED}
        return {
            **own,
            "_kept": {
                "moments": list(self.state_arrays(named).values()),
                "steps": [steps[id(p)] for p in parameters],
                "diverged": diverged,
            },
        }

    def __setstate__(self, values: dict[str, Any]) -> None:
        kept = values.pop("_kept")
        self.__dict__.update(values)
        self._place_parameters()
        named = [(str(i), p) for i, p in enumerate(self.flat.parameters)]
        with no_grad():
            for place, moment in zip(self.state_arrays(named).values(), kept["moments"]):
                place.copy_(moment)
        steps = {id(p): n for p, n in zip(self.flat.parameters, kept["steps"])}
        self.set_counts((steps, None, kept["diverged"]))

    def __copy__(self) -> Self:
        raise TypeError(
            "two optimizers cannot share parameters and moments; use copy.deepcopy((model, optimizer)) for a pair "
            "of their own"
        )

    def _read_live(self) -> Iterator[Read]:
        """What a recorded step does not read anew before each replay (core/reads.py): which
        parameters are in which group.
        """
        yield "item", self.__dict__, "param_groups", self.param_groups, False
        yield from _items(self.param_groups)
        for group in self.param_groups:
            yield "item", group, "params", group["params"], isinstance(group, ParameterGroup)
            yield from _items(group["params"])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Sets every gradient to None; set_to_none=False: to zeros in place."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif gradient_of(p) is not None:
                    clear_gradient(p)

    def _present(self) -> list[Any]:
        """Runs of neighbouring parameters that have a gradient.

        [(start, end, [(group, parameters, end of the group's part)])].
        """
        key = tuple([gradient_of(p) is not None for group in self.param_groups for p in group["params"]])
        if not all(key):
            self._diverge()
        elif self._count is None and not self._diverged:
            self._look_at_steps()
        runs = None if self._diverged else self._runs.get(key)
        if runs is None:
            runs = []
            for group in self.param_groups:
                for p in group["params"]:
                    if p._grad is None:
                        continue
                    start, end = self.flat.ranges[id(p)]
                    if not runs or runs[-1][1] != start:
                        runs.append([start, end, []])
                    run = runs[-1]
                    run[1] = end
                    part = run[2][-1] if run[2] else None
                    # One part for each group, and within a group for each step count (a parameter
                    # may have joined late).
                    if part is not None and part[0] is group and self._steps[id(part[1][0])] == self._steps[id(p)]:
                        part[1].append(p)
                        part[2] = end - run[0]
                    else:
                        run[2].append([group, [p], end - run[0]])
            self._runs[key] = runs
        return runs

    def _place_gradients(self) -> None:
        """Gradients that the user set by hand are copied into the flat gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                grad = p._grad
                if grad is not None and grad is not p._slot:
                    if grad._shape != p._shape:
                        raise RuntimeError(
                            "a parameter has the shape %s and its gradient %s, which is from before .data was "
                            "assigned; set .grad to None first" % (list(p._shape), list(grad._shape))
                        )
                    if lent:
                        claim(p._slot)
                    program.note_fresh(p._slot)
                    program.copy(p._slot, grad)

    def to(self, device: str | Device) -> Self:
        """Moves parameters, gradients and moments to `device` (a name or a Device), bit by bit.

        Counts and settings stay. Returns self.
        """
        self._device = get_device(device)
        self._hyper.clear()
        move(self._device, self)
        return self

    def _transfer_state(self) -> TransferState:
        parts = [value for name, value in self.__dict__.items() if name not in ("_hyper", "_runs")]
        return TransferState(parts, forget_place=self._hyper.clear, save=self._saved, restore=self._restore)

    def _saved(self) -> tuple[Any, list[Group]]:
        return self.get_counts(), self.settings()

    def _restore(self, saved: tuple[Any, list[Group]]) -> None:
        counts, settings = saved
        self.set_counts(counts)
        for group, values in zip(self.param_groups, settings):
            group.update(values)

    def step(self) -> None:
        """One update of every parameter that has a gradient."""
        device = self.flat.parameters[0].device
        if device is not self._device:  # the model was moved: the moments follow
            self.to(device)
        with no_grad(), paused():
            if self._layout != state.layout:
                if not self.flat.at_home():
                    self.flat.bring_home()
                self._layout = state.layout
            self._place_gradients()
            for start, end, parts in self._present():
                self._update(start, end, parts)

    @property
    def steps(self) -> dict[int, int]:
        """{id(parameter): steps done}. The caller may change it; the next step looks."""
        self._spread_steps()
        self._count = None
        return self._steps

    def get_counts(self) -> tuple[dict[int, int], int | None, bool]:
        """The step counts, for `set_counts`."""
        self._spread_steps()
        return dict(self._steps), self._count, self._diverged

    def set_counts(self, counts: tuple[dict[int, int], int | None, bool]) -> None:
        """Puts back the step counts that `counts` gave."""
        steps, self._count, self._diverged = counts
        self._steps.update(steps)
        self._runs.clear()

    def _spread_steps(self) -> None:
        """Writes the common count to every parameter.

        While all parameters take every step, only that count is kept up.
        """
        if self._count is not None:
            for key in self._steps:
                self._steps[key] = self._count

    def _look_at_steps(self) -> None:
        """Finds whether one count serves all parameters, or each has its own.

        For after a caller may have changed `steps`.
        """
        counts = set(self._steps.values())
        if len(counts) == 1 and not self._diverged:
            self._count = counts.pop()
        else:
            self._diverge()

    def _diverge(self) -> None:
        if not self._diverged:
            self._spread_steps()
            self._diverged, self._count = True, None
            state.layout += 1  # a captured step counted on equal step counts

    def _retreat(self, parts: Sequence[Part]) -> None:
        """Takes one step back from the count."""
        if not self._diverged:
            self._spread_steps()
            self._count = None
        for _, parameters, _ in parts:
            for p in parameters:
                self._steps[id(p)] -= 1

    def _advance(self, parts: Sequence[Part]) -> list[float]:
        """Counts one step and returns the hyper words of `parts`.

        For each part its end, then its settings.
        """
        words: list[float] = []
        if self._count is None and not self._diverged:
            self._look_at_steps()
        if self._count is not None:
            self._count = step = self._count + 1
            for group, _, stop in parts:
                words += (stop, *self._words(group, step))
            return words
        for group, parameters, stop in parts:
            step = self._steps[id(parameters[0])] + 1
            for p in parameters:
                self._steps[id(p)] = step
            words += (stop, *self._words(group, step))
        return words

    def _words(self, group: Group, step: int) -> tuple[float, ...]:
        """The seven settings of a group at a step, for kernels' `hyper`. Subclasses define it."""
        raise NotImplementedError

    def _launch(
        self, arenas: Sequence[Tensor], gradient: Tensor, hyper: Tensor, norm: Tensor | None, n: int, groups: int
    ) -> None:
        """One update of n neighbouring elements. Subclasses define it."""
        raise NotImplementedError

    def _update(self, start: int, end: int, parts: Sequence[Part]) -> None:
        n = 8 * len(parts)
        capturing = program.capturing()
        hyper = None if capturing else self._hyper.get(n)
        if hyper is None:
            hyper = empty(n, device=self.flat.values.device)
            if not capturing:
                self._hyper[n] = hyper
        update = _Update(self, parts, hyper)
        update.advance()
        program.before_replay(update)
        arenas = [Flat.part(a, start, (end - start,)) for a in (self.flat.values, *self.arenas)]
        gradient, norm = Flat.part(self.flat.gradients, start, (end - start,)), None
        if gradient.device.checks_overflow:
            norm = empty((), device=gradient.device)
            launch(kernels.global_norm, (norm, gradient), (end - start,))
        self._launch(arenas, gradient, hyper, norm, end - start, len(parts))

    # ---- state, by parameter ----

    def state_arrays(self, named: Iterable[tuple[str, Parameter]]) -> dict[str, Tensor]:
        """{"m.name": Tensor view} of the moments of named parameters.

        named: pairs of name and Parameter.
        """
        out: dict[str, Tensor] = {}
        for letter, arena in zip("mv", self.arenas):
            for name, p in named:
                out["%s.%s" % (letter, name)] = Flat.part(arena, self.flat.ranges[id(p)][0], p._shape, p._strides)
        return out

    def settings(self) -> list[Group]:
        """Each group's settings without its parameters."""
        return [{k: v for k, v in group.items() if k != "params"} for group in self.param_groups]


refused_names.refuse(Optimizer, refused_names.OPTIMIZER)


class _Update:
    """One launch of an optimizer: writes its settings for the next step into `hyper`."""

    def __init__(self, optimizer: Optimizer, parts: Sequence[Part], hyper: Tensor) -> None:
        self.optimizer, self.parts, self.hyper = optimizer, parts, hyper
        self.words = Words("i7f" * len(parts))
        flat, updated = optimizer.flat, [p for _, parameters, _ in parts for p in parameters]
        whole = len(updated) == len(flat.parameters)
        # What the launch writes, for its versions.
        self.updated = [flat.values._storage] if whole else [p._storage.counted() for p in updated]

    def advance(self) -> None:
        storage = self.hyper._storage  # looked up anew: the optimizer may have moved
        storage.device.put(self.words, storage.handle, self.optimizer._advance(self.parts))
        for updated in self.updated:
            updated.version += 1

    def retreat(self) -> None:
        self.optimizer._retreat(self.parts)


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as torch.optim.SGD."""

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[Group],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        defaults = ParameterGroup(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov
        )
        if defaults["nesterov"] and (defaults["momentum"] <= 0 or defaults["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        given: list[Any] = list(params)
        some = any(isinstance(group, dict) and group.get("momentum") for group in given)
        self.moments = 1 if defaults["momentum"] or some else 0
        super().__init__(given, defaults)

    def _words(self, group: Group, step: int) -> tuple[float, ...]:
        momentum = group["momentum"]
        if momentum and not self.moments:
            raise ValueError(
                "momentum is %r, but the optimizer was made without; make a new one with momentum=%r"
                % (momentum, momentum)
            )
        return (
            group["lr"],
            momentum,
            group["dampening"] if momentum else 0.0,  # PyTorch's: a part of the momentum
            group["weight_decay"],
            float(group["nesterov"]),
            float(step == 1),
            0.0,
        )

    def _launch(
        self, arenas: Sequence[Tensor], gradient: Tensor, hyper: Tensor, norm: Tensor | None, n: int, groups: int
    ) -> None:
        launch(kernels.sgd, (arenas[0], arenas[1] if len(arenas) > 1 else None, gradient, hyper, norm), (n, groups))


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), as torch.optim.AdamW."""

    moments = 2

    def __init__(
        self,
        params: Iterable[Parameter] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, ParameterGroup(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def _words(self, group: Group, step: int) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return (
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            1.0 - beta1**step,
            (1.0 - beta2**step) ** 0.5,
        )

    def _launch(
        self, arenas: Sequence[Tensor], gradient: Tensor, hyper: Tensor, norm: Tensor | None, n: int, groups: int
    ) -> None:
        p, m, v = arenas
        launch(kernels.adamw, (p, m, v, gradient, hyper, norm), (n, groups))


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float) -> Tensor:
    """Scales all gradients so that their global norm is at most max_norm.

    Returns the norm before, a 0-d tensor (torch.nn.utils' meaning). Two launches where the
    gradients fill one optimizer's flat arena. ValueError for a max_norm that is NaN.
    """
    max_norm = float(max_norm)
    if max_norm != max_norm or FLOAT32 < abs(max_norm) < math.inf:
        raise ValueError("clip_grad_norm_: max_norm is %r; give a number that float32 holds, or inf" % max_norm)
    grads = [gradient_of(p) for p in ([parameters] if isinstance(parameters, Tensor) else parameters)]
    grads = [g for g in grads if g is not None]
    if not grads:
        return full((), 0.0)
    with no_grad():
        flat = _whole_arena(grads)
        if flat is not None:
            grads = [flat]
        norms = []
        for g in grads:
            norm = empty((), device=g.device)
            launch(kernels.global_norm, (norm, g.contiguous()), (g.numel(),))
            norms.append(norm)
        if len(norms) > 1:
            norms = movement.stack(norms)
            total = empty((), device=norms.device)
            launch(kernels.global_norm, (total, norms), (len(grads),))
        else:
            total = norms[0]
        for g in grads:
            written(g)
            if g.is_contiguous():
                launch(kernels.clip_scale, (g, total), (g.numel(), max_norm))
            else:
                dense = g.contiguous()
                launch(kernels.clip_scale, (dense, total), (g.numel(), max_norm))
                g.copy_(dense)
    return total


def _whole_arena(grads: Sequence[Tensor]) -> Tensor | None:
    """The flat gradient when `grads` are all of its parts, else None."""
    owner = getattr(grads[0], "owner", None)
    if owner is None or len(grads) != len(owner.ranges) or any(getattr(g, "owner", None) is not owner for g in grads):
        return None
    return owner.gradients


__getattr__ = refused_names.of_module(__name__)
