"""torch.nn: modules, the functions that they call, first values, and tools for parameters."""

from __future__ import annotations

import importlib
from typing import Any

from .. import table
from .module import Module
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = ["Buffer", "Module", "Parameter", "UninitializedBuffer", "UninitializedParameter"]
ABSENT = {
    "DataParallel": "leave it out: a tab has one device",
    "SyncBatchNorm": "use BatchNorm1d, BatchNorm2d or BatchNorm3d: a tab is one process",
    "CrossMapLRN2d": "use LocalResponseNorm",
    "LinearCrossEntropyLoss": "use Linear with CrossEntropyLoss",
    "parallel": "leave it out: a tab has one device",
    "grad": "use torch.autograd.grad",
    "Container": "use Module",
    "quantized": "train in float32; tinygpt.checkpoint writes int8 files",
    "qat": "train in float32; tinygpt.checkpoint writes int8 files",
    "intrinsic": "leave it out: a tab has no quantized modules",
}

# Each family names its modules in __all__.
FAMILIES = [
    "state_dict", "activations", "containers", "dropout", "linear", "losses", "sparse", "convolution", "pooling",
    "normalization", "layer_norm", "padding", "vision", "recurrent", "multihead", "transformer", "adaptive",
]  # fmt: skip
for _family in FAMILIES:
    _module = importlib.import_module("." + _family, __name__)
    globals().update({_name: getattr(_module, _name) for _name in _module.__all__})
    __all__ += _module.__all__  # pyright: ignore[reportUnsupportedDunderAll]
table.refuse_methods("torch.nn.Module", Module)


def __getattr__(name: str) -> Any:
    """Modules that start-up does not wait for, and the sentence on a name that is not here."""
    return table.missing(__name__, name)
