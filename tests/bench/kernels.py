"""Each kernel's rate at the shapes of a training step, against what the machine can do at most.

    python3 -m tests.bench.kernels --host chromium --threads 2 --preset xl [--json] [--kernel
    matmul] python3 -m tests.bench.kernels --before old.json --after new.json

The captured step of the preset supplies the launches; every distinct one is timed by itself
(py/tinygpt/tools/roofline.py). The peaks are measured before and after in the same run, and the
better of the two counts: multiply-adds in registers, and bytes at several working sets. "% of peak"
is of the roofline's: the one of the two that the launch needs longer for. --json prints what
--before and --after read.
"""

import argparse
import json
import os
import pathlib
import sys

from tests import hosts
from tests.bench import peaks
from tinygpt.config import PRESETS
from tinygpt.tools import roofline

HEADS = ("kernel", "shape", "launches", "ms each", "% of step", "GFLOP/s", "GB/s", "bound by", "% of peak")


def measure(host, threads, preset, variant=None):
    """The JSON object of the command line: step_rates' with "host", "peaks", and the roofline in
    every row.
    """
    device = hosts.DEVICES[host]
    before = peaks.measure(host, threads, variant)
    source = "from tinygpt.tools import roofline\nroofline.step_rates(%r)" % preset
    out = hosts.value(source, host, device=device, threads=threads, variant=variant)
    best = better(before, peaks.measure(host, threads, variant))
    rows = [row | roofline.roofline(row, best) for row in out["rows"]]
    return out | {"host": host, "device": device, "peaks": best, "rows": rows}


def better(a, b):
    """The peaks of two measurements: the higher of each pair."""
    levels = [{"bytes": x["bytes"], "gb_s": max(x["gb_s"], y["gb_s"])} for x, y in zip(a["bandwidth"], b["bandwidth"])]
    return a | {"gflop_s": max(a["gflop_s"], b["gflop_s"]), "bandwidth": levels}


def table(result, kernel=None):
    """The result as text; kernel: only this one's rows."""
    total = sum(row["ms"] * row["launches"] for row in result["rows"])
    lines = [HEADS]
    for row in result["rows"]:
        if kernel in (None, row["kernel"]):
            rate = "%.1f" % row["gflop_s"] if row["flops"] else "-"
            lines.append((
                row["kernel"], row["shape"], str(row["launches"]), "%.4f" % row["ms"],
                "%.1f" % (100 * row["ms"] * row["launches"] / total), rate, "%.1f" % row["gb_s"], row["bound"],
                "%.0f" % row["percent"],
            ))  # fmt: skip
    peak = result["peaks"]
    levels = ", ".join("%s: %.0f" % (_size(level["bytes"]), level["gb_s"]) for level in peak["bandwidth"])
    return "\n".join(_aligned(lines, 2) + [
        "%s on %s/%s, %d threads (%s): launches %.2f ms in all, a step %.2f ms"
        % (result["preset"], result["device"], result["host"], result["threads"], result["build"], total,
           result["step_ms"]),
        "peaks: %.1f GFLOP/s (%s); GB/s by the working set of a thread: %s" % (peak["gflop_s"], peak["simd"], levels),
    ])  # fmt: skip


def comparison(before, after, kernel=None):
    """Two results of the same preset side by side, the largest changes of time first."""
    old = {(row["kernel"], row["shape"], row["launches"]): row for row in before["rows"]}
    lines, changes = [("kernel", "shape", "launches", "ms before", "ms after", "speed-up", "% of peak")], []
    for row in after["rows"]:
        earlier = old.pop((row["kernel"], row["shape"], row["launches"]), None)
        if kernel not in (None, row["kernel"]):
            continue
        name = row["kernel"], row["shape"], str(row["launches"])
        if earlier is None:
            changes.append(
                (row["ms"] * row["launches"], (*name, "-", "%.4f" % row["ms"], "new", "%.0f" % row["percent"]))
            )
            continue
        gained = abs(earlier["ms"] - row["ms"]) * row["launches"]
        cells = "%.4f" % earlier["ms"], "%.4f" % row["ms"], "%.2fx" % (earlier["ms"] / row["ms"])
        changes.append((gained, (*name, *cells, "%.0f -> %.0f" % (earlier["percent"], row["percent"]))))
    for (name, shape, launches), row in old.items():
        if kernel in (None, name):
            changes.append(
                (
                    row["ms"] * launches,
                    (name, shape, str(launches), "%.4f" % row["ms"], "-", "gone", "%.0f" % row["percent"]),
                )
            )
    lines += [cells for _, cells in sorted(changes, key=lambda change: -change[0])]
    told = ("%s/%s, %d threads" % (x["device"], x["host"], x["threads"]) for x in (before, after))
    return "\n".join(_aligned(lines, 2) + [
        "%s, %s -> %s: a step %.2f ms -> %.2f ms (%.2fx); FMA peak %.1f -> %.1f GFLOP/s"
        % (after["preset"], *told, before["step_ms"], after["step_ms"], before["step_ms"] / after["step_ms"],
           before["peaks"]["gflop_s"], after["peaks"]["gflop_s"]),
    ])  # fmt: skip


def _aligned(lines, left):
    """Lines of cells in columns, the first `left` of them on the left."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    kinds = ["%-*s"] * left + ["%*s"] * (len(widths) - left)
    return ["  ".join(kind % pair for kind, pair in zip(kinds, zip(widths, line))).rstrip() for line in lines]


def _size(nbytes):
    return "%d MiB" % (nbytes >> 20) if nbytes >= 2**20 else "%d KiB" % (nbytes >> 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--host", default="native", choices=hosts.DEVICES)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--preset", default="small", choices=PRESETS)
    parser.add_argument("--variant", help="build of the extension, e.g. simd-mt")
    parser.add_argument("--kernel", help="print only this kernel's rows")
    parser.add_argument("--json", action="store_true", help="print the measurement as JSON")
    parser.add_argument("--before", type=pathlib.Path, help="a file that --json wrote, to compare --after with")
    parser.add_argument("--after", type=pathlib.Path)
    options = parser.parse_args()
    if (options.before is None) != (options.after is None):
        parser.error("--before and --after belong together: two files that --json wrote")
    if options.before:
        before, after = (json.loads(path.read_text()) for path in (options.before, options.after))
        if before["preset"] != after["preset"]:
            sys.exit(
                "the files are of two presets, %s and %s; compare files of one" % (before["preset"], after["preset"])
            )
        print(comparison(before, after, options.kernel))
        return
    result = measure(options.host, options.threads, options.preset, options.variant)
    print(json.dumps(result) if options.json else table(result, options.kernel))


if __name__ == "__main__":
    main()
