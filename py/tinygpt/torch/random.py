"""Random numbers: those of PyTorch's CPU generator for the same seed (mt19937) on a CPU, Philox on
a GPU.
"""

from __future__ import annotations

import contextlib
import math
import os
from typing import Any

from ..core import generator as streams
from ..core import mersenne
from ..core.autograd import is_recorded, written
from ..core.current_device import get_device
from ..core.factory import empty, full, like, shape_of, tensor
from ..core.state import no_grad, state
from ..core.tensor import (
    DTYPES,
    Tensor,
    bool_,
    dtype,
    float32,
    float64,
    int64,
    uint8,
)
from ..ops import elementwise, inplace, movement
from ..ops import random as philox
from . import front, table
from .keywords import refuse

DRAWN = ("float32", "float64", "int32", "int64")  # what the kernel fills
DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}  # of a significand


class Generator(mersenne.Mersenne):
    """A stream of random numbers: mt19937, as PyTorch's on a CPU. device: "cpu"."""

    def __init__(self, device: Any = "cpu") -> None:
        if str(device) != "cpu":
            raise RuntimeError(
                "Device type %s is not supported for torch.Generator() api; a GPU draws from Philox's default stream, "
                "so leave the generator out" % str(device).upper()
            )
        super().__init__()

    @property
    def device(self) -> Any:
        """The CPU."""
        return get_device()

    def manual_seed(self, seed: Any) -> Generator:
        """Restarts the stream at its first number. seed: an int of 64 bits. Returns self."""
        self.restart(seed)
        return self

    def seed(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Restarts at a seed that the operating system draws. Returns it."""
        self.restart(int.from_bytes(os.urandom(8), "little") >> 11)
        return self.first

    def initial_seed(self) -> int:
        """The seed, from 0 to 2^64 - 1."""
        return self.first

    def get_state(self) -> Tensor:
        """The place in the stream: uint8 [5056], PyTorch's own form."""
        return empty(5056, dtype=uint8).copy_bytes_(mersenne.legacy_state(self))

    def set_state(self, new_state: Tensor) -> None:
        """Continues where `new_state` (get_state) says."""
        if not isinstance(new_state, Tensor) or new_state._dtype is not uint8:
            raise TypeError("expected a torch.ByteTensor, but got %s" % type(new_state).__name__)
        try:
            mersenne.from_legacy_state(self, new_state.tobytes())
        except ValueError as error:
            raise RuntimeError("Invalid mt19937 state: %s" % error) from None

    def clone_state(self) -> Generator:
        """Another generator at the same place."""
        other = Generator()
        other.set_state(self.get_state())
        return other

    graphsafe_get_state, graphsafe_set_state = clone_state, set_state

    def __repr__(self) -> str:
        return "<torch._C.Generator object at %#x>" % id(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"seed": self.first, "state": self.read()}

    def __setstate__(self, values: dict[str, Any]) -> None:
        Generator.__init__(self)
        self.first = values["seed"]
        self.write(values["state"])


default_generator = Generator()


def _enter() -> None:
    streams.mersenne = default_generator


def _leave() -> None:
    streams.mersenne = None


front.on_switch(_enter, _leave)
front.on_fresh(lambda: default_generator.restart(Generator().first))


def manual_seed(seed: Any) -> Generator:
    """Restarts the default streams: mt19937 of the CPU, Philox of the GPU. Returns the first."""
    seed = int(seed)
    streams.manual_seed(seed)
    return default_generator


def seed() -> int:
    """Restarts the default streams at a seed that the operating system draws. Returns it."""
    return manual_seed(int.from_bytes(os.urandom(8), "little") >> 11).initial_seed()


def initial_seed() -> int:
    """The default stream's seed."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The place in the default stream: uint8 [5056], PyTorch's own form."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continues the default stream where `new_state` says."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **_: Any):
    """Inside, the default stream may move; afterwards it is where it was."""
    if not enabled:
        yield
        return
    place = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(place)


# ---- filling ------------------------------------------------------------------------------------


def _stream(generator: Any, x: Tensor) -> Any:
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError("generator must be a torch.Generator, not %s" % type(generator).__name__)
    return philox.mersenne_of(generator, x.device)


def _in_memory_order(x: Tensor) -> Tensor:
    """x with its dimensions in the order of its strides, in which PyTorch draws."""
    order = sorted(range(x.ndim), key=lambda d: (-x._strides[d], d))
    return movement.permute(x, order) if order != list(range(x.ndim)) else x


def _fill(x: Tensor, what: str, kind: str, a: float, b: float, generator: Any) -> Tensor:
    """Draws into x, in place, as the method `what` of PyTorch."""
    inplace.check_overlap(x)
    recorded = is_recorded(x, what)
    stream = _stream(generator, x)
    with no_grad():
        seen = _in_memory_order(x.detach())
        serial = kind == "normal" and not x.is_contiguous() and x.numel() >= 16
        if stream is None:
            _philox(seen, kind, a, b)
        elif seen.is_contiguous() and x._dtype.name in DRAWN and not serial:
            stream.draw(kind, seen, a, b)
        else:
            elementwise.copy_into(seen, _drawn(stream, seen, kind, a, b, serial))
    return inplace.overwritten(x, what) if recorded else written(x)


def _drawn(stream: mersenne.Mersenne, like_this: Tensor, kind: str, a: float, b: float, serial: bool) -> Tensor:
    """A dense tensor of a dtype that the kernel has, with what is copied into `like_this`."""
    kept = like_this._dtype
    wide = DTYPES[kept.name if kept.name in DRAWN else "float32" if kept.is_floating_point else "int64"]
    if kind == "permutation" or not serial:
        return stream.draw(kind, like(like_this, dtype=wide), a, b)
    out = like(like_this, dtype=wide).reshape(-1)
    for at in range(0, out._shape[0], 15):  # one by one, not in blocks of 16
        stream.draw(kind, out[at : at + 15], a, b)
    return out.reshape(like_this._shape)


def _philox(x: Tensor, kind: str, a: float, b: float) -> None:
    dense = like(x, dtype=float32)
    if kind == "uniform":
        philox.uniform_(dense, a, b)
    elif kind == "normal":
        philox.normal_(dense, a, b)
    elif kind in ("integers", "words") and a >= -(2**31) and a + b <= 2**31:
        dense = philox.randint(int(a), int(a + b), dense._shape, device=x.device)
    elif kind == "bernoulli":
        dense = (philox.rand(dense._shape, device=x.device) < a).float()
    elif kind == "exponential":
        dense = -(1 - philox.rand(dense._shape, device=x.device)).log() / a
    else:
        raise RuntimeError("random numbers of this kind are drawn on the CPU alone; draw there and move them")
    elementwise.copy_into(x, dense)


def _number(value: Any) -> float:
    return value.item() if isinstance(value, Tensor) else value


def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Any = None, **other: Any) -> Tensor:
    """Fills with uniform numbers in [from, to), in place."""
    from_ = other.pop("from", from_)
    refuse("uniform_", **other)
    low, high = float(_number(from_)), float(_number(to))
    _floats_only(self, "uniform_", "check_uniform_bounds")
    if not low <= high:
        raise RuntimeError("uniform_ expects to return a [from, to) range, but found from=%g > to=%g" % (low, high))
    return _fill(self, "uniform_", "uniform", low, high, generator)


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fills with normal numbers, in place."""
    mean, std = float(_number(mean)), float(_number(std))
    if not std >= 0:
        raise RuntimeError("normal expects std >= 0.0, but found std %g" % std)
    _floats_only(self, "normal_", "normal_kernel_cpu")
    return _fill(self, "normal_", "normal", mean, std, generator)


def _floats_only(x: Tensor, name: str, kernel: str) -> None:
    if not x._dtype.is_floating_point:
        raise NotImplementedError('"%s" not implemented for %r; %s fills floats' % (kernel, x._dtype.name, name))


def random_(self: Tensor, from_: Any = None, to: Any = None, *, generator: Any = None, **other: Any) -> Tensor:
    """Fills with whole numbers in [from, to), in place. Without bounds: from 0 to the largest that
    the dtype holds, of a float the largest below which each whole number is one.
    """
    from_ = other.pop("from", from_)
    refuse("random_", **other)
    kind = self._dtype
    if from_ is None and to is None:
        if kind is float64 or kind is int64:
            return _fill(self, "random_", "integers", 0, 0 if kind is float64 else 2.0**63, generator)
        largest = 2 ** DIGITS[kind.name] if kind.limits is None else kind.limits[1]
        width = 2 if kind is bool_ else largest + 1
        return _fill(self, "random_", "words", 0, width, generator)
    low, high = (0, from_) if to is None else (from_, to)
    low, high = int(_number(low)), int(_number(high))
    if low >= high:
        raise RuntimeError("random_ expects 'from' to be less than 'to', but got from=%d >= to=%d" % (low, high))
    return _fill(self, "random_", "integers", low, high - low, generator)


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fills with 1 with probability p (a number or a tensor of probabilities), else 0, in place."""
    if isinstance(p, Tensor) and p.ndim:
        drawn = _bernoulli_of(p.expand(self._shape), generator)
        return self.copy_(drawn._cast(self._dtype))
    p = float(_number(p))
    if not 0 <= p <= 1:
        raise RuntimeError("bernoulli_ expects p to be in [0, 1], but got p=%g" % p)
    return _fill(self, "bernoulli_", "bernoulli", p, 0, generator)


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fills with exponential numbers of rate lambd, in place."""
    if not lambd > 0:
        raise RuntimeError("exponential_ expects lambda > 0.0, but found lambda=%g" % lambd)
    _floats_only(self, "exponential_", "exponential_cpu")
    return _fill(self, "exponential_", "exponential", float(lambd), 0, generator)


def _wide_uniform(x: Tensor, generator: Any) -> Tensor:
    """Uniform float64 numbers in [0, 1), one for each element of x."""
    stream = _stream(generator, x)
    if stream is None:
        raise RuntimeError("random numbers of this kind are drawn on the CPU alone; draw there and move them")
    return stream.draw("uniform", like(x.detach(), dtype=float64), 0.0, 1.0)


def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Fills with the number of the first success, each with probability p, in place."""
    if not 0 < p < 1:
        raise RuntimeError("geometric_ expects p to be in (0, 1), but got p=%g" % p)
    with no_grad():
        drawn = _wide_uniform(self, generator).log() / math.log1p(-p)
        return self.copy_(-(-drawn // 1))


def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fills with numbers of a Cauchy distribution, in place."""
    if not sigma > 0:
        raise RuntimeError("cauchy_ expects sigma > 0.0, but found sigma=%g" % sigma)
    with no_grad():
        angle = math.pi * (_wide_uniform(self, generator) - 0.5)
        return self.copy_(median + sigma * angle.sin() / angle.cos())


def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Tensor:
    """Fills with exp of normal numbers, in place."""
    with no_grad():
        stream, drawn = _stream(generator, self), like(self.detach())
        if stream is None:
            return self.copy_(_fill(drawn, "log_normal_", "normal", mean, std, generator).exp())
        return self.copy_(_drawn(stream, drawn, "normal", mean, std, True).exp())


# ---- new tensors --------------------------------------------------------------------------------


def _made(sizes: Any, keywords: dict[str, Any], default: Any, name: str) -> tuple[Tensor, bool]:
    """An uninitialised tensor by PyTorch's keywords, and whether it requires a gradient."""
    kind = keywords.pop("dtype", None) or default
    if not isinstance(kind, dtype):
        raise TypeError("%s(): argument 'dtype' must be torch.dtype, not %s" % (name, type(kind).__name__))
    device, requires_grad = keywords.pop("device", None), keywords.pop("requires_grad", False)
    for harmless in ("pin_memory", "layout", "memory_format", "names"):
        keywords.pop(harmless, None)
    if "size" in keywords:
        sizes = (keywords.pop("size"),)
    refuse(name, **keywords)
    return empty(shape_of(sizes), dtype=kind, device=device), bool(requires_grad)


def _real() -> Any:
    return DTYPES[state.real]


def _finished(x: Tensor, requires_grad: bool) -> Tensor:
    x._storage.version = 0
    return x.requires_grad_() if requires_grad else x


def rand(*size: Any, generator: Any = None, **keywords: Any) -> Tensor:
    """Uniform numbers in [0, 1), of the default dtype unless given."""
    out, requires_grad = _made(size, keywords, _real(), "rand")
    return _finished(uniform_(out, generator=generator), requires_grad)


def randn(*size: Any, generator: Any = None, **keywords: Any) -> Tensor:
    """Standard normal numbers, of the default dtype unless given."""
    out, requires_grad = _made(size, keywords, _real(), "randn")
    return _finished(normal_(out, generator=generator), requires_grad)


def randint(*args: Any, generator: Any = None, **keywords: Any) -> Tensor:
    """Whole numbers in [low, high), int64 unless given: randint([low,] high, size)."""
    given = list(args)
    size = keywords.pop("size", None)
    if size is None:
        size = given.pop()
    low = keywords.pop("low", None)
    high = keywords.pop("high", None)
    if high is None:
        high = given.pop()
    if low is None:
        low = given.pop() if given else 0
    if given:
        raise TypeError("randint() received an invalid combination of arguments")
    if not isinstance(size, (tuple, list)):
        raise TypeError("randint(): argument 'size' must be tuple of ints, not %s" % type(size).__name__)
    out, requires_grad = _made((size,), keywords, int64, "randint")
    return _finished(random_(out, low, high, generator=generator), requires_grad)


def randperm(n: int, *, generator: Any = None, **keywords: Any) -> Tensor:
    """The numbers below n in a random order, int64 unless given."""
    if n < 0:
        raise RuntimeError("n must be non-negative, but got %d" % n)
    out, requires_grad = _made((n,), keywords, int64, "randperm")
    stream = _stream(generator, out)
    if stream is None:
        drawn = stream_of_cpu().draw("permutation", empty(n, dtype=int64, device=get_device("cpu")))
        return _finished(drawn.to(out.device)._cast(out._dtype), requires_grad)
    if out._dtype.name in DRAWN:
        return _finished(stream.draw("permutation", out), requires_grad)
    return _finished(stream.draw("permutation", like(out, dtype=int64))._cast(out._dtype), requires_grad)


def stream_of_cpu() -> Generator:
    """The default stream of mt19937."""
    return default_generator


def _like(x: Tensor, keywords: dict[str, Any], name: str) -> tuple[Tensor, bool]:
    keywords.setdefault("device", x.device)
    return _made((x._shape,), keywords, x._dtype, name)


def rand_like(input: Tensor, *, generator: Any = None, **keywords: Any) -> Tensor:
    """Uniform numbers in [0, 1), of input's shape, dtype and device unless given."""
    out, requires_grad = _like(input, keywords, "rand_like")
    return _finished(uniform_(out, generator=generator), requires_grad)


def randn_like(input: Tensor, *, generator: Any = None, **keywords: Any) -> Tensor:
    """Standard normal numbers, of input's shape, dtype and device unless given."""
    out, requires_grad = _like(input, keywords, "randn_like")
    return _finished(normal_(out, generator=generator), requires_grad)


def randint_like(input: Tensor, low: int, high: Any = None, *, generator: Any = None, **keywords: Any) -> Tensor:
    """Whole numbers in [low, high), of input's shape, dtype and device unless given."""
    out, requires_grad = _like(input, keywords, "randint_like")
    low, high = (0, low) if high is None else (low, high)
    return _finished(random_(out, low, high, generator=generator), requires_grad)


def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Any = None, **keywords: Any) -> Tensor:
    """Normal numbers: one for each element of mean and std, or of `size` where both are numbers."""
    if size is not None:
        out, requires_grad = _made((size,), keywords, _real(), "normal")
        return _finished(normal_(out, mean, std, generator=generator), requires_grad)
    refuse("normal", **keywords)
    given = [v for v in (mean, std) if isinstance(v, Tensor)]
    if not given:
        raise TypeError("normal() needs size= where mean and std are numbers")
    shape: Any = given[0]._shape
    for v in given[1:]:
        shape = elementwise.broadcast_shapes(shape, v._shape)
    with no_grad():
        out = normal_(like(given[0], shape), generator=generator)
        return out * std + mean


