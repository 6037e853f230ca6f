"""Every test, in four runs of pytest: `python3 -m tests [pytest's options]`, which is what `make
test` does.

"file by file" and "side by side" share the tests out to a process a core, the one by whole files,
the other test by test: a page starts on one thread, a software GPU compiles its shaders on one,
and most of what is compared with an oracle is computed on one. The page comes first, as what is
wrong shows there soonest. "engine by engine" is the walk through the page in each browser engine
(tests/engines), two engines at once; it says which engine is not on this machine. "one by one"
are the tests that are marked `alone`. tests/conftest.py gives the marks. All runs happen,
whatever the ones before gave.

A few failures are tried once more in the end, in new processes with nothing beside them: a browser
that lost its window or a machine that stood still is no fault of the product. What passes only then
counts as passed and is named, with its first failure left above: read it, as it may be a race. More
than SECOND_TRY_AT_MOST failures of a run are not tried again.

The last line is `N passed, N failed`, of all; the status is 1 when anything failed.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from tests.hosts import ROOT

PROCESSES = str(min(os.cpu_count() or 1, 4))
RUNS = {  # name: (the marks of its tests, how pytest-xdist shares them out)
    "file by file": (
        "by_file and not alone and not engines",
        ["-n", PROCESSES, "--dist", "loadfile", "--no-loadscope-reorder"],
    ),
    "engine by engine": ("engines", ["-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder", "-rs"]),
    "one by one": ("alone and not engines", []),
    "side by side": ("not alone and not by_file and not engines", ["-n", PROCESSES, "--dist", "worksteal"]),
}
SECOND_TRY_AT_MOST = 12  # failures of one run: more of them have a cause
COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?|xfailed|xpassed)\b")


def set_up():
    """What serve.py would do at its first start: processes that come together must not do it at
    once.
    """
    from tools import setup
    from tools.setup import bytecode

    try:
        setup.prepare()
    except setup.SetupError as error:
        sys.exit("set-up: %s" % error)
    bytecode.compile_now()


def run(options):
    """(pytest's status, {word: count} of its closing line); what it writes is passed on as it
    comes.
    """
    closing = {}
    command = [sys.executable, "-u", "-m", "pytest", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        line = ""
        while piece := process.stdout.read(1):
            sys.stdout.write(piece)
            line += piece
            if piece in "\n.":
                sys.stdout.flush()
            if piece == "\n":
                if re.search(r" in [\d.]+s\b", line) and (found := COUNT.findall(line)):
                    closing = {
                        word.rstrip("s") if word.startswith("error") else word: int(count) for count, word in found
                    }
                line = ""
    return process.returncode, closing


def failed_in(cache):
    """The ids of the tests that failed in the last run with this cache folder of pytest's."""
    try:
        return set(json.loads((cache / "v/cache/lastfailed").read_text()))
    except FileNotFoundError:
        return set()


def main(options):
    set_up()
    passed = failed = 0
    broken = False
    took = []
    again = []
    with tempfile.TemporaryDirectory(prefix="tinygpt-tests-") as folder:
        for name, (marks, sharing) in RUNS.items():
            print("== tests %s" % name, flush=True)
            begun = time.monotonic()
            cache = pathlib.Path(folder, name)
            own = ["-m", marks, "-o", "cache_dir=%s" % cache]
            status, counts = run([*own, *(sharing or ["-p", "no:xdist"]), *options])
            took.append("%s %.0f s" % (name, time.monotonic() - begun))
            passed += counts.get("passed", 0)
            failures = counts.get("failed", 0) + counts.get("error", 0)
            failed += failures
            if status not in (0, 1, 5) or (status == 1 and not counts):  # 5: no test was selected
                print("pytest ended with status %d" % status, flush=True)
                broken = True
            elif 0 < failures == len(failed_in(cache)) <= SECOND_TRY_AT_MOST:
                again.append((name, own, cache))
        for name, own, cache in again:
            print("== once more, alone: what failed of the tests %s" % name, flush=True)
            begun = time.monotonic()
            before = failed_in(cache)
            _, counts = run([*own, "-p", "no:xdist", "--last-failed", "--last-failed-no-failures=none", *options])
            took.append("once more %.0f s" % (time.monotonic() - begun))
            mended = before - failed_in(cache)
            if counts.get("passed", 0) == len(mended):  # none of them is skipped this time
                passed, failed = passed + len(mended), failed - len(mended)
                for test in sorted(mended):
                    print("passed only at the second try: %s" % test, flush=True)
    failed += broken and not failed  # a run that could not go on is no success, whatever it counted
    print(", ".join(took))
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed or broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
