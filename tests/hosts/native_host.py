"""The native host: CPython in a process of its own, answering one JSON request a line on standard
input.
"""

import os
import sys

from tests.hosts.snippet import execute, forget_files


def serve():
    # The protocol keeps the real standard output; whatever else writes to it (C code included) goes
    # to standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(execute(line) + "\n")
        answers.flush()
    forget_files()


if __name__ == "__main__":
    serve()
