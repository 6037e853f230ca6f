"""Names of torch.nn.functional that `torch` has too: convolution, pooling, norms, shuffles, losses.
They load torch.nn at their first call.
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "convolution": "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
    "pooling": "adaptive_avg_pool1d avg_pool1d max_pool1d max_pool1d_with_indices max_pool2d max_pool3d",
    "normalization": "batch_norm group_norm instance_norm",
    "padding": "constant_pad_nd",
    "vision": "channel_shuffle native_channel_shuffle pixel_shuffle pixel_unshuffle",
}


def _late(module: str, name: str) -> Any:
    def call(*args: Any, **named: Any) -> Any:
        return getattr(importlib.import_module(".nn." + module, __package__), name)(*args, **named)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "torch.nn.functional.%s." % name
    return call


def batch_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool, momentum: float,
    eps: float, cudnn_enabled: bool = True,
) -> Any:  # fmt: skip
    """torch.nn.functional.batch_norm with the arguments in another order."""
    function = importlib.import_module(".nn.normalization", __package__).batch_norm
    return function(input, running_mean, running_var, weight, bias, training, momentum, eps)


def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, cudnn_enabled: bool = True
) -> Any:
    """torch.nn.functional.group_norm."""
    return importlib.import_module(".nn.normalization", __package__).group_norm(input, num_groups, weight, bias, eps)


def instance_norm(
    input: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: bool, momentum: float,
    eps: float, cudnn_enabled: bool = True,
) -> Any:  # fmt: skip
    """torch.nn.functional.instance_norm with the arguments in another order."""
    function = importlib.import_module(".nn.normalization", __package__).instance_norm
    return function(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def adaptive_max_pool1d(input: Any, output_size: Any) -> Any:
    """(values, places) of torch.nn.functional.adaptive_max_pool1d."""
    return importlib.import_module(".nn.pooling", __package__).adaptive_max_pool1d(input, output_size, True)


# Losses of `torch`, whose reduction is a number: their arguments.
_LOSSES = {
    "kl_div": "input target reduction",
    "ctc_loss": "log_probs targets input_lengths target_lengths blank reduction zero_infinity",
    "cosine_embedding_loss": "input1 input2 target margin reduction",
    "hinge_embedding_loss": "input target margin reduction",
    "margin_ranking_loss": "input1 input2 target margin reduction",
    "triplet_margin_loss": "anchor positive negative margin p eps swap reduction",
    "poisson_nll_loss": "input target log_input full eps reduction",
    "binary_cross_entropy_with_logits": "input target weight pos_weight reduction",
}


def _loss(name: str, arguments: list[str]) -> Any:
    def call(*args: Any, **named: Any) -> Any:
        if len(args) > len(arguments):
            raise TypeError("%s() takes %d arguments, not %d" % (name, len(arguments), len(args)))
        given = {**dict(zip(arguments, args, strict=False)), **named}
        number = given.pop("reduction", 0)
        if number not in (0, 1, 2):
            raise ValueError("%s(): reduction is 0 (none), 1 (mean) or 2 (sum), not %r" % (name, number))
        function = getattr(importlib.import_module(".nn.functional", __package__), name)
        return function(**given, reduction=("none", "mean", "sum")[number])

    call.__name__ = call.__qualname__ = name
    call.__doc__ = "torch.nn.functional.%s, whose reduction is 0 (none), 1 (mean) or 2 (sum)." % name
    return call


__all__ = ["adaptive_max_pool1d", *_LOSSES, *" ".join(_WHERE.values()).split()]  # pyright: ignore[reportUnsupportedDunderAll]
for _module, _names in _WHERE.items():
    for _name in _names.split():
        globals().setdefault(_name, _late(_module, _name))
for _name, _names in _LOSSES.items():
    globals()[_name] = _loss(_name, _names.split())
