"""The speed curve of the WebGPU device on a machine with a GPU, beside PyTorch and the libraries of
npm on that GPU, in one run.

    python3 -m tests.bench.gpu OUT.json [--presets tiny,small] [--precisions f32,f16,f16_matrix]
        [--flags visitor|full] [--no-torch] [--no-peers] [--profile huge]

    python3 -m tests.bench.gpu --merge OUT.json...

Writes rows in the form of public/speed.json; --merge puts them into public/speed.json and
docs/performance.md, in place of those of an earlier run with the same GPU. The browser is Chromium
under Playwright, or what TINYGPT_BROWSER opens (tests/hosts/driven.py). `--flags` only names in the
rows which browser flags were in force: a visitor's (WebGPU as it ships) or the full set (f16,
subgroup matrices).
"""

import argparse
import json
import os
import pathlib
import statistics
import tempfile
import time

from tests import hosts
from tests.bench import job
from tests.bench.contenders import TURNS, Peer
from tests.bench.report import missing, wrapped
from tinygpt import __version__
from tinygpt.config import PRESETS

CURVE = ("tiny", "small", "medium", "large", "xl", "huge", "massive")


def row(preset, implementation, device, host, build, ms, **more):
    chosen = PRESETS[preset]
    median = statistics.median(ms)
    return {
        "preset": preset, "implementation": implementation, "device": device, "host": host, "threads": 1,
        "build": build,
        "median_ms": median, "min_ms": min(ms), "max_ms": max(ms),
        "tokens_per_s": chosen.train.batch_size * chosen.model.context / median * 1e3, **more,
    }  # fmt: skip


def torch_rows(preset):
    import torch

    from tests.bench import cuda_bench

    build = "torch %s, %s" % (torch.__version__, torch.cuda.get_device_name())
    for mode, graph, tf32 in (("eager", False, False), ("graph", True, False), ("graph tf32", True, True)):
        yield row(
            preset,
            "PyTorch",
            "cuda",
            mode,
            build,
            cuda_bench.windows(preset, graph, tf32),
            precision="tf32" if tf32 else "f32",
        )


def webgpu_rows(preset, precisions, flags):
    for precision in precisions:
        source = "from tests.bench import gpu_host\ngpu_host.windows(%r, %r)" % (preset, precision)
        try:
            got = hosts.value(source, "chromium", device="webgpu", variant="hardware")
        except hosts.HostError as error:
            if "does not offer" not in str(error):
                raise
            continue
        ms = got.pop("ms")
        generated = hosts.value(
            "from tests.bench import gpu_host\ngpu_host.generation(%r, precision=%r)" % (preset, precision),
            "chromium",
            device="webgpu",
            variant="hardware",
        )
        yield row(
            preset, "TinyGPT", "webgpu", "chromium", got.pop("build"), ms, precision=precision, flags=flags,
            generation_tokens_per_s=generated["tokens_per_s"], first_token_ms=generated["first_token_ms"], **got,
        )  # fmt: skip


LIBRARIES = {"jax-js": "@jax-js/jax", "TensorFlow.js": "@tensorflow/tfjs"}  # the packages of npm
PEER_SECONDS = 20  # for the steps of a library at a preset


def peer_rows(preset, flags):
    """jax-js and TensorFlow.js on WebGPU, from the same weights, with the same losses in the first
    steps.
    """
    with tempfile.TemporaryDirectory(prefix="tinygpt-job-") as folder:
        wanted = job.write(preset, folder)
        for library in Peer.TITLES:
            peer = Peer(library, "webgpu", os.cpu_count(), folder, seconds=PEER_SECONDS)
            try:
                cold = peer.cold(preset)
                job.check(peer.name, preset, cold["losses"], wanted)
                ms = [t for _ in range(TURNS) for t in peer.times(preset, 3)["ms"]]
            except (hosts.HostError, job.Disagreement) as error:
                yield missing(preset, peer, str(error).split("\n")[0]) | {"flags": flags, "build": peer.implementation}
                continue
            finally:
                peer.close()
            yield row(
                preset, peer.implementation, "webgpu", "chromium", cold["build"], ms, precision="f32", flags=flags,
                dispatches=None,
                python_ms=None, generation_tokens_per_s=None, first_token_ms=None, first_step_s=cold["first_step_s"],
                notes=cold["notes"],
            )  # fmt: skip


