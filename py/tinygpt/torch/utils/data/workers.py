"""The workers of a DataLoader, in this process: each has the random streams and the share of the
work that its process has in PyTorch, and the batches come one at a time.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections import deque
from dataclasses import dataclass
from typing import Any

from ...random import default_generator

_said = False
_current: WorkerInfo | None = None


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker fetches: its number, how many there are, its seed and its dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


def get_worker_info() -> WorkerInfo | None:
    """The worker whose part runs now; None outside of one."""
    return _current


def say_once(count: int) -> None:
    """Warns, the first time, that there are no other processes."""
    global _said
    if not _said:
        _said = True
        warnings.warn(
            "DataLoader(num_workers=%d): TinyGPT has no other processes; the workers' parts run in this one, with "
            "the same numbers" % count,
            stacklevel=4,
        )


class Worker:
    """One worker: its fetcher and its random streams."""

    def __init__(self, info: WorkerInfo, base_seed: int, init_fn: Any) -> None:
        self.info, self.ended = info, False
        self.fetcher: Any = None
        outer = _streams()
        try:
            random.seed(info.seed)
            default_generator.manual_seed(info.seed)
            if "numpy" in sys.modules:
                numpy: Any = sys.modules["numpy"]
                entropy = [info.id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
                numpy.random.seed(numpy.random.SeedSequence(entropy).generate_state(4))
            self.streams = _streams()
        finally:
            _restore(outer)
        if init_fn is not None:
            self.run(init_fn, info.id)

    def run(self, function: Any, *args: Any) -> Any:
        """A part of the worker's work, with its own streams."""
        global _current
        outer, before, _current = _streams(), _current, self.info
        _restore(self.streams)
        try:
            return function(*args)
        finally:
            self.streams, _current = _streams(), before
            _restore(outer)

    def begin(self, make_fetcher: Any) -> None:
        """Another pass over the dataset."""
        self.ended, self.fetcher = False, self.run(make_fetcher)


def _streams() -> tuple[Any, ...]:
    numpy: Any = sys.modules.get("numpy")
    places = random.getstate(), (default_generator.first, default_generator.read())
    return (*places, None if numpy is None else numpy.random.get_state())


def _restore(places: tuple[Any, ...]) -> None:
    random.setstate(places[0])
    default_generator.first = places[1][0]
    default_generator.write(places[1][1])
    if places[2] is not None:
        sys.modules["numpy"].random.set_state(places[2])


class Workers:
    """Workers by turns: batch i is of the i-th worker that has not ended."""

    def __init__(self, workers: list[Worker], indices: Any, prefetch: int) -> None:
        self.workers, self.indices, self.most = workers, indices, prefetch * len(workers)
        self.turn = 0
        self.tasks: deque[tuple[Worker, Any]] = deque()
        self._fill()

    def _fill(self) -> None:
        """As many indices are drawn ahead as PyTorch sends to its workers."""
        while len(self.tasks) < self.most:
            live = [i % len(self.workers) for i in range(self.turn, self.turn + len(self.workers))]
            live = [i for i in live if not self.workers[i].ended]
            if not live:
                return
            try:
                index = next(self.indices)
            except StopIteration:
                return
            self.turn = live[0] + 1
            self.tasks.append((self.workers[live[0]], index))

    def __next__(self) -> Any:
        while self.tasks:
            worker, index = self.tasks.popleft()
            if worker.ended:
                continue
            try:
                batch = worker.run(worker.fetcher, index)
            except StopIteration:
                worker.ended = True
                self._fill()
                continue
            self._fill()
            return batch
        raise StopIteration
