"""State dicts: saved, loaded, resumed to the same losses, partly loaded, copied, averaged."""

import copy
import io
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F


def seed_everything(seed):
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def make():
    model = nn.Sequential()
    model.add_module("fc1", nn.Linear(6, 12))
    model.add_module("norm", nn.BatchNorm1d(12))
    model.add_module("act", nn.ReLU())
    model.add_module("fc2", nn.Linear(12, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
    return model, optimizer, scheduler


def train(model, optimizer, scheduler, steps, losses):
    model.train()
    for _ in range(steps):
        index = torch.randint(0, 60, (12,))
        loss = F.cross_entropy(model(x[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(round(loss.item(), 5))


seed_everything(0)
x, y = torch.randn(60, 6), torch.randint(0, 3, (60,))
model, optimizer, scheduler = make()
losses = []
train(model, optimizer, scheduler, 10, losses)
path = os.path.join(tempfile.mkdtemp(), "checkpoint.pt")
torch.save(
    {
        "epoch": 10,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "rng": torch.get_rng_state(),
        "losses": losses,
    },
    path,
)
train(model, optimizer, scheduler, 10, losses)
print(losses)
checkpoint = torch.load(path, weights_only=True)
again, optimizer2, scheduler2 = make()
print(again.load_state_dict(checkpoint["model_state_dict"]))
optimizer2.load_state_dict(checkpoint["optimizer_state_dict"])
scheduler2.load_state_dict(checkpoint["scheduler"])
torch.set_rng_state(checkpoint["rng"])
resumed = list(checkpoint["losses"])
train(again, optimizer2, scheduler2, 10, resumed)
print(resumed == losses, optimizer2.param_groups[0]["lr"], scheduler2.last_epoch)
for name, tensor in model.state_dict().items():
    print(name, "\t", tensor.size(), tensor.dtype, torch.equal(tensor, again.state_dict()[name]))
state = optimizer.state_dict()
print(state.keys(), state["param_groups"], sorted(state["state"]), state["state"][0].keys())
buffer = io.BytesIO()
torch.save(model.state_dict(), buffer)
buffer.seek(0)
loaded = torch.load(buffer, map_location=torch.device("cpu"))
print(type(loaded).__name__, list(loaded))
bigger = nn.Sequential()
bigger.add_module("fc1", nn.Linear(6, 12))
bigger.add_module("extra", nn.Linear(12, 12, bias=False))
print(bigger.load_state_dict(loaded, strict=False))
try:
    bigger.load_state_dict(loaded)
except RuntimeError as error:
    print(error)
try:
    nn.Linear(5, 12).load_state_dict({"weight": loaded["fc1.weight"], "bias": loaded["fc1.bias"]})
except RuntimeError as error:
    print(error)
ema = copy.deepcopy(model)
with torch.no_grad():
    for slow, fast in zip(ema.parameters(), again.parameters()):
        slow.mul_(0.9).add_(fast * 2, alpha=0.1)
print(ema.fc1.weight[0], ema.fc1.weight.requires_grad, ema.norm.num_batches_tracked)
swa = torch.optim.swa_utils.AveragedModel(model)
swa.update_parameters(model)
print(swa.n_averaged, torch.equal(swa.module.fc2.weight, model.fc2.weight))
torch.save([torch.arange(3), {"a": (1, 2.5, "x", None, True)}, torch.ones(2, dtype=torch.float16)], path)
print(torch.load(path))
torch.save(x[:2, ::2].t(), path)
print(torch.load(path).stride(), torch.equal(torch.load(path), x[:2, ::2].t()))
model.eval()
with torch.no_grad():
    print(model(x[:2]), model(x[:1]).argmax(-1).item())
