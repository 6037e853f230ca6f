"""Reads: what Python read from outside while a call was recorded.

What the function can reach from outside is known: its globals by name, the cells of its closure,
its defaults, its arguments, and what is read from these in turn. Attributes are seen by a
`__getattribute__` that the classes of known objects have while a recording lasts; called functions
by `sys.settrace`; lists, dicts and sets are known with their contents. What cannot be watched (an
iterator, the random module, a clock) refuses the recording. core/guards.py compares what was read.
"""

# Values of any type are taken apart here, which strict mode calls unknown.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownParameterType=false, reportUnknownLambdaType=false

from __future__ import annotations

import functools
import sys
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType

from . import bypasses
from .bytecode import names_of
from .guards import ABSENT, PLAIN
from .known_code import (
    CLOCKS,
    IMPURE,
    MACHINERY,
    OPAQUE,
    PACKAGE,
    TRUSTED,
    UNSEEN,
    is_constant,
    is_random,
    is_standard,
    is_stateless,
    module_of,
    of_pathlib,
    outside_pathlib,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType
    from typing import TypeAlias

    from .bytecode import Use

    # (form, container, key, value, whether its writes move the epoch); forms: guards._FORMS
    Read: TypeAlias = tuple[str, Any, Any, Any, bool]

MOST_ITEMS = 4096  # of a list, dict or set that is compared in each replay (20 ns an item)

_active: Reads | None = None


def _watching(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def __getattribute__(self: Any, name: str) -> Any:
        reads = _active
        if reads is None or id(self) not in reads.known or (id(self), name) in reads.seen:
            return original(self, name)
        if (
            name == "__class__"
            or name[:2] == "__"
            and name[-2:] == "__"
            and name != "__dict__"
            and name not in (dict_of(self) or ())
        ):
            return original(self, name)
        with paused():
            return reads.attribute(self, name, original)

    return __getattribute__


class paused:
    """Inside, a recording does not see calls: that doubles the time of Python code. For code of the
    package that calls no function of the user's which the recording has not seen.
    """

    __slots__ = ("_trace",)

    def __enter__(self) -> None:
        self._trace = None
        if _active is not None:
            self._trace = sys.gettrace()
            sys.settrace(None)

    def __exit__(self, *exc: object) -> None:
        if self._trace is not None:
            sys.settrace(self._trace)


_FILES = {"open", "read_text", "read_bytes"}  # methods of pathlib.Path


@functools.lru_cache(256)
def _dict_descriptor(cls: type) -> Any:
    """The class's own way to an instance's dict, whatever `__dict__` a subclass shows; or None."""
    for base in cls.__mro__:
        found = base.__dict__.get("__dict__")
        if isinstance(found, GetSetDescriptorType):
            return found
    return None


def dict_of(value: Any) -> dict[str, Any] | None:
    """An instance's dict, or None."""
    descriptor = _dict_descriptor(type(value))
    try:
        return None if descriptor is None else descriptor.__get__(value)
    except TypeError:  # the class has other bases than it had
        _dict_descriptor.cache_clear()
        descriptor = _dict_descriptor(type(value))
        return None if descriptor is None else descriptor.__get__(value)


def _in_class(cls: type, name: str) -> Any:
    for base in cls.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    return ABSENT


def _moving_base(cls: type) -> type:
    return next(base for base in cls.__mro__ if "_moves_epoch" in base.__dict__)


def _keeps_its_class(cls: type) -> bool:
    """Whether instances refuse another `__class__`: those of a frozen dataclass do."""
    parameters = cls.__dict__.get("__dataclass_params__")
    return parameters is not None and parameters.frozen


class Reads:
    """What one recorded call read from outside. `refused`: why it cannot be replayed, or None."""

    def __init__(self, function: Any, arguments: Iterable[Any]) -> None:
        # (form, id of the container, key) -> [form, container, key, value, whether its writes move
        # the epoch]
        self.checks: dict[tuple[Any, ...], list[Any]] = {}
        self.known: dict[int, Any] = {}
        self.seen: set[tuple[int, str]] = set()  # (id of the owner, name) of attributes that are checked already
        self.refused: str | None = None
        self._hooked: list[type] = []
        self._ran: dict[int, CodeType] = {}
        self._functions: dict[int, list[FunctionType]] = {}
        self._live: set[int] = set()  # ids of objects whose own code's reads `_read_live` states
        self._methods: dict[int, list[tuple[type, str]]] = {}  # by id of their code: those of known classes
        self._names: set[str] = set()  # attributes that the code which ran reads
        self._spaces: list[Any] = []  # known modules and classes
        self._before: Any = None
        self._roots = function, tuple(arguments)

    def __enter__(self) -> Reads:
        global _active
        _active = self
        for root in (self._roots[0], *self._roots[1]):
            self.know(root)
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *exc: object) -> None:
        global _active
        _active = None
        sys.settrace(self._before)
        for cls in self._hooked:
            del cls.__getattribute__

    # ---- what is seen ----

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Each call of a Python function while the recording lasts."""
        code = frame.f_code
        if id(code) not in self._ran:
            constant = is_constant(code, frame.f_globals.get("__name__"))
            if constant or not within(module_of(frame.f_back), MACHINERY):
                self._ran[id(code)] = code
                if not constant:
                    self._run(code, frame.f_globals)
                elif code.co_name in _FILES and of_pathlib(frame):
                    if within(module_of(outside_pathlib(frame)), TRUSTED):  # a device reads its shaders
                        del self._ran[id(code)]  # another caller may follow
                    else:
                        self.refuse("a file was opened")
                for function in self._functions.get(id(code), ()):
                    self._function(function)
        return None if self._before is None else self._before(frame, event, argument)

    def _run(self, code: CodeType, space: dict[str, Any]) -> None:
        bypasses.note(code)
        names = names_of(code)
        for name, use in names.globals.items():
            if name in space:
                self._check("item", space, name, space[name])
                self._used(space[name], use)
            else:
                self._check("absent", space, name, None)
                if name in UNSEEN:
                    self.refuse(UNSEEN[name])
        for cls, name in self._methods.get(id(code), ()):
            self._class(cls, name)
        fresh = names.attributes - self._names
        self._names |= fresh
        for owner in list(self._spaces):
            self._attributes(owner, fresh)

    def _function(self, function: FunctionType) -> None:
        """A known function that ran: its code, its defaults and its closure."""
        names = names_of(function.__code__)
        if not within(function.__module__, (PACKAGE,)):
            for part in ("__code__", "__defaults__", "__kwdefaults__"):
                value = getattr(function, part)
                self._check("attr", function, part, value)
                self.know(value)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self._cell(cell, name, names.cells.get(name))

    def _used(self, value: Any, use: Use | None) -> None:
        """`value` was read by name, and used as `use` says."""
        if use is None:
            self.know(value)
        elif issubclass(type(value), (ModuleType, type)) and not use.other:
            if self._has_space(value):
                self._attributes(value, use.attributes)
        elif use.contents:
            self.know(value)

    def _cell(self, cell: CellType, name: str = "", use: Use | None = None) -> None:
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            value = ABSENT
        self._check("cell", cell, name, value)
        self._used(value, use)

    def _attributes(self, owner: Any, names: set[str]) -> None:
        """What the code that ran may have read of a module or class."""
        if isinstance(owner, ModuleType):
            space = owner.__dict__
            for name in names & space.keys():
                self._item(space, name, space[name])
            return
        for name in names:
            if _in_class(owner, name) is not ABSENT:
                self._class(owner, name)
            elif type(owner) is not type and _in_class(type(owner), name) is not ABSENT and name != "mro":
                self.know(type(owner))
                self._check("attr", owner, name, getattr(owner, name, ABSENT))

    def _class(self, cls: type, name: str) -> None:
        if cls.__module__ == "datetime" and name in ("now", "utcnow", "today"):
            self.refuse("the clock was read (%s.%s)" % (cls.__name__, name))
        value = getattr(cls, name, ABSENT)
        if value is getattr(cls, name, ABSENT):
            self._check("attr", cls, name, value)
        else:  # bound anew at each read
            for base in cls.__mro__:
                if name in base.__dict__:
                    self._check("item", base.__dict__, name, base.__dict__[name])
                    break
        found = _in_class(cls, name)
        self.know(found)
        if type(found) is classmethod:  # it reads of the class
            self.know(cls)

    def attribute(self, owner: Any, name: str, original: Callable[[Any, str], Any]) -> Any:
        """Reads owner.name for the function that is recorded."""
        if id(owner) in self._live and within(module_of(sys._getframe(2)), TRUSTED):
            return original(owner, name)
        self.seen.add((id(owner), name))
        if name == "__dict__":
            space = dict_of(owner)
            self._check("attr", owner, name, space)
            self.know(space)
            return original(owner, name)
        cls = type(owner)
        moves = getattr(cls, "_moves_epoch", False)
        attributes, found = dict_of(owner), _in_class(cls, name)
        if isinstance(found, MemberDescriptorType):  # a slot: the comparison reads it as the function does
            value = original(owner, name)
            self._check("attr", owner, name, value)
            self.know(value)
            return value
        data = found is not ABSENT and hasattr(type(found), "__set__")
        if attributes is not None and not data:
            if name in attributes:
                value = attributes[name]
                adds = False
                if issubclass(type(value), (list, dict, set)) and not hasattr(type(value), "_moves_epoch"):
                    caller = sys._getframe(2)
                    adds = caller.f_lasti in names_of(caller.f_code).adds
                    if adds:  # another place may read it
                        self.seen.discard((id(owner), name))
                self._dict(owner, attributes)
                self._item(attributes, name, value, not adds, moves)
            else:
                self._check("absent", attributes, name, None, moves)
        own = isinstance(found, FunctionType) and moves and _in_class(_moving_base(cls), name) is found
        if found is not ABSENT and not own and (data or attributes is None or name not in attributes):
            self._class(cls, name)
            if isinstance(found, property):
                self.know(found.fget)
            elif isinstance(found, GetSetDescriptorType):
                value = original(owner, name)
                self._check("attr", owner, name, value)
                self.know(value)
                return value
        value = original(owner, name)
        if data and not isinstance(found, property):  # a descriptor of one's own
            self.know(found)
            self.know(value)
        return value

    def _dict(self, owner: Any, attributes: dict[str, Any]) -> None:
        if not getattr(type(owner), "_moves_epoch", False):
            self._check("attr", owner, "__dict__", attributes)

    def _item(self, container: Any, key: Any, value: Any, read: bool = True, moves: bool = False) -> None:
        self._check("item", container, key, value, moves)
        if read:
            self.know(value)

    def _check(self, form: str, container: Any, key: Any, value: Any, moves: bool = False) -> None:
        self.checks.setdefault((form, id(container), key), [form, container, key, value, moves])

    def refuse(self, why: str) -> None:
        """The recording cannot be replayed."""
        if self.refused is None:
            self.refused = why

    # ---- what can be reached ----

    def know(self, value: Any) -> None:
        """`value` can be reached from outside: what is read from it is guarded."""
        cls = type(value)
        if cls in PLAIN or value is ABSENT or id(value) in self.known:
            return
        self.known[id(value)] = value
        if hasattr(cls, "_storage"):
            self._tensor(value)
        elif cls is FunctionType:
            self._know_function(value)
        elif cls is MethodType:
            self.know(value.__self__)
            self.know(value.__func__)
        elif issubclass(cls, (ModuleType, type)):
            if self._has_space(value):
                self._spaces.append(value)
                self._attributes(value, self._names)
        elif hasattr(cls, "_read_live"):  # it states what a replay does not read anew
            for form, container, key, item, moves in value._read_live():
                self._check(form, container, key, item, moves)
            self._live.add(id(value))
            self._watch(value)
        else:
            self._instance(value)

    def _tensor(self, value: Any) -> None:
        attributes = dict_of(value)
        if attributes:  # of the user's
            for key, item in attributes.items():
                if key != "owner":
                    self._item(attributes, key, item)

    def _has_space(self, value: Any) -> bool:
        """Whether attributes of this module or class may change."""
        if isinstance(value, ModuleType):
            return value.__name__.partition(".")[0] not in sys.stdlib_module_names or value.__name__ in IMPURE
        return value.__module__ not in ("builtins", "typing") and not within(value.__module__, OPAQUE)

    def _know_function(self, value: FunctionType) -> None:
        attributes = value.__dict__
        if not within(value.__module__, (PACKAGE,)):
            self._contents(attributes)
        wrapped = attributes.get("__wrapped__")
        if wrapped is not None:
            self.know(wrapped)
        if value.__module__ == "os" and value.__name__ == "getenv":
            self.know(value.__globals__["environ"])
        if within(value.__module__, TRUSTED):
            for cell in value.__closure__ or ():
                self._cell(cell)
            return
        self._functions.setdefault(id(value.__code__), []).append(value)
        if id(value.__code__) in self._ran:
            self._function(value)

    def _instance(self, value: Any) -> None:
        cls = type(value)
        if issubclass(cls, (list, tuple, set, frozenset, dict)) or cls.__name__ == "deque":
            self._contents(value)
        elif issubclass(cls, SimpleNamespace):
            self._contents(value.__dict__)
        elif issubclass(cls, (bytearray, memoryview)) or cls.__module__ == "array":
            self._check("equal", value, None, value[:] if not issubclass(cls, memoryview) else bytes(value))
        elif issubclass(cls, functools.partial):
            for part in ("func", "args", "keywords"):
                found = getattr(value, part)
                self._check("attr", value, part, found)
                self.know(found)
        elif issubclass(cls, (staticmethod, classmethod)):
            self.know(value.__func__)
        elif cls.__name__ == "_lru_cache_wrapper":
            code = getattr(value.__wrapped__, "__code__", None)
            if code is None or not is_constant(code, value.__module__):
                self.refuse("%s was read, a cache whose changes cannot be seen" % value.__name__)
        elif issubclass(cls, property):
            for function in (value.fget, value.fset):
                self.know(function)
        elif issubclass(cls, ReferenceType):
            self.know(value())
        elif issubclass(cls, CellType):
            self._cell(value)
        elif issubclass(cls, BuiltinFunctionType):
            if value.__module__ == "time" and value.__name__.removesuffix("_ns") in CLOCKS:
                self.refuse("the clock was read (time.%s)" % value.__name__)
            elif value.__module__ == "posix" and value.__name__ in ("urandom", "getrandom"):
                self.refuse("os.%s was read" % value.__name__)
            elif not isinstance(value.__self__, ModuleType):
                self.know(value.__self__)
        elif within(cls.__module__, OPAQUE):
            inner = getattr(value, "function", None)  # another compiled function
            if callable(inner):
                self.know(inner)
        elif is_random(value):
            self.refuse("random numbers of Python's were read (%s)" % cls.__name__)
        else:
            self._watch(value, not issubclass(cls, (*PLAIN, BaseException)))

    def _contents(self, value: Any) -> None:
        cls = type(value)
        moves = hasattr(cls, "_moves_epoch")
        if issubclass(cls, dict):
            self._check("keys", value, None, list(value), moves)
        elif not issubclass(cls, (tuple, frozenset)):
            self._check("size", value, None, len(value), moves)
        if len(value) > MOST_ITEMS:
            self.refuse("a %s of %d items was read" % (type(value).__name__, len(value)))
        elif issubclass(cls, dict):
            for key, item in list(value.items()):
                self._item(value, key, item, True, moves)
        elif issubclass(cls, (set, frozenset)):
            if issubclass(cls, set):  # in its order, which a loop sees
                self._check("keys", value, None, list(value), moves)
                self._check("types", value, None, list(map(type, value)), moves)
            for item in list(value):
                self.know(item)
        else:
            mutable = not issubclass(cls, tuple)
            for i, item in enumerate(list(value)):
                if mutable:
                    self._item(value, i, item, True, moves)
                else:
                    self.know(item)
        if not moves and type(value) not in (list, tuple, set, frozenset, dict):
            self._watch(value, False)

    def _watch(self, value: Any, must: bool = True) -> None:
        """Sees what is read from the instances of the value's class, where that can be seen."""
        cls = type(value)
        moves = hasattr(cls, "_moves_epoch")
        if moves:
            self._class(_moving_base(cls), "__call__")
        if not within(cls.__module__, (PACKAGE,)):
            self.know(cls)
        found: Any = cls.__getattribute__
        if not isinstance(found, FunctionType):
            try:
                type.__setattr__(cls, "__getattribute__", _watching(found))
            except TypeError:  # a class of C
                if must and not is_stateless(cls):
                    self.refuse("a %s was read, whose changes cannot be seen" % cls.__name__)
                return
            self._hooked.append(cls)
            for base in cls.__mro__:
                if not is_standard(base.__module__) and not within(base.__module__, TRUSTED):
                    for name, method in base.__dict__.items():
                        if type(method) is FunctionType:
                            self._methods.setdefault(id(method.__code__), []).append((base, name))
        if not moves and id(value) not in self._live:  # guards never hold a Module, which may hold the recording
            self._check("type", value, None, cls, _keeps_its_class(cls))
        if isinstance(found, FunctionType) and must and found.__code__ is not _WATCHING:
            self.refuse("a %s was read, whose class has a __getattribute__ of its own" % cls.__name__)


_WATCHING = _watching(object.__getattribute__).__code__
