"""The recorder of the attacks, and the table that it makes."""

import pytest

from tests.security import figures

pytestmark = pytest.mark.fast


def test_reports_become_rows_and_rows_a_table(tmp_path, monkeypatch):
    monkeypatch.setenv(figures.VARIABLE, str(tmp_path / "figures.jsonl"))
    figures.record("links", 300, 300)
    figures.record("files", 1000, 999, "python3 -m tests.fuzz.readers --count 1000")
    figures.record("links", 20, 20)
    rows = figures.read(tmp_path / "figures.jsonl")
    assert rows == {
        "files": (1000, 999, "python3 -m tests.fuzz.readers --count 1000"),
        "links": (320, 320, "python3 -m pytest tests/security/test_figures.py"),
    }
    text = "Before.\n%s\n%s\nAfter.\n" % (figures.BEGIN, figures.END)
    written = figures.replaced(text, rows)
    assert "| files | 1,000 | 999 | `python3 -m tests.fuzz.readers --count 1000` |\n" in written
    assert figures.rows_of(written) == rows and figures.replaced(written, rows) == written
    assert written.startswith("Before.\n") and written.endswith("\nAfter.\n")


def test_nothing_is_written_where_no_file_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv(figures.VARIABLE, raising=False)
    figures.record("links", 1, 1)
    assert list(tmp_path.iterdir()) == []


def test_every_attack_of_the_document_was_survived():
    rows = figures.rows_of(figures.DOCUMENT.read_text(encoding="utf-8"))
    assert [area for area, (tried, survived, _) in rows.items() if survived != tried] == []
