"""autocast: here everything is computed in float32, which is said once."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from ...core.tensor import bfloat16, dtype, float16
from ..types import KNOWN

__all__ = ["autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

_said = False


class autocast:
    """A context manager or a decorator: `with torch.autocast("cpu", dtype=torch.bfloat16):`.

    Where there is no such device it is disabled with PyTorch's warning; on the CPU and on the GPU
    it computes in float32, with one warning.
    """

    def __init__(
        self, device_type: str, dtype: dtype | None = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError("Expected `device_type` of type `str`, got: `%s`" % type(device_type))
        if device_type not in KNOWN:
            raise RuntimeError("Expected one of %s device type" % ", ".join(KNOWN))
        self.device = device_type
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        self._enabled = enabled and device_type in ("cpu", "webgpu")
        self._cache_enabled = True if cache_enabled is None else cache_enabled
        if enabled and not self._enabled:
            name = device_type.upper() if device_type in ("cuda", "mps", "xpu") else device_type
            text = "CUDA is not available or torch_xla is imported" if name == "CUDA" else "%s is not available" % name
            warnings.warn(text + ". Disabling autocast.", stacklevel=2)

    def __enter__(self) -> autocast:
        global _said
        if self._enabled and not _said:
            _said = True
            warnings.warn("autocast: TinyGPT computes in float32, not in %r" % self.fast_dtype, stacklevel=2)
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def __call__(self, function: Any) -> Any:
        @functools.wraps(function)
        def cast(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast


def is_autocast_available(device_type: str) -> bool:
    """False: everything is computed in float32."""
    return False


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """False: everything is computed in float32."""
    return False


def is_autocast_cpu_enabled() -> bool:
    """False: everything is computed in float32."""
    return False


def is_autocast_cache_enabled() -> bool:
    """True, as in PyTorch; nothing is cached."""
    return True


def get_autocast_dtype(device_type: str) -> dtype:
    """The dtype that PyTorch would compute in."""
    return float16 if device_type in ("cuda", "mps") else bfloat16


def get_autocast_cpu_dtype() -> dtype:
    """bfloat16."""
    return bfloat16


def get_autocast_gpu_dtype() -> dtype:
    """float16."""
    return float16


def custom_fwd(fwd: Any = None, *, device_type: str = "cuda", cast_inputs: Any = None) -> Any:
    """The function itself."""
    return (lambda function: function) if fwd is None else fwd


def custom_bwd(bwd: Any = None, *, device_type: str = "cuda") -> Any:
    """The function itself."""
    return (lambda function: function) if bwd is None else bwd
