"""What the run that the inputs describe will hold in memory, for the page: counted by
`tinygpt.training.memory_estimate`, which computes nothing and leaves the run that is under way as
it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import dispatch

if TYPE_CHECKING:
    from .. import protocol


@dispatch.handles("plan")
def plan(args: protocol.PlanArgs, part: object) -> protocol.PlanAnswer:
    """The memory of the run that args["settings"] describe, on the current device."""
    import tinygpt
    from tinygpt import loop
    from tinygpt.corpora import size_of
    from tinygpt.devices.wasm64 import Wasm64Device
    from tinygpt.training import memory_estimate, memory_reserve

    settings = {k: v for k, v in args["settings"].items() if k not in ("threads", "seed")}
    machine, budget = args.get("machine"), args.get("budget")
    _, shape, config = loop.configured(settings, own=args.get("shape"))
    device = tinygpt.get_device()
    tokens: Any = size_of(config.corpus)  # one a byte, as in train.py
    capacity: Any
    counted, capacity = memory_estimate.plan(shape, config, tokens), memory_estimate.holds(device, machine, budget)
    if device.name == "wasm" and counted.total > memory_reserve.FILLED * capacity and _wide():
        capacity = memory_estimate.holds(Wasm64Device, machine, budget)
    refused = memory_estimate.refusal(shape, config, device, capacity, tokens)
    if refused is None and device.volatile and args.get("probe"):
        refused = memory_reserve.too_large(device, shape, config, device.in_use())
    return {
        "device": device.name,
        "needs": counted.total,
        "holds": capacity,
        "parts": {
            name: getattr(counted, name) for name in ("parameters", "gradients", "moments", "activations", "tokens")
        },
        "refused": refused,
    }


def _wide() -> bool:
    """Whether a run that passes 32-bit memory would be given 64-bit memory."""
    try:
        import tinygpt_extension64 as host
    except ImportError:
        return False
    return not host.missing
