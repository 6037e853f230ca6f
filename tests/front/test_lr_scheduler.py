"""Learning rate schedules give PyTorch's rates, momenta, state_dicts, warnings and errors."""

import warnings

import pytest
import torch

import tinygpt.torch.optim.lr_scheduler as schedules
from tinygpt import tensor
from tinygpt.nn import Parameter
from tinygpt.torch import optim

pytestmark = pytest.mark.fast
reference = torch.optim.lr_scheduler


class Growing:
    def __init__(self):
        self.rate = 0.9

    def __call__(self, epoch):
        return self.rate**epoch


# name, how it is made of (module of schedules, optimizer)
MADE = {
    "LambdaLR": lambda m, o: m.LambdaLR(o, lambda e: 0.95**e),
    "LambdaLR by group": lambda m, o: m.LambdaLR(o, [Growing(), lambda e: e / 10]),
    "MultiplicativeLR": lambda m, o: m.MultiplicativeLR(o, lambda e: 0.9),
    "StepLR": lambda m, o: m.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda m, o: m.MultiStepLR(o, [2, 5, 5], 0.3),
    "ConstantLR": lambda m, o: m.ConstantLR(o, 0.25, 4),
    "LinearLR": lambda m, o: m.LinearLR(o, 0.2, 0.8, 6),
    "ExponentialLR": lambda m, o: m.ExponentialLR(o, 0.87),
    "PolynomialLR": lambda m, o: m.PolynomialLR(o, 9, 1.7),
    "CosineAnnealingLR": lambda m, o: m.CosineAnnealingLR(o, 5, 0.01),
    "CosineAnnealingWarmRestarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 3, 2, 0.001),
    "CyclicLR": lambda m, o: m.CyclicLR(o, 0.01, 0.2, 3, 4),
    "CyclicLR triangular2": lambda m, o: m.CyclicLR(o, [0.01, 0.02], 0.2, 2, mode="triangular2"),
    "CyclicLR exp_range": lambda m, o: m.CyclicLR(o, 0.01, 0.2, 2, mode="exp_range", gamma=0.9, cycle_momentum=False),
    "CyclicLR scale_fn": lambda m, o: m.CyclicLR(o, 0.01, 0.2, 2, scale_fn=lambda x: 1 / x, scale_mode="cycle"),
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, 0.3, total_steps=15),
    "OneCycleLR three phases": lambda m, o: m.OneCycleLR(
        o, [0.3, 0.5], epochs=3, steps_per_epoch=5, three_phase=True, anneal_strategy="linear"
    ),
    "ChainedScheduler": lambda m, o: m.ChainedScheduler([m.ConstantLR(o, 0.1, 3), m.ExponentialLR(o, 0.9)]),
    "SequentialLR": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=4), m.CosineAnnealingLR(o, 6), m.StepLR(o, 2)], [4, 9]
    ),
}  # fmt: skip


def pair(kind="SGD"):
    """An optimizer of PyTorch and one of the front, each with two groups."""
    settings = dict(lr=0.1, momentum=0.9) if kind == "SGD" else dict(lr=0.1)
    return [
        getattr(module, kind)([{"params": [parameter([0.0])]}, {"params": [parameter([0.0])], "lr": 0.3}], **settings)
        for module, parameter in (
            (torch.optim, lambda data: torch.nn.Parameter(torch.tensor(data))),
            (optim, lambda data: Parameter(tensor(data))),
        )
    ]


def settings_of(optimizer):
    return [
        {k: v for k, v in group.items() if k in ("lr", "initial_lr", "momentum", "betas", "max_lr", "min_lr")}
        for group in optimizer.param_groups
    ]


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
@pytest.mark.parametrize("name", MADE)
def test_rates_and_state(name, kind):
    theirs, ours = pair(kind)
    want, got = MADE[name](reference, theirs), MADE[name](schedules, ours)
    for _ in range(14):
        assert settings_of(ours) == settings_of(theirs)
        assert got.get_last_lr() == want.get_last_lr()
        assert got.state_dict() == want.state_dict()
        for optimizer, schedule in ((theirs, want), (ours, got)):
            optimizer.step()
            schedule.step()


