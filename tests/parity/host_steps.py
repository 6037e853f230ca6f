"""The host's half of the parity test: trains from given weights on given batches and returns
losses, first gradients and last weights.

Runs wherever the device is (CPython, Pyodide in Node, Pyodide in the page). Standard library and
tinygpt only.
"""

import json


def read(files, preset):
    """The files that `tests.parity.train` wrote into the directory `files`: parameters by name,
    batches, configuration.
    """
    job = json.loads((files / "job.json").read_text())
    weights = (files / "weights.bin").read_bytes()
    batches = (files / "batches.bin").read_bytes()
    assert job["preset"] == preset
    return job, weights, batches


def build(job, weights):
    """The model with the given weights, and its AdamW."""
    import tinygpt
    from tinygpt import optim

    config = tinygpt.PRESETS[job["preset"]].train
    model = tinygpt.GPT(tinygpt.ModelConfig.from_dict(job["model"]))
    own = dict(model.named_parameters())
    at = 0
    for name, shape in job["shapes"]:
        parameter = own.pop(name)
        assert list(parameter.shape) == shape, (name, parameter.shape, shape)
        parameter.copy_bytes_(weights[at : at + parameter.numel() * 4])
        at += parameter.numel() * 4
    assert not own and at == len(weights), sorted(own)
    optimizer = optim.AdamW(
        model.parameter_groups(config.weight_decay), lr=config.lr, betas=(config.beta1, config.beta2), eps=config.eps
    )
    return model, optimizer, config


def train(files, preset, fault=None, compiled=True):
    """{"losses", "gradients" (bytes, in the order of the shapes), "weights"}. fault: a planted
    fault's name (tests.parity.faults).
    """
    import tinygpt

    job, weights, batches = read(files, preset)
    if fault is not None:
        from tests.parity import faults

        planted = faults.plant(fault)
    else:
        planted = None
    try:
        model, optimizer, config = build(job, weights)
        B, T, steps = job["batch_size"], model.config.context, job["steps"]
        size = B * T * 4
        inputs = []
        for i in range(steps):
            x, y = (
                tinygpt.empty(B, T, dtype=tinygpt.int32).copy_bytes_(
                    batches[(2 * i + k) * size : (2 * i + k + 1) * size]
                )
                for k in (0, 1)
            )
            inputs.append((x, y))
        if planted is not None:
            inputs = planted.batches(inputs)
            planted.optimizer(optimizer)

        def step(x, y):
            _, loss = model(x, y)
            optimizer.zero_grad()
            loss.backward()
            if planted is None or not planted.skips_clip:
                tinygpt.clip_grad_norm_(model.parameters(), config.grad_clip)
            optimizer.step()
            return loss

        run = tinygpt.compile(step) if compiled else step
        losses, gradients = [], b""
        for i, (x, y) in enumerate(inputs):
            losses.append(run(x, y).item())
            if i == 0:
                own = dict(model.named_parameters())
                gradients = b"".join(
                    own[name].grad.tobytes() if own[name].grad is not None else bytes(own[name].numel() * 4)
                    for name, _ in job["shapes"]
                )
    finally:
        if planted is not None:
            planted.remove()
    own = dict(model.named_parameters())
    return {
        "losses": losses,
        "gradients": gradients,
        "weights": b"".join(own[name].tobytes() for name, _ in job["shapes"]),
    }
