"""The host's inputs while a run trains: what can apply at the next step does.

The loop holds the TrainConfig that `run.settings` gave it and reads config.LIVE at each step, so a
change of those is written into that object, between two steps. Everything else waits for the next
call of train(). Each change is a message: {"changes": {name: [before, after]}}.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..config import LIVE, TrainConfig

Changes = dict[str, list[Any]]  # name: [before, after]


def changes_between(before: TrainConfig | None, after: TrainConfig) -> Changes:
    """The fields that differ; none where there is no config before."""
    if before is None:
        return {}
    pairs = ((f.name, [getattr(before, f.name), getattr(after, f.name)]) for f in fields(TrainConfig))
    return {name: pair for name, pair in pairs if pair[0] != pair[1]}


def apply(run: Any, wanted: TrainConfig) -> None:
    """Writes what `wanted` has under LIVE into the config of `run`, a Run, and reports it.

    A field that train() has set itself stays, and a note says so.
    """
    config, used = run.train_config, run.loop_config
    if config is None:
        run.note("train.py does not call run.settings, so the inputs have no effect on this run.")
        return
    changes = {name: pair for name, pair in changes_between(config, wanted).items() if name in LIVE}
    for name, (before, after) in list(changes.items()):
        own = used is not None and getattr(used, name) != before or name == "steps" and run.total != before
        object.__setattr__(config, name, after)
        if own:
            del changes[name]
            run.note("train.py sets %s itself, so the input has no effect on this run." % name)
        elif used is not None:
            object.__setattr__(used, name, after)
        if name == "steps" and not own:
            run.total = after
    if changes:
        report(run, changes)


def report(run: Any, changes: Changes) -> None:
    """Sends the message on these changes."""
    config = run.loop_config or run.train_config
    assert config is not None
    about = {"eval_interval": config.eval_interval, "sample_interval": config.sample_interval}
    run.send(type="adjusted", step=run.step, changes=changes, steps=run.total or config.steps, **about)
