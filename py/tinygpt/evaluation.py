"""How good a model is on text that it has not seen: the mean loss over the whole validation split, the same number on every device.

`Run.evaluate` draws a few random windows, which is quick and noisy. Here every token of the split is predicted once, in windows that
follow one another without overlap; reference/evaluate.py measures the same in PyTorch.
"""

from .compiled import compile
from .generate import evaluating
from .readings import Readings
from .state import no_grad

BATCH = 16


def held_out_loss(model, dataset, batch_size=BATCH):
    """The mean cross-entropy, in nats per token, over dataset's validation split: windows of `dataset.context` tokens, one after the other.

    A last window that would not be whole is left out. The model is evaluated without dropout; its mode stays as it was.
    """
    context, (low, high) = dataset.context, dataset.splits["validation"]
    windows = (high - low - 1) // context
    x = dataset.tokens[low : low + windows * context].view(windows, context)
    y = dataset.tokens[low + 1 : low + windows * context + 1].view(windows, context)
    loss_of = compile(lambda x, y: model.loss(x, y))
    readings, arrived = Readings(), []
    with no_grad(), evaluating(model):
        for first in range(0, windows, batch_size):
            last = min(first + batch_size, windows)
            arrived += readings.push(loss_of(x[first:last], y[first:last]), last - first)
        arrived += readings.drain()
    return sum(rows * loss for rows, loss in arrived) / windows
