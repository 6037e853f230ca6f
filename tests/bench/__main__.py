"""`make bench`: the speed curve over the presets, all contenders in one run with their repetitions interleaved.

    python3 -m tests.bench [--presets tiny,small,...] [--rounds 5] [--threads 2]

Writes public/speed.json and docs/performance.md. Every contender is warmed up on a preset, then they take turns of a few steps,
so that a slow moment of the machine falls on all of them. At least 15 steps each; median, minimum and maximum are of single steps.
"""

import argparse
import json
import os
import platform

from tests import hosts
from tests.bench import gpu
from tests.bench.contenders import Contender, summary

PRESETS = ("tiny", "small", "medium", "large", "xl")
TURN = 3  # steps in a turn


def contenders(threads):
    """Everything that is compared, PyTorch first."""
    return [
        Contender("torch", "native", threads),
        Contender("native", "native", threads),
        Contender("wasm", "chromium", threads),
        Contender("wasm", "node", threads),
    ]


def measure(preset, field, rounds):
    """[summary] of one preset, the contenders taking turns."""
    results = {c.name: [] for c in field}
    for c in field:
        c.times(preset, 1)  # captures and warms up
    for _ in range(rounds):
        for c in field:
            results[c.name].append(c.times(preset, TURN))
    rows = []
    for c in field:
        row = summary(preset, c, results[c.name])
        c.forget()
        if c.device != "torch":
            generated = c.generation(preset)
            row["generation_tokens_per_s"], row["first_token_ms"] = generated["tokens_per_s"], generated["first_token_ms"]
        row["implementation"] = "PyTorch" if c.device == "torch" else "TinyGPT"
        rows.append(row)
    return rows


def report(rows, threads):
    """docs/performance.md as text."""
    lines = [
        "# Performance", "",
        "Written by `make bench` from one run; the numbers are in `public/speed.json`. One training step (batch, forward, loss, backward,",
        "clip, AdamW, the loss read back) in milliseconds: median (minimum to maximum) of the steps, contenders taking turns.", "",
        "Machine: %s, %d cores, %d threads used. %s."
        % (_processor(), os.cpu_count(), threads, ", ".join(sorted({r["build"] for r in rows}))), "",
    ]  # fmt: skip
    names = list(dict.fromkeys((r["implementation"], r["device"], r["host"]) for r in rows))
    title = {
        n: "PyTorch" if n[0] == "PyTorch" else "TinyGPT %s%s" % (n[1], "" if n[1] == "native" else ", " + n[2].capitalize()) for n in names
    }
    lines += ["| preset | " + " | ".join(title[n] for n in names) + " | Chromium / PyTorch |", "|---|" + "--:|" * (len(names) + 1)]
    for preset in dict.fromkeys(r["preset"] for r in rows):
        own = {(r["implementation"], r["device"], r["host"]): r for r in rows if r["preset"] == preset}
        cells = ["%.2f (%.2f to %.2f)" % (own[n]["median_ms"], own[n]["min_ms"], own[n]["max_ms"]) for n in names]
        ratio = own["TinyGPT", "wasm", "chromium"]["median_ms"] / own["PyTorch", "torch", "native"]["median_ms"]
        lines.append("| %s | %s | %.2f |" % (preset, " | ".join(cells), ratio))
    lines += ["", "Python's share of a replayed step, and generation with the key/value cache (one sequence, tokens a second):", "",
              "| preset | device, host | tokens/s in training | Python ms | generated tokens/s | first token ms |",
              "|---|---|--:|--:|--:|--:|"]  # fmt: skip
    for r in rows:
        if r["implementation"] == "TinyGPT":
            lines.append(
                "| %s | %s, %s | %.0f | %.3f | %.0f | %.2f |"
                % (
                    r["preset"],
                    r["device"],
                    r["host"],
                    r["tokens_per_s"],
                    r["python_ms"],
                    r["generation_tokens_per_s"],
                    r["first_token_ms"],
                )
            )
    return "\n".join(lines) + "\n"


def _processor():
    try:
        names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--presets", default=",".join(PRESETS))
    parser.add_argument("--rounds", type=int, default=5, help="turns of %d steps for each contender" % TURN)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-write", action="store_true", help="print the table only")
    options = parser.parse_args()
    field = contenders(options.threads)
    rows = []
    for preset in options.presets.split(","):
        rows += measure(preset, field, options.rounds)
        print(
            "\n".join(
                "%-7s %-15s %8.2f ms (%.2f to %.2f)  Python %.3f ms"
                % (r["preset"], r["device"] + "/" + r["host"], r["median_ms"], r["min_ms"], r["max_ms"], r["python_ms"])
                for r in rows[-len(field) :]
            ),
            flush=True,
        )
    text = report(rows, options.threads)
    if options.no_write:
        print(text)
        return
    speed = hosts.ROOT / "public" / "speed.json"
    kept = [r for r in json.loads(speed.read_text()) if gpu.of_gpu(r)]  # another machine's, taken over by `tests.bench.gpu --merge`
    speed.write_text(json.dumps(rows + kept, indent=1) + "\n")
    (hosts.ROOT / "docs" / "performance.md").write_text(text + gpu.report(kept))


if __name__ == "__main__":
    main()
