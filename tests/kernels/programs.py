"""Cases out of the Programs that training and decoding really run: each distinct (kernel, params,
absent buffers, aliases) once.
"""

import array
import functools
import random

import tinygpt
from tests.kernels.cases import make
from tinygpt import kernels, optim
from tinygpt.data import Dataset
from tinygpt.generate import decoder_of, generate

TOKENS = 20_000


@functools.cache
def program_cases(preset):
    """Cases of a preset's training step and, after it, its decoding step, captured on the native
    device.
    """
    tinygpt.set_device("native")
    tinygpt.manual_seed(1)
    settings = tinygpt.PRESETS[preset]
    model, config = tinygpt.GPT(settings.model), settings.train
    tokens = array.array("i", random.Random(1).choices(range(settings.model.vocab_size), k=TOKENS))
    data = Dataset(tokens, context=settings.model.context)
    optimizer = optim.AdamW(
        model.parameter_groups(config.weight_decay), lr=config.lr, betas=(config.beta1, config.beta2)
    )

    @tinygpt.compile
    def step():
        x, y = data.batch(config.batch_size)
        _, loss = model(x, y)
        optimizer.zero_grad()
        loss.backward()
        norm = tinygpt.clip_grad_norm_(model.parameters(), config.grad_clip)
        optimizer.step()
        return loss, norm

    for _ in range(3):  # the first has no gradients and no moments yet: another Program
        step()
    list(generate(model, [1, 2, 3], 3, seed=1))
    launches = [*step.program.launches, *decoder_of(model).step.program.launches]
    return distinct(launches, preset, settings.model)


def distinct(launches, label, config):
    """One case for each kind of launch."""
    cases, seen = [], set()
    for kernel, buffers, params in launches:
        names = [b.name for b in kernel.buffers]
        absent = tuple(name for name, b in zip(names, buffers) if b is None)
        alias = {}
        for i, place in enumerate(buffers):
            for j in range(i):
                if place is not None and names[i] not in alias and _same(place, buffers[j]):
                    alias[names[i]] = names[j]
        key = (kernel.name, tuple(params), absent, tuple(alias.items()))
        if key not in seen:
            seen.add(key)
            fills = fills_for(kernel, kernel.Params(*params), config)
            name = "%s of %s[%d]" % (kernel.name, label, len(cases))
            cases.append(make(name, kernel, params, fills, absent, alias, len(cases)))
    return cases


def _same(a, b):
    return b is not None and a[1] == b[1] and (a[0] is b[0] or a[0] == b[0])


def fills_for(kernel, p, config):
    """What the buffers of a launch may hold: tokens within the vocabulary, positive variances, a
    real optimizer setting.
    """
    fills = {
        "rng": ["values", [42, 0, 7, 0]],
        "rstd": ["positive"],
        "lse": ["positive", 4],
        "position": ["values", [5]],
        "norm": ["values", [1.7]],
        "targets": ["ints", 0, getattr(p, "V", 1)],
        "index": ["ints", 0, getattr(p, "V", 1)],
        "tokens": ["ints", 0, config.vocab_size],
        "settings": ["values", [0.8, 0, 1, 0]],
    }
    if kernel in (kernels.adamw, kernels.sgd):
        ends = [p.n * (i + 1) // p.groups for i in range(p.groups)]
        fills["v"] = ["positive"]
        fills["hyper"] = ["groups", [[end, 3e-4, 0.9, 0.95, 1e-8, 0.1, 0.1, 0.05**0.5] for end in ends]]
    if kernel is kernels.unary and p.op in (kernels.UNARY["log"], kernels.UNARY["sqrt"], kernels.UNARY["rsqrt"]):
        fills["x"] = ["positive"]
    return fills
