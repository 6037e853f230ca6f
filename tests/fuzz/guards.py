"""Compiled functions that read a world which changes between their calls, against eager ones.

    python3 -m tests.fuzz.guards --count 100000

A function multiplies a tensor by a few numbers that it reads in different ways: attributes of
modules, fields, items, cells, globals, defaults, methods. Between two calls something in the world
may change, in one of the ways that Python has. Each call of the compiled function must give the
eager call's value, with the same gradients.
"""

import argparse
import collections
import dataclasses
import functools
import random
import sys
import types
import warnings

import tinygpt
from tinygpt import nn, optim
from tinygpt.core import bypasses
from tinygpt.core.state import state

EACH = 25  # calls of one compiled function
MOST_SOURCES = 4  # that it reads


class Sub(nn.Module):
    level = 1.25

    def __init__(self):
        super().__init__()
        self.scale = 2.0
        self.weight = nn.Parameter(tinygpt.ones(3))

    def factor(self):
        return self.scale

    def forward(self, x):
        return x * self.scale * self.weight


class Switch(nn.Module):
    def forward(self, x):
        return x * 2.0 if self.training else x * 3.0


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(1.0)  # of all or of nothing: no random numbers
        self.sub = Sub()
        self.switch = Switch()
        self.norm = nn.LayerNorm(3)
        self.chain = nn.Sequential(Switch(), nn.ReLU())
        self.layers = nn.ModuleList([Switch()])
        self.coefficients = [1.0, 2.0]
        self.options = {"p": 1.5}
        self.register_buffer("offset", tinygpt.ones(3))


class Optimizer(optim.SGD):
    factor = 2.0


class Plain:
    level = 0.5

    def __init__(self):
        self.p, self.inner, self.items, self.table = (
            1.5,
            types.SimpleNamespace(q=2.0),
            [1.0, [2.0, 3.0]],
            {"k": {"n": 3.0}},
        )

    @property
    def twice(self):
        return self.p * 2.0

    def factor(self):
        return self.p + 1.0

    @staticmethod
    def fixed():
        return 1.5

    @classmethod
    def of_class(cls):
        return cls.level


class Slots:
    __slots__ = ("p",)

    def __init__(self):
        self.p = 1.5


@dataclasses.dataclass
class Config:
    p: float = 1.5
    sizes: list = dataclasses.field(default_factory=lambda: [1, 2])


class Fields(dict):
    __getattr__ = dict.__getitem__


HELPERS = """
import functools
import math
RATE = 1.5
TABLE = {"k": 2.0}
class Settings:
    p = 1.5
def helper(y, by=2.0, *, more=3.0):
    return y * by * more
def rate():
    return RATE
def of_table():
    return TABLE["k"]
def nested(items=[1.0]):
    return sum(items) + inner()
def inner():
    return RATE + 1.0
@functools.lru_cache
def cached():
    return TABLE["k"]
class Base:
    def value(self):
        return self.k
class Derived(Base):
    k = 2.0
    def value(self):
        return super().value() + 1.0
    def __call__(self, y):
        return y * self.k
    def __getitem__(self, i):
        return self.k + i
    @classmethod
    def of(cls):
        return cls.k
class Other(Derived):
    k = 4.0
derived = Derived()
"""


class World:
    """Everything that a function may read. `space`: the globals of the function."""

    def __init__(self):
        tinygpt.manual_seed(1)
        self.helpers = types.ModuleType("fuzz_helpers")
        exec(HELPERS, self.helpers.__dict__)
        self.x = tinygpt.tensor([1.0, -2.0, 3.0])
        self.w = tinygpt.tensor([2.0, 3.0, 4.0], requires_grad=True)
        self.net, self.plain, self.slots, self.config = Net(), Plain(), Slots(), Config()
        self.fields = Fields(p=2.0)
        self.items, self.table, self.group = [1.0, 2.0], {"a": 1.0, "b": 2.0}, {1, 2}
        self.queue = collections.deque([1.0, 2.0])
        self.pair = (1.0, [2.0])
        self.optimizer = Optimizer(self.net.parameters(), lr=0.5)
        self.partial = functools.partial(self.helpers.helper, by=3.0)
        self.bound = self.plain.factor
        self.space = dict(self.__dict__)
        self.space.update(__name__="fuzz_function", NUMBER=2.0, STEPS=[1.0], nn=nn)

        def closed():
            value, items, hidden = 2.0, [1.0], self.plain

            def read():
                return value + sum(items) + hidden.p

            def write(number):
                nonlocal value
                value = number

            return read, write, items

        self.space["read"], self.write, self.cell_items = closed()
        self.space["calls"] = [lambda y: y * 2.0, lambda y: y + 1.0]


