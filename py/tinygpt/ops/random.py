"""Random numbers: Philox 4x32-10, one stream for a seed, the same on every device. The streams
themselves are in generator.py.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import kernels
from ..core import generator as streams
from ..core.autograd import attach, is_recorded, needs_grad, written
from ..core.factory import empty, like, tensor
from ..core.mersenne import Mersenne
from ..core.tensor import RangeError, Tensor, float32, float64, int32, whole_number
from ..graph import program
from . import elementwise, inplace, movement, reduce

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..core.generator import Generator
    from ..devices.base import Device
    from ..kernels import Kernel


# What the kernels of Philox are in a stream of mt19937, and what their params become there.
_KINDS: dict[str, tuple[str, Callable[..., Sequence[float]]]] = {
    "random_uniform": ("uniform", lambda low, high: (low, high)),
    "random_normal": ("normal", lambda mean, std: (mean, std)),
    "random_int": ("integers", lambda low, high: (low, high - low)),
}


def mersenne_of(generator: Any, device: Device) -> Mersenne | None:
    """The stream of mt19937 that is meant: `generator`, or on a CPU the default one where code runs
    under PyTorch's meaning. None: Philox.
    """
    if generator is None:
        return None if device.volatile else streams.mersenne
    return generator if isinstance(generator, Mersenne) else None


def _draw(kernel: Kernel, out: Tensor, params: Sequence[float], generator: Any) -> Tensor:
    n = out.numel()
    if n:
        stream = mersenne_of(generator, out.device)
        if stream is not None:
            kind, of = _KINDS[kernel.name]
            return stream.draw(kind, out, *of(*params))
        rng, offset = (generator or streams.default_generator).reserve(out.device, -(-n // 4))
        launch = program.launch
        launch(kernel, (out, rng), (n, *params, offset))
    return out


def rand(
    *shape: int | Sequence[int],
    generator: Generator | None = None,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform float32 numbers in [0, 1), of `shape`, from `generator` (the default one)."""
    out = _draw(kernels.random_uniform, empty(*shape, device=device), (0.0, 1.0), generator)
    return out.requires_grad_() if requires_grad else out


