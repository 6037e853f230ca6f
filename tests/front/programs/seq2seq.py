"""Sequence to sequence: a GRU encoder over packed names, additive attention, a GRU cell as decoder
with teacher forcing; the task is to spell a name backwards.
"""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

torch.manual_seed(1)
random.seed(1)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

PAD, SOS, EOS = 0, 1, 2
words = open("names.txt", "r").read().splitlines()[:200]
chars = sorted(set("".join(words)))
stoi = {c: i + 3 for i, c in enumerate(chars)}
vocab_size = len(chars) + 3


def encode(word):
    return torch.tensor([stoi[c] for c in word] + [EOS], dtype=torch.long)


class Encoder(nn.Module):
    def __init__(self, vocab, emb_dim, hid_dim, dropout):
        super().__init__()
        self.embedding = nn.Embedding(vocab, emb_dim, padding_idx=PAD)
        self.rnn = nn.GRU(emb_dim, hid_dim, bidirectional=True)
        self.fc = nn.Linear(hid_dim * 2, hid_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, src, src_len):
        embedded = self.dropout(self.embedding(src))
        packed = pack_padded_sequence(embedded, src_len, enforce_sorted=False)
        packed_outputs, hidden = self.rnn(packed)
        outputs, _ = pad_packed_sequence(packed_outputs)
        hidden = torch.tanh(self.fc(torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1)))
        return outputs, hidden


class Attention(nn.Module):
    def __init__(self, hid_dim):
        super().__init__()
        self.attn = nn.Linear(hid_dim * 3, hid_dim)
        self.v = nn.Linear(hid_dim, 1, bias=False)

    def forward(self, hidden, encoder_outputs, mask):
        src_len = encoder_outputs.shape[0]
        hidden = hidden.unsqueeze(1).repeat(1, src_len, 1)
        encoder_outputs = encoder_outputs.permute(1, 0, 2)
        energy = torch.tanh(self.attn(torch.cat((hidden, encoder_outputs), dim=2)))
        attention = self.v(energy).squeeze(2)
        attention = attention.masked_fill(mask == 0, -1e10)
        return F.softmax(attention, dim=1)


class Decoder(nn.Module):
    def __init__(self, vocab, emb_dim, hid_dim, dropout, attention):
        super().__init__()
        self.output_dim = vocab
        self.attention = attention
        self.embedding = nn.Embedding(vocab, emb_dim)
        self.rnn = nn.GRUCell(hid_dim * 2 + emb_dim, hid_dim)
        self.fc_out = nn.Linear(hid_dim * 3 + emb_dim, vocab)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input, hidden, encoder_outputs, mask):
        embedded = self.dropout(self.embedding(input))
        a = self.attention(hidden, encoder_outputs, mask).unsqueeze(1)
        weighted = torch.bmm(a, encoder_outputs.permute(1, 0, 2)).squeeze(1)
        hidden = self.rnn(torch.cat((embedded, weighted), dim=1), hidden)
        prediction = self.fc_out(torch.cat((hidden, weighted, embedded), dim=1))
        return prediction, hidden, a.squeeze(1)


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, src, src_len, trg, teacher_forcing_ratio=0.5):
        trg_len, batch_size = trg.shape
        outputs = torch.zeros(trg_len, batch_size, self.decoder.output_dim).to(device)
        encoder_outputs, hidden = self.encoder(src, src_len)
        input, mask = trg[0, :], (src != PAD).permute(1, 0)
        for t in range(1, trg_len):
            output, hidden, _ = self.decoder(input, hidden, encoder_outputs, mask)
            outputs[t] = output
            teacher_force = random.random() < teacher_forcing_ratio
            input = trg[t] if teacher_force else output.argmax(1)
        return outputs


def init_weights(m):
    for name, param in m.named_parameters():
        if "weight" in name:
            nn.init.normal_(param.data, mean=0, std=0.1)
        else:
            nn.init.constant_(param.data, 0)


def batches(size):
    order = torch.randperm(len(words)).tolist()
    for at in range(0, len(words) - size + 1, size):
        chosen = [words[i] for i in order[at : at + size]]
        src = [encode(w) for w in chosen]
        trg = [torch.cat((torch.tensor([SOS]), encode(w[::-1]))) for w in chosen]
        lengths = torch.tensor([len(s) for s in src])
        yield pad_sequence(src, padding_value=PAD), lengths, pad_sequence(trg, padding_value=PAD)


encoder = Encoder(vocab_size, 16, 24, 0.2)
model = Seq2Seq(encoder, Decoder(vocab_size, 16, 24, 0.2, Attention(24))).to(device)
model.apply(init_weights)
print(f"The model has {sum(p.numel() for p in model.parameters() if p.requires_grad):,} trainable parameters")
print(model)

optimizer = optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.CrossEntropyLoss(ignore_index=PAD)
step = 0
for epoch in range(3):
    model.train()
    for src, src_len, trg in batches(25):
        optimizer.zero_grad()
        output = model(src, src_len, trg)
        loss = criterion(output[1:].view(-1, output.shape[-1]), trg[1:].reshape(-1))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        print(f"{step:3d} | loss {loss.item():.4f} | norm {norm.item():.4f}")
        step += 1

model.eval()
with torch.no_grad():
    src, src_len, trg = next(batches(4))
    output = model(src, src_len, trg, 0)
    print(output[1:].argmax(-1).t())
