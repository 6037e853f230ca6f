"""A character model three ways: nn.RNN with its state carried from chunk to chunk, an LSTMCell in
a loop, and attention heads written out with nn.MultiheadAttention; then samples of each.
"""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(7)
text = open("input.txt").read()[:6000]
vocab = sorted(set(text))
encode = {c: i for i, c in enumerate(vocab)}
data = torch.tensor([encode[c] for c in text])
seq_length, batch_size, hidden_size = 12, 4, 32


class CharRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(vocab), 16)
        self.rnn = nn.RNN(16, hidden_size, num_layers=2, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(hidden_size, len(vocab))

    def forward(self, x, state=None):
        y, state = self.rnn(self.embed(x), state)
        return self.out(y), state


class CellModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(vocab), 16)
        self.cell = nn.LSTMCell(16, hidden_size)
        self.out = nn.Linear(hidden_size, len(vocab))

    def forward(self, x, state=None):
        if state is None:
            state = (x.new_zeros(x.size(0), hidden_size, dtype=torch.float), torch.zeros(x.size(0), hidden_size))
        outputs = []
        for t in range(x.size(1)):
            state = self.cell(self.embed(x[:, t]), state)
            outputs.append(state[0])
        return self.out(torch.stack(outputs, dim=1)), state


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(vocab), hidden_size)
        self.position = nn.Parameter(torch.randn(64, hidden_size) * 0.02)
        self.attention = nn.MultiheadAttention(hidden_size, 4, dropout=0.1, batch_first=True)
        self.norm = nn.LayerNorm(hidden_size)
        self.out = nn.Linear(hidden_size, len(vocab))

    def forward(self, x, state=None):
        T = x.size(1)
        h = self.embed(x) + self.position[:T]
        mask = torch.triu(torch.ones(T, T, dtype=torch.bool), diagonal=1)
        a, weights = self.attention(h, h, h, attn_mask=mask)
        self.entropy = -(weights * (weights + 1e-9).log()).sum(-1).mean().item()
        return self.out(self.norm(h + a)), None


def detached(state):
    if state is None:
        return None
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


for model in (CharRNN(), CellModel(), Attentive()):
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
    columns = data[: len(data) // batch_size * batch_size].view(batch_size, -1)
    state = None
    model.train()
    for step in range(20):
        x = columns[:, step * seq_length : (step + 1) * seq_length]
        y = columns[:, step * seq_length + 1 : (step + 1) * seq_length + 1]
        logits, state = model(x, detached(state))
        loss = F.cross_entropy(logits.transpose(1, 2), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimizer.step()
        print(type(model).__name__, step, f"{loss.item():.4f}", f"{getattr(model, 'entropy', 0):.4f}")
    model.eval()
    with torch.no_grad():
        seen, state = data[:8].unsqueeze(0), None
        for _ in range(24):
            logits, state = model(seen[:, -32:] if isinstance(model, Attentive) else seen[:, -1:], state)
            probs = F.softmax(logits[:, -1] / 0.8, dim=-1)
            seen = torch.cat([seen, torch.multinomial(probs, 1)], dim=1)
    print(repr("".join(vocab[i] for i in seen[0].tolist())))
