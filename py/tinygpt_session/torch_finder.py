"""`import torch` in the tab: the front `tinygpt.torch`, fetched from the page's own server at its
first import.

PyTorch's meaning (int64 for Python ints, mt19937) belongs to the code that imports torch. A run
begins without it; an import of torch brings it; a console entry has it where `__main__` holds the
module.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import __main__

from . import torch_program, training_bridge
from .fetching import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec

FRONT = "tinygpt.torch"
# What `torch.` is completed with: modules that are loaded at their first use.
COMPLETED = ("torch.nn.functional", "torch.nn.utils", "torch.optim.lr_scheduler", "torch.utils.data", "torch.linalg")


class TorchFinder:
    """A meta path finder for `torch` and its submodules, or (stubs) for packages that are imported
    beside it and not installed.
    """

    def __init__(self, base: str, stubs: bool = False) -> None:
        self.base, self.stubs = base, stubs

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of the front's module. None: it is another name, or no module of the front."""
        if name.partition(".")[0] not in (
            ("wandb", "tiktoken", "tensorboardX") if self.stubs else ("torch", "safetensors")
        ):
            return None
        if FRONT not in sys.modules:
            self._fetch()
            importlib.import_module(FRONT)
            torch_program.attach()
        return _finder(self.stubs).find_spec(name, path, target)

    def _fetch(self) -> None:
        if importlib.util.find_spec(FRONT) is not None:
            return
        from pyodide._package_loader import get_install_dir, unpack_buffer

        try:
            status, content = fetch(self.base + "py/torch.zip")
        except Exception as error:
            raise ImportError("import torch: py/torch.zip could not be fetched: %s" % error, name="torch") from None
        if status != 200:
            raise ImportError("import torch: py/torch.zip could not be fetched: HTTP %d" % status, name="torch")
        unpack_buffer(content, filename="torch.zip", extract_dir=get_install_dir("site"))
        importlib.invalidate_caches()


def _finder(stubs: bool = False) -> Any:
    install = importlib.import_module(FRONT + ".install")
    return install.TorchFinder(install.STUBS) if stubs else install.TorchFinder()


def install(base: str) -> None:
    """`import torch` works from now on. base: the address of the page's folder."""
    sys.meta_path.insert(0, TorchFinder(base))
    sys.meta_path.append(TorchFinder(base, stubs=True))


def _of_the_front(name: str) -> str:
    return FRONT + name.removeprefix("torch")


def known(name: str) -> ModuleType | None:
    """The module of the front that `import NAME` would give, for the editor's completions; nothing
    changes its meaning by that. None: there is none.
    """
    # While a name is typed it is asked for at each letter. A run may have imported less.
    if all(_of_the_front(lazy) in sys.modules for lazy in (name, *COMPLETED)):
        return sys.modules[_of_the_front(name)]
    front = sys.modules.get(FRONT + ".front")
    before = front is not None and front.active
    try:
        for lazy in COMPLETED:
            importlib.import_module(lazy)
        return importlib.import_module(name)
    except ImportError:
        return None
    finally:
        if not before:
            leave()


def leave() -> None:
    """Before and after a run: TinyGPT's own meaning, until the next `import torch`."""
    if front := sys.modules.get(FRONT + ".front"):
        front.leave()
        for name in [name for name in sys.modules if name == "torch" or name.startswith("torch.")]:
            del sys.modules[name]


def fresh() -> None:
    """Before a run: what a program before has set for all of torch is not set."""
    leave()
    if front := sys.modules.get(FRONT + ".front"):
        front.fresh()


@contextmanager
def meaning_of_console() -> Iterator[None]:
    """Inside, a console entry has PyTorch's meaning where `__main__` holds something of the front,
    and draws from a stream of its own while a program trains.
    """
    front = sys.modules.get(FRONT + ".front")
    if front is None:
        yield
        return
    if torch_program.current is not None:
        with sys.modules[FRONT].random.fork_rng():
            yield
        return
    before = front.active
    (front.enter if any(map(_of_front, list(__main__.__dict__.values()))) else front.leave)()
    try:
        yield
    finally:
        if training_bridge.running():  # the run's own meaning
            (front.enter if before else front.leave)()


def _of_front(value: Any) -> bool:
    name = getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", None)
    return isinstance(name, str) and (name + ".").startswith((FRONT + ".", "torch."))
