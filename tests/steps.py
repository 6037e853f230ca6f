"""The training step that several tests look at from different sides: a small GPT, AdamW, windows of
random tokens, clipping.
"""

import tinygpt
from tinygpt import optim
from tinygpt.ops import random

LENGTH, TRAINED = 300, 270  # tokens, and how many of them the windows are drawn from


def made(shape):
    """(model, optimizer, step) of a ModelConfig, all from one seed; step() trains once and gives
    (loss, gradient norm).
    """
    tinygpt.manual_seed(3)
    model = tinygpt.GPT(shape)
    optimizer = optim.AdamW(model.parameter_groups(0.1), lr=1e-2)
    tokens = tinygpt.randint(0, shape.vocab_size, (LENGTH,))

    def step():
        x, y = random.batch_windows(tokens, 5, shape.context, 0, TRAINED)
        _, loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        norm = tinygpt.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss, norm

    return model, optimizer, step
