"""`make bench`: one table over the presets, all implementations in one run with their repetitions
interleaved.

    python3 -m tests.bench [--presets tiny,small,...] [--threads 2] [--no-peers] [--peer-seconds
    120] [--adapter hardware] [--no-write]

Writes public/speed.json, public/roofline.json (the kernels of ROOFLINE in Chromium) and
docs/performance.md (report.py). TinyGPT in Chromium and in Node with one thread and with all,
natively, and on WebGPU; in Firefox and WebKit up to ENGINES_LAST (engines.py); PyTorch; jax-js and
TensorFlow.js, each on wasm and WebGPU. What runs in Chromium's and Node's WebAssembly does so
twice: in an engine as it comes, and in one told to pair vectors to 256 bits ("flags": "future";
tests/hosts). The build without relaxed SIMD has columns too ("flags": "plain"). All start from the
same weights, see the same batches, and must have the same losses in the first steps: a library that
has others is not in the table, and where it is TinyGPT or PyTorch, nothing is written. Each is then
warmed up, and they take turns of a few steps, so that a slow moment of the machine falls on all of
them. What cannot be measured here has a row as well, which says why ("missing"). behemoth is left
out unless it is asked for: its contenders, kept warm side by side, would need 60 GB.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile

from tests import hosts
from tests.bench import engines, gpu, job, kernels, report
from tests.bench.contenders import TURNS, Contender, Peer, PyTorch, summary
from tests.hosts import adapters
from tinygpt import __version__
from tinygpt.config import PRESETS

SIDE_BY_SIDE = ("tiny", "small", "medium", "large", "xl", "huge", "massive", "mega")
STEPS = 3  # in a turn
ENGINES_LAST = "large"  # their browsers are closed before the presets that fill the memory
ROOFLINE = "xl"  # or the last preset, where this one is not measured


def field(threads, folder, adapter, peers, peer_seconds):
    """([contender], [(contender, why it is missing)])."""
    cpu = [PyTorch(threads, folder), Contender("native", "native", threads)]
    for host in ("chromium", "node"):
        for variant in (None, "paired-mt"):
            cpu += [Contender("wasm", host, count, variant) for count in dict.fromkeys((threads, 1))]
    libraries = ("jax", "tfjs") if peers else ()
    cpu += [
        Peer(library, "wasm", threads, folder, None, peer_seconds, flags)
        for library in libraries
        for flags in (None, "future")
    ]
    on_gpu = [Contender("webgpu", "chromium", None, variant=adapter)]
    on_gpu += [Peer(library, "webgpu", threads, folder, adapter, peer_seconds) for library in libraries]
    reason = no_gpu(adapter)
    if reason:
        hosts.stop("chromium", adapter)  # it would stand beside the others
    return (cpu, [(c, reason) for c in on_gpu]) if reason else (cpu + on_gpu, [])


def no_gpu(adapter):
    """Why Chromium has no GPU of this adapter here, or None."""
    source = "import tinygpt\nd = tinygpt.get_device()\n[d.build, bool(d.fallback)]"
    try:
        device = hosts.value(source, "chromium", device="webgpu", variant=adapter)
    except (hosts.HostError, adapters.MissingAdapter) as error:
        return "Chromium reaches no GPU on this machine (%s)" % str(error).strip().split("\n")[-1]
    if adapter == "hardware" and device[1]:
        return "Chromium offers only a GPU in software on this machine (%s)" % device[0]
    return None


def measure(preset, contenders, folder, say=print, turns=TURNS):
    """[row] of one preset: each contender from nothing, then all in turns."""
    wanted = job.write(preset, folder)
    cold, rows, ready = {}, [], []
    for c in contenders:
        try:
            cold[c] = c.cold(preset)
            job.check(c.name, preset, cold[c]["losses"], wanted)
        except (hosts.HostError, job.Disagreement) as error:
            if c.implementation in ("TinyGPT", "PyTorch"):
                raise
            say("%s: %s" % (c.name, error))
            rows.append(report.missing(preset, c, str(error).split("\n")[0]))
            continue
        ready.append(c)
    results = {c: [] for c in ready}
    for c in ready:
        if not c.over:
            c.times(preset, 1)  # captures and warms up
    for _ in range(turns):
        for c in ready:
            if not (results[c] and c.over):
                results[c].append(c.times(preset, STEPS))
    for c in ready:
        c.forget()
        row = summary(preset, c, results[c]) | {key: cold[c][key] for key in ("losses", "first_step_s", "peak_bytes")}
        generated = c.generation(preset) or {}
        row["generation_tokens_per_s"], row["first_token_ms"] = (
            generated.get("tokens_per_s"),
            generated.get("first_token_ms"),
        )
        row["notes"] = report.notes(c, cold[c], row)
        rows.append(row)
        say(report.line(row))
    return rows


def versions():
    """{part: version} of what is compared."""
    packages = json.loads((hosts.ROOT / "package.json").read_text())
    npm = {**packages["dependencies"], **packages["devDependencies"]}
    browser = subprocess.run([adapters.chromium(), "--version"], capture_output=True, text=True).stdout.split()
    number = next((word for word in browser if word[:1].isdigit()), "unknown")
    names = ("pyodide", "node", "@jax-js/jax", "@tensorflow/tfjs")
    return {"tinygpt": __version__, "python": platform.python_version(), "chromium": number} | {
        name: npm[name] for name in names
    }


def machine():
    """What the table was measured on, in a few words."""
    try:
        names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    except OSError:
        names = []
    return "%s, %d cores" % (names[0] if names else platform.processor() or platform.machine(), os.cpu_count())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--presets", default=",".join(SIDE_BY_SIDE))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-peers", action="store_true", help="leave out jax-js and TensorFlow.js")
    parser.add_argument(
        "--peer-seconds", type=float, default=120, help="time for a peer at a preset; a slow one makes fewer steps"
    )
    parser.add_argument(
        "--adapter",
        default="hardware",
        choices=adapters.NAMES,
        help="the GPU; those in software only show that it works",
    )
    parser.add_argument("--no-write", action="store_true", help="print the table only")
    options = parser.parse_args()
    about = {"versions": versions(), "machine": machine()}
    rows = []
    with tempfile.TemporaryDirectory(prefix="tinygpt-job-") as folder:
        contenders, absent = field(options.threads, folder, options.adapter, not options.no_peers, options.peer_seconds)
        presets = options.presets.split(",")
        others, more = engines.field(options.threads)
        absent += more
        about["versions"] |= {c.host: engines.version(c.host) for c in others if c.host != "chromium"}
        for preset in presets:
            if list(PRESETS).index(preset) > list(PRESETS).index(ENGINES_LAST):
                others = engines.close(others)
            found = measure(preset, contenders + others, folder, say=lambda text: print(text, flush=True))
            rows += [row | about for row in found]
            rows += [report.missing(preset, c, why) | about for c, why in absent]
        shown = ROOFLINE if ROOFLINE in presets else presets[-1]
        rooflines = [
            kernels.measure("chromium", options.threads, shown, variant) | about for variant in (None, "paired-mt")
        ]
    speed = hosts.ROOT / "public" / "speed.json"
    kept = [r for r in json.loads(speed.read_text()) if gpu.of_gpu(r)]  # another machine's
    text = report.wrapped(report.report(rows, *(roofline["peaks"] for roofline in rooflines)) + gpu.report(kept))
    if options.no_write:
        print(text)
        return
    speed.write_text(json.dumps(rows + kept, indent=1) + "\n")
    (hosts.ROOT / "public" / "roofline.json").write_text(json.dumps(rooflines, indent=1) + "\n")
    (hosts.ROOT / "docs" / "performance.md").write_text(text)


if __name__ == "__main__":
    main()