def _bernoulli_of(p: Tensor, generator: Any) -> Tensor:
    """0 or 1 for each probability, of p's dtype."""
    with no_grad():
        p = p.detach()
        if bool(((p < 0) | (p > 1)).any()):
            raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
        stream = _stream(generator, p)
        if stream is None:
            return (philox.rand(p._shape, device=p.device) < p)._cast(p._dtype)
        kind = float64 if p._dtype is float64 else float32
        drawn = stream.draw("uniform", like(p, dtype=kind), 0.0, 1.0)
        return (drawn < p)._cast(p._dtype)


def bernoulli(input: Tensor, p: Any = None, *, generator: Any = None, out: Any = None) -> Tensor:
    """1 with the probability that each element of input is (or p), else 0."""
    refuse("bernoulli", out=out)
    if p is not None:
        return bernoulli_(like(input.detach()), p, generator=generator)
    if not input._dtype.is_floating_point:
        raise NotImplementedError('"bernoulli_tensor_cpu_p_" not implemented for %r' % input._dtype.name)
    return _bernoulli_of(input, generator)


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Any = None
) -> Tensor:
    """Indices drawn in proportion to the rows of `input` [V] or [B, V]: int64 [num_samples] or
    [B, num_samples]. RuntimeError for what is no distribution.
    """
    refuse("multinomial", out=out)
    if not input._dtype.is_floating_point:
        raise RuntimeError("multinomial only supports floating-point dtypes for input, got: %s" % input._dtype.name)
    if input.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    V = input._shape[-1]
    if not replacement and num_samples > V:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    with no_grad():
        p = input.detach()
        stream = _stream(generator, p)
        if stream is None:
            return philox.multinomial(p.float(), num_samples, replacement)._cast(int64)
        rows = p.reshape(-1, V)
        low, high, least = (v.item() for v in (rows.min(), rows.max(), rows.sum(1).min()))
        if not low >= 0 or not high < math.inf:
            raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
        if not least > 0:
            raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
        if replacement and num_samples > 1:
            return _with_replacement(rows, num_samples, stream).reshape(*p._shape[:-1], num_samples)
        race = p / stream.draw("exponential", like(p, dtype=p._dtype.computed), 1.0)._cast(p._dtype)
        if num_samples == 1:
            return race.argmax(-1, keepdim=True)._cast(int64)
        return race.topk(num_samples, -1).indices


