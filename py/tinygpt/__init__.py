"""TinyGPT: train a GPT in a browser tab, with PyTorch's names. The same package runs in Pyodide and in CPython.

import tinygpt
from tinygpt import nn, functional as F, optim
"""

from . import config, functional, kernels, nn, ops, optim, program, schedule  # noqa: F401
from .compiled import compile
from .config import PRESETS, ModelConfig, TrainConfig
from .creation import empty, full, shape_of, tensor
from .functional import cross_entropy, log_softmax, softmax
from .model import GPT
from .ops.elementwise import maximum, minimum, where
from .ops.matmul import matmul
from .ops.movement import arange, cat, split, stack, tril, triu
from .ops.random import Generator, default_generator, manual_seed, multinomial, rand, randint, randn
from .optim import clip_grad_norm_
from .profile import profile
from .state import enable_grad, get_device, is_grad_enabled, no_grad, set_device
from .tensor import Tensor, bool_, float32, int32


def zeros(*shape, dtype=float32, device=None, requires_grad=False):
    """A tensor of zeros."""
    return full(shape_of(shape), 0, dtype, device, requires_grad)


def ones(*shape, dtype=float32, device=None, requires_grad=False):
    """A tensor of ones."""
    return full(shape_of(shape), 1, dtype, device, requires_grad)


def zeros_like(x):
    return full(x.shape, 0, x.dtype, x.device)


def ones_like(x):
    return full(x.shape, 1, x.dtype, x.device)


def full_like(x, value):
    return full(x.shape, value, x.dtype, x.device)


def rand_like(x):
    return rand(x.shape, device=x.device)


def randn_like(x):
    return randn(x.shape, device=x.device)


def eye(n, device=None):
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
program.compile = compile  # the name it has in the design
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
