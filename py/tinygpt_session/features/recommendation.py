"""Which training to recommend on this machine: a step of each preset that a recipe uses is
measured, and the recipe that ends at the lowest loss within the time is chosen (`config.RECIPES`).
Nothing of the user's is touched: the models go, the random stream is put back.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .. import dispatch, training_bridge

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinygpt.config import Recipe

    from .. import protocol

SECONDS = 900.0  # that a recommended training may take
AT_LEAST, MEASURED = 3, 0.4  # steps, and seconds of them, after the one that is recorded
OVERHEAD = 1.05  # evaluations and samples


@dispatch.handles("recommend")
def recommend(args: protocol.RecommendArgs, part: Callable[[protocol.RecommendPart], None]) -> protocol.RecommendAnswer:
    """The best recipe within the time, else the shortest."""
    from tinygpt import config

    if training_bridge.running():
        raise ValueError("a run is in progress: stop it first, because its steps would disturb the measurement")
    seconds = float(args.get("seconds", SECONDS))
    ms: dict[str, float] = {}
    for preset in dict.fromkeys(recipe.preset for recipe in config.RECIPES):  # the smallest first
        part({"measuring": preset})
        ms[preset] = _step_ms(preset)
        if dispatch.cancelled():
            raise ValueError("it was stopped")
        if all(_takes(recipe, ms) > seconds for recipe in config.RECIPES if recipe.preset == preset):
            break  # a larger one takes longer
    possible = [recipe for recipe in config.RECIPES if recipe.preset in ms]
    fitting = [recipe for recipe in possible if _takes(recipe, ms) <= seconds]
    best = (
        min(fitting, key=lambda recipe: recipe.loss)
        if fitting
        else min(possible, key=lambda recipe: _takes(recipe, ms))
    )
    return {"preset": best.preset, "settings": best.settings, "loss": best.loss, "seconds": _takes(best, ms), "ms": ms}


def _takes(recipe: Recipe, ms: dict[str, float]) -> float:
    """Seconds: a step of another batch size than the preset's is taken to cost in proportion."""
    from tinygpt.config import PRESETS

    usual = PRESETS[recipe.preset].train.batch_size
    return (
        recipe.settings["steps"] * recipe.settings.get("batch_size", usual) / usual * ms[recipe.preset] / 1e3 * OVERHEAD
    )


def _step_ms(preset: str) -> float:
    """Milliseconds of a training step of this preset on the current device."""
    import tinygpt
    from tinygpt import optim
    from tinygpt.core import generator
    from tinygpt.data import Dataset

    chosen = tinygpt.PRESETS[preset]
    before = generator.default_generator.get_state()
    try:
        data = Dataset(
            [(i * 7919 + i // 11) % 256 for i in range(20 * (chosen.model.context + 1))], None, chosen.model.context
        )
        model = tinygpt.GPT(chosen.model)
        optimizer = optim.AdamW(model.parameter_groups(0.1), lr=1e-3)

        @tinygpt.compile
        def step():
            _, loss = model(*data.batch(chosen.train.batch_size))
            optimizer.zero_grad()
            loss.backward()
            tinygpt.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss

        for _ in range(4):
            step().item()  # one records, and the first replays warm up
        steps, begun = 0, time.perf_counter()
        while steps < AT_LEAST or time.perf_counter() - begun < MEASURED:
            loss = step()
            steps += 1
            if steps % 2 == 0:
                loss.item()  # not more than two are under way
        loss.item()  # pyright: ignore[reportPossiblyUnboundVariable]  there are AT_LEAST steps
        return (time.perf_counter() - begun) / steps * 1e3
    finally:
        generator.default_generator.set_state(before)
