"""The current device, on which new tensors are made: chosen by name, or found at the first use."""

from __future__ import annotations

import sys

from .. import devices
from ..devices.base import Device
from .state import state


def set_device(name: str) -> Device:
    """Makes `name` (see tinygpt.devices.NAMES) the device of new tensors. Existing tensors stay
    where they are.
    """
    device = devices.get(name)
    state.device = device
    return device


def get_device(name: Device | str | None = None) -> Device:
    """The Device called `name`, or the current one: the first that runs here of wasm, native,
    reference.
    """
    if name is not None:
        if isinstance(name, Device):
            return name
        return devices.get(name) if state.resolve is None else state.resolve(name)
    if state.device is None:
        errors: list[str] = []
        # A tab never trains on the oracle unasked.
        for candidate in ("wasm",) if sys.platform == "emscripten" else ("wasm", "native", "reference"):
            try:
                state.device = devices.get(candidate)
                break
            except (RuntimeError, ImportError) as error:
                errors.append("%s: %s" % (candidate, error))
        else:
            raise RuntimeError("no device can run here. " + " ".join(errors))
    return state.device
