"""What of PyTorch is here: one table, name -> same, limited, stub or absent, with a sentence.

It is made of what each module of the front says of itself: `__all__` (the names of the namespace),
METHODS (of a Tensor), LIMITED, STUBS and ABSENT, each name with one sentence; and of PyTorch's own
names (names.py). The errors, docs/torch.md and the test that walks all of it come from here.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

from ..core.refused_names import Refused
from ..core.tensor import Tensor
from . import front

PACKAGE = __name__.rpartition(".")[0]
# The families of functions in the namespace `torch`, and of a Tensor's methods.
FAMILIES = (
    "types", "printing", "creation", "pointwise", "comparison", "conversion", "reduction", "indexing",
    "ordering", "shape", "arrange", "products", "einsum", "norms", "matrices", "random", "autograd",
    "spatial", "host", "aliases", "serialization", "masks", "layout", "arrays", "placement",
)  # fmt: skip


def present(name: str) -> bool:
    """Whether the front has a module of this name, such as "nn.init"."""
    try:
        return importlib.util.find_spec("%s.%s" % (PACKAGE, name)) is not None
    except ModuleNotFoundError:
        return False


def missing(module: str, name: str) -> Any:
    """A submodule that is loaded at its first use, or the AttributeError on a name that is not
    here.
    """
    inner = "%s.%s" % (module.removeprefix(PACKAGE).lstrip("."), name)
    if not name.startswith("_") and present(inner.lstrip(".")):
        return importlib.import_module("%s.%s" % (module, name))
    public = module.replace(PACKAGE, "torch", 1)
    if not name.startswith("_"):
        status, said = entries(public).get(name, (None, ""))
        if status == "absent":
            raise AttributeError(_sentence(public, name, said))
    raise AttributeError("module %r has no attribute %r" % (public, name))


def absent(module: str, name: str) -> Any:
    """As missing, of a module without submodules."""
    return missing(module, name)


def _sentence(namespace: str, name: str, said: str) -> str:
    return "%s.%s is not in TinyGPT's subset of PyTorch%s" % (namespace, name, ": " + said if said else "")


# ---- the table ----------------------------------------------------------------------------------


def _owner(namespace: str) -> Any:
    """The module or class of a namespace of PyTorch's; None where it is not here."""
    if namespace == "torch.Tensor":
        return Tensor
    if namespace == "torch.nn.Module":
        return importlib.import_module(PACKAGE + ".nn").Module
    inner = namespace.partition(".")[2]
    if inner and not present(inner):
        return None
    return importlib.import_module(PACKAGE + ("." + inner if inner else ""))


def _said(namespace: str) -> dict[str, tuple[str, str]]:
    """{name: (status, sentence)} of what the modules behind a namespace say."""
    owner = _owner(namespace)
    if owner is None:
        return {}
    if namespace == "torch.nn.Module":
        modules = [importlib.import_module(PACKAGE + ".nn.module")]
    elif namespace in ("torch", "torch.Tensor"):
        modules = [importlib.import_module("%s.%s" % (PACKAGE, name)) for name in FAMILIES if present(name)]
    else:
        parts = {value.__module__ for value in vars(owner).values() if hasattr(value, "__module__")}
        names = sorted(name for name in parts if isinstance(name, str) and name.startswith(owner.__name__ + "."))
        modules = [sys.modules[name] for name in names if name in sys.modules]
    if type(owner) is type(sys):
        modules.append(owner)
    found: dict[str, tuple[str, str]] = {}
    for module in modules:
        for status, table in (("limited", "LIMITED"), ("stub", "STUBS"), ("absent", "ABSENT")):
            found.update({name: (status, said) for name, said in vars(module).get(table, {}).items()})
    return found


def entries(namespace: str) -> dict[str, tuple[str, str]]:
    """{name: (status, sentence)} of PyTorch's public names in a namespace; status: "same",
    "limited", "stub" or "absent".
    """
    from .names import NAMES  # a word that is not here is rare

    said, owner = _said(namespace), _owner(namespace)
    found: dict[str, tuple[str, str]] = {}
    for name in NAMES.get(namespace, ()):
        status, sentence = said.get(name, ("", ""))
        if owner is None or not _has(owner, name):
            found[name] = "absent", sentence if status == "absent" else ""
        else:
            found[name] = (status, sentence) if status in ("limited", "stub") else ("same", "")
    for name, (status, sentence) in said.items() if type(owner) is type(sys) else ():
        # what PyTorch hides, and code uses
        if status == "absent" and name not in found and (owner is None or not _has(owner, name)):
            found[name] = status, sentence
    return found


def _has(owner: Any, name: str) -> bool:
    for kind in owner.__mro__ if isinstance(owner, type) else ():
        if name in vars(kind):
            return not isinstance(vars(kind)[name], Refused)
    if isinstance(owner, type):
        return False
    inner = "%s.%s" % (owner.__name__.removeprefix(PACKAGE), name)
    return name in vars(owner) or present(inner.lstrip("."))


def refuse_methods(namespace: str, owner: Any) -> None:
    """Names of a class of PyTorch's that ours lacks: an AttributeError with a sentence."""
    from .names import NAMES  # a long list, as below

    said = _said(namespace)
    known = front.methods_of(owner)  # attached where the switch is on
    gone = {name for name in NAMES[namespace] if name not in known and not _has(owner, name)}
    front.extend(owner, {name: _Gone(namespace, name, said.get(name, ("", ""))[1]) for name in gone})


class _Gone(Refused):
    """A name that a class of PyTorch's has, and ours has not."""

    __slots__ = ()

    def __init__(self, namespace: str, name: str, said: str) -> None:
        self.sentence = _sentence(namespace, name, said)
