"""Eager ops under `import tinygpt.torch` beside PyTorch, in one process, alternating.

`python3 -m tests.bench.torch_eager` prints a table: microseconds a call, the least of several
rounds of each, and their ratio. Small ops show what a launch costs, large ones what memory does.
The module eager is at work (core/eager.py), unless TINYGPT_EAGER=0.
"""

from __future__ import annotations

import argparse
import os
import time

import torch

os.environ.setdefault("TINYGPT_EAGER", "1")  # before the package looks for the module eager
import tinygpt.torch as tt

ROUNDS = 100  # short ones: the least is then of a round in which nothing else ran
SECONDS = 0.0003  # of one round


def cases(t):
    """{name: function without arguments} of the package `t`."""
    a, b, w = t.rand(8, 8), t.rand(8, 8), t.rand(8)
    ga, gb = t.rand(8, 8).requires_grad_(), t.rand(8, 8).requires_grad_()
    classes = t.tensor([1, 2, 3, 4, 5, 6, 7, 0])
    big = t.rand(1000, 1000)
    ones = t.ones(8, 8)
    model = t.nn.Sequential(t.nn.Linear(8, 16), t.nn.ReLU(), t.nn.Linear(16, 8))
    optimizer = t.optim.SGD(model.parameters(), lr=0.01)
    F = t.nn.functional

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(a), classes).backward()
        optimizer.step()

    return {
        "a + b": lambda: a + b,
        "a + w": lambda: a + w,
        "a + 1": lambda: a + 1,
        "a * b": lambda: a * b,
        "a * 0.5": lambda: a * 0.5,
        "a - b": lambda: a - b,
        "a / b": lambda: a / b,
        "-a": lambda: -a,
        "a @ b": lambda: a @ b,
        "relu": lambda: t.relu(a),
        "exp": lambda: t.exp(a),
        "a > b": lambda: a > b,
        "sum()": lambda: a.sum(),
        "mean(-1)": lambda: a.mean(-1),
        "a[0]": lambda: a[0],
        "a[:, 1]": lambda: a[:, 1],
        "a.T": lambda: a.T,
        "view": lambda: a.view(64),
        "softmax": lambda: F.softmax(a, -1),
        "cross_entropy": lambda: F.cross_entropy(a, classes),
        "a.add_(b)": lambda: ones.add_(b),
        "grad: a + b": lambda: ga + gb,
        "grad: a * b": lambda: ga * gb,
        "grad: a @ b": lambda: ga @ gb,
        "grad: relu": lambda: t.relu(ga),
        "grad: sum()": lambda: ga.sum(),
        "grad: a[0]": lambda: ga[0],
        "grad: cross_entropy": lambda: F.cross_entropy(ga, classes),
        "backward of (a * b).sum()": lambda: (ga * gb).sum().backward(),
        "MLP: forward": lambda: model(a),
        "MLP: step": step,
        "1M: a * b": lambda: big * big,
        "1M: three pointwise ops": lambda: t.relu(big * 2.0 + big),
        "1M: tanh": lambda: t.tanh(big),
        "1M: sum()": lambda: big.sum(),
    }


def seconds(function, count: int) -> float:
    """A call's, of `count`."""
    start = time.perf_counter()
    for _ in range(count):
        function()
    return (time.perf_counter() - start) / count


def measured(functions) -> list[float]:
    """The least time of a call of each function, in turns."""
    counts = []
    for function in functions:
        function()
        counts.append(max(1, int(SECONDS / max(min(seconds(function, 3) for _ in range(5)), 1e-7))))
    best = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for i, (function, count) in enumerate(zip(functions, counts)):
            best[i] = min(best[i], seconds(function, count))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--only", default="", help="the cases whose name has this text")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
        tt.set_num_threads(arguments.threads)
    ours, theirs = cases(tt), cases(torch)
    print("%-28s %12s %12s %8s" % ("us a call", "tinygpt", "torch", "ratio"))
    for name, function in ours.items():
        if arguments.only in name:
            mine, other = measured((function, theirs[name]))
            print("%-28s %12.2f %12.2f %8.2f" % (name, mine * 1e6, other * 1e6, mine / other), flush=True)


if __name__ == "__main__":
    main()
