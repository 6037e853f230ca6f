"""torch.cuda on a host without CUDA: queries answer so, and what needs a GPU of NVIDIA's raises.

The GPU of a browser is the device "webgpu".
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NoReturn

from .. import table
from ..host import AcceleratorError, OutOfMemoryError
from ..types import unavailable

has_half = has_magma = False
default_generators: tuple[Any, ...] = ()


def is_available() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def is_initialized() -> bool:
    """False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False."""
    return False


def is_tf32_supported() -> bool:
    """False."""
    return False


def get_arch_list() -> list[str]:
    """[]."""
    return []


def get_gencode_flags() -> str:
    """ "" """
    return ""


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Does nothing: there is no CUDA."""


empty_cache = manual_seed = manual_seed_all = seed = seed_all = set_rng_state_all = _nothing
reset_peak_memory_stats = reset_max_memory_allocated = reset_max_memory_cached = _nothing


def _zero(device: Any = None) -> int:
    """0 bytes."""
    return 0


memory_allocated = max_memory_allocated = memory_reserved = max_memory_reserved = _zero
memory_cached = max_memory_cached = _zero


def memory_stats(device: Any = None) -> OrderedDict[str, Any]:
    """No numbers."""
    return OrderedDict()


def get_rng_state_all() -> list[Any]:
    """[]."""
    return []


def _unavailable(*args: Any, **kwargs: Any) -> NoReturn:
    """AssertionError: there is no CUDA."""
    raise AssertionError(unavailable("cuda"))


init = synchronize = current_device = get_device_name = get_device_properties = get_device_capability = _unavailable
set_device = mem_get_info = get_rng_state = set_rng_state = initial_seed = ipc_collect = memory_summary = _unavailable
current_stream = default_stream = set_stream = can_device_access_peer = utilization = _unavailable
caching_allocator_alloc = set_per_process_memory_fraction = make_graphed_callables = is_current_stream_capturing = (
    _unavailable
)


class _Missing:
    """A class of CUDA: RuntimeError where an object of it is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(unavailable("cuda"))


class Event(_Missing):
    """An event on a stream."""


class Stream(_Missing):
    """A stream."""


class CUDAGraph(_Missing):
    """A graph of launches."""


class graph(_Missing):
    """The recording of a graph."""


class device:
    """A context that chooses a GPU: it does nothing."""

    def __init__(self, device: Any) -> None:
        self.device = device

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


class stream(device):
    """A context that chooses a stream: it does nothing."""


def _typed(name: str) -> type:
    def new(cls: type, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("type torch.cuda.%s not available. %s" % (name, unavailable("cuda")))

    return type(name, (), {"__new__": new, "__doc__": "TypeError: there is no CUDA."})


FloatTensor, DoubleTensor, HalfTensor = _typed("FloatTensor"), _typed("DoubleTensor"), _typed("HalfTensor")
LongTensor, IntTensor, BoolTensor = _typed("LongTensor"), _typed("IntTensor"), _typed("BoolTensor")
ByteTensor, BFloat16Tensor = _typed("ByteTensor"), _typed("BFloat16Tensor")

__all__ = [
    "AcceleratorError", "CUDAGraph", "Event", "OutOfMemoryError", "Stream", "current_device", "device",
    "device_count", "empty_cache",
    "get_device_capability", "get_device_name", "get_device_properties", "init", "is_available",
    "is_bf16_supported", "is_initialized", "manual_seed", "manual_seed_all", "max_memory_allocated",
    "max_memory_reserved", "mem_get_info", "memory_allocated", "memory_reserved", "reset_peak_memory_stats",
    "set_device", "synchronize",
]  # fmt: skip


def __getattr__(name: str):
    """Submodules at their first use, and the sentence on a name that is not here."""
    return table.missing(__name__, name)
