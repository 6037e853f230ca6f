"""TinyGPT's `import torch` beside PyTorch on the five models of tests/bench/torch_programs.py.

    python3 -m tests.bench.torch_models                            # natively, 1 and 2 threads
    python3 -m tests.bench.torch_models --models cnn,lstm --threads 1
    python3 -m tests.bench.torch_models --chromium                 # the page's times beside these

Each implementation is a process of its own, and they take turns: so a slow moment of the machine
falls on all of them. A step is a complete training step with its loss read. `least`, `median` and
`slow` (what nine of ten do not exceed) are of the steps of all turns, in ms. `cpu` is the
processor's time of a step, the median: what a busy machine changes least. The ratios are those of
least, median and cpu, to PyTorch's eager step: the eager one may take 1.5 times as long, the
compiled one (`torch.compile` of the model) as long. --inductor adds PyTorch's own torch.compile,
which needs a C++ compiler and a minute for each model. The first losses of all must agree: dropout
draws the same numbers.
"""

import argparse
import json
import os
import statistics
import sys

from tests import hosts
from tests.bench.contenders import Lines

MODELS = "mlp mnist-mlp lstm transformer cnn attention".split()
TOLERANCE = 2e-3  # of the first losses, relative


class Native(Lines):
    """PyTorch or TinyGPT in a process, with a number of threads."""

    def __init__(self, implementation, compiled, threads):
        super().__init__("tests.bench.torch_models", "--serve", implementation)
        self.name = implementation + (" compiled" if compiled else "")
        self.compiled, self.threads = compiled, threads

    def times(self, model, seconds):
        return self.ask(model=model, threads=self.threads, compiled=self.compiled, seconds=seconds)


class Page:
    """TinyGPT in Chromium's page."""

    def __init__(self, compiled, threads):
        self.name = "chromium" + (" compiled" if compiled else "")
        self.compiled, self.threads = compiled, threads

    def times(self, model, seconds):
        source = "import torch\nfrom tests.bench import torch_programs\ntorch_programs.times(%r, %d, %r, %r)"
        return hosts.value(source % (model, self.threads, self.compiled, seconds), "chromium", threads=self.threads)

    def close(self):
        hosts.stop("chromium")


def serve(implementation):
    """Answers lines of JSON with `torch_programs.times`."""
    if implementation == "tinygpt":
        from tinygpt.torch import install

        install()
    from tests.bench import torch_programs

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        request = json.loads(line)
        request.pop("files")
        try:
            made = torch_programs.times(request["model"], request["threads"], request["compiled"], request["seconds"])
            reply = {"ok": True, "result": made}
        except Exception as error:
            reply = {"ok": False, "error": "%s: %s" % (type(error).__name__, error)}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


def measure(model, contenders, turns, seconds):
    """{name: (ms, cpu_ms) of all steps}, in alternation; SystemExit where losses differ."""
    ms, losses = {c.name: ([], []) for c in contenders}, {}
    for turn in range(turns + 1):
        for contender in contenders:
            made = contender.times(model, seconds)
            if turn:  # the first one warms up
                for all_, found in zip(ms[contender.name], (made["ms"], made["cpu_ms"])):
                    all_ += found
            losses[contender.name] = made["losses"]
    first = losses[contenders[0].name]
    for name, found in losses.items():
        if any(abs(a - b) > TOLERANCE * abs(b) for a, b in zip(found, first)):
            raise SystemExit("%s: the losses of %s are %s, PyTorch's %s" % (model, name, found, first))
    return ms


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--chromium", action="store_true", help="TinyGPT in the page too")
    parser.add_argument("--inductor", action="store_true", help="PyTorch's torch.compile too")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", choices=("torch", "tinygpt"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    out = []
    for threads in map(int, options.threads.split(",")):
        contenders = [Native("torch", False, threads), Native("tinygpt", False, threads)]
        contenders.append(Native("tinygpt", True, threads))
        if options.inductor:
            contenders.append(Native("torch", True, threads))
        if options.chromium:
            contenders += [Page(False, threads), Page(True, threads)]
        if not options.json:
            print("%d thread%s%sleast  median    slow     cpu   to torch" % (threads, "s"[: threads - 1], " " * 21))
        for model in options.models.split(","):
            for row in rows(model, measure(model, contenders, options.turns, options.seconds)):
                out.append(row | {"threads": threads})
                if not options.json:
                    print(
                        "%(model)-12s%(name)-18s%(least_ms)7.2f %(median_ms)7.2f %(slow_ms)7.2f %(cpu_ms)7.2f"
                        "   %(to_torch).2f  %(median_to_torch).2f  %(cpu_to_torch).2f" % row,
                        flush=True,
                    )
        for contender in contenders:
            contender.close()
    if options.json:
        print(json.dumps(out))


def rows(model, ms):
    """One row for each contender; slow_ms: what nine steps of ten do not exceed."""
    made = [
        {
            "model": model,
            "name": name,
            "steps": len(wall),
            "least_ms": min(wall),
            "median_ms": statistics.median(wall),
            "slow_ms": sorted(wall)[len(wall) * 9 // 10],
            "cpu_ms": statistics.median(cpu),
        }
        for name, (wall, cpu) in ms.items()
    ]
    for row in made:
        row["to_torch"], row["median_to_torch"], row["cpu_to_torch"] = (
            row[key] / made[0][key] for key in ("least_ms", "median_ms", "cpu_ms")
        )
    return made


if __name__ == "__main__":
    main()
