"""The files of torch.save: a ZIP archive of a pickle and the storages' bytes. They are read without
trust, and written so that torch.load(weights_only=True) takes them.

No pickle is executed: `pickletools` names the instructions, and `_Machine` follows those that make
plain values (numbers, text, lists, tuples, dicts, sets) and tensors. It refuses every other name
that a pickle can call. The format is PyTorch's torch/serialization.py and torch/_utils.py of 2.13.

    read(data)                -> the value; each tensor in it is a StoredTensor
    write(value, stored_of)   -> bytes; stored_of(x) is the StoredTensor or StoredName of x, or None
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
import warnings
import zipfile
import zlib
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any, cast

from .safetensors_file import ITEM_BYTES, MAX_RANK, CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable

# PyTorch's storage class -> safetensors' name of the element type
STORAGES = {
    "FloatStorage": "F32", "DoubleStorage": "F64", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}  # fmt: skip
CLASSES = {dtype: name for name, dtype in STORAGES.items()}
DTYPES = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()  # torch's names
MOST_INSTRUCTIONS = 5_000_000  # of a pickle; a model of 1,000 layers with its moments has 900,000
MOST_PICKLE = 100_000_000  # bytes
DEEPEST = 100  # containers inside each other
LONGEST_INT = 1 << 64
ALIGNMENT = 64  # bytes: PyTorch maps a storage into memory where it stands
ADVICE = "only tensors, numbers, text and plain containers are read, since a pickle can run code"


class StoredTensor:
    """A tensor of such a file. dtype: safetensors' name; shape, stride, offset: in elements; data:
    the bytes of its whole storage; key: which storage it is (tensors may share one); location: the
    device that it was on.
    """

    __slots__ = ("dtype", "shape", "stride", "offset", "key", "data", "requires_grad", "is_parameter", "location")

    def __init__(
        self,
        dtype: str,
        shape: tuple[int, ...],
        stride: tuple[int, ...],
        offset: int,
        key: Any,
        data: Any,
        requires_grad: bool = False,
        is_parameter: bool = False,
        location: str = "cpu",
    ) -> None:
        self.location = location
        self.dtype, self.shape, self.stride, self.offset = dtype, shape, stride, offset
        self.key, self.data = key, memoryview(data).cast("B")
        self.requires_grad, self.is_parameter = requires_grad, is_parameter

    def tobytes(self) -> bytes:
        """The elements, row-major."""
        size = ITEM_BYTES[self.dtype]
        if not math.prod(self.shape):
            return b""
        # Rows that are contiguous in the storage are copied whole.
        run, axis = 1, len(self.shape)
        while axis and (self.stride[axis - 1] == run or self.shape[axis - 1] == 1):
            axis -= 1
            run *= self.shape[axis]
        starts = [self.offset]
        for length, step in zip(self.shape[:axis], self.stride[:axis], strict=True):
            starts = [start + i * step for start in starts for i in range(length)]
        return b"".join(self.data[start * size : (start + run) * size] for start in starts)

    def __repr__(self) -> str:
        return "StoredTensor(%s %s)" % (self.dtype, list(self.shape))


class StoredName:
    """What PyTorch names: kind "dtype" (value: its name), "device" (its type and index) or "Size"
    (a tuple of ints).
    """

    __slots__ = ("kind", "value")

    def __init__(self, kind: str, value: Any) -> None:
        self.kind, self.value = kind, value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredName) and (self.kind, self.value) == (other.kind, other.value)

    def __hash__(self) -> int:
        return hash((self.kind, self.value))


class Sizes(tuple[int, ...]):
    """A torch.Size that was read."""


def is_torch_file(data: Any) -> bool:
    """Whether the bytes are a ZIP archive that holds a pickle as torch.save writes it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return False


def read(data: Any) -> Any:
    """What torch.save was given; its tensors are StoredTensors whose bytes are views of `data`.
    CheckpointError, in a sentence, for a file that is damaged or holds anything else.
    """
    view = memoryview(data).cast("B")
    members = _members(view)
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise CheckpointError("the archive holds %d files called data.pkl; a file of torch.save has one" % len(pickles))
    folder = pickles[0][: -len("data.pkl")]
    order = members.get(folder + "byteorder", b"little")
    if bytes(order) != b"little":
        raise CheckpointError("the file's byte order is %r; save it on a little-endian machine" % bytes(order)[:20])
    content = members[pickles[0]]
    if len(content) > MOST_PICKLE:
        raise CheckpointError("the file's pickle has %d bytes; at most %d are read" % (len(content), MOST_PICKLE))
    value = _Machine(members, folder).run(bytes(content))
    _check_depth(value)
    return value


