"""torch.nn.attention: the choice of a kernel for scaled dot-product attention, which changes
nothing here.
"""

from __future__ import annotations

import contextlib
import enum
from typing import TYPE_CHECKING, Any

from .. import table

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SDPBackend", "WARN_FOR_UNFUSED_KERNELS", "sdpa_kernel"]
LIMITED = {"sdpa_kernel": "the device chooses the kernel: the backends named here change nothing"}
ABSENT = {
    "flex_attention": "use torch.nn.functional.scaled_dot_product_attention with attn_mask",
    "bias": "use attn_mask or is_causal of torch.nn.functional.scaled_dot_product_attention",
    "varlen": "use torch.nn.functional.scaled_dot_product_attention with a mask of the padding",
}
WARN_FOR_UNFUSED_KERNELS = False


class SDPBackend(enum.IntEnum):
    """The kernels that PyTorch chooses from."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[dict[str, Any]]:
    """A context in which nothing changes. backends: an SDPBackend or a list of them."""
    if not isinstance(backends, (list, SDPBackend)):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got %s"
            % type(backends).__name__
        )
    yield {}


def __getattr__(name: str) -> Any:
    """The sentence on a name that is not here."""
    return table.absent(__name__, name)
