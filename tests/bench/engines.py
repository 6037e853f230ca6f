"""Firefox and WebKit beside Chromium: a training step on the CPU in each engine, with and without
relaxed SIMD, the engines taking turns.

    python3 -m tests.bench.engines [--presets tiny,small,medium,large] [--threads 2] [--turns 5]

Prints the fastest step of each, and how many times Chromium's it is; `make bench` puts the same
columns into its table. `bash tests/engines/install.sh` installs the browsers. Only a quiet machine
gives numbers that mean something: the load is printed first and last.
"""

import argparse
import os
import tempfile

from tests import hosts
from tests.bench import report
from tests.bench.contenders import Contender

ENGINES = ("firefox", "webkit")
PRESETS = "tiny,small,medium,large"


def field(threads):
    """([contender], [(contender, why it is missing)]): what `make bench` has of the engines, and
    Chromium without relaxed SIMD.
    """
    present, absent = [Contender("wasm", "chromium", threads, "simd-mt")], []
    for engine in ENGINES:
        relaxed = [Contender("wasm", engine, n) for n in dict.fromkeys((threads, 1))]
        try:
            build = hosts.value("import tinygpt\ntinygpt.get_device().build", engine)
        except hosts.HostError as error:
            absent += [(c, str(error).strip().split("\n")[0]) for c in relaxed]
            continue
        if "relaxed" in build:
            present += [*relaxed, Contender("wasm", engine, threads, "simd-mt")]
        else:
            present += [Contender("wasm", engine, c.threads, plain=True) for c in relaxed]
            absent += [(c, "the engine has no relaxed SIMD") for c in relaxed]
    return present, absent


def close(contenders):
    """Ends the engines' browsers; returns the contenders that are left: none."""
    for c in contenders:
        hosts.stop(c.host, c.variant)
    return []


def version(engine):
    """The number of the engine's version."""
    mark = {"firefox": "Firefox/", "webkit": "Version/", "chromium": "Chrome/"}[engine]
    agent = hosts.script("() => navigator.userAgent", host=engine)
    return agent.partition(mark)[2].split(" ")[0]


def main():
    from tests.bench.__main__ import measure

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--presets", default=PRESETS)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--turns", type=int, default=5, help="of each engine at a preset, of 3 steps")
    options = parser.parse_args()
    print("load before: %s" % (os.getloadavg(),))
    others, absent = field(options.threads)
    contenders = [Contender("wasm", "chromium", n) for n in dict.fromkeys((options.threads, 1))] + others
    rows, presets = [], options.presets.split(",")
    with tempfile.TemporaryDirectory(prefix="tinygpt-job-") as folder:
        for preset in presets:
            rows += measure(preset, contenders, folder, lambda text: print(text, flush=True), options.turns)
    print("\n".join(report.by_engine({(r["preset"], report.key(r)): r for r in rows}, presets)))
    for c, why in absent:
        print("- %s: %s" % (c.name, why))
    print("load after: %s" % (os.getloadavg(),))


if __name__ == "__main__":
    main()
