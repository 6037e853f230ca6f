"""TinyGPT: train a GPT in a browser tab, with PyTorch's names. The same package runs in Pyodide and
in CPython.

import tinygpt
from tinygpt import nn, functional as F, optim
"""

from __future__ import annotations

import importlib
import sys

if sys.version_info < (3, 11):  # before what an older Python cannot import
    sys.exit("TinyGPT needs Python 3.11 or newer, and this is Python %d.%d" % sys.version_info[:2])

from typing import TYPE_CHECKING, Any

from . import config, functional, kernels, nn, ops, optim, schedule  # noqa: F401
from .config import PRESETS, ModelConfig, TrainConfig
from .core import autograd, copying, printing, refused_names  # noqa: F401
from .core.compile import compile
from .core.current_device import get_device, set_device
from .core.factory import empty, full, shape_of, tensor
from .core.generator import Generator, default_generator, manual_seed
from .core.state import enable_grad, is_grad_enabled, no_grad
from .core.tensor import Tensor, bool_, float32, int32
from .graph import program  # noqa: F401
from .model import GPT
from .ops.elementwise import maximum, minimum, where
from .ops.matmul import matmul
from .ops.movement import arange, cat, split, stack, tril, triu
from .ops.random import multinomial, rand, randint, randn
from .ops.softmax_xent import cross_entropy, log_softmax, softmax
from .optim import clip_grad_norm_
from .tools.profile import profile

if TYPE_CHECKING:
    import builtins


def zeros(*shape: Any, dtype: Any = float32, device: Any = None, requires_grad: builtins.bool = False) -> Tensor:
    """A tensor of zeros."""
    return full(shape_of(shape), 0, dtype, device, requires_grad)


def ones(*shape: Any, dtype: Any = float32, device: Any = None, requires_grad: builtins.bool = False) -> Tensor:
    """A tensor of ones."""
    return full(shape_of(shape), 1, dtype, device, requires_grad)


def zeros_like(x: Tensor) -> Tensor:
    """Zeros with x's shape, dtype and device."""
    return full(x.shape, 0, x.dtype, x.device)


def ones_like(x: Tensor) -> Tensor:
    """Ones with x's shape, dtype and device."""
    return full(x.shape, 1, x.dtype, x.device)


def full_like(x: Tensor, value: float) -> Tensor:
    """`value` everywhere, with x's shape, dtype and device."""
    return full(x.shape, value, x.dtype, x.device)


def rand_like(x: Tensor) -> Tensor:
    """Uniform numbers in [0, 1) with x's shape and device, float32."""
    return rand(x.shape, device=x.device)


def randn_like(x: Tensor) -> Tensor:
    """Standard normal numbers with x's shape and device, float32."""
    return randn(x.shape, device=x.device)


def eye(n: int, device: Any = None) -> Tensor:
    """The n x n identity matrix, float32."""
    row = arange(n, device=device)
    return (row.unsqueeze(1) == row).float()


def _function(name):
    def function(x, *args, **kwargs):
        return getattr(x, name)(*args, **kwargs)

    function.__name__, function.__doc__ = name, "Tensor.%s as a function." % name
    return function


for _name in (
    "exp log sqrt rsqrt tanh sigmoid relu sin cos abs neg square reciprocal pow add sub mul div clamp masked_fill "
    "sum mean var std max min argmax argmin any all transpose permute reshape flatten squeeze unsqueeze chunk "
    "eq ne lt le gt ge logical_not logical_and logical_or"
).split():
    globals()[_name] = _function(_name)
bool = bool_  # noqa: A001  PyTorch's name for the dtype

__version__ = "0.1.0"
__all__ = [
    "GPT",
    "PRESETS",
    "Generator",
    "ModelConfig",
    "Tensor",
    "TrainConfig",
    "arange",
    "cat",
    "clip_grad_norm_",
    "compile",
    "config",
    "cross_entropy",
    "default_generator",
    "empty",
    "enable_grad",
    "eye",
    "float32",
    "full",
    "full_like",
    "functional",
    "get_device",
    "int32",
    "is_grad_enabled",
    "kernels",
    "log_softmax",
    "manual_seed",
    "matmul",
    "maximum",
    "minimum",
    "multinomial",
    "nn",
    "no_grad",
    "ones",
    "ones_like",
    "ops",
    "profile",
    "optim",
    "program",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "schedule",
    "set_device",
    "softmax",
    "split",
    "stack",
    "tensor",
    "tril",
    "triu",
    "where",
    "zeros",
    "zeros_like",
]


_missing = refused_names.of_module(__name__)


def __getattr__(name):
    """`tinygpt.inspect`, `tinygpt.plot`, and `tinygpt.saving` (a run as a file, and back): loaded
    at first use.
    """
    if name == "inspect":
        from .tools import inspect  # start-up does not wait for it

        return inspect
    if name == "plot":
        return importlib.import_module(".plot", __name__)  # start-up does not wait for it
    if name == "saving":
        from .training import run_checkpoint  # start-up does not wait for it

        return run_checkpoint
    return _missing(name)
