"""torch.autograd.functional and torch.utils.checkpoint beside PyTorch."""

import importlib

import pytest
import torch
import torch.autograd.functional
import torch.utils.checkpoint

import tinygpt

from .test_autograd import errors, leaf, outcome, same

pytestmark = pytest.mark.fast


def vector(lib, *values):
    return lib.tensor(list(values))


def pair(x, y):
    return (x * x * y).sum(), x.exp() * y


CASES = {
    "jacobian": lambda lib, f, x, y: f.jacobian(lambda a: a * a, x),
    "jacobian of several": lambda lib, f, x, y: f.jacobian(pair, (x, y)),
    "jacobian unused": lambda lib, f, x, y: f.jacobian(lambda a, b: a * 2.0, (x, y)),
    "jacobian vectorized": lambda lib, f, x, y: f.jacobian(lambda a: a.softmax(-1), x, vectorize=True),
    "jacobian of a matrix": lambda lib, f, x, y: f.jacobian(lambda a: a.sum(0), x.reshape(1, 3)),
    "jacobian of a constant": lambda lib, f, x, y: f.jacobian(lambda a: y, x),
    "hessian": lambda lib, f, x, y: f.hessian(lambda a: (a**3).sum(), x),
    "hessian of two": lambda lib, f, x, y: f.hessian(lambda a, b: (a * b.exp()).sum(), (x, y)),
    "vjp": lambda lib, f, x, y: f.vjp(lambda a: a * a * y, x, y),
    "vjp of several": lambda lib, f, x, y: f.vjp(pair, (x, y), (lib.tensor(1.0), x)),
    "vjp scalar": lambda lib, f, x, y: f.vjp(lambda a: (a * a).sum(), x),
    "jvp": lambda lib, f, x, y: f.jvp(lambda a: a.exp(), x, y),
    "jvp of several": lambda lib, f, x, y: f.jvp(pair, (x, y), (y, x)),
    "hvp": lambda lib, f, x, y: f.hvp(lambda a: (a**3).sum(), x, y),
    "hvp of two": lambda lib, f, x, y: f.hvp(lambda a, b: (a * b.sin()).sum(), (x, y), (y, x)),
    "vhp": lambda lib, f, x, y: f.vhp(lambda a: (a**3).sum(), x, y),
    "create_graph": lambda lib, f, x, y: lib.autograd.grad(
        f.jacobian(lambda a: a**3, x.requires_grad_(), create_graph=True).sum(), x
    ),
    "no graph": lambda lib, f, x, y: f.jacobian(lambda a: a**3, x.requires_grad_()).requires_grad,
    "under no_grad": lambda lib, f, x, y: without(lib, lambda: f.hvp(lambda a: (a**3).sum(), x, y)),
    "errors": lambda lib, f, x, y: errors(
        lib,
        lambda: f.jacobian(lambda a: 3, x),
        lambda: f.vjp(lambda a: a, x),
        lambda: f.vjp(lambda a: a, x, (x, x)),
        lambda: f.vjp(lambda a: a, x, x[:1]),
        lambda: f.hessian(lambda a: a, x),
        lambda: f.hvp(lambda a: (a, a), x, y),
        lambda: f.hvp(lambda a: a.sum(), x),
        lambda: f.jacobian(lambda a: y, x, strict=True),
        lambda: f.jacobian(lambda a: a, [x]),
        lambda: f.jacobian(lambda a: a, x, strategy="backwards"),
    ),
}


def without(lib, call):
    with lib.no_grad():
        return call()


@pytest.mark.parametrize("name", CASES)
def test_functional_equals_pytorch(front, name):
    tinygpt.set_device("native")
    found = []
    for lib in (torch, front):
        functional = importlib.import_module(lib.__name__ + ".autograd.functional")
        x, y = vector(lib, 0.5, -1.0, 2.0), vector(lib, 1.0, 0.25, -0.5)
        found.append(outcome(lib, lambda lib, f=functional, x=x, y=y: CASES[name](lib, f, x, y)))
    assert same(*found), found


def checkpointed(lib, use, reentrant):
    w, x = leaf(lib, (0.5, 2.0, -1.0)), leaf(lib)
    calls = []

    def part(a, scale=2.0):
        calls.append(1)
        return (a * w).tanh() * scale, 3

    y, three = use(part, x, use_reentrant=reentrant)
    before = len(calls)
    (y * y).sum().backward()
    return y, three, before, len(calls), x.grad, w.grad


def with_dropout(lib, use, reentrant):
    lib.manual_seed(3)
    x = lib.ones(64, requires_grad=True)
    y = use(lambda a: a * (lib.rand(64) > 0.5).to(lib.float32), x, use_reentrant=reentrant)
    y.sum().backward()
    return (x.grad - y.detach()).abs().sum(), y.sum(), lib.rand(2)


def unneeded(lib, use, reentrant):
    w = leaf(lib)
    return use(lambda a: a * w, lib.ones(3), use_reentrant=reentrant).requires_grad


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("program", [checkpointed, with_dropout, unneeded], ids=lambda f: f.__name__)
def test_checkpoint_equals_pytorch(front, program, reentrant):
    tinygpt.set_device("native")
    found = []
    for lib in (torch, front):
        use = importlib.import_module(lib.__name__ + ".utils.checkpoint").checkpoint
        found.append(outcome(lib, lambda lib, use=use: program(lib, use, reentrant)))
    assert same(*found), found


def test_checkpoint_sequential_and_grad(front):
    """Segments run again; grad() and its own gradient go through a checkpoint."""
    tinygpt.set_device("native")
    found = []
    for lib in (torch, front):
        module = importlib.import_module(lib.__name__ + ".utils.checkpoint")
        x, w = leaf(lib), leaf(lib, (0.5, 0.2, -0.1))
        steps = [lambda a: a * 2.0, lambda a, w=w: (a * w).tanh(), lambda a: a * a, lambda a: a + 1.0]
        y = module.checkpoint_sequential(steps, 2, x, use_reentrant=False)
        (gx, gw) = lib.autograd.grad(y.sum(), [x, w], create_graph=True)
        (second,) = lib.autograd.grad((gx * gw).sum(), w)
        found.append([y.tolist(), gx.tolist(), gw.tolist(), second.tolist(), x.grad, w.grad])
    assert same(*found), found
