"""Between the page and `tinygpt.loop`: the inputs' values go in before a run, the loop's messages
come out as JSON lines.

The device that the user chooses reaches a running loop through shared memory (`host.takeChoice`),
and takes effect at once where nothing runs (`use_device`).
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import TYPE_CHECKING, Any

import tinygpt_host as host

from .json_values import whole
from .output_channel import TRAINING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from . import protocol


def start(extension: bool, missing: str | None, attach: Callable[[ModuleType], None]) -> protocol.StartFacts:
    """Imports the package and takes the wasm device.

    attach(loop): called once the package is imported.
    """
    state: protocol.StartFacts = {
        "python": "%d.%d.%d" % sys.version_info[:3],
        "device": "wasm",
        "build": None,
        "threads": 0,
        "missing": missing,
    }
    try:
        import tinygpt
        from tinygpt import loop

        loop.set_sink(send)
        loop.set_wanted(host.takeChoice)
        attach(loop)
        if extension:
            state.update(loop.describe_device(tinygpt.set_device("wasm")))  # pyright: ignore
    except Exception as error:  # a broken edit of the package: Python itself is fine, so say it and continue
        state["missing"] = "the tinygpt package could not be started: %s: %s" % (type(error).__name__, error)
        traceback.print_exc()
    return state


def use_device(choice: str) -> str:
    """Makes `choice` ("wasm64", "webgpu:f16") the current device; JSON of protocol.UsedDevice, with
    `problem` where that is another one.
    """
    from tinygpt import loop

    problem: str | None = None
    try:
        loop.choose_device(choice)
    except Exception as error:
        where = "GPU" if (device() or {}).get("device") == "webgpu" else "CPU"
        problem = "Training stays on the %s: %s." % (where, str(error).rstrip("."))
    facts = device() or {"device": "wasm", "build": None, "threads": 0}
    used: protocol.UsedDevice = {**facts, "problem": problem} if problem else {**facts}
    return json.dumps(used)


def device() -> protocol.DeviceFacts | None:
    """The device in use, also at the end of a run, whose code may have chosen another one. None
    where there is none.
    """
    loop = sys.modules.get("tinygpt.loop")
    try:
        return loop and loop.describe_device()
    except RuntimeError:
        return None


def send(message: str) -> None:
    """The sink of tinygpt.loop: one JSON text per message."""
    host.write(TRAINING, message)


def running() -> bool:
    """True while a loop trains (or is paused)."""
    loop = sys.modules.get("tinygpt.loop")
    return bool(loop and loop.running)


def configure(settings: dict[str, Any] | None) -> None:
    """The page's inputs before a run: {preset, steps, lr, batch_size, seed, corpus, threads}."""
    if settings is None:
        return
    from tinygpt import loop

    loop.set_settings(taken(settings))


def taken(settings: dict[str, Any]) -> dict[str, Any]:
    """The inputs' values without the threads, which every device uses from now on."""
    from tinygpt import devices

    threads = settings.pop("threads", None)
    devices.set_threads(threads or None)
    return {name: whole(value) if name == "seed" else value for name, value in settings.items()}
