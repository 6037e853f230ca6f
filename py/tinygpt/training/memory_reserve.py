"""Room for a run: how much memory its training takes, and which of the CPU's memories holds that.

A tab trains in 32-bit WebAssembly memory (`wasm`, 4 GiB). A run that does not fit there is given
64-bit memory (`wasm64`, 16 GiB), where a step takes a few percent longer, so only such a run. What
it needs is reserved before the model is made: memory never grows in training.

No browser says how much memory a GPU has. So what a run needs is requested of it and freed at once
(Device.available), before the run starts, and a run that it cannot hold is refused.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from .. import devices
from ..core import generator
from ..core.current_device import get_device, set_device
from ..corpora import size_of
from ..devices.base import size_text
from . import memory_estimate
from .device_selection import describe_device

if TYPE_CHECKING:
    from ..config import ModelConfig, TrainConfig


FLOAT = 4  # bytes
FILLED = 0.95  # of a memory may be planned: its free pieces are not all of use

_widened = False  # wasm64 is in use because a run needed it, not because somebody chose it


def training_bytes(shape: ModelConfig, config: TrainConfig) -> int:
    """About the most bytes that training a GPT of `shape` with AdamW holds at once on a CPU: what
    memory_estimate.py counts, the key/value cache of a sample, and a kernel's packed copy of the
    largest weight.
    """
    cache = 2 * shape.layers * shape.context * shape.kv_heads * shape.head_size
    rows = max(shape.vocab_size, shape.mlp_ratio * shape.d_model, (shape.heads + 2 * shape.kv_heads) * shape.head_size)
    return memory_estimate.plan(shape, config, size_of(config.corpus)).total + FLOAT * (
        cache + 2 * rows * shape.d_model
    )


class RunTooLarge(ValueError):
    """A GPU has no memory for a run; the message says how much it has, and what to change."""


def too_large(device: Any, shape: ModelConfig, config: TrainConfig, leaves: int = 0) -> str | None:
    """Why a GPU cannot hold a run now, as memory_estimate.refusal; None where it can. leaves: bytes
    in use that will be free when the run starts.
    """
    tokens = size_of(config.corpus)
    needed = memory_estimate.plan(shape, config, tokens).total
    if needed <= leaves:
        return None
    found = leaves + device.available(needed - leaves)
    return None if found >= needed else memory_estimate.refusal(shape, config, device, found, tokens)


def make(run: Any, shape: ModelConfig, config: TrainConfig) -> None:
    """Before a run makes its model: chooses the CPU memory for it, and reserves what it needs.
    MemoryError (a sentence).
    """
    global _widened
    device: Any = get_device()
    if (device.capacity is None and not device.volatile) or run.kept or run.loaded is not None:
        return
    try:
        needed = training_bytes(shape, config)
    except Exception:  # model.py as it is edited has a fault: the run itself comes to it and says where
        return
    if device.capacity is None:
        gc.collect()  # an earlier run's model, whose Programs hold one another
        if refused := too_large(device, shape, config):
            raise RunTooLarge(refused)
        return
    before = device
    if device.name == "wasm" and needed > FILLED * device.capacity:
        try:
            device, _widened = set_device("wasm64"), True
        except RuntimeError as error:
            run.note("This run needs about %s, too much for 32-bit memory, and %s" % (size_text(needed), error))
            return
    elif device.name == "wasm64" and _widened and needed <= FILLED * (get_device("wasm").capacity or 0):
        device, _widened = set_device("wasm"), False
        generator.forget(before)
        devices.close("wasm64")
    if device is not before:
        run.send(type="device", **describe_device())
    if device.in_use() + needed > device.capacity:
        gc.collect()  # an earlier run's model, whose Programs hold one another
    if device.in_use() + needed <= device.capacity:  # else a MemoryError says it when the room is used up, if it is
        device.reserve(device.in_use() + needed)
