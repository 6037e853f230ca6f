"""Every attack, and the table of docs/security.md from what they report:
`python3 -m tests.security [pytest's options]`.

With options (a file, -k) only the areas that report get new rows. The table is written when all
tests pass.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.hosts import ROOT
from tests.security import figures

ATTACKS = ["tests/security", "tests/setup/test_interrupted.py"]


def main(options):
    with tempfile.TemporaryDirectory() as folder:
        reports = Path(folder) / "figures.jsonl"
        reports.touch()
        named = any((ROOT / option.partition("::")[0]).exists() for option in options)
        command = [sys.executable, "-m", "pytest", *options, *([] if named else ATTACKS)]
        environment = {
            **os.environ,
            figures.VARIABLE: str(reports),
            "TINYGPT_KILLS": "1000",
        }  # each write of the set-up
        status = subprocess.call(command, cwd=ROOT, env=environment)
        rows = figures.read(reports)
    print(figures.table(rows), end="")
    if status:
        return status
    text = figures.DOCUMENT.read_text(encoding="utf-8")
    kept = figures.rows_of(text) if options else {}
    figures.DOCUMENT.write_text(figures.replaced(text, dict(sorted({**kept, **rows}.items()))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
