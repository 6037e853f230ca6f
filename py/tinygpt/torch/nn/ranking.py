"""Distances, and losses that compare scores or vectors with each other."""

from __future__ import annotations

from typing import Any

from ...core.factory import like, tensor
from ...core.state import no_grad
from ...core.tensor import Tensor, int64
from ...ops import elementwise, embedding, movement, reduce
from ...ops.elementwise import compare, where
from ...ops.functions import function as of_math
from ..keywords import refuse
from .activation import logsigmoid
from .loss import reduced, reduction_of

FUNCTIONS = [
    "cosine_embedding_loss", "cosine_similarity", "gumbel_softmax", "hinge_embedding_loss", "margin_ranking_loss",
    "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "normalize", "pairwise_distance",
    "pdist", "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


def norm_of(x: Tensor, p: float, dim: int = -1, keepdim: bool = True) -> Tensor:
    """The p-norm along a dimension; its gradient at 0 is 0."""
    if p == 1:
        return x.abs().sum(dim, keepdim=keepdim)
    if p == float("inf"):
        return x.abs().max(dim, keepdim=keepdim)[0]
    if p == 0:
        return compare("ne", x, 0)._cast(x._dtype).sum(dim, keepdim=keepdim)
    total = (x.square() if p == 2 else x.abs() ** p).sum(dim, keepdim=keepdim)
    zero = compare("eq", total, 0)
    root = where(zero, 1.0, total)
    return where(zero, 0.0, root.sqrt() if p == 2 else root ** (1.0 / p))


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Tensor:
    """input divided by its p-norm along dim, which is at least eps."""
    refuse("normalize", out=out)
    if not input._dtype.is_floating_point:
        raise RuntimeError("linalg.vector_norm: Expected a floating point tensor as input. Got %s" % input._dtype.name)
    return input / norm_of(input, p, dim).clamp(min=eps)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps over the last dimension."""
    return norm_of(x1 - x2 + eps, p, -1, keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norms of the differences of each pair of rows of [N, M]: [N (N - 1) / 2]."""
    if input.ndim != 2:
        raise RuntimeError("pdist only supports 2D tensors, got: %dD" % input.ndim)
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    pairs = [(i, j) for i in range(input._shape[0]) for j in range(i + 1, input._shape[0])]
    if not pairs:
        return input.reshape(-1)[:0] * 1.0
    first, second = (tensor(list(side), dtype=int64, device=input.device) for side in zip(*pairs, strict=True))
    return norm_of(embedding.embedding(first, input) - embedding.embedding(second, input), p, -1, False)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between x1 and x2 along dim; each norm is at least eps."""
    shape = elementwise.broadcast_shapes(x1._shape, x2._shape)
    x1, x2 = movement.expand(x1, shape), movement.expand(x2, shape)
    return (x1 / _at_least(norm_of(x1, 2, dim), eps) * (x2 / _at_least(norm_of(x2, 2, dim), eps))).sum(dim)


def _at_least(x: Tensor, eps: float) -> Tensor:
    """max(x, eps) with x's gradient everywhere: PyTorch clamps norms outside of the graph."""
    plain = x.detach()
    return x + (plain.clamp(min=eps) - plain)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample of softmax((logits + Gumbel noise) / tau) (Jang et al. 2016). hard: one-hot, with
    the gradient of the soft sample.
    """
    noise: Any = like(logits.detach())
    gumbels = noise.exponential_().log().neg()
    soft = ((logits + gumbels) / tau).softmax(dim)
    if not hard:
        return soft
    d = movement.dim_of(soft, dim)
    places = movement.arange(soft._shape[d], device=soft.device)
    places = places.reshape(tuple(soft._shape[d] if i == d else 1 for i in range(soft.ndim)))
    chosen = soft.detach().max(d, keepdim=True)[1]
    return compare("eq", places, chosen)._cast(soft._dtype) - soft.detach() + soft


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target (input1 - input2) + margin). RuntimeError where dimensions differ in
    number.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if input1.ndim != input2.ndim or input1.ndim != target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            "input1: %s, input2: %s, target: %s " % (list(input1._shape), list(input2._shape), list(target._shape))
        )
    return reduced((target.neg() * (input1 - input2) + margin).clamp(min=0), reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The input where target is 1, max(0, margin - input) where it is -1."""
    reduction = reduction_of(size_average, reduce, reduction)
    apart = where(compare("ne", target, 1), (margin - input).clamp(min=0), 0.0)
    return reduced(apart + where(compare("ne", target, -1), input, 0.0), reduction)


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """log(1 + exp(-target input))."""
    if target._requires_grad:
        raise RuntimeError(
            "The function 'soft_margin_loss' is not differentiable with respect to argument 'target'; detach() it"
        )
    reduction = reduction_of(size_average, reduce, reduction)
    return reduced(of_math("log1p", (target.neg() * input).exp()), reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos where target is 1, max(0, cos - margin) where it is -1.

    input1, input2: [N, D] with target [N], or [D] with a 0-d target; RuntimeError else.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if target.ndim not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise RuntimeError(
            "%dD target tensor expects %dD input tensors, but found inputs with sizes %s and %s."
            % (target.ndim, target.ndim + 1, list(input1._shape), list(input2._shape))
        )
    EPSILON = 1e-12
    lengths = ((input1 * input1).sum(-1) + EPSILON) * ((input2 * input2).sum(-1) + EPSILON)
    cosine = (input1 * input2).sum(-1) / lengths.sqrt()
    same = where(compare("eq", target, 1), 1 - cosine, 0.0)
    return reduced(same + where(compare("eq", target, -1), (cosine - margin).clamp(min=0), 0.0), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) of p-norm distances.

    swap: the smaller of d(anchor, negative) and d(positive, negative). RuntimeError where
    dimensions differ in number, ValueError for a margin that is not above 0.
    """
    reduction = reduction_of(size_average, reduce, reduction)

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return pairwise_distance(x, y, p, eps)

    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=distance, margin=margin, swap=swap, reduction=reduction
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Any = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """triplet_margin_loss with a distance of one's own."""
    reduction = reduction_of(None, None, reduction)
    if margin <= 0:
        raise ValueError("margin must be greater than 0, got %s" % margin)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            "anchor %dD, positive %dD, and negative %dD inputs" % (anchor.ndim, positive.ndim, negative.ndim)
        )
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = elementwise.minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp(min=0), reduction)


