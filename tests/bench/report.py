"""The bench's rows as text: docs/performance.md, a line for the terminal, and the rows of what
could not be measured.
"""

import textwrap

from tinygpt.config import PRESETS
from tinygpt.tools.benchmark import COMPARED

from .job import TOLERANCE

INTRODUCTION = """\
Written by `make bench` from one run; the numbers are in `public/speed.json`, and the Speed page
draws them. One training step (batch, forward, loss, backward, clip, AdamW, the loss read back) in
milliseconds: median (minimum to maximum) of 15 steps after warm-up, the implementations taking
turns. All start from the same weights, see the same batches, and had the same losses in the first
%d steps (at most %g apart). Where an implementation was too slow for 15 steps in its time, the
number of its steps is beside the time.

"256-bit" is Chromium with `chrome://flags/#enable-future-v8-vm-features` turned on
(`--enable-features=V8VmFuture`), or Node with `--experimental-wasm-revectorize` (and
`--no-liftoff`, so that all of it is optimized from the first step on). The engine then joins two
neighbouring vectors of 128 bits to one of 256. The page measures whether its browser does, and
loads the build for it (`paired-mt`). Rows without "256-bit" use the engine's defaults."""
NOTES = """\
Time to the first step: making the model from weights in memory, the first step, and the read of its
loss, without loading the page or the process. Peak memory: the largest resident size of the process
in that time (in a browser, of the tab's processes), with the runtime (Python, Pyodide, the page,
PyTorch's library) and without a GPU's own memory. Generation: one sequence, decoded with a
key/value cache. PyTorch's is the plain one of `reference/sample.py`, without a cache. jax-js and
TensorFlow.js have no cache."""


ENGINES = {"webkit": "WebKit"}  # where a capital letter is not enough
FLAGS = {"future": ", 256-bit", "plain": ", plain SIMD"}
PLAIN = """
"Plain SIMD" is the build without fused multiply-adds (`simd-mt`), for engines without relaxed SIMD
(WebKit). Firefox is Firefox ESR, WebKit is WebKitGTK with Safari's features. Both are measured up
to %s."""
BARS = {"firefox": 1.25, "webkit": 1.5}  # times Chromium's step, at most


def key(row):
    """What makes a column: one implementation in one place."""
    return row["implementation"], row["device"], row["host"], row["threads"], row.get("flags")


def title(row):
    """A column's name: `TinyGPT wasm, Chromium, 2 threads`."""
    place = "" if row["host"] == "native" else ", " + ENGINES.get(row["host"], row["host"].capitalize())
    threads = "" if not row["threads"] else ", %d thread%s" % (row["threads"], "" if row["threads"] == 1 else "s")
    device = {"cpu": "", "webgpu": " WebGPU"}.get(row["device"], " " + row["device"])
    return row["implementation"] + device + place + threads + FLAGS.get(row.get("flags"), "")


def missing(preset, contender, why):
    """The row of what could not be measured, with the reason."""
    chosen = PRESETS[preset]
    numbers = (
        "median_ms",
        "min_ms",
        "max_ms",
        "tokens_per_s",
        "peak_bytes",
        "first_step_s",
        "generation_tokens_per_s",
        "first_token_ms",
    )
    return {
        "preset": chosen.name, "implementation": contender.implementation, "device": contender.device,
        "host": contender.host,
        "threads": contender.threads, "precision": "f32", "flags": contender.flags, "missing": why, "steps": 0,
        **dict.fromkeys(numbers),
    }  # fmt: skip


def notes(contender, cold, row):
    """Sentences that a reader of the row has to know."""
    out = list(cold.get("notes", ()))
    if len(cold["losses"]) < COMPARED:
        out.append("only %d first losses were compared: the time for this preset was over" % len(cold["losses"]))
    if row["steps"] < 15 and hasattr(contender, "seconds"):
        out.append("%d steps instead of 15 in the %d s that it was given" % (row["steps"], contender.seconds))
    if row["generation_tokens_per_s"] is None:
        out.append("generation is not measured: the library decodes without a key/value cache")
    elif row["implementation"] == "PyTorch":
        out.append("generation without a key/value cache")
    return out


