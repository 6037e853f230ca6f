"""Low-rank adapters by hand around a frozen classifier, merged at the end."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class LoRALayer(torch.nn.Module):
    def __init__(self, in_dim, out_dim, rank, alpha):
        super().__init__()
        self.A = torch.nn.Parameter(torch.empty(in_dim, rank))
        torch.nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.B = torch.nn.Parameter(torch.zeros(rank, out_dim))
        self.alpha = alpha
        self.rank = rank

    def forward(self, x):
        return (self.alpha / self.rank) * (x @ self.A @ self.B)


class LinearWithLoRA(torch.nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear = linear
        self.lora = LoRALayer(linear.in_features, linear.out_features, rank, alpha)

    def forward(self, x):
        return self.linear(x) + self.lora(x)


def replace_linear_with_lora(model, rank, alpha):
    for name, module in model.named_children():
        if isinstance(module, torch.nn.Linear):
            setattr(model, name, LinearWithLoRA(module, rank, alpha))
        else:
            replace_linear_with_lora(module, rank, alpha)


torch.manual_seed(123)
model = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Sequential(nn.Linear(32, 32), nn.GELU()), nn.Linear(32, 4))
x = torch.randn(128, 12)
y = (x[:, :4] + 0.3 * torch.randn(128, 4)).argmax(1)
before = model(x[:2]).detach()
total_params = sum(p.numel() for p in model.parameters() if p.requires_grad)
print(f"Total trainable parameters before: {total_params:,}")
for param in model.parameters():
    param.requires_grad = False
print(sum(p.numel() for p in model.parameters() if p.requires_grad))
replace_linear_with_lora(model, rank=4, alpha=8)
total_params = sum(p.numel() for p in model.parameters() if p.requires_grad)
print(f"Total trainable LoRA parameters: {total_params:,}")
print(model)
assert torch.equal(model(x[:2]), before)
for name, param in model.named_parameters():
    print(f"{name}: {param.requires_grad}")
optimizer = torch.optim.AdamW(filter(lambda p: p.requires_grad, model.parameters()), lr=5e-3, weight_decay=0.1)
for step in range(20):
    logits = model(x)
    loss = F.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step:02d} {loss.item():.5f} {(logits.argmax(-1) == y).float().mean():.3f}")
adapters = {k: v for k, v in model.state_dict().items() if "lora" in k}
torch.save(adapters, "adapters.pt")
print(sorted(torch.load("adapters.pt", weights_only=True)))
print(model.load_state_dict(torch.load("adapters.pt"), strict=False))
with torch.no_grad():
    for module in model.modules():
        if isinstance(module, LinearWithLoRA):
            module.linear.weight += (module.lora.alpha / module.lora.rank) * (module.lora.A @ module.lora.B).T
            module.lora.B.zero_()
    print(F.cross_entropy(model(x), y), model[0].linear.weight.grad)
