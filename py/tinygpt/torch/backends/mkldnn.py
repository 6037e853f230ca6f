"""torch.backends.mkldnn: settings that change nothing."""

from __future__ import annotations

enabled, deterministic, allow_tf32 = True, False, True
__all__ = ["is_available"]


def is_available() -> bool:
    """False."""
    return False
