"""torch.distributions.normal: Normal under its path in PyTorch."""

from __future__ import annotations

from .continuous import Normal

__all__ = ["Normal"]
