"""Every test, in four runs of pytest: `python3 -m tests [pytest's options]`, which is what `make
test` does.

The first two share the tests out to a process a core, the one test by test, the other file by file:
a software GPU compiles its shaders on one thread, a page starts on one, and most of what is
compared with an oracle is computed on one. The third takes the tests that are marked `alone`, one
by one. The fourth is the walk through the page in each browser engine (tests/engines), two engines
at once; it says which engine is not on this machine. tests/conftest.py gives the marks. All runs
happen, whatever the ones before gave. The last line is `N passed, N failed`, of all; the status is
1 when anything failed.
"""

import os
import re
import subprocess
import sys
import time

from tests.hosts import ROOT

PROCESSES = str(min(os.cpu_count() or 1, 4))
RUNS = {
    "side by side": ["-m", "not alone and not by_file and not engines", "-n", PROCESSES, "--dist", "worksteal"],
    "file by file": [
        "-m", "by_file and not alone and not engines", "-n", PROCESSES, "--dist", "loadfile", "--no-loadscope-reorder",
    ],
    "one by one": ["-m", "alone and not engines", "-p", "no:xdist"],
    "engine by engine": ["-m", "engines", "-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder", "-rs"],
}  # fmt: skip
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


def main(options):
    set_up()
    passed = failed = 0
    broken = False
    took = []
    for name, own in RUNS.items():
        print("== tests %s" % name, flush=True)
        begun = time.monotonic()
        status, counts = run([*own, *options])
        took.append("%s %.0f s" % (name, time.monotonic() - begun))
        passed += counts.get("passed", 0)
        failed += counts.get("failed", 0) + counts.get("error", 0)
        if status not in (0, 1, 5) or (status == 1 and not counts):  # 5: no test was selected
            print("pytest ended with status %d" % status, flush=True)
            broken = True
    failed += broken and not failed  # a run that could not go on is no success, whatever it counted
    print(", ".join(took))
    print("%d passed, %d failed" % (passed, failed), flush=True)
    return 1 if failed or broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
