"""torch.distributions.uniform: Uniform under its path in PyTorch."""

from __future__ import annotations

from .continuous import Uniform

__all__ = ["Uniform"]
