"""torch.nn.functional: the functions of every family, under their own names."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from .. import table

# Each family names in FUNCTIONS what this module gets of it.
FAMILIES = [
    name
    for name in (
        "activation", "ctc", "dropout", "linear", "loss", "ranking", "sparse", "convolution", "pooling",
        "normalization", "layer_norm", "padding", "vision", "recurrent", "multihead", "transformer",
    )
    if importlib.util.find_spec("%s.%s" % (__package__, name)) is not None
]  # fmt: skip

__all__: list[str] = []
for _family in FAMILIES:
    _module = importlib.import_module("." + _family, __package__)
    _names: list[str] = getattr(_module, "FUNCTIONS", [])
    globals().update({_name: getattr(_module, _name) for _name in _names})
    __all__ += [_name for _name in _names if _name not in __all__]


def __getattr__(name: str) -> Any:
    """The sentence on a function that is not here."""
    return table.absent(__name__, name)
