"""PyTorch's path of skip_init."""

from . import skip_init

__all__ = ["skip_init"]