# What a function may read: an expression over y, a tensor [3].
SOURCES = """
net.drop(y)
net.drop(y) + y * net.drop.p
net.sub(y)
y * net.sub.factor()
y * net.sub.level
y * getattr(net.sub, "scale")
net.switch(y)
net.norm(y)
net.chain(y)
[layer(y) for layer in net.layers][-1]
y * float(len(net.layers))
y * sum(net.coefficients)
y * net.options["p"]
y + net.offset
y * (2.0 if net.training else 3.0)
y * plain.p
y * plain.twice
y * plain.factor()
y * plain.level
y * plain.fixed()
y * plain.of_class()
y * plain.inner.q
y * plain.items[0]
y * plain.items[1][0]
y * sum(plain.items[1])
y * plain.table["k"]["n"]
y * plain.table.get("k", {}).get("m", 5.0)
y * (plain.extra if hasattr(plain, "extra") else 2.0)
y * vars(plain)["p"]
y * getattr(plain, "late", 4.0)
y * slots.p
y * config.p
y * float(sum(config.sizes))
y * dataclasses_sum(config)
y * fields.p
y * fields["p"]
y * items[0]
y * float(len(items))
y * max(items)
y * sum(v for v in items)
y * table["a"]
y * sum(table.values())
y * float(len(group))
y * (2.0 if 2 in group else 3.0)
y * queue[0]
y * pair[1][0]
partial(y)
y * bound()
y * read()
y * NUMBER
y * STEPS[-1]
helpers.helper(y)
y * helpers.rate()
y * helpers.of_table()
y * helpers.nested()
y * helpers.RATE
y * helpers.Settings.p
y * helpers.Settings().p
calls[0](y)
y * float(callable(calls[-1]))
functools_reduce(calls, y)
y * list(table.values())[0]
y * helpers.derived.value()
helpers.derived(y)
y * helpers.derived[1]
y * helpers.Derived.of()
y * helpers.cached()
y * getattr(helpers.inner, "k", 3.0)
y * optimizer.param_groups[0]["lr"]
y * optimizer.factor
net.sub(y) if net.sub is not None else y
y * w
y * (2.0 if w.requires_grad else 3.0)
""".strip().split("\n")  # fmt: skip


def attribute(owner, name, values):
    """Changes of an attribute in each way that Python has."""

    def change(r):
        value, how = r.choice(values), r.randrange(6)
        if not state.bypassed:  # a world whose modules are compared when the epoch moves
            setattr(owner, name, value)
        elif how == 0:
            object.__setattr__(owner, name, value)
        elif how == 1 and hasattr(owner, "__dict__"):
            vars(owner)[name] = value
        elif how == 2 and hasattr(owner, "__dict__"):
            owner.__dict__.update({name: value})
        elif how == 3 and hasattr(owner, "__dict__"):
            vars(owner).pop(name, None)
            vars(owner).setdefault(name, value)
        else:
            setattr(owner, name, value)

    return change


def in_class(cls, name, values):
    return lambda r: setattr(cls, name, r.choice(values))


def item(container, key, values):
    def change(r):
        value = r.choice(values)
        if isinstance(container, dict) and r.random() < 0.5:
            container.update({key: value})
        else:
            container[key] = value

    return change


def of_list(items, values):
    """Changes of a list that leave at least one item."""

    def change(r):
        how = r.randrange(5)
        if how == 0:
            items.append(r.choice(values))
        elif how == 1 and len(items) > 1:
            items.pop()
        elif how == 2:
            items[:] = [r.choice(values) for _ in range(r.randrange(1, 3))]
        elif how == 3:
            items.insert(0, r.choice(values))
            del items[3:]
        else:
            items[r.randrange(len(items))] = r.choice(values)

    return change


NUMBERS = [1.0, 1.5, 2.0, -3.0, 0.0, -0.0, 1, True]


def toggled(owner, name, value):
    """Sets and removes an attribute."""

    def change(r):
        if name in vars(owner):
            delattr(owner, name)
        else:
            setattr(owner, name, value)

    return change


