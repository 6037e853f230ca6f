"""Random streams: a Generator's place in its Philox stream (Salmon et al. 2011), and the default
stream. ops/random.py draws from them.

A Generator counts blocks of four 32-bit numbers. Its place in the stream is in a small device
buffer (`rng`: seed, base) that a compiled function's replay rewrites, so a captured dropout draws
new numbers at every step, and the same ones that the eager step would have drawn.
"""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any

from ..devices.base import Words
from ..graph import program
from ..kernels import place_problem
from .factory import empty
from .quoting import quoted
from .tensor import RangeError, int32, whole_number

if TYPE_CHECKING:
    from collections.abc import Generator as Steps  # what a function with a yield returns

    from ..devices.base import Device
    from .tensor import BorrowedStorage, Tensor

_all: weakref.WeakSet[Generator] = weakref.WeakSet()  # every Generator
_PLACE = Words("QQ")


def checked_seed(seed: Any) -> int:
    """A seed as the 64 bits that a stream takes. RuntimeError for what is none, as in PyTorch."""
    try:
        seed = whole_number(seed, "a seed") if type(seed) is not int else seed
    except TypeError as error:
        raise RuntimeError(str(error)) from None
    if not -(1 << 63) <= seed < 1 << 64:
        raise RangeError("the seed %s passes 64 bits; give an int from -2^63 to 2^64 - 1" % quoted(seed))
    return seed & (2**64 - 1)


class Generator:
    """A place in a random stream. seed: an int from -2^63 to 2^64 - 1; a negative one counts from
    2^64, as in PyTorch. offset: blocks drawn so far.
    """

    def __init__(self, seed: int = 42) -> None:
        self._rng: dict[str, Tensor] = {}  # by device name
        self._places: list[BorrowedStorage] = []  # those of _rng
        # The capture that draws, and what it has drawn. Weak: a capture holds a model's storages.
        self._taken: weakref.ref[_Taken]
        _all.add(self)
        self._capture: weakref.ref[program.Capture] | None = None
        self.manual_seed(seed)

    def __getstate__(self) -> dict[str, int]:
        """What copy and pickle take: the place in the stream, and no device's memory."""
        return {**self.get_state(), "forks": self._forks}

    def __setstate__(self, values: dict[str, int]) -> None:
        Generator.__init__(self, values["seed"])
        self.offset, self._forks = values["offset"], values["forks"]

    def manual_seed(self, seed: int) -> Generator:
        """Restarts the stream at its first number. Returns self.

        RuntimeError for a seed that is no int or passes 64 bits.
        """
        self.seed: int = checked_seed(seed)
        self.offset: int = 0
        self._base: int = 0
        self._forks: int = 0
        self._write()
        return self

    def initial_seed(self) -> int:
        """The seed, from 0 to 2^64 - 1."""
        return self.seed

    def fork(self) -> int:
        """A seed for a stream of its own (of a sampled text, say); the next call gives another.
        This stream does not move.
        """
        self._forks += 1
        return (self.seed + 0x9E3779B97F4A7C15 * self._forks) & (2**64 - 1)

    def get_state(self) -> dict[str, int]:
        """{"seed", "offset"}: give it to set_state to continue the stream here."""
        return {"seed": self.seed, "offset": self.offset}

    def set_state(self, values: dict[str, int]) -> None:
        """Continues where `values` (get_state) says. ValueError for what is no such place; the
        stream then stays where it is.
        """
        if problem := place_problem(values):
            raise ValueError("the place in a random stream is %s; %s" % (quoted(values), problem))
        self.manual_seed(values["seed"])
        self.offset = values["offset"]

    @contextlib.contextmanager
    def again_from(self, values: dict[str, int]) -> Steps[None, None, None]:
        """Inside, the stream continues where `values` (get_state) says; afterwards where it was, as
        if nothing had been drawn inside.
        """
        seed, offset, base = self.seed, self.offset, self._base
        taken = self._taken() if self._capture is not None and self._capture() is program.active_capture() else None
        blocks = taken.blocks if taken is not None else 0
        if values["seed"] != seed:
            self.seed = values["seed"]
            self._write()
        self.offset = values["offset"]
        try:
            yield
        finally:
            self.offset = offset
            if taken is not None:
                taken.blocks = blocks
            if self.seed != seed or self._base != base and program.active_capture() is None:
                self.seed, self._base = seed, base
                self._write()

    @contextlib.contextmanager
    def apart(self, other: Generator) -> Steps[None, None, None]:
        """Inside, what draws from this stream or seeds it moves `other` and not this stream."""
        place = self.seed, self.offset, self._base, self._forks
        self.set_state(other.get_state())
        self._forks = other._forks
        try:
            yield
        finally:
            other.seed, other.offset, other._forks = self.seed, self.offset, self._forks
            self.seed, self.offset, self._base, self._forks = place
            self._write()

    def reserve(self, device: Device, blocks: int) -> tuple[Tensor, int]:
        """Takes `blocks` of the stream: (rng tensor, offset of the first relative to its base)."""
        rng = self._rng.get(device.name)
        if rng is None:
            rng = self._rng[device.name] = empty(4, dtype=int32, device=device)
            self._places.append(rng._storage)
            self._write()
        capture = program.active_capture()
        if capture is not None and (self._capture is None or self._capture() is not capture):
            self._capture = weakref.ref(capture)
            self._base = self.offset
            self._write()
            taken = _Taken(self)
            program.before_replay(taken)
            self._taken = weakref.ref(taken)  # the capture holds it
        relative = self.offset - self._base
        self.offset += blocks
        if capture is not None:
            drawn = self._taken()
            assert drawn is not None  # of the active capture
            drawn.blocks += blocks
        return rng, relative

    def _write(self) -> None:
        place = self.seed, self._base
        for storage in self._places:
            storage.device.put(_PLACE, storage.handle, place)


class _Taken:
    """How much of a generator's stream one captured call draws."""

    def __init__(self, generator: Generator) -> None:
        self.generator, self.blocks = generator, 0

    def advance(self) -> None:
        g = self.generator
        g._base = base = g.offset
        place = g.seed, base
        for storage in g._places:  # as _write, without its call: this is in every step
            storage.device.put(_PLACE, storage.handle, place)
        g.offset = base + self.blocks

    def retreat(self) -> None:
        self.generator.offset -= self.blocks


def forget(device: Device) -> None:
    """Drops what generators keep on a device that is left, or that was lost; their places in their
    streams stay.
    """
    for generator in _all:
        generator._rng.pop(device.name, None)
        generator._places = [rng._storage for rng in generator._rng.values()]


default_generator = Generator()
# The default stream of a CPU while code runs under PyTorch's meaning: a Mersenne (mersenne.py).
mersenne: Any = None


def manual_seed(seed: int) -> Generator:
    """Restarts the default generator, which initialisation, dropout and sampling draw from. Returns
    it. seed: any number, of which int() counts, as in PyTorch.
    """
    if mersenne is not None:
        mersenne.restart(int(seed))
    return default_generator.manual_seed(int(seed))