def _scores(name: str, input: Tensor) -> Tensor:
    """input as [N, C]."""
    if input.ndim > 2 or not input.numel():
        raise RuntimeError("%s: Expected non-empty vector or matrix, got shape %s" % (name, list(input._shape)))
    return input.reshape(-1, input._shape[-1] if input.ndim else 1)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """sum over classes i but the target y of max(0, margin - x_y + x_i)^p / C, times weight[y].

    input: [N, C] or [C]. target: int64 [N] or 0-d. ValueError for p other than 1 and 2.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    x = _scores("multi_margin_loss", input)
    if target.numel() != x._shape[0]:
        raise RuntimeError("inconsistent target size, expected %d but got %s" % (x._shape[0], list(target._shape)))
    y = target.reshape(-1)
    classes = movement.arange(x._shape[1], device=x.device)
    other = compare("ne", classes, y.unsqueeze(-1))
    chosen = where(other, 0.0, x).sum(-1, keepdim=True)
    terms = (margin - chosen + x).clamp(min=0)
    terms = where(other, terms if p == 1 else terms * terms, 0.0)
    factors = embedding.embedding(y, weight.reshape(-1, 1) if weight is not None else _ones(x))  # IndexError outside
    losses = (terms * factors).sum(-1) / x._shape[1]
    return reduced(losses if input.ndim == 2 else losses.reshape(()), reduction)


def _ones(x: Tensor) -> Tensor:
    return elementwise.full((x._shape[1], 1), 1.0, x._dtype, x.device)


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """sum over targets y and other classes i of max(0, 1 - x_y + x_i) / C.

    input: [N, C] or [C]. target: int64 of input's shape, class numbers up to the first -1.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    x = _scores("multilabel_margin_loss", input)
    if target._shape != input._shape:
        raise RuntimeError(
            "inconsistent target size: %s for input of size: %s" % (list(target._shape), list(input._shape))
        )
    C = x._shape[1]
    y = target.reshape(-1, C)
    with no_grad():
        given = reduce_product(compare("ge", y, 0))
        hits = compare("eq", y.unsqueeze(-1), movement.arange(C, device=x.device)) & given.unsqueeze(-1)  # [N, y, i]
        hits = hits._cast(x._dtype)
        others = 1 - hits.max(1, keepdim=True)[0]
        used = given._cast(x._dtype).unsqueeze(-1) * others
    chosen = (hits * x.unsqueeze(1)).sum(-1, keepdim=True)
    terms = (1 - chosen + x.unsqueeze(1)).clamp(min=0) * used
    losses = terms.sum((1, 2)) / C
    return reduced(losses if input.ndim == 2 else losses.reshape(()), reduction)


def reduce_product(condition: Tensor) -> Tensor:
    """bool: whether the condition holds up to each place of a row."""
    return reduce.cumprod(condition._cast(int64), 1) > 0


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes (the last dimension) of -(t log sigmoid(x) + (1 - t) log
    sigmoid(-x)).
    """
    reduction = reduction_of(size_average, reduce, reduction)
    losses = (target * logsigmoid(input) + (1 - target) * logsigmoid(input.neg())).neg()
    losses = losses if weight is None else losses * weight
    return reduced(losses.sum(-1) / input._shape[-1], reduction)
