"""What training takes on this machine, and which to recommend here: a step of each preset that a
recipe uses is measured, and the recipe that ends at the lowest loss within the time is chosen
(`config.RECIPES`). Nothing of the user's is touched: the models go, the random stream is put back.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .. import dispatch, training_bridge

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinygpt.config import ModelConfig, Recipe

    from .. import protocol

SECONDS = 900.0  # that a recommended training may take
AT_LEAST, MEASURED = 3, 0.4  # steps, and seconds of them, after the one that is recorded
LONGEST = 3.0  # seconds of them, whatever their number
WARM = 3  # steps that are not measured
LARGE = 8e6  # bytes of a model's weights beyond which a step is measured with a batch of one
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
        ms[preset] = _step_ms(config.PRESETS[preset].model, config.PRESETS[preset].train.batch_size)
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


@dispatch.handles("estimate")
def estimate(args: protocol.EstimateArgs, part: object) -> protocol.EstimateAnswer:
    """Seconds of the run that args["settings"] describe, which continues the loaded model where
    args["loaded"]: its own step is measured, of a large model with one sequence.
    """
    from tinygpt import loop

    if training_bridge.running():
        raise ValueError("a run is in progress: stop it first, because its steps would disturb the measurement")
    settings = {k: v for k, v in args["settings"].items() if k not in ("threads", "seed")}
    current = loop.current if args.get("loaded") else None
    _, shape, config = loop.configured(settings, loaded=current and current.loaded)
    left = max(0, config.steps - (current.step if current else 0))
    large = shape.weight_bytes > LARGE
    batch = 1 if large else config.batch_size
    ms = _step_ms(shape, batch, 1 if large else WARM) * config.batch_size / batch
    return {"seconds": left * ms / 1e3 * OVERHEAD}


def _step_ms(shape: ModelConfig, batch: int, warm: int = WARM) -> float:
    """Milliseconds of a training step of a GPT of this shape on the current device. warm: steps
    that are not measured, after the one that records.
    """
    import tinygpt
    from tinygpt import optim
    from tinygpt.core import generator
    from tinygpt.data import Dataset

    before = generator.default_generator.get_state()
    try:
        data = Dataset([(i * 7919 + i // 11) % 256 for i in range(20 * (shape.context + 1))], None, shape.context)
        model = tinygpt.GPT(shape)
        optimizer = optim.AdamW(model.parameter_groups(0.1), lr=1e-3)

        @tinygpt.compile
        def step():
            _, loss = model(*data.batch(batch))
            optimizer.zero_grad()
            loss.backward()
            tinygpt.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss

        for _ in range(1 + warm):
            step().item()
        steps, begun = 0, time.perf_counter()
        while steps < AT_LEAST or time.perf_counter() - begun < MEASURED:
            loss = step()
            steps += 1
            if steps % 2 == 0:
                loss.item()  # not more than two are under way
            if time.perf_counter() - begun > LONGEST:
                break
        loss.item()  # pyright: ignore[reportPossiblyUnboundVariable]  there is one step
        return (time.perf_counter() - begun) / steps * 1e3
    finally:
        generator.default_generator.set_state(before)
