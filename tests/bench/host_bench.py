"""The host's half of the speed tests: times training steps and generation where the device is. Standard library and tinygpt only."""

import time

ROLL_SECONDS = 0.3  # steps before each timed group: the scheduler spreads the threads over the cores again after a pause
WARM_UP, WARM_UP_SECONDS = 5, 3.0  # the first two steps capture; the rest warm caches, and the engine compiles its last tier beside them


def _parts(preset):
    import tinygpt
    from tinygpt import optim
    from tinygpt.data import Dataset

    chosen = tinygpt.PRESETS[preset]
    config = chosen.train
    tinygpt.manual_seed(config.seed)
    # Any text will do for timing; the ids are spread over the vocabulary.
    data = Dataset([(i * 7919 + i // 11) % 256 for i in range(20 * (chosen.model.context + 1) + 5000)], None, chosen.model.context)
    model = tinygpt.GPT(chosen.model)
    optimizer = optim.AdamW(model.parameter_groups(config.weight_decay), lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps)
    return tinygpt, config, data, model, optimizer


def roll(bench):
    """Untimed steps that bring a bench back to speed after its turn of waiting."""
    start = time.perf_counter()
    while time.perf_counter() - start < ROLL_SECONDS:
        bench.advance()


class StepBench:
    """A training step that can be timed a few times now and a few times later, so that contenders can take turns."""

    def __init__(self, preset):
        tinygpt, self.config, data, model, optimizer = _parts(preset)

        def step():
            x, y = data.batch(self.config.batch_size)
            _, loss = model(x, y)
            optimizer.zero_grad()
            loss.backward()
            tinygpt.clip_grad_norm_(model.parameters(), self.config.grad_clip)
            optimizer.step()
            return loss

        self.step, self.losses = tinygpt.compile(step), []
        self.device = model.tok_emb.weight.device
        start = time.perf_counter()
        while len(self.losses) < WARM_UP or time.perf_counter() - start < WARM_UP_SECONDS:
            self.advance()

    def advance(self):
        """One step, its loss read back; the tensor is still held during the next step, as in any loop that says `loss = step()`."""
        self.loss = self.step()
        self.losses.append(self.loss.item())

    def time(self, steps):
        """{"ms": [per step], "replay_ms": [the device's share], "losses"}; the rest of a step is Python's."""
        roll(self)
        program = self.step.program
        replay = program.run
        spent = []

        def timed():
            t = time.perf_counter()
            replay()
            spent.append((time.perf_counter() - t) * 1e3)

        program.run = timed
        total = []
        try:
            for _ in range(steps):
                t = time.perf_counter()
                self.advance()
                total.append((time.perf_counter() - t) * 1e3)
        finally:
            program.run = replay
        return {
            "ms": total,
            "replay_ms": spent,
            "losses": self.losses,
            "planned_bytes": program.planned_bytes,
            "launches": len(program.launches),
            "threads": self.device.threads,
            "build": self.device.build,
        }


_kept = {}


def step_times(preset, steps, keep=False):
    """Times `steps` steps of a preset; with keep, the bench stays warm for another call."""
    bench = _kept.get(preset) or StepBench(preset)
    if keep:
        _kept[preset] = bench
    return bench.time(steps)


def generation(preset, tokens=200):
    """{"tokens_per_s", "first_token_ms"}: decoding of `tokens` tokens after a prompt of one, within the context."""
    from tinygpt.generate import generate

    _, _, _, model, _ = _parts(preset)
    count = min(tokens, model.config.context - 1)
    list(generate(model, [10], count, seed=1))  # captures the decoding step
    rates, first = [], []
    for i in range(5):
        start = time.perf_counter()
        made = 0
        for _ in generate(model, [10], count, temperature=0.8, seed=i):
            made += 1
            if made == 1:
                first.append((time.perf_counter() - start) * 1e3)
        rates.append(made / (time.perf_counter() - start))
    return {"tokens_per_s": sorted(rates)[2], "min": min(rates), "max": max(rates), "first_token_ms": sorted(first)[2]}
