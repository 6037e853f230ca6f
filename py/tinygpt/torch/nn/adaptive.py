"""The adaptive softmax (Grave et al. 2016): rare classes in clusters with smaller projections."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from ...core.factory import tensor
from ...core.tensor import Tensor
from ...functional import log_softmax
from ...nn import Linear, Module, ModuleList, Sequential
from ...ops import movement

__all__ = ["AdaptiveLogSoftmaxWithLoss"]
LIMITED = {"AdaptiveLogSoftmaxWithLoss": "the target is read on the host, so a compiled function runs step by step"}

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of n_classes classes, which are sorted by frequency, and their loss.

    cutoffs: where the clusters begin, in order. div_value: by what the projection of each cluster
    is smaller than that of the one before. ValueError for other cutoffs.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (
            cutoffs != sorted(set(cutoffs))
            or cutoffs[0] <= 0
            or cutoffs[-1] > n_classes - 1
            or any(int(c) != c for c in cutoffs)
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                "value is between 1 and n_classes-1"
            )
        self.in_features, self.n_classes, self.div_value, self.head_bias = in_features, n_classes, div_value, head_bias
        self.cutoffs = [*cutoffs, n_classes]
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        made: Any = dict(device=device, dtype=dtype)
        self.head = Linear(in_features, self.head_size, bias=head_bias, **made)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden, size = int(in_features // div_value ** (i + 1)), self.cutoffs[i + 1] - self.cutoffs[i]
            parts: Any = (Linear(in_features, hidden, bias=False, **made), Linear(hidden, size, bias=False, **made))
            self.tail.append(Sequential(*parts))

    def reset_parameters(self) -> None:
        """First values of all projections again."""
        head: Any = self.head
        head.reset_parameters()
        for projection in self.tail:
            for layer in projection:
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> Any:
        """(output [N], loss): the log-probability of each target, and the mean of their negatives.

        input_: [N, in_features] with target_ [N], or one without N. RuntimeError for shapes that do
        not fit and for a target outside of the classes.
        """
        if target_.ndim not in (0, 1) or input_.ndim != target_.ndim + 1 or input_._shape[:-1] != target_._shape:
            raise RuntimeError(
                "input of shape %s and target of shape %s should have the same size in the batch dimension"
                % (list(input_._shape), list(target_._shape))
            )
        x, labels = (input_, target_.tolist()) if target_.ndim else (input_.unsqueeze(0), [target_.tolist()])
        if any(not 0 <= label < self.n_classes for label in labels):
            raise RuntimeError(
                "Target values should be in [0, %d], but values in range [%d, %d] were found. "
                % (self.n_classes - 1, min(labels), max(labels))
            )
        head = log_softmax(self.head(x), 1)
        rows: list[int] = []
        found: list[Tensor] = []
        for i, (low, high) in enumerate(zip([0, *self.cutoffs], self.cutoffs, strict=False)):
            here = [row for row, label in enumerate(labels) if low <= label < high]
            if not here:
                continue
            places = [labels[row] - low for row in here]
            picked = _pick(head, here, places if not i else [self.shortlist_size + i - 1] * len(here))
            if i:
                inside = log_softmax(self.tail[i - 1](_rows(x, here)), 1)
                picked = picked + _pick(inside, range(len(here)), places)
            rows += here
            found.append(picked)
        order = sorted(range(len(rows)), key=rows.__getitem__)
        output = _rows(movement.cat(found), order)
        loss = output.neg().mean()
        return _ASMoutput(output if target_.ndim else output.squeeze(0), loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes: [N, n_classes]."""
        head = log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, projection in enumerate(self.tail):
            parts.append(log_softmax(projection(input), 1) + head[:, self.shortlist_size + i].unsqueeze(1))
        return movement.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The likeliest class of each row: [N]."""
        return self.log_prob(input).argmax(1)


def _rows(x: Tensor, rows: Sequence[int]) -> Tensor:
    return x[tensor(list(rows), device=x.device)]


def _pick(x: Tensor, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
    return x[tensor(list(rows), device=x.device), tensor(list(columns), device=x.device)]
