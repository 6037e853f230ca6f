"""torch.backends.cudnn: settings that change nothing."""

from __future__ import annotations

import contextlib

enabled, benchmark, deterministic, allow_tf32, benchmark_limit = True, False, False, True, 10
__all__ = ["is_available"]


def is_available() -> bool:
    """False."""
    return False


def version() -> None:
    """None: there is no library."""


@contextlib.contextmanager
def flags(**values: object):
    """Inside, other settings."""
    settings = globals()
    before = {name: settings[name] for name in values}
    settings.update(values)
    try:
        yield
    finally:
        settings.update(before)
