"""Optimizers and gradient clipping against PyTorch's, over parameter groups, missing gradients and
changing rates.
"""

import numpy as np
import pytest
import torch

import tinygpt
from tinygpt import nn, optim

SHAPES = [(3, 5), (7,), (17, 2), (1,)]


pytestmark = [pytest.mark.fast, pytest.mark.usefixtures("device")]


def pairs():
    torch.manual_seed(0)
    theirs = [torch.nn.Parameter(torch.randn(s)) for s in SHAPES]
    return theirs, [nn.Parameter(tinygpt.tensor(p.detach().numpy())) for p in theirs]


def same(theirs, ours, tolerance=2e-6):
    for p, q in zip(theirs, ours):
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), rtol=tolerance * 10, atol=tolerance)


def steps(theirs, ours, their_optimizer, our_optimizer, missing=lambda step, i: False, n=8):
    for step in range(n):
        for optimizer in (their_optimizer, our_optimizer):
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = 0.1 / (step + 1)
        for i, (p, q) in enumerate(zip(theirs, ours)):
            if not missing(step, i):
                g = torch.randn(p.shape)
                p.grad, q.grad = g, tinygpt.tensor(g.numpy())
        their_optimizer.step()
        our_optimizer.step()
    same(theirs, ours)


@pytest.mark.parametrize(
    "missing",
    [lambda s, i: False, lambda s, i: i == 1, lambda s, i: (s + i) % 3 == 0],
    ids=["all", "one never", "some late"],
)
def test_adamw(missing):
    theirs, ours = pairs()
    options = dict(lr=0.1, betas=(0.9, 0.95), eps=1e-8)

    def groups(ps):
        return [{"params": ps[:2], "weight_decay": 0.1}, {"params": ps[2:], "weight_decay": 0.0, "betas": (0.8, 0.9)}]

    steps(theirs, ours, torch.optim.AdamW(groups(theirs), **options), optim.AdamW(groups(ours), **options), missing)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1},
    ],
)
def test_sgd(options):
    theirs, ours = pairs()
    steps(theirs, ours, torch.optim.SGD(theirs, lr=0.1, **options), optim.SGD(ours, lr=0.1, **options))


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
@pytest.mark.parametrize("all_parameters", [True, False], ids=["complete arena", "some parameters"])
def test_clip_grad_norm(max_norm, all_parameters):
    theirs, ours = pairs()
    optim.AdamW(ours)
    for p, q in zip(theirs, ours):
        g = torch.randn(p.shape)
        p.grad, q.grad = g, None
        (q * tinygpt.tensor(g.numpy())).sum().backward()
    chosen = slice(None) if all_parameters else slice(0, 2)
    a = torch.nn.utils.clip_grad_norm_(theirs[chosen], max_norm)
    b = tinygpt.clip_grad_norm_(ours[chosen], max_norm)
    assert b.item() == pytest.approx(a.item(), rel=1e-6)
    for p, q in zip(theirs, ours):
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_a_step_on_the_whole_model_is_one_launch():
    _, ours = pairs()
    optimizer = optim.AdamW(ours)

    def step():
        optimizer.zero_grad()
        sum((p * p).sum() for p in ours).backward()
        optimizer.step()

    run = tinygpt.compile(step)
    run()
    run()
    assert [k.name for k, _, _ in run.program.launches].count("adamw") == 1


def test_parameters_keep_their_values_when_they_move_into_the_arena():
    theirs, ours = pairs()
    optim.AdamW(ours)
    same(theirs, ours, 0)
    optim.SGD(ours)  # a second optimizer moves them once more
    same(theirs, ours, 0)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.AdamW([])
    with pytest.raises(TypeError, match="only optimize Parameters"):
        optim.AdamW([tinygpt.ones(2)])
    with pytest.raises(ValueError, match="betas"):
        optim.AdamW(pairs()[1], betas=(1.0, 0.9))
    p = pairs()[1][0]
    with pytest.raises(ValueError, match="more than one"):
        optim.SGD([{"params": [p]}, {"params": [p]}])
