"""Random numbers: Philox 4x32-10, one stream for a seed, the same on every device (Salmon et al. 2011).

A Generator counts blocks of four 32-bit numbers. Its place in the stream lives in a small device buffer (`rng`: seed, base) that a compiled
function's replay rewrites, so a captured dropout draws new numbers at every step, and the same ones that the eager step would have drawn.
"""

import contextlib
import weakref

from .. import kernels, program
from ..autograd import attach, wanted
from ..creation import empty, like
from ..devices.base import Words
from ..tensor import Tensor, int32

_all = weakref.WeakSet()  # every Generator
_PLACE = Words("QQ")


class Generator:
    """A place in a random stream. seed: any int (its low 64 bits count). offset: blocks drawn so far."""

    def __init__(self, seed=42):
        self._rng, self._places = {}, []  # device name -> rng tensor; their storages
        _all.add(self)
        self._capture = None
        self.manual_seed(seed)

    def manual_seed(self, seed):
        self.seed, self.offset = int(seed) & (2**64 - 1), 0
        self._base = self._forks = 0
        self._write()
        return self

    def fork(self):
        """A seed for a stream of its own (of a sampled text, say); the next call gives another. This stream does not move."""
        self._forks += 1
        return (self.seed + 0x9E3779B97F4A7C15 * self._forks) & (2**64 - 1)

    def get_state(self):
        """{"seed", "offset"}: give it to set_state to continue the stream here."""
        return {"seed": self.seed, "offset": self.offset}

    def set_state(self, values):
        self.manual_seed(values["seed"])
        self.offset = int(values["offset"])

    @contextlib.contextmanager
    def again_from(self, values):
        """Inside, the stream goes on where `values` (get_state) says; afterwards where it was, as if nothing had been drawn inside."""
        seed, offset, base = self.seed, self.offset, self._base
        taken = self._taken if self._capture is not None and self._capture is program.active_capture() else None
        blocks = taken.blocks if taken is not None else 0
        if values["seed"] != seed:
            self.seed = values["seed"]
            self._write()
        self.offset = values["offset"]
        try:
            yield
        finally:
            self.offset = offset
            if taken is not None:
                taken.blocks = blocks
            if self.seed != seed or self._base != base and program.active_capture() is None:
                self.seed, self._base = seed, base
                self._write()

    def reserve(self, device, blocks):
        """Takes `blocks` of the stream: (rng tensor, offset of the first relative to its base)."""
        rng = self._rng.get(device.name)
        if rng is None:
            rng = self._rng[device.name] = empty(4, dtype=int32, device=device)
            self._places.append(rng._storage)
            self._write()
        capture = program.active_capture()
        if capture is not None and self._capture is not capture:
            self._capture = capture
            self._base = self.offset
            self._write()
            taken = _Taken(self)
            program.before_replay(taken)
            self._taken = taken
        relative = self.offset - self._base
        self.offset += blocks
        if capture is not None:
            self._taken.blocks += blocks
        return rng, relative

    def _write(self):
        place = self.seed, self._base
        for storage in self._places:
            storage.device.put(_PLACE, storage.handle, place)


class _Taken:
    """How much of a generator's stream one captured call draws."""

    def __init__(self, generator):
        self.generator, self.blocks = generator, 0

    def advance(self):
        g = self.generator
        g._base = g.offset
        g._write()
        g.offset += self.blocks

    def retreat(self):
        self.generator.offset -= self.blocks


def forget(device):
    """Drops what generators keep on a device that is left, or that was lost; their places in their streams stay."""
    for generator in _all:
        generator._rng.pop(device.name, None)
        generator._places = [rng._storage for rng in generator._rng.values()]


default_generator = Generator()


def manual_seed(seed):
    """Restarts the default generator, which initialisation, dropout and sampling draw from. Returns it."""
    return default_generator.manual_seed(seed)


