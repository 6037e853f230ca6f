"""In the tab: one measured training run of a configuration that is tried out for the shipped models
(tests/demo/explore.py).

Standard library and tinygpt only.
"""

import time


def explore(model, train, precision=None, corpus="shakespeare", seconds=None, evaluations=20):
    """Trains ModelConfig(**model) by TrainConfig(**train); {"curve": [[step, training loss,
    held-out loss, seconds]], "parameters", ...}.

    seconds: an end before the last step. The losses of training are means since the point before.
    """
    import tinygpt
    from tinygpt import optim, schedule
    from tinygpt.config import ModelConfig, TrainConfig
    from tinygpt.core.async_reads import PendingReads
    from tinygpt.data import Dataset, find_corpus
    from tinygpt.training.evaluation import held_out_loss

    device = tinygpt.get_device()
    if precision is not None:
        device.configure(precision=precision)
    shape, config = ModelConfig(**model), TrainConfig(**train)
    tinygpt.manual_seed(config.seed)
    data = Dataset(find_corpus(corpus, say=lambda note: None), None, shape.context)
    gpt = tinygpt.GPT(shape)
    optimizer = optim.AdamW(
        gpt.parameter_groups(config.weight_decay), lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps
    )

    @tinygpt.compile
    def step():
        x, y = data.batch(config.batch_size)
        _, loss = gpt(x, y)
        optimizer.zero_grad()
        loss.backward()
        tinygpt.clip_grad_norm_(gpt.parameters(), config.grad_clip or float("inf"))
        optimizer.step()
        return loss

    reads, losses, curve = PendingReads(2), [], []
    interval = max(1, config.steps // evaluations)
    started, spent = time.perf_counter(), 0.0
    for i in range(config.steps):
        schedule.apply(optimizer, i, config)
        losses += [value for _, value in reads.push(step(), None)]
        last = i == config.steps - 1 or (seconds is not None and time.perf_counter() - started - spent > seconds)
        if (i + 1) % interval == 0 or last:
            losses += [value for _, value in reads.drain()]
            begun = time.perf_counter()
            curve.append([i + 1, sum(losses) / len(losses), held_out_loss(gpt, data), begun - started - spent])
            spent += time.perf_counter() - begun
            losses = []
        if last:
            break
    program = step.program
    return {
        "curve": curve,
        "parameters": gpt.num_parameters(),
        "planned_bytes": program.planned_bytes,
        "device": device.build,
    }
