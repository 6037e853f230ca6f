"""torch.distributions.exponential: Exponential under its path in PyTorch."""

from __future__ import annotations

from .continuous import Exponential

__all__ = ["Exponential"]
