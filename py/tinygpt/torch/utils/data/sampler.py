"""Samplers: the order in which a DataLoader takes the samples. Random orders are PyTorch's for the
same seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from ....core.factory import empty, tensor
from ....core.tensor import Tensor, float64, int64
from ...random import Generator, multinomial, randint, random_, randperm

__all__ = [
    "BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler",
]  # fmt: skip

T = TypeVar("T", covariant=True)
DRAWN = 32  # indices drawn at once with replacement


def drawn_seed(generator: Any = None) -> int:
    """A seed of the default stream, or of a generator's."""
    return int(random_(empty((), dtype=int64), generator=generator).item())


def check_count(value: Any, name: str = "num_samples") -> None:
    """ValueError for what is no positive int."""
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError("%s should be a positive integer value, but got %s=%s" % (name, name, value))


class Sampler(Generic[T]):
    """Base of the samplers: subclasses define __iter__ and __len__."""

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A random order, or num_samples draws with replacement."""

    def __init__(
        self, data_source: Any, replacement: bool = False, num_samples: int | None = None, generator: Any = None
    ) -> None:
        self.data_source, self.replacement, self._num_samples = data_source, replacement, num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError("replacement should be a boolean value, but got replacement=%s" % replacement)
        check_count(self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many indices an iteration gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, generator = len(self.data_source), self.generator
        if generator is None:
            seed = drawn_seed()
            generator = Generator()
            generator.manual_seed(seed)
        if self.replacement:
            for start in range(0, self.num_samples + 1, DRAWN):  # one more draw, of none, where 32 divides it
                size = min(DRAWN, self.num_samples - start)
                yield from randint(n, (size,), generator=generator).tolist()
            return
        for _ in range(self.num_samples // n):
            yield from randperm(n, generator=generator).tolist()
        yield from randperm(n, generator=generator).tolist()[: self.num_samples % n]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in a random order."""

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """num_samples draws, each index with a probability in proportion to its weight."""

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, generator: Any = None) -> None:
        check_count(num_samples)
        if not isinstance(replacement, bool):
            raise ValueError("replacement should be a boolean value, but got replacement=%s" % replacement)
        given = weights._cast(float64) if isinstance(weights, Tensor) else tensor(weights, dtype=float64)
        if len(given._shape) != 1:
            raise ValueError("weights should be a 1d sequence but given weights have shape %s" % (tuple(given._shape),))
        self.weights, self.num_samples, self.replacement, self.generator = given, num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        yield from multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The indices of another sampler in lists of batch_size; drop_last: no smaller last one."""

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool) -> None:
        check_count(batch_size, "batch_size")
        if not isinstance(drop_last, bool):
            raise ValueError("drop_last should be a boolean value, but got drop_last=%s" % drop_last)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
