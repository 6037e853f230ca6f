"""torch.cuda.amp: the older names of torch.amp for CUDA, which is not here."""

from __future__ import annotations

import warnings
from typing import Any

from ...amp import autocast_mode, grad_scaler
from ...amp.autocast_mode import custom_bwd, custom_fwd

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


def _say(name: str) -> None:
    warnings.warn(
        "`torch.cuda.amp.%s(args...)` is deprecated. Please use `torch.amp.%s('cuda', args...)` instead."
        % (name, name),
        FutureWarning,
        stacklevel=3,
    )


class autocast(autocast_mode.autocast):
    """torch.autocast("cuda")."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        _say("autocast")
        super().__init__("cuda", dtype=dtype, enabled=enabled, cache_enabled=cache_enabled)


class GradScaler(grad_scaler.GradScaler):
    """torch.amp.GradScaler("cuda")."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        _say("GradScaler")
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
