"""What the machine can do at most, measured where a device runs: multiply-adds in registers, and
bytes at several working sets.

In the browser and in Node by the same WebAssembly probe as on the Speed page (app/bridges/peak.js);
natively by probe.c.
"""

import atexit
import functools
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

from tests import hosts

SCRIPT = "async (options) => (await import(new URL('app/bridges/peak.js', document.baseURI))).measurePeaks(options)"


def measure(host, threads, variant=None):
    """{"threads", "simd", "gflop_s", "bandwidth": [{"bytes", "gb_s"}]} of `threads` threads
    together. variant: a build of the extension.
    """
    relaxed = {"relaxed-mt": True, "paired-mt": True, "simd-mt": False, "simd-st": False}.get(variant)
    if host in hosts.BROWSERS:
        request = {"threads": threads} | ({} if relaxed is None else {"relaxed": relaxed})
        return hosts.script(SCRIPT, request, variant, host=host)
    if host == "node":
        simd = [] if relaxed is None else ["relaxed" if relaxed else "strict"]
        return _output(
            [str(hosts.NODE), *hosts.NODE_FLAGS.get(variant, ()), "tests/bench/peaks.mjs", str(threads), *simd]
        )
    return _output([str(_native_probe()), str(threads), *map(str, working_sets())])


def working_sets():
    """The bytes that one thread of the probes goes through, as app/bridges/probe.js says."""
    text = (hosts.ROOT / "app" / "bridges" / "probe.js").read_text()
    found = re.search(r"WORKING_SETS = \[(.*?)\]", text)[1]
    return [int(eval(part, {"MB": 2**20})) for part in found.split(",")]  # noqa: S307  a constant of our own source


@functools.cache
def _native_probe():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tinygpt-probe-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    source = pathlib.Path(__file__).with_name("probe.c")
    subprocess.run(
        ["cc", "-O2", "-march=native", "-ffp-contract=fast", "-pthread", str(source), "-o", str(folder / "probe")],
        check=True,
    )
    return folder / "probe"


def _output(command):
    return json.loads(subprocess.run(command, cwd=hosts.ROOT, capture_output=True, text=True, check=True).stdout)
