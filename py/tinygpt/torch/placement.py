"""What PyTorch tells of a tensor's place: its device, layout and sharing. All of a tensor here is
dense, on the CPU or on the browser's GPU, in one process.
"""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor
from ..ops import elementwise
from .types import strided

__all__ = []

_NEVER = "cuda ipu maia meta mkldnn mps mtia nested quantized sparse sparse_csr vulkan xla xpu"


def _on_the_cpu(self: Tensor) -> bool:
    return self.device.name != "webgpu"


def get_device(self: Tensor) -> int:
    """-1 on the CPU, 0 on the GPU."""
    return -1 if _on_the_cpu(self) else 0


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """RuntimeError: no accelerator reads the CPU's memory."""
    raise RuntimeError("Cannot access accelerator device when none is available.")


def is_pinned(self: Tensor, device: Any = None) -> bool:
    """False."""
    return False


def share_memory_(self: Tensor) -> Tensor:
    """x as it is: there is one process."""
    return self


def _contains(self: Tensor, element: Any) -> bool:
    """Whether an element equals a number, or one of a tensor's that broadcasts to x."""
    if not isinstance(element, (Tensor, int, float)):
        raise RuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, but you passed in a %s." % type(element)
        )
    return bool(elementwise.compare("eq", self.detach(), element).any())


METHODS = {
    **{"is_" + name: property(lambda self: False) for name in _NEVER.split()},
    "is_cpu": property(_on_the_cpu), "layout": property(lambda self: strided), "get_device": get_device,
    "is_pinned": is_pinned, "is_shared": is_pinned, "is_inference": is_pinned, "pin_memory": pin_memory,
    "share_memory_": share_memory_, "__contains__": _contains,
}  # fmt: skip
LIMITED = {"is_inference": "False of every tensor", "is_shared": "False: there is one process"}
