"""Tries configurations for the shipped models and for the page's recommendations: short measured
runs, each with its held-out loss.

    python3 -m tests.demo.explore OUT.json [--only demo|recipes|NAME,...] [--device webgpu --host
    chromium --variant hardware]

A configuration is a line of CONFIGURATIONS: name, the preset it starts from, what it changes in
ModelConfig, in TrainConfig, and how to compute. Nothing is read from here by the product; the
results are in public/models/shakespeare.md.
"""

import argparse
import json
import pathlib
import time

from tests import hosts
from tinygpt.config import PRESETS

TEN_MILLION = {"layers": 6, "d_model": 384, "heads": 6, "context": 256, "bias": False}
MODERN = {"positions": "rotary", "norm": "rms", "mlp": "swiglu", "mlp_ratio": 3}
LONG = {"batch_size": 64, "lr": 1e-3, "min_lr": 1e-4, "schedule": "cosine", "warmup_steps": 100, "beta2": 0.99}


def recipe(preset, steps, lr, dropout=0.0, batch_size=None):
    """A line for the page's recommendations (config.RECIPES); what is not named is the preset's."""
    train = {
        "steps": steps,
        "lr": lr,
        "schedule": "cosine",
        "warmup_steps": 100,
        **({"batch_size": batch_size} if batch_size else {}),
    }
    name = (
        "%s-%d-%g" % (preset, steps, lr)
        + ("-d%g" % dropout if dropout else "")
        + ("-b%d" % batch_size if batch_size else "")
    )
    return (name, preset, {"dropout": dropout} if dropout else {}, train, {})


def demo(name, steps, dropout, options=(), **more):
    train = {**LONG, "min_lr": 1e-5, "steps": steps, **more}
    return (
        "demo-" + name,
        "massive",
        {**TEN_MILLION, "dropout": dropout, **dict(options)},
        train,
        {"precision": "f16_matrix"},
    )


CONFIGURATIONS = [
    demo(
        "plain-5000", 5000, 0.2, min_lr=1e-4
    ),  # the public baby GPT's settings, but for its dropout on attention weights
    demo("modern-4000", 4000, 0.25, MODERN, min_lr=1e-4),
    demo("plain-2000-d3", 2000, 0.3),
    demo("plain-2000-d4", 2000, 0.4),
    demo("plain-2000-d4-wd1", 2000, 0.4, weight_decay=1.0),
    demo("modern-2000-d4", 2000, 0.4, MODERN),
    demo("plain-3000-d5", 3000, 0.5),
    demo("plain-2000-d2", 2000, 0.2),
    demo("plain-2400-d3", 2400, 0.3),
    demo("rotary-2200-d3", 2200, 0.3, {"positions": "rotary"}),
    demo("rotary-2200-d4", 2200, 0.4, {"positions": "rotary"}),
    demo("modern-2200-d5", 2200, 0.5, MODERN),
    demo("plain-3600-d3-b32", 3600, 0.3, batch_size=32, lr=8e-4),
    demo("rotary-2800-d45", 2800, 0.45, {"positions": "rotary"}),
    recipe("tiny", 5000, 3e-3),
    recipe("small", 1000, 3e-3),
    recipe("small", 2000, 3e-3),
    recipe("small", 4000, 3e-3),
    recipe("small", 10000, 3e-3),
    recipe("small", 25000, 1e-3),
    recipe("small", 25000, 3e-3),
    recipe("small", 25000, 6e-3),
    recipe("medium", 1500, 4e-3),
    recipe("medium", 4000, 4e-3),
    recipe("medium", 8000, 1e-3),
    recipe("medium", 8000, 2e-3),
    recipe("medium", 8000, 4e-3),
    recipe("medium", 16000, 4e-3),
    recipe("large", 1400, 3e-3),
    recipe("large", 2800, 1e-3),
    recipe("large", 2800, 2e-3),
    recipe("large", 2800, 4e-3),
    recipe("large", 6000, 3e-3),
    recipe("xl", 1800, 1e-3),
    recipe("xl", 1800, 2e-3),
    recipe("xl", 5000, 2e-3),
    recipe("medium", 16000, 4e-3, dropout=0.05),
    recipe("large", 6000, 3e-3, dropout=0.1, batch_size=24),
    recipe("large", 8000, 3e-3, dropout=0.2, batch_size=32),
    recipe("xl", 4000, 2e-3, dropout=0.2, batch_size=32),
    recipe("huge", 2500, 1e-3, dropout=0.3, batch_size=32),
]


def explore(configuration, **where):
    """The curve of one configuration; see tests/demo/host.py."""
    name, preset, model, train, more = configuration
    chosen = PRESETS[preset]
    arguments = {"model": {**chosen.model.to_dict(), **model}, "train": {**chosen.train.to_dict(), **train}, **more}
    arguments["model"]["kv_heads"] = 0
    started = time.time()
    result = hosts.value("from tests.demo import host\nhost.explore(**%r)" % arguments, **where)
    return {"name": name, **arguments, **result, "wall_s": time.time() - started}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--device", default="webgpu")
    parser.add_argument("--host", default="chromium")
    parser.add_argument("--variant", default="hardware")
    options = parser.parse_args()
    chosen = options.only.split(",")
    results = []
    for configuration in CONFIGURATIONS:
        name = configuration[0]
        kind = "demo" if name.startswith("demo") else "recipes"
        if options.only and name not in chosen and kind not in chosen:
            continue
        result = explore(configuration, host=options.host, device=options.device, variant=options.variant or None)
        results.append(result)
        options.out.write_text(json.dumps(results))
        best = min(result["curve"], key=lambda point: point[2])
        last = result["curve"][-1]
        told = (
            name,
            result["parameters"] / 1e6,
            1e3 * last[3] / last[0],
            best[2],
            best[0],
            last[2],
            last[1],
            result["wall_s"],
        )
        print(
            "%-22s %5.2f M  %6.2f ms a step  best %.4f at step %d, last %.4f (training %.4f)  %.0f s" % told, flush=True
        )


if __name__ == "__main__":
    main()