def _members(view: memoryview) -> dict[str, memoryview]:
    """The archive's files as views. Each is stored as it is, and its checksum holds."""
    try:
        with zipfile.ZipFile(io.BytesIO(view)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error) as error:
        raise CheckpointError("the file is no ZIP archive as torch.save writes it (%.80s)" % error) from None
    members: dict[str, memoryview] = {}
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise CheckpointError("the archive's %.60s is compressed or encrypted; torch.save stores" % entry.filename)
        head = bytes(view[entry.header_offset : entry.header_offset + 30])
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            raise CheckpointError(
                "the archive's %.60s is not where its list says; the file is damaged" % entry.filename
            )
        name_bytes, extra_bytes = struct.unpack_from("<HH", head, 26)
        begin = entry.header_offset + 30 + name_bytes + extra_bytes
        content = view[begin : begin + entry.file_size]
        if len(content) != entry.file_size or zlib.crc32(content) != entry.CRC:
            raise CheckpointError("the archive's %.60s is damaged: its checksum does not hold" % entry.filename)
        if entry.filename in members:
            raise CheckpointError("the archive holds %.60s twice; the file is damaged" % entry.filename)
        members[entry.filename] = content
    return members


class _Name:
    """A name that the pickle refers to: one of those below."""

    def __init__(self, module: str, name: str) -> None:
        self.full = "%s.%s" % (module, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Name) and self.full == other.full

    def __hash__(self) -> int:
        return hash(self.full)


class _Storage:
    def __init__(self, dtype: str, key: str, data: memoryview, location: str) -> None:
        self.dtype, self.key, self.data, self.location = dtype, key, data, location


_MARK = object()
_PLAIN = ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
          "INT", "LONG", "FLOAT", "UNICODE", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8")  # fmt: skip
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NEW: dict[str, Callable[[], Any]] = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = ("PROTO", "FRAME")
_CALLED = (
    "collections.OrderedDict",
    "collections.Counter",
    "_codecs.encode",
    "torch.device",
    "builtins.set",
    "__builtin__.set",
    "torch.Size",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
)


