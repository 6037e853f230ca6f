"""The host's half: small training steps on the device, and the bridge's counters. Standard library
and tinygpt only.
"""

import tinygpt
from tinygpt import optim
from tinygpt.data import Dataset


class Training:
    """A model, its optimizer, and `step` as the training loop makes it: batch, forward, backward,
    clip, AdamW. `run` is the compiled step.
    """

    def __init__(self, config, batch, compiled=True):
        tinygpt.manual_seed(3)
        self.config, self.batch = config, batch
        tokens = [(i * 7919 + i // 11) % config.vocab_size for i in range(20 * (config.context + 1) + 3000)]
        self.data = Dataset(tokens, None, config.context)
        self.model = tinygpt.GPT(config)
        self.optimizer = optim.AdamW(self.model.parameter_groups(0.1), lr=1e-2, betas=(0.9, 0.95))
        self.run = tinygpt.compile(self.step) if compiled else self.step

    def step(self):
        x, y = self.data.batch(self.batch)
        _, loss = self.model(x, y)
        self.optimizer.zero_grad()
        loss.backward()
        tinygpt.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss

    def losses(self, steps):
        return [self.run().item() for _ in range(steps)]

    def weights(self):
        return b"".join(p.tobytes() for p in self.model.parameters())


def little(compiled=True, batch=4, **options):
    """A Training of a model that a software adapter steps in milliseconds."""
    chosen = {"vocab_size": 40, "context": 9, "layers": 2, "d_model": 24, "heads": 4, **options}
    return Training(tinygpt.ModelConfig(**chosen), batch, compiled)


def preset(name):
    settings = tinygpt.PRESETS[name]
    return Training(settings.model, settings.train.batch_size)


def counters():
    """The bridge's counters so far: submits, dispatches, mostInFlight, pipelines, reads."""
    return tinygpt.get_device().gpu.counters.to_py()


def counted(function):
    """{counter: how much it rose} while function ran."""
    before = counters()
    function()
    after = counters()
    return {name: after[name] - before[name] for name in after}
