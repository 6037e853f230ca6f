"""What a training run will hold, before it starts: the loop's own step runs on a device that only
counts (devices/memory_counter.py).

    memory_estimate.plan(ModelConfig(...), TrainConfig(...)) -> Plan

The count is the run's: parameters, gradients and moments, the arena of an evaluation, then the
first step, which runs op by op while it is recorded (compile.py) and holds the most, and the arena
that every later step takes instead. On a GPU, sizes are about those of a CPU.
"""

from __future__ import annotations

import contextlib
import sys
import types
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .. import model, optim
from ..core import generator
from ..core.compile import compile
from ..core.factory import empty
from ..core.state import no_grad, state
from ..core.tensor import int32
from ..devices.base import size_text
from ..devices.memory_counter import PlanningDevice
from ..generate import evaluating
from ..ops.random import batch_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..config import ModelConfig, TrainConfig


KEPT = 64  # Plans that are remembered; the oldest goes first
LEAST_SAID_MOST = (
    8  # GiB: the least that a browser calls a machine's memory when it does not want to say how much more there is
)

_plans = {}  # what was counted with the package's code as it is in _code
_code = {}  # module -> what _bound gives
_CODE = types.FunctionType, staticmethod, classmethod, property


@dataclass(frozen=True)
class Plan:
    """Bytes. total: the most that is held at once. largest: the largest piece, which must fit into
    one buffer of a GPU.
    """

    parameters: int
    gradients: int
    moments: int
    tokens: int  # the corpus on the device
    activations: int  # the arena of the step that is replayed
    steady: int  # held while steps are replayed
    total: int
    largest: int


def plan(shape: ModelConfig, config: TrainConfig, tokens: int = 0, make: Any = None) -> Plan:
    """The Plan of a run of ModelConfig `shape` and TrainConfig `config` over a corpus of so many
    tokens. make(shape): the model (a GPT).

    Touches nothing of a run that is under way: neither its random numbers nor its recorded
    Programs. What was counted before, with the same code, is not counted again: the page asks
    before a run, and the run itself (memory_reserve.py).
    """
    if make is not None:
        return _counted(make, shape, config, tokens)
    if any(_bound(name) != code for name, code in _code.items()):
        _plans.clear()
        _code.clear()
    key = shape, config.batch_size, config.weight_decay, bool(config.eval_interval), tokens
    if key not in _plans:
        counted = _counted(model.GPT, shape, config, tokens)
        for name in [name for name in sys.modules if (name + ".").startswith("tinygpt.") and name not in _code]:
            _code[name] = _bound(name)
        while len(_plans) >= KEPT:
            del _plans[next(iter(_plans))]
        _plans[key] = counted
    return _plans[key]


def _bound(name: str) -> Any:
    """The functions, classes and methods that the module binds: edited code binds others."""
    code = []
    for value in list(vars(sys.modules[name]).values()) if name in sys.modules else ():
        if isinstance(value, type):
            code += [value, *(part for part in vars(value).values() if isinstance(part, _CODE))]
        elif isinstance(value, types.FunctionType):
            code.append(value)
    return code


def _counted(make: Callable[[ModelConfig], Any], shape: ModelConfig, config: TrainConfig, tokens: int) -> Plan:
    with counting() as device:
        model = make(shape)
        run = _Run(model, shape, config, tokens)
        if config.eval_interval:
            run.evaluate()
        for _ in range(2):
            run.step()
        one, program = 4 * run.optimizer.flat.n, run.step.program
        activations = program.planned_bytes if program is not None else 0
        return Plan(
            one,
            one,
            one * run.optimizer.moments,
            4 * tokens,
            activations,
            device.in_use(),
            device.peak,
            device.largest or 0,
        )