class _Machine:
    """Follows a pickle's instructions, those of plain values and tensors."""

    def __init__(self, members: dict[str, memoryview], folder: str) -> None:
        self.members, self.folder = members, folder
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, _Storage] = {}

    def run(self, content: bytes) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the text instructions, which are refused
                return self.followed(content)
        except CheckpointError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, struct.error) as error:
            raise CheckpointError("the file's pickle is damaged (%s: %.80s)" % (type(error).__name__, error)) from None

    def followed(self, content: bytes) -> Any:
        for count, (instruction, argument, _) in enumerate(pickletools.genops(content)):
            if count > MOST_INSTRUCTIONS:
                raise CheckpointError("the file's pickle has more than %d instructions" % MOST_INSTRUCTIONS)
            if instruction.name == "STOP":
                (value,) = self.stack
                return value
            self.follow(instruction.name, argument)
        raise CheckpointError("the file's pickle has no end; the file is damaged")

    def follow(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PLAIN:
            if isinstance(argument, int) and abs(argument) >= LONGEST_INT:
                raise CheckpointError("the file holds an int of more than 64 bits")
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _NEW:
            stack.append(_NEW[name]())
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(self.top(_TUPLES[name]))]
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "TUPLE":
            stack.append(tuple(self.since_mark()))
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[int(argument)] = self.top(1)[0]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.top(1)[0]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memo[int(argument)])
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else self.since_mark()
            self.container(list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [stack.pop(), stack.pop()][::-1] if name == "SETITEM" else self.since_mark()
            self.container(dict).update(zip(items[::2], items[1::2], strict=True))
        elif name == "ADDITEMS":
            items = self.since_mark()
            self.container(set).update(items)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            module, attribute = str(argument).split(" ", 1) if name == "GLOBAL" else self.pop(2)
            stack.append(self.named(str(module), str(attribute)))
        elif name == "BINPERSID":
            stack.append(self.storage(stack.pop()))
        elif name in ("REDUCE", "NEWOBJ"):
            called, arguments = self.pop(2)
            stack.append(self.call(called, arguments))
        elif name == "BUILD":  # attributes: state_dict's _metadata is all that is left out
            stack.pop()
            self.container(OrderedDict)
        elif name == "POP":
            stack.pop()
        elif name not in _IGNORED:
            raise CheckpointError("the file's pickle uses %s; %s" % (name, ADVICE))

    def top(self, count: int) -> list[Any]:
        if len(self.stack) < count or any(value is _MARK for value in self.stack[-count:]):
            raise IndexError("nothing is there")
        return self.stack[-count:]

    def pop(self, count: int) -> list[Any]:
        values = self.top(count)
        del self.stack[-count:]
        return values

    def since_mark(self) -> list[Any]:
        items: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            items.append(value)
        return items[::-1]

    def container(self, kind: type) -> Any:
        value = self.stack[-1]
        if not isinstance(value, kind):
            raise TypeError("a %s is no %s" % (type(value).__name__, kind.__name__))
        return value

    def named(self, module: str, name: str) -> _Name | StoredName:
        if module == "torch" and name in DTYPES:
            return StoredName("dtype", name)
        found = _Name(module, name)
        if found.full not in _CALLED and not (module == "torch" and name in STORAGES):
            raise CheckpointError("the file holds a %.100s; %s" % (found.full, ADVICE))
        return found

    def call(self, called: Any, arguments: Any) -> Any:
        name = called.full if isinstance(called, _Name) else type(called).__name__
        if name == "collections.OrderedDict":
            return cast("OrderedDict[Any, Any]", OrderedDict(*arguments))
        if name.endswith(".set"):
            return cast("set[Any]", set(*arguments))
        if name == "torch.Size":
            return Sizes(*arguments)
        if name == "torch.device":
            return StoredName("device", tuple(arguments))
        if name == "collections.Counter":
            return cast("Counter[Any]", Counter(*arguments))
        if name == "_codecs.encode":  # bytes, before pickle had an instruction for them
            text, encoding = arguments
            if encoding != "latin1":
                raise CheckpointError("the file holds bytes encoded as %.20s; %s" % (encoding, ADVICE))
            return str(text).encode("latin1")
        if name == "torch._utils._rebuild_tensor_v2":
            return self.tensor(*arguments[:5])
        if name == "torch._utils._rebuild_parameter":
            tensor, requires_grad = arguments[:2]
            if not isinstance(tensor, StoredTensor):
                raise TypeError("a parameter without a tensor")
            tensor.requires_grad, tensor.is_parameter = bool(requires_grad), True
            return tensor
        raise CheckpointError("the file's pickle calls a %.60s; %s" % (name, ADVICE))

    def storage(self, identity: Any) -> _Storage:
        kind, class_, key, location, count = identity
        if kind != "storage" or not isinstance(class_, _Name) or not isinstance(key, str):
            raise TypeError("no storage")
        if key not in self.storages:
            dtype = STORAGES[class_.full.partition(".")[2]]
            data = self.members.get("%sdata/%s" % (self.folder, key))
            if data is None:
                raise CheckpointError("the archive lacks the storage %.40s; the file is damaged" % key)
            if type(count) is not int or len(data) != count * ITEM_BYTES[dtype]:
                raise CheckpointError(
                    "the storage %.40s has %d bytes, not %s elements of %s; the file is damaged"
                    % (key, len(data), count, dtype)
                )
            self.storages[key] = _Storage(dtype, key, data, str(location))
        return self.storages[key]

    def tensor(self, storage: Any, offset: Any, shape: Any, stride: Any, requires_grad: Any) -> StoredTensor:
        if not isinstance(storage, _Storage) or not isinstance(shape, tuple) or not isinstance(stride, tuple):
            raise TypeError("a tensor without a storage")
        shape, stride = cast("tuple[Any, ...]", shape), cast("tuple[Any, ...]", stride)
        numbers: tuple[Any, ...] = (offset, *shape, *stride)
        if len(shape) != len(stride) or len(shape) > MAX_RANK:
            raise CheckpointError("a tensor of the file has %d sizes and %d strides" % (len(shape), len(stride)))
        if any(type(number) is not int or not 0 <= number < 1 << 48 for number in numbers):
            raise CheckpointError("a tensor of the file has the place %.80s; the file is damaged" % (numbers,))
        last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
        if math.prod(shape) and last >= len(storage.data) // ITEM_BYTES[storage.dtype]:
            raise CheckpointError("a tensor of the file ends outside its storage; the file is damaged")
        if math.prod(shape) > 64 * max(1, len(storage.data)):  # expanded: its elements would fill the memory
            raise CheckpointError("a tensor of the file repeats its storage more than 64 times; save a copy of it")
        out = StoredTensor(storage.dtype, shape, stride, offset, storage.key, storage.data, bool(requires_grad))
        out.location = storage.location
        return out


def _check_depth(value: Any) -> None:
    """CheckpointError for containers inside each other, DEEPEST deep or in a circle."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        seen: set[int] = set()
        for container in level:
            if id(container) in seen or not isinstance(container, (dict, list, tuple, set)):
                continue
            items = cast("Any", container)
            seen.add(id(items))
            below += [*items, *items.values()] if isinstance(items, dict) else items
        if not below:
            return
        level = below
    raise CheckpointError("the file's containers are more than %d deep, or in a circle" % DEEPEST)


# ---- writing ----


def write(value: Any, stored_of: Callable[[Any], StoredTensor | StoredName | None]) -> bytes:
    """The file of a value. TypeError for what is neither a tensor nor plain."""
    pickler = _Pickler(stored_of)
    pickler.add(value, 0)
    content = b"\x80\x02" + bytes(pickler.out) + b"."
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        parts = [("data.pkl", content), ("byteorder", b"little")]
        parts += [("data/%d" % number, data) for number, data in enumerate(pickler.storages)]
        for name, data in [*parts, ("version", b"3\n")]:
            entry = zipfile.ZipInfo("archive/" + name)  # a file has no date: the same value, the same bytes
            begin = out.tell() + 30 + len(entry.filename)
            padding = -(begin + 4) % ALIGNMENT
            entry.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
            archive.writestr(entry, data)
    return out.getvalue()


class _Pickler:
    """Pickle instructions of protocol 2, as torch.save writes them."""

    def __init__(self, stored_of: Callable[[Any], StoredTensor | StoredName | None]) -> None:
        self.stored_of = stored_of
        self.out = bytearray()
        self.storages: list[Any] = []
        self.numbers: dict[Any, int] = {}  # of storages, by key

    def add(self, value: Any, depth: int) -> None:
        if depth > DEEPEST:
            raise TypeError("containers more than %d deep, or in a circle, cannot be saved" % DEEPEST)
        stored = self.stored_of(value)
        out = self.out
        if isinstance(stored, StoredTensor):
            self.tensor(stored)
        elif stored is not None:
            self.name(stored, depth)
        elif value is None or isinstance(value, bool):
            out += {None: b"N", True: b"\x88", False: b"\x89"}[value]
        elif type(value) is int:
            self.integer(value)
        elif type(value) is float:
            out += b"G" + struct.pack(">d", value)
        elif type(value) is str:
            self.text(value)
        elif type(value) is bytes:
            out += b"c_codecs\nencode\n("
            self.text(value.decode("latin1"))
            self.text("latin1")
            out += b"tR"
        elif type(value) in (dict, OrderedDict, Counter):
            out += b"}" if type(value) is dict else b"ccollections\n%s\n)R" % type(value).__name__.encode()
            out += b"("
            for key, item in cast("dict[Any, Any]", value).items():
                self.add(key, depth + 1)
                self.add(item, depth + 1)
            out += b"u"
        elif type(value) is set:
            out += b"cbuiltins\nset\n("
            self.add(list(cast("set[Any]", value)), depth + 1)
            out += b"tR"
        elif type(value) in (list, tuple):
            begin, end = (b"](", b"e") if type(value) is list else (b"(", b"t")
            out += begin
            for item in cast("list[Any]", value):
                self.add(item, depth + 1)
            out += end
        else:
            raise TypeError(
                "a %s cannot be saved: save tensors, numbers, text, lists, tuples, sets and dicts (of a module its "
                "state_dict())" % type(value).__name__
            )

    def name(self, stored: StoredName, depth: int) -> None:
        if stored.kind == "dtype":
            self.out += b"ctorch\n%s\n" % str(stored.value).encode()
            return
        self.out += b"ctorch\n%s\n(" % stored.kind.encode()
        if stored.kind == "Size":
            self.add(stored.value, depth + 1)
        else:
            for part in stored.value:
                self.add(part, depth + 1)
        self.out += b"tR"

    def integer(self, value: int) -> None:
        if -(1 << 31) <= value < 1 << 31:
            self.out += b"J" + struct.pack("<i", value)
        elif abs(value) < LONGEST_INT:
            self.out += b"\x8a\x09" + value.to_bytes(9, "little", signed=True)
        else:
            raise TypeError("the int %d has more than 64 bits" % value)

    def text(self, value: str) -> None:
        data = value.encode("utf-8", "surrogatepass")
        self.out += b"X" + struct.pack("<I", len(data)) + data

    def tensor(self, stored: StoredTensor) -> None:
        if stored.is_parameter:
            self.out += b"ctorch._utils\n_rebuild_parameter\n("
        self.out += b"ctorch._utils\n_rebuild_tensor_v2\n(("
        self.text("storage")
        self.out += b"ctorch\n%s\n" % CLASSES[stored.dtype].encode()
        if stored.key not in self.numbers:
            self.numbers[stored.key] = len(self.storages)
            self.storages.append(stored.data)
        self.text(str(self.numbers[stored.key]))
        self.text("cpu")
        self.integer(len(stored.data) // ITEM_BYTES[stored.dtype])
        self.out += b"tQ"
        self.integer(stored.offset)
        for numbers in (stored.shape, stored.stride):
            self.out += b"("
            for number in numbers:
                self.integer(number)
            self.out += b"t"
        hooks = b"ccollections\nOrderedDict\n)R"
        self.out += (b"\x88" if stored.requires_grad and not stored.is_parameter else b"\x89") + hooks + b"tR"
        if stored.is_parameter:
            self.out += (b"\x88" if stored.requires_grad else b"\x89") + hooks + b"tR"
