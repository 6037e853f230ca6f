"""safetensors.torch: files of tensors by name."""

from __future__ import annotations

import io
from typing import Any

from ...core.tensor import Tensor, bool_, row_major
from ...storage import safetensors_file
from ...storage.torch_file import StoredTensor
from ..serialization import NAMES, Loaded

__all__ = ["load", "load_file", "load_model", "save", "save_file", "save_model"]


def opened(source: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """(metadata, {name: View}) of a path."""
    with open(source, "rb") as file:
        return safetensors_file.read(file.read())


def tensor_of(view: Any, device: Any = "cpu") -> Tensor:
    """The tensor of a View, on a device."""
    return Loaded(device).value(StoredTensor(view.dtype, view.shape, row_major(view.shape), 0, "", view.data))


def _entries(tensors: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(tensors, dict):
        raise ValueError("Expected a dict of [str, torch.Tensor] but received %s" % type(tensors))
    seen: dict[Any, str] = {}
    entries: dict[str, Any] = {}
    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise ValueError("Key `%s` is invalid, expected torch.Tensor but received %s" % (name, type(x)))
        if not x.is_contiguous():
            raise ValueError(
                "You are trying to save a non contiguous tensor: `%s` which is not allowed. It either means you are "
                "trying to save tensors which are reference of each other in which case it's recommended to save only "
                "the full tensors, and reslice at load time, or simply call `.contiguous()` on your tensor to pack it "
                "before saving." % name
            )
        place = x._storage.uid, x._storage.base + x._offset
        if x.numel() and seen.setdefault(place, name) != name:
            raise RuntimeError(
                "Some tensors share memory, this will lead to duplicate memory on disk and potential differences when "
                "loading them again: %s. A potential way to correctly save your model is to use `save_model`."
                % [{seen[place], name}]
            )
        entries[name] = NAMES[x.dtype.name], tuple(x.shape), lambda x=x: _bytes(x)
    return entries


def _bytes(x: Tensor) -> bytes:
    data = x.detach().tobytes()
    return data[::4] if x.dtype is bool_ else data


def save(tensors: dict[str, Any], metadata: dict[str, str] | None = None) -> bytes:
    """The file of dense tensors by name."""
    out = io.BytesIO()
    safetensors_file.write_weights(out, metadata or {}, _entries(tensors))
    return out.getvalue()


def save_file(tensors: dict[str, Any], filename: Any, metadata: dict[str, str] | None = None) -> None:
    """Writes a file of dense tensors by name. metadata: texts."""
    data = save(tensors, metadata)
    with open(filename, "wb") as file:
        file.write(data)


def load(data: bytes) -> dict[str, Tensor]:
    """The tensors of a file's bytes."""
    return {name: tensor_of(view) for name, view in safetensors_file.read(data)[1].items()}


def load_file(filename: Any, device: Any = "cpu") -> dict[str, Tensor]:
    """The tensors of a file."""
    return {name: tensor_of(view, device) for name, view in opened(filename)[1].items()}


def save_model(
    model: Any, filename: str, metadata: dict[str, str] | None = None, force_contiguous: bool = True
) -> None:
    """Writes a module's state_dict; of tied tensors the first name, the others as metadata."""
    names: dict[Any, str] = {}
    kept: dict[str, Any] = {}
    noted = dict(metadata or {})
    for name, x in model.state_dict().items():
        first = names.setdefault((x._storage.uid, x._storage.base + x._offset, tuple(x.shape)), name)
        if first == name:
            kept[name] = x.contiguous() if force_contiguous else x
        else:
            noted[name] = first
    save_file(kept, filename, noted)


def load_model(model: Any, filename: Any, strict: bool = True, device: Any = "cpu") -> tuple[list[str], list[str]]:
    """Reads what save_model wrote into a module: (missing names, unexpected names)."""
    metadata, views = opened(filename)
    state = {name: tensor_of(view, device) for name, view in views.items()}
    state.update({name: state[first] for name, first in metadata.items() if first in state})
    result = model.load_state_dict(state, strict=strict)
    return ([], []) if result is None else (list(result[0]), list(result[1]))