def _with_replacement(rows: Tensor, count: int, stream: mersenne.Mersenne) -> Tensor:
    found: list[list[int]] = []
    double = rows._dtype is float64
    for row in rows.tolist():
        sums, total = [], 0.0
        for value in row:
            total = total + value if double else _float32(total + value)
            sums.append(total)
        sums = [value / total if double else _float32(value / total) for value in sums]
        sums[-1] = 1.0
        found.append([_first_not_below(sums, u) for u in _uniforms(stream, count, rows)])
    return tensor(found, dtype=int64, device=rows.device)


def _uniforms(stream: mersenne.Mersenne, count: int, x: Tensor) -> list[float]:
    return stream.draw("uniform", empty(count, dtype=float64, device=x.device), 0.0, 1.0).tolist()


def _first_not_below(sums: list[float], u: float) -> int:
    left, right = 0, len(sums)
    while left < right:
        middle = left + (right - left) // 2
        if sums[middle] < u:
            left = middle + 1
        else:
            right = middle
    return left


def _float32(x: float) -> float:
    return full((), x, float32).item()


METHODS = {
    "uniform_": uniform_, "normal_": normal_, "random_": random_, "bernoulli_": bernoulli_, "bernoulli": bernoulli,
    "exponential_": exponential_, "geometric_": geometric_, "cauchy_": cauchy_, "log_normal_": log_normal_,
    "multinomial": multinomial,
}  # fmt: skip
__all__ = [
    "Generator", "bernoulli", "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed",
    "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "seed",
    "set_rng_state",
]  # fmt: skip
LIMITED = {
    "Generator": "its device is the CPU; a GPU draws from Philox's default stream, whose numbers are not CUDA's",
    "randn": "float16 and bfloat16 are drawn as float32 and rounded once; PyTorch rounds between",
}
ABSENT = {"poisson": "draw exponential numbers and count those whose sum stays below the rate"}


def __getattr__(name: str):
    """The sentence on a name that is not here."""
    return table.missing(__name__, name)
