"""The current device of a training loop: chosen by a name and a precision, described for the page,
named in sentences.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .. import devices
from ..core import generator
from ..core.current_device import get_device, set_device
from ..devices.base import precision_name

if TYPE_CHECKING:
    from ..devices.base import Device


def choose_device(choice: str) -> Device:
    """Makes `choice` the current device: "native", "webgpu", "webgpu:f16" (a name and a precision).
    Errors are sentences.
    """
    name, _, precision = choice.partition(":")
    device: Any = devices.get(name)
    if getattr(device, "lost", False):
        device.reopen()
        generator.forget(device)
    precision = precision_name(precision)
    if precision and precision != getattr(device, "precision", "f32"):
        if not hasattr(device, "configure"):
            raise ValueError("%s computes in f32 only, not %s" % (name, precision))
        device.configure(precision=precision)
    return set_device(name)


def describe_device(device: Device | None = None) -> dict[str, Any]:
    """What the page's device line needs: {device, build, threads, precision}."""
    device = device or get_device()
    return dict(
        device=device.name, build=device.build, threads=device.threads, precision=getattr(device, "precision", "f32")
    )


def cpu() -> Device:
    """The CPU device of this host."""
    return devices.get("wasm" if sys.platform == "emscripten" else "native")


def named(device: Device) -> str:
    """As in "training continues ... on the GPU (...)"."""
    if device.volatile:
        return "on the GPU (%s)" % device.build
    return "on the CPU (%s, %s)" % (device.build, "1 thread" if device.threads == 1 else "%d threads" % device.threads)
