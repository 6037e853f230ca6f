"""A classifier of sequences of many lengths: a bidirectional LSTM over packed sequences, and a
transformer encoder with a padding mask, in training and in evaluation.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_sequence, unpack_sequence
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(42)


class Names(Dataset):
    """Does a name end in a vowel?"""

    def __init__(self, path, count):
        self.names = open(path).read().splitlines()[:count]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        name = self.names[index]
        return torch.tensor([ord(c) - 96 for c in name]), float(name[-1] in "aeiou")


def collate_batch(batch):
    lengths = torch.tensor([len(x) for x, _ in batch])
    labels = torch.tensor([y for _, y in batch])
    return pad_sequence([x for x, _ in batch], batch_first=True), lengths, labels


class LSTMClassifier(nn.Module):
    def __init__(self, vocab_size, embed_dim, rnn_hidden_size, fc_hidden_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=0)
        self.rnn = nn.LSTM(embed_dim, rnn_hidden_size, 2, batch_first=True, bidirectional=True, dropout=0.2)
        self.fc1 = nn.Linear(rnn_hidden_size * 2, fc_hidden_size)
        self.fc2 = nn.Linear(fc_hidden_size, 1)

    def forward(self, text, lengths):
        out = self.embedding(text)
        out = pack_padded_sequence(out, lengths.cpu().numpy(), enforce_sorted=False, batch_first=True)
        out, (hidden, cell) = self.rnn(out)
        out = torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1)
        return self.fc2(torch.relu(self.fc1(out))).squeeze(1)


class TransformerClassifier(nn.Module):
    def __init__(self, vocab_size, d_model):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model, padding_idx=0)
        layer = nn.TransformerEncoderLayer(d_model, nhead=4, dim_feedforward=48, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2, norm=nn.LayerNorm(d_model))
        self.head = nn.Linear(d_model, 1)

    def forward(self, text, lengths):
        padding = torch.arange(text.size(1))[None, :] >= lengths[:, None]
        x = self.encoder(self.embedding(text), src_key_padding_mask=padding)
        x = x.masked_fill(padding.unsqueeze(-1), 0).sum(1) / lengths.unsqueeze(1)
        return self.head(x).squeeze(1)


def train(model, lr, epochs):
    loader = DataLoader(Names("names.txt", 160), batch_size=16, shuffle=True, collate_fn=collate_batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    loss_fn = nn.BCEWithLogitsLoss()
    for epoch in range(epochs):
        model.train()
        for step, (text, lengths, labels) in enumerate(loader):
            optimizer.zero_grad()
            loss = loss_fn(model(text, lengths), labels)
            loss.backward()
            optimizer.step()
            print(f"epoch {epoch} step {step}: {loss.item():.4f}")
        model.eval()
        right = total = 0.0
        with torch.no_grad():
            for text, lengths, labels in loader:
                p = torch.sigmoid(model(text, lengths))
                right += ((p > 0.5).float() == labels).float().sum().item()
                total += F.binary_cross_entropy(p, labels).item()
        print(f"epoch {epoch}: accuracy {right / 160:.3f}, loss {total / len(loader):.4f}")


train(LSTMClassifier(27, 12, 16, 16), 0.01, 2)
train(TransformerClassifier(27, 16), 0.003, 2)

packed = pack_sequence([torch.arange(3), torch.arange(1), torch.arange(2)], enforce_sorted=False)
print(packed.data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
print(unpack_sequence(packed))
