"""Between the page and `tinygpt.loop`: the inputs' values go in before a run, the loop's messages come out as JSON lines."""

import sys
import traceback

import tinygpt_host as host

from .output import TRAINING

_device = None


def start(extension, missing):
    """Imports the package and takes the wasm device. Returns {python, build, threads, missing}."""
    global _device
    state = {"python": "%d.%d.%d" % sys.version_info[:3], "build": None, "threads": 0, "missing": missing}
    try:
        import tinygpt
        from tinygpt import loop

        loop.set_sink(send)
        if extension:
            tinygpt.set_device("wasm")
            from tinygpt import devices

            _device = devices.get("wasm")
            state.update(build=_device.build, threads=_device.threads)
    except Exception as error:  # a broken edit of the package: Python itself is fine, so say it and go on
        state["missing"] = "the tinygpt package could not be started: %s: %s" % (type(error).__name__, error)
        traceback.print_exc()
    return state


def send(message):
    """The sink of tinygpt.loop: one JSON text per message."""
    host.write(TRAINING, message)


def configure(settings):
    """The page's inputs before a run: {preset, steps, lr, batch_size, seed, corpus, threads}."""
    if not settings:
        return
    from tinygpt import loop

    threads = settings.pop("threads", None)
    if _device is not None and threads and threads != _device.threads:
        _device.set_threads(threads)
    loop.set_settings(settings)
