"""torch.backends.cuda: settings that change nothing."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

__all__ = ["is_built", "matmul", "sdp_kernel"]

matmul = SimpleNamespace(
    allow_tf32=False, allow_fp16_reduced_precision_reduction=True, allow_bf16_reduced_precision_reduction=True,
    allow_fp16_accumulation=False, fp32_precision="none",
)  # fmt: skip
cufft_plan_cache = SimpleNamespace(size=0, max_size=4096)
_kernels = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def is_built() -> bool:
    """False."""
    return False


def enable_flash_sdp(enabled: bool) -> None:
    """Changes nothing: there is one kernel of attention."""
    _kernels["flash"] = enabled


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Changes nothing: there is one kernel of attention."""
    _kernels["mem_efficient"] = enabled


def enable_math_sdp(enabled: bool) -> None:
    """Changes nothing: there is one kernel of attention."""
    _kernels["math"] = enabled


def enable_cudnn_sdp(enabled: bool) -> None:
    """Changes nothing: there is one kernel of attention."""
    _kernels["cudnn"] = enabled


def flash_sdp_enabled() -> bool:
    """What enable_flash_sdp set."""
    return _kernels["flash"]


def mem_efficient_sdp_enabled() -> bool:
    """What enable_mem_efficient_sdp set."""
    return _kernels["mem_efficient"]


def math_sdp_enabled() -> bool:
    """What enable_math_sdp set."""
    return _kernels["math"]


def cudnn_sdp_enabled() -> bool:
    """What enable_cudnn_sdp set."""
    return _kernels["cudnn"]


@contextlib.contextmanager
def sdp_kernel(**kernels: Any):
    """Changes nothing: there is one kernel of attention."""
    yield
