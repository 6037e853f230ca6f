"""A gzip-compressed checkpoint (.tinygpt.gz), unpacked no further than its own header declares.

2 MB of gzip can hold 2 GB, so the size is bounded while the bytes stream: the safetensors header
comes first and says how many bytes follow; more than that, or more than there is memory, ends the
reading. app/run/model_file.js does the same in the page.
"""

from __future__ import annotations

import io
import os
import zlib
from typing import BinaryIO

from .safetensors_file import CheckpointError, declared_bytes, header_length

MAGIC = b"\x1f\x8b"
MAX_UNPACKED = 1 << 34  # 16 GiB, also where nobody says how much memory there is
_PIECE = 1 << 16  # bytes read at once


def unpacked(file: BinaryIO) -> bytes:
    """The checkpoint in a gzip file. CheckpointError where it is damaged, holds something else, or
    is larger than it declares or than the memory there is.
    """
    stream, out = _Stream(file), io.BytesIO()
    stream.copy(out, 9)
    length = header_length(memoryview(out.getvalue()))
    stream.copy(out, 8 + length - out.tell())
    if out.tell() == 8 + length:
        total = 8 + length + declared_bytes(memoryview(out.getvalue())[8:])
        most = min(MAX_UNPACKED, free_memory())
        if total > most:
            raise CheckpointError(
                "the checkpoint would take %.1f GB unpacked, and at most %.1f GB can be read here (the free "
                "memory); use a smaller file, or close other programs" % (total / 1e9, most / 1e9)
            )
        stream.copy(out, total - out.tell())
        if not stream.at_end():
            raise CheckpointError(
                "the checkpoint unpacks to more than the %d bytes that its header declares; the file is damaged "
                "or was made to do harm" % total
            )
    return out.getvalue()  # one that is cut off is refused where it is read


class _Stream:
    """The bytes inside a gzip file, on request."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.decompressor = zlib.decompressobj(31)  # one gzip member, its checksum and size verified
        self.packed = b""

    def read(self, most: int) -> bytes:
        """At least one and at most `most` bytes; none at the end."""
        while not self.decompressor.eof:
            if not self.packed:
                self.packed = self.file.read(_PIECE)
                if not self.packed:
                    raise CheckpointError("the gzip file is cut off; save or download it again")
            try:
                data = self.decompressor.decompress(self.packed, most)
            except zlib.error as error:
                raise CheckpointError(
                    "the gzip file cannot be unpacked (%s); it is damaged, download it again" % error
                ) from None
            self.packed = self.decompressor.unconsumed_tail
            if data:
                return data
        if self.decompressor.unused_data or self.file.read(1):
            raise CheckpointError("the gzip file has more bytes after its end; it is damaged, download it again")
        return b""

    def copy(self, out: BinaryIO, count: int) -> None:
        """Writes the next `count` bytes to `out`, fewer at the end."""
        while count > 0:
            data = self.read(min(count, 16 * _PIECE))
            if not data:
                return
            out.write(data)
            count -= len(data)

    def at_end(self) -> bool:
        """Whether no byte is left; then the checksum was verified."""
        return not self.read(1)


def free_memory() -> int:
    """Bytes of memory that a program can still take, as Linux says; elsewhere those of the machine,
    or MAX_UNPACKED.
    """
    try:
        with open("/proc/meminfo", "rb") as file:
            facts = dict(line.split(b":", 1) for line in file)
        return int(facts[b"MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return MAX_UNPACKED
