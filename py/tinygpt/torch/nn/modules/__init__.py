"""PyTorch's paths of modules: torch.nn.modules.linear is where Linear is, and so on."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from typing import Any

from ... import nn
from ...nn import *  # noqa: F403
from .. import module
from . import utils

# PyTorch's file, and the families here whose names it has.
PATHS = {
    "module": "module state_dict", "activation": "activations multihead", "container": "containers",
    "dropout": "dropout", "adaptive": "adaptive",
    "linear": "linear", "flatten": "linear", "loss": "losses", "distance": "losses", "sparse": "sparse", "lazy": "lazy",
    "conv": "convolution", "pooling": "pooling", "batchnorm": "normalization",
    "normalization": "normalization layer_norm", "instancenorm": "normalization", "padding": "padding",
    "upsampling": "vision", "pixelshuffle": "vision", "fold": "vision", "channelshuffle": "vision",
    "rnn": "recurrent", "transformer": "transformer",
}  # fmt: skip
for _path, _families in PATHS.items():
    _made = types.ModuleType("%s.%s" % (__name__, _path), "Names of torch.nn.modules.%s." % _path)
    _made.__spec__ = importlib.util.spec_from_loader(_made.__name__, loader=None)
    for _family in _families.split():
        _names = vars(importlib.import_module("%s.%s" % (nn.__name__, _family)))
        vars(_made).update({_name: _value for _name, _value in _names.items() if _name[:2] != "__"})
    sys.modules[_made.__name__] = globals()[_path] = _made

Module = module.Module
__all__ = [*nn.__all__, "Module", "utils"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    return getattr(nn, name)
