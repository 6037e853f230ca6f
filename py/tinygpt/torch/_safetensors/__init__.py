"""The package safetensors where it is not installed: safe_open, and safetensors.torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...storage.safetensors_file import CheckpointError
from ..serialization import NAMES
from .torch import opened, tensor_of

__all__ = ["SafetensorError", "safe_open"]
SafetensorError = CheckpointError


class safe_open:
    """A file of tensors, read one by one: `with safe_open(path, framework="pt") as f:`."""

    def __init__(self, filename: Any, framework: str = "pt", device: Any = "cpu") -> None:
        if framework not in ("pt", "torch", "pytorch"):
            raise SafetensorError('framework %r is not in TinyGPT\'s subset; give "pt"' % framework)
        self._metadata, self._views = opened(filename)
        self._device = device

    def __enter__(self) -> safe_open:
        return self

    def __exit__(self, *error: object) -> None: ...

    def keys(self) -> list[str]:
        """The names, in order."""
        return sorted(self._views)

    def offset_keys(self) -> list[str]:
        """The names, in the file's order."""
        return list(self._views)

    def metadata(self) -> dict[str, str] | None:
        """The file's metadata, or None."""
        return self._metadata or None

    def get_tensor(self, name: str) -> Any:
        """One tensor. SafetensorError for a name that is not there."""
        if name not in self._views:
            raise SafetensorError("File does not contain tensor %s" % name)
        return tensor_of(self._views[name], self._device)

    def get_slice(self, name: str) -> _Slice:
        """One tensor, of which an index gives a part."""
        return _Slice(self.get_tensor(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


class _Slice:
    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def __getitem__(self, key: Any) -> Any:
        return self._tensor[key].clone()

    def get_shape(self) -> list[int]:
        """The sizes."""
        return list(self._tensor.shape)

    def get_dtype(self) -> str:
        """The element type as the file names it."""
        return NAMES[self._tensor.dtype.name]
