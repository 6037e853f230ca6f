"""One step of training, seen from the boundaries before and after it: the batch, the model's
guesses and their losses, the gradients, and how far each layer's weights moved.

    before = Before(run, watch=True)     # the step to come
    ...                                  # the loop makes it
    after(run, before)                   # the step that was made

Nothing of the step itself is touched: the batch is drawn once more from a copy of the data's random
stream, the model runs in eval mode without a tape, and weights are copied. So the training has the
same bits as without (tests/tools/test_one_step.py).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, TypedDict

from .. import functional, kernels
from ..core.factory import empty
from ..core.generator import Generator
from ..core.state import no_grad
from ..data import Dataset
from ..generate import evaluating
from ..graph.program import launch
from ..ops import movement
from .inspect import _logits, _most_probable, _read

if TYPE_CHECKING:
    from array import array

    from ..core.tensor import Tensor

ROWS = 3  # of the batch that are shown
TOKENS = 160  # of a row


class Guess(TypedDict):
    """What the model says of one token of the batch. loss: nats, None where it is not finite."""

    token: int
    loss: float | None
    guess: int  # the likeliest token
    probability: float | None  # of the guess


class Layer(TypedDict):
    """Norms over all parameters of a layer. gradient: after clipping, None where there is none.
    update: None where the weights before the step are not known; both None where not finite.
    """

    name: str
    weights: float | None
    gradient: float | None
    update: float | None


class Before:
    """The step to come of a Run that waits at a step boundary.

    watch: the weights are copied, so that `after` knows how far they move. rows: of each, the first
    token and a Guess for each that follows; None where `problem` says why.
    """

    def __init__(self, run: Any, watch: bool = False) -> None:
        self.step: int = run.step
        self.model: Any = run.kept.get("model")
        self.problem: str | None = None
        self.rows: list[tuple[int, list[Guess]]] | None = None
        self.batch_size = 0
        self.stream: Generator | None = None  # where the batch's stream is after it
        self.copies: list[Tensor] | None = None
        with no_grad():
            self._look_at_batch(run)
            if watch:
                try:
                    self.copies = [p.detach().clone() for p in self.model.parameters()]
                except MemoryError:
                    self.problem = "There is no memory for a copy of the weights, so their change is not shown."

    def _look_at_batch(self, run: Any) -> None:
        data, config = run.kept.get("data"), run.loop_config or run.train_config
        if not isinstance(data, Dataset) or config is None:
            self.problem = 'The batch is not shown: the code keeps no Dataset under run.keep("data", ...).'
            return
        stream = Generator(0)
        stream.set_state(data.generators["train"].get_state())
        self.batch_size = config.batch_size
        x, y = data.batch(self.batch_size, generator=stream)
        self.stream = stream
        T = min(TOKENS, x.shape[1])
        count = min(ROWS, self.batch_size)
        x, y = x[:count], y[:count]
        with evaluating(self.model):
            logits = _logits(self.model, x)
        logits, y = logits[:, :T], y[:, :T]
        V = logits.shape[-1]
        logits, flat = logits.reshape(-1, V), y.reshape(-1)
        losses = functional.cross_entropy(logits, flat, reduction="none").tolist()
        ids, chances = _most_probable(functional.softmax(logits, dim=-1), 1)
        firsts, targets = x[:, 0].tolist(), flat.tolist()
        guesses: list[Guess] = [
            {"token": target, "loss": _finite(loss), "guess": guess[0], "probability": _finite(chance[0])}
            for target, loss, guess, chance in zip(targets, losses, ids, chances)
        ]
        self.rows = [(firsts[i], guesses[i * T : (i + 1) * T]) for i in range(count)]

    def drew(self, run: Any) -> bool:
        """Whether the step drew this very batch: its stream is where this one is."""
        data = run.kept.get("data")
        return (
            self.stream is not None
            and isinstance(data, Dataset)
            and data.generators["train"].get_state() == self.stream.get_state()
        )


def after(run: Any, before: Before | None) -> list[Layer]:
    """The layers of the run's model after its last step, in the order of its parameters."""
    model: Any = run.kept.get("model")
    copies = before.copies if before is not None and before.model is model else None
    named = list(model.named_parameters())
    parts: list[Tensor] = []
    has_gradient: list[bool] = []
    with no_grad():
        for at, (_, p) in enumerate(named):
            gradient, now = p.grad, p.detach()
            known = copies is not None and copies[at].shape == now.shape
            has_gradient.append(gradient is not None)
            parts.append(_norm(copies[at] if copies is not None and known else now))
            parts.append(_norm(now if gradient is None else gradient.detach()))
            parts.append(_norm(now - copies[at]) if copies is not None and known else _norm(now))
        numbers: array[float] = _read(parts)
    sums: dict[str, list[Any]] = {}
    for at, (name, _) in enumerate(named):
        weights, gradient, update = numbers[3 * at : 3 * at + 3]
        total = sums.setdefault(layer_of(name), [0.0, None, None])
        total[0] += weights**2
        if has_gradient[at]:
            total[1] = (total[1] or 0.0) + gradient**2
        if copies is not None:
            total[2] = (total[2] or 0.0) + update**2
    return [
        {"name": name, "weights": _root(weights), "gradient": _root(gradient), "update": _root(update)}
        for name, (weights, gradient, update) in sums.items()
    ]


def layer_of(name: str) -> str:
    """The layer of a parameter: "blocks.0" of blocks.0.attn.qkv.weight, "norm_f" of norm_f.bias."""
    return re.sub(r"^((?:[A-Za-z_]\w*\.)*?\d+|[^.]+)(?:\..*)?$", r"\1", name)


def _norm(x: Tensor) -> Tensor:
    """The Euclidean norm, [1] on the device."""
    flat = x.contiguous().view(-1)
    norm = empty((), device=x.device)
    launch(kernels.global_norm, (norm, flat), (flat.numel(),))
    return movement.stack([norm])


def _finite(x: float) -> float | None:
    return float("%.5g" % x) if math.isfinite(x) else None


def _root(square: float | None) -> float | None:
    return None if square is None else _finite(math.sqrt(square))
