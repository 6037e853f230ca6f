"""torch.distributions.bernoulli: Bernoulli under its path in PyTorch."""

from __future__ import annotations

from .discrete import Bernoulli

__all__ = ["Bernoulli"]