def _draw(kernel, out, params, generator):
    n = out.numel()
    if n:
        rng, offset = (generator or default_generator).reserve(out.device, -(-n // 4))
        launch = program.launch
        launch(kernel, (out, rng), (n, *params, offset))
    return out


def rand(*shape, generator=None, device=None, requires_grad=False):
    """Uniform in [0, 1)."""
    out = _draw(kernels.random_uniform, empty(*shape, device=device), (0.0, 1.0), generator)
    return out.requires_grad_() if requires_grad else out


def randn(*shape, generator=None, device=None, requires_grad=False):
    """Standard normal (Box-Muller)."""
    out = _draw(kernels.random_normal, empty(*shape, device=device), (0.0, 1.0), generator)
    return out.requires_grad_() if requires_grad else out


def randint(low, high=None, size=None, generator=None, device=None):
    """int32 in [low, high); randint(high, size) starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    if high <= low:
        raise RuntimeError("random_ expects 'from' to be less than 'to', but got from=%d >= to=%d" % (low, high))
    return _draw(kernels.random_int, empty(size, dtype=int32, device=device), (low, high), generator)


def uniform_(x, low=0.0, high=1.0, generator=None):
    """Fills a contiguous leaf in place; returns it."""
    return _fill_random(kernels.random_uniform, x, low, high, generator)


def normal_(x, mean=0.0, std=1.0, generator=None):
    return _fill_random(kernels.random_normal, x, mean, std, generator)


def _fill_random(kernel, x, a, b, generator):
    from .inplace import writable

    writable(x, "random fill")
    if not x.is_contiguous():
        raise RuntimeError("an in-place random fill needs a contiguous tensor, not strides %s" % list(x._strides))
    return _draw(kernel, x, (float(a), float(b)), generator)


def dropout(x, p=0.5, generator=None):
    """x with each element zeroed with probability p and the rest scaled by 1 / (1 - p) (Srivastava et al. 2014)."""
    if not 0.0 <= p <= 1.0:
        raise ValueError("dropout probability has to be between 0 and 1, but got %r" % (p,))
    if p == 0.0:
        return x
    if p == 1.0:
        return x * 0.0
    x = x.contiguous()
    n = x.numel()
    rng, offset = (generator or default_generator).reserve(x.device, -(-n // 4))
    out = like(x)
    program.launch(kernels.dropout, (out, x, rng), (n, p, offset))
    if wanted(x):
        captured = program.active_capture()
        at = (generator or default_generator)._base

        def backward(dy):
            # The mask is drawn again: the same offset, seen from where the stream's base is now.
            shift = 0 if captured is not None else at - (generator or default_generator)._base
            dy = dy.contiguous()
            dx = like(dy)
            program.launch(kernels.dropout, (dx, dy, rng), (n, p, offset + shift))
            return (dx,)

        attach("dropout", (out,), (x,), backward)
    return out


def batch_windows(tokens, batch_size, context, low, high, generator=None):
    """Random windows of tokens[low:high]: (x, y) int32 [B, T], y one token ahead. tokens: int32 [N]."""
    if not isinstance(tokens, Tensor) or tokens.dtype is not int32 or tokens.ndim != 1:
        raise RuntimeError("batch_windows needs a 1-d int32 tensor of tokens")
    if not 0 <= low < high <= tokens.shape[0] or high - low <= context:
        raise RuntimeError("a window of %d + 1 tokens does not fit into tokens %d to %d of %d" % (context, low, high, tokens.shape[0]))
    rng, offset = (generator or default_generator).reserve(tokens.device, -(-batch_size // 4))
    x, y = (like(tokens, (batch_size, context)) for _ in range(2))
    starts = like(tokens, (batch_size,))
    program.launch(kernels.batch_windows, (x, y, starts, tokens, rng), (batch_size, context, low, high, offset))
    return x, y


def sample(logits, settings, generator=None):
    """One token per row of logits [B, V] -> int32 [B]. settings: float32 [4] = temperature, top_k, top_p, 0 (kernels.sample)."""
    logits = logits.contiguous()
    b, v = logits.shape
    rng, offset = (generator or default_generator).reserve(logits.device, b)
    out = like(logits, (b,), int32)
    program.launch(kernels.sample, (out, logits, rng, settings), (b, v, offset))
    return out


def multinomial(probabilities, num_samples=1, generator=None):
    """One index per row drawn in proportion to `probabilities` [V] or [B, V]; with replacement when num_samples > 1."""
    from ..creation import tensor
    from . import elementwise, movement

    rows = probabilities if probabilities.ndim == 2 else probabilities.unsqueeze(0)
    logits = elementwise.unary("log", rows.detach())
    settings = tensor([1.0, 0.0, 1.0, 0.0], device=rows.device)
    draws = [sample(logits, settings, generator) for _ in range(num_samples)]
    out = movement.stack(draws, 1)
    return out if probabilities.ndim == 2 else out.squeeze(0)
