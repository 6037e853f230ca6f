"""The random numbers of PyTorch's CPU generator: a seed gives those that PyTorch 2.13 gives on a
CPU.

The generator is mt19937 (Matsumoto and Nishimura 1998), which CPython has in C (random.Random): its
words come in bulk. How a distribution is made of them, and in which order, is PyTorch's: see
ATen/native/cpu/DistributionTemplates.h and ATen/core/DistributionsHelper.h. Words, integers, order
and uniform numbers are the same bits. Normal and exponential numbers are rounded from double
arithmetic, and PyTorch's vector code may differ from that by some units in the last place.
"""

from __future__ import annotations

import math
import random
from array import array
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WORDS = 624  # of mt19937's state
BITS32, BITS24, BITS53 = (1 << 32) - 1, (1 << 24) - 1, (1 << 53) - 1
STEP24, STEP53 = 2.0**-24, 2.0**-53
BLOCK = 16  # numbers that PyTorch's normal_fill makes at once; smaller tensors are made one by one


class Mersenne:
    """A place in the stream of mt19937. seed: its low 32 bits count."""

    def __init__(self, seed: int = 5489) -> None:
        state = [seed & BITS32]
        for j in range(1, WORDS):  # init_genrand of the reference implementation
            state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + j) & BITS32)
        self._words = random.Random()
        self._words.setstate((3, (*state, WORDS), None))
        self._kept: float | None = None  # the second number of a pair of normal ones

    # ---- words ----

    def word(self) -> int:
        """The next 32 bits."""
        return self._words.getrandbits(32)

    def words(self, count: int) -> array[int]:
        """The next `count` words."""
        return array("I", self._words.getrandbits(32 * count).to_bytes(4 * count, "little") if count else b"")

    def long_word(self) -> int:
        """64 bits: the first word is the high half."""
        high = self.word()
        return high << 32 | self.word()

    def long_words(self, count: int) -> list[int]:
        """The next `count` of them."""
        words = self.words(2 * count)
        return [high << 32 | low for high, low in zip(words[::2], words[1::2], strict=True)]

    # ---- uniform ----

    def uniform(self, count: int, low: float = 0.0, high: float = 1.0) -> array[float]:
        """Float32 numbers in [low, high): 24 bits of a word each."""
        if (low, high) == (0.0, 1.0):
            return array("f", [(word & BITS24) * STEP24 for word in self.words(count)])
        low, high = _float32(low), _float32(high)
        width = _float32(high - low)  # one rounding of product and sum, as an FMA instruction has
        return array("f", [(word & BITS24) * STEP24 * width + low for word in self.words(count)])

    def double_uniform(self, count: int, low: float = 0.0, high: float = 1.0) -> array[float]:
        """Float64 numbers in [low, high): 53 bits of two words each."""
        numbers = array("d", [(word & BITS53) * STEP53 for word in self.long_words(count)])
        if (low, high) == (0.0, 1.0):
            return numbers
        return array("d", [_fused(number, high - low, low) for number in numbers])

    # ---- integers ----

    def integers(self, count: int, low: int, high: int) -> list[int]:
        """Ints in [low, high), as randint and random_ give them."""
        width = high - low
        words: Sequence[int] = self.long_words(count) if width >= 1 << 32 else self.words(count)
        return [word % width + low for word in words]

    def permutation(self, count: int) -> list[int]:
        """The numbers below `count`, shuffled (Fisher and Yates), as randperm gives them."""
        order = list(range(count))
        for at, word in enumerate(self.words(max(0, count - 1))):
            other = at + word % (count - at)
            order[at], order[other] = order[other], order[at]
        return order

    # ---- other distributions ----

    def normal(self, count: int, mean: float = 0.0, std: float = 1.0) -> list[float]:
        """Normal numbers (Box and Muller 1958) of a float32 tensor with `count` elements."""
        if count < BLOCK:
            return [self._one_normal() * std + mean for _ in range(count)]
        numbers = self.uniform(count).tolist()
        for at in range(0, count - BLOCK + 1, BLOCK):
            _fill(numbers, at, mean, std)
        if count % BLOCK:  # the last block is drawn anew, over what the one before it wrote
            numbers[-BLOCK:] = self.uniform(BLOCK).tolist()
            _fill(numbers, count - BLOCK, mean, std)
        return numbers

    def double_normal(self, count: int, mean: float = 0.0, std: float = 1.0) -> list[float]:
        """The same of a float64 tensor."""
        if count < BLOCK:
            return self.normal(count, mean, std)
        numbers = self.double_uniform(count).tolist()
        for at in range(0, count - BLOCK + 1, BLOCK):
            _fill(numbers, at, mean, std)
        if count % BLOCK:
            numbers[-BLOCK:] = self.double_uniform(BLOCK).tolist()
            _fill(numbers, count - BLOCK, mean, std)
        return numbers

    def _one_normal(self) -> float:
        kept, self._kept = self._kept, None
        if kept is not None:
            return kept
        first, second = self.double_uniform(2)
        radius, angle = math.sqrt(-2 * math.log1p(-second)), 2 * math.pi * first
        self._kept = radius * math.sin(angle)
        return radius * math.cos(angle)

    def bernoulli(self, count: int, p: float) -> list[bool]:
        """Of one probability for all, as bernoulli_(p) and dropout draw."""
        return [number < p for number in self.double_uniform(count)]

    def bernoulli_each(self, probabilities: Sequence[float]) -> list[bool]:
        """Of a float32 tensor of probabilities, as torch.bernoulli draws."""
        return [number < p for number, p in zip(self.uniform(len(probabilities)), probabilities, strict=True)]

    def exponential(self, count: int, rate: float = 1.0) -> list[float]:
        """Exponential numbers. One sample of multinomial is argmax(p / exponential)."""
        return [-math.log1p(-number) / rate for number in self.double_uniform(count)]


def _fill(numbers: list[float], at: int, mean: float, std: float) -> None:
    half = BLOCK // 2
    for j in range(at, at + half):
        radius = math.sqrt(-2 * math.log(1 - numbers[j]))
        angle = 2 * math.pi * numbers[j + half]
        numbers[j] = radius * math.cos(angle) * std + mean
        numbers[j + half] = radius * math.sin(angle) * std + mean


def _float32(x: float) -> float:
    return array("f", [x])[0]


def _fused(x: float, y: float, z: float) -> float:
    """x * y + z, rounded once. math.fma is there from Python 3.13 on."""
    fma: Callable[[float, float, float], float] | None = getattr(math, "fma", None)
    return fma(x, y, z) if fma else float(Fraction(x) * Fraction(y) + Fraction(z))
