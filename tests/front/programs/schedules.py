"""Every schedule of the learning rate over 20 steps, on real parameters."""

import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim import lr_scheduler as S

torch.manual_seed(0)
x, y = torch.randn(32, 4), torch.randn(32, 1)
cases = {
    "step": lambda o: S.StepLR(o, 4, 0.5),
    "multistep": lambda o: S.MultiStepLR(o, milestones=[3, 9, 15], gamma=0.1),
    "constant": lambda o: S.ConstantLR(o, factor=0.3, total_iters=4),
    "linear": lambda o: S.LinearLR(o, 0.1, 1.0, total_iters=6),
    "exponential": lambda o: S.ExponentialLR(o, 0.9),
    "polynomial": lambda o: S.PolynomialLR(o, total_iters=10, power=2.0),
    "cosine": lambda o: S.CosineAnnealingLR(o, T_max=7, eta_min=1e-3),
    "restarts": lambda o: S.CosineAnnealingWarmRestarts(o, T_0=4, T_mult=2),
    "lambda": lambda o: S.LambdaLR(o, lambda e: 0.95**e),
    "multiplicative": lambda o: S.MultiplicativeLR(o, lambda e: 0.97),
    "cyclic": lambda o: S.CyclicLR(o, 0.01, 0.1, step_size_up=3, mode="triangular2", cycle_momentum=False),
    "onecycle": lambda o: S.OneCycleLR(o, max_lr=0.2, total_steps=20, pct_start=0.25, anneal_strategy="linear"),
    "chained": lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.5, 4), S.ExponentialLR(o, 0.9)]),
    "sequential": lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.1, total_iters=5), S.CosineAnnealingLR(o, 15)], [5]),
    "plateau": lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=1, threshold=0.05),
}
optimizers = {
    "sgd": lambda p: optim.SGD(p, lr=0.05, momentum=0.8, dampening=0.1),
    "nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.01),
    "adam": lambda p: optim.Adam(p, lr=0.05, weight_decay=0.01),
    "amsgrad": lambda p: optim.Adam(p, lr=0.05, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.05, betas=(0.8, 0.95)),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.01),
    "adadelta": lambda p: optim.Adadelta(p, lr=0.5),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "adamax": lambda p: optim.Adamax(p, lr=0.05),
    "nadam": lambda p: optim.NAdam(p, lr=0.05),
    "radam": lambda p: optim.RAdam(p, lr=0.05),
    "rprop": lambda p: optim.Rprop(p, lr=0.05),
    "asgd": lambda p: optim.ASGD(p, lr=0.05),
    "maximize": lambda p: optim.SGD(p, lr=0.001, maximize=True),
    "adafactor": lambda p: optim.Adafactor(p, lr=0.05),
}
start = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).state_dict()


def fit(make_optimizer, make_scheduler, steps):
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    model.load_state_dict(start)
    optimizer = make_optimizer(model.parameters())
    scheduler = make_scheduler(optimizer) if make_scheduler else None
    rates = []
    for _ in range(steps):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if isinstance(scheduler, S.ReduceLROnPlateau):
            scheduler.step(loss)
        elif scheduler:
            scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return loss.item(), rates, optimizer, scheduler


for name, make in cases.items():
    loss, rates, optimizer, scheduler = fit(lambda p: optim.SGD(p, lr=0.1), make, 20)
    print(name, "%.5f" % loss, " ".join("%.5f" % rate for rate in rates), "%.5f" % scheduler.get_last_lr()[0])
for name, make in optimizers.items():
    if hasattr(optim, "Adafactor") or name != "adafactor":
        loss, _, optimizer, _ = fit(make, None, 8)
        print(name, "%.5f" % loss, sorted(optimizer.state[optimizer.param_groups[0]["params"][0]]))
print(fit(optimizers["adam"], None, 1)[2])
print(fit(optimizers["sgd"], cases["step"], 2)[3].state_dict())
groups = [{"params": [nn.Parameter(torch.ones(2))], "lr": 0.5}, {"params": [nn.Parameter(torch.zeros(1))]}]
optimizer = optim.SGD(groups, lr=0.1)
optimizer.add_param_group({"params": nn.Parameter(torch.ones(1)), "lr": 0.2})
warm = S.LambdaLR(optimizer, [lambda e: e / 4, lambda e: 1.0, lambda e: 0.5**e])
for _ in range(4):
    optimizer.step()
    warm.step()
    print(["%.4f" % group["lr"] for group in optimizer.param_groups], warm.get_last_lr())