def randn(
    *shape: int | Sequence[int],
    generator: Generator | None = None,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Standard normal float32 numbers (Box-Muller), from `generator` (the default one)."""
    out = _draw(kernels.random_normal, empty(*shape, device=device), (0.0, 1.0), generator)
    return out.requires_grad_() if requires_grad else out


def randint(
    low: int, high: Any = None, size: Any = None, generator: Generator | None = None, device: Device | str | None = None
) -> Tensor:
    """int32 numbers in [low, high), of shape `size`; randint(high, size) starts at 0.

    RuntimeError for an empty range, or one that int32 does not hold.
    """
    if size is None:
        low, high, size = 0, low, high
    low, high = whole_number(low, "a bound of randint"), whole_number(high, "a bound of randint")
    if low < -(1 << 31) or high > 1 << 31:
        raise RangeError("randint(%d, %d): int32 holds -2147483648 to 2147483647" % (low, high))
    if high <= low:
        raise RuntimeError("random_ expects 'from' to be less than 'to', but got from=%d >= to=%d" % (low, high))
    return _draw(kernels.random_int, empty(size, dtype=int32, device=device), (low, high), generator)


def uniform_(x: Tensor, low: float = 0.0, high: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fills x with uniform numbers in [low, high) in place. Returns x.

    RuntimeError where x is not contiguous or is recorded for backward, or for limits that are not
    finite or not in order.
    """
    if not -math.inf < low <= high < math.inf:
        raise RuntimeError("uniform_ expects finite numbers low <= high, but got %r and %r" % (low, high))
    return _fill_random(kernels.random_uniform, x, low, high, generator)


def normal_(x: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fills x with normal numbers from `generator` (the default one) in place. Returns x.

    RuntimeError where x is not contiguous or is recorded for backward, or for an std that is not at
    least 0.
    """
    if not std >= 0:
        raise RuntimeError("normal_ expects std >= 0.0, but found std %r" % (std,))
    return _fill_random(kernels.random_normal, x, mean, std, generator)


def _fill_random(kernel: Kernel, x: Tensor, a: float, b: float, generator: Generator | None) -> Tensor:
    inplace.check_overlap(x)
    recorded = is_recorded(x, "random fill")
    if not x.is_contiguous():
        raise RuntimeError("an in-place random fill needs a contiguous tensor, not strides %s" % list(x._strides))
    _draw(kernel, x, (float(a), float(b)), generator)
    return inplace.overwritten(x, "random fill") if recorded else written(x)


def dropout(x: Tensor, p: float = 0.5, generator: Generator | None = None) -> Tensor:
    """x with elements zeroed at random, the rest scaled by 1 / (1 - p) (Srivastava et al. 2014).

    x: float32, any shape. p: the probability of a zero; ValueError outside [0, 1]. The backward
    draws the same mask again, so none is stored.
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError("dropout probability has to be between 0 and 1, but got %r" % (p,))
    if p == 0.0:
        return x
    if p == 1.0:
        return x * 0.0
    stream = mersenne_of(generator, x.device)
    if stream is not None:
        order = sorted(range(x.ndim), key=lambda d: -x._strides[d])
        if order != list(range(x.ndim)) and not x.is_contiguous():  # PyTorch draws in the order of memory
            across = dropout(movement.permute(x, order), p, generator)
            return movement.no_view(movement.permute(across, [order.index(d) for d in range(x.ndim)]))
        kept = stream.draw("bernoulli", like(x, dtype=float64 if x._dtype is float64 else float32), 1 - p)
        return elementwise.mul(x, elementwise.div(kept, 1 - p)._cast(x._dtype))
    x = x.contiguous()
    n = x.numel()
    rng, offset = (generator or streams.default_generator).reserve(x.device, -(-n // 4))
    out = like(x)
    program.launch(kernels.dropout, (out, x, rng), (n, p, offset))
    if needs_grad(x):
        captured = program.active_capture()
        at = (generator or streams.default_generator)._base

        def backward(dy):
            # The mask is drawn again: the same offset, seen from where the stream's base is now.
            shift = 0 if captured is not None else at - (generator or streams.default_generator)._base
            dy = dy.contiguous()
            dx = like(dy)
            program.launch(kernels.dropout, (dx, dy, rng), (n, p, offset + shift))
            return (dx,)

        attach("dropout", (out,), (x,), backward)
    return out


def batch_windows(
    tokens: Tensor, batch_size: int, context: int, low: int, high: int, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Random windows of tokens[low:high]: (x, y) int32 [B, T], y one token ahead.

    tokens: int32 [N]. batch_size is B, context T. RuntimeError for other tokens, or where a window
    of T + 1 tokens does not fit.
    """
    if not isinstance(tokens, Tensor) or tokens._dtype is not int32 or tokens.ndim != 1:
        raise RuntimeError("batch_windows needs a 1-d int32 tensor of tokens")
    batch_size, context, low, high = (
        whole_number(n, "a size of batch_windows") for n in (batch_size, context, low, high)
    )
    if batch_size < 0 or context < 0:
        raise RuntimeError("batch_windows: %d windows of %d tokens" % (batch_size, context))
    tokens = tokens.contiguous()
    if not 0 <= low < high <= tokens._shape[0] or high - low <= context:
        raise RuntimeError(
            "a window of %d + 1 tokens does not fit into tokens %d to %d of %d" % (context, low, high, tokens._shape[0])
        )
    rng, offset = (generator or streams.default_generator).reserve(tokens.device, -(-batch_size // 4))
    x, y = (like(tokens, (batch_size, context)) for _ in range(2))
    starts = like(tokens, (batch_size,))
    program.launch(kernels.batch_windows, (x, y, starts, tokens, rng), (batch_size, context, low, high, offset))
    return x, y


def sample(logits: Tensor, settings: Tensor, generator: Generator | None = None) -> Tensor:
    """One token per row of logits, drawn in proportion to their softmax: int32 [B].

    logits: float32 [B, V]. settings: float32 [4] = temperature, top_k, top_p, 0 (kernels.sample).
    """
    if logits.ndim != 2 or logits._dtype is not float32 or settings._shape != (4,) or settings._dtype is not float32:
        raise RuntimeError(
            "sample needs float32 logits [B, V] and settings [4], not %s %s and %s %s"
            % (logits._dtype.name, list(logits._shape), settings._dtype.name, list(settings._shape))
        )
    logits = logits.contiguous()
    B, V = logits._shape
    rng, offset = (generator or streams.default_generator).reserve(logits.device, B)
    out = like(logits, (B,), int32)
    program.launch(kernels.sample, (out, logits, rng, settings), (B, V, offset))
    return out


def multinomial(
    probabilities: Tensor, num_samples: int = 1, replacement: bool = False, generator: Generator | None = None
) -> Tensor:
    """Indices drawn in proportion to `probabilities`; no index twice in a row unless `replacement`.

    probabilities: float32 [V] or [B, V]; rows need not sum to 1. Returns int32 [num_samples] or
    [B, num_samples]. An index of probability 0 is never drawn. RuntimeError for a number that is
    negative, infinite or NaN, for a row of zeros, and for more draws than a row has indices.
    """
    num_samples = whole_number(num_samples, "num_samples")
    if probabilities.ndim not in (1, 2):
        raise RuntimeError("multinomial: give 1 or 2 dimensions, not shape %s" % list(probabilities._shape))
    if probabilities._dtype is not float32:
        raise RuntimeError("multinomial: probabilities must be float32, not %s" % probabilities._dtype.name)
    if num_samples <= 0:
        raise RuntimeError("multinomial: cannot draw %d samples; give at least 1" % num_samples)
    V = probabilities._shape[-1]
    if not replacement and num_samples > V:
        raise RuntimeError(
            "multinomial: cannot draw %d samples of %d without replacement; give replacement=True" % (num_samples, V)
        )
    rows = probabilities.detach().reshape(-1, V)
    if not rows._shape[0]:
        return empty(0, num_samples, dtype=int32, device=rows.device)
    _check_probabilities(rows, 1 if replacement else num_samples)
    logits = elementwise.unary("log", rows)
    settings = tensor([1.0, 0.0, 1.0, 0.0], device=rows.device)
    draws = []
    for left in range(num_samples, 0, -1):
        drawn = sample(logits, settings, generator)
        draws.append(drawn)
        if not replacement and left > 1:
            taken = elementwise.compare("eq", drawn.unsqueeze(1), movement.arange(V, device=rows.device))
            logits = elementwise.where(taken, -math.inf, logits)
    return movement.stack(draws, 1).reshape(*probabilities._shape[:-1], num_samples)


def _check_probabilities(rows: Tensor, needed: int) -> None:
    """RuntimeError where a row of [B, V] is no distribution, or has fewer than `needed` indices."""
    wrong = elementwise.logical_not(
        elementwise.logical_and(elementwise.compare("ge", rows, 0), elementwise.compare("lt", rows, math.inf))
    )
    fewest = reduce.min_(reduce.sum_(elementwise.compare("gt", rows, 0), 1))
    count, fewest = (int(v) for v in movement.stack([reduce.sum_(wrong), fewest]).tolist())  # one read
    if count:
        raise RuntimeError(
            "multinomial: %d of %d probabilities are negative, infinite or NaN; clamp them first"
            % (count, rows.numel())
        )
    if not fewest:
        raise RuntimeError("multinomial: a row has no probability above 0, so nothing can be drawn from it")
    if fewest < needed:
        raise RuntimeError(
            "multinomial: cannot draw %d samples without replacement from a row with %d probabilities above 0"
            % (needed, fewest)
        )
