"""What a recording knows of code that is not the user's: which modules keep to its rules, which
functions read what cannot be compared, and which types have no state.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType, FrameType

# Modules of the package whose code and classes keep to the rules of the recording by themselves.
PACKAGE = __name__.split(".")[0]
TRUSTED = tuple(
    PACKAGE + "." + name
    for name in "core graph devices ops storage kernels functional optim nn data files torch".split()
)
OPAQUE = tuple(PACKAGE + "." + name for name in ("core", "graph", "devices", "ops", "storage", "kernels"))
MACHINERY = tuple(
    PACKAGE + "." + name for name in ("devices", "graph", "core.tensor")
)  # what they call back is not recorded
CLOCKS = {
    "time", "monotonic", "perf_counter", "process_time", "thread_time", "localtime", "gmtime", "ctime", "asctime",
    "strftime",
}  # fmt: skip
# Builtins whose results are not compared, and what they read.
UNSEEN = {"open": "a file was opened", "input": "input() was called", "globals": "globals() was read"}
# Types without state that Python code could see change.
STATELESS = {
    "builtins": {
        "builtin_function_or_method", "method_descriptor", "wrapper_descriptor", "method-wrapper", "property",
        "classmethod_descriptor", "getset_descriptor", "member_descriptor", "slice", "range", "code",
        "NotImplementedType", "ellipsis", "object",
    },
    "types": {"NotImplementedType", "EllipsisType", "GenericAlias", "UnionType", "CodeType"},
    "_collections": {"_tuplegetter"},
    "re": None, "_struct": None, "datetime": None, "decimal": None, "operator": None, "_thread": {"lock", "RLock"},
    "_io": {"TextIOWrapper", "StringIO", "BufferedWriter"}, "typing": None,
}  # fmt: skip
IMPURE = ("time", "random", "datetime", "os", "secrets", "uuid")


def within(name: Any, modules: tuple[str, ...]) -> bool:
    """Whether `name` is one of the modules, or below one."""
    return isinstance(name, str) and (name in modules or name.startswith(tuple([m + "." for m in modules])))


def is_constant(code: CodeType, module: Any) -> bool:
    """Whether what the code reads of its own is not expected to change: it is installed."""
    return (
        "-packages" in code.co_filename
        or str(module).startswith("namedtuple_")
        or within(module, TRUSTED)
        or is_standard(module)
    )


def is_standard(module: Any) -> bool:
    """Whether the module is of Python's standard library."""
    return str(module).partition(".")[0] in sys.stdlib_module_names and module != "__main__"


def module_of(frame: FrameType | None) -> Any:
    """The name of the module whose code the frame runs."""
    return None if frame is None else frame.f_globals.get("__name__")


def of_pathlib(frame: FrameType) -> bool:
    """Whether the frame runs code of pathlib."""
    return str(module_of(frame)).partition(".")[0] == "pathlib"


def outside_pathlib(frame: FrameType | None) -> FrameType | None:
    """Who called into pathlib."""
    while frame is not None and of_pathlib(frame):
        frame = frame.f_back
    return frame


def is_random(value: Any) -> bool:
    """Whether the value is a generator of the module `random`."""
    random = sys.modules.get("random")
    return random is not None and isinstance(value, random.Random)


def is_stateless(cls: type) -> bool:
    """Whether objects of the class have no state that Python code could see change."""
    if cls.__module__ == "numpy":
        return cls.__name__ != "ndarray"
    names = STATELESS.get(cls.__module__, ())
    return names is None or cls.__name__ in names
