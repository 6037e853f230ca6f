"""DataLoader: batches of a dataset, in the order and with the draws of PyTorch for a seed."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from ....core.factory import tensor
from ....core.tensor import Tensor, int64
from .collate import default_collate, default_convert
from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, drawn_seed
from .workers import Worker, WorkerInfo, Workers, get_worker_info, say_once

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T = TypeVar("T", covariant=True)
_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class _DatasetKind:
    Map, Iterable = 0, 1


class _InfiniteConstantSampler(Sampler[None]):
    """For a stream, which has no indices."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


def _only_with_workers(num_workers: int, prefetch_factor: Any, persistent_workers: bool, context: Any) -> Any:
    """prefetch_factor, after the checks of the arguments that need num_workers > 0."""
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable "
            "multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if context is not None and num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
            "num_workers=%d" % num_workers
        )
    return 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor


class DataLoader(Generic[T]):
    """Batches of a dataset: `for batch in DataLoader(dataset, batch_size=32, shuffle=True)`.

    num_workers > 0: the workers' parts run in this process (workers.py). pin_memory, timeout,
    prefetch_factor and persistent_workers change no batch.
    """

    dataset: Any
    _ready = False

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Any = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Any = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        self.prefetch_factor = _only_with_workers(
            num_workers, prefetch_factor, persistent_workers, multiprocessing_context
        )
        self.dataset, self.num_workers, self.generator = dataset, num_workers, generator
        self.pin_memory, self.pin_memory_device, self.timeout = pin_memory, pin_memory_device, timeout
        self.worker_init_fn, self.in_order, self.persistent_workers = worker_init_fn, in_order, persistent_workers
        self.multiprocessing_context = multiprocessing_context
        streams = isinstance(dataset, IterableDataset)
        self._dataset_kind = _DatasetKind.Iterable if streams else _DatasetKind.Map
        if streams:
            for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
                if value is not None:
                    raise ValueError(
                        "DataLoader with IterableDataset: expected unspecified %s option, but got %s=%s"
                        % (name, name, value)
                    )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            if streams:
                sampler = _InfiniteConstantSampler()
            else:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size, self.drop_last, self.sampler, self.batch_sampler = (
            batch_size,
            drop_last,
            sampler,
            batch_sampler,
        )
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self._IterableDataset_len_called: int | None = None
        self._iterator: Any = None
        self._ready = True

    def __setattr__(self, name: str, value: Any) -> None:
        if self._ready and name in _FIXED:
            raise ValueError("%s attribute should not be set after %s is initialized" % (name, type(self).__name__))
        super().__setattr__(name, value)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __iter__(self) -> Iterator[Any]:
        if self._iterator is not None:
            self._iterator.restart()
            return self._iterator
        iterator = _Iterator(self)
        self._iterator = iterator if self.persistent_workers else None
        return iterator

    def __len__(self) -> int:
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)


class _Iterator:
    """One pass over a DataLoader."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self.loader = loader
        if loader.pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't "
                "be used.",
                stacklevel=3,
            )
        self.indices = iter(loader._index_sampler)
        self.base_seed = drawn_seed(loader.generator)
        self.count = 0
        if loader.num_workers:
            self._start_workers()
            self.batches: Any = self._by_workers()
        else:
            self.batches = map(self._fetcher(), self.indices)

    def restart(self) -> None:
        """Another pass of the same workers."""
        self.indices = iter(self.loader._index_sampler)
        self.count = 0
        self.batches = self._by_workers()

    def _start_workers(self) -> None:
        loader = self.loader
        say_once(loader.num_workers)
        self.workers = [
            Worker(WorkerInfo(i, loader.num_workers, self.base_seed + i, loader.dataset), self.base_seed, init_fn)
            for i, init_fn in enumerate([loader.worker_init_fn] * loader.num_workers)
        ]
        self.indices = iter(loader._index_sampler)  # as PyTorch, which begins it twice

    def _by_workers(self) -> Workers:
        for worker in self.workers:
            worker.begin(self._fetcher)
        return Workers(self.workers, self.indices, self.loader.prefetch_factor or 2)

    def _fetcher(self) -> Any:
        """index -> batch, of an iterator of its own where the dataset is a stream."""
        loader = self.loader
        dataset, collate, batched = loader.dataset, loader.collate_fn, loader._auto_collation
        if loader._dataset_kind == _DatasetKind.Iterable:
            return _stream_fetcher(iter(dataset), collate, batched, loader.drop_last)
        if not batched:
            return lambda index: collate(dataset[index])
        if collate is default_collate and (found := _rows_of(dataset)) is not None:
            return found
        if getattr(dataset, "__getitems__", None):
            return lambda indices: collate(dataset.__getitems__(indices))
        return lambda indices: collate([dataset[index] for index in indices])

    def __iter__(self) -> _Iterator:
        return self

    def __next__(self) -> Any:
        batch = next(self.batches)
        self.count += 1
        called = self.loader._IterableDataset_len_called
        if called is not None and self.count > called:
            warnings.warn(
                "Length of IterableDataset %s was reported to be %d(when accessing len(dataloader)), but %d samples "
                "have been fetched. " % (self.loader.dataset, called, self.count),
                stacklevel=2,
            )
        return batch

    def __len__(self) -> int:
        return len(self.loader._index_sampler)


def _stream_fetcher(samples: Iterator[Any], collate: Any, batched: bool, drop_last: bool) -> Any:
    ended = False

    def fetch(indices: Any) -> Any:
        nonlocal ended
        if ended:
            raise StopIteration
        if not batched:
            return collate(next(samples))
        data = list(itertools.islice(samples, len(indices)))
        ended = len(data) < len(indices)
        if not data or drop_last and ended:
            raise StopIteration
        return collate(data)

    return fetch


def _rows_of(dataset: Any) -> Any:
    """indices -> batch of a TensorDataset, or a Subset of one, in one gather a tensor; None for any
    other dataset.
    """
    chosen = None
    if type(dataset) is Subset:
        dataset, chosen = dataset.dataset, dataset.indices
    if type(dataset) is not TensorDataset:
        return None
    tensors: tuple[Tensor, ...] = dataset.tensors

    def fetch(indices: list[int]) -> list[Tensor]:
        place = tensor([indices[i] if chosen is None else chosen[indices[i]] for i in range(len(indices))], dtype=int64)
        return [x[place] for x in tensors]

    return fetch
