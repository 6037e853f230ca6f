"""What recomputation of activations saves and what it costs: bytes counted and planned,
milliseconds of a step, the two kinds taking turns.

python3 -m tests.trade --presets large xl huge --hosts native chromium     a table on stdout
"""

import argparse
import statistics

from tests import hosts

ROUNDS, STEPS = 4, 3  # of each kind: rounds, and steps in a row within one

SOURCE = """
import time
from dataclasses import replace
import tinygpt
from tinygpt import optim
from tinygpt.training import memory_estimate
from tinygpt.config import PRESETS
from tinygpt.data import Dataset

preset = PRESETS[%(preset)r]

def step_of(recompute):
    tinygpt.manual_seed(1)
    shape = replace(preset.model, recompute=recompute)
    data = Dataset([(i * 7919 + i // 11) %% 256 for i in range(40 * (shape.context + 1))], None, shape.context)
    model = tinygpt.GPT(shape)
    optimizer = optim.AdamW(model.parameter_groups(preset.train.weight_decay), lr=preset.train.lr)

    @tinygpt.compile
    def step():
        loss = model.loss(*data.batch(preset.train.batch_size))
        optimizer.zero_grad()
        loss.backward()
        tinygpt.clip_grad_norm_(model.parameters(), preset.train.grad_clip)
        optimizer.step()
        return loss

    losses = [step().item() for _ in range(3)]  # recorded, encoded, warm
    counted = memory_estimate.plan(shape, preset.train)
    return step, losses, dict(total=counted.total, planned=step.program.planned_bytes)

kinds = [step_of(False), step_of(True)]
times = [[], []]
for _ in range(%(rounds)d):
    for (step, losses, _), taken in zip(kinds, times):
        for _ in range(%(steps)d):
            started = time.perf_counter()
            losses.append(step().item())
            taken.append((time.perf_counter() - started) * 1e3)
device = tinygpt.get_device()
([facts for _, _, facts in kinds], times, kinds[0][1] == kinds[1][1], device.build, device.threads)
"""


def main():
    parser = argparse.ArgumentParser(description="Measures what recomputation saves and costs.")
    parser.add_argument("--presets", nargs="+", default=["large", "xl", "huge"])
    parser.add_argument("--hosts", nargs="+", default=["native", "chromium"], choices=hosts.DEVICES)
    options = parser.parse_args()
    print(
        "| host, build, threads | preset | activations: kept, recomputed | at most in all "
        "| ms a step: kept | recomputed | longer by |"
    )
    print("|---|---|--:|--:|--:|--:|--:|", flush=True)
    for host in options.hosts:
        for preset in options.presets:
            facts, times, same, build, threads = hosts.value(
                SOURCE % dict(preset=preset, rounds=ROUNDS, steps=STEPS), host
            )
            assert same, "the losses of the two kinds differ at %s on %s" % (preset, host)
            ms = ["%.0f (%.0f to %.0f)" % (statistics.median(t), min(t), max(t)) for t in times]
            kept, again = map(statistics.median, times)
            memory = [" → ".join("%.1f MB" % (f[key] / 1e6) for f in facts) for key in ("planned", "total")]
            print("| %s, %s, %d | %s | %s | %s | %s | %s | %.0f %% |"
                  % (host, build, threads, preset, *memory, *ms, 100 * (again / kept - 1)), flush=True)  # fmt: skip
    hosts.stop()


if __name__ == "__main__":
    main()
