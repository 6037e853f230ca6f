"""torch.mps on a host without Apple's Metal: queries answer so, and the rest raises."""

from __future__ import annotations

from typing import Any, NoReturn

from ..types import unavailable

__all__ = ["current_allocated_memory", "device_count", "empty_cache", "is_available", "manual_seed", "synchronize"]


def is_available() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def manual_seed(seed: int) -> None:
    """Does nothing."""


def _unavailable(*args: Any, **kwargs: Any) -> NoReturn:
    """RuntimeError: there is no MPS."""
    raise RuntimeError(unavailable("mps"))


empty_cache = synchronize = current_allocated_memory = driver_allocated_memory = recommended_max_memory = _unavailable
get_rng_state = set_rng_state = set_per_process_memory_fraction = seed = _unavailable
