"""Random programs of ops, views, writes in place and backward, each step compared with PyTorch:
value, gradient, `requires_grad`, `is_leaf` and `_version`, or the kind of error.

    python3 -m tests.fuzz.autograd --count 100000 [--seed 0] [--device native]

A finding prints the seed and the steps of its program; `--seed N --count 1` repeats it.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import time
import warnings
from typing import Any

import numpy
import torch

import tinygpt

SHAPES = [(), (1,), (2,), (3,), (2, 3), (3, 2), (3, 3), (1, 3), (2, 1), (2, 2, 2)]
MOST_STEPS = 14
LARGE = 1e4  # values beyond it end a program: their rounding errors are no finding


class Finding(AssertionError):
    """PyTorch and tinygpt differ."""


class Program:
    """One random program, executed in both libraries side by side."""

    library: Any = tinygpt

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.steps: list[str] = []
        self.pairs: list[tuple[torch.Tensor, tinygpt.Tensor]] = []
        self.leaves: list[tuple[torch.Tensor, tinygpt.Tensor]] = []
        self.over = False

    def execute(self) -> None:
        for _ in range(self.random.randint(1, 3)):
            self.leaf()
        for _ in range(self.random.randint(3, MOST_STEPS)):
            self.step()
            if self.over:
                return
        self.backward()

    # ---- parts of a step ----

    def leaf(self) -> None:
        shape = self.random.choice(SHAPES)
        values = [round(self.random.uniform(-2, 2), 2) for _ in range(math.prod(shape))]
        theirs = torch.tensor(values).reshape(shape).clone()
        mine = tinygpt.tensor(theirs.tolist())
        if self.random.random() < 0.6:
            theirs.requires_grad_()
            mine.requires_grad_()
        self.steps.append("t%d = tensor(%r, requires_grad=%r)" % (len(self.pairs), theirs.tolist(), mine.requires_grad))
        self.pairs.append((theirs, mine))
        self.leaves.append((theirs, mine))

    def pick(self) -> int:
        return self.random.randrange(len(self.pairs))

    def step(self) -> None:
        x = self.pick()
        if self.random.random() < 0.25:
            self.random.choice((self.backward, self.leaf))()
            return
        choices = (self.pointwise, self.binary, self.view, self.view, self.write, self.write, self.write, self.other)
        text = self.random.choice(choices)(x)
        if text is not None:
            guarded = self.random.random() < 0.12
            self.both(text, guarded)

    def pointwise(self, x: int) -> str:
        op = self.random.choice("tanh() sigmoid() relu() sin() exp() neg() abs() square() clone()".split())
        scalar = self.random.choice(
            ["t%d + 0.5", "t%d * 0.5", "1.5 - t%d", "t%d / 2.0", "t%d ** 3", "t%d.clamp(-1, 1)"]
        )
        return ("t%d." + op if self.random.random() < 0.6 else scalar) % x

    def binary(self, x: int) -> str:
        y = self.pick()
        text = self.random.choice(
            ["t%d + t%d", "t%d - t%d", "t%d * t%d", "t%d * t%d", "lib.maximum(t%d, t%d)", "t%d / (t%d.square() + 1)"]
        )
        return text % (x, y)

    def view(self, x: int) -> str:
        r = self.random
        text = r.choice(
            "t%d[0] t%d[1:] t%d[:-1] t%d[::2] t%d[...,0] t%d[...,1:] t%d[None] t%d[:] t%d[...] t%d.unsqueeze(0) "
            "t%d.reshape(-1) "
            "t%d.view(-1) t%d.transpose(0,-1) t%d.expand(3,3) t%d.expand(2,3) t%d.detach() t%d.flatten() "
            "t%d[None].split(1,-1)[0] t%d[None].chunk(2,-1)[-1] t%d[:,0] t%d[1] t%d.squeeze(0) t%d.contiguous()".split()
        )
        return text % x

    def write(self, x: int) -> str:
        r = self.random
        y = self.pick()
        return r.choice(
            [
                "t%d.add_(t%d)" % (x, y),
                "t%d.sub_(t%d)" % (x, y),
                "t%d.mul_(t%d)" % (x, y),
                "t%d.div_(t%d.square() + 1)" % (x, y),
                "t%d.copy_(t%d)" % (x, y),
                "t%d.copy_(t%d * 2)" % (x, y),
                "t%d.add_(0.25)" % x,
                "t%d.mul_(0.5)" % x,
                "t%d.fill_(0.75)" % x,
                "t%d.zero_()" % x,
                "t%d.masked_fill_(t%d > 0, 0.5)" % (x, y),
                "t%d.masked_fill_(t%d > 0, t%d.sum())" % (x, x, y),
                "t%d.__setitem__(t%d > 0, t%d.max())" % (x, x, y),
                "t%d.__setitem__(0, 0.25)" % x,
                "t%d.__setitem__(Ellipsis, 0.25)" % x,
                "t%d.__setitem__((slice(None), 0), t%d[0])" % (x, y),
                "t%d.__setitem__(0, t%d)" % (x, y),
                "t%d.__setitem__(slice(1, None), t%d)" % (x, y),
                "t%d.__setitem__((Ellipsis, 0), t%d * 0.5)" % (x, y),
                "t%d.__setitem__(t%d > 0, -0.5)" % (x, x),
                "t%d.__iadd__(t%d)" % (x, y),
            ]
        )

    def other(self, x: int) -> str:
        y = self.pick()
        return self.random.choice(
            [
                "t%d.sum()" % x,
                "t%d.mean(0)" % x,
                "t%d.max()" % x,
                "t%d.softmax(-1)" % x,
                "t%d.flatten() @ t%d.flatten()" % (x, y),
                "t%d.flatten()[:, None] @ t%d.flatten()[None]" % (x, y),
                "lib.where(t%d > 0, t%d, t%d)" % (y, x, y),
                "lib.cat([t%d[None], t%d[None]])" % (x, y),
                "lib.stack([t%d, t%d])" % (x, y),
                "t%d.data" % x,
                "t%d.data.mul_(0.5)" % x,
                "t%d.std(0)" % x,
                "t%d.masked_fill(t%d > 0, 0.5)" % (x, x),
                "t%d.softmax(0)" % x,
                "t%d.log_softmax(-1)" % x,
                "t%d.max(-1)[0]" % x,
                "t%d.var(-1)" % x,
                "t%d.clamp(min=t%d.detach())" % (x, y),
                "(t%d.abs() + 0.5) ** t%d" % (x, y),
                "2.0 ** t%d" % x,
                "1.0 / (t%d.abs() + 0.5)" % x,
                "lib.add(t%d, t%d, alpha=2.0)" % (x, y),
                "t%d @ t%d.transpose(0, -1)" % (x, x),
                "t%d.flatten()[None] @ t%d.flatten()[:, None]" % (x, y),
            ]
        )

    def both(self, text: str, guarded: bool) -> None:
        self.steps.append(("with no_grad: " if guarded else "") + "t%d = %s" % (len(self.pairs), text))
        results = []
        for side, lib in enumerate((torch, self.library)):
            names = {"t%d" % i: pair[side] for i, pair in enumerate(self.pairs)}
            try:
                if guarded:
                    with lib.no_grad():
                        results.append(eval(text, {"lib": lib, **names}))
                else:
                    results.append(eval(text, {"lib": lib, **names}))
            except (RuntimeError, IndexError, ValueError, TypeError) as error:
                results.append(error)
        theirs, mine = results
        if isinstance(theirs, Exception) or isinstance(mine, Exception):
            if not (isinstance(theirs, Exception) and isinstance(mine, Exception)):
                raise Finding("PyTorch: %s\ntinygpt: %s" % (_short(theirs), _short(mine)))
            if isinstance(theirs, IndexError) != isinstance(mine, IndexError):
                raise Finding("PyTorch: %r\ntinygpt: %r" % (theirs, mine))
            self.steps[-1] += "  # " + type(theirs).__name__
            if "Expected" in str(theirs):
                self.over = True
            return
        if isinstance(theirs, torch.Tensor) and theirs.numel() and theirs.stride() != mine.stride():
            if not any(_share_memory(theirs, t) for t, _ in self.pairs):
                self.steps[-1] += "  # dropped"  # PyTorch keeps the operands' order of dimensions
                return
            raise Finding("strides: PyTorch %s, tinygpt %s" % (theirs.stride(), mine.stride()))
        if "__setitem__" not in text:
            self.pairs.append((theirs, mine))
        if not all(bool((t.detach().abs() < LARGE).all()) for t, _ in self.pairs):
            self.over = True
            return
        if _hard_overlap(text, self.pairs) and not all(_close(*pair) for pair in self.pairs):
            self.over = True
            return
        self.compare()

    def compare(self) -> None:
        for i, (theirs, mine) in enumerate(self.pairs):
            if tuple(theirs.shape) != mine.shape or not _close(theirs, mine):
                raise Finding("t%d: PyTorch %s, tinygpt %s" % (i, theirs.tolist(), mine.tolist()))
            if theirs._version != mine._version:
                raise Finding("t%d._version: PyTorch %d, tinygpt %d" % (i, theirs._version, mine._version))
            facts = []
            for t in (theirs, mine):
                try:
                    facts.append((t.is_leaf, t.requires_grad))
                except RuntimeError:
                    facts.append("error")
            if facts[0] != facts[1]:
                raise Finding("t%d is_leaf, requires_grad: PyTorch %s, tinygpt %s" % (i, *facts))

    def backward(self) -> None:
        x, retain = self.pick(), self.random.random() < 0.4
        self.steps.append("t%d.sum().backward(retain_graph=%r)" % (x, retain))
        errors = []
        for side in (0, 1):
            try:
                self.pairs[x][side].sum().backward(retain_graph=retain)
                errors.append(None)
            except RuntimeError as error:
                errors.append(error)
        if (errors[0] is None) != (errors[1] is None):
            raise Finding("PyTorch: %s\ntinygpt: %s" % (_short(errors[0]), _short(errors[1])))
        if errors[0] is not None:
            words = [w for w in ("second time", "modified", "does not require") if w in str(errors[0])]
            both = all(
                any(w in str(e) for w in ("second time", "modified")) for e in errors
            )  # which is met first differs
            if not both and any(w not in str(errors[1]) for w in words):
                raise Finding("PyTorch: %s\ntinygpt: %s" % (_short(errors[0]), _short(errors[1])))
            self.over = "does not require" not in str(errors[0])  # what has reached the leaves by then may differ
            self.steps[-1] += "  # " + str(errors[0])[:60]
            return
        for i, (theirs, mine) in enumerate(self.leaves):
            if (theirs.grad is None) != (mine.grad is None):
                raise Finding("leaf %d.grad: PyTorch %s, tinygpt %s" % (i, theirs.grad, mine.grad))
            if theirs.grad is not None and not _close(theirs.grad, mine.grad):
                raise Finding("leaf %d.grad: PyTorch %s, tinygpt %s" % (i, theirs.grad.tolist(), mine.grad.tolist()))


def _short(result: object) -> str:
    return "%s: %s" % (type(result).__name__, str(result)[:200]) if isinstance(result, Exception) else "no error"


def _close(theirs: torch.Tensor, mine: tinygpt.Tensor) -> bool:
    a = theirs.detach().numpy()
    raw = mine.tobytes()
    if a.tobytes() == raw:
        return True
    b = numpy.frombuffer(raw, a.dtype).reshape(a.shape)
    return numpy.allclose(b, a, rtol=1e-4, atol=1e-4, equal_nan=True)


def _hard_overlap(text: str, pairs: list[tuple[torch.Tensor, tinygpt.Tensor]]) -> bool:
    """Whether a write reads memory that it writes where PyTorch does not look: its result is that
    of its order of loops.
    """
    if "_(t" not in text and "_(" not in text and "__(" not in text:
        return False
    names = [int(n) for n in re.findall(r"t(\d+)", text)]
    if len(set(names)) < 2:
        return False
    a, b = pairs[names[0]][0], pairs[names[1]][0]
    return _share_memory(a, b)


def _share_memory(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def fuzz(count: int, seed: int = 0) -> int:
    """Executes `count` programs. Returns how many steps they had; raises at the first finding."""
    steps = 0
    warnings.simplefilter("ignore")  # PyTorch's, about expanded tensors
    for i in range(seed, seed + count):
        program = Program(i)
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
    parser.add_argument("--device", default="native")
    args = parser.parse_args()
    tinygpt.set_device(args.device)
    start = time.perf_counter()
    steps = fuzz(args.count, args.seed)
    print("%d programs, %d steps, no finding, %.0f s" % (args.count, steps, time.perf_counter() - start))


if __name__ == "__main__":
    main()
