"""The host's half of the GPU bench: windows of back-to-back training steps, a profile by kernel,
decoding.

Standard library and tinygpt only.
"""

import time

WINDOWS = 15
WINDOW_SECONDS = 0.04
WARM_SECONDS = 1.0  # an idle GPU runs at a fifth of its clock


def _step_bench(preset, precision, subgroups):
    import tinygpt
    from tinygpt.tools import benchmark

    device = tinygpt.get_device()
    device.configure(precision=precision, subgroups=subgroups)
    return device, benchmark.StepBench(preset)


def windows(preset, precision="f32", subgroups=True):
    """{"ms": [of a step, one for each window], "first_step_s", "losses", "dispatches",
    "submits_per_step", ...}.
    """
    started = time.perf_counter()
    device, bench = _step_bench(preset, precision, subgroups)
    ready = time.perf_counter() - started
    start = time.perf_counter()
    while time.perf_counter() - start < WARM_SECONDS:
        bench.advance()
    device.synchronize()
    start = time.perf_counter()
    for _ in range(5):
        bench.advance()
    device.synchronize()
    count = max(2, min(60, int(WINDOW_SECONDS / ((time.perf_counter() - start) / 5))))
    out, submits = [], device.gpu.counters.submits
    for _ in range(WINDOWS):
        start = time.perf_counter()
        for _ in range(count):
            bench.advance()
        device.synchronize()
        out.append((time.perf_counter() - start) / count * 1e3)
    program = bench.step.program
    return {
        "ms": out,
        "steps": count * WINDOWS,
        "warm_up_s": ready,
        "submits_per_step": (device.gpu.counters.submits - submits) / (count * WINDOWS),
        "dispatches": program._loaded.dispatches,
        "planned_bytes": program.planned_bytes,
        "memory_bytes": device.memory_bytes(),
        "python_ms": _python_ms(bench, device),
        "build": device.build,
        "capabilities": device.capabilities,
        "losses": [float(x) for x in bench.losses[:3] + bench.losses[-3:]],
    }


def _python_ms(bench, device, steps=20):
    """What a step costs beside the device: replays that submit nothing."""
    program = bench.step.program
    run, program.run = program.run, lambda: None
    try:
        start = time.perf_counter()
        for _ in range(steps):
            bench.step()
        return (time.perf_counter() - start) / steps * 1e3
    finally:
        program.run = run


def profile(preset, precision="f32", subgroups=True):
    """[[kernel, shader, GPU milliseconds]] of each dispatch of a step."""
    device, bench = _step_bench(preset, precision, subgroups)
    start = time.perf_counter()
    while time.perf_counter() - start < WARM_SECONDS:
        bench.advance()
    device.synchronize()
    program = bench.step.program
    launches = program._loaded.launches
    rows = []
    for index, label, seconds in device.profile(program):
        launch = None if index is None else launches[index]
        note = ""
        if launch is not None and launch.kernel.name == "matmul":
            p = launch.kernel.Params(*launch.params)
            note = "%s%s %dx%dx%d e%d" % ("T" if p.ta else "N", "T" if p.tb else "N", p.M, p.N, p.K, p.epilogue)
        rows.append([launch.kernel.name if launch else "sums", label + (" " + note if note else ""), seconds * 1e3])
    return rows


def generation(preset, tokens=200, precision="f32"):
    """KV-cache decoding, streamed: {"tokens_per_s", "first_token_ms", ...}."""
    import tinygpt
    from tinygpt.tools import benchmark

    tinygpt.get_device().configure(precision=precision)
    return benchmark.generation(preset, tokens)
