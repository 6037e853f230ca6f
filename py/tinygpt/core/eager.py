"""Eager ops of CPython on the native device in one call each: functions of which the usual case is
in C (wasm_ext/eager), where `make native` found Python's headers.

The Python function that such a function replaces is its plain version: it runs for whatever is not
the usual case, and alone where there is no such library, in a browser for instance. Both give the
same bits. TINYGPT_EAGER=1 takes the library in.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])


def _library() -> Any:
    """The extension module, or None."""
    if sys.platform == "emscripten":
        return None
    import importlib.machinery  # here and below: a tab starts without them
    import importlib.util  # as above
    import os  # as above

    if os.environ.get("TINYGPT_EAGER") != "1":
        return None
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    built = os.path.join(os.path.dirname(os.path.dirname(package)), "wasm_ext", "build", "native")
    suffix: str = importlib.machinery.EXTENSION_SUFFIXES[0]
    for folder in (package, built):
        path = os.path.join(folder, "eager" + suffix)
        if os.path.isfile(path):
            spec = importlib.util.spec_from_file_location("eager", path)
            if spec is None or spec.loader is None:
                return None
            try:
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
            except ImportError:  # of another Python
                return None
            return module
    return None


library = _library()


def in_c(plain: F) -> F:
    """`plain` with its usual case in C; itself where that is not there.

    The key of a function is the name of its module and its own: "program.launch".
    """
    if library is None:
        return plain
    return library.function(plain.__module__.rpartition(".")[2] + "." + plain.__qualname__, plain)


def know(**facts: Any) -> None:
    """Gives the C code what it reads: classes, dictionaries, the device (wasm_ext/eager/module.cpp
    has their names). A build that is older than the sources and lacks a name leaves all plain.
    """
    if library is not None:
        with suppress(KeyError):
            library.know(facts)
