"""The oracle: the complete kernel contract in plain NumPy, in float64 (CPython only).

Every other device is compared with this one, so it is written for clarity. float32 buffers are held
as float64, so that an error of a device shows against a result with nine more digits; int32 and
int8 are held as themselves. Sizes and offsets still count the bytes of the float32 representation,
and `upload`/`download` speak float32: above this file nothing differs.

The kernels are in `reference_kernels.py`, `reference_random.py`, `reference_recurrent.py` and
`reference_spatial.py`, one function each: `name(p, *buffers)` with p the named parameters and each
buffer a flat array of exactly `kernel.extent` elements, or None where it is absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from . import (
    reference_activation,
    reference_kernels,
    reference_linear_algebra,
    reference_random,
    reference_recurrent,
    reference_spatial,
)
from .base import Device

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Buffer

    from ..kernels import Kernel
    from .base import Place

    Array = Any  # a NumPy array: NumPy's own stubs know little more of these


FLOAT, INT, BYTE = 0, 1, 2  # what a word of Memory holds at present: a code of kernels.DTYPES
TAG_OF = dict(kernels.DTYPES)
TAG_OF_LETTER = {"f": FLOAT, "i": INT, "b": BYTE, "d": kernels.DTYPES["float64"]}
# How each is held. The 16-bit floats are held by their bits.
HELD: dict[int, Any] = {
    TAG_OF[name]: np.dtype(kind)
    for name, kind in {
        "float32": "f8", "int32": "i4", "int8": "i1", "float64": "f8", "int64": "i8", "int16": "i2", "uint8": "u1",
        "float16": "u2", "bfloat16": "u2",
    }.items()
}  # fmt: skip
SIZE = {tag: 4 if tag == FLOAT else kind.itemsize for tag, kind in HELD.items()}


class Memory:
    """A range of 4-byte words, each of the type as which it was last used. A float32 is kept as a
    float64, the others are kept as they are.

    Reading a word as another type than it was written with goes through the bits, as on a real
    device. A place in the arena, which holds different tensors at different times, needs that.
    """

    def __init__(self, nbytes: int, tag: int) -> None:
        self.nbytes, self.tag = nbytes, tag  # tag: what an upload brings
        self.words = -(-nbytes // 8) * 2  # whole elements of 8 bytes
        self.tags: Any = np.full(self.words, tag, np.uint8)
        self.arrays: dict[int, Array] = {tag: _undefined(self.words, tag)}

    def forget(self) -> None:
        """Undefined again: what a Program finds in the arena. NaN, so that reading it shows."""
        for tag, array in self.arrays.items():
            array[:] = _undefined(1, tag)[0]

    def view(self, tag: int, offset: int, count: int) -> Array:
        """`count` elements of the type `tag` from the byte `offset`, as a writable flat array."""
        size = SIZE[tag]
        if offset % size or offset < 0 or offset + count * size > self.nbytes:
            raise ValueError("%d elements at byte %d do not fit in a buffer of %d bytes" % (count, offset, self.nbytes))
        self._retag(tag, offset // 4, -(-(offset + count * size) // 4))
        return self.arrays[tag][offset // size : offset // size + count]

    def _retag(self, tag: int, begin: int, end: int) -> None:
        foreign = np.flatnonzero(self.tags[begin:end] != tag) + begin
        if tag not in self.arrays:
            self.arrays[tag] = _undefined(self.words, tag)
        if len(foreign):
            bits, array = self.bits(begin, end)[foreign - begin], self.arrays[tag]
            if tag == FLOAT:
                array[foreign] = bits.view(np.float32)
            else:
                array.view(np.int32)[foreign] = bits
            self.tags[foreign] = tag

    def bits(self, begin: int, end: int) -> Array:
        """int32: the words begin..end as the device would hold them."""
        bits, tags = np.empty(end - begin, np.int32), self.tags[begin:end]
        for tag, array in self.arrays.items():
            here = tags == tag
            if tag == FLOAT:
                with np.errstate(all="ignore"):
                    bits[here] = array[begin:end][here].astype(np.float32).view(np.int32)
            else:
                bits[here] = array.view(np.int32)[begin:end][here]
        return bits


def _undefined(words: int, tag: int) -> Array:
    if tag == FLOAT:
        return np.full(words, np.nan)
    kind = HELD[tag]
    odd = np.nan if kind.kind == "f" else {1: 179, 2: 51966}.get(kind.itemsize, -(2**31) + 7)
    return np.full(words * 4 // kind.itemsize, np.array(odd).astype(kind), kind)


class ReferenceDevice(Device):
    name = "reference"
    build = "numpy float64"

    def __init__(self) -> None:
        self._in_use = 0
        self.arena = Memory(0, FLOAT)

    def alloc(self, nbytes: int, dtype: str = "float32") -> Memory:
        self._in_use += nbytes
        return Memory(nbytes, TAG_OF[dtype])

    def free(self, handle: Any) -> None:
        if handle.tags is None:
            raise RuntimeError("a buffer of %d bytes was freed twice" % handle.nbytes)
        self._in_use -= handle.nbytes
        handle.arrays, handle.tags = {}, None

    def in_use(self) -> int:
        return self._in_use

    def upload(self, handle: Any, data: Buffer, offset: int = 0) -> None:
        given: Array = np.frombuffer(memoryview(data), np.uint8)
        if offset % min(SIZE[handle.tag], 4) or offset + len(given) > handle.nbytes:
            raise ValueError(
                "%d bytes at byte %d do not fit in a buffer of %d bytes" % (len(given), offset, handle.nbytes)
            )
        kind = np.dtype(np.float32) if handle.tag == FLOAT else HELD[handle.tag]
        handle.view(handle.tag, offset, len(given) // kind.itemsize)[:] = given.view(kind)

    def download(self, handle: Any, nbytes: int, offset: int = 0) -> bytes:
        return handle.bits(offset // 4, -(-(offset + nbytes) // 4)).tobytes()[offset % 4 :][:nbytes]

    def launch(self, kernel: Kernel, buffers: Sequence[Place | None], params: Sequence[float]) -> None:
        p = kernel.Params(*params)
        extents = kernel.extents(p)
        arrays: list[Array | None] = []
        for declared, given in zip(kernel.buffers, buffers, strict=True):
            count = extents[declared.name]
            if given is None and count and not declared.optional:
                raise ValueError("%s needs its buffer %s" % (kernel.name, declared.name))
            if given is None or (declared.optional and not count):
                arrays.append(None)
            else:
                arrays.append(given[0].view(_tag(kernel, declared, p), given[1], count))
        with np.errstate(all="ignore"):
            IMPLEMENTATIONS[kernel.name](p, *arrays)

    def load(
        self, launches: Sequence[tuple[Kernel, Sequence[Place | None], Sequence[float]]], arena_bytes: int
    ) -> ReferenceProgram:
        if arena_bytes > self.arena.nbytes:
            self.arena = Memory(arena_bytes, FLOAT)
        return ReferenceProgram(self, launches)


class ReferenceProgram:
    """Replays by launching one after the other, on an arena that starts undefined each time."""

    def __init__(
        self, device: ReferenceDevice, launches: Sequence[tuple[Kernel, Sequence[Place | None], Sequence[float]]]
    ) -> None:
        self.device, self.launches = device, launches

    def run(self) -> None:
        self.device.arena.forget()
        for kernel, buffers, params in self.launches:
            places = [(self.device.arena, b[1]) if b is not None and b[0] == "arena" else b for b in buffers]
            self.device.launch(kernel, places, params)

    def release(self) -> None:
        self.launches = ()


def _tag(kernel: Kernel, declared: kernels.Buffer, p: Any) -> int:
    """The type of a buffer in this launch: its own letter, or for `*` what the dtype parameters
    say.
    """
    if declared.dtype != "*":
        return TAG_OF_LETTER[declared.dtype]
    if kernel.name == "copy":
        return p.dtype_out if declared.name == "out" else p.dtype_x
    if declared.name == "out" and writes_int32(kernel, p):
        return INT
    return p.dtype


def writes_int32(kernel: Kernel, p: Any) -> bool:
    """Whether a `*` output is int32 whatever the dtype parameter says: comparisons and index
    reductions.
    """
    if kernel.name in ("binary", "binary_scalar"):
        return p.op in (kernels.BINARY[name] for name in kernels.COMPARISONS)
    return kernel.name == "reduce" and p.op in (kernels.REDUCE["argmax"], kernels.REDUCE["argmin"])


FAMILIES = (
    reference_activation, reference_random, reference_recurrent, reference_spatial, reference_linear_algebra,
    reference_kernels,
)  # fmt: skip
IMPLEMENTATIONS: dict[str, Callable[..., None]] = {
    kernel.name: next(getattr(family, kernel.name) for family in FAMILIES if hasattr(family, kernel.name))
    for kernel in kernels.KERNELS
}


def make() -> ReferenceDevice:
    return ReferenceDevice()
