"""torch.distributions.categorical: Categorical under its path in PyTorch."""

from __future__ import annotations

from .discrete import Categorical

__all__ = ["Categorical"]