def changes(world):
    """[change(random)] of a World."""
    net, plain, helpers, space = world.net, world.plain, world.helpers, world.space
    true_forward, true_helper = Sub.forward, helpers.helper
    functions = [lambda y: y * 2.0, lambda y: y + 1.0, lambda y: y * plain.p]

    def requires_grad(p):
        def change(r):
            if r.random() < 0.5:
                p.requires_grad = not p.requires_grad
            else:
                p.requires_grad_(not p.requires_grad)

        return change

    def layers(r):
        if len(net.layers) > 1 and r.random() < 0.5:
            delattr(net.layers, list(net.layers._modules)[-1])
        elif len(net.layers) < 3:
            net.layers.append(Switch())

    def chain(r):
        how, modules = r.randrange(3 if state.bypassed else 2), [Switch(), nn.ReLU(), nn.Tanh()]
        if how == 0:
            net.chain._modules["0"] = r.choice(modules)
        elif how == 1:
            setattr(net.chain, "1", r.choice(modules))
        else:
            vars(net.chain)["_modules"]["1"] = r.choice(modules)

    def weight(r):
        p = nn.Parameter(tinygpt.tensor([r.choice([1.0, 2.0]) for _ in range(3)]))
        if r.random() < 0.5 or not state.bypassed:
            net.sub.weight = p
        else:
            vars(net.sub)["weight"] = p

    def methods(r):
        how = r.randrange(6)
        if how in (2, 5) and not state.bypassed:
            net.sub.forward = lambda x: x * 3.0
        elif how == 0:
            Sub.forward = r.choice([true_forward, lambda self, x: x * self.scale + 1.0])
        elif how == 1:
            net.sub.forward = lambda x: x * 5.0
        elif how == 2:
            vars(net.sub).pop("forward", None)
        elif how == 3:
            plain.factor = lambda: 7.0
        elif how == 4:
            vars(plain).pop("factor", None)
        else:
            vars(net.switch)["forward"] = lambda x: x * 9.0

    def helper(r):
        how = r.randrange(6)
        if how == 0:
            helpers.helper.__defaults__ = (r.choice([2.0, 3.0]),)
        elif how == 1:
            helpers.helper.__kwdefaults__ = {"more": r.choice([2.0, 3.0])}
        elif how == 2:
            (true_helper.__kwdefaults__ or {})["more"] = r.choice([2.0, 5.0])
        elif how == 3:
            helpers.helper = r.choice([true_helper, lambda y: y * 11.0])
        elif how == 4:
            helpers.inner = r.choice([lambda: 2.0, lambda: helpers.RATE])
        else:
            helpers.nested.__code__ = r.choice([(lambda items: 1.0).__code__, (lambda items: sum(items)).__code__])

    def special(r):
        how, k = r.randrange(6), r.choice([1.0, 2.0, 5.0])
        if how == 0:
            helpers.Base.value = lambda self: self.k * k
        elif how == 1:
            helpers.Derived.__call__ = lambda self, y: y * self.k + k
        elif how == 2:
            helpers.Derived.__getitem__ = lambda self, i: self.k * k
        elif how == 3:
            helpers.derived.__class__ = r.choice([helpers.Derived, helpers.Other])
        elif how == 4:
            helpers.derived.k = k
        else:
            helpers.Derived.k = k

    def order(r):
        world.table["a"] = world.table.pop("a")

    def kind(r):
        Plain.factor = r.choice([lambda self: self.p, lambda self: self.p + 2.0])
        Plain.fixed = staticmethod(r.choice([lambda: 1.0, lambda: 2.0]))
        Plain.twice = property(r.choice([lambda self: self.p, lambda self: self.p * 3.0]))

    return [
        lambda r: net.train(r.random() < 0.5),
        lambda r: net.switch.train(r.random() < 0.5),
        attribute(net.switch, "training", [True, False]),
        attribute(net.drop, "training", [True, False]),
        attribute(net, "training", [True, False]),
        attribute(net.drop, "p", [0.0, 1.0]),
        attribute(net.norm, "eps", [1e-5, 0.5]),
        attribute(net.sub, "scale", NUMBERS),
        in_class(Sub, "level", NUMBERS), toggled(net.sub, "level", 4.0),
        of_list(net.coefficients, NUMBERS), item(net.options, "p", NUMBERS),
        attribute(net, "offset", [tinygpt.ones(3), tinygpt.tensor([1.0, 2.0, 3.0])]),
        attribute(net, "coefficients", [[1.0], [2.0, 3.0]]),
        attribute(net, "sub", [net.sub, Sub()]),
        requires_grad(net.sub.weight), requires_grad(world.w), layers, chain, weight, methods, helper, kind,
        attribute(plain, "p", NUMBERS), attribute(plain.inner, "q", NUMBERS),
        attribute(plain, "inner", [types.SimpleNamespace(q=1.0), types.SimpleNamespace(q=4.0), plain.inner]),
        of_list(plain.items[1], NUMBERS), item(plain.items, 0, NUMBERS),
        item(plain.table, "k", [{"n": 1.0}, {"n": 2.0, "m": 3.0}]),
        lambda r: plain.table["k"].update(n=r.choice(NUMBERS)),
        lambda r: plain.table["k"].update(m=r.choice(NUMBERS)),
        toggled(plain, "extra", 3.0), toggled(plain, "late", 5.0), in_class(Plain, "level", NUMBERS),
        toggled(plain, "level", 4.0),
        attribute(world.slots, "p", NUMBERS), attribute(world.config, "p", NUMBERS),
        of_list(world.config.sizes, [1, 2, 3]),
        attribute(world.config, "sizes", [[1], [2, 2]]),
        item(world.fields, "p", NUMBERS), of_list(world.items, NUMBERS),
        item(world.table, "a", NUMBERS), item(world.table, "c", NUMBERS), lambda r: world.table.pop("c", None),
        lambda r: world.group.symmetric_difference_update({r.randrange(4)}),
        lambda r: world.queue.rotate(), lambda r: item(world.queue, 0, NUMBERS)(r), item(world.pair[1], 0, NUMBERS),
        lambda r: world.write(r.choice(NUMBERS)), of_list(world.cell_items, NUMBERS),
        lambda r: space.update(NUMBER=r.choice(NUMBERS)), of_list(space["STEPS"], NUMBERS),
        lambda r: space.update(STEPS=[r.choice(NUMBERS)]),
        attribute(helpers, "RATE", NUMBERS), item(helpers.TABLE, "k", NUMBERS),
        in_class(helpers.Settings, "p", NUMBERS),
        special, order, lambda r: helpers.cached.cache_clear(),
        lambda r: setattr(helpers.inner, "k", r.choice(NUMBERS)),
        lambda r: world.optimizer.param_groups[0].update(lr=r.choice([0.5, 1.0])),
        attribute(world.optimizer, "factor", NUMBERS),
        lambda r: world.partial.__setstate__((true_helper, (), {"by": r.choice([2.0, 3.0])}, {})),
        item(space["calls"], 0, functions), of_list(space["calls"], functions),
        lambda r: space.update(partial=functools.partial(true_helper, by=r.choice([2.0, 3.0]))),
        lambda r: space.update(bound=r.choice([plain.factor, lambda: 4.0])),
        lambda r: space.update(plain=r.choice([plain, Plain()])),
    ]  # fmt: skip


