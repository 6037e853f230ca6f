"""The parts of a model: its modules as a tree, with their sizes, the numbers that they train and
the lines of code that make them. Whatever the model's code, the tree is of the modules as they are.

Equal parts in a row are one entry with a count. A parameter that two parts share counts in the
first, so the counts add up to the model's own.
"""

from __future__ import annotations

import dis
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

MOST_PARTS = 2000  # of the tree, where nothing folds


class Source(NamedTuple):
    """Lines of a file, both included, from 1."""

    file: str
    first: int
    last: int


class Part(TypedDict):
    """A module. parameters: numbers that training changes in this part and below it, all repeats
    together. sizes: of its largest own parameter.
    """

    path: str
    name: str
    kind: str  # the name of its class
    sizes: list[int]
    parameters: int
    shared: str | None  # the path of the parameter that an earlier part counts
    repeats: int
    source: Source | None
    parts: list[Part]


def model_parts(model: Any, theirs: Callable[[str], bool] = lambda file: True) -> Part:
    """The tree of a Module.

    theirs(file): whether a code's file is one that can be shown. A part whose class is in none has
    the line that makes it. RuntimeError for more than MOST_PARTS entries.
    """
    return _Walk(theirs).part("", type(model).__name__, model, None, None)


class _Walk:
    def __init__(self, theirs: Callable[[str], bool]) -> None:
        self.theirs = theirs
        self.counted: dict[int, str] = {}  # id of a parameter -> the path that counts it
        self.entries = 0

    def part(self, path: str, name: str, module: Any, parent: Any, around: Source | None) -> Part:
        self.entries += 1
        if self.entries > MOST_PARTS:
            raise RuntimeError("the model has more than %d different parts: too many for a picture" % MOST_PARTS)
        source = class_source(type(module), self.theirs)
        if source is None:
            source = (parent is not None and assigned_at(type(parent), name, self.theirs)) or around
        count, shared, sizes = 0, None, []
        for own, parameter in module._parameters.items():
            if parameter is None:
                continue
            full = path + "." + own if path else own
            first = self.counted.setdefault(id(parameter), full)
            if first == full:
                count += parameter.numel()
            else:
                shared = first
            if parameter.numel() > _product(sizes) or not sizes:
                sizes = list(parameter.shape)
        parts: list[Part] = []
        last: Any = None
        for child_name, child in module.named_children():
            full = path + "." + child_name if path else child_name
            entry = self.part(full, child_name, child, module, source)
            count += entry["parameters"]
            signature = _signature(entry)
            if parts and signature == last:
                parts[-1]["repeats"] += 1
                parts[-1]["parameters"] += entry["parameters"]
                self.entries -= _entries(entry)
            else:
                parts.append(entry)
            last = signature
        return {
            "path": path,
            "name": name,
            "kind": type(module).__name__,
            "sizes": sizes,
            "parameters": count,
            "shared": shared,
            "repeats": 1,
            "source": source,
            "parts": parts,
        }


def _product(sizes: list[int]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product


def _signature(part: Part) -> Any:
    """What two parts have in common that are drawn as one: all but where they are."""
    own = part["kind"], tuple(part["sizes"]), part["parameters"], part["shared"], part["repeats"]
    return own, tuple((child["name"], _signature(child)) for child in part["parts"])


def _entries(part: Part) -> int:
    return 1 + sum(_entries(child) for child in part["parts"])


def class_source(cls: type, theirs: Callable[[str], bool]) -> Source | None:
    """The lines of a class that has functions, or None where its file is not one of theirs."""
    codes = [value.__code__ for value in vars(cls).values() if hasattr(value, "__code__")]
    codes = [code for code in codes if theirs(code.co_filename)]
    if not codes:
        return None
    first = getattr(cls, "__firstlineno__", None) or min(code.co_firstlineno for code in codes)
    return Source(codes[0].co_filename, first, max(_last_line(code) for code in codes))


def _last_line(code: CodeType) -> int:
    inner = [_last_line(each) for each in code.co_consts if hasattr(each, "co_lines")]
    return max([code.co_firstlineno, *inner, *(line for _, _, line in code.co_lines() if line)])


def assigned_at(cls: type, name: str, theirs: Callable[[str], bool]) -> Source | None:
    """The line of an `__init__` of the class that assigns `self.name`, or None."""
    for base in cls.__mro__:
        code = getattr(vars(base).get("__init__"), "__code__", None)
        if code is None or not theirs(code.co_filename):
            continue
        line = None
        for instruction in dis.get_instructions(code):
            line = instruction.positions.lineno if instruction.positions else line
            if instruction.opname == "STORE_ATTR" and instruction.argval == name and line:
                return Source(code.co_filename, line, line)
    return None
