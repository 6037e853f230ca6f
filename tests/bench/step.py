"""Times the training step of one preset on one device and host.

    python3 -m tests.bench.step --preset small --device wasm --host chromium --threads 2 --json
    python3 -m tests.bench.step --preset small --device webgpu --variant hardware --precision f16
    python3 -m tests.bench.step --preset small --device torch

The step is the page's: batch, forward, loss, backward, clip, AdamW, and the loss read back. Five
steps and three seconds warm up; the median and spread are of `--steps` steps. python_ms is what a
step spends outside the device's replay.
"""

import argparse
import json
import os
import tempfile

from tests import hosts
from tests.bench import job
from tests.bench.contenders import Contender, PyTorch, summary
from tests.hosts import adapters
from tinygpt.config import PRESETS


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", default="small", choices=PRESETS)
    parser.add_argument("--device", default="native", choices=("native", "wasm", "webgpu", "torch"))
    parser.add_argument("--host", default="native", choices=hosts.DEVICES)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    adapters.add_options(parser)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    configuration = adapters.configuration(parser, options)
    with tempfile.TemporaryDirectory(prefix="tinygpt-job-") as folder:
        if options.device == "torch":
            job.write(options.preset, folder)
            contender = PyTorch(options.threads, folder)
        else:
            contender = Contender(options.device, options.host, options.threads, options.variant, configuration)
        out = summary(options.preset, contender, [contender.times(options.preset, options.steps)])
    if options.json:
        print(json.dumps(out))
    else:
        print(
            "%(preset)s on %(device)s/%(host)s, %(threads)d threads (%(build)s): "
            "median %(median_ms).2f ms (%(min_ms).2f to %(max_ms).2f), %(tokens_per_s).0f tokens/s"
            % out
            + ("" if out["python_ms"] is None else ", Python %(python_ms).3f ms" % out)
        )


if __name__ == "__main__":
    main()
