"""What torch says of its host: threads, precision, determinism, compile."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from ..core.quoting import quoted
from ..core.tensor import Tensor
from .amp.autocast_mode import (
    autocast,
    get_autocast_cpu_dtype,
    get_autocast_dtype,
    get_autocast_gpu_dtype,
    is_autocast_cache_enabled,
    is_autocast_cpu_enabled,
    is_autocast_enabled,
)
from .amp.grad_scaler import GradScaler
from .compiler import compile
from .types import cpu, found

has_mkl = has_mkldnn = has_openmp = False  # the kernels and their threads are TinyGPT's own
has_lapack = has_spectral = True  # torch.linalg is here

PACKAGE = __name__.rpartition(".")[0]
_PRECISIONS = ("highest", "high", "medium")
_MODES = {"default": 0, "warn": 1, "error": 2}


class _Settings:
    """What can be set and read again; nothing here changes a result."""

    interop_threads = 1
    precision = "highest"
    deterministic = 0
    warn_always = False


def get_num_threads() -> int:
    """Threads that the CPU's device uses."""
    return int(getattr(cpu(), "threads", 1))


def set_num_threads(num: int) -> None:
    """Sets the threads of the CPU's device."""
    _check_threads("set_num_threads", num)
    change = getattr(cpu(), "set_threads", None)
    if change is not None:
        change(num)


def _check_threads(name: str, num: Any) -> None:
    if not isinstance(num, int) or isinstance(num, bool):
        raise RuntimeError("%s expects an int, but got %s" % (name, type(num).__name__))
    if num <= 0:
        raise RuntimeError("%s expects a positive integer" % name)


def get_num_interop_threads() -> int:
    """What set_num_interop_threads set; ops are not run beside each other."""
    return _Settings.interop_threads


def set_num_interop_threads(num: int) -> None:
    """Changes nothing: ops are not run beside each other."""
    _check_threads("set_num_interop_threads", num)
    _Settings.interop_threads = num


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision set: "highest" at first."""
    return _Settings.precision


def set_float32_matmul_precision(precision: str) -> None:
    """Changes nothing: products are of full float32, as PyTorch's on a CPU."""
    if precision in _PRECISIONS:
        _Settings.precision = precision
    else:
        warnings.warn(
            "%s is not one of 'highest', 'high', or 'medium'; the current setting will be preserved" % precision,
            stacklevel=2,
        )


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Changes nothing: every kernel gives the same bits each time."""
    _Settings.deterministic = 0 if not mode else 1 if warn_only else 2


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms set."""
    return _Settings.deterministic > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """What use_deterministic_algorithms set."""
    return _Settings.deterministic == 1


def set_deterministic_debug_mode(debug_mode: Any) -> None:
    """0 or "default", 1 or "warn", 2 or "error": as use_deterministic_algorithms."""
    mode = _MODES.get(debug_mode) if isinstance(debug_mode, str) else debug_mode
    if mode not in (0, 1, 2):
        raise RuntimeError(
            "invalid value of debug_mode, expected one of `default`, `warn`, `error`, 0, 1 or 2, but got %s"
            % quoted(debug_mode)
        )
    _Settings.deterministic = mode


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2, as set_deterministic_debug_mode takes it."""
    return _Settings.deterministic


def set_flush_denormal(mode: bool) -> bool:
    """False: small numbers are never flushed to 0."""
    return False


def set_warn_always(b: bool) -> None:
    """Changes nothing: Python's own rules say how often a warning is shown."""
    _Settings.warn_always = bool(b)


def is_warn_always_enabled() -> bool:
    """What set_warn_always set."""
    return _Settings.warn_always


def compiled_with_cxx11_abi() -> bool:
    """True, as of PyTorch's wheels."""
    return True


class OutOfMemoryError(RuntimeError):
    """The memory of a GPU does not suffice. A device here raises MemoryError."""


class AcceleratorError(RuntimeError):
    """A GPU has failed."""


_CLASSES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long",
    "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte",
}  # fmt: skip


def typename(obj: Any) -> str:
    """The name of an object's type with its module; of a tensor that of its dtype."""
    kind = type(obj)
    if isinstance(obj, Tensor):
        return "torch.%sTensor" % _CLASSES.get(obj.dtype.name, obj.dtype.name.capitalize())
    module = kind.__module__.replace(PACKAGE, "torch", 1)
    return kind.__name__ if module == "builtins" else "%s.%s" % (module, kind.__name__)


def clear_autocast_cache() -> None:
    """Nothing is cached."""


def get_device_module(device: Any = None) -> Any:
    """The module of a kind of device: torch.cpu, torch.cuda."""
    kind = "cpu" if device is None else found(device).type
    return importlib.import_module("%s.%s" % (PACKAGE, kind))


__all__ = [
    "AcceleratorError", "GradScaler", "OutOfMemoryError", "clear_autocast_cache", "get_device_module", "has_lapack",
    "has_mkl", "has_mkldnn", "has_openmp", "has_spectral", "typename",
    "are_deterministic_algorithms_enabled", "autocast", "compile", "compiled_with_cxx11_abi",
    "get_autocast_cpu_dtype", "get_autocast_dtype", "get_autocast_gpu_dtype", "get_deterministic_debug_mode",
    "get_float32_matmul_precision", "get_num_interop_threads", "get_num_threads", "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled", "is_autocast_enabled", "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled", "set_deterministic_debug_mode", "set_float32_matmul_precision", "set_flush_denormal",
    "set_num_interop_threads", "set_num_threads", "set_warn_always", "use_deterministic_algorithms",
]  # fmt: skip
LIMITED = {
    "autocast": "computes in float32, and says so once",
    "compile": "prints and other effects inside happen when a call is recorded; a replay repeats what is computed",
    "set_flush_denormal": "small numbers are never flushed to 0",
}
STUBS = {
    "cuda": "is_available() is False; what needs CUDA raises and names the device webgpu",
    "mps": "is_available() is False",
    "xpu": "is_available() is False",
    "distributed": "one process: is_initialized() is False, and what needs a group raises",
    "multiprocessing": "one process: what starts another raises",
    "backends": "settings can be set, and change nothing",
    "profiler": "profile() measures nothing; use tinygpt.profile",
    "jit": "script() gives the function back; tracing and files are refused",
}
ABSENT = {
    "hub": "download the files and load them with torch.load or safetensors",
    "onnx": "save the state_dict with torch.save and export it with PyTorch",
    "fx": "call the module; there is no graph to rewrite",
    "export": "save the state_dict with torch.save",
    "package": "save the state_dict with torch.save",
    "library": "write the op as a torch.autograd.Function",
    "ops": "call the functions of torch and torch.nn.functional",
    "quantization": "weights stay float32; TinyGPT's own files hold int8",
    "ao": "weights stay float32; TinyGPT's own files hold int8",
    "sparse": "tensors are dense",
    "nested": "pad the sequences, or use torch.nn.utils.rnn",
    "masked": "use masked_fill and where",
    "monitor": "print, or write to torch.utils.tensorboard",
}
