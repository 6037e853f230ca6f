"""`import torch` finds TinyGPT's front: a finder that answers for `torch` and its submodules."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

PACKAGE = __name__.rpartition(".")[0]


# Packages of others: name -> module of the front. Those of STUBS serve where none is installed.
HOSTED = {"safetensors": "._safetensors", "safetensors.torch": "._safetensors.torch"}
STUBS = {"wandb": "._wandb", "tiktoken": "._tiktoken", "tensorboardX": ".utils.tensorboard"}


def behind(fullname: str, names: dict[str, str]) -> str | None:
    """The front's module behind a name that a program imports, or None."""
    if fullname.partition(".")[0] == "torch" and names is HOSTED:
        return fullname[len("torch") :]
    return names.get(fullname)


class TorchFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """`torch.x` is the module `tinygpt.torch.x`, the same object. names: HOSTED or STUBS."""

    def __init__(self, names: dict[str, str] = HOSTED) -> None:
        self.names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        inner = behind(fullname, self.names)
        if inner is None or importlib.util.find_spec(PACKAGE + inner) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(PACKAGE + str(behind(spec.name, self.names)))
        self._own: Any = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own  # the import system has put that of `torch.x` in its place
        from . import front  # the switch alone, where the package was imported before

        front.enter()


def install() -> None:
    """Makes `import torch` find this package in this process. RuntimeError where PyTorch itself is
    imported already.
    """
    found = sys.modules.get("torch")
    if found is not None and not getattr(found, "__version__", "").endswith("tinygpt"):
        raise RuntimeError("PyTorch %s is imported in this process already; start another one" % found.__version__)
    if not any(isinstance(finder, TorchFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchFinder())
        sys.meta_path.append(TorchFinder(STUBS))
