"""*Measure on this machine* (app/speed): the bench's own measurement (`tinygpt.measure`, `tinygpt.rates`) in the visitor's tab.

The page asks for one turn of one device at a time, so that devices take turns as they do in `make bench`, and so that it can stop
between two. A device is one of device_choice.js's CHOICES; what was current is current again afterwards.
"""

from . import requests


def _on_device(args, measurement):
    """What `measurement()` gives with the request's device and threads in force."""
    import tinygpt
    from tinygpt import loop

    from . import training

    if training.running():
        raise ValueError("a run is under way: stop it first, its steps would disturb the measurement")
    before = tinygpt.get_device().name
    loop.choose_device(args["device"])
    device = tinygpt.get_device()
    threads = device.threads
    try:
        if args.get("threads"):
            device.set_threads(int(args["threads"]))
        return measurement()
    finally:
        device.set_threads(threads)
        tinygpt.set_device(before)


@requests.handles("measure cold")
def measure_cold(args, part):
    """{preset, device, threads}: {"first_step_s", "losses"}, and {"generation_tokens_per_s", "first_token_ms"} of a model from nothing."""
    from tinygpt import measure

    def measured():
        cold = measure.cold(args["preset"])
        generated = measure.generation(args["preset"])
        return cold | {"generation_tokens_per_s": generated["tokens_per_s"], "first_token_ms": generated["first_token_ms"]}

    return _on_device(args, measured)


@requests.handles("measure steps")
def measure_steps(args, part):
    """{preset, device, threads, steps}: measure.step_times; the first of a device warms up, and it stays warm."""
    from tinygpt import measure

    return _on_device(args, lambda: measure.step_times(args["preset"], int(args["steps"]), keep=True))


@requests.handles("measure forget")
def measure_forget(args, part):
    """The warm models go."""
    from tinygpt import measure

    measure.forget()


@requests.handles("measure kernels")
def measure_kernels(args, part):
    """{preset, threads}: rates.step_rates on the CPU."""
    from tinygpt import rates

    return _on_device({**args, "device": "wasm"}, lambda: rates.step_rates(args["preset"]))


@requests.handles("measure roofline")
def measure_roofline(args, part):
    """{rows, peaks}: the rows with their rooflines."""
    from tinygpt import rates

    return [row | rates.roofline(row, args["peaks"]) for row in args["rows"]]
