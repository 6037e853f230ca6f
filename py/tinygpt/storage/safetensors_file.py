"""The container of a checkpoint: a safetensors file, read without trust and written as a stream
(docs/format.md).

Layout: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets},
"__metadata__": {str: str}}, then the tensors' bytes without gaps. `read` takes bytes and gives the
metadata and views into them; `write` takes tensors one at a time. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, cast

from . import bounded_json

ITEM_BYTES = {
    "F64": 8,
    "I64": 8,
    "U64": 8,
    "F32": 4,
    "I32": 4,
    "U32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "U16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
MAX_HEADER = 100_000_000  # the safetensors library's own limit
MAX_TENSORS = 100_000  # of a file; a model of 1,000 layers with its moments has 36,000
# Each has at most MAX_RANK sizes, two offsets, a dtype and the two lists; the header and its
# metadata are objects too.
HEADER_LIMITS = bounded_json.Limits(values=16 * MAX_TENSORS, objects=MAX_TENSORS + 2)
MAX_RANK = 8
NO_DIGEST = "0" * 64

# First bytes of files that people take for checkpoints, and what to say about them.
FOREIGN = (
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (
        b"PK\x03\x04",
        "a ZIP archive (torch.save writes those, with a pickle inside, and no pickle is ever opened: it can run code)",
    ),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "gzip-compressed data; unpack it first"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"GGUF", "a GGUF file"),
    (b"<!DOCTYPE", "a web page; the download went wrong"),
    (b"<html", "a web page; the download went wrong"),
    (b"{", "JSON text"),
    (b"\x80\x02", "a Python pickle, which is never opened because a pickle can run code"),
    (b"\x80\x03", "a Python pickle, which is never opened because a pickle can run code"),
    (b"\x80\x04", "a Python pickle, which is never opened because a pickle can run code"),
    (b"\x80\x05", "a Python pickle, which is never opened because a pickle can run code"),
)


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the sentence says why and what to do."""


class View:
    """A tensor inside a file's bytes: dtype (safetensors' name), shape, and `data`, a memoryview
    (nothing is copied).
    """

    __slots__ = ("dtype", "shape", "data")

    def __init__(self, dtype: str, shape: tuple[int, ...], data: memoryview) -> None:
        self.dtype, self.shape, self.data = dtype, shape, data

    def tobytes(self) -> bytes:
        """A copy of the tensor's bytes."""
        return self.data.tobytes()

    def __repr__(self) -> str:
        return "View(%s %s)" % (self.dtype, list(self.shape))


# (dtype, shape, function -> bytes), and what else a writer wants to know of the tensor.
Entry = tuple[Any, ...]
Metadata = Mapping[str, str]
Spans = dict[str, tuple[int, int]]  # by name: [begin, end) of the tensor in the data


def parse_json(text: str, what: str, limits: bounded_json.Limits = bounded_json.LIMITS) -> Any:
    """JSON without trust: CheckpointError for duplicate names, NaN, infinities, over-long numbers,
    and for what is beyond the limits of bounded_json.
    """
    try:
        return bounded_json.parse(
            text,
            limits,
            object_pairs_hook=bounded_json.unique,
            parse_constant=_not_finite,
            parse_float=_finite,
        )
    except bounded_json.LimitError as error:
        raise CheckpointError(
            "the checkpoint's %s %s; the file is damaged or was made to do harm" % (what, error)
        ) from None
    except bounded_json.DuplicateError as error:
        raise CheckpointError("the checkpoint's %s %s; the file is damaged" % (what, error)) from None
    except RecursionError:  # the caller itself is close to Python's limit
        raise CheckpointError("the checkpoint's %s is nested too deeply to be read from here" % what) from None
    except ValueError as error:
        raise CheckpointError(
            "the checkpoint's %s is not valid JSON (%.100s); the file is damaged" % (what, error)
        ) from None


