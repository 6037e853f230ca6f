"""torch.nn.functional: the functions of every family, under their own names."""

from __future__ import annotations

import importlib
from typing import Any

from .. import table

# Each family names in FUNCTIONS what this module gets of it.
FAMILIES = [
    "activation", "ctc", "dropout", "linear", "loss", "ranking", "sparse", "convolution", "pooling",
    "normalization", "layer_norm", "padding", "vision", "recurrent", "multihead", "transformer",
]  # fmt: skip

ABSENT: dict[str, str] = {
    "linear_cross_entropy": "use linear with cross_entropy",
    "grad": "use torch.autograd.grad",
    "handle_torch_function": "overrides of torch's functions are not here; call a function of your own",
    **dict.fromkeys(("grouped_mm", "scaled_mm", "scaled_grouped_mm"), "use matmul, group by group"),
    "conv_tbc": "use conv1d of a transposed input",
}
LIMITED: dict[str, str] = {}
__all__: list[str] = []
for _family in FAMILIES:
    _module = importlib.import_module("." + _family, __package__)
    _names: list[str] = getattr(_module, "FUNCTIONS", [])
    globals().update({_name: getattr(_module, _name) for _name in _names})
    ABSENT.update(getattr(_module, "ABSENT", {}))
    LIMITED.update({k: v for k, v in getattr(_module, "LIMITED", {}).items() if k in _names})
    __all__ += [_name for _name in _names if _name not in __all__]


def __getattr__(name: str) -> Any:
    """The sentence on a function that is not here."""
    return table.absent(__name__, name)
