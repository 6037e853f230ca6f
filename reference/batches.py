"""The same batches as in the tab: windows cut at Philox 4x32-10 random numbers (Salmon et al.
2011), in NumPy.

Comes in: a token buffer and a place in a random stream (seed, blocks drawn). Goes out: (x, y) int64
[B, T]. The rule is the kernels' `batch_windows` and the streams are `tinygpt.data.Dataset`'s, so a
seed gives the same training and validation windows there and here.
"""

import numpy as np
import torch

from tinygpt.data import SPLITS, VALIDATION_STREAM, check_split

MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
HIGH_BITS = np.uint64(32)


def philox(seed, counter, blocks):
    """uint64 [blocks, 4], each below 2^32: block j has the counter (counter + j) in words 0 and 1,
    0 in 2 and 3, the seed as key.
    """
    at = np.uint64(counter & (2**64 - 1)) + np.arange(blocks, dtype=np.uint64)
    c0, c1 = at & LOW, at >> HIGH_BITS
    c2, c3 = np.zeros_like(at), np.zeros_like(at)
    k0, k1 = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32 & 0xFFFFFFFF)
    for _ in range(10):
        a, b = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (b >> HIGH_BITS) ^ c1 ^ k0, b & LOW, (a >> HIGH_BITS) ^ c3 ^ k1, a & LOW
        k0, k1 = (k0 + WEYL[0]) & LOW, (k1 + WEYL[1]) & LOW
    return np.stack([c0, c1, c2, c3], axis=1)


def uniform(seed, counter):
    """The number in [0, 1) of word 0 of one block."""
    return int(philox(seed, counter, 1)[0, 0] >> np.uint64(8)) * 2.0**-24


def windows(seed, offset, batch_size, context, low, high):
    """Where `batch_size` windows start: ints in [low, high - context). offset: blocks drawn before;
    ceil(B / 4) are drawn here.
    """
    words = philox(seed, offset, -(-batch_size // 4)).reshape(-1)[:batch_size]
    return [int(start) for start in np.uint64(low) + (words * np.uint64(high - low - context) >> HIGH_BITS)]


class Batches:
    """Training and validation batches of one text, each split from its own random stream.

    tokens: ids of the corpus (bytes are their own ids). rank, world: of every batch this process
    takes its share, the rows [rank * B / world, (rank + 1) * B / world).
    """

    def __init__(self, tokens, context, seed, device="cpu", rank=0, world=1):
        ids = np.frombuffer(tokens, np.uint8) if isinstance(tokens, bytes) else np.asarray(tokens)
        self.tokens = torch.from_numpy(ids.astype(np.int32)).to(device)
        self.context, self.rank, self.world = context, rank, world
        self.splits = check_split(len(self.tokens), context)
        seeds = {"train": seed, "validation": seed + VALIDATION_STREAM}
        self.streams = {name: {"seed": value & (2**64 - 1), "offset": 0} for name, value in seeds.items()}

    def batch(self, batch_size, split="train"):
        """(x, y) int64 [batch_size / world, context]. ValueError where the batch cannot be shared
        out evenly.
        """
        if batch_size % self.world:
            raise ValueError(
                "a batch of %d cannot be shared by %d processes; choose a multiple" % (batch_size, self.world)
            )
        stream, (low, high) = self.streams[SPLITS[split]], self.splits[SPLITS[split]]
        starts = windows(stream["seed"], stream["offset"], batch_size, self.context, low, high)
        stream["offset"] += -(-batch_size // 4)
        share = batch_size // self.world
        starts = torch.tensor(starts[self.rank * share : (self.rank + 1) * share], device=self.tokens.device)
        index = starts[:, None] + torch.arange(self.context + 1, device=self.tokens.device)
        chunk = self.tokens[index].long()
        return chunk[:, :-1].contiguous(), chunk[:, 1:].contiguous()

    def get_state(self):
        return {name: dict(stream) for name, stream in self.streams.items()}

    def set_state(self, values):
        self.streams = {name: dict(values[name]) for name in self.streams}
