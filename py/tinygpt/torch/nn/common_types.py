"""Types of sizes that are given once or for each dimension, for annotations."""

from __future__ import annotations

from typing import TypeVar, Union

from ...core.tensor import Tensor

_T = TypeVar("_T")
_scalar_or_tuple_any_t = Union[_T, tuple[_T, ...]]  # noqa: UP007
_scalar_or_tuple_1_t = Union[_T, tuple[_T]]  # noqa: UP007
_scalar_or_tuple_2_t = Union[_T, tuple[_T, _T]]  # noqa: UP007
_scalar_or_tuple_3_t = Union[_T, tuple[_T, _T, _T]]  # noqa: UP007
_scalar_or_tuple_4_t = Union[_T, tuple[_T, _T, _T, _T]]  # noqa: UP007
_size_any_t = _scalar_or_tuple_any_t[int]
_size_1_t = _scalar_or_tuple_1_t[int]
_size_2_t = _scalar_or_tuple_2_t[int]
_size_3_t = _scalar_or_tuple_3_t[int]
_size_4_t = _scalar_or_tuple_4_t[int]
_ratio_any_t = _scalar_or_tuple_any_t[float]
_ratio_2_t = _scalar_or_tuple_2_t[float]
_ratio_3_t = _scalar_or_tuple_3_t[float]
_maybe_indices_t = _scalar_or_tuple_2_t[Tensor]
