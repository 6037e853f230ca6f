"""Values on their way from the device: requested at one step, returned when they have arrived, in
order.

A CPU has each value at once. A GPU works through a queue, and waiting for a value means waiting for
all work before it. So the caller pushes 0-d tensors with a payload and continues, and gets back
what has arrived meanwhile. `most` bounds how far Python may run ahead.
"""

# Values of any type are taken apart here, which strict mode calls unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..graph import program
from .tensor import Tensor, bool_, dtype

if TYPE_CHECKING:
    from typing import Any

    from ..devices.base import Reading


class PendingReads:
    """A queue of values. most: how many entries may be pending before `push` waits for the oldest
    one.
    """

    def __init__(self, most: int = 2) -> None:
        self.most = most
        # (payload, [Reading, number or tensor of a CPU], [dtype of a Reading, else None], is it a
        # tuple)
        self._pending: deque[tuple[Any, list[Any], list[dtype | None], bool]] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    def push(self, values: Any, payload: Any = None) -> list[tuple[Any, Any]]:
        """Requests `values` (a number, a tensor of one element, or a tuple of them). Returns
        [(payload, values)] that have arrived.
        """
        if not self._pending and isinstance(values, Tensor) and _is_here(values):
            return [(payload, values.item())]
        self.add(values, payload)
        arrived: list[tuple[Any, Any]] = []
        while self.due:
            arrived.append(self.pop())
        return arrived

    def add(self, values: Any, payload: Any = None) -> None:
        """Requests `values`, as `push` does, and returns at once. An interrupt leaves them
        requested or not.
        """
        several = isinstance(values, tuple)
        items: tuple[Any, ...] = values if several else (values,)
        kinds: list[dtype | None] = []
        reads: list[Any] = []
        for item in items:
            later = isinstance(item, Tensor) and not _is_here(item)
            kinds.append(item._dtype if later else None)
            reads.append(_request(item) if later else item)
        self._pending.append((payload, reads, kinds, several))

    def __contains__(self, payload: Any) -> bool:
        for one, *_ in self._pending:
            if one is payload:
                return True
        return False

    @property
    def due(self) -> bool:
        """True when the oldest entry is here, or more than `most` are pending."""
        pending = self._pending
        if not pending or len(pending) > self.most:
            return bool(pending)
        _, reads, kinds, _ = pending[0]
        for read, kind in zip(reads, kinds):
            if kind is not None and not read.ready:
                return False
        return True

    def first(self) -> tuple[Any, Any]:
        """The oldest (payload, values), which stays in the queue; waits for it."""
        payload, reads, kinds, several = self._pending[0]
        values: list[Any] = []
        for read, kind in zip(reads, kinds):
            if kind is not None:
                read = _number(read, kind)
            elif isinstance(read, Tensor):
                read = read.item()
            values.append(read)
        return payload, tuple(values) if several else values[0]

    def pop(self) -> tuple[Any, Any]:
        """The oldest (payload, values); waits for it. An interrupt leaves it in the queue."""
        first = self.first()
        self.drop()
        return first

    def drop(self) -> None:
        """Takes the oldest entry off the queue."""
        self._pending.popleft()

    def drain(self) -> list[tuple[Any, Any]]:
        """Waits for all pending entries and returns them."""
        return [self.pop() for _ in range(len(self._pending))]

    def clear(self) -> None:
        """Forgets all pending entries: the device is gone."""
        self._pending.clear()


def _is_here(x: Tensor) -> bool:
    """Whether it is a number on a device that has each value at once."""
    return not x._shape and not x._storage.device.waits


def _request(x: Tensor) -> Reading:
    if x.numel() != 1:
        raise RuntimeError("a Tensor with %d elements cannot be read as one number" % x.numel())
    program.note_read("a value in it was requested")
    storage, size = x._storage, x._dtype.itemsize
    return storage.device.read_later(storage.handle, size, storage.base + x._offset * size)


def _number(read: Reading, kind: dtype) -> bool | float:
    (value,) = kind.unpack(read.bytes())
    return bool(value) if kind is bool_ else value
