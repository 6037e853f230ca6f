"""What a GPU does with all of the parts that spare a GPU of one's own: the class, the tuner, the
submits, the memory that is tried, the report.

    python3 -m tests.webgpu.own_gpu --variant hardware-integrated   # or another (adapters.py)

One line a check, and the report; status 1 when a check fails. On a GPU of a data centre it takes
less than two minutes.
"""

import argparse
import sys
import time

from tests import hosts
from tests.hosts import adapters

TRAIN = """
import time
import tinygpt
from tests.webgpu import host_train
from tinygpt.devices.webgpu import tile_choice, tuner
device = tinygpt.get_device()
begun = time.perf_counter()
training = host_train.preset(%(preset)r)
losses = training.losses(2)  # recorded, and loaded: the tuner has had its time
first = time.perf_counter() - begun
spent = tuner.BEFORE_SECONDS - device.tuning_seconds
measured, steps, ms, submits = len(tile_choice.measured), 0, [], []
start = time.perf_counter()
while steps < %(steps)d or (training.run.program._loaded.tuning is not None and time.perf_counter() - start < 40):
    begun, before = time.perf_counter(), host_train.counters()["submits"]
    losses += training.losses(1)
    ms.append((time.perf_counter() - begun) * 1e3)
    submits.append(host_train.counters()["submits"] - before)
    steps += 1
dict(adapter=device.adapter.name, tunes=device.tunes, first=first, spent=spent, before=measured,
     after=len(tile_choice.measured), ms=ms, submits=submits, losses=losses[:10], problem=device.gpu.problem)
"""
NATIVE = "from tests.webgpu import host_train\nhost_train.preset(%r).losses(10)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--variant", required=True, choices=adapters.NAMES)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    failed = []

    def check(holds, text):
        print(("ok    " if holds else "FAILS ") + text, flush=True)
        if not holds:
            failed.append(text)

    def value(source):
        return hosts.value(source, "node", device="webgpu", variant=options.variant)

    seen = value(TRAIN % {"preset": options.preset, "steps": options.steps})
    want = hosts.value(NATIVE % options.preset)
    off = max(abs(a - b) / abs(b) for a, b in zip(seen["losses"], want))
    check(off < 5e-4, "%s: losses of 10 steps agree with the CPU's: %.2g" % (seen["adapter"], off))
    check(seen["problem"] == "", "WebGPU reports nothing: %s" % seen["problem"])
    # A software adapter compiles at the first dispatch, for seconds.
    in_time = seen["spent"] <= 0.3 or not options.variant.startswith("hardware")
    check(in_time, "the tuner took %.0f ms before the first step" % (seen["spent"] * 1e3))
    check(
        not seen["tunes"] or seen["after"] > 0,
        "%d shapes measured before the first step, %d after" % (seen["before"], seen["after"]),
    )
    third = len(seen["ms"]) // 3
    for name, part in (("first", slice(0, third)), ("last", slice(-third, None))):
        ms, submits = sorted(seen["ms"][part]), seen["submits"][part]
        print(
            "      %s %d steps: %.2f ms (median), %d to %d submits a step"
            % (name, third, ms[third // 2], min(submits), max(submits))
        )
    median, most = sorted(seen["ms"][-third:])[third // 2], min(seen["submits"][-third:])
    check(most <= 2 or median > 75, "a short step is one submit (and one for a loss that is read)")
    begun = time.perf_counter()
    print(value("from tinygpt.tools import gpu_report\ngpu_report.write()"))
    print("      the report took %.1f s" % (time.perf_counter() - begun))
    hosts.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
