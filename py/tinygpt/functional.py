"""torch.nn.functional's names over the ops: what a model's forward is written with."""

from .ops import elementwise
from .ops.attention import rotary, scaled_dot_product_attention
from .ops.matmul import linear
from .ops.norm import layer_norm as _layer_norm
from .ops.norm import rms_norm as _rms_norm
from .ops.random import dropout as _dropout
from .ops.softmax_xent import cross_entropy, log_softmax, softmax

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


def relu(x):
    return elementwise.unary("relu", x)


def gelu(x, approximate="none"):
    """x * Phi(x), exactly (erf), or with approximate="tanh" its tanh form (Hendrycks and Gimpel 2016)."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh, not %r" % (approximate,))
    return elementwise.unary("gelu" if approximate == "none" else "gelu_tanh", x)


def silu(x):
    return elementwise.unary("silu", x)


def sigmoid(x):
    return elementwise.unary("sigmoid", x)


def tanh(x):
    return elementwise.unary("tanh", x)


def embedding(index, weight):
    """weight[index]: int32 indices [...], weight [V, C] -> [..., C]."""
    from .ops import embedding as family

    return family.embedding(index, weight)


def _normalized(x, shape, name):
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if shape != x.shape[-1:]:
        raise RuntimeError(
            "%s: normalized_shape %s must name the last dimension of the input, of shape %s" % (name, list(shape), list(x.shape))
        )


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Layer norm over the last dimension, which normalized_shape must name."""
    _normalized(x, normalized_shape, "layer_norm")
    return _layer_norm(x, weight, bias, eps)


def rms_norm(x, normalized_shape, weight=None, eps=1e-5):
    """RMS norm over the last dimension, which normalized_shape must name."""
    _normalized(x, normalized_shape, "rms_norm")
    return _rms_norm(x, weight, eps)


def dropout(x, p=0.5, training=True):
    """Zeroes elements with probability p and scales the rest, when training."""
    return _dropout(x, p) if training else x


def nll_loss(log_probabilities, targets):
    """-mean(log_probabilities[i, targets[i]])."""
    from .ops import movement

    n = targets.shape[0]
    return -log_probabilities[movement.arange(n, device=targets.device), targets].mean()


def mse_loss(x, target):
    return (x - target).square().mean()


def one_hot(index, num_classes):
    """int32 [...] -> int32 [..., num_classes]: 1 at the index, 0 elsewhere."""
    from .ops import movement

    return (index.unsqueeze(-1) == movement.arange(num_classes, device=index.device)).int()
