"""What the host of a training loop, the page or a terminal, has installed: where the messages go,
what its inputs say, which device it wants, and who looks in between two steps.

`tinygpt.loop` has the functions that install it under the same names; the Run asks here.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from ..config import PRESETS, WAYS, ModelConfig, TrainConfig
from ..core.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Callable


sink: Callable[[str], object] | None = None
settings: dict[str, Any] = {}
wanted: Callable[[], str | None] | None = None
visitor: Callable[[Any], object] | None = None


def set_sink(function: Callable[[str], object] | None) -> None:
    """`function(json text)` receives every message from now on; None: print to stdout."""
    global sink
    sink = function


def set_settings(values: dict[str, Any]) -> None:
    """What the host's inputs say: "preset", a name of config.WAYS, any TrainConfig field. They
    override what train() asks for.
    """
    known = {f.name for f in fields(TrainConfig)} | set(WAYS)
    for name, value in values.items():
        if name == "preset":
            if not isinstance(value, str) or value not in PRESETS:
                raise ValueError("there is no preset %s; choose one of %s" % (quoted(value), ", ".join(PRESETS)))
        elif name not in known:
            raise ValueError(
                "there is no setting %s; choose from preset, %s" % (quoted(name), ", ".join(sorted(known)))
            )
    settings.clear()
    settings.update(values)


def configured(
    values: dict[str, Any],
    preset: str = "small",
    loaded: tuple[ModelConfig, TrainConfig | None] | None = None,
    own: dict[str, Any] | None = None,
) -> tuple[str | None, ModelConfig, TrainConfig]:
    """(name of the preset or None, ModelConfig, TrainConfig) that `values`, as in set_settings,
    make of a preset.

    loaded: (ModelConfig, TrainConfig or None) of a file that takes the preset's place, unless the
    values name one. own: fields of ModelConfig that the code has otherwise; heads without kv_heads
    are as many of both.
    """
    name = values.get("preset", preset)
    shape, config = PRESETS[name].model, PRESETS[name].train
    if loaded is not None:
        if "preset" not in values:
            shape = loaded[0]
            name = next((p.name for p in PRESETS.values() if p.model == shape), None)
        config = loaded[1] or config
    ways = {k: v for k, v in values.items() if k in WAYS}
    if own:
        shape = _with_own(shape, own)
        plain = replace(shape, **{way: getattr(ModelConfig(), way) for way in WAYS})
        name = next((p.name for p in PRESETS.values() if p.model == plain), None)
    return (
        name,
        replace(shape, **ways),
        replace(config, **{k: v for k, v in values.items() if k not in ("preset", *WAYS)}),
    )


def _with_own(shape: ModelConfig, own: dict[str, Any]) -> ModelConfig:
    """TypeError for a name that ModelConfig lacks, ValueError for a value that it does not take."""
    known = [f.name for f in fields(shape)]
    for name in own:
        if name not in known:
            raise TypeError("ModelConfig has no setting %s; choose from %s" % (quoted(name), ", ".join(known)))
    return replace(shape, **{**({"kv_heads": 0} if "heads" in own else {}), **own})


def set_wanted(function: Callable[[], str | None] | None) -> None:
    """`function()` says which device the user has chosen since it was asked last, "webgpu:f16" for
    instance, or None. It is asked at every step boundary; None instead of a function: nobody asks.
    """
    global wanted
    wanted = function


def set_visitor(function: Callable[[Any], object] | None) -> None:
    """`function(run)` is called at every step boundary: the host's turn to answer questions, to
    pause, to bring edited code.
    """
    global visitor
    visitor = function


def send(run: Any, message: dict[str, Any]) -> None:
    """One message of `run` to the sink, or as a line on stdout."""
    if sink is not None:
        sink(json.dumps(message))
    else:
        _print(message, run)


def _print(message: dict[str, Any], run: Any) -> None:
    kind = message["type"]
    if kind == "start":
        print(
            "%s: %.2f M parameters on %s (%s, %d threads), %d steps"
            % (
                message["preset"],
                message["parameters"] / 1e6,
                message["device"],
                message["build"],
                message["threads"],
                message["steps"],
            )
        )
    elif kind == "step" and (message["step"] % 10 == 0 or message["step"] == run.total - 1):
        print("step %d  loss %.4f  %.1f ms" % (message["step"], message["loss"], message["ms"]))
    elif kind == "eval":
        print("step %d  validation loss %.4f" % (message["step"], message["val_loss"]))
    elif kind == "device":
        print("now on %(device)s (%(build)s, %(threads)d threads)" % message)
    elif kind == "adjusted":
        for name, (before, after) in message["changes"].items():
            print("step %d  %s %s -> %s" % (message["step"], name, before, after))
    elif kind in ("sample", "note"):
        sys.stdout.write(message["text"] + ("" if kind == "sample" else "\n"))
    elif kind == "sample_end":
        print()
    sys.stdout.flush()


def bare(error: BaseException) -> str:
    """The error's sentence without its full stop."""
    return str(error).rstrip(". ")


def first_upper(text: BaseException | str) -> str:
    """The sentence without its full stop, with a capital first letter."""
    text = text if isinstance(text, str) else bare(text)
    return text[:1].upper() + text[1:]


def sentences(*parts: str) -> str:
    """The parts as sentences: "Continuing from step 3. The file has no data position." """
    return " ".join(first_upper(part) + "." for part in parts)
