"""The matrix of docs/browsers.md is made of what the walk reports."""

import re

import pytest

from tests.engines import matrix
from tests.hosts import ROOT

pytestmark = pytest.mark.fast


def test_reports_become_tables(tmp_path, monkeypatch):
    monkeypatch.setenv(matrix.VARIABLE, str(tmp_path / "browsers.jsonl"))
    for engine, version, threads in (("firefox", "153.8.0", True), ("webkit-as-shipped", "2.50.6", False)):
        matrix.record(engine, "version", version, True)
        matrix.record(engine, "feature", "Threads", threads, "2 threads." if threads else "One thread.")
        matrix.record(engine, "walk", "pause", True)
    matrix.record("webkit-as-shipped", "says", "pause", True, "Press Stop to end it.")
    written = matrix.tables(matrix.read(tmp_path / "browsers.jsonl"))
    assert "| | Firefox ESR 153.8 | WebKitGTK 2.50 as shipped |\n" in written
    assert "| Threads | yes | no |\n" in written and "| pause | yes | otherwise |\n" in written
    assert '- WebKitGTK 2.50 as shipped, Threads: "One thread."\n' in written
    assert '- WebKitGTK 2.50 as shipped, pause: "Press Stop to end it."\n' in written
    text = "Before.\n%s\n%s\nAfter.\n" % (matrix.BEGIN, matrix.END)
    assert matrix.replaced(matrix.replaced(text, "old\n"), written) == matrix.replaced(text, written)


def test_the_document_has_rows_of_the_card_alone():
    """And no test of the walk that is gone."""
    listed = (ROOT / "app/shell/page_needs.js").read_text(encoding="utf-8")
    walk = (ROOT / "tests/engines/test_walk.py").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+?) \|", matrix.DOCUMENT.read_text(encoding="utf-8"), re.M)
    tests = {matrix.part(name) for name in re.findall(r"def (test_\w+)", walk)}
    assert [row for row in rows if 'name: "%s"' % row not in listed and row not in tests] == []
