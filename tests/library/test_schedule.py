"""The learning rate follows PyTorch's schedulers, and the warm-up wastes no step."""

from dataclasses import replace

import pytest
import torch

from tinygpt.config import TrainConfig
from tinygpt.schedule import Scheduler, lr_at

pytestmark = pytest.mark.fast

CONFIG = TrainConfig(steps=40, lr=0.1, min_lr=0.01)


def torch_rates(make):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler = make(optimizer)
    rates = []
    for _ in range(41):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    "schedule, make",
    [
        ("constant", lambda o: torch.optim.lr_scheduler.ConstantLR(o, 1.0)),
        ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=40, eta_min=0.01)),
        ("linear", lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, total_iters=40)),
    ],
)
def test_decays_are_pytorchs(schedule, make):
    config = replace(CONFIG, schedule=schedule)
    assert [lr_at(step, config) for step in range(41)] == pytest.approx(torch_rates(make), rel=1e-12)


def test_warm_up_rises_to_lr_then_the_decay_starts():
    config = replace(CONFIG, schedule="cosine", warmup_steps=4)
    assert [lr_at(step, config) for step in range(5)] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1])
    assert lr_at(40, config) == lr_at(1000, config) == pytest.approx(0.01)
    assert lr_at(3, replace(config, warmup_steps=100)) == pytest.approx(0.004)  # a warm-up longer than the run


def test_the_scheduler_sets_every_group():
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1)]}, {"params": [torch.zeros(1)], "lr_scale": 0.5}], lr=1.0)
    config = replace(CONFIG, schedule="linear", warmup_steps=2)
    scheduler = Scheduler(optimizer, config)
    for step in range(6):
        assert scheduler.get_last_lr() == [lr_at(step, config), lr_at(step, config) * 0.5]
        scheduler.step()
    other = Scheduler(optimizer, config)
    other.load_state_dict(scheduler.state_dict())
    assert other.get_last_lr() == scheduler.get_last_lr() == [lr_at(6, config), lr_at(6, config) * 0.5]