def profile(preset, precision):
    """Prints where the GPU's time goes, by shader."""
    source = "from tests.bench import gpu_host\ngpu_host.profile(%r, %r)" % (preset, precision)
    rows = hosts.value(source, "chromium", device="webgpu", variant="hardware")
    total = sum(r[2] for r in rows)
    print("%s %s: %d dispatches, %.3f ms of GPU time" % (preset, precision, len(rows), total))
    groups = {}
    for _, label, ms in rows:
        groups.setdefault(label, []).append(ms)
    for label, times in sorted(groups.items(), key=lambda item: -sum(item[1])):
        print(
            "  %-72s %4d x %8.4f = %8.4f ms  %5.1f %%"
            % (label, len(times), statistics.median(times), sum(times), 100 * sum(times) / total)
        )


INTRODUCTION = """\
Written by `python3 -m tests.bench.gpu` on a machine with a GPU, PyTorch and Chromium in one start of it: %s.
Milliseconds of a training step (batch, forward, backward, clip, AdamW; the loss is read as it
arrives, at most two steps in flight): median (minimum to maximum) of 15 windows of back-to-back
steps after at least a second of warm-up. PyTorch: fused AdamW, one fixed batch, fp32 where it does
not say tf32; `graph` is that step as a CUDA graph. TinyGPT's `f16` and `f16_matrix`: products of f16
operands with f32 sums, the latter on the GPU's matrix units. A visitor's flags: WebGPU as it ships;
all flags: f16 and subgroup matrices on. jax-js and TensorFlow.js: the step of `make bench` on their
WebGPU backends, 15 steps, equal losses in the first three."""


def of_gpu(row):
    """Whether a row of public/speed.json is one of this bench, not of `make bench`."""
    return row["device"] == "cuda" or "flags" in row


def report(rows):
    """The parts of docs/performance.md on the rows of GPUs, one for each machine; "" without
    any."""
    machines = {}
    for r in rows:
        if of_gpu(r):
            machines.setdefault(r["machine"], []).append(r)
    return "".join(_of_machine(machine, own) for machine, own in machines.items())


def _of_machine(machine, rows):
    columns = []
    for r in rows:
        column = (r["implementation"], r["host"], r["precision"], r.get("flags", ""))
        if column not in columns:
            columns.append(column)
    columns.sort(key=lambda c: (("PyTorch", "TinyGPT", *LIBRARIES).index(c[0]), c[3] == "full", c[2] != "f32"))
    builds = sorted({r["build"] for r in rows if r["precision"] == "f32" and r["implementation"] not in LIBRARIES})
    flags = {"visitor": ", a visitor's browser flags", "full": ", all flags", "": ""}
    title = [
        "PyTorch %s" % host if name == "PyTorch" else "%s %s%s" % (name, precision, flags[flag])
        for name, host, precision, flag in columns
    ]
    out = [
        "", "## On a GPU: %s" % machine, "",
        INTRODUCTION % "; ".join(builds), "",
        "| preset | " + " | ".join(title) + " |", "|---|" + "--:|" * len(title),
    ]  # fmt: skip
    presets = list(dict.fromkeys(r["preset"] for r in rows))
    for preset in presets:
        own = {
            (r["implementation"], r["host"], r["precision"], r.get("flags", "")): r
            for r in rows
            if r["preset"] == preset
        }
        cells = [_cell(own.get(c)) for c in columns]
        out.append("| %s | %s |" % (preset, " | ".join(cells)))
    heads = (
        "preset",
        "precision, flags",
        "dispatches a step",
        "tokens/s in training",
        "Python ms a step",
        "generated tokens/s",
        "first token ms",
    )
    out += ["", "| %s |" % " | ".join(heads), "|---|---|--:|--:|--:|--:|--:|"]
    for r in rows:
        if r["implementation"] == "TinyGPT":
            numbers = (
                r["dispatches"],
                r["tokens_per_s"],
                r["python_ms"],
                r["generation_tokens_per_s"],
                r["first_token_ms"],
            )
            out.append(
                "| %s | %s, %s | %d | %.0f | %.3f | %.0f | %.2f |" % (r["preset"], r["precision"], r["flags"], *numbers)
            )
    absent = {}
    for r in rows:
        if "missing" in r:
            absent.setdefault(r["missing"].replace("of %s:" % r["preset"], "as TinyGPT and PyTorch:"), []).append(
                r["preset"]
            )
    out += ["", *("- %s (%s)." % (why, ", ".join(where)) for why, where in absent.items())] if absent else []
    return "\n".join(out) + "\n"