TRUE_CLASSES = [(cls, dict(vars(cls))) for cls in (Sub, Plain)]


def restore():
    """The classes as they were."""
    for cls, attributes in TRUE_CLASSES:
        for name, value in attributes.items():
            if not name.startswith("__"):
                setattr(cls, name, value)


def outcome(function, world):
    """What a call gives: its value and the gradients that it leaves, or the type of its error."""
    leaves = [world.w, *world.net.parameters()]
    for p in leaves:
        p.grad = None
    try:
        value = function()
    except Exception as error:
        return type(error).__name__
    gradients = [None if p.grad is None else p.grad.tobytes() for p in leaves]
    return value.tobytes(), gradients


def run(count, seed=0, show=None):
    """`count` calls. Returns [what differed], replays."""
    r = random.Random(seed)
    bypasses.look(sys._getframe())  # finds this file: half of the worlds run as if it had not
    findings, replays, calls = [], 0, 0
    while calls < count:
        restore()
        state.bypassed = r.random() < 0.5
        world = World()
        sources = r.sample(SOURCES, r.randint(1, MOST_SOURCES))
        backward = r.random() < 0.5
        lines = ["def f():", " y = x * w" if backward else " y = x"]
        lines += [" y = %s" % source for source in sources]
        lines += [" loss = y.sum()"]
        if backward:
            lines += [" if loss.requires_grad:", "  loss.backward()"]
        lines += [" return y.detach()"]
        world.space.update(
            dataclasses_sum=lambda config: sum(dataclasses.astuple(config)[1]) * 1.0,
            functools_reduce=lambda functions, y: functools.reduce(lambda a, f: f(a), functions, y),
        )
        exec("\n".join(lines), world.space)
        function = world.space["f"]
        compiled, ways = tinygpt.compile(function), changes(world)
        log = []
        for _ in range(EACH):
            if r.random() < 0.4:
                for i in r.sample(range(len(ways)), r.choice((1, 3, 9))):
                    ways[i](r)
                    log.append(i)
            captures, refused = compiled.captures, compiled.refused
            given = outcome(compiled, world)
            replays += compiled.captures == captures and refused is None and compiled.refused is None
            expected = outcome(function, world)
            calls += 1
            if given != expected:
                findings.append((sources, backward, log, given, expected))
                if show is not None:
                    show(findings[-1])
                break
            if compiled.refused is not None:
                compiled = tinygpt.compile(function)
    restore()
    state.bypassed = True
    return findings, replays


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    findings, replays = run(options.count, options.seed, print)
    print("%d calls, %d of them replays, %d findings" % (options.count, replays, len(findings)))
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