def line(row):
    """For the terminal."""
    numbers = (
        row["preset"],
        title(row),
        row["median_ms"],
        row["min_ms"],
        row["max_ms"],
        row["steps"],
        row["first_step_s"],
    )
    memory = "%.0f MB" % (row["peak_bytes"] / 1e6) if row["peak_bytes"] else "-"
    generated = "%.0f tokens/s generated" % row["generation_tokens_per_s"] if row["generation_tokens_per_s"] else "-"
    return "%-8s %-36s %9.2f ms (%.2f to %.2f, %d steps)  first step %.2f s  %s  %s" % (*numbers, memory, generated)


BOUND = """\
The bound of WebAssembly%s: %.0f GFLOP/s were the most that %d threads reached in this run with multiply-adds
in registers alone (`app/bridges/peak.js`). At that rate a step's matrix products, without anything else, would take:"""


def report(rows, peaks=None, paired=None):
    """docs/performance.md as text, but for the part on another machine's GPU (gpu.report). peaks:
    of WebAssembly (tests.bench.peaks); paired: with vectors of 256 bits.
    """
    measured = [r for r in rows if "missing" not in r]
    builds = ", ".join(sorted({r["build"] for r in measured}))
    said = ", ".join("%s %s" % pair for pair in sorted(rows[0]["versions"].items()))
    lines = ["# Performance", "", INTRODUCTION % (COMPARED, TOLERANCE), ""]
    engines = [r["preset"] for r in measured if r["host"] in BARS]
    if engines:
        lines += [PLAIN.strip() % engines[-1], ""]
    lines += ["Machine: %s. %s. Versions: %s." % (rows[0]["machine"], builds, said), ""]
    columns = {}
    for r in rows:
        columns.setdefault(key(r), title(r))
    presets = list(dict.fromkeys(r["preset"] for r in rows))
    found = {(r["preset"], key(r)): r for r in rows}
    lines += ["| | " + " | ".join(presets) + " |", "|---|" + "--:|" * len(presets)]
    lines += [
        "| %s | %s |" % (name, " | ".join(_cell(found.get((p, c))) for p in presets)) for c, name in columns.items()
    ]
    yardstick = next((c for c in columns if c[0] == "PyTorch"), None)
    if yardstick:
        lines += ["", "Times PyTorch's step natively with the same number of threads (less is faster):", ""]
        lines += ["| | " + " | ".join(presets) + " |", "|---|" + "--:|" * len(presets)]
        for c, name in columns.items():
            if c != yardstick and any(_median(found, p, c) for p in presets):
                lines.append("| %s | %s |" % (name, " | ".join(_ratio(found, p, c, yardstick) for p in presets)))
    lines += by_engine(found, presets)
    for peak, which in ((peaks, ", with vectors of 128 bits"), (paired, " where the engine pairs them to 256")):
        if peak and yardstick:
            lines += _bound(found, presets, yardstick, peak, which)
    lines += ["", NOTES, ""]
    heads = (
        "preset",
        "",
        "tokens/s in training",
        "first step s",
        "peak memory MB",
        "generated tokens/s",
        "first token ms",
        "Python ms",
    )
    lines += ["| " + " | ".join(heads) + " |", "|---|---|" + "--:|" * 6]
    for r in measured:
        numbers = ("tokens_per_s", "%.0f", 1), ("first_step_s", "%.2f", 1), ("peak_bytes", "%.0f", 1e-6)
        numbers += ("generation_tokens_per_s", "%.0f", 1), ("first_token_ms", "%.2f", 1), ("python_ms", "%.3f", 1)
        cells = ["" if r.get(name) is None else form % (r[name] * scale) for name, form, scale in numbers]
        lines.append("| %s | %s | %s |" % (r["preset"], title(r), " | ".join(cells)))
    remarks = {}
    for r in rows:
        for note in [r["missing"]] if "missing" in r else r["notes"]:
            remarks.setdefault((title(r), note), []).append(r["preset"])
    lines += ["", *("- %s (%s): %s." % (name, ", ".join(where), note) for (name, note), where in remarks.items())]
    return "\n".join(lines) + "\n"


