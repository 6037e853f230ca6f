"""Samples put together to a batch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any

from ....core.factory import tensor
from ....core.tensor import Tensor, float64
from ....ops.movement import stack

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]

_FOUND = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found %s"


def _of_numpy(value: Any) -> str | None:
    """ "array", "scalar", "text" (an array of text or objects), or None for what is not NumPy's."""
    kind = type(value)
    if kind.__module__ != "numpy" or kind.__name__ in ("str_", "string_", "bytes_"):
        return None
    if kind.__name__ != "ndarray":
        return "scalar"
    return "text" if value.dtype.kind in "SUO" else "array"


def _rebuilt(like: Any, pairs: dict[Any, Any]) -> Any:
    """A mapping of the class of `like`; a dict where that cannot be made so."""
    try:
        if isinstance(like, MutableMapping):
            out = copy.copy(like)
            out.update(pairs)
            return out
        kind: Any = type(like)
        return kind(pairs)
    except TypeError:
        return pairs


def _relisted(like: Any, items: list[Any]) -> Any:
    """A sequence of the class of `like`; a list where that cannot be made so."""
    try:
        if isinstance(like, MutableSequence):
            out = copy.copy(like)
            for i, item in enumerate(items):
                out[i] = item
            return out
        return type(like)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def default_convert(data: Any) -> Any:
    """NumPy's arrays in a sample become tensors; its containers stay."""
    numpy = _of_numpy(data)
    if isinstance(data, Tensor) or numpy == "text":
        return data
    if numpy:
        return tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple):
        items = [default_convert(item) for item in data]
        return type(data)(*items) if hasattr(data, "_fields") else items
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _relisted(data, [default_convert(item) for item in data])
    return data


def collate(batch: Any, *, collate_fn_map: dict[Any, Callable[..., Any]] | None = None) -> Any:
    """The samples as one: the functions of the map join those of their type, mappings and sequences
    are joined by item.
    """
    first = batch[0]
    for kind, function in (collate_fn_map or {}).items():
        if type(first) is kind or isinstance(first, kind):
            return function(batch, collate_fn_map=collate_fn_map)
    if collate_fn_map is default_collate_fn_map and (numpy := _of_numpy(first)):
        if numpy == "text":
            raise TypeError(_FOUND % first.dtype)
        return stack([tensor(sample) for sample in batch])
    if isinstance(first, Mapping):
        joined = {key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map) for key in first}
        return _rebuilt(first, joined)
    if isinstance(first, Sequence):
        if not hasattr(first, "_fields") and any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        items = [collate(samples, collate_fn_map=collate_fn_map) for samples in zip(*batch)]
        if hasattr(first, "_fields"):
            return type(first)(*items)
        return items if isinstance(first, tuple) else _relisted(first, items)
    raise TypeError(_FOUND % type(first))


def _stacked(batch: Any, *, collate_fn_map: Any = None) -> Tensor:
    return stack(list(batch))


def _floats(batch: Any, *, collate_fn_map: Any = None) -> Tensor:
    return tensor(list(batch), dtype=float64)


def _ints(batch: Any, *, collate_fn_map: Any = None) -> Tensor:
    return tensor(list(batch))


def _as_given(batch: Any, *, collate_fn_map: Any = None) -> Any:
    return batch


default_collate_fn_map: dict[Any, Callable[..., Any]] = {
    Tensor: _stacked, float: _floats, int: _ints, str: _as_given, bytes: _as_given,
}  # fmt: skip


def default_collate(batch: Any) -> Any:
    """Tensors and NumPy's arrays are stacked, numbers become a tensor (floats of float64), texts a
    list; mappings and sequences are joined by item.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
