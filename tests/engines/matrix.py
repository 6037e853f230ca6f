"""The matrix of docs/browsers.md: what the walk saw in each engine.

The walk reports with `record`. Where the environment names a file in TINYGPT_BROWSERS, it gets one
line of JSON for each report; else nothing is written. `python3 -m tests.engines` names one, and
makes the tables from it.
"""

import json
import os
import textwrap
from pathlib import Path

from tests.hosts import ROOT

VARIABLE = "TINYGPT_BROWSERS"
DOCUMENT = ROOT / "docs" / "browsers.md"
BEGIN, END = "<!-- seen: python3 -m tests.engines -->", "<!-- end of what was seen -->"
# The engines of tests.engines.browsers, as a heading with the version that was walked through.
TITLES = {
    "chromium": "Chromium %s",
    "firefox": "Firefox ESR %s",
    "firefox-current": "Firefox %s",
    "webkit": "WebKitGTK %s with Safari's features",
    "webkit-as-shipped": "WebKitGTK %s as shipped",
}
HAS = "What each engine has, by the card *This browser*:"
DID = "What the walk did in each:"
SAYS = "What the page says where something is missing or works otherwise:"
MARKS = {True: "yes", False: "no", None: "–"}


def part(name):
    """What a test states, as words."""
    return name.removeprefix("test_").replace("_", " ")


def record(engine, kind, name, there, text=""):
    """Reports what the walk saw in an engine. kind: "version" (name: its number), "feature" (a row
    of the card: there or not, and its sentence), "walk" (a part of the walk: it passed or not) or
    "says" (a part of the walk that degrades, and what the page says).
    """
    path = os.environ.get(VARIABLE)
    if path:
        line = json.dumps(dict(engine=engine, kind=kind, name=name, there=there, text=text)) + "\n"
        with open(path, "a") as file:
            file.write(line)


def read(path):
    """The reports of a file, engine by engine, each one's in their order: two write at once."""
    reports = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return sorted(reports, key=lambda report: list(TITLES).index(report["engine"]))


def tables(reports):
    """The reports as Markdown."""
    versions = {report["engine"]: report["name"] for report in reports if report["kind"] == "version"}
    engines = [name for name in TITLES if name in versions]
    titles = [TITLES[name] % ".".join(versions[name].split(".")[:2]) for name in engines]
    lines = []
    for kind, title in (("feature", HAS), ("walk", DID)):
        lines += [title, "", "| | %s |" % " | ".join(titles), "|---|%s" % (len(engines) * "---|")]
        names = list(dict.fromkeys(report["name"] for report in reports if report["kind"] == kind))
        for name in names:
            cells = []
            for engine in engines:
                seen = [r["there"] for r in reports if (r["engine"], r["kind"], r["name"]) == (engine, kind, name)]
                says = any((r["engine"], r["kind"], r["name"]) == (engine, "says", name) for r in reports)
                cells.append("otherwise" if says else MARKS[seen[-1]] if seen else "")
            lines.append("| %s | %s |" % (name, " | ".join(cells)))
        lines.append("")
    lines += [SAYS, ""]
    for engine, title in zip(engines, titles):
        for report in reports:
            missing = report["kind"] == "feature" and report["there"] is False
            if report["engine"] == engine and (missing or report["kind"] == "says"):
                line = '- %s, %s: "%s"' % (title, report["name"], report["text"])
                lines.append(textwrap.fill(line, 100, subsequent_indent="  ", break_on_hyphens=False))
    return "\n".join(lines) + "\n"


def replaced(text, tables):
    """The document with these tables in place of its own."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + tables + END + rest.partition(END)[2]
