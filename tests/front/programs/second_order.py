"""Gradients of gradients: MAML on sine waves, a gradient penalty, a Hessian-vector product."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import grad

torch.manual_seed(0)


def net(x, params):
    x = torch.tanh(F.linear(x, params[0], params[1]))
    x = torch.tanh(F.linear(x, params[2], params[3]))
    return F.linear(x, params[4], params[5])


params = [
    torch.randn(16, 1), torch.zeros(16), torch.randn(16, 16) / 4, torch.zeros(16), torch.randn(1, 16) / 4,
    torch.zeros(1),
]  # fmt: skip
params = [p.requires_grad_() for p in params]
opt = torch.optim.Adam(params, lr=1e-2)
for it in range(10):
    opt.zero_grad()
    outer = 0.0
    for task in range(3):
        amplitude, phase = torch.rand(1) * 4 + 1, torch.rand(1) * 3.14
        x = torch.rand(10, 1) * 10 - 5
        y = amplitude * torch.sin(x + phase)
        fast = params
        for _ in range(2):
            loss = F.mse_loss(net(x, fast), y)
            grads = torch.autograd.grad(loss, fast, create_graph=True)
            fast = [p - 0.05 * g for p, g in zip(fast, grads)]
        x = torch.rand(10, 1) * 10 - 5
        outer = outer + F.mse_loss(net(x, fast), amplitude * torch.sin(x + phase))
    outer.backward()
    opt.step()
    print(f"maml {it} {outer.item():.5f}")

critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 16), nn.Softplus(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9))
for step in range(10):
    real, fake = torch.randn(8, 2) + 1, torch.randn(8, 2)
    eps = torch.rand(8, 1).expand_as(real)
    mixed = (eps * real + (1 - eps) * fake).requires_grad_(True)
    score = critic(mixed)
    gradients = grad(
        outputs=score, inputs=mixed, grad_outputs=torch.ones_like(score), create_graph=True, retain_graph=True
    )[0]
    penalty = ((gradients.view(8, -1).norm(2, dim=1) - 1) ** 2).mean()
    loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"critic {step} {loss.item():.5f} {penalty.item():.5f}")

w = torch.randn(4, requires_grad=True)
f = (w.exp() * w.sin()).sum() + w.prod()
(g,) = grad(f, w, create_graph=True)
v = torch.tensor([1.0, 0.0, -1.0, 2.0])
(hv,) = grad(g @ v, w, retain_graph=True)
hessian = torch.stack([grad(g[i], w, retain_graph=True)[0] for i in range(4)])
print(hv, torch.allclose(hessian @ v, hv, atol=1e-5))
print(hessian)
x = torch.tensor(1.5, requires_grad=True)
y = x**4 + torch.log(x)
for order in range(3):
    (y,) = grad(y, x, create_graph=True)
    print(order + 1, y.item())
print(torch.autograd.functional.jacobian(lambda t: t**2 * 3, torch.tensor([1.0, 2.0])))
