"""What every implementation in the bench computes: TinyGPT's own starting weights and first batches
of a preset, as files.

`write` fills a folder with job.json ({"preset", "model", "train", "batch_size", "context",
"batches", "shapes": [[name, shape]]}), weights.bin (float32, in the order of shapes) and
batches.bin (int32; x then y of each batch). The losses that TinyGPT's native build makes of them
are what the others are held to.
"""

import json
import pathlib

from tests import hosts
from tinygpt.config import PRESETS

BATCHES = 16  # they come round again
TOLERANCE = 1e-3  # of a loss in the first steps


class Disagreement(SystemExit):
    """An implementation does not compute the same training step: its times would mean nothing."""


def export(preset, batches):
    """{"weights", "batches", "shapes"} on a host: what `benchmark.StepBench` starts from, and what
    it is fed.
    """
    from tinygpt.tools import benchmark

    config, data, model, _ = benchmark.parts(preset)
    named = list(model.named_parameters())
    return {
        "shapes": [[name, list(p.shape)] for name, p in named],
        "weights": b"".join(p.tobytes() for _, p in named),
        "batches": b"".join(half.tobytes() for _ in range(batches) for half in data.batch(config.batch_size)),
    }


def write(preset, folder):
    """Writes the job of a preset; returns the losses of the first steps."""
    made = hosts.value("from tests.bench import job\njob.export(%r, %d)" % (preset, BATCHES), "native")
    chosen = PRESETS[preset]
    about = {
        "preset": preset, "model": chosen.model.to_dict(), "train": chosen.train.to_dict(),
        "batch_size": chosen.train.batch_size,
        "context": chosen.model.context, "batches": BATCHES, "shapes": made["shapes"],
    }  # fmt: skip
    folder = pathlib.Path(folder)
    (folder / "job.json").write_text(json.dumps(about))
    (folder / "weights.bin").write_bytes(made["weights"])
    (folder / "batches.bin").write_bytes(made["batches"])
    return hosts.value("from tinygpt.tools import benchmark\nbenchmark.cold(%r)" % preset, "native")["losses"]


def check(name, preset, losses, wanted):
    """Disagreement where a loss of the first steps is not the one that TinyGPT's native build
    has."""
    for step, (got, expected) in enumerate(zip(losses, wanted)):
        if not abs(got - expected) <= TOLERANCE:
            raise Disagreement(
                "%s does not make the same training step of %s: its loss at step %d is %.6f instead of %.6f "
                "(at most %g apart is allowed)" % (name, preset, step + 1, got, expected, TOLERANCE)
            )
