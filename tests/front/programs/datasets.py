"""Datasets and loaders: map-style, iterable, samplers, splits, padding in a collate function."""

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import (
    BatchSampler, ConcatDataset, DataLoader, Dataset, IterableDataset, RandomSampler, SequentialSampler, Subset,
    TensorDataset, WeightedRandomSampler, random_split,
)  # fmt: skip


class NamesDataset(Dataset):
    def __init__(self, path, transform=None):
        self.names = open(path).read().split()
        self.transform = transform

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        name = self.names[index]
        codes = torch.tensor([ord(c) - 96 for c in name])
        sample = {"codes": codes, "label": int(name[-1] in "aeiouy"), "name": name}
        return self.transform(sample) if self.transform else sample


def collate(batch):
    codes = [sample["codes"] for sample in batch]
    lengths = torch.tensor([len(c) for c in codes])
    labels = torch.tensor([sample["label"] for sample in batch], dtype=torch.float32)
    return pad_sequence(codes, batch_first=True), lengths, labels, [sample["name"] for sample in batch]


class Squares(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        for i in range(self.n):
            yield i, float(i) ** 2


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(27, 8, padding_idx=0)
        self.lstm = nn.LSTM(8, 12, batch_first=True, bidirectional=True)
        self.out = nn.Linear(24, 1)

    def forward(self, codes, lengths):
        packed = pack_padded_sequence(self.embed(codes), lengths, batch_first=True, enforce_sorted=False)
        output, (h, c) = self.lstm(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        return self.out(torch.cat([h[0], h[1]], dim=1)).squeeze(1) + output.mean() * 0


torch.manual_seed(0)
names = NamesDataset("names.txt")
train, valid = random_split(names, [0.8, 0.2], generator=torch.Generator().manual_seed(42))
print(len(names), len(train), len(valid), train.indices[:8])
loader = DataLoader(train, batch_size=16, shuffle=True, collate_fn=collate, drop_last=True)
print(len(loader), type(loader.sampler).__name__, loader.batch_size)
model = Classifier()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(2):
    for codes, lengths, labels, texts in loader:
        loss = criterion(model(codes, lengths), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(epoch, texts[0], tuple(codes.shape), "%.5f" % loss.item())
print(model.embed.weight[0].abs().sum(), model.embed.weight.grad[0].abs().sum())
with torch.no_grad():
    right = sum(
        ((model(codes, lengths) > 0).float() == labels).sum().item()
        for codes, lengths, labels, _ in DataLoader(valid, 10, collate_fn=collate)
    )
print("right", right)
features, targets = torch.arange(12.0).view(6, 2), torch.arange(6)
table = TensorDataset(features, targets)
for x, t in DataLoader(table, batch_size=4):
    print(x, t)
print([b[1].tolist() for b in DataLoader(table, batch_size=2, shuffle=True)])
print(
    [
        b[1].tolist()
        for b in DataLoader(table, sampler=RandomSampler(table, replacement=True, num_samples=5), batch_size=3)
    ]
)
print([b[1].tolist() for b in DataLoader(table, sampler=WeightedRandomSampler([1, 1, 1, 9, 9, 9], 6), batch_size=6)])
print([b[1].tolist() for b in DataLoader(table, batch_sampler=BatchSampler(SequentialSampler(table), 4, False))])
print([b.tolist() for b in DataLoader(Subset(targets, [5, 3, 1]), batch_size=2)])
print([(i.tolist(), s) for i, s in DataLoader(Squares(5), batch_size=2)])
print(len(ConcatDataset([table, table])), ConcatDataset([table, table])[7])
print(next(iter(DataLoader([{"a": 1, "b": [1.0, 2.0]}, {"a": 2, "b": [3.0, 4.0]}], batch_size=2))))
print(next(iter(DataLoader(names, batch_size=None)))["name"], next(iter(DataLoader(range(5), batch_size=5))))
print(torch.utils.data.default_collate([(1, "x", torch.zeros(2)), (2, "y", torch.ones(2))]))
try:
    next(iter(DataLoader(names, batch_size=8)))
except RuntimeError as error:
    print("RuntimeError", str(error)[:40])
