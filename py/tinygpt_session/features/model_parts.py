"""The model as a picture: the parts of the model that a run holds, or of the one that a shape would
make, which is built without memory (tinygpt.training.memory_estimate).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..dispatch import handles
from ..tracebacks import FILES, PACKAGE
from .generation import NO_MODEL

if TYPE_CHECKING:
    from .. import protocol

MOST_LAYERS = 200  # of a model that is made for the picture alone


def shown_file(file: str) -> str | None:
    """The editor's file that a code's file is, or None."""
    if file in FILES:
        return file
    name = file.removeprefix(PACKAGE + "/")
    return name if name != file and name in FILES else None


@handles("model_parts")
def model_parts(args: protocol.PartsArgs, part: object) -> protocol.PartsAnswer:
    """Without a shape, of the model that the run holds: RuntimeError where there is none."""
    from tinygpt import loop, nn
    from tinygpt import model as models
    from tinygpt.config import ModelConfig
    from tinygpt.training import memory_estimate

    shape, run = args.get("shape"), loop.current
    if shape is None:
        model = run.kept.get("model") if run is not None else None
        if run is None or model is None:
            raise RuntimeError(NO_MODEL)
        if not isinstance(model, nn.Module):
            raise RuntimeError("The model that the run keeps is no nn.Module, so it has no parts to draw.")
        return _answer(model, run.step)
    config = ModelConfig.from_dict(shape)
    if config.layers > MOST_LAYERS:
        raise ValueError("A model of more than %d layers is drawn when it runs." % MOST_LAYERS)
    with memory_estimate.counting():
        return _answer(models.GPT(config), None)


def _answer(model: Any, step: int | None) -> protocol.PartsAnswer:
    from tinygpt.config import ModelConfig
    from tinygpt.tools.parts import model_parts

    config = getattr(model, "config", None)
    root: Any = model_parts(model, lambda file: shown_file(file) is not None)
    _name_files(root)
    counts = getattr(model, "num_parameters", None)
    parameters: Any = counts() if callable(counts) else sum(math.prod(p.shape) for p in model.parameters())
    return {
        "root": root,
        "parameters": parameters,
        "config": config.to_dict() if isinstance(config, ModelConfig) else None,
        "step": step,
    }


def _name_files(part: Any) -> None:
    """Puts the editor's names of the files into the tree."""
    if part["source"] is not None:
        file, first, last = part["source"]
        part["source"] = {"file": shown_file(file), "first": first, "last": last}
    for child in part["parts"]:
        _name_files(child)
