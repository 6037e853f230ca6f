"""Between the page and `tinygpt.loop`: the inputs' values go in before a run, the loop's messages come out as JSON lines.

The device that the user chooses reaches a running loop through shared memory (`host.wanted`), and takes hold at once where nothing runs
(`use_device`).
"""

import json
import signal
import sys
import traceback

import tinygpt_host as host

from . import requests
from .output import TRAINING


def start(extension, missing):
    """Imports the package and takes the wasm device. Returns {python, device, build, threads, precision, missing}."""
    state = {"python": "%d.%d.%d" % sys.version_info[:3], "device": "wasm", "build": None, "threads": 0, "missing": missing}
    try:
        import tinygpt
        from tinygpt import loop

        loop.set_sink(send)
        loop.set_wanted(host.wanted)
        loop.set_visitor(requests.visit)
        signal.signal(signal.SIGUSR1, requests.signalled)
        if extension:
            state.update(loop.describe_device(tinygpt.set_device("wasm")))
    except Exception as error:  # a broken edit of the package: Python itself is fine, so say it and go on
        state["missing"] = "the tinygpt package could not be started: %s: %s" % (type(error).__name__, error)
        traceback.print_exc()
    return state


def use_device(choice):
    """Makes `choice` ("wasm64", "webgpu:f16") the current device; JSON of what is in use then, with `problem` where that is another one."""
    from tinygpt import loop

    problem = {}
    try:
        loop.choose_device(choice)
    except Exception as error:
        where = "GPU" if (device() or {}).get("device") == "webgpu" else "CPU"
        problem = {"problem": "Training stays on the %s: %s." % (where, str(error).rstrip("."))}
    return json.dumps({**(device() or {"device": "wasm", "build": None, "threads": 0}), **problem})


def device():
    """What `use_device` tells, for the end of a run: its code may have chosen another device. None where there is none."""
    loop = sys.modules.get("tinygpt.loop")
    try:
        return loop and loop.describe_device()
    except RuntimeError:
        return None


def send(message):
    """The sink of tinygpt.loop: one JSON text per message."""
    host.write(TRAINING, message)


def running():
    """True while a loop trains (or is paused)."""
    loop = sys.modules.get("tinygpt.loop")
    return bool(loop and loop.running)


def configure(settings):
    """The page's inputs: {preset, steps, lr, batch_size, seed, corpus, threads}."""
    if settings is None:
        return
    from tinygpt import devices, loop

    threads = settings.pop("threads", None)
    if threads:
        devices.set_threads(threads)
    loop.set_settings(settings)


def begin(settings=None, files=None, paused=False, resume=False):
    """Before the editor's code is executed."""
    from tinygpt import loop

    from . import editing

    configure(settings)
    if files:
        editing.use(files)
    requests.begin(paused)
    loop.set_resume(loop.current if resume else None)


def end():
    """After any source: the next one neither waits nor goes on by what was asked of this one."""
    requests.begin()
    loop = sys.modules.get("tinygpt.loop")
    if loop:
        loop.set_resume(None)
