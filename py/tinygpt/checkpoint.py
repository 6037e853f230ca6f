"""Checkpoints: a `.tinygpt` file is a safetensors file with the model, the optimizer's moments and
everything that a run needs to continue.

`save`/`dumps` write a model (and its optimizer and run state); `load`/`loads` give a Checkpoint,
which is checked as a whole before anything of it is used: names and shapes follow from its model
settings, checksums hold. `Checkpoint.load_into` writes only after every check has passed. The
container is storage/safetensors_file.py, the contents are storage/checkpoint_file.py; the fields
are in docs/format.md; reference/checkpoint.py reads and writes the same in PyTorch.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from .config import WAYS, ModelConfig
from .core.state import state
from .ops import quantized
from .optim import ParameterGroup
from .storage import gzip_file, safetensors_file, weights_file
from .storage.checkpoint_file import (
    FORMAT_VERSION,
    GROUP_SETTINGS,
    MAX_CONTEXT,
    MOMENTS,
    CheckpointFile,
    Encoded,
    SavedOptimizer,
    check_tensors,
    finite,
    group_settings,
    metadata,
    parameter_shapes,
)
from .storage.safetensors_file import CheckpointError, View

if TYPE_CHECKING:
    from .nn import Module
    from .optim import Optimizer

NO_MEMORY = "the checkpoint needs more memory than there is; close other programs, or use a smaller file"


def save(
    target: str | os.PathLike[str] | BinaryIO, model: Module, optimizer: Optimizer | None = None, **state: Any
) -> None:
    """Writes a checkpoint to a path (whole or not at all) or to a seekable binary file.

    state: train (TrainConfig), tokenizer, step (steps done), random (Generator.get_state()), data
    (Dataset.get_state(), and what else tells the place in the data), history (list: the losses so
    far, JSON). Raises CheckpointError, OSError.
    """
    header, tensors = collect(model, optimizer, state)
    if hasattr(target, "write"):
        safetensors_file.write(cast(BinaryIO, target), header, tensors)
        return
    path = os.fspath(cast("str | os.PathLike[str]", target))
    partial = "%s.part%d" % (path, os.getpid())
    try:
        with open(partial, "wb") as file:
            safetensors_file.write(file, header, tensors)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def dumps(model: Module, optimizer: Optimizer | None = None, **state: Any) -> bytes:
    """The checkpoint as bytes; arguments as `save`."""
    file = io.BytesIO()
    save(file, model, optimizer, **state)
    return file.getvalue()


def collect(
    model: Any, optimizer: Any, state: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, safetensors_file.Entry]]:
    """(metadata, {name: (dtype, shape, function -> bytes, Tensor)}) of a checkpoint; arguments as
    `save`, state as a dict.
    """
    named = list(model.named_parameters())
    tensors = {"model." + name: p for name, p in named}
    saved: SavedOptimizer | None = None
    if optimizer is not None:
        names = {id(p): name for name, p in named}
        groups = []
        for group in optimizer.param_groups:
            if any(id(p) not in names for p in group["params"]):
                raise CheckpointError(
                    "the optimizer updates a tensor that is not a parameter of the model; "
                    "save a model with its own optimizer"
                )
            groups.append({"params": [names[id(p)] for p in group["params"]], **group_settings(group)})
        owned = [(names[id(p)], p) for group in optimizer.param_groups for p in group["params"]]
        saved = {
            "kind": type(optimizer).__name__,
            "steps": {name: optimizer.steps[id(p)] for name, p in owned},
            "groups": groups,
        }
        tensors.update(("optimizer." + key, t) for key, t in optimizer.state_arrays(owned).items())
    return metadata(model.config, optimizer=saved, **state), {
        name: ("F32", tuple(t.shape), t.tobytes, t) for name, t in tensors.items()
    }


@dataclass
class Checkpoint(CheckpointFile):
    """A checked checkpoint (see CheckpointFile for its fields) that can be put into a model."""

    def load_into(self, model: Any, optimizer: Any = None) -> None:
        """Copies the weights into `model` and, where given, the state into `optimizer`; first
        checks that all of it fits.

        CheckpointError leaves both untouched. Dropout may differ from the checkpoint's; other model
        settings may not.
        """
        parameters = dict(model.named_parameters())
        check_config(self.model_config, getattr(model, "config", None))
        check_tensors(self.model, {name: tuple(p.shape) for name, p in parameters.items()}, "model", self.scales)
        writes = [(p, self.model[name], self.scales.get(name)) for name, p in parameters.items()]
        owned: list[tuple[str, Any]] = []
        if optimizer is not None:
            names = {id(p): name for name, p in parameters.items()}
            check_groups(
                self.optimizer,
                type(optimizer).__name__,
                [[names.get(id(p)) for p in g["params"]] for g in optimizer.param_groups],
            )
            owned = [(names[id(p)], p) for g in optimizer.param_groups for p in g["params"]]
            arrays = optimizer.state_arrays(owned)
            check_tensors(
                {
                    "%s.%s" % (letter, name): v
                    for letter, moments in self.moments.items()
                    for name, v in moments.items()
                },
                {key: tuple(t.shape) for key, t in arrays.items()},
                "optimizer",
            )
            writes += [(t, self.moments[key[0]][key[2:]], None) for key, t in arrays.items()]
        groups: list[ParameterGroup] = []
        if optimizer is not None and self.optimizer is not None:
            pairs = zip(optimizer.param_groups, self.optimizer["groups"])
            try:
                groups = [ParameterGroup(loaded_settings(group, saved)) for group, saved in pairs]
            except (TypeError, ValueError) as error:
                raise CheckpointError("the checkpoint's optimizer cannot train: %s" % error) from None
        for tensor, view, scale in writes:
            if scale is None:
                tensor.data.copy_bytes_(view.data)
            else:
                quantized.fill(tensor.data, view.data, scale.data)
        if optimizer is not None and self.optimizer is not None:
            for group, settings in zip(optimizer.param_groups, groups):
                group.update(settings)
            for name, p in owned:
                optimizer.steps[id(p)] = self.optimizer["steps"][name]
            state.layout += 1  # a captured step grouped the parameters by their step counts; it captures again


def check_config(saved: ModelConfig, own: ModelConfig | None) -> None:
    """CheckpointError where two model settings differ in more than how it is trained. own: None
    checks nothing.
    """
    if own is not None:
        for name, value in own.to_dict().items():
            if name not in WAYS and getattr(saved, name) != value:
                raise CheckpointError(
                    "the checkpoint's model has %s = %r and this one %r; make the model from the checkpoint's settings"
                    % (name, getattr(saved, name), value)
                )


def check_groups(saved: SavedOptimizer | None, kind: str, groups: Sequence[Sequence[str | None]]) -> None:
    """CheckpointError unless the saved optimizer has this kind and these parameter names in each
    group, in order.
    """
    if saved is None:
        raise CheckpointError(
            "the checkpoint holds no optimizer state; load it into the model alone, or use one that was saved "
            "while training"
        )
    if saved["kind"] != kind:
        raise CheckpointError(
            "the checkpoint was trained with %s, this optimizer is %s; use the same kind" % (saved["kind"], kind)
        )
    if [g["params"] for g in saved["groups"]] != groups:
        raise CheckpointError(
            "the checkpoint's optimizer has parameter groups of %s tensors, this one of %s, or other names; "
            "make the groups in the same way" % ([len(g["params"]) for g in saved["groups"]], [len(g) for g in groups])
        )


def loaded_settings(group: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """The saved settings that this parameter group has, betas as the tuple that optimizers keep."""
    return {
        key: tuple(value) if key == "betas" else value
        for key, value in saved.items()
        if key != "params" and key in group
    }


def loads(data: Any, own: bool = False) -> Checkpoint:
    """A Checkpoint over bytes-like `data`, which is kept alive and not copied: a .tinygpt file, or
    the weights that were written for PyTorch. own: the file is of a run of this browser, whose
    model may have been edited.
    CheckpointError says what is wrong.
    """
    try:
        header, views = safetensors_file.read(data)
        if header.get("format") == "tinygpt" and header.get("format_version") == str(FORMAT_VERSION):
            safetensors_file.check_digests(header, views)
        elif weights_file.is_weights(header):
            header, views = weights_file.as_checkpoint(header, views)
        return Checkpoint.from_views(header, views, own)
    except MemoryError:
        raise CheckpointError(NO_MEMORY) from None


def load(path: str | os.PathLike[str] | BinaryIO) -> Checkpoint:
    """A Checkpoint from a file (a path, or a binary file). CheckpointError says what is wrong with
    its contents.
    """
    if not isinstance(path, (str, os.PathLike)):
        return loads(path.read())
    return loads(read_file(path))


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file, unpacked where it is gzip (shipped models are). CheckpointError where
    that cannot be done; OSError.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
        return gzip_file.unpacked(io.BytesIO(data)) if data.startswith(gzip_file.MAGIC) else data
    except (MemoryError, OverflowError):
        raise CheckpointError(NO_MEMORY) from None


__all__ = [
    "FORMAT_VERSION",
    "GROUP_SETTINGS",
    "MAX_CONTEXT",
    "MOMENTS",
    "Checkpoint",
    "CheckpointError",
    "Encoded",
    "View",
    "dumps",
    "finite",
    "group_settings",
    "load",
    "loads",
    "metadata",
    "parameter_shapes",
    "read_file",
    "save",
]
