"""`python -m tests.front.pytorch_programs FOLDER PROGRAM...`: what programs print under PyTorch.

Each PROGRAM is a file of tests/front/programs with its arguments. It runs in a fork of a process
that has imported PyTorch, in the current folder; its printed text is FOLDER/<place in the list>.txt
when the line with that place is printed here.
"""

import os
import runpy
import sys

import torch._dynamo  # noqa: F401 - PyTorch's optimizers import it: once for all programs

from tests.hosts import ROOT

PROGRAMS = ROOT / "tests" / "front" / "programs"


def run(program: str, output: str) -> None:
    name, *arguments = program.split()
    sys.argv[:] = [str(PROGRAMS / (name + ".py")), *arguments]
    sys.path[0] = str(PROGRAMS)
    with open(output, "w") as sys.stdout:
        runpy.run_path(sys.argv[0], run_name="__main__")


def main() -> None:
    folder, *programs = sys.argv[1:]
    for place, program in enumerate(programs):
        child = os.fork()
        if not child:
            run(program, "%s/%d.txt" % (folder, place))
            sys.exit()
        _, status = os.waitpid(child, 0)
        print(place, os.waitstatus_to_exitcode(status), flush=True)


main()
