"""SparseAdam, which needs sparse gradients: refused."""

from __future__ import annotations

from typing import Any, NoReturn

from .optimizer import Optimizer

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """RuntimeError: gradients are dense here."""

    def __init__(self, params: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            "SparseAdam is not in TinyGPT's subset, whose gradients are dense; use Adam, and Embedding(sparse=False)"
        )
