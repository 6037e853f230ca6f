"""Every public module has a page from its docstrings, and no public function is without one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import api_docs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    command = [sys.executable, "-m", "tools.api_docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("%d modules" % len(api_docs.MODULES))
    return folder


def test_each_public_module_has_a_page(pages):
    assert (pages / "index.html").is_file()
    for name in api_docs.MODULES:
        page = pages / (name.replace(".", "/") + ".html")
        assert page.is_file() and name.rpartition(".")[2] in page.read_text(), name


def test_the_public_modules_are_those_at_the_top_of_the_package():
    top = {path.stem for path in (ROOT / "py" / "tinygpt").glob("*.py")}
    assert top - {"__init__"} == set(api_docs.PUBLIC)


def test_a_function_is_on_its_modules_page_with_its_docstring(pages):
    page = (pages / "tinygpt" / "nn.html").read_text()
    assert 'id="Linear.forward"' in page and "out_features], float32" in page
    assert 'id="Tensor.matmul"' in (pages / "tinygpt.html").read_text()


def test_the_pages_load_nothing_from_elsewhere(pages):
    for page in pages.rglob("*.html"):
        loaded = re.findall(
            r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["']?(https?:[^"' >]*)""", page.read_text()
        )
        assert loaded == [], page


def test_no_public_function_is_without_a_docstring():
    assert api_docs.undocumented() == []
