"""Short programs that run under PyTorch and under the front: results, gradients and errors are
compared.

A program is text in which T is the module, its last statement an expression. `g(2, 3)` makes a
float32 tensor that requires a gradient, `f`, `d`, `i` and `b` make one of float32, float64, int64
and bool without; the numbers follow from the shape and from how many were made before.
"""

import math
import warnings

import torch


class Maker:
    """The tensors of one run of a program."""

    def __init__(self, T):
        self.T, self.count, self.leaves = T, 0, []

    def numbers(self, shape):
        self.count += 1
        return [round(2 * math.sin(1.7 * k * k + 0.9 * k + self.count), 4) for k in range(math.prod(shape))]

    def f(self, *shape, dtype="float32"):
        return self.T.tensor(self.numbers(shape), dtype=getattr(self.T, dtype)).reshape(shape)

    def d(self, *shape):
        return self.f(*shape, dtype="float64")

    def i(self, *shape, dtype="int64"):
        values = [int(3 * v) for v in self.numbers(shape)]
        return self.T.tensor(values, dtype=getattr(self.T, dtype)).reshape(shape)

    def b(self, *shape):
        return self.f(*shape) > 0

    def g(self, *shape, dtype="float32"):
        self.leaves.append(self.f(*shape, dtype=dtype).detach().requires_grad_())
        return self.leaves[-1]


def plain(x, T):
    """A result as numbers, names and texts."""
    if isinstance(x, T.Tensor):
        return [str(x.dtype), list(x.shape), x.requires_grad, x.detach().reshape(-1).tolist()]
    if isinstance(x, (tuple, list)):
        return [plain(v, T) for v in x]
    return str(x) if isinstance(x, T.dtype) else x


def tensors(x, T):
    if isinstance(x, (tuple, list)):
        return [y for v in x for y in tensors(v, T)]
    return [x] if isinstance(x, T.Tensor) else []


def run(T, source):
    """("value", result, gradients) or ("error", names of the error's classes, its text)."""
    make = Maker(T)
    names = {"T": T, "math": math, **{k: getattr(make, k) for k in "fdibg"}}
    statements = source.split("; ")
    try:
        for statement in statements[:-1]:
            exec(statement, names)
        result = eval(statements[-1], names)
    except Exception as error:
        return "error", [kind.__name__ for kind in type(error).__mro__], str(error)
    total = None
    for k, y in enumerate(tensors(result, T)):
        if y.requires_grad and y.numel():
            weights = T.tensor([math.sin(j + k + 1.0) for j in range(y.numel())], dtype=y.dtype).reshape(y.shape)
            term = (y * weights).sum()
            total = term if total is None else total + term.to(total.dtype)
    if total is not None:
        total.backward()
    return "value", plain(result, T), [x.grad is not None and plain(x.grad, T) for x in make.leaves]


def near(a, b, tolerance=2e-5):
    if isinstance(a, list) and isinstance(b, list):
        scale = max([abs(v) for v in a if isinstance(v, float) and math.isfinite(v)] or [1.0])
        if all(isinstance(v, float) for v in a + b):
            same = [x == y or x != x and y != y or abs(x - y) <= tolerance * max(1.0, scale) for x, y in zip(a, b)]
            return len(a) == len(b) and all(same)
        return len(a) == len(b) and all(near(x, y, tolerance) for x, y in zip(a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == b or a != a and b != b or abs(a - b) <= tolerance * max(1.0, abs(a))
    return type(a) is type(b) and a == b or isinstance(a, tuple) and isinstance(b, tuple) and a == b


def complaint(front, source):
    """None where both agree, else a sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want, got = run(torch, source), run(front, source)
    if want[0] != got[0]:
        return "%s: PyTorch %s, here %s" % (source, want[:2], (got[0], *got[1:]))
    if want[0] == "error":
        return None if want[1][0] in got[1] else "%s: PyTorch raises %s, here %s" % (source, want[1:], got[1:])
    if not near(want[1], got[1]):
        return "%s: PyTorch %s, here %s" % (source, want[1], got[1])
    return None if near(want[2], got[2]) else "%s: gradients are %s, here %s" % (source, want[2], got[2])


def lines(text):
    return [line.strip() for line in text.strip().splitlines() if line.strip()]
