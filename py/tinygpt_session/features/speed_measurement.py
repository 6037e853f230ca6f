"""*Measure on this machine* (app/speed): the bench's own measurement (`tinygpt.tools.benchmark`,
`tinygpt.tools.roofline`) in the user's tab.

The page requests one round of one device at a time, so that devices take turns as they do in `make
bench`, and so that it can stop between two. A device is one of device_choice.js's CHOICES; what was
current is current again afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from .. import dispatch, training_bridge

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import protocol

T = TypeVar("T")


def _on_device(args: protocol.MeasureArgs, measurement: Callable[[], T]) -> T:
    """What `measurement()` gives with the request's device and threads in force."""
    import tinygpt
    from tinygpt import loop

    if training_bridge.running():
        raise ValueError("a run is in progress: stop it first, because its steps would disturb the measurement")
    before = tinygpt.get_device().name
    loop.choose_device(args["device"])
    device = tinygpt.get_device()
    named = device.named_threads
    try:
        requested = args.get("threads")
        if requested:
            device.set_threads(int(requested))
        return measurement()
    finally:
        device.set_threads(named)
        tinygpt.set_device(before)


@dispatch.handles("measure cold")
def measure_cold(args: protocol.MeasureArgs, part: object) -> protocol.ColdMeasurement:
    """The first steps and a generated text of a model from nothing."""
    from tinygpt.tools import benchmark

    def measured() -> protocol.ColdMeasurement:
        cold = benchmark.cold(args["preset"])
        generated = benchmark.generation(args["preset"])
        return {
            "first_step_s": cold["first_step_s"],
            "losses": cold["losses"],
            "generation_tokens_per_s": generated["tokens_per_s"],
            "first_token_ms": generated["first_token_ms"],
        }

    return _on_device(args, measured)


@dispatch.handles("measure steps")
def measure_steps(args: protocol.MeasureStepsArgs, part: object) -> dict[str, Any]:
    """benchmark.step_times; the first of a device warms up, and it stays warm."""
    from tinygpt.tools import benchmark

    return _on_device(args, lambda: benchmark.step_times(args["preset"], int(args["steps"]), keep=True))


@dispatch.handles("measure forget")
def measure_forget(args: protocol.NoArgs, part: object) -> None:
    """The warm models go."""
    from tinygpt.tools import benchmark

    benchmark.forget()


@dispatch.handles("measure kernels")
def measure_kernels(args: protocol.MeasureKernelsArgs, part: object) -> dict[str, Any]:
    """roofline.step_rates on the CPU."""
    from tinygpt.tools import roofline

    return _on_device({**args, "device": "wasm"}, lambda: roofline.step_rates(args["preset"]))


@dispatch.handles("measure roofline")
def measure_roofline(args: protocol.RooflineArgs, part: object) -> list[dict[str, Any]]:
    """The rows with their rooflines."""
    from tinygpt.tools import roofline

    return [row | roofline.roofline(row, args["peaks"]) for row in args["rows"]]
