"""How many threads a device of the processor uses where nobody named a number: found by measuring.

A browser or a system may report more cores than this process has: WebKit reports 4 on a machine of
2, and other programs take cores. At each barrier all threads wait for the last one, so a thread
without a core of its own makes a step many times longer. A result has the same bits for any number
of threads, so the number may change between any two launches.

Barriers are timed by a sample of short launches. When the device is made, the machine is busy with
starting the page: only a number that is hopelessly slow is lowered. In training the sample is run
between steps, now and then. Where it says that another number may be faster, some steps are made
with that number, and their time decides: a large model's launches are longer than the sample's.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Protocol

from .. import kernels

if TYPE_CHECKING:
    from collections.abc import Iterable


class HasThreads(Protocol):
    """What is used of a device of the processor (cpu.py)."""

    threads: int

    def use_threads(self, n: int) -> int: ...
    def alloc(self, nbytes: int) -> Any: ...
    def free(self, handle: Any) -> None: ...
    def upload(self, handle: Any, data: bytes) -> None: ...
    def load(self, launches: list[Any], arena_bytes: int) -> Any: ...


# The sample: 0.6 ms of work for one thread, the least for which the pool wakes (runtime.cpp).
LAUNCHES, NUMBERS = 20, 1408
# Seconds of the sample: on 2 cores WebKit's 4 threads need 0.015 to 0.04 at first, and 0.001 once
# the engine has optimized the barrier; V8's 0.002. And times one thread's time, since code that has
# just been loaded is slow with any number.
HOPELESS, HOPELESS_TIMES = 0.01, 4
SLOWER = 1.5  # times another number's time, in the sample: then steps are made with that one
FASTER = 0.95  # of a step's time: then the other number is kept
ROUNDS = 3  # of the sample with each number, and steps: another program's turn on a core slows one
WARM_UP_SECONDS = 0.3  # of training, before the first look
SECONDS, MOST_SECONDS = 2.0, 64.0  # between two looks: twice as many after each that changed nothing


class ThreadChoice:
    """most: the number of threads that there are; given: the one that whoever made the device
    named, or None. Measures where `named` is None.
    """

    def __init__(self, device: HasThreads, most: int, given: int | None) -> None:
        self.device, self.most, self.chosen = device, most, most
        self.given = self.named = given
        self.counts = candidates(most)
        self.due: float | None = None  # when the next look is
        self.seconds = SECONDS  # from the last one to it
        self._begin()

    def _begin(self) -> None:
        """A look: nothing is measured yet."""
        self.sampled: dict[int, float] = {}  # the least seconds of the sample, by number of threads
        self.steps: list[float] = []  # seconds of the last steps
        self.best: float | None = None  # of a step with the chosen number, while another one is tried
        self.tried = [self.chosen]

    def name(self, n: int | None) -> int:
        """Uses n threads from now on; None: the given number, or as many as measured. Returns the
        number in use.
        """
        self.named = n or self.given
        self._begin()
        self.device.threads = self.device.use_threads(self.named or self.chosen)
        return self.device.threads

    def at_start(self) -> None:
        """Halves the number while it is hopeless. Where it is not, the sample runs three times. Two
        threads are left for training to judge: that costs little, and the start is short.
        """
        if self.named or self.most <= 2:
            return
        with Sample(self.device) as sample:
            limit, n = max(HOPELESS, HOPELESS_TIMES * sample.time(1)), self.most
            while n > 1 and sample.time(n) > limit and sample.time(n) > limit:
                n //= 2
        self.chosen = max(count for count in self.counts if count <= n)
        self.name(None)

    def look(self, now: float, step_seconds: float) -> float:
        """After a step of training that took so long. Returns when to call it again."""
        if self.named or self.most == 1:
            return now + MOST_SECONDS
        if self.due is None:
            self.due = now + WARM_UP_SECONDS
        if now < self.due:
            return self.due
        self.steps.append(step_seconds)
        if self.best is None:
            try:
                self._sample()
            except MemoryError:  # not a byte is free: no time for this
                return self._end(now)
        if len(self.steps) <= ROUNDS:  # the first is of the number before
            return now
        least = min(self.steps[1:])
        if self.best is None:
            self.best, other = least, promising(self.chosen, self.sampled)
        elif least < FASTER * self.best:
            self.best, self.chosen = least, self.tried[-1]
            other = next_more(self.chosen, self.counts)
        else:
            other = None
        if other is None or other in self.tried:
            return self._end(now)
        self.tried.append(other)
        self.steps = []
        self.device.use_threads(other)
        return now

    def _sample(self) -> None:
        with Sample(self.device) as sample:
            for n in self.counts:
                sample.time(n)  # wakes them
                self.sampled[n] = min(self.sampled.get(n, math.inf), sample.time(n))
        self.device.use_threads(self.chosen)

    def _end(self, now: float) -> float:
        self.seconds = SECONDS if self.chosen != self.tried[0] else min(2 * self.seconds, MOST_SECONDS)
        self.name(None)
        self.due = now + self.seconds
        return self.due


def candidates(most: int) -> list[int]:
    """The numbers of threads that are tried, each a quarter to a half below the one before it: 16
    12 8 6 4 3 2 1.
    """
    found: list[int] = []
    n = most
    while n > 1:
        found += [n] if n < 4 else [n, n - n // 4]
        n //= 2
    return [*dict.fromkeys([*found, 1])]


def next_more(n: int, counts: Iterable[int]) -> int | None:
    return min((count for count in counts if count > n), default=None)


def promising(chosen: int, seconds: dict[int, float]) -> int | None:
    """The number of threads to make some steps with, or None. seconds: of the sample, by number.

    The largest of those whose sample is about the fastest where it is clearly faster than the
    chosen number's; else the next more threads where their sample is not clearly slower.
    """
    least = min(seconds.values())
    if SLOWER * least < seconds[chosen]:
        return max(n for n in seconds if seconds[n] < SLOWER * least)
    more = next_more(chosen, seconds)
    return more if more and seconds[more] < SLOWER * seconds[chosen] else None


class Sample:
    """Launches in device memory, timed."""

    def __init__(self, device: HasThreads) -> None:
        self.device = device

    def __enter__(self) -> Sample:
        device = self.device
        self.out, self.rng = device.alloc(4 * NUMBERS), device.alloc(16)
        device.upload(self.rng, bytes(16))
        launch = kernels.random_normal, ((self.out, 0), (self.rng, 0)), (NUMBERS, 0.0, 1.0, 0)
        self.program = device.load([launch] * LAUNCHES, 0)
        self.time(1)  # encodes it
        return self

    def time(self, threads: int) -> float:
        """Seconds with this number of threads."""
        self.device.use_threads(threads)
        begun = time.perf_counter()
        self.program.run()
        return time.perf_counter() - begun

    def __exit__(self, *_: object) -> None:
        self.program.release()
        self.device.free(self.out)
        self.device.free(self.rng)
