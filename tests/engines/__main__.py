"""The walk in every engine, and the matrix of docs/browsers.md from what it saw:
`python3 -m tests.engines [pytest's options]`.

The matrix is written when all tests pass in all engines.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.__main__ import RUNS, set_up
from tests.engines import matrix
from tests.hosts import ROOT


def main(options):
    set_up()
    with tempfile.TemporaryDirectory() as folder:
        reports = Path(folder) / "browsers.jsonl"
        reports.touch()
        command = [sys.executable, "-m", "pytest", "tests/engines", *RUNS["engine by engine"], *options]
        status = subprocess.call(command, cwd=ROOT, env={**os.environ, matrix.VARIABLE: str(reports)})
        seen = matrix.read(reports)
    tables = matrix.tables(seen)
    print(tables, end="")
    complete = {report["engine"] for report in seen if report["kind"] == "version"} == set(matrix.TITLES)
    if status or not complete:
        return status
    text = matrix.DOCUMENT.read_text(encoding="utf-8")
    matrix.DOCUMENT.write_text(matrix.replaced(text, tables), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