class _Run:
    """A model with the optimizer, the compiled step and the evaluation of train.py."""

    def __init__(self, model: Any, shape: ModelConfig, config: TrainConfig, tokens: int) -> None:
        length = max(tokens, shape.context + 1)
        self.model, self.tokens = model, empty(length, dtype=int32)
        self.optimizer = optimizer = optim.AdamW(model.parameter_groups(config.weight_decay), lr=config.lr)

        def batch() -> Any:
            return batch_windows(self.tokens, config.batch_size, shape.context, 0, length)

        @compile
        def step() -> Any:
            _, loss = model(*batch())
            optimizer.zero_grad()
            loss.backward()
            norm = optim.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss, norm

        self.step, self.loss = step, compile(lambda: model.loss(*batch()))

    def evaluate(self) -> Any:
        with no_grad(), evaluating(self.model):
            self.loss()


@contextlib.contextmanager
def counting() -> Iterator[PlanningDevice]:
    """A new PlanningDevice is the current device, with a random stream of its own; afterwards all
    is as it was.
    """
    before = state.device, state.layout, state.epoch, state.whole, generator.default_generator, generator.mersenne
    state.device, generator.default_generator = PlanningDevice(), generator.Generator(0)
    state.whole, generator.mersenne = "int32", None  # where code of PyTorch's meaning runs beside it
    try:
        yield state.device
    finally:
        # The numbers of layouts given out meanwhile name nothing that is left.
        state.device, state.layout, state.epoch, state.whole, generator.default_generator, generator.mersenne = before


def holds(device: Any, machine: float | None = None, budget: int | None = None) -> int | None:
    """Bytes that `device` can hold at most, or None where nobody knows.

    machine: GiB that the host is said to have, to the nearest power of two (navigator.deviceMemory;
    8, or 32, where there is more). budget: bytes that the page may take, on a GPU too, where the
    class of device sets a limit (app/run/device_class.js).
    """
    known = [device.capacity] if device.capacity is not None else []
    if machine and machine < LEAST_SAID_MOST:
        known.append(int(machine * 1.5 * 2**30))
    if budget is not None:
        known.append(max(0, budget))
    return min(known, default=None)


def refusal(shape: ModelConfig, config: TrainConfig, device: Any, capacity: int | None, tokens: int = 0) -> str | None:
    """Why a run cannot fit on `device`, of which `capacity` bytes may be used (None: nobody knows),
    and what would fit: a sentence.

    None where it fits.
    """
    limits: list[tuple[Callable[[Plan], int], Any, str]] = [
        (lambda p: p.total, capacity, "needs about %s of memory, and only %s is available here"),
        (lambda p: p.largest, device.largest, "needs %s in one buffer, and this GPU allows at most %s"),
    ]
    limits = [limit for limit in limits if limit[1] is not None]

    def of(shape: ModelConfig, batch: int) -> Plan:
        return plan(shape, replace(config, batch_size=batch), tokens)

    def problem(needed: Plan) -> str | None:
        for amount, most, words in limits:
            if amount(needed) > most:
                return words % (size_text(amount(needed)), size_text(most))
        return None

    def largest_batch(shape: ModelConfig, whole: Plan) -> int:
        """The largest that fits, below the config's, whose Plan is `whole`; or 0. Memory grows
        evenly with the batch.
        """
        batch = config.batch_size
        one = of(shape, 1)
        if batch == 1 or problem(one):
            return 0
        for amount, most, _ in limits:
            if amount(whole) > most:
                batch = min(batch - 1, 1 + int((most - amount(one)) / (amount(whole) - amount(one)) * (batch - 1)))
        while problem(of(shape, batch)):
            batch -= 1
        return batch

    needed = of(shape, config.batch_size)
    why = problem(needed)
    if why is None:
        return None
    ways, again = [], replace(shape, recompute=True)
    if capacity is None or needed.steady - needed.activations < capacity:  # else the weights alone are too much
        recomputed = of(again, config.batch_size)
        if not shape.recompute and not problem(recomputed):
            ways.append("turn Recompute on under More, then it needs about %s" % size_text(recomputed.total))
        batch = largest_batch(shape, needed)
        if batch:
            ways.append("take a batch of %s%d" % ("at most " if batch > 1 else "", batch))
        elif not ways and not shape.recompute and (batch := largest_batch(again, recomputed)):
            ways.append(
                "turn Recompute on under More and take a batch of %s%d" % ("at most " if batch > 1 else "", batch)
            )
    return "This run %s: %s." % (why, ", or ".join(ways) or "choose a smaller preset")
