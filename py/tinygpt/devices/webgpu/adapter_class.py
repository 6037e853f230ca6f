"""The class of GPU that an adapter belongs to, from the little that a browser says of it: what the
first estimates assume until something has been measured.

In: the bridge's facts (GPUAdapterInfo, whether it is software). Out: an AdapterClass. Its numbers
are low guesses within the class: a class holds GPUs whose speeds differ by a factor of five or
more. They choose the first tile of a matrix product (tile_choice.py), how long a dispatch is
expected to take (dispatch_plan.py; the bridge cuts submits by it until it has measured one), and
how often the tuner repeats its first measurement. No shader's result depends on the class but by
the tile.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class AdapterClass(NamedTuple):
    """cores: of them each runs a workgroup of 256 by itself (multiprocessors, workgroup processors,
    sub-slices of 8 execution units). sums: that an invocation keeps in registers, tm x tn of a
    tile. multiply_adds, bytes: a second.
    """

    name: str
    cores: int
    sums: int
    multiply_adds: float
    bytes: float


# The reference of the estimates is an H200: 132 multiprocessors, 15e12 multiply-adds a second in
# matmul_tile.wgsl.
DATA_CENTRE = AdapterClass("data centre", 132, 64, 5e12, 1e12)
DISCRETE = AdapterClass("discrete", 30, 64, 1e12, 100e9)
# Radeon: from 2 to 96 compute units, in processors and on cards, under the same names.
AMD = AdapterClass("AMD", 8, 64, 250e9, 30e9)
# Arc: 128 registers of 32 bytes a thread hold 32 sums of a SIMD16 thread beside the operands.
ARC = AdapterClass("Intel Arc", 16, 32, 500e9, 80e9)
# 8 to 96 execution units that share the processor's memory.
INTEGRATED = AdapterClass("integrated", 4, 32, 100e9, 15e9)
APPLE = AdapterClass("Apple", 8, 32, 500e9, 40e9)
MOBILE = AdapterClass("mobile", 4, 16, 50e9, 10e9)
# A few cores of a processor. It measures nothing, and takes the reference's tiles.
SOFTWARE = AdapterClass("software", 132, 64, 1e9, 1e9)
CLASSES = (DATA_CENTRE, DISCRETE, AMD, ARC, INTEGRATED, APPLE, MOBILE, SOFTWARE)

_DATA_CENTRE = re.compile(r"\b([ABHV]\d00|GH?[BH]?\d00|L4|L40S?|A10G?|A30|A40|Tesla)\b", re.IGNORECASE)
_MOBILE = frozenset(("arm", "broadcom", "img-tec", "qualcomm", "samsung"))


def named(info: Mapping[str, Any]) -> bool:
    """Whether the browser says anything of the GPU by which it differs from others. Firefox does
    not.
    """
    return any(str(info.get(name) or "").strip() for name in ("vendor", "architecture", "description"))


def classify(info: Mapping[str, Any]) -> AdapterClass:
    """The class of the adapter with these facts: vendor, architecture, description, fallback,
    subgroupMin.
    """
    vendor, architecture, description = (
        str(info.get(name) or "").lower() for name in ("vendor", "architecture", "description")
    )
    if info.get("fallback"):
        return SOFTWARE
    if vendor == "nvidia" or "nvidia" in description:
        # An architecture that the browser has no name for is newer than its list, or a data
        # centre's.
        data_centre = architecture in ("", "hopper") or bool(_DATA_CENTRE.search(description))
        return DATA_CENTRE if data_centre and "geforce" not in description else DISCRETE
    if vendor == "apple" or description.startswith("apple"):
        return APPLE
    if vendor == "amd" or "radeon" in description:
        return AMD
    if vendor == "intel" or "intel" in description:
        discrete = architecture.endswith("hpg") or "arc" in description.split()
        return ARC if discrete else INTEGRATED
    if vendor in _MOBILE or any(word in description for word in ("adreno", "mali", "powervr", "xclipse")):
        return MOBILE
    # Nameless, or of a maker that is not listed. The tiles of small classes run everywhere, and
    # subgroups of 64 are AMD's or a phone's.
    return AMD if info.get("subgroupMin") == 64 else INTEGRATED
