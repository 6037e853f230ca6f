"""Random programs about parameters and all that shares their memory or their gradient, each
statement compared with PyTorch: every tensor's value, gradient, `requires_grad` and `is_leaf`, or
the kind of error.

    python3 -m tests.fuzz.aliases --count 10000 [--seed 0] [--device native]

A program has models, optimizers, entries of state dicts, `.data`, views, gradients that it keeps,
copies and pickles. A finding prints the seed and the statements; `--seed N --count 1` repeats it.
"""

from __future__ import annotations

import argparse
import collections
import copy
import math
import pickle
import random
import time
import warnings
from typing import Any

import numpy
import torch

import tinygpt

LARGE = 1e4  # values beyond it end a program: their rounding errors are no finding
MOST_STATEMENTS = 22
OPTIMIZERS = [
    "SGD(%s, lr=0.1)", "SGD(%s, lr=0.05, momentum=0.9)", "SGD(%s, lr=0.05, momentum=0.5, nesterov=True)",
    "SGD(%s, lr=0.1, weight_decay=0.1)", "SGD(%s, lr=0.1, momentum=0.5, dampening=0.5)", "AdamW(%s, lr=0.05)",
    "AdamW(%s, lr=0.05, betas=(0.5, 0.9), weight_decay=0.1)",
]  # fmt: skip
PARAMETERS = ["weight", "scale", "inner.weight", "inner.bias"]


class Finding(AssertionError):
    """PyTorch and tinygpt differ."""


def _forward(self, lib):
    x = lib.tensor([[0.5, -1.0, 0.25], [1.0, 0.5, -0.5]])
    y = self.inner(x) if self.inner is not None else x[:, :2]
    if getattr(self, "weight", None) is not None:
        y = y @ self.weight
    scale = getattr(self, "scale", None)
    return (y * scale if scale is not None else y).tanh().square().sum()


def _fill(self, lib):
    """Parameters that both libraries have alike."""
    nn = lib.nn
    self.weight = nn.Parameter(lib.tensor([[0.5, -0.25], [1.0, 0.75]]))
    self.scale = nn.Parameter(lib.tensor([1.5, -0.5]))
    self.inner = nn.Linear(3, 2)
    with lib.no_grad():
        self.inner.weight.copy_(lib.tensor([[0.1, 0.2, 0.3], [-0.4, 0.5, -0.6]]))
        self.inner.bias.copy_(lib.tensor([0.25, -0.75]))
    self.register_buffer("mean", lib.tensor([1.0, 2.0]))


class TorchNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        _fill(self, torch)

    def forward(self):
        return _forward(self, torch)


class TinyNet(tinygpt.nn.Module):
    def __init__(self):
        super().__init__()
        _fill(self, tinygpt)

    def forward(self):
        return _forward(self, tinygpt)


