"""What a code object reads by name: globals, variables of its closure, attributes."""

from __future__ import annotations

from types import CodeType

WRITERS = {"append", "extend", "insert", "add", "update", "appendleft", "write", "put"}


class Use:
    """How a code object uses a global or a variable of its closure."""

    __slots__ = ("contents", "other", "attributes")

    def __init__(self) -> None:
        self.contents = False  # not only adds to it
        self.other = False  # uses it in another way than to read one of `attributes`
        self.attributes: set[str] = set()

    def join(self, use: Use) -> None:
        """Takes the uses of an inner code object in."""
        self.contents |= use.contents
        self.other |= use.other
        self.attributes |= use.attributes


class Names:
    """What a code object reads by name: globals, variables of its closure, attributes."""

    def __init__(self, code: CodeType) -> None:
        import dis  # saves start-up time: no recording, no need for it

        self.globals: dict[str, Use] = {}
        self.cells: dict[str, Use] = {}
        self.adds: set[int] = set()  # offsets of attribute reads whose value is only added to
        self.attributes = set(code.co_names)
        instructions = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "EXTENDED_ARG")]
        for i, after in zip(instructions, [*instructions[1:], None]):
            name = after.argval if after is not None and after.opname in ("LOAD_METHOD", "LOAD_ATTR") else None
            table = _TABLES.get(i.opname)
            if table is not None:
                use = getattr(self, table).setdefault(i.argval, Use())
                if name is None:
                    use.other = True
                else:
                    use.attributes.add(name)
                use.contents |= name not in WRITERS
            elif i.opname == "LOAD_ATTR" and name in WRITERS:
                self.adds.add(i.offset)
        for inner in code.co_consts:
            if isinstance(inner, CodeType):
                for name, use in names_of(inner).cells.items():
                    self.cells.setdefault(name, Use()).join(use)


_TABLES = {
    "LOAD_GLOBAL": "globals", "LOAD_NAME": "globals", "LOAD_FROM_DICT_OR_GLOBALS": "globals",
    "LOAD_DEREF": "cells", "LOAD_CLASSDEREF": "cells", "LOAD_FROM_DICT_OR_DEREF": "cells",
}  # fmt: skip
_names: dict[int, tuple[CodeType, Names]] = {}  # by id: the hash of a code object is that of all its instructions


def names_of(code: CodeType) -> Names:
    """The Names of a code object."""
    found = _names.get(id(code))
    if found is None:
        if len(_names) >= 4096:
            _names.clear()
        found = _names[id(code)] = code, Names(code)
    return found[1]
