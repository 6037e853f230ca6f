"""The README's tree is what `python3 -m tools.readme_tree` writes. architecture.md names real
files."""

import re

import pytest

from tools import readme_tree

pytestmark = pytest.mark.fast
SOURCES = (".py", ".js", ".mjs", ".cpp", ".h", ".wgsl", ".html", ".sh")


def test_the_tree_is_up_to_date():
    text = readme_tree.README.read_text(encoding="utf-8")
    assert text == readme_tree.replaced(text), "run python3 -m tools.readme_tree"


def test_the_tree_has_every_source_file_with_a_sentence():
    tree = readme_tree.tree()
    shallow = readme_tree.SHALLOW
    for path in readme_tree.tracked():
        if not path.endswith(SOURCES) or path.endswith("__init__.py") or path.startswith(shallow):
            continue
        folder = max((f for f in readme_tree.FOLDERS if path.startswith(f)), key=len)
        assert re.search(r"^ *%s {2,}\S" % re.escape(path.removeprefix(folder)), tree, re.M), path


def test_a_sentence_is_cut_at_a_clause():
    assert readme_tree.fitted("The store's worker: hashes and writes", 60) == "The store's worker: hashes and writes"
    assert readme_tree.fitted("The store's worker: hashes and writes", 30) == "The store's worker"
    assert readme_tree.fitted("Words without a clause are cut somewhere", 20) == "Words without a …"


def test_architecture_names_files_that_exist():
    text = (readme_tree.ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = readme_tree.tracked()
    named = set(re.findall(r"`([\w./-]+\.(?:py|js|mjs|cpp|wgsl|html))`", text))
    assert len(named) > 30
    named -= {"sw.js"}  # which the static build writes
    assert [n for n in named if not any(f == n or f.endswith("/" + n) for f in files)] == []