@pytest.mark.parametrize("name", [name for name in MADE if name not in ("ChainedScheduler", "SequentialLR")])
@pytest.mark.filterwarnings("ignore")
def test_a_named_epoch_and_a_restored_state(name):
    theirs, ours = pair()
    want, got = MADE[name](reference, theirs), MADE[name](schedules, ours)
    for epoch in (4, 2, 7):
        want.step(epoch)
        got.step(epoch)
        assert settings_of(ours) == settings_of(theirs)
    _, other = pair()
    again = MADE[name](schedules, other)
    again.load_state_dict(got.state_dict())
    other.load_state_dict(ours.state_dict())
    again.step()
    got.step()
    assert settings_of(other) == settings_of(ours)


@pytest.mark.parametrize(
    "settings",
    [{}, dict(patience=1), dict(mode="max", threshold_mode="abs", cooldown=2, patience=0), dict(min_lr=[0.05, 0.2])],
)
def test_a_plateau(settings):
    theirs, ours = pair()
    want, got = reference.ReduceLROnPlateau(theirs, **settings), schedules.ReduceLROnPlateau(ours, **settings)
    for value in [3.0, 2.0, 2.0, 2.0, 1.9, 2.5, 2.5, 2.5, 2.5, 0.1] + [0.1] * 12:
        want.step(value)
        got.step(value)
        assert got.get_last_lr() == want.get_last_lr() and got.state_dict() == want.state_dict()


def test_a_rate_that_is_a_tensor_stays_it():
    _, ours = pair("Adam")
    rate = ours.param_groups[0]["lr"] = tensor(0.1)
    schedule = schedules.ExponentialLR(ours, 0.5)
    ours.step()
    schedule.step()
    assert ours.param_groups[0]["lr"] is rate and abs(rate.item() - 0.05) < 1e-7


@pytest.mark.parametrize(
    "call",
    [
        lambda m, o: m.StepLR(None, 3),
        lambda m, o: m.StepLR(o, 3, last_epoch=4),
        lambda m, o: m.LambdaLR(o, [abs]),
        lambda m, o: m.MultiplicativeLR(o, 3),
        lambda m, o: m.ConstantLR(o, 2.0),
        lambda m, o: m.LinearLR(o, 0.0),
        lambda m, o: m.CosineAnnealingWarmRestarts(o, 0),
        lambda m, o: m.OneCycleLR(o, 0.1),
        lambda m, o: m.OneCycleLR(o, 0.1, total_steps=10, pct_start=3),
        lambda m, o: m.CyclicLR(o, [0.1], 0.2),
        lambda m, o: m.SequentialLR(o, [m.StepLR(o, 2)], [3]),
        lambda m, o: m.SequentialLR(o, [m.ReduceLROnPlateau(o)], []),
        lambda m, o: m.ChainedScheduler([]),
        lambda m, o: m.ReduceLROnPlateau(o, "avg"),
        lambda m, o: m.ReduceLROnPlateau(o, factor=1.5),
        lambda m, o: m.LRScheduler(o),
    ],
)
def test_errors(call):
    theirs, ours = pair()
    with pytest.raises(Exception) as want:
        call(reference, theirs)
    with pytest.raises(type(want.value)) as got:
        call(schedules, ours)
    assert str(got.value) == str(want.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, o: m.StepLR(o, 3).step(),
        lambda m, o: m.StepLR(o, 3).get_lr(),
        lambda m, o: (o.step(), m.StepLR(o, 3).step(2)),
        lambda m, o: [s.step() for s in [m.StepLR(o, 3)] for o.step in [print]],
    ],
)
def test_warnings(call):
    said = []
    for module, optimizer in zip((reference, schedules), pair()):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(module, optimizer)
        said.append([(w.category, str(w.message)) for w in caught])
    assert said[0] and said[1] == said[0]
