"""The share of one process of several in a dataset."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ...random import Generator, randperm
from .sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every num_replicas-th index from `rank` on, of an order that all processes share.

    Without num_replicas and rank RuntimeError: there are no other processes.
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise RuntimeError("Requires distributed package to be available")
        if rank >= num_replicas or rank < 0:
            raise ValueError("Invalid rank %d, rank should be in the interval [0, %d]" % (rank, num_replicas - 1))
        self.dataset, self.num_replicas, self.rank, self.epoch, self.drop_last = (
            dataset,
            num_replicas,
            rank,
            0,
            drop_last,
        )
        short = num_replicas if drop_last and len(dataset) % num_replicas != 0 else 0
        self.num_samples = math.ceil((len(dataset) - short) / num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.shuffle, self.seed = shuffle, seed

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        if self.shuffle:
            indices = randperm(count, generator=Generator().manual_seed(self.seed + self.epoch)).tolist()
        else:
            indices = list(range(count))
        if not self.drop_last:
            indices = indices * math.ceil(self.total_size / max(count, 1))
        return iter(indices[: self.total_size][self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Another order, the same in all processes."""
        self.epoch = epoch
