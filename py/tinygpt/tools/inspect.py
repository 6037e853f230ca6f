"""A look inside a model: where its attention goes, what each layer would say next, how large
weights and gradients are.

The model's own forward runs, in eval mode and without a tape, while what passes through its layers
is noted; so an edited model shows what it does, not what this file thinks it does. Nothing draws
from the default random stream and nothing is written to parameters, gradients or modes: training
goes on with the same bits. The numbers are made on the device and read at the end.
"""

from __future__ import annotations

import math
from array import array
from contextlib import ExitStack
from heapq import nlargest
from typing import TYPE_CHECKING, Any

from .. import functional, kernels
from ..core.factory import empty, tensor
from ..core.state import no_grad
from ..core.tensor import Tensor, float32, int32
from ..generate import evaluating
from ..graph.program import launch
from ..ops import movement
from ..ops.elementwise import where

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from ..devices.base import Device


SAMPLED = 20_000  # elements of a tensor at most that a histogram counts


# ---- what passes through a model ----


class _Watching:
    """Context manager: calls `function(args, kwargs, result)` after every call of owner.name.

    The method is put back afterwards.
    """

    def __init__(
        self, owner: Any, name: str, function: Callable[[tuple[Any, ...], dict[str, Any], Any], object]
    ) -> None:
        self.owner, self.name, self.function = owner, name, function

    def __enter__(self) -> None:
        self.own = self.name in self.owner.__dict__  # a class's method is shadowed and uncovered again
        original = self.original = getattr(self.owner, self.name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            self.function(args, kwargs, result)
            return result

        object.__setattr__(
            self.owner, self.name, watched
        )  # past Module.__setattr__: no Program looks at its guards again

    def __exit__(self, *exc: object) -> None:
        if self.own:
            object.__setattr__(self.owner, self.name, self.original)
        else:
            object.__delattr__(self.owner, self.name)


def _device_of(model: Any) -> Device:
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise ValueError("the model has no parameters, so there is nothing to look at")
    return parameter.device


def _ids(model: Any, ids: Iterable[int]) -> Tensor:
    """int32 [1, T] on the model's device."""
    ids = list(ids)
    if not ids:
        raise ValueError("the prompt is empty; give at least one token, a newline for instance")
    return tensor([ids], dtype=int32, device=_device_of(model))


def _logits(model: Any, ids: Tensor) -> Tensor:
    """model(ids) [1, T, V]; of a model that returns several things, the first."""
    out = model(ids)
    return out[0] if isinstance(out, tuple) else out


# ---- attention ----


def attention_tensors(model: Any, ids: Iterable[int]) -> list[Tensor]:
    """The probabilities with which each token attends to the tokens before it.

    Vaswani et al. 2017, section 3.2.1. ids: T token ids. Returns one float32 tensor [H, T, T] per
    attention layer, in the order in which they run; row t says how much position t takes from each
    position; nothing comes from later ones. They are computed from the queries and keys that the
    layer hands to F.scaled_dot_product_attention: rotary positions are in them, grouped key heads
    are shared. A layer without that call is not seen.
    """
    calls = []

    def note(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        named: dict[str, Any] = dict(
            zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale"), args), **kwargs
        )
        q: Any = named.get("query", named.get("q"))
        k: Any = named.get("key", named.get("k"))
        calls.append(
            (q.detach(), k.detach(), named.get("attn_mask"), named.get("is_causal", False), named.get("scale"))
        )

    with no_grad(), evaluating(model):
        with _Watching(functional, "scaled_dot_product_attention", note):
            model(_ids(model, ids))
        if not calls:
            raise RuntimeError(
                "no layer of this model called F.scaled_dot_product_attention, so its attention cannot be seen; "
                "write it as F.scaled_dot_product_attention(...)"
            )
        return [_probabilities(*call) for call in calls]


def _probabilities(q: Tensor, k: Tensor, mask: Tensor | None, causal: bool, scale: float | None) -> Tensor:
    """softmax(scale * q k^T) of the first sequence, [H, T, S].

    q [B, H, T, D], k [B, G, S, D]; the products are plain float32.
    """
    H, T, D = q.shape[1:]
    G, S = k.shape[1:3]
    q, k = q[0], k[0]
    if G != H:  # each key head serves H / G query heads
        k = k.unsqueeze(1).expand(G, H // G, S, D).reshape(H, S, D)
    scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(D) if scale is None else scale)
    if causal:
        at = movement.arange(S, device=q.device)
        later = at.unsqueeze(0) > movement.arange(T, device=q.device).unsqueeze(1)
        scores = scores.masked_fill(later, -math.inf)
    elif mask is not None:
        mask = mask[0] if mask.ndim == 4 else mask
        scores = scores + mask if mask.dtype is float32 else scores.masked_fill(mask == 0, -math.inf)
    return functional.softmax(scores, dim=-1)


def attention_maps(model: Any, ids: Iterable[int]) -> list[Any]:
    """attention_tensors as lists: per layer [H][T][T] floats."""
    return [probabilities.tolist() for probabilities in attention_tensors(model, ids)]


# ---- the logit lens ----


def logit_lens(model: Any, ids: Iterable[int], top: int = 5) -> list[list[list[tuple[int, float]]]]:
    """The next token that each layer would predict, through the final norm and the head.

    Its input is each layer's residual stream (nostalgebraist 2020, "the logit lens"). ids: T token
    ids. Returns rows, first to last: the embedding, then each block's output; the last row is the
    model's own distribution. Each row has T lists of the `top` most probable (id, probability). The
    model needs the GPT's blocks, norm_f and lm_head.
    """
    missing = [name for name in ("blocks", "norm_f", "lm_head") if not hasattr(model, name)]
    if missing:
        raise RuntimeError(
            "the logit lens reads the model's blocks, norm_f and lm_head; this model has no %s" % ", no ".join(missing)
        )
    blocks = list(model.blocks)
    ids, streams = list(ids), []

    def first(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if not streams:
            streams.append(args[0].detach())

    def after(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if not isinstance(result, Tensor):
            raise RuntimeError(
                "a block of this model returns %s, not a tensor: the logit lens cannot read it" % type(result).__name__
            )
        streams.append(result.detach())

    with no_grad(), evaluating(model):
        with ExitStack() as watching:  # who came first is told first
            for block in blocks[:1]:
                watching.enter_context(_Watching(block, "forward", first))
            for block in blocks:
                watching.enter_context(_Watching(block, "forward", after))
            logits = _logits(model, _ids(model, ids))
        V = logits.shape[-1]
        rows = [model.lm_head(model.norm_f(x)) for x in streams[:-1]] + [logits]
        rows = movement.cat([x.reshape(-1, V) for x in rows], 0)
        best, probabilities = _most_probable(functional.softmax(rows, dim=-1), min(top, V))
    T, pairs = len(ids), [list(zip(*both)) for both in zip(best, probabilities)]
    return [pairs[i : i + T] for i in range(0, len(pairs), T)]


def _most_probable(p: Tensor, top: int) -> tuple[Any, Any]:
    """The `top` largest of each row of p [N, V]: ([N][top] ids, [N][top] values).

    Found on the device: few numbers travel.
    """
    at = movement.arange(p.shape[1], device=p.device).unsqueeze(0)
    ids, values = [], []
    for _ in range(top):
        largest, index = p.max(dim=1, keepdim=True)
        ids.append(index)
        values.append(largest)
        p = where(at == index, -1.0, p)
    return movement.cat(ids, 1).tolist(), movement.cat(values, 1).tolist()


# ---- weights and gradients ----


def weight_report(model: Any, bins: int = 32, histograms: Container[str] | None = None) -> list[dict[str, Any]]:
    """Size and spread of every parameter and its gradient.

    A list of dicts in the order of model.named_parameters(): name, shape, elements; norm
    (Euclidean), rms, min, max; gradient_norm: of the gradient as it is at the call, after clipping
    where the loop clips, None where there is none. histogram and gradient_histogram: {"counts":
    `bins` ints, "edges": bins + 1 floats, "counted": elements counted}: all of up to SAMPLED
    elements, else every n-th. histograms: names of the parameters that get one; None: all.
    """
    names, tensors, parts = [], [], []  # parts: the device's numbers, in one tensor at the end
    with no_grad():
        for name, parameter in model.named_parameters():
            wanted = histograms is None or name in histograms
            for x in (parameter.detach(), parameter.grad):
                names.append((name, wanted and x is not None and x.numel() > 0))
                tensors.append(x)
                if x is not None and x.numel():
                    parts += _measured(x.detach(), bins if wanted else 0)
        numbers = iter(_read(parts))

    report = []
    for i in range(0, len(names), 2):
        (name, wanted), x = names[i], tensors[i]
        entry: dict[str, Any] = dict(
            name=name, shape=list(x.shape), elements=x.numel(), norm=0.0, rms=0.0, min=None, max=None
        )
        entry.update(gradient_norm=None, histogram=None, gradient_histogram=None)
        if x.numel():
            entry["norm"], entry["min"], entry["max"] = (next(numbers) for _ in range(3))
            entry["rms"] = entry["norm"] / math.sqrt(x.numel())
            entry["histogram"] = _histogram(numbers, bins, x, entry["min"], entry["max"]) if wanted else None
        if tensors[i + 1] is not None and x.numel():
            entry["gradient_norm"], low, high = (next(numbers) for _ in range(3))
            entry["gradient_histogram"] = _histogram(numbers, bins, x, low, high) if names[i + 1][1] else None
        report.append(entry)
    return report


def _step(x: Tensor) -> int:
    return -(-x.numel() // SAMPLED)


def _measured(x: Tensor, bins: int) -> list[Tensor]:
    """Tensors [3] and, with bins, [bins - 1] edges and [bins - 1] counts.

    norm, min, max; inner edges; how many elements lie below each.
    """
    flat = x.contiguous().view(-1)
    norm = empty((), device=x.device)
    launch(kernels.global_norm, (norm, flat), (flat.numel(),))
    low, high = flat.min(), flat.max()
    parts = [movement.stack([norm, low, high])]
    if bins:
        inner = movement.arange(1, bins, device=x.device).float() * (1.0 / bins)
        edges = inner * (high - low) + low
        below = (flat[:: _step(x)].unsqueeze(0) < edges.unsqueeze(1)).sum(dim=1)
        parts += [edges, below.float()]  # at most SAMPLED: exact as a float
    return parts


def _histogram(numbers: Iterator[float], bins: int, x: Tensor, low: float, high: float) -> dict[str, Any]:
    edges = [low, *(next(numbers) for _ in range(bins - 1)), high]
    counted = -(-x.numel() // _step(x))
    below = [0, *(int(next(numbers)) for _ in range(bins - 1)), counted]
    return dict(counts=[b - a for a, b in zip(below, below[1:])], edges=edges, counted=counted)


def _read(parts: list[Tensor]) -> array[float]:
    values = array("f")
    if parts:
        values.frombytes(movement.cat(parts, 0).tobytes())
    return values


# ---- the next token ----


def token_probabilities(logits: Tensor | Sequence[float], temperature: float = 1.0) -> list[float]:
    """softmax(logits / temperature) of one position, a list of V floats.

    logits: floats, or a tensor. temperature 0 counts as 1.
    """
    if isinstance(logits, Tensor):
        logits = array("f", logits.detach().tobytes())
    share, exp, largest = 1.0 / temperature if temperature > 0 else 1.0, math.exp, max(logits)
    weights = [exp((x - largest) * share) for x in logits]
    total = sum(weights)
    return [w / total for w in weights]


def next_token_probabilities(
    source: Any, ids: Iterable[int] | None = None, top: int = 10, temperature: float = 1.0
) -> list[tuple[int, float]]:
    """The `top` most probable next tokens, [(id, probability)], the most probable first.

    source: the V logits of one position (a sequence of floats or a tensor), or a model, with ids,
    the T tokens before. temperature divides the logits; 0, which takes the first of these, leaves
    them as they are. Top-k and top-p are not applied: this is what they choose from.
    """
    if ids is not None:
        with no_grad(), evaluating(source):
            source = _logits(source, _ids(source, ids))[0, -1]
    probabilities = token_probabilities(source, temperature)
    return [(i, probabilities[i]) for i in nlargest(top, range(len(probabilities)), key=probabilities.__getitem__)]
