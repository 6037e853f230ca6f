"""Embeddings by comparison: triplet, contrastive, cosine and InfoNCE losses on clusters."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class SiameseNetwork(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(10, 32, bias=False), nn.BatchNorm1d(32), nn.PReLU(), nn.Linear(32, dim), nn.LayerNorm(dim)
        )
        self.temperature = nn.Parameter(torch.tensor(0.07).log())

    def forward(self, *inputs):
        return [F.normalize(self.fc(x), p=2, dim=1) for x in inputs]


def contrastive(a, b, same, margin=1.0):
    distance = F.pairwise_distance(a, b)
    return (same * distance.pow(2) + (1 - same) * torch.clamp(margin - distance, min=0.0).pow(2)).mean()


torch.manual_seed(3)
centres = torch.randn(6, 10) * 2
net = SiameseNetwork()
optimizer = torch.optim.Adam(
    [{"params": net.fc.parameters()}, {"params": [net.temperature], "lr": 1e-2}], lr=3e-3, weight_decay=1e-5
)
triplet = nn.TripletMarginLoss(margin=0.5)
cosine = nn.CosineEmbeddingLoss(margin=0.2)
ranking = nn.MarginRankingLoss(margin=0.1)
for step in range(20):
    kind = torch.randint(0, 6, (32,))
    other = (kind + torch.randint(1, 6, (32,))) % 6
    anchor, positive, negative = (centres[k] + torch.randn(32, 10) for k in (kind, kind, other))
    a, p, n = net(anchor, positive, negative)
    same = torch.randint(0, 2, (32,)).float()
    second = torch.where(same.bool().unsqueeze(1), p, n)
    logits = a @ p.t() / net.temperature.exp()
    target = torch.arange(len(a))
    nce = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    parts = [
        triplet(a, p, n),
        contrastive(a, second, same),
        cosine(a, second, same * 2 - 1),
        ranking(F.cosine_similarity(a, p), F.cosine_similarity(a, n), torch.ones(32)),
        0.1 * nce,
    ]
    loss = sum(parts)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, " ".join(f"{part.item():.4f}" for part in parts), f"{loss:.4f}", net.temperature.item())
net.eval()
with torch.no_grad():
    (emb,) = net(centres)
    sim = emb @ emb.T
    print(sim)
    print(torch.cdist(emb, emb).topk(3, largest=False).indices)
    print(sim.fill_diagonal_(-1).argmax(1), sim.triu(1).abs().max())