def by_engine(found, presets):
    """The table of the engines: the fastest step of each as a multiple of Chromium's with the same
    number of threads, as it comes. found: {(preset, column): row}.
    """
    rows = {}
    for (preset, column), row in found.items():
        chromium = found.get((preset, (*column[:2], "chromium", column[3], None)))
        mine = column[0] == "TinyGPT" and (column[2] in BARS or (column[2], column[4]) == ("chromium", "plain"))
        if mine and chromium and row["min_ms"] and chromium["min_ms"]:
            rows.setdefault(title(row), {})[preset] = row["min_ms"] / chromium["min_ms"]
    if not rows:
        return []
    shown = [p for p in presets if any(p in of for of in rows.values())]
    bars = ", ".join("%s %g" % (ENGINES.get(e, e.capitalize()), bar) for e, bar in BARS.items())
    said = "Times Chromium's step with the same number of threads, by the fastest step of each (at most: %s):" % bars
    lines = ["", said, "", "| | " + " | ".join(shown) + " |", "|---|" + "--:|" * len(shown)]
    return lines + [
        "| %s | %s |" % (name, " | ".join("%.2f" % of[p] if p in of else "–" for p in shown))
        for name, of in rows.items()
    ]


def wrapped(text):
    """The Markdown with paragraphs and list entries of at most 100 columns; tables stay."""
    lines, open_block = [], []

    def close():
        if open_block:
            indent = "  " if open_block[0].startswith("- ") else ""
            block = " ".join(open_block)
            lines.extend(
                textwrap.wrap(block, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
            )
            open_block.clear()

    for line in text.split("\n"):
        alone = not line or line.startswith(("|", "#"))
        if alone or line.startswith("- "):
            close()
        (lines if alone else open_block).append(line if alone else line.strip())
    close()
    return "\n".join(lines)


def _bound(found, presets, yardstick, peaks, which):
    """What no kernel in WebAssembly can be faster than, in milliseconds and in PyTorch's steps."""
    work = {r["preset"]: r["matmul_flops"] for r in found.values() if r.get("matmul_flops")}
    ms = {p: work[p] / peaks["gflop_s"] / 1e6 for p in presets if p in work}
    theirs = {p: _median(found, p, yardstick) for p in presets}
    lines = ["", BOUND % (which, peaks["gflop_s"], peaks["threads"]), ""]
    lines += ["| | " + " | ".join(presets) + " |", "|---|" + "--:|" * len(presets)]
    lines.append("| ms | %s |" % " | ".join("%.2f" % ms[p] if p in ms else "–" for p in presets))
    ratios = ["%.2f" % (ms[p] / theirs[p]) if p in ms and theirs[p] else "–" for p in presets]
    return [*lines, "| times PyTorch's step | %s |" % " | ".join(ratios)]


def _cell(row):
    if row is None or row["median_ms"] is None:
        return "–"
    few = ", %d steps" % row["steps"] if row["steps"] < 15 else ""
    return "%.2f (%.2f to %.2f%s)" % (row["median_ms"], row["min_ms"], row["max_ms"], few)


def _median(found, preset, column):
    row = found.get((preset, column))
    return row and row["median_ms"]


def _ratio(found, preset, column, yardstick):
    mine, theirs = _median(found, preset, column), _median(found, preset, yardstick)
    return "%.2f" % (mine / theirs) if mine and theirs else "–"
