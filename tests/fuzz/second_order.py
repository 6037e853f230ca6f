"""Random programs whose gradients are differentiated again, each step compared with PyTorch: the
programs of tests/fuzz/autograd.py, in which `autograd.grad(create_graph=True)` gives new tensors
that the rest of the program computes with.

    python3 -m tests.fuzz.second_order --count 20000 [--seed 0]

A finding prints the seed and the steps of its program; `--seed N --count 1` repeats it.
"""

from __future__ import annotations

import argparse
import math
import time
import warnings

import numpy
import torch

import tinygpt
import tinygpt.torch as front

from .autograd import SHAPES, Finding, Program, _short


class SecondOrder(Program):
    """A program of float64, or of float32 with wider limits, whose gradients have graphs."""

    library = front

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.wide = self.random.random() < 0.6
        self.differentiated = False

    def leaf(self) -> None:
        shape = self.random.choice(SHAPES)
        values = [round(self.random.uniform(-2, 2), 2) for _ in range(math.prod(shape))]
        theirs = torch.tensor(values, dtype=torch.float64 if self.wide else torch.float32).reshape(shape).clone()
        mine = front.tensor(theirs.tolist(), dtype=front.float64 if self.wide else front.float32)
        if self.random.random() < 0.8:
            theirs.requires_grad_()
            mine.requires_grad_()
        self.steps.append("t%d = tensor(%r, requires_grad=%r)" % (len(self.pairs), theirs.tolist(), mine.requires_grad))
        self.pairs.append((theirs, mine))
        self.leaves.append((theirs, mine))

    def other(self, x: int) -> str:
        y = self.pick()
        if self.random.random() < 0.5:
            text = super().other(x)  # a write through .data changes what an op kept, unseen by both
            return "t%d.clone()" % x if ".data" in text else text
        return self.random.choice(
            [
                "t%d.prod()" % x,
                "t%d.sum(0)" % x,
                "t%d.cumsum(0)" % x,
                "t%d.std()" % x,
                "lib.nn.functional.layer_norm(t%d[None], t%d.shape[-1:] or (1,))" % (x, x),
                "lib.nn.functional.linear(t%d.flatten()[:, None], t%d.flatten()[:2, None])" % (x, y),
                "t%d[[0, -1]] * t%d" % (x, y),
                "t%d.flatten()[t%d.flatten() > 0]" % (x, x),
                "lib.nn.functional.gelu(t%d)" % x,
                "lib.nn.functional.silu(t%d)" % x,
                "lib.nn.functional.cross_entropy(t%d[None].flatten(1), lib.tensor([0]))" % x,
                "(t%d * 1.0).gather(0, (t%d[:1] > 0).long())" % (x, x),  # PyTorch keeps the input, for its shape
                "t%d.tril()" % x,
                "t%d.logsumexp(0)" % x,
                "t%d.norm()" % x,
            ]
        )

    def both(self, text: str, guarded: bool) -> None:
        if self.wide and any(word in text for word in ("masked_fill_", "__setitem__")) and "sum()" in text:
            return
        super().both(text, guarded)

    def backward(self) -> None:
        """grad of a random tensor by all leaves and a random result, with a graph."""
        x, extra = self.pick(), self.pick()
        # A result only before there are gradients: these may read it in PyTorch and not here.
        inputs = [i for i in range(len(self.pairs)) if self.leaf_of(i) or i == extra and not self.differentiated]
        graph = self.random.random() < 0.85
        self.steps.append("g = grad((t%d * w).sum(), %s, create_graph=%r)" % (x, ["t%d" % i for i in inputs], graph))
        found: list = []
        for side, lib in enumerate((torch, front)):
            try:
                root = self.pairs[x][side]
                weights = [math.cos(1.0 + k) for k in range(root.numel())]
                seed = lib.tensor(weights, dtype=lib.float64 if self.wide else lib.float32).reshape(root.shape)
                given = [self.pairs[i][side] for i in inputs]
                found.append(lib.autograd.grad(root, given, seed, create_graph=graph, allow_unused=True))
            except RuntimeError as error:
                found.append(error)
        theirs, mine = found
        if isinstance(theirs, Exception) or isinstance(mine, Exception):
            if self.differentiated and "modified" in str(theirs) and not isinstance(mine, Exception):
                self.over = True  # a gradient that computes a result again does not see that it was written
                return
            if not (isinstance(theirs, Exception) and isinstance(mine, Exception)):
                raise Finding("PyTorch: %s\ntinygpt: %s" % (_short(theirs), _short(mine)))
            self.steps[-1] += "  # " + str(theirs)[:60]
            self.over = not any(w in str(theirs) for w in ("does not require", "at least one"))
            return
        self.differentiated = True
        self.over = not graph  # parts of the tape are freed
        for i, a, b in zip(inputs, theirs, mine):
            if a is None or b is None:  # what is constant has a gradient of zeros or none
                a, b = [0.0 if v is None else v for v in (a, b)]
                if not (abs(a) == abs(b)).all() if isinstance(a, torch.Tensor) else not self.zero(b):
                    raise Finding("grad of t%d: PyTorch %s, tinygpt %s" % (i, a, b))
                continue
            self.compare_gradient(i, a, b)
            if a.requires_grad and b.requires_grad and len(self.pairs) < 30 and bool((a.abs() < 100).all()):
                self.steps.append("t%d = grad of t%d" % (len(self.pairs), i))
                self.pairs.append(tuple((g + 0.0).contiguous() for g in (a, b)))  # of one layout and version

    def leaf_of(self, i: int) -> bool:
        """Whether a tensor is a leaf of the tape in both."""
        return any(self.pairs[i][0] is t for t, _ in self.leaves) and self.pairs[i][0].requires_grad

    def zero(self, x: object) -> bool:
        return not isinstance(x, tinygpt.Tensor) or not any(x.detach().reshape(-1).tolist())

    def compare_gradient(self, i: int, theirs: torch.Tensor, mine: tinygpt.Tensor) -> None:
        a, b = (theirs.detach() + 0.0).numpy(), numpy.array(mine.tolist())
        if not a.size:
            return
        if a.shape != b.shape:
            raise Finding("grad of t%d: PyTorch has shape %s, tinygpt %s" % (i, a.shape, b.shape))
        limit = 1e-6 if self.wide else 2e-3
        finite = numpy.isfinite(a)
        scale = max(1.0, float(numpy.abs(a[finite]).max(initial=0.0)))
        if scale > 1e6 or not finite.all():
            self.over = True
            return
        if not numpy.allclose(b, a, rtol=limit, atol=limit * scale):
            raise Finding("grad of t%d: PyTorch %s, tinygpt %s" % (i, a.tolist(), b.tolist()))


def fuzz(count: int, seed: int = 0) -> int:
    """Executes `count` programs. Returns how many steps they had; raises at the first finding."""
    steps = 0
    warnings.simplefilter("ignore")
    front.front.enter()
    for i in range(seed, seed + count):
        program = SecondOrder(i)
        try:
            program.execute()
        except Exception as error:
            kind = "" if isinstance(error, Finding) else type(error).__name__ + ": "
            raise Finding("seed %d:\n  %s\n%s%s" % (i, "\n  ".join(program.steps), kind, error)) from error
        steps += len(program.steps)
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    tinygpt.set_device("native")
    start = time.perf_counter()
    steps = fuzz(args.count, args.seed)
    print("%d programs, %d steps, no finding, %.0f s" % (args.count, steps, time.perf_counter() - start))


if __name__ == "__main__":
    main()
