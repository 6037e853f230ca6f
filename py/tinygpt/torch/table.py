"""What of PyTorch is here: one table, name -> how it differs, made of what each module says of
itself.

A module of the front names what it has in `__all__` (the names of the namespace) and METHODS (of a
Tensor), and what is limited (LIMITED), a stub of the host (STUBS) or not here (ABSENT), each with
one sentence.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any, NoReturn

PACKAGE = __name__.rpartition(".")[0]
FAMILIES = [
    name
    for name in (
        "types", "printing", "creation", "pointwise", "comparison", "conversion", "reduction", "indexing",
        "ordering", "shape", "arrange", "linalg", "random", "autograd", "spatial", "host", "serialization",
        "ordering", "shape", "arrange", "products", "einsum", "norms", "matrices", "random", "autograd", "host",
        "serialization",
    )
    if importlib.util.find_spec("%s.%s" % (PACKAGE, name)) is not None
]  # fmt: skip


def missing(module: str, name: str) -> Any:
    """A submodule that is loaded at its first use, or the AttributeError on a name that is not
    here.
    """
    if not name.startswith("_"):
        if importlib.util.find_spec("%s.%s" % (module, name)) is not None:
            return importlib.import_module("%s.%s" % (module, name))
        absent(module, name)
    raise AttributeError("module %r has no attribute %r" % (module, name))


def absent(module: str, name: str) -> NoReturn:
    """AttributeError with what to use in the place of a name of PyTorch that is not here."""
    public = module.replace(PACKAGE, "torch", 1)
    advice = vars(sys.modules[module]).get("ABSENT", {}).get(name)
    raise AttributeError("%s.%s is not in TinyGPT's subset%s" % (public, name, ": " + advice if advice else ""))
