"""Dependencies in a list of launches: who uses which memory. A fusion rule looks here before it
changes two launches.

Memory is a storage uid and a byte range; two buffers conflict where their ranges overlap. Positions
are indices into the list, which keeps its length: a removed launch leaves None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ... import kernels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ...kernels import Kernel

_INT8 = {(k.name, i) for k in kernels.KERNELS for i, b in enumerate(k.buffers) if b.dtype == "b"}


class Launch(NamedTuple):
    """A recorded launch. A buffer is (storage uid, byte offset), or None where it is absent."""

    kernel: Kernel
    buffers: tuple[tuple[int, int] | None, ...]
    params: tuple[float, ...]

    def place(self, at: int) -> tuple[int, int]:
        """The buffer at position `at`, which is not absent."""
        buffer = self.buffers[at]
        assert buffer is not None, "%s has no %s" % (self.kernel.name, self.kernel.buffers[at].name)
        return buffer


class Graph:
    """launches: the list, with None where one was removed. temporaries: {uid: bytes} of the
    intermediates. uses: uid -> [(launch index, buffer position)] of the present launches."""

    def __init__(self, launches: Iterable[Launch], temporaries: Mapping[int, int]) -> None:
        self.launches: list[Launch | None] = list(launches)
        self.temporaries = temporaries
        self.uses: dict[int, list[tuple[int, int]]] = {}
        self._ranges: dict[tuple[int, tuple[float, ...]], list[int]] = {}
        for i in range(len(self.launches)):
            self._add(i, self.at(i))

    def at(self, i: int) -> Launch:
        """The launch at position i, which is present."""
        launch = self.launches[i]
        assert launch is not None, "launch %d was removed" % i
        return launch

    def _add(self, i: int, launch: Launch) -> None:
        for at, buffer in enumerate(launch.buffers):
            if buffer is not None:
                self.uses.setdefault(buffer[0], []).append((i, at))

    def remove(self, i: int) -> None:
        """The launch at i is gone; positions stay."""
        for buffer in self.at(i).buffers:
            if buffer is not None:
                self.uses[buffer[0]] = [use for use in self.uses[buffer[0]] if use[0] != i]
        self.launches[i] = None

    def replace(self, i: int, launch: Launch) -> None:
        """`launch` takes the place of the one at i."""
        self.remove(i)
        self.launches[i] = launch
        self._add(i, launch)

    def covered(self, launch: Launch, at: int) -> tuple[int, int, int]:
        """(uid, first byte, end byte) that `launch` may reach through its buffer `at`."""
        uid, offset = launch.place(at)
        key = (launch.kernel.id, launch.params)
        sizes = self._ranges.get(key)
        if sizes is None:
            extent = launch.kernel.extent(launch.params)
            sizes = self._ranges[key] = [
                extent[b.name] * (1 if (launch.kernel.name, j) in _INT8 else 4)
                for j, b in enumerate(launch.kernel.buffers)
            ]
        return uid, offset, offset + sizes[at]

    def uses_between(self, uid: int, start: int, end: int, after: int, before: int) -> Iterator[tuple[int, int]]:
        """(launch index, buffer position) of each use of the range strictly between the two."""
        for i, at in self.uses.get(uid, ()):
            if after < i < before:
                _, first, last = self.covered(self.at(i), at)
                if first < end and start < last:
                    yield i, at

    def touched(self, uid: int, start: int, end: int, after: int, before: int) -> bool:
        """True when a launch strictly between the two positions reads or writes the range."""
        return any(True for _ in self.uses_between(uid, start, end, after, before))

    def written(self, uid: int, start: int, end: int, after: int, before: int) -> bool:
        """True when a launch strictly between the two positions writes the range."""
        return any(
            self.at(i).kernel.buffers[at].access != "r" for i, at in self.uses_between(uid, start, end, after, before)
        )

    def writers(self, uid: int) -> list[tuple[int, int]]:
        """(launch index, buffer position) of each write of the storage."""
        return [(i, at) for i, at in self.uses.get(uid, ()) if self.at(i).kernel.buffers[at].access != "r"]

    def producer(self, uid: int, consumer: int) -> tuple[int, int] | None:
        """(launch index, buffer position) of the one launch that makes the intermediate `uid`, when
        `consumer` is its only other user."""
        if uid not in self.temporaries:
            return None
        uses = self.uses[uid]
        if len(uses) != 2:
            return None
        (k, at), (i, _) = sorted(uses)
        launch = self.at(k)
        buffer = launch.buffers[at]
        if i != consumer or k == i or launch.kernel.buffers[at].access == "r" or buffer is None or buffer[1] != 0:
            return None
        return k, at

    def inputs_unchanged(self, k: int, i: int) -> bool:
        """True when launch k could run at position i instead: no launch in between writes what it
        reads, or touches what it writes."""
        launch = self.at(k)
        for at, buffer in enumerate(launch.buffers):
            if buffer is None:
                continue
            check = self.written if launch.kernel.buffers[at].access == "r" else self.touched
            if check(*self.covered(launch, at), k, i):
                return False
        return True

    def drop_dead(self) -> None:
        """Removes launches all of whose results are intermediates that no later launch reads."""
        for i in range(len(self.launches) - 1, -1, -1):
            launch = self.launches[i]
            if launch is None:
                continue
            outputs = [
                b[0] for b, spec in zip(launch.buffers, launch.kernel.buffers) if b is not None and spec.access != "r"
            ]
            if all(uid in self.temporaries and not any(j > i for j, _ in self.uses[uid]) for uid in outputs):
                self.remove(i)
