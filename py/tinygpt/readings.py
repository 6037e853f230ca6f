"""Values on their way from the device: asked for at one step, handed out when they have arrived, in order.

A CPU has each value at once. A GPU works through a queue, and waiting for a value means waiting for all work before it; so the caller
pushes 0-d tensors with a payload and goes on, and gets back what has arrived meanwhile. `most` bounds how far Python may run ahead.
"""

from collections import deque

from . import program
from .tensor import Tensor, bool_


class Readings:
    """A queue of values. most: how many entries may be under way before `push` waits for the oldest one."""

    def __init__(self, most=2):
        self.most = most
        self._waiting = deque()  # (payload, [Reading or number], [dtypes], is it a tuple)

    def __len__(self):
        return len(self._waiting)

    def push(self, values, payload=None):
        """Asks for `values` (a number, a tensor of one element, or a tuple of them). Returns [(payload, values)] that have arrived."""
        several = isinstance(values, tuple)
        if not self._waiting and several:
            here = tuple([_at_once(value) for value in values])
            if None not in here:
                return [(payload, here)]
        elif not self._waiting:
            here = _at_once(values)
            if here is not None:
                return [(payload, here)]
        readings, kinds = [], []
        for value in values if several else (values,):
            kinds.append(value.dtype if isinstance(value, Tensor) else None)
            readings.append(_ask(value) if isinstance(value, Tensor) else value)
        self._waiting.append((payload, readings, kinds, several))
        arrived = []
        while self._waiting and (len(self._waiting) > self.most or self.arrived):
            arrived.append(self.pop())
        return arrived

    @property
    def arrived(self):
        """True when the oldest entry is here, so that `pop` will not wait."""
        return all(kind is None or reading.ready for reading, kind in zip(*self._waiting[0][1:3]))

    def pop(self):
        """The oldest (payload, values); waits for it. An interrupt leaves it in the queue."""
        payload, readings, kinds, several = self._waiting[0]
        values = tuple(value if kind is None else _number(value, kind) for value, kind in zip(readings, kinds))
        self._waiting.popleft()
        return payload, values if several else values[0]

    def drain(self):
        """Waits for all that is under way and returns it."""
        return [self.pop() for _ in range(len(self._waiting))]

    def clear(self):
        """Forgets what is under way: the device is gone."""
        self._waiting.clear()


def _at_once(value):
    """The number, where nothing has to be waited for; None where something has."""
    if not isinstance(value, Tensor):
        return value
    return None if value.shape or value._storage.device.waits else value.item()


def _ask(x):
    if x.numel() != 1:
        raise RuntimeError("a Tensor with %d elements cannot be read as one number" % x.numel())
    program.note_read("a value in it was asked for")
    storage, size = x._storage, x.dtype.itemsize
    return storage.device.read_later(storage.handle, size, x._offset * size)


def _number(reading, kind):
    (value,) = kind.unpack(reading.bytes())
    return bool(value) if kind is bool_ else value
