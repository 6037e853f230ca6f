"""The figures of the attacks: for each area how many were tried and survived, and the command.

A test or a fuzzer reports with `record`. Where the environment names a file in TINYGPT_FIGURES, it
gets one line of JSON for each report; else nothing is written. `python3 -m tests.security` names
one, and makes the table of docs/security.md from it.
"""

import json
import os
from pathlib import Path

from tests.hosts import ROOT

VARIABLE = "TINYGPT_FIGURES"
DOCUMENT = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- figures: python3 -m tests.security -->", "<!-- end of the figures -->"
HEAD = "| area | tried | survived | command |\n|---|--:|--:|---|\n"


def record(area, tried, survived, command=None):
    """Reports that `survived` of `tried` attacks in an area (`links`, say) did no harm. Reports of
    one area add up. command: what tries them again; the file of the test that reports, where None.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    if command is None:
        command = "python3 -m pytest " + os.environ["PYTEST_CURRENT_TEST"].partition("::")[0]
    line = json.dumps({"area": area, "tried": tried, "survived": survived, "command": command}) + "\n"
    with open(path, "ab", buffering=0) as file:  # in one write: several processes may report
        file.write(line.encode())


def read(path):
    """The rows of a file of reports, {area: (tried, survived, command)}, in order of the areas."""
    rows = {}
    for line in Path(path).read_text().splitlines():
        report = json.loads(line)
        tried, survived, _ = rows.get(report["area"], (0, 0, ""))
        rows[report["area"]] = tried + report["tried"], survived + report["survived"], report["command"]
    return dict(sorted(rows.items()))


def table(rows):
    """The rows as Markdown."""
    return HEAD + "".join(
        "| %s | %s | %s | `%s` |\n" % (area, f"{tried:,}", f"{survived:,}", command)
        for area, (tried, survived, command) in rows.items()
    )


def rows_of(text):
    """The rows of a document, as `read` gives them."""
    rows = {}
    for line in text.partition(BEGIN)[2].partition(END)[0].replace(HEAD, "").strip().splitlines():
        area, tried, survived, command = (cell.strip() for cell in line.strip("|").split("|"))
        rows[area] = int(tried.replace(",", "")), int(survived.replace(",", "")), command.strip("`")
    return rows


def replaced(text, rows):
    """The document with these rows in place of its own."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + table(rows) + END + rest.partition(END)[2]