def _cell(row):
    return (
        "%.2f (%.2f to %.2f)" % (row["median_ms"], row["min_ms"], row["max_ms"])
        if row and "missing" not in row
        else "–"
    )


def _versions(row):
    name, _, version = row["build"].partition(",")[0].partition(" ")
    if package := LIBRARIES.get(row["implementation"]):
        return {package: json.loads((hosts.ROOT / "package.json").read_text())["devDependencies"][package]}
    return {"torch": version} if name == "torch" else {"tinygpt": __version__}


def merge(files):
    """Puts the rows of `files` into public/speed.json and their tables into docs/performance.md."""
    speed, text = hosts.ROOT / "public" / "speed.json", hosts.ROOT / "docs" / "performance.md"
    new = [r for name in files for r in json.loads(pathlib.Path(name).read_text())]
    machine = next(
        r["build"].partition(", ")[2 * (r["device"] == "cuda")] for r in new if r["implementation"] not in LIBRARIES
    )
    same = {"machine": machine, "peak_bytes": None, "first_step_s": None}  # resident memory says nothing of a GPU's
    new = [same | {"generation_tokens_per_s": None, "versions": _versions(r)} | r for r in new]
    rows = [r for r in json.loads(speed.read_text()) if not (of_gpu(r) and r["machine"] == machine)] + new
    speed.write_text(json.dumps(rows, indent=1) + "\n")
    text.write_text(wrapped(text.read_text().split("\n## On a GPU")[0].rstrip("\n") + "\n" + report(rows)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", nargs="+")
    parser.add_argument(
        "--merge",
        action="store_true",
        help="take the rows of the files over into public/speed.json and docs/performance.md",
    )
    parser.add_argument("--presets", default=",".join(CURVE))
    parser.add_argument("--precisions", default="f32,f16,f16_matrix")
    parser.add_argument("--flags", default="full", choices=("visitor", "full"))
    parser.add_argument("--no-torch", action="store_true")
    parser.add_argument("--no-peers", action="store_true", help="leave out jax-js and TensorFlow.js")
    parser.add_argument("--profile", default="", help="presets whose GPU time is printed by kernel")
    parser.add_argument("--seconds", type=float, default=1e9, help="no new measurement starts after so many")
    options = parser.parse_args()
    if options.merge:
        merge(options.out)
        return
    rows, started = [], time.monotonic()
    for preset in options.presets.split(","):
        makers = [webgpu_rows(preset, options.precisions.split(","), options.flags)]
        makers += [] if options.no_torch else [torch_rows(preset)]
        makers += [] if options.no_peers else [peer_rows(preset, options.flags)]
        for maker in makers:
            try:
                for new in maker:
                    rows.append(new)
                    more = ""
                    if new["implementation"] == "TinyGPT":
                        numbers = new["dispatches"], new["python_ms"], new["generation_tokens_per_s"]
                        more = "  %d dispatches, Python %.3f ms, %.0f tokens/s generated" % numbers
                    names = [new[key] for key in ("preset", "implementation", "device", "host", "precision")]
                    times = new.get("missing") or "%8.3f ms (%.3f to %.3f)" % (
                        new["median_ms"],
                        new["min_ms"],
                        new["max_ms"],
                    )
                    print("%-8s %-13s %-7s %-10s %-6s %s%s" % (*names, times, more), flush=True)
                    with open(options.out[0], "w") as file:
                        json.dump(rows, file, indent=1)
                    if time.monotonic() - started > options.seconds:
                        return
            except (hosts.HostError, RuntimeError) as error:
                print("%s failed: %s" % (preset, str(error)[-1500:]), flush=True)
                hosts.stop()
    for preset in filter(None, options.profile.split(",")):
        for precision in options.precisions.split(","):
            profile(preset, precision)


if __name__ == "__main__":
    main()
