"""torch.amp: mixed precision, here computed in float32."""

from __future__ import annotations

from .autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
LIMITED = {"autocast": "computes in float32, and says so once"}
