"""Tools for parameters: clipping of gradients, parameters as one vector, weight and spectral norm,
parametrizations.
"""

from __future__ import annotations

import inspect
from typing import Any

from ....nn import Module
from ... import table
from ...random import get_rng_state, set_rng_state
from .clip_grad import (
    clip_grad_norm,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from .convert_parameters import parameters_to_vector, vector_to_parameters
from .spectral_norm import remove_spectral_norm, spectral_norm
from .weight_norm import remove_weight_norm, weight_norm

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "remove_spectral_norm",
    "remove_weight_norm",
    "skip_init",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]
_FUSION = "leave it out: model.eval() computes the same without fused weights"
ABSENT = {
    "prune": "multiply the weight by a mask of zeros and ones after each optimizer.step()",
    "fuse_conv_bn_eval": _FUSION,
    "fuse_conv_bn_weights": _FUSION,
    "fuse_linear_bn_eval": _FUSION,
    "fuse_linear_bn_weights": _FUSION,
    "fusion": _FUSION,
    "convert_conv2d_weight_memory_format": "leave it out: weights have one layout here",
    "convert_conv3d_weight_memory_format": "leave it out: weights have one layout here",
}


def skip_init(module_cls: Any, *args: Any, **kwargs: Any) -> Any:
    """A module whose first values may be any: no random number is drawn for them.

    RuntimeError for what is no Module, or one without a `device` argument.
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise RuntimeError("Expected a Module; got %s" % (module_cls,))
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    place = get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        set_rng_state(place)


def __getattr__(name: str) -> Any:
    """Modules that start-up does not wait for, and the sentence on a name that is not here."""
    return table.missing(__name__, name)
