"""Reads and writes `.tinygpt` files in PyTorch, through the safetensors library (docs/format.md).

What a checkpoint means (fields, checks, sentences) is `tinygpt.checkpoint`'s; here are only the two
directions between PyTorch's optimizer state and it. A file that was saved in the tab goes on here,
optimizer included, and the other way round.
"""

import hashlib
import os

import safetensors.torch
import torch

from tinygpt.checkpoint import (
    MOMENTS,
    CheckpointError,
    check_config,
    check_groups,
    check_tensors,
    group_settings,
    loaded_settings,
    loads,
    metadata,
    read_file,
)
from tinygpt.storage import safetensors_file
from tinygpt.tokenizer import ByteTokenizer

from .model import GPT
from .views import tensor

STATE_KEYS = {"AdamW": {"m": "exp_avg", "v": "exp_avg_sq"}, "SGD": {"m": "momentum_buffer"}}


def save(path, model, optimizer=None, **state):
    """Writes a checkpoint, whole or not at all; `state` as tinygpt.checkpoint.save (train,
    tokenizer, step, random, data, history).
    """
    named = list(model.named_parameters())
    tensors, told = {"model." + name: p.detach() for name, p in named}, None
    if optimizer is not None:
        names, kind = {p: name for name, p in named}, type(optimizer).__name__
        if kind not in MOMENTS:
            raise CheckpointError("a checkpoint holds the state of %s, not of %s" % (" or ".join(MOMENTS), kind))
        steps, groups = {}, []
        for group in optimizer.param_groups:
            groups.append({"params": [names[p] for p in group["params"]], **group_settings(group)})
            for p in group["params"]:
                own = optimizer.state.get(p, {})
                # PyTorch's SGD counts no steps; that it has a momentum buffer says that the first
                # is over.
                begun = 1 if own.get("momentum_buffer") is not None else 0
                steps[names[p]] = int(own["step"]) if "step" in own else begun
                for letter, key in STATE_KEYS[kind].items():
                    if kind == "AdamW" or group["momentum"]:
                        moment = own.get(key)
                        tensors["optimizer.%s.%s" % (letter, names[p])] = (
                            torch.zeros_like(p) if moment is None else moment
                        )
        told = {"kind": kind, "steps": steps, "groups": groups}
    tensors = {name: tensors[name].to("cpu", torch.float32).contiguous() for name in sorted(tensors)}
    digest = hashlib.sha256()
    for value in tensors.values():
        digest.update(memoryview(value.numpy()).cast("B"))
    told = metadata(model.config, optimizer=told, **state)
    told["header_sha256"] = safetensors_file.header_digest(
        told, {name: ("F32", tuple(t.shape)) for name, t in tensors.items()}
    )
    told["data_sha256"] = digest.hexdigest()
    partial = "%s.part%d" % (os.fspath(path), os.getpid())
    try:
        safetensors.torch.save_file(tensors, partial, metadata=told)
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def load(path):
    """A checked tinygpt.checkpoint.Checkpoint. CheckpointError says what is wrong with the file."""
    return loads(bytearray(read_file(path)))  # PyTorch wants memory that could be written


@torch.no_grad()
def load_into(checkpoint, model, optimizer=None):
    """Copies a Checkpoint into a model and its optimizer. CheckpointError, before anything is
    written, where it does not fit.
    """
    parameters = dict(model.named_parameters())
    check_config(checkpoint.model_config, model.config)
    check_tensors(
        checkpoint.model, {name: tuple(p.shape) for name, p in parameters.items()}, "model", checkpoint.scales
    )
    if optimizer is not None:
        names = {p: name for name, p in parameters.items()}
        check_groups(
            checkpoint.optimizer,
            type(optimizer).__name__,
            [[names.get(p) for p in g["params"]] for g in optimizer.param_groups],
        )
    for name, p in parameters.items():
        p.copy_(tensor(checkpoint.model[name], checkpoint.scales.get(name)))
    if optimizer is not None:
        _load_optimizer(checkpoint, optimizer)


def _load_optimizer(checkpoint, optimizer):
    saved, state, groups, index = checkpoint.optimizer, {}, [], 0
    own = optimizer.state_dict()["param_groups"]
    for group, told in zip(own, saved["groups"]):
        groups.append({**group, **loaded_settings(group, told)})
        for name in told["params"]:
            if saved["steps"][name]:
                moments = {
                    STATE_KEYS[saved["kind"]][letter]: tensor(views[name])
                    for letter, views in checkpoint.moments.items()
                    if views
                }
                state[index] = (
                    moments
                    if saved["kind"] == "SGD"
                    else {"step": torch.tensor(float(saved["steps"][name])), **moments}
                )
            index += 1
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def load_model(path, device="cpu"):
    """(model in eval mode, tokenizer) of a checkpoint."""
    saved = load(path)
    model = GPT(saved.model_config)
    load_into(saved, model)
    tokenizer = saved.tokenizer or ByteTokenizer()
    if tokenizer.vocab_size != saved.model_config.vocab_size:
        raise CheckpointError(
            "the checkpoint names no tokenizer, and its vocabulary of %d is not bytes" % saved.model_config.vocab_size
        )
    return model.to(device).eval(), tokenizer
