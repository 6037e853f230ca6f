"""torch.multiprocessing in one process: what starts another raises."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "Process", "Queue", "get_all_sharing_strategies", "get_context", "get_sharing_strategy", "get_start_method",
    "set_sharing_strategy", "set_start_method", "spawn",
]  # fmt: skip


def get_all_sharing_strategies() -> set[str]:
    """{"file_system"}."""
    return {"file_system"}


def get_sharing_strategy() -> str:
    """ "file_system" """
    return "file_system"


def set_sharing_strategy(new_strategy: str) -> None:
    """Changes nothing: no memory is shared."""


def get_start_method(allow_none: bool = False) -> str:
    """ "spawn" """
    return "spawn"


def set_start_method(method: str, force: bool = False) -> None:
    """Changes nothing: no process is started."""


def cpu_count() -> int:
    """1: there is one process."""
    return 1


def _one_process(*args: Any, **kwargs: Any) -> NoReturn:
    """RuntimeError: there is one process."""
    raise RuntimeError("TinyGPT has one process; call the function itself")


spawn = start_processes = Process = Queue = SimpleQueue = Pool = Event = Lock = Manager = get_context = _one_process
