"""A stream of PyTorch's CPU generator, mt19937: a seed gives the numbers that PyTorch gives on a
CPU. ops/random.py draws from it where code runs under PyTorch's meaning.

The place in the stream is a small tensor on the device (kernels.mersenne), so a replayed step draws
the numbers that the eager step would have drawn.
"""

from __future__ import annotations

import array
import contextlib
import struct
from typing import TYPE_CHECKING

from .. import kernels
from ..graph.program import copy, launch
from .current_device import get_device
from .factory import empty
from .generator import checked_seed
from .tensor import int32

if TYPE_CHECKING:
    from collections.abc import Generator as Steps  # what a function with a yield returns

    from ..devices.base import Device
    from .tensor import Tensor

WORDS = 624
BITS32 = (1 << 32) - 1


def seeded(seed: int) -> array.array[int]:
    """The state of mt19937 behind `seed` (init_genrand of the reference implementation): its low 32
    bits count.
    """
    words = array.array("I", [seed & BITS32])
    last = words[0]
    for j in range(1, WORDS):
        last = (1812433253 * (last ^ (last >> 30)) + j) & BITS32
        words.append(last)
    words.extend([WORDS, 0, 0, 0])  # no word is left; no normal number is kept
    return words


class Mersenne:
    """A place in a stream of mt19937. seed: an int of 64 bits."""

    def __init__(self, seed: int = 67280421310721) -> None:
        self._places: dict[str, Tensor] = {}  # by device name; one is the newest
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """The stream's first number again."""
        self.first = checked_seed(seed)
        self.write(seeded(self.first).tobytes())

    def write(self, state: bytes) -> None:
        """Continues at a state of kernels.MERSENNE_WORDS int32."""
        self._state = state
        for place in self._places.values():
            place.copy_bytes_(state)

    def read(self) -> bytes:
        """The state, as `write` takes it."""
        for place in self._places.values():
            return place.tobytes()
        return self._state

    def mark(self) -> Tensor:
        """A copy of the state on the current device."""
        place = self.place(get_device())
        copied = empty(kernels.MERSENNE_WORDS, dtype=int32, device=place.device)
        copy(copied, place)
        return copied

    @contextlib.contextmanager
    def again_from(self, mark: Tensor) -> Steps[None, None, None]:
        """Inside, the stream continues at `mark`; afterwards where it was."""
        place, before = self.place(mark.device), self.mark()
        copy(place, mark)
        try:
            yield
        finally:
            copy(place, before)

    def draw(self, kind: str, out: Tensor, a: float = 0.0, b: float = 0.0) -> Tensor:
        """Fills a dense tensor on a CPU; kind, a and b: see kernels.mersenne. Returns it."""
        n = out.numel()
        if n:
            place = self.place(out.device)
            launch(kernels.mersenne, (out, place), (kernels.DRAW[kind], out._dtype.code, n, float(a), float(b)))
        return out

    def place(self, device: Device) -> Tensor:
        """The tensor of the state on `device`."""
        place = self._places.get(device.name)
        if place is None:
            state = self.read()
            place = empty(kernels.MERSENNE_WORDS, dtype=int32, device=device)
            place.copy_bytes_(state)
            self._places = {device.name: place}
        return place

    def word(self) -> int:
        """The next 32 bits."""
        out = empty(1, dtype=int32, device=get_device())
        return int(self.draw("words", out, 0, 2.0**32).item()) & BITS32


def legacy_state(stream: Mersenne) -> bytes:
    """The 5056 bytes of PyTorch's `Generator.get_state()`: THGeneratorState, a float's sample."""
    *words, position, has_kept, kept_low, kept_high = struct.unpack("<628I", stream.read())
    kept = struct.pack("<II", kept_low, kept_high) if has_kept else bytes(8)
    head = struct.pack("<QiiQ", stream.first, WORDS - position + 1 if position < WORDS else 1, 1, position % WORDS)
    normal = struct.pack("<d", 0.0) + kept + struct.pack("<d", 0.0) + struct.pack("<ii", has_kept, 0)
    return head + struct.pack("<624Q", *words) + normal + bytes(8)


def from_legacy_state(stream: Mersenne, data: bytes) -> None:
    """Continues where `legacy_state` or PyTorch's get_state says. ValueError for other bytes."""
    if len(data) != 5056:
        raise ValueError("a generator's state has 5056 bytes, not %d" % len(data))
    seed, left, _, following = struct.unpack_from("<QiiQ", data)
    words = struct.unpack_from("<624Q", data, 24)
    has_kept = struct.unpack_from("<i", data, 24 + 4992 + 24)[0]
    if max(words) > BITS32 or not 1 <= left <= WORDS or following > WORDS:
        raise ValueError("this is no state of mt19937")
    stream.first = seed
    position = WORDS if left == 1 else following
    kept = data[24 + 4992 + 8 : 24 + 4992 + 16]
    stream.write(struct.pack("<626I", *words, position, int(has_kept != 0)) + kept)
