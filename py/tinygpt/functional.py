"""torch.nn.functional's names over the ops: what a model's forward is written with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .core import refused_names
from .core.factory import full
from .core.tensor import int32, whole_number
from .ops import elementwise, movement
from .ops.attention import rotary, scaled_dot_product_attention
from .ops.embedding import embedding as _embedding
from .ops.matmul import linear
from .ops.norm import layer_norm as _layer_norm
from .ops.norm import rms_norm as _rms_norm
from .ops.random import dropout as _dropout
from .ops.softmax_xent import check_reduction, cross_entropy, nll_loss
from .ops.softmax_xent import log_softmax as _log_softmax
from .ops.softmax_xent import softmax as _softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .core.tensor import Tensor


__all__ = [
    "relu",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "softmax",
    "log_softmax",
    "cross_entropy",
    "nll_loss",
    "mse_loss",
    "linear",
    "embedding",
    "layer_norm",
    "rms_norm",
    "dropout",
    "scaled_dot_product_attention",
    "rotary",
    "one_hot",
]


def relu(x: Tensor) -> Tensor:
    """max(x, 0), elementwise."""
    return elementwise.unary("relu", x)


def gelu(x: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), elementwise (Hendrycks and Gimpel 2016).

    approximate: "none" (exact, by erf) or "tanh" (its tanh form); RuntimeError for another word.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh, not %r" % (approximate,))
    return elementwise.unary("gelu" if approximate == "none" else "gelu_tanh", x)


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x), elementwise (Elfwing et al. 2018)."""
    return elementwise.unary("silu", x)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), elementwise."""
    return elementwise.unary("sigmoid", x)


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent, elementwise."""
    return elementwise.unary("tanh", x)


def embedding(index: Tensor, weight: Tensor) -> Tensor:
    """weight[index]: int32 indices [...], weight [V, C] -> [..., C].

    RuntimeError for other dtypes or ranks, IndexError for an index outside the table.
    """
    return _embedding(index, weight)


def _normalized(x: Tensor, shape: int | Sequence[int], name: str) -> None:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if shape != x._shape[-1:]:
        raise RuntimeError(
            "%s: normalized_shape %s must name the last dimension of the input, of shape %s"
            % (name, list(shape), list(x._shape))
        )


def layer_norm(
    x: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Layer norm over the last dimension (Ba et al. 2016).

    x: [..., C]. normalized_shape: C, else RuntimeError. weight, bias: [C] or None.
    """
    _normalized(x, normalized_shape, "layer_norm")
    return _layer_norm(x, weight, bias, eps)


def rms_norm(
    x: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """RMS norm over the last dimension (Zhang and Sennrich 2019).

    x: [..., C]. normalized_shape: C, else RuntimeError. weight: [C] or None. eps: without one it is
    2^-23, the spacing of float32 at 1, as in PyTorch.
    """
    _normalized(x, normalized_shape, "rms_norm")
    return _rms_norm(x, weight, 2.0**-23 if eps is None else eps)


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Zeroes elements with probability p and scales the rest by 1 / (1 - p), when training.

    ValueError for p outside [0, 1].
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError("dropout probability has to be between 0 and 1, but got %r" % (p,))
    return _dropout(x, p) if training else x


def softmax(x: Tensor, dim: int | None = None) -> Tensor:
    """exp(x - max) / sum(exp(x - max)) along dim, float32.

    Without dim PyTorch's old rule holds: dimension 0 of 0, 1 or 3 dimensions, else 1.
    """
    return _softmax(x, _softmax_dim(x, dim))


def log_softmax(x: Tensor, dim: int | None = None) -> Tensor:
    """x - max - log(sum(exp(x - max))) along dim, float32; without dim as softmax."""
    return _log_softmax(x, _softmax_dim(x, dim))


def _softmax_dim(x: Tensor, dim: int | None) -> int:
    return dim if dim is not None else 0 if x.ndim in (0, 1, 3) else 1


def mse_loss(
    x: Tensor, target: Tensor, size_average: None = None, reduce: None = None, reduction: str = "mean"
) -> Tensor:
    """(x - target)^2: its mean or sum, a scalar, or elementwise (reduction="none").

    ValueError for another reduction, or for PyTorch's former options.
    """
    check_reduction("mse_loss", size_average, reduce, reduction)
    squares = (x - target).square()
    return squares.mean() if reduction == "mean" else squares.sum() if reduction == "sum" else squares


def one_hot(index: Tensor, num_classes: int = -1) -> Tensor:
    """int32 [...] -> int32 [..., num_classes]: 1 at the index, 0 elsewhere.

    num_classes -1: one more than the largest index, which is read from the device. RuntimeError
    for an index outside, and for other dtypes.
    """
    num_classes = whole_number(num_classes, "num_classes")
    if index._dtype is not int32:
        raise RuntimeError("one_hot: expected an int32 tensor of classes, not %s" % index._dtype.name)
    if num_classes == -1:
        if not index.numel():
            raise RuntimeError("one_hot: the number of classes does not follow from no index; give num_classes")
        num_classes = max(int(index.max()), -1) + 1
    if num_classes < 1 and (index.numel() or num_classes < 0):
        raise RuntimeError("one_hot: the classes must be at least 0 and below num_classes = %d" % num_classes)
    if not index.numel():
        return full((*index._shape, num_classes), 0, int32, index.device)
    places = movement.arange(num_classes, device=index.device)
    try:  # the gather is what finds an index outside, without a read
        inside = _embedding(index, full((num_classes, 1), 1.0, device=index.device))
    except IndexError:
        raise RuntimeError("one_hot: a class is negative, or not below num_classes = %d" % num_classes) from None
    return ((index.unsqueeze(-1) == places) * inside).int()


__getattr__ = refused_names.of_module(__name__)
