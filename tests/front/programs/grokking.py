"""Grokking: a small transformer and an MLP on addition modulo a prime and half of the table."""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F


class DecoderBlock(nn.Module):
    def __init__(self, dim_model, n_heads):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim_model, n_heads)
        self.self_attn_norm = nn.LayerNorm(dim_model)
        self.ffn = nn.Sequential(nn.Linear(dim_model, dim_model * 4), nn.GELU(), nn.Linear(dim_model * 4, dim_model))
        self.ffn_norm = nn.LayerNorm(dim_model)

    def forward(self, x):
        attn_mask = torch.full((len(x), len(x)), -float("Inf"), device=x.device, dtype=x.dtype)
        attn_mask = torch.triu(attn_mask, diagonal=1)
        a1, _ = self.self_attn(x, x, x, attn_mask=attn_mask)
        a1 = self.self_attn_norm(x + a1)
        a2 = self.ffn(a1)
        return self.ffn_norm(a1 + a2)


class Transformer(nn.Module):
    def __init__(self, num_layers, dim_model, num_heads, num_tokens, seq_len):
        super().__init__()
        self.token_embeddings = nn.Embedding(num_tokens, dim_model)
        self.position_embeddings = nn.Embedding(seq_len, dim_model)
        self.model = nn.Sequential(
            *[DecoderBlock(dim_model, num_heads) for _ in range(num_layers)],
            nn.LayerNorm(dim_model),
            nn.Linear(dim_model, num_tokens),
        )

    def forward(self, inputs):
        batch_size, context_len = inputs.shape
        token_embedding = self.token_embeddings(inputs)
        positions = torch.arange(context_len, device=inputs.device).repeat(batch_size, 1)
        embedding = token_embedding + self.position_embeddings(positions)
        return self.model(embedding.permute(1, 0, 2))


class MLP(nn.Module):
    def __init__(self, p, width):
        super().__init__()
        self.embed = nn.Parameter(torch.randn(p, width) / width**0.5)
        self.fc1 = nn.Linear(2 * width, width)
        self.fc2 = nn.Linear(width, p, bias=False)

    def forward(self, x):
        e = self.embed[x[:, [0, 2]]].flatten(1)
        return self.fc2(F.relu(self.fc1(e)))


parser = argparse.ArgumentParser()
parser.add_argument("--model", default="transformer", choices=["transformer", "mlp"])
parser.add_argument("--p", type=int, default=13)
parser.add_argument("--steps", type=int, default=25)
args = parser.parse_args()
torch.manual_seed(0)
p = args.p
a = torch.arange(p)
ab = torch.cartesian_prod(a, a)
x, y = ab.T
eq_token, op_token = p, p + 1
eq = torch.ones_like(x) * eq_token
op = torch.ones_like(x) * op_token
result = (x + y) % p
inputs = torch.stack([x, op, y, eq], dim=1)
perm = torch.randperm(len(inputs))
cut = int(len(inputs) * 0.5)
train_x, train_y = inputs[perm[:cut]], result[perm[:cut]]
val_x, val_y = inputs[perm[cut:]], result[perm[cut:]]
print(train_x.shape, val_x.shape, train_x[:3])
if args.model == "transformer":
    model = Transformer(num_layers=2, dim_model=32, num_heads=4, num_tokens=p + 2, seq_len=4)
    logits_of = lambda x: model(x)[-1]  # noqa: E731
else:
    model = MLP(p, 32)
    logits_of = model
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1.0)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=9)
criterion = torch.nn.CrossEntropyLoss()
for step in range(args.steps):
    model.train()
    batch = torch.randint(0, len(train_x), (64,))
    optimizer.zero_grad()
    output = logits_of(train_x[batch])
    loss = criterion(output, train_y[batch])
    acc = (torch.argmax(output, dim=1) == train_y[batch]).sum() / len(batch)
    loss.backward()
    optimizer.step()
    scheduler.step()
    print(f"{step:3d} loss {loss.item():.5f} acc {acc:.4f} lr {scheduler.get_last_lr()[0]:.2e}")
    if step % 8 == 0:
        model.eval()
        with torch.no_grad():
            output = logits_of(val_x)
            val_loss = F.cross_entropy(output.double(), val_y)
            print("val", val_loss.item(), (output.argmax(-1) == val_y).float().mean().item())
norm = torch.sqrt(sum((q**2).sum() for q in model.parameters()))
print("weight norm", norm.item())
