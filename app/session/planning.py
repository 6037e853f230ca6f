"""What the run that the inputs describe will hold in memory, for the page: counted by `tinygpt.planning`, which computes nothing and
leaves the run that is under way as it is.
"""

from . import requests


@requests.handles("plan")
def plan(args, part):
    """{settings: the inputs' values, machine: GiB that the browser tells of or None}.

    {"device", "needs": bytes, "holds": bytes or None, "parts": {name: bytes}, "refused": the sentence why it cannot fit, or None}.
    """
    import tinygpt
    from tinygpt import loop, planning, room
    from tinygpt.corpora import size_of
    from tinygpt.devices.wasm64 import Wasm64Device

    settings, machine = {k: v for k, v in args["settings"].items() if k != "threads"}, args.get("machine")
    _, shape, config = loop.configured(settings)
    device = tinygpt.get_device()
    tokens = size_of(config.corpus)  # one a byte, as in train.py
    counted, capacity = planning.plan(shape, config, tokens), planning.holds(device, machine)
    if device.name == "wasm" and counted.total > room.FILLED * capacity and _wide():
        capacity = planning.holds(Wasm64Device, machine)
    return {
        "device": device.name,
        "needs": counted.total,
        "holds": capacity,
        "parts": {name: getattr(counted, name) for name in ("parameters", "gradients", "moments", "activations", "tokens")},
        "refused": planning.refusal(shape, config, device, capacity, tokens),
    }


def _wide():
    """Whether a run that passes 32-bit memory would be given 64-bit memory."""
    try:
        import tinygpt_extension64 as host
    except ImportError:
        return False
    return not host.missing
