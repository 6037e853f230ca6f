"""Makes public/models out of what tests.demo.train wrote: the files, models.json for the page's
gallery, and the Shakespeare model's card.

    python3 -m tests.demo.ship --shakespeare DIR --stdlib DIR [--explored explore.json ...] [--gpu
    gpu.json]

The files are int8 with fewer levels than a byte holds, compressed (reference/quantize.py): 31 for
the models that are to write well, 10 for the early stages of one. Every loss in the card is
measured here, from the file, over the whole validation split, in PyTorch; `python3 -m
tests.demo.check` measures the shipped model on every device, and its numbers go into the card
(card.py) too. Where this machine has no GPU, gpu.json is what `tests.demo.check --page` printed on
one that has.
"""

import argparse
import json
import pathlib

from tests.demo import card, check
from tests.hosts import ROOT
from tinygpt.config import TrainConfig
from tinygpt.core.tensor import numel_of

MODELS = ROOT / "public" / "models"
LEVELS, LEVELS_OF_STAGES = 31, 10
TEMPERATURE, SAMPLES, SAMPLE_TOKENS = 0.8, 10, 300
LICENCE = {"shakespeare": "MIT (text: public domain)", "stdlib": "MIT (text: PSF-2.0)"}
PROMPTS = {"shakespeare": "\n", "stdlib": "def "}  # code after a line end is mostly spaces
TITLES = {"shakespeare": "Shakespeare", "stdlib": "Python's standard library"}


def pack(path, plan, levels):
    """The shipped bytes of a downloaded checkpoint. plan: what TrainConfig was, which the page
    cannot know where code overrides it.
    """
    from reference import quantize
    from tinygpt import checkpoint

    saved = checkpoint.loads(bytearray(checkpoint.read_file(path)))
    saved.train_config = TrainConfig.from_dict({**TrainConfig().to_dict(), **plan})
    saved.random = saved.data = None
    return quantize.pack(saved, levels), saved


def write(name, path, plan, levels, corpus, title):
    """Writes one file into public/models; its entry in models.json."""
    from reference import evaluate

    data, saved = pack(path, plan, levels)
    file = MODELS / ("%s.tinygpt.gz" % name)
    file.write_bytes(data)
    entry = {
        "name": name, "title": title, "file": file.name, "bytes": len(data), "corpus": corpus, "step": saved.step,
        "parameters": sum(numel_of(view.shape) for view in saved.model.values()),
        "val_loss": round(evaluate.measure(file, corpus, say=lambda note: None), 4),
        "licence": LICENCE[corpus],
        "sample": check.text_of(file, seed=1, tokens=160, temperature=TEMPERATURE, prompt=PROMPTS[corpus]),
    }  # fmt: skip
    print("%s: %.1f MB, loss %.4f" % (name, len(data) / 1e6, entry["val_loss"]), flush=True)
    return entry


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shakespeare", type=pathlib.Path, required=True)
    parser.add_argument("--stdlib", type=pathlib.Path, required=True)
    parser.add_argument("--explored", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--gpu", type=pathlib.Path)
    options = parser.parse_args()
    MODELS.mkdir(exist_ok=True)
    from reference import evaluate

    about = json.loads((options.shakespeare / "run.json").read_text())
    code = json.loads((options.stdlib / "run.json").read_text())
    best = options.shakespeare / "best.tinygpt"
    title = TITLES["shakespeare"]
    entries = {
        "shakespeare": write("shakespeare", best, about["recipe"]["plan"], LEVELS, "shakespeare", title),
    }
    for step in about["recipe"]["snapshots"]:
        found = next(options.shakespeare / (name % step) for name in ("step-%d.tinygpt", "step-%d.tinygpt.gz")
                     if (options.shakespeare / (name % step)).exists())  # fmt: skip
        name = "shakespeare-%d" % step
        title = f"Shakespeare after {step:,} steps"
        entries[name] = write(name, found, about["recipe"]["plan"], LEVELS_OF_STAGES, "shakespeare", title)
    entries["stdlib"] = write(
        "stdlib", options.stdlib / "best.tinygpt", code["recipe"]["plan"], LEVELS, "stdlib", TITLES["stdlib"]
    )
    (MODELS / "models.json").write_text(json.dumps(list(entries.values()), indent=1) + "\n")
    unquantized = evaluate.measure(options.shakespeare / "best.tinygpt", say=lambda note: None)
    shipped = MODELS / entries["shakespeare"]["file"]
    samples = [
        check.text_of(shipped, seed=seed, tokens=SAMPLE_TOKENS, temperature=TEMPERATURE)
        for seed in range(1, SAMPLES + 1)
    ]
    measured = check.measure()
    if options.gpu:
        measured["gpu"] = json.loads(options.gpu.read_text())
        measured["val_loss"]["page on webgpu"] = measured["gpu"]["val_loss"]
    explored = [result for path in options.explored for result in json.loads(path.read_text())]
    text = card.card(about, entries, measured, unquantized, samples, explored, (LEVELS, LEVELS_OF_STAGES), TEMPERATURE)
    (MODELS / "shakespeare.md").write_text(text)
    print("public/models: %.1f MB in all" % (sum(path.stat().st_size for path in MODELS.iterdir()) / 1e6))


if __name__ == "__main__":
    main()
