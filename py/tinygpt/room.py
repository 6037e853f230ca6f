"""Room for a run: how much memory its training takes, and which of the CPU's memories holds that.

A tab trains in 32-bit WebAssembly memory (`wasm`, 4 GiB). A run that does not fit there is given 64-bit memory (`wasm64`, 16 GiB), where a
step takes a few percent longer, so only such a run. What it needs is reserved before the model is made: memory never grows in training.
"""

import gc

from . import devices, planning
from .corpora import size_of
from .device_choice import describe_device
from .devices.base import size_text
from .ops import random
from .state import get_device, set_device

FLOAT = 4  # bytes
FILLED = 0.95  # of a memory may be planned: its free pieces are not all of use

_widened = False  # wasm64 is in use because a run needed it, not because somebody chose it


def training_bytes(shape, config):
    """About the most bytes that training a GPT of `shape` with AdamW holds at once on a CPU: what planning.py counts, the key/value cache
    of a sample, and a kernel's packed copy of the largest weight.
    """
    cache = 2 * shape.layers * shape.context * shape.kv_heads * shape.head_size
    rows = max(shape.vocab_size, shape.mlp_ratio * shape.d_model, (shape.heads + 2 * shape.kv_heads) * shape.head_size)
    return planning.plan(shape, config, size_of(config.corpus)).total + FLOAT * (cache + 2 * rows * shape.d_model)


def make(run, shape, config):
    """Before a run makes its model: chooses the CPU memory for it, and reserves what it needs. MemoryError (a sentence)."""
    global _widened
    device = get_device()
    if device.capacity is None or run.kept or run.loaded is not None:
        return
    try:
        needed = training_bytes(shape, config)
    except Exception:  # model.py as it is edited has a fault: the run itself comes to it and says where
        return
    before = device
    if device.name == "wasm" and needed > FILLED * device.capacity:
        try:
            device, _widened = set_device("wasm64"), True
        except RuntimeError as error:
            run.note("This run needs about %s, which 32-bit memory cannot hold, and %s" % (size_text(needed), error))
            return
    elif device.name == "wasm64" and _widened and needed <= FILLED * get_device("wasm").capacity:
        device, _widened = set_device("wasm"), False
        random.forget(before)
        devices.close("wasm64")
    if device is not before:
        run.send(type="device", **describe_device())
    if device.in_use() + needed > device.capacity:
        gc.collect()  # an earlier run's model, whose Programs hold one another
    if device.in_use() + needed <= device.capacity:  # else a MemoryError says it when the room is used up, if it is
        device.reserve(device.in_use() + needed)
