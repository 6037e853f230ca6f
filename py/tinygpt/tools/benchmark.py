"""Speed where the device is: training steps of a preset, and decoding. The bench and the page's
*Measure on this machine* both run this.

As in the training loop, the loss of a step is read when it has arrived, at most two steps later: a
GPU is never waited for. A step's time is then that from its start to the next one's, with the
pipeline full; on a CPU, where a value is there at once, the same thing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .. import optim
from ..config import PRESETS
from ..core.async_reads import PendingReads
from ..core.compile import compile
from ..core.current_device import get_device
from ..core.generator import manual_seed
from ..data import Dataset
from ..generate import generate
from ..model import GPT
from .profile import flops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..config import TrainConfig
    from ..core.tensor import Tensor


COMPARED = 3  # first steps whose losses must agree between implementations
# steps before each timed group: after a pause threads are spread over the cores again, and a GPU
# raises its clock
ROLL_SECONDS = 0.5
WARM_UP, WARM_UP_SECONDS = (
    5,
    3.0,
)  # the first two steps capture; the rest warm caches, and the engine compiles its last tier beside them


def parts(preset: str) -> tuple[TrainConfig, Dataset, GPT, optim.AdamW]:
    """(train config, data, model, optimizer) of a preset, the same numbers on every device."""
    chosen = PRESETS[preset]
    config = chosen.train
    manual_seed(config.seed)
    # Any text will do for timing; the ids are spread over the vocabulary.
    data = Dataset(
        [(i * 7919 + i // 11) % 256 for i in range(20 * (chosen.model.context + 1) + 5000)], None, chosen.model.context
    )
    model = GPT(chosen.model)
    optimizer = optim.AdamW(
        model.parameter_groups(config.weight_decay), lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps
    )
    return config, data, model, optimizer


def roll(bench: StepBench) -> None:
    """Untimed steps that bring a bench back to speed after its turn of waiting."""
    start = time.perf_counter()
    while time.perf_counter() - start < ROLL_SECONDS:
        bench.advance()


class StepBench:
    """A training step that can be timed in several turns, so that contenders alternate."""

    def __init__(self, preset: str, warm_up: int = WARM_UP, warm_up_seconds: float = WARM_UP_SECONDS) -> None:
        begun = time.perf_counter()
        self.config, data, model, optimizer = parts(preset)

        def step() -> Tensor:
            x, y = data.batch(self.config.batch_size)
            _, loss = model(x, y)
            optimizer.zero_grad()
            loss.backward()
            optim.clip_grad_norm_(model.parameters(), self.config.grad_clip)
            optimizer.step()
            return loss

        self.step, self.losses, self.reads = compile(step), [], PendingReads()
        self.push = self.reads.push
        self.device = model.tok_emb.weight.device
        self.loss = self.step()
        self.losses.append(self.loss.item())
        self.first_step_s = (
            time.perf_counter() - begun
        )  # from nothing: model, optimizer, the step recorded, its loss read
        start = time.perf_counter()
        while len(self.losses) < warm_up or time.perf_counter() - start < warm_up_seconds:
            self.advance()

    def advance(self) -> None:
        """One step.

        Its loss is still held during the next step, as in any loop that says `loss = step()`.
        """
        self.loss = self.step()
        self.losses += [loss for _, loss in self.push(self.loss)]

    def time(self, steps: int) -> dict[str, Any]:
        """Times `steps` steps: {"ms", "replay_ms", "losses"}.

        ms: per step. replay_ms: the device's share, its replay and what is waited for it; the rest
        is Python's.
        """
        roll(self)
        program, clock = self.step.program, time.perf_counter
        assert program is not None  # it has run
        replay, push = program.run, self.push
        inside, starts, counts = (
            [],
            [],
            [],
        )  # times at which the device's share begins and ends; of each step's start; how many until then

        def timed_replay() -> None:
            inside.append(clock())
            replay()
            inside.append(clock())

        def timed_push(loss: Tensor) -> Any:
            inside.append(clock())
            arrived = push(loss)
            inside.append(clock())
            return arrived

        program.run = timed_replay
        if self.device.waits:
            self.push = timed_push
        try:
            for _ in range(steps):
                starts.append(clock())
                counts.append(len(inside))
                self.advance()
            starts.append(clock())
            counts.append(len(inside))
        finally:
            program.run, self.push = replay, push
        self.losses += [loss for _, loss in self.reads.drain()]
        return {
            "ms": [(b - a) * 1e3 for a, b in zip(starts, starts[1:])],
            "replay_ms": [(sum(inside[a + 1 : b : 2]) - sum(inside[a:b:2])) * 1e3 for a, b in zip(counts, counts[1:])],
            "losses": self.losses,
            "planned_bytes": program.planned_bytes,
            "launches": len(program.launches),
            "matmul_flops": sum(
                flops(kernel, params) for kernel, _, params in program.launches if kernel.name == "matmul"
            ),
            "dispatches": getattr(program._loaded, "dispatches", None),
            "threads": self.device.threads,
            "build": self.device.build,
            "software": getattr(self.device, "fallback", False),
        }


_kept = {}


def cold(preset: str, steps: int = COMPARED) -> dict[str, Any]:
    """The losses of a new model's first steps, each read before the next step.

    {"first_step_s", "losses"}.
    """
    bench = StepBench(preset, warm_up=steps, warm_up_seconds=0.0)
    bench.losses += [loss for _, loss in bench.reads.drain()]
    return {"first_step_s": bench.first_step_s, "losses": bench.losses[:steps]}


def forget() -> None:
    """Frees the models that `step_times` kept."""
    _kept.clear()


def step_times(preset: str, steps: int, keep: bool = False) -> dict[str, Any]:
    """Times `steps` steps of a preset; with keep, the bench stays warm for another call."""
    device = get_device()
    key = preset, device.name, getattr(device, "configuration", 0)
    bench = _kept.get(key) or StepBench(preset)
    if keep:
        _kept[key] = bench
    return bench.time(steps)


def generation(preset: str, tokens: int = 200) -> dict[str, float]:
    """Decoding with a key/value cache; see median_rate."""
    _, _, model, _ = parts(preset)
    return median_rate(
        lambda seed, count: generate(model, [10], count, temperature=0.8, seed=seed), model.config.context, tokens
    )


def median_rate(write: Callable[[int, int], Iterable[object]], context: int, tokens: int = 200) -> dict[str, float]:
    """{"tokens_per_s", "min", "max", "first_token_ms"} of five texts within the context.

    write(seed, count): an iterator of `count` tokens after a prompt of one.
    """
    count = min(tokens, context - 1)
    list(write(1, count))  # captures the decoding step
    rates, first = [], []
    for i in range(5):
        start = time.perf_counter()
        made = 0
        for _ in write(i, count):
            made += 1
            if made == 1:
                first.append((time.perf_counter() - start) * 1e3)
        rates.append(made / (time.perf_counter() - start))
    return {"tokens_per_s": sorted(rates)[2], "min": min(rates), "max": max(rates), "first_token_ms": sorted(first)[2]}
