"""torch.distributed in one process: no group is there, and none can be made."""

from __future__ import annotations

from typing import Any, NoReturn

from .. import table

__all__ = [
    "all_gather", "all_reduce", "barrier", "broadcast", "destroy_process_group", "get_backend", "get_rank",
    "get_world_size", "init_process_group", "is_available", "is_initialized", "new_group",
]  # fmt: skip


class ReduceOp:
    """How values of several processes are joined."""

    SUM, AVG, PRODUCT, MIN, MAX = "SUM", "AVG", "PRODUCT", "MIN", "MAX"


class ProcessGroup:
    """A group of processes: none is ever made."""


class group:
    """The default group."""

    WORLD = None


def is_available() -> bool:
    """False: there is one process."""
    return False


def _no() -> bool:
    """False."""
    return False


is_initialized = is_nccl_available = is_gloo_available = is_mpi_available = is_ucc_available = _no
is_torchelastic_launched = is_xccl_available = _no


def init_process_group(backend: str | None = None, *args: Any, **kwargs: Any) -> NoReturn:
    """RuntimeError: there is one process."""
    raise RuntimeError(
        "init_process_group(%s) is not in TinyGPT's subset, which has one process; run the program without "
        "torchrun, or leave the call out" % ("" if backend is None else repr(backend))
    )


def _uninitialized(*args: Any, **kwargs: Any) -> NoReturn:
    """ValueError: there is no group."""
    raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")


get_rank = get_world_size = get_backend = barrier = all_reduce = all_gather = broadcast = reduce = _uninitialized
gather = scatter = reduce_scatter = all_to_all = send = recv = isend = irecv = new_group = monitored_barrier = (
    _uninitialized
)
all_gather_object = broadcast_object_list = gather_object = scatter_object_list = all_gather_into_tensor = (
    _uninitialized
)
reduce_scatter_tensor = destroy_process_group = get_process_group_ranks = _uninitialized
ABSENT = dict.fromkeys(
    ("fsdp", "rpc", "tensor", "pipelining", "elastic", "launch", "run", "algorithms", "optim", "checkpoint"),
    "there is one process; train on its device alone",
)


def __getattr__(name: str):
    """The sentence on a name that is not here."""
    return table.missing(__name__, name)
