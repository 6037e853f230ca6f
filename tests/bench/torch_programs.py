"""Five models as plain PyTorch programs, the same source under PyTorch and under TinyGPT's
`import torch`: what tests/bench/torch_models.py times.

Each class below is a program: it makes its model, data and optimizer, and `step()` is one training
step as its lecture or example writes it, with the loss read. compiled: the model goes through
`torch.compile`, the loop around it stays plain.
"""

import math
import time

import torch
import torch.nn.functional as F
from torch import nn


class Program:
    """model, optimizer and step(); compiled: whether torch.compile has the model."""

    def __init__(self, compiled=False):
        torch.manual_seed(1337)
        self.build()
        self.called = torch.compile(self.model) if compiled else self.model

    def update(self, loss):
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()


class CharacterMLP(nn.Module):
    """Bengio et al. 2003: the last three characters, embedded and concatenated."""

    def __init__(self, vocab, width, hidden):
        super().__init__()
        self.wte = nn.Embedding(vocab, width)
        self.mlp = nn.Sequential(nn.Linear(3 * width, hidden), nn.Tanh(), nn.Linear(hidden, vocab))

    def forward(self, x, y):
        logits = self.mlp(self.wte(x).view(x.size(0), -1))
        return F.cross_entropy(logits, y)


class MakemoreMLP(Program):
    """27 characters, 10 numbers each, 200 hidden units, batches of 32."""

    def build(self):
        self.x, self.y = torch.randint(0, 27, (4096, 3)), torch.randint(0, 27, (4096,))
        self.model = CharacterMLP(27, 10, 200)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def step(self):
        ix = torch.randint(0, self.x.shape[0], (32,))
        return self.update(self.called(self.x[ix], self.y[ix]))


class MnistMLP(Program):
    """784-128-10, batches of 64, Adam."""

    def build(self):
        self.x, self.y = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)

    def step(self):
        return self.update(F.cross_entropy(self.called(self.x), self.y))


class WordModel(nn.Module):
    """The word language model: embedding, two layers of LSTM, decoder."""

    def __init__(self, vocab, width, layers):
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.encoder = nn.Embedding(vocab, width)
        self.rnn = nn.LSTM(width, width, layers, dropout=0.2)
        self.decoder = nn.Linear(width, vocab)

    def forward(self, x, hidden):
        output, hidden = self.rnn(self.drop(self.encoder(x)), hidden)
        decoded = self.decoder(self.drop(output))
        return F.log_softmax(decoded.view(-1, decoded.size(-1)), dim=1), hidden


class WordLSTM(Program):
    """1,000 words, 200 wide, 2 layers, 35 steps, batches of 20; clipping and SGD by hand."""

    def build(self):
        self.data = torch.randint(0, 1000, (36, 20))
        self.model = WordModel(1000, 200, 2)
        self.hidden = (torch.zeros(2, 20, 200), torch.zeros(2, 20, 200))

    def step(self):
        self.model.zero_grad()
        self.hidden = tuple(h.detach() for h in self.hidden)
        output, self.hidden = self.called(self.data[:-1], self.hidden)
        loss = F.nll_loss(output, self.data[1:].view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.25)
        for p in self.model.parameters():
            p.data.add_(p.grad, alpha=-1.0)
        return loss.item()


class NewGELU(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))))


class CausalSelfAttention(nn.Module):
    def __init__(self, width, heads, block):
        super().__init__()
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.register_buffer("bias", torch.tril(torch.ones(block, block)).view(1, 1, block, block))
        self.n_head, self.n_embd = heads, width

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
        k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
        att = F.softmax(att, dim=-1)
        y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
        return self.c_proj(y)


class Block(nn.Module):
    def __init__(self, width, heads, block):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), CausalSelfAttention(width, heads, block)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), NewGELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class CharacterTransformer(nn.Module):
    def __init__(self, vocab, width, layers, heads, block):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, width), nn.Embedding(block, width)
        self.h = nn.ModuleList([Block(width, heads, block) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocab, bias=False)

    def forward(self, idx, targets):
        pos = torch.arange(0, idx.size(1), dtype=torch.long).unsqueeze(0)
        x = self.wte(idx) + self.wpe(pos)
        for block in self.h:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)


class MakemoreTransformer(Program):
    """4 layers, 64 wide, 4 heads, 16 characters, batches of 32, AdamW."""

    def build(self):
        self.x, self.y = torch.randint(0, 27, (32, 16)), torch.randint(0, 27, (32, 16))
        self.model = CharacterTransformer(27, 64, 4, 4, 16)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=5e-4, weight_decay=0.01, betas=(0.9, 0.99), eps=1e-8
        )

    def step(self):
        return self.update(self.called(self.x, self.y))


class Net(nn.Module):
    """The MNIST example's network."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1), nn.Conv2d(32, 64, 3, 1)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = torch.flatten(self.dropout1(F.max_pool2d(x, 2)), 1)
        x = self.dropout2(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


class MnistCNN(Program):
    """Two convolutions, pooling, dropout, two linear layers, batches of 64, Adadelta."""

    def build(self):
        self.x, self.y = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
        self.model = Net()
        self.optimizer = torch.optim.Adadelta(self.model.parameters(), lr=1.0)

    def step(self):
        return self.update(F.nll_loss(self.called(self.x), self.y))


class AttentionBlock(Program):
    """nn.TransformerEncoderLayer, 256 wide, 4 heads, 1,024 hidden, 8 sequences of 128, AdamW."""

    def build(self):
        self.x, self.y = torch.randn(8, 128, 256), torch.randn(8, 128, 256)
        self.model = nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)

    def step(self):
        return self.update(F.mse_loss(self.called(self.x), self.y))


PROGRAMS = {
    "mlp": MakemoreMLP,
    "mnist-mlp": MnistMLP,
    "lstm": WordLSTM,
    "transformer": MakemoreTransformer,
    "cnn": MnistCNN,
    "attention": AttentionBlock,
}
FIRST = 3  # losses that are compared

_kept = {}


def times(name, threads, compiled, seconds):
    """{"ms": of each step for `seconds`, "cpu_ms": of the process meanwhile, "losses": the first
    ones}; a first call warms up.
    """
    torch.set_num_threads(threads)
    key = name, compiled
    if key not in _kept:
        program = PROGRAMS[name](compiled)
        _kept[key] = program, [program.step() for _ in range(FIRST)]
    program, losses = _kept[key]
    clock = time.perf_counter
    begun = clock()
    while clock() - begun < 0.3 * seconds:  # after a pause threads are spread over the cores again
        program.step()
    ms, cpu_ms, begun = [], [], clock()
    while not ms or clock() - begun < seconds:
        start, start_cpu = clock(), time.process_time()
        program.step()
        ms.append((clock() - start) * 1e3)
        cpu_ms.append((time.process_time() - start_cpu) * 1e3)
    return {"ms": ms, "cpu_ms": cpu_ms, "losses": losses}
