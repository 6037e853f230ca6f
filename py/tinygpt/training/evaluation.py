"""How good a model is on text that it has not seen: the mean loss over the whole validation split,
the same number on every device.

`Run.evaluate` draws a few random windows, which is quick and noisy. Here every token of the split
is predicted once, in windows that follow one another without overlap; reference/evaluate.py
measures the same in PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.async_reads import PendingReads
from ..core.compile import compile
from ..core.state import no_grad
from ..generate import evaluating

if TYPE_CHECKING:
    from ..data import Dataset


BATCH = 16


def held_out_loss(model: Any, dataset: Dataset, batch_size: int = BATCH) -> float:
    """The mean cross-entropy, in nats per token, over dataset's validation split: windows of
    `dataset.context` tokens, one after the other.

    A last window that would not be whole is left out. The model is evaluated without dropout; its
    mode stays as it was.
    """
    context, (low, high) = dataset.context, dataset.splits["validation"]
    windows = (high - low - 1) // context
    x = dataset.tokens[low : low + windows * context].view(windows, context)
    y = dataset.tokens[low + 1 : low + windows * context + 1].view(windows, context)
    loss_of = compile(lambda x, y: model.loss(x, y))
    reads, arrived = PendingReads(), []
    with no_grad(), evaluating(model):
        for first in range(0, windows, batch_size):
            last = min(first + batch_size, windows)
            arrived += reads.push(loss_of(x[first:last], y[first:last]), last - first)
        arrived += reads.drain()
    return sum(rows * loss for rows, loss in arrived) / windows
