"""Room for a run: how much memory its training takes, and which of the CPU's memories holds that.

A tab trains in 32-bit WebAssembly memory (`wasm`, 4 GiB). A run that does not fit there is given 64-bit memory (`wasm64`, 16 GiB), where a
step takes a few percent longer, so only such a run. What it needs is reserved before the model is made: memory never grows in training.
"""

import gc

from . import devices
from .devices.cpu import size_text
from .ops import random
from .state import get_device, set_device

FLOAT = 4  # bytes
FILLED = 0.95  # of a memory may be planned: its free pieces are not all of use

_widened = False  # wasm64 is in use because a run needed it, not because somebody chose it


def weights_of(shape):
    """All parameters of a ModelConfig's GPT as (rows, columns or 1, how many of them)."""
    C, hidden = shape.d_model, shape.mlp_ratio * shape.d_model
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    linear = [(queries + 2 * keys, C), (C, queries), (hidden, C), (C, hidden)] + [(hidden, C)] * (shape.mlp == "swiglu")
    weights = [(n, k, shape.layers) for n, k in linear]
    weights += [(n, 1, shape.layers) for n, _ in linear if shape.bias]
    weights += [(C, 1, 2 * shape.layers + 1)] * (1 + (shape.norm == "layer" and shape.bias))
    weights += [(shape.vocab_size, C, 2 - shape.tie_embeddings)]
    return weights + [(shape.context, C, 1)] * (shape.positions == "learned")


def kept_for_backward(shape):
    """Elements for each token that a block's forward keeps for its backward: what its norms and products read."""
    C, hidden = shape.d_model, shape.mlp_ratio * shape.d_model
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    kept = 4 * C + 2 * queries + 2 * keys + (4 if shape.mlp == "swiglu" else 2) * hidden  # norms, attention, MLP
    return kept + (queries + keys) * (shape.positions == "rotary") + 2 * C * (shape.dropout > 0)


def training_bytes(shape, config):
    """About the most bytes that training a GPT of `shape` with AdamW holds at once on a CPU, besides the text.

    Measured from small to massive it is between what was held and 15 % more (tests/test_room.py). Parameters, gradients and two moments;
    the arena of the planned step and, while a step is recorded op by op beside it, what that keeps for the way back; the key/value cache of
    a sample; a packed copy of the largest weight.
    """
    weights = weights_of(shape)
    parameters = sum(n * k * count for n, k, count in weights)
    largest = max(n * k for n, k, _ in weights)
    tokens = config.batch_size * shape.context
    passing = 4 * (shape.mlp_ratio + 1) * shape.d_model + 3 * shape.vocab_size  # in the midst of a block's backward, or at the loss
    step = tokens * (shape.layers * kept_for_backward(shape) + passing)
    cache = 2 * shape.layers * shape.context * shape.kv_heads * shape.head_size
    return FLOAT * (4 * parameters + 2 * step + cache + 2 * largest)


def make(run, shape, config):
    """Before a run makes its model: chooses the CPU memory for it, and reserves what it needs. MemoryError (a sentence)."""
    global _widened
    device = get_device()
    if device.capacity is None or run.kept or run.loaded is not None:
        return
    needed = training_bytes(shape, config)
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
        from .loop import describe_device

        run.send(type="device", **describe_device())
    if device.in_use() + needed > device.capacity:
        gc.collect()  # an earlier run's model, whose Programs hold one another
    device.reserve(min(device.in_use() + needed, device.capacity))