def _not_finite(text: str) -> Any:
    raise ValueError("%s is not a number" % text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("%.40s is too large" % text)
    return value


def read(data: Any) -> tuple[dict[str, str], dict[str, View]]:
    """(metadata {str: str}, {name: View}) of a safetensors file's bytes. CheckpointError for
    everything that does not hold.
    """
    view = memoryview(data).cast("B")
    length = header_length(view)
    if length > len(view) - 8:
        raise CheckpointError(
            "the checkpoint is cut off: its header has %d bytes, but only %d follow; save or download it again"
            % (length, len(view) - 8)
        )
    metadata, entries = _header(view[8 : 8 + length])
    return metadata, _views(entries, view[8 + length :])


def header_length(view: memoryview) -> int:
    """The bytes of the header, of a file that begins with `view` (9 bytes are enough).
    CheckpointError where that is no file of this kind.
    """
    if not len(view):
        raise CheckpointError("the checkpoint is empty (0 bytes); save or download it again")
    length = int.from_bytes(view[:8], "little")
    if len(view) < 9 or view[8] != ord("{") or length > MAX_HEADER:
        raise CheckpointError("this is not a .tinygpt file%s" % _but(view))
    return length


def declared_bytes(header: memoryview) -> int:
    """How many bytes the tensors take together, as the header's text says. CheckpointError."""
    _, entries = _header(header)
    return max((_entry(name, entry)[3] for name, entry in entries.items()), default=0)


def _header(header: memoryview) -> tuple[dict[str, str], dict[str, Any]]:
    """(metadata, the tensors' entries) of a header's bytes."""
    try:
        text = header.tobytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(
            "the checkpoint's header is not UTF-8 at byte %d; the file is damaged" % error.start
        ) from None
    entries = parse_json(text, "header", HEADER_LIMITS)
    if not isinstance(entries, dict):
        raise CheckpointError("the checkpoint's header is not a JSON object; the file is damaged")
    entries = cast("dict[str, Any]", entries)
    metadata = cast("dict[str, Any]", entries.pop("__metadata__", {}))
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CheckpointError("the checkpoint's __metadata__ must be an object of strings; the file is damaged")
    if len(entries) > MAX_TENSORS:
        raise CheckpointError("the checkpoint holds %d tensors; at most %d are read" % (len(entries), MAX_TENSORS))
    return metadata, entries


def _views(header: Mapping[str, Any], data: memoryview) -> dict[str, View]:
    spans: list[tuple[int, int, str]] = []
    views: dict[str, View] = {}
    for name, entry in header.items():
        dtype, shape, begin, end = _entry(name, entry)
        if end > len(data):
            raise CheckpointError(
                "the tensor %.80r ends at byte %.40s of the data, but there are only %d; "
                "the checkpoint is cut off or damaged" % (name, end, len(data))
            )
        if math.prod(shape) * ITEM_BYTES[dtype] != end - begin:
            raise CheckpointError(
                "the tensor %.80r is %s %.80s, which does not take the %d bytes it is given; the file is damaged"
                % (name, dtype, list(shape), end - begin)
            )
        spans.append((begin, end, name))
        views[name] = View(dtype, shape, data[begin:end])
    position = 0
    for begin, end, name in sorted(spans):
        if begin != position:
            raise CheckpointError(
                "the tensor %.80r %s (byte %d, expected %d); the file is damaged"
                % (name, "overlaps the one before it" if begin < position else "comes after a gap", begin, position)
            )
        position = end
    if position != len(data):
        raise CheckpointError(
            "%d bytes follow the last tensor of the checkpoint; the file is damaged" % (len(data) - position)
        )
    return views


def _entry(name: str, given: Any) -> tuple[str, tuple[int, ...], int, int]:
    """The checked dtype, shape, begin and end of a tensor."""
    entry = cast("dict[str, Any]", given)
    if not isinstance(given, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(
            "the entry of the tensor %.80r must have dtype, shape and data_offsets; the file is damaged" % name
        )
    dtype = entry["dtype"]
    shape, offsets = cast("list[int]", entry["shape"]), cast("list[int]", entry["data_offsets"])
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise CheckpointError("the tensor %.80r has the dtype %.40r, which is not known here" % (name, dtype))
    if (
        not isinstance(shape, list)  # pyright: ignore[reportUnnecessaryIsInstance]
        or len(shape) > MAX_RANK
        or not all(type(n) is int and 0 <= n < 2**63 for n in shape)
    ):
        raise CheckpointError(
            "the tensor %.80r has the shape %.80r, which is not a list of at most %d sizes" % (name, shape, MAX_RANK)
        )
    if (
        not isinstance(offsets, list)  # pyright: ignore[reportUnnecessaryIsInstance]
        or len(offsets) != 2
        or not all(type(n) is int for n in offsets)
        or not 0 <= offsets[0] <= offsets[1]
    ):
        raise CheckpointError(
            "the tensor %.80r has the data_offsets %.80r, which are not [begin, end]" % (name, offsets)
        )
    return dtype, tuple(shape), offsets[0], offsets[1]


def _but(view: memoryview) -> str:
    """What the file is instead, as in "but a PNG image"; "" for an unknown kind."""
    head = view[:16].tobytes()
    for magic, what in FOREIGN:
        if head.startswith(magic):
            return " but " + what
    return ""


def header_digest(metadata: Metadata, tensors: Mapping[str, tuple[str, Sequence[int]]]) -> str:
    """sha256 over the metadata (without the digests) and every tensor's name, dtype and shape.

    tensors: {name: (dtype, shape)}.
    """
    digested = {key: value for key, value in metadata.items() if not key.endswith("_sha256")}
    entries = sorted([name, dtype, list(shape)] for name, (dtype, shape) in tensors.items())
    return hashlib.sha256(json.dumps([digested, entries], sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check_digests(metadata: Metadata, views: Mapping[str, View]) -> None:
    """CheckpointError where the header's or the data's sha256 is not the one that was written."""
    if metadata.get("header_sha256") != header_digest(
        metadata, {name: (v.dtype, v.shape) for name, v in views.items()}
    ):
        raise CheckpointError(
            "the checkpoint's header does not match its checksum (header_sha256); the file is damaged, use another copy"
        )
    digest = hashlib.sha256()
    for name in sorted(views):
        digest.update(views[name].data)
    if metadata.get("data_sha256") != digest.hexdigest():
        raise CheckpointError(
            "the checkpoint's tensors do not match their checksum (data_sha256); the file is damaged, use another copy"
        )


def laid_out(metadata: Metadata, tensors: Mapping[str, Entry]) -> tuple[bytes, Spans]:
    """(the file's first bytes, {name: (begin, end) in the data}) for {name: (dtype, shape, ...)},
    in the order of the names.

    The data's digest is not known yet: the header holds NO_DIGEST where it belongs, and
    `digest_place` says where that is.
    """
    metadata = dict(metadata, data_sha256=NO_DIGEST)
    types = {name: (entry[0], entry[1]) for name, entry in tensors.items()}
    metadata["header_sha256"] = header_digest(metadata, types)
    return _head(metadata, tensors)


def _head(metadata: Metadata, tensors: Mapping[str, Entry]) -> tuple[bytes, Spans]:
    if len(tensors) > MAX_TENSORS:
        raise CheckpointError("the checkpoint would hold %d tensors; at most %d are read" % (len(tensors), MAX_TENSORS))
    header: dict[str, Any] = {"__metadata__": metadata}
    spans: Spans = {}
    position = 0
    for name in sorted(tensors):
        dtype, shape = tensors[name][:2]
        end = position + math.prod(shape) * ITEM_BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, end]}
        spans[name] = position, end
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise CheckpointError(
            "the checkpoint's header would have %d bytes; at most %d are possible, shorten the loss history"
            % (len(text), MAX_HEADER)
        )
    return struct.pack("<Q", len(text)) + text, spans


def digest_place(head: bytes) -> int:
    """Where in the file's first bytes the data's digest goes."""
    return head.index(b'"data_sha256":"' + NO_DIGEST.encode()) + len('"data_sha256":"')


def write(file: BinaryIO, metadata: Metadata, tensors: Mapping[str, Entry]) -> None:
    """Writes {name: (dtype, shape, function -> bytes)} in the order of the names, one tensor in
    memory at a time.

    file: binary, seekable: the data's digest is put into the header at the end.
    """
    head, spans = laid_out(metadata, tensors)
    start = file.tell()
    file.write(head)
    digest = hashlib.sha256()
    for name, (begin, end) in spans.items():
        data = tensors[name][2]()
        if memoryview(data).nbytes != end - begin:
            raise CheckpointError(
                "the tensor %r gave %d bytes where its shape needs %d" % (name, memoryview(data).nbytes, end - begin)
            )
        digest.update(data)
        file.write(data)
    after = file.tell()
    file.seek(start + digest_place(head))
    file.write(digest.hexdigest().encode())
    file.seek(after)


def write_weights(file: BinaryIO, metadata: Metadata, tensors: Mapping[str, Entry]) -> None:
    """Writes a plain safetensors file, without digests: {name: (dtype, shape, function -> bytes)},
    for other programs to read.
    """
    head, spans = _head(metadata, tensors)
    file.write(head)
    for name in spans:
        file.write(tensors[name][2]())
