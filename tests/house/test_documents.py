"""The documents at the top of the tree name files that exist and numbers that the code has."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [path for path in sorted(ROOT.glob("*.md")) if path.name != "README.md"]
pytestmark = pytest.mark.fast


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_in_a_document_exists(document):
    prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    named = re.findall(r"`((?:[\w.-]+/)+[\w.*-]*)`", prose)
    created = re.findall(r"Create\s+`([^`]+)`", prose)  # by a worked example
    missing = [name for name in named if name not in created and not list(ROOT.glob(name.rstrip("/")))]
    assert missing == []


def test_the_limits_in_the_threat_model_are_the_codes():
    text = (ROOT / "SECURITY.md").read_text() + (ROOT / "docs" / "format.md").read_text()
    source = "\n".join(path.read_text() for path in (ROOT / "app").rglob("*.js"))
    source += "\n".join(path.read_text() for path in (ROOT / "py" / "tinygpt" / "storage").glob("*.py"))
    for words, code in (
        ("at most 300,000 characters", "MOST_LETTERS = 300_000"),
        ("at most 1 MB unpacked", "MOST_BYTES = 1_000_000"),
        ("100 levels, 16,000,000 values", "MAX_DEPTH = 100;"),
        ("100 levels, 16,000,000 values", "MAX_VALUES = 16_000_000;"),
        ("of any JSON | 100 levels", "MAX_DEPTH = 100 "),
        ("16,000,000 values, 1,000,000 of them objects", "Limits(values=16_000_000, objects=1_000_000)"),
        ("100,000 tensors, 1,600,000 values", "MAX_TENSORS = 100_000"),
        ("at most 16 GiB", "MAX_UNPACKED = 1 << 34"),
        ("at most 1.5 GB", "MOST_BYTES = 1.5e9"),
        ("32 MB unpacked", "MOST_ANSWER = 32e6"),
        ("50,000 columns or splits", "MOST_NAMES = 50_000"),
        ("10,000,000 characters", "MOST_CELL = 10e6"),
        ("10,000 requests", "MOST_PAGES = 10_000"),
        ("500 in a row that bring no text", "MOST_EMPTY = 500"),
        ("context at most 2^20", "MAX_CONTEXT = 1 << 20"),
        ("is quoted (160 characters)", "QUOTED = 160"),
    ):
        assert words in " ".join(text.split()) and code in source, words


def test_the_changelog_has_the_packages_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert versions[0] == "Unreleased" and versions[1] == project["version"]
