"""Connectionist temporal classification (Graves et al. 2006), computed on the host: plain, and in
double.
"""

from __future__ import annotations

import math
from typing import Any

from ...core.autograd import attach, needs_grad
from ...core.factory import tensor
from ...core.tensor import Tensor
from .loss import reduced, reduction_of

FUNCTIONS = ["ctc_loss"]
LIMITED = {"ctc_loss": "it is computed on the host, in double, and its gradient is not differentiated again"}
NEVER = -math.inf


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log p(target) of log-probabilities [T, N, C] or [T, C], summed over all alignments.

    targets: integers [N, S], [S], or one behind the other. input_lengths, target_lengths: [N].
    reduction: "mean" of losses divided by the lengths of their targets. zero_infinity: a target
    that does not fit has loss and gradient 0.
    """
    reduction = reduction_of(None, None, reduction)
    batched = log_probs.ndim == 3
    x = log_probs if batched else log_probs.unsqueeze(1)
    T, N, C = x._shape
    if not 0 <= blank < C:
        raise RuntimeError("blank must be in label range")
    inputs, lengths = _ints(input_lengths), _ints(target_lengths)
    if len(inputs) != N or len(lengths) != N:
        raise RuntimeError("input_lengths and target_lengths must be of size %d, the batch" % N)
    if any(not 0 <= n <= T for n in inputs):
        raise RuntimeError("Expected input_lengths to have value at most %d, but got %s" % (T, inputs))
    labels = _labels(targets, lengths, N)
    values = x.detach().tolist()
    losses: list[float] = []
    slopes = [[[0.0] * C for _ in range(N)] for _ in range(T)]
    for n in range(N):
        rows = [values[t][n] for t in range(inputs[n])]
        loss, slope = _one(rows, labels[n], blank)
        if loss == math.inf and zero_infinity:
            loss, slope = 0.0, [[0.0] * C for _ in rows]
        losses.append(loss)
        for t, row in enumerate(slope):
            slopes[t][n] = row
    out = tensor(losses, x._dtype, x.device)
    if needs_grad(x):
        slope_of = tensor(slopes, x._dtype, x.device)
        attach("ctc_loss", (out,), (x,), lambda dy: (dy.reshape(1, N, 1) * slope_of,), ())
    if reduction == "mean":
        out = out / tensor([max(n, 1) for n in lengths], x._dtype, x.device)
    return reduced(out if batched else out.reshape(()), reduction)


def _ints(values: Any) -> list[int]:
    values = values.tolist() if isinstance(values, Tensor) else values
    return [values] if isinstance(values, int) else [int(v) for v in values]


def _labels(targets: Tensor, lengths: list[int], N: int) -> list[list[int]]:
    """The labels of each sample."""
    given: Any = targets.tolist()
    if targets.ndim == 2:
        if targets._shape[0] != N or max(lengths, default=0) > targets._shape[1]:
            raise RuntimeError(
                "targets of shape %s do not hold targets of lengths %s" % (list(targets._shape), lengths)
            )
        return [row[:n] for row, n in zip(given, lengths, strict=True)]
    if sum(lengths) > len(given):
        raise RuntimeError("targets of %d labels do not hold targets of lengths %s" % (len(given), lengths))
    ends = [sum(lengths[: i + 1]) for i in range(N)]
    return [given[end - n : end] for end, n in zip(ends, lengths, strict=True)]


def _sum(*logs: float) -> float:
    """log of the sum of exponentials."""
    largest = max(logs)
    return largest if largest == NEVER else largest + math.log(sum(math.exp(v - largest) for v in logs))


def _one(rows: list[list[float]], labels: list[int], blank: int) -> tuple[float, list[list[float]]]:
    """(the loss of one sample, its gradient as PyTorch's: that of a log-softmax's input)."""
    places = [blank]
    for label in labels:
        places += [label, blank]
    S = len(places)
    skips = [s > 1 and places[s] != blank and places[s] != places[s - 2] for s in range(S)]
    T = len(rows)
    if not T:
        return (0.0 if not labels else math.inf), []

    def walk(order: list[list[float]], places: list[int], skips: list[bool]) -> list[list[float]]:
        before = [order[0][places[s]] if s < 2 else NEVER for s in range(S)]
        out = [before]
        for row in order[1:]:
            now = [
                row[places[s]] + _sum(before[s], before[s - 1] if s else NEVER, before[s - 2] if skips[s] else NEVER)
                for s in range(S)
            ]
            out.append(now)
            before = now
        return out

    ahead = walk(rows, places, skips)
    loss = -_sum(ahead[-1][-1], ahead[-1][-2] if S > 1 else NEVER)
    backwards = [s > 1 and p != blank and p != places[::-1][s - 2] for s, p in enumerate(places[::-1])]
    behind = [row[::-1] for row in walk(rows[::-1], places[::-1], backwards)[::-1]]
    slope: list[list[float]] = []
    for row, a, b in zip(rows, ahead, behind, strict=True):
        made = [math.exp(v) for v in row]
        for c in set(places):
            total = _sum(*(a[s] + b[s] for s in range(S) if places[s] == c))
            if total != NEVER and loss != math.inf:
                made[c] -= math.exp(total + loss - row[c])
        slope.append(made)
    if loss == math.inf:
        slope = [[math.nan] * len(rows[0]) for _ in rows]
    return loss, slope
