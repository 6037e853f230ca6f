"""Rotary positions by complex numbers."""

import torch


def precompute_freqs_cis(dim, end, theta=10000.0):
    freqs = 1.0 / (theta ** (torch.arange(0, dim, 2)[: (dim // 2)].float() / dim))
    freqs = torch.outer(torch.arange(end), freqs)
    return torch.polar(torch.ones_like(freqs), freqs)


xq = torch.randn(2, 8, 4, 16)
xq_ = torch.view_as_complex(xq.float().reshape(*xq.shape[:-1], -1, 2))
freqs_cis = precompute_freqs_cis(16, 8)
print(torch.view_as_real(xq_ * freqs_cis.view(1, 8, 1, 8)).flatten(3))
