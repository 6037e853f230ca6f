"""Element types under PyTorch's names."""

from __future__ import annotations

from ..core.tensor import (
    Tensor,
    bfloat16,
    bool_,
    dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)

bool = bool_  # noqa: A001
float, double, half = float32, float64, float16  # noqa: A001
long, int, short = int64, int32, int16  # noqa: A001

__all__ = [
    "Tensor", "bfloat16", "bool", "double", "dtype", "float", "float16", "float32", "float64", "half", "int", "int16",
    "int32", "int64", "int8", "long", "short", "uint8",
]  # fmt: skip