class Program:
    """One random program, executed in both libraries side by side."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.statements: list[str] = []
        self.names: dict[str, list[str]] = {"net": [], "opt": [], "dict": [], "tensor": []}
        common = {"copy": copy, "pickle": pickle}
        self.sides: list[dict[str, Any]] = [
            {"lib": torch, "nn": torch.nn, "optim": torch.optim, "Net": TorchNet, **common},
            {"lib": tinygpt, "nn": tinygpt.nn, "optim": tinygpt.optim, "Net": TinyNet, **common},
        ]
        self.over = False

    def execute(self) -> None:
        self.both("n0 = Net()", "net", "n0")
        for _ in range(self.random.randint(4, MOST_STATEMENTS)):
            r = self.random.random()
            if r < 0.3:
                self.both(self.pick("net") + "().backward()")
            elif r < 0.5 and self.names["opt"]:
                self.both(self.pick("opt") + ".step()")
            else:
                self.statement()
            if self.over:
                return

    # ---- names ----

    def pick(self, kind: str) -> str:
        return self.random.choice(self.names[kind])

    def new(self, kind: str) -> str:
        return kind[0] + str(len(self.names[kind]))

    def parameter(self) -> str:
        return self.pick("net") + "." + self.random.choice(PARAMETERS)

    def tensor(self) -> str:
        """An expression for some tensor that is there."""
        r = self.random
        if self.names["tensor"] and r.random() < 0.5:
            return self.pick("tensor")
        if self.names["dict"] and r.random() < 0.2:
            return "%s['%s']" % (self.pick("dict"), r.choice([*PARAMETERS, "mean"]))
        p = self.parameter()
        return p if r.random() < 0.7 else p + ".grad"

    def floats(self, shape: tuple[int, ...]) -> str:
        values = [round(self.random.uniform(-2, 2), 2) for _ in range(math.prod(shape))]
        for n in reversed(shape[1:]):
            values = [values[i : i + n] for i in range(0, len(values), n)]
        return "lib.tensor(%r)" % (values if shape else values[0])

    def of_shape(self) -> str:
        return self.floats(self.random.choice([(2,), (2, 2), (2, 3), ()]))

    # ---- statements ----

    def statement(self) -> None:
        r = self.random
        kind = r.choice(
            ["alias"] * 5 + ["write"] * 4 + ["optimizer"] * 2 + ["grad"] * 4 + ["model"] * 3 + ["state"] * 3 + ["data"]
        )
        getattr(self, kind)()

    def alias(self) -> None:
        text = self.random.choice(
            ["%s", "%s.data", "%s.detach()", "%s[0]", "%s.T", "%s.view(-1)", "%s.reshape(-1)[1:]", "copy.copy(%s)",
             "%s.clone()", "copy.deepcopy(%s)", "nn.Parameter(%s)", "pickle.loads(pickle.dumps(%s))", "%s * 2",
             "%s.grad", "%s.data.grad", "%s.detach().requires_grad_()", "%s.contiguous()", "%s.grad.clone()",
             "nn.Parameter(%s.detach().clone())", "nn.Parameter(%s.data)", "%s.flatten()", "%s.requires_grad_(False)"]
        )  # fmt: skip
        name = self.new("tensor")
        self.both("%s = %s" % (name, text % self.tensor()), "tensor", name)

    def write(self) -> None:
        text = self.random.choice(
            ["%s.fill_(0.5)", "%s.mul_(0.5)", "%s.add_(0.25)", "%s.zero_()", "%s.copy_({})", "%s[0] = 0.75",
             "%s[...] = {}", "%s += {}", "%s.data.mul_(2.0)", "%s.data[0] = 1.0", "%s.data.copy_({})", "%s.sub_({})",
             "%s.masked_fill_({} > 0, 0.1)", "%s.data += {}", "%s.data *= 0.5"]
        )  # fmt: skip
        other = self.of_shape() if self.random.random() < 0.5 else self.tensor()
        text = text.replace("{}", other) % self.tensor()
        self.both("with lib.no_grad(): " + text if self.random.random() < 0.75 else text)

    def optimizer(self) -> None:
        r = self.random
        name = self.new("opt")
        if self.names["opt"] and r.random() < 0.2:
            net, opt = self.pick("net"), self.pick("opt")
            other = self.new("net")
            how = r.choice(["copy.deepcopy((%s, %s))", "pickle.loads(pickle.dumps((%s, %s)))"])
            if self.both("%s, %s = %s" % (other, name, how % (net, opt)), "net", other):
                self.names["opt"].append(name)
            return
        if self.names["opt"] and r.random() < 0.3:
            setting = r.choice(["['lr'] = 0.01", "['lr'] *= 0.5", "['weight_decay'] = 0.2", "['lr'] = 0.0"])
            self.both(self.pick("opt") + ".param_groups[0]" + setting)
            return
        net = self.pick("net")
        params = r.choice(
            ["{n}.parameters()"] * 4 + ["[{n}.weight]", "[{n}.weight, {n}.scale]", "[{n}.inner.bias, {n}.weight]",
             "{n}.inner.parameters()", "reversed(list({n}.parameters()))", "[p for p in {n}.parameters()]",
             "[{'params': [{n}.weight], 'lr': 0.2}, {'params': [{n}.inner.bias]}]", "[{t}]", "[{n}.weight, {t}]",
             "[{n}.weight] + list({m}.parameters())"]
        )  # fmt: skip
        params = params.replace("{n}", net).replace("{t}", self.tensor()).replace("{m}", self.pick("net"))
        self.both("%s = optim.%s" % (name, r.choice(OPTIMIZERS) % params), "opt", name)

    def grad(self) -> None:
        r = self.random
        choice = r.randrange(7)
        if choice == 0:
            self.both("%s.grad = None" % self.parameter())
        elif choice == 1:
            self.both("%s.grad = %s" % (self.parameter(), self.of_shape() if r.random() < 0.4 else self.tensor()))
        elif choice == 2:
            self.both("%s.zero_grad(%s)" % (self.pick("net"), r.choice(["", "set_to_none=False"])))
        elif choice == 3 and self.names["opt"]:
            self.both("%s.zero_grad(%s)" % (self.pick("opt"), r.choice(["", "set_to_none=False"])))
        elif choice == 4:
            name = self.new("tensor")
            self.both("%s = %s.grad" % (name, self.parameter()), "tensor", name)
        elif choice == 5:
            self.both("%s.square().sum().backward()" % self.tensor())
        else:
            clip = r.choice(["0.1", "1.0", "10.0"])
            which = "clip(%s.parameters(), %s)" % (self.pick("net"), clip)
            self.sides[0]["clip"], self.sides[1]["clip"] = torch.nn.utils.clip_grad_norm_, tinygpt.clip_grad_norm_
            name = self.new("tensor")
            self.both("%s = %s" % (name, which), "tensor", name)

    def model(self) -> None:
        r = self.random
        net = self.pick("net")
        name = self.new("net")
        choice = r.choice((0, 1, 2, 3, 4, 6, 7, 8))
        if choice == 0:
            self.both("%s = copy.deepcopy(%s)" % (name, net), "net", name)
        elif choice == 1:
            self.both("%s = pickle.loads(pickle.dumps(%s))" % (name, net), "net", name)
        elif choice == 2:
            self.both("del %s.%s" % (net, r.choice(["weight", "scale", "inner.bias"])))
        elif choice == 3:
            self.both("%s.%s = None" % (net, r.choice(["weight", "scale", "inner.bias", "inner"])))
        elif choice == 4:
            place = r.choice(["weight", "scale", "inner.weight", "inner.bias"])
            shape = {"weight": (2, 2), "scale": (2,), "inner.weight": (2, 3), "inner.bias": (2,)}[place]
            self.both("%s.%s = nn.Parameter(%s)" % (net, place, self.floats(shape)))
        elif choice == 6:
            self.both("%s.inner = %s.inner" % (net, self.pick("net")))
        elif choice == 7:
            self.both("%s.%s" % (self.parameter(), r.choice(["requires_grad_(False)", "requires_grad_(True)"])))
        else:
            self.both("%s = %s" % (self.parameter(), self.tensor()))

    def state(self) -> None:
        r = self.random
        name = self.new("dict")
        choice = r.randrange(5)
        if choice == 0 or not self.names["dict"]:
            self.both("%s = %s.state_dict()" % (name, self.pick("net")), "dict", name)
        elif choice == 1:
            self.both("%s = copy.deepcopy(%s)" % (name, self.pick("dict")), "dict", name)
        elif choice == 2:
            self.both("%s.load_state_dict(%s)" % (self.pick("net"), self.pick("dict")))
        elif choice == 3:
            self.both("%s.load_state_dict(%s.state_dict())" % (self.pick("net"), self.pick("net")))
        else:
            self.both("%s = pickle.loads(pickle.dumps(%s))" % (name, self.pick("dict")), "dict", name)

    def data(self) -> None:
        other = self.random.choice(
            [self.of_shape(), self.tensor(), "%s.T" % self.tensor(), "%s.clone()" % self.tensor()]
        )
        self.both("%s.data = %s" % (self.parameter() if self.random.random() < 0.7 else self.tensor(), other))

    # ---- both sides ----

    def both(self, text: str, kind: str | None = None, name: str = "") -> bool:
        self.statements.append(text)
        errors: list[Exception | None] = []
        for side in self.sides:
            try:
                exec(text, side)
                errors.append(None)
            except Exception as error:  # every kind is compared
                errors.append(error)
        theirs, mine = errors
        if theirs is not None or mine is not None:
            if mine is not None and theirs is None and _refused(mine):
                REFUSED[str(mine)[:60]] += 1
                self.over = True
                return False
            if mine is None or theirs is None or not (isinstance(mine, type(theirs)) or isinstance(theirs, type(mine))):
                raise Finding("PyTorch: %s\ntinygpt: %s" % (_short(theirs), _short(mine)))
            self.statements[-1] += "  # " + type(theirs).__name__
            if any(word in text for word in ("backward", "step", "load_state_dict", "+=", "*=")):  # a part was done
                self.over = True
            return False
        if kind is not None:
            self.names[kind].append(name)
        self.compare()
        return True

    def compare(self) -> None:
        for name in [n for kind in ("net", "dict", "tensor") for n in self.names[kind]]:
            theirs, mine = (_tensors(name, side[name]) for side in self.sides)
            if list(theirs) != list(mine):
                raise Finding("%s: PyTorch has %s, tinygpt %s" % (name, list(theirs), list(mine)))
            for key in theirs:
                self.same(key, theirs[key], mine[key])
                if theirs[key] is not None and theirs[key].is_leaf:
                    self.same(key + ".grad", theirs[key].grad, mine[key].grad)
        for name in self.names["opt"]:
            theirs, mine = (
                [[len(g["params"]), g["lr"], g["weight_decay"]] for g in side[name].param_groups] for side in self.sides
            )
            if theirs != mine:
                raise Finding("%s: PyTorch %s, tinygpt %s" % (name, theirs, mine))

    def same(self, key: str, theirs: Any, mine: Any) -> None:
        if theirs is None or mine is None:
            if theirs is not mine:
                raise Finding("%s: PyTorch %s, tinygpt %s" % (key, theirs, mine))
            return
        if tuple(theirs.shape) != mine.shape:
            raise Finding("%s: PyTorch %s, tinygpt %s" % (key, theirs, mine))
        a, b = theirs.detach().numpy(), mine.detach().numpy()
        if not (numpy.abs(a) < LARGE).all():
            self.over = True
            return
        if not numpy.allclose(b, a, rtol=2e-3, atol=2e-3):
            raise Finding("%s: PyTorch %s, tinygpt %s" % (key, a.tolist(), b.tolist()))
        facts = [(t.is_leaf, t.requires_grad, type(t).__name__) for t in (theirs, mine)]
        if facts[0] != facts[1]:
            raise Finding("%s is_leaf, requires_grad, class: PyTorch %s, tinygpt %s" % (key, *facts))


REFUSED: collections.Counter[str] = collections.Counter()
REFUSALS = (
    "some parameters appear in more than one", "optimizer can only optimize Parameters", "a Parameter is made of",
    "two parameters share elements", "linear(): bias of shape", "a parameter has the shape",
    "a gradient of shape", "a parameter of shape", "one of the variables needed",
)  # fmt: skip
# Beginnings of sentences that refuse what PyTorch accepts


def _refused(error: Exception) -> bool:
    return str(error).startswith(REFUSALS)


def _tensors(name: str, value: Any) -> dict[str, Any]:
    if hasattr(value, "named_parameters"):
        value = {**dict(value.named_parameters(remove_duplicate=False)), **value.state_dict()}
    if isinstance(value, dict):
        return {name + "." + key: x for key, x in value.items()}
    return {name: value}


def _short(result: object) -> str:
    return "%s: %s" % (type(result).__name__, str(result)[:200]) if isinstance(result, Exception) else "no error"


def fuzz(count: int, seed: int = 0) -> int:
    """Executes `count` programs. Returns how many statements they had; raises at the first
    finding.
    """
    statements = 0
    warnings.simplefilter("ignore")  # PyTorch's, about .grad of a tensor that is no leaf
    for i in range(seed, seed + count):
        program = Program(i)
        try:
            program.execute()
        except Exception as error:
            kind = "" if isinstance(error, Finding) else type(error).__name__ + ": "
            raise Finding("seed %d:\n  %s\n%s%s" % (i, "\n  ".join(program.statements), kind, error)) from error
        statements += len(program.statements)
    return statements


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="native")
    args = parser.parse_args()
    tinygpt.set_device(args.device)
    start = time.perf_counter()
    statements = fuzz(args.count, args.seed)
    print("%d programs, %d statements, no finding, %.0f s" % (args.count, statements, time.perf_counter() - start))
    for sentence, n in REFUSED.most_common():
        print("%6d refused: %s" % (n, sentence))


if __name__ == "__main__":
    # As `tests.fuzz.aliases`, where a pickle finds the classes of the models.
    from tests.fuzz import aliases

    aliases.main()
